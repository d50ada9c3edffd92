/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Every rule is a row: whether it is broken, the option to look at, and what to say. */
#include "spec/spec-check.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "spec/spec-values.h"

#define CAPABILITY(n) (UINT64_C(1) << (n))
#define CAPABILITY_NET_BIND_SERVICE CAPABILITY(10)
#define CAPABILITY_NET_ADMIN CAPABILITY(12)
#define CAPABILITIES_DEFAULT UINT64_C(0xfdecafff) /* the 26 that a container has always been given */
#define RANGE_WHOLE 65536                         /* what chown can work with: the upper 16 bits tell the container */
#define IMAGES_DIRECTORY "/var/lib/machines/"

struct rule {
        bool broken;
        const char *field, *text;
};

static int first_broken(const struct rule *rules, size_t n, int error, struct diag *diag) {
        for (size_t i = 0; i < n; i++)
                if (rules[i].broken)
                        return diag_set(diag, error, rules[i].field, "%s", rules[i].text);
        return 0;
}

/* ---- implications ---- */

static bool has_custom_root(const struct spec *s) {
        for (size_t i = 0; i < s->n_mounts; i++)
                if (streq(s->mounts[i].destination, "/"))
                        return true;
        return false;
}

static int imply_directory(struct spec *s) {
        AUTO_BUF struct buf path = BUF_EMPTY;

        if (!s->template || s->directory || s->image || s->mstack)
                return 0;
        if (s->ephemeral) {
                s->directory = STEAL(s->template);
                return 0;
        }
        if (!s->machine)
                return 0;
        buf_append_str(&path, IMAGES_DIRECTORY);
        buf_append_str(&path, s->machine);
        return buf_steal(&path, &s->directory);
}

static int imply(struct spec *s) {
        struct spec_network *n = &s->network;

        n->veth |= n->bridge || n->zone;
        n->private_network |= n->veth || n->n_links > 0;
        s->read_only |= s->volatile_mode != VOLATILE_NO || has_custom_root(s);
        if ((s->share_pid || s->share_uts) && !s->register_set)
                s->register_mode = REGISTER_NO;
        return imply_directory(s);
}

static int notice_no_effect(struct spec *s) {
        int r = 0;

        if (s->keep_unit && s->slice)
                r = strv_extend(&s->notices, "--slice= has no effect with --keep-unit: no scope is made.");
        if (r >= 0 && s->keep_unit && s->properties)
                r = strv_extend(&s->notices, "--property= has no effect with --keep-unit: no scope is made.");
        if (r >= 0 && s->console == CONSOLE_PIPE && s->console_log)
                r = strv_extend(&s->notices, "--console-log= has no effect with --console=pipe: the payload writes to "
                                             "the files of the caller itself.");
        return r;
}

/* ---- contradictions ---- */

static int check_image(const struct spec *s, struct diag *diag) {
        bool journal = s->link_journal == LINK_JOURNAL_GUEST || s->link_journal == LINK_JOURNAL_HOST;
        bool changes_stay = !s->ephemeral && s->volatile_mode != VOLATILE_YES && s->volatile_mode != VOLATILE_STATE;
        const struct rule rules[] = {
                { s->directory && s->image, "--image", "--directory= and --image= cannot be combined." },
                { s->directory && s->mstack, "--mstack", "--directory= and --mstack= cannot be combined." },
                { s->image && s->mstack, "--mstack", "--image= and --mstack= cannot be combined." },
                { s->oci_bundle && (s->directory || s->image || s->mstack), "--oci-bundle",
                  "--oci-bundle= names the root itself: it cannot be combined with --directory=, --image= or "
                  "--mstack=." },
                { s->oci_bundle && s->template, "--oci-bundle", "--oci-bundle= and --template= cannot be combined." },
                { s->template && s->image, "--template", "--template= and --image= cannot be combined." },
                { s->template && s->mstack, "--template", "--template= and --mstack= cannot be combined." },
                { s->template && s->ephemeral, "--ephemeral",
                  "--ephemeral and --template= cannot be combined: one copy is removed, the other is kept." },
                { s->template && !s->directory, "--template",
                  "--template= needs a target: give --directory= or --machine=." },
                { s->ephemeral && s->mstack, "--ephemeral", "--ephemeral and --mstack= cannot be combined." },
                { s->ephemeral && s->cleanup, "--cleanup", "--cleanup and --ephemeral cannot be combined." },
                { s->ephemeral && journal, "--link-journal",
                  "--ephemeral and --link-journal=host or guest cannot be combined; try-host and try-guest can." },
                { s->directory && path_is_root(s->directory) && changes_stay, "--directory",
                  "--directory=/ would change the host: use it with --ephemeral, --volatile=yes or --volatile=state." },
        };

        return first_broken(rules, ELEMENTS(rules), -EINVAL, diag);
}

