/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/passwd-text.h: users and groups out of the text of a container's passwd(5) and group(5). The text is hostile. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct passwd_entry {
        uint32_t uid, gid;
        char *home, *shell; /* malloc'ed; NULL where the field is empty or no absolute path */
};

/* The first entry whose name is `name`, or, when that is a number and no such name exists, whose uid it is. -ENOENT. Lines that are
 * no entry are skipped. -ENOMEM. */
int passwd_find(const char *text, size_t size, const char *name, struct passwd_entry *ret);
/* The name of the first entry with that uid; malloc'ed. -ENOENT, -ENOMEM. */
int passwd_name_of(const char *text, size_t size, uint32_t uid, char **ret);
void passwd_entry_done(struct passwd_entry *e);

/* The groups that list `name` as a member, each once, at most max of them (-E2BIG). *ret is malloc'ed, or NULL for none. */
int group_list(const char *text, size_t size, const char *name, size_t max, uint32_t **ret, size_t *ret_n);
