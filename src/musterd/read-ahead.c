/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* After each turn of the loop it costs one comparison to know whether a timer is wanted. The timer's turns come when nothing else is
 * pending, and each does a few milliseconds' work. */
#include "musterd/read-ahead.h"

#include <errno.h>
#include <stdlib.h>

#define WAIT_USEC UINT64_C(1000000)    /* from a machine's registration, at least */
#define ACCURACY_USEC UINT64_C(250000) /* whoever else wakes us meanwhile may take this along */

struct read_ahead {
        struct service *service;
        sd_event_source *turn, *timer;
};

static int arm(struct read_ahead *a, uint64_t usec) {
        int r = sd_event_source_set_time_relative(a->timer, usec);

        return r < 0 ? r : sd_event_source_set_enabled(a->timer, SD_EVENT_ONESHOT);
}

static int on_turn(sd_event_source *source, void *userdata) {
        struct read_ahead *a = userdata;

        if (service_has_unread(a->service) && sd_event_source_get_enabled(a->timer, NULL) == 0)
                (void) arm(a, WAIT_USEC); /* else they are read when somebody asks */
        return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata) {
        struct read_ahead *a = userdata;

        if (service_read_ahead(a->service))
                (void) arm(a, 0);
        return 0;
}

int read_ahead_new(sd_event *e, struct service *s, struct read_ahead **ret) {
        AUTO(read_ahead_freep) struct read_ahead *a = calloc(1, sizeof(*a));
        int r;

        if (!a)
                return -ENOMEM;
        a->service = s;
        r = sd_event_add_post(e, &a->turn, on_turn, a);
        if (r >= 0)
                r = sd_event_add_time_relative(e, &a->timer, CLOCK_MONOTONIC, 0, ACCURACY_USEC, on_timer, a);
        if (r >= 0)
                r = sd_event_source_set_priority(a->timer, SD_EVENT_PRIORITY_IDLE);
        if (r >= 0)
                r = sd_event_source_set_enabled(a->timer, SD_EVENT_OFF);
        if (r < 0)
                return r;
        *ret = STEAL(a);
        return 0;
}

void read_ahead_free(struct read_ahead *a) {
        if (!a)
                return;
        sd_event_source_disable_unref(a->turn);
        sd_event_source_disable_unref(a->timer);
        free(a);
}