static int check_execution(const struct spec *s, struct diag *diag) {
        bool init = s->start_mode != START_PID1, user_namespace = s->users_mode != USERS_NO && !s->users_optional;
        uint64_t ambient = s->capabilities.ambient;
        const struct rule rules[] = {
                { init && (s->share_pid || s->share_uts), "SYSTEMD_NSPAWN_SHARE_SYSTEM",
                  "--boot and --as-pid2 need PID and UTS namespaces of their own, they cannot be shared with the "
                  "host." },
                { ambient && s->start_mode == START_BOOT, "--ambient-capability",
                  "--ambient-capability= and --boot cannot be combined: an init runs as root." },
                { ambient & ~spec_bounding_capabilities(s, user_namespace), "--ambient-capability",
                  "--ambient-capability= has a capability that the container does not keep: add it with "
                  "--capability=." },
        };

        return first_broken(rules, ELEMENTS(rules), -EINVAL, diag);
}

static bool is_whole_range(const struct spec *s) {
        return s->users_mode != USERS_FIXED || (s->users_base % RANGE_WHOLE == 0 && s->users_count == RANGE_WHOLE);
}

static int check_users(const struct spec *s, struct diag *diag) {
        bool on = s->users_mode != USERS_NO, root = has_custom_root(s), chown = s->ownership == OWNERSHIP_CHOWN;
        bool automatic = s->users_mode == USERS_TREE || s->users_mode == USERS_PICK || s->users_mode == USERS_MANAGED;
        bool owns = s->ownership != OWNERSHIP_UNSET && s->ownership != OWNERSHIP_OFF;
        const struct rule rules[] = {
                { s->users_mode == USERS_MANAGED && !s->network.private_network, "--private-users",
                  "--private-users=managed needs a private network: add --private-network or --network-veth." },
                { s->users_delegate > 0 && s->users_mode != USERS_MANAGED, "--private-users-delegate",
                  "--private-users-delegate= needs --private-users=managed." },
                { on && s->api_writable, "SYSTEMD_NSPAWN_API_VFS_WRITABLE",
                  "With a user namespace /sys and /proc/sys cannot be writable: leave SYSTEMD_NSPAWN_API_VFS_WRITABLE "
                  "out." },
                { on && s->api_network && !s->network.private_network, "SYSTEMD_NSPAWN_API_VFS_WRITABLE",
                  "With a user namespace SYSTEMD_NSPAWN_API_VFS_WRITABLE=network needs --private-network." },
                { root && on && automatic, "--private-users",
                  "With a mount on / the ids cannot be chosen from the tree: give --private-users=FIRST:COUNT." },
                { root && on && owns, "--private-users-ownership",
                  "With a mount on / the owners of the tree's files must stay: give --private-users-ownership=off." },
                { on && chown && s->volatile_mode != VOLATILE_NO, "--private-users-ownership",
                  "--private-users-ownership=chown and --volatile= cannot be combined." },
                { on && chown && s->read_only, "--private-users-ownership",
                  "--private-users-ownership=chown and --read-only cannot be combined." },
                { chown && !is_whole_range(s), "--private-users-ownership",
                  "--private-users-ownership=chown needs a range of 65536 ids that starts at a multiple of 65536." },
        };

        return first_broken(rules, ELEMENTS(rules), -EINVAL, diag);
}

static int check_network(const struct spec *s, struct diag *diag) {
        const struct spec_network *n = &s->network;
        const struct rule rules[] = {
                { n->bridge && n->zone, "--network-bridge",
                  "--network-bridge= and --network-zone= cannot be combined." },
                { n->namespace_path && (n->veth || n->n_links > 0), "--network-namespace-path",
                  "--network-namespace-path= cannot be combined with interfaces: the network is there already." },
                { n->n_ports > 0 && !n->private_network, "--port",
                  "--port= needs a private network: add --network-veth or another option for one." },
        };

        return first_broken(rules, ELEMENTS(rules), -EINVAL, diag);
}

static bool has_id_mapped_bind(const struct spec *s) {
        for (size_t i = 0; i < s->n_mounts; i++)
                if (s->mounts[i].idmap != IDMAP_NONE)
                        return true;
        return false;
}

