/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a spec: empty, filled by the parsers beside this file, freed. */
#include "spec/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

void spec_init(struct spec *s) {
        memset(s, 0, sizeof(*s));
        s->unified_cgroup = -1;
}

static void mount_done(struct spec_mount *m) {
        free(m->source.path);
        for (size_t i = 0; i < m->n_lower; i++)
                free(m->lower[i].path);
        free(m->lower);
        free(m->destination);
        free(m->options);
}

static void network_done(struct spec_network *n) {
        free(n->links);
        free(n->bridge);
        free(n->zone);
        free(n->namespace_path);
        free(n->ports);
}

static void credential_done(struct spec_credential *c) {
        free(c->id);
        free(c->path);
        free(c->data);
}

static void strings_done(struct spec *s) {
        char *strings[] = {
                s->directory,
                s->template,
                s->image,
                s->oci_bundle,
                s->mstack,
                s->root_hash,
                s->root_hash_signature,
                s->verity_data,
                s->image_policy,
                s->pivot_root_new,
                s->pivot_root_old,
                s->chdir,
                s->user,
                s->machine,
                s->hostname,
                s->slice,
                s->selinux_context,
                s->selinux_apifs_context,
                s->forward_journal,
                s->bind_user_shell,
                s->background,
                s->container_service,
        };

        for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++)
                free(strings[i]);
}

void spec_done(struct spec *s) {
        if (!s)
                return;
        strings_done(s);
        strv_free(s->command);
        strv_free(s->environment);
        strv_free(s->properties);
        strv_free(s->bind_users);
        strv_free(s->bind_user_groups);
        network_done(&s->network);
        for (size_t i = 0; i < s->n_syscall_rules; i++)
                free(s->syscall_rules[i].name);
        free(s->syscall_rules);
        free(s->address_families);
        free(s->cpu_affinity);
        for (size_t i = 0; i < s->n_mounts; i++)
                mount_done(&s->mounts[i]);
        free(s->mounts);
        for (size_t i = 0; i < s->n_credentials; i++)
                credential_done(&s->credentials[i]);
        free(s->credentials);
        spec_init(s);
}
