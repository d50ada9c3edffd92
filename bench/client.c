/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The client that measures: fast enough not to be what is measured. Usage: bench-client LEADERS-CGROUP USERS
 * USERS: the name service (nsswitch.conf(5)) that knows the users of machines.
 *
 * Reads commands, one a line:      answers:
 *   grow N                           ok
 *   count                            ok N   (machines that grow has made)
 *   OPERATION COUNT MSEC [ARGS]      ok N MEDIAN MIN MAX [MEDIAN MIN MAX...]   (nanoseconds)
 *                                    error TEXT
 * An operation runs COUNT times, or as often as fits in MSEC, whichever is less; three times at least unless COUNT is less. */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LEAST 3

uint64_t now_nsec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return (uint64_t) t.tv_sec * 1000000000 + (uint64_t) t.tv_nsec;
}

int complain(struct client *c, int error, const char *what) {
        if (!c->error[0])
                snprintf(c->error, sizeof(c->error), "%s: %s", what, strerror(-error));
        return error;
}

static int compare(const void *a, const void *b) {
        const uint64_t *x = a, *y = b;

        return *x < *y ? -1 : *x > *y;
}

struct samples {
        uint64_t *nsec[SERIES_MAX];
        unsigned n;
};

static void print_samples(struct samples *s, unsigned n_series) {
        printf("ok %u", s->n);
        for (unsigned i = 0; i < n_series; i++) {
                qsort(s->nsec[i], s->n, sizeof(uint64_t), compare);
                printf(" %llu %llu %llu", (unsigned long long) s->nsec[i][s->n / 2], (unsigned long long) s->nsec[i][0],
                       (unsigned long long) s->nsec[i][s->n - 1]);
        }
        printf("\n");
}

static int repeat(struct client *c, const struct operation *o, unsigned count, uint64_t msec, struct samples *s) {
        uint64_t until = now_nsec() + msec * 1000000;

        while (s->n < count && (s->n < LEAST || now_nsec() < until)) {
                uint64_t start = now_nsec();
                int r = o->once(c);

                if (r < 0)
                        return complain(c, r, o->name);
                if (o->n_series == 0)
                        c->nsec[0] = now_nsec() - start;
                for (int i = 0; i < SERIES_MAX; i++)
                        s->nsec[i][s->n] = c->nsec[i];
                s->n++;
        }
        return 0;
}

static int measure(struct client *c, const struct operation *o, unsigned count, uint64_t msec) {
        struct samples s = { .n = 0 };
        int r = 0;

        for (int i = 0; i < SERIES_MAX; i++) {
                s.nsec[i] = calloc(count ? count : 1, sizeof(uint64_t));
                if (!s.nsec[i])
                        abort();
        }
        if (o->begin)
                r = o->begin(c);
        if (r >= 0)
                r = repeat(c, o, count, msec, &s);
        if (o->end)
                o->end(c);
        if (r >= 0)
                print_samples(&s, o->n_series ? o->n_series : 1);
        for (int i = 0; i < SERIES_MAX; i++)
                free(s.nsec[i]);
        return r;
}

static const struct operation *find_operation(const char *name) {
        for (size_t i = 0; i < n_operations; i++)
                if (strcmp(operations[i].name, name) == 0)
                        return &operations[i];
        return NULL;
}

static int command(struct client *c, char *line) {
        const struct operation *o;
        char name[32] = "";
        unsigned count = 0, msec = 0;
        int at = 0, r;

        if (strcmp(line, "count") == 0) {
                printf("ok %u\n", c->n_machines);
                return 0;
        }
        if (sscanf(line, "grow %u", &count) == 1) {
                r = grow(c, count);
                if (r >= 0)
                        printf("ok\n");
                return r;
        }
        if (sscanf(line, "%31s %u %u %n", name, &count, &msec, &at) < 3 || count == 0)
                return complain(c, -EINVAL, "no such command");
        o = find_operation(name);
        if (!o)
                return complain(c, -ENOENT, name);
        c->arguments = line + at;
        return measure(c, o, count, msec);
}

static int set_up(struct client *c) {
        struct leader_wish wish = { .number = 60000, .cgroup_fd = -EBADF };

        if (sd_bus_open_system(&c->bus) < 0)
                return complain(c, -EHOSTDOWN, "no bus");
        return leader_start(&wish, &c->spare);
}

int main(int argc, char **argv) {
        struct client c = { .varlink_fd = -EBADF };
        char line[4096];

        if (argc != 3) {
                fprintf(stderr, "Usage: %s LEADERS-CGROUP USERS\n", argv[0]);
                return 2;
        }
        c.leaders = argv[1];
        c.users = argv[2];
        setvbuf(stdout, NULL, _IOLBF, 0);
        if (set_up(&c) < 0) {
                printf("error %s\n", c.error[0] ? c.error : "cannot start a leader");
                return 1;
        }
        printf("ok\n");
        while (fgets(line, sizeof(line), stdin)) {
                line[strcspn(line, "\n")] = '\0';
                c.error[0] = '\0';
                if (command(&c, line) < 0)
                        printf("error %s\n", c.error[0] ? c.error : line);
        }
        for (unsigned i = 0; i < c.n_machines; i++)
                leader_end(c.pids[i]);
        leader_end(c.spare);
        free(c.pids);
        free(c.answer);
        sd_bus_flush_close_unref(c.bus);
        return 0;
}
