/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Questions that are answered at once: by name, by process, by user. */
#include <errno.h>

#include "base/str.h"
#include "core/name.h"
#include "service/internal.h"

#define PARENTS_MAX 128 /* a process tree deeper than this is a hostile one */
#define HOST_UID_MAX 0xffff

struct machine *service_find(struct service *s, const char *name) {
        if (streq(name, HOST_MACHINE_NAME))
                return s->host;
        return registry_find(s->registry, name);
}

static struct machine *find_in_unit(struct service *s, pid_t pid) {
        struct placement p = { NULL, NULL, NULL };
        struct machine *m = NULL;

        if (s->ports.supervisor.locate(s->ports.supervisor.impl, pid, &p) < 0)
                return NULL;
        if (!p.unit && s->ports.supervisor.locate_limits)
                s->ports.supervisor.locate_limits(s->ports.supervisor.impl, pid, &p.unit);
        if (p.unit)
                m = registry_find_unit(s->registry, p.unit);
        placement_done(&p);
        return m;
}

struct machine *service_find_by_pid(struct service *s, pid_t pid) {
        for (int depth = 0; pid > 1 && depth < PARENTS_MAX; depth++) {
                struct machine *m = registry_find_leader(s->registry, pid);

                if (!m)
                        m = find_in_unit(s, pid);
                if (m)
                        return m;
                if (s->ports.process.parent(s->ports.process.impl, pid, &pid) < 0)
                        return NULL;
        }
        return NULL;
}

struct machine *service_first(struct service *s, bool with_host) {
        return with_host ? s->host : registry_first(s->registry);
}

struct machine *service_next(struct service *s, const struct machine *m) {
        return m == s->host ? registry_first(s->registry) : registry_next(s->registry, m);
}

size_t service_count(struct service *s) {
        return registry_count(s->registry);
}

int service_target(struct service *s, const char *name, pid_t pid, struct machine **ret, struct fault *f) {
        struct machine *by_name = NULL, *by_pid = NULL;

        if (!isempty(name)) {
                by_name = service_find(s, name);
                if (!by_name) {
                        AUTO_FREE char *shown = str_escape(name, MACHINE_NAME_MAX);

                        return fault_set(f, FAULT_NO_SUCH_MACHINE, "No machine '%s' is known.", strempty(shown));
                }
        }
        if (pid >= 0) {
                by_pid = service_find_by_pid(s, pid);
                if (!by_pid || (by_name && by_name != by_pid))
                        return fault_set(f, FAULT_NO_SUCH_MACHINE, "Process %d does not belong to %s.", (int) pid,
                                         by_pid ? "that machine" : "a known machine");
        }
        if (!by_name && !by_pid)
                return fault_set(f, FAULT_NO_SUCH_MACHINE, "Neither a machine name nor a process was given.");
        *ret = by_name ? by_name : by_pid;
        return 0;
}

int service_find_image(struct service *s, const char *name, struct fault *f) {
        AUTO_FREE char *shown = NULL;

        if (streq(name, HOST_MACHINE_NAME) ||
            (image_name_is_valid(name) && s->ports.images.exists(s->ports.images.impl, name) > 0))
                return 0;
        shown = str_escape(name, MACHINE_NAME_MAX);
        return fault_set(f, FAULT_NO_SUCH_IMAGE, "No image '%s' is known.", strempty(shown));
}

void service_stats(struct service *s, const struct machine *m, struct machine_stats *ret) {
        machine_stats_init(ret);
        if (m->class != MACHINE_HOST && s->ports.supervisor.stats)
                s->ports.supervisor.stats(s->ports.supervisor.impl, m, ret);
}

/* ---- users and groups (registry.md section 10) ---- */

static int read_map(struct service *s, const struct machine *m, bool gid, struct idmap *ret, struct fault *f) {
        int r = s->ports.process.id_map(s->ports.process.impl, &m->leader, gid, ret);

        if (r < 0)
                return fault_set_errno(f, r, "Cannot read the user mapping of machine '%s'.", m->name);
        return 0;
}

