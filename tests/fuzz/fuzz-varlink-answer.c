/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever a registry answers, a client must survive it: reply, machine, mapping, and the same text laid out. */
#include <stdint.h>
#include <stdlib.h>

#include "base/str.h"
#include "codec/json-out.h"
#include "codec/machine-view.h"
#include "codec/map-answer.h"
#include "codec/resolve-json.h"
#include "codec/varlink-answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct varlink_answer answer;
        struct view_address *addresses = NULL;
        struct machine_view view;
        size_t n = 0;
        char *machine = NULL;
        uint32_t id;

        if (varlink_answer_decode((const char *) data, size, &answer) < 0)
                return 0;
        if (machine_view_decode(&answer, &view) == 0) {
                if (!view.name || view.n_addresses > MACHINE_VIEW_ADDRESSES_MAX)
                        abort();
                (void) machine_view_os(&view, "ID");
                machine_view_done(&view);
        }
        if (resolve_answer_decode(&answer, &addresses, &n) > 0 && n > MACHINE_VIEW_ADDRESSES_MAX)
                abort();
        free(addresses);
        (void) map_answer_decode(&answer, "uid", &machine, &id);
        free(machine);
        varlink_answer_done(&answer);
        (void) json_pretty((const char *) data, size, &out);
        return 0;
}
