/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The pool. A worker is one muster-helper at the other end of a socket; it answers in the order of the questions, so
 * the oldest unanswered question is the one it is busy with. When a worker hangs or dies only that question fails:
 * those behind it were not begun and go to another worker, once. What a worker says is hostile: anything unexpected
 * costs it its life.
 *
 * A worker that was given up stays in `dying` until the kernel reports its end: one that hangs in a file system served
 * by a hostile machine cannot be killed before that machine lets go, and nobody waits for it. */
#include "backend/helper.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "backend/helper-question.h"
#include "base/auto.h"
#include "base/log.h"
#include "sys/pidfd.h"
#include "sys/spawn-clean.h"

#define WORKERS_MAX 4
#define DYING_MAX 16
#define IN_FLIGHT_MAX 64   /* questions that one worker has before it */
#define IN_FLIGHT_ENOUGH 8 /* more than these are worth another worker */
#define WAITING_MAX 16384
#define ANSWER_TIMEOUT_USEC UINT64_C(5000000)
#define IDLE_USEC UINT64_C(60000000)
#define HELPER_SOCKET_FD 3
#define SPAWN_PAUSE_USEC UINT64_C(1000000) /* after a failure, while other workers can do it */

struct worker {
        struct worker *next;
        struct helper *helper;
        struct pidref process;
        int socket; /* -EBADF: given up, waiting for its end */
        sd_event_source *io, *exit;
        struct queue in_flight;
        struct helper_question stuck; /* since it was given up: what it was busy with; number 0: nothing */
        uint64_t deadline;            /* while something is in flight: for the next answer; else for retiring */
};

struct helper {
        sd_event *event;
        char *path;
        struct worker *workers, *dying;
        size_t n_workers, n_dying;
        struct questions questions;
        bool pumping, closing;
        sd_event_source *timer;
        uint64_t timer_at; /* UINT64_MAX: not set */
        uint64_t no_spawn_before;
        uint64_t last_number;
        struct incoming *incoming; /* made with the first worker: most daemons never need one */
};

struct incoming {
        uint8_t packet[HELPER_ANSWER_MAX + 1];
        struct helper_answer answer;
};

static void pump(struct helper *h);

static uint64_t now_usec(struct helper *h) {
        uint64_t now = 0;

        sd_event_now(h->event, CLOCK_MONOTONIC, &now);
        return now;
}

/* ---- time ---- */

static void arm_timer(struct helper *h, uint64_t at) {
        if (at >= h->timer_at)
                return;
        h->timer_at = at;
        sd_event_source_set_time(h->timer, at);
        sd_event_source_set_enabled(h->timer, SD_EVENT_ONESHOT);
}

static void worker_set_deadline(struct worker *w) {
        w->deadline = now_usec(w->helper) + (w->in_flight.n > 0 ? ANSWER_TIMEOUT_USEC : IDLE_USEC);
        arm_timer(w->helper, w->deadline);
}

/* ---- workers ---- */

static void worker_unlink(struct worker **list, struct worker *w) {
        while (*list != w)
                list = &(*list)->next;
        *list = w->next;
}

static void worker_free(struct worker *w) {
        sd_event_source_disable_unref(w->io);
        sd_event_source_disable_unref(w->exit);
        if (w->socket >= 0)
                close(w->socket);
        pidref_done(&w->process);
        free(w);
}

/* No more is expected of w: error is for the question it was busy with, the others are asked again. */
static void worker_give_up(struct worker *w, int error) {
        struct queue in_flight = w->in_flight, again = { NULL, NULL, 0 }, failed = { NULL, NULL, 0 };
        struct helper *h = w->helper;
        struct question *question;

        if (w->socket < 0)
                return;
        w->io = sd_event_source_disable_unref(w->io);
        close(STEAL_FD(w->socket));
        pidref_signal(&w->process, SIGKILL);
        w->in_flight = (struct queue){ NULL, NULL, 0 };
        if (in_flight.first && error == -ETIMEDOUT)
                w->stuck = in_flight.first->wire;
        worker_unlink(&h->workers, w);
        h->n_workers--;
        w->next = h->dying;
        h->dying = w;
        h->n_dying++;

        while ((question = queue_take(&in_flight))) {
                bool begun = failed.n == 0 && again.n == 0;

                if (!begun && !question->retried)
                        question_not_sent(question);
                queue_append(begun || question->retried ? &failed : &again, question);
                question->retried = true;
        }
        queue_prepend_all(&h->questions.waiting, &again);
        while ((question = queue_take(&failed)))
                question_finish(&h->questions, question, error, NULL, -EBADF);
        pump(h);
}

