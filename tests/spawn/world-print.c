/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* world-print: what a process sees of its container, as one JSON object on standard output.
 *
 * Statically linked and without any option, so that it runs as the payload in whatever tree. It judges nothing: what it
 * cannot see it reports by the error's name, and comparing two worlds is compare_world.py's work. It changes nothing
 * either: each system call that could is made with arguments that no kernel accepts, in a child of its own. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define TEXT_MAX 65536 /* of one file */

/* ---- JSON ---- */

struct json {
        FILE *file;
        bool comma; /* something stands before what comes next */
};

/* Bytes, not characters: what is no ASCII is told as the character of that number. */
static void json_quote(struct json *j, const char *s, size_t length) {
        fputc('"', j->file);
        for (size_t i = 0; i < length; i++) {
                unsigned char c = (unsigned char) s[i];

                if (c == '"' || c == '\\')
                        fprintf(j->file, "\\%c", c);
                else if (c < 0x20 || c >= 0x7f)
                        fprintf(j->file, "\\u%04x", c);
                else
                        fputc(c, j->file);
        }
        fputc('"', j->file);
}

/* What begins a value; key is NULL inside a list. */
static void json_key(struct json *j, const char *key) {
        if (j->comma)
                fputs(",\n", j->file);
        j->comma = true;
        if (key) {
                json_quote(j, key, strlen(key));
                fputs(": ", j->file);
        }
}

static void json_open(struct json *j, const char *key, char bracket) {
        json_key(j, key);
        fputc(bracket, j->file);
        j->comma = false;
}

static void json_close(struct json *j, char bracket) {
        fputc(bracket, j->file);
        j->comma = true;
}

static void json_bytes(struct json *j, const char *key, const char *s, size_t length) {
        json_key(j, key);
        json_quote(j, s, length);
}

static void json_string(struct json *j, const char *key, const char *s) {
        json_bytes(j, key, s, strlen(s));
}

static void json_number(struct json *j, const char *key, long long n) {
        json_key(j, key);
        fprintf(j->file, "%lld", n);
}

static const char *error_name(int error) {
        const char *name = strerrorname_np(error);

        return name ? name : "E?";
}

/* What a call has returned: its value where that says something, or the error's name. */
static void json_result(struct json *j, const char *key, long long result) {
        if (result < 0)
                json_string(j, key, error_name(errno));
        else
                json_number(j, key, result);
}

/* ---- files ---- */

/* Up to TEXT_MAX bytes and a NUL after them; the caller frees. NULL: errno says why not. */
static char *read_text(const char *path, size_t *ret_length) {
        char *text;
        ssize_t n;
        size_t length = 0;
        int error = 0, fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

        if (fd < 0)
                return NULL;
        text = malloc(TEXT_MAX + 1);
        if (!text)
                abort();
        while (length < TEXT_MAX && (n = read(fd, text + length, TEXT_MAX - length)) != 0) {
                if (n < 0) {
                        error = errno;
                        break;
                }
                length += (size_t) n;
        }
        close(fd);
        if (error) {
                free(text);
                errno = error;
                return NULL;
        }
        text[length] = 0;
        *ret_length = length;
        return text;
}

/* The text, or an object with the error: a file that says "EPERM" must not look like one that cannot be read. */
static void json_text(struct json *j, const char *key, const char *path) {
        size_t length;
        char *text = read_text(path, &length);

        if (text)
                json_bytes(j, key, text, length);
        else {
                const char *name = error_name(errno);

                json_open(j, key, '{');
                json_string(j, "error", name);
                json_close(j, '}');
        }
        free(text);
}

/* A list of the pieces between separators; an empty last one is none. */
static void json_pieces(struct json *j, const char *key, const char *path, char separator) {
        size_t length;
        char *text = read_text(path, &length);

        if (!text) {
                json_text(j, key, path);
                return;
        }
        json_open(j, key, '[');
        for (char *p = text, *end = text + length; p < end;) {
                char *next = memchr(p, separator, (size_t) (end - p));

                if (!next)
                        next = end;
                json_bytes(j, NULL, p, (size_t) (next - p));
                p = next + 1;
        }
        json_close(j, ']');
        free(text);
}

