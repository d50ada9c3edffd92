/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The users and groups of containers as the host's user database has them (registry.md section 14). Nothing is enumerated; each
 * question is one look into an index, or at one machine. */
#include <string.h>

#include "core/user-name.h"
#include "service/internal.h"

static bool fill(struct machine_user *u, bool group, const struct machine *m, uint32_t outside, uint32_t inside) {
        *u = (struct machine_user){ .machine = m, .inside = inside, .outside = outside };
        return user_name_make(group, m->name, inside, u->name) >= 0;
}

bool service_user_by_id(struct service *s, bool group, uint32_t outside, struct machine_user *ret) {
        const struct machine *m = NULL;
        struct fault f = FAULT_OK;
        uint32_t inside;

        return service_map_to(s, group, outside, &m, &inside, &f) >= 0 && fill(ret, group, m, outside, inside);
}

bool service_user_by_name(struct service *s, bool group, const char *name, struct machine_user *ret) {
        char machine[MACHINE_NAME_MAX + 1];
        struct fault f = FAULT_OK;
        const struct machine *m;
        uint32_t inside, outside;

        if (user_name_parse(group, name, machine, &inside) < 0)
                return false;
        m = service_find(s, machine);
        return m && service_map_from(s, m, group, inside, &outside, &f) >= 0 && fill(ret, group, m, outside, inside);
}
