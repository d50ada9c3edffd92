/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks, never tries: a doctor that made a control group or spoke on the bus would be a patient. The order is that of need. */
#include "muster/doctor-checks.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <sys/vfs.h>

#include "base/parse.h"
#include "client/varlink-client.h"
#include "sys/fileio.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

/* --- the registry itself --- */

static bool daemon_runs(const struct options *o, struct buf *detail) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        struct varlink_answer answer;
        int r;

        r = varlink_client_connect(o->run, 2000, &c);
        if (r == 0)
                r = varlink_client_call(c, "org.varlink.service.GetInfo", NULL, &answer);
        if (r < 0) {
                buf_append_str(detail, r == -EHOSTDOWN ? "nothing listens" : strerror(-r));
                return false;
        }
        r = !answer.error;
        varlink_answer_done(&answer);
        buf_printf(detail, "%s/systemd/machine/io.systemd.Machine", o->run);
        return r;
}

static bool helper_installed(const struct options *o, struct buf *detail) {
        buf_append_str(detail, HELPER_PATH);
        return access(HELPER_PATH, X_OK) == 0;
}

static bool is_root(const struct options *o, struct buf *detail) {
        buf_printf(detail, "effective user %u", (unsigned) geteuid());
        return geteuid() == 0;
}

/* The numbers are Linux ABI: capability.h */
static bool capabilities(const struct options *o, struct buf *detail) {
        static const struct {
                unsigned number;
                const char *name;
        } wanted[] = {
                { 5, "CAP_KILL" }, { 1, "CAP_DAC_OVERRIDE" }, { 19, "CAP_SYS_PTRACE" }, { 21, "CAP_SYS_ADMIN" }
        };
        AUTO_FREE char *status = NULL;
        const char *line;
        uint64_t effective = 0;
        bool all = true;
        char hex[17] = "";
        size_t size;

        if (proc_read(getpid(), "status", &status, &size) < 0 || !(line = strstr(status, "\nCapEff:\t")))
                return false;
        memcpy(hex, line + 9, strnlen(line + 9, 16));
        if (parse_hex_u64(hex, &effective) < 0)
                return false;
        for (size_t i = 0; i < ELEMENTS(wanted); i++)
                if (!(effective & UINT64_C(1) << wanted[i].number)) {
                        buf_printf(detail, "%s%s", all ? "without " : ", ", wanted[i].name);
                        all = false;
                }
        return all;
}

static bool file_limit(const struct options *o, struct buf *detail) {
        struct rlimit limit;

        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                return false;
        if (limit.rlim_max == RLIM_INFINITY)
                buf_append_str(detail, "unlimited");
        else
                buf_printf(detail, "up to %" PRIu64, (uint64_t) limit.rlim_max);
        return limit.rlim_max >= 20500; /* one pidfd for each machine, and some more */
}

/* --- the kernel --- */

static bool kernel(const struct options *o, struct buf *detail) {
        struct utsname name;

        if (uname(&name) < 0)
                return false;
        buf_printf(detail, "%s %s %s", name.sysname, name.release, name.machine);
        return true;
}

static bool pidfds(const struct options *o, struct buf *detail) {
        struct pidref p;

        if (pidref_open(getpid(), &p) < 0)
                return false;
        pidref_done(&p);
        return true;
}

static bool pidfd_ids(const struct options *o, struct buf *detail) {
        struct pidref p;
        bool known;

        if (pidref_open(getpid(), &p) < 0)
                return false;
        known = p.id != 0;
        pidref_done(&p);
        if (!known)
                buf_append_str(detail, "before Linux 6.9");
        return known;
}

static bool openat2_there(const struct options *o, struct buf *detail) {
        /* An impossible size: EINVAL from a kernel that has the call, ENOSYS or EPERM where it is missing or filtered. */
        return syscall(SYS_openat2, AT_FDCWD, "/", NULL, 0) < 0 && errno == EINVAL;
}

/* --- control groups --- */

