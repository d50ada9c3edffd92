/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The life of a machine, on one screen. While it is opening only the answer about its cgroup moves it on, so terminate and
 * unregister of an opening machine are turned away before they come here; their cells say what a repair would do. */
#include "core/machine-state.h"

static const char *const machine_event_table[_MACHINE_EVENT_MAX] = {
        [EVENT_PLACED] = "placed",           [EVENT_PLACE_FAILED] = "place-failed", [EVENT_TERMINATE] = "terminate",
        [EVENT_LEADER_EXIT] = "leader-exit", [EVENT_UNREGISTER] = "unregister",
};
DEFINE_TABLE(machine_event, enum machine_event)

#define PERSIST EFFECT_PERSIST
#define NEW EFFECT_ANNOUNCE_NEW
#define STOP EFFECT_STOP
#define RELEASE EFFECT_RELEASE
#define ABANDON EFFECT_ABANDON
#define FORGET EFFECT_FORGET
#define REMOVED EFFECT_ANNOUNCE_REMOVED
#define STAY EFFECT_STAY

static const struct transition transitions[_MACHINE_STATE_MAX][_MACHINE_EVENT_MAX] = {
        [MACHINE_OPENING] = {
                [EVENT_PLACED]       = { MACHINE_RUNNING, PERSIST | NEW },
                [EVENT_PLACE_FAILED] = { MACHINE_GONE, FORGET },
                [EVENT_TERMINATE]    = { MACHINE_CLOSING, PERSIST | STOP },
                [EVENT_LEADER_EXIT]  = { MACHINE_GONE, RELEASE | FORGET },
                [EVENT_UNREGISTER]   = { MACHINE_GONE, ABANDON | FORGET },
        },
        [MACHINE_RUNNING] = {
                [EVENT_PLACED]       = { MACHINE_RUNNING, STAY },
                [EVENT_PLACE_FAILED] = { MACHINE_RUNNING, STAY },
                [EVENT_TERMINATE]    = { MACHINE_CLOSING, PERSIST | STOP },
                [EVENT_LEADER_EXIT]  = { MACHINE_GONE, RELEASE | FORGET | REMOVED },
                [EVENT_UNREGISTER]   = { MACHINE_GONE, ABANDON | FORGET | REMOVED },
        },
        [MACHINE_CLOSING] = {
                [EVENT_PLACED]       = { MACHINE_CLOSING, STAY },
                [EVENT_PLACE_FAILED] = { MACHINE_GONE, FORGET | REMOVED },
                [EVENT_TERMINATE]    = { MACHINE_CLOSING, STAY },
                [EVENT_LEADER_EXIT]  = { MACHINE_GONE, RELEASE | FORGET | REMOVED },
                [EVENT_UNREGISTER]   = { MACHINE_GONE, ABANDON | FORGET | REMOVED },
        },
        [MACHINE_GONE] = { /* no machine is ever in it: whatever comes finds nothing */
                [EVENT_PLACED]       = { MACHINE_GONE, STAY },
                [EVENT_PLACE_FAILED] = { MACHINE_GONE, STAY },
                [EVENT_TERMINATE]    = { MACHINE_GONE, STAY },
                [EVENT_LEADER_EXIT]  = { MACHINE_GONE, STAY },
                [EVENT_UNREGISTER]   = { MACHINE_GONE, STAY },
        },
};

struct transition machine_transition(enum machine_state state, enum machine_event event) {
        return transitions[state][event];
}
