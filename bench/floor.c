/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* floor: the least that a container can cost: one clone with all namespaces, the tree as root, the usual file systems of the kernel,
 * a device or two, the program. No filter, no limits, no capabilities dropped, nobody told.
 * Usage: floor [--netns] TREE PROGRAM */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/sched.h>

static _Noreturn void child(const char *tree, char *program) {
        static const struct {
                const char *type, *target, *options;
                unsigned long flags;
        } mounts[] = {
                { "proc", "proc", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC },
                { "sysfs", "sys", NULL, MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_RDONLY },
                { "tmpfs", "dev", "mode=755", MS_NOSUID },
                { "tmpfs", "run", "mode=755", MS_NOSUID | MS_NODEV },
                { "tmpfs", "tmp", "mode=1777", MS_NOSUID | MS_NODEV },
        };
        char *argv[] = { program, NULL }, *env[] = { NULL };

        if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
            mount(tree, tree, NULL, MS_BIND | MS_REC, NULL) < 0 || chdir(tree) < 0)
                _exit(1);
        for (size_t i = 0; i < sizeof(mounts) / sizeof(mounts[0]); i++)
                if (mount(mounts[i].type, mounts[i].target, mounts[i].type, mounts[i].flags, mounts[i].options) < 0)
                        _exit(1);
        if (mknod("dev/null", S_IFCHR | 0666, makedev(1, 3)) < 0 ||
            mknod("dev/zero", S_IFCHR | 0666, makedev(1, 5)) < 0)
                _exit(1);
        if (syscall(SYS_pivot_root, ".", ".") < 0 || umount2(".", MNT_DETACH) < 0 || sethostname("floor", 5) < 0)
                _exit(1);
        execve(program, argv, env);
        _exit(1);
}

int main(int argc, char *argv[]) {
        struct clone_args args = { .flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP,
                                   .exit_signal = SIGCHLD };
        int first = 1, status;
        long pid;

        if (argc > 1 && strcmp(argv[1], "--netns") == 0) {
                args.flags |= CLONE_NEWNET;
                first = 2;
        }
        if (argc != first + 2) {
                fprintf(stderr, "usage: floor [--netns] TREE PROGRAM\n");
                return 2;
        }
        pid = syscall(SYS_clone3, &args, sizeof(args));
        if (pid < 0)
                return 1;
        if (pid == 0)
                child(argv[first], argv[first + 1]);
        if (waitpid((pid_t) pid, &status, 0) < 0)
                return 1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