static void worker_take_answer(struct worker *w, const struct helper_answer *answer, int fd) {
        struct question *question = queue_take(&w->in_flight);

        worker_set_deadline(w);
        question_finish(&w->helper->questions, question, 0, answer, fd);
}

static bool is_directory(int fd) {
        struct stat st;

        return fstat(fd, &st) >= 0 && S_ISDIR(st.st_mode);
}

static bool answer_is_expected(const struct worker *w, const struct helper_answer *answer, int fd) {
        const struct question *question = w->in_flight.first;

        if (!question || question->wire.number != answer->number || question->wire.kind != answer->kind)
                return false;
        if (answer->kind == HELPER_OPEN_ROOT && answer->error == 0)
                return fd >= 0 && is_directory(fd);
        return fd < 0;
}

/* One packet into h->incoming; the descriptor that came with it, or -EBADF, in *ret_fd. -EMFILE: there was no room for it. */
static ssize_t receive(struct worker *w, int *ret_fd) {
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(sizeof(int))]; /* more than one does not get in */
        } control;
        struct helper *h = w->helper;
        struct iovec part = { .iov_base = h->incoming->packet, .iov_len = sizeof(h->incoming->packet) };
        struct msghdr message = {
                .msg_iov = &part, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)
        };
        ssize_t n = recvmsg(w->socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
        struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&message) : NULL;

        *ret_fd = -EBADF;
        if (n < 0)
                return -errno;
        if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
                memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
        return n > 0 && (message.msg_flags & MSG_CTRUNC) && *ret_fd < 0 ? -EMFILE : n;
}

/* Reads what is there. Each callback may ask more, or find out that w is dead. */
static void worker_read(struct worker *w) {
        struct helper *h = w->helper;

        while (w->socket >= 0) {
                AUTO_CLOSE int fd = -EBADF;
                ssize_t n = receive(w, &fd);

                if (n == -EINTR)
                        continue;
                if (n == -EAGAIN)
                        return;
                if (n == -EMFILE) {
                        worker_give_up(w, -EMFILE); /* the answer is lost, and with it what belongs to which question */
                } else if (n <= 0) {
                        log_full(w->in_flight.n > 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_DEBUG, 0, NULL,
                                 "The helper process %d ended while %zu questions waited for it.", (int) w->process.pid,
                                 w->in_flight.n);
                        worker_give_up(w, -EIO);
                } else if (helper_answer_decode(h->incoming->packet, (size_t) n, &h->incoming->answer) < 0 ||
                           !answer_is_expected(w, &h->incoming->answer, fd)) {
                        log_error("The helper process %d gave an answer that is none: killing it.",
                                  (int) w->process.pid);
                        worker_give_up(w, -EIO);
                } else {
                        worker_take_answer(w, &h->incoming->answer, fd);
                }
        }
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct worker *w = userdata;

        worker_read(w);
        if (w->socket >= 0)
                pump(w->helper);
        return 0;
}

/* The process has ended: take what it still said, then bury it. */
static int on_exit_of_worker(sd_event_source *source, int fd, uint32_t events, void *userdata) {
        struct worker *w = userdata;
        struct helper *h = w->helper;
        siginfo_t info = { .si_pid = 0 };

        if (waitid(P_PIDFD, (id_t) fd, &info, WEXITED | WNOHANG) == 0 && info.si_pid == 0)
                return 0; /* not yet */
        worker_read(w);
        worker_give_up(w, -EIO);
        worker_unlink(&h->dying, w);
        h->n_dying--;
        worker_free(w);
        pump(h); /* there may have been too many to start another */
        return 0;
}

/* ---- starting one ---- */

static int spawn(const char *path, int socket, pid_t *ret) {
        posix_spawn_file_actions_t actions;
        int r;

        r = posix_spawn_file_actions_init(&actions);
        if (r != 0)
                return -r;
        r = posix_spawn_file_actions_adddup2(&actions, socket, HELPER_SOCKET_FD);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        if (r == 0)
                r = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        r = r == 0 ? spawn_clean(path, path, &actions, false, ret) : -r;
        posix_spawn_file_actions_destroy(&actions);
        return r;
}

