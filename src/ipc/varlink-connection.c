/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes to calls, replies to bytes; never more of either than the other side takes. */
#include "ipc/varlink-connection.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.h"
#include "ipc/varlink-error.h"
#include "ipc/varlink-internal.h"
#include "sys/pidfd.h"

#define uthash_fatal(msg) abort() /* not reached: HASH_NONFATAL_OOM */
#define HASH_NONFATAL_OOM 1
#define uthash_nonfatal_oom(element) ((element)->oom = true)
#include <uthash.h>

#define CONNECTIONS_MAX 8192
#define CONNECTIONS_FOR_ROOT 1024        /* beyond these: a user may have the uids of many */
#define CONNECTIONS_PER_UID 1024         /* for users other than root */
#define CROWD 64                         /* what a user has beyond that waits until everybody else was served */
#define HELD_PER_UID ((size_t) 64 << 20) /* bytes in all of a user's connections */
/* Bytes of everybody but root: beyond it, who holds more than HELD_SMALL is in the way. */
#define HELD_IN_ALL ((size_t) 256 << 20)
#define HELD_SMALL ((size_t) 1 << 20)
#define FDS_PER_UID 64 /* that came with calls which are not complete, of users other than root */
#define READ_SIZE 65536
#define IDLE_OUTPUT 4096 /* memory that a connection may keep between two calls */
#define CALLS_PER_TURN 64
#define IDLE_TICKS 6 /* 30 s before the first call, with half a message, or without taking an answer */

struct uid_count {
        uid_t uid;
        size_t n, held, n_fds;
        bool oom;
        UT_hash_handle hh;
};

static void process_calls(struct connection *c);

/* ---- counting ---- */

/* NULL: there are too many. */
static struct uid_count *count_in(struct varlink_server *v, uid_t uid) {
        struct uid_count *u = NULL;

        if (v->n_connections >= (uid == 0 ? CONNECTIONS_MAX + CONNECTIONS_FOR_ROOT : CONNECTIONS_MAX))
                return NULL;
        HASH_FIND(hh, v->counts, &uid, sizeof(uid), u);
        if (!u) {
                u = calloc(1, sizeof(*u));
                if (!u)
                        return NULL;
                u->uid = uid;
                HASH_ADD(hh, v->counts, uid, sizeof(u->uid), u);
                if (u->oom) {
                        free(u);
                        return NULL;
                }
        }
        if (uid != 0 && u->n >= CONNECTIONS_PER_UID)
                return NULL;
        u->n++;
        v->n_connections++;
        return u;
}

static void count_out(struct varlink_server *v, struct uid_count *u) {
        v->n_connections--;
        if (--u->n == 0) {
                HASH_DEL(v->counts, u);
                free(u);
        }
}

static void count_held(struct connection *c, size_t held, size_t n_fds) {
        if (c->uid != 0)
                c->server->held += held - c->held;
        c->user->held += held - c->held;
        c->user->n_fds += n_fds - c->held_fds;
        c->held = held;
        c->held_fds = n_fds;
}

/* False: the connections of its user hold more than they may, and this is the one that has brought it. */
static bool is_within_bounds(struct connection *c) {
        size_t held = varlink_frame_pending(&c->in) + c->out.size - c->out_sent;
        bool grows = held > c->held, more_fds = c->n_in_fds > c->held_fds;
        const struct uid_count *user = c->user;

        count_held(c, held, c->n_in_fds);
        if (grows && user->held > HELD_PER_UID)
                return false;
        if (c->uid == 0)
                return true;
        if (grows && c->server->held > HELD_IN_ALL && user->held > HELD_SMALL)
                return false;
        return !more_fds || user->n_fds <= FDS_PER_UID;
}

/* ---- replies ---- */

struct json_text reply_begin(struct connection *c) {
        struct json_text j = JSON_TEXT(&c->out);

        c->reply_start = c->out.size;
        buf_append_str(&c->out, "{\"parameters\":");
        json_text_begin_object(&j, NULL);
        return j;
}

static void reply_close(struct connection *c) {
        buf_append(&c->out, "}\0", 2);
        if (c->oneway) { /* nobody waits for it */
                c->out.size = c->reply_start;
                return;
        }
        if (buf_error(&c->out) < 0)
                c->closing = true;
}

void reply_end(struct connection *c, struct json_text *j, bool continues) {
        json_text_end_object(j);
        if (continues)
                buf_append_str(&c->out, ",\"continues\":true");
        reply_close(c);
}

