/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster register NAME --leader=PID: for runners that are scripts. The leader's identity goes along with its number, so
 * that a process that died meanwhile cannot be mistaken for its successor. */
#include <errno.h>
#include <net/if.h>

#include "base/id128.h"
#include "client/register-call.h"
#include "muster/connect.h"
#include "core/name.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/verbs.h"
#include "sys/pidfd.h"

/* What the call borrows. */
struct wish {
        struct pidref leader;
        char id[ID128_STRING_SIZE];
        unsigned *ifindices;
        size_t n_ifindices;
};

static void wish_done(struct wish *w) {
        pidref_done(&w->leader);
        free(w->ifindices);
}

static int open_leader(uint32_t pid, struct pidref *ret) {
        int r = pidref_open((pid_t) pid, ret);

        if (r == -ESRCH)
                return fail("--leader=%u: there is no such process.", pid);
        if (r < 0)
                return fail("--leader=%u: %s.", pid, strerror(-r));
        return EXIT_SUCCESS;
}

static int find_interfaces(char **names, struct wish *w) {
        w->ifindices = calloc(strv_length(names) + 1, sizeof(*w->ifindices));
        if (!w->ifindices)
                return fail("Out of memory.");
        for (; names && *names; names++) {
                unsigned index = if_nametoindex(*names);

                if (index == 0)
                        return fail("--iface=%s: there is no such network interface on this host.", *names);
                w->ifindices[w->n_ifindices++] = index;
        }
        return EXIT_SUCCESS;
}

static int normalize_id(const char *text, struct wish *w) {
        struct id128 id;

        if (!text)
                return EXIT_SUCCESS;
        if (id128_from_string(text, &id) < 0)
                return fail("--id=%s: must be 32 hexadecimal digits.", text);
        id128_to_string(&id, w->id);
        return EXIT_SUCCESS;
}

static int gather(const struct register_options *reg, struct wish *w) {
        if (open_leader(reg->leader, &w->leader) != EXIT_SUCCESS || normalize_id(reg->id, w) != EXIT_SUCCESS)
                return EXIT_FAILURE;
        return find_interfaces(reg->interfaces, w);
}

static int build(const struct options *o, const char *name, struct buf *out) {
        AUTO(wish_done) struct wish w = { .leader = PIDREF_EMPTY };
        const struct register_options *reg = &o->reg;
        struct register_call c = {
                .name = name,
                .class = reg->class,
                .leader = &w.leader,
                .id = w.id,
                .service = reg->service,
                .root_directory = reg->root,
                .ssh_address = reg->ssh_address,
                .ssh_private_key_path = reg->ssh_key,
                .control_address = reg->control_address,
                .vsock_cid = reg->vsock_cid,
                .has_vsock_cid = reg->has_vsock_cid,
                .allocate_unit = reg->create,
                .interactive = may_ask_password(o),
        };

        if (gather(reg, &w) != EXIT_SUCCESS)
                return EXIT_FAILURE;
        c.ifindices = w.ifindices;
        c.n_ifindices = w.n_ifindices;
        return register_call_encode(&c, out) < 0 ? fail("Out of memory.") : EXIT_SUCCESS;
}

int verb_register(const struct options *o, char **args) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        struct varlink_answer answer;
        int r;

        if (!o->reg.leader) {
                fail("register needs --leader=PID, the machine's first process.");
                return EXIT_USAGE;
        }
        if (!name_is_usable(*args) || build(o, *args, &parameters) != EXIT_SUCCESS)
                return EXIT_FAILURE;
        r = connect_registry(o, &c);
        if (r == 0)
                r = varlink_client_call(c, "io.systemd.Machine.Register", parameters.data, &answer);
        if (r < 0)
                return fail_connection(o->run, r);
        r = answer.error ? fail_answer(&answer, o->reg.create ? "create a scope for" : "register", *args)
                         : EXIT_SUCCESS;
        varlink_answer_done(&answer);
        return r;
}
