/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and reports of muster-enter: whatever decodes encodes to the very same bytes again. */
#include <stdlib.h>
#include <string.h>

#include "codec/enter-protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO(session_freep) struct session *s = NULL;
        AUTO_BUF struct buf again = BUF_EMPTY;
        uint8_t packet[ENTER_REPORT_MAX];
        struct enter_report report;

        if (enter_request_decode(data, size, &s) == 0) {
                if (enter_request_encode(s, &again) < 0 || again.size != size || memcmp(again.data, data, size) != 0)
                        abort();
        }
        if (enter_report_decode(data, size, &report) == 0)
                if (enter_report_encode(&report, packet) != size || memcmp(packet, data, size) != 0)
                        abort();
        return 0;
}
