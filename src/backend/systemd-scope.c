/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* StartTransientUnit and the end of its job (org.freedesktop.systemd1(5)), for one scope at a time of each machine:
 *
 *   start -> on_started -> JobRemoved (on_message) -> finish
 *
 * The match is added before the call, on the same connection, so the signal cannot be missed. Where it does not come (a
 * manager that has executed itself anew has another name on the bus, or forgets who wanted to know) we look from time to
 * time: is the leader in its scope, and has the unit a job still? */
#include "backend/systemd-scope.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/str.h"
#include "core/name.h"
#include "sys/cgroup.h"

#define DEFAULT_SLICE "machine.slice"
#define DEFAULT_TASKS_MAX UINT64_C(16384)
#define START_USEC UINT64_C(90000000) /* as long as the manager gives a unit by default */
#define LOOK_USEC UINT64_C(1000000)   /* while waiting for a signal that should come */
#define AGAIN_USEC UINT64_C(20000)    /* while an earlier scope of the name is going */
#define AWAY_USEC UINT64_C(200000)    /* while the manager executes itself anew */
#define DYING_USEC UINT64_C(5000000)  /* how long that may take once it is empty */
#define KILLED_USEC UINT64_C(1000000) /* and how long until it is */

struct start {
        struct start *previous, *next;
        struct systemd_scopes *scopes;
        const struct machine *machine;
        const struct scope_properties *props;
        port_done_fn done;
        void *userdata;
        sd_bus *bus;       /* owned: the connection of this attempt */
        sd_bus_slot *call; /* StartTransientUnit on its way, or a look at the unit */
        char *match;       /* what the bus was asked to send us */
        char *job;         /* object path, once it is known */
        char *manager;     /* unique name of who gave it */
        sd_event_source *timer;
        uint64_t begun, exists_since; /* the latter: a scope of this name was there; 0: none */
        bool pidfd, user;             /* properties that old managers do not know */
};

struct systemd_scopes {
        struct systemd_scopes_config config;
        struct start *starts;
        sd_bus *filtered; /* the connection that the filter is on; owned */
        sd_bus_slot *filter;
        bool no_pidfd, no_user; /* learned from this manager */
        struct refusal refusal;
};

static int begin(struct start *x);

static uint64_t now_usec(const struct systemd_scopes *s) {
        uint64_t now = 0;

        sd_event_now(s->config.event, CLOCK_MONOTONIC, &now);
        return now;
}

static void look_after(struct start *x, uint64_t usec) {
        sd_event_source_set_time_relative(x->timer, usec);
        sd_event_source_set_enabled(x->timer, SD_EVENT_ONESHOT);
}

/* ---- calls ---- */

int systemd_call_unit(sd_bus *bus, sd_bus_slot **ret_slot, const char *method, const char *unit,
                      sd_bus_message_handler_t on_answer, void *userdata, const char *types, ...) {
        sd_bus_message *m = NULL;
        va_list ap;
        int r;

        if (!bus || sd_bus_is_open(bus) <= 0)
                return -ENOTCONN;
        r = sd_bus_message_new_method_call(bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, method);
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', unit);
        if (r >= 0 && types) {
                va_start(ap, types);
                r = sd_bus_message_appendv(m, types, ap);
                va_end(ap);
        }
        if (r >= 0)
                r = sd_bus_call_async(bus, ret_slot, m, on_answer, userdata, START_USEC);
        sd_bus_message_unref(m);
        return r;
}

static void call_bus(sd_bus *bus, const char *method, const char *match) {
        int r = sd_bus_call_method_async(bus, NULL, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                         "org.freedesktop.DBus", method, NULL, NULL, "s", match);

        if (r < 0) /* the look from time to time has to do */
                log_debug_errno(r, "Cannot send %s to the bus", method);
}

/* Not by sd_bus_add_match(): it takes a backslash for an escape, the bus (as the D-Bus specification has it) for itself,
 * and the names of scopes have them. So the bus is asked by hand, and what it sends is met by a filter. */
static int add_match(struct start *x) {
        if (asprintf(&x->match,
                     "type='signal',sender='" SYSTEMD_NAME "',path='" SYSTEMD_PATH "',interface='" SYSTEMD_MANAGER
                     "',member='JobRemoved',arg2='%s'",
                     x->machine->unit) < 0) {
                x->match = NULL;
                return -ENOMEM;
        }
        call_bus(x->bus, "AddMatch", x->match);
        return 0;
}

/* ---- how a unit is ---- */

struct unit_row { /* strings are the message's */
        const char *active, *job_type;
        uint32_t job; /* 0: none */
};

