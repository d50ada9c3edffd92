/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster/here.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "muster/failure.h"
#include "muster/fetch.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

const char *here_program(const char *variable, const char *installed) {
        const char *path = secure_getenv(variable);

        return path && *path == '/' ? path : installed;
}

static int check_owner(const struct machine_view *v) {
        if (!v->class || !streq(v->class, "container"))
                return fail("Machine '%s' is no container: it cannot be entered from outside.", v->name);
        if (v->uid != 0 && proc_same_namespace(v->leader.pid, 0, "user") != 0)
                return fail("Machine '%s' belongs to user %u and has no user namespace: nobody may enter it.", v->name,
                            (unsigned) v->uid);
        return EXIT_SUCCESS;
}

int here_leader(const struct options *o, const char *name, struct pidref *ret) {
        struct pidref leader = PIDREF_EMPTY;
        struct machine_view v;
        int r;

        if (geteuid() != 0) {
                (void) fail_connection(o->run, -EHOSTDOWN);
                return -EACCES;
        }
        if (fetch_one(o, name, false, false, &v, NULL) != FETCH_FOUND)
                return -ENOENT;
        r = pidref_open(v.leader.pid, &leader);
        if (r >= 0 && v.leader.pidfd_id && leader.id && v.leader.pidfd_id != leader.id)
                r = -ESRCH;
        if (r < 0)
                (void) fail("Machine '%s' has ended.", name);
        else
                r = check_owner(&v) == EXIT_SUCCESS ? 0 : -EPERM;
        machine_view_done(&v);
        if (r < 0)
                pidref_done(&leader);
        else
                *ret = leader;
        return r;
}
