/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever the NSS module gets from outside: an answer, which is the same in one piece and byte by byte; a record; and the
 * kernel's words about routes. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "nss/answer.h"
#include "nss/record-scan.h"
#include "nss/routes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct record_scan record;
        struct answer whole, bytes;
        uint32_t number;
        int r, b = 0;

        answer_init(&whole);
        answer_init(&bytes);
        r = answer_feed(&whole, (const char *) data, size);
        for (size_t i = 0; i < size && b == 0; i++)
                b = answer_feed(&bytes, (const char *) data + i, 1);
        if (r != b || whole.kind != bytes.kind || whole.has_uid != bytes.has_uid || whole.uid != bytes.uid ||
            strcmp(whole.machine, bytes.machine) != 0 ||
            memcmp(&whole.addresses, &bytes.addresses, sizeof(whole.addresses)) != 0)
                abort();
        record_scan_init(&record);
        record_scan_feed(&record, (const char *) data, size);
        record_scan_end(&record);
        if (record.n_interfaces > RECORD_SCAN_INTERFACES_MAX)
                abort();
        (void) routes_decode_route(data, size, &number);
        (void) routes_decode_link(data, size, &number);
        return 0;
}
