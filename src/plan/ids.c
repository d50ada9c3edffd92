/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The hash and its key are systemd-nspawn's: a container that has run there, and whose files were given away, keeps its
 * numbers here. */
#include "plan/ids.h"

#include <errno.h>
#include <string.h>

#include "base/siphash.h"
#include "base/str.h"
#include "plan/facts.h"

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
                return diag_set(diag, -EINVAL, "--private-users",
                                "the tree belongs to user %u and group %u, which are not of one range of %u numbers",
                                uid, gid, IDS_RANGE);
        *ret = uid & BASE_MASK;
        return 0;
}

static bool is_foreign(const struct facts *f) {
        return (f->root_uid & BASE_MASK) == IDS_FOREIGN_BASE;
}

static bool is_shifted(const struct facts *f) {
        return f->root_uid >= IDS_RANGE;
}

static bool has_custom_root(const struct spec *s) {
        for (size_t i = 0; i < s->n_mounts; i++)
                if (streq(s->mounts[i].destination, "/"))
                        return true;
        return false;
}

enum ownership_mode ids_ownership(const struct spec *s, const struct facts *f) {
        enum ownership_mode mode = s->ownership;

        if (s->users_mode == USERS_NO)
                return OWNERSHIP_OFF;
        if (mode == OWNERSHIP_UNSET)
                mode = s->users_mode == USERS_PICK || s->users_mode == USERS_MANAGED ? OWNERSHIP_AUTO : OWNERSHIP_OFF;
        if (mode == OWNERSHIP_CHOWN)
                return mode;
        if (f->uid_base == 0)
                return OWNERSHIP_OFF;
        if (mode != OWNERSHIP_AUTO)
                return mode;
        if (is_foreign(f))
                return OWNERSHIP_FOREIGN;
        return !is_shifted(f) && f->tree_id_mappable ? OWNERSHIP_MAP : OWNERSHIP_CHOWN;
}

static int check_chown(const struct spec *s, const struct facts *f, struct diag *diag) {
        static const char field[] = "--private-users-ownership";

        if (f->uid_base % IDS_RANGE != 0 || f->uid_count != IDS_RANGE)
                return diag_set(diag, -EINVAL, field,
                                "chown: the range must be %u numbers that start at a multiple of that, not %u numbers "
                                "at %u",
                                IDS_RANGE, f->uid_count, f->uid_base);
        if ((f->root_uid & BASE_MASK) != (f->root_gid & BASE_MASK))
                return diag_set(diag, -EINVAL, field,
                                "chown: the tree belongs to user %u and group %u, which are not of one range of %u "
                                "numbers",
                                f->root_uid, f->root_gid, IDS_RANGE);
        if ((f->root_uid & BASE_MASK) == f->uid_base)
                return 0; /* nothing is to be done */
        if (s->read_only || s->volatile_mode != VOLATILE_NO)
                return diag_set(diag, -EINVAL, field, "chown: cannot give away the files of a tree that is %s",
                                s->read_only ? "read-only (--read-only)" : "not to be changed (--volatile)");
        return 0;
}

/* The tree's owner says nothing about what is mounted over it. */
static int check_custom_root(const struct spec *s, enum ownership_mode mode, struct diag *diag) {
        if (s->users_mode == USERS_PICK || s->users_mode == USERS_TREE)
                return diag_set(diag, -EINVAL, "--private-users",
                                "with another mount on / the range has to be said: FIRST or FIRST:COUNT");
        if (mode != OWNERSHIP_OFF)
                return diag_set(diag, -EINVAL, "--private-users-ownership",
                                "cannot be had together with another mount on /");
        return 0;
}

int ids_ownership_check(const struct spec *s, const struct facts *f, struct diag *diag) {
        static const char field[] = "--private-users-ownership";
        enum ownership_mode mode = ids_ownership(s, f);

        if (s->users_mode != USERS_NO && has_custom_root(s))
                return check_custom_root(s, mode, diag);
        if (mode == OWNERSHIP_OFF)
                return 0;
        if (mode == OWNERSHIP_CHOWN)
                return check_chown(s, f, diag);
        if (mode == OWNERSHIP_FOREIGN && !is_foreign(f))
                return diag_set(diag, -EINVAL, field, "foreign: the tree belongs to user %u, not to one from %u on",
                                f->root_uid, IDS_FOREIGN_BASE);
        if (mode == OWNERSHIP_MAP && is_shifted(f))
                return diag_set(diag, -EINVAL, field,
                                "map: the tree belongs to user %u already; only one of root's can be mapped",
                                f->root_uid);
        return 0;
}
