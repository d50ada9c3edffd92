/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/hot-keys.h: what ^] typed at a console or a terminal session asks for. */
#pragma once

#include <stdint.h>

enum hot_key {
        HOT_KEY_NONE,
        HOT_KEY_KILL,      /* ^] ^] ^] */
        HOT_KEY_REBOOT,    /* ^] ^] r */
        HOT_KEY_POWER_OFF, /* ^] ^] p */
        HOT_KEY_UNKNOWN    /* ^] ^] and another letter */
};

struct hot_keys {
        uint64_t first_usec; /* when the first of them was typed */
        unsigned count;      /* of ^] in a row */
};

/* byte was typed at now_usec (of any clock that does not jump); all must come within a second of the first ^]. */
enum hot_key hot_keys_feed(struct hot_keys *h, uint8_t byte, uint64_t now_usec);
