/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-transfer: copies files into a machine or out of it, or mounts a directory of the host in it.
 *
 *   main.c     what it was started with; starts the workers, and looks after them
 *   place.c    the machine: its root directory, its namespaces, its root
 *   pack.c     a worker: tree -> tar archive
 *   unpack.c   a worker: tar archive -> tree; levels.c: the directories on the way
 *   bind.c     a worker: mounts
 *   work.c     what workers tell
 *
 * To copy is to pack on one side and to unpack on the other, with a pipe between: so each side has only its own files before it, with
 * its own rights: that on the host those of root, that in the machine those of the machine's root. Or only one of them works, and
 * the archive is the client's.
 *
 * It is started by musterd, or by muster where no musterd runs, with the archive as standard input or output, and with 3 the
 * request (codec/transfer-protocol.h), 4 a pidfd of the machine's leader, 5 a SOCK_SEQPACKET socket to report to: when nobody has
 * its other end any more, all is taken back. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/pidref.h"
#include "muster-transfer/bind.h"
#include "muster-transfer/pack.h"
#include "muster-transfer/place.h"
#include "muster-transfer/unpack.h"
#include "sys/pidfd.h"

enum { FD_REQUEST = 3, FD_LEADER, FD_STATUS, FD_STARTING };
enum { WORKER_HOST, WORKER_MACHINE, WORKERS };

#define PIPE_SIZE (1 << 20)
#define TICK_MSEC 200
#define REPORT_SECONDS 10 /* for a client to take the last report */
#define PATIENCE_MSEC \
        60000 /* with workers that are to end: a file system may hang, or there may be much to take back */

struct job {
        struct transfer *transfer;
        struct place place;
        struct tally *tally;
        int channel[2]; /* from the one that packs to the one that unpacks */
        struct pidref workers[WORKERS];
        int error;       /* why all of it is to end; 0: it is not */
        bool incomplete; /* a worker has failed that had no reason but the other one, or the client */
};

static volatile sig_atomic_t is_cancelled;

static void on_signal(int sig) {
        is_cancelled = 1;
}

/* ---- the workers ---- */

static bool packs(const struct job *j, int worker) {
        return (j->transfer->kind == TRANSFER_COPY_TO) == (worker == WORKER_HOST);
}

static bool is_wanted(const struct job *j, int worker) {
        return worker == WORKER_MACHINE || (j->transfer->kind != TRANSFER_BIND && !j->transfer->archive);
}

static int work_copy(struct job *j, int worker, struct work *w) {
        const struct transfer *t = j->transfer;
        AUTO_CLOSE int host = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
        const struct unpack_how how = {
                .replace = t->replace,
                .keep_owners = t->archive || j->place.users < 0, /* numbers in an archive are the machine's */
                .into = t->archive,
                .cancelled = &is_cancelled,
        };
        int root = worker == WORKER_HOST ? host : j->place.root;

        if (host < 0)
                return -errno;
        if (packs(j, worker))
                return pack(w, root, t->source, t->archive ? STDOUT_FILENO : j->channel[1], t->archive);
        return unpack(w, root, t->destination, t->archive ? STDIN_FILENO : j->channel[0], &how);
}

/* It ends with its parent: that comes last, for the kernel forgets it when rights change. */
static int prepare_worker(const struct job *j, int worker, struct work *w, pid_t parent) {
        int r = worker == WORKER_MACHINE && j->transfer->kind != TRANSFER_BIND ? place_become_root(&j->place) : 0;

        if (r < 0)
                return work_fail(w, r, "Cannot become root of the machine: %s.", strerror(-r));
        (void) prctl(PR_SET_PDEATHSIG, SIGTERM, 0, 0, 0);
        return getppid() == parent ? 0 : -ECANCELED;
}

static _Noreturn void run_worker(struct job *j, int worker, pid_t parent) {
        struct work w = { .tally = j->tally,
                          .outcome = &j->tally->outcomes[worker],
                          .counts = !packs(j, worker) || !is_wanted(j, WORKER_HOST) };
        const struct sigaction cancel = { .sa_handler = on_signal }; /* without SA_RESTART: who waits is to notice */
        const struct transfer *t = j->transfer;
        int r;

        close(FD_STATUS);
        if (j->channel[0] >= 0)
                close(j->channel[packs(j, worker) ? 0 : 1]);
        if (packs(j, worker) && t->kind != TRANSFER_BIND)
                signal(SIGTERM, SIG_DFL);
        else
                sigaction(SIGTERM, &cancel, NULL);
        r = prepare_worker(j, worker, &w, parent);
        if (r >= 0 && t->kind == TRANSFER_BIND)
                r = bind_into(&w, &j->place, t->source, t->destination, t->read_only, t->make);
        else if (r >= 0)
                r = work_copy(j, worker, &w);
        if (r < 0 && r != -EPIPE)
                (void) work_fail(&w, r, "It did not work: %s.", strerror(-r));
        _exit(r < 0);
}

