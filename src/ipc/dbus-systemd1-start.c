/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* StartTransientUnit: the properties that make a scope, on top of those that the scope of a machine has, too. */
#include <errno.h>
#include <stdlib.h>

#include "base/str.h"
#include "ipc/dbus-systemd1.h"

struct reading {
        struct dbus_call *call;
        struct unit_start *start;
};

struct special {
        const char *name, *signature;
        int (*read)(struct reading *x, sd_bus_message *m, sd_bus_error *error);
};

/* ---- processes ---- */

static int add_process(struct reading *x, pid_t pid, int fd, sd_bus_error *error) {
        const struct process_port *process = dbus_process_port(x->call->d);
        struct unit_start *w = x->start;
        struct pidref p, *bigger;
        int r;

        if (w->n_processes >= UNIT_PROCESSES_MAX)
                return sd_bus_error_setf(error, SD_BUS_ERROR_LIMITS_EXCEEDED,
                                         "A scope begins with at most %d processes.", UNIT_PROCESSES_MAX);
        r = process->open(process->impl, pid, fd, &p);
        if (r == -ESRCH) { /* the others may live */
                w->dead = true;
                return 0;
        }
        if (r < 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                        "Scope property PIDFDs must hold descriptors of processes.");
        bigger = reallocarray(w->processes, w->n_processes + 1, sizeof(*bigger));
        if (!bigger) {
                process->close(process->impl, &p);
                return -ENOMEM;
        }
        w->processes = bigger;
        bigger[w->n_processes++] = p;
        return 0;
}

/* 0 is whoever calls. */
static int add_number(struct reading *x, uint32_t number, sd_bus_error *error) {
        pid_t pid = number == 0 ? dbus_call_pid(x->call) : (pid_t) number;

        if (pid <= 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                        "Scope property PIDs must hold process numbers.");
        return add_process(x, pid, -EBADF, error);
}

static int read_pids(struct reading *x, sd_bus_message *m, sd_bus_error *error) {
        uint32_t number;
        int r;

        r = sd_bus_message_enter_container(m, 'a', "u");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 'u', &number)) > 0)
                r = add_number(x, number, error);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

static int read_pidfds(struct reading *x, sd_bus_message *m, sd_bus_error *error) {
        int r, fd;

        r = sd_bus_message_enter_container(m, 'a', "h");
        while (r >= 0 && (r = sd_bus_message_read_basic(m, 'h', &fd)) > 0)
                r = add_process(x, 0, fd, error);
        return r < 0 ? r : sd_bus_message_exit_container(m);
}

/* ---- the others: what they may be is core/unit.c's to say ---- */

static int read_string(sd_bus_message *m, char **field) {
        const char *text;
        int r = sd_bus_message_read_basic(m, 's', &text);

        return r < 0 ? r : str_replace(field, text);
}

static int read_slice(struct reading *x, sd_bus_message *m, sd_bus_error *error) {
        return read_string(m, &x->start->unit->slice);
}

static int read_description(struct reading *x, sd_bus_message *m, sd_bus_error *error) {
        return read_string(m, &x->start->unit->description);
}

static int read_controller(struct reading *x, sd_bus_message *m, sd_bus_error *error) {
        return read_string(m, &x->start->unit->controller);
}

static int read_timeout(struct reading *x, sd_bus_message *m, sd_bus_error *error) {
        return sd_bus_message_read_basic(m, 't', &x->start->unit->stop_timeout_usec);
}

static int read_signal(struct reading *x, sd_bus_message *m, sd_bus_error *error) {
        int32_t sig;
        int r = sd_bus_message_read_basic(m, 'i', &sig);

        if (r >= 0)
                x->start->unit->kill_signal = sig;
        return r;
}

static int read_reference(struct reading *x, sd_bus_message *m, sd_bus_error *error) {
        int given;
        int r = sd_bus_message_read_basic(m, 'b', &given);

        if (r >= 0)
                x->start->unit->referenced = given;
        return r;
}

static int read_collect_mode(struct reading *x, sd_bus_message *m, sd_bus_error *error) {
        const char *mode;
        int r = sd_bus_message_read_basic(m, 's', &mode);

        if (r >= 0 && !streq(mode, "inactive") && !streq(mode, "inactive-or-failed"))
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS,
                                        "CollectMode must be 'inactive' or 'inactive-or-failed'.");
        return r;
}

static const struct special specials[] = {
        { "PIDs", "au", read_pids },
        { "PIDFDs", "ah", read_pidfds },
        { "Slice", "s", read_slice },
        { "Description", "s", read_description },
        { "Controller", "s", read_controller },
        { "TimeoutStopUSec", "t", read_timeout },
        { "KillSignal", "i", read_signal },
        { "AddRef", "b", read_reference },
        { "CollectMode", "s", read_collect_mode },
};

static int read_special(void *userdata, sd_bus_message *m, const char *name, const char *contents,
                        sd_bus_error *error) {
        int r;

        for (size_t i = 0; i < ELEMENTS(specials); i++) {
                const struct special *p = &specials[i];

                if (!streq(p->name, name))
                        continue;
                if (!streq(p->signature, contents))
                        return sd_bus_error_setf(error, SD_BUS_ERROR_INVALID_ARGS,
                                                 "Scope property %s must be of type '%s'.", p->name, p->signature);
                r = sd_bus_message_enter_container(m, 'v', contents);
                if (r >= 0)
                        r = p->read(userdata, m, error);
                if (r >= 0)
                        r = sd_bus_message_exit_container(m);
                return r < 0 ? r : 1;
        }
        return 0;
}

static int read_wish(struct reading *x, sd_bus_error *error) {
        const struct scope_hook hook = { read_special, x };
        sd_bus_message *m = x->call->message;
        const char *name, *mode;
        int r;

        r = sd_bus_message_read(m, "ss", &name, &mode);
        if (r >= 0)
                r = unit_new(name, &x->start->unit);
        if (r >= 0)
                r = dbus_read_scope_with(m, &hook, &x->start->scope, error);
        if (r < 0)
                return r;
        if (!streq(mode, "fail") && !streq(mode, "replace"))
                return sd_bus_error_set(error, SD_BUS_ERROR_INVALID_ARGS, "The job mode must be 'fail' or 'replace'.");
        r = sd_bus_message_enter_container(m, 'a', "(sa(sv))");
        if (r >= 0 && sd_bus_message_at_end(m, false) == 0)
                return sd_bus_error_set(error, SD_BUS_ERROR_NOT_SUPPORTED, "Auxiliary units cannot be started here.");
        return r;
}

int systemd1_act_start(struct dbus_call *call) {
        struct units *units = call->d->systemd1->units;
        struct unit_start w = { .unit = NULL };
        struct reading x = { call, &w };
        sd_bus_error error = SD_BUS_ERROR_NULL;
        AUTO_FREE char *name = NULL;
        struct fault f = FAULT_OK;
        uint32_t job = 0;
        int r;

        r = read_wish(&x, &error);
        if (r >= 0 && !(name = strdup(w.unit->name)))
                r = -ENOMEM;
        if (r < 0)
                r = sd_bus_reply_method_errno(call->message, r, &error);
        else if (units_start(units, &w, &job, &f) < 0)
                r = dbus_reply_fault(call->message, &f);
        else
                r = systemd1_reply_job(call, job, name, true);
        sd_bus_error_free(&error);
        unit_start_done(units, &w);
        return r;
}
