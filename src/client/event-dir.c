/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "client/event-dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>

#include "codec/event-json.h"
#include "sys/fileio.h"

#define FILE_MAX ((size_t) 64 << 20)

static int on_event(void *userdata, struct event **e) {
        return event_ring_add(userdata, e);
}

static int load_file(struct event_ring *ring, const char *run_dir, const char *name) {
        AUTO_FREE char *text = NULL;
        char path[4096];
        struct diag d;
        size_t size;
        int n = snprintf(path, sizeof(path), "%s/muster/events/%s", run_dir, name), r;

        if (n < 0 || (size_t) n >= sizeof(path))
                return -ENAMETOOLONG;
        r = read_file_at(AT_FDCWD, path, FILE_MAX, &text, &size);
        if (r == -EACCES || r == -ENOMEM)
                return r;
        if (r < 0) /* not there, or nothing that we would read */
                return 0;
        r = event_lines_decode(text, size, event_ring_last(ring), on_event, ring, &d);
        return r < 0 ? r : 0;
}

int event_dir_load(const char *run_dir, struct event_ring **ret) {
        AUTO(event_ring_freep) struct event_ring *ring = NULL;
        int r;

        r = event_ring_new(SIZE_MAX, SIZE_MAX, &ring); /* the files are bounded */
        if (r >= 0)
                r = load_file(ring, run_dir, "previous");
        if (r >= 0)
                r = load_file(ring, run_dir, "current");
        if (r < 0)
                return r;
        *ret = STEAL(ring);
        return 0;
}
