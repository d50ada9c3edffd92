/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Two halves: lines are put together (comments, continued lines, sections), and assignments are looked up in a table, whose
 * setters are those of the command line. */
#include "spec/spec-ini.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "spec/spec-setters.h"

#define FIELD(name) offsetof(struct spec, name)
#define BLANKS " \t\r\n\v\f"
#define BYTE_ORDER_MARK "\xef\xbb\xbf"

enum trust { FROM_ANY, FROM_TRUSTED };

struct row {
        const char *section, *key;
        enum trust trust;
        spec_setter *set;
        size_t field;
        int group; /* -1: the setter does it */
};

#define LIMIT(name, number) \
        { "Exec", "Limit" name, FROM_TRUSTED, set_rlimit_value, number, -1 }

static const struct row rows[] = {
        { "Exec", "Boot", FROM_ANY, set_start_mode, START_BOOT, SPEC_START },
        { "Exec", "Ephemeral", FROM_TRUSTED, set_bool, FIELD(ephemeral), SPEC_EPHEMERAL },
        { "Exec", "ProcessTwo", FROM_ANY, set_start_mode, START_PID2, SPEC_START },
        { "Exec", "Parameters", FROM_ANY, set_parameters, 0, SPEC_START },
        { "Exec", "Environment", FROM_ANY, set_environment, 0, SPEC_ENVIRONMENT },
        { "Exec", "User", FROM_ANY, set_user, 0, SPEC_USER },
        { "Exec", "Capability", FROM_TRUSTED, set_capabilities, FIELD(capabilities.add), SPEC_CAPABILITIES },
        { "Exec", "AmbientCapability", FROM_TRUSTED, set_capabilities, FIELD(capabilities.ambient), SPEC_CAPABILITIES },
        { "Exec", "DropCapability", FROM_ANY, set_capabilities, FIELD(capabilities.drop), SPEC_CAPABILITIES },
        { "Exec", "KillSignal", FROM_ANY, set_kill_signal, 0, SPEC_KILL_SIGNAL },
        { "Exec", "Personality", FROM_ANY, set_personality, 0, SPEC_PERSONALITY },
        { "Exec", "MachineID", FROM_TRUSTED, set_uuid, 0, SPEC_MACHINE_ID },
        { "Exec", "WorkingDirectory", FROM_ANY, set_chdir, 0, SPEC_CHDIR },
        { "Exec", "PivotRoot", FROM_ANY, set_pivot_root, 0, SPEC_PIVOT_ROOT },
        { "Exec", "PrivateUsers", FROM_TRUSTED, set_private_users, 0, SPEC_USERS },
        { "Exec", "PrivateUsersDelegate", FROM_TRUSTED, set_users_delegate, 0, SPEC_USERS },
        { "Exec", "NotifyReady", FROM_ANY, set_bool, FIELD(notify_ready), SPEC_NOTIFY_READY },
        { "Exec", "SystemCallFilter", FROM_ANY, set_syscall_filter, 0, SPEC_SYSCALL_FILTER },
        LIMIT("CPU", 0),
        LIMIT("FSIZE", 1),
        LIMIT("DATA", 2),
        LIMIT("STACK", 3),
        LIMIT("CORE", 4),
        LIMIT("RSS", 5),
        LIMIT("NPROC", 6),
        LIMIT("NOFILE", 7),
        LIMIT("MEMLOCK", 8),
        LIMIT("AS", 9),
        LIMIT("LOCKS", 10),
        LIMIT("SIGPENDING", 11),
        LIMIT("MSGQUEUE", 12),
        LIMIT("NICE", 13),
        LIMIT("RTPRIO", 14),
        LIMIT("RTTIME", 15),
        { "Exec", "Hostname", FROM_ANY, set_hostname, 0, SPEC_HOSTNAME },
        { "Exec", "NoNewPrivileges", FROM_ANY, set_bool, FIELD(no_new_privileges), SPEC_NO_NEW_PRIVILEGES },
        { "Exec", "OOMScoreAdjust", FROM_TRUSTED, set_oom_score_adjust, 0, SPEC_OOM_SCORE_ADJUST },
        { "Exec", "CPUAffinity", FROM_TRUSTED, set_cpu_affinity, 0, SPEC_CPU_AFFINITY },
        { "Exec", "ResolvConf", FROM_ANY, set_resolv_conf, 0, SPEC_RESOLV_CONF },
        { "Exec", "LinkJournal", FROM_TRUSTED, set_link_journal, 0, SPEC_LINK_JOURNAL },
        { "Exec", "Timezone", FROM_ANY, set_timezone, 0, SPEC_TIMEZONE },
        { "Exec", "SuppressSync", FROM_ANY, set_bool, FIELD(suppress_sync), SPEC_SUPPRESS_SYNC },
        { "Exec", "RestrictAddressFamilies", FROM_ANY, set_address_families, 0, SPEC_ADDRESS_FAMILIES },
        { "Exec", "ConsoleLog", FROM_TRUSTED, set_console_log, 0, SPEC_CONSOLE_LOG },
        { "Exec", "ConsoleLogSize", FROM_TRUSTED, set_console_log_size, 0, SPEC_CONSOLE_LOG_SIZE },
        { "Exec", "ConsoleLogFiles", FROM_TRUSTED, set_console_log_files, 0, SPEC_CONSOLE_LOG_FILES },
        { "Files", "ReadOnly", FROM_ANY, set_bool, FIELD(read_only), SPEC_READ_ONLY },
        { "Files", "Volatile", FROM_ANY, set_volatile, 0, SPEC_VOLATILE },
        { "Files", "Bind", FROM_TRUSTED, set_bind, 0, SPEC_MOUNTS },
        { "Files", "BindReadOnly", FROM_TRUSTED, set_bind, 1, SPEC_MOUNTS },
        { "Files", "TemporaryFileSystem", FROM_TRUSTED, set_tmpfs, 0, SPEC_MOUNTS },
        { "Files", "Inaccessible", FROM_TRUSTED, set_inaccessible, 0, SPEC_MOUNTS },
        { "Files", "Overlay", FROM_TRUSTED, set_overlay, 0, SPEC_MOUNTS },
        { "Files", "OverlayReadOnly", FROM_TRUSTED, set_overlay, 1, SPEC_MOUNTS },
        { "Files", "PrivateUsersChown", FROM_TRUSTED, set_users_chown, 0, SPEC_USERS },
        { "Files", "PrivateUsersOwnership", FROM_TRUSTED, set_users_ownership, 0, SPEC_USERS },
        { "Files", "BindUser", FROM_TRUSTED, set_name_list, FIELD(bind_users), SPEC_BIND_USER },
        { "Files", "BindUserShell", FROM_TRUSTED, set_bind_user_shell, 0, SPEC_BIND_USER_SHELL },
        { "Network", "Private", FROM_TRUSTED, set_private_network, 0, SPEC_NETWORK },
        { "Network", "NamespacePath", FROM_TRUSTED, set_namespace_path, 0, SPEC_NETWORK },
        { "Network", "Interface", FROM_TRUSTED, set_links, SPEC_LINK_INTERFACE, SPEC_NETWORK },
        { "Network", "MACVLAN", FROM_TRUSTED, set_links, SPEC_LINK_MACVLAN, SPEC_NETWORK },
        { "Network", "IPVLAN", FROM_TRUSTED, set_links, SPEC_LINK_IPVLAN, SPEC_NETWORK },
        { "Network", "VirtualEthernet", FROM_TRUSTED, set_veth, 0, SPEC_NETWORK },
        { "Network", "VirtualEthernetExtra", FROM_TRUSTED, set_links, SPEC_LINK_VETH_EXTRA, SPEC_NETWORK },
        { "Network", "Bridge", FROM_TRUSTED, set_bridge, 0, SPEC_NETWORK },
        { "Network", "Zone", FROM_TRUSTED, set_zone, 0, SPEC_NETWORK },
        { "Network", "Port", FROM_TRUSTED, set_port, 0, SPEC_PORTS },
};

