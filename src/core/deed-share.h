/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/deed-share.h: how much of the journal of events a user may fill with what he does to his machines. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define DEED_BURST 256                     /* events in one go, */
#define DEED_PERIOD_USEC UINT64_C(1000000) /* then one in this time */
#define DEED_USERS 64                      /* who are remembered */

struct deed_share {
        uint64_t full_at; /* when his burst is whole again, in CLOCK_MONOTONIC; 0: nobody's place */
        uint64_t left_out;
        uid_t uid;
};

/* All zero: nobody has done anything yet. */
struct deed_shares {
        struct deed_share users[DEED_USERS];
};

/* May this be noted? True: *ret_left_out says how many of his were not since the last that was. */
bool deed_shares_take(struct deed_shares *s, uid_t uid, uint64_t now_usec, uint64_t *ret_left_out);