static int start_worker(struct job *j, int worker) {
        pid_t parent = getpid(), pid = fork();

        if (pid < 0)
                return -errno;
        if (pid == 0)
                run_worker(j, worker, parent);
        return pidref_open(pid, &j->workers[worker]);
}

static int start_workers(struct job *j, struct diag *d) {
        int r = 0;

        if (is_wanted(j, WORKER_HOST)) {
                if (pipe2(j->channel, O_CLOEXEC) < 0)
                        return -errno;
                (void) fcntl(j->channel[1], F_SETPIPE_SZ, PIPE_SIZE);
        }
        for (int i = 0; r >= 0 && i < WORKERS; i++)
                if (is_wanted(j, i))
                        r = start_worker(j, i);
        for (int i = 0; i < 2; i++) {
                if (j->channel[i] >= 0)
                        close(STEAL_FD(j->channel[i]));
                close(i); /* an archive ends when the worker is done with it */
        }
        return r < 0 ? diag_set(d, r, NULL, "Cannot start a process: %s.", strerror(-r)) : 0;
}

/* ---- looking after them ---- */

static void report(const struct job *j, enum transfer_report_kind kind, int error, const char *text) {
        struct transfer_report r = { .kind = kind,
                                     .error = error < 0 ? (uint32_t) -error : 0,
                                     .bytes = j->tally ? j->tally->bytes : 0,
                                     .files = j->tally ? j->tally->files : 0,
                                     .left_out = j->tally ? j->tally->left_out : 0 };
        uint8_t packet[TRANSFER_REPORT_MAX];

        if (text)
                strncat(r.text, text, TRANSFER_REPORT_TEXT_MAX);
        /* One who does not listen misses what is on the way, but shall hear of the end. */
        (void) send(FD_STATUS, packet, transfer_report_encode(&r, packet),
                    MSG_NOSIGNAL | (kind == TRANSFER_REPORT_PROGRESS ? MSG_DONTWAIT : 0));
}

static bool reap(struct job *j, int worker) {
        struct pidref *p = &j->workers[worker];
        struct outcome *o = &j->tally->outcomes[worker];
        int status = 0;

        if (waitpid(p->pid, &status, WNOHANG) != p->pid)
                return false;
        if (!(WIFEXITED(status) && WEXITSTATUS(status) < 2) && o->error == 0 && j->error == 0) {
                o->error = -EIO;
                snprintf(o->text, sizeof(o->text), "A worker was killed.");
        }
        if (status != 0)
                j->incomplete = true;
        pidref_done(p);
        p->pid = 0;
        return true;
}

static void end_workers(struct job *j, int sig) {
        for (int i = 0; i < WORKERS; i++)
                if (j->workers[i].pid > 0)
                        (void) kill(j->workers[i].pid, sig); /* our child, and not waited for: the number is its own */
}

static uint64_t now_msec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000 + (uint64_t) t.tv_nsec / 1000000;
}

/* One that has failed leaves the other with a pipe that nobody is at the end of, which is enough, unless its file system hangs. */
static bool one_is_left(const struct job *j) {
        return is_wanted(j, WORKER_HOST) && (j->workers[0].pid == 0) != (j->workers[1].pid == 0) &&
               (j->tally->outcomes[0].error < 0 || j->tally->outcomes[1].error < 0);
}

static bool is_done(const struct job *j) {
        for (int i = 0; i < WORKERS; i++)
                if (j->workers[i].pid > 0 || j->tally->outcomes[i].error < 0)
                        return false;
        return !j->incomplete;
}

/* What is done is done, whoever else ended in the same moment. */
static void look(struct job *j, struct pollfd fds[static 4]) {
        for (int i = 0; i < WORKERS; i++)
                if (fds[2 + i].revents)
                        (void) reap(j, i);
        if (j->error < 0 || is_done(j))
                return;
        if (fds[0].revents)
                j->error = -ECANCELED;
        else if (fds[1].revents)
                j->error = -ESRCH;
}

