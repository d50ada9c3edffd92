/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whoever makes a user namespace cannot map more than himself into it; newuidmap(1) may, and looks into /etc/subuid whether it
 * should. It has to be run from outside: by a child that stays there. */
#include "muster-spawn/unprivileged.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/passwd-text.h"
#include "codec/subid-text.h"
#include "sys/fileio.h"

#define DATABASE_MAX (4U << 20)
#define RANGE_WANTED 65536

struct ranges {
        struct subid_range uids, gids;
};

static bool may_mount(void) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = { 0 };

        return syscall(SYS_capget, &header, data) == 0 && (data[0].effective & (1U << CAP_SYS_ADMIN));
}

static int own_range(const char *path, const char *name, struct subid_range *ret) {
        AUTO_FREE char *text = NULL;
        size_t size;
        int r = read_file_at(AT_FDCWD, path, DATABASE_MAX, &text, &size);

        return r < 0 ? r : subid_find(text, size, name, getuid(), ret);
}

/* -ENOENT: there are none for this user, or no program that could map them. */
static int own_ranges(struct ranges *ret) {
        AUTO_FREE char *text = NULL, *name = NULL;
        size_t size;
        int r;

        if (access("/usr/bin/newuidmap", X_OK) < 0 || access("/usr/bin/newgidmap", X_OK) < 0)
                return -ENOENT;
        if (read_file_at(AT_FDCWD, "/etc/passwd", DATABASE_MAX, &text, &size) == 0)
                (void) passwd_name_of(text, size, getuid(), &name);
        r = own_range("/etc/subuid", name, &ret->uids);
        return r < 0 ? r : own_range("/etc/subgid", name, &ret->gids);
}

/* newuidmap PID 0 OWN 1 1 FIRST COUNT */
static int run_mapper(const char *program, pid_t pid, unsigned own, const struct subid_range *range) {
        unsigned count = range->count < RANGE_WANTED ? range->count : RANGE_WANTED;
        char numbers[4][16];
        int status;
        pid_t child;

        snprintf(numbers[0], sizeof(numbers[0]), "%d", pid);
        snprintf(numbers[1], sizeof(numbers[1]), "%u", own);
        snprintf(numbers[2], sizeof(numbers[2]), "%u", range->first);
        snprintf(numbers[3], sizeof(numbers[3]), "%u", count);
        child = fork();
        if (child < 0)
                return -errno;
        if (child == 0) {
                execl(program, program, numbers[0], "0", numbers[1], "1", "1", numbers[2], numbers[3], NULL);
                _exit(127);
        }
        if (waitpid(child, &status, 0) < 0)
                return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

/* Waits for the word, then maps its parent. */
static _Noreturn void mapper(int word, pid_t parent, uid_t uid, gid_t gid, const struct ranges *ranges) {
        char byte;

        if (read(word, &byte, 1) != 1 || run_mapper("/usr/bin/newuidmap", parent, uid, &ranges->uids) < 0 ||
            run_mapper("/usr/bin/newgidmap", parent, gid, &ranges->gids) < 0)
                _exit(1);
        _exit(0);
}

static int enter_with_ranges(const struct ranges *ranges) {
        int word[2], status;
        pid_t child;

        if (pipe2(word, O_CLOEXEC) < 0)
                return -errno;
        child = fork();
        if (child < 0)
                return -errno;
        if (child == 0) {
                close(word[1]);
                mapper(word[0], getppid(), getuid(), getgid(), ranges);
        }
        close(word[0]);
        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0 || write(word[1], "x", 1) != 1) {
                int r = -errno;

                close(word[1]);
                waitpid(child, NULL, 0);
                return r;
        }
        close(word[1]);
        if (waitpid(child, &status, 0) < 0)
                return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : -EPERM;
}

static int enter_alone(void) {
        uid_t uid = getuid();
        gid_t gid = getgid();
        char text[32];
        int r;

        if (unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
                return -errno;
        /* Who could drop a group could get what the group is kept from: user_namespaces(7), "setgroups". */
        r = write_attribute_text_at(AT_FDCWD, "/proc/self/setgroups", "deny");
        snprintf(text, sizeof(text), "0 %u 1\n", uid);
        if (r >= 0)
                r = write_attribute_text_at(AT_FDCWD, "/proc/self/uid_map", text);
        snprintf(text, sizeof(text), "0 %u 1\n", gid);
        return r < 0 ? r : write_attribute_text_at(AT_FDCWD, "/proc/self/gid_map", text);
}

static int become_root(void) {
        if (syscall(SYS_setresgid, 0, 0, 0) < 0 || syscall(SYS_setresuid, 0, 0, 0) < 0)
                return -errno;
        return mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0 ? -errno : 0;
}

int unprivileged_enter(struct spec *spec) {
        struct ranges ranges;
        bool alone;
        int r;

        if (may_mount())
                return 0;
        alone = own_ranges(&ranges) < 0;
        r = alone ? enter_alone() : enter_with_ranges(&ranges);
        if (r >= 0)
                r = become_root();
        if (r < 0)
                return log_error_errno(r, "only root can start containers here: cannot make a user namespace");
        spec->users_mode = USERS_NO;
        spec->unprivileged = true;
        spec->single_id = alone;
        if (alone)
                log_notice("Running without privileges, with one user: files of others belong to nobody inside, and no "
                           "other user "
                           "can be become. A range in /etc/subuid and /etc/subgid, and newuidmap, would change that.");
        else if (!spec->quiet)
                log_info("Running without privileges: users from 1 on are %u and following on the host",
                         ranges.uids.first);
        return 0;
}
