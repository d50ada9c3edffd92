/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The file systems of the kernel: proc, sysfs, devpts, mqueue, and what is hidden in them. */
#include "plan/chapters.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "spec/spec.h"

#define WHY "container interface: kernel file systems"
#define HIDE "what is the host's stays out of reach"
#define API_ATTRIBUTES (ATTR_NO_SUID | ATTR_NO_DEV | ATTR_NO_EXEC)

static struct step *mount(struct chapter *c, const char *type, const char *target, uint64_t attributes,
                          const char *options) {
        struct step *s = plan_add(c->plan, PHASE_CHILD, STEP_MOUNT, WHY);

        s->type = type;
        s->target = target;
        s->attributes = attributes;
        s->options = options;
        s->flags = STEP_CREATE;
        s->node.mode = 0555;
        return s;
}

static struct step *bind(struct chapter *c, const char *source, const char *target, uint64_t attributes,
                         const char *why) {
        struct step *s = plan_add(c->plan, PHASE_CHILD, STEP_BIND, why);

        s->source = source;
        s->target = target;
        s->attributes = attributes;
        return s;
}

static void directory(struct chapter *c, const char *path) {
        struct step *s = plan_add(c->plan, PHASE_CHILD, STEP_NODE, WHY);

        s->target = path;
        s->node = (struct step_node){ .type = NODE_DIRECTORY, .mode = 0755 };
}

/* /sys of a network namespace of our own: only what a payload without hardware has use for. */
static void sys_skeleton(struct chapter *c) {
        static const char *const kept[] = { "block", "bus", "class", "dev", "devices", "kernel" };
        uint64_t read_only = c->spec->api_writable ? 0 : ATTR_READ_ONLY;
        struct step *s;

        mount(c, "tmpfs", "/sys", API_ATTRIBUTES, "mode=555,size=4m,nr_inodes=1k");
        directory(c, "/sys/full");
        mount(c, "sysfs", "/sys/full", API_ATTRIBUTES | read_only, NULL);
        for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
                const char *target = plan_printf(c->plan, "/sys/%s", kept[i]);

                directory(c, target);
                bind(c, plan_printf(c->plan, "/sys/full/%s", kept[i]), target, 0, WHY); /* with that one's attributes */
        }
        s = plan_add(c->plan, PHASE_CHILD, STEP_UNMOUNT, WHY);
        s->target = "/sys/full";
        s = plan_add(c->plan, PHASE_CHILD, STEP_REMOVE, WHY);
        s->target = "/sys/full";
        directory(c, "/sys/fs");
        directory(c, "/sys/fs/cgroup");
        directory(c, "/sys/fs/bpf");
        s = plan_add(c->plan, PHASE_CHILD, STEP_REMOUNT, WHY);
        s->target = "/sys";
        s->attributes = API_ATTRIBUTES | ATTR_READ_ONLY;
}

/* A user namespace may mount a sysfs only together with a network namespace of its own: else it sees the host's, read-only. Where we
 * are in one ourselves, it is a copy of what we see. */
static void sys_of_host(struct chapter *c) {
        bool ours = !c->facts->in_initial_userns;
        int tree = plan_new_tree(c->plan);
        struct step *s = plan_add(c->plan, PHASE_HOST, ours ? STEP_TREE_OPEN : STEP_TREE_NEW, WHY);

        s->tree = tree;
        s->attributes = API_ATTRIBUTES | ATTR_READ_ONLY;
        if (ours) {
                s->source = "/sys";
                s->flags = STEP_RECURSIVE; /* what is mounted there hides something: it comes along */
        } else
                s->type = "sysfs";
        s = plan_add(c->plan, PHASE_CHILD, STEP_ATTACH, WHY);
        s->tree = tree;
        s->target = "/sys";
        s->flags = STEP_CREATE;
        s->node.mode = 0555;
}

