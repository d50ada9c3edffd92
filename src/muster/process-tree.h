/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/process-tree.h: the processes of a machine, as `status` shows them. */
#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "base/str.h"
#include "codec/json-text.h"
#include "codec/machine-view.h"

#define PROCESS_TREE_NODES_MAX 16384
#define PROCESS_TREE_DEPTH_MAX 32

struct tree_node {
        char *group; /* name of a control group (as the machine chose it); NULL: a process */
        pid_t pid;
        char *command; /* of a process, raw */
        struct tree_node **children;
        size_t n_children;
};

enum tree_source {
        TREE_CGROUP,      /* everything in the machine's control group */
        TREE_NAMESPACE,   /* everything in the leader's pid namespace, and its descendants */
        TREE_DESCENDANTS, /* the leader and its descendants */
};

struct process_tree {
        struct tree_node root; /* an unnamed group */
        enum tree_source source;
        char *cgroup; /* where it was found, below its mount; NULL: no control group */
        size_t n_nodes;
        bool cut; /* there was more than the limits allow */
};

/* Best effort: a machine that ends meanwhile gives an empty tree. -ENOMEM. */
int process_tree_read(const struct machine_view *v, struct process_tree *ret);
void process_tree_done(struct process_tree *t);

/* Lines with the branches of a tree, indented by `indent` blanks, cut at `width` columns (0: not cut). */
void process_tree_text(const struct process_tree *t, unsigned indent, unsigned width, struct buf *out);
/* "processes": [{"pid", "command", "cgroup"}, ...] */
void process_tree_json(const struct process_tree *t, struct json_text *j);
