/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The state directory with real files, below a temporary directory that stands for /run. */
#include "unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backend/store-files.h"
#include "base/log.h"
#include "base/str.h"
#include "codec/state.h"

static unsigned warnings;

static void count_warnings(enum log_level level, const struct log_fields *fields, const char *line) {
        if (level <= LOG_LEVEL_WARNING)
                warnings++;
}

/* ---- the fixture: RUN, its state directory and what was found in it ---- */

struct fixture {
        char run[32];
        int fd; /* RUN/systemd/machines */
        struct store_files *store;
        struct store_port port;
        struct machine *found[2048];
        size_t n_found;
        bool drop; /* whatever is found */
};

static void reopen_store(struct fixture *f) {
        store_files_free(f->store);
        assert_int_equal(store_files_new(f->run, &f->store), 0);
        f->port = store_files_port(f->store);
}

static int begin(void **state) {
        struct fixture *f = calloc(1, sizeof(*f));
        char path[64];

        assert_non_null(f);
        umask(022);
        log_set_sink(count_warnings);
        strcpy(f->run, "/tmp/test-store-XXXXXX");
        assert_non_null(mkdtemp(f->run));
        reopen_store(f);
        snprintf(path, sizeof(path), "%s/systemd/machines", f->run);
        f->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        assert_true(f->fd >= 0);
        warnings = 0;
        *state = f;
        return 0;
}

static void forget_found(struct fixture *f) {
        while (f->n_found > 0)
                machine_free(f->found[--f->n_found]);
}

static int end(void **state) {
        struct fixture *f = *state;
        char command[64];

        forget_found(f);
        store_files_free(f->store);
        close(f->fd);
        snprintf(command, sizeof(command), "rm -rf %s", f->run);
        assert_int_equal(system(command), 0);
        free(f);
        return 0;
}

static void on_found(void *userdata, struct machine *m) {
        struct fixture *f = userdata;

        assert_true(f->n_found < ELEMENTS(f->found));
        if (f->drop)
                assert_int_equal(f->port.drop(f->port.impl, m), 0);
        f->found[f->n_found++] = m;
}

static void load(struct fixture *f) {
        forget_found(f);
        assert_int_equal(f->port.load(f->port.impl, on_found, f), 0);
}

static const struct machine *find(const struct fixture *f, const char *name) {
        for (size_t i = 0; i < f->n_found; i++)
                if (streq(f->found[i]->name, name))
                        return f->found[i];
        return NULL;
}

static struct machine *new_machine(const char *name, const char *unit) {
        struct machine *m = NULL;

        assert_int_equal(machine_new(name, &m), 0);
        assert_int_equal(str_replace(&m->unit, unit), 0);
        m->state = MACHINE_RUNNING;
        m->leader = (struct pidref){ 4711, -EBADF, 9123, 883211 };
        return m;
}

static void save(struct fixture *f, const char *name, const char *unit) {
        AUTO(machine_freep) struct machine *m = new_machine(name, unit);

        assert_int_equal(f->port.save(f->port.impl, m), 0);
}

