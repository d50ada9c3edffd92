/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* User namespaces: which ids of the host are the container's, and who owns the files. */
#include <errno.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "spec/spec-setters.h"
#include "spec/spec.h"

#define RANGE_DEFAULT 65536
#define DELEGATE_MAX 16

/* BASE[:COUNT]. The last id of all, 2^32-1, means "no id" to the kernel, so no range may reach it. */
static int set_range(struct spec *s, const struct setting *v) {
        size_t digits = strspn(v->value, "0123456789");
        char first[16];
        uint32_t base, count = RANGE_DEFAULT;

        if (digits >= sizeof(first))
                return value_wrong(v, "the first id must be below 4294967295.");
        memcpy(first, v->value, digits);
        first[digits] = '\0';
        if (parse_u32(first, &base) < 0 || base == UINT32_MAX)
                return value_wrong(v, "the first id must be below 4294967295.");
        if (v->value[digits] && parse_u32(v->value + digits + 1, &count) < 0)
                return value_wrong(v, "must be FIRST or FIRST:COUNT, both decimal numbers.");
        if (count == 0)
                return value_wrong(v, "the range must have at least one id.");
        if (count > UINT32_MAX - base)
                return value_wrong(v, "the range must end below 4294967295.");
        s->users_mode = USERS_FIXED;
        s->users_base = base;
        s->users_count = count;
        return 0;
}

int set_private_users(struct spec *s, const struct setting *v) {
        static const struct {
                const char *word;
                enum users_mode mode;
        } words[] = { { "pick", USERS_PICK }, { "identity", USERS_IDENTITY }, { "managed", USERS_MANAGED } };
        size_t digits = v->value ? strspn(v->value, "0123456789") : 0;
        bool value = !v->value;

        s->users_optional = false;
        if (digits > 0 && (!v->value[digits] || v->value[digits] == ':')) /* digits are never a boolean here */
                return set_range(s, v);
        for (size_t i = 0; v->value && i < sizeof(words) / sizeof(words[0]); i++)
                if (streq(v->value, words[i].word)) {
                        s->users_mode = words[i].mode;
                        return 0;
                }
        if (v->value && !(v->in_file && !*v->value) && value_bool(v->value, &value) < 0)
                return value_wrong(v, "must be yes, no, pick, identity, managed, FIRST or FIRST:COUNT.");
        s->users_mode = value ? USERS_TREE : USERS_NO;
        return 0;
}

int set_users_chown(struct spec *s, const struct setting *v) {
        bool value = !v->value;

        if (v->value && *v->value && value_bool(v->value, &value) < 0)
                return value_wrong(v, "must be yes or no.");
        s->ownership = value ? OWNERSHIP_CHOWN : v->value && *v->value ? OWNERSHIP_OFF : OWNERSHIP_UNSET;
        return 0;
}

int set_users_ownership(struct spec *s, const struct setting *v) {
        int mode = OWNERSHIP_UNSET;

        if (*v->value || !v->in_file)
                mode = value_word(v, ownership_mode_from_string, "off, chown, map, foreign or auto");
        if (mode < 0)
                return mode;
        s->ownership = (enum ownership_mode) mode;
        return 0;
}

int set_users_delegate(struct spec *s, const struct setting *v) {
        uint32_t n = 0;

        if (!(v->in_file && !*v->value) && (parse_u32(v->value, &n) < 0 || n > DELEGATE_MAX))
                return value_wrong(v, "must be a number from 0 to %d.", DELEGATE_MAX);
        s->users_delegate = n;
        return 0;
}

int set_users_pick(struct spec *s, const struct setting *v) {
        s->users_mode = USERS_PICK;
        s->ownership = OWNERSHIP_AUTO;
        s->users_optional = true;
        return 0;
}