void reply_empty(struct connection *c) {
        struct json_text j = reply_begin(c);

        reply_end(c, &j, false);
}

int reply_attach(struct connection *c, int fd) {
        if (c->oneway)
                return 0;      /* there is no reply */
        assert(c->out_fd < 0); /* no call is begun while one waits */
        c->out_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
        if (c->out_fd < 0) {
                c->out.size = c->reply_start;
                return -errno;
        }
        c->fd_begin = c->reply_start;
        c->fd_end = c->out.size;
        return 0;
}

struct json_text reply_error_begin(struct connection *c, const char *id) {
        struct json_text j = JSON_TEXT(&c->out);

        c->reply_start = c->out.size;
        json_text_begin_object(&j, NULL);
        json_text_string(&j, "error", id);
        json_text_begin_object(&j, "parameters");
        return j;
}

void reply_error_end(struct connection *c, struct json_text *j) {
        json_text_end_object(j);
        reply_close(c);
}

void reply_error(struct connection *c, const char *id, const char *key, const char *value) {
        struct json_text j = reply_error_begin(c, id);

        if (key)
                json_text_string(&j, key, value);
        reply_error_end(c, &j);
}

void reply_fault(struct connection *c, const struct fault *f) {
        struct json_text j = reply_error_begin(c, varlink_fault_name(f->kind));

        varlink_fault_parameters(&j, f);
        reply_error_end(c, &j);
}

void reply_invalid(struct connection *c, const char *parameter) {
        reply_error(c, "org.varlink.service.InvalidParameter", "parameter", parameter);
}

/* ---- calls ---- */

static const struct varlink_method *find_method(const struct varlink_door_type *door, const char *name) {
        for (const struct varlink_method *const *table = door->methods; *table; table++)
                for (const struct varlink_method *m = *table; m->name; m++)
                        if (streq(m->name, name))
                                return m;
        return NULL;
}

static void dispatch(struct connection *c, const char *text, size_t size) {
        struct varlink_call call = VARLINK_CALL_EMPTY;
        const struct varlink_method *method;

        if (varlink_call_parse(text, size, &call) < 0) {
                c->closing = true; /* whoever cannot speak the protocol is not told in it */
                return;
        }
        c->called = true;
        c->oneway = call.oneway;
        c->more = call.more;
        method = find_method(c->door, call.method);
        if (method)
                method->handle(c, &call);
        else
                reply_error(c, "org.varlink.service.MethodNotFound", "method", call.method);
        varlink_call_done(&call);
}

static bool has_room(const struct connection *c) {
        return c->out.size - c->out_sent < OUTPUT_HIGH && c->out_fd < 0;
}

static void close_fds(struct connection *c) {
        while (c->n_in_fds > 0)
                close(c->in_fds[--c->n_in_fds]);
}

size_t connection_take_fds(struct connection *c, int ret[static VARLINK_FDS_MAX]) {
        size_t n = c->n_in_fds;

        memcpy(ret, c->in_fds, n * sizeof(*ret));
        c->n_in_fds = 0;
        return n;
}

static void process_calls(struct connection *c) {
        const char *text;
        size_t size;

        c->processing = true;
        for (int n = 0; !c->busy && !c->closing; n++) {
                int r;

                if (n >= CALLS_PER_TURN || !has_room(c)) {
                        c->unfinished = true;
                        break;
                }
                r = varlink_frame_next(&c->in, &text, &size);
                if (r == 0)
                        break;
                c->idle_ticks = 0; /* bytes alone do not count: they may come one by one for ever */
                if (r < 0)
                        c->closing = true;
                else
                        dispatch(c, text, size);
        }
        c->processing = false;
        /* The kernel hands descriptors over with the last of the bytes that it returns at once: while some are left, they belong to a
         * call among those. */
        if (!c->busy && varlink_frame_pending(&c->in) == 0)
                close_fds(c);
}

/* ---- bytes ---- */

/* Up to the reply that a descriptor belongs to, then that reply with it: whoever reads takes it for that of the message whose
 * bytes it comes with. */
static ssize_t send_some(struct connection *c) {
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .bytes = { 0 } };
        struct iovec part = { .iov_base = c->out.data + c->out_sent, .iov_len = c->out.size - c->out_sent };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
        ssize_t n;

        if (c->out_fd >= 0 && c->out_sent < c->fd_begin) {
                part.iov_len = c->fd_begin - c->out_sent;
        } else if (c->out_fd >= 0) {
                part.iov_len = c->fd_end - c->out_sent;
                control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                                 .cmsg_level = SOL_SOCKET,
                                                 .cmsg_type = SCM_RIGHTS };
                memcpy(CMSG_DATA(&control.head), &c->out_fd, sizeof(int));
                message.msg_control = control.bytes;
                message.msg_controllen = sizeof(control.bytes);
        }
        n = sendmsg(c->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n > 0 && message.msg_control)
                close(STEAL_FD(c->out_fd));
        return n;
}

