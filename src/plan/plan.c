/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The plan as a container: steps that grow, and the strings that they point to. What goes into it is in plan-*.c. */
#include "plan/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const step_kind_table[_STEP_MAX] = {
        [STEP_TREE_CHOWN] = "give-away",
        [STEP_TREE_OPEN] = "open",
        [STEP_TREE_NEW] = "make-fs",
        [STEP_TREE_OVERLAY] = "make-overlay",
        [STEP_TREE_NODE] = "make-node",
        [STEP_TREE_SOCKET] = "make-socket",
        [STEP_HOST_DIR] = "host-dir",
        [STEP_JOURNAL_DIR] = "journal-dir",
        [STEP_JOURNAL_LINK] = "journal-link",
        [STEP_ID_MAP] = "id-map",
        [STEP_TREE_IDMAP] = "map-owners",
        [STEP_BECOME_ROOT] = "become-root",
        [STEP_JOIN_NETWORK] = "join-network",
        [STEP_PRIVATE] = "private",
        [STEP_ENTER_ROOT] = "enter-root",
        [STEP_DETACH_OLD_ROOT] = "leave-host",
        [STEP_CGROUP_NAMESPACE] = "cgroup-ns",
        [STEP_NODE] = "node",
        [STEP_REMOVE] = "remove",
        [STEP_WRITE] = "write",
        [STEP_MOUNT] = "mount",
        [STEP_ATTACH] = "attach",
        [STEP_BIND] = "bind",
        [STEP_REMOUNT] = "remount",
        [STEP_UNMOUNT] = "unmount",
        [STEP_SHARED] = "shared",
        [STEP_SLAVE] = "slave",
        [STEP_HOSTNAME] = "hostname",
        [STEP_LOOPBACK] = "loopback-up",
        [STEP_SYSCTL] = "sysctl",
        [STEP_CONSOLE] = "console",
        [STEP_RLIMITS] = "limits",
        [STEP_OOM_SCORE] = "oom-score",
        [STEP_CPU_AFFINITY] = "cpu-affinity",
        [STEP_PERSONALITY] = "personality",
        [STEP_EXEC_LABEL] = "exec-label",
        [STEP_HOME] = "home",
        [STEP_IDENTITY] = "identity",
        [STEP_NO_NEW_PRIVILEGES] = "no-new-privs",
        [STEP_CHDIR] = "chdir",
        [STEP_STUB_INIT] = "stub-init",
        [STEP_FILTER] = "filter",
        [STEP_EXEC] = "exec",
};
DEFINE_TABLE(step_kind, enum step_kind)

static const char *const phase_table[_PHASE_MAX] = {
        [PHASE_HOST] = "host",
        [PHASE_IDS] = "ids",
        [PHASE_CHILD] = "child",
        [PHASE_FINAL] = "final",
};
DEFINE_TABLE(phase, enum phase)

static const char *const node_type_table[_NODE_TYPE_MAX] = {
        [NODE_DIRECTORY] = "directory", [NODE_FILE] = "file",   [NODE_SYMLINK] = "symlink",    [NODE_FIFO] = "fifo",
        [NODE_SOCKET] = "socket",       [NODE_CHAR] = "device", [NODE_BLOCK] = "block device",
};
DEFINE_TABLE(node_type, enum node_type)

struct step *plan_add(struct plan *p, enum phase phase, enum step_kind kind, const char *why) {
        static struct step scratch; /* written to and never read: the plan is dropped */

        if (p->n_steps == p->allocated) {
                size_t allocated = p->allocated ? 2 * p->allocated : 128;
                struct step *steps = reallocarray(p->steps, allocated, sizeof(*steps));

                if (!steps) {
                        p->error = -ENOMEM;
                        return &scratch;
                }
                p->steps = steps;
                p->allocated = allocated;
        }
        p->steps[p->n_steps] = (struct step){ .kind = kind, .phase = phase, .why = why, .tree = TREE_NONE };
        return &p->steps[p->n_steps++];
}

/* Takes `s`. */
static const char *keep(struct plan *p, char *s) {
        if (s && p->n_strings == p->n_strings_allocated) {
                size_t allocated = p->n_strings_allocated ? 2 * p->n_strings_allocated : 64;
                char **strings = reallocarray(p->strings, allocated, sizeof(*strings));

                if (strings) {
                        p->strings = strings;
                        p->n_strings_allocated = allocated;
                } else {
                        free(s);
                        s = NULL;
                }
        }
        if (!s) {
                p->error = -ENOMEM;
                return "";
        }
        p->strings[p->n_strings++] = s;
        return s;
}

const char *plan_string(struct plan *p, const char *s) {
        return keep(p, strdup(s));
}

const char *plan_shown(struct plan *p, const char *s) {
        return keep(p, str_escape(s, 60));
}

const char *plan_printf(struct plan *p, const char *format, ...) {
        va_list args;
        char *s;
        int n;

        va_start(args, format);
        n = vasprintf(&s, format, args);
        va_end(args);
        return keep(p, n < 0 ? NULL : s);
}

int plan_new_tree(struct plan *p) {
        return p->n_trees++;
}

void plan_done(struct plan *p) {
        for (size_t i = 0; i < p->n_steps; i++)
                strv_free(p->steps[i].strings);
        free(p->steps);
        for (size_t i = 0; i < p->n_strings; i++)
                free(p->strings[i]);
        free(p->strings);
        strv_free(p->payload.argv);
        strv_free(p->payload.environment);
        strv_free(p->payload.candidates);
        free(p->payload.groups);
        filter_done(&p->payload.filter);
        *p = (struct plan){ 0 };
}
