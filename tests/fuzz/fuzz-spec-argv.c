/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A command line, its words ended by NUL: what is accepted keeps the promises of spec.h, and can be checked. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "spec/spec-argv.h"
#include "spec/spec-check.h"

#define WORDS_MAX 64

static void require(bool promise) {
        if (!promise)
                abort();
}

static void check_promises(const struct spec *s) {
        for (size_t i = 0; i < s->n_mounts; i++)
                require(s->mounts[i].destination[0] == '/' && !strstr(s->mounts[i].destination, "//"));
        for (size_t i = 0; i < s->n_credentials; i++)
                require(!s->credentials[i].path != !s->credentials[i].data && *s->credentials[i].id);
        for (size_t i = 0; i < s->network.n_ports; i++)
                require(s->network.ports[i].host > 0 && s->network.ports[i].container > 0);
        for (size_t i = 0; i < SPEC_RLIMITS; i++)
                require(s->rlimits[i].soft <= s->rlimits[i].hard);
        for (char **e = s->environment; e && *e; e++)
                require(strchr(*e, '=') != NULL);
        if (s->users_mode == USERS_FIXED)
                require(s->users_count > 0 && (uint64_t) s->users_base + s->users_count <= UINT32_MAX);
        require(!s->chdir || *s->chdir == '/');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *words[WORDS_MAX] = { (char *) "muster-spawn" }, *text = malloc(size + 1);
        struct diag d = { 0 };
        struct spec s;
        int n = 1, r;

        if (!text)
                return 0;
        memcpy(text, data, size);
        text[size] = '\0';
        for (size_t at = 0; at < size && n < WORDS_MAX; at += strlen(text + at) + 1)
                words[n++] = text + at;
        r = spec_from_argv(n, words, NULL, &s, &d);
        if (r == 0) {
                check_promises(&s);
                r = spec_check(&s, &d);
                require(r == 0 || (r == -EINVAL && d.text[0]));
                r = spec_check_supported(&s, &d);
                require(r == 0 || (r == -EOPNOTSUPP && d.text[0]));
                spec_done(&s);
        } else if (r < 0) {
                require(r == -EINVAL && d.text[0] && d.field[0] == '-');
        } else {
                require(r <= SPEC_OUTCOME_VALUES);
        }
        free(text);
        return 0;
}