static void json_link(struct json *j, const char *key, const char *path) {
        char target[4096];
        ssize_t n = readlink(path, target, sizeof(target));

        if (n < 0)
                json_string(j, key, error_name(errno));
        else
                json_bytes(j, key, target, (size_t) n);
}

static const char *type_name(mode_t mode) {
        switch (mode & S_IFMT) {
        case S_IFREG:
                return "file";
        case S_IFDIR:
                return "directory";
        case S_IFLNK:
                return "link";
        case S_IFCHR:
                return "character";
        case S_IFBLK:
                return "block";
        case S_IFIFO:
                return "fifo";
        case S_IFSOCK:
                return "socket";
        default:
                return "?";
        }
}

/* One object in the file system, under its path as the key. */
static void json_inode(struct json *j, const char *path, bool content) {
        struct stat st;
        char mode[8];

        json_open(j, path, '{');
        if (lstat(path, &st) < 0) {
                json_string(j, "error", error_name(errno));
                json_close(j, '}');
                return;
        }
        json_string(j, "type", type_name(st.st_mode));
        snprintf(mode, sizeof(mode), "%04o", (unsigned) st.st_mode & 07777);
        if (!S_ISLNK(st.st_mode))
                json_string(j, "mode", mode);
        json_number(j, "uid", st.st_uid);
        json_number(j, "gid", st.st_gid);
        if (S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode)) {
                json_number(j, "major", major(st.st_rdev));
                json_number(j, "minor", minor(st.st_rdev));
        }
        if (S_ISLNK(st.st_mode))
                json_link(j, "target", path);
        if (content && S_ISREG(st.st_mode))
                json_text(j, "content", path);
        json_close(j, '}');
}

static int by_name(const struct dirent **a, const struct dirent **b) {
        return strcmp((*a)->d_name, (*b)->d_name);
}

static void list_below(struct json *j, const char *path, unsigned depth, bool content) {
        struct dirent **entries;
        int n = scandir(path, &entries, NULL, by_name);

        for (int i = 0; i < n; i++) {
                const char *name = entries[i]->d_name;
                char below[4096];
                struct stat st;

                if (strcmp(name, ".") != 0 && strcmp(name, "..") != 0 &&
                    snprintf(below, sizeof(below), "%s/%s", strcmp(path, "/") == 0 ? "" : path, name) <
                            (int) sizeof(below)) {
                        json_inode(j, below, content);
                        if (depth > 1 && lstat(below, &st) == 0 && S_ISDIR(st.st_mode))
                                list_below(j, below, depth - 1, content);
                }
                free(entries[i]);
        }
        if (n >= 0)
                free(entries);
}

/* The directory itself, and what is below it down to depth levels. */
static void json_tree(struct json *j, const char *key, const char *path, unsigned depth, bool content) {
        json_open(j, key, '{');
        json_inode(j, path, false);
        list_below(j, path, depth, content);
        json_close(j, '}');
}

/* ---- mounts ---- */

/* Of what is seen there: of several mounts on one place, the topmost's. */
static void print_owner(struct json *j, const char *point) {
        struct stat st;
        char mode[8];

        if (lstat(point, &st) < 0) {
                json_string(j, "error", error_name(errno));
                return;
        }
        snprintf(mode, sizeof(mode), "%04o", (unsigned) st.st_mode & 07777);
        json_string(j, "mode", mode);
        json_number(j, "uid", st.st_uid);
        json_number(j, "gid", st.st_gid);
}

