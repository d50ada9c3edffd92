/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ".host" (registry.md 1.2): filled once at start. */
#include "musterd/host.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/str.h"
#include "sys/fileio.h"
#include "sys/pidfd.h"

static void read_machine_id(struct id128 *ret) {
        AUTO_FREE char *text = NULL;

        if (read_file_at(AT_FDCWD, "/etc/machine-id", 64, &text, NULL) < 0)
                return;
        text[strcspn(text, "\n")] = '\0';
        id128_from_string(text, ret);
}

static uint64_t usec_of(clockid_t clock) {
        struct timespec t;

        clock_gettime(clock, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

static void read_init(struct pidref *ret) {
        struct pidref init;

        *ret = PIDREF_EMPTY;
        if (pidref_open(1, &init) >= 0) {
                *ret = init;
                pidref_done(&init);
                ret->fd = -EBADF;
        }
        ret->pid = 1;
}

int host_record(struct machine **ret) {
        AUTO(machine_freep) struct machine *m = NULL;
        int r;

        r = machine_new(HOST_MACHINE_NAME, &m);
        if (r < 0)
                return r;
        m->class = MACHINE_HOST;
        m->state = MACHINE_RUNNING;
        read_machine_id(&m->id);
        read_init(&m->leader);
        m->realtime_usec = usec_of(CLOCK_REALTIME) - usec_of(CLOCK_BOOTTIME);
        if (access("/dev/vsock", F_OK) == 0)
                m->vsock_cid = 1;
        if (str_replace(&m->unit, "-.slice") < 0 || str_replace(&m->root_directory, "/") < 0)
                return -ENOMEM;
        *ret = STEAL(m);
        return 0;
}
