/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster resolve NAME: the addresses of a machine, by the socket that systemd-resolved asks, too: everybody may. Without a registry
 * root looks into the network of the leader. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "client/state-dir.h"
#include "client/varlink-client.h"
#include "codec/json-text.h"
#include "codec/resolve-json.h"
#include "muster/address.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/output.h"
#include "muster/verbs.h"
#include "sys/netns-addresses.h"
#include "sys/procfs.h"

static int no_network(const char *name) {
        return fail("\"%s\" has no network of its own: its addresses are those of the host.", name);
}

/* ---- from the registry ---- */

static void encode_question(const char *name, struct buf *out) {
        static const unsigned types[] = { RESOLVE_TYPE_A, RESOLVE_TYPE_AAAA };
        struct json_text j = JSON_TEXT(out);

        json_text_begin_object(&j, NULL);
        json_text_begin_array(&j, "question");
        for (size_t i = 0; i < ELEMENTS(types); i++) {
                json_text_begin_object(&j, NULL);
                json_text_begin_object(&j, "key");
                json_text_unsigned(&j, "type", types[i]);
                json_text_string(&j, "name", name);
                json_text_end_object(&j);
                json_text_end_object(&j);
        }
        json_text_end_array(&j);
        json_text_end_object(&j);
        buf_append_char(out, '\0');
}

/* The registry does not tell others of it, but its record is there to be read. */
static int not_found(const struct options *o, const char *name) {
        struct machine_view m;
        uid_t uid = 0;

        if (state_dir_get(o->run, name, &m) == 0) {
                uid = m.uid;
                machine_view_done(&m);
        }
        if (uid != 0 && uid != geteuid())
                return fail("\"%s\" is a machine of user %u, for whom alone its name stands for addresses.", name,
                            (unsigned) uid);
        return fail("There is no machine \"%s\".", name);
}

static int take_answer(const struct options *o, const struct varlink_answer *answer, struct machine_view *v) {
        int r;

        if (answer->error_number == ENONET)
                return no_network(v->name);
        if (answer->error_number == EOPNOTSUPP)
                return fail("\"%s\" is a virtual machine: what addresses it has is not known.", v->name);
        if (answer->error)
                return fail_answer(answer, "resolve", v->name);
        r = resolve_answer_decode(answer, &v->addresses, &v->n_addresses);
        if (r < 0)
                return fail_connection(o->run, r);
        if (r == 0)
                return not_found(o, v->name);
        state_dir_complete(o->run, v); /* its interface, which addresses of a link want */
        return EXIT_SUCCESS;
}

static int ask(const struct options *o, struct varlink_client *c, const char *name, struct machine_view *v) {
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        struct varlink_answer answer;
        int r;

        v->name = strdup(name);
        encode_question(name, &parameters);
        r = v->name ? buf_error(&parameters) : -ENOMEM;
        if (r == 0)
                r = varlink_client_call(c, "io.systemd.Resolve.Hook.ResolveRecord", parameters.data, &answer);
        if (r < 0)
                return fail_connection(o->run, r);
        r = take_answer(o, &answer, v);
        varlink_answer_done(&answer);
        return r;
}

/* ---- without one ---- */

static int read_network(pid_t leader, struct netns_addresses *ret) {
        AUTO_CLOSE int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC), that = -EBADF;
        char path[64];

        snprintf(path, sizeof(path), "/proc/%d/ns/net", (int) leader);
        that = open(path, O_RDONLY | O_CLOEXEC);
        return own < 0 || that < 0 ? -errno : netns_addresses(that, own, ret);
}

static int look(const struct options *o, const char *name, struct machine_view *v) {
        static struct netns_address entries[MACHINE_VIEW_ADDRESSES_MAX];
        struct netns_addresses found = { .entries = entries, .max = ELEMENTS(entries) };
        int r;

        if (fetch_one(o, name, false, false, v, NULL) != FETCH_FOUND)
                return EXIT_FAILURE;
        if (proc_same_namespace(v->leader.pid, 0, "net") > 0)
                return no_network(name);
        r = read_network(v->leader.pid, &found);
        if (r == -EACCES || r == -EPERM)
                return fail("No registry is running, so only root can see the addresses of \"%s\".", name);
        if (r < 0)
                return fail("Cannot see the addresses of \"%s\": %s.", name, strerror(-r));
        v->addresses = calloc(found.n + 1, sizeof(*v->addresses));
        if (!v->addresses)
                return fail("Out of memory.");
        for (size_t i = 0; i < found.n; i++) {
                struct view_address *a = v->addresses + v->n_addresses++;

                a->family = entries[i].family;
                memcpy(a->bytes, entries[i].bytes, sizeof(a->bytes));
        }
        return EXIT_SUCCESS;
}

/* ---- showing ---- */

static void show_text(const struct machine_view *v, struct buf *out) {
        for (size_t i = 0; i < v->n_addresses; i++) {
                char text[ADDRESS_TEXT_MAX];

                address_text(v, v->addresses + i, text);
                buf_printf(out, "%-15s %s\n", text, v->name);
        }
}

static void show_json(const struct machine_view *v, struct json_text *j) {
        json_text_begin_object(j, NULL);
        json_text_string(j, "machine", v->name);
        json_text_begin_array(j, "addresses");
        for (size_t i = 0; i < v->n_addresses; i++) {
                char text[ADDRESS_TEXT_MAX];

                address_text(v, v->addresses + i, text);
                json_text_string(j, NULL, text);
        }
        json_text_end_array(j);
        json_text_end_object(j);
}

/* c NULL: there is no registry. */
static int resolve(const struct options *o, struct varlink_client *c, const char *name, struct json_text *j) {
        struct machine_view v;
        int r;

        if (!name_is_usable(name))
                return EXIT_FAILURE;
        machine_view_init(&v);
        r = c ? ask(o, c, name, &v) : look(o, name, &v);
        if (r == EXIT_SUCCESS && v.n_addresses == 0)
                r = fail("\"%s\" has no address.", name);
        else if (r == EXIT_SUCCESS && o->json)
                show_json(&v, j);
        else if (r == EXIT_SUCCESS)
                show_text(&v, j->out);
        machine_view_done(&v);
        return r;
}

int verb_resolve(const struct options *o, char **args) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&out);
        char path[4096];
        int status = EXIT_SUCCESS, r;

        snprintf(path, sizeof(path), "%s/systemd/resolve.hook/io.systemd.Machine", o->run);
        r = varlink_client_connect_path(path, VARLINK_CLIENT_TIMEOUT_MSEC, &c);
        if (r < 0 && r != -EHOSTDOWN)
                return fail_connection(o->run, r);
        if (o->json)
                json_text_begin_array(&j, NULL);
        for (; *args; args++)
                if (resolve(o, c, *args, &j) != EXIT_SUCCESS)
                        status = EXIT_FAILURE;
        if (o->json)
                json_text_end_array(&j);
        r = o->json ? output_json(o, &out) : output_show(o, &out);
        return r != EXIT_SUCCESS ? r : status;
}
