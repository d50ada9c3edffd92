/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster logs: what machines have said on their consoles. The files are read directly, so it works without a registry and after
 * the machine is gone; the registry hands them to who may not open them himself. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <sys/inotify.h>
#include <time.h>

#include "client/console-logs.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/log-guest.h"
#include "muster/log-list.h"
#include "muster/log-place.h"
#include "muster/log-read.h"
#include "muster/log-text.h"
#include "muster/output.h"
#include "muster/time-text.h"
#include "muster/verbs.h"

#define FOLLOW_LINES 10       /* of before, where no other number is given */
#define WRITE_AT 65536        /* bytes that are collected before they are written */
#define PAGED_MAX (64U << 20) /* bytes for a pager; what is more goes to the terminal as it comes */
#define LOOK_AGAIN_MSEC 1000  /* a net: for a directory that does not exist yet, or a lost event */

static int cannot_read(const char *directory, const char *machine, int error) {
        if (error == -ENOENT)
                return fail("There is no log of \"%s\" in %s. Machines of muster-spawn have one when they were started "
                            "with a console.",
                            machine, directory);
        if (error == -EACCES || error == -EPERM)
                return log_place_no_access(directory);
        return fail("Cannot read the log of \"%s\" in %s: %s.", machine, directory,
                    error == -EBADF || error == -ELOOP ? "it is no regular file" : strerror(-error));
}

/* ---- showing ---- */

struct show {
        const struct options *o;
        const struct log_span *span;
        const char *machine;
        bool paged;
        struct buf out;
};

/* SIGPIPE ends us, as it should when nobody reads on. */
static int write_out(struct show *s) {
        if (buf_error(&s->out) < 0)
                return fail("Out of memory.");
        if (s->out.size > 0 && (fwrite(s->out.data, 1, s->out.size, stdout) != s->out.size || fflush(stdout) != 0))
                return fail("Cannot write the output: %s.", strerror(errno));
        buf_clear(&s->out);
        return EXIT_SUCCESS;
}

static bool is_wanted(const struct log_span *span, const struct console_record *record) {
        return record->usec >= span->since_usec && record->usec <= span->until_usec;
}

/* Shows what there is, but the first `skip` of it. */
static int show_records(struct show *s, struct log_reader *reader, uint64_t skip) {
        struct console_record record;
        int r;

        while ((r = log_reader_next(reader, &record)) > 0) {
                if (!is_wanted(s->span, &record) || (skip > 0 && skip--))
                        continue;
                log_text_record(s->o, s->machine, &record, &s->out);
                if (s->out.size > PAGED_MAX)
                        s->paged = false;
                if ((s->out.size > WRITE_AT && !s->paged) || buf_error(&s->out) < 0) {
                        r = write_out(s);
                        if (r != EXIT_SUCCESS)
                                return r;
                }
        }
        if (r < 0)
                return fail("Cannot read the log of \"%s\": %s.", s->machine, strerror(-r));
        return s->paged ? output_show(s->o, &s->out) : write_out(s);
}

/* How many there are, less those that are to be shown. */
static int count(const struct log_span *span, struct log_reader *reader, uint64_t lines, uint64_t *ret) {
        struct console_record record;
        uint64_t n = 0;
        int r;

        while ((r = log_reader_next(reader, &record)) > 0)
                n += is_wanted(span, &record);
        *ret = n > lines ? n - lines : 0;
        return r;
}

static int show_first(struct show *s, struct log_reader *reader) {
        uint32_t lines = s->o->has_lines ? s->o->lines : s->o->follow && !s->o->since ? FOLLOW_LINES : UINT32_MAX;
        uint64_t skip = 0;
        int r;

        if (lines < UINT32_MAX) {
                r = count(s->span, reader, lines, &skip);
                if (r >= 0)
                        r = log_reader_rewind(reader);
                if (r < 0)
                        return fail("Cannot read the log of \"%s\": %s.", s->machine, strerror(-r));
        }
        return show_records(s, reader, skip);
}

/* ---- following ---- */

static int watch(const char *directory) {
        int fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

        if (fd >= 0 &&
            inotify_add_watch(fd, directory, IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE_SELF | IN_ONLYDIR) < 0) {
                close(fd);
                return -EBADF;
        }
        return fd;
}

/* False: nobody reads what we write. */
static bool sleep_a_while(int inotify_fd) {
        struct pollfd fds[] = { { .fd = inotify_fd, .events = POLLIN }, { .fd = STDOUT_FILENO } };
        char events[4096];

        if (poll(fds, ELEMENTS(fds), LOOK_AGAIN_MSEC) > 0 && fds[1].revents & (POLLERR | POLLNVAL))
                return false;
        while (inotify_fd >= 0 && read(inotify_fd, events, sizeof(events)) > 0)
                ;
        return true;
}

