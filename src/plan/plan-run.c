/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* /run and /run/host: what the host tells the payload (the container interface), filled before the container can see it. */
#include "base/id128.h"
#include "plan/chapters.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "spec/spec.h"

#define WHY "container interface: /run/host"

static struct step *node(struct chapter *c, enum node_type type, const char *path, unsigned mode) {
        struct step *s = plan_add(c->plan, PHASE_HOST, STEP_TREE_NODE, WHY);

        s->tree = TREE_RUN;
        s->target = path;
        s->node = (struct step_node){ .type = type, .mode = mode, .uid = c->base, .gid = c->base };
        return s;
}

static const char *uuid_line(struct chapter *c, const struct id128 *id) {
        char hex[ID128_STRING_SIZE];

        id128_to_string(id, hex);
        return plan_printf(c->plan, "%.8s-%.4s-%.4s-%.4s-%s\n", hex, hex + 8, hex + 12, hex + 16, hex + 20);
}

/* What is bound over things that the payload shall not see. Devices with the number 0:0 belong to nobody. */
static void masks(struct chapter *c) {
        node(c, NODE_DIRECTORY, "host/inaccessible", 0555);
        node(c, NODE_FILE, "host/inaccessible/reg", 0)->source = "";
        node(c, NODE_DIRECTORY, "host/inaccessible/dir", 0);
        node(c, NODE_FIFO, "host/inaccessible/fifo", 0);
        node(c, NODE_SOCKET, "host/inaccessible/sock", 0);
        node(c, NODE_CHAR, "host/inaccessible/chr", 0)->flags = STEP_MAY_FAIL;
        node(c, NODE_BLOCK, "host/inaccessible/blk", 0)->flags = STEP_MAY_FAIL;
}

static void credentials(struct chapter *c) {
        if (c->spec->n_credentials == 0)
                return;
        node(c, NODE_DIRECTORY, "host/credentials", 0755);
}

/* The host's end of the mount tunnel: registry daemons mount there what shall appear in the container. */
static void tunnel(struct chapter *c) {
        struct step *s;
        int tree;

        if (!c->facts->incoming)
                return;
        node(c, NODE_DIRECTORY, "host/incoming", 0600);
        s = plan_add(c->plan, PHASE_HOST, STEP_HOST_DIR, "mount tunnel");
        s->target = plan_string(c->plan, c->facts->incoming);
        s->node.mode = 0600;
        s->flags = STEP_UNDO | STEP_MAY_FAIL;
        tree = plan_new_tree(c->plan);
        s = plan_add(c->plan, PHASE_HOST, STEP_TREE_OPEN, "mount tunnel");
        s->tree = tree;
        s->source = plan_string(c->plan, c->facts->incoming);
        s->attributes = ATTR_READ_ONLY;
        s->flags = STEP_RECURSIVE | STEP_SLAVE_TREE | STEP_MAY_FAIL;
        s = plan_add(c->plan, PHASE_CHILD, STEP_ATTACH, "mount tunnel");
        s->tree = tree;
        s->target = "/run/host/incoming";
        s->flags = STEP_MAY_FAIL;
}

void plan_run_tree(struct chapter *c) {
        const char *manager = c->spec->container_service ? c->spec->container_service : "systemd-nspawn";
        struct step *s = plan_add(c->plan, PHASE_HOST, STEP_TREE_NEW, "container interface: /run");

        s->tree = TREE_RUN;
        s->type = "tmpfs";
        s->options = "mode=755,size=20%,nr_inodes=800k";
        if (c->base)
                s->options = plan_printf(c->plan, "%s,uid=%u,gid=%u", s->options, c->base, c->base);
        s->attributes = ATTR_NO_SUID | ATTR_NO_DEV | ATTR_STRICT_ATIME;

        node(c, NODE_DIRECTORY, "host", 0755);
        node(c, NODE_FILE, "host/container-manager", 0444)->source = plan_printf(c->plan, "%s\n", manager);
        node(c, NODE_FILE, "host/container-uuid", 0444)->source = uuid_line(c, &c->facts->uuid);
        if (c->facts->os_release_path)
                node(c, NODE_FILE, "host/os-release", 0444)->source = "";
        masks(c);
        node(c, NODE_FIFO, "host/proc-kmsg", 0600)->flags = STEP_KEEP_OPEN;
        node(c, NODE_FILE, "host/proc-sys-kernel-random-boot-id", 0444)->source = uuid_line(c, &c->facts->boot_id);
        credentials(c);
        s = plan_add(c->plan, PHASE_HOST, STEP_TREE_SOCKET, "container interface: NOTIFY_SOCKET");
        s->tree = TREE_RUN;
        s->target = "host/notify";
        s->node = (struct step_node){ .type = NODE_SOCKET, .mode = 0200, .uid = c->base, .gid = c->base };

        s = plan_add(c->plan, PHASE_CHILD, STEP_ATTACH, "container interface: /run");
        s->tree = TREE_RUN;
        s->target = "/run";
        s->flags = STEP_CREATE;
        s->node.mode = 0555;
        s = plan_add(c->plan, PHASE_CHILD, STEP_BIND, WHY);
        s->source = s->target = "/run/host";
        s->attributes = ATTR_READ_ONLY | ATTR_NO_SUID | ATTR_NO_DEV | ATTR_NO_EXEC;
        tunnel(c);
}