static bool maps_equal(const struct idmap *a, const struct idmap *b) {
        return a->n_ranges == b->n_ranges &&
               (a->n_ranges == 0 || memcmp(a->ranges, b->ranges, a->n_ranges * sizeof(*a->ranges)) == 0);
}

int service_uid_shift(struct service *s, const struct machine *m, uint32_t *ret, struct fault *f) {
        struct idmap uids = { NULL, 0 }, gids = { NULL, 0 };
        uint32_t shift = 0;
        int r;

        if (m->class == MACHINE_HOST) {
                *ret = 0;
                return 0;
        }
        if (m->class == MACHINE_VM)
                return fault_set(f, FAULT_NOT_AVAILABLE, "Machine '%s' is a virtual machine: it has no user mapping.",
                                 m->name);
        r = read_map(s, m, false, &uids, f);
        if (r >= 0)
                r = read_map(s, m, true, &gids, f);
        if (r >= 0 && (idmap_simple_shift(&uids, &shift) < 0 || !maps_equal(&uids, &gids)))
                r = fault_set(f, FAULT_NO_UID_SHIFT, "The user mapping of machine '%s' is not one plain shift.",
                              m->name);
        idmap_done(&uids);
        idmap_done(&gids);
        if (r < 0)
                return r;
        *ret = shift;
        return 0;
}

/* (uid_t) -1 in its 32- and 16-bit forms means "no id" to the kernel. */
static int check_id(uint32_t id, bool gid, struct fault *f) {
        if (id == UINT32_MAX || id == UINT16_MAX)
                return fault_set_argument(f, gid ? "gid" : "uid", "%u is no valid %s number.", id,
                                          gid ? "group" : "user");
        return 0;
}

int service_map_from(struct service *s, const struct machine *m, bool gid, uint32_t inner, uint32_t *ret,
                     struct fault *f) {
        enum fault_kind none = gid ? FAULT_NO_GROUP_MAPPING : FAULT_NO_USER_MAPPING;
        struct idmap map = { NULL, 0 };
        int r;

        if (check_id(inner, gid, f) < 0)
                return -1;
        if (m->class != MACHINE_CONTAINER)
                return fault_set(f, FAULT_NOT_CONTAINER, "Machine '%s' is no container.", m->name);
        r = read_map(s, m, gid, &map, f);
        if (r >= 0 && idmap_to_outer(&map, inner, ret) < 0)
                r = fault_set(f, none, "Machine '%s' maps no %s %u.", m->name, gid ? "group" : "user", inner);
        idmap_done(&map);
        return r;
}

bool service_has_unread(const struct service *s) {
        return idmaps_have_unread(s->idmaps);
}

bool service_read_ahead(struct service *s) {
        return idmaps_read_ahead(s->idmaps, &s->ports.process);
}

int service_map_to(struct service *s, bool gid, uint32_t outer, const struct machine **ret_m, uint32_t *ret_inner,
                   struct fault *f) {
        const struct machine *m;

        if (check_id(outer, gid, f) < 0)
                return -1;
        if (outer <= HOST_UID_MAX)
                return fault_set(f, gid ? FAULT_GROUP_IN_HOST_RANGE : FAULT_USER_IN_HOST_RANGE,
                                 "%s %u belongs to the host: machines have numbers from 65536 on.",
                                 gid ? "Group" : "User", outer);
        m = idmaps_find(s->idmaps, &s->ports.process, gid, outer, ret_inner);
        if (!m)
                return fault_set(f, gid ? FAULT_NO_GROUP_MAPPING : FAULT_NO_USER_MAPPING, "No machine maps to %s %u.",
                                 gid ? "group" : "user", outer);
        if (check_id(*ret_inner, gid, f) < 0)
                return -1;
        *ret_m = m;
        return 0;
}
