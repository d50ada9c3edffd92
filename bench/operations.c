/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is measured, over D-Bus and over Varlink. Answers are checked: a fast wrong answer is no figure. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "client.h"

#define SERVICE "org.freedesktop.machine1"
#define MANAGER "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager"
#define VARLINK_SOCKET "/run/systemd/machine/io.systemd.Machine"
#define USERS_SOCKET "/run/systemd/userdb/io.systemd.Machine"
#define NOBODYS_UID 4294900000U /* above those of all leaders */
#define ANSWER_MAX (1U << 20)
#define REMOVED_MATCH "type='signal',sender='" SERVICE "',path='/org/freedesktop/machine1',member='MachineRemoved'"
#define REMOVED_USEC UINT64_C(10000000)

extern char **environ;

/* ---- names and chance ---- */

const char *machine_name(unsigned i, char ret[32]) {
        snprintf(ret, 32, "m%u", i);
        return ret;
}

/* Any machine but in no order: what was asked about just now must not be what is asked next. */
unsigned pick(struct client *c) {
        c->counter = c->counter * 1103515245 + 12345;
        return c->n_machines ? (c->counter >> 8) % c->n_machines : 0;
}

/* ---- D-Bus calls ---- */

static int failed(struct client *c, int r, const char *method, sd_bus_error *e) {
        if (e->name)
                snprintf(c->error, sizeof(c->error), "%s: %s: %s", method, e->name, e->message);
        sd_bus_error_free(e);
        return complain(c, r, method);
}

static int register_on(struct client *c, sd_bus *bus, const char *name, pid_t pid) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(bus, SERVICE, MANAGER, "RegisterMachine", &e, NULL, "sayssus", name, 0, "bench",
                                   "container", (uint32_t) pid, "");

        return r < 0 ? failed(c, r, "RegisterMachine", &e) : 0;
}

static int unregister_on(struct client *c, sd_bus *bus, const char *name) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(bus, SERVICE, MANAGER, "UnregisterMachine", &e, NULL, "s", name);

        return r < 0 ? failed(c, r, "UnregisterMachine", &e) : 0;
}

static int create(struct client *c, const char *name, pid_t pid) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(c->bus, SERVICE, MANAGER, "CreateMachine", &e, NULL, "sayssusa(sv)", name, 0,
                                   "bench", "container", (uint32_t) pid, "", 0);

        return r < 0 ? failed(c, r, "CreateMachine", &e) : 0;
}

/* ---- the machines that are there all the time ---- */

static int born_in_scope(struct client *c, unsigned i, pid_t *ret) {
        struct leader_wish wish = { .number = i };
        char path[512];
        int r;

        mkdir(c->leaders, 0755);
        snprintf(path, sizeof(path), "%s/m%u.scope", c->leaders, i);
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
                return complain(c, -errno, path);
        wish.cgroup_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (wish.cgroup_fd < 0)
                return complain(c, -errno, path);
        r = leader_start(&wish, ret);
        close(wish.cgroup_fd);
        return r;
}

static int add_machine(struct client *c, unsigned i) {
        struct leader_wish wish = { .number = i, .cgroup_fd = -EBADF, .network = true };
        char name[32];
        pid_t pid;
        int r;

        machine_name(i, name);
        r = i < CREATED_MAX ? leader_start(&wish, &pid) : born_in_scope(c, i, &pid);
        if (r < 0)
                return complain(c, r, "cannot start a leader");
        r = i < CREATED_MAX ? create(c, name, pid) : register_on(c, c->bus, name, pid);
        if (r < 0) {
                leader_end(pid);
                return r;
        }
        c->pids[c->n_machines++] = pid;
        return 0;
}

int grow(struct client *c, unsigned n) {
        pid_t *pids = realloc(c->pids, (n + 1) * sizeof(*pids));
        int r = 0;

        if (!pids)
                return -ENOMEM;
        c->pids = pids;
        while (r >= 0 && c->n_machines < n)
                r = add_machine(c, c->n_machines);
        return r;
}

/* ---- operations over D-Bus ---- */

static int once_pair(struct client *c) {
        int r = register_on(c, c->bus, "pair", c->spare);

        return r < 0 ? r : unregister_on(c, c->bus, "pair");
}

