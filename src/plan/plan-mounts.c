/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --bind, --tmpfs, --overlay, --inaccessible. Sources on the host are opened by the runner, in the caller's directory and with
 * the caller's view; targets are resolved by the child, when the container is all that it can see. */
#include <stdlib.h>

#include "base/auto.h"
#include "plan/chapters.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "spec/spec.h"

#define CREDENTIALS "/run/host/credentials"

static const char *const option_names[_SPEC_MOUNT_MAX][2] = {
        [SPEC_MOUNT_BIND] = { "--bind", "--bind-ro" },
        [SPEC_MOUNT_TMPFS] = { "--tmpfs", "--tmpfs" },
        [SPEC_MOUNT_OVERLAY] = { "--overlay", "--overlay-ro" },
        [SPEC_MOUNT_INACCESSIBLE] = { "--inaccessible", "--inaccessible" },
};

static const char *why(const struct spec_mount *m) {
        return option_names[m->type][m->read_only];
}

static int by_destination(const void *a, const void *b) {
        const struct spec_mount *const *x = a, *const *y = b;
        int r = strcmp((*x)->destination, (*y)->destination);

        return r ? r : (*x)->type < (*y)->type ? -1 : (*x)->type > (*y)->type;
}

/* What is mounted on a path comes before what is mounted below it. NULL: out of memory. */
static const struct spec_mount **sorted(const struct spec *spec) {
        const struct spec_mount **v = reallocarray(NULL, spec->n_mounts + 1, sizeof(*v));

        if (!v)
                return NULL;
        for (size_t i = 0; i < spec->n_mounts; i++)
                v[i] = &spec->mounts[i];
        qsort(v, spec->n_mounts, sizeof(*v), by_destination);
        return v;
}

/* Relative paths are relative to where the caller is. */
static const char *host_path(struct chapter *c, const char *path) {
        if (path[0] == '/')
                return plan_string(c->plan, path);
        return plan_printf(c->plan, "%s/%s", c->facts->working_directory, path);
}

static void bind_source(struct chapter *c, const struct spec_mount *m, int tree) {
        struct step *s = plan_add(c->plan, PHASE_HOST, STEP_TREE_OPEN, why(m));

        s->tree = tree;
        s->attributes = m->read_only ? ATTR_READ_ONLY : 0;
        s->flags = m->recursive ? STEP_RECURSIVE : 0;
        s->node.uid = s->node.gid = c->base;
        if (!m->source.path)
                s->flags |= STEP_THROW_AWAY;
        else
                s->source = host_path(c, m->source.path);
        if (m->idmap == IDMAP_NONE)
                return;
        s = plan_add(c->plan, PHASE_IDS, STEP_TREE_IDMAP, why(m));
        s->tree = tree;
        s->number[0] = m->idmap;
        s->target = plan_string(c->plan, m->destination);
}

void plan_overlay_source(struct chapter *c, const struct spec_mount *m, int tree) {
        struct step *s = plan_add(c->plan, PHASE_HOST, STEP_TREE_OVERLAY, why(m));

        s->tree = tree;
        s->type = plan_string(c->plan, c->facts->root); /* what '+' is relative to */
        s->attributes = m->read_only ? ATTR_READ_ONLY : 0;
        s->node.uid = s->node.gid = c->base;
        if (m->read_only) {
                const char *top = m->source.path;

                if (strv_extend(&s->strings, m->source.in_root ? plan_printf(c->plan, "+%s", top) : host_path(c, top)) <
                    0)
                        c->plan->error = -ENOMEM;
        } else if (!m->source.path)
                s->flags |= STEP_THROW_AWAY;
        else
                s->source =
                        m->source.in_root ? plan_printf(c->plan, "+%s", m->source.path) : host_path(c, m->source.path);
        for (size_t i = m->n_lower; i-- > 0;) {
                const struct spec_path *p = &m->lower[i];

                if (strv_extend(&s->strings,
                                p->in_root ? plan_printf(c->plan, "+%s", p->path) : host_path(c, p->path)) < 0)
                        c->plan->error = -ENOMEM;
        }
}

