/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever PID 1 of a container sends: what is taken from it can be shown to anybody. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/notify-text.h"
#include "core/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct notify_text said;

        if (notify_text_decode((const char *) data, size, &said) < 0)
                return 0;
        if (size == 0 || size > NOTIFY_TEXT_MAX)
                abort();
        if (said.has_status && (!text_is_valid(said.status, NOTIFY_TEXT_MAX) || !memmem(data, size, "STATUS=", 7)))
                abort();
        if (said.ready && !memmem(data, size, "READY=1", 7))
                abort();
        if (!*said.fd_name || strlen(said.fd_name) > NOTIFY_FD_NAME_MAX || strpbrk(said.fd_name, ": \n\033"))
                abort();
        if ((said.store && !memmem(data, size, "FDSTORE=1", 9)) ||
            (said.remove && !memmem(data, size, "FDSTOREREMOVE=1", 15)))
                abort();
        return 0;
}
