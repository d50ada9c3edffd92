/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Everything is put together in memory first and written once: the pager then decides for itself whether it is needed
 * (less -F), and an error in the middle leaves no half table behind. */
#include "muster/output.h"

#include <errno.h>
#include <inttypes.h>
#include <langinfo.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <time.h>

#include "codec/json-out.h"
#include "muster/failure.h"

static bool colours_wanted(void) {
        const char *term = getenv("TERM");

        return isatty(STDOUT_FILENO) && isempty(getenv("NO_COLOR")) && !isempty(term) && !streq(term, "dumb");
}

const char *output_bold(void) {
        return colours_wanted() ? "\x1b[1m" : "";
}

const char *output_green(void) {
        return colours_wanted() ? "\x1b[1;32m" : "";
}

const char *output_red(void) {
        return colours_wanted() ? "\x1b[1;31m" : "";
}

const char *output_normal(void) {
        return colours_wanted() ? "\x1b[0m" : "";
}

void output_use_locale(void) {
        setlocale(LC_CTYPE, "");
}

bool output_is_utf8(void) {
        output_use_locale();
        return streq(nl_langinfo(CODESET), "UTF-8");
}

unsigned output_width(void) {
        struct winsize size;

        if (!isatty(STDOUT_FILENO))
                return 0;
        if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
                return 80;
        return size.ws_col;
}

/* NULL: no pager. */
static const char *pager_command(const struct options *o) {
        const char *command = getenv("SYSTEMD_PAGER");

        if (!o->pager || !isatty(STDOUT_FILENO))
                return NULL;
        if (!command)
                command = getenv("PAGER");
        if (!command)
                return "less";
        return isempty(command) || streq(command, "cat") ? NULL : command;
}

static int write_all(int fd, const char *data, size_t size) {
        while (size > 0) {
                ssize_t n = write(fd, data, size);

                if (n < 0 && errno == EINTR)
                        continue;
                if (n < 0)
                        return -errno;
                data += n;
                size -= (size_t) n;
        }
        return 0;
}

static _Noreturn void run_pager(const char *command, int text_fd) {
        const char *options = getenv("SYSTEMD_LESS");

        if (dup2(text_fd, STDIN_FILENO) < 0)
                _exit(127);
        /* F: leave when it fits; R: colours; X: keep the text on the screen. Secure: no shell out of a root's pager. */
        setenv("LESS", options ? options : "FRX", true);
        setenv("LESSSECURE", "1", false);
        signal(SIGPIPE, SIG_DFL);
        execl("/bin/sh", "sh", "-c", command, (char *) NULL);
        _exit(127);
}

/* -ENOENT: there is no such pager. */
static int page(const char *command, const struct buf *text) {
        int fds[2], status;
        pid_t pid;

        if (pipe(fds) < 0)
                return -errno;
        pid = fork();
        if (pid < 0) {
                close(fds[0]);
                close(fds[1]);
                return -errno;
        }
        if (pid == 0) {
                close(fds[1]);
                run_pager(command, fds[0]);
        }
        close(fds[0]);
        (void) write_all(fds[1], text->data, text->size); /* EPIPE: the reader has seen enough */
        close(fds[1]);
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 127 ? -ENOENT : 0;
}

int output_show(const struct options *o, const struct buf *text) {
        const char *pager = pager_command(o);
        int r;

        if (buf_error(text))
                return fail("Out of memory.");
        fflush(stdout);
        signal(SIGPIPE, SIG_IGN);
        if (text->size == 0 || (pager && page(pager, text) == 0))
                return EXIT_SUCCESS;
        r = write_all(STDOUT_FILENO, text->data, text->size);
        return r < 0 && r != -EPIPE ? fail("Cannot write the output: %s.", strerror(-r)) : EXIT_SUCCESS;
}

int output_write(const struct buf *text) {
        fflush(stdout);
        return write_all(STDOUT_FILENO, text->data, text->size);
}

int output_json(const struct options *o, const struct buf *json) {
        AUTO_BUF struct buf text = BUF_EMPTY;
        int r;

        if (buf_error(json))
                return fail("Out of memory.");
        if (o->json == JSON_PRETTY) {
                r = json_pretty(json->data, json->size, &text);
                if (r < 0)
                        return fail("Cannot lay the JSON out: %s.", strerror(-r));
        } else {
                buf_append(&text, json->data, json->size);
                buf_append_char(&text, '\n');
        }
        return output_show(o, &text);
}

static bool is_plain(const char *s) {
        for (; *s; s++)
                if (*s < ' ' || *s > '~')
                        return false;
        return true;
}

char *output_safe(const char *s, bool dash) {
        char *copy;

        if (isempty(s))
                s = dash ? "-" : "";
        copy = is_plain(s) ? strdup(s) : str_escape(s, strlen(s));
        if (!copy)
                abort();
        return copy;
}

void output_time(uint64_t usec, char *ret, size_t size) {
        time_t seconds = (time_t) (usec / 1000000);
        struct tm tm;
        size_t n;

        *ret = '\0';
        if (usec == 0 || !localtime_r(&seconds, &tm))
                return;
        /* Names of days in English, as machinectl prints them in every locale. */
        n = (size_t) snprintf(ret, size, "%s ",
                              (const char *[]){ "Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat" }[tm.tm_wday % 7]);
        if (n < size)
                strftime(ret + n, size - n, "%Y-%m-%d %H:%M:%S %Z", &tm);
}

void output_span(uint64_t usec, char *ret, size_t size) {
        static const struct {
                const char *name;
                uint64_t seconds;
        } units[] = { { "d", 86400 }, { "h", 3600 }, { "min", 60 }, { "s", 1 } };
        uint64_t seconds = usec / 1000000;
        size_t used = 0;
        int shown = 0;

        *ret = '\0';
        for (size_t i = 0; i < ELEMENTS(units) && shown < 2 && used < size; i++) {
                uint64_t n = seconds / units[i].seconds;

                if (n == 0 && !(shown == 0 && units[i].seconds == 1))
                        continue;
                used += (size_t) snprintf(ret + used, size - used, "%s%" PRIu64 "%s", shown ? " " : "", n,
                                          units[i].name);
                seconds %= units[i].seconds;
                shown++;
        }
}
