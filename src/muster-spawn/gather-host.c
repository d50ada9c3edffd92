/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the host has. Each question is asked only when an answer can change the plan. */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "codec/envfile.h"
#include "muster-spawn/gather.h"
#include "muster-spawn/payload-cgroup.h"
#include "sys/bare-call.h"
#include "sys/fileio.h"
#include "sys/read-only-self.h"

#define SMALL_FILE 65536
#define CREDENTIAL_MAX (1U << 20)
#define CAP_SYS_RESOURCE_BIT (UINT64_C(1) << CAP_SYS_RESOURCE)
#define CAP_MKNOD_BIT (UINT64_C(1) << CAP_MKNOD)

static void own_capabilities(struct facts *f) {
        struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
        struct __user_cap_data_struct data[2] = { 0 };

        if (syscall(SYS_capget, &header, data) == 0)
                f->capabilities = data[0].permitted | (uint64_t) data[1].permitted << 32;
}

static struct rlimit_pair limit_of(pid_t pid, int resource) {
        struct rlimit64 limit;

        if (BARE(prlimit64, pid, resource, NULL, &limit) < 0 && BARE(prlimit64, 0, resource, NULL, &limit) < 0)
                return (struct rlimit_pair){ SPEC_RLIMIT_INFINITY, SPEC_RLIMIT_INFINITY };
        return (struct rlimit_pair){ limit.rlim_cur == RLIM64_INFINITY ? SPEC_RLIMIT_INFINITY : limit.rlim_cur,
                                     limit.rlim_max == RLIM64_INFINITY ? SPEC_RLIMIT_INFINITY : limit.rlim_max };
}

/* A column of /proc/PID/limits, which is a number or "unlimited". */
static uint64_t limit_column(const char *text) {
        char *end;
        unsigned long long value = strtoull(text, &end, 10);

        return end == text ? SPEC_RLIMIT_INFINITY : value;
}

/* /proc/self/limits has a heading, then a line for each limit in the order of their numbers: proc(5). One file instead of sixteen
 * system calls. */
static int own_limits(struct rlimit_pair ret[static SPEC_RLIMITS]) {
        enum { NAME_WIDTH = 26, COLUMN_WIDTH = 21 };
        char text[4096], *rest = text, *line;
        int r = read_text_at(AT_FDCWD, "/proc/self/limits", text, sizeof(text));

        if (r < 0)
                return r;
        strsep(&rest, "\n");
        for (int i = 0; i < SPEC_RLIMITS; i++) {
                line = strsep(&rest, "\n");
                if (!line || strlen(line) < NAME_WIDTH + COLUMN_WIDTH)
                        return -EBADMSG;
                ret[i] = (struct rlimit_pair){ limit_column(line + NAME_WIDTH),
                                               limit_column(line + NAME_WIDTH + COLUMN_WIDTH) };
        }
        return 0;
}

static void limits(struct facts *f) {
        AUTO_FREE char *text = NULL;

        f->rlimits.may_raise = (f->capabilities & CAP_SYS_RESOURCE_BIT) && f->in_initial_userns;
        if (own_limits(f->rlimits.own) < 0)
                for (int i = 0; i < SPEC_RLIMITS; i++)
                        f->rlimits.own[i] = limit_of(0, i);
        f->rlimits.host_nproc = limit_of(1, RLIMIT_NPROC);
        f->rlimits.host_sigpending = limit_of(1, RLIMIT_SIGPENDING);
        if (f->rlimits.may_raise && read_record_at(AT_FDCWD, "/proc/sys/fs/nr_open", 64, &text, NULL) == 0) {
                text[strcspn(text, "\n")] = '\0';
                (void) parse_u64(text, &f->rlimits.nr_open);
        }
}

