/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The record on disk. Writing follows the stock order of keys; reading takes them in any order, the last assignment of a
 * key winning, and then checks the whole. Nothing in the file is believed for having been written by us. */
#include "codec/state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "codec/envfile.h"
#include "core/name.h"

#define TEXT_MAX 4096
#define SERVICE_MAX 256
#define IFINDICES_MAX 1024

/* ---- writing ---- */

static void put_text(struct buf *out, const char *key, const char *value) {
        if (value)
                envfile_append(out, key, value);
}

static void put_number(struct buf *out, const char *key, uint64_t value) {
        if (value > 0)
                buf_printf(out, "%s=%llu\n", key, (unsigned long long) value);
}

static void put_ifindices(struct buf *out, const struct machine *m) {
        if (m->n_ifindices == 0)
                return;
        buf_append_str(out, "NETIF=\"");
        for (size_t i = 0; i < m->n_ifindices; i++)
                buf_printf(out, " %d", m->ifindices[i]);
        buf_append_str(out, "\"\n");
}

static void put_process(struct buf *out, const char *key, const char *id_key, const struct pidref *p) {
        if (!pidref_is_set(p))
                return;
        put_number(out, key, (uint64_t) p->pid);
        put_number(out, id_key, p->id);
}

static void put_id(struct buf *out, const char *key, const struct id128 *id) {
        char text[ID128_STRING_SIZE];

        if (!id128_is_null(id))
                buf_printf(out, "%s=%s\n", key, id128_to_string(id, text));
}

int state_encode(const struct machine *m, const struct id128 *boot_id, struct buf *out) {
        buf_append_str(out, "# Written by musterd; stock readers of this directory understand it. Do not edit.\n");
        put_text(out, "NAME", m->name);
        buf_printf(out, "UID=%u\n", (unsigned) m->uid);
        put_text(out, "SCOPE", m->unit);
        put_text(out, "SERVICE", m->service);
        put_text(out, "ROOT", m->root_directory);
        put_id(out, "ID", &m->id);
        put_process(out, "LEADER", "LEADER_PIDFDID", &m->leader);
        put_process(out, "SUPERVISOR", "SUPERVISOR_PIDFDID", &m->supervisor);
        put_text(out, "CLASS", machine_class_to_string(m->class));
        buf_printf(out, "REALTIME=%llu\nMONOTONIC=%llu\n", (unsigned long long) m->realtime_usec,
                   (unsigned long long) m->monotonic_usec);
        put_ifindices(out, m);
        buf_printf(out, "VSOCK_CID=%u\n", m->vsock_cid);
        put_text(out, "SSH_ADDRESS", m->ssh_address);
        put_text(out, "SSH_PRIVATE_KEY_PATH", m->ssh_private_key_path);
        put_text(out, "CONTROL_ADDRESS", m->control_address);
        /* Ours from here on. */
        put_text(out, "SUBGROUP", m->subgroup);
        put_text(out, "CGROUP", m->cgroup);
        if (m->scope_created)
                put_text(out, "SCOPE_CREATED", "yes");
        put_number(out, "KILL_SIGNAL", (uint64_t) m->kill_signal);
        put_text(out, "STATE", machine_state_to_string(m->state));
        put_number(out, "LEADER_START", m->leader.start);
        put_number(out, "SUPERVISOR_START", m->supervisor.start);
        put_id(out, "BOOT_ID", boot_id);
        return buf_error(out);
}

/* ---- reading ---- */

struct reader {
        struct machine *m;
        struct id128 boot_id;
        struct diag *d;
        bool name_seen, class_seen;
};

static int bad(struct reader *s, const char *key, const char *what) {
        return diag_set(s->d, -EBADMSG, key, "%s %s", key, what);
}

static int take_text(struct reader *s, const char *key, const char *value, size_t max, char **field) {
        if (!text_is_valid(value, max))
                return bad(s, key, "is no valid text");
        return str_replace(field, value);
}

