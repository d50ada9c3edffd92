/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The verbs that send one call per machine: kill, terminate, unregister, poweroff, reboot. Several names: each is tried,
 * and one failure makes the exit status 1. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>

#include "muster/connect.h"
#include "codec/json-text.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/init-request.h"
#include "muster/init-signals.h"
#include "muster/output.h"
#include "muster/verbs.h"
#include "sys/procfs.h"

struct action {
        const char *doing;  /* for messages: "Cannot kill ..." */
        const char *method; /* of io.systemd.Machine */
        const char *whom;   /* Kill only */
        int signal;         /* Kill only */
};

static int build(const struct options *o, const struct action *a, const char *name, struct buf *out) {
        struct json_text j = JSON_TEXT(out);

        json_text_begin_object(&j, NULL);
        json_text_string(&j, "name", name);
        json_text_string_if(&j, "whom", a->whom);
        if (a->signal)
                json_text_signed(&j, "signal", a->signal);
        if (may_ask_password(o))
                json_text_bool(&j, "allowInteractiveAuthentication", true);
        json_text_end_object(&j);
        buf_append_char(out, '\0');
        return buf_error(out);
}

/* Returns an exit status. */
static int act(const struct options *o, struct varlink_client *c, const struct action *a, const char *name) {
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        struct varlink_answer answer;
        int r;

        r = build(o, a, name, &parameters);
        if (r == 0)
                r = varlink_client_call(c, a->method, parameters.data, &answer);
        if (r < 0)
                return fail_connection(o->run, r);
        r = answer.error ? fail_answer(&answer, a->doing, name) : EXIT_SUCCESS;
        varlink_answer_done(&answer);
        return r;
}

static int connect_for(const struct options *o, struct varlink_client **ret) {
        int r = connect_registry(o, ret);

        return r < 0 ? fail_connection(o->run, r) : EXIT_SUCCESS;
}

static int act_on_all(const struct options *o, const struct action *a, char **names) {
        int status = EXIT_SUCCESS;

        for (; *names; names++) {
                /* One connection each: after a broken one the next name still gets its chance. */
                AUTO(varlink_client_freep) struct varlink_client *c = NULL;

                if (!name_is_usable(*names))
                        status = EXIT_FAILURE;
                else if (connect_for(o, &c) != EXIT_SUCCESS)
                        return EXIT_FAILURE;
                else if (act(o, c, a, *names) != EXIT_SUCCESS)
                        status = EXIT_FAILURE;
        }
        return status;
}

int verb_kill(const struct options *o, char **args) {
        const struct action a = {
                .doing = "kill",
                .method = "io.systemd.Machine.Kill",
                .whom = o->whom ? o->whom : "all",
                .signal = o->signal ? o->signal : SIGTERM,
        };

        return act_on_all(o, &a, args);
}

int verb_terminate(const struct options *o, char **args) {
        const struct action a = { .doing = "terminate", .method = "io.systemd.Machine.Terminate" };

        return act_on_all(o, &a, args);
}

int verb_unregister(const struct options *o, char **args) {
        const struct action a = { .doing = "unregister", .method = "io.systemd.Machine.Unregister" };

        return act_on_all(o, &a, args);
}

static struct init_signals signals_of(pid_t leader) {
        AUTO_FREE char *exe = NULL, *arguments = NULL, *comm = NULL;
        size_t size;

        /* What cannot be read stays NULL: the table copes. */
        (void) proc_readlink(leader, "exe", &exe);
        (void) proc_read(leader, "cmdline", &arguments,
                         &size); /* NUL-separated: as a string it is the first argument */
        if (proc_read(leader, "comm", &comm, &size) == 0)
                comm[strcspn(comm, "\n")] = '\0';
        return init_signals_find(exe, arguments, comm);
}

/* Virtual machines have their own control socket, or nothing that a signal could tell the guest. */
static int ask_control_socket(const struct options *o, const struct machine_view *v, bool reboot) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        struct varlink_answer answer;
        int r;

        r = varlink_client_connect_path(v->control_address, VARLINK_CLIENT_TIMEOUT_MSEC, &c);
        if (r == 0)
                r = varlink_client_call(
                        c, reboot ? "io.systemd.MachineInstance.Reboot" : "io.systemd.MachineInstance.PowerOff", NULL,
                        &answer);
        if (r < 0)
                return fail("Cannot ask the control socket of \"%s\": %s.", v->name, strerror(-r));
        r = answer.error ? fail_answer(&answer, reboot ? "reboot" : "power off", v->name) : EXIT_SUCCESS;
        varlink_answer_done(&answer);
        return r;
}

/* What its init understands: a message where there is one, else a signal. */
static int ask_init(const struct options *o, struct varlink_client *c, const struct machine_view *v, bool reboot) {
        const struct init_signals signals = signals_of(v->leader.pid);
        const struct action a = {
                .doing = reboot ? "reboot" : "power off",
                .method = "io.systemd.Machine.Kill",
                .whom = "leader",
                .signal = reboot ? signals.reboot : signals.poweroff,
        };
        int r;

        if (signals.fifo && init_request_send(&v->leader, reboot) == 0)
                return EXIT_SUCCESS;
        r = act(o, c, &a, v->name);
        if (r == EXIT_SUCCESS && !reboot && signals.caveat && !o->quiet)
                fprintf(stderr, "\"%s\" runs %s: %s. If it does not end, use terminate.\n", v->name, signals.init,
                        signals.caveat);
        return r;
}

static int shut_down(const struct options *o, const char *name, bool reboot) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        struct machine_view v;
        int r;

        if (connect_for(o, &c) != EXIT_SUCCESS || fetch_one(o, name, false, false, &v, NULL) != FETCH_FOUND)
                return EXIT_FAILURE;
        if (v.control_address)
                r = ask_control_socket(o, &v, reboot);
        else if (v.leader.pid <= 1) /* .host */
                r = fail("\"%s\" is this host: use its own commands.", name);
        else
                r = ask_init(o, c, &v, reboot);
        machine_view_done(&v);
        return r;
}

static int shut_down_all(const struct options *o, char **names, bool reboot) {
        int status = EXIT_SUCCESS;

        for (; *names; names++)
                if (shut_down(o, *names, reboot) != EXIT_SUCCESS)
                        status = EXIT_FAILURE;
        return status;
}

int verb_poweroff(const struct options *o, char **args) {
        return shut_down_all(o, args, false);
}

int verb_reboot(const struct options *o, char **args) {
        return shut_down_all(o, args, true);
}
