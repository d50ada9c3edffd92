/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Machines as objects: views from the registry, or from its files where none runs. */
#include <muster/muster.h>

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "client/state-dir.h"
#include "codec/machine-view.h"
#include "core/machine.h"
#include "libmuster/call.h"
#include "sys/pidfd.h"

#define MACHINES_MAX (1024 * 1024)

struct muster_machine {
        struct machine_view view; /* and nothing else: a list is an array of views */
};

struct muster_machines {
        struct machine_view *views;
        size_t n;
};

EXPORT const char *muster_version(void) {
        return MUSTER_VERSION;
}

EXPORT void muster_free(void *text) {
        free(text);
}

/* ---- a list ---- */

EXPORT void muster_machines_free(muster_machines *l) {
        if (!l)
                return;
        for (size_t i = 0; i < l->n; i++)
                machine_view_done(l->views + i);
        free(l->views);
        free(l);
}
DEFINE_AUTO(muster_machines *, muster_machines_free)

static int add(muster_machines *l, const struct varlink_answer *answer) {
        struct machine_view *view;
        int r;

        if ((l->n & (l->n - 1)) == 0) { /* room is always a power of two */
                void *bigger = reallocarray(l->views, l->n ? l->n * 2 : 1, sizeof(*l->views));

                if (!bigger)
                        return -ENOMEM;
                l->views = bigger;
        }
        if (l->n >= MACHINES_MAX)
                return -EMSGSIZE;
        view = l->views + l->n;
        r = machine_view_decode(answer, view);
        if (r < 0)
                return r;
        if (streq(view->name, HOST_MACHINE_NAME))
                machine_view_done(view);
        else {
                state_dir_complete(RUN_DIRECTORY, view);
                l->n++;
        }
        return 0;
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const struct machine_view *) a)->name, ((const struct machine_view *) b)->name);
}

static void put_flags(struct call *c, unsigned flags) {
        if (flags & MUSTER_METADATA)
                json_text_string(&c->json, "acquireMetadata", "graceful");
}

static int list_from_registry(struct varlink_client *client, unsigned flags, muster_machines *l) {
        AUTO_CALL struct call c;
        bool more = true;
        int r;

        call_begin(&c);
        put_flags(&c, flags);
        r = call_end(&c);
        if (r >= 0)
                r = varlink_client_send(client, "io.systemd.Machine.List", c.text.data, true);
        while (r >= 0 && more) {
                AUTO(varlink_answer_done) struct varlink_answer answer = VARLINK_ANSWER_EMPTY;

                r = varlink_client_next(client, &answer);
                if (r < 0)
                        return r;
                more = answer.continues;
                r = answer_errno(&answer);
                if (r == -ENOENT) /* how the interface says that there is none at all */
                        return 0;
                if (r >= 0)
                        r = add(l, &answer);
        }
        return r;
}

EXPORT int muster_machines_list(unsigned flags, muster_machines **ret) {
        AUTO(varlink_client_freep) struct varlink_client *client = NULL;
        AUTO(muster_machines_freep) muster_machines *l = calloc(1, sizeof(*l));
        int r;

        if (!ret || flags & ~MUSTER_METADATA)
                return -EINVAL;
        if (!l)
                return -ENOMEM;
        r = varlink_client_connect(RUN_DIRECTORY, VARLINK_CLIENT_TIMEOUT_MSEC, &client);
        if (r >= 0)
                r = list_from_registry(client, flags, l);
        else if (r == -EHOSTDOWN)
                r = state_dir_list(RUN_DIRECTORY, &l->views, &l->n);
        if (r < 0)
                return r;
        if (l->n > 1)
                qsort(l->views, l->n, sizeof(*l->views), by_name);
        *ret = STEAL(l);
        return 0;
}

EXPORT size_t muster_machines_count(const muster_machines *l) {
        return l->n;
}

EXPORT const muster_machine *muster_machines_get(const muster_machines *l, size_t i) {
        return i < l->n ? (const muster_machine *) (l->views + i) : NULL;
}

/* ---- one ---- */

EXPORT void muster_machine_free(muster_machine *m) {
        if (!m)
                return;
        machine_view_done(&m->view);
        free(m);
}
DEFINE_AUTO(muster_machine *, muster_machine_free)

