/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: a mountinfo text, a NUL byte, a /proc/1/cgroup text. Whatever comes out hangs together. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/cgroup-layout.h"

static void require(bool promise) {
        if (!promise)
                abort();
}

static void check(const struct cgroup_hierarchy *h) {
        require(!h->mount == !h->below);
        if (!h->mount)
                return;
        require(h->prefix && (h->prefix[0] == '/' || h->prefix[0] == '\0'));
        require(strncmp(h->mount, "/sys/fs/cgroup", 14) == 0 && h->below[0] != '/');
        require(!strstr(h->below, "/../") && strcmp(h->below, "..") != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *) data, *second = size > 0 ? memchr(text, '\0', size) : NULL;
        size_t first = second ? (size_t) (second - text) : size;
        struct cgroup_layout l;

        second = second ? second + 1 : text + size;
        if (cgroup_layout_decode(text, first, second, (size_t) (text + size - second), &l) < 0)
                return 0;
        require(l.mode < _CGROUP_MODE_MAX && (l.mode == CGROUP_NONE) == !l.tracking.prefix);
        check(&l.tracking);
        for (size_t c = 0; c < _CGROUP_CONTROLLER_MAX; c++)
                check(&l.v1[c]);
        cgroup_layout_done(&l);
        return 0;
}