static int worker_watch(struct worker *w) {
        sd_event *e = w->helper->event;
        int r;

        r = sd_event_add_io(e, &w->io, w->socket, EPOLLIN, on_io, w);
        if (r < 0)
                return r;
        return sd_event_add_io(e, &w->exit, w->process.fd, EPOLLIN, on_exit_of_worker, w);
}

static int worker_new(struct helper *h, struct worker **ret) {
        AUTO_CLOSE int theirs = -EBADF;
        int fds[2], r;
        struct worker *w;
        pid_t pid;

        if (h->n_dying >= DYING_MAX)
                return -EBUSY;
        if (!h->incoming && !(h->incoming = malloc(sizeof(*h->incoming))))
                return -ENOMEM;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
                return -errno;
        theirs = fds[1];
        w = calloc(1, sizeof(*w));
        if (!w) {
                close(fds[0]);
                return -ENOMEM;
        }
        w->helper = h;
        w->process = PIDREF_EMPTY;
        w->socket = fds[0];
        r = spawn(h->path, theirs, &pid);
        if (r == 0) {
                r = pidref_open(pid, &w->process); /* it is our child and not waited for: the number is its own */
                if (r == 0)
                        r = worker_watch(w);
                if (r < 0) {
                        kill(pid, SIGKILL);
                        waitpid(pid, NULL, WNOHANG); /* it is found by init when we end, if it is not dead yet */
                }
        }
        if (r < 0) {
                worker_free(w);
                return r;
        }
        w->next = h->workers;
        h->workers = w;
        h->n_workers++;
        worker_set_deadline(w);
        *ret = w;
        return 0;
}

/* The worker with the least before it, or a new one where that is too much. *ret NULL: all are full. */
static int find_worker(struct helper *h, struct worker **ret) {
        struct worker *best = NULL;
        int r;

        for (struct worker *w = h->workers; w; w = w->next)
                if (!best || w->in_flight.n < best->in_flight.n)
                        best = w;
        if ((!best || best->in_flight.n > IN_FLIGHT_ENOUGH) && h->n_workers < WORKERS_MAX &&
            (!best || now_usec(h) >= h->no_spawn_before)) {
                r = worker_new(h, &best);
                if (r < 0) {
                        h->no_spawn_before = now_usec(h) + SPAWN_PAUSE_USEC;
                        log_warning_errno(r, "Cannot start the helper process %s", h->path);
                        if (!best)
                                return -EIO; /* not r: -ENOENT would say that a machine lacks something */
                }
        }
        *ret = best && best->in_flight.n < IN_FLIGHT_MAX ? best : NULL;
        return 0;
}

/* ---- asking ---- */