static void watch(struct job *j) {
        uint64_t deadline = UINT64_MAX, told = 0;

        while (j->workers[WORKER_HOST].pid > 0 || j->workers[WORKER_MACHINE].pid > 0) {
                bool ending = j->error < 0 || one_is_left(j);
                struct pollfd fds[] = { { .fd = j->error < 0 ? -1 : FD_STATUS, .events = POLLIN },
                                        { .fd = j->error < 0 ? -1 : FD_LEADER, .events = POLLIN },
                                        { .fd = j->workers[0].pid > 0 ? j->workers[0].fd : -1, .events = POLLIN },
                                        { .fd = j->workers[1].pid > 0 ? j->workers[1].fd : -1, .events = POLLIN } };

                if (ending && deadline == UINT64_MAX)
                        deadline = now_msec() + PATIENCE_MSEC;
                if (j->error < 0) /* again and again: it may come between a look at the flag and a system call */
                        end_workers(j, SIGTERM);
                if (now_msec() >= deadline)
                        end_workers(j, SIGKILL);
                if (poll(fds, ELEMENTS(fds), ending || j->transfer->progress ? TICK_MSEC : -1) < 0 && errno != EINTR)
                        return;
                look(j, fds);
                if (j->transfer->progress && now_msec() - told >= TICK_MSEC) {
                        told = now_msec();
                        report(j, TRANSFER_REPORT_PROGRESS, 0, NULL);
                }
        }
}

/* Who packs knows why there is nothing more to be unpacked, and the other way round; both may have a reason. */
static int conclude(struct job *j) {
        const struct outcome *o = j->tally->outcomes;

        if (j->error == -ESRCH)
                report(j, TRANSFER_REPORT_FAILED, j->error, "The machine has ended.");
        else if (j->error < 0)
                report(j, TRANSFER_REPORT_FAILED, j->error, "It was cancelled.");
        for (int i = 0; i < WORKERS; i++)
                if (j->error == 0 && o[i].error < 0) {
                        j->error = o[i].error;
                        report(j, TRANSFER_REPORT_FAILED, j->error, o[i].text);
                }
        if (j->error == 0 && j->incomplete) {
                j->error = -EPIPE;
                report(j, TRANSFER_REPORT_FAILED, j->error, "What was to be copied ended before it was complete.");
        }
        if (j->error == 0)
                report(j, TRANSFER_REPORT_DONE, 0, NULL);
        return j->error;
}

/* ---- the beginning ---- */

static int read_request(struct transfer **ret) {
        char data[TRANSFER_REQUEST_MAX + 1];
        ssize_t n = pread(FD_REQUEST, data, sizeof(data), 0);

        if (n < 0)
                return -errno;
        return transfer_request_decode(data, (size_t) n, ret);
}

static int prepare(struct job *j, struct diag *d) {
        int r = read_request(&j->transfer);

        if (r < 0)
                return diag_set(d, r, NULL, "What is to be done cannot be read.");
        close(FD_REQUEST);
        r = place_open(FD_LEADER, &j->place, d);
        if (r < 0)
                return r;
        j->tally = mmap(NULL, sizeof(*j->tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        if (j->tally == MAP_FAILED) {
                j->tally = NULL;
                return -ENOMEM;
        }
        return 0;
}

static bool is_socket(int fd) {
        int type = 0;
        socklen_t size = sizeof(type);

        return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_SEQPACKET;
}

/* Whoever stops musterd means musterd; the client and the machine end us. */
static void be_alone(void) {
        static const int ignored[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2, SIGTSTP };
        const struct timeval patience = { .tv_sec = REPORT_SECONDS };
        const struct rlimit nothing = { 0, 0 };

        for (size_t i = 0; i < ELEMENTS(ignored); i++)
                signal(ignored[i], SIG_IGN);
        (void) setsockopt(FD_STATUS, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
        (void) setrlimit(RLIMIT_CORE, &nothing); /* files of the machine do not go into a dump of the host */
        (void) prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
        (void) prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        (void) setgroups(0, NULL);
        for (int fd = FD_REQUEST; fd <= FD_STARTING; fd++)
                (void) fcntl(fd, F_SETFD, FD_CLOEXEC);
        syscall(SYS_close_range, FD_STARTING, ~0U, 0);
        umask(0);
}

static void done(struct job *j) {
        transfer_free(j->transfer);
        place_done(&j->place);
        if (j->tally)
                munmap(j->tally, sizeof(*j->tally));
}

int main(int argc, char *argv[]) {
        AUTO(done)
        struct job j = { .place = PLACE_EMPTY, .channel = { -EBADF, -EBADF } };
        struct diag d = { 0 };
        int r;

        if (!is_socket(FD_STATUS)) {
                fprintf(stderr, "muster-transfer is started by musterd and muster, with a socket as descriptor %d.\n",
                        FD_STATUS);
                return 2;
        }
        prctl(PR_SET_NAME, "muster-transfer", 0, 0, 0); /* it may have been started by a descriptor */
        be_alone();
        r = prepare(&j, &d);
        if (r >= 0) {
                r = start_workers(&j, &d);
                if (r < 0)
                        j.error = r;
                watch(&j);
        }
        if (r < 0)
                report(&j, TRANSFER_REPORT_FAILED, r, *d.text ? d.text : strerror(-r));
        else
                r = conclude(&j);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
