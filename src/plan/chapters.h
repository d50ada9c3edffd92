/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/chapters.h: the chapters of a plan, in the order in which plan_build() calls them. Each appends its steps. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"

struct plan;
struct spec;
struct spec_mount;
struct facts;

/* What the chapters share: the question, and the plan that grows. */
struct chapter {
        const struct spec *spec;
        const struct facts *facts;
        struct plan *plan;
        bool users;           /* there is a user namespace */
        bool map_owners;      /* the root is shown through it by an idmapped mount */
        uint32_t on_disk;     /* what is shown then as root of the container */
        bool give_away;       /* the tree's files are made the container's, for good */
        bool network;         /* a network namespace of its own, or /sys as if there were one */
        bool etc_writable;    /* files in /etc may be changed */
        bool custom_root;     /* a bind mount on / */
        uint32_t base;        /* what root inside is on the host */
        int usr_tree;         /* --volatile=yes: /usr; 0: none */
        int first_mount_tree; /* the sources of the custom mounts, in their order */
        void (*warn)(const char *text, void *userdata);
        void *userdata;
};

/* plan-root.c: the tree that becomes /, and what the child does until it is. */
void plan_root_trees(struct chapter *c);
void plan_root_enter(struct chapter *c);
/* plan-dev.c, plan-run.c: /dev and /run, filled before anybody can see them. */
void plan_dev_tree(struct chapter *c);
void plan_run_tree(struct chapter *c);
/* plan-api.c: proc, sysfs and the like; the first part while the host's mounts are still there (the kernel lets a user namespace
 * mount its own proc only where it sees one that is whole). */
void plan_api_first(struct chapter *c);
void plan_api_second(struct chapter *c);
/* plan-cgroup.c */
void plan_cgroup(struct chapter *c);
/* plan-mounts.c: --bind and friends: their sources, then their targets. */
int plan_mount_sources(struct chapter *c, struct diag *diag);
void plan_mount_targets(struct chapter *c);
void plan_overlay_source(struct chapter *c, const struct spec_mount *m, int tree);
/* plan-files.c: resolv.conf, localtime, credentials. */
void plan_files(struct chapter *c);
/* plan-journal.c */
int plan_journal(struct chapter *c, struct diag *diag);
/* plan-labels.c: SELinux, over what the others have planned */
void plan_labels(struct chapter *c);
/* plan-payload.c: console, limits, identity, filter, program. */
int plan_payload(struct chapter *c, struct diag *diag);
