/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hash and its key are systemd-nspawn's: a container that has run there, and whose files were given away, keeps its
 * numbers here. */
#include "plan/ids.h"

#include <errno.h>
#include <string.h>

#include "base/siphash.h"

#define BASE_MASK 0xffff0000u

static const uint8_t name_key[SIPHASH_KEY_SIZE] = {
        0xe1, 0x56, 0xe0, 0xf0, 0x4a, 0xf0, 0x41, 0xaf, 0x96, 0x41, 0xcf, 0x41, 0x33, 0x94, 0xff, 0x72,
};

bool ids_base_is_pickable(uint32_t base) {
        return base >= IDS_PICK_MIN && base <= IDS_PICK_MAX && base % IDS_RANGE == 0;
}

/* Any number to a base that is pickable. */
static uint32_t fold(uint32_t number) {
        return (number % (IDS_PICK_MAX - IDS_PICK_MIN) + IDS_PICK_MIN) & BASE_MASK;
}

int ids_pick(unsigned attempt, uint32_t tree_base, const char *machine, uint32_t random, uint32_t *ret) {
        if (attempt >= IDS_PICK_ATTEMPTS)
                return -EBUSY;
        if (attempt == 0)
                *ret = tree_base;
        else if (attempt == 1)
                *ret = fold((uint32_t) siphash24(machine, strlen(machine), name_key));
        else
                *ret = fold(random);
        return 0;
}

int ids_base_of_tree(uint32_t uid, uint32_t gid, uint32_t *ret, struct diag *diag) {
        if ((uid & BASE_MASK) != (gid & BASE_MASK))
                return diag_set(diag, -EINVAL, "PrivateUsers",
                                "The tree belongs to user %u and group %u, which are not of one range of %u numbers",
                                uid, gid, IDS_RANGE);
        *ret = uid & BASE_MASK;
        return 0;
}
