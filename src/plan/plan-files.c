/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Files of the tree that follow the host: name resolution and the time zone; and credentials. */
#include "plan/chapters.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "spec/spec.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define LOCALTIME "/etc/localtime"
#define ZONEINFO "/usr/share/zoneinfo/"

enum resolv_source { FROM_HOST, FROM_STATIC, FROM_UPLINK, FROM_STUB, FROM_NOWHERE };
enum resolv_action { ACTION_NONE, ACTION_DELETE, ACTION_COPY, ACTION_REPLACE, ACTION_BIND };

static const char *const resolv_paths[] = {
        [FROM_HOST] = RESOLV_CONF,
        [FROM_STATIC] = "/usr/lib/systemd/resolv.conf",
        [FROM_UPLINK] = "/run/systemd/resolve/resolv.conf",
        [FROM_STUB] = "/run/systemd/resolve/stub-resolv.conf",
};

static const struct {
        enum resolv_action action;
        enum resolv_source source;
} resolv_modes[_RESOLV_CONF_MODE_MAX] = {
        [RESOLV_CONF_OFF] = { ACTION_NONE, FROM_NOWHERE },
        [RESOLV_CONF_DELETE] = { ACTION_DELETE, FROM_NOWHERE },
        [RESOLV_CONF_COPY_HOST] = { ACTION_COPY, FROM_HOST },
        [RESOLV_CONF_COPY_STATIC] = { ACTION_COPY, FROM_STATIC },
        [RESOLV_CONF_COPY_UPLINK] = { ACTION_COPY, FROM_UPLINK },
        [RESOLV_CONF_COPY_STUB] = { ACTION_COPY, FROM_STUB },
        [RESOLV_CONF_REPLACE_HOST] = { ACTION_REPLACE, FROM_HOST },
        [RESOLV_CONF_REPLACE_STATIC] = { ACTION_REPLACE, FROM_STATIC },
        [RESOLV_CONF_REPLACE_UPLINK] = { ACTION_REPLACE, FROM_UPLINK },
        [RESOLV_CONF_REPLACE_STUB] = { ACTION_REPLACE, FROM_STUB },
        [RESOLV_CONF_BIND_HOST] = { ACTION_BIND, FROM_HOST },
        [RESOLV_CONF_BIND_STATIC] = { ACTION_BIND, FROM_STATIC },
        [RESOLV_CONF_BIND_UPLINK] = { ACTION_BIND, FROM_UPLINK },
        [RESOLV_CONF_BIND_STUB] = { ACTION_BIND, FROM_STUB },
};

static enum resolv_conf_mode resolv_auto(const struct chapter *c) {
        if (c->spec->network.private_network || c->spec->network.namespace_path)
                return RESOLV_CONF_OFF;
        if (c->facts->stub_resolver_running)
                return c->etc_writable ? RESOLV_CONF_COPY_STUB : RESOLV_CONF_BIND_STUB;
        if (c->facts->resolv_conf_present)
                return c->etc_writable ? RESOLV_CONF_COPY_HOST : RESOLV_CONF_BIND_HOST;
        return c->etc_writable ? RESOLV_CONF_DELETE : RESOLV_CONF_OFF;
}

static struct step *file_step(struct chapter *c, enum step_kind kind, const char *target, const char *why) {
        struct step *s = plan_add(c->plan, PHASE_CHILD, kind, why);

        s->target = target;
        s->flags = STEP_MAY_FAIL;
        return s;
}

/* A file of the host over one of the container. */
static void bind_file(struct chapter *c, const char *source, const char *target, unsigned flags, const char *why) {
        int tree = plan_new_tree(c->plan);
        struct step *s = plan_add(c->plan, PHASE_HOST, STEP_TREE_OPEN, why);

        s->tree = tree;
        s->source = source;
        s->attributes = ATTR_READ_ONLY | ATTR_NO_SUID | ATTR_NO_DEV;
        s->flags = STEP_MAY_FAIL;
        s = file_step(c, STEP_ATTACH, target, why);
        s->tree = tree;
        s->flags |= STEP_CREATE | flags;
}

static void resolv_conf(struct chapter *c) {
        enum resolv_conf_mode mode = c->spec->resolv_conf == RESOLV_CONF_AUTO ? resolv_auto(c) : c->spec->resolv_conf;
        enum resolv_source source = resolv_modes[mode].source;
        struct step *s;

        switch (resolv_modes[mode].action) {
        case ACTION_NONE:
                break;
        case ACTION_DELETE:
                file_step(c, STEP_REMOVE, RESOLV_CONF, "--resolv-conf");
                break;
        case ACTION_BIND:
                bind_file(c, resolv_paths[source], RESOLV_CONF, STEP_NO_FOLLOW, "--resolv-conf");
                break;
        default:
                if (!c->facts->resolv_conf[source]) {
                        if (c->warn)
                                c->warn(plan_printf(c->plan,
                                                    "--resolv-conf: %s cannot be read, leaving the container's file as "
                                                    "it is",
                                                    resolv_paths[source]),
                                        c->userdata);
                        break;
                }
                s = file_step(c, STEP_WRITE, RESOLV_CONF, "--resolv-conf");
                s->source = c->facts->resolv_conf[source];
                s->number[0] = strlen(s->source);
                s->node.mode = 0644;
                if (resolv_modes[mode].action == ACTION_REPLACE)
                        s->flags |= STEP_REPLACE;
        }
}

