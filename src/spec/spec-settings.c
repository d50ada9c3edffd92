/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Settings that choose one of a few words, or keep a text for later. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "spec/spec-setters.h"
#include "spec/spec.h"

#define UNIT_NAME_MAX 255
#define LABEL_MAX 255

static void *field_of(struct spec *s, const struct setting *v) {
        return (char *) s + v->field;
}

int set_flag(struct spec *s, const struct setting *v) {
        *(bool *) field_of(s, v) = true;
        return 0;
}

int set_bool(struct spec *s, const struct setting *v) {
        bool value = false;

        if (!(v->in_file && !*v->value) && value_bool(v->value, &value) < 0)
                return value_wrong(v, "must be yes or no.");
        *(bool *) field_of(s, v) = value;
        return 0;
}

int set_text(struct spec *s, const struct setting *v) {
        if (!*v->value || !value_is_text(v->value))
                return value_wrong(v, "must be a text that is not empty, without control characters.");
        return str_replace(field_of(s, v), v->value);
}

int set_file_path(struct spec *s, const struct setting *v) {
        if (!*v->value || !value_is_text(v->value))
                return value_wrong(v, "must be a path.");
        return str_replace(field_of(s, v), v->value);
}

/* The quote is what stands around a context in the options of mount(2); longer ones are not taken by fsconfig(2). */
int set_label(struct spec *s, const struct setting *v) {
        bool right = *v->value && strlen(v->value) <= LABEL_MAX;

        for (const char *p = v->value; *p; p++)
                right &= *p > ' ' && *p < 0x7f && *p != '"';
        if (!right)
                return value_wrong(v, "must be a context of SELinux, such as system_u:system_r:container_t:s0.");
        return str_replace(field_of(s, v), v->value);
}

int set_settings(struct spec *s, const struct setting *v) {
        bool value;

        if (value_bool(v->value, &value) >= 0)
                s->settings_mode = value ? SETTINGS_YES : SETTINGS_NO;
        else if (streq(v->value, "override"))
                s->settings_mode = SETTINGS_OVERRIDE;
        else if (streq(v->value, "trusted"))
                s->settings_mode = SETTINGS_TRUSTED;
        else
                return value_wrong(v, "must be yes, no, override or trusted.");
        return 0;
}

int set_volatile(struct spec *s, const struct setting *v) {
        bool value;
        int mode = VOLATILE_NO;

        if (!v->value)
                mode = VOLATILE_YES;
        else if (value_bool(v->value, &value) >= 0)
                mode = value ? VOLATILE_YES : VOLATILE_NO;
        else if (!v->in_file || *v->value)
                mode = value_word(v, volatile_mode_from_string, "yes, no, state or overlay");
        if (mode < 0)
                return mode;
        s->volatile_mode = (enum volatile_mode) mode;
        return 0;
}

int set_pivot_root(struct spec *s, const struct setting *v) {
        AUTO(strv_freep) char **fields = NULL;
        AUTO_FREE char *new = NULL, *old = NULL;
        int r;

        if (*v->value || !v->in_file) {
                r = value_fields(v->value, &fields);
                if (r == -ENOMEM)
                        return r;
                if (r < 0 || strv_length(fields) > 2 || !path_is_normalised(fields[0]) ||
                    (fields[1] && !path_is_normalised(fields[1])))
                        return value_wrong(v, "must be NEW or NEW:OLD, absolute paths without '.', '..' and '//'.");
                if (value_path(fields[0], &new) < 0 || (fields[1] && value_path(fields[1], &old) < 0))
                        return -ENOMEM;
                if (streq(new, "/"))
                        return value_wrong(v, "the new root must be a directory below the present one.");
        }
        free(s->pivot_root_new);
        free(s->pivot_root_old);
        s->pivot_root_new = STEAL(new);
        s->pivot_root_old = STEAL(old);
        return 0;
}

int set_root_hash(struct spec *s, const struct setting *v) {
        size_t size = strlen(v->value);

        if (size < 32 || size % 2 != 0 || strspn(v->value, "0123456789abcdefABCDEF") != size)
                return value_wrong(v, "must be an even number of hexadecimal digits, at least 32.");
        return str_replace(&s->root_hash, v->value);
}