/* False: the connection is gone. */
static bool flush(struct connection *c) {
        while (c->out_sent < c->out.size) {
                ssize_t n = send_some(c);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0 && errno == EAGAIN)
                        return true;
                if (n < 0) {
                        connection_free(c);
                        return false;
                }
                c->out_sent += (size_t) n;
                c->idle_ticks = 0;
        }
        c->out_sent = 0;
        if (c->out.allocated > (c->busy ? READ_SIZE : IDLE_OUTPUT))
                buf_done(&c->out);
        else
                buf_clear(&c->out);
        if (c->closing && !c->busy) {
                connection_free(c);
                return false;
        }
        return true;
}

/* A peer that has gone shows as EPOLLHUP, asked for or not, also while its call is being carried out. One that only will not
 * say more (shutdown(2)) still hears the answers, so EPOLLRDHUP is of no interest. */
static void update_events(struct connection *c) {
        bool waits_for_peer = c->out_sent < c->out.size;
        uint32_t events = 0;

        if (!c->busy && !c->closing && !c->unfinished)
                events |= EPOLLIN;
        if (waits_for_peer)
                events |= EPOLLOUT;
        /* Work that waits for nobody is not left to EPOLLOUT: that stays away until the peer has read most of what it was
         * sent, and a peer may well say all that it has to say before it reads. */
        sd_event_source_set_enabled(c->again, c->unfinished && !waits_for_peer ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
        if (events != c->events) {
                sd_event_source_set_io_events(c->io, events);
                c->events = events;
        }
}

/* One turn: produce more of a stream, take the next calls, send what there is. */
static void turn(struct connection *c) {
        c->unfinished = false;
        if (c->stream)
                stream_continue(c->stream);
        if (c->subscription && !c->request)
                subscription_continue(c->subscription);
        if (c->domains)
                domains_continue(c->domains);
        process_calls(c);
        if (!flush(c))
                return;
        if (is_within_bounds(c)) {
                update_events(c);
                return;
        }
        log_debug("Hanging up on a client of user %u: too much waits for that user.", (unsigned) c->uid);
        connection_free(c);
}

/* False: more came than a call may bring; those that there is no room for the kernel has closed. */
static bool keep_fds(struct connection *c, struct msghdr *message) {
        bool fits = !(message->msg_flags & MSG_CTRUNC);

        for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h; h = CMSG_NXTHDR(message, h)) {
                size_t n = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);

                if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
                        continue;
                for (size_t i = 0; i < n; i++) {
                        int fd;

                        memcpy(&fd, CMSG_DATA(h) + i * sizeof(int), sizeof(int));
                        if (c->n_in_fds < VARLINK_FDS_MAX)
                                c->in_fds[c->n_in_fds++] = fd;
                        else {
                                close(fd);
                                fits = false;
                        }
                }
        }
        return fits;
}

static bool receive(struct connection *c) {
        static char buffer[READ_SIZE]; /* nothing of it is used after the call */
        union {
                struct cmsghdr align;
                char bytes[CMSG_SPACE(VARLINK_FDS_MAX * sizeof(int))];
        } control;
        struct iovec part = { .iov_base = buffer, .iov_len = sizeof(buffer) };
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
        };
        ssize_t n = recvmsg(c->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

        if (n < 0)
                return errno == EAGAIN || errno == EINTR;
        if (!keep_fds(c, &message))
                return false;
        if (n == 0) {
                c->closing = true; /* every call was taken before we read again: only answers are left */
                return true;
        }
        return varlink_frame_feed(&c->in, buffer, (size_t) n) >= 0;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *userdata) {
        struct connection *c = userdata;

        /* What was sent before the peer went is still carried out: it may have been a call without an answer. */
        if ((revents & (EPOLLERR | EPOLLHUP)) && !(c->events & EPOLLIN) && !c->unfinished) {
                connection_free(c);
                return 0;
        }
        if ((revents & EPOLLIN) && !receive(c)) {
                connection_free(c);
                return 0;
        }
        turn(c);
        return 0;
}