/* Fields of mountinfo, see proc_pid_mountinfo(5): those before the hyphen, then three. Mount numbers are left out. */
static void print_mount(struct json *j, char *line) {
        char *fields[5] = { "", "", "", "", "" }, *save = NULL, *word = strtok_r(line, " ", &save);

        json_open(j, NULL, '{');
        for (size_t i = 0; i < 6 && word; i++, word = strtok_r(NULL, " ", &save))
                if (i >= 3)
                        fields[i - 3] = word;
        json_string(j, "root", fields[0]);
        json_string(j, "point", fields[1]);
        json_string(j, "flags", fields[2]);
        json_open(j, "propagation", '[');
        for (; word && strcmp(word, "-") != 0; word = strtok_r(NULL, " ", &save))
                json_string(j, NULL, word);
        json_close(j, ']');
        for (size_t i = 0; i < 3; i++) {
                word = strtok_r(NULL, " ", &save);
                json_string(j, (const char *[]){ "type", "source", "super" }[i], word ? word : "");
        }
        print_owner(j, fields[1]);
        json_close(j, '}');
}

static void print_mounts(struct json *j) {
        char *line = NULL;
        size_t size = 0;
        FILE *file = fopen("/proc/self/mountinfo", "re");

        json_open(j, "mounts", '[');
        while (file && getline(&line, &size, file) > 0) {
                line[strcspn(line, "\n")] = 0;
                print_mount(j, line);
        }
        json_close(j, ']');
        if (file)
                fclose(file);
        free(line);
}

/* ---- the process ---- */

static void print_status(struct json *j) {
        static const char *const wanted[] = {
                "Umask",
                "Uid",
                "Gid",
                "Groups",
                "NStgid",
                "NSpid",
                "NSpgid",
                "NSsid",
                "SigBlk",
                "SigIgn",
                "SigCgt",
                "CapInh",
                "CapPrm",
                "CapEff",
                "CapBnd",
                "CapAmb",
                "NoNewPrivs",
                "Seccomp",
                "Seccomp_filters",
                "Speculation_Store_Bypass",
                "Cpus_allowed_list",
                "Mems_allowed_list",
                "THP_enabled",
                "Threads",
        };
        char *line = NULL;
        size_t size = 0;
        FILE *file = fopen("/proc/self/status", "re");

        json_open(j, "status", '{');
        while (file && getline(&line, &size, file) > 0) {
                char *value = strchr(line, ':');

                if (!value)
                        continue;
                *value++ = 0;
                value += strspn(value, "\t ");
                value[strcspn(value, "\n")] = 0;
                for (size_t i = 0; i < COUNT(wanted); i++)
                        if (strcmp(line, wanted[i]) == 0)
                                json_string(j, line, value);
        }
        json_close(j, '}');
        if (file)
                fclose(file);
        free(line);
}

static void print_limits(struct json *j) {
        static const struct {
                const char *name;
                int number;
        } limits[] = {
                { "AS", RLIMIT_AS },           { "CORE", RLIMIT_CORE },         { "CPU", RLIMIT_CPU },
                { "DATA", RLIMIT_DATA },       { "FSIZE", RLIMIT_FSIZE },       { "LOCKS", RLIMIT_LOCKS },
                { "MEMLOCK", RLIMIT_MEMLOCK }, { "MSGQUEUE", RLIMIT_MSGQUEUE }, { "NICE", RLIMIT_NICE },
                { "NOFILE", RLIMIT_NOFILE },   { "NPROC", RLIMIT_NPROC },       { "RSS", RLIMIT_RSS },
                { "RTPRIO", RLIMIT_RTPRIO },   { "RTTIME", RLIMIT_RTTIME },     { "SIGPENDING", RLIMIT_SIGPENDING },
                { "STACK", RLIMIT_STACK },
        };

        json_open(j, "limits", '{');
        for (size_t i = 0; i < COUNT(limits); i++) {
                struct rlimit limit = { 0 };

                getrlimit(limits[i].number, &limit);
                json_open(j, limits[i].name, '[');
                json_number(j, NULL, (long long) limit.rlim_cur); /* -1: infinity */
                json_number(j, NULL, (long long) limit.rlim_max);
                json_close(j, ']');
        }
        json_close(j, '}');
}

