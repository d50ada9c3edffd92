/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: a KEY=value text. Each assignment that is read can be written so that it reads the same. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/envfile.h"

static void require(bool promise) {
        if (!promise)
                abort();
}

struct assignment {
        const char *key, *value;
};

static int compare(void *userdata, const char *key, const char *value) {
        const struct assignment *a = userdata;

        require(streq(a->key, key) && streq(a->value, value));
        return 1;
}

static int each(void *userdata, const char *key, const char *value) {
        struct assignment a = { key, value };
        AUTO_BUF struct buf out = BUF_EMPTY;
        size_t *total = userdata;

        *total += strlen(key) + strlen(value) + 1;
        require(*key && envfile_append(&out, key, value) == 0);
        require(envfile_parse(out.data, out.size, compare, &a) == 1);
        return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *) data;
        size_t total = 0;
        int r = envfile_parse(text, size, each, &total);

        require(r == (size > 0 && memchr(text, '\0', size) ? -EBADMSG : 0));
        require(total <= size); /* nothing is told that was not there */
        return 0;
}
