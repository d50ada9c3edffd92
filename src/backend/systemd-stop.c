/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "backend/systemd-stop.h"

#include <errno.h>
#include <stdlib.h>

#include "backend/stopping.h"
#include "backend/systemd-scope.h"
#include "base/log.h"
#include "base/str.h"

struct question {
        struct question *next;
        struct systemd_stops *stops;
        sd_bus_slot *slot;
        struct machine *machine; /* stopping_copy(): it may be gone when the answer comes */
        bool last;
};

struct systemd_stops {
        systemd_stop_failed_fn failed;
        void *userdata;
        struct question *questions;
};

static void question_free(struct question *q) {
        struct question **link = &q->stops->questions;

        while (*link != q)
                link = &(*link)->next;
        *link = q->next;
        sd_bus_slot_unref(q->slot); /* an answer that is still to come is not heard */
        machine_free(q->machine);
        free(q);
}

static int on_answer(sd_bus_message *m, void *userdata, sd_bus_error *unused) {
        struct question *q = userdata;
        const sd_bus_error *error = sd_bus_message_get_error(m);
        struct systemd_stops *s = q->stops;
        AUTO(machine_freep) struct machine *machine = NULL;
        bool last = q->last;

        if (error && !sd_bus_error_has_name(error, SYSTEMD_ERROR("NoSuchUnit")) &&
            !sd_bus_error_has_name(error, SYSTEMD_ERROR("LoadFailed")))
                machine = STEAL(q->machine);
        if (machine)
                log_warning("The service manager does not stop %s: %s", machine->unit, strempty(error->message));
        question_free(q);
        if (machine)
                s->failed(s->userdata, machine, last);
        return 0;
}

int systemd_stop_ask(struct systemd_stops *s, sd_bus *bus, const struct machine *m, bool last) {
        struct question *q;
        int r;

        systemd_stop_forget(s, m->name);
        q = calloc(1, sizeof(*q));
        if (!q)
                return -ENOMEM;
        *q = (struct question){ .next = s->questions, .stops = s, .last = last };
        s->questions = q;
        r = stopping_copy(m, &q->machine);
        /* How long it has until it is killed is said by the unit's own settings. */
        if (r >= 0)
                r = systemd_call_unit(bus, &q->slot, "StopUnit", m->unit, on_answer, q, "s", "fail");
        if (r < 0)
                question_free(q);
        return r < 0 ? r : 0;
}

void systemd_stop_forget(struct systemd_stops *s, const char *name) {
        struct question *q = s->questions;

        while (q && !streq(q->machine->name, name))
                q = q->next;
        if (q)
                question_free(q);
}

int systemd_stops_new(systemd_stop_failed_fn failed, void *userdata, struct systemd_stops **ret) {
        struct systemd_stops *s = calloc(1, sizeof(*s));

        if (!s)
                return -ENOMEM;
        s->failed = failed;
        s->userdata = userdata;
        *ret = s;
        return 0;
}

void systemd_stops_free(struct systemd_stops *s) {
        if (!s)
                return;
        while (s->questions)
                question_free(s->questions);
        free(s);
}