static void print_process(struct json *j) {
        char cwd[4096];
        mode_t mask = umask(0);
        int death = 0, reaper = 0;

        umask(mask);
        prctl(PR_GET_PDEATHSIG, &death);
        prctl(PR_GET_CHILD_SUBREAPER, &reaper);
        json_open(j, "process", '{');
        json_number(j, "pid", getpid());
        json_number(j, "ppid", getppid());
        json_number(j, "pgid", getpgid(0));
        json_number(j, "sid", getsid(0));
        json_result(j, "foreground", tcgetpgrp(STDIN_FILENO));
        json_number(j, "umask", mask);
        json_string(j, "cwd", getcwd(cwd, sizeof(cwd)) ? cwd : error_name(errno));
        json_link(j, "root", "/proc/self/root");
        json_number(j, "personality", personality(0xffffffff));
        json_number(j, "securebits", prctl(PR_GET_SECUREBITS));
        json_number(j, "keepcaps", prctl(PR_GET_KEEPCAPS));
        json_number(j, "dumpable", prctl(PR_GET_DUMPABLE));
        json_number(j, "timerslack", prctl(PR_GET_TIMERSLACK));
        json_number(j, "pdeathsig", death);
        json_number(j, "subreaper", reaper);
        json_number(j, "nice", getpriority(PRIO_PROCESS, 0));
        json_number(j, "scheduler", sched_getscheduler(0));
        json_number(j, "ioprio", syscall(SYS_ioprio_get, 1, 0));
        json_text(j, "oom_score_adj", "/proc/self/oom_score_adj");
        json_text(j, "loginuid", "/proc/self/loginuid");
        json_text(j, "sessionid", "/proc/self/sessionid");
        json_text(j, "coredump_filter", "/proc/self/coredump_filter");
        json_text(j, "security", "/proc/self/attr/current");
        json_close(j, '}');
}

static void print_environment(struct json *j) {
        json_open(j, "environment", '[');
        for (char **e = environ; *e; e++)
                json_string(j, NULL, *e);
        json_close(j, ']');
}

static void print_names(struct json *j) {
        struct utsname u = { 0 };

        uname(&u);
        json_open(j, "uname", '{');
        json_string(j, "sysname", u.sysname);
        json_string(j, "nodename", u.nodename);
        json_string(j, "release", u.release);
        json_string(j, "machine", u.machine);
        json_string(j, "domainname", u.domainname);
        json_close(j, '}');
}

static void print_descriptor(struct json *j, const char *name, int fd) {
        char path[64];
        struct stat st;
        struct winsize size;

        snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
        json_open(j, name, '{');
        json_link(j, "target", path);
        if (fstat(fd, &st) == 0)
                json_string(j, "type", type_name(st.st_mode));
        json_number(j, "flags", fcntl(fd, F_GETFL));
        json_number(j, "descriptor-flags", fcntl(fd, F_GETFD));
        json_number(j, "terminal", isatty(fd));
        if (ioctl(fd, TIOCGWINSZ, &size) == 0) {
                json_number(j, "rows", size.ws_row);
                json_number(j, "columns", size.ws_col);
        }
        json_close(j, '}');
}

static void print_descriptors(struct json *j) {
        DIR *directory = opendir("/proc/self/fd");
        struct dirent *entry;

        json_open(j, "descriptors", '{');
        while (directory && (entry = readdir(directory))) {
                int fd = atoi(entry->d_name);

                if (entry->d_name[0] != '.' && fd != dirfd(directory))
                        print_descriptor(j, entry->d_name, fd);
        }
        json_close(j, '}');
        if (directory)
                closedir(directory);
}

