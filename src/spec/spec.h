/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spec/spec.h: what a container should be: every option and every key of a settings file ends up here, and nothing
 * about how it is done. Plain data, no I/O. Defaults that depend on the host are left unset for the plan to decide. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/id128.h"
#include "base/table.h"

/* Groups of settings. An option of a group on the command line makes every key of that group in a settings file
 * inert (systemd-nspawn(1), --settings=). One bit each in spec.set. */
enum spec_group {
        SPEC_START, /* -a, -b, positional words */
        SPEC_ENVIRONMENT,
        SPEC_USER,
        SPEC_CAPABILITIES, /* add, drop, ambient together */
        SPEC_KILL_SIGNAL,
        SPEC_PERSONALITY,
        SPEC_MACHINE_ID,
        SPEC_NETWORK, /* all but ports */
        SPEC_PORTS,
        SPEC_READ_ONLY,
        SPEC_VOLATILE,
        SPEC_MOUNTS, /* bind, tmpfs, overlay, inaccessible together */
        SPEC_CHDIR,
        SPEC_USERS, /* private users, ownership, delegate */
        SPEC_NOTIFY_READY,
        SPEC_PIVOT_ROOT,
        SPEC_SYSCALL_FILTER,
        SPEC_HOSTNAME,
        SPEC_NO_NEW_PRIVILEGES,
        SPEC_OOM_SCORE_ADJUST,
        SPEC_CPU_AFFINITY,
        SPEC_RESOLV_CONF,
        SPEC_LINK_JOURNAL,
        SPEC_TIMEZONE,
        SPEC_EPHEMERAL,
        SPEC_SLICE,
        SPEC_DIRECTORY,
        SPEC_CONSOLE,
        SPEC_CONSOLE_LOG,
        SPEC_CONSOLE_LOG_SIZE,
        SPEC_CONSOLE_LOG_FILES,
        SPEC_CREDENTIALS,
        SPEC_BIND_USER,
        SPEC_BIND_USER_SHELL,
        SPEC_SUPPRESS_SYNC,
        SPEC_ADDRESS_FAMILIES,
        SPEC_RLIMIT_FIRST, /* one bit for each limit from here */
        _SPEC_GROUP_MAX = SPEC_RLIMIT_FIRST + 16,
};

enum start_mode { START_PID1, START_PID2, START_BOOT, _START_MODE_MAX };
enum console_mode {
        CONSOLE_UNSET, /* interactive when stdin and stdout are terminals, else read-only */
        CONSOLE_INTERACTIVE,
        CONSOLE_READ_ONLY,
        CONSOLE_PASSIVE,
        CONSOLE_PIPE,
        CONSOLE_AUTOPIPE,
        _CONSOLE_MODE_MAX
};
enum console_log_target { CONSOLE_LOG_FILE, CONSOLE_LOG_JOURNAL, CONSOLE_LOG_SYSLOG, _CONSOLE_LOG_MAX };
enum volatile_mode { VOLATILE_NO, VOLATILE_YES, VOLATILE_STATE, VOLATILE_OVERLAY, _VOLATILE_MODE_MAX };
enum users_mode {
        USERS_NO,
        USERS_TREE, /* "yes": the base is read from the owner of the tree */
        USERS_PICK,
        USERS_IDENTITY,
        USERS_FIXED,
        USERS_MANAGED,
        _USERS_MODE_MAX
};
enum ownership_mode {
        OWNERSHIP_UNSET, /* auto for pick and managed, else off */
        OWNERSHIP_OFF,
        OWNERSHIP_CHOWN,
        OWNERSHIP_MAP,
        OWNERSHIP_FOREIGN,
        OWNERSHIP_AUTO,
        _OWNERSHIP_MODE_MAX
};
enum resolv_conf_mode {
        RESOLV_CONF_AUTO,
        RESOLV_CONF_OFF,
        RESOLV_CONF_DELETE,
        RESOLV_CONF_COPY_HOST,
        RESOLV_CONF_COPY_STATIC,
        RESOLV_CONF_COPY_UPLINK,
        RESOLV_CONF_COPY_STUB,
        RESOLV_CONF_REPLACE_HOST,
        RESOLV_CONF_REPLACE_STATIC,
        RESOLV_CONF_REPLACE_UPLINK,
        RESOLV_CONF_REPLACE_STUB,
        RESOLV_CONF_BIND_HOST,
        RESOLV_CONF_BIND_STATIC,
        RESOLV_CONF_BIND_UPLINK,
        RESOLV_CONF_BIND_STUB,
        _RESOLV_CONF_MODE_MAX
};
enum timezone_mode {
        TIMEZONE_AUTO,
        TIMEZONE_OFF,
        TIMEZONE_COPY,
        TIMEZONE_BIND,
        TIMEZONE_SYMLINK,
        TIMEZONE_DELETE,
        _TIMEZONE_MODE_MAX
};
enum link_journal {
        LINK_JOURNAL_AUTO,
        LINK_JOURNAL_NO,
        LINK_JOURNAL_GUEST,
        LINK_JOURNAL_HOST,
        LINK_JOURNAL_TRY_GUEST,
        LINK_JOURNAL_TRY_HOST,
        _LINK_JOURNAL_MAX
};
enum settings_mode { SETTINGS_YES, SETTINGS_OVERRIDE, SETTINGS_TRUSTED, SETTINGS_NO, _SETTINGS_MODE_MAX };
enum register_mode { REGISTER_AUTO, REGISTER_YES, REGISTER_NO, _REGISTER_MODE_MAX };
enum personality { PERSONALITY_UNSET, PERSONALITY_NATIVE, PERSONALITY_SECONDARY, _PERSONALITY_MAX };
enum dry_run { DRY_RUN_NO, DRY_RUN_TEXT, DRY_RUN_JSON, _DRY_RUN_MAX };