static enum timezone_mode timezone_auto(const struct chapter *c) {
        if (!c->facts->localtime_present)
                return c->etc_writable ? TIMEZONE_DELETE : TIMEZONE_OFF;
        if (!c->etc_writable)
                return TIMEZONE_BIND;
        return c->facts->localtime_link ? TIMEZONE_SYMLINK : TIMEZONE_COPY;
}

/* The part of the host's link behind /usr/share/zoneinfo/: "Europe/Berlin". NULL: it points elsewhere. */
static const char *zone(const struct facts *f) {
        const char *at = f->localtime_link ? strstr(f->localtime_link, ZONEINFO + 1) : NULL;

        return at ? at + strlen(ZONEINFO + 1) : NULL;
}

static void timezone_file(struct chapter *c) {
        enum timezone_mode mode = c->spec->timezone == TIMEZONE_AUTO ? timezone_auto(c) : c->spec->timezone;
        struct step *s;

        if (mode == TIMEZONE_SYMLINK && (!zone(c->facts) || !c->facts->zone_in_root))
                mode = TIMEZONE_BIND;
        if (!c->facts->localtime_present && mode != TIMEZONE_DELETE)
                return;
        switch (mode) {
        case TIMEZONE_DELETE:
                file_step(c, STEP_REMOVE, LOCALTIME, "--timezone");
                break;
        case TIMEZONE_BIND:
                bind_file(c, LOCALTIME, LOCALTIME, 0, "--timezone");
                break;
        case TIMEZONE_SYMLINK:
                s = file_step(c, STEP_NODE, LOCALTIME, "--timezone");
                s->source = plan_printf(c->plan, "..%s%s", ZONEINFO, zone(c->facts));
                s->node.type = NODE_SYMLINK;
                s->flags |= STEP_REPLACE;
                break;
        case TIMEZONE_COPY:
                if (!c->facts->localtime)
                        break;
                s = file_step(c, STEP_WRITE, LOCALTIME, "--timezone");
                s->source = c->facts->localtime;
                s->number[0] = c->facts->localtime_bytes;
                s->node.mode = 0644;
                s->flags |= STEP_REPLACE;
                break;
        default:
                break;
        }
}

/* A file system of their own that is never swapped out. */
static void credentials(struct chapter *c) {
        static const char why[] = "--set-credential";
        /* Who is no root, and can never become it, is who the container is for. */
        bool everybody = c->facts->user.uid != 0 && c->spec->no_new_privileges && c->spec->start_mode == START_PID1;
        int tree;
        struct step *s;

        if (c->spec->n_credentials == 0)
                return;
        tree = plan_new_tree(c->plan);
        s = plan_add(c->plan, PHASE_HOST, STEP_TREE_NEW, why);
        s->tree = tree;
        s->type = "ramfs";
        s->options = everybody ? "mode=0555" : "mode=0500";
        s->attributes = ATTR_NO_SUID | ATTR_NO_DEV | ATTR_NO_EXEC;
        s->node.uid = s->node.gid = c->base;
        for (size_t i = 0; i < c->spec->n_credentials; i++) {
                s = plan_add(c->plan, PHASE_HOST, STEP_TREE_NODE, why);
                s->tree = tree;
                s->target = plan_string(c->plan, c->spec->credentials[i].id);
                s->source = (const char *) c->facts->credentials[i].data;
                s->number[0] = c->facts->credentials[i].size;
                s->node = (struct step_node){
                        .type = NODE_FILE, .mode = everybody ? 0444 : 0400, .uid = c->base, .gid = c->base
                };
        }
        s = plan_add(c->plan, PHASE_CHILD, STEP_ATTACH, why);
        s->tree = tree;
        s->target = "/run/host/credentials";
        s = plan_add(c->plan, PHASE_CHILD, STEP_REMOUNT, why);
        s->target = "/run/host/credentials";
        s->attributes = ATTR_READ_ONLY | ATTR_NO_SUID | ATTR_NO_DEV | ATTR_NO_EXEC;
}

void plan_files(struct chapter *c) {
        credentials(c);
        resolv_conf(c);
        timezone_file(c);
}
