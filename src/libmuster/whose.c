/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whose is a process, a user, a group? The registry knows; where none runs its files and the control groups still tell about
 * processes: a leader's children are in its machine, and so is who is in a unit that is one. */
#include <muster/muster.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "client/state-dir.h"
#include "codec/machine-view.h"
#include "codec/proc-text.h"
#include "core/name.h"
#include "libmuster/call.h"
#include "codec/map-answer.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

#define ANCESTORS_MAX 4096
#define CONTAINER_IDS_MIN 65536

/* ---- processes ---- */

static int ask_registry(const struct pidref *p, char **ret) {
        AUTO(varlink_answer_done) struct varlink_answer answer = VARLINK_ANSWER_EMPTY;
        AUTO_CALL struct call c;
        struct machine_view view;
        int r;

        call_begin(&c);
        json_text_begin_object(&c.json, "pid");
        json_text_unsigned(&c.json, "pid", (uint64_t) p->pid);
        if (p->id)
                json_text_unsigned(&c.json, "pidfdId", p->id);
        json_text_end_object(&c.json);
        r = call_registry(&c, "io.systemd.Machine.List", &answer);
        if (r == -ENOENT)
                return -ENODATA;
        if (r >= 0)
                r = machine_view_decode(&answer, &view);
        if (r < 0)
                return r;
        *ret = STEAL(view.name);
        machine_view_done(&view);
        return 0;
}

/* The control group of the process in the hierarchy where machines have their units. */
static int unit_of(pid_t pid, char **ret) {
        AUTO_FREE char *text = NULL, *path = NULL, *subgroup = NULL;
        size_t size;
        int r = proc_read(pid, "cgroup", &text, &size);

        if (r < 0)
                return r;
        r = proc_cgroup_decode(text, size, "name=systemd", &path);
        if (r == -ENODATA)
                r = proc_cgroup_decode(text, size, "", &path);
        return r < 0 ? r : cgroup_path_to_unit(path, "/", ret, &subgroup);
}

static int machine_of_unit(pid_t pid, char **ret) {
        AUTO_FREE char *unit = NULL;
        char link[PATH_MAX], name[MACHINE_NAME_MAX + 2];
        ssize_t n;
        int r = unit_of(pid, &unit);

        if (r < 0)
                return r;
        if (snprintf(link, sizeof(link), RUN_DIRECTORY "/systemd/machines/unit:%s", unit) >= (int) sizeof(link))
                return -ENODATA;
        n = readlink(link, name, sizeof(name) - 1);
        if (n < 0)
                return -ENODATA;
        name[n] = '\0';
        if (!machine_name_is_valid(name))
                return -ENODATA;
        *ret = strdup(name);
        return *ret ? 0 : -ENOMEM;
}

static const struct machine_view *led_by(const struct machine_view *views, size_t n, pid_t pid) {
        for (size_t i = 0; i < n; i++)
                if (views[i].leader.pid == pid)
                        return views + i;
        return NULL;
}

static pid_t parent_of(pid_t pid) {
        AUTO_FREE char *text = NULL;
        uint64_t start;
        pid_t parent;
        size_t size;

        if (proc_read(pid, "stat", &text, &size) < 0 || proc_stat_decode(text, size, &parent, &start) < 0)
                return 0;
        return parent;
}

static int machine_of_ancestor(pid_t pid, char **ret) {
        struct machine_view *views;
        const struct machine_view *found = NULL;
        size_t n;
        int r = state_dir_list(RUN_DIRECTORY, &views, &n);

        if (r < 0)
                return r;
        for (int i = 0; i < ANCESTORS_MAX && pid > 1 && !found; i++, pid = parent_of(pid))
                found = led_by(views, n, pid);
        r = -ENODATA;
        if (found) {
                *ret = strdup(found->name);
                r = *ret ? 0 : -ENOMEM;
        }
        for (size_t i = 0; i < n; i++)
                machine_view_done(views + i);
        free(views);
        return r;
}

