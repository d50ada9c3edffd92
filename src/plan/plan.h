/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/plan.h: what will be done to start a container, as a list of steps in the order in which they are carried out. Pure data:
 * --dry-run prints it, tests compare it, muster-spawn/ executes it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"
#include "base/str.h"
#include "base/table.h"
#include "plan/capabilities.h"
#include "plan/filter.h"
#include "plan/rlimits.h"

struct spec;
struct facts;

/* Who carries a step out, and when. Steps are in this order. */
enum phase {
        PHASE_HOST, /* the runner, before there is a child: mounts that nobody sees yet ("trees"), directories on the host */
        PHASE_IDS,   /* the runner, while the child waits for its user namespace to be mapped */
        PHASE_CHILD, /* the child, in its own namespaces, still with every capability it can have */
        PHASE_FINAL, /* the child: limits, identity, capabilities, filter, exec */
        _PHASE_MAX
};

enum step_kind {
        /* PHASE_HOST */
        STEP_TREE_CHOWN, /* gives the files of the tree at target to node.uid and the 65535 users above, for good */
        STEP_TREE_OPEN, /* tree := a copy of the mount (STEP_RECURSIVE: mounts) at source, with attributes; with `type`, source
                            * is a path below that directory, which no symlink leads out of */
        STEP_TREE_NEW,     /* tree := a new file system of `type` with `options` (comma-separated), with attributes */
        STEP_TREE_OVERLAY, /* tree := an overlay: lower (in `strings`, top first), upper and work directories below source;
                            * number[1] owners from number[0] on are shown as those from node.uid on */
        STEP_TREE_NODE,    /* a node at path `target` in the tree: see struct step.node */
        STEP_TREE_SOCKET, /* a datagram socket at `target` in the tree, kept open by the runner: the notify socket */
        STEP_HOST_DIR,    /* directory `target` on the host, mode; removed at the end when STEP_UNDO */
        STEP_JOURNAL_DIR, /* directory `target` on the host, whose parent exists, in place of a symlink; it stays */
        STEP_JOURNAL_LINK, /* symlink `target` on the host to `source`, in place of another or an empty directory; it stays */
        STEP_JOIN_NETWORK, /* the child is born into the network namespace at source: a user namespace of its own may not join */
        /* PHASE_IDS */
        STEP_ID_MAP,     /* uid_map and gid_map of the child: 0 -> number[0], number[1] ids */
        STEP_TREE_IDMAP, /* the tree shows its owners through the user namespace of the child; number[0]: enum spec_idmap;
                          * number[1]: the owner on disk that is shown as node.uid, the child's root */
        /* PHASE_CHILD */
        STEP_BECOME_ROOT,      /* user and group 0 of the new user namespace, no supplementary groups */
        STEP_PRIVATE,          /* nothing that is mounted from here on reaches the host */
        STEP_ENTER_ROOT,       /* the tree becomes /, what was / hangs on top of it, out of reach of paths */
        STEP_DETACH_OLD_ROOT,  /* and is gone */
        STEP_CGROUP_NAMESPACE, /* a new cgroup namespace, rooted where the child is */
        STEP_NODE,             /* a node in the container, when there is none: see struct step.node */
        STEP_REMOVE,           /* the file target, if there is one */
        STEP_WRITE,   /* the text `source` into the file target: STEP_REPLACE, else truncated and symlinks refused */
        STEP_MOUNT,   /* file system of `type` at target, flags, options */
        STEP_ATTACH,  /* the tree at target; a missing mount point is made (STEP_CREATE) */
        STEP_BIND,    /* source at target, both inside the container, then with attributes */
        STEP_REMOUNT, /* the mount at target with other attributes */
        STEP_UNMOUNT,
        STEP_SHARED, /* every mount starts a peer group of its own */
        STEP_SLAVE,  /* the mount at target only receives */
        STEP_HOSTNAME,
        STEP_SYSCTL,   /* the kernel's file target gets the text `source` */
        STEP_LOOPBACK, /* lo up */
        STEP_CONSOLE, /* a pseudo terminal of the container's devpts: /dev/console, standard streams, controlling terminal */
        /* PHASE_FINAL */
        STEP_RLIMITS,
        STEP_OOM_SCORE,
        STEP_CPU_AFFINITY,
        STEP_PERSONALITY,
        STEP_EXEC_LABEL, /* SELinux: the program will run with the label `source` */
        STEP_HOME,       /* the home directory of the payload's user, when there is none */
        STEP_IDENTITY,   /* user, groups and the capability sets */
        STEP_NO_NEW_PRIVILEGES,
        STEP_CHDIR,
        STEP_STUB_INIT,
        STEP_FILTER,
        STEP_EXEC,
        _STEP_MAX
};

DECLARE_TABLE(step_kind, enum step_kind);
DECLARE_TABLE(phase, enum phase);

/* Trees: mounts that are made before the child exists. */
enum {
        TREE_NONE = -1,
        TREE_ROOT,
        TREE_DEV,
        TREE_RUN,
        TREE_FIRST_EXTRA,
        TREE_MAX = 4096,
};

