/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a scope without a machine. It begins as running: whoever asked for it gave the processes along. */
#include "core/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/name.h"

static const char *const unit_state_table[_UNIT_STATE_MAX] = {
        [UNIT_RUNNING] = "running",      [UNIT_ABANDONED] = "abandoned", [UNIT_STOPPING] = "stop-sigterm",
        [UNIT_KILLING] = "stop-sigkill", [UNIT_GONE] = "dead",
};
DEFINE_TABLE(unit_state, enum unit_state)

static const char *const unit_event_table[_UNIT_EVENT_MAX] = {
        [UNIT_EVENT_STOP] = "stop", [UNIT_EVENT_ABANDON] = "abandon", [UNIT_EVENT_ORPHAN] = "orphan",
        [UNIT_EVENT_LATE] = "late", [UNIT_EVENT_EMPTY] = "empty",
};
DEFINE_TABLE(unit_event, enum unit_event)

#define UNBIND UNIT_EFFECT_UNBIND
#define ASK UNIT_EFFECT_ASK
#define ARM UNIT_EFFECT_ARM
#define KILL UNIT_EFFECT_KILL
#define PERSIST UNIT_EFFECT_PERSIST
#define FORGET UNIT_EFFECT_FORGET
#define STAY UNIT_EFFECT_STAY

static const struct unit_transition transitions[_UNIT_STATE_MAX][_UNIT_EVENT_MAX] = {
        [UNIT_RUNNING] = {
                [UNIT_EVENT_STOP]    = { UNIT_STOPPING, PERSIST | ASK | ARM },
                [UNIT_EVENT_ABANDON] = { UNIT_ABANDONED, UNBIND | PERSIST },
                [UNIT_EVENT_ORPHAN]  = { UNIT_RUNNING, UNBIND | PERSIST },
                [UNIT_EVENT_LATE]    = { UNIT_RUNNING, STAY },
                [UNIT_EVENT_EMPTY]   = { UNIT_GONE, FORGET },
        },
        [UNIT_ABANDONED] = {
                [UNIT_EVENT_STOP]    = { UNIT_STOPPING, PERSIST | ASK | ARM },
                [UNIT_EVENT_ABANDON] = { UNIT_ABANDONED, STAY },
                [UNIT_EVENT_ORPHAN]  = { UNIT_ABANDONED, STAY },
                [UNIT_EVENT_LATE]    = { UNIT_ABANDONED, STAY },
                [UNIT_EVENT_EMPTY]   = { UNIT_GONE, FORGET },
        },
        [UNIT_STOPPING] = {
                [UNIT_EVENT_STOP]    = { UNIT_STOPPING, STAY },
                [UNIT_EVENT_ABANDON] = { UNIT_STOPPING, UNBIND | PERSIST | ASK },
                [UNIT_EVENT_ORPHAN]  = { UNIT_STOPPING, UNBIND | PERSIST | ASK }, /* who was asked is gone: now the processes */
                [UNIT_EVENT_LATE]    = { UNIT_KILLING, PERSIST | KILL },
                [UNIT_EVENT_EMPTY]   = { UNIT_GONE, FORGET },
        },
        [UNIT_KILLING] = {
                [UNIT_EVENT_STOP]    = { UNIT_KILLING, STAY },
                [UNIT_EVENT_ABANDON] = { UNIT_KILLING, UNBIND | PERSIST },
                [UNIT_EVENT_ORPHAN]  = { UNIT_KILLING, UNBIND | PERSIST },
                [UNIT_EVENT_LATE]    = { UNIT_KILLING, STAY },
                [UNIT_EVENT_EMPTY]   = { UNIT_GONE, FORGET },
        },
        [UNIT_GONE] = { /* no unit is ever in it */
                [UNIT_EVENT_STOP]    = { UNIT_GONE, STAY },
                [UNIT_EVENT_ABANDON] = { UNIT_GONE, STAY },
                [UNIT_EVENT_ORPHAN]  = { UNIT_GONE, STAY },
                [UNIT_EVENT_LATE]    = { UNIT_GONE, STAY },
                [UNIT_EVENT_EMPTY]   = { UNIT_GONE, STAY },
        },
};

struct unit_transition unit_transition(enum unit_state state, enum unit_event event) {
        return transitions[state][event];
}

const char *unit_active_state(enum unit_state state) {
        switch (state) {
        case UNIT_RUNNING:
        case UNIT_ABANDONED:
                return "active";
        case UNIT_GONE:
                return "inactive";
        default:
                return "deactivating";
        }
}

int unit_new(const char *name, struct unit **ret) {
        AUTO(unit_freep) struct unit *u = calloc(1, sizeof(*u));

        if (!u)
                return -ENOMEM;
        u->kill_signal = UNIT_KILL_SIGNAL;
        u->name = strdup(name);
        if (!u->name)
                return -ENOMEM;
        *ret = STEAL(u);
        return 0;
}

void unit_free(struct unit *u) {
        if (!u)
                return;
        free(u->name);
        free(u->slice);
        free(u->cgroup);
        free(u->description);
        free(u->controller);
        free(u);
}

bool scope_unit_name_is_valid(const char *s) {
        const char *suffix = endswith(s, ".scope");

        /* A leading '.' is no unit that systemd would take either, and hidden from whoever lists the directory. */
        return unit_name_is_valid(s) && suffix && suffix > s && *s != '.';
}

bool unit_controller_is_valid(const char *s) {
        size_t n = strspn(s, ":.0123456789");

        return *s == ':' && n > 1 && s[n] == '\0' && n <= UNIT_CONTROLLER_MAX;
}

int unit_check(const struct unit *u, struct diag *d) {
        if (!scope_unit_name_is_valid(u->name))
                return diag_set(d, -EINVAL, "name",
                                "Only scopes can be started here: NAME.scope, at most %d bytes of "
                                "letters, digits and :-_.\\.",
                                UNIT_NAME_MAX);
        if (u->slice && !slice_name_is_valid(u->slice))
                return diag_set(d, -EINVAL, "Slice", "Slice must be the name of a slice, such as machine.slice.");
        if (u->controller && !unit_controller_is_valid(u->controller))
                return diag_set(d, -EINVAL, "Controller", "Controller must be a unique bus name, such as :1.42.");
        if (u->description && !text_is_valid(u->description, UNIT_DESCRIPTION_MAX))
                return diag_set(d, -EINVAL, "Description", "Description must be text without control characters.");
        if (u->kill_signal < 1 || u->kill_signal > 64)
                return diag_set(d, -EINVAL, "KillSignal", "KillSignal must be a signal from 1 to 64.");
        return 0;
}