int set_root_hash_signature(struct spec *s, const struct setting *v) {
        const char *data = startswith(v->value, "base64:");

        if (data ? !*data || strspn(data, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") !=
                                     strlen(data)
                 : *v->value != '/')
                return value_wrong(v, "must be an absolute path, or base64: and the signature.");
        return str_replace(&s->root_hash_signature, v->value);
}

int set_slice(struct spec *s, const struct setting *v) {
        AUTO_BUF struct buf name = BUF_EMPTY;

        if (!*v->value || *v->value == '-' || strstr(v->value, "--") || strlen(v->value) > UNIT_NAME_MAX - 6)
                return value_wrong(v, "must be the name of a slice, such as machine.slice.");
        for (const char *c = v->value; *c; c++)
                if (!is_alnum(*c) && !strchr(":_.\\-", *c))
                        return value_wrong(v, "must be the name of a slice: letters, digits and :_.\\- only.");
        buf_append_str(&name, v->value);
        if (!endswith(v->value, ".slice"))
                buf_append_str(&name, ".slice");
        return buf_error(&name) < 0 ? -ENOMEM : str_replace(&s->slice, name.data);
}

int set_property(struct spec *s, const struct setting *v) {
        size_t size = 0;

        while (is_alnum(v->value[size]))
                size++;
        if (size == 0 || v->value[size] != '=' || !value_is_text(v->value))
                return value_wrong(v, "must be NAME=VALUE, such as MemoryMax=1G.");
        if (strv_length(s->properties) >= SPEC_LIST_MAX)
                return value_wrong(v, "these are too many, there may be %d.", SPEC_LIST_MAX);
        return strv_extend(&s->properties, v->value);
}

int set_register(struct spec *s, const struct setting *v) {
        bool value;

        if (streq(v->value, "auto"))
                s->register_mode = REGISTER_AUTO;
        else if (value_bool(v->value, &value) >= 0)
                s->register_mode = value ? REGISTER_YES : REGISTER_NO;
        else
                return value_wrong(v, "must be yes, no or auto.");
        s->register_set = true;
        return 0;
}

int set_resolv_conf(struct spec *s, const struct setting *v) {
        int mode = RESOLV_CONF_AUTO;

        if (*v->value || !v->in_file)
                mode = value_word(v, resolv_conf_mode_from_string,
                                  "auto, off, delete, or copy-, replace- or bind- with host, static, uplink or stub");
        if (mode < 0)
                return mode;
        s->resolv_conf = (enum resolv_conf_mode) mode;
        return 0;
}

int set_timezone(struct spec *s, const struct setting *v) {
        int mode = TIMEZONE_AUTO;

        if (*v->value || !v->in_file)
                mode = value_word(v, timezone_mode_from_string, "auto, off, copy, bind, symlink or delete");
        if (mode < 0)
                return mode;
        s->timezone = (enum timezone_mode) mode;
        return 0;
}

int set_link_journal(struct spec *s, const struct setting *v) {
        int mode = LINK_JOURNAL_AUTO;
        bool value;

        if (value_bool(v->value, &value) >= 0)
                mode = value ? LINK_JOURNAL_AUTO : LINK_JOURNAL_NO;
        else if (*v->value || !v->in_file)
                mode = value_word(v, link_journal_from_string, "auto, no, guest, host, try-guest or try-host");
        if (mode < 0)
                return mode;
        s->link_journal = (enum link_journal) mode;
        return 0;
}

int set_link_journal_try_guest(struct spec *s, const struct setting *v) {
        s->link_journal = LINK_JOURNAL_TRY_GUEST;
        return 0;
}

int set_forward_journal_limit(struct spec *s, const struct setting *v) {
        uint64_t size;

        if (*v->value && value_size(v->value, &size) < 0)
                return value_wrong(v, "must be a number, with K, M, G or T for a size.");
        s->forward_journal_limited = true;
        return 0;
}

int set_bind_user_shell(struct spec *s, const struct setting *v) {
        bool value = false;
        char *shell = NULL;

        if (value_bool(v->value, &value) < 0) {
                if (!(v->in_file && !*v->value) && !path_is_normalised(v->value))
                        return value_wrong(v, "must be yes, no, or the absolute path of a shell.");
                if (str_dup_nonempty(v->value, &shell) < 0)
                        return -ENOMEM;
        } else if (value) {
                shell = strdup("");
                if (!shell)
                        return -ENOMEM;
        }
        free(s->bind_user_shell);
        s->bind_user_shell = shell;
        return 0;
}

static bool user_name_is_plausible(const char *s) {
        if (!*s || *s == '-' || strlen(s) > 255)
                return false;
        for (; *s; s++)
                if (!is_alnum(*s) && !strchr("_.-", *s))
                        return false;
        return true;
}

/* On the command line one name, in a file a list of them; each adds to the names before it. */
int set_name_list(struct spec *s, const struct setting *v) {
        AUTO(strv_freep) char **words = NULL;
        char ***list = field_of(s, v);
        int r;

        if (v->in_file && !*v->value) {
                strv_free(STEAL(*list));
                return 0;
        }
        r = value_words(v->value, " \t", false, &words);
        if (r < 0)
                return value_list_wrong(v, r, "one name");
        if (!words || (!v->in_file && words[1]))
                return value_wrong(v, "must be one name.");
        for (size_t i = 0; words[i]; i++)
                if (!user_name_is_plausible(words[i]) || strv_length(*list) >= SPEC_LIST_MAX)
                        return value_wrong_word(v, words[i], "must be the name of a user or group.");
        for (size_t i = 0; words[i]; i++)
                if (!strv_contains(*list, words[i]) && strv_extend(list, words[i]) < 0)
                        return -ENOMEM;
        return 0;
}

int set_console(struct spec *s, const struct setting *v) {
        int mode = value_word(v, console_mode_from_string, "interactive, read-only, passive, pipe or autopipe");

        if (mode < 0)
                return mode;
        s->console = (enum console_mode) mode;
        return 0;
}

int set_pipe(struct spec *s, const struct setting *v) {
        s->console = CONSOLE_PIPE;
        return 0;
}

int set_console_log(struct spec *s, const struct setting *v) {
        AUTO(strv_freep) char **words = NULL;
        unsigned targets = 0;
        bool value = false;
        int r;

        r = value_bool(v->value, &value);
        if (r < 0 && (*v->value || !v->in_file)) {
                r = value_words(v->value, ", \t", false, &words);
                if (r < 0 || !words)
                        return value_list_wrong(v, r < 0 ? r : -EINVAL,
                                                "yes, no, or a list of file, journal and syslog");
        }
        for (size_t i = 0; words && words[i]; i++) {
                int target = console_log_target_from_string(words[i]);

                if (target < 0)
                        return value_wrong(v, "must be yes, no, or a list of file, journal and syslog.");
                targets |= 1U << target;
        }
        s->console_log = value ? 1U << CONSOLE_LOG_FILE : targets;
        s->console_log_set = *v->value;
        return 0;
}

int set_console_log_size(struct spec *s, const struct setting *v) {
        uint64_t size = 0;

        if (!(v->in_file && !*v->value) &&
            (value_size(v->value, &size) < 0 || size < SPEC_CONSOLE_LOG_SIZE_MIN || size > SPEC_CONSOLE_LOG_SIZE_MAX))
                return value_wrong(v, "must be a size from 64K to 1G.");
        s->console_log_size = size;
        return 0;
}

int set_console_log_files(struct spec *s, const struct setting *v) {
        uint32_t n = 0;

        if (!(v->in_file && !*v->value) && (parse_u32(v->value, &n) < 0 || n < 1 || n > SPEC_CONSOLE_LOG_FILES_MAX))
                return value_wrong(v, "must be a number from 1 to %d.", SPEC_CONSOLE_LOG_FILES_MAX);
        s->console_log_files = n;
        return 0;
}

int set_background(struct spec *s, const struct setting *v) {
        char *copy;

        if (strspn(v->value, "0123456789;") != strlen(v->value) || strlen(v->value) > 64)
                return value_wrong(v, "must be the numbers of a background colour such as 44 or 48;5;17, or nothing.");
        copy = strdup(v->value);
        if (!copy)
                return -ENOMEM;
        free(s->background);
        s->background = copy;
        return 0;
}

int set_dry_run(struct spec *s, const struct setting *v) {
        if (!v->value || streq(v->value, "text"))
                s->dry_run = DRY_RUN_TEXT;
        else if (streq(v->value, "json"))
                s->dry_run = DRY_RUN_JSON;
        else
                return value_wrong(v, "must be text or json.");
        return 0;
}

int set_share_system(struct spec *s, const struct setting *v) {
        s->share_ipc = s->share_pid = s->share_uts = true;
        return strv_extend(&s->notices, "--share-system is deprecated: set SYSTEMD_NSPAWN_SHARE_SYSTEM=1 instead.");
}
