/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs where things go wrong at the worst moment: answers that come late, peers that hang up, records that cannot be
 * written, leaders that die halfway. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/str.h"
#include "fake-ports.h"

struct outcome {
        bool finished;
        struct fault fault;
};

static void on_finish(struct request *q) {
        struct outcome *o = q->adapter;

        assert_false(o->finished); /* exactly once */
        o->finished = true;
        o->fault = q->fault;
}

static struct request *new_request(struct fake *f, enum verb verb, const char *name, uid_t uid, struct outcome *o) {
        struct request *q = NULL;

        *o = (struct outcome){ .finished = false };
        assert_int_equal(request_new(f->service, verb, &q), 0);
        q->caller.uid = uid;
        q->caller.process.pid = 500;
        q->caller.process.id = 1500;
        q->name = name ? strdup(name) : NULL;
        q->finish = on_finish;
        q->adapter = o;
        return q;
}

static struct request *new_registration(struct fake *f, const char *name, pid_t leader, bool create, uid_t uid,
                                        struct outcome *o) {
        struct request *q = new_request(f, create ? VERB_CREATE : VERB_REGISTER, NULL, uid, o);

        q->registration = calloc(1, sizeof(*q->registration));
        assert_non_null(q->registration);
        q->registration->leader_fd = -EBADF;
        q->registration->create = create;
        assert_int_equal(machine_new(name, &q->registration->machine), 0);
        q->registration->machine->leader.pid = leader;
        return q;
}

static struct outcome do_register(struct fake *f, const char *name, pid_t leader, bool create, uid_t uid) {
        struct outcome o;
        struct request *q = new_registration(f, name, leader, create, uid, &o);

        service_submit(q);
        request_unref(q);
        return o;
}

static struct outcome do_verb(struct fake *f, enum verb verb, const char *name, uid_t uid) {
        struct outcome o;
        struct request *q = new_request(f, verb, name, uid, &o);

        q->signal = 15;
        service_submit(q);
        request_unref(q);
        return o;
}

static void test_order_of_a_registration(void **state) {
        struct fake f;
        struct outcome o;

        fake_init(&f);
        f.unit = "web.service";
        o = do_register(&f, "web", 10, false, 0);
        assert_int_equal(o.fault.kind, FAULT_NONE);
        assert_string_equal(f.log, "watch web;save web running;event registered web 0 500;new web;");
        assert_string_equal(service_find(f.service, "web")->unit, "web.service");
        assert_int_equal(service_find(f.service, "web")->supervisor.pid, 500);
        fake_done(&f);
}

static void test_order_of_a_creation(void **state) {
        struct fake f;

        fake_init(&f);
        assert_int_equal(do_register(&f, "web", 10, true, 0).fault.kind, FAULT_NONE);
        /* The intention is on disk before anything is made, the result before it is announced. */
        assert_string_equal(f.log, "watch web;save web opening;event created web 0 500;create web;save web running;"
                                   "event running web 0 500;new web;");
        fake_done(&f);
}

static void test_record_that_cannot_be_written(void **state) {
        struct fake f;
        struct outcome o;

        fake_init(&f);
        f.save_error = -ENOSPC;
        o = do_register(&f, "web", 10, false, 0);
        assert_int_equal(o.fault.kind, FAULT_ERRNO);
        assert_int_equal(o.fault.error, -ENOSPC);
        assert_null(service_find(f.service, "web"));
        assert_false(fake_happened(&f, "new web"));
        assert_true(fake_happened(&f, "unwatch web"));

        /* The second write of a creation: the cgroup exists by then and is let go of, not killed. */
        fake_forget_log(&f);
        f.hold_create = true;
        {
                struct request *q = new_registration(&f, "made", 11, true, 0, &o);

                service_submit(q);
                request_unref(q);
        }
        assert_false(o.finished);
        f.save_error = -ENOSPC;
        fake_finish_create(&f, 0);
        assert_true(o.finished);
        assert_int_equal(o.fault.error, -ENOSPC);
        assert_true(fake_happened(&f, "abandon made"));
        assert_null(service_find(f.service, "made"));
        fake_done(&f);
}

static void test_creation_that_fails(void **state) {
        struct fake f;
        struct outcome o;

        fake_init(&f);
        f.create_error = -EIO;
        o = do_register(&f, "web", 10, true, 0);
        assert_int_equal(o.fault.error, -EIO);
        assert_null(service_find(f.service, "web"));
        assert_true(fake_happened(&f, "drop web"));
        assert_false(fake_happened(&f, "new web"));
        assert_false(fake_happened(&f, "removed web")); /* nobody had heard of it */
        fake_done(&f);
}