#define SPEC_CONSOLE_LOG_SIZE_MIN (64U << 10)
#define SPEC_CONSOLE_LOG_SIZE_MAX (1U << 30)
#define SPEC_CONSOLE_LOG_FILES_MAX 16

DECLARE_TABLE(console_mode, enum console_mode);
DECLARE_TABLE(console_log_target, enum console_log_target);
DECLARE_TABLE(volatile_mode, enum volatile_mode);
DECLARE_TABLE(ownership_mode, enum ownership_mode);
DECLARE_TABLE(resolv_conf_mode, enum resolv_conf_mode);
DECLARE_TABLE(timezone_mode, enum timezone_mode);
DECLARE_TABLE(link_journal, enum link_journal);

/* setrlimit(2) resources, in the numbers of the kernel (include/uapi/asm-generic/resource.h). */
#define SPEC_RLIMITS 16
#define SPEC_RLIMIT_INFINITY UINT64_MAX

struct spec_rlimit {
        bool set;
        uint64_t soft, hard; /* SPEC_RLIMIT_INFINITY: none */
};

enum spec_mount_type {
        SPEC_MOUNT_BIND,
        SPEC_MOUNT_TMPFS,
        SPEC_MOUNT_OVERLAY,
        SPEC_MOUNT_INACCESSIBLE,
        _SPEC_MOUNT_MAX
};
enum spec_idmap { IDMAP_NONE, IDMAP_SAME, IDMAP_ROOT, IDMAP_OWNER, _SPEC_IDMAP_MAX };

/* A path as the user wrote it, without the marks. Relative ones are relative to the caller's directory. */
struct spec_path {
        char *path;   /* NULL: a throw-away directory is made (an empty source) */
        bool in_root; /* written with '+': a path below the container's root */
};

struct spec_mount {
        enum spec_mount_type type;
        struct spec_path source; /* bind: what to bind; overlay: the upper directory */
        struct spec_path *lower; /* overlay: n_lower of them, as written: the lowest first */
        size_t n_lower;
        char *destination; /* absolute, normalised */
        char *options;     /* tmpfs: mount options as written; may be NULL */
        bool read_only;
        bool recursive; /* bind: rbind (default) or norbind */
        enum spec_idmap idmap;
};

struct spec_credential {
        char *id;
        char *path;          /* --load-credential=: file, socket or a bare name; NULL when data is given */
        unsigned char *data; /* --set-credential=: unescaped, size bytes */
        size_t size;
};

enum spec_link_type { SPEC_LINK_INTERFACE, SPEC_LINK_MACVLAN, SPEC_LINK_IPVLAN, SPEC_LINK_VETH_EXTRA, _SPEC_LINK_MAX };
struct spec_link {
        enum spec_link_type type;
        char host[16], container[16]; /* interface names; container is empty where the default one is meant that is
                                       * made of the host's ("mv-", "iv-"): the plan makes and shortens it */
};

struct spec_port {
        bool udp;
        uint16_t host, container;
};

struct spec_network {
        bool private_network; /* asked for by itself, or implied by an option that needs it */
        bool veth;
        struct spec_link *links;
        size_t n_links;
        char *bridge, *zone, *namespace_path;
        struct spec_port *ports;
        size_t n_ports;
};

/* Names as the user wrote them. A leading '~' of a filter list has become `deny`. */
struct spec_syscall_rule {
        bool deny;
        char *name; /* a call, or "@group" */
};