static void print_namespaces(struct json *j) {
        static const char *const names[] = { "cgroup", "ipc", "mnt", "net", "pid", "time", "user", "uts" };
        char path[64];

        json_open(j, "namespaces", '{');
        for (size_t i = 0; i < COUNT(names); i++) {
                snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
                json_link(j, names[i], path);
        }
        json_close(j, '}');
        json_text(j, "uid_map", "/proc/self/uid_map");
        json_text(j, "gid_map", "/proc/self/gid_map");
        json_text(j, "setgroups", "/proc/self/setgroups");
        json_pieces(j, "cgroup", "/proc/self/cgroup", '\n');
}

/* PID 1 of the container, which we are ourselves unless there is a stub. */
static void print_init(struct json *j) {
        json_open(j, "init", '{');
        json_text(j, "comm", "/proc/1/comm");
        json_pieces(j, "cmdline", "/proc/1/cmdline", '\0');
        json_pieces(j, "environment", "/proc/1/environ", '\0');
        json_pieces(j, "cgroup", "/proc/1/cgroup", '\n');
        json_close(j, '}');
}

/* ---- what is allowed ---- */

struct probe {
        const char *name;
        long number;
        long args[5];
};

#define BAD ((long) -1)
#define NOWHERE 1L /* an address that no process has */
#define PROBE(call, ...)             \
        {                            \
#call, SYS_##call, { \
                        __VA_ARGS__  \
                }                    \
        }
#define NUMBER(call, number, ...)   \
        {                           \
                call, number, {     \
                        __VA_ARGS__ \
                }                   \
        }