static void test_leader_that_dies_while_its_cgroup_is_made(void **state) {
        struct fake f;
        struct outcome o;
        struct request *q;

        fake_init(&f);
        f.hold_create = true;
        q = new_registration(&f, "web", 10, true, 0, &o);
        service_submit(q);
        request_unref(q);
        fake_kill(&f, 10);
        assert_non_null(service_find(f.service, "web")); /* the answer about the cgroup decides */
        assert_int_equal(do_verb(&f, VERB_TERMINATE, "web", 0).fault.error, -EBUSY);
        fake_finish_create(&f, 0);
        assert_true(o.finished);
        assert_null(service_find(f.service, "web"));
        assert_true(fake_happened(&f, "release web"));
        assert_true(fake_happened(&f, "removed web"));
        fake_done(&f);
}

static void test_name_is_free_before_the_death_is_told(void **state) {
        struct fake f;

        fake_init(&f);
        do_register(&f, "web", 10, false, 0);
        f.dead[f.n_dead++] = 10; /* nobody has told the daemon yet */
        assert_int_equal(do_register(&f, "web", 11, false, 0).fault.kind, FAULT_NONE);
        assert_int_equal(service_find(f.service, "web")->leader.pid, 11);
        assert_true(fake_happened(&f, "removed web"));
        fake_done(&f);
}

static void test_peer_that_hangs_up_while_asked(void **state) {
        struct fake f;
        struct outcome o;
        struct request *q;

        fake_init(&f);
        f.hold_auth = true;
        q = new_registration(&f, "web", 1234, false, 1000, &o);
        service_submit(q);
        assert_true(request_is_waiting(q));
        request_cancel(q);
        request_unref(q);
        assert_false(o.finished);
        assert_true(fake_happened(&f, "cancel"));
        assert_null(service_find(f.service, "web"));
        fake_done(&f);
}

static void test_answer_after_the_machine_died(void **state) {
        struct fake f;
        struct outcome o;
        struct request *q;

        fake_init(&f);
        do_register(&f, "web", 10, false, 0);
        f.hold_auth = true;
        q = new_request(&f, VERB_TERMINATE, "web", 1000, &o);
        service_submit(q);
        assert_false(o.finished);
        fake_kill(&f, 10);
        fake_answer_auth(&f, AUTH_ALLOWED);
        request_unref(q);
        assert_true(o.finished);
        assert_int_equal(o.fault.kind, FAULT_NO_SUCH_MACHINE);
        assert_false(fake_happened(&f, "stop web"));
        fake_done(&f);
}

static void test_name_taken_while_a_password_was_typed(void **state) {
        struct fake f;
        struct outcome o;
        struct request *q;

        fake_init(&f);
        f.hold_auth = true;
        q = new_registration(&f, "web", 1234, false, 1000, &o);
        service_submit(q);
        do_register(&f, "web", 10, false, 0);
        fake_answer_auth(&f, AUTH_ALLOWED_ADMIN);
        request_unref(q);
        assert_int_equal(o.fault.kind, FAULT_MACHINE_EXISTS);
        assert_int_equal(service_find(f.service, "web")->leader.pid, 10);
        fake_done(&f);
}

static void test_who_may(void **state) {
        struct fake f;

        fake_init(&f);
        f.auth_result = AUTH_DENIED;
        assert_int_equal(do_register(&f, "a", 1234, false, 1000).fault.kind, FAULT_ACCESS_DENIED);
        f.auth_result = AUTH_INTERACTION_REQUIRED;
        assert_int_equal(do_register(&f, "a", 1234, false, 1000).fault.kind, FAULT_INTERACTIVE_AUTH);
        f.auth_result = AUTH_ALLOWED;
        assert_int_equal(do_register(&f, "a", 10, false, 1000).fault.kind, FAULT_ACCESS_DENIED); /* not his process */
        assert_int_equal(do_register(&f, "a", 1234, false, 1000).fault.kind, FAULT_NONE);
        f.auth_result = AUTH_ALLOWED_ADMIN;
        assert_int_equal(do_register(&f, "b", 10, false, 1000).fault.kind, FAULT_NONE);
        /* The owner needs to ask nobody, somebody else does. */
        f.auth_result = AUTH_DENIED;
        assert_int_equal(do_verb(&f, VERB_KILL, "a", 1000).fault.kind, FAULT_NONE);
        assert_int_equal(do_verb(&f, VERB_KILL, "a", 1001).fault.kind, FAULT_ACCESS_DENIED);
        assert_int_equal(do_verb(&f, VERB_OS_RELEASE, "a", 1000).fault.kind, FAULT_ACCESS_DENIED);
        assert_int_equal(do_verb(&f, VERB_SET_LOG, NULL, 1000).fault.kind, FAULT_ACCESS_DENIED);
        assert_int_equal(do_verb(&f, VERB_SET_LOG, NULL, 0).fault.kind, FAULT_NONE);
        fake_done(&f);
}

