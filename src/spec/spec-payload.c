/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What is started in the container, as whom, with which environment, and how the machine is called. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/id128.h"
#include "base/signame.h"
#include "base/str.h"
#include "spec/spec-setters.h"
#include "spec/spec.h"

/* As spec.h has it: what is left of a value that an empty one has reset. */
#define KILL_SIGNAL_RESET (-1)

static int start_mode_conflict(const struct spec *s, const struct setting *v, enum start_mode mode) {
        if (!s->start_mode_set || s->start_mode == mode || s->start_mode == START_PID1)
                return 0;
        if (v->in_file)
                return value_wrong(v, "Boot and ProcessTwo exclude each other, the first one counts.");
        return diag_set(v->diag, -EINVAL, v->name, "--boot and --as-pid2 exclude each other: give one of them.");
}

int set_start_mode(struct spec *s, const struct setting *v) {
        enum start_mode mode = (enum start_mode) v->field;
        bool value = !v->value;
        int r;

        if (v->value && *v->value && value_bool(v->value, &value) < 0)
                return value_wrong(v, "must be yes or no.");
        if (!value) { /* a file that says no, or nothing, to the one mode leaves the other */
                if (!s->start_mode_set || s->start_mode == mode) {
                        s->start_mode = START_PID1;
                        s->start_mode_set = *v->value != '\0';
                }
                return 0;
        }
        r = start_mode_conflict(s, v, mode);
        if (r < 0)
                return r;
        s->start_mode = mode;
        s->start_mode_set = true;
        return 0;
}

/* Only in files: words of the command line come as they are. */
int set_parameters(struct spec *s, const struct setting *v) {
        AUTO(strv_freep) char **words = NULL;
        int r;

        if (!*v->value) {
                strv_free(STEAL(s->command));
                return 0;
        }
        r = value_words(v->value, " \t", true, &words);
        if (r >= 0 && strv_length(s->command) + strv_length(words) > SPEC_LIST_MAX)
                r = -E2BIG;
        if (r < 0)
                return value_list_wrong(v, r, "words, with every quote closed");
        for (size_t i = 0; words && words[i]; i++)
                if (strv_extend(&s->command, words[i]) < 0)
                        return -ENOMEM;
        return 0;
}

static bool is_below(const char *path, const char *top) {
        const char *rest = startswith(path, top);

        return rest && (!*rest || *rest == '/');
}

/* Below these lies what the container's own mounts cover: a directory of the tree there is not what it looks like. */
static bool path_is_below_api(const char *path) {
        static const char *const tops[] = { "/proc", "/sys", "/dev", "/run/host" };

        for (size_t i = 0; i < ELEMENTS(tops); i++)
                if (is_below(path, tops[i]))
                        return true;
        return false;
}

int set_chdir(struct spec *s, const struct setting *v) {
        AUTO_FREE char *path = NULL;

        if (*v->value || !v->in_file) {
                if (!path_is_normalised(v->value))
                        return value_wrong(v, "must be an absolute path without '.', '..' and '//'.");
                if (value_path(v->value, &path) < 0)
                        return -ENOMEM;
                if (path_is_below_api(path))
                        return value_wrong(v, "must not be below /proc, /sys, /dev or /run/host.");
        }
        free(s->chdir);
        s->chdir = STEAL(path);
        return 0;
}

/* How long NAME of NAME=VALUE is; 0: it is no name of a variable. */
static size_t variable_name_size(const char *s) {
        size_t n = 0;

        while (is_alnum(s[n]) || s[n] == '_')
                n++;
        return is_digit(*s) || (s[n] && s[n] != '=') ? 0 : n;
}

static const char *variable_of(char *const *env, const char *name, size_t size) {
        for (size_t i = 0; env && env[i]; i++)
                if (strncmp(env[i], name, size) == 0 && env[i][size] == '=')
                        return env[i] + size + 1;
        return "";
}

/* The value may hold newlines and tabs, as systemd-nspawn allows. */
static bool variable_value_is_valid(const char *s) {
        for (; *s; s++)
                if (((unsigned char) *s < ' ' && *s != '\n' && *s != '\t') || *s == 0x7f)
                        return false;
        return true;
}

