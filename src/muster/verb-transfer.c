/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* copy-to, copy-from, bind: the registry decides who may, and starts muster-transfer; where none runs, root does that here. Either way
 * it is heard of on a socket, and everything is taken back when we are gone. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "muster/connect.h"
#include "codec/json-text.h"
#include "codec/transfer-protocol.h"
#include "codec/utf8.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/here.h"
#include "muster/verbs.h"
#include "sys/pidfd.h"
#include "sys/spawn-enter.h"

/* ---- paths ---- */

/* "." and doubled slashes are nothing; what ".." means depends on links, so the kernel is asked. */
static int append_components(const char *path, struct buf *out) {
        for (const char *p = path; *p;) {
                size_t n;

                p += strspn(p, "/");
                n = strcspn(p, "/");
                if (n > 0 && !(n == 1 && *p == '.')) {
                        buf_append_char(out, '/');
                        buf_append(out, p, n);
                }
                p += n;
        }
        return buf_error(out);
}

static bool leads_up(const char *path) {
        for (const char *p = path; *p; p += strcspn(p, "/")) {
                p += strspn(p, "/");
                if (strcspn(p, "/") == 2 && p[0] == '.' && p[1] == '.')
                        return true;
        }
        return false;
}

static int simplify(const char *path, char **ret) {
        AUTO_BUF struct buf simple = BUF_EMPTY;
        int r = append_components(path, &simple);

        if (r >= 0 && simple.size == 0)
                r = buf_append_char(&simple, '/');
        return r < 0 ? r : buf_steal(&simple, ret);
}

static int host_path(const char *path, char **ret) {
        AUTO_FREE char *directory = getcwd(NULL, 0), *resolved = NULL;
        AUTO_BUF struct buf all = BUF_EMPTY;

        if (*path != '/' && !directory)
                return -errno;
        if (leads_up(path)) {
                resolved = realpath(path, NULL);
                return resolved ? str_replace(ret, resolved) : -errno;
        }
        buf_printf(&all, "%s/%s", *path == '/' ? "" : directory, path);
        return buf_error(&all) ? buf_error(&all) : simplify(all.data, ret);
}

/* Behind a directory's name with a slash goes the name of what is copied. */
static int inner_path(const struct options *o, const char *path, const char *what, char **ret) {
        const char *slash = strrchr(strempty(what), '/');
        AUTO_BUF struct buf all = BUF_EMPTY;

        buf_append_str(&all, path);
        if (!o->machinectl && slash && *path && path[strlen(path) - 1] == '/')
                buf_append_str(&all, slash);
        if (buf_error(&all))
                return buf_error(&all);
        return all.data[0] == '/' ? simplify(all.data, ret) : str_replace(ret, path);
}

static int set_paths(const struct options *o, struct transfer *t, const char *from, const char *to) {
        int r;

        if (t->kind == TRANSFER_COPY_FROM) {
                r = inner_path(o, from, NULL, &t->source);
                if (r >= 0 && !t->archive && to)
                        r = host_path(to, &t->destination);
                if (r >= 0 && to && !o->machinectl && !t->archive && to[strlen(to) - 1] == '/') {
                        AUTO_FREE char *directory = STEAL(t->destination);
                        AUTO_BUF struct buf all = BUF_EMPTY;

                        buf_printf(&all, "%s%s", streq(directory, "/") ? "" : directory, strrchr(t->source, '/'));
                        r = buf_error(&all) ? buf_error(&all) : buf_steal(&all, &t->destination);
                }
                return r;
        }
        r = t->archive ? 0 : host_path(from, &t->source);
        return r < 0 || !to ? r : inner_path(o, to, t->kind == TRANSFER_BIND ? NULL : t->source, &t->destination);
}

/* ---- starting ---- */

static int build(const struct options *o, const char *name, const struct transfer *t, struct buf *out) {
        struct json_text j = JSON_TEXT(out);

        json_text_begin_object(&j, NULL);
        json_text_string(&j, "name", name);
        json_text_string(&j, "kind", transfer_kind_to_string(t->kind));
        json_text_string_if(&j, "source", t->source);
        json_text_string_if(&j, "destination", t->destination);
        json_text_bool(&j, "readOnly", t->read_only);
        json_text_bool(&j, "mkdir", t->make);
        json_text_bool(&j, "replace", t->replace);
        json_text_bool(&j, "archive", t->archive);
        json_text_bool(&j, "progress", t->progress);
        if (may_ask_password(o))
                json_text_bool(&j, "allowInteractiveAuthentication", true);
        json_text_end_object(&j);
        buf_append_char(out, '\0');
        return buf_error(out);
}

static int refused(const struct varlink_answer *answer, const char *name) {
        const char *message = varlink_answer_message(answer);
        AUTO_FREE char *shown = message ? str_escape(message, 400) : NULL;

        return shown ? fail("%s", shown) : fail_answer(answer, "copy or mount files in", name);
}

static int start_by_registry(const struct options *o, struct varlink_client *c, const char *name,
                             const struct transfer *t) {
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        struct varlink_answer answer;
        int r = build(o, name, t, &parameters);

        if (r == 0)
                r = varlink_client_send_fds(c, "org.muster.Machine1.Transfer", parameters.data, t->fds,
                                            t->archive ? _TRANSFER_FD_MAX : TRANSFER_FD_STREAM);
        if (r == 0)
                r = varlink_client_next(c, &answer);
        if (r < 0)
                return fail_connection(o->run, r);
        r = answer.error ? refused(&answer, name) : EXIT_SUCCESS;
        varlink_answer_done(&answer);
        return r;
}