static void put(struct fixture *f, const char *name, const char *text) {
        AUTO_CLOSE int fd = openat(f->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

        assert_true(fd >= 0);
        assert_int_equal(write(fd, text, strlen(text)), strlen(text));
}

static bool is_there(struct fixture *f, const char *name) {
        struct stat st;

        return fstatat(f->fd, name, &st, AT_SYMLINK_NOFOLLOW) >= 0;
}

static void assert_link(struct fixture *f, const char *name, const char *target) {
        char text[128];
        ssize_t n = readlinkat(f->fd, name, text, sizeof(text) - 1);

        if (n < 0)
                fail_msg("%s is no link", name);
        text[n] = '\0';
        assert_string_equal(text, target);
}

static size_t count_entries(const char *path) {
        DIR *dir = opendir(path);
        size_t n = 0;

        if (!dir)
                return 0;
        while (readdir(dir))
                n++;
        closedir(dir);
        return n - 2;
}

static size_t count_in(const struct fixture *f, const char *below) {
        char path[64];

        snprintf(path, sizeof(path), "%s/systemd/%s", f->run, below);
        return count_entries(path);
}

/* ---- writing ---- */

static void test_save(void **state) {
        struct fixture *f = *state;
        struct stat st;

        save(f, "a", "machine-a.scope");
        assert_int_equal(fstatat(f->fd, "a", &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(st.st_mode, S_IFREG | 0644);
        assert_link(f, "unit:machine-a.scope", "a");
        assert_int_equal(count_in(f, "machines"), 2);
        assert_int_equal(fstat(f->fd, &st), 0);
        assert_int_equal(st.st_mode, S_IFDIR | 0755);
        save(f, "a", "machine-a.scope"); /* again */
        assert_link(f, "unit:machine-a.scope", "a");
        save(f, "b", NULL); /* in no unit */
        assert_int_equal(count_in(f, "machines"), 3);
        load(f);
        assert_int_equal(f->n_found, 2);
        assert_string_equal(find(f, "a")->unit, "machine-a.scope");
        assert_int_equal(find(f, "b")->leader.id, 9123);
        assert_int_equal(warnings, 0);
}

static void test_save_subgroup(void **state) {
        struct fixture *f = *state;
        AUTO(machine_freep) struct machine *m = new_machine("a", "build.service");

        assert_int_equal(str_replace(&m->subgroup, "payload"), 0);
        assert_int_equal(f->port.save(f->port.impl, m), 0);
        assert_int_equal(count_in(f, "machines"), 1);
        load(f);
        assert_string_equal(find(f, "a")->subgroup, "payload");
}

/* The longest units cannot be the name of a link: the record counts. */
static void test_save_long_unit(void **state) {
        struct fixture *f = *state;
        char unit[256] = "";

        for (size_t length = 240; length <= 255; length++) {
                memset(unit, 'x', length);
                strcpy(unit + length - strlen(".scope"), ".scope");
                save(f, "a", unit);
                save(f, "a", unit);
                load(f);
                assert_string_equal(find(f, "a")->unit, unit);
                f->drop = true;
                load(f);
                f->drop = false;
                assert_int_equal(count_in(f, "machines"), 0);
        }
        assert_int_equal(warnings, 0);
}

/* Stock watchers wait for these two events; nobody ever sees half a record. */
static void test_watchers(void **state) {
        struct fixture *f = *state;
        AUTO(machine_freep) struct machine *m = new_machine("a", NULL);
        AUTO_CLOSE int notify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
        char path[64], buffer[4096] __attribute__((aligned(8)));
        unsigned moved = 0, deleted = 0, others = 0;
        ssize_t n;

        snprintf(path, sizeof(path), "%s/systemd/machines", f->run);
        assert_true(inotify_add_watch(notify, path, IN_ALL_EVENTS) >= 0);
        assert_int_equal(f->port.save(f->port.impl, m), 0);
        assert_int_equal(f->port.drop(f->port.impl, m), 0);
        n = read(notify, buffer, sizeof(buffer));
        assert_true(n > 0);
        for (ssize_t at = 0; at < n;) {
                const struct inotify_event *e = (const struct inotify_event *) (buffer + at);

                at += (ssize_t) (sizeof(*e) + e->len);
                if (e->len == 0 || !streq(e->name, "a"))
                        continue;
                moved += e->mask == IN_MOVED_TO;
                deleted += e->mask == IN_DELETE;
                others += e->mask != IN_MOVED_TO && e->mask != IN_DELETE;
        }
        assert_int_equal(moved, 1);
        assert_int_equal(deleted, 1);
        assert_int_equal(others, 0);
}

static void test_drop(void **state) {
        struct fixture *f = *state;
        AUTO(machine_freep) struct machine *a = new_machine("a", "x.scope"), *b = new_machine("b", "x.scope");

        save(f, "a", "x.scope");
        assert_int_equal(f->port.drop(f->port.impl, b), 0); /* never was there; the link is not its */
        assert_link(f, "unit:x.scope", "a");
        assert_int_equal(f->port.drop(f->port.impl, a), 0);
        assert_int_equal(count_in(f, "machines"), 0);
        assert_int_equal(f->port.drop(f->port.impl, a), 0);
}

/* ---- reading what others left ---- */

static void test_hostile(void **state) {
        static const char *const bad[] = { "fifo",  "link",    "loop", "directory", "large",
                                           "empty", "garbage", "a_b",  "other",     "x\n\033[31m" };
        struct fixture *f = *state;
        AUTO_FREE char *large = malloc(STATE_FILE_MAX + 2);

        assert_non_null(large);
        memset(large, 'x', STATE_FILE_MAX + 1);
        large[STATE_FILE_MAX + 1] = '\0';
        save(f, "a", NULL);
        save(f, "good", NULL);
        assert_int_equal(mkfifoat(f->fd, "fifo", 0644), 0);
        assert_int_equal(symlinkat("good", f->fd, "link"), 0);
        assert_int_equal(symlinkat("loop", f->fd, "loop"), 0);
        assert_int_equal(mkdirat(f->fd, "directory", 0755), 0);
        put(f, "directory/file", "x");
        put(f, "large", large);
        put(f, "empty", "");
        put(f, "garbage", "\377\376garbage");
        put(f, "a_b", "NAME=a_b\nCLASS=container\nLEADER=2\n");
        put(f, "other", "NAME=a\nCLASS=container\nLEADER=2\n");
        put(f, "x\n\033[31m", "x");
        put(f, ".#a.1.1", "half");
        put(f, ".#unit:x.scope.1.2", "half");
        put(f, ".hidden", "none of our business");
        load(f);
        assert_int_equal(f->n_found, 2);
        assert_int_equal(warnings, ELEMENTS(bad));
        for (size_t i = 0; i < ELEMENTS(bad); i++)
                assert_false(is_there(f, bad[i]));
        assert_int_equal(count_in(f, "machines"), 3);
        assert_int_equal(count_in(f, "machines.bad"), ELEMENTS(bad));
        assert_true(is_there(f, ".hidden"));
        load(f); /* once is enough */
        assert_int_equal(f->n_found, 2);
        assert_int_equal(warnings, ELEMENTS(bad));
}

/* Where they cannot be kept they go all the same. */
static void test_nowhere_to_set_aside(void **state) {
        struct fixture *f = *state;
        char path[64];

        snprintf(path, sizeof(path), "%s/systemd/machines.bad", f->run);
        assert_int_equal(symlink("/tmp", path), 0);
        put(f, "garbage", "x");
        assert_int_equal(mkfifoat(f->fd, "fifo", 0644), 0);
        load(f);
        assert_int_equal(warnings, 2);
        assert_int_equal(count_in(f, "machines"), 0);
        assert_int_not_equal(access("/tmp/garbage", F_OK), 0);
}

static void test_links(void **state) {
        struct fixture *f = *state;
        struct stat before, after;

        save(f, "a", "a.scope");
        save(f, "b", "b.scope");
        save(f, "c", "c.scope");
        save(f, "none", NULL);
        assert_int_equal(fstatat(f->fd, "unit:a.scope", &before, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(unlinkat(f->fd, "unit:b.scope", 0), 0); /* we were killed before it was made */
        assert_int_equal(unlinkat(f->fd, "unit:c.scope", 0), 0);
        assert_int_equal(symlinkat("a", f->fd, "unit:c.scope"), 0);    /* it is of another machine now */
        assert_int_equal(symlinkat("gone", f->fd, "unit:d.scope"), 0); /* dangling */
        assert_int_equal(symlinkat("a", f->fd, "unit:e.scope"), 0);    /* a lives elsewhere */
        assert_int_equal(symlinkat("none", f->fd, "unit:f.scope"), 0); /* and that one nowhere */
        assert_int_equal(symlinkat("/etc/passwd", f->fd, "unit:"), 0);
        put(f, "unit:g.scope", "no link");
        load(f);
        assert_int_equal(f->n_found, 4);
        assert_link(f, "unit:a.scope", "a");
        assert_link(f, "unit:b.scope", "b");
        assert_link(f, "unit:c.scope", "c");
        assert_int_equal(count_in(f, "machines"), 4 + 3);
        assert_int_equal(fstatat(f->fd, "unit:a.scope", &after, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(before.st_ino, after.st_ino); /* what is right is left alone */
        assert_int_equal(warnings, 0);
}

/* Two records that claim one unit: one link, to one of them. */
static void test_two_owners(void **state) {
        struct fixture *f = *state;
        struct stat before, after;

        save(f, "a", "x.scope");
        save(f, "b", "x.scope");
        load(f);
        assert_int_equal(f->n_found, 2);
        assert_int_equal(count_in(f, "machines"), 3);
        assert_link(f, "unit:x.scope", f->found[0]->name);
        assert_int_equal(fstatat(f->fd, "unit:x.scope", &before, AT_SYMLINK_NOFOLLOW), 0);
        load(f);
        assert_int_equal(fstatat(f->fd, "unit:x.scope", &after, AT_SYMLINK_NOFOLLOW), 0);
        assert_int_equal(before.st_ino, after.st_ino);
}

/* What tells the processes of a record: a leader with neither id nor start time counts as dead. */
static void test_identities(void **state) {
        static const struct {
                const char *what, *text;
                uint64_t id, start;
        } cases[] = {
                { "another boot", "LEADER_PIDFDID=7\nLEADER_START=8\nBOOT_ID=00000000000000000000000000000001\n", 0,
                  0 },
                { "no boot: stock 262", "LEADER_PIDFDID=7\n", 7, 0 },
                { "no boot, and a start time", "LEADER_PIDFDID=7\nLEADER_START=8\n", 7, 0 },
                { "no identity: stock 252", "", 0, 0 },
        };
        struct fixture *f = *state;

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char text[256];

                snprintf(text, sizeof(text), "NAME=a\nCLASS=container\nLEADER=2\nSUPERVISOR=3\n%s", cases[i].text);
                put(f, "a", text);
                load(f);
                assert_int_equal(f->n_found, 1);
                if (f->found[0]->leader.id != cases[i].id || f->found[0]->leader.start != cases[i].start)
                        fail_msg("%s", cases[i].what);
                assert_int_equal(f->found[0]->leader.pid, 2);
        }
        save(f, "a", NULL); /* of this boot, also for the next daemon */
        reopen_store(f);
        load(f);
        assert_int_equal(f->found[0]->leader.id, 9123);
        assert_int_equal(f->found[0]->leader.start, 883211);
        assert_int_equal(warnings, 0);
}

/* The service drops the records of the dead while they are being read. Nothing is left open. */
static void test_drop_while_loading(void **state) {
        struct fixture *f = *state;
        size_t open_files = count_entries("/proc/self/fd");

        for (int i = 0; i < 1000; i++) {
                char name[16], unit[32];

                snprintf(name, sizeof(name), "m%d", i);
                snprintf(unit, sizeof(unit), "machine-m%d.scope", i);
                save(f, name, unit);
        }
        load(f);
        assert_int_equal(f->n_found, 1000);
        assert_int_equal(count_in(f, "machines"), 2000);
        f->drop = true;
        load(f);
        assert_int_equal(f->n_found, 1000);
        assert_int_equal(count_in(f, "machines"), 0);
        assert_int_equal(count_entries("/proc/self/fd"), open_files);
        assert_int_equal(warnings, 0);
}

static void test_no_directory(void **state) {
        struct fixture *f = *state;
        struct store_files *s = NULL;
        char path[64];

        snprintf(path, sizeof(path), "%s/file", f->run);
        close(open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644));
        assert_int_equal(store_files_new(path, &s), -ENOTDIR);
        assert_null(s);
}

#define STORE_TEST(fn) cmocka_unit_test_setup_teardown(fn, begin, end)

static const struct CMUnitTest tests[] = {
        STORE_TEST(test_save),
        STORE_TEST(test_save_subgroup),
        STORE_TEST(test_save_long_unit),
        STORE_TEST(test_watchers),
        STORE_TEST(test_drop),
        STORE_TEST(test_hostile),
        STORE_TEST(test_nowhere_to_set_aside),
        STORE_TEST(test_links),
        STORE_TEST(test_two_owners),
        STORE_TEST(test_identities),
        STORE_TEST(test_drop_while_loading),
        STORE_TEST(test_no_directory),
};

RUN_TESTS(tests)