static int add_variable(struct spec *s, const struct setting *v, const char *word) {
        size_t size = variable_name_size(word);
        const char *value = word[size] == '=' ? word + size + 1 : variable_of(v->environ, word, size);
        AUTO_BUF struct buf text = BUF_EMPTY;
        AUTO_FREE char *assignment = NULL;

        if (size == 0 || (v->in_file && word[size] != '='))
                return value_wrong_word(v, word, "must be NAME=VALUE, NAME of letters, digits and '_'.");
        if (!variable_value_is_valid(value))
                return value_wrong_word(v, word, "the value must not contain control characters.");
        buf_append(&text, word, size);
        buf_append_char(&text, '=');
        buf_append_str(&text, value);
        if (buf_steal(&text, &assignment) < 0)
                return -ENOMEM;
        for (size_t i = 0; s->environment && s->environment[i]; i++)
                if (strncmp(s->environment[i], assignment, size + 1) == 0) {
                        free(s->environment[i]);
                        s->environment[i] = STEAL(assignment);
                        return 0;
                }
        if (strv_length(s->environment) >= SPEC_LIST_MAX)
                return value_wrong_word(v, word, "these are too many variables, there may be %d.", SPEC_LIST_MAX);
        return strv_extend(&s->environment, assignment);
}

int set_environment(struct spec *s, const struct setting *v) {
        AUTO(strv_freep) char **words = NULL;
        int r;

        if (!v->in_file)
                return add_variable(s, v, v->value);
        if (!*v->value) {
                strv_free(STEAL(s->environment));
                return 0;
        }
        r = value_words(v->value, " \t", true, &words);
        if (r < 0)
                return value_list_wrong(v, r, "words NAME=VALUE, with every quote closed");
        for (size_t i = 0; words && words[i] && r >= 0; i++)
                r = add_variable(s, v, words[i]);
        return r;
}

/* Looked up in the container, so any name is possible that its getent(1) can be asked for. */
int set_user(struct spec *s, const struct setting *v) {
        if (!*v->value)
                return str_replace(&s->user, NULL);
        if (*v->value == '-' || !value_is_text(v->value) || strpbrk(v->value, ":/ \t") || strlen(v->value) > 255)
                return value_wrong(v, "must be the name or number of a user.");
        return str_replace(&s->user, v->value);
}

int set_user_deprecated(struct spec *s, const struct setting *v) {
        int r = set_user(s, v);

        return r < 0 ? r : strv_extend(&s->notices, "--user=NAME is deprecated: write --uid=NAME or -u NAME.");
}

int set_kill_signal(struct spec *s, const struct setting *v) {
        int number = KILL_SIGNAL_RESET;

        if (*v->value)
                number = value_word(v, signal_from_string, "the name or number of a signal, such as SIGRTMIN+3");
        if (number < 0 && *v->value)
                return number;
        s->kill_signal = number;
        return 0;
}

#define HOST_NAME_RIGHT "must be 1 to 64 letters, digits, '-' and single dots."

int set_machine(struct spec *s, const struct setting *v) {
        if (*v->value && !host_name_is_valid(v->value))
                return value_wrong(v, HOST_NAME_RIGHT);
        return str_replace(&s->machine, v->value);
}

int set_hostname(struct spec *s, const struct setting *v) {
        if (*v->value && !host_name_is_valid(v->value))
                return value_wrong(v, HOST_NAME_RIGHT);
        return str_replace(&s->hostname, v->value);
}

int set_uuid(struct spec *s, const struct setting *v) {
        struct id128 id = { 0 };

        if (*v->value || !v->in_file) {
                if (id128_from_string(v->value, &id) < 0)
                        return value_wrong(v, "must be 32 hexadecimal digits, or a UUID with dashes.");
                if (id128_is_null(&id))
                        return value_wrong(v, "must not be zero.");
        }
        s->uuid = id;
        return 0;
}

/* What this build runs on, and the other one its kernel may run as well; uname(2) tells the payload of it. */
#if defined(__x86_64__)
static const char *const native = "x86-64", *const secondary = "x86";
#elif defined(__i386__)
static const char *const native = "x86", *const secondary = NULL;
#elif defined(__aarch64__)
static const char *const native = "arm64", *const secondary = "arm";
#elif defined(__arm__)
static const char *const native = "arm", *const secondary = NULL;
#elif defined(__riscv) && __riscv_xlen == 64
static const char *const native = "riscv64", *const secondary = NULL;
#elif defined(__powerpc64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
static const char *const native = "ppc64-le", *const secondary = "ppc-le";
#elif defined(__s390x__)
static const char *const native = "s390x", *const secondary = "s390";
#elif defined(__loongarch64)
static const char *const native = "loongarch64", *const secondary = NULL;
#else
static const char *const native = "native", *const secondary = NULL;
#endif

int set_personality(struct spec *s, const struct setting *v) {
        if (!*v->value && v->in_file)
                s->personality = PERSONALITY_UNSET;
        else if (streq(v->value, native))
                s->personality = PERSONALITY_NATIVE;
        else if (secondary && streq(v->value, secondary))
                s->personality = PERSONALITY_SECONDARY;
        else
                return value_wrong(v, "must be %s%s%s on this architecture.", native, secondary ? " or " : "",
                                   strempty(secondary));
        return 0;
}
