/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Notes on control groups: what is accepted is a unit that unit_check() passes, and says the same when it is written again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/unit-record.h"
#include "core/name.h"

static void require(bool promise) {
        if (!promise)
                abort();
}

static struct buf encode(const struct unit *u) {
        struct buf text = BUF_EMPTY;

        require(unit_record_encode(u, &text) == 0);
        return text;
}

/* A record may quote so much that it is too long to be read again: then it is refused, never misread. */
static void check(const struct unit *u) {
        AUTO_BUF struct buf first = encode(u), second = BUF_EMPTY;
        struct unit *again = NULL;
        struct diag d;

        require(unit_check(u, &d) == 0);
        require(u->kill_signal >= 1 && u->kill_signal <= 64);
        require(path_is_absolute_and_valid(u->cgroup) && u->slice && *u->slice);
        if (unit_record_decode(u->cgroup, first.data, first.size, &again) < 0) {
                require(first.size > UNIT_RECORD_MAX);
                return;
        }
        second = encode(again);
        require(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
        unit_free(again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const char *const paths[] = { "/machine.slice/machine-a.scope", "/odd/x.scope", "/x.scope" };

        for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
                struct unit *u = NULL;

                if (unit_record_decode(paths[i], (const char *) data, size, &u) == 0) {
                        check(u);
                        unit_free(u);
                }
        }
        return 0;
}