/* What may not be read directly may be had from the registry. */
static int open_log(const struct options *o, const char *directory, const char *machine, struct log_reader **ret) {
        int r = log_reader_open(directory, machine, ret);

        if ((r != -EACCES && r != -EPERM) || !isempty(getenv(CONSOLE_LOGS_ENVIRONMENT))) /* it knows one place only */
                return r;
        r = log_reader_ask(o, machine, ret);
        return r == -EHOSTDOWN ? -EACCES : r;
}

/* Opens it as soon as there is one. */
static int wait_for_log(const struct options *o, const char *directory, const char *machine, struct log_reader **ret) {
        bool told = o->quiet;

        for (;;) {
                AUTO_CLOSE int inotify_fd = watch(directory);
                int r = open_log(o, directory, machine, ret);

                if (r != -ENOENT)
                        return r;
                if (!told)
                        fprintf(stderr, "There is no log of \"%s\" yet, waiting for one.\n", machine);
                told = true;
                if (!sleep_a_while(inotify_fd))
                        return -EPIPE;
        }
}

static int follow(struct show *s, const char *directory, struct log_reader *reader) {
        AUTO_CLOSE int inotify_fd = watch(directory);
        int r;

        /* Look before sleeping: what came while nobody watched makes no event. */
        do {
                r = show_records(s, reader, 0);
                if (r != EXIT_SUCCESS)
                        return r;
                r = log_reader_renew(reader);
                if (r < 0)
                        return cannot_read(directory, s->machine, r);
                if (r > 0 && !s->o->quiet)
                        fprintf(stderr, "The log of \"%s\" begins anew; lines may have been missed.\n", s->machine);
                r = show_records(s, reader, 0);
                if (r != EXIT_SUCCESS)
                        return r;
        } while (sleep_a_while(inotify_fd));
        return EXIT_SUCCESS;
}

static int show_log(const struct options *o, const struct log_span *span, const char *machine) {
        struct show s = {
                .o = o, .span = span, .machine = machine, .paged = o->pager && !o->follow && isatty(STDOUT_FILENO)
        };
        AUTO(log_reader_freep) struct log_reader *reader = NULL;
        AUTO_FREE char *directory = NULL;
        int r;

        if (log_place_find(machine, &directory) < 0)
                return EXIT_FAILURE;
        r = o->follow ? wait_for_log(o, directory, machine, &reader) : open_log(o, directory, machine, &reader);
        if (r == -EPIPE)
                return EXIT_SUCCESS;
        if (r < 0)
                return cannot_read(directory, machine, r);
        r = show_first(&s, reader);
        if (r == EXIT_SUCCESS && o->follow)
                r = follow(&s, directory, reader);
        buf_done(&s.out);
        if (log_reader_skipped(reader) > 0 && !o->quiet)
                fprintf(stderr, "%llu lines in the log of \"%s\" are damaged and were left out.\n",
                        (unsigned long long) log_reader_skipped(reader), machine);
        return r;
}

/* ---- which of it all ---- */

static int wrong(const char *text) {
        fail("%s", text);
        return EXIT_USAGE;
}

/* A text that was not given leaves *ret alone. */
static bool read_time(const char *option, const char *text, uint64_t now_usec, uint64_t *ret) {
        if (!text || time_text_parse(text, now_usec, ret) >= 0)
                return true;
        fail("--%s=%s: must be " TIME_TEXT_FORMS ".", option, text);
        return false;
}

static bool read_span(const struct options *o, struct log_span *ret) {
        struct timespec t;
        uint64_t now_usec;

        clock_gettime(CLOCK_REALTIME, &t);
        now_usec = (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
        return read_time("since", o->since, now_usec, &ret->since_usec) &&
               read_time("until", o->until, now_usec, &ret->until_usec);
}

int verb_logs(const struct options *o, char **args) {
        struct log_span span = { .since_usec = 0, .until_usec = UINT64_MAX };
        int status = EXIT_SUCCESS;

        if (o->remove && !*args)
                return wrong("logs --remove needs the name of a machine.");
        if (o->remove && (o->follow || o->guest || o->raw))
                return wrong("--remove goes with no other option of logs.");
        if (o->follow && o->until)
                return wrong("--follow waits for what is to come: --until does not go with it.");
        if (o->raw && (o->json || o->guest))
                return wrong("--raw gives the bytes of the console: --json and --guest do not go with it.");
        if (o->raw && isatty(STDOUT_FILENO))
                return wrong(
                        "--raw does not write to a terminal, which would obey what the machine has printed: use a file "
                        "or a pipe.");
        if (!read_span(o, &span))
                return EXIT_USAGE;
        for (char **name = args; *name; name++)
                if (!name_is_usable(*name))
                        return EXIT_FAILURE;
        if (o->remove) {
                for (; *args; args++)
                        if (log_list_remove(*args) != EXIT_SUCCESS)
                                status = EXIT_FAILURE;
                return status;
        }
        if (!*args)
                return o->follow || o->guest || o->raw ? wrong("logs needs the name of a machine.") : log_list_show(o);
        if (args[1])
                return wrong("logs shows one machine at a time.");
        return o->guest ? log_guest_show(o, &span, *args) : show_log(o, &span, *args);
}