static const char *const sections[] = { "Exec", "Files", "Network" };

bool spec_ini_key(size_t n, const char **ret_section, const char **ret_key, bool *ret_privileged) {
        if (n >= ELEMENTS(rows))
                return false;
        *ret_section = rows[n].section;
        *ret_key = rows[n].key;
        *ret_privileged = rows[n].trust == FROM_TRUSTED;
        return true;
}

struct reader {
        const char *p, *end; /* what is left of the text */
        unsigned line;       /* of the text, the last one taken */
        unsigned start;      /* where the present logical line began */
        bool started;        /* a line that is no comment was seen: no byte order mark any more */
        struct buf logical;

        const char *section; /* NULL: none yet, or one to ignore */
        bool ignore;         /* the latter */
        bool trusted;
        struct spec *spec;
        unsigned allow_line; /* where an untrusted file first allows system calls */
        spec_warn *warn;
        void *userdata;
        struct diag *diag;
};

__attribute__((format(printf, 2, 3))) static void warn(struct reader *c, const char *format, ...) {
        char text[sizeof(c->diag->text)];
        va_list ap;

        if (!c->warn)
                return;
        va_start(ap, format);
        vsnprintf(text, sizeof(text), format, ap);
        va_end(ap);
        c->warn(c->start, text, c->userdata);
}