static int start_here(const struct options *o, const char *name, const struct transfer *t) {
        int stream = t->fds[TRANSFER_FD_STREAM];
        AUTO_BUF struct buf request = BUF_EMPTY;
        struct pidref leader = PIDREF_EMPTY;
        struct spawn_enter spawn = {
                .path = here_program("MUSTER_TRANSFER", TRANSFER_PATH),
                .status = t->fds[TRANSFER_FD_STATUS],
                .starting = -EBADF,
                .stdio = { t->kind == TRANSFER_COPY_TO ? stream : -EBADF,
                           t->kind == TRANSFER_COPY_FROM ? stream : -EBADF, -EBADF },
        };
        pid_t pid;
        int r = here_leader(o, name, &leader);

        if (r < 0)
                return EXIT_FAILURE;
        r = transfer_request_encode(t, &request);
        if (r >= 0) {
                spawn.leader = leader.fd;
                spawn.request = request.data;
                spawn.request_size = request.size;
                r = spawn_enter(&spawn, &pid); /* what becomes of it is reported; it is not waited for */
        }
        pidref_done(&leader);
        return r < 0 ? fail("Cannot start muster-transfer: %s.", strerror(-r)) : EXIT_SUCCESS;
}

static int start(const struct options *o, const char *name, const struct transfer *t) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        int r;

        if (!name_is_usable(name))
                return EXIT_FAILURE;
        r = connect_registry(o, &c);
        if (r == -EHOSTDOWN)
                return start_here(o, name, t);
        return r < 0 ? fail_connection(o->run, r) : start_by_registry(o, c, name, t);
}

/* ---- hearing of it ---- */

static void show_progress(const struct transfer_report *r) {
        static const char *const units[] = { "bytes", "kB", "MB", "GB", "TB", "PB", "EB" };
        double size = (double) r->bytes;
        size_t unit = 0;

        for (; size >= 1000 && unit + 1 < ELEMENTS(units); unit++)
                size /= 1000;
        fprintf(stderr, "\r%.*f %s in %llu files\033[K", unit ? 1 : 0, size, units[unit],
                (unsigned long long) r->files);
}

static int tell_end(const struct options *o, const struct transfer_report *r) {
        AUTO_FREE char *shown = str_escape(r->text, TRANSFER_REPORT_TEXT_MAX);

        if (r->kind == TRANSFER_REPORT_FAILED)
                return fail("%s", isempty(shown) ? strerror((int) r->error) : shown);
        if (r->left_out > 0 && !o->quiet)
                fprintf(stderr, "Left out, being devices, sockets or views of the kernel: %llu.\n",
                        (unsigned long long) r->left_out);
        return EXIT_SUCCESS;
}

static int listen_to(const struct options *o, int status) {
        uint8_t packet[TRANSFER_REPORT_MAX];
        struct transfer_report r;
        bool shown = false;

        for (;;) {
                ssize_t n = recv(status, packet, sizeof(packet), 0);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0 || transfer_report_decode(packet, (size_t) n, &r) < 0)
                        return fail("muster-transfer has ended before it was done.");
                if (r.kind != TRANSFER_REPORT_PROGRESS)
                        break;
                show_progress(&r);
                shown = true;
        }
        if (shown)
                fputs("\r\033[K", stderr);
        return tell_end(o, &r);
}

static int carry_out(const struct options *o, const char *name, struct transfer *t) {
        int sockets[2], r;

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets) < 0)
                return fail("Cannot make a socket: %s.", strerror(errno));
        t->fds[TRANSFER_FD_STATUS] = sockets[1];
        r = start(o, name, t);
        close(sockets[1]);
        if (r == EXIT_SUCCESS)
                r = listen_to(o, sockets[0]);
        close(sockets[0]);
        return r;
}

/* ---- verbs ---- */

static int check(struct transfer *t) {
        struct diag d = { 0 };
        int r = transfer_check(t, &d);

        if (r < 0)
                return fail("%s", r == -EINVAL ? d.text : strerror(-r));
        if (!utf8_is_valid(strempty(t->source)) || !utf8_is_valid(strempty(t->destination)))
                return fail("A path is no valid UTF-8: the registry cannot be told of it.");
        return EXIT_SUCCESS;
}

static int run(const struct options *o, enum transfer_kind kind, char **args) {
        AUTO(transfer_freep) struct transfer *t = NULL;
        int stream = kind == TRANSFER_COPY_TO ? STDIN_FILENO : STDOUT_FILENO;
        const char *ours = kind == TRANSFER_COPY_FROM ? args[2] : args[1];
        int r = transfer_new(kind, &t);

        if (r < 0)
                return fail("Out of memory.");
        t->replace = o->force;
        t->read_only = o->read_only;
        t->make = o->mkdir;
        t->archive = !o->machinectl && kind != TRANSFER_BIND && ours && streq(ours, "-");
        t->progress = kind != TRANSFER_BIND && !o->quiet && isatty(STDERR_FILENO);
        if (t->archive) {
                if (isatty(stream))
                        return fail("A tar archive is not for a terminal: redirect standard %s.",
                                    kind == TRANSFER_COPY_TO ? "input" : "output");
                t->fds[TRANSFER_FD_STREAM] = stream;
        }
        r = set_paths(o, t, args[1], args[2]);
        if (r < 0)
                return fail("Cannot tell what %s is: %s.", ours ? ours : args[1], strerror(-r));
        return check(t) == EXIT_SUCCESS ? carry_out(o, args[0], t) : EXIT_FAILURE;
}

int verb_copy_to(const struct options *o, char **args) {
        return run(o, TRANSFER_COPY_TO, args);
}

int verb_copy_from(const struct options *o, char **args) {
        return run(o, TRANSFER_COPY_FROM, args);
}

int verb_bind(const struct options *o, char **args) {
        return run(o, TRANSFER_BIND, args);
}
