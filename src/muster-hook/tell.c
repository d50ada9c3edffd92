/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Over Varlink, one connection for each hook. The registry decides: it identifies the leader itself, and who may register
 * it. What is found out here besides - interfaces, root directory - only describes. */
#include "muster-hook/tell.h"

#include <errno.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "client/failure-text.h"
#include "client/register-call.h"
#include "client/varlink-client.h"
#include "codec/json-text.h"
#include "codec/machine-view.h"
#include "muster-hook/fail.h"
#include "sys/netns-peers.h"
#include "sys/pidfd.h"
#include "sys/procfs.h"

#define INTERFACES_MAX 64

enum outcome { DONE, TAKEN /* the name belongs to another machine */, ABSENT, FAILED };

/* ---- what every call needs ---- */

static int say(int error, struct buf *sentence) {
        return error < 0 || buf_error(sentence) ? fail("Out of memory.") : fail("%s", sentence->data);
}

static int say_connection(const struct options *o, const struct container *c, int error) {
        AUTO_BUF struct buf sentence = BUF_EMPTY;

        buf_printf(&sentence, "Container \"%s\": ", c->shown);
        return say(failure_text_connection(o->run, error, &sentence), &sentence);
}

static int say_answer(const struct varlink_answer *answer, const char *doing, const char *name,
                      const struct container *c) {
        AUTO_BUF struct buf sentence = BUF_EMPTY;

        buf_printf(&sentence, "Container \"%s\": ", c->shown);
        return say(failure_text_answer(answer, doing, name, &sentence), &sentence);
}

static bool is_error(const struct varlink_answer *answer, const char *error) {
        return answer->error && streq(answer->error, error);
}

/* A call about the machine of that name, or (name NULL) the one that pid belongs to. */
static int call_about(struct varlink_client *client, const char *method, const char *name, pid_t pid,
                      struct varlink_answer *ret) {
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&parameters);

        json_text_begin_object(&j, NULL);
        json_text_string_if(&j, "name", name);
        if (!name) {
                json_text_begin_object(&j, "pid");
                json_text_unsigned(&j, "pid", (uint64_t) pid);
                json_text_end_object(&j);
        }
        json_text_end_object(&j);
        buf_append_char(&parameters, '\0');
        return buf_error(&parameters) ? buf_error(&parameters)
                                      : varlink_client_call(client, method, parameters.data, ret);
}

/* DONE: *ret is the machine of that name, or process. ABSENT: there is none. FAILED: has been said. */
static enum outcome look_up(const struct options *o, struct varlink_client *client, const struct container *c,
                            const char *name, pid_t pid, struct machine_view *ret) {
        AUTO(varlink_answer_done) struct varlink_answer answer = VARLINK_ANSWER_EMPTY;
        enum outcome outcome = FAILED;
        int r = call_about(client, "io.systemd.Machine.List", name, pid, &answer);

        if (r < 0)
                say_connection(o, c, r);
        else if (is_error(&answer, "io.systemd.Machine.NoSuchMachine"))
                outcome = ABSENT;
        else if (answer.error)
                say_answer(&answer, "look up", name ? name : c->shown, c);
        else if ((r = machine_view_decode(&answer, ret)) < 0)
                say_connection(o, c, r);
        else
                outcome = DONE;
        return outcome;
}

void container_add_name(struct container *c, const char *foreign) {
        char *name = c->names[c->n_names];

        if (c->n_names == CONTAINER_NAMES_MAX)
                return;
        machine_name_from(foreign, name);
        if (c->n_names == 0 || !streq(name, c->names[0]))
                c->n_names++;
}

/* ---- start ---- */

/* Only where our interfaces are those of the host, as PID 1 sees it: indexes of another namespace would mislead. */
static size_t find_interfaces(pid_t pid, unsigned ret[static INTERFACES_MAX]) {
        struct netns_peer entries[INTERFACES_MAX];
        struct netns_peers peers = { .entries = entries, .max = INTERFACES_MAX };

        if (proc_same_namespace(1, 0, "net") <= 0 || netns_peers(pid, &peers) < 0)
                return 0;
        for (size_t i = 0; i < peers.n; i++)
                ret[i] = entries[i].ifindex;
        return peers.n;
}

static bool is_leader_of(const struct pidref *leader, const struct machine_view *v) {
        return v->leader.pid == leader->pid &&
               (v->leader.pidfd_id == 0 || leader->id == 0 || v->leader.pidfd_id == leader->id);
}

/* Refused because something is there already: perhaps by an earlier hook of this very container, which is fine.
 * MachineExists: the name is taken. EEXIST: the process leads a machine, or its unit belongs to one. */