static void device(struct facts *f, const char *name, bool must_open) {
        struct facts_device *d = &f->devices[f->n_devices];
        char path[32];
        struct stat st;

        snprintf(path, sizeof(path), "/dev/%s", name);
        if (f->n_devices == FACTS_DEVICES || stat(path, &st) < 0 || !S_ISCHR(st.st_mode))
                return;
        if (must_open) {
                int fd = openat(AT_FDCWD, path, O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

                if (fd < 0)
                        return;
                close(fd);
        }
        *d = (struct facts_device){ .name = name,
                                    .present = true,
                                    .mode = st.st_mode & 07777,
                                    .major = major(st.st_rdev),
                                    .minor = minor(st.st_rdev) };
        f->n_devices++;
}

/* Its inode number is fixed: PROC_USER_INIT_INO of the kernel's include/linux/proc_ns.h. Its map would not tell it from one that
 * maps every number to itself. */
static bool in_initial_userns(void) {
        struct stat st;

        return stat("/proc/self/ns/user", &st) < 0 || st.st_ino == 0xEFFFFFFDU;
}

/* The payload's user, whoever that is, has to be allowed to execute it. */
static bool starts_bare(void) {
        struct stat st;

        return read_only_start_state.bare && stat("/proc/self/exe", &st) == 0 && (st.st_mode & 0111) == 0111;
}

/* Those of every Linux, whose numbers are fixed: the kernel's admin-guide/devices.txt. Only who may make none has to see whether the
 * host has them. */
static void devices(struct facts *f) {
        static const struct facts_device always[] = {
                { "null", true, 0666, 1, 3 },   { "zero", true, 0666, 1, 5 },    { "full", true, 0666, 1, 7 },
                { "random", true, 0666, 1, 8 }, { "urandom", true, 0666, 1, 9 }, { "tty", true, 0666, 5, 0 },
        };
        bool may_make = f->in_initial_userns && (f->capabilities & CAP_MKNOD_BIT);

        for (size_t i = 0; i < ELEMENTS(always); i++)
                if (may_make)
                        f->devices[f->n_devices++] = always[i];
                else
                        device(f, always[i].name, false);
        device(f, "net/tun", true);
        device(f, "fuse", true);
        f->has_kcore = access("/proc/kcore", F_OK) == 0;
}

static int read_small(const char *path, char **ret, size_t *ret_size) {
        AUTO_CLOSE int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        AUTO_BUF struct buf b = BUF_EMPTY;
        char chunk[4096];
        ssize_t n;

        if (fd < 0)
                return -errno;
        do {
                n = read(fd, chunk, sizeof(chunk));
                if (n < 0)
                        return -errno;
                if (b.size + (size_t) n > SMALL_FILE)
                        return -EFBIG;
                if (buf_append(&b, chunk, (size_t) n) < 0)
                        return -ENOMEM;
        } while (n == sizeof(chunk));
        if (ret_size)
                *ret_size = b.size;
        return buf_steal(&b, ret);
}

/* A resolver of the host listens on its stub address: then the file that names it is the one to hand on. */
static void resolver(const struct spec *s, struct facts *f) {
        static const char *const paths[4] = { "/etc/resolv.conf", "/usr/lib/systemd/resolv.conf",
                                              "/run/systemd/resolve/resolv.conf",
                                              "/run/systemd/resolve/stub-resolv.conf" };

        if (s->resolv_conf == RESOLV_CONF_OFF || s->resolv_conf == RESOLV_CONF_DELETE ||
            (s->resolv_conf == RESOLV_CONF_AUTO && (s->network.private_network || s->network.namespace_path)))
                return;
        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                if (s->resolv_conf == RESOLV_CONF_AUTO && i != 0 && i != 3)
                        continue;
                (void) read_small(paths[i], &f->resolv_conf[i], NULL);
        }
        f->resolv_conf_present = f->resolv_conf[0] || access(paths[0], F_OK) == 0;
        f->stub_resolver_running = f->resolv_conf[3] && access("/run/systemd/resolve/io.systemd.Resolve", F_OK) == 0;
}

static void time_zone(const struct spec *s, struct facts *f) {
        char target[256];
        ssize_t n;

        if (s->timezone == TIMEZONE_OFF || s->timezone == TIMEZONE_DELETE)
                return;
        n = readlink("/etc/localtime", target, sizeof(target) - 1);
        if (n > 0) {
                target[n] = '\0';
                f->localtime_link = strdup(target);
                f->localtime_present = true;
        } else
                f->localtime_present = errno == EINVAL;
        if (f->localtime_present && (s->timezone == TIMEZONE_COPY || !f->localtime_link))
                (void) read_small("/etc/localtime", &f->localtime, &f->localtime_bytes);
}

