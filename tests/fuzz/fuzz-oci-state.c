/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The same bytes as a state and as a config.json: what is accepted keeps the header's promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "codec/oci-state.h"
#include "core/name.h"

static void require(bool promise) {
        if (!promise)
                abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *) data;
        struct oci_state s;
        struct diag d = { 0 };
        char *root;

        if (oci_state_decode(text, size, "org.freedesktop.machine1.name", &s, &d) == 0) {
                require(*s.id && text_is_valid(s.id, OCI_ID_MAX) && path_is_absolute_and_valid(s.bundle));
                require(!s.root || path_is_absolute_and_valid(s.root));
                require(!s.name || (*s.name && text_is_valid(s.name, OCI_ID_MAX)));
                require(s.stopped ? s.pid == 0 : s.pid > 0);
                oci_state_done(&s);
        }
        if (oci_config_root(text, size, "/bundle", &root) == 0) {
                require(path_is_absolute_and_valid(root));
                free(root);
        }
        return 0;
}