/* A log is there without its machine, and whose the machine is now does not matter. */
static void test_logs(void **state) {
        struct fake f;

        fake_init(&f);
        f.auth_result = AUTH_ALLOWED;
        assert_int_equal(do_register(&f, "a", 1234, false, 1000).fault.kind, FAULT_NONE);
        f.auth_result = AUTH_DENIED;
        assert_int_equal(do_verb(&f, VERB_OPEN_LOG, "a", 1000).fault.kind, FAULT_ACCESS_DENIED);
        assert_int_equal(do_verb(&f, VERB_OPEN_LOG, "gone", 1000).fault.kind, FAULT_ACCESS_DENIED);
        assert_false(fake_happened(&f, "log of a") || fake_happened(&f, "log of gone"));
        assert_int_equal(do_verb(&f, VERB_OPEN_LOG, "../a", 0).fault.kind, FAULT_INVALID_ARGUMENT);
        assert_int_equal(do_verb(&f, VERB_OPEN_LOG, "gone", 0).fault.kind, FAULT_INVALID_ARGUMENT); /* no socket */
        assert_true(fake_happened(&f, "log of gone"));
        fake_done(&f);
}

static void test_failed_registration_harms_nobody(void **state) {
        struct fake f;

        fake_init(&f);
        f.unit = "shared.service";
        do_register(&f, "a", 10, false, 0);
        fake_forget_log(&f);
        assert_int_equal(do_register(&f, "b", 10, false, 0).fault.error, -EEXIST); /* the same leader */
        assert_int_equal(do_register(&f, "c", 11, false, 0).fault.error, -EEXIST); /* the same unit */
        assert_string_equal(f.log, "");
        assert_non_null(service_find(f.service, "a"));
        f.unit = NULL;
        f.watch_error = -EMFILE;
        assert_int_equal(do_register(&f, "d", 12, false, 0).fault.error, -EMFILE);
        assert_null(service_find(f.service, "d"));
        fake_done(&f);
}

static struct machine *record(const char *name, pid_t leader, enum machine_state s, bool created) {
        struct machine *m = NULL;

        assert_int_equal(machine_new(name, &m), 0);
        m->leader.pid = leader;
        m->leader.id = 1000 + (uint64_t) leader;
        m->state = s;
        m->scope_created = created;
        if (created) {
                m->unit = strdup("made.scope");
                m->cgroup = strdup("/machine.slice/made.scope");
        }
        return m;
}

static void test_recovery(void **state) {
        struct fake f;

        fake_init(&f);
        f.records[0] = record("lives", 10, MACHINE_RUNNING, false);
        f.records[1] = record("died", 11, MACHINE_RUNNING, false);
        f.records[2] = record("half", 12, MACHINE_OPENING, true); /* its leader never got there */
        f.records[3] = record("ending", 13, MACHINE_CLOSING, false);
        f.dead[f.n_dead++] = 11;
        assert_int_equal(service_recover(f.service), 0);
        assert_non_null(service_find(f.service, "lives"));
        assert_true(fake_happened(&f, "new lives"));
        assert_null(service_find(f.service, "died"));
        assert_true(fake_happened(&f, "drop died") && fake_happened(&f, "removed died"));
        assert_null(service_find(f.service, "half"));
        assert_true(fake_happened(&f, "release half") && !fake_happened(&f, "removed half"));
        assert_true(fake_happened(&f, "stop ending"));
        assert_true(fake_happened(&f, "sweep"));
        fake_done(&f);
}

/* ---- the journal ---- */

static void test_events_of_a_life(void **state) {
        struct fake f;

        fake_init(&f);
        do_register(&f, "web", 10, false, 0);
        fake_forget_log(&f);
        do_verb(&f, VERB_KILL, "web", 0);
        do_verb(&f, VERB_TERMINATE, "web", 0);
        do_verb(&f, VERB_TERMINATE, "web", 0); /* nothing changes any more */
        fake_kill(&f, 10);
        /* Where a machine goes its event is before the record is dropped, so that neither can be lost. */
        assert_string_equal(f.log, "event kill web 0 500;kill_all web 15;save web closing;event closing web 0 500;"
                                   "stop web;release web;event removed web -;drop web;unwatch web;removed web;");
        fake_forget_log(&f);
        do_register(&f, "web", 11, false, 0);
        do_verb(&f, VERB_UNREGISTER, "web", 0);
        assert_true(fake_happened(&f, "event unregistered web 0 500"));
        assert_int_equal(event_ring_last(service_events(f.service)), 6);
        fake_done(&f);
}

static void test_events_of_failures(void **state) {
        struct outcome o;
        struct fake f;

        fake_init(&f);
        f.save_error = -ENOSPC;
        do_register(&f, "web", 10, false, 0);
        f.auth_result = AUTH_DENIED;
        do_register(&f, "web", 1234, false, 1000);
        assert_int_equal(event_ring_last(service_events(f.service)), 0); /* nothing has happened */
        f.create_error = -EIO;
        do_register(&f, "web", 10, true, 0);
        assert_true(fake_happened(&f, "event created web 0 500") && fake_happened(&f, "event create-failed web -"));
        assert_false(fake_happened(&f, "event running web 0 500"));
        fake_forget_log(&f);
        f.create_error = 0;
        f.hold_create = true;
        {
                struct request *q = new_registration(&f, "made", 11, true, 0, &o);

                service_submit(q);
                request_unref(q);
        }
        f.save_error = -ENOSPC; /* its record as running */
        fake_finish_create(&f, 0);
        assert_true(fake_happened(&f, "event create-failed made -"));
        fake_done(&f);
}

