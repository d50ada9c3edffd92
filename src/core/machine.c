/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/machine.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"

static void (*fd_closer)(int fd);

static const char *const machine_class_table[_MACHINE_CLASS_MAX] = {
        [MACHINE_CONTAINER] = "container",
        [MACHINE_VM] = "vm",
        [MACHINE_HOST] = "host",
};
DEFINE_TABLE(machine_class, enum machine_class)

static const char *const machine_state_table[_MACHINE_STATE_MAX] = {
        [MACHINE_OPENING] = "opening",
        [MACHINE_RUNNING] = "running",
        [MACHINE_CLOSING] = "closing",
        [MACHINE_GONE] = "gone",
};
DEFINE_TABLE(machine_state, enum machine_state)

void machine_set_fd_closer(void (*close_fd)(int fd)) {
        fd_closer = close_fd;
}

void machine_close_fd(int fd) {
        if (fd >= 0 && fd_closer)
                fd_closer(fd);
}

int machine_new(const char *name, struct machine **ret) {
        AUTO(machine_freep) struct machine *m = calloc(1, sizeof(*m));

        if (!m)
                return -ENOMEM;
        m->leader = PIDREF_EMPTY;
        m->supervisor = PIDREF_EMPTY;
        m->vsock_cid = VSOCK_CID_UNSET;
        m->name = strdup(name);
        if (!m->name)
                return -ENOMEM;
        *ret = STEAL(m);
        return 0;
}

void machine_free(struct machine *m) {
        if (!m)
                return;
        machine_close_fd(m->leader.fd);
        machine_close_fd(m->supervisor.fd);
        free(m->name);
        free(m->service);
        free(m->root_directory);
        free(m->ifindices);
        free(m->ssh_address);
        free(m->ssh_private_key_path);
        free(m->control_address);
        free(m->unit);
        free(m->subgroup);
        free(m->cgroup);
        free(m);
}

bool machine_owns_unit(const struct machine *m) {
        return m->unit && !m->subgroup;
}

bool machine_is_whole_unit(const struct machine *m) {
        const char *rest = m->unit ? startswith(m->unit, m->name) : NULL;

        return machine_owns_unit(m) || (rest && streq(rest, ".scope"));
}