static int take_path(struct reader *s, const char *key, const char *value, char **field) {
        if (*value && !path_is_absolute(value))
                return bad(s, key, "is no absolute path");
        return str_replace(field, value);
}

static int take_number(struct reader *s, const char *key, const char *value, uint64_t *ret) {
        return parse_u64(value, ret) < 0 ? bad(s, key, "is no number") : 0;
}

static int take_u32(struct reader *s, const char *key, const char *value, uint32_t *ret) {
        return parse_u32(value, ret) < 0 ? bad(s, key, "is no number") : 0;
}

static int take_uid(struct reader *s, const char *value) {
        uint32_t uid;

        if (parse_u32(value, &uid) < 0 || uid == UINT32_MAX) /* the last number means "none" to the kernel */
                return bad(s, "UID", "is no user");
        s->m->uid = uid;
        return 0;
}

static int take_pid(struct reader *s, const char *key, const char *value, pid_t *ret) {
        uint32_t pid;

        if (parse_u32(value, &pid) < 0 || pid < 2 || pid > INT32_MAX)
                return bad(s, key, "is no process that may be it");
        *ret = (pid_t) pid;
        return 0;
}

static int take_ifindices(struct reader *s, const char *value) {
        struct machine *m = s->m;
        AUTO_FREE char *copy = strdup(value);
        char *rest = copy;
        int32_t *bigger, index;

        if (!copy)
                return -ENOMEM;
        free(m->ifindices);
        m->ifindices = NULL;
        m->n_ifindices = 0;
        for (const char *word; (word = strsep(&rest, " "));) {
                if (!*word)
                        continue;
                if (m->n_ifindices >= IFINDICES_MAX || parse_i32(word, &index) < 0 || index <= 0)
                        return bad(s, "NETIF", "is no list of interface numbers");
                bigger = reallocarray(m->ifindices, m->n_ifindices + 1, sizeof(*bigger));
                if (!bigger)
                        return -ENOMEM;
                m->ifindices = bigger;
                m->ifindices[m->n_ifindices++] = index;
        }
        return 0;
}

static int take_class(struct reader *s, const char *value) {
        int class = machine_class_from_string(value);

        if (class < 0 || class >= MACHINE_HOST)
                return bad(s, "CLASS", "is not a known word");
        s->m->class = (enum machine_class) class;
        s->class_seen = true;
        return 0;
}

static int take_state(struct reader *s, const char *value) {
        int state = machine_state_from_string(value);

        if (state < 0 || state >= MACHINE_GONE)
                return bad(s, "STATE", "is not a known word");
        s->m->state = (enum machine_state) state;
        return 0;
}

static int take_name(struct reader *s, const char *value) {
        if (!streq(value, s->m->name))
                return bad(s, "NAME", "is not that of the file");
        s->name_seen = true;
        return 0;
}

static int take_unit(struct reader *s, const char *value) {
        if (*value && !unit_name_is_valid(value))
                return bad(s, "SCOPE", "is no unit name");
        return str_replace(&s->m->unit, value);
}

static int take_subgroup(struct reader *s, const char *value) {
        AUTO_BUF struct buf path = BUF_EMPTY;

        if (buf_printf(&path, "/%s", value) < 0)
                return -ENOMEM;
        if (*value && (value[0] == '/' || !path_is_absolute_and_valid(path.data)))
                return bad(s, "SUBGROUP", "is no path below a unit");
        return str_replace(&s->m->subgroup, value);
}

static int take_id(struct reader *s, const char *key, const char *value, struct id128 *ret) {
        return id128_from_string(value, ret) < 0 ? bad(s, key, "is not 32 hex digits") : 0;
}

static int take_created(struct reader *s, const char *value) {
        return parse_bool(value, &s->m->scope_created) < 0 ? bad(s, "SCOPE_CREATED", "is neither yes nor no") : 0;
}

