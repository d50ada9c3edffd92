/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-spawn/uid-range.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "muster-spawn/interrupt.h"
#include "muster-spawn/lock.h"
#include "plan/facts.h"
#include "plan/ids.h"
#include "spec/spec.h"
#include "sys/fileio.h"

#define RANGES "/run/systemd/nspawn-uid"
#define DATABASE_LOCK "/etc/.pwd.lock" /* lckpwdf(3) */
#define DATABASE_MAX (32U << 20)
#define NOBODY 65534u

/* The third field of each line is the number, in /etc/passwd and in /etc/group. */
static bool line_has_number(const char *line, uint32_t a, uint32_t b) {
        const char *field = line;
        size_t digits;
        char text[16];
        uint32_t n;

        for (int i = 0; i < 2; i++) {
                field += strcspn(field, ":\n");
                if (*field != ':')
                        return false;
                field++;
        }
        digits = strcspn(field, ":\n");
        if (digits >= sizeof(text))
                return false;
        memcpy(text, field, digits);
        text[digits] = '\0';
        return parse_u32(text, &n) >= 0 && (n == a || n == b);
}

static int file_has_number(const char *path, uint32_t a, uint32_t b) {
        AUTO_FREE char *text = NULL;
        int r = read_file_at(AT_FDCWD, path, DATABASE_MAX, &text, NULL);

        if (r < 0)
                return r == -ENOENT ? 0 : r;
        for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
                if (line_has_number(line, a, b))
                        return 1;
        return 0;
}

/* The container's root and its nobody stand for the whole range. */
static int is_known(uint32_t base) {
        int r = file_has_number("/etc/passwd", base, base + NOBODY);

        return r != 0 ? r : file_has_number("/etc/group", base, base + NOBODY);
}

/* Waits for who changes the user database at the moment, unless we are to stop. */
static int lock_database(void) {
        const struct timespec pause = { .tv_nsec = 20 * 1000 * 1000 };

        for (;;) {
                int fd = lock_file(DATABASE_LOCK, true, false);

                if (fd == -EROFS) /* then nobody can change it */
                        return -EBADF;
                if (fd != -EBUSY)
                        return fd;
                if (stop_wanted(NULL))
                        return -EINTR;
                nanosleep(&pause, NULL);
        }
}

/* 1: it is ours now. 0: somebody has it. */
static int take(uint32_t base, struct uid_range *r) {
        AUTO_FREE char *path = NULL;
        int fd, q;

        if (!ids_base_is_pickable(base))
                return 0;
        q = is_known(base);
        if (q != 0)
                return q < 0 ? q : 0;
        if (asprintf(&path, RANGES "/%u", base) < 0)
                return -ENOMEM;
        fd = lock_file(path, true, false);
        if (fd < 0)
                return fd == -EBUSY ? 0 : fd;
        r->lock = fd;
        r->path = STEAL(path);
        return 1;
}

static int pick(const struct spec *s, struct facts *f, struct uid_range *r, struct diag *diag) {
        uint32_t tree = f->root_uid & ~(IDS_RANGE - 1), base = 0;
        int q = 0;

        for (unsigned attempt = 0; q == 0; attempt++) {
                uint32_t random;

                if (getrandom(&random, sizeof(random), 0) < 0)
                        return -errno;
                if (ids_pick(attempt, tree, f->machine, random, &base) < 0)
                        return diag_set(diag, -EBUSY, "--private-users",
                                        "pick: no free range of user numbers found in %u tries", IDS_PICK_ATTEMPTS);
                q = s->dry_run == DRY_RUN_NO ? take(base, r) : ids_base_is_pickable(base);
        }
        if (q < 0)
                return diag_set(diag, q, "--private-users", "pick: cannot find out which user numbers are free: %s",
                                strerror(-q));
        f->uid_base = base;
        return 0;
}

static int pick_locked(const struct spec *s, struct facts *f, struct uid_range *r, struct diag *diag) {
        int q;

        if (s->dry_run != DRY_RUN_NO)
                return pick(s, f, r, diag);
        q = mkdir_parents(RANGES, 0755);
        if (q < 0)
                return diag_set(diag, q, "--private-users", "cannot make " RANGES ": %s", strerror(-q));
        r->database = lock_database();
        if (r->database == -EINTR)
                return diag_set(diag, -EINTR, "--private-users", "stopped while waiting for " DATABASE_LOCK);
        if (r->database < 0 && r->database != -EBADF)
                return diag_set(diag, r->database, "--private-users", "cannot lock " DATABASE_LOCK ": %s",
                                strerror(-r->database));
        return pick(s, f, r, diag);
}

int uid_range_take(const struct spec *s, struct facts *f, struct uid_range *ret, struct diag *diag) {
        struct uid_range r = UID_RANGE_EMPTY;
        int q = 0;

        f->uid_count = IDS_RANGE;
        switch (s->users_mode) {
        case USERS_NO:
        case USERS_IDENTITY:
                break;
        case USERS_FIXED:
                f->uid_base = s->users_base;
                f->uid_count = s->users_count;
                break;
        case USERS_TREE:
                q = ids_base_of_tree(f->root_uid, f->root_gid, &f->uid_base, diag);
                break;
        case USERS_PICK:
                q = pick_locked(s, f, &r, diag);
                break;
        default:
                return diag_set(diag, -EOPNOTSUPP, "--private-users",
                                "managed needs systemd-nsresourced, which is not spoken to; use pick");
        }
        if (q < 0) {
                uid_range_done(&r);
                return q;
        }
        *ret = r;
        return 0;
}

void uid_range_settled(struct uid_range *r) {
        if (r->database >= 0)
                close(r->database);
        r->database = -EBADF;
}

void uid_range_done(struct uid_range *r) {
        uid_range_settled(r);
        if (r->path)
                unlink(r->path);
        if (r->lock >= 0)
                close(r->lock);
        free(r->path);
        *r = UID_RANGE_EMPTY;
}