static struct event *past(uint64_t sequence, const char *kind, const char *machine, uint64_t usec) {
        const struct event e = { .sequence = sequence,
                                 .kind = kind,
                                 .machine = machine,
                                 .monotonic_usec = usec,
                                 .actor_uid = EVENT_NOBODY };
        struct event *copy = NULL;

        assert_int_equal(event_copy(&e, &copy), 0);
        return copy;
}

/* Killed between a record and its event: the later of the two is made good, and nothing is noted twice. */
static void test_events_after_a_kill(void **state) {
        static const struct {
                enum machine_state state; /* of the record, of time 100 */
                bool created, dead;
                const char *last;  /* event of the machine; NULL: none */
                uint64_t usec;     /* and its time */
                const char *noted; /* what is noted now */
                bool lives;
        } rows[] = {
                { MACHINE_RUNNING, false, false, "registered", 101, "", true },
                { MACHINE_RUNNING, false, true, "registered", 101, "event removed m -;", false },
                { MACHINE_RUNNING, false, false, NULL, 0, "event registered m 7 0;", true },
                { MACHINE_RUNNING, false, true, NULL, 0, "event registered m 7 0;event removed m -;", false },
                { MACHINE_RUNNING, false, true, "removed", 101, "", false },
                { MACHINE_RUNNING, false, false, "unregistered", 101, "", false },
                { MACHINE_RUNNING, false, false, "unregistered", 99, "event registered m 7 0;",
                  true }, /* an earlier one */
                { MACHINE_RUNNING, true, false, "created", 101, "event running m 7 0;", true },
                { MACHINE_RUNNING, true, false, "create-failed", 101, "", false },
                { MACHINE_RUNNING, true, false, "running", 101, "", true },
                { MACHINE_OPENING, true, true, "created", 101, "event create-failed m -;", false },
                { MACHINE_OPENING, true, true, NULL, 0, "", false },
                { MACHINE_CLOSING, false, false, "registered", 101, "event closing m -;", true },
                { MACHINE_CLOSING, false, false, "closing", 101, "", true },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                char noted[4096] = "", *save = NULL;
                struct fake f;

                fake_init(&f);
                f.records[0] = record("m", 10, rows[i].state, rows[i].created);
                f.records[0]->uid = 7;
                f.records[0]->monotonic_usec = 100;
                f.journal[0] = past(1, "registered", "other", 50);
                if (rows[i].last)
                        f.journal[1] = past(2, rows[i].last, "m", rows[i].usec);
                if (rows[i].last)
                        f.journal[2] = past(3, "kill", "m", 110); /* says nothing of its life */
                if (rows[i].dead)
                        f.dead[f.n_dead++] = 10;
                assert_int_equal(service_recover(f.service), 0);
                assert_int_equal(service_find(f.service, "m") != NULL, rows[i].lives);
                for (char *word = strtok_r(f.log, ";", &save); word; word = strtok_r(NULL, ";", &save))
                        if (strncmp(word, "event ", 6) == 0)
                                strcat(strcat(noted, word), ";");
                assert_string_equal(noted, rows[i].noted);
                fake_done(&f);
        }
}

/* What was dropped from the journal, or set aside, is not told again; its numbers are not used again. */
static void test_events_with_a_short_journal(void **state) {
        const struct event *e;
        struct event_gap gap;
        struct fake f;

        fake_init(&f);
        f.records[0] = record("old", 10, MACHINE_RUNNING, false);
        f.records[0]->monotonic_usec = 100;
        f.records[1] = record("new", 11, MACHINE_RUNNING, false);
        f.records[1]->monotonic_usec = 300;
        f.journal[0] = past(70, "registered", "other", 200);
        f.journal_last = 1000;
        assert_int_equal(service_recover(f.service), 0);
        assert_false(fake_happened(&f, "event registered old 0 0"));
        assert_true(fake_happened(&f, "event registered new 0 0"));
        e = event_ring_next(service_events(f.service), 70, &gap);
        assert_int_equal(e->sequence, 1001);
        assert_int_equal(gap.from, 71);
        assert_int_equal(gap.to, 1000);
        fake_done(&f);
}

static void test_details_are_checked(void **state) {
        struct event_detail many[EVENT_DETAILS_MAX + 3];
        struct event_gap gap;
        const struct event *e;
        char text[2000];
        struct fake f;

        fake_init(&f);
        do_register(&f, "web", 10, false, 0);
        memset(text, 'x', sizeof(text) - 1);
        text[sizeof(text) - 1] = '\0';
        for (size_t i = 0; i < ELEMENTS(many) - 1; i++)
                many[i] = (struct event_detail){ "command", i == 0 ? text : i == 1 ? "a\nb\xff" : NULL };
        many[ELEMENTS(many) - 1] = (struct event_detail){ NULL, NULL };
        service_event(f.service, EVENT_KIND_EXEC, service_find(f.service, "web"), NULL, many);
        e = event_ring_next(service_events(f.service), 1, &gap);
        assert_int_equal(e->n_details, EVENT_DETAILS_MAX);
        assert_int_equal(strlen(e->details[0].value), EVENT_VALUE_MAX);
        assert_string_equal(e->details[1].value, "a\\x0ab\\xff");
        assert_string_equal(e->details[2].value, "");
        fake_done(&f);
}

