/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* CheckAuthorization of org.freedesktop.PolicyKit1.Authority (polkit(8)), without its library: one call, one answer.
 * Whatever is not a clear yes is a no. */
#include "backend/auth-polkit.h"

#include <errno.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/proc-text.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

#define POLKIT_NAME "org.freedesktop.PolicyKit1"
#define POLKIT_PATH "/org/freedesktop/PolicyKit1/Authority"
#define POLKIT_INTERFACE "org.freedesktop.PolicyKit1.Authority"
#define ALLOW_INTERACTION UINT32_C(1)
/* A person may be typing a password: far longer than the 25 s of other calls. The caller's own time limit comes first.
 */
#define ANSWER_TIMEOUT_USEC (UINT64_C(600) * 1000000)
/* A bus lets a client wait for 128 answers (max_replies_per_connection, dbus-daemon(1)). Nobody may use them up for others. */
#define QUESTIONS_MAX 96
#define QUESTIONS_PER_USER 16

struct check {
        struct check *next;
        struct auth_polkit *auth;
        void (*answer)(void *userdata, enum auth_result result);
        void *userdata;
        sd_bus_slot *slot;
        uid_t uid;
        char id[32]; /* by which the question can be taken back; "": nobody is asked for a password, so there is no need */
};

struct auth_polkit {
        sd_bus *(*get_bus)(void *userdata);
        void *userdata;
        struct check *checks;
        uint64_t n_asked; /* ever */
        bool absence_said;
};

static void check_free(struct check *c) {
        struct check **link = &c->auth->checks;

        while (*link != c)
                link = &(*link)->next;
        *link = c->next;
        sd_bus_slot_unref(c->slot); /* forgets the call when its answer is still to come */
        free(c);
}

static void say_absence(struct auth_polkit *a, const char *why) {
        if (!a->absence_said)
                log_notice("polkit cannot be asked (%s): only root may do what needs its leave.", why);
        a->absence_said = true;
}

/* ---- the question ---- */