static int ask_for_unit(sd_bus *bus, sd_bus_slot **ret_slot, const char *unit, sd_bus_message_handler_t on_answer,
                        void *userdata) {
        return sd_bus_call_method_async(bus, ret_slot, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER, "ListUnitsByNames",
                                        on_answer, userdata, "as", 1, unit);
}

/* The answer to that. A unit that does not exist has a row, too. */
static int read_unit_row(sd_bus_message *m, struct unit_row *ret) {
        int r;

        if (sd_bus_message_is_method_error(m, NULL))
                return -EIO;
        r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
        if (r > 0)
                r = sd_bus_message_read(m, "(ssssssouso)", NULL, NULL, NULL, &ret->active, NULL, NULL, NULL, &ret->job,
                                        &ret->job_type, NULL);
        return r > 0 ? 0 : r < 0 ? r : -EBADMSG;
}

/* ---- the end ---- */

/* Takes back what this attempt has on its connection. */
static void disarm(struct start *x) {
        x->call = sd_bus_slot_unref(x->call); /* forgets the call when its answer is still to come */
        if (x->match && sd_bus_is_open(x->bus) > 0)
                call_bus(x->bus, "RemoveMatch", x->match);
        free(x->match);
        free(x->job);
        free(x->manager);
        x->match = x->job = x->manager = NULL;
        x->bus = sd_bus_unref(x->bus);
}

static void start_free(struct start *x) {
        struct systemd_scopes *s = x->scopes;

        disarm(x);
        sd_event_source_disable_unref(x->timer);
        if (x->previous)
                x->previous->next = x->next;
        else
                s->starts = x->next;
        if (x->next)
                x->next->previous = x->previous;
        free(x);
        if (s->starts)
                return;
        s->filter = sd_bus_slot_unref(s->filter);
        s->filtered = sd_bus_unref(s->filtered);
}

/* x is gone afterwards. name and text may be NULL; what they point to must outlive the call. */
static void finish(struct start *x, int error, const char *name, const char *text) {
        struct systemd_scopes *s = x->scopes;
        port_done_fn done = x->done;
        void *userdata = x->userdata;

        start_free(x);
        s->refusal = (struct refusal){ name, text };
        done(userdata, error);
        s->refusal = (struct refusal){ NULL, NULL };
}

/* The manager has said no. It had taken our AddRef by then when it disliked a later property, or had no job for the unit: it
 * would keep the empty unit, and so the name, for as long as we live. A scope of somebody else's does not mind. */
static void refuse(struct start *x, int error, const char *name, const char *text) {
        systemd_call_unit(x->bus, NULL, "UnrefUnit", x->machine->unit, NULL, NULL, NULL);
        finish(x, error, name, text);
}

/* Nothing is left behind: neither the scope, nor our hold on a failed one. */
static void fail(struct start *x, int error, const char *name, const char *text) {
        systemd_call_unit(x->bus, NULL, "StopUnit", x->machine->unit, NULL, NULL, "s", "replace");
        refuse(x, error, name, text);
}

static bool leader_is_in(const struct start *x) {
        const struct systemd_scopes_config *c = &x->scopes->config;
        AUTO_FREE char *path = NULL, *unit = NULL, *subgroup = NULL;

        return cgroup_host_locate(c->host, x->machine->leader.pid, &path) >= 0 &&
               cgroup_path_to_unit(path, strempty(c->host->layout.tracking.prefix), &unit, &subgroup) >= 0 &&
               streq(unit, x->machine->unit);
}

static bool leader_is_alive(const struct start *x) {
        const struct process_port *process = x->scopes->config.process;

        return process->is_alive(process->impl, &x->machine->leader);
}

static void on_connection_lost(struct start *x) {
        if (leader_is_in(x) && leader_is_alive(x))
                finish(x, 0, NULL, NULL);
        else
                finish(x, -ECONNRESET, NULL, "The D-Bus connection ended while the service manager made the scope.");
}

/* ---- the question ---- */

static int append_leader(sd_bus_message *m, const struct start *x) {
        const struct pidref *leader = &x->machine->leader;

        if (x->pidfd)
                return sd_bus_message_append(m, "(sv)", "PIDFDs", "ah", 1, leader->fd);
        return sd_bus_message_append(m, "(sv)", "PIDs", "au", 1, (uint32_t) leader->pid);
}

