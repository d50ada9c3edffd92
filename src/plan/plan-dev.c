/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /dev: a small file system with a handful of devices, filled by the runner before the container can see it: inside a user
 * namespace nobody could make a device. The list is that of the container interface (nothing of the host's hardware). */
#include "plan/chapters.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "spec/spec.h"

static struct step *node(struct chapter *c, enum node_type type, const char *path, unsigned mode) {
        struct step *s = plan_add(c->plan, PHASE_HOST, STEP_TREE_NODE, "container interface: /dev");

        s->tree = TREE_DEV;
        s->target = path;
        s->node = (struct step_node){ .type = type, .mode = mode, .uid = c->base, .gid = c->base };
        return s;
}

static void link(struct chapter *c, const char *path, const char *target) {
        node(c, NODE_SYMLINK, path, 0777)->source = target;
}

static void device(struct chapter *c, const struct facts_device *d) {
        struct step *s;

        if (!d->present)
                return;
        s = node(c, NODE_CHAR, plan_string(c->plan, d->name), d->mode);
        s->node.major = d->major;
        s->node.minor = d->minor;
        /* One that may not be made here (no CAP_MKNOD, a device policy) is bound from the host. */
        s->source = plan_printf(c->plan, "/dev/%s", d->name);
        link(c, plan_printf(c->plan, "char/%u:%u", d->major, d->minor), plan_printf(c->plan, "../%s", d->name));
}

void plan_dev_tree(struct chapter *c) {
        static const char *const directories[] = { "shm", "pts", "mqueue", "net", "char" };
        struct step *s = plan_add(c->plan, PHASE_HOST, STEP_TREE_NEW, "container interface: /dev");

        s->tree = TREE_DEV;
        s->type = "tmpfs";
        s->options = "mode=755,size=4m,nr_inodes=64k";
        if (c->base)
                s->options = plan_printf(c->plan, "%s,uid=%u,gid=%u", s->options, c->base, c->base);
        s->attributes = ATTR_NO_SUID | ATTR_STRICT_ATIME;
        for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
                node(c, NODE_DIRECTORY, directories[i], 0755);
        for (size_t i = 0; i < c->facts->n_devices; i++)
                device(c, &c->facts->devices[i]);
        link(c, "fd", "/proc/self/fd");
        link(c, "stdin", "/proc/self/fd/0");
        link(c, "stdout", "/proc/self/fd/1");
        link(c, "stderr", "/proc/self/fd/2");
        if (c->facts->has_kcore)
                link(c, "core", "/proc/kcore");
        link(c, "ptmx", "pts/ptmx");

        s = plan_add(c->plan, PHASE_CHILD, STEP_ATTACH, "container interface: /dev");
        s->tree = TREE_DEV;
        s->target = "/dev";
        s->flags = STEP_CREATE;
        s->node.mode = 0555;
}