static int machine_of(const struct pidref *p, char **ret) {
        AUTO_FREE char *name = NULL;
        int r = ask_registry(p, &name);

        if (r == -EHOSTDOWN || r == -EACCES) {
                r = machine_of_ancestor(p->pid, &name);
                if (r == -ENODATA && machine_of_unit(p->pid, &name) == 0)
                        r = 0;
        }
        if (!pidref_is_alive(p)) /* what was asked about its number may be true of another process */
                return -ESRCH;
        if (r < 0)
                return r;
        *ret = STEAL(name);
        return 0;
}

EXPORT int muster_pid_machine(pid_t pid, char **ret_name) {
        AUTO(pidref_done) struct pidref p = PIDREF_EMPTY;
        int r;

        if (pid < 0 || !ret_name)
                return -EINVAL;
        r = pidref_open(pid ? pid : getpid(), &p);
        return r < 0 ? r : machine_of(&p, ret_name);
}

EXPORT int muster_pidfd_machine(int pidfd, char **ret_name) {
        AUTO(pidref_done) struct pidref p = PIDREF_EMPTY;
        int r;

        if (pidfd < 0 || !ret_name)
                return -EINVAL;
        r = pidref_from_fd(pidfd, &p);
        return r < 0 ? r : machine_of(&p, ret_name);
}

EXPORT int muster_peer_machine(int socket, char **ret_name) {
        AUTO(pidref_done) struct pidref p = PIDREF_EMPTY;
        int r;

        if (socket < 0 || !ret_name)
                return -EINVAL;
        r = pidref_from_peer(socket, &p);
        return r < 0 ? r : machine_of(&p, ret_name);
}

/* ---- users and groups ---- */

/* machine: NULL asks whose the number is, else what the machine's number is on the host. */
static int map(const char *machine, const char *member, uint32_t id, char **ret_name, uint32_t *ret) {
        AUTO(varlink_answer_done) struct varlink_answer answer = VARLINK_ANSWER_EMPTY;
        AUTO_CALL struct call c;
        int r;

        call_begin(&c);
        if (machine)
                json_text_string(&c.json, "name", machine);
        json_text_unsigned(&c.json, member, id);
        r = call_registry(&c, machine ? "io.systemd.Machine.MapFrom" : "io.systemd.Machine.MapTo", &answer);
        return r < 0 ? r : map_answer_decode(&answer, member, machine ? NULL : ret_name, ret);
}

static int machine_of_id(const char *member, uint32_t id, char **ret_name, uint32_t *ret_inner) {
        AUTO_FREE char *name = NULL;
        uint32_t inner;
        int r;

        if (id == UINT32_MAX)
                return -EINVAL;
        if (id < CONTAINER_IDS_MIN)
                return -ENOENT;
        r = map(NULL, member, id, &name, &inner);
        if (r < 0)
                return r;
        if (ret_name)
                *ret_name = STEAL(name);
        if (ret_inner)
                *ret_inner = inner;
        return 0;
}

EXPORT int muster_uid_machine(uid_t uid, char **ret_name, uid_t *ret_inner) {
        return machine_of_id("uid", uid, ret_name, ret_inner);
}

EXPORT int muster_gid_machine(gid_t gid, char **ret_name, gid_t *ret_inner) {
        return machine_of_id("gid", gid, ret_name, ret_inner);
}

EXPORT int muster_machine_uid(const char *name, uid_t inner, uid_t *ret) {
        int r = check_name(name);

        return r < 0 ? r : inner == (uid_t) -1 || !ret ? -EINVAL : map(name, "uid", inner, NULL, ret);
}

EXPORT int muster_machine_gid(const char *name, gid_t inner, gid_t *ret) {
        int r = check_name(name);

        return r < 0 ? r : inner == (gid_t) -1 || !ret ? -EINVAL : map(name, "gid", inner, NULL, ret);
}