static int get_from_registry(const char *name, unsigned flags, struct machine_view *ret) {
        AUTO(varlink_answer_done) struct varlink_answer answer = VARLINK_ANSWER_EMPTY;
        AUTO_CALL struct call c;
        int r;

        call_begin(&c);
        json_text_string(&c.json, "name", name);
        put_flags(&c, flags);
        r = call_registry(&c, "io.systemd.Machine.List", &answer);
        if (r >= 0)
                r = machine_view_decode(&answer, ret);
        if (r >= 0)
                state_dir_complete(RUN_DIRECTORY, ret);
        return r;
}

EXPORT int muster_machine_get(const char *name, unsigned flags, muster_machine **ret) {
        AUTO(muster_machine_freep) muster_machine *m = NULL;
        int r = check_name(name);

        if (r < 0 || !ret || flags & ~MUSTER_METADATA)
                return -EINVAL;
        m = calloc(1, sizeof(*m));
        if (!m)
                return -ENOMEM;
        machine_view_init(&m->view);
        r = get_from_registry(name, flags, &m->view);
        if (r == -EHOSTDOWN)
                r = state_dir_get(RUN_DIRECTORY, name, &m->view);
        if (r < 0)
                return r;
        *ret = STEAL(m);
        return 0;
}

EXPORT const char *muster_machine_name(const muster_machine *m) {
        return m->view.name;
}

EXPORT const char *muster_machine_class(const muster_machine *m) {
        return m->view.class;
}

EXPORT const char *muster_machine_state(const muster_machine *m) {
        return m->view.state;
}

EXPORT const char *muster_machine_service(const muster_machine *m) {
        return m->view.service;
}

EXPORT const char *muster_machine_id(const muster_machine *m) {
        return m->view.id;
}

EXPORT const char *muster_machine_root_directory(const muster_machine *m) {
        return m->view.root_directory;
}

EXPORT const char *muster_machine_unit(const muster_machine *m) {
        return m->view.unit;
}

EXPORT const char *muster_machine_ssh_address(const muster_machine *m) {
        return m->view.ssh_address;
}

EXPORT uid_t muster_machine_owner(const muster_machine *m) {
        return m->view.uid;
}

EXPORT uint64_t muster_machine_started_usec(const muster_machine *m) {
        return m->view.realtime_usec;
}

EXPORT uint32_t muster_machine_vsock_cid(const muster_machine *m) {
        return m->view.vsock_cid;
}

EXPORT pid_t muster_machine_leader(const muster_machine *m) {
        return m->view.leader.pid;
}

/* Records of older registries name a bare number: there, that a process has it is all that can be known. */
EXPORT int muster_machine_open_leader(const muster_machine *m) {
        struct pidref p = PIDREF_EMPTY;
        int r;

        if (m->view.leader.pid <= 0)
                return -ESRCH;
        r = pidref_open(m->view.leader.pid, &p);
        if (r < 0)
                return r;
        if ((m->view.leader.pidfd_id && p.id && m->view.leader.pidfd_id != p.id) || !pidref_is_alive(&p)) {
                pidref_done(&p);
                return -ESRCH;
        }
        return p.fd;
}

EXPORT size_t muster_machine_interfaces_count(const muster_machine *m) {
        return m->view.n_ifindices;
}

EXPORT int muster_machine_interface(const muster_machine *m, size_t i) {
        return i < m->view.n_ifindices ? m->view.ifindices[i] : 0;
}

EXPORT size_t muster_machine_addresses_count(const muster_machine *m) {
        return m->view.n_addresses;
}

EXPORT int muster_machine_address(const muster_machine *m, size_t i, int *ret_family, unsigned char ret_bytes[16],
                                  int *ret_interface) {
        const struct view_address *a = m->view.addresses + i;
        int size;

        if (i >= m->view.n_addresses)
                return -ERANGE;
        size = a->family == AF_INET ? 4 : 16;
        *ret_family = a->family;
        memcpy(ret_bytes, a->bytes, (size_t) size);
        if (ret_interface)
                *ret_interface = a->ifindex;
        return size;
}

EXPORT const char *muster_machine_os_release(const muster_machine *m, const char *key) {
        return machine_view_os(&m->view, key);
}

EXPORT int muster_machine_uid_shift(const muster_machine *m, uid_t *ret) {
        if (!m->view.has_uid_shift)
                return -ENODATA;
        *ret = m->view.uid_shift;
        return 0;
}
