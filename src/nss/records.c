/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "nss/records.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define NAME_MAX_BYTES 64
#define RECORD_MAX (128 * 1024) /* bytes of a file that are looked at */

bool machine_name_is_plausible(const char *name) {
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.");

        return n > 0 && n <= NAME_MAX_BYTES && name[n] == '\0' && name[0] != '.' && name[0] != '-';
}

bool record_is_heard(const struct record_scan *record) {
        return record->container && (record->uid == 0 || record->uid == geteuid());
}

static int read_at(int directory, const char *name, struct record_scan *ret) {
        int fd = openat(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
        char chunk[1024];
        size_t all = 0;
        ssize_t n;

        if (fd < 0)
                return -errno;
        record_scan_init(ret);
        do {
                n = read(fd, chunk, sizeof(chunk));
                if (n > 0) {
                        record_scan_feed(ret, chunk, (size_t) n);
                        all += (size_t) n;
                }
        } while ((n > 0 && all < RECORD_MAX) || (n < 0 && errno == EINTR));
        record_scan_end(ret);
        close(fd);
        return 0;
}

int record_read(const char *name, struct record_scan *ret) {
        char path[sizeof(RECORDS_DIRECTORY) + 1 + NAME_MAX_BYTES] = RECORDS_DIRECTORY "/";

        if (!machine_name_is_plausible(name))
                return -ENOENT;
        strcpy(path + sizeof(RECORDS_DIRECTORY), name);
        return read_at(AT_FDCWD, path, ret);
}

/* readdir(3) would allocate. */
int records_each(int (*fn)(const char *name, const struct record_scan *record, void *userdata), void *userdata) {
        int directory = open(RECORDS_DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;
        _Alignas(struct dirent64) char entries[2048];
        ssize_t n;

        if (directory < 0)
                return -errno;
        while (r == 0 && (n = getdents64(directory, entries, sizeof(entries))) > 0)
                for (ssize_t at = 0; r == 0 && at < n;) {
                        const struct dirent64 *entry = (const void *) (entries + at);
                        struct record_scan record;

                        at += entry->d_reclen;
                        if (machine_name_is_plausible(entry->d_name) && read_at(directory, entry->d_name, &record) == 0)
                                r = fn(entry->d_name, &record, userdata);
                }
        close(directory);
        return r;
}