static int take_kill_signal(struct reader *s, const char *value) {
        uint32_t sig;

        if (parse_u32(value, &sig) < 0 || sig < 1 || sig > 64)
                return bad(s, "KILL_SIGNAL", "is no signal from 1 to 64");
        s->m->kill_signal = (int) sig;
        return 0;
}

/* One function for each key; what is left out here is ignored. */
enum key {
        KEY_NAME,
        KEY_UID,
        KEY_SCOPE,
        KEY_SERVICE,
        KEY_ROOT,
        KEY_ID,
        KEY_LEADER,
        KEY_LEADER_ID,
        KEY_SUPERVISOR,
        KEY_SUPERVISOR_ID,
        KEY_CLASS,
        KEY_REALTIME,
        KEY_MONOTONIC,
        KEY_NETIF,
        KEY_VSOCK_CID,
        KEY_SSH_ADDRESS,
        KEY_SSH_KEY,
        KEY_CONTROL_ADDRESS,
        KEY_SUBGROUP,
        KEY_CGROUP,
        KEY_SCOPE_CREATED,
        KEY_KILL_SIGNAL,
        KEY_STATE,
        KEY_LEADER_START,
        KEY_SUPERVISOR_START,
        KEY_BOOT_ID,
        _KEY_MAX,
};

static const char *const key_table[_KEY_MAX] = {
        [KEY_NAME] = "NAME",
        [KEY_UID] = "UID",
        [KEY_SCOPE] = "SCOPE",
        [KEY_SERVICE] = "SERVICE",
        [KEY_ROOT] = "ROOT",
        [KEY_ID] = "ID",
        [KEY_LEADER] = "LEADER",
        [KEY_LEADER_ID] = "LEADER_PIDFDID",
        [KEY_SUPERVISOR] = "SUPERVISOR",
        [KEY_SUPERVISOR_ID] = "SUPERVISOR_PIDFDID",
        [KEY_CLASS] = "CLASS",
        [KEY_REALTIME] = "REALTIME",
        [KEY_MONOTONIC] = "MONOTONIC",
        [KEY_NETIF] = "NETIF",
        [KEY_VSOCK_CID] = "VSOCK_CID",
        [KEY_SSH_ADDRESS] = "SSH_ADDRESS",
        [KEY_SSH_KEY] = "SSH_PRIVATE_KEY_PATH",
        [KEY_CONTROL_ADDRESS] = "CONTROL_ADDRESS",
        [KEY_SUBGROUP] = "SUBGROUP",
        [KEY_CGROUP] = "CGROUP",
        [KEY_SCOPE_CREATED] = "SCOPE_CREATED",
        [KEY_KILL_SIGNAL] = "KILL_SIGNAL",
        [KEY_STATE] = "STATE",
        [KEY_LEADER_START] = "LEADER_START",
        [KEY_SUPERVISOR_START] = "SUPERVISOR_START",
        [KEY_BOOT_ID] = "BOOT_ID",
};

static int find_key(const char *name) {
        for (int i = 0; i < _KEY_MAX; i++)
                if (streq(key_table[i], name))
                        return i;
        return -1;
}

static int take_process_key(struct reader *s, enum key key, const char *value) {
        struct machine *m = s->m;

        switch (key) {
        case KEY_LEADER:
                return take_pid(s, "LEADER", value, &m->leader.pid);
        case KEY_LEADER_ID:
                return take_number(s, "LEADER_PIDFDID", value, &m->leader.id);
        case KEY_LEADER_START:
                return take_number(s, "LEADER_START", value, &m->leader.start);
        case KEY_SUPERVISOR:
                return take_pid(s, "SUPERVISOR", value, &m->supervisor.pid);
        case KEY_SUPERVISOR_ID:
                return take_number(s, "SUPERVISOR_PIDFDID", value, &m->supervisor.id);
        default:
                return take_number(s, "SUPERVISOR_START", value, &m->supervisor.start);
        }
}