/* Capability masks: bit n is capability n. */
struct spec_capabilities {
        uint64_t add, drop, ambient;
};

struct spec {
        uint64_t set; /* groups that this source has set: 1 << enum spec_group */

        /* image */
        char *directory, *template, *image, *oci_bundle, *mstack; /* as written; at most one of the last four */
        char *root_hash, *root_hash_signature, *verity_data, *image_policy;
        bool ephemeral;
        bool read_only; /* asked for, or implied by a volatile mode or a mount on / (spec_check()) */
        enum volatile_mode volatile_mode;
        char *pivot_root_new, *pivot_root_old; /* absolute, normalised; or NULL */

        /* execution */
        enum start_mode start_mode;
        bool start_mode_set; /* asked for, not just the default */
        char **command;      /* NULL: a login shell, or no argument for the init */
        char *chdir;         /* absolute, normalised; NULL: / with a command, the home directory without */
        char **environment;  /* NAME=VALUE, the last of a name wins; names without a value already resolved */
        char *user;          /* NULL: root */
        int kill_signal;     /* 0: not set; -1 reset by an empty value */
        bool notify_ready, suppress_sync;

        /* identity */
        char *machine, *hostname; /* NULL: decided from the image */
        struct id128 uuid;        /* null: not set */

        /* unit */
        char *slice;
        char **properties; /* NAME=VALUE */
        enum register_mode register_mode;
        bool register_set; /* --register= was given: an explicit yes makes a failure fatal */
        bool keep_unit;

        /* user namespace */
        enum users_mode users_mode;
        uint32_t users_base, users_count; /* fixed mode; count 65536 when not written */
        enum ownership_mode ownership;
        unsigned users_delegate;
        bool single_id;      /* set by a start without privileges: user 0 is the only one there is */
        bool users_optional; /* -U: ignored where the kernel has no user namespaces */
        bool unprivileged;   /* set by a start without privileges */

        struct spec_network network;

        /* security and resources */
        struct spec_capabilities capabilities;
        bool no_new_privileges;
        struct spec_syscall_rule *syscall_rules;
        size_t n_syscall_rules;
        bool address_families_set,
                address_families_deny; /* a list to allow, or (deny) to refuse; empty allow list: none */
        int *address_families;         /* AF_* numbers */
        size_t n_address_families;
        char *selinux_context, *selinux_apifs_context;
        struct spec_rlimit rlimits[SPEC_RLIMITS];
        bool oom_score_adjust_set;
        int oom_score_adjust;
        unsigned char *cpu_affinity; /* bit n of byte n/8 is CPU n */
        size_t cpu_affinity_bytes;   /* 0: not set */
        enum personality personality;

        /* integration, mounts, console */
        enum resolv_conf_mode resolv_conf;
        enum timezone_mode timezone;
        enum link_journal link_journal;
        char *forward_journal;
        bool forward_journal_limited; /* one of --forward-journal-max-use= and so on was given */
        struct spec_mount *mounts;
        size_t n_mounts;
        char **bind_users, **bind_user_groups;
        char *bind_user_shell; /* NULL, "" (yes) or a path */
        enum console_mode console;
        bool console_log_set;
        unsigned console_log;       /* where the console is logged: 1 << enum console_log_target */
        uint64_t console_log_size;  /* 0: not set */
        unsigned console_log_files; /* 0: not set */
        char *background;
        struct spec_credential *credentials;
        size_t n_credentials;

        /* how the program itself behaves: never in a settings file */
        bool quiet, no_pager, cleanup, no_ask_password, user_scope;
        enum settings_mode settings_mode;
        enum dry_run dry_run;

        /* environment switches (SYSTEMD_NSPAWN_*): spec-environ.c */
        bool share_ipc, share_pid, share_uts;
        bool no_cgroup_namespace, api_writable, api_network;
        bool no_tmpfs_tmp, no_lock, no_os_release_check, no_seccomp;
        int unified_cgroup;      /* -1: by the host; 0, 1 */
        char *container_service; /* value of $container; NULL: the default */
        unsigned char network_mac[6];
        bool network_mac_set;

        char **notices; /* what the user should know before the start, one sentence each: nothing that stops it */
};

/* An empty spec: everything unset. Ends the program's worries about defaults: a field is what the user said, or zero. */
void spec_init(struct spec *s);
/* Frees what it holds; accepts a half-filled one, and one that is done already. */
void spec_done(struct spec *s);
void spec_mount_done(struct spec_mount *m);

static inline bool spec_has(const struct spec *s, enum spec_group group) {
        return s->set & (UINT64_C(1) << group);
}
