/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Log lines to the journal with their fields, to syslog(3), the kernel's log, or standard error with a priority prefix that
 * service managers understand (sd-daemon(3)). */
#include "musterd/log-sink.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <syslog.h>
#include <unistd.h>

#define SD_JOURNAL_SUPPRESS_LOCATION
#include <systemd/sd-journal.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/parse.h"
#include "base/str.h"
#include "base/table.h"

#define IDENTIFIER "musterd"

enum target { TARGET_AUTO, TARGET_CONSOLE, TARGET_JOURNAL, TARGET_SYSLOG, TARGET_KMSG, TARGET_NULL, _TARGET_MAX };

static const char *const target_table[_TARGET_MAX] = {
        [TARGET_AUTO] = "auto",     [TARGET_CONSOLE] = "console", [TARGET_JOURNAL] = "journal",
        [TARGET_SYSLOG] = "syslog", [TARGET_KMSG] = "kmsg",       [TARGET_NULL] = "null",
};
static DECLARE_TABLE(target, enum target);
static DEFINE_TABLE(target, enum target)

static const char *const level_table[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };

static enum target chosen = TARGET_AUTO;

static enum target effective(void) {
        if (chosen != TARGET_AUTO)
                return chosen;
        return getenv("JOURNAL_STREAM") ? TARGET_JOURNAL : TARGET_CONSOLE;
}

static bool on_terminal; /* standard error, when we started */

/* One write(2), so that lines of several writers do not mix. */
static void to_console(enum log_level level, const char *line) {
        char text[1200];
        int n = on_terminal ? snprintf(text, sizeof(text), "%s\n", line)
                            : snprintf(text, sizeof(text), "<%d>%s\n", level, line);

        if (n > 0 && write(STDERR_FILENO, text, (size_t) n < sizeof(text) ? (size_t) n : sizeof(text) - 1) < 0)
                return; /* nobody is left to be told */
}

static void to_kmsg(enum log_level level, const char *line) {
        AUTO_CLOSE int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NOCTTY);

        if (fd >= 0)
                dprintf(fd, "<%d>" IDENTIFIER "[%d]: %s\n", level | LOG_DAEMON, (int) getpid(), line);
}

static size_t add_field(struct iovec *iov, size_t n, char *text, size_t size, const char *name, const char *value) {
        int length = snprintf(text, size, "%s=%s", name, value);

        if (length < 0 || (size_t) length >= size)
                return n;
        iov[n] = (struct iovec){ text, (size_t) length };
        return n + 1;
}

static void to_journal(enum log_level level, const struct log_fields *fields, const char *line) {
        char message[1200], priority[16], machine[160], name[160], leader[32], id[64], number[16];
        struct iovec iov[8];
        size_t n = 0;

        n = add_field(iov, n, message, sizeof(message), "MESSAGE", line);
        snprintf(number, sizeof(number), "%d", level);
        n = add_field(iov, n, priority, sizeof(priority), "PRIORITY", number);
        if (fields->machine) {
                n = add_field(iov, n, machine, sizeof(machine), "MACHINE", fields->machine);
                n = add_field(iov, n, name, sizeof(name), "NAME", fields->machine);
        }
        if (fields->leader > 0) {
                snprintf(number, sizeof(number), "%d", fields->leader);
                n = add_field(iov, n, leader, sizeof(leader), "LEADER", number);
        }
        if (fields->message_id)
                n = add_field(iov, n, id, sizeof(id), "MESSAGE_ID", fields->message_id);
        iov[n++] =
                (struct iovec){ (char *) "SYSLOG_IDENTIFIER=" IDENTIFIER, sizeof("SYSLOG_IDENTIFIER=" IDENTIFIER) - 1 };
        if (sd_journal_sendv(iov, (int) n) < 0)
                to_console(level, line);
}

static void sink(enum log_level level, const struct log_fields *fields, const char *line) {
        switch (effective()) {
        case TARGET_JOURNAL:
                to_journal(level, fields, line);
                return;
        case TARGET_SYSLOG:
                syslog((int) level, "%s", line);
                return;
        case TARGET_KMSG:
                to_kmsg(level, line);
                return;
        case TARGET_NULL:
                return;
        default:
                to_console(level, line);
        }
}

void log_sink_open(void) {
        on_terminal = isatty(STDERR_FILENO);
        openlog(IDENTIFIER, LOG_PID | LOG_NDELAY, LOG_DAEMON);
        log_set_sink(sink);
}

int log_sink_set_target(const char *target) {
        int r = target_from_string(target);

        if (r < 0)
                return r;
        chosen = (enum target) r;
        return 0;
}

int log_sink_set_level(const char *level) {
        uint32_t number = ELEMENTS(level_table);

        for (uint32_t i = 0; i < ELEMENTS(level_table); i++)
                if (streq(level_table[i], level))
                        number = i;
        if (number == ELEMENTS(level_table) && parse_u32(level, &number) < 0)
                return -EINVAL;
        if (number >= ELEMENTS(level_table))
                return -EINVAL;
        log_set_max_level((enum log_level) number);
        return 0;
}

static const char *get_level(void) {
        return level_table[log_get_max_level()];
}

static const char *get_target(void) {
        return target_to_string(chosen);
}

const struct log_control *log_sink_control(void) {
        static const struct log_control control = {
                .get_level = get_level,
                .set_level = log_sink_set_level,
                .get_target = get_target,
                .set_target = log_sink_set_target,
                .identifier = IDENTIFIER,
        };

        return &control;
}
