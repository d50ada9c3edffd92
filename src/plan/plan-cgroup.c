/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /sys/fs/cgroup as the payload sees it: its own control group is the root of what is there. */
#include "plan/chapters.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "spec/spec.h"

#define WHY "container interface: control groups"
#define CGROUP_ATTRIBUTES (ATTR_NO_SUID | ATTR_NO_DEV | ATTR_NO_EXEC)

#define EMPTY "mode=755,size=4m,nr_inodes=1k"

/* systemd refuses anything but v2 from this version on. */
#define FIRST_UNIFIED_ONLY 258

static struct step *mount(struct chapter *c, const char *type, const char *target, uint64_t attributes,
                          const char *options) {
        struct step *s = plan_add(c->plan, PHASE_CHILD, STEP_MOUNT, WHY);

        s->type = type;
        s->target = target;
        s->attributes = CGROUP_ATTRIBUTES | attributes;
        s->options = options;
        return s;
}

static bool unified(const struct chapter *c) {
        if (c->facts->cgroups == CGROUPS_UNIFIED)
                return true;
        if (c->spec->unified_cgroup >= 0)
                return c->spec->unified_cgroup > 0;
        return c->facts->cgroups == CGROUPS_HYBRID && c->facts->guest_systemd >= FIRST_UNIFIED_ONLY;
}

static void hierarchy(struct chapter *c, const struct facts_hierarchy *h) {
        const char *target = plan_printf(c->plan, "/sys/fs/cgroup/%s", h->name);
        struct step *s = plan_add(c->plan, PHASE_CHILD, STEP_NODE, WHY);
        bool writable = c->facts->own_cgroup && (c->users || !h->options || streq(h->name, "systemd"));

        s->target = target;
        s->node = (struct step_node){ .type = NODE_DIRECTORY, .mode = 0755 };
        if (!h->options)
                mount(c, "cgroup2", target, writable ? 0 : ATTR_READ_ONLY, NULL);
        else
                mount(c, "cgroup", target, writable ? 0 : ATTR_READ_ONLY, plan_string(c->plan, h->options));
        for (size_t i = 0; h->links && h->links[i]; i++) {
                s = plan_add(c->plan, PHASE_CHILD, STEP_NODE, WHY);
                s->target = plan_printf(c->plan, "/sys/fs/cgroup/%s", h->links[i]);
                s->source = plan_string(c->plan, h->name);
                s->node.type = NODE_SYMLINK;
        }
}

void plan_cgroup(struct chapter *c) {
        struct step *s;

        if (c->facts->cgroups == CGROUPS_NONE)
                return;
        if (!c->spec->no_cgroup_namespace)
                plan_add(c->plan, PHASE_CHILD, STEP_CGROUP_NAMESPACE, WHY);
        if (unified(c)) {
                /* A copy of a /sys brings its control groups along, and the kernel puts no cgroup2 right on top of another. */
                if (!c->network && !c->facts->in_initial_userns)
                        mount(c, "tmpfs", "/sys/fs/cgroup", 0, EMPTY);
                /* Without a group of its own the payload stands in the runner's: that one it may only read. */
                mount(c, "cgroup2", "/sys/fs/cgroup", c->facts->own_cgroup ? 0 : ATTR_READ_ONLY, NULL);
                return;
        }
        mount(c, "tmpfs", "/sys/fs/cgroup", 0, EMPTY);
        for (size_t i = 0; i < c->facts->n_hierarchies; i++)
                if (c->facts->hierarchies[i].options || c->spec->unified_cgroup != 0)
                        hierarchy(c, &c->facts->hierarchies[i]);
        if (c->users)
                return;
        s = plan_add(c->plan, PHASE_CHILD, STEP_REMOUNT, WHY);
        s->target = "/sys/fs/cgroup";
        s->attributes = CGROUP_ATTRIBUTES | ATTR_READ_ONLY;
}
