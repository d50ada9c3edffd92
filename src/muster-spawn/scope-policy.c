/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where systemd is PID 1 it does this (scope-unit.c). Everything is written to the scope, and the payload lives in a group below:
 * root inside may write to its own group, and cannot lift there what holds above (cgroups(7)). */
#include "muster-spawn/scope-policy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "core/scope-text.h"
#include "muster-spawn/payload-cgroup.h"
#include "spec/spec.h"
#include "sys/block-device.h"
#include "sys/cgroup.h"
#include "sys/device-program.h"
#include "sys/fileio.h"

#define DEVICES_TABLE "/proc/devices"
#define RULES_AT_ONCE 16

/* ---- asking ---- */

static uint64_t read_number(const char *path) {
        AUTO_FREE char *text = NULL;
        uint64_t v = 0;

        if (read_record_at(AT_FDCWD, path, 64, &text, NULL) < 0)
                return 0;
        text[strcspn(text, "\n")] = '\0';
        return parse_u64(text, &v) < 0 ? 0 : v;
}

static struct scope_text_host ask_host(void) {
        uint64_t pids = read_number("/proc/sys/kernel/pid_max"), threads = read_number("/proc/sys/kernel/threads-max");
        struct sysinfo info = { .mem_unit = 0 };

        sysinfo(&info);
        return (struct scope_text_host){
                .memory_bytes = (uint64_t) info.totalram * info.mem_unit,
                .tasks = pids && pids < threads ? pids : threads,
        };
}

static int read_properties(const struct spec *s, struct scope_text *t, struct diag *diag) {
        struct scope_text_host host;
        int r = 0;

        if (!s->properties)
                return 0;
        host = ask_host();
        for (size_t i = 0; r >= 0 && s->properties[i]; i++)
                r = scope_text_add(t, s->properties[i], &host, diag);
        return r;
}

static const struct payload_cgroup_dir *find(const struct payload_cgroup *c, bool v2, const char *controller) {
        for (size_t i = 0; i < c->n_dirs; i++)
                if (c->dirs[i].v2 == v2 && (v2 || payload_cgroup_dir_has(&c->dirs[i], controller)))
                        return &c->dirs[i];
        return NULL;
}

static unsigned available(const struct payload_cgroup *c) {
        bool v2 = c->kind == CGROUPS_UNIFIED;
        const struct payload_cgroup_dir *tracking = v2 ? find(c, true, NULL) : NULL;
        AUTO_CLOSE int top = tracking ? openat(AT_FDCWD, tracking->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -EBADF;
        unsigned bits = 0;

        for (int i = 0; i < CGROUP_SYSTEMD; i++) {
                enum cgroup_controller controller = (enum cgroup_controller) i;
                bool there = v2 ? top >= 0 && cgroup_lists(top, "cgroup.controllers",
                                                           cgroup_controller_v2_name(controller)) > 0
                                : find(c, false, cgroup_controller_to_string(controller)) != NULL;

                bits |= there ? 1U << i : 0;
        }
        return bits;
}

static int device_of(void *userdata, const struct io_limit *limit, char *ret, size_t size) {
        return block_device_of(limit->path, ret, size);
}

static int make_limits(const struct scope_text *t, const struct payload_cgroup *c, struct scope_policy *p,
                       struct diag *diag) {
        struct diag own = { .line = 0 };
        int r;

        if (t->properties.resources_set == 0 && t->properties.n_io == 0 && !t->properties.cpus)
                return 0;
        r = cgroup_limits_make(&t->properties, c->kind == CGROUPS_UNIFIED, available(c), device_of, NULL, &p->limits,
                               &own);
        return r < 0 && *own.text ? diag_set(diag, r, "--property", "--property: %s", own.text) : r;
}

/* ---- devices ---- */

static int add_rule(struct scope_policy *p, const struct device_rule *rule) {
        struct device_rule *more;

        if (p->n_devices >= DEVICE_RULES_MAX)
                return -E2BIG;
        if (p->n_devices % RULES_AT_ONCE == 0) {
                more = reallocarray(p->devices, p->n_devices + RULES_AT_ONCE, sizeof(*more));
                if (!more)
                        return -ENOMEM;
                p->devices = more;
        }
        p->devices[p->n_devices++] = *rule;
        return 0;
}

static bool is_device(const struct stat *st) {
        return S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode);
}

