/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The root: where it comes from, and how the child gets into it.
 *
 * The runner makes it as a detached mount, private from the start, so that the host never sees it. The child puts it on top of
 * its own /, and pivots into it: from then on every path that it resolves is one of the container, whatever symlinks the tree holds. */
#include "plan/chapters.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "spec/spec.h"

/* Sizes as the original has them: a quarter of the memory for what stands in for a disk. */
#define VOLATILE_OPTIONS "mode=755,size=25%,nr_inodes=1m"

static struct step *open_tree(struct chapter *c, int tree, const char *source, const char *why) {
        struct step *s = plan_add(c->plan, PHASE_HOST, STEP_TREE_OPEN, why);

        s->tree = tree;
        s->source = plan_string(c->plan, source);
        s->flags = STEP_RECURSIVE;
        return s;
}

static const char *tmpfs_options(struct chapter *c, const char *options) {
        if (c->base == 0)
                return plan_string(c->plan, options);
        return plan_printf(c->plan, "%s,uid=%u,gid=%u", options, c->base, c->base);
}

static void map_owners(struct chapter *c, int tree) {
        struct step *s = plan_add(c->plan, PHASE_IDS, STEP_TREE_IDMAP, "--private-users-ownership");

        s->tree = tree;
        s->node.uid = c->base;
        s->number[1] = c->on_disk;
}

static void volatile_yes(struct chapter *c) {
        struct step *s = plan_add(c->plan, PHASE_HOST, STEP_TREE_NEW, "--volatile=yes");

        c->usr_tree = plan_new_tree(c->plan);
        s->tree = TREE_ROOT;
        s->type = "tmpfs";
        s->options = tmpfs_options(c, VOLATILE_OPTIONS);
        s->attributes = ATTR_STRICT_ATIME;

        s = open_tree(c, c->usr_tree, "usr", "--volatile=yes");
        s->type = plan_string(c->plan, c->facts->root);
        s->attributes = ATTR_READ_ONLY;
        if (c->map_owners)
                map_owners(c, c->usr_tree);
}

static void overlay(struct chapter *c, const char *upper, const char *why) {
        struct step *s = plan_add(c->plan, PHASE_HOST, STEP_TREE_OVERLAY, why);

        s->tree = TREE_ROOT;
        s->source = upper ? plan_string(c->plan, upper) : NULL;
        s->options = upper ? NULL : tmpfs_options(c, VOLATILE_OPTIONS);
        if (c->map_owners) { /* overlayfs itself cannot be mapped, what lies below can */
                s->node.uid = s->node.gid = c->base;
                s->number[0] = c->on_disk;
                s->number[1] = c->facts->uid_count;
        }
        if (strv_extend(&s->strings, c->facts->root) < 0)
                c->plan->error = -ENOMEM;
}

static const struct spec_mount *custom_root(const struct spec *spec) {
        for (size_t i = 0; i < spec->n_mounts; i++)
                if (streq(spec->mounts[i].destination, "/"))
                        return &spec->mounts[i];
        return NULL;
}

static void directory(struct chapter *c) {
        const struct spec_mount *custom = custom_root(c->spec);
        struct step *s;

        if (custom && custom->type == SPEC_MOUNT_TMPFS) {
                s = plan_add(c->plan, PHASE_HOST, STEP_TREE_NEW, "--tmpfs");
                s->tree = TREE_ROOT;
                s->type = "tmpfs";
                s->options = tmpfs_options(c, custom->options ? custom->options : "mode=0755");
                s->attributes = ATTR_NO_DEV | ATTR_STRICT_ATIME;
                return;
        }
        if (custom && custom->type == SPEC_MOUNT_OVERLAY) {
                plan_overlay_source(c, custom, TREE_ROOT);
                return;
        }
        if (custom) {
                s = open_tree(c, TREE_ROOT, strempty(custom->source.path), "--bind");
                if (!custom->source.path) {
                        s->source = NULL;
                        s->flags |= STEP_THROW_AWAY;
                }
                s->type = custom->source.in_root ? plan_string(c->plan, c->facts->root) : NULL;
                s->attributes = custom->read_only ? ATTR_READ_ONLY : 0;
                return;
        }
        s = open_tree(c, TREE_ROOT, c->facts->root, "--directory");
        if (c->spec->pivot_root_new) {
                s->type = s->source;
                s->source = plan_string(c->plan, c->spec->pivot_root_new);
                s->why = "--pivot-root";
        }
        if (c->spec->read_only || c->spec->volatile_mode == VOLATILE_STATE)
                s->attributes = ATTR_READ_ONLY;
}

