/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "invented-facts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"

/* What all hosts have in common. */
#define HOST                                                                                              \
        "capabilities 1ffffffffff\nmay_raise yes\nnr_open 1048576\nterminal_type xterm-256color\n"        \
        "host_nproc 63000 63000\nhost_sigpending 63000 63000\n"                                           \
        "in_initial_userns yes\nhas_user_namespaces yes\nhas_kcore yes\n"                                 \
        "os_release_path /etc/os-release\nhost_environment container_host_id=debian\n"                    \
        "host_environment container_host_version_id=12\n"                                                 \
        "device null 666 1 3\ndevice zero 666 1 5\ndevice full 666 1 7\ndevice random 666 1 8\n"          \
        "device urandom 666 1 9\ndevice tty 666 5 0\ndevice net/tun 666 10 200\ndevice fuse 666 10 229\n" \
        "localtime_present yes\nlocaltime_link ../usr/share/zoneinfo/Europe/Berlin\nlocaltime TZif2\n"    \
        "resolv_conf_present yes\nresolv_conf 0 nameserver 192.0.2.1\n"                                   \
        "working_directory /home/admin\nmachine web\nroot /srv/web\n"                                     \
        "root_has_etc yes\nroot_has_bin_link yes\nzone_in_root yes\ntree_id_mappable yes\n"               \
        "base_link 2 usr/lib\nuuid 1\nboot_id 2\nincoming /run/systemd/nspawn/propagate/web\n"

static const struct {
        const char *name, *text;
} sets[] = {
        { "v2", HOST "cgroups unified\nown_cgroup yes\n" },
        { "hybrid", HOST "cgroups hybrid\nown_cgroup yes\nhierarchy unified -\n"
                         "has_selinux yes\nknows_context yes\nknows_apifs_context yes\n"
                         "hierarchy systemd none,name=systemd,xattr\nhierarchy cpu,cpuacct cpu,cpuacct cpu cpuacct\n"
                         "hierarchy memory memory\n" },
        { "v1", HOST "cgroups v1\nown_cgroup yes\nhierarchy systemd none,name=systemd,xattr\n"
                     "hierarchy cpu,cpuacct cpu,cpuacct cpu cpuacct\nhierarchy memory memory\nhierarchy pids pids\n" },
        { "none", HOST "cgroups none\n" },
        /* a container that is itself one: few capabilities, nothing to be raised, no devices but the simple ones */
        { "nested", "capabilities 800405fb\nin_initial_userns no\nhas_user_namespaces no\ncgroups unified\n"
                    "limit 7 1024 4096\nhost_nproc 100 100\nhost_sigpending 100 100\nworking_directory /\nmachine "
                    "web\nroot /srv/web\ntree_id_mappable no\n"
                    "device null 666 1 3\ndevice zero 666 1 5\nroot_has_etc yes\nuuid 1\nboot_id 2\n" },
};
const char *const invented_sets[] = { "v2", "hybrid", "v1", "none", "nested", NULL };

#define AT(member) offsetof(struct facts, member)

static const struct {
        const char *key;
        size_t offset;
} texts[] = {
        { "os_release_path", AT(os_release_path) }, { "localtime_link", AT(localtime_link) },
        { "localtime", AT(localtime) },             { "working_directory", AT(working_directory) },
        { "machine", AT(machine) },                 { "root", AT(root) },
        { "ephemeral_upper", AT(ephemeral_upper) }, { "incoming", AT(incoming) },
        { "home", AT(user.home) },                  { "shell", AT(user.shell) },
}, flags[] = {
        { "stdio_is_terminal", AT(stdio_is_terminal) },
        { "in_initial_userns", AT(in_initial_userns) },
        { "has_user_namespaces", AT(has_user_namespaces) },
        { "starts_bare", AT(starts_bare) },
        { "has_kcore", AT(has_kcore) },
        { "has_selinux", AT(has_selinux) },
        { "knows_context", AT(knows_context) },
        { "knows_apifs_context", AT(knows_apifs_context) },
        { "localtime_present", AT(localtime_present) },
        { "resolv_conf_present", AT(resolv_conf_present) },
        { "stub_resolver_running", AT(stub_resolver_running) },
        { "own_cgroup", AT(own_cgroup) },
        { "sysfs_masked", AT(sysfs_masked) },
        { "root_has_etc", AT(root_has_etc) },
        { "root_has_bin_link", AT(root_has_bin_link) },
        { "zone_in_root", AT(zone_in_root) },
        { "tree_id_mappable", AT(tree_id_mappable) },
        { "may_raise", AT(rlimits.may_raise) },
}, numbers[] = { /* all of 32 bits */
        { "root_uid", AT(root_uid) }, { "root_gid", AT(root_gid) },         { "uid_base", AT(uid_base) },
        { "uid_count", AT(uid_count) }, { "uid", AT(user.uid) },            { "gid", AT(user.gid) },
        { "passed_fds", AT(n_passed_fds) }, { "guest_systemd", AT(guest_systemd) },
}, lists[] = {
        { "host_environment", AT(host_environment) },
        { "init_candidate", AT(init_candidates) },
};