/* As systemd-nspawn does it: a connection for each. */
static int once_fresh_pair(struct client *c) {
        sd_bus *bus = NULL;
        int r = sd_bus_open_system(&bus);

        if (r >= 0)
                r = register_on(c, bus, "pair", c->spare);
        if (r >= 0)
                r = unregister_on(c, bus, "pair");
        sd_bus_flush_close_unref(bus);
        return r;
}

static int once_list(struct client *c) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        unsigned rows = 0;
        int r;

        r = sd_bus_call_method(c->bus, SERVICE, MANAGER, "ListMachines", &e, &reply, NULL);
        if (r < 0)
                return failed(c, r, "ListMachines", &e);
        r = sd_bus_message_enter_container(reply, 'a', "(ssso)");
        for (; r >= 0 && sd_bus_message_at_end(reply, false) == 0; rows++)
                r = sd_bus_message_skip(reply, "(ssso)");
        sd_bus_message_unref(reply);
        if (r >= 0 && rows != c->n_machines + 1) /* and the host */
                r = complain(c, -EBADMSG, "ListMachines: not all machines are there");
        return r < 0 ? r : 0;
}

static int once_get(struct client *c) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        char name[32];
        int r = sd_bus_call_method(c->bus, SERVICE, MANAGER, "GetMachine", &e, NULL, "s", machine_name(pick(c), name));

        return r < 0 ? failed(c, r, "GetMachine", &e) : 0;
}

static int once_get_by_pid(struct client *c) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        int r = sd_bus_call_method(c->bus, SERVICE, MANAGER, "GetMachineByPID", &e, NULL, "u",
                                   (uint32_t) c->pids[pick(c)]);

        return r < 0 ? failed(c, r, "GetMachineByPID", &e) : 0;
}

static int once_map_to(struct client *c) {
        sd_bus_error e = SD_BUS_ERROR_NULL;
        sd_bus_message *reply = NULL;
        const char *name = "";
        unsigned i = pick(c);
        char wanted[32];
        int r;

        r = sd_bus_call_method(c->bus, SERVICE, MANAGER, "MapToMachineUser", &e, &reply, "u", leader_uid(i, 1000));
        if (r < 0)
                return failed(c, r, "MapToMachineUser", &e);
        r = sd_bus_message_read(reply, "s", &name);
        if (r >= 0 && strcmp(name, machine_name(i, wanted)) != 0)
                r = complain(c, -EBADMSG, "MapToMachineUser: another machine");
        sd_bus_message_unref(reply);
        return r < 0 ? r : 0;
}

/* After the daemon was restarted: until it lists everything again. */
static int once_complete(struct client *c) {
        uint64_t until = now_nsec() + UINT64_C(30000000000);
        const struct timespec moment = { .tv_nsec = 500000 };

        while (once_list(c) < 0) {
                if (now_nsec() > until)
                        return -ETIMEDOUT;
                c->error[0] = '\0';
                nanosleep(&moment, NULL);
        }
        return 0;
}

/* ---- a machine's whole life ---- */

static int begin_life(struct client *c) {
        int r = sd_bus_open_system(&c->watch);

        /* NULL: it is read where we wait. */
        if (r >= 0)
                r = sd_bus_add_match(c->watch, NULL, REMOVED_MATCH, NULL, NULL);
        return r < 0 ? complain(c, r, "cannot listen") : 0;
}

static void end_life(struct client *c) {
        c->watch = sd_bus_flush_close_unref(c->watch);
}

static int wait_removed(struct client *c, const char *name) {
        uint64_t until = now_nsec() + REMOVED_USEC * 1000;

        while (now_nsec() < until) {
                sd_bus_message *m = NULL;
                const char *gone = NULL;
                int r = sd_bus_process(c->watch, &m);

                if (r < 0)
                        return r;
                if (m && sd_bus_message_is_signal(m, NULL, "MachineRemoved") > 0 &&
                    sd_bus_message_read(m, "s", &gone) >= 0 && strcmp(gone, name) == 0) {
                        sd_bus_message_unref(m);
                        return 0;
                }
                sd_bus_message_unref(m);
                if (r == 0 && (r = sd_bus_wait(c->watch, REMOVED_USEC)) < 0)
                        return r;
        }
        return complain(c, -ETIMEDOUT, "no MachineRemoved");
}

