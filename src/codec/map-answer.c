/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec/map-answer.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "core/name.h"

int map_answer_decode(const struct varlink_answer *answer, const char *member, char **ret_machine, uint32_t *ret_id) {
        const json_t *id = json_object_get(answer->parameters, member);
        const char *machine = json_string_value(json_object_get(answer->parameters, "machineName"));

        if (!json_is_integer(id) || json_integer_value(id) < 0 || json_integer_value(id) >= UINT32_MAX)
                return -EBADMSG;
        if (ret_machine) {
                char *copy;

                if (!machine || !machine_name_is_valid(machine))
                        return -EBADMSG;
                copy = strdup(machine);
                if (!copy)
                        return -ENOMEM;
                *ret_machine = copy;
        }
        *ret_id = (uint32_t) json_integer_value(id);
        return 0;
}