static void require(bool promise, const char *what) {
        if (promise)
                return;
        fprintf(stderr, "invented facts: cannot read: %s\n", what);
        abort();
}

static char *copy(const char *s) {
        char *c = strdup(s);

        require(c != NULL, s);
        return c;
}

static const char *borrowed(struct invented *i, const char *s) {
        require(i->n_strings < ELEMENTS(i->strings) && strlen(s) < sizeof(i->strings[0]), s);
        return strcpy(i->strings[i->n_strings++], s);
}

static bool simple(struct facts *f, const char *key, const char *value) {
        char *at = (char *) f;
        uint32_t number;

        for (size_t i = 0; i < ELEMENTS(texts); i++)
                if (streq(texts[i].key, key)) {
                        char **text = (char **) (void *) (at + texts[i].offset);

                        free(*text);
                        *text = streq(value, "-") ? NULL : copy(value);
                        return true;
                }
        for (size_t i = 0; i < ELEMENTS(flags); i++)
                if (streq(flags[i].key, key)) {
                        require(parse_bool(value, (bool *) (at + flags[i].offset)) == 0, value);
                        return true;
                }
        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                if (streq(numbers[i].key, key)) {
                        require(parse_u32(value, &number) == 0, value);
                        memcpy(at + numbers[i].offset, &number, sizeof(number));
                        return true;
                }
        for (size_t i = 0; i < ELEMENTS(lists); i++)
                if (streq(lists[i].key, key)) {
                        require(strv_extend((char ***) (void *) (at + lists[i].offset), value) == 0, value);
                        return true;
                }
        return false;
}

static void device(struct invented *i, const char *value) {
        struct facts_device *d = &i->facts.devices[i->facts.n_devices++];
        char name[32];

        require(i->facts.n_devices <= FACTS_DEVICES, value);
        require(sscanf(value, "%31s %o %u %u", name, &d->mode, &d->major, &d->minor) == 4, value);
        d->name = borrowed(i, name);
        d->present = true;
}

static void hierarchy(struct facts *f, char *value) {
        char *save = NULL, *name = strtok_r(value, " ", &save), *options = strtok_r(NULL, " ", &save);
        struct facts_hierarchy *h;

        f->hierarchies = reallocarray(f->hierarchies, f->n_hierarchies + 1, sizeof(*h));
        require(f->hierarchies && name && options, "hierarchy");
        h = &f->hierarchies[f->n_hierarchies++];
        *h = (struct facts_hierarchy){ .name = copy(name), .options = streq(options, "-") ? NULL : copy(options) };
        for (char *word; (word = strtok_r(NULL, " ", &save));)
                require(strv_extend(&h->links, word) == 0, word);
}