static int check_integration(const struct spec *s, struct diag *diag) {
        const struct rule rules[] = {
                { has_id_mapped_bind(s) && s->users_mode == USERS_NO, "--bind",
                  "--bind= with idmap, rootidmap or owneridmap needs a user namespace: add --private-users=." },
                { s->bind_user_shell && !s->bind_users, "--bind-user-shell", "--bind-user-shell= needs --bind-user=." },
                { s->bind_user_groups && !s->bind_users, "--bind-user-group",
                  "--bind-user-group= needs --bind-user=." },
                { s->forward_journal_limited && !s->forward_journal, "--forward-journal",
                  "The limits of the journal need a place for it: add --forward-journal=." },
        };

        return first_broken(rules, ELEMENTS(rules), -EINVAL, diag);
}

int spec_check(struct spec *s, struct diag *diag) {
        static int (*const checks[])(const struct spec *s, struct diag *diag) = {
                check_image, check_execution, check_users, check_network, check_integration,
        };
        int r;

        r = imply(s);
        for (size_t i = 0; i < ELEMENTS(checks) && r >= 0; i++)
                r = checks[i](s, diag);
        return r < 0 ? r : notice_no_effect(s);
}

static bool has_link(const struct spec *s, enum spec_link_type type) {
        for (size_t i = 0; i < s->network.n_links; i++)
                if (s->network.links[i].type == type)
                        return true;
        return false;
}

#define NO_LINKS "muster-spawn makes no interfaces yet; --private-network and --network-namespace-path= work."
#define NO_IMAGES "muster-spawn runs trees of files only yet: give --directory=."
#define NO_BIND_USER "muster-spawn cannot make users of the host known yet; --bind= mounts a home directory."

int spec_check_supported(const struct spec *s, struct diag *diag) {
        const struct spec_network *n = &s->network;
        const struct rule rules[] = {
                { s->image, "--image", "--image=: " NO_IMAGES },
                { s->mstack, "--mstack", "--mstack=: " NO_IMAGES },
                { s->oci_bundle, "--oci-bundle", "--oci-bundle=: " NO_IMAGES },
                { s->root_hash, "--root-hash", "--root-hash=: " NO_IMAGES },
                { s->root_hash_signature, "--root-hash-sig", "--root-hash-sig=: " NO_IMAGES },
                { s->verity_data, "--verity-data", "--verity-data=: " NO_IMAGES },
                { s->image_policy, "--image-policy", "--image-policy=: " NO_IMAGES },
                { n->bridge, "--network-bridge", "--network-bridge=: " NO_LINKS },
                { n->zone, "--network-zone", "--network-zone=: " NO_LINKS },
                { has_link(s, SPEC_LINK_INTERFACE), "--network-interface", "--network-interface=: " NO_LINKS },
                { has_link(s, SPEC_LINK_MACVLAN), "--network-macvlan", "--network-macvlan=: " NO_LINKS },
                { has_link(s, SPEC_LINK_IPVLAN), "--network-ipvlan", "--network-ipvlan=: " NO_LINKS },
                { has_link(s, SPEC_LINK_VETH_EXTRA), "--network-veth-extra", "--network-veth-extra=: " NO_LINKS },
                { n->veth, "--network-veth", "--network-veth: " NO_LINKS },
                { n->n_ports > 0, "--port", "--port=: muster-spawn cannot forward ports yet." },
                { s->users_mode == USERS_MANAGED, "--private-users",
                  "--private-users=managed: muster-spawn cannot ask for a range of ids yet; pick chooses one." },
                { s->users_delegate > 0, "--private-users-delegate",
                  "--private-users-delegate=: muster-spawn cannot give ranges of ids to a container yet." },
                { s->bind_users, "--bind-user", "--bind-user=: " NO_BIND_USER },
                { s->bind_user_shell, "--bind-user-shell", "--bind-user-shell=: " NO_BIND_USER },
                { s->bind_user_groups, "--bind-user-group", "--bind-user-group=: " NO_BIND_USER },
                { s->forward_journal, "--forward-journal",
                  "--forward-journal=: muster-spawn cannot receive a journal yet; --link-journal= makes it visible." },
                { s->user_scope, "--user", "--user: muster-spawn runs the machines of the system only yet." },
        };

        return first_broken(rules, ELEMENTS(rules), -EOPNOTSUPP, diag);
}

uint64_t spec_bounding_capabilities(const struct spec *s, bool user_namespace) {
        uint64_t kept = CAPABILITIES_DEFAULT;

        /* Ports below 1024 of the host's network are not for those who are root in a user namespace only. */
        if (user_namespace && !s->network.private_network)
                kept &= ~CAPABILITY_NET_BIND_SERVICE;
        if (s->network.private_network)
                kept |= CAPABILITY_NET_ADMIN;
        return (kept | s->capabilities.add) & ~s->capabilities.drop;
}