static void test_finding_by_process(void **state) {
        struct machine *m = NULL;
        struct fault fault = FAULT_OK;
        struct fake f;

        fake_init(&f);
        do_register(&f, "a", 10, false, 0);
        m = service_find(f.service, "a");
        assert_ptr_equal(service_find_by_pid(f.service, 10), m);
        assert_ptr_equal(service_find_by_pid(f.service, 77), m); /* its child */
        assert_null(service_find_by_pid(f.service, 1));
        assert_null(service_find_by_pid(f.service, 78));
        assert_int_equal(service_target(f.service, "a", 10, &m, &fault), 0);
        assert_int_equal(service_target(f.service, ".host", 10, &m, &fault), -1);
        assert_int_equal(service_target(f.service, NULL, -1, &m, &fault), -1);
        fake_done(&f);
}

static void test_user_numbers(void **state) {
        const struct machine *m = NULL;
        struct fault fault = FAULT_OK;
        uint32_t inner = 0;
        struct fake f;

        fake_init(&f);
        do_register(&f, "a", 10, false, 0);
        do_register(&f, "b", 11, false, 0);
        assert_int_equal(service_map_to(f.service, false, 1100005, &m, &inner, &fault), 0);
        assert_string_equal(m->name, "b");
        assert_int_equal(inner, 5);
        assert_int_equal(service_map_to(f.service, false, 5, &m, &inner, &fault), -1);
        assert_int_equal(fault.kind, FAULT_USER_IN_HOST_RANGE);
        fake_kill(&f, 11);
        assert_int_equal(service_map_to(f.service, false, 1100005, &m, &inner, &fault), -1);
        assert_int_equal(fault.kind, FAULT_NO_USER_MAPPING);
        assert_int_equal(service_map_to(f.service, true, 1000005, &m, &inner, &fault), 0);
        assert_string_equal(m->name, "a");
        fake_done(&f);
}

/* What is read while nobody asks is not read again when somebody does. */
static void test_reading_ahead(void **state) {
        const struct machine *m = NULL;
        struct fault fault = FAULT_OK;
        uint32_t inner = 0;
        struct fake f;
        char name[16];
        unsigned read;

        fake_init(&f);
        assert_false(service_has_unread(f.service));
        for (int i = 0; i < 40; i++) {
                snprintf(name, sizeof(name), "m%d", i);
                do_register(&f, name, 100 + i, false, 0);
        }
        assert_int_equal(f.n_maps_read, 0);
        assert_true(service_has_unread(f.service));
        assert_true(service_read_ahead(f.service));
        read = f.n_maps_read;
        assert_in_range(read, 2, 79);
        fake_kill(&f, 139);
        assert_false(service_read_ahead(f.service));
        assert_false(service_has_unread(f.service));
        assert_true(f.n_maps_read > read && f.n_maps_read < 80);
        read = f.n_maps_read;
        assert_int_equal(service_map_to(f.service, false, 10000005, &m, &inner, &fault), 0);
        assert_string_equal(m->name, "m0");
        assert_int_equal(f.n_maps_read, read + 1); /* the hit is confirmed */
        do_register(&f, "late", 200, false, 0);
        assert_true(service_has_unread(f.service));
        assert_int_equal(service_map_to(f.service, false, 20000005, &m, &inner, &fault), 0);
        assert_string_equal(m->name, "late");
        assert_false(service_has_unread(f.service));
        fake_done(&f);
}

static void test_users(void **state) {
        struct machine_user u;
        struct fake f;

        fake_init(&f);
        do_register(&f, "a", 10, false, 0);
        do_register(&f, "b.c", 11, false, 0);
        assert_true(service_user_by_id(f.service, false, 1000005, &u));
        assert_string_equal(u.name, "vu-a-5");
        assert_true(u.inside == 5 && u.outside == 1000005 && streq(u.machine->name, "a"));
        assert_true(service_user_by_name(f.service, true, "vg-a-7", &u));
        assert_int_equal(u.outside, 1000007);
        assert_false(service_user_by_id(f.service, false, 1100005, &u)); /* no name can be made of b.c */
        assert_false(service_user_by_id(f.service, false, 5, &u));
        assert_false(service_user_by_name(f.service, false, "vg-a-7", &u));
        assert_false(service_user_by_name(f.service, false, "vu-a-70000", &u));
        assert_false(service_user_by_name(f.service, false, "vu-none-7", &u));
        assert_false(service_user_by_name(f.service, false, "vu-.host-7", &u));
        fake_kill(&f, 10);
        assert_false(service_user_by_id(f.service, false, 1000005, &u));
        assert_false(service_user_by_name(f.service, false, "vu-a-5", &u));
        fake_done(&f);
}