static bool is_cgroup2(const char *path) {
        struct statfs fs;

        return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* The mount of the v2 tree; NULL: none. */
static const char *cgroup2_mount(void) {
        static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

        for (size_t i = 0; i < ELEMENTS(places); i++)
                if (is_cgroup2(places[i]))
                        return places[i];
        return NULL;
}

static const char *const v1_controllers[] = { "systemd", "memory", "pids",    "cpu",    "cpuacct",
                                              "cpuset",  "blkio",  "devices", "freezer" };

static bool is_cgroup1(const char *controller, char path[static 64]) {
        struct statfs fs;

        snprintf(path, 64, "/sys/fs/cgroup/%s", controller);
        return statfs(path, &fs) == 0 && fs.f_type == CGROUP_SUPER_MAGIC;
}

static bool any_v1(void) {
        char path[64];

        for (size_t i = 0; i < ELEMENTS(v1_controllers); i++)
                if (is_cgroup1(v1_controllers[i], path))
                        return true;
        return false;
}

static bool cgroups(const struct options *o, struct buf *detail) {
        const char *v2 = cgroup2_mount();
        bool v1 = any_v1();

        buf_append_str(detail, v2 && v1 ? "hybrid: v1, and v2 at "
                               : v2     ? "v2 at "
                               : v1     ? "v1 only"
                                        : "none is mounted");
        buf_append_str(detail, strempty(v2));
        return v2 || v1;
}

static bool cgroup_writable(const struct options *o, struct buf *detail) {
        const char *place = cgroup2_mount();
        struct statvfs fs;
        char path[64];

        for (size_t i = 0; !place && i < ELEMENTS(v1_controllers); i++)
                if (is_cgroup1(v1_controllers[i], path))
                        place = path;
        if (!place)
                return false;
        if (statvfs(place, &fs) < 0 || (fs.f_flag & ST_RDONLY)) {
                buf_printf(detail, "%s is mounted read-only", place);
                return false;
        }
        if (access(place, W_OK) < 0) {
                buf_printf(detail, "%s: %s", place, strerror(errno));
                return false;
        }
        return true;
}

static bool controllers(const struct options *o, struct buf *detail) {
        const char *v2 = cgroup2_mount();
        AUTO_FREE char *text = NULL;
        char path[64];

        if (v2) {
                snprintf(path, sizeof(path), "%s/cgroup.controllers", v2);
                if (read_file_at(AT_FDCWD, path, 4096, &text, NULL) == 0) {
                        text[strcspn(text, "\n")] = '\0';
                        if (*text)
                                buf_printf(detail, "v2: %s", text);
                }
        }
        for (size_t i = 1, n = 0; i < ELEMENTS(v1_controllers); i++) /* 0 is no controller */
                if (is_cgroup1(v1_controllers[i], path))
                        buf_printf(detail, "%s%s", n++ ? " " : detail->size ? "; v1: " : "v1: ", v1_controllers[i]);
        return detail->size > 0;
}

/* The file exists in every v2 group but the root; without such a group, the kernel's age decides. */
static bool cgroup_kill(const struct options *o, struct buf *detail) {
        unsigned major, minor;
        struct utsname name;

        if (!cgroup2_mount()) {
                buf_append_str(detail, "no v2 tree");
                return false;
        }
        return uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2 &&
               (major > 5 || (major == 5 && minor >= 14));
}

/* --- the bus --- */

static bool bus(const struct options *o, struct buf *detail) {
        const char *address = getenv("DBUS_SYSTEM_BUS_ADDRESS");
        struct sockaddr_un socket_address = { .sun_family = AF_UNIX };
        AUTO_CLOSE int fd = -EBADF;

        if (!isempty(address)) {
                AUTO_FREE char *shown = str_escape(address, 200);

                buf_printf(detail, "$DBUS_SYSTEM_BUS_ADDRESS is %s", strempty(shown));
                return true;
        }
        strcpy(socket_address.sun_path, "/run/dbus/system_bus_socket");
        buf_append_str(detail, socket_address.sun_path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        return fd >= 0 && connect(fd, (const struct sockaddr *) &socket_address, sizeof(socket_address)) == 0;
}

static bool first_of(const char *const *paths, struct buf *detail) {
        for (; *paths; paths++)
                if (access(*paths, F_OK) == 0) {
                        buf_append_str(detail, *paths);
                        return true;
                }
        return false;
}

static bool bus_policy(const struct options *o, struct buf *detail) {
        static const char *const paths[] = { "/usr/share/dbus-1/system.d/org.freedesktop.machine1.conf",
                                             "/usr/local/share/dbus-1/system.d/org.freedesktop.machine1.conf",
                                             "/etc/dbus-1/system.d/org.freedesktop.machine1.conf", NULL };

        return first_of(paths, detail);
}

static bool polkit(const struct options *o, struct buf *detail) {
        static const char *const paths[] = { "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service",
                                             NULL };

        return first_of(paths, detail);
}

static bool systemd(const struct options *o, struct buf *detail) {
        return access("/run/systemd/system", F_OK) == 0;
}

static const struct doctor_check checks[] = {
        { "registry daemon", daemon_runs, "only list, status and show work, from the records on disk" },
        { "helper program", helper_installed, "addresses and systems of machines are not known" },
        { "root", is_root, "musterd cannot be started, and only reading and one's own machines are allowed" },
        { "capabilities", capabilities, "machines of others cannot be inspected or ended" },
        { "open files", file_limit, "fewer than 20000 machines at a time" },
        { "kernel", kernel, "" },
        { "pidfd", pidfds, "processes cannot be told apart safely: musterd does not start" },
        { "pidfd identity", pidfd_ids, "restarts recognise processes by their start time instead" },
        { "openat2", openat2_there, "files of machines cannot be read safely: no system names" },
        { "control groups", cgroups, "machines are tracked by their leader process only" },
        { "cgroup writable", cgroup_writable, "no control groups for machines, no limits" },
        { "cgroup controllers", controllers, "limits of memory, CPU, tasks and I/O are refused" },
        { "cgroup.kill", cgroup_kill, "machines are ended process by process" },
        { "system bus", bus, "machinectl, nspawn up to 257 and others on D-Bus find no registry; Varlink works" },
        { "bus policy", bus_policy, "the bus does not let musterd own its name" },
        { "polkit", polkit, "only root may act" },
        { "systemd", systemd, "stock machinectl needs -M .host; musterd makes the control groups itself" },
};

const struct doctor_check *doctor_checks(size_t *ret_n) {
        *ret_n = ELEMENTS(checks);
        return checks;
}