static int send_question(int socket, const struct helper_question *wire, int pidfd) {
        uint8_t packet[HELPER_QUESTION_SIZE];
        union {
                struct cmsghdr head;
                char bytes[CMSG_SPACE(sizeof(int))];
        } control = { .bytes = { 0 } };
        struct iovec part = { .iov_base = packet, .iov_len = sizeof(packet) };
        struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };

        helper_question_encode(wire, packet);
        if (pidfd >= 0) {
                control.head = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof(int)),
                                                 .cmsg_level = SOL_SOCKET,
                                                 .cmsg_type = SCM_RIGHTS };
                memcpy(CMSG_DATA(&control.head), &pidfd, sizeof(int));
                message.msg_control = control.bytes;
                message.msg_controllen = sizeof(control.bytes);
        }
        return sendmsg(socket, &message, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static bool is_about_files(enum helper_kind kind) {
        return kind == HELPER_OS_RELEASE || kind == HELPER_BOTH || kind == HELPER_OPEN_ROOT;
}

/* A worker that was given up still hangs in the files of that machine: another would, too. */
static bool is_stuck(const struct helper *h, const struct helper_question *wire) {
        if (!is_about_files(wire->kind) || (wire->flags & HELPER_HOST))
                return false;
        for (const struct worker *w = h->dying; w; w = w->next)
                if (w->stuck.number > 0 && is_about_files(w->stuck.kind) && w->stuck.pid == wire->pid &&
                    w->stuck.id == wire->id && w->stuck.start == wire->start)
                        return true;
        return false;
}

/* 0: the question is on its way, or answered with its failure. -EAGAIN: nobody takes it now; it is still the caller's.
 */
static int dispatch(struct helper *h, struct question *question, int pidfd) {
        struct worker *w = NULL;
        int r;

        if (is_stuck(h, &question->wire)) {
                question_finish(&h->questions, question, -ETIMEDOUT, NULL, -EBADF);
                return 0;
        }
        r = find_worker(h, &w);
        if (r < 0) {
                question_finish(&h->questions, question, r, NULL, -EBADF);
                return 0;
        }
        if (!w)
                return -EAGAIN;
        r = send_question(w->socket, &question->wire, pidfd);
        if (r == -EAGAIN || r == -ETOOMANYREFS)
                return -EAGAIN;
        if (r < 0) {
                bool retried = question->retried;

                /* The worker is dead, which the loop has not told us yet. */
                question->retried = true;
                worker_give_up(w, -EIO);
                if (!retried)
                        return -EAGAIN;
                question_finish(&h->questions, question, -EIO, NULL, -EBADF);
                return 0;
        }
        question_sent(question);
        queue_append(&w->in_flight, question);
        if (w->in_flight.n == 1)
                worker_set_deadline(w);
        return 0;
}

/* Sends what waits, without a pidfd: the process is found again by its recorded identity. */
static void pump(struct helper *h) {
        struct question *question;

        if (h->pumping)
                return;
        h->pumping = true;
        while ((question = queue_take(&h->questions.waiting)))
                if (dispatch(h, question, -EBADF) == -EAGAIN) {
                        struct queue back = { NULL, NULL, 0 };

                        queue_append(&back, question);
                        queue_prepend_all(&h->questions.waiting, &back);
                        /* With no worker left nobody would wake us: the next turn starts one, or fails. */
                        if (h->n_workers > 0)
                                break;
                }
        h->pumping = false;
}

/* Consumes the question. */
static void ask(struct helper *h, struct question *question, int pidfd) {
        if (!question_begin(&h->questions, question))
                return;
        if (h->questions.waiting.n >= WAITING_MAX) {
                question_finish(&h->questions, question, -ENOBUFS, NULL, -EBADF);
        } else if (h->questions.waiting.n > 0) {
                queue_append(&h->questions.waiting, question); /* no overtaking */
        } else if (dispatch(h, question, pidfd) == -EAGAIN) {
                queue_append(&h->questions.waiting, question);
                pump(h);
        }
}

static int question_new(struct helper *h, enum helper_kind kind, const struct machine *m, struct question **ret) {
        struct question *question;

        if (h->closing)
                return -ECANCELED;
        if (m->class != MACHINE_HOST && !pidref_is_set(&m->leader))
                return -ESRCH;
        question = calloc(1, sizeof(*question));
        if (!question)
                return -ENOMEM;
        question->wire.kind = kind;
        question->wire.number = ++h->last_number;
        if (m->class == MACHINE_HOST) {
                question->wire.flags = HELPER_HOST;
        } else {
                question->wire.pid = m->leader.pid;
                question->wire.id = m->leader.id;
                question->wire.start = m->leader.start;
        }
        *ret = question;
        return 0;
}

static void look(struct helper *h, enum helper_kind kind, const struct machine *m, inspect_fn answer, void *userdata) {
        struct question *question = NULL;
        int r;

        r = question_new(h, kind, m, &question);
        if (r < 0) {
                answer(userdata, &(struct inspect_result){ .error = r, .fd = -EBADF });
                return;
        }
        question->answer = answer;
        question->userdata = userdata;
        ask(h, question, m->class == MACHINE_HOST ? -EBADF : m->leader.fd);
}

static void port_addresses(void *impl, const struct machine *m, inspect_fn answer, void *userdata) {
        look(impl, HELPER_ADDRESSES, m, answer, userdata);
}

static void port_os_release(void *impl, const struct machine *m, inspect_fn answer, void *userdata) {
        look(impl, HELPER_OS_RELEASE, m, answer, userdata);
}

static void port_both(void *impl, const struct machine *m, inspect_fn addresses, inspect_fn os_release,
                      void *userdata) {
        struct inspect_result failed = { .fd = -EBADF };
        struct question *question = NULL;
        int r;

        r = question_new(impl, HELPER_BOTH, m, &question);
        failed.error = r;
        if (r >= 0 && is_stuck(impl, &question->wire)) { /* the addresses can be had */
                free(question);
                failed.error = -ETIMEDOUT;
                os_release(userdata, &failed);
                look(impl, HELPER_ADDRESSES, m, addresses, userdata);
                return;
        }
        if (r < 0) {
                addresses(userdata, &failed);
                os_release(userdata, &failed);
                return;
        }
        question->answer = addresses;
        question->os_release = os_release;
        question->userdata = userdata;
        ask(impl, question, m->class == MACHINE_HOST ? -EBADF : m->leader.fd);
}

static void port_open_root(void *impl, const struct machine *m, inspect_fn answer, void *userdata) {
        look(impl, HELPER_OPEN_ROOT, m, answer, userdata);
}

void helper_kill_tree(struct helper *h, const struct machine *m, int sig, port_done_fn done, void *userdata) {
        struct question *question = NULL;
        int r = -EPERM;

        if (m->class != MACHINE_HOST)
                r = question_new(h, HELPER_KILL_TREE, m, &question);
        if (r < 0) {
                done(userdata, r);
                return;
        }
        question->wire.signal = sig;
        question->wire.uid = m->uid;
        question->done = done;
        question->userdata = userdata;
        ask(h, question, m->leader.fd);
}

/* ---- the pool itself ---- */

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct helper *h = userdata;
        uint64_t now = now_usec(h);

        h->timer_at = UINT64_MAX;
        for (struct worker *w = h->workers, *next; w; w = next) {
                next = w->next;
                if (w->deadline <= now)
                        worker_read(w); /* perhaps it was us who had no time */
                if (w->socket < 0) {
                        next = h->workers; /* the list changed under our feet: those already seen are seen twice */
                        continue;
                }
                if (w->deadline > now) {
                        arm_timer(h, w->deadline);
                        continue;
                }
                if (w->in_flight.n > 0)
                        log_warning(
                                "The helper process %d has hung for %d s while looking into the machine of process %d: "
                                "killing it.",
                                (int) w->process.pid, (int) (ANSWER_TIMEOUT_USEC / 1000000),
                                (int) w->in_flight.first->wire.pid);
                worker_give_up(w, -ETIMEDOUT);
                next = h->workers;
        }
        pump(h);
        return 0;
}

