/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Requests and reports of muster-transfer: whatever decodes encodes to the very same bytes again, but that a destination that was left
 * out is the source. */
#include <stdlib.h>
#include <string.h>

#include "codec/transfer-protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO(transfer_freep) struct transfer *t = NULL, *u = NULL;
        AUTO_BUF struct buf again = BUF_EMPTY;
        uint8_t packet[TRANSFER_REPORT_MAX];
        struct transfer_report report;

        if (transfer_request_decode(data, size, &t) == 0) {
                if (transfer_request_encode(t, &again) < 0 || transfer_request_decode(again.data, again.size, &u) < 0 ||
                    again.size < size || memcmp(again.data, data, size - 1) != 0)
                        abort();
        }
        if (transfer_report_decode(data, size, &report) == 0)
                if (transfer_report_encode(&report, packet) != size || memcmp(packet, data, size) != 0)
                        abort();
        return 0;
}