static int append_ours(sd_bus_message *m, const struct start *x) {
        const struct machine *machine = x->machine;
        AUTO_FREE char *description = NULL;
        char user[16];
        int r;

        if (asprintf(&description, "%s %s", machine->class == MACHINE_VM ? "Virtual Machine" : "Container",
                     machine->name) < 0)
                return -ENOMEM;
        r = sd_bus_message_append(m, "(sv)(sv)", "Slice", "s", DEFAULT_SLICE, "Description", "s", description);
        if (r >= 0)
                r = append_leader(m, x);
        if (r >= 0)
                r = sd_bus_message_append(m, "(sv)(sv)(sv)(sv)", "Delegate", "b", 1, "CollectMode", "s",
                                          "inactive-or-failed", "AddRef", "b", 1, "TasksMax", "t", DEFAULT_TASKS_MAX);
        if (r >= 0 && x->user) {
                snprintf(user, sizeof(user), "%u", (unsigned) machine->uid);
                r = sd_bus_message_append(m, "(sv)", "User", "s", user);
        }
        return r;
}

/* One (sv) of the client's, unread. "AddRef" would be a hold of ours, not of the client's. */
static int copy_property(sd_bus_message *m, sd_bus_message *raw) {
        const char *name;
        int r;

        r = sd_bus_message_read_basic(raw, 's', &name);
        if (r < 0)
                return r;
        if (streq(name, "AddRef"))
                return sd_bus_message_skip(raw, "v");
        r = sd_bus_message_open_container(m, 'r', "sv");
        if (r >= 0)
                r = sd_bus_message_append_basic(m, 's', name);
        if (r >= 0)
                r = sd_bus_message_copy(m, raw, false);
        return r < 0 ? r : sd_bus_message_close_container(m);
}

/* The list is the last argument of the message that it came in. A name that comes twice: the later one counts, which is
 * how clients override what we said before. */
static int append_theirs(sd_bus_message *m, sd_bus_message *raw) {
        AUTO_FREE char *before = NULL;
        const char *types, *list;
        int r;

        r = sd_bus_message_rewind(raw, true);
        if (r < 0)
                return r;
        types = sd_bus_message_get_signature(raw, true);
        list = types ? endswith(types, "a(sv)") : NULL;
        if (!list)
                return -EBADMSG;
        before = strndup(types, (size_t) (list - types));
        if (!before)
                return -ENOMEM;
        r = *before ? sd_bus_message_skip(raw, before) : 0;
        if (r >= 0)
                r = sd_bus_message_enter_container(raw, 'a', "(sv)");
        while (r >= 0 && (r = sd_bus_message_enter_container(raw, 'r', "sv")) > 0) {
                r = copy_property(m, raw);
                if (r >= 0)
                        r = sd_bus_message_exit_container(raw);
        }
        return r;
}

static int make_question(const struct start *x, sd_bus_message **ret) {
        sd_bus_message *m = NULL;
        int r;

        r = sd_bus_message_new_method_call(x->bus, &m, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                           "StartTransientUnit");
        if (r >= 0)
                r = sd_bus_message_append(m, "ss", x->machine->unit, "fail");
        if (r >= 0)
                r = sd_bus_message_open_container(m, 'a', "(sv)");
        if (r >= 0)
                r = append_ours(m, x);
        if (r >= 0 && x->props->raw)
                r = append_theirs(m, x->props->raw);
        if (r >= 0)
                r = sd_bus_message_close_container(m);
        if (r >= 0)
                r = sd_bus_message_append(m, "a(sa(sv))", 0);
        if (r < 0) {
                sd_bus_message_unref(m);
                return r;
        }
        *ret = m;
        return 0;
}

/* ---- the answer ---- */

/* A scope of this name is there. When it is one that is going, its name will be free in a moment: the leader of the machine
 * it belonged to is dead, and that is what counts. */
static bool will_be_free(struct start *x) {
        uint64_t now = now_usec(x->scopes), waited;
        AUTO_CLOSE int fd = cgroup_host_open(x->scopes->config.host, x->machine->cgroup);

        if (!x->exists_since)
                x->exists_since = now;
        waited = now - x->exists_since;
        return waited < (fd >= 0 && cgroup_is_populated(fd) > 0 ? KILLED_USEC : DYING_USEC);
}

/* True: the next attempt was made, without what this manager does not know. */
static bool retry_with_less(struct start *x, const sd_bus_error *error) {
        if (!sd_bus_error_has_name(error, SD_BUS_ERROR_PROPERTY_READ_ONLY) || (!x->pidfd && !x->user))
                return false;
        if (x->pidfd)
                x->pidfd = false;
        else
                x->user = false;
        disarm(x);
        return begin(x) >= 0;
}

/* It executes itself anew: the bus says that there is nobody, or, with systemd's dummy activation file, that starting one
 * failed; or it went with our question unanswered, which may have come to something all the same (on_timer). */
