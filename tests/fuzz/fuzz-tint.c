/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a container shows on a terminal with a colour of ours: all of it is passed on, and nothing but the colour comes with it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/tint.h"

#define COLOR "\033[44m"

/* One byte at a time: whatever the input looks like, what is new is known. */
static void check_bytes(const char *data, size_t size) {
        char out[TINT_ROOM];
        struct tint t;

        tint_init(&t, "44");
        for (size_t i = 0; i < size; i++) {
                size_t n = 1, written = tint_feed(&t, data + i, &n, out, sizeof(out));

                if (n != 1 || written < 1 || out[0] != data[i])
                        abort();
                if (written > 1 && (written != 1 + strlen(COLOR) || memcmp(out + 1, COLOR, strlen(COLOR)) != 0))
                        abort();
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char out[2 * TINT_ROOM];
        struct tint t;

        check_bytes((const char *) data, size);
        tint_init(&t, "44");
        while (size > 0) {
                size_t n = size, written = tint_feed(&t, (const char *) data, &n, out, sizeof(out));

                if (n == 0 || n > size || written < n || written > sizeof(out) || (written - n) % strlen(COLOR) != 0)
                        abort();
                data += n;
                size -= n;
        }
        return 0;
}