static int fatal(struct reader *c, int error, const char *text) {
        diag_set(c->diag, error, NULL, "%s", text);
        c->diag->line = c->start;
        return error;
}

/* ---- assignments ---- */

/* With an empty value a key says nothing any more; of groups with several keys the others may. */
static bool group_is_of_one_key(int group) {
        return group >= 0 && group != SPEC_START && group != SPEC_CAPABILITIES && group != SPEC_NETWORK &&
               group != SPEC_MOUNTS && group != SPEC_USERS;
}

static void note_group(struct reader *c, const struct row *row, const char *value) {
        if (row->group < 0)
                return;
        if (*value)
                c->spec->set |= UINT64_C(1) << row->group;
        else if (group_is_of_one_key(row->group))
                c->spec->set &= ~(UINT64_C(1) << row->group);
        if (row->group == SPEC_SYSCALL_FILTER && !*value)
                c->allow_line = 0;
        else if (row->group == SPEC_SYSCALL_FILTER && *value != '~' && c->allow_line == 0)
                c->allow_line = c->start;
}

static int apply(struct reader *c, const struct row *row, const char *value) {
        struct diag d = { 0 };
        struct setting v = { .name = row->key, .value = value, .field = row->field, .in_file = true, .diag = &d };
        int r;

        if (row->trust == FROM_TRUSTED && !c->trusted) {
                warn(c, "%s= is ignored: only a file in a trusted place, or --settings=trusted, may set it.", row->key);
                return 0;
        }
        r = row->set(c->spec, &v);
        if (r == -EBADMSG)
                return fatal(c, r, d.text);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                warn(c, "%s", d.text);
        /* A list of capabilities counts without its wrong words. */
        if (r >= 0 || (row->group == SPEC_CAPABILITIES && *(uint64_t *) (void *) ((char *) c->spec + row->field)))
                note_group(c, row, value);
        return 0;
}

static int take_assignment(struct reader *c, char *key, const char *value) {
        AUTO_FREE char *shown = str_escape(key, 48);

        if (!c->section) {
                warn(c, "%s= stands before the first section and is ignored.", strempty(shown));
                return 0;
        }
        for (size_t i = 0; i < ELEMENTS(rows); i++)
                if (streq(rows[i].section, c->section) && streq(rows[i].key, key))
                        return apply(c, rows + i, value);
        if (!startswith(key, "X-"))
                warn(c, "There is no %s= in section [%s], it is ignored.", strempty(shown), c->section);
        return 0;
}

static char *strip(char *s) {
        size_t size;

        s += strspn(s, BLANKS);
        for (size = strlen(s); size > 0 && strchr(BLANKS, s[size - 1]); size--)
                s[size - 1] = '\0';
        return s;
}

static int take_section(struct reader *c, char *header) {
        size_t size = strlen(header);
        AUTO_FREE char *shown = NULL;

        if (header[size - 1] != ']')
                return fatal(c, -EBADMSG, "A section must be closed: [Exec].");
        header[size - 1] = '\0';
        header++;
        c->section = NULL;
        c->ignore = false;
        for (size_t i = 0; i < ELEMENTS(sections); i++)
                if (streq(sections[i], header))
                        c->section = sections[i];
        if (c->section)
                return 0;
        c->ignore = true;
        shown = str_escape(header, 48);
        if (!startswith(header, "X-"))
                warn(c, "There is no section [%s], it is ignored.", strempty(shown));
        return 0;
}