static int os_release_line(void *userdata, const char *key, const char *value) {
        static const char *const keys[][2] = { { "ID", "id" },
                                               { "VERSION_ID", "version_id" },
                                               { "BUILD_ID", "build_id" },
                                               { "VARIANT_ID", "variant_id" } };
        struct facts *f = userdata;
        AUTO_FREE char *assignment = NULL;

        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                if (!streq(key, keys[i][0]) || !*value)
                        continue;
                if (asprintf(&assignment, "container_host_%s=%s", keys[i][1], value) < 0)
                        return -ENOMEM;
                return strv_extend(&f->host_environment, assignment);
        }
        return 0;
}

static int os_release(struct facts *f) {
        static const char *const paths[] = { "/etc/os-release", "/usr/lib/os-release" };

        for (size_t i = 0; i < ELEMENTS(paths); i++) {
                AUTO_CLOSE int fd = openat(AT_FDCWD, paths[i], O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
                char text[SMALL_FILE];
                ssize_t size = fd < 0 ? -1 : read(fd, text, sizeof(text));
                int r;

                if (size < 0)
                        continue;
                f->os_release_path = strdup(paths[i]);
                if (!f->os_release_path)
                        return -ENOMEM;
                r = envfile_parse(text, (size_t) size, os_release_line, f);
                return r == -ENOMEM ? r : 0;
        }
        return 0;
}

static int links_of(const char *name, char ***ret) {
        AUTO_FREE char *copy = strchr(name, ',') ? strdup(name) : NULL;

        for (char *rest = copy, *word; (word = strsep(&rest, ","));) {
                int r = strv_extend(ret, word);

                if (r < 0)
                        return r;
        }
        return 0;
}

static int hierarchies(const struct payload_cgroup *c, struct facts *f) {
        static const enum cgroup_layout_kind kinds[] = { CGROUPS_NONE, CGROUPS_V1, CGROUPS_HYBRID, CGROUPS_UNIFIED };

        f->cgroups = kinds[c->kind];
        f->own_cgroup = payload_cgroup_made(c);
        if (c->kind == CGROUPS_UNIFIED || c->kind == CGROUPS_NONE)
                return 0;
        f->hierarchies = calloc(c->n_dirs + 1, sizeof(*f->hierarchies));
        if (!f->hierarchies)
                return -ENOMEM;
        for (size_t i = 0; i < c->n_dirs; i++) {
                struct facts_hierarchy *h = &f->hierarchies[f->n_hierarchies++];
                const struct payload_cgroup_dir *d = &c->dirs[i];

                h->name = strdup(d->name);
                if (!d->v2)
                        h->options = streq(d->name, "systemd") ? strdup("none,name=systemd,xattr") : strdup(d->name);
                if (!h->name || (!d->v2 && !h->options) || links_of(d->name, &h->links) < 0)
                        return -ENOMEM;
        }
        return 0;
}

/* A stream socket at that path, which sends the credential and hangs up. */
static int connect_credential(const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        AUTO_CLOSE int fd = -EBADF;

        if (strlen(path) >= sizeof(address.sun_path))
                return -ENAMETOOLONG;
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0)
                return -errno;
        memcpy(address.sun_path, path, strlen(path) + 1);
        return connect(fd, (struct sockaddr *) &address, sizeof(address)) < 0 ? -errno : STEAL_FD(fd);
}

static int read_credential(int fd, struct facts_credential *ret) {
        AUTO_BUF struct buf b = BUF_EMPTY;
        char chunk[4096];
        ssize_t n;

        while ((n = read(fd, chunk, sizeof(chunk))) > 0)
                if (b.size + (size_t) n > CREDENTIAL_MAX)
                        return -EFBIG;
                else if (buf_append(&b, chunk, (size_t) n) < 0)
                        return -ENOMEM;
        if (n < 0)
                return -errno;
        ret->size = b.size;
        return buf_steal(&b, (char **) &ret->data);
}

