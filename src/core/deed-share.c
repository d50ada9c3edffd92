/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A leaky bucket for each user. Of one number only: each deed moves the time when nothing of it is left any more. */
#include "core/deed-share.h"

/* His own place, or that of whoever has had the longest rest. */
static struct deed_share *share_of(struct deed_shares *s, uid_t uid) {
        struct deed_share *oldest = &s->users[0];

        for (int i = 0; i < DEED_USERS; i++) {
                struct deed_share *x = &s->users[i];

                if (x->full_at > 0 && x->uid == uid)
                        return x;
                if (x->full_at < oldest->full_at)
                        oldest = x;
        }
        *oldest = (struct deed_share){ .uid = uid };
        return oldest;
}

bool deed_shares_take(struct deed_shares *s, uid_t uid, uint64_t now_usec, uint64_t *ret_left_out) {
        struct deed_share *x = share_of(s, uid);
        uint64_t from = x->full_at > now_usec ? x->full_at : now_usec;

        if (from - now_usec > (DEED_BURST - 1) * DEED_PERIOD_USEC) {
                x->left_out++;
                return false;
        }
        x->full_at = from + DEED_PERIOD_USEC;
        *ret_left_out = x->left_out;
        x->left_out = 0;
        return true;
}
