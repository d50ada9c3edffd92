/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A namespace lives as long as somebody holds it: a child is born into it, and is killed as soon as the descriptor is open. Its end is
 * not waited for, which can take longer than all the rest: an idle processor has to wake up for it. */
#include "muster-spawn/idmap-ns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "sys/bare-call.h"
#include "sys/clone-beside.h"
#include "sys/fileio.h"
#include "sys/mountfd.h"
#include "sys/path.h"

#define STACK_SIZE 4096

struct owners {
        uid_t uid;
        gid_t gid;
};

/* What root of the container is on the host: the second number of the first line of its maps. */
static int host_root(pid_t pid, const char *which, uint32_t *ret) {
        AUTO_FREE char *text = NULL;
        unsigned inside, outside;
        char path[48];
        int r;

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
        r = read_record_at(AT_FDCWD, path, 4096, &text, NULL);
        if (r < 0)
                return r;
        if (sscanf(text, "%u %u", &inside, &outside) != 2 || inside != 0)
                return -EBADMSG;
        *ret = outside;
        return 0;
}

static int shown_as(pid_t pid, enum spec_idmap kind, int root, const char *target, struct owners *ret) {
        AUTO_CLOSE int fd = -EBADF;
        struct stat st = { 0 };
        uint32_t uid, gid;
        int r;

        r = host_root(pid, "uid_map", &uid);
        if (r >= 0)
                r = host_root(pid, "gid_map", &gid);
        if (r < 0)
                return r;
        if (kind == IDMAP_OWNER) {
                fd = open_in_root(root, target, O_PATH);
                if (fd < 0)
                        return fd;
                if (fstat(fd, &st) < 0)
                        return -errno;
                /* Through the mapped root the numbers are those of the host already. */
                *ret = (struct owners){ st.st_uid >= uid ? st.st_uid : uid + st.st_uid,
                                        st.st_gid >= gid ? st.st_gid : gid + st.st_gid };
                return 0;
        }
        *ret = (struct owners){ uid, gid };
        return 0;
}

struct range {
        uint32_t on_disk, shown, count;
};

static int write_map(pid_t pid, const char *which, const struct range *range) {
        char path[48], text[64];

        snprintf(path, sizeof(path), "/proc/%d/%s", pid, which);
        snprintf(text, sizeof(text), "%u %u %u\n", range->on_disk, range->shown, range->count);
        return write_attribute_text_at(AT_FDCWD, path, text);
}

static int namespace_of(pid_t pid, const struct range *users, const struct range *groups) {
        char path[48];
        int fd, r;

        r = write_map(pid, "uid_map", users);
        if (r >= 0)
                r = write_map(pid, "gid_map", groups);
        if (r < 0)
                return r;
        snprintf(path, sizeof(path), "/proc/%d/ns/user", pid);
        fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
        return fd < 0 ? -errno : fd;
}

/* Until it is killed, by the runner or with it: in the runner's memory. */
static void hold(void *userdata) {
        const pid_t *runner = userdata;

        BARE(prctl, PR_SET_PDEATHSIG, SIGKILL);
        while (BARE(getppid) == *runner)
                BARE(ppoll, NULL, 0, NULL, NULL);
        bare_exit(0);
}

/* One at a time, since it may still be on the stack. */
static pid_t holder;

void idmap_settle(void) {
        if (holder > 0)
                waitpid(holder, NULL, 0);
        holder = 0;
}

static int new_namespace(const struct range *users, const struct range *groups) {
        static pid_t runner;
        static void *stack; /* mapped: a page more of the program would be a page more at each start */
        /* With descriptors of its own the channel to the payload would stay open as long as it does. */
        struct clone_args args = { .flags = CLONE_NEWUSER | CLONE_FILES, .exit_signal = SIGCHLD };
        int r;

        idmap_settle();
        runner = getpid();
        if (!stack)
                stack = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_POPULATE, -1, 0);
        if (stack == MAP_FAILED) {
                stack = NULL;
                return -ENOMEM;
        }
        holder = clone_beside(&args, stack, STACK_SIZE, hold, &runner);
        if (holder < 0)
                return holder;
        r = namespace_of(holder, users, groups);
        kill(holder, SIGKILL);
        return r;
}

int idmap_namespace_for(pid_t pid, enum spec_idmap kind, int tree, int root, const char *target) {
        struct owners shown = { 0 };
        struct stat st;
        int r;

        r = shown_as(pid, kind, root, target, &shown);
        if (r < 0)
                return r;
        if (fstat(tree, &st) < 0)
                return -errno;
        return new_namespace(&(struct range){ st.st_uid, shown.uid, 1 }, &(struct range){ st.st_gid, shown.gid, 1 });
}

int idmap_namespace(uint32_t on_disk, uint32_t shown, uint32_t count) {
        const struct range range = { on_disk, shown, count };

        return new_namespace(&range, &range);
}

int idmap_clone(const char *path, uint32_t on_disk, uint32_t shown, uint32_t count) {
        AUTO_CLOSE int tree = mount_clone(AT_FDCWD, path, true), ns = -EBADF;
        int r;

        if (tree < 0)
                return tree;
        ns = idmap_namespace(on_disk, shown, count);
        if (ns < 0)
                return ns;
        r = mount_map_owners(tree, ns, true);
        return r < 0 ? r : STEAL_FD(tree);
}