/* struct step.flags */
enum {
        STEP_RECURSIVE = 1 << 0,
        STEP_MAY_FAIL = 1 << 1, /* a failure is told at debug level, and the next step follows */
        STEP_CREATE = 1 << 2,   /* make what is missing */
        STEP_REPLACE = 1 << 3,
        STEP_UNDO = 1 << 4,      /* leaves something on the host that is taken away at the end */
        STEP_IF_EXISTS = 1 << 5, /* nothing to do when source or target does not exist */
        STEP_NO_FOLLOW = 1 << 6,
        STEP_THROW_AWAY = 1 << 8, /* the source is a new directory below /var/tmp, removed at the end */
        STEP_MASK = 1 << 9,       /* the source is the entry of that directory that has the type of target */
        STEP_COVERS = 1 << 10,    /* somebody named this very place: it may hide what the container has there */
        STEP_KEEP_OPEN = 1 << 11, /* TREE_NODE: a fifo that the runner keeps open: whoever opens it waits for nobody */
        STEP_SLAVE_TREE = 1 << 7, /* the tree keeps receiving what is mounted on the host; others are private */
};

/* Attributes of mounts: the MOUNT_ATTR_* of mount_setattr(2), spelled here so that the plan needs no kernel header. */
enum {
        ATTR_READ_ONLY = 0x1,
        ATTR_NO_SUID = 0x2,
        ATTR_NO_DEV = 0x4,
        ATTR_NO_EXEC = 0x8,
        ATTR_STRICT_ATIME = 0x20,
        ATTR_NO_SYMLINK_FOLLOW = 0x200000,
};

enum node_type {
        NODE_DIRECTORY,
        NODE_FILE,
        NODE_SYMLINK,
        NODE_FIFO,
        NODE_SOCKET,
        NODE_CHAR,
        NODE_BLOCK,
        _NODE_TYPE_MAX
};
DECLARE_TABLE(node_type, enum node_type);

struct step_node {
        enum node_type type;
        unsigned mode;         /* permission bits */
        uint32_t uid, gid;     /* on the host's side in PHASE_HOST, the container's in PHASE_CHILD */
        unsigned major, minor; /* devices */
};

struct step {
        enum step_kind kind;
        enum phase phase;
        unsigned flags;      /* STEP_* */
        uint64_t attributes; /* ATTR_* */
        int tree;            /* TREE_*, or a number from TREE_FIRST_EXTRA on */
        const char *why;     /* the option or the rule that wants it: shown by --dry-run and in failures */
        /* Strings are owned by the plan. */
        const char *source, *target, *type, *options;
        const char *label;     /* MOUNT, TREE_NEW, TREE_OVERLAY in memory: of all files in it; SELinux; may be NULL */
        struct step_node node; /* TREE_NODE, NODE; a symlink's target and a file's content are in `source` */
        char **strings;        /* TREE_OVERLAY: lower directories, the top one first */
        uint64_t number[2];
};

/* Arguments of the last steps, computed before the child exists. */
struct plan_payload {
        char **argv; /* argv[0] is replaced by the candidate that is tried */
        char **environment;
        char **candidates;  /* programs to try; one without '/' was searched in PATH: all its places are here */
        bool login_shell;   /* argv[0] is "-" and the program's last component */
        bool argv0_is_path; /* argv[0] is the candidate */
        const char *chdir;  /* NULL: / or home */
        uint32_t uid, gid;
        uint32_t *groups;
        size_t n_groups;
        struct capability_sets capabilities;
        struct rlimit_pair rlimits[SPEC_RLIMITS];
        unsigned rlimits_changed; /* bit n: limit n is not what the runner has */
        struct filter filter;
        const char *hostname;
};

struct plan {
        struct step *steps;
        size_t n_steps, allocated;
        uint64_t clone_flags; /* PLAN_CLONE_* */
        bool stub_is_program; /* the stub init is the runner's program, started again; else what the runner's memory was is hidden */
        bool shares_memory; /* the child may use the runner's until the program starts: a copy is most of what a process costs */
        int n_trees;
        struct plan_payload payload;
        char **strings; /* owns every string of the steps */
        size_t n_strings, n_strings_allocated;
        int error; /* -ENOMEM once an allocation failed: plan_build() looks at the end */
};

/* CLONE_NEW* of clone(2), spelled here so that the plan needs no kernel header. */
enum {
        PLAN_CLONE_NEWNS = 0x00020000,
        PLAN_CLONE_NEWCGROUP = 0x02000000,
        PLAN_CLONE_NEWUTS = 0x04000000,
        PLAN_CLONE_NEWIPC = 0x08000000,
        PLAN_CLONE_NEWUSER = 0x10000000,
        PLAN_CLONE_NEWPID = 0x20000000,
        PLAN_CLONE_NEWNET = 0x40000000,
};

/* Decides everything. `spec` has passed spec_check(); `warn` may be NULL. On success *ret is to be given to plan_done().
 * -EINVAL with a diag: what is wanted cannot be had on this host, or with this tree. -ENOMEM. */
int plan_build(const struct spec *spec, const struct facts *facts, void (*warn)(const char *text, void *userdata),
               void *userdata, struct plan *ret, struct diag *diag);
void plan_done(struct plan *p);
/* The part of that which is to be known before anything is made: labels that cannot be had. Needs only the facts of SELinux. */
int plan_check_labels(const struct spec *spec, const struct facts *facts, struct diag *diag);

/* For the chapters (plan-*.c). A zeroed step of that kind at the end of the plan; never NULL: after -ENOMEM a scratch step. */
struct step *plan_add(struct plan *p, enum phase phase, enum step_kind kind, const char *why);
/* Copies that live as long as the plan; "" when out of memory. */
const char *plan_string(struct plan *p, const char *s);
const char *plan_printf(struct plan *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Foreign text, made safe for a terminal and short. */
const char *plan_shown(struct plan *p, const char *s);
int plan_new_tree(struct plan *p);