static bool manager_is_away(const struct start *x, const sd_bus_error *error) {
        return now_usec(x->scopes) - x->begun < START_USEC &&
               (sd_bus_error_has_name(error, SD_BUS_ERROR_NO_REPLY) ||
                sd_bus_error_has_name(error, SD_BUS_ERROR_SERVICE_UNKNOWN) ||
                sd_bus_error_has_name(error, SD_BUS_ERROR_NAME_HAS_NO_OWNER) ||
                startswith(error->name, "org.freedesktop.DBus.Error.Spawn."));
}

static void try_again(struct start *x, uint64_t usec) {
        disarm(x);
        look_after(x, usec);
}

static void on_refused(struct start *x, const sd_bus_error *error) {
        int number = -sd_bus_error_get_errno(error);

        if (sd_bus_error_has_name(error, SYSTEMD_ERROR("UnitExists")) && will_be_free(x)) {
                try_again(x, AGAIN_USEC);
                return;
        }
        if (retry_with_less(x, error))
                return;
        if (!x->bus || sd_bus_is_open(x->bus) <= 0)
                on_connection_lost(x);
        else if (manager_is_away(x, error))
                try_again(x, AWAY_USEC);
        else if (number == -ETIMEDOUT)
                fail(x, number, error->name, error->message); /* it may still come to it */
        else
                refuse(x, number < 0 ? number : -EIO, error->name, error->message);
}

static int on_started(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        struct start *x = userdata;
        const char *job;

        /* m keeps the error alive, and we keep m. */
        sd_bus_message_ref(m);
        if (sd_bus_message_is_method_error(m, NULL))
                on_refused(x, sd_bus_message_get_error(m));
        else if (sd_bus_message_read(m, "o", &job) < 0 || str_replace(&x->job, job) < 0 ||
                 str_replace(&x->manager, sd_bus_message_get_sender(m)) < 0)
                fail(x, -EBADMSG, NULL, "The service manager gave an answer that cannot be read.");
        else {
                if (!x->pidfd && x->machine->leader.fd >= 0)
                        x->scopes->no_pidfd = true;
                if (!x->user && x->machine->uid != 0)
                        x->scopes->no_user = true;
                x->call = sd_bus_slot_unref(x->call);
        }
        sd_bus_message_unref(m);
        return 0;
}

static void job_failed(struct start *x) {
        fail(x, -ECONNABORTED, SYSTEMD_ERROR("JobFailed"),
             "The service manager could not put the leader into a scope: the job failed.");
}

static void on_job_removed(struct systemd_scopes *s, sd_bus_message *m) {
        const char *job, *unit, *result;
        struct start *x;

        if (sd_bus_message_read(m, "uoss", NULL, &job, &unit, &result) < 0)
                return;
        for (x = s->starts; x; x = x->next)
                if (x->job && streq(x->job, job) && streq(x->machine->unit, unit))
                        break;
        /* Anybody may send us a signal; only the manager who gave the job knows how it ended. */
        if (!x || !streq_ptr(x->manager, sd_bus_message_get_sender(m)))
                return;
        if (streq(result, "done"))
                finish(x, 0, NULL, NULL);
        else
                job_failed(x);
}

static int on_message(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct systemd_scopes *s = userdata;
        struct start *next;

        if (sd_bus_message_is_signal(m, SYSTEMD_MANAGER, "JobRemoved"))
                on_job_removed(s, m);
        else if (sd_bus_message_is_signal(m, "org.freedesktop.DBus.Local", "Disconnected"))
                for (struct start *x = s->starts; x; x = next) {
                        next = x->next;
                        if (x->bus)
                                on_connection_lost(x);
                }
        return 0;
}

/* ---- the start ---- */

static int follow(struct systemd_scopes *s, sd_bus *bus) {
        int r;

        if (s->filtered == bus)
                return 0;
        s->filter = sd_bus_slot_unref(s->filter);
        s->filtered = sd_bus_unref(s->filtered);
        r = sd_bus_add_filter(bus, &s->filter, on_message, s);
        if (r >= 0)
                s->filtered = sd_bus_ref(bus);
        return r;
}

