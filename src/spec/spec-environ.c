/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/spec-environ.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "spec/spec-values.h"

#define FIELD(name) offsetof(struct spec, name)

static const char *variable(char *const *env, const char *name) {
        size_t size = strlen(name);

        for (; env && *env; env++)
                if (strncmp(*env, name, size) == 0 && (*env)[size] == '=')
                        return *env + size + 1;
        return NULL;
}

static int set_switch(struct spec *s, const struct setting *v) {
        bool value;

        if (value_bool(v->value, &value) < 0)
                return value_wrong(v, "must be yes or no.");
        *(bool *) ((char *) s + v->field) = value;
        return 0;
}

/* The variable says what is on; the field, what is off. */
static int set_switch_off(struct spec *s, const struct setting *v) {
        bool value;

        if (value_bool(v->value, &value) < 0)
                return value_wrong(v, "must be yes or no.");
        *(bool *) ((char *) s + v->field) = !value;
        return 0;
}

static int set_share_all(struct spec *s, const struct setting *v) {
        bool value;

        if (value_bool(v->value, &value) < 0)
                return value_wrong(v, "must be yes or no.");
        s->share_ipc = s->share_pid = s->share_uts = value;
        return 0;
}

static int set_api(struct spec *s, const struct setting *v) {
        bool value = false;

        s->api_network = streq(v->value, "network");
        if (!s->api_network && value_bool(v->value, &value) < 0)
                return value_wrong(v, "must be yes, no or network.");
        s->api_writable = value;
        return 0;
}

static int set_unified(struct spec *s, const struct setting *v) {
        bool value;

        if (value_bool(v->value, &value) < 0)
                return value_wrong(v, "must be yes or no.");
        s->unified_cgroup = value;
        return 0;
}

static int set_container_service(struct spec *s, const struct setting *v) {
        for (const char *c = v->value; *c; c++)
                if (!is_alnum(*c) && *c != '-' && *c != '_' && *c != '.')
                        return value_wrong(v, "must be letters, digits, '-', '_' and '.'.");
        return str_replace(&s->container_service, v->value);
}

static int hex_digit(char c) {
        return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int set_mac(struct spec *s, const struct setting *v) {
        const char *c = v->value;
        unsigned char mac[6];

        for (size_t i = 0; i < sizeof(mac); i++, c += 3) {
                int high = hex_digit(c[0]), low = high >= 0 ? hex_digit(c[1]) : -1;

                if (low < 0 || c[2] != (i < 5 ? ':' : '\0'))
                        return value_wrong(v, "must be six pairs of hexadecimal digits with colons between them.");
                mac[i] = (unsigned char) (high << 4 | low);
        }
        memcpy(s->network_mac, mac, sizeof(mac));
        s->network_mac_set = true;
        return 0;
}

/* In this order: what shares one namespace is said after what shares all. */
static const struct {
        const char *name; /* behind the prefix */
        spec_setter *set;
        size_t field;
} switches[] = {
        { "API_VFS_WRITABLE", set_api, 0 },
        { "USE_CGNS", set_switch_off, FIELD(no_cgroup_namespace) },
        { "SHARE_SYSTEM", set_share_all, 0 },
        { "SHARE_NS_IPC", set_switch, FIELD(share_ipc) },
        { "SHARE_NS_PID", set_switch, FIELD(share_pid) },
        { "SHARE_NS_UTS", set_switch, FIELD(share_uts) },
        { "CONTAINER_SERVICE", set_container_service, 0 },
        { "TMPFS_TMP", set_switch_off, FIELD(no_tmpfs_tmp) },
        { "LOCK", set_switch_off, FIELD(no_lock) },
        { "CHECK_OS_RELEASE", set_switch_off, FIELD(no_os_release_check) },
        { "NETWORK_MAC", set_mac, 0 },
        { "UNIFIED_HIERARCHY", set_unified, 0 },
};

static int apply_switch(char *const *env, size_t n, struct spec *s, struct diag *diag) {
        static const char *const prefixes[] = { "MUSTER_SPAWN_", "SYSTEMD_NSPAWN_" };

        for (size_t i = 0; i < ELEMENTS(prefixes); i++) {
                char name[48];
                struct setting v = { .name = name, .field = switches[n].field, .environ = env, .diag = diag };

                snprintf(name, sizeof(name), "%s%s", prefixes[i], switches[n].name);
                v.value = variable(env, name);
                if (v.value)
                        return switches[n].set(s, &v);
        }
        return 0;
}

/* Variables that other programs read, too: what we cannot read there is not ours to complain of. */
static void apply_shared(char *const *env, struct spec *s) {
        const char *seccomp = variable(env, "SYSTEMD_SECCOMP"), *sync = variable(env, "SYSTEMD_SUPPRESS_SYNC"),
                   *unified = variable(env, "UNIFIED_CGROUP_HIERARCHY");
        bool value;

        if (seccomp && value_bool(seccomp, &value) >= 0)
                s->no_seccomp = !value;
        if (sync && value_bool(sync, &value) >= 0 && !spec_has(s, SPEC_SUPPRESS_SYNC))
                s->suppress_sync = value;
        if (unified && value_bool(unified, &value) >= 0)
                s->unified_cgroup = value;
}

int spec_from_environ(char *const *env, struct spec *s, struct diag *diag) {
        struct diag ignored = { 0 };

        apply_shared(env, s);
        for (size_t i = 0; i < ELEMENTS(switches); i++) {
                int r = apply_switch(env, i, s, diag ? diag : &ignored);

                if (r < 0)
                        return r;
        }
        return 0;
}
