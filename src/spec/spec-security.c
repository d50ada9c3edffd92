/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the payload may do: capabilities, system calls, address families. */
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/capname.h"
#include "base/str.h"
#include "spec/af-names.h"
#include "spec/spec-setters.h"
#include "spec/spec.h"

#define SYSCALL_NAME_MAX 64

static int parse_capability(const struct setting *v, const char *word, uint64_t *mask) {
        int number = capability_from_string(word);

        if (streq(word, "all")) {
                if (v->field == offsetof(struct spec, capabilities.ambient))
                        return value_wrong_word(v, word, "ambient capabilities must be named one by one.");
                *mask = UINT64_MAX;
                return 0;
        }
        if (number < 0)
                return value_wrong_word(v, word, "there is no such capability; a name is like CAP_NET_ADMIN.");
        *mask |= UINT64_C(1) << number;
        return 0;
}

/* Commas on the command line, blanks in a file, as systemd-nspawn has it; we take both in both. In a file the words that are
 * wrong are skipped, the others count. */
int set_capabilities(struct spec *s, const struct setting *v) {
        uint64_t *mask = (uint64_t *) (void *) ((char *) s + v->field), more = 0;
        AUTO(strv_freep) char **words = NULL;
        int r, result = 0;

        if (!*v->value) {
                *mask = v->in_file ? 0 : *mask;
                return 0;
        }
        r = value_words(v->value, ", \t", false, &words);
        if (r < 0 || !words)
                return value_list_wrong(v, r, "a list of capabilities");
        for (size_t i = 0; words[i] && result == 0; i++)
                result = parse_capability(v, words[i], &more);
        if (result < 0 && !v->in_file)
                return result;
        for (size_t i = 0; words[i]; i++) {
                struct diag ignored;
                struct setting quiet = *v;

                quiet.diag = &ignored;
                parse_capability(&quiet, words[i], &more);
        }
        *mask |= more;
        return result;
}

static bool syscall_name_is_valid(const char *s) {
        size_t n = *s == '@' ? 1 : 0;

        if (!s[n] || strlen(s) > SYSCALL_NAME_MAX)
                return false;
        for (; s[n]; n++)
                if (!is_alnum(s[n]) && s[n] != '_' && s[n] != '-')
                        return false;
        return true;
}

static int add_syscall_rule(struct spec *s, const char *word, bool deny) {
        struct spec_syscall_rule *rule = array_extend(&s->syscall_rules, &s->n_syscall_rules, sizeof(*rule));

        if (!rule)
                return -ENOMEM;
        rule->deny = deny;
        rule->name = strdup(word);
        return rule->name ? 0 : -ENOMEM;
}

static void forget_syscall_rules(struct spec *s) {
        for (size_t i = 0; i < s->n_syscall_rules; i++)
                free(s->syscall_rules[i].name);
        s->n_syscall_rules = 0;
}

int set_syscall_filter(struct spec *s, const struct setting *v) {
        bool deny = *v->value == '~';
        AUTO(strv_freep) char **words = NULL;
        int r;

        if (v->in_file && !*v->value) {
                forget_syscall_rules(s);
                return 0;
        }
        r = value_words(v->value + deny, " \t", false, &words);
        if (r >= 0 && s->n_syscall_rules + strv_length(words) > SPEC_LIST_MAX)
                r = -E2BIG;
        if (r < 0)
                return value_list_wrong(v, r, "a list of system calls");
        for (size_t i = 0; words && words[i]; i++)
                if (!syscall_name_is_valid(words[i]))
                        return value_wrong_word(v, words[i],
                                                "must be the name of a system call, or @ and that of a group.");
        for (size_t i = 0; words && words[i]; i++)
                if ((r = add_syscall_rule(s, words[i], deny)) < 0)
                        return r;
        return 0;
}

static bool has_family(const struct spec *s, int family, size_t *ret) {
        for (size_t i = 0; i < s->n_address_families; i++)
                if (s->address_families[i] == family) {
                        *ret = i;
                        return true;
                }
        return false;
}

/* The first list decides whether families are allowed or refused; a later one of the other kind takes from it. */
static int apply_family(struct spec *s, int family, bool deny) {
        size_t at = 0;
        int *new;

        if (deny != s->address_families_deny) {
                if (has_family(s, family, &at))
                        s->address_families[at] = s->address_families[--s->n_address_families];
                return 0;
        }
        if (has_family(s, family, &at))
                return 0;
        new = array_extend(&s->address_families, &s->n_address_families, sizeof(*new));
        if (!new)
                return -ENOMEM;
        *new = family;
        return 0;
}

static void start_families(struct spec *s, bool set, bool deny) {
        s->n_address_families = 0;
        s->address_families_set = set;
        s->address_families_deny = deny;
}

int set_address_families(struct spec *s, const struct setting *v) {
        bool deny = *v->value == '~';
        AUTO(strv_freep) char **words = NULL;
        int r;

        if (!*v->value || streq(v->value, "none")) {
                start_families(s, *v->value, false);
                return 0;
        }
        r = value_words(v->value + deny, " \t", false, &words);
        if (r < 0 || !words)
                return value_list_wrong(v, r, "a list of address families such as AF_INET AF_UNIX, or none");
        for (size_t i = 0; words[i]; i++)
                if (address_family_from_string(words[i]) < 0)
                        return value_wrong_word(v, words[i],
                                                "there is no such address family; a name is like AF_INET.");
        if (!s->address_families_set)
                start_families(s, true, deny);
        for (size_t i = 0; words[i]; i++)
                if ((r = apply_family(s, address_family_from_string(words[i]), deny)) < 0)
                        return r;
        return 0;
}
