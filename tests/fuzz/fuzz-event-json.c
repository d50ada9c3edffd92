/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of the journal: whatever is in them, what is accepted are valid events in order, which read the same when written again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/event-json.h"

static void require(bool promise) {
        if (!promise)
                abort();
}

static int on_event(void *userdata, struct event **e) {
        AUTO_BUF struct buf first = BUF_EMPTY, second = BUF_EMPTY;
        AUTO_FREE struct event *again = NULL;
        uint64_t *last = userdata;

        require(event_is_valid(*e) && (*e)->sequence > *last);
        *last = (*e)->sequence;
        require(event_line_encode(*e, &first) == 0);
        require(first.size <= EVENT_LINE_MAX && memchr(first.data, '\n', first.size) == first.data + first.size - 1);
        require(event_line_decode(first.data, first.size - 1, &again) == 0);
        require(event_line_encode(again, &second) == 0);
        require(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct diag d = { .line = 0 };
        struct varlink_answer answer;
        struct event_reply reply;
        uint64_t last = 0;
        int r;

        r = event_lines_decode((const char *) data, size, 0, on_event, &last, &d);
        require(r >= EVENT_LINES_GOOD && r <= EVENT_LINES_BAD && (r == EVENT_LINES_GOOD) == (d.line == 0));
        if (varlink_answer_decode((const char *) data, size, &answer) < 0)
                return 0;
        if (event_reply_decode(&answer, &reply) == 0) {
                require(!!reply.event + (reply.gap.from > 0) + reply.position.set == 1);
                free(reply.event);
        }
        varlink_answer_done(&answer);
        return 0;
}
