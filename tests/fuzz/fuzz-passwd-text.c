/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: a name, a newline, and a database. What is found is in the text, and can be used as it is. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "codec/passwd-text.h"

#define GROUPS_MAX 16

static void require(bool promise) {
        if (!promise)
                abort();
}

static void require_path(const char *path, const char *text, size_t size) {
        if (!path)
                return;
        require(*path == '/' && !strchr(path, ':') && !strchr(path, '\n'));
        require(memmem(text, size, path, strlen(path)) != NULL);
}

static void users(const char *text, size_t size, const char *name) {
        struct passwd_entry e;
        int r = passwd_find(text, size, name, &e);

        require(r == 0 || r == -ENOENT);
        if (r < 0)
                return;
        require(e.uid != UINT32_MAX && e.gid != UINT32_MAX);
        require_path(e.home, text, size);
        require_path(e.shell, text, size);
        passwd_entry_done(&e);
}

static void groups(const char *text, size_t size, const char *name) {
        AUTO_FREE uint32_t *v = NULL;
        size_t n = 0;
        int r = group_list(text, size, name, GROUPS_MAX, &v, &n);

        require(r == 0 || r == -E2BIG);
        if (r < 0)
                return;
        require(n <= GROUPS_MAX);
        for (size_t i = 0; i < n; i++) {
                require(v[i] != UINT32_MAX);
                for (size_t k = 0; k < i; k++)
                        require(v[i] != v[k]);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *) data, *end = memchr(text, '\n', size);
        AUTO_FREE char *name = NULL;

        if (!end)
                return 0;
        name = strndup(text, (size_t) (end - text));
        require(name != NULL);
        size -= (size_t) (end + 1 - text);
        users(end + 1, size, name);
        groups(end + 1, size, name);
        return 0;
}
