/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a spec: empty, filled by the parsers beside this file, freed. */
#include "spec/spec.h"

#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static const char *const console_mode_table[_CONSOLE_MODE_MAX] = {
        [CONSOLE_INTERACTIVE] = "interactive", [CONSOLE_READ_ONLY] = "read-only",
        [CONSOLE_PASSIVE] = "passive",         [CONSOLE_PIPE] = "pipe",
        [CONSOLE_AUTOPIPE] = "autopipe",
};
DEFINE_TABLE(console_mode, enum console_mode);

static const char *const console_log_target_table[_CONSOLE_LOG_MAX] = {
        [CONSOLE_LOG_FILE] = "file", [CONSOLE_LOG_JOURNAL] = "journal", [CONSOLE_LOG_SYSLOG] = "syslog"
};
DEFINE_TABLE(console_log_target, enum console_log_target);

static const char *const volatile_mode_table[_VOLATILE_MODE_MAX] = {
        [VOLATILE_NO] = "no",
        [VOLATILE_YES] = "yes",
        [VOLATILE_STATE] = "state",
        [VOLATILE_OVERLAY] = "overlay",
};
DEFINE_TABLE(volatile_mode, enum volatile_mode);

static const char *const ownership_mode_table[_OWNERSHIP_MODE_MAX] = {
        [OWNERSHIP_OFF] = "off",         [OWNERSHIP_CHOWN] = "chown", [OWNERSHIP_MAP] = "map",
        [OWNERSHIP_FOREIGN] = "foreign", [OWNERSHIP_AUTO] = "auto",
};
DEFINE_TABLE(ownership_mode, enum ownership_mode);

static const char *const resolv_conf_mode_table[_RESOLV_CONF_MODE_MAX] = {
        [RESOLV_CONF_AUTO] = "auto",
        [RESOLV_CONF_OFF] = "off",
        [RESOLV_CONF_DELETE] = "delete",
        [RESOLV_CONF_COPY_HOST] = "copy-host",
        [RESOLV_CONF_COPY_STATIC] = "copy-static",
        [RESOLV_CONF_COPY_UPLINK] = "copy-uplink",
        [RESOLV_CONF_COPY_STUB] = "copy-stub",
        [RESOLV_CONF_REPLACE_HOST] = "replace-host",
        [RESOLV_CONF_REPLACE_STATIC] = "replace-static",
        [RESOLV_CONF_REPLACE_UPLINK] = "replace-uplink",
        [RESOLV_CONF_REPLACE_STUB] = "replace-stub",
        [RESOLV_CONF_BIND_HOST] = "bind-host",
        [RESOLV_CONF_BIND_STATIC] = "bind-static",
        [RESOLV_CONF_BIND_UPLINK] = "bind-uplink",
        [RESOLV_CONF_BIND_STUB] = "bind-stub",
};
DEFINE_TABLE(resolv_conf_mode, enum resolv_conf_mode);

static const char *const timezone_mode_table[_TIMEZONE_MODE_MAX] = {
        [TIMEZONE_AUTO] = "auto", [TIMEZONE_OFF] = "off",         [TIMEZONE_COPY] = "copy",
        [TIMEZONE_BIND] = "bind", [TIMEZONE_SYMLINK] = "symlink", [TIMEZONE_DELETE] = "delete",
};
DEFINE_TABLE(timezone_mode, enum timezone_mode);

static const char *const link_journal_table[_LINK_JOURNAL_MAX] = {
        [LINK_JOURNAL_AUTO] = "auto",           [LINK_JOURNAL_NO] = "no",
        [LINK_JOURNAL_GUEST] = "guest",         [LINK_JOURNAL_HOST] = "host",
        [LINK_JOURNAL_TRY_GUEST] = "try-guest", [LINK_JOURNAL_TRY_HOST] = "try-host",
};
DEFINE_TABLE(link_journal, enum link_journal);

void spec_init(struct spec *s) {
        memset(s, 0, sizeof(*s));
        s->unified_cgroup = -1;
}

void spec_mount_done(struct spec_mount *m) {
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
        strv_free(s->notices);
        network_done(&s->network);
        for (size_t i = 0; i < s->n_syscall_rules; i++)
                free(s->syscall_rules[i].name);
        free(s->syscall_rules);
        free(s->address_families);
        free(s->cpu_affinity);
        for (size_t i = 0; i < s->n_mounts; i++)
                spec_mount_done(&s->mounts[i]);
        free(s->mounts);
        for (size_t i = 0; i < s->n_credentials; i++)
                credential_done(&s->credentials[i]);
        free(s->credentials);
        spec_init(s);
}
