/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a control group uses, out of about ten small files. Whatever cannot be read is not known. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "backend/cgroup-host.h"
#include "base/auto.h"
#include "base/str.h"
#include "codec/cgroup-stats.h"
#include "sys/cgroup.h"
#include "sys/fileio.h"

#define FILE_MAX ((size_t) 64 << 10)

/* fds: one for each controller; -EBADF: no such group there. */
static void read_sources(const struct cgroup_stat_source *sources, const int fds[static _CGROUP_CONTROLLER_MAX],
                         struct machine_stats *ret) {
        AUTO_FREE char *text = NULL;
        const char *file = "";

        for (const struct cgroup_stat_source *s = sources; s->file; s++) {
                uint64_t value;

                if (!streq(file, s->file)) {
                        file = s->file;
                        free(STEAL(text));
                        if (fds[s->controller] >= 0 &&
                            read_record_at(fds[s->controller], file, FILE_MAX, &text, NULL) < 0)
                                text = NULL;
                }
                /* What v2 has told is not overwritten: beside v1 it knows of the processor. */
                if (text && ret->values[s->stat] == STAT_UNKNOWN && cgroup_stat_decode(s, text, &value) >= 0)
                        ret->values[s->stat] = value;
        }
}

static void read_v2(const struct cgroup_host *h, const char *path, struct machine_stats *ret) {
        AUTO_CLOSE int fd = cgroup_host_open(h, path);
        int fds[_CGROUP_CONTROLLER_MAX];

        for (int c = 0; c < _CGROUP_CONTROLLER_MAX; c++)
                fds[c] = fd;
        read_sources(cgroup_stat_sources(true), fds, ret);
}

static void read_v1(const struct cgroup_host *h, const char *path, struct machine_stats *ret) {
        int fds[_CGROUP_CONTROLLER_MAX];

        for (int c = 0; c < _CGROUP_CONTROLLER_MAX; c++) {
                const char *below = h->controller_fds[c] >= 0 ? cgroup_host_below(&h->layout.v1[c], path) : NULL;

                fds[c] = below && !streq(below, ".") ? cgroup_open(h->controller_fds[c], below) : -EBADF;
        }
        read_sources(cgroup_stat_sources(false), fds, ret);
        for (int c = 0; c < _CGROUP_CONTROLLER_MAX; c++)
                if (fds[c] >= 0)
                        close(fds[c]);
}

void cgroup_host_stats(const struct cgroup_host *h, const char *path, struct machine_stats *ret) {
        if (cgroup_host_tracks_v2(h))
                read_v2(h, path, ret);
        if (h->layout.mode != CGROUP_V2)
                read_v1(h, path, ret);
}