/* However many have come since the last question: none is told of as missing because nobody has looked yet. */
static void test_user_numbers_of_many(void **state) {
        const struct machine *m = NULL;
        struct fault fault = FAULT_OK;
        char name[16];
        struct fake f;
        uint32_t inner = 0;

        fake_init(&f);
        for (int pid = 10; pid < 10010; pid++) {
                snprintf(name, sizeof(name), "m%d", pid);
                assert_int_equal(do_register(&f, name, pid, false, 0).fault.kind, FAULT_NONE);
        }
        assert_int_equal(service_map_to(f.service, false, 1000900005, &m, &inner, &fault), 0);
        assert_string_equal(m->name, "m10009");
        assert_int_equal(inner, 5);
        fake_done(&f);
}

static struct outcome do_enter(struct fake *f, enum verb verb, enum session_kind kind, const char *name, uid_t uid,
                               const char *word) {
        struct outcome o;
        struct request *q = new_request(f, verb, name, uid, &o);

        assert_int_equal(session_new(kind, &q->session), 0);
        q->session->terminal = q->session->detach = verb != VERB_EXEC;
        if (word)
                assert_int_equal(strv_extend(&q->session->arguments, word), 0);
        service_submit(q);
        request_unref(q);
        return o;
}

/* Names and arguments first, then whose machine it is, then permission; and nothing begins before all have been asked. */
static void test_entering(void **state) {
        struct outcome o;
        struct fake f;

        fake_init(&f);
        do_register(&f, "a", 10, false, 0);
        do_register(&f, "theirs", 1011, false, 1000);
        f.auth_result = AUTH_DENIED;
        assert_int_equal(do_enter(&f, VERB_EXEC, SESSION_COMMAND, "none", 0, "ls").fault.kind, FAULT_NO_SUCH_MACHINE);
        o = do_enter(&f, VERB_EXEC, SESSION_COMMAND, ".host", 1000, "ls");
        assert_int_equal(o.fault.kind, FAULT_ACCESS_DENIED);
        assert_non_null(strstr(o.fault.text, "org.freedesktop.machine1.host-shell"));
        assert_true(fake_happened(&f, "ask org.freedesktop.machine1.host-shell"));
        assert_int_equal(do_enter(&f, VERB_OPEN_LOGIN, SESSION_LOGIN, ".host", 1000, NULL).fault.kind,
                         FAULT_ACCESS_DENIED);
        assert_true(fake_happened(&f, "ask org.freedesktop.machine1.host-login"));
        assert_int_equal(do_enter(&f, VERB_OPEN_PTY, SESSION_PTY, ".host", 1000, NULL).fault.kind, FAULT_ACCESS_DENIED);
        assert_true(fake_happened(&f, "ask org.freedesktop.machine1.host-open-pty"));
        assert_int_equal(do_enter(&f, VERB_EXEC, SESSION_COMMAND, ".host", 0, "ls").fault.kind, FAULT_NONE);
        assert_true(fake_happened(&f, "enter .host ls"));
        o = do_enter(&f, VERB_EXEC, SESSION_COMMAND, "a", 1000, NULL);
        assert_int_equal(o.fault.kind, FAULT_INVALID_ARGUMENT);
        assert_string_equal(o.fault.field, "arguments");
        o = do_enter(&f, VERB_EXEC, SESSION_COMMAND, "a", 1000, "ls");
        assert_int_equal(o.fault.kind, FAULT_ACCESS_DENIED);
        assert_non_null(strstr(o.fault.text, "org.freedesktop.machine1.shell"));
        assert_false(fake_happened(&f, "enter a ls"));
        assert_int_equal(do_enter(&f, VERB_OPEN_PTY, SESSION_PTY, "a", 1000, NULL).fault.kind, FAULT_ACCESS_DENIED);
        assert_true(fake_happened(&f, "ask org.freedesktop.machine1.open-pty"));
        assert_int_equal(do_enter(&f, VERB_OPEN_LOGIN, SESSION_LOGIN, "a", 1000, NULL).fault.kind, FAULT_ACCESS_DENIED);
        assert_true(fake_happened(&f, "ask org.freedesktop.machine1.login"));
        assert_int_equal(do_enter(&f, VERB_EXEC, SESSION_COMMAND, "a", 0, "ls").fault.kind, FAULT_NONE);
        assert_true(fake_happened(&f, "enter a ls"));
        /* An owner needs no permission; but nobody gets in where root would be the host's. */
        assert_int_equal(do_enter(&f, VERB_EXEC, SESSION_COMMAND, "theirs", 1000, "ls").fault.kind, FAULT_NONE);
        f.enter_error = -EDQUOT;
        o = do_enter(&f, VERB_EXEC, SESSION_COMMAND, "theirs", 1000, "ls");
        assert_int_equal(o.fault.kind, FAULT_LIMIT);
        assert_non_null(strstr(o.fault.text, "of yours"));
        assert_int_equal(f.entered_by, 1000);
        f.enter_error = 0;
        f.shares_users = true;
        fake_forget_log(&f);
        for (uid_t uid = 0; uid <= 1000; uid += 1000)
                assert_int_equal(do_enter(&f, VERB_EXEC, SESSION_COMMAND, "theirs", uid, "ls").fault.kind,
                                 FAULT_ACCESS_DENIED);
        assert_false(fake_happened(&f, "enter theirs ls"));
        assert_int_equal(do_enter(&f, VERB_EXEC, SESSION_COMMAND, "a", 0, "ls").fault.kind, FAULT_NONE);
        f.enter_error = -ENOBUFS;
        assert_int_equal(do_enter(&f, VERB_EXEC, SESSION_COMMAND, "a", 0, "ls").fault.kind, FAULT_LIMIT);
        assert_int_equal(do_enter(&f, VERB_OPEN_SHELL, SESSION_SHELL, "a", 0, NULL).fault.kind, FAULT_LIMIT);
        f.enter_error = -ENOENT;
        o = do_enter(&f, VERB_OPEN_SHELL, SESSION_SHELL, "a", 0, NULL);
        assert_int_equal(o.fault.kind, FAULT_ERRNO);
        assert_string_equal(o.fault.text, "why");
        fake_done(&f);
}