static int take_place_key(struct reader *s, enum key key, const char *value) {
        switch (key) {
        case KEY_SCOPE:
                return take_unit(s, value);
        case KEY_SUBGROUP:
                return take_subgroup(s, value);
        case KEY_CGROUP:
                if (*value && !path_is_absolute_and_valid(value))
                        return bad(s, "CGROUP", "is no control group");
                return take_path(s, "CGROUP", value, &s->m->cgroup);
        default:
                return take_created(s, value);
        }
}

static int take_key(void *userdata, const char *name, const char *value) {
        struct reader *s = userdata;
        struct machine *m = s->m;
        int key = find_key(name);

        switch (key) {
        case KEY_NAME:
                return take_name(s, value);
        case KEY_UID:
                return take_uid(s, value);
        case KEY_SERVICE:
                return take_text(s, name, value, SERVICE_MAX, &m->service);
        case KEY_ROOT:
                return take_path(s, name, value, &m->root_directory);
        case KEY_ID:
                return take_id(s, name, value, &m->id);
        case KEY_CLASS:
                return take_class(s, value);
        case KEY_STATE:
                return take_state(s, value);
        case KEY_REALTIME:
                return take_number(s, name, value, &m->realtime_usec);
        case KEY_MONOTONIC:
                return take_number(s, name, value, &m->monotonic_usec);
        case KEY_NETIF:
                return take_ifindices(s, value);
        case KEY_VSOCK_CID:
                return take_u32(s, name, value, &m->vsock_cid);
        case KEY_SSH_ADDRESS:
                return take_text(s, name, value, TEXT_MAX, &m->ssh_address);
        case KEY_SSH_KEY:
                return take_path(s, name, value, &m->ssh_private_key_path);
        case KEY_CONTROL_ADDRESS:
                return take_path(s, name, value, &m->control_address);
        case KEY_KILL_SIGNAL:
                return take_kill_signal(s, value);
        case KEY_BOOT_ID:
                return take_id(s, name, value, &s->boot_id);
        case KEY_LEADER ... KEY_SUPERVISOR_ID:
        case KEY_LEADER_START:
        case KEY_SUPERVISOR_START:
                return take_process_key(s, (enum key) key, value);
        case KEY_SCOPE:
        case KEY_SUBGROUP:
        case KEY_CGROUP:
        case KEY_SCOPE_CREATED:
                return take_place_key(s, (enum key) key, value);
        default:
                return 0;
        }
}

static int check_whole(struct reader *s) {
        struct machine *m = s->m;

        if (!s->name_seen)
                return bad(s, "NAME", "is missing");
        if (!s->class_seen)
                return bad(s, "CLASS", "is missing");
        if (!pidref_is_set(&m->leader))
                return bad(s, "LEADER", "is missing");
        if (m->scope_created && (!m->cgroup || !m->unit))
                return bad(s, "SCOPE_CREATED", "names no scope");
        if (m->subgroup && !m->unit)
                return bad(s, "SUBGROUP", "belongs to no unit");
        return 0;
}

int state_decode(const char *name, const char *text, size_t size, struct machine **ret, struct id128 *ret_boot_id,
                 struct diag *d) {
        AUTO(machine_freep) struct machine *m = NULL;
        struct reader s = { .d = d };
        int r;

        if (size > STATE_FILE_MAX)
                return diag_set(d, -EBADMSG, NULL, "it is too large");
        if (!machine_name_is_valid(name))
                return diag_set(d, -EBADMSG, NULL, "its name is no machine name");
        r = machine_new(name, &m);
        if (r < 0)
                return r;
        m->state = MACHINE_RUNNING; /* what a record of the stock daemon means */
        s.m = m;
        r = envfile_parse(text, size, take_key, &s);
        if (r >= 0)
                r = check_whole(&s);
        if (r < 0)
                return r == -ENOMEM || (d && d->text[0]) ? r : diag_set(d, r, NULL, "it holds a NUL byte");
        *ret = STEAL(m);
        *ret_boot_id = s.boot_id;
        return 0;
}