static void groups(struct facts *f, char *value) {
        char *save = NULL;

        for (char *word = strtok_r(value, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
                f->user.groups = reallocarray(f->user.groups, f->user.n_groups + 1, sizeof(uint32_t));
                require(f->user.groups && parse_u32(word, &f->user.groups[f->user.n_groups++]) == 0, word);
        }
}

static struct rlimit_pair pair(const char *value) {
        unsigned long long soft, hard;

        require(sscanf(value, "%llu %llu", &soft, &hard) == 2, value);
        return (struct rlimit_pair){ soft, hard };
}

static void limit(struct facts *f, const char *value) {
        unsigned number = (unsigned) atoi(value);

        require(number < SPEC_RLIMITS && strchr(value, ' '), value);
        f->rlimits.own[number] = pair(strchr(value, ' ') + 1);
}

static void indexed(char **v, size_t n, const char *value) {
        size_t at = (size_t) (*value - '0');

        require(at < n && value[1] == ' ', value);
        free(v[at]);
        v[at] = streq(value + 2, "-") ? NULL : copy(value + 2);
}

static void cgroups(struct facts *f, const char *value) {
        static const char *const names[_CGROUPS_MAX] = { "none", "v1", "hybrid", "unified" };

        for (int k = 0; k < _CGROUPS_MAX; k++)
                if (streq(names[k], value)) {
                        f->cgroups = (enum cgroup_layout_kind) k;
                        return;
                }
        require(false, value);
}

static void like(struct invented *i, const char *name);

static void take(struct invented *i, const char *key, char *value) {
        struct facts *f = &i->facts;

        if (simple(f, key, value))
                return;
        if (streq(key, "like"))
                like(i, value);
        else if (streq(key, "capabilities"))
                require(parse_hex_u64(value, &f->capabilities) == 0, value);
        else if (streq(key, "nr_open"))
                require(parse_u64(value, &f->rlimits.nr_open) == 0, value);
        else if (streq(key, "terminal_type"))
                f->terminal_type = borrowed(i, value);
        else if (streq(key, "device"))
                device(i, value);
        else if (streq(key, "hierarchy"))
                hierarchy(f, value);
        else if (streq(key, "groups"))
                groups(f, value);
        else if (streq(key, "limit"))
                limit(f, value);
        else if (streq(key, "host_nproc"))
                f->rlimits.host_nproc = pair(value);
        else if (streq(key, "host_sigpending"))
                f->rlimits.host_sigpending = pair(value);
        else if (streq(key, "resolv_conf"))
                indexed(f->resolv_conf, ELEMENTS(f->resolv_conf), value);
        else if (streq(key, "base_link"))
                indexed(f->base_links, ELEMENTS(f->base_links), value);
        else if (streq(key, "cgroups"))
                cgroups(f, value);
        else if (streq(key, "uuid"))
                memset(f->uuid.bytes, 0x11 * (*value - '0'), sizeof(f->uuid.bytes));
        else if (streq(key, "boot_id"))
                memset(f->boot_id.bytes, 0x11 * (*value - '0'), sizeof(f->boot_id.bytes));
        else
                require(false, key);
}

static void take_text(struct invented *i, const char *text) {
        AUTO_FREE char *lines = copy(text);
        char *save = NULL;

        for (char *line = strtok_r(lines, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
                char *value = strchr(line, ' ');

                require(value != NULL, line);
                *value = '\0';
                take(i, line, value + 1);
        }
        i->facts.localtime_bytes = i->facts.localtime ? strlen(i->facts.localtime) : 0;
}

static void like(struct invented *i, const char *name) {
        for (size_t k = 0; k < ELEMENTS(sets); k++)
                if (streq(sets[k].name, name)) {
                        take_text(i, sets[k].text);
                        return;
                }
        require(false, name);
}

void invent(const char *text, struct invented *ret) {
        *ret = (struct invented){ .facts.uid_count = 65536 };
        for (int k = 0; k < SPEC_RLIMITS; k++)
                ret->facts.rlimits.own[k] = (struct rlimit_pair){ SPEC_RLIMIT_INFINITY, SPEC_RLIMIT_INFINITY };
        take_text(ret, text);
}

static void credential(const struct spec_credential *c, struct facts_credential *ret) {
        const char *data = c->path ? c->path : (const char *) c->data;

        ret->size = c->path ? strlen(c->path) : c->size;
        ret->data = malloc(ret->size + 1);
        require(ret->data != NULL, "credential");
        if (ret->size)
                memcpy(ret->data, data, ret->size);
}

void invent_for(const struct spec *spec, struct invented *i) {
        struct facts *f = &i->facts;

        f->credentials = calloc(spec->n_credentials + 1, sizeof(*f->credentials));
        require(f->credentials != NULL, "credentials");
        for (size_t k = 0; k < spec->n_credentials; k++)
                credential(&spec->credentials[k], &f->credentials[k]);
        f->n_credentials = spec->n_credentials;
        if (spec->users_mode == USERS_FIXED) {
                f->uid_base = spec->users_base;
                f->uid_count = spec->users_count;
        } else if ((spec->users_mode == USERS_PICK || spec->users_mode == USERS_TREE) && !f->uid_base)
                f->uid_base = 0x10000000;
}

void invented_done(struct invented *i) {
        facts_done(&i->facts);
}