/* One attempt. On failure x has nothing on the bus. */
static int begin(struct start *x) {
        struct systemd_scopes *s = x->scopes;
        sd_bus *bus = s->config.get_bus(s->config.userdata);
        sd_bus_message *m = NULL;
        int r;

        if (!bus || sd_bus_is_open(bus) <= 0)
                return -ENOTCONN;
        if (!leader_is_alive(x))
                return -ESRCH;
        r = follow(s, bus);
        if (r < 0)
                return r;
        x->bus = sd_bus_ref(bus);
        r = make_question(x, &m);
        if (r >= 0)
                r = add_match(x);
        if (r >= 0)
                r = sd_bus_call_async(bus, &x->call, m, on_started, x, START_USEC);
        sd_bus_message_unref(m);
        if (r < 0)
                disarm(x);
        else
                look_after(x, LOOK_USEC);
        return r;
}

static int begin_or_fail(struct start *x) {
        int r = begin(x);

        if (r < 0)
                finish(x, r, NULL,
                       r == -ENOTCONN
                               ? "The service manager (systemd) makes the scopes of machines here, and there is no "
                                 "D-Bus connection to ask it by."
                       : r == -ESRCH ? "The leader has ended."
                                     : "The service manager cannot be asked for a scope.");
        return 0;
}

static int on_looked(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        struct start *x = userdata;
        struct unit_row unit;

        x->call = sd_bus_slot_unref(x->call);
        if (read_unit_row(m, &unit) < 0 || unit.job != 0) /* no answer, or no end yet */
                return 0;
        if (streq(unit.active, "active") || leader_is_in(x))
                finish(x, 0, NULL, NULL);
        else
                job_failed(x);
        return 0;
}

static void look(struct start *x) {
        if (x->job && !x->call && ask_for_unit(x->bus, &x->call, x->machine->unit, on_looked, x) < 0)
                log_debug("Cannot ask for unit %s; trying again.", x->machine->unit);
        look_after(x, LOOK_USEC);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct start *x = userdata;

        if (!x->bus && !(leader_is_in(x) && leader_is_alive(x))) /* it is in when only the answer was lost */
                return begin_or_fail(x);
        if (!x->bus) {
                finish(x, 0, NULL, NULL);
                return 0;
        }
        if (x->job && !leader_is_alive(x))
                fail(x, -ESRCH, SYSTEMD_ERROR("JobFailed"), "The leader has ended before it was in a scope.");
        else if (x->job && leader_is_in(x))
                finish(x, 0, NULL, NULL);
        else if (now_usec(x->scopes) - x->begun >= START_USEC)
                fail(x, -ETIMEDOUT, NULL, "The service manager has not made the scope in time.");
        else
                look(x);
        return 0;
}

void systemd_scope_start(struct systemd_scopes *s, const struct machine *m, const struct scope_properties *props,
                         port_done_fn done, void *userdata) {
        struct start *x = calloc(1, sizeof(*x));

        if (!x ||
            sd_event_add_time_relative(s->config.event, &x->timer, CLOCK_MONOTONIC, LOOK_USEC, 0, on_timer, x) < 0) {
                free(x);
                done(userdata, -ENOMEM);
                return;
        }
        x->scopes = s;
        x->machine = m;
        x->props = props;
        x->done = done;
        x->userdata = userdata;
        x->begun = now_usec(s);
        x->pidfd = m->leader.fd >= 0 && !s->no_pidfd;
        x->user = m->uid != 0 && !s->no_user;
        x->next = s->starts;
        if (x->next)
                x->next->previous = x;
        s->starts = x;
        begin_or_fail(x);
}

/* ---- what a predecessor has begun ---- */

static int on_taken_back(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        struct unit_row unit;

        if (read_unit_row(m, &unit) >= 0 && streq(unit.active, "inactive") && streq(unit.job_type, "start"))
                sd_bus_call_method_async(sd_bus_message_get_bus(m), NULL, SYSTEMD_NAME, SYSTEMD_PATH, SYSTEMD_MANAGER,
                                         "CancelJob", NULL, NULL, "u", unit.job);
        return 0;
}

int systemd_scope_take_back(sd_bus *bus, const char *unit) {
        if (!bus || sd_bus_is_open(bus) <= 0)
                return -ENOTCONN;
        return ask_for_unit(bus, NULL, unit, on_taken_back, NULL);
}

const struct refusal *systemd_scopes_refusal(const struct systemd_scopes *s) {
        return s->refusal.text ? &s->refusal : NULL;
}

int systemd_scopes_new(const struct systemd_scopes_config *config, struct systemd_scopes **ret) {
        struct systemd_scopes *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->config = *config;
        sd_event_ref(s->config.event);
        *ret = s;
        return 0;
}

void systemd_scopes_free(struct systemd_scopes *s) {
        if (!s)
                return;
        while (s->starts)
                finish(s->starts, -ESHUTDOWN, NULL, NULL);
        sd_event_unref(s->config.event);
        free(s);
}