/* By time: what is deferred goes before all others that wait, again and again. */
static int on_again(sd_event_source *source, uint64_t usec, void *userdata) {
        turn(userdata);
        return 0;
}

void connection_finish_call(struct connection *c) {
        c->busy = false;
        connection_kick(c);
}

void connection_kick(struct connection *c) {
        if (c->processing) /* whoever is processing goes on itself */
                return;
        c->unfinished = true;
        sd_event_source_set_enabled(c->again, SD_EVENT_ONESHOT); /* whether the peer has room shows when we send */
}

/* ---- coming and going ---- */

void connection_new(const struct varlink_door *door, int fd) {
        struct varlink_server *v = door->server;
        struct ucred peer = { .uid = (uid_t) -1 };
        socklen_t size = sizeof(peer);
        struct uid_count *user = NULL;
        struct connection *c;

        if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) >= 0)
                user = count_in(v, peer.uid);
        if (!user) {
                close(fd);
                return;
        }
        c = calloc(1, sizeof(*c));
        if (!c || sd_event_add_io(v->event, &c->io, fd, EPOLLIN, on_io, c) < 0 ||
            sd_event_add_time(v->event, &c->again, CLOCK_MONOTONIC, 0, 1, on_again, c) < 0) {
                if (c)
                        sd_event_source_disable_unref(c->io);
                count_out(v, user);
                close(fd);
                free(c);
                return;
        }
        sd_event_source_set_enabled(c->again, SD_EVENT_OFF);
        if (peer.uid != 0 && user->n > CROWD) {
                sd_event_source_set_priority(c->io, SD_EVENT_PRIORITY_IDLE);
                sd_event_source_set_priority(c->again, SD_EVENT_PRIORITY_IDLE);
        }
        c->server = v;
        c->door = door->type;
        c->fd = fd;
        c->user = user;
        c->uid = peer.uid;
        c->pid = peer.pid;
        c->peer = PIDREF_EMPTY;
        c->out_fd = -EBADF;
        c->events = EPOLLIN;
        c->next = v->connections;
        if (v->connections)
                v->connections->previous = c;
        v->connections = c;
}

void connection_free(struct connection *c) {
        struct varlink_server *v = c->server;

        if (c->previous)
                c->previous->next = c->next;
        else
                v->connections = c->next;
        if (c->next)
                c->next->previous = c->previous;
        if (c->request) {
                request_cancel(c->request);
                request_unref(c->request);
        }
        if (c->stream)
                stream_cancel(c->stream);
        if (c->subscription)
                subscription_cancel(c->subscription);
        if (c->domains)
                domains_cancel(c->domains);
        if (c->wait)
                wait_cancel(c->wait);
        sd_event_source_disable_unref(c->io);
        sd_event_source_disable_unref(c->again);
        close(c->fd);
        if (c->out_fd >= 0)
                close(c->out_fd);
        close_fds(c);
        if (v->short_of_descriptors) /* no more: whoever waits has this one */
                varlink_server_listen(v, true);
        varlink_frame_done(&c->in);
        buf_done(&c->out);
        count_held(c, 0, 0);
        count_out(v, c->user);
        free(c);
        /* Nobody left to look after; but it is also what ends a pause in accepting. */
        if (!v->connections && sd_event_source_get_enabled(v->doors[0].listen, NULL) > 0)
                sd_event_source_set_enabled(v->ticker, SD_EVENT_OFF);
}

void connections_tick(struct varlink_server *v) {
        for (struct connection *c = v->connections, *next; c; c = next) {
                bool stuck = !c->called || c->out_sent < c->out.size || (!c->busy && varlink_frame_pending(&c->in) > 0);

                next = c->next;
                if (stuck && ++c->idle_ticks > IDLE_TICKS) {
                        log_debug("Hanging up on a client of user %u that stands still.", (unsigned) c->uid);
                        connection_free(c);
                }
        }
}

int connection_caller(struct connection *c, bool process, struct caller *ret) {
        struct pidref peer;
        int r;

        ret->uid = c->uid;
        ret->bus_name = NULL;
        ret->process = c->peer;
        if (!pidref_is_set(&c->peer))
                ret->process.pid = c->pid; /* the number that it connected with, for the journal */
        if (c->uid == 0 && (!process || pidref_is_set(&c->peer)))
                return 0;
        r = pidref_from_peer(c->fd, &peer);
        if (r < 0)
                return r;
        c->peer = peer;
        c->peer.fd = -EBADF;
        if (c->uid == 0)
                pidref_done(&peer);
        ret->process = peer;
        return 0;
}
