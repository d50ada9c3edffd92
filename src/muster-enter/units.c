/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where a machine's first process is systemd, its service manager is asked for a login, and for a shell on a terminal: as units of
 * their own, with a PAM session, what org.freedesktop.machine1(5) says of OpenLogin and OpenShell. Its own client programs ask, as
 * root of the machine. What has no terminal is not asked for so: nothing would end it when whoever wanted it has gone. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "muster-enter/enter.h"
#include "sys/path.h"

#define SYSTEMCTL "/usr/bin/systemctl"
#define SYSTEMD_RUN "/usr/bin/systemd-run"
#define SH "/bin/sh"
#define GRACE_USEC \
        UINT64_C(5000000) /* watch.c ends systemd-run in time, and with it the terminal; what stays is ended by this */

/* With the number of the signal when one ends it, as a shell has it: systemd-run knows exit statuses only. */
#define AND_ITS_STATUS "\"$@\"; exit $?"

static bool is_inside(const struct enter *e, const char *path) {
        int fd = open_in_root(e->leader.root, path, O_PATH);

        if (fd >= 0)
                close(fd);
        return fd >= 0;
}

static bool is_program(const struct enter *e, const char *path) {
        struct stat st;
        int fd = open_in_root(e->leader.root, path, O_PATH);
        bool is = fd >= 0 && fstat(fd, &st) >= 0 && S_ISREG(st.st_mode) && (st.st_mode & 0111) != 0;

        if (fd >= 0)
                close(fd);
        return is;
}

/* ---- words ---- */

struct words {
        char **list;
        int error;
};

static void add(struct words *w, const char *word) {
        if (w->error >= 0)
                w->error = strv_extend(&w->list, word);
}

static void add_pair(struct words *w, const char *key, const char *value) {
        AUTO_BUF struct buf text = BUF_EMPTY;

        if (w->error >= 0)
                w->error = buf_printf(&text, "%s%s", key, value);
        if (w->error >= 0)
                add(w, text.data);
}

/* A word of the command: the service manager would put variables in (systemd.service(5), "Command lines"). */
static void add_literally(struct words *w, const char *word) {
        AUTO_BUF struct buf text = BUF_EMPTY;

        for (; w->error >= 0 && *word; word++)
                w->error = buf_append(&text, *word == '$' ? "$$" : word, *word == '$' ? 2 : 1);
        if (w->error >= 0)
                add(w, text.data ? text.data : "");
}

/* ---- a login ---- */

/* It goes on when it is left. Whoever waits for the end of a login wants the other way. */
bool units_have_login(const struct enter *e) {
        return e->session->detach && is_inside(e, "run/systemd/private") && is_program(e, SYSTEMCTL);
}

int units_choose_login(struct enter *e) {
        static char *argv[] = { (char *) "systemctl", (char *) "--no-block", (char *) "start", NULL, NULL };

        argv[3] = e->unit;
        e->programs[0] = (struct program){ SYSTEMCTL, argv };
        e->by_unit = true;
        return 0;
}

/* ---- a shell ---- */

static const char *search_path(const struct enter *e) {
        for (char **v = e->environment; v && *v; v++)
                if (startswith(*v, "PATH="))
                        return *v + strlen("PATH=");
        return "";
}

/* Of the machine's own, so that a command that is not there is told from one that fails: the other way says so. NULL: not found. */
static char *find_program(const struct enter *e, const char *name) {
        if (strchr(name, '/'))
                return *name == '/' && is_program(e, name) ? strdup(name) : NULL;
        for (const char *at = search_path(e); *at; at += strspn(at, ":")) {
                AUTO_BUF struct buf path = BUF_EMPTY;
                size_t n = strcspn(at, ":");

                if (buf_printf(&path, "%.*s/%s", (int) n, at, name) < 0)
                        return NULL;
                if (*at == '/' && is_program(e, path.data))
                        return STEAL(path.data);
                at += n;
        }
        return NULL;
}

/* Can it be started so? No unit has another word for its program's name than its path. */
static bool takes_program(const struct session *s) {
        return !s->argv0 || (s->arguments[1] && streq(s->arguments[0], s->arguments[1]));
}

