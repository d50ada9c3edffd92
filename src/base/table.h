/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/table.h: one string table per enum, both directions. */
#pragma once

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* In the header: const char *NAME_to_string(enum); int NAME_from_string(const char *) -> value or -EINVAL. */
#define DECLARE_TABLE(name, type)                 \
        const char *name##_to_string(type value); \
        int name##_from_string(const char *s)

/* In the .c, below `static const char *const NAME_table[_MAX] = { [X] = "x", ... };`. NULL rows never match. */
#define DEFINE_TABLE(name, type)                                                            \
        const char *name##_to_string(type value) {                                          \
                if ((size_t) value >= sizeof(name##_table) / sizeof(name##_table[0]))       \
                        return NULL;                                                        \
                return name##_table[value];                                                 \
        }                                                                                   \
        int name##_from_string(const char *s) {                                             \
                for (size_t i = 0; i < sizeof(name##_table) / sizeof(name##_table[0]); i++) \
                        if (name##_table[i] && strcmp(name##_table[i], s) == 0)             \
                                return (int) i;                                             \
                return -EINVAL;                                                             \
        }
