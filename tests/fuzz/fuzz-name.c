/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Names and cgroup paths: whatever is accepted keeps the promises that others build on. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/name.h"
#include "core/user-name.h"

static void require(bool promise) {
        if (!promise)
                abort();
}

static void check_machine_name(const char *text) {
        char *scope = NULL, *unit = NULL, *subgroup = NULL;
        AUTO_BUF struct buf path = BUF_EMPTY;

        if (!machine_name_is_valid(text))
                return;
        require(strlen(text) <= MACHINE_NAME_MAX && !strchr(text, '/') && text[0] != '.');
        require(machine_scope_name(text, &scope) == 0 && unit_name_is_valid(scope));
        /* What we make out of a name is found again in a cgroup path. */
        buf_printf(&path, "/machine.slice/%s/payload", scope);
        require(cgroup_path_to_unit(path.data, "/", &unit, &subgroup) == 0);
        require(strcmp(unit, scope) == 0 && strcmp(subgroup, "payload") == 0);
        free(scope);
        free(unit);
        free(subgroup);
}

/* Whatever something is called, there is a machine name for it, and that is its own. */
static void check_foreign_name(const char *text) {
        char name[MACHINE_NAME_MAX + 1], again[MACHINE_NAME_MAX + 1];

        machine_name_from(text, name);
        require(machine_name_is_valid(name));
        require(!machine_name_is_valid(text) || strcmp(name, text) == 0);
        machine_name_from(name, again);
        require(strcmp(name, again) == 0);
}

static void check_user_name(const char *text) {
        char machine[MACHINE_NAME_MAX + 1], again[USER_NAME_MAX + 1];
        uint32_t inside;

        for (int group = 0; group <= 1; group++) {
                if (user_name_parse(group, text, machine, &inside) < 0)
                        continue;
                require(machine_name_is_valid(machine) && strlen(text) <= USER_NAME_MAX);
                require(user_name_make(group, machine, inside, again) == 0 && strcmp(again, text) == 0);
        }
}

static void check_paths(const char *text) {
        char *unit = NULL, *subgroup = NULL, *path = NULL;

        if (cgroup_path_to_unit(text, "/a", &unit, &subgroup) == 0)
                require(unit_name_is_valid(unit) && !strchr(unit, '/') &&
                        (!subgroup || (*subgroup && *subgroup != '/')));
        if (slice_path(text, &path) == 0)
                require(!strstr(path, "..") || strstr(text, ".."));
        if (path_is_absolute_and_valid(text))
                require(text[0] == '/' && !strstr(text, "/../"));
        text_is_valid(text, 4096);
        free(unit);
        free(subgroup);
        free(path);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = strndup((const char *) data, size);

        if (!text)
                abort();
        check_machine_name(text);
        check_foreign_name(text);
        check_user_name(text);
        check_paths(text);
        free(text);
        return 0;
}
