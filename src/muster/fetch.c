/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Varlink first; only where nothing listens are the files read, so a daemon that refuses or hangs is never bypassed. */
#include "muster/fetch.h"

#include <errno.h>
#include <string.h>

#include "client/state-dir.h"
#include "muster/connect.h"
#include "codec/json-text.h"
#include "core/machine.h"
#include "core/name.h"
#include "muster/failure.h"

#define MACHINES_MAX (1024 * 1024) /* of one listing */

void machine_list_done(struct machine_list *l) {
        for (size_t i = 0; i < l->n; i++)
                machine_view_done(l->views + i);
        free(l->views);
        *l = (struct machine_list){ 0 };
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const struct machine_view *) a)->name, ((const struct machine_view *) b)->name);
}

static int add(struct machine_list *l, const struct varlink_answer *answer) {
        if ((l->n & (l->n - 1)) == 0) {
                void *bigger = reallocarray(l->views, l->n ? l->n * 2 : 1, sizeof(*l->views));

                if (!bigger)
                        return -ENOMEM;
                l->views = bigger;
        }
        if (l->n >= MACHINES_MAX)
                return -EMSGSIZE;
        if (machine_view_decode(answer, l->views + l->n) < 0)
                return -EBADMSG;
        l->n++;
        return 0;
}

static int parameters_for(const struct options *o, const char *name, bool metadata, struct buf *out) {
        struct json_text j = JSON_TEXT(out);

        json_text_begin_object(&j, NULL);
        if (name)
                json_text_string(&j, "name", name);
        if (metadata)
                json_text_string(&j, "acquireMetadata", "graceful");
        if (may_ask_password(o))
                json_text_bool(&j, "allowInteractiveAuthentication", true);
        json_text_end_object(&j);
        buf_append_char(out, '\0');
        return buf_error(out);
}

enum { STREAM_FAILED = -1 /* said so */, STREAM_END, STREAM_MORE, STREAM_DENIED };

static int take_answer(const struct options *o, struct varlink_client *c, bool metadata, struct machine_list *l) {
        struct varlink_answer answer;
        int r;

        r = varlink_client_next(c, &answer);
        if (r < 0) {
                fail_connection(o->run, r);
                return STREAM_FAILED;
        }
        if (!answer.error) {
                r = add(l, &answer);
                if (r < 0)
                        fail_connection(o->run, r);
                r = r < 0 ? STREAM_FAILED : answer.continues ? STREAM_MORE : STREAM_END;
        } else if (streq(answer.error, "io.systemd.Machine.NoSuchMachine"))
                r = STREAM_END; /* how the interface says that there is none at all */
        else if (metadata && answer_is_denial(&answer))
                r = STREAM_DENIED;
        else {
                fail_answer(&answer, "list machines", NULL);
                r = STREAM_FAILED;
        }
        varlink_answer_done(&answer);
        return r;
}

static int list_from_daemon(const struct options *o, struct varlink_client *c, bool metadata,
                            struct machine_list *ret) {
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        struct machine_list l = { .from_daemon = true };
        int r;

        r = parameters_for(o, NULL, metadata, &parameters);
        if (r == 0)
                r = varlink_client_send(c, "io.systemd.Machine.List", parameters.data, true);
        if (r < 0) {
                fail_connection(o->run, r);
                return -1;
        }
        do
                r = take_answer(o, c, metadata, &l);
        while (r == STREAM_MORE);
        if (r == STREAM_DENIED) { /* everybody may see the names, not everybody what is inside */
                machine_list_done(&l);
                return list_from_daemon(o, c, false, ret);
        }
        if (r == STREAM_FAILED) {
                machine_list_done(&l);
                return -1;
        }
        if (l.n > 1)
                qsort(l.views, l.n, sizeof(*l.views), by_name);
        *ret = l;
        return 0;
}