/* Arguments that an unfiltered kernel refuses too, or that ask for nothing. Numbers: calls that libc may not know. */
static const struct probe probes[] = {
        PROBE(acct, NOWHERE),
        PROBE(add_key, NOWHERE, NOWHERE, NOWHERE, 0, 0),
        PROBE(adjtimex, NOWHERE),
        PROBE(bpf, BAD, NOWHERE, 0),
        PROBE(capset, NOWHERE, NOWHERE),
        PROBE(chown, NOWHERE, 0, 0),
        PROBE(chroot, NOWHERE),
        PROBE(clock_adjtime, 0, NOWHERE),
        PROBE(clock_settime, 0, NOWHERE),
        PROBE(clone3, 0, 0),
        PROBE(copy_file_range, BAD, 0, BAD, 0, 0),
        PROBE(delete_module, NOWHERE, 0),
        PROBE(fanotify_init, BAD, 0),
        PROBE(fanotify_mark, BAD, 0, 0, 0, 0),
        PROBE(finit_module, BAD, NOWHERE, 0),
        PROBE(fsconfig, BAD, 0, 0, 0, 0),
        PROBE(fsmount, BAD, 0, 0),
        PROBE(fsopen, NOWHERE, 0),
        PROBE(fspick, BAD, NOWHERE, 0),
        PROBE(fsync, BAD),
        PROBE(get_mempolicy, 0, 0, 0, 0, 0),
        PROBE(init_module, NOWHERE, 0, NOWHERE),
        PROBE(io_uring_setup, 0, NOWHERE),
        PROBE(ioprio_set, BAD, 0, 0),
        PROBE(kcmp, BAD, BAD, 0, 0, 0),
        PROBE(kexec_load, 0, BAD, NOWHERE, BAD),
        PROBE(keyctl, 0, BAD, 0),
        PROBE(landlock_create_ruleset, 0, 0, 1),
        PROBE(mbind, NOWHERE, 0, BAD, 0, 0),
        PROBE(membarrier, 0, 0, 0),
        PROBE(memfd_create, NOWHERE, BAD),
        PROBE(migrate_pages, BAD, 0, 0, 0),
        PROBE(mlock, NOWHERE, 4096),
        PROBE(mlock2, NOWHERE, 4096, 0),
        PROBE(mlockall, BAD),
        PROBE(mount, NOWHERE, NOWHERE, NOWHERE, 0, NOWHERE),
        PROBE(mount_setattr, BAD, NOWHERE, 0, 0, 0),
        PROBE(move_mount, BAD, NOWHERE, BAD, NOWHERE, 0),
        PROBE(move_pages, BAD, 0, 0, 0, 0),
        PROBE(munlock, NOWHERE, 4096),
        PROBE(munlockall, 0),
        PROBE(name_to_handle_at, BAD, NOWHERE, 0, 0, 0),
        PROBE(open_by_handle_at, BAD, NOWHERE, 0),
        PROBE(open_tree, BAD, NOWHERE, 0),
        PROBE(perf_event_open, NOWHERE, 0, 0, BAD, 0),
        PROBE(personality, 0xffffffff),
        PROBE(pidfd_getfd, BAD, 0, 0),
        PROBE(pidfd_open, BAD, 0),
        PROBE(pidfd_send_signal, BAD, 0, 0, 0),
        PROBE(pivot_root, NOWHERE, NOWHERE),
        PROBE(pkey_alloc, BAD, BAD),
        PROBE(process_vm_readv, BAD, 0, 0, 0, 0),
        PROBE(process_vm_writev, BAD, 0, 0, 0, 0),
        PROBE(ptrace, BAD, BAD, 0, 0),
        PROBE(quotactl, BAD, NOWHERE, 0, 0),
        PROBE(reboot, 0, 0, 0, 0),
        PROBE(request_key, NOWHERE, 0, 0, 0),
        PROBE(sched_setattr, BAD, NOWHERE, 0),
        PROBE(seccomp, BAD, 0, 0),
        PROBE(set_mempolicy, BAD, 0, 0),
        PROBE(setdomainname, NOWHERE, BAD),
        PROBE(sethostname, NOWHERE, BAD),
        PROBE(setns, BAD, 0),
        PROBE(setrlimit, BAD, 0),
        PROBE(settimeofday, NOWHERE, 0),
        PROBE(swapoff, NOWHERE),
        PROBE(swapon, NOWHERE, 0),
        PROBE(syncfs, BAD),
        PROBE(syslog, 99, 0, 0),
        PROBE(timer_create, BAD, 0, 0),
        PROBE(umount2, NOWHERE, 0),
        PROBE(unshare, BAD),
        PROBE(userfaultfd, BAD),
#ifdef SYS_iopl
        PROBE(_sysctl, NOWHERE),
        PROBE(ioperm, BAD, 0, 0),
        PROBE(iopl, 4),
        PROBE(kexec_file_load, BAD, BAD, 0, 0, BAD),
        PROBE(lookup_dcookie, 0, NOWHERE, 0),
        PROBE(modify_ldt, 0, NOWHERE, 0),
        PROBE(nfsservctl, BAD, 0, 0),
        PROBE(sysfs, BAD, 0, 0),
        PROBE(uselib, NOWHERE),
        PROBE(ustat, BAD, NOWHERE),
#endif
        NUMBER("quotactl_fd", 443, BAD, BAD, 0, 0),
        NUMBER("set_mempolicy_home_node", 450, 0, 0, BAD, BAD),
        NUMBER("cachestat", 451, BAD, 0, 0, 0),
        NUMBER("fchmodat2", 452, BAD, NOWHERE, 0, BAD),
        NUMBER("map_shadow_stack", 453, 0, 0, BAD),
        NUMBER("futex_wake", 454, 0, 0, 0, BAD),
        NUMBER("statmount", 457, NOWHERE, 0, 0, BAD),
        NUMBER("listmount", 458, NOWHERE, 0, 0, BAD),
        NUMBER("lsm_get_self_attr", 459, BAD, 0, 0, BAD),
        NUMBER("lsm_list_modules", 461, NOWHERE, NOWHERE, BAD),
        NUMBER("mseal", 462, NOWHERE, 0, BAD),
        NUMBER("setxattrat", 463, BAD, NOWHERE, 0, 0, 0),
        NUMBER("open_tree_attr", 467, BAD, NOWHERE, BAD, 0, 0),
        NUMBER("file_getattr", 468, BAD, NOWHERE, 0, 0, BAD),
        NUMBER("470", 470, BAD, BAD, BAD, BAD, BAD),
        NUMBER("471", 471, BAD, BAD, BAD, BAD, BAD),
        NUMBER("1000", 1000, BAD, BAD, BAD, BAD, BAD),
        NUMBER("9999", 9999, BAD, BAD, BAD, BAD, BAD),
};

