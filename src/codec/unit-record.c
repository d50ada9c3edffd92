/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec/unit-record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "codec/envfile.h"
#include "core/name.h"

int unit_record_encode(const struct unit *u, struct buf *out) {
        if (u->description)
                envfile_append(out, "DESCRIPTION", u->description);
        if (u->controller)
                envfile_append(out, "CONTROLLER", u->controller);
        envfile_append(out, "STATE", unit_state_to_string(u->state));
        buf_printf(out, "REFERENCED=%d\nKILL_SIGNAL=%d\nSTOP_USEC=%llu\nREALTIME=%llu\nMONOTONIC=%llu\n", u->referenced,
                   u->kill_signal, (unsigned long long) u->stop_timeout_usec, (unsigned long long) u->realtime_usec,
                   (unsigned long long) u->monotonic_usec);
        return buf_error(out);
}

static int set_number(const char *key, const char *value, struct unit *u) {
        uint64_t number;

        if (parse_u64(value, &number) < 0)
                return -EBADMSG;
        if (streq(key, "STOP_USEC"))
                u->stop_timeout_usec = number;
        else if (streq(key, "REALTIME"))
                u->realtime_usec = number;
        else if (streq(key, "MONOTONIC"))
                u->monotonic_usec = number;
        else if (streq(key, "REFERENCED"))
                u->referenced = number != 0;
        else if (streq(key, "KILL_SIGNAL"))
                u->kill_signal = number <= 64 ? (int) number : 0; /* 0: unit_check() refuses it */
        return 0;
}

static int on_line(void *userdata, const char *key, const char *value) {
        struct unit *u = userdata;
        int r;

        if (streq(key, "DESCRIPTION"))
                return str_replace(&u->description, value);
        if (streq(key, "CONTROLLER"))
                return str_replace(&u->controller, value);
        if (!streq(key, "STATE"))
                return set_number(key, value, u);
        r = unit_state_from_string(value);
        if (r < 0 || r == UNIT_GONE)
                return -EBADMSG;
        u->state = (enum unit_state) r;
        return 0;
}

/* The last two components; a scope right below the top is in the root slice. */
static int set_place(struct unit *u, const char *path) {
        const char *scope = strrchr(path, '/'), *slice = scope;
        AUTO_FREE char *name = NULL;

        while (slice > path && slice[-1] != '/')
                slice--;
        name = strndup(slice, (size_t) (scope - slice));
        if (!name || !(u->cgroup = strdup(path)))
                return -ENOMEM;
        return str_replace(&u->slice, slice_name_is_valid(name) ? name : "-.slice");
}

int unit_record_decode(const char *path, const char *text, size_t size, struct unit **ret) {
        const char *scope = strrchr(path, '/');
        AUTO(unit_freep) struct unit *u = NULL;
        struct diag d;
        int r;

        if (!scope || size > UNIT_RECORD_MAX || !path_is_absolute_and_valid(path))
                return -EBADMSG;
        r = unit_new(scope + 1, &u);
        if (r >= 0)
                r = set_place(u, path);
        if (r >= 0)
                r = envfile_parse(text, size, on_line, u);
        if (r < 0)
                return r;
        if (unit_check(u, &d) < 0)
                return -EBADMSG;
        *ret = STEAL(u);
        return 0;
}