static struct device_rule rule_of(const struct stat *st, unsigned access) {
        return (struct device_rule){
                .type = S_ISBLK(st->st_mode) ? DEVICE_BLOCK : DEVICE_CHAR,
                .major = major(st->st_rdev),
                .minor = minor(st->st_rdev),
                .access = access,
        };
}

/* A device that is bound into the container may be used there. */
static int allow_bound(const struct spec *s, struct scope_policy *p) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < s->n_mounts; i++) {
                const struct spec_mount *m = &s->mounts[i];
                struct device_rule rule;
                struct stat st;

                if (m->type != SPEC_MOUNT_BIND || !m->source.path || m->source.in_root ||
                    stat(m->source.path, &st) < 0 || !is_device(&st))
                        continue;
                rule = rule_of(&st, m->read_only ? DEVICE_READ : DEVICE_READ | DEVICE_WRITE);
                r = add_rule(p, &rule);
        }
        return r;
}

/* "136 pts" below "Character devices:", "8 sd" below "Block devices:". One name may have several numbers. */
static int allow_class(const struct device_allow *a, struct scope_policy *p) {
        bool block = startswith(a->path, "block-"), in_block = false;
        const char *name = strchr(a->path, '-') + 1;
        AUTO_FREE char *text = NULL;
        size_t before = p->n_devices;
        int r = read_file_at(AT_FDCWD, DEVICES_TABLE, 65536, &text, NULL);

        for (char *rest = text, *line; r >= 0 && (line = strsep(&rest, "\n"));) {
                char *number = line + strspn(line, " "), *end = strchr(number, ' ');
                struct device_rule rule = { block ? DEVICE_BLOCK : DEVICE_CHAR, 0, DEVICE_ANY, a->access };

                in_block = in_block || startswith(line, "Block devices:");
                if (!end || !streq(end + 1, name) || in_block != block)
                        continue;
                *end = '\0';
                if (parse_u32(number, &rule.major) >= 0)
                        r = add_rule(p, &rule);
        }
        return r < 0 ? r : p->n_devices > before ? 0 : -ENODEV;
}

static int allow_named(const struct device_allow *a, struct scope_policy *p, struct diag *diag) {
        struct device_rule rule;
        struct stat st;
        int r;

        if (startswith(a->path, "char-") || startswith(a->path, "block-")) {
                r = allow_class(a, p);
                return r == -ENODEV
                               ? diag_set(diag, -EINVAL, "--property",
                                          "--property=DeviceAllow=%.60s: there is no such entry in " DEVICES_TABLE ".",
                                          a->path)
                               : r;
        }
        if (stat(a->path, &st) < 0 || !is_device(&st))
                return diag_set(diag, -EINVAL, "--property", "--property=DeviceAllow=%.60s: there is no such device.",
                                a->path);
        rule = rule_of(&st, a->access);
        return add_rule(p, &rule);
}

static int make_devices(const struct spec *s, const struct scope_text *t, struct scope_policy *p, struct diag *diag) {
        int r = 0;

        p->devices_asked = t->n_devices > 0 || t->device_policy == DEVICE_POLICY_STRICT;
        if (t->device_policy == DEVICE_POLICY_AUTO && t->n_devices == 0)
                return 0;
        p->devices_limited = true;
        for (size_t i = 0; r >= 0 && t->device_policy != DEVICE_POLICY_STRICT && i < n_device_rules_container; i++)
                r = add_rule(p, &device_rules_container[i]);
        if (r >= 0)
                r = allow_bound(s, p);
        for (size_t i = 0; r >= 0 && i < t->n_devices; i++)
                r = allow_named(&t->devices[i], p, diag);
        return r == -E2BIG ? diag_set(diag, -EINVAL, NULL,
                                      "--bind and --property=DeviceAllow= name too many devices: there may be %d.",
                                      DEVICE_RULES_MAX)
                           : r;
}

int scope_policy_make(const struct spec *s, const struct payload_cgroup *c, struct scope_policy *ret,
                      struct diag *diag) {
        struct scope_text t = { .devices = NULL };
        struct scope_policy p = { .devices = NULL };
        int r = s->keep_unit ? 0 : read_properties(s, &t, diag);

        if (r >= 0)
                r = make_limits(&t, c, &p, diag);
        if (r >= 0)
                r = make_devices(s, &t, &p, diag);
        if (r >= 0 && p.devices_limited && find(c, true, NULL))
                r = device_rules_program(p.devices, p.n_devices, &p.code, &p.n_code);
        if (r >= 0)
                r = str_replace(&p.slice, s->slice ? s->slice : t.properties.slice);
        scope_text_done(&t);
        if (r < 0) {
                scope_policy_done(&p);
                return r;
        }
        *ret = p;
        return 0;
}