static enum outcome look_at_holder(const struct options *o, struct varlink_client *client, const struct container *c,
                                   const char *name, const struct pidref *leader,
                                   const struct varlink_answer *refusal) {
        bool name_taken = is_error(refusal, "io.systemd.Machine.MachineExists"), ours = false;
        struct machine_view v;
        enum outcome outcome = look_up(o, client, c, name_taken ? name : NULL, leader->pid, &v);

        if (outcome == FAILED)
                return FAILED;
        if (outcome == DONE) {
                ours = is_leader_of(leader, &v);
                machine_view_done(&v);
        }
        if (ours)
                return DONE;
        if (name_taken)
                return TAKEN;
        say_answer(refusal, "register", name, c);
        return FAILED;
}

static enum outcome register_as(const struct options *o, struct varlink_client *client, const struct container *c,
                                const char *name, const struct pidref *leader) {
        AUTO(varlink_answer_done) struct varlink_answer answer = VARLINK_ANSWER_EMPTY;
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        unsigned ifindices[INTERFACES_MAX];
        const struct register_call call = {
                .name = name,
                .leader = leader,
                .service = c->service,
                .root_directory = c->root,
                .id = c->id,
                .ifindices = ifindices,
                .n_ifindices = find_interfaces(leader->pid, ifindices),
        };
        int r;

        r = register_call_encode(&call, &parameters);
        if (r == 0)
                r = varlink_client_call(client, "io.systemd.Machine.Register", parameters.data, &answer);
        if (r < 0)
                say_connection(o, c, r);
        else if (!answer.error)
                return DONE;
        else if (is_error(&answer, "io.systemd.Machine.MachineExists") || answer.error_number == EEXIST)
                return look_at_holder(o, client, c, name, leader, &answer);
        else
                say_answer(&answer, "register", name, c);
        return FAILED;
}

int tell_start(const struct options *o, const struct container *c) {
        AUTO(varlink_client_freep) struct varlink_client *client = NULL;
        AUTO(pidref_done) struct pidref leader = PIDREF_EMPTY;
        enum outcome outcome = TAKEN;
        int r;

        r = pidref_open(c->pid, &leader);
        if (r < 0)
                return fail("Container \"%s\": cannot look at its process %d: %s.", c->shown, (int) c->pid,
                            strerror(-r));
        r = varlink_client_connect(o->run, o->timeout_msec, &client);
        if (r < 0)
                return say_connection(o, c, r);
        for (size_t i = 0; i < c->n_names && outcome == TAKEN; i++)
                outcome = register_as(o, client, c, c->names[i], &leader);
        if (outcome == TAKEN)
                fail("Container \"%s\" is not registered: another machine is called \"%s\".", c->shown,
                     c->names[c->n_names - 1]);
        return outcome == DONE ? 0 : -1;
}

/* ---- stop ---- */

static bool leader_has_ended(const struct machine_view *v) {
        AUTO(pidref_done) struct pidref p = PIDREF_EMPTY;
        int r = pidref_open(v->leader.pid, &p);

        if (r < 0)
                return r == -ESRCH;
        return !is_leader_of(&p, v) || !pidref_is_alive(&p);
}

static int unregister(const struct options *o, struct varlink_client *client, const struct container *c,
                      const char *name) {
        AUTO(varlink_answer_done) struct varlink_answer answer = VARLINK_ANSWER_EMPTY;
        int r = call_about(client, "io.systemd.Machine.Unregister", name, 0, &answer);

        if (r < 0)
                return say_connection(o, c, r);
        /* The registry may have noticed by itself meanwhile. */
        if (!answer.error || is_error(&answer, "io.systemd.Machine.NoSuchMachine"))
                return 0;
        return say_answer(&answer, "unregister", name, c);
}

static int forget(const struct options *o, struct varlink_client *client, const struct container *c, const char *name) {
        struct machine_view v;
        enum outcome outcome = look_up(o, client, c, name, 0, &v);
        bool ours;

        if (outcome != DONE)
                return outcome == ABSENT ? 0 : -1;
        ours = streq_ptr(v.service, c->service) && leader_has_ended(&v);
        machine_view_done(&v);
        return ours ? unregister(o, client, c, name) : 0;
}

int tell_stop(const struct options *o, const struct container *c) {
        AUTO(varlink_client_freep) struct varlink_client *client = NULL;
        int status = 0, r;

        r = varlink_client_connect(o->run, o->timeout_msec, &client);
        if (r == -EHOSTDOWN) /* when it comes back it finds the leader dead */
                return 0;
        if (r < 0)
                return say_connection(o, c, r);
        for (size_t i = 0; i < c->n_names && status == 0; i++)
                status = forget(o, client, c, c->names[i]);
        return status;
}