static int check(const struct chapter *c, const struct spec_mount *m, struct diag *diag) {
        const char *place = plan_shown(c->plan, m->destination);

        if (c->spec->n_credentials > 0 && startswith(m->destination, CREDENTIALS "/"))
                return diag_set(diag, -EINVAL, why(m), "%s: the container's credentials are there: name another place",
                                place);
        if (m->idmap != IDMAP_NONE && !c->users)
                return diag_set(diag, -EINVAL, why(m), "%s: an id mapping needs --private-users", place);
        if (m->idmap != IDMAP_NONE && m->source.in_root)
                return diag_set(diag, -EINVAL, why(m), "%s: a path of the container itself needs no id mapping", place);
        if (m->type == SPEC_MOUNT_OVERLAY && m->source.in_root && !m->read_only && c->facts->ephemeral_upper)
                return diag_set(diag, -EINVAL, why(m),
                                "%s: the upper directory cannot be one of the container when that is ephemeral", place);
        return 0;
}

int plan_mount_sources(struct chapter *c, struct diag *diag) {
        AUTO_FREE const struct spec_mount **v = sorted(c->spec);

        if (!v)
                return -ENOMEM;
        c->first_mount_tree = c->plan->n_trees;
        for (size_t i = 0; i < c->spec->n_mounts; i++) {
                int r = check(c, v[i], diag);
                int tree = plan_new_tree(c->plan);

                if (r < 0)
                        return r;
                if (streq(v[i]->destination, "/"))
                        continue; /* plan-root.c */
                if (v[i]->type == SPEC_MOUNT_BIND && !v[i]->source.in_root)
                        bind_source(c, v[i], tree);
                else if (v[i]->type == SPEC_MOUNT_OVERLAY)
                        plan_overlay_source(c, v[i], tree);
        }
        return 0;
}

static void target(struct chapter *c, const struct spec_mount *m, int tree) {
        struct step *s;

        switch (m->type) {
        case SPEC_MOUNT_BIND:
                s = plan_add(c->plan, PHASE_CHILD, m->source.in_root ? STEP_BIND : STEP_ATTACH, why(m));
                s->tree = tree;
                if (m->source.in_root) {
                        s->source = plan_string(c->plan, m->source.path);
                        s->attributes = m->read_only ? ATTR_READ_ONLY : 0;
                        s->flags |= m->recursive ? STEP_RECURSIVE : 0;
                }
                s->flags |= STEP_CREATE;
                break;
        case SPEC_MOUNT_TMPFS:
                s = plan_add(c->plan, PHASE_CHILD, STEP_MOUNT, why(m));
                s->type = "tmpfs";
                s->options = m->options ? plan_printf(c->plan, "mode=0755,%s", m->options) : "mode=0755";
                s->attributes = ATTR_NO_DEV | ATTR_STRICT_ATIME;
                s->flags |= STEP_CREATE;
                break;
        case SPEC_MOUNT_OVERLAY:
                s = plan_add(c->plan, PHASE_CHILD, STEP_ATTACH, why(m));
                s->tree = tree;
                s->flags |= STEP_CREATE;
                break;
        default:
                s = plan_add(c->plan, PHASE_CHILD, STEP_BIND, why(m));
                s->source = "/run/host/inaccessible";
                s->attributes = ATTR_READ_ONLY;
                s->flags |= STEP_MASK;
        }
        s->target = plan_string(c->plan, m->destination);
        s->flags |= STEP_COVERS;
}

void plan_mount_targets(struct chapter *c) {
        AUTO_FREE const struct spec_mount **v = sorted(c->spec);

        if (!v) {
                c->plan->error = -ENOMEM;
                return;
        }
        for (size_t i = 0; i < c->spec->n_mounts; i++)
                if (!streq(v[i]->destination, "/"))
                        target(c, v[i], c->first_mount_tree + (int) i);
}