int fetch_all(const struct options *o, bool metadata, struct machine_list *ret) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        struct machine_list l = { 0 };
        int r;

        r = metadata ? connect_registry(o, &c) : varlink_client_connect(o->run, VARLINK_CLIENT_TIMEOUT_MSEC, &c);
        if (r == 0)
                return list_from_daemon(o, c, metadata, ret);
        if (r != -EHOSTDOWN) {
                fail_connection(o->run, r);
                return -1;
        }
        r = state_dir_list(o->run, &l.views, &l.n);
        if (r < 0) {
                fail("Cannot read %s/systemd/machines: %s.", o->run, strerror(-r));
                return -1;
        }
        *ret = l;
        return 0;
}

static enum fetch_result broken_off(const struct options *o, int error, bool quiet) {
        if (quiet && (error == -ECONNRESET || error == -ETIMEDOUT))
                return FETCH_BROKEN_OFF;
        fail_connection(o->run, error);
        return FETCH_FAILED;
}

static enum fetch_result one_from_daemon(const struct options *o, struct varlink_client *c, const char *name,
                                         bool metadata, bool quiet, struct machine_view *ret) {
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        struct varlink_answer answer;
        enum fetch_result result;
        int r;

        r = parameters_for(o, name, metadata, &parameters);
        if (r == 0)
                r = varlink_client_call(c, "io.systemd.Machine.List", parameters.data, &answer);
        if (r < 0)
                return broken_off(o, r, quiet);
        if (metadata && answer_is_denial(&answer)) {
                varlink_answer_done(&answer);
                return one_from_daemon(o, c, name, false, quiet, ret);
        }
        if (answer.error && streq(answer.error, "io.systemd.Machine.NoSuchMachine")) {
                if (!quiet)
                        fail("There is no machine \"%s\".", name);
                result = FETCH_NO_MACHINE;
        } else if (answer.error) {
                fail_answer(&answer, "look up", name);
                result = FETCH_FAILED;
        } else {
                r = machine_view_decode(&answer, ret);
                if (r < 0)
                        fail_connection(o->run, r);
                result = r < 0 ? FETCH_FAILED : FETCH_FOUND;
        }
        varlink_answer_done(&answer);
        if (result == FETCH_FOUND)
                state_dir_complete(o->run, ret);
        return result;
}

static enum fetch_result one_from_disk(const struct options *o, const char *name, bool quiet,
                                       struct machine_view *ret) {
        int r = state_dir_get(o->run, name, ret);

        if (r == 0)
                return FETCH_FOUND;
        if (r == -ENOENT || streq(name, HOST_MACHINE_NAME)) {
                if (!quiet)
                        fail("There is no machine \"%s\" (no registry is running; looked in %s/systemd/machines).",
                             name, o->run);
                return FETCH_NO_MACHINE;
        }
        fail("Cannot read %s/systemd/machines/%s: %s.", o->run, name, strerror(-r));
        return FETCH_FAILED;
}

enum fetch_result fetch_one(const struct options *o, const char *name, bool metadata, bool quiet,
                            struct machine_view *ret, bool *ret_from_daemon) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        int r;

        if (!name_is_usable(name))
                return FETCH_FAILED;
        r = metadata ? connect_registry(o, &c) : varlink_client_connect(o->run, VARLINK_CLIENT_TIMEOUT_MSEC, &c);
        if (ret_from_daemon)
                *ret_from_daemon = r == 0;
        if (r == 0)
                return one_from_daemon(o, c, name, metadata, quiet, ret);
        if (r == -EHOSTDOWN)
                return one_from_disk(o, name, quiet, ret);
        return broken_off(o, r, quiet);
}

bool name_is_usable(const char *name) {
        AUTO_FREE char *shown = NULL;

        if (machine_name_is_valid(name) || streq(name, HOST_MACHINE_NAME))
                return true;
        shown = str_escape(name, 80);
        fail("\"%s\" is no machine name: 1 to %d letters, digits, '-' and '.', as in a host name.", strempty(shown),
             MACHINE_NAME_MAX);
        return false;
}
