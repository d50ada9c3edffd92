/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The helper reads what hostile machines prepared for it. Whoever takes it over there finds a process that cannot start
 * programs, write files, map code, open sockets other than netlink or enter namespaces other than network ones. */
#include "muster-helper/harden.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "base/auto.h"
#include "sys/sandbox.h"

/* SYS_ADMIN: setns(2). SYS_PTRACE: /proc/PID/{root,ns} of others. DAC_READ_SEARCH: trees of shifted users that are
 * closed to us. KILL: processes of others. Of these we use what we were given: a question that needs more is answered
 * -EPERM. */
#define CAPABILITIES                                                                                   \
        (SANDBOX_CAP(CAP_SYS_ADMIN) | SANDBOX_CAP(CAP_SYS_PTRACE) | SANDBOX_CAP(CAP_DAC_READ_SEARCH) | \
         SANDBOX_CAP(CAP_KILL))

#define ANY(name) \
        { SYS_##name, 0, 0, 0 }
#define ONLY(name, argument, mask, value) \
        { SYS_##name, argument, mask, value }
#define WORD UINT64_C(0xffffffff)

static const struct sandbox_rule rules[] = {
        /* the conversation */
        ANY(recvmsg),
        ANY(recvfrom),
        ANY(sendto),
        ANY(sendmsg),
        ONLY(write, 0, WORD, 2),
        /* files, for reading */
        ONLY(openat, 2, O_ACCMODE, O_RDONLY),
        ANY(openat2),
        ANY(read),
        ANY(pread64),
        ANY(close),
        ANY(fstat),
        ANY(fstatfs),
        ANY(statx),
        ANY(readlinkat),
        ANY(getdents64),
        ANY(lseek),
        ANY(fcntl),
#ifdef SYS_newfstatat
        ANY(newfstatat),
#endif
#ifdef SYS_readlink
        ANY(readlink),
#endif
        /* processes and namespaces */
        ANY(pidfd_open),
        ANY(pidfd_send_signal),
        ANY(ppoll),
        ONLY(setns, 1, WORD, CLONE_NEWNET),
        ONLY(socket, 0, WORD, AF_NETLINK),
        ONLY(ioctl, 1, WORD, NS_GET_PARENT),
#ifdef SYS_poll
        ANY(poll),
#endif
        /* ourselves */
        ANY(brk),
        ONLY(mmap, 2, PROT_EXEC, 0),
        ONLY(mprotect, 2, PROT_EXEC, 0),
        ANY(munmap),
        ANY(mremap),
        ANY(madvise),
        ANY(getrandom),
        ANY(futex),
        ANY(getpid),
        ANY(getppid),
        ANY(rt_sigreturn),
        ANY(restart_syscall),
        ANY(exit),
        ANY(exit_group),
};

static int set_limits(void) {
        static const struct {
                int what;
                rlim_t limit;
        } limits[] = {
                { RLIMIT_NOFILE, 32 },
                { RLIMIT_AS, 64 << 20 },
                { RLIMIT_FSIZE, 0 },
                { RLIMIT_CORE, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(limits); i++) {
                struct rlimit limit = { limits[i].limit, limits[i].limit };
                struct rlimit now;

                if (getrlimit((__rlimit_resource_t) limits[i].what, &now) < 0)
                        return -errno;
                if (limit.rlim_max > now.rlim_max)
                        limit.rlim_max = limit.rlim_cur = now.rlim_max;
                if (setrlimit((__rlimit_resource_t) limits[i].what, &limit) < 0)
                        return -errno;
        }
        return 0;
}

int harden(void) {
        int r = 0;

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
                return -errno;
        if (sandbox_is_wanted()) {
                if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
                        return -errno;
                r = set_limits();
        }
        if (r == 0)
                r = sandbox_keep_capabilities(CAPABILITIES);
        /* After everything that could clear it; who starts us may be gone already, which the closed socket tells. */
        if (r == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
                r = -errno;
        return r < 0 ? r : sandbox_allow_syscalls(rules, ELEMENTS(rules));
}