/* The child's exit status is the error: errno numbers that the kernel has end at 133. */
static void print_probe(struct json *j, const struct probe *p) {
        int status;
        pid_t pid;

        fflush(j->file);
        pid = fork();
        if (pid == 0) {
                const long *a = p->args;

                _exit(syscall(p->number, a[0], a[1], a[2], a[3], a[4]) < 0 ? errno : 0);
        }
        if (pid < 0 || waitpid(pid, &status, 0) < 0)
                json_string(j, p->name, "not asked");
        else if (WIFSIGNALED(status))
                json_string(j, p->name, sigabbrev_np(WTERMSIG(status)));
        else
                json_string(j, p->name, WEXITSTATUS(status) ? error_name(WEXITSTATUS(status)) : "ok");
}

static void print_sockets(struct json *j) {
        static const struct {
                const char *name;
                int family, type, protocol;
        } sockets[] = {
                { "unix", AF_UNIX, SOCK_STREAM, 0 },    { "inet", AF_INET, SOCK_STREAM, 0 },
                { "inet6", AF_INET6, SOCK_STREAM, 0 },  { "raw", AF_INET, SOCK_RAW, 1 },
                { "ping", AF_INET, SOCK_DGRAM, 1 },     { "packet", AF_PACKET, SOCK_RAW, 0 },
                { "route", AF_NETLINK, SOCK_RAW, 0 },   { "audit", AF_NETLINK, SOCK_RAW, 9 },
                { "uevent", AF_NETLINK, SOCK_RAW, 15 }, { "alg", AF_ALG, SOCK_SEQPACKET, 0 },
                { "vsock", AF_VSOCK, SOCK_STREAM, 0 },  { "bluetooth", AF_BLUETOOTH, SOCK_RAW, 1 },
                { "can", AF_CAN, SOCK_RAW, 1 },         { "key", AF_KEY, SOCK_RAW, 2 },
        };

        json_open(j, "sockets", '{');
        for (size_t i = 0; i < COUNT(sockets); i++) {
                int fd = socket(sockets[i].family, sockets[i].type | SOCK_CLOEXEC, sockets[i].protocol);

                json_string(j, sockets[i].name, fd < 0 ? error_name(errno) : "ok");
                if (fd >= 0)
                        close(fd);
        }
        json_close(j, '}');
}

static void print_links(struct json *j) {
        struct if_nameindex *links = if_nameindex();
        int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

        json_open(j, "links", '{');
        for (struct if_nameindex *link = links; link && link->if_index; link++) {
                struct ifreq request = { 0 };

                snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", link->if_name);
                json_open(j, link->if_name, '{');
                json_string(j, "state",
                            ioctl(fd, SIOCGIFFLAGS, &request) < 0 ? error_name(errno)
                            : (request.ifr_flags & IFF_UP)        ? "up"
                                                                  : "down");
                if (ioctl(fd, SIOCGIFHWADDR, &request) == 0) {
                        const unsigned char *a = (const unsigned char *) request.ifr_hwaddr.sa_data;
                        char text[32];

                        snprintf(text, sizeof(text), "%02x:%02x:%02x:%02x:%02x:%02x", a[0], a[1], a[2], a[3], a[4],
                                 a[5]);
                        json_string(j, "address", text);
                }
                json_close(j, '}');
        }
        json_close(j, '}');
        if (links)
                if_freenameindex(links);
        if (fd >= 0)
                close(fd);
}