/* Series: CreateMachine; from the leader's death to MachineRemoved; both together. */
static int once_life(struct client *c) {
        struct leader_wish wish = { .number = 60001, .cgroup_fd = -EBADF };
        uint64_t start, created;
        char name[32];
        pid_t pid;
        int r;

        snprintf(name, sizeof(name), "life%u", c->counter++);
        r = leader_start(&wish, &pid);
        if (r < 0)
                return complain(c, r, "cannot start a leader");
        start = now_nsec();
        r = create(c, name, pid);
        created = now_nsec();
        leader_end(pid);
        if (r < 0)
                return r;
        r = wait_removed(c, name);
        c->nsec[0] = created - start;
        c->nsec[1] = now_nsec() - created;
        c->nsec[2] = now_nsec() - start;
        return r;
}

/* ---- operations over Varlink ---- */

static int begin_on(struct client *c, const char *path) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };

        snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
        if (!c->answer && !(c->answer = malloc(ANSWER_MAX + 1)))
                return -ENOMEM;
        c->varlink_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (c->varlink_fd < 0 || connect(c->varlink_fd, (struct sockaddr *) &address, sizeof(address)) < 0)
                return complain(c, -errno, path);
        return 0;
}

static int begin_varlink(struct client *c) {
        return begin_on(c, VARLINK_SOCKET);
}

static int begin_users(struct client *c) {
        return begin_on(c, USERS_SOCKET);
}

static void end_varlink(struct client *c) {
        if (c->varlink_fd >= 0)
                close(c->varlink_fd);
        c->varlink_fd = -EBADF;
}

static int send_call(struct client *c, const char *text) {
        size_t size = strlen(text) + 1;

        return send(c->varlink_fd, text, size, MSG_NOSIGNAL) == (ssize_t) size ? 0 : -errno;
}

/* Until the last reply of a call: the one that does not continue. Counts replies; an error is a failure. */
static int receive_replies(struct client *c, unsigned *ret) {
        unsigned n = 0;
        size_t have = 0;

        for (;;) {
                ssize_t size = recv(c->varlink_fd, c->answer + have, ANSWER_MAX - have, 0);
                char *text = c->answer, *end;

                if (size <= 0)
                        return complain(c, size < 0 ? -errno : -ECONNRESET, "Varlink");
                have += (size_t) size;
                while ((end = memchr(text, '\0', have - (size_t) (text - c->answer)))) {
                        n++;
                        if (strncmp(text, "{\"error\"", 8) == 0)
                                return complain(c, -EREMOTEIO, text);
                        if (!strstr(text, "\"continues\":true")) {
                                *ret = n;
                                return 0;
                        }
                        text = end + 1;
                }
                have -= (size_t) (text - c->answer);
                memmove(c->answer, text, have);
        }
}

static int varlink_call(struct client *c, const char *text) {
        unsigned n;
        int r = send_call(c, text);

        return r < 0 ? r : receive_replies(c, &n);
}

static int once_varlink_pair(struct client *c) {
        char text[512];
        int r;

        snprintf(text, sizeof(text),
                 "{\"method\":\"io.systemd.Machine.Register\",\"parameters\":{\"name\":\"pair\",\"service\":\"bench\","
                 "\"class\":\"container\",\"leader\":%d}}",
                 (int) c->spare);
        r = varlink_call(c, text);
        if (r < 0)
                return r;
        return varlink_call(c, "{\"method\":\"io.systemd.Machine.Unregister\",\"parameters\":{\"name\":\"pair\"}}");
}

static int once_varlink_list(struct client *c) {
        unsigned n = 0;
        int r = send_call(c, "{\"method\":\"io.systemd.Machine.List\",\"parameters\":{},\"more\":true}");

        if (r >= 0)
                r = receive_replies(c, &n);
        if (r < 0)
                return r;
        /* Some list the host as well. */
        return n == c->n_machines || n == c->n_machines + 1 ? 0 : complain(c, -EBADMSG, "List: not all machines");
}

static int list_one(struct client *c, const char *more) {
        char text[256], name[32];

        snprintf(text, sizeof(text), "{\"method\":\"io.systemd.Machine.List\",\"parameters\":{\"name\":\"%s\"%s}}",
                 machine_name(pick(c), name), more);
        return varlink_call(c, text);
}

static int once_list_one(struct client *c) {
        return list_one(c, "");
}

