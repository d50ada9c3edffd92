/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/machine-state.h: what an event does to a machine in a state: one table, every cell written out. */
#pragma once

#include <stdint.h>

#include "core/machine.h"

enum machine_event {
        EVENT_PLACED,       /* its cgroup is ready and the leader is in it */
        EVENT_PLACE_FAILED, /* the cgroup could not be made */
        EVENT_TERMINATE,    /* somebody asked to stop it */
        EVENT_LEADER_EXIT,  /* the leader is dead */
        EVENT_UNREGISTER,   /* forget it, touch nothing */
        _MACHINE_EVENT_MAX,
};
DECLARE_TABLE(machine_event, enum machine_event);

enum machine_effect {
        EFFECT_PERSIST = 1 << 0,          /* write the record */
        EFFECT_ANNOUNCE_NEW = 1 << 1,     /* tell listeners that it exists */
        EFFECT_STOP = 1 << 2,             /* ask its processes to end */
        EFFECT_RELEASE = 1 << 3,          /* end what is left of it and remove the cgroup we made */
        EFFECT_ABANDON = 1 << 4,          /* let go of the cgroup we made; remove it once it is empty */
        EFFECT_FORGET = 1 << 5,           /* drop the record, file and links */
        EFFECT_ANNOUNCE_REMOVED = 1 << 6, /* tell listeners that it is gone */
        EFFECT_STAY = 1 << 7,             /* explicitly nothing */
};

struct transition {
        enum machine_state next;
        uint32_t effects; /* never 0: an empty cell is a bug */
};

/* Total over both enums (without MACHINE_GONE). */
struct transition machine_transition(enum machine_state state, enum machine_event event);