void plan_api_first(struct chapter *c) {
        mount(c, "proc", "/proc", API_ATTRIBUTES, NULL);
        if (c->network)
                sys_skeleton(c);
        else if (c->users || !c->facts->in_initial_userns)
                sys_of_host(c);
        else
                mount(c, "sysfs", "/sys", API_ATTRIBUTES | (c->spec->api_writable ? 0 : ATTR_READ_ONLY), NULL);
        plan_add(c->plan, PHASE_CHILD, STEP_DETACH_OLD_ROOT, "nothing of the host stays in sight");
}

static void hide_in_proc(struct chapter *c) {
        static const char *const masked[] = { "/proc/kallsyms", "/proc/kcore", "/proc/keys", "/proc/sysrq-trigger",
                                              "/proc/timer_list" };
        static const char *const read_only[] = { "/proc/acpi", "/proc/apm", "/proc/asound", "/proc/bus",
                                                 "/proc/fs",   "/proc/irq", "/proc/scsi" };

        struct step *s;

        bind(c, "/proc/sys", "/proc/sys", 0, HIDE);
        if (c->network)
                bind(c, "/proc/sys/net", "/proc/sys/net", 0, "a network of its own may be configured");
        s = plan_add(c->plan, PHASE_CHILD, STEP_REMOUNT, HIDE);
        s->target = "/proc/sys";
        s->attributes = API_ATTRIBUTES | ATTR_READ_ONLY;
        /* The attributes are those of /run/host, where the mask lies. */
        for (size_t i = 0; i < sizeof(masked) / sizeof(masked[0]); i++)
                if (c->facts->has_kcore || !streq(masked[i], "/proc/kcore"))
                        bind(c, "/run/host/inaccessible/reg", masked[i], 0, HIDE)->flags = STEP_IF_EXISTS;
        for (size_t i = 0; i < sizeof(read_only) / sizeof(read_only[0]); i++)
                bind(c, read_only[i], read_only[i], API_ATTRIBUTES | ATTR_READ_ONLY, HIDE)->flags = STEP_IF_EXISTS;
}

static void os_release(struct chapter *c) {
        int tree;
        struct step *s;

        if (!c->facts->os_release_path)
                return;
        tree = plan_new_tree(c->plan);
        s = plan_add(c->plan, PHASE_HOST, STEP_TREE_OPEN, "container interface: /run/host");
        s->tree = tree;
        s->source = plan_string(c->plan, c->facts->os_release_path);
        s->attributes = API_ATTRIBUTES | ATTR_READ_ONLY;
        s = plan_add(c->plan, PHASE_CHILD, STEP_ATTACH, "container interface: /run/host");
        s->tree = tree;
        s->target = "/run/host/os-release";
}

/* /dev and /run are attached by now. */
void plan_api_second(struct chapter *c) {
        mount(c, "tmpfs", "/dev/shm", ATTR_NO_SUID | ATTR_NO_DEV | ATTR_STRICT_ATIME,
              "mode=1777,size=10%,nr_inodes=400k");
        mount(c, "mqueue", "/dev/mqueue", API_ATTRIBUTES, NULL)->flags |= STEP_MAY_FAIL;
        /* Terminals belong to the group tty, where there is one. */
        mount(c, "devpts", "/dev/pts", ATTR_NO_SUID | ATTR_NO_EXEC,
              c->spec->single_id ? "newinstance,ptmxmode=0666,mode=620" : "newinstance,ptmxmode=0666,mode=620,gid=5");
        if (!c->spec->no_tmpfs_tmp) {
                mount(c, "tmpfs", "/tmp", ATTR_NO_SUID | ATTR_NO_DEV | ATTR_STRICT_ATIME,
                      "mode=1777,size=10%,nr_inodes=400k");
        }
        os_release(c);
        if (!c->spec->api_writable)
                hide_in_proc(c);
        bind(c, "/run/host/proc-sys-kernel-random-boot-id", "/proc/sys/kernel/random/boot_id", 0,
             "every container has a boot id of its own");
        bind(c, "/run/host/proc-kmsg", "/proc/kmsg", 0, HIDE)->flags = STEP_IF_EXISTS;
}
