/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spec/spec-values.h: what the setters of all settings share: one value and where it came from, and the parsers of the kinds of
 * value that more than one setting takes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/diag.h"

#define SPEC_LIST_MAX 4096 /* entries in any list of a spec */

struct spec;

/* One value that was written, on the command line or in a settings file. All borrowed. */
struct setting {
        const char *name;  /* as its writer knows it: "--bind", "Bind" */
        const char *value; /* NULL: an option that takes none, or was given none */
        size_t field;      /* of a row that shares its setter with others: offset in struct spec, or another number */
        bool in_file;      /* lists are split at blanks, and an empty value forgets what was set before */
        char *const *environ; /* of the caller, for names without a value; may be NULL */
        struct diag *diag;
};

/* 0. -EINVAL with a diag: the spec is as it was. -EBADMSG: the same, and a file is not to be read any further. -ENOMEM. */
typedef int spec_setter(struct spec *s, const struct setting *v);

/* Letters and digits of ASCII, whatever the locale. */
static inline bool is_digit(char c) {
        return c >= '0' && c <= '9';
}
static inline bool is_alnum(char c) {
        return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Fills the diag with "NAME=VALUE: <rest>", the value made safe to print and short. Returns -EINVAL. */
int value_wrong(const struct setting *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The same, about one word of the value. */
int value_wrong_word(const struct setting *v, const char *word, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* What a setter returns when value_words() or value_fields() gave r, or -E2BIG for an array that is full: -ENOMEM, or -EINVAL with
 * a diag that says: these are too many, or: must be `right`. */
int value_list_wrong(const struct setting *v, int r, const char *right);

/* yes/no and friends in any case. -EINVAL without a diag. */
int value_bool(const char *s, bool *ret);
/* The number of the word as `from_string` knows it; -EINVAL with a diag that says: must be `right`. */
int value_word(const struct setting *v, int (*from_string)(const char *), const char *right);
/* A number with K, M, G, T, P or E, powers of 1024. -EINVAL, -ERANGE. */
int value_size(const char *s, uint64_t *ret);
/* A copy in the form that spec.h calls normalised: one slash between names, no "." and no slash at the end. -EINVAL: relative,
 * too long, no text, or with "..". */
int value_path(const char *s, char **ret);
/* Whether it is in that form already; a slash at the end does no harm. */
bool path_is_normalised(const char *s);
/* "/", and all that means the same: "//", "/.", "/..". */
bool path_is_root(const char *s);

/* The words between `separators`; with `quotes`, '...' and "..." hold words together and are removed, backslashes stay.
 * -EINVAL: a quote is not closed. -E2BIG. -ENOMEM. */
int value_words(const char *s, const char *separators, bool quotes, char ***ret);
/* The fields between colons, empty ones too; "\:" is a colon and "\\" a backslash. As above. */
int value_fields(const char *s, char ***ret);

/* A host name as a machine may have: 1 to 64 letters, digits, '-' inside of them, and single dots. */
bool host_name_is_valid(const char *s);
bool text_is_utf8(const char *s);
/* UTF-8 without control characters. */
bool value_is_text(const char *s);

/* Grows an array by one zeroed element and returns it; NULL: out of memory, or SPEC_LIST_MAX reached. */
void *array_extend(void *array_pointer, size_t *n, size_t element_size);