unsigned scope_policy_controllers(const struct scope_policy *p) {
        unsigned bits = p->devices_limited ? 1U << CGROUP_DEVICES : 0;

        for (size_t i = 0; i < p->limits.n; i++)
                bits |= 1U << p->limits.writes[i].controller;
        return bits;
}

void scope_policy_done(struct scope_policy *p) {
        limit_writes_done(&p->limits);
        free(p->slice);
        free(p->devices);
        free(p->code);
        *p = (struct scope_policy){ .devices = NULL };
}

/* ---- applying ---- */

static int open_scope(const struct payload_cgroup *c, enum cgroup_controller controller) {
        const struct payload_cgroup_dir *d =
                find(c, c->kind == CGROUPS_UNIFIED, cgroup_controller_to_string(controller));

        return d && d->scope ? cgroup_open(d->top, d->scope) : -ENOENT;
}

static int apply_limits(const struct scope_policy *p, const struct payload_cgroup *c, struct diag *diag) {
        for (size_t i = 0; i < p->limits.n; i++) {
                const struct limit_write *w = &p->limits.writes[i];
                AUTO_CLOSE int fd = open_scope(c, w->controller);
                AUTO_FREE char *got = NULL;
                int r = fd < 0 ? fd : cgroup_set(fd, w->file, w->value, &got);

                if (r < 0)
                        return diag_set(diag, r, "--property", "--property: %s cannot be set to %s here: %s.",
                                        w->property, w->value, strerror(-r));
                if (r > 0)
                        log_warning("%s is %.60s, not %s: the kernel has adjusted it", w->property, strempty(got),
                                    w->value);
        }
        return 0;
}

/* v1: nothing, and then what each line gives, which the group above must have. */
static int write_lines(const struct scope_policy *p, int fd) {
        AUTO_CLOSE int allow = openat(fd, "devices.allow", O_WRONLY | O_CLOEXEC);
        int r = allow < 0 ? -errno : write_attribute_text_at(fd, "devices.deny", "a");

        for (size_t i = 0; r >= 0 && i < p->n_devices; i++) {
                char line[DEVICE_LINE_SIZE];

                device_rule_line(&p->devices[i], line);
                if (write(allow, line, strlen(line)) < 0)
                        log_debug_errno(-errno, "device %s stays forbidden", line);
        }
        return r;
}

static int attach_program(const struct scope_policy *p, int fd) {
        bool usual = !p->devices_asked && p->n_devices == n_device_rules_container;

        return device_program_attach(fd, p->code, p->n_code, usual);
}

/* The hierarchy of v1 where there is one: there it costs a few writes. The group has the program for as long as it exists. */
static const struct payload_cgroup_dir *devices_dir(const struct payload_cgroup *c) {
        const struct payload_cgroup_dir *v1 = find(c, false, "devices");

        return v1 && v1->scope ? v1 : find(c, true, NULL);
}

static int limit_devices(const struct scope_policy *p, const struct payload_cgroup_dir *d, struct diag *diag) {
        AUTO_CLOSE int fd = d && d->scope ? cgroup_open(d->top, d->scope) : -ENOENT;
        int r = fd;

        if (r >= 0)
                r = d->v2 ? attach_program(p, fd) : write_lines(p, fd);
        if (r < 0 && p->devices_asked)
                return diag_set(diag, r, "--property", "--property: devices cannot be limited here: %s.", strerror(-r));
        if (r < 0)
                log_debug_errno(r, "the payload may use every device that it can name");
        return 0;
}

int scope_policy_apply(const struct scope_policy *p, const struct payload_cgroup *c, struct diag *diag) {
        const struct payload_cgroup_dir *d = devices_dir(c);
        int r = apply_limits(p, c, diag);

        /* A group of v1 with groups below it cannot be forbidden everything any more. */
        return r >= 0 && p->devices_limited && d && !d->v2 ? limit_devices(p, d, diag) : r;
}

int scope_policy_complete(const struct scope_policy *p, const struct payload_cgroup *c, struct diag *diag) {
        const struct payload_cgroup_dir *d = devices_dir(c);

        return p->devices_limited && !(d && !d->v2) ? limit_devices(p, d, diag) : 0;
}