/* While a password is typed the machine ends, or becomes one that nobody may enter: nothing is begun. */
static void test_entering_late(void **state) {
        struct outcome o;
        struct request *q;
        struct fake f;

        for (int i = 0; i < 2; i++) {
                fake_init(&f);
                do_register(&f, "a", 1010, false, 1000);
                f.hold_auth = true;
                q = new_request(&f, VERB_EXEC, "a", 1001, &o);
                assert_int_equal(session_new(SESSION_COMMAND, &q->session), 0);
                assert_int_equal(strv_extend(&q->session->arguments, "ls"), 0);
                service_submit(q);
                assert_false(o.finished);
                if (i == 0)
                        fake_kill(&f, 1010);
                else
                        f.shares_users = true;
                fake_answer_auth(&f, AUTH_ALLOWED);
                assert_true(o.finished);
                assert_int_equal(o.fault.kind, i == 0 ? FAULT_NO_SUCH_MACHINE : FAULT_ACCESS_DENIED);
                assert_false(fake_happened(&f, "enter a ls"));
                request_unref(q);
                fake_done(&f);
        }
}

static struct request *begin_transfer(struct fake *f, enum verb verb, const char *name, uid_t uid, const char *source,
                                      int status, struct outcome *o) {
        enum transfer_kind kind = verb == VERB_BIND      ? TRANSFER_BIND
                                  : verb == VERB_COPY_TO ? TRANSFER_COPY_TO
                                                         : TRANSFER_COPY_FROM;
        struct request *q = new_request(f, verb, name, uid, o);

        assert_int_equal(transfer_new(kind, &q->transfer), 0);
        assert_int_equal(str_replace(&q->transfer->source, source), 0);
        q->transfer->fds[TRANSFER_FD_STATUS] = status;
        service_submit(q);
        return q;
}

static enum fault_kind refused_transfer(struct fake *f, enum verb verb, const char *name, uid_t uid,
                                        const char *source) {
        struct outcome o;

        request_unref(begin_transfer(f, verb, name, uid, source, -EBADF, &o));
        assert_true(o.finished);
        return o.fault.kind;
}

/* Name, class, arguments, whose it is, permission; no owner may by being one. */
static void test_transfers(void **state) {
        struct request *q;
        struct outcome o;
        struct fake f;

        fake_init(&f);
        do_register(&f, "a", 10, false, 0);
        do_register(&f, "theirs", 1011, false, 1000);
        f.auth_result = AUTH_DENIED;
        assert_int_equal(refused_transfer(&f, VERB_BIND, "none", 0, "/s"), FAULT_NO_SUCH_MACHINE);
        assert_int_equal(refused_transfer(&f, VERB_COPY_TO, ".host", 0, "s"), FAULT_NOT_SUPPORTED);
        assert_int_equal(refused_transfer(&f, VERB_COPY_TO, "a", 0, "s"), FAULT_INVALID_ARGUMENT);
        assert_int_equal(refused_transfer(&f, VERB_COPY_TO, "theirs", 1000, "/s"), FAULT_ACCESS_DENIED);
        assert_true(fake_happened(&f, "ask org.freedesktop.machine1.manage-machines"));
        assert_false(fake_happened(&f, "transfer theirs /s /s"));
        f.shares_users = true;
        assert_int_equal(refused_transfer(&f, VERB_BIND, "theirs", 0, "/s"), FAULT_ACCESS_DENIED);
        f.shares_users = false;
        f.transfer_error = -ENOENT;
        assert_int_equal(refused_transfer(&f, VERB_COPY_FROM, "a", 0, "/s"), FAULT_ERRNO);
        assert_false(fake_happened(&f, "event copy-from a 0 500"));
        f.transfer_error = 0;
        q = begin_transfer(&f, VERB_COPY_FROM, "a", 0, "/s", -EBADF, &o);
        assert_false(o.finished);
        assert_true(request_is_waiting(q));
        assert_true(fake_happened(&f, "transfer a /s /s"));
        fake_kill(&f, 10);
        fake_finish_transfer(&f, 0, -ESRCH, "It has\nended.");
        assert_int_equal(o.fault.error, -ESRCH);
        assert_string_equal(o.fault.text, "It has\\x0aended.");
        request_unref(q);
        fake_done(&f);
}

