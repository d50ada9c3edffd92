/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The last '-' ends the machine's name, which may hold others. */
#include "core/user-name.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"

static const char *prefix(bool group) {
        return group ? "vg-" : "vu-";
}

int user_name_make(bool group, const char *machine, uint32_t inside, char ret[static USER_NAME_MAX + 1]) {
        char name[MACHINE_NAME_MAX + 32];
        int n;

        if (!machine_name_is_valid(machine) || strchr(machine, '.'))
                return -EINVAL;
        n = snprintf(name, sizeof(name), "%s%s-%" PRIu32, prefix(group), machine, inside);
        if (n < 0 || n > USER_NAME_MAX)
                return -EINVAL;
        memcpy(ret, name, (size_t) n + 1);
        return 0;
}

int user_name_parse(bool group, const char *name, char ret_machine[static MACHINE_NAME_MAX + 1], uint32_t *ret_inside) {
        const char *begin = startswith(name, prefix(group)), *end = begin ? strrchr(begin, '-') : NULL;
        char machine[USER_NAME_MAX + 1] = "", again[USER_NAME_MAX + 1];
        uint32_t inside;

        if (!end || end - begin > USER_NAME_MAX || parse_u32(end + 1, &inside) < 0)
                return -EINVAL;
        memcpy(machine, begin, (size_t) (end - begin));
        /* Leading zeros would give one user several names. */
        if (user_name_make(group, machine, inside, again) < 0 || !streq(name, again))
                return -EINVAL;
        memcpy(ret_machine, machine, strlen(machine) + 1);
        *ret_inside = inside;
        return 0;
}
