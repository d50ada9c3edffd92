/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which logs there are, and their end. */
#include "muster/log-list.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "client/console-logs.h"
#include "codec/json-text.h"
#include "muster/failure.h"
#include "muster/log-place.h"
#include "muster/log-read.h"
#include "muster/output.h"
#include "muster/table-out.h"

struct log_info {
        char machine[MACHINE_NAME_MAX + 1];
        uint64_t size, first_usec, last_usec; /* times: 0: none */
};

struct log_list {
        struct log_info *logs;
        size_t n;
};

static void add_sizes(int directory, struct log_info *i) {
        char file[CONSOLE_LOG_NAME_SIZE];
        struct stat st;

        for (unsigned age = 0; age < CONSOLE_LOGS_FILES_MAX; age++) {
                console_log_file_name(i->machine, age, file);
                if (fstatat(directory, file, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
                        continue;
                i->size += (uint64_t) st.st_size;
                if (age == 0)
                        i->last_usec = (uint64_t) st.st_mtim.tv_sec * 1000000 + (uint64_t) st.st_mtim.tv_nsec / 1000;
        }
}

static int add_log(struct log_list *l, int directory_fd, const char *directory, const char *machine) {
        struct log_info *bigger = reallocarray(l->logs, l->n + 1, sizeof(*bigger)), *i;
        AUTO(log_reader_freep) struct log_reader *reader = NULL;
        struct console_record record;

        if (!bigger)
                return -ENOMEM;
        l->logs = bigger;
        i = &l->logs[l->n++];
        *i = (struct log_info){ 0 };
        memcpy(i->machine, machine, strlen(machine));
        add_sizes(directory_fd, i);
        if (log_reader_open(directory, machine, &reader) == 0 && log_reader_next(reader, &record) > 0)
                i->first_usec = record.usec;
        return 0;
}

/* An absent directory is an empty list. */
static int list_directory(struct log_list *l, const char *directory) {
        DIR *d = opendir(directory);
        struct dirent *entry;
        int r = 0;

        if (!d)
                return errno == ENOENT ? 0 : -errno;
        while (r == 0 && (entry = readdir(d))) {
                char machine[MACHINE_NAME_MAX + 1];

                if (console_log_machine_name(entry->d_name, machine))
                        r = add_log(l, dirfd(d), directory, machine);
        }
        closedir(d);
        return r;
}

static int by_name(const void *a, const void *b) {
        return strcmp(((const struct log_info *) a)->machine, ((const struct log_info *) b)->machine);
}

static int list_all(struct log_list *l) {
        AUTO_FREE char *system = NULL, *own = NULL;
        int r;

        if (log_place_directory(false, &system) < 0)
                return -EINVAL;
        if (geteuid() != 0 && log_place_directory(true, &own) == 0 && !streq(own, system) &&
            list_directory(l, own) == -ENOMEM)
                return fail("Out of memory."), -ENOMEM;
        r = list_directory(l, system);
        if (r == -EACCES && l->n == 0)
                log_place_no_access(system);
        else if (r == -EACCES)
                r = 0;
        else if (r < 0)
                fail("Cannot read %s: %s.", system, strerror(-r));
        if (l->n > 0)
                qsort(l->logs, l->n, sizeof(*l->logs), by_name);
        return r;
}

static void time_json(struct json_text *j, const char *key, uint64_t usec) {
        char stamp[CONSOLE_STAMP_SIZE + 1];

        if (usec == 0) {
                json_text_null(j, key);
                return;
        }
        console_stamp(usec, stamp);
        json_text_string(j, key, stamp);
}

static int list_json(const struct options *o, const struct log_list *l) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&out);

        json_text_begin_array(&j, NULL);
        for (size_t i = 0; i < l->n; i++) {
                json_text_begin_object(&j, NULL);
                json_text_string(&j, "machine", l->logs[i].machine);
                json_text_unsigned(&j, "size", l->logs[i].size);
                time_json(&j, "first", l->logs[i].first_usec);
                time_json(&j, "last", l->logs[i].last_usec);
                json_text_end_object(&j);
        }
        json_text_end_array(&j);
        return output_json(o, &out);
}

static void size_text(uint64_t size, char ret[static 32]) {
        static const char units[] = "BKMG";
        size_t i = 0;
        double shown = (double) size;

        for (; shown >= 1024 && i < 3; i++)
                shown /= 1024;
        snprintf(ret, 32, i > 0 ? "%.1f%c" : "%.0f%c", shown, units[i]);
}

static int list_table(const struct options *o, const struct log_list *l) {
        static const struct table_column columns[] = {
                { "MACHINE", false }, { "SIZE", false }, { "FIRST", true }, { "LAST", true }
        };
        AUTO(table_freep) struct table *table = NULL;
        AUTO_BUF struct buf out = BUF_EMPTY;
        int r = table_new(columns, ELEMENTS(columns), o->legend, o->full, &table);

        for (size_t i = 0; r == 0 && i < l->n; i++) {
                char size[32], first[64], last[64];

                size_text(l->logs[i].size, size);
                output_time(l->logs[i].first_usec, first, sizeof(first));
                output_time(l->logs[i].last_usec, last, sizeof(last));
                r = table_row(table,
                              (const char *[]){ l->logs[i].machine, size, *first ? first : "-", *last ? last : "-" });
        }
        if (r == 0 && l->n > 0)
                r = table_print(table, &out);
        if (r < 0)
                return fail("Out of memory.");
        if (o->legend && l->n == 0)
                buf_append_str(&out, "No logs.\n");
        else if (o->legend)
                buf_printf(&out, "\n%zu logs listed.\n", l->n);
        return output_show(o, &out);
}

int log_list_show(const struct options *o) {
        struct log_list l = { 0 };
        int r = list_all(&l);

        r = r < 0 ? EXIT_FAILURE : o->json ? list_json(o, &l) : list_table(o, &l);
        free(l.logs);
        return r;
}

/* ---- removing ---- */

/* -EBUSY: its machine runs. The lock is held until all files are gone, so that none that has just been begun is taken away. */
static int remove_files(int directory, const char *machine) {
        char file[CONSOLE_LOG_NAME_SIZE];
        AUTO_CLOSE int fd = -EBADF;
        bool found = false;

        console_log_file_name(machine, 0, file);
        fd = openat(directory, file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) < 0)
                return errno == EWOULDBLOCK ? -EBUSY : -errno;
        for (unsigned age = CONSOLE_LOGS_FILES_MAX; age-- > 0;) {
                console_log_file_name(machine, age, file);
                if (unlinkat(directory, file, 0) == 0)
                        found = true;
                else if (errno != ENOENT)
                        return -errno;
        }
        return found ? 0 : -ENOENT;
}

int log_list_remove(const char *machine) {
        AUTO_FREE char *directory = NULL;
        AUTO_CLOSE int fd = -EBADF;
        int r;

        if (log_place_find(machine, &directory) < 0)
                return EXIT_FAILURE;
        fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        r = fd < 0 ? -errno : remove_files(fd, machine);
        if (r == -EBUSY)
                return fail("The log of \"%s\" is being written to: it can be removed when the machine has ended.",
                            machine);
        if (r == -EACCES || r == -EPERM)
                return fail("Only root may remove logs in %s: use sudo.", directory);
        if (r == -ENOENT)
                return fail("There is no log of \"%s\" in %s.", machine, directory);
        return r < 0 ? fail("Cannot remove the log of \"%s\" in %s: %s.", machine, directory, strerror(-r))
                     : EXIT_SUCCESS;
}