char *units_find_shell(const struct enter *e) {
        const struct session *s = e->session;

        if (!s->terminal || !e->account.name || !is_inside(e, "run/systemd/private") ||
            !is_inside(e, "run/dbus/system_bus_socket") || !is_program(e, SYSTEMD_RUN) || !is_program(e, SH))
                return NULL;
        if (s->directory && !is_inside(e, s->directory)) /* the other way says that, too */
                return NULL;
        if (!s->arguments)
                return e->account.shell ? find_program(e, e->account.shell) : NULL;
        return takes_program(s) ? find_program(e, s->arguments[0]) : NULL;
}

static void add_properties(struct words *w, const struct enter *e) {
        static const char *const always[] = {
                "--quiet",
                "--collect",
                "--wait", /* it holds the terminal open until then (inside.c) */
                "--property=PAMName=login",
                "--property=StandardInput=tty",
                "--property=StandardOutput=tty",
                "--property=StandardError=tty",
                "--property=SendSIGHUP=yes",
                "--property=IgnoreSIGPIPE=no",
                "--property=KillMode=mixed",
                "--property=UtmpMode=user",
        };
        const struct session *s = e->session;

        for (size_t i = 0; i < ELEMENTS(always); i++)
                add(w, always[i]);
        add_pair(w, "--description=Shell of ", e->account.name);
        add_pair(w, "--uid=", e->account.name);
        add_pair(w, "--property=WorkingDirectory=", s->directory ? s->directory : "-~");
        for (char **v = s->environment; v && *v; v++)
                add_pair(w, "--setenv=", *v);
        if (s->timeout_usec > 0 && s->timeout_usec < UINT64_MAX - GRACE_USEC) {
                char text[64];

                snprintf(text, sizeof(text), "--property=RuntimeMaxSec=%lluus",
                         (unsigned long long) (s->timeout_usec + GRACE_USEC));
                add(w, text);
        }
}

static void add_program(struct words *w, const struct session *s, const char *program) {
        add(w, "--");
        if (!s->arguments) {
                add(w, program);
                add(w, "-l");
                return;
        }
        add(w, SH);
        add(w, "-c");
        add_literally(w, AND_ITS_STATUS);
        add(w, "sh");
        add_literally(w, program);
        for (char **rest = s->arguments + (s->argv0 ? 2 : 1); *rest; rest++)
                add_literally(w, *rest);
}

/* The machine's root asks, and with an environment that nobody but us has chosen: that of the session is for the unit. */
static void become_root(struct enter *e) {
        e->account.uid = e->account.gid = 0;
        e->account.n_groups = 0;
}

int units_choose_shell(struct enter *e, const char *program) {
        static const char *const clean[] = { "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", NULL };
        struct words w = { 0 };
        uint32_t chance = 0;

        (void) getrandom(&chance, sizeof(chance), GRND_NONBLOCK);
        e->unit_number = chance;
        add(&w, "systemd-run");
        for (size_t i = 0; i < ELEMENTS(e->terminal_words); i++)
                add(&w, "");
        add_properties(&w, e);
        add_program(&w, e->session, program);
        if (w.error < 0)
                return w.error;
        for (size_t i = 0; i < ELEMENTS(e->terminal_words); i++)
                w.list[i + 1] = e->terminal_words[i];
        e->programs[0] = (struct program){ SYSTEMD_RUN, w.list };
        strv_free(e->environment);
        e->environment = NULL;
        for (size_t i = 0; clean[i]; i++)
                if (strv_extend(&e->environment, clean[i]) < 0)
                        return -ENOMEM;
        e->directory = "/";
        become_root(e);
        e->by_unit = true;
        return 0;
}

/* ---- when the terminal is there: nothing is allocated (inside.c) ---- */

void units_name_terminal(struct enter *e, int number) {
        size_t size = sizeof(e->terminal_words[0]);

        snprintf(e->unit, sizeof(e->unit), "container-getty@%d.service", number);
        /* A terminal's number may be given away again before the unit that had it is gone. */
        snprintf(e->terminal_words[0], size, "--unit=container-shell@%d-%08x.service", number, e->unit_number);
        snprintf(e->terminal_words[1], size, "--property=TTYPath=/dev/pts/%d", number);
        snprintf(e->terminal_words[2], size, "--property=UtmpIdentifier=pts/%d", number);
}
