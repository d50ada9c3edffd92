/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What one read(2) of the console brings is written at once, its whole lines at least; the rest waits for its end. */
#include "muster-spawn/console-log.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "codec/console-log.h"
#include "muster-spawn/log-file.h"
#include "muster-spawn/log-send.h"
#include "spec/spec.h"

#define IDLE_USEC 1000000 /* before a line is logged that was not ended */
#define BATCH_MAX 16384   /* bytes of records; the last of them may go beyond it */

struct target {
        int socket; /* not of the file */
        int error;  /* the first one */
        bool told;
};

struct console_log {
        struct console_log_wish wish; /* its strings are those below */
        char *directory, *machine, *root;
        struct log_file file;
        struct target targets[_CONSOLE_LOG_MAX];
        uint64_t now_usec;
        struct buf batch, text;
        char trouble[400];
        struct console_lines lines;
};

static uint64_t now(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

static bool is_wanted(const struct console_log *l, enum console_log_target target) {
        return l->wish.where & (1U << target);
}

/* Only the first failure is told; the others are tried all the same: a disk that is full will have room again. */
static void note(struct console_log *l, enum console_log_target target, int error) {
        if (error < 0 && l->targets[target].error == 0)
                l->targets[target].error = error;
}

static void flush(struct console_log *l) {
        if (l->batch.size > 0 && buf_error(&l->batch) >= 0 && is_wanted(l, CONSOLE_LOG_FILE))
                note(l, CONSOLE_LOG_FILE, log_file_write(&l->file, l->batch.data, l->batch.size));
        buf_clear(&l->batch);
}

/* text is escaped. */
static void record(struct console_log *l, enum console_kind kind, const char *text, size_t size) {
        if (is_wanted(l, CONSOLE_LOG_FILE)) {
                console_record_encode(l->now_usec, kind, text, size, &l->batch);
                if (l->batch.size > BATCH_MAX)
                        flush(l);
        }
        if (kind == CONSOLE_BEGIN || kind == CONSOLE_END) /* the host's logs have their own ways to tell of those */
                return;
        if (is_wanted(l, CONSOLE_LOG_JOURNAL))
                note(l, CONSOLE_LOG_JOURNAL,
                     log_send_journal(&l->targets[CONSOLE_LOG_JOURNAL].socket, l->machine, text, size));
        if (is_wanted(l, CONSOLE_LOG_SYSLOG))
                note(l, CONSOLE_LOG_SYSLOG,
                     log_send_syslog(&l->targets[CONSOLE_LOG_SYSLOG].socket, l->machine, l->now_usec, text, size));
}

static void take_line(enum console_kind kind, const char *line, size_t size, void *userdata) {
        struct console_log *l = userdata;

        buf_clear(&l->text);
        console_text_escape(line, size, &l->text);
        if (buf_error(&l->text) >= 0)
                record(l, kind, strempty(l->text.data), l->text.size);
}

/* Waits in the batch until there is something to write. */
static int note_begin(struct console_log *l) {
        AUTO_BUF struct buf text = BUF_EMPTY;

        buf_printf(&text, "leader=%d tree=", (int) l->wish.leader);
        console_text_escape(l->root, strlen(l->root), &text);
        if (buf_error(&text) < 0)
                return -ENOMEM;
        record(l, CONSOLE_BEGIN, text.data, text.size);
        return buf_error(&l->batch);
}

int console_log_new(const struct console_log_wish *wish, struct console_log **ret) {
        AUTO(console_log_freep) struct console_log *l = malloc(sizeof(*l));

        if (!l)
                return -ENOMEM;
        *l = (struct console_log){
                .wish = *wish,
                .directory = strdup(wish->directory),
                .machine = strdup(wish->machine),
                .root = strdup(wish->root),
                .now_usec = now(),
        };
        console_lines_init(&l->lines);
        log_file_init(&l->file, l->directory, l->machine, wish->size_max, wish->files);
        for (size_t i = 0; i < ELEMENTS(l->targets); i++)
                l->targets[i].socket = -EBADF;
        if (!l->directory || !l->machine || !l->root || note_begin(l) < 0)
                return -ENOMEM;
        *ret = STEAL(l);
        return 0;
}

void console_log_free(struct console_log *l) {
        if (!l)
                return;
        log_file_done(&l->file);
        for (size_t i = 0; i < ELEMENTS(l->targets); i++)
                if (l->targets[i].socket >= 0)
                        close(l->targets[i].socket);
        buf_done(&l->batch);
        buf_done(&l->text);
        free(l->directory);
        free(l->machine);
        free(l->root);
        free(l);
}

void console_log_take(struct console_log *l, const char *data, size_t size) {
        l->now_usec = now();
        console_lines_feed(&l->lines, data, size, take_line, l);
        flush(l);
}

/* 0: it is time. A clock that was set back makes it so, too. */
static uint64_t idle_left_usec(const struct console_log *l) {
        uint64_t since = now() - l->now_usec;

        return since < IDLE_USEC ? IDLE_USEC - since : 0;
}

int console_log_timeout(const struct console_log *l) {
        return l->lines.size > 0 ? (int) ((idle_left_usec(l) + 999) / 1000) : -1;
}

void console_log_idle(struct console_log *l) {
        if (l->lines.size == 0 || idle_left_usec(l) > 0)
                return;
        console_lines_end(&l->lines, take_line, l);
        flush(l);
}

void console_log_end(struct console_log *l, const char *how) {
        l->now_usec = now();
        console_lines_end(&l->lines, take_line, l);
        record(l, CONSOLE_END, how, strlen(how));
        flush(l);
}

/* ---- what to tell ---- */

static const char *reason(int error) {
        switch (error) {
        case -ELOOP:
        case -EBADF:
        case -EMLINK:
        case -ENXIO:
                return "it is no file of its own, but a link, or a device, or has a second name";
        case -EPERM:
        case -ENOTDIR:
                return "the directory must be one that only its owner, who runs this program, can write to";
        default:
                return strerror(-error);
        }
}

const char *console_log_trouble(struct console_log *l) {
        static const char *const others[_CONSOLE_LOG_MAX] = {
                [CONSOLE_LOG_JOURNAL] = "the journal", [CONSOLE_LOG_SYSLOG] = "syslog (/dev/log)"
        };

        for (size_t i = 0; i < ELEMENTS(l->targets); i++) {
                struct target *t = &l->targets[i];

                if (t->error == 0 || t->told)
                        continue;
                t->told = true;
                if (i == CONSOLE_LOG_FILE)
                        (void) snprintf(l->trouble, sizeof(l->trouble),
                                        "the console of machine '%s' cannot be logged in %.200s/%s.log: %s", l->machine,
                                        l->directory, l->machine, reason(t->error));
                else
                        (void) snprintf(l->trouble, sizeof(l->trouble),
                                        "lines from the console of machine '%s' do not reach %s: %s", l->machine,
                                        others[i], strerror(-t->error));
                return l->trouble;
        }
        return NULL;
}