int helper_new(sd_event *e, const char *path, struct helper **ret) {
        struct helper *h = calloc(1, sizeof(*h));
        int r;

        if (!h)
                return -ENOMEM;
        h->event = sd_event_ref(e);
        h->timer_at = UINT64_MAX;
        h->path = strdup(path);
        r = h->path ? sd_event_add_time(e, &h->timer, CLOCK_MONOTONIC, UINT64_MAX, 0, on_timer, h) : -ENOMEM;
        if (r >= 0)
                r = sd_event_source_set_enabled(h->timer, SD_EVENT_OFF);
        if (r < 0) {
                helper_free(h);
                return r;
        }
        *ret = h;
        return 0;
}

static void fail_all(struct helper *h, struct queue *queue) {
        struct question *question;

        while ((question = queue_take(queue)))
                question_finish(&h->questions, question, -ECANCELED, NULL, -EBADF);
}

void helper_free(struct helper *h) {
        if (!h)
                return;
        h->closing = h->pumping = true; /* nothing is taken or sent any more */
        fail_all(h, &h->questions.waiting);
        while (h->workers) {
                struct worker *w = h->workers;

                h->workers = w->next;
                pidref_signal(&w->process, SIGKILL);
                fail_all(h, &w->in_flight);
                worker_free(w);
        }
        fail_all(h, &h->questions.waiting); /* those that waited for one in flight */
        while (h->dying) {
                struct worker *w = h->dying;

                h->dying = w->next;
                worker_free(w);
        }
        sd_event_source_disable_unref(h->timer);
        sd_event_unref(h->event);
        free(h->incoming);
        free(h->path);
        free(h);
}

struct inspect_port helper_inspect_port(struct helper *h) {
        return (struct inspect_port){
                .impl = h,
                .addresses = port_addresses,
                .os_release = port_os_release,
                .addresses_and_os_release = port_both,
                .open_root = port_open_root,
        };
}