/* Its layers are mapped already. */
static bool is_overlay(const struct chapter *c) {
        return c->facts->ephemeral_upper || c->spec->volatile_mode == VOLATILE_OVERLAY;
}

void plan_root_trees(struct chapter *c) {
        if (c->give_away) {
                struct step *s = plan_add(c->plan, PHASE_HOST, STEP_TREE_CHOWN, "--private-users-ownership");

                s->tree = TREE_NONE;
                s->target = plan_string(c->plan, c->facts->root);
                s->node.uid = s->node.gid = c->base;
        }
        if (c->spec->volatile_mode == VOLATILE_YES) {
                volatile_yes(c);
                return;
        }
        if (c->facts->ephemeral_upper)
                overlay(c, c->facts->ephemeral_upper, "--ephemeral");
        else if (c->spec->volatile_mode == VOLATILE_OVERLAY)
                overlay(c, NULL, "--volatile=overlay");
        else
                directory(c);
        if (c->map_owners && !c->custom_root && !is_overlay(c))
                map_owners(c, TREE_ROOT);
}

static void node_directory(struct chapter *c, const char *path, unsigned mode, const char *why) {
        struct step *s = plan_add(c->plan, PHASE_CHILD, STEP_NODE, why);

        s->target = path;
        s->node = (struct step_node){ .type = NODE_DIRECTORY, .mode = mode };
        s->flags = STEP_MAY_FAIL; /* a read-only tree: the mount on it will say what is missing */
}

/* What every system has, made where the tree does not have it: hier(7). */
static void base_entries(struct chapter *c) {
        static const char *const links[] = { "/bin", "/sbin", "/lib", "/lib64" };
        static const struct {
                const char *path;
                unsigned mode;
        } directories[] = {
                { "/root", 0750 },
                { "/usr", 0755 },
                { "/var", 0755 },
                { "/etc", 0755 },
        };

        bool has_usr = c->facts->has_usr && c->spec->volatile_mode != VOLATILE_YES && !c->custom_root;

        for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++) {
                struct step *s;

                if (!c->facts->base_links[i])
                        continue;
                s = plan_add(c->plan, PHASE_CHILD, STEP_NODE, "base entries");
                s->target = links[i];
                s->source = plan_string(c->plan, c->facts->base_links[i]);
                s->node.type = NODE_SYMLINK;
                s->flags = STEP_MAY_FAIL;
        }
        for (size_t i = 0; i < sizeof(directories) / sizeof(directories[0]); i++)
                if (!has_usr || !streq(directories[i].path, "/usr"))
                        node_directory(c, directories[i].path, directories[i].mode, "base entries");
}

static void former_root(struct chapter *c) {
        int tree = plan_new_tree(c->plan);
        struct step *s = open_tree(c, tree, c->facts->root, "--pivot-root");

        if (c->map_owners)
                map_owners(c, tree);
        s = plan_add(c->plan, PHASE_CHILD, STEP_ATTACH, "--pivot-root");
        s->tree = tree;
        s->target = plan_string(c->plan, c->spec->pivot_root_old);
}

void plan_root_enter(struct chapter *c) {
        struct step *s;

        if (c->users)
                plan_add(c->plan, PHASE_CHILD, STEP_BECOME_ROOT, "--private-users");
        if (c->spec->network.namespace_path) {
                s = plan_add(c->plan, PHASE_HOST, STEP_JOIN_NETWORK, "--network-namespace-path");
                s->source = plan_string(c->plan, c->spec->network.namespace_path);
        }
        plan_add(c->plan, PHASE_CHILD, STEP_PRIVATE, "a container's mounts are its own");
        s = plan_add(c->plan, PHASE_CHILD, STEP_ENTER_ROOT, "the tree becomes /");
        s->tree = TREE_ROOT;
        if (c->usr_tree > 0) {
                s = plan_add(c->plan, PHASE_CHILD, STEP_ATTACH, "--volatile=yes");
                s->tree = c->usr_tree;
                s->target = "/usr";
                s->flags = STEP_CREATE;
        }
        if (c->spec->pivot_root_old)
                former_root(c);
        base_entries(c);
        if (c->spec->volatile_mode == VOLATILE_STATE) {
                s = plan_add(c->plan, PHASE_CHILD, STEP_MOUNT, "--volatile=state");
                s->target = "/var";
                s->type = "tmpfs";
                s->options = VOLATILE_OPTIONS;
                s->attributes = ATTR_STRICT_ATIME;
        }
}