static int take_logical(struct reader *c) {
        char *line, *equals, *key;

        if (memchr(c->logical.data, '\0', c->logical.size) || !text_is_utf8(c->logical.data))
                return fatal(c, -EBADMSG, "The line is not UTF-8 text.");
        line = strip(c->logical.data);
        if (!*line)
                return 0;
        if (*line == '[')
                return take_section(c, line);
        if (c->ignore)
                return 0;
        equals = strchr(line, '=');
        if (!equals) {
                warn(c, "There is no '=' in the line, it is ignored.");
                return 0;
        }
        *equals = '\0';
        key = strip(line);
        if (!*key) {
                warn(c, "There is no key before the '=', the line is ignored.");
                return 0;
        }
        return take_assignment(c, key, strip(equals + 1));
}

/* ---- lines ---- */

static bool is_comment(const char *line, size_t size) {
        size_t n = 0;

        while (n < size && strchr(BLANKS, line[n]) && line[n])
                n++;
        return n < size && (line[n] == '#' || line[n] == ';');
}

/* A backslash that no other one escapes. */
static bool is_continued(const char *line, size_t size) {
        size_t n = 0;

        while (n < size && line[size - 1 - n] == '\\')
                n++;
        return n % 2 == 1;
}

static void next_physical(struct reader *c, const char **ret, size_t *ret_size) {
        const char *line = c->p, *newline = memchr(line, '\n', (size_t) (c->end - line));
        size_t size = (size_t) ((newline ? newline : c->end) - line);

        c->p = newline ? newline + 1 : c->end;
        c->line++;
        if (size > 0 && line[size - 1] == '\r')
                size--;
        if (!c->started && size >= 3 && memcmp(line, BYTE_ORDER_MARK, 3) == 0) {
                line += 3;
                size -= 3;
        }
        *ret = line;
        *ret_size = size;
}

/* Adds a line to the logical one. 1: it goes on. */
static int take_physical(struct reader *c, const char *line, size_t size) {
        bool continued = is_continued(line, size);

        c->started = true;
        if (c->logical.size == 0)
                c->start = c->line;
        if (c->logical.size + size > SPEC_LINE_MAX)
                return fatal(c, -E2BIG, "The line is longer than 1 MiB.");
        buf_append(&c->logical, line, size - continued);
        if (continued)
                buf_append_char(&c->logical, ' ');
        return buf_error(&c->logical) < 0 ? -ENOMEM : continued;
}

static int read_lines(struct reader *c) {
        while (c->p < c->end) {
                const char *line;
                size_t size;
                int r;

                next_physical(c, &line, &size);
                if (is_comment(line, size))
                        continue;
                r = take_physical(c, line, size);
                if (r == 0 && c->logical.size > 0)
                        r = take_logical(c);
                else if (r == 1)
                        continue;
                if (r < 0)
                        return r;
                buf_clear(&c->logical);
        }
        /* The last line asked for one more. */
        return c->logical.size > 0 ? take_logical(c) : 0;
}

/* A file that anybody may have written can take calls away, but not give some. */
static void judge_syscall_rules(struct reader *c) {
        static const struct setting nothing = { .name = "SystemCallFilter", .value = "", .in_file = true };

        if (c->trusted || c->allow_line == 0)
                return;
        c->start = c->allow_line;
        warn(c, "SystemCallFilter= is ignored: only a file in a trusted place may allow system calls.");
        set_syscall_filter(c->spec, &nothing);
        c->spec->set &= ~(UINT64_C(1) << SPEC_SYSCALL_FILTER);
}

int spec_from_ini(const char *text, size_t size, bool trusted, spec_warn *warn_function, void *userdata,
                  struct spec *ret, struct diag *diag) {
        AUTO(spec_done) struct spec s;
        struct diag ignored = { 0 };
        struct reader c = {
                .p = text,
                .end = text + size,
                .logical = BUF_EMPTY,
                .trusted = trusted,
                .spec = &s,
                .warn = warn_function,
                .userdata = userdata,
                .diag = diag ? diag : &ignored,
        };
        int r;

        spec_init(&s);
        if (size > SPEC_FILE_MAX)
                return fatal(&c, -E2BIG, "The file is larger than 4 MiB.");
        r = size > 0 ? read_lines(&c) : 0;
        buf_done(&c.logical);
        if (r < 0)
                return r;
        judge_syscall_rules(&c);
        *ret = s;
        spec_init(&s);
        return 0;
}
