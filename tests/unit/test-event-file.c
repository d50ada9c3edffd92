/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal with real files, below a temporary directory that stands for /run. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/event-file.h"
#include "base/log.h"
#include "base/str.h"
#include "core/event-ring.h"

#define LIMIT 16 /* events in memory, 4096 bytes in a file */

static unsigned warnings;

static void count_warnings(enum log_level level, const struct log_fields *fields, const char *line) {
        if (level <= LOG_LEVEL_WARNING)
                warnings++;
}

struct fixture {
        char run[32];
        char directory[64];
        struct event_file *file;
        struct event_port port;
        struct buf found; /* numbers, as text */
        uint64_t last;
};

static void on_found(void *userdata, struct event *e) {
        struct fixture *f = userdata;

        buf_printf(&f->found, "%d ", (int) e->sequence);
        free(e);
}

static void reopen(struct fixture *f) {
        event_file_free(f->file);
        assert_int_equal(event_file_new(f->run, LIMIT, &f->file), 0);
        f->port = event_file_port(f->file);
        buf_clear(&f->found);
        assert_int_equal(f->port.load(f->port.impl, on_found, f, &f->last), 0);
        buf_append_char(&f->found, '\0');
}

static int begin(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));

        assert_non_null(f);
        umask(022);
        log_set_sink(count_warnings);
        strcpy(f->run, "/tmp/test-event-XXXXXX");
        assert_non_null(mkdtemp(f->run));
        snprintf(f->directory, sizeof(f->directory), "%s/muster/events", f->run);
        reopen(f);
        warnings = 0;
        *state = f;
        return 0;
}

static int end(void **state) {
        struct fixture *f = *state;
        char command[128];

        event_file_free(f->file);
        buf_done(&f->found);
        snprintf(command, sizeof(command), "rm -rf %s", f->run);
        assert_int_equal(system(command), 0);
        free(f);
        return 0;
}

static int save(struct fixture *f, uint64_t sequence) {
        const struct event e = { .sequence = sequence,
                                 .boot_id = f->port.boot_id,
                                 .kind = "registered",
                                 .machine = "web",
                                 .leader = 5,
                                 .actor_uid = 0,
                                 .actor_pid = 6 };

        return f->port.save(f->port.impl, &e);
}

static const char *path_of(const struct fixture *f, const char *name) {
        static char path[128];

        snprintf(path, sizeof(path), "%s/%s", f->directory, name);
        return path;
}

static off_t size_of(const struct fixture *f, const char *name) {
        struct stat st;

        return stat(path_of(f, name), &st) < 0 ? -1 : st.st_size;
}

static void append(const struct fixture *f, const char *name, const char *text) {
        FILE *file = fopen(path_of(f, name), "a");

        assert_non_null(file);
        assert_true(fputs(text, file) >= 0);
        assert_int_equal(fclose(file), 0);
}

static void test_what_is_saved_is_found(void **state) {
        struct fixture *f = *state;

        assert_string_equal(f->found.data, "");
        assert_int_equal(f->last, 0);
        for (uint64_t i = 1; i <= 5; i++)
                assert_int_equal(save(f, i), 0);
        reopen(f);
        assert_string_equal(f->found.data, "1 2 3 4 5 ");
        assert_int_equal(f->last, 5);
        assert_int_equal(save(f, 6), 0);
        reopen(f);
        assert_string_equal(f->found.data, "1 2 3 4 5 6 ");
        assert_int_equal(warnings, 0);
}

static void test_files_are_bounded(void **state) {
        struct fixture *f = *state;
        int first = 0;

        for (uint64_t i = 1; i <= 1000; i++) {
                assert_int_equal(save(f, i), 0);
                assert_true(size_of(f, "current") <= LIMIT * 256);
        }
        assert_true(size_of(f, "previous") > LIMIT * 128 && size_of(f, "previous") <= LIMIT * 256);
        reopen(f);
        assert_int_equal(f->last, 1000);
        assert_int_equal(sscanf(f->found.data, "%d", &first), 1);
        assert_int_equal(first, 1001 - LIMIT); /* of both files, as many as are kept, without a hole */
        for (int i = first; i <= 1000; i++) {
                char number[16];

                snprintf(number, sizeof(number), "%d ", i);
                assert_non_null(strstr(f->found.data, number));
        }
        /* Whatever `current` has: none, some, and all of them. */
        for (uint64_t i = 1001; i <= 1060; i++) {
                assert_int_equal(save(f, i), 0);
                reopen(f);
                assert_int_equal(f->last, i);
                assert_int_equal(atoi(f->found.data), (int) i + 1 - LIMIT);
        }
        assert_int_equal(warnings, 0);
}

static void test_directory_that_was_removed(void **state) {
        struct fixture *f = *state;
        char command[128];

        save(f, 1);
        snprintf(command, sizeof(command), "rm -rf %s", f->run);
        assert_int_equal(system(command), 0);
        for (uint64_t i = 2; i <= 200; i++)
                assert_int_equal(save(f, i), 0);
        assert_true(warnings > 0 && warnings < 20); /* each time it is full */
        reopen(f);
        assert_string_equal(f->found.data, "");
}

