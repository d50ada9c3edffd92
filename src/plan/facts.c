/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "plan/facts.h"

#include <stdlib.h>

#include "base/str.h"

static void lists_done(struct facts *f) {
        strv_free(f->host_environment);
        strv_free(f->init_candidates);
        for (size_t i = 0; i < f->n_hierarchies; i++) {
                free(f->hierarchies[i].name);
                free(f->hierarchies[i].options);
                strv_free(f->hierarchies[i].links);
        }
        free(f->hierarchies);
        for (size_t i = 0; i < f->n_credentials; i++)
                free(f->credentials[i].data);
        free(f->credentials);
}

void facts_done(struct facts *f) {
        char *strings[] = { f->os_release_path, f->localtime_link, f->localtime,   f->working_directory,
                            f->machine,         f->root,           f->incoming,    f->ephemeral_upper,
                            f->user.home,       f->user.shell,     f->journal_link };

        lists_done(f);
        for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
                free(strings[i]);
        for (size_t i = 0; i < sizeof(f->resolv_conf) / sizeof(f->resolv_conf[0]); i++)
                free(f->resolv_conf[i]);
        for (size_t i = 0; i < sizeof(f->base_links) / sizeof(f->base_links[0]); i++)
                free(f->base_links[i]);
        free(f->user.groups);
        *f = (struct facts){ 0 };
}