static int once_list_one_metadata(struct client *c) {
        return list_one(c, ",\"acquireMetadata\":\"graceful\"");
}

/* ---- users ---- */

/* One answer, in which `wanted` must be. */
static int ask_for_user(struct client *c, const char *key, const char *wanted) {
        size_t have = 0;
        char text[256];
        int r;

        snprintf(text, sizeof(text),
                 "{\"method\":\"io.systemd.UserDatabase.GetUserRecord\",\"parameters\":{%s,"
                 "\"service\":\"io.systemd.Machine\"}}",
                 key);
        r = send_call(c, text);
        if (r < 0)
                return r;
        do {
                ssize_t size = recv(c->varlink_fd, c->answer + have, ANSWER_MAX - have, 0);

                if (size <= 0)
                        return complain(c, size < 0 ? -errno : -ECONNRESET, "Varlink");
                have += (size_t) size;
        } while (c->answer[have - 1] != '\0');
        return strstr(c->answer, wanted) ? 0 : complain(c, -EBADMSG, c->answer);
}

static int once_user_by_id(struct client *c) {
        char key[64], wanted[64];
        unsigned i = pick(c);

        snprintf(key, sizeof(key), "\"uid\":%u", leader_uid(i, 1000));
        snprintf(wanted, sizeof(wanted), "\"vu-m%u-1000\"", i);
        return ask_for_user(c, key, wanted);
}

static int once_user_by_id_miss(struct client *c) {
        char key[64];

        snprintf(key, sizeof(key), "\"uid\":%u", NOBODYS_UID + pick(c) % 1000);
        return ask_for_user(c, key, "NoRecordFound");
}

static int once_user_by_name(struct client *c) {
        char key[64], wanted[64];
        unsigned i = pick(c);

        snprintf(key, sizeof(key), "\"userName\":\"vu-m%u-1000\"", i);
        snprintf(wanted, sizeof(wanted), "\"uid\":%u", leader_uid(i, 1000));
        return ask_for_user(c, key, wanted);
}

/* ---- programs ---- */

static int once_run(struct client *c) {
        char words[1024], *argv[32], *state = NULL;
        posix_spawn_file_actions_t actions;
        int n = 0, r, status;
        pid_t pid;

        snprintf(words, sizeof(words), "%s", c->arguments);
        for (char *w = strtok_r(words, " ", &state); w && n < 31; w = strtok_r(NULL, " ", &state))
                argv[n++] = w;
        argv[n] = NULL;
        if (n == 0)
                return -EINVAL;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        r = posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ);
        posix_spawn_file_actions_destroy(&actions);
        if (r > 0)
                return complain(c, -r, argv[0]);
        if (waitpid(pid, &status, 0) < 0)
                return -errno;
        return status == 0 ? 0 : complain(c, -EREMOTEIO, argv[0]);
}

const struct operation operations[] = {
        { "register-pair", 0, NULL, once_pair, NULL },
        { "fresh-register-pair", 0, NULL, once_fresh_pair, NULL },
        { "list", 0, NULL, once_list, NULL },
        { "get", 0, NULL, once_get, NULL },
        { "get-by-pid", 0, NULL, once_get_by_pid, NULL },
        { "map-to-user", 0, NULL, once_map_to, NULL },
        { "life", 3, begin_life, once_life, end_life },
        { "complete", 0, NULL, once_complete, NULL },
        { "varlink-register-pair", 0, begin_varlink, once_varlink_pair, end_varlink },
        { "varlink-list", 0, begin_varlink, once_varlink_list, end_varlink },
        { "varlink-list-one", 0, begin_varlink, once_list_one, end_varlink },
        { "varlink-list-one-metadata", 0, begin_varlink, once_list_one_metadata, end_varlink },
        { "user-by-id", 0, begin_users, once_user_by_id, end_varlink },
        { "user-by-id-miss", 0, begin_users, once_user_by_id_miss, end_varlink },
        { "user-by-name", 0, begin_users, once_user_by_name, end_varlink },
        { "nss-host", 0, begin_names, once_host, NULL },
        { "nss-no-host", 0, begin_names, once_no_host, NULL },
        { "nss-user", 0, begin_names, once_user, NULL },
        { "nss-no-user", 0, begin_names, once_no_user, NULL },
        { "run", 0, NULL, once_run, NULL },
};
const size_t n_operations = sizeof(operations) / sizeof(*operations);