/* A caller that goes away, and one that has its own ear, and then goes. */
static void test_transfers_of_the_absent(void **state) {
        struct request *q;
        struct outcome o;
        struct fake f;

        fake_init(&f);
        do_register(&f, "a", 10, false, 0);
        q = begin_transfer(&f, VERB_COPY_TO, "a", 0, "/s", -EBADF, &o);
        request_cancel(q);
        request_unref(q);
        assert_true(fake_happened(&f, "cancel-transfer 0"));
        fake_finish_transfer(&f, 0, -ECANCELED, NULL);
        assert_false(o.finished);
        fake_forget_log(&f);
        q = begin_transfer(&f, VERB_BIND, "a", 0, "/s", 7, &o);
        assert_true(o.finished);
        assert_int_equal(o.fault.kind, FAULT_NONE);
        request_cancel(q);
        request_unref(q);
        assert_false(fake_happened(&f, "cancel-transfer 0"));
        fake_finish_transfer(&f, 0, -EIO, "why");
        fake_done(&f);
}

static void test_many_transfers(void **state) {
        struct outcome o;
        struct fake f;

        fake_init(&f);
        do_register(&f, "a", 10, false, 0);
        for (int i = 0; i < TRANSFERS_OF_USER_MAX; i++)
                request_unref(begin_transfer(&f, VERB_COPY_TO, "a", 1000, "/s", 7, &o));
        assert_int_equal(o.fault.kind, FAULT_NONE);
        assert_int_equal(refused_transfer(&f, VERB_COPY_TO, "a", 1000, "/s"), FAULT_TOO_MANY_OPERATIONS);
        for (int i = TRANSFERS_OF_USER_MAX; i < TRANSFERS_MAX; i++)
                request_unref(begin_transfer(&f, VERB_COPY_TO, "a", 0, "/s", 7, &o));
        assert_int_equal(o.fault.kind, FAULT_NONE);
        assert_int_equal(refused_transfer(&f, VERB_COPY_TO, "a", 0, "/s"), FAULT_TOO_MANY_OPERATIONS);
        fake_finish_transfer(&f, 20, 0, NULL);
        request_unref(begin_transfer(&f, VERB_COPY_TO, "a", 0, "/s", 7, &o));
        assert_int_equal(o.fault.kind, FAULT_NONE);
        for (size_t i = 0; i < TRANSFERS_MAX; i++)
                fake_finish_transfer(&f, i, 0, NULL);
        fake_done(&f);
}

static void test_images(void **state) {
        struct fake f;
        struct fault fault = FAULT_OK;

        fake_init(&f);
        assert_int_equal(service_find_image(f.service, "image", &fault), 0);
        assert_int_equal(service_find_image(f.service, ".host", &fault), 0);
        assert_int_equal(service_find_image(f.service, "none", &fault), -1);
        assert_int_equal(fault.kind, FAULT_NO_SUCH_IMAGE);
        assert_int_equal(service_find_image(f.service, "../image", &fault), -1);
        fake_done(&f);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_a_registration),
        cmocka_unit_test(test_order_of_a_creation),
        cmocka_unit_test(test_record_that_cannot_be_written),
        cmocka_unit_test(test_creation_that_fails),
        cmocka_unit_test(test_leader_that_dies_while_its_cgroup_is_made),
        cmocka_unit_test(test_name_is_free_before_the_death_is_told),
        cmocka_unit_test(test_peer_that_hangs_up_while_asked),
        cmocka_unit_test(test_answer_after_the_machine_died),
        cmocka_unit_test(test_name_taken_while_a_password_was_typed),
        cmocka_unit_test(test_who_may),
        cmocka_unit_test(test_failed_registration_harms_nobody),
        cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_events_of_a_life),
        cmocka_unit_test(test_events_of_failures),
        cmocka_unit_test(test_events_after_a_kill),
        cmocka_unit_test(test_events_with_a_short_journal),
        cmocka_unit_test(test_details_are_checked),
        cmocka_unit_test(test_finding_by_process),
        cmocka_unit_test(test_user_numbers),
        cmocka_unit_test(test_reading_ahead),
        cmocka_unit_test(test_user_numbers_of_many),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_images),
        cmocka_unit_test(test_entering),
        cmocka_unit_test(test_logs),
        cmocka_unit_test(test_entering_late),
        cmocka_unit_test(test_transfers),
        cmocka_unit_test(test_transfers_of_the_absent),
        cmocka_unit_test(test_many_transfers),
};

RUN_TESTS(tests)
