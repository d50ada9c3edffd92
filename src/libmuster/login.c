/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Programs built for libsystemd's or libelogind's sd-login ask those for machines; elogind has none, and libsystemd knows only
 * those with a unit. LD_PRELOAD this library, and the same questions are answered by libmuster: sd_pid_get_machine_name(3) and
 * its relatives, as they are documented there. Names without symbol version: they fit those of either library. */
#include <muster/muster.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT int sd_pid_get_machine_name(pid_t pid, char **machine);
EXPORT int sd_pidfd_get_machine_name(int pidfd, char **machine);
EXPORT int sd_peer_get_machine_name(int fd, char **machine);
EXPORT int sd_machine_get_class(const char *machine, char **ret);
EXPORT int sd_machine_get_ifindices(const char *machine, int **ret);
EXPORT int sd_get_machine_names(char ***machines);

/* They want a place for the result only sometimes. */
static int hand_over(int r, char *name, char **ret) {
        if (r < 0)
                return r;
        if (ret)
                *ret = name;
        else
                muster_free(name);
        return 0;
}

int sd_pid_get_machine_name(pid_t pid, char **machine) {
        char *name = NULL;
        int r = muster_pid_machine(pid, &name);

        return hand_over(r, name, machine);
}

int sd_pidfd_get_machine_name(int pidfd, char **machine) {
        char *name = NULL;
        int r = muster_pidfd_machine(pidfd, &name);

        return hand_over(r, name, machine);
}

int sd_peer_get_machine_name(int fd, char **machine) {
        char *name = NULL;
        int r = muster_peer_machine(fd, &name);

        return hand_over(r, name, machine);
}

/* "No such machine" is ENXIO there. */
static int get(const char *name, muster_machine **ret) {
        int r = muster_machine_get(name, 0, ret);

        return r == -ENOENT ? -ENXIO : r;
}

int sd_machine_get_class(const char *machine, char **ret) {
        muster_machine *m;
        char *copy;
        int r;

        if (!machine || !ret)
                return -EINVAL;
        if (strcmp(machine, ".host") == 0) {
                *ret = strdup("host");
                return *ret ? 0 : -ENOMEM;
        }
        r = get(machine, &m);
        if (r < 0)
                return r;
        copy = strdup(muster_machine_class(m) ? muster_machine_class(m) : "");
        muster_machine_free(m);
        if (!copy)
                return -ENOMEM;
        *ret = copy;
        return 0;
}

int sd_machine_get_ifindices(const char *machine, int **ret) {
        muster_machine *m;
        int *all, n, r;

        if (!machine)
                return -EINVAL;
        r = get(machine, &m);
        if (r < 0)
                return r;
        n = (int) muster_machine_interfaces_count(m);
        all = calloc((size_t) n + 1, sizeof(*all));
        for (int i = 0; all && i < n; i++)
                all[i] = muster_machine_interface(m, (size_t) i);
        muster_machine_free(m);
        if (!all)
                return -ENOMEM;
        if (ret)
                *ret = all;
        else
                free(all);
        return n;
}

static void free_names(char **names) {
        for (char **name = names; name && *name; name++)
                free(*name);
        free(names);
}

/* NULL: no memory. */
static char **copy_names(const muster_machines *l) {
        char **names = calloc(muster_machines_count(l) + 1, sizeof(*names));

        for (size_t i = 0; names && i < muster_machines_count(l); i++) {
                names[i] = strdup(muster_machine_name(muster_machines_get(l, i)));
                if (!names[i]) {
                        free_names(names);
                        return NULL;
                }
        }
        return names;
}

int sd_get_machine_names(char ***machines) {
        muster_machines *l;
        char **names;
        int n, r = muster_machines_list(0, &l);

        if (r < 0)
                return r;
        n = (int) muster_machines_count(l);
        names = copy_names(l);
        muster_machines_free(l);
        if (!names)
                return -ENOMEM;
        if (machines)
                *machines = names;
        else
                free_names(names);
        return n;
}