static int append_entry(sd_bus_message *m, const char *key, const char *type, const void *value) {
        int r;

        r = sd_bus_message_open_container(m, 'e', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', key);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'v', type);
        if (r >= 0)
                r = sd_bus_message_append_basic(m, *type, value);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* polkit tells a recycled pid by the start time; newer ones use the pidfd instead. */
static int start_time(const struct pidref *p, uint64_t *ret) {
        AUTO_FREE char *text = NULL;
        size_t size = 0;
        pid_t parent;
        int r;

        r = proc_read(p->pid, "stat", &text, &size);
        if (r >= 0)
                r = proc_stat_decode(text, size, &parent, ret);
        if (r < 0)
                return r;
        return p->fd >= 0 && !pidref_is_alive(p) ? -ESRCH : 0; /* read by number: it must be the one we hold */
}

/* All that any version of polkit looks at: the number with its start time (up to 123), the pidfd (since 124), the user.
 * A number without a pidfd of the kernel is a claim, not an identity: refused. */
static int append_process(sd_bus_message *m, const struct caller *caller) {
        uint32_t pid = (uint32_t) caller->process.pid;
        int32_t uid = (int32_t) caller->uid;
        uint64_t start = 0;
        int r;

        if (!pidref_is_set(&caller->process) || caller->process.fd < 0)
                return -EPERM;
        r = start_time(&caller->process, &start);
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "{sv}");
        if (r >= 0)
                r = append_entry(m, "pid", "u", &pid);
        if (r >= 0)
                r = append_entry(m, "start-time", "t", &start);
        if (r >= 0)
                r = append_entry(m, "uid", "i", &uid);
        if (r >= 0)
                r = append_entry(m, "pidfd", "h", &caller->process.fd);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_subject(sd_bus_message *m, const struct caller *caller) {
        int r;

        r = sd_bus_message_open_container(m, 'r', "sa{sv}");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', caller->bus_name ? "system-bus-name" : "unix-process");
        if (r >= 0)
                r = caller->bus_name ? sd_bus_message_append(m, "a{sv}", 1, "name", "s", caller->bus_name)
                                     : append_process(m, caller);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int append_details(sd_bus_message *m, const struct auth_detail *details) {
        int r;

        r = sd_bus_message_open_container(m, 'a', "{ss}");
        for (; r >= 0 && details && details->key; details++)
                r = sd_bus_message_append(m, "{ss}", details->key, strempty(details->value));
        return r < 0 ? r : sd_bus_message_close_container(m);
}

static int make_question(sd_bus *bus, const struct caller *caller, const char *action,
                         const struct auth_detail *details, const char *id, sd_bus_message **ret) {
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE, "CheckAuthorization");
        if (r >= 0)
                r = append_subject(m, caller);
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', action);
        if (r >= 0)
                r = append_details(m, details);
        if (r >= 0)
                r = sd_bus_message_append(m, "us", caller->interactive ? ALLOW_INTERACTION : UINT32_C(0), id);
        if (r < 0) {
                sd_bus_message_unref(m);
                return r;
        }
        *ret = m;
        return 0;
}

/* The dialog of a question that nobody waits for any more goes away. */
static void take_back(const struct check *c) {
        sd_bus *bus = c->auth->get_bus(c->auth->userdata);
        sd_bus_message *m = NULL;
        int r;

        if (!*c->id || !bus || sd_bus_is_open(bus) <= 0)
                return;
        r = sd_bus_message_new_method_call(bus, &m, POLKIT_NAME, POLKIT_PATH, POLKIT_INTERFACE,
                                           "CancelCheckAuthorization");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', c->id);
        if (r >= 0)
                r = sd_bus_message_set_expect_reply(m, false);
        if (r >= 0)
                r = sd_bus_message_set_auto_start(m, false); /* one that is started now has asked nobody */
        if (r >= 0)
                r = sd_bus_send(bus, m, NULL);
        sd_bus_message_unref(m);
        if (r < 0)
                log_debug_errno(r, "Cannot take a question to polkit back");
}

/* ---- the answer ---- */

static bool is_absence(const sd_bus_error *error) {
        return sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
               sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
               (error->name && startswith(error->name, "org.freedesktop.DBus.Error.Spawn."));
}

/* polkit.result, of newer versions, tells how the yes came about. */
static int read_details(sd_bus_message *m, bool *ret_admin) {
        const char *key, *value;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "{ss}");
        while (r > 0 && (r = sd_bus_message_read(m, "{ss}", &key, &value)) > 0)
                if (streq(key, "polkit.result"))
                        *ret_admin = streq(value, "auth_admin") || streq(value, "auth_admin_keep");
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static enum auth_result read_answer(struct auth_polkit *a, sd_bus_message *m) {
        const sd_bus_error *error = sd_bus_message_get_error(m);
        int authorized = false, challenge = false, r;
        bool admin = false;

        if (error) {
                if (is_absence(error))
                        say_absence(a, error->name);
                else
                        log_debug("polkit refuses with %s.", error->name);
                return AUTH_DENIED;
        }
        r = sd_bus_message_enter_container(m, 'r', "bba{ss}");
        if (r > 0)
                r = sd_bus_message_read(m, "bb", &authorized, &challenge);
        if (r > 0)
                r = read_details(m, &admin);
        if (r <= 0) {
                log_warning_errno(r, "Cannot read an answer of polkit, taking it as a refusal");
                return AUTH_DENIED;
        }
        a->absence_said = false;
        if (authorized)
                return admin ? AUTH_ALLOWED_ADMIN : AUTH_ALLOWED;
        return challenge ? AUTH_INTERACTION_REQUIRED : AUTH_DENIED;
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct check *c = userdata, done = *c;
        enum auth_result result = read_answer(c->auth, m);

        if (sd_bus_message_is_method_error(m, SD_BUS_ERROR_NO_REPLY)) /* our patience is over, not the dialog */
                take_back(c);
        check_free(c);
        done.answer(done.userdata, result);
        return 0;
}

/* ---- the port ---- */

static int ask(struct auth_polkit *a, sd_bus *bus, const struct caller *caller, const char *action,
               const struct auth_detail *details, struct check *c) {
        sd_bus_message *m = NULL;
        int r;

        r = make_question(bus, caller, action, details, c->id, &m);
        if (r < 0)
                return r;
        r = sd_bus_call_async(bus, &c->slot, m, on_answer, c, ANSWER_TIMEOUT_USEC);
        sd_bus_message_unref(m);
        return r;
}

static bool too_many(const struct auth_polkit *a, uid_t uid) {
        unsigned all = 0, of_user = 0;

        for (const struct check *c = a->checks; c; c = c->next) {
                all++;
                of_user += c->uid == uid;
        }
        return all >= QUESTIONS_MAX || of_user >= QUESTIONS_PER_USER;
}

static void port_ask(void *impl, const struct caller *caller, const char *action, const struct auth_detail *details,
                     void (*answer)(void *userdata, enum auth_result result), void *userdata, void **ret_handle) {
        struct auth_polkit *a = impl;
        sd_bus *bus = a->get_bus(a->userdata);
        struct check *c;
        int r;

        if (!bus || sd_bus_is_open(bus) <= 0) {
                say_absence(a, "no bus");
                answer(userdata, AUTH_DENIED);
                return;
        }
        if (too_many(a, caller->uid)) {
                answer(userdata, AUTH_TOO_MANY);
                return;
        }
        c = calloc(1, sizeof(*c));
        if (!c) {
                answer(userdata, AUTH_DENIED);
                return;
        }
        *c = (struct check){ .next = a->checks, .auth = a, .answer = answer, .userdata = userdata, .uid = caller->uid };
        if (caller->interactive)
                snprintf(c->id, sizeof(c->id), "muster-%" PRIu64, ++a->n_asked);
        a->checks = c;
        r = ask(a, bus, caller, action, details, c);
        if (r < 0) {
                log_debug_errno(r, "Cannot ask polkit about %s for user %u", action, (unsigned) caller->uid);
                check_free(c);
                answer(userdata, AUTH_DENIED);
                return;
        }
        *ret_handle = c;
}

static void port_cancel(void *impl, void *handle) {
        struct check *c = handle;

        if (!c)
                return;
        take_back(c);
        check_free(c);
}

int auth_polkit_new(sd_bus *(*get_bus)(void *userdata), void *userdata, struct auth_polkit **ret) {
        struct auth_polkit *a = calloc(1, sizeof(*a));

        if (!a)
                return -ENOMEM;
        a->get_bus = get_bus;
        a->userdata = userdata;
        *ret = a;
        return 0;
}

void auth_polkit_free(struct auth_polkit *a) {
        if (!a)
                return;
        while (a->checks) {
                struct check done = *a->checks;

                check_free(a->checks);
                done.answer(done.userdata, AUTH_DENIED);
        }
        free(a);
}

struct auth_port auth_polkit_port(struct auth_polkit *a) {
        return (struct auth_port){ .impl = a, .ask = port_ask, .cancel = port_cancel };
}
