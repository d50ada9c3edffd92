/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/facts.h: what the plan has to know about the host and the tree. muster-spawn/facts.c asks, tests invent. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id128.h"
#include "plan/rlimits.h"

/* How control groups are laid out on the host, and so for the payload. */
enum cgroup_layout_kind { CGROUPS_NONE, CGROUPS_V1, CGROUPS_HYBRID, CGROUPS_UNIFIED, _CGROUPS_MAX };

struct facts_device {
        const char *name; /* below /dev: "null", "net/tun" */
        bool present;     /* and, for those that are optional, it could be opened */
        unsigned mode, major, minor;
};

#define FACTS_DEVICES 8

/* A user of the container, from its own database. */
struct facts_user {
        uint32_t uid, gid;
        uint32_t *groups;
        size_t n_groups;
        char *home, *shell; /* NULL: not known */
};

struct facts_credential {
        unsigned char *data;
        size_t size;
};

/* What the host has at /var/log/journal/ID, ID being the machine's. */
enum facts_journal {
        JOURNAL_NO_BASE, /* no /var/log/journal that can be used */
        JOURNAL_MISSING,
        JOURNAL_DIRECTORY,
        JOURNAL_LINK,
        JOURNAL_OTHER, /* a file, or a mount point */
};

struct facts_hierarchy {
        char *name;    /* directory below /sys/fs/cgroup: "cpu,cpuacct", "systemd", "unified" */
        char *options; /* mount options: "cpu,cpuacct", "none,name=systemd,xattr"; NULL for cgroup2 */
        char **links;  /* symlinks to it: "cpu", "cpuacct" */
};

struct facts {
        /* the caller */
        uint64_t capabilities; /* effective and in the bounding set */
        struct rlimit_facts rlimits;
        const char *terminal_type; /* $TERM; borrowed */
        bool stdio_is_terminal;    /* stdin and stdout both */
        int n_passed_fds;          /* socket activation */
        bool in_initial_userns;

        /* the host */
        bool has_user_namespaces;
        bool starts_bare; /* the runner's program, which the payload's user may execute, can be the stub init: no C library, no loader */
        struct id128 machine_id; /* null: none, or nobody has to know */
        char *os_release_path;   /* NULL: none */
        char **host_environment; /* "container_host_id=debian" ... */
        struct facts_device devices[FACTS_DEVICES];
        size_t n_devices;
        bool has_kcore;
        bool localtime_present;
        char *localtime_link; /* what /etc/localtime points to; NULL: a file, or nothing */
        char *localtime;      /* its content, localtime_bytes; NULL: not asked for, or not readable */
        size_t localtime_bytes;
        bool resolv_conf_present, stub_resolver_running;
        char *resolv_conf[4]; /* contents: host, static, uplink, stub; NULL: not there */
        enum cgroup_layout_kind cgroups;
        struct facts_hierarchy *hierarchies; /* v1 and hybrid */
        size_t n_hierarchies;
        bool own_cgroup;   /* the payload has a control group of its own */
        bool sysfs_masked; /* no new sysfs or proc can be mounted by a user namespace */
        char *working_directory;
        /* SELinux, asked only where labels are wanted: is it switched on, and does the policy know them? */
        bool has_selinux, knows_context, knows_apifs_context;

        /* the machine */
        char *machine;         /* its name */
        char *root;            /* the tree, as a path on the host, resolved */
        char *ephemeral_upper; /* the directory that holds an overlay's upper and work; NULL: not an overlay */
        uint32_t root_uid, root_gid;
        bool root_has_etc, root_has_bin_link;
        bool has_usr;          /* a tree was found to have one */
        char *base_links[4];   /* bin, sbin, lib, lib64: to be made as symlinks to these; NULL: not to be made */
        bool zone_in_root;     /* the host's time zone file exists in the tree */
        bool tree_id_mappable; /* its file system takes an idmapped mount */
        struct id128 uuid;     /* of the payload: from the tree, --uuid or random */
        struct id128 boot_id;
        uint32_t uid_base, uid_count;
        struct facts_user user;
        char **init_candidates;               /* NULL: the usual ones */
        unsigned guest_systemd;               /* major version found in the tree, 0: none */
        struct facts_credential *credentials; /* one for each of the spec's, with its content */
        size_t n_credentials;
        enum facts_journal journal;
        char *journal_link; /* where JOURNAL_LINK leads to, absolute */
        char *incoming;     /* the host's end of the mount tunnel; NULL: none */
};

void facts_done(struct facts *f);