/* Opened and closed: nothing is read from what would block, nothing is written. */
static void print_access(struct json *j) {
        static const struct {
                const char *path;
                int flags;
        } files[] = {
                { "/proc/kallsyms", O_RDONLY },
                { "/proc/kcore", O_RDONLY },
                { "/proc/keys", O_RDONLY },
                { "/proc/kmsg", O_RDONLY },
                { "/proc/kpageflags", O_RDONLY },
                { "/proc/timer_list", O_RDONLY },
                { "/proc/sysrq-trigger", O_WRONLY },
                { "/proc/irq/default_smp_affinity", O_WRONLY },
                { "/proc/self/oom_score_adj", O_WRONLY },
                { "/proc/sys/kernel/panic", O_WRONLY },
                { "/proc/sys/kernel/hostname", O_WRONLY },
                { "/proc/sys/kernel/msgmax", O_WRONLY },
                { "/proc/sys/net/ipv4/ip_forward", O_WRONLY },
                { "/proc/sys/vm/drop_caches", O_WRONLY },
                { "/sys/kernel/uevent_seqnum", O_RDONLY },
                { "/sys/kernel/profiling", O_WRONLY },
                { "/sys/power/state", O_WRONLY },
                { "/sys/fs/cgroup/cgroup.procs", O_WRONLY },
                { "/dev/kmsg", O_WRONLY },
                { "/dev/mem", O_RDONLY },
                { "/dev/console", O_WRONLY },
        };

        json_open(j, "access", '{');
        for (size_t i = 0; i < COUNT(files); i++) {
                int fd = open(files[i].path, files[i].flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

                json_string(j, files[i].path, fd < 0 ? error_name(errno) : "ok");
                if (fd >= 0)
                        close(fd);
        }
        json_close(j, '}');
}

static void print_files(struct json *j) {
        static const char *const inodes[] = {
                "/etc/hostname",
                "/etc/hosts",
                "/etc/localtime",
                "/etc/machine-id",
                "/etc/os-release",
                "/etc/resolv.conf",
                "/proc/kallsyms",
                "/proc/keys",
                "/proc/kmsg",
                "/proc/sysrq-trigger",
                "/proc/timer_list",
                "/root",
                "/usr",
                "/var",
                "/var/log/journal",
                "/sys/fs/cgroup",
                "/sys/fs/cgroup/cgroup.procs",
                "/sys/fs/cgroup/cgroup.subtree_control",
                "/sys/fs/cgroup/cgroup.max.descendants",
        };
        static const char *const texts[] = {
                "/proc/sys/kernel/random/boot_id", "/proc/sys/net/ipv4/ping_group_range",
                "/proc/sys/net/ipv4/ip_forward",   "/proc/sys/net/ipv4/ip_unprivileged_port_start",
                "/proc/sys/kernel/domainname",
        };

        json_open(j, "files", '{');
        for (size_t i = 0; i < COUNT(inodes); i++)
                json_inode(j, inodes[i], strncmp(inodes[i], "/etc/", 5) == 0);
        json_close(j, '}');
        json_open(j, "texts", '{');
        for (size_t i = 0; i < COUNT(texts); i++)
                json_text(j, texts[i], texts[i]);
        json_close(j, '}');
        json_tree(j, "root", "/", 1, false);
        json_tree(j, "dev", "/dev", 3, false);
        json_tree(j, "run", "/run", 1, false);
        json_tree(j, "run-host", "/run/host", 4, true);
}

int main(void) {
        struct json j = { .file = stdout };

        json_open(&j, NULL, '{');
        print_descriptors(&j); /* before anything else opens one */
        print_process(&j);
        print_status(&j);
        print_environment(&j);
        print_limits(&j);
        print_names(&j);
        print_namespaces(&j);
        print_init(&j);
        print_mounts(&j);
        print_files(&j);
        print_access(&j);
        print_sockets(&j);
        print_links(&j);
        json_open(&j, "calls", '{');
        for (size_t i = 0; i < COUNT(probes); i++)
                print_probe(&j, &probes[i]);
        json_close(&j, '}');
        json_close(&j, '}');
        fputc('\n', stdout);
        return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