static void test_file_that_was_removed(void **state) {
        struct fixture *f = *state;

        save(f, 1);
        assert_int_equal(unlink(path_of(f, "current")), 0);
        for (uint64_t i = 2; i <= 200; i++)
                assert_int_equal(save(f, i), 0);
        assert_int_equal(warnings, 0);
        reopen(f);
        assert_int_equal(f->last, 200);
}

static void test_killed_while_rotating(void **state) {
        struct fixture *f = *state;

        for (uint64_t i = 1; i <= 3; i++)
                save(f, i);
        assert_int_equal(rename(strdupa(path_of(f, "current")), path_of(f, "previous")), 0);
        reopen(f);
        assert_int_equal(f->last, 3);
        assert_int_equal(save(f, 4), 0);
        reopen(f);
        assert_string_equal(f->found.data, "1 2 3 4 ");
}

static void test_bad_files_are_set_aside(void **state) {
        static const struct {
                const char *text; /* behind the lines of events 1 to 3 */
                bool jumps;       /* numbers that may have been used are left out */
        } rows[] = {
                { "{\"sequence\":4,\"real", false }, /* nobody has seen number 4 */
                { "rubbish\n", true },
                { "\n", true },
                { "{\"sequence\":4}\n", true },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                void *own = NULL;
                struct fixture *f;

                begin(&own);
                f = own;
                for (uint64_t n = 1; n <= 3; n++)
                        save(f, n);
                append(f, "current", rows[i].text);
                warnings = 0;
                reopen(f);
                assert_int_equal(warnings, 1);
                assert_string_equal(f->found.data, "1 2 3 ");
                assert_int_equal(f->last > 3, rows[i].jumps);
                assert_true(size_of(f, "current.bad") > size_of(f, "current"));
                /* What was good is still there the next time, and nothing is complained of again. */
                assert_int_equal(save(f, f->last + 1), 0);
                reopen(f);
                assert_int_equal(warnings, 1);
                assert_int_equal(strncmp(f->found.data, "1 2 3 ", 6), 0);
                assert_int_equal(strlen(f->found.data) > 6, true);
                end(&own);
        }
}

static void test_a_huge_line(void **state) {
        struct fixture *f = *state;
        char *huge = malloc(3 << 20);

        save(f, 1);
        memset(huge, 'x', 3 << 20);
        huge[(3 << 20) - 2] = '\n';
        huge[(3 << 20) - 1] = '\0';
        append(f, "current", huge);
        free(huge);
        reopen(f);
        assert_int_equal(warnings, 1);
        assert_string_equal(f->found.data, "1 ");
        assert_true(size_of(f, "current") < 1000);
}

static void test_things_that_are_no_files(void **state) {
        static const char *const commands[] = { "mkdir", "mkfifo", "ln -s /etc/passwd", "ln -s nowhere" };

        for (size_t i = 0; i < ELEMENTS(commands); i++) {
                void *own = NULL;
                char command[256];
                struct fixture *f;

                begin(&own);
                f = own;
                unlink(path_of(f, "current"));
                snprintf(command, sizeof(command), "%s %s", commands[i], path_of(f, "current"));
                assert_int_equal(system(command), 0);
                warnings = 0;
                reopen(f);
                assert_int_equal(warnings, 1);
                assert_int_equal(save(f, f->last + 1), 0);
                reopen(f);
                assert_int_equal(warnings, 1);
                assert_true(strlen(f->found.data) > 0);
                end(&own);
        }
}

/* No room in the middle of a line: it is taken back, and the next one fits again. */
static void test_no_room(void **state) {
        struct fixture *f = *state;
        struct rlimit before, small;

        signal(SIGXFSZ, SIG_IGN);
        assert_int_equal(save(f, 1), 0);
        assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
        small = (struct rlimit){ (rlim_t) size_of(f, "current") + 20, before.rlim_max };
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
        assert_true(save(f, 2) < 0);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
        assert_int_equal(save(f, 3), 0);
        reopen(f);
        assert_string_equal(f->found.data, "1 3 ");
        assert_int_equal(warnings, 0);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_what_is_saved_is_found, begin, end),
        cmocka_unit_test_setup_teardown(test_files_are_bounded, begin, end),
        cmocka_unit_test_setup_teardown(test_directory_that_was_removed, begin, end),
        cmocka_unit_test_setup_teardown(test_file_that_was_removed, begin, end),
        cmocka_unit_test_setup_teardown(test_killed_while_rotating, begin, end),
        cmocka_unit_test(test_bad_files_are_set_aside),
        cmocka_unit_test_setup_teardown(test_a_huge_line, begin, end),
        cmocka_unit_test(test_things_that_are_no_files),
        cmocka_unit_test_setup_teardown(test_no_room, begin, end),
};

RUN_TESTS(tests)
