/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A settings file, from a trusted place and from another one: the latter gives a container nothing, and merging loses nothing. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "spec/spec-check.h"
#include "spec/spec-ini.h"
#include "spec/spec-merge.h"

static void require(bool promise) {
        if (!promise)
                abort();
}

static void warned(unsigned line, const char *text, void *userdata) {
        require(line > 0 && *text);
}

static void check_powerless(const struct spec *s) {
        require(s->capabilities.add == 0 && s->capabilities.ambient == 0);
        require(s->n_mounts == 0 && s->network.n_links == 0 && s->network.n_ports == 0 && !s->network.private_network);
        require(s->users_mode == USERS_NO && s->ownership == OWNERSHIP_UNSET && !s->bind_users && !s->ephemeral);
        for (size_t i = 0; i < s->n_syscall_rules; i++)
                require(s->syscall_rules[i].deny);
        for (size_t i = 0; i < SPEC_RLIMITS; i++)
                require(!s->rlimits[i].set);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        const char *text = (const char *) data;
        struct spec s, file;
        struct diag d = { 0 };
        int r;

        if (spec_from_ini(text, size, false, warned, NULL, &s, &d) < 0)
                spec_init(&s);
        check_powerless(&s);
        r = spec_from_ini(text, size, true, warned, NULL, &file, &d);
        if (r == 0) {
                spec_merge(&s, &file, true);
                spec_done(&file);
                r = spec_check(&s, &d);
                require(r == 0 || (r == -EINVAL && d.text[0]));
        } else {
                require((r == -EBADMSG || r == -E2BIG) && d.text[0]);
        }
        spec_done(&s);
        return 0;
}