static int load_credential(const struct spec_credential *c, struct facts_credential *ret, struct diag *diag) {
        const char *directory = getenv("CREDENTIALS_DIRECTORY");
        AUTO_FREE char *path = NULL;
        AUTO_CLOSE int fd = -EBADF;
        int r;

        if (!strchr(c->path, '/') && !directory)
                return diag_set(diag, -EINVAL, "--load-credential",
                                "%.60s: not a path, and there is no $CREDENTIALS_DIRECTORY to look in", c->path);
        if (!strchr(c->path, '/') ? asprintf(&path, "%s/%s", directory, c->path) < 0 : !(path = strdup(c->path)))
                return -ENOMEM;
        fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
        if (fd < 0 && errno == ENXIO)
                fd = connect_credential(path);
        r = fd < 0 ? -errno : read_credential(fd, ret);
        if (r < 0)
                return diag_set(diag, r, "--load-credential", "cannot read %.80s: %s", path, strerror(-r));
        return 0;
}

static int credentials(const struct spec *s, struct facts *f, struct diag *diag) {
        if (s->n_credentials == 0)
                return 0;
        f->credentials = calloc(s->n_credentials, sizeof(*f->credentials));
        if (!f->credentials)
                return -ENOMEM;
        f->n_credentials = s->n_credentials;
        for (size_t i = 0; i < s->n_credentials; i++) {
                struct facts_credential *c = &f->credentials[i];
                int r;

                if (s->credentials[i].path) {
                        r = load_credential(&s->credentials[i], c, diag);
                        if (r < 0)
                                return r;
                        continue;
                }
                c->data = calloc(1, s->credentials[i].size + 1); /* one that is empty is read as a text */
                if (!c->data)
                        return -ENOMEM;
                memcpy(c->data, s->credentials[i].data, s->credentials[i].size);
                c->size = s->credentials[i].size;
        }
        return 0;
}

static bool has_relative_mount(const struct spec *s) {
        for (size_t i = 0; i < s->n_mounts; i++) {
                if (s->mounts[i].source.path && s->mounts[i].source.path[0] != '/')
                        return true;
                for (size_t j = 0; j < s->mounts[i].n_lower; j++)
                        if (s->mounts[i].lower[j].path[0] != '/')
                                return true;
        }
        return false;
}

/* Descriptors that a service manager has opened for the payload: sd_listen_fds(3). All that we open ourselves closes on exec,
 * which tells it from those, should there be less of them than was said. */
static void passed_descriptors(struct facts *f) {
        const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
        uint32_t number, count;

        if (!pid || !fds || parse_u32(pid, &number) < 0 || number != (uint32_t) getpid() || parse_u32(fds, &count) < 0)
                return;
        while ((uint32_t) f->n_passed_fds < count && fcntl(3 + f->n_passed_fds, F_GETFD) == 0)
                f->n_passed_fds++;
}

int gather_host(const struct spec *spec, const struct payload_cgroup *cgroup, struct facts *f, struct diag *diag) {
        int r;

        own_capabilities(f);
        f->in_initial_userns = in_initial_userns();
        f->starts_bare = spec->start_mode == START_PID2 && starts_bare();
        passed_descriptors(f);
        limits(f);
        f->terminal_type = getenv("TERM");
        f->stdio_is_terminal = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
        devices(f);
        resolver(spec, f);
        time_zone(spec, f);
        gather_selinux(spec, f);
        if (has_relative_mount(spec)) {
                f->working_directory = getcwd(NULL, 0);
                if (!f->working_directory)
                        return diag_set(diag, -errno, NULL, "cannot tell the current directory: %s", strerror(errno));
        }
        if (getrandom(f->boot_id.bytes, sizeof(f->boot_id.bytes), 0) < 0)
                return -errno;
        /* Version 4, variant 1 (RFC 9562, section 5.4). */
        f->boot_id.bytes[6] = (uint8_t) ((f->boot_id.bytes[6] & 0x0f) | 0x40);
        f->boot_id.bytes[8] = (uint8_t) ((f->boot_id.bytes[8] & 0x3f) | 0x80);
        if (asprintf(&f->incoming, "/run/systemd/nspawn/propagate/%s", f->machine) < 0) {
                f->incoming = NULL;
                return -ENOMEM;
        }
        r = os_release(f);
        if (r >= 0)
                r = hierarchies(cgroup, f);
        return r < 0 ? r : credentials(spec, f, diag);
}
