/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The command line. Everything about an option is one row of the table; what it does is a setter, shared with settings files.
 * getopt_long() is not used: it prints by itself, and it has state. Its rules are kept: options may be shortened as far as they
 * stay unique, and single-letter ones bundled. */
#include "spec/spec-argv.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/capname.h"
#include "base/signame.h"
#include "spec/spec-setters.h"

#define FIELD(name) offsetof(struct spec, name)
#define NO_GROUP (-1)
#define HELP_COLUMN 34

enum argument { ARGUMENT_NONE, ARGUMENT_REQUIRED, ARGUMENT_OPTIONAL };
enum chapter {
        CHAPTER_GENERAL,
        CHAPTER_IMAGE,
        CHAPTER_EXECUTION,
        CHAPTER_IDENTITY,
        CHAPTER_UNIT,
        CHAPTER_USERS,
        CHAPTER_NETWORK,
        CHAPTER_SECURITY,
        CHAPTER_RESOURCES,
        CHAPTER_INTEGRATION,
        CHAPTER_MOUNTS,
        CHAPTER_CONSOLE,
        CHAPTER_CREDENTIALS,
        _CHAPTER_MAX,
        CHAPTER_HIDDEN = _CHAPTER_MAX, /* old spellings: understood, not shown */
};

static const char *const chapters[_CHAPTER_MAX] = {
        [CHAPTER_GENERAL] = "General",
        [CHAPTER_IMAGE] = "Image",
        [CHAPTER_EXECUTION] = "Execution",
        [CHAPTER_IDENTITY] = "Identity",
        [CHAPTER_UNIT] = "Scope and registration",
        [CHAPTER_USERS] = "User namespace",
        [CHAPTER_NETWORK] = "Network",
        [CHAPTER_SECURITY] = "Security",
        [CHAPTER_RESOURCES] = "Resources",
        [CHAPTER_INTEGRATION] = "Integration with the host",
        [CHAPTER_MOUNTS] = "Mounts",
        [CHAPTER_CONSOLE] = "Console",
        [CHAPTER_CREDENTIALS] = "Credentials",
};

/* Lists for the value "help". */
static void list_capabilities(struct buf *out);
static void list_signals(struct buf *out);
static void list_rlimits(struct buf *out);
static void list_resolv_conf(struct buf *out);
static void list_timezone(struct buf *out);
static void list_console(struct buf *out);
static void list_console_log(struct buf *out);
static void list_volatile(struct buf *out);
static void list_ownership(struct buf *out);

struct row {
        enum chapter chapter;
        const char *name; /* NULL: only the letter */
        char letter;      /* 0: none */
        enum argument argument;
        const char *shape; /* of the value, for --help; NULL: takes none */
        spec_setter *set;  /* NULL: the outcome is `field` */
        size_t field;
        int group;                     /* NO_GROUP: masks no key of a settings file */
        void (*list)(struct buf *out); /* NULL: the value "help" is nothing special */
        const char *text;
};

#define NONE ARGUMENT_NONE, NULL
#define TAKES(shape) ARGUMENT_REQUIRED, shape
#define MAY_TAKE(shape) ARGUMENT_OPTIONAL, shape

/* clang-format off */
static const struct row rows[] = {
#define CHAPTER CHAPTER_GENERAL
        { CHAPTER, "help", 'h', NONE, NULL, SPEC_OUTCOME_HELP, NO_GROUP, NULL, "Show this text" },
        { CHAPTER, "version", 0, NONE, NULL, SPEC_OUTCOME_VERSION, NO_GROUP, NULL, "Show the version" },
        { CHAPTER, "quiet", 'q', NONE, set_flag, FIELD(quiet), NO_GROUP, NULL, "Say nothing but errors" },
        { CHAPTER, "dry-run", 0, MAY_TAKE("text|json"), set_dry_run, 0, NO_GROUP, NULL,
          "Show what would be done, step by step, and do nothing" },
        { CHAPTER, "no-pager", 0, NONE, set_flag, FIELD(no_pager), NO_GROUP, NULL, "Accepted; there is no pager" },
        { CHAPTER, "no-ask-password", 0, NONE, set_flag, FIELD(no_ask_password), NO_GROUP, NULL,
          "Never ask for a password" },
        { CHAPTER, "settings", 0, TAKES("BOOL|override|trusted"), set_settings, 0, NO_GROUP, NULL,
          "Read a .nspawn file; which side wins (yes)" },
        { CHAPTER, "cleanup", 0, NONE, set_flag, FIELD(cleanup), NO_GROUP, NULL,
          "Remove what a killed run has left behind, and exit" },
        { CHAPTER, "user", 0, NONE, NULL, 0, NO_GROUP, NULL, "Work for the calling user's own machines" },
        { CHAPTER, "system", 0, NONE, NULL, 0, NO_GROUP, NULL, "Work for the machines of the system (default)" },
#undef CHAPTER
#define CHAPTER CHAPTER_IMAGE
        { CHAPTER, "directory", 'D', TAKES("DIR"), set_file_path, FIELD(directory), SPEC_DIRECTORY, NULL,
          "Root directory of the container" },
        { CHAPTER, "template", 0, TAKES("DIR"), set_file_path, FIELD(template), NO_GROUP, NULL,
          "Make the root directory from this one, if there is none" },
        { CHAPTER, "ephemeral", 'x', NONE, set_flag, FIELD(ephemeral), SPEC_EPHEMERAL, NULL,
          "Run on a copy, removed at the end" },
        { CHAPTER, "image", 'i', TAKES("FILE"), set_file_path, FIELD(image), SPEC_DIRECTORY, NULL,
          "Disk image or block device with the root" },
        { CHAPTER, "image-policy", 0, TAKES("POLICY"), set_text, FIELD(image_policy), NO_GROUP, NULL,
          "Which partitions of the image may be used, and how protected" },
        { CHAPTER, "mstack", 0, TAKES("DIR"), set_file_path, FIELD(mstack), SPEC_DIRECTORY, NULL,
          "Stack of layers to mount as the root" },
        { CHAPTER, "oci-bundle", 0, TAKES("DIR"), set_file_path, FIELD(oci_bundle), NO_GROUP, NULL, "OCI runtime bundle" },
        { CHAPTER, "read-only", 0, NONE, set_flag, FIELD(read_only), SPEC_READ_ONLY, NULL, "Mount the root read-only" },
        { CHAPTER, "volatile", 0, MAY_TAKE("MODE"), set_volatile, 0, SPEC_VOLATILE, list_volatile,
          "Forget changes at the end: yes, state, overlay (no)" },
        { CHAPTER, "root-hash", 0, TAKES("HASH"), set_root_hash, 0, NO_GROUP, NULL, "Root hash of the image for dm-verity" },
        { CHAPTER, "root-hash-sig", 0, TAKES("FILE|base64:DATA"), set_root_hash_signature, 0, NO_GROUP, NULL,
          "Signature of the root hash" },
        { CHAPTER, "verity-data", 0, TAKES("FILE"), set_file_path, FIELD(verity_data), NO_GROUP, NULL,
          "Verity data outside the image" },
        { CHAPTER, "pivot-root", 0, TAKES("NEW[:OLD]"), set_pivot_root, 0, SPEC_PIVOT_ROOT, NULL,
          "Directory that becomes the root, and where the former goes" },
#undef CHAPTER
#define CHAPTER CHAPTER_EXECUTION
        { CHAPTER, "as-pid2", 'a', NONE, set_start_mode, START_PID2, SPEC_START, NULL,
          "Run the command as PID 2, below a small init" },
        { CHAPTER, "boot", 'b', NONE, set_start_mode, START_BOOT, SPEC_START, NULL,
          "Run the init of the tree; words are its arguments" },
        { CHAPTER, "chdir", 0, TAKES("DIR"), set_chdir, 0, SPEC_CHDIR, NULL, "Working directory of the command" },
        { CHAPTER, "setenv", 'E', TAKES("NAME[=VALUE]"), set_environment, 0, SPEC_ENVIRONMENT, NULL,
          "Environment variable for PID 1" },
        { CHAPTER, "uid", 'u', TAKES("USER"), set_user, 0, SPEC_USER, NULL, "Run the command as this user" },
        { CHAPTER, "kill-signal", 0, TAKES("SIGNAL"), set_kill_signal, 0, SPEC_KILL_SIGNAL, list_signals,
          "Signal that asks PID 1 to end (SIGRTMIN+3 with --boot)" },
        { CHAPTER, "notify-ready", 0, TAKES("BOOL"), set_bool, FIELD(notify_ready), SPEC_NOTIFY_READY, NULL,
          "Be ready only when PID 1 says it is (no)" },
        { CHAPTER, "suppress-sync", 0, TAKES("BOOL"), set_bool, FIELD(suppress_sync), SPEC_SUPPRESS_SYNC, NULL,
          "Let sync(2) and friends do nothing (no)" },
#undef CHAPTER
#define CHAPTER CHAPTER_IDENTITY
        { CHAPTER, "machine", 'M', TAKES("NAME"), set_machine, 0, NO_GROUP, NULL, "Name of the machine" },
        { CHAPTER, "hostname", 0, TAKES("NAME"), set_hostname, 0, SPEC_HOSTNAME, NULL, "Host name in the container" },
        { CHAPTER, "uuid", 0, TAKES("UUID"), set_uuid, 0, SPEC_MACHINE_ID, NULL, "Machine id, where the tree has none" },
#undef CHAPTER
#define CHAPTER CHAPTER_UNIT
        { CHAPTER, "slice", 'S', TAKES("SLICE"), set_slice, 0, SPEC_SLICE, NULL, "Slice of the scope (machine.slice)" },
        { CHAPTER, "property", 0, TAKES("NAME=VALUE"), set_property, 0, NO_GROUP, NULL, "Property of the scope" },
        { CHAPTER, "register", 0, TAKES("BOOL|auto"), set_register, 0, NO_GROUP, NULL,
          "Tell the registry of machines (auto)" },
        { CHAPTER, "keep-unit", 0, NONE, set_flag, FIELD(keep_unit), NO_GROUP, NULL, "Stay in the caller's unit, make no scope" },
#undef CHAPTER
#define CHAPTER CHAPTER_USERS
        { CHAPTER, "private-users", 0, MAY_TAKE("MODE"), set_private_users, 0, SPEC_USERS, NULL,
          "User namespace: yes, pick, identity, managed, FIRST[:COUNT] (no)" },
        { CHAPTER, "private-users-ownership", 0, TAKES("MODE"), set_users_ownership, 0, SPEC_USERS, list_ownership,
          "How files get their owners: off, chown, map, foreign, auto" },
        { CHAPTER, "private-users-delegate", 0, TAKES("N"), set_users_delegate, 0, SPEC_USERS, NULL,
          "Ranges of ids for containers in the container (0)" },
        { CHAPTER, NULL, 'U', NONE, set_users_pick, 0, SPEC_USERS, NULL, "User namespace with ids of its own, where the kernel can" },
#undef CHAPTER
#define CHAPTER CHAPTER_NETWORK
        { CHAPTER, "private-network", 0, NONE, set_private_network, 0, SPEC_NETWORK, NULL, "A network of its own, with only lo" },
        { CHAPTER, "network-interface", 0, TAKES("HOST[:NAME]"), set_links, SPEC_LINK_INTERFACE, SPEC_NETWORK, NULL,
          "Move an interface into the container" },
        { CHAPTER, "network-macvlan", 0, TAKES("HOST[:NAME]"), set_links, SPEC_LINK_MACVLAN, SPEC_NETWORK, NULL,
          "Make a macvlan interface" },
        { CHAPTER, "network-ipvlan", 0, TAKES("HOST[:NAME]"), set_links, SPEC_LINK_IPVLAN, SPEC_NETWORK, NULL,
          "Make an ipvlan interface" },
        { CHAPTER, "network-veth", 'n', NONE, set_veth, 0, SPEC_NETWORK, NULL, "Make a virtual Ethernet link to the host" },
        { CHAPTER, "network-veth-extra", 0, TAKES("HOST[:NAME]"), set_links, SPEC_LINK_VETH_EXTRA, SPEC_NETWORK, NULL,
          "Make one more, with names of your own" },
        { CHAPTER, "network-bridge", 0, TAKES("BRIDGE"), set_bridge, 0, SPEC_NETWORK, NULL,
          "Make a virtual Ethernet link to this bridge" },
        { CHAPTER, "network-zone", 0, TAKES("ZONE"), set_zone, 0, SPEC_NETWORK, NULL,
          "The same, to a bridge that is there while it is used" },
        { CHAPTER, "network-namespace-path", 0, TAKES("FILE"), set_namespace_path, 0, SPEC_NETWORK, NULL,
          "Join this network namespace" },
        { CHAPTER, "port", 'p', TAKES("[tcp:|udp:]PORT[:PORT]"), set_port, 0, SPEC_PORTS, NULL,
          "Port of the host that leads to one of the container" },
#undef CHAPTER
#define CHAPTER CHAPTER_SECURITY
        { CHAPTER, "capability", 0, TAKES("CAP,..."), set_capabilities, FIELD(capabilities.add), SPEC_CAPABILITIES,
          list_capabilities, "Capabilities to keep besides the default ones" },
        { CHAPTER, "drop-capability", 0, TAKES("CAP,..."), set_capabilities, FIELD(capabilities.drop), SPEC_CAPABILITIES,
          list_capabilities, "Capabilities to drop" },
        { CHAPTER, "ambient-capability", 0, TAKES("CAP,..."), set_capabilities, FIELD(capabilities.ambient),
          SPEC_CAPABILITIES, list_capabilities, "Capabilities for a command that does not run as root" },
        { CHAPTER, "no-new-privileges", 0, TAKES("BOOL"), set_bool, FIELD(no_new_privileges), SPEC_NO_NEW_PRIVILEGES, NULL,
          "Let no program gain privileges (no)" },
        { CHAPTER, "system-call-filter", 0, TAKES("[~]NAME ..."), set_syscall_filter, 0, SPEC_SYSCALL_FILTER, NULL,
          "System calls to allow as well, or (~) to refuse" },
        { CHAPTER, "restrict-address-families", 0, TAKES("[~]AF_NAME ..."), set_address_families, 0, SPEC_ADDRESS_FAMILIES,
          NULL, "Address families that sockets may have" },
        { CHAPTER, "selinux-context", 'Z', TAKES("LABEL"), set_label, FIELD(selinux_context), NO_GROUP, NULL,
          "SELinux label of the processes" },
        { CHAPTER, "selinux-apifs-context", 'L', TAKES("LABEL"), set_label, FIELD(selinux_apifs_context), NO_GROUP, NULL,
          "SELinux label of the API file systems" },
#undef CHAPTER
#define CHAPTER CHAPTER_RESOURCES
        { CHAPTER, "rlimit", 0, TAKES("NAME=SOFT[:HARD]"), set_rlimit, 0, NO_GROUP, list_rlimits, "Limit of a resource" },
        { CHAPTER, "oom-score-adjust", 0, TAKES("N"), set_oom_score_adjust, 0, SPEC_OOM_SCORE_ADJUST, NULL,
          "How soon the kernel kills it when memory is short" },
        { CHAPTER, "cpu-affinity", 0, TAKES("CPUS"), set_cpu_affinity, 0, SPEC_CPU_AFFINITY, NULL, "CPUs to run on" },
        { CHAPTER, "personality", 0, TAKES("ARCH"), set_personality, 0, SPEC_PERSONALITY, NULL,
          "Architecture that uname(2) shows" },
#undef CHAPTER
#define CHAPTER CHAPTER_INTEGRATION
        { CHAPTER, "resolv-conf", 0, TAKES("MODE"), set_resolv_conf, 0, SPEC_RESOLV_CONF, list_resolv_conf,
          "Where /etc/resolv.conf comes from (auto)" },
        { CHAPTER, "timezone", 0, TAKES("MODE"), set_timezone, 0, SPEC_TIMEZONE, list_timezone,
          "Where /etc/localtime comes from (auto)" },
        { CHAPTER, "link-journal", 0, TAKES("MODE"), set_link_journal, 0, SPEC_LINK_JOURNAL, NULL,
          "Share its journal: no, guest, host, try-guest, try-host (auto)" },
        { CHAPTER, NULL, 'j', NONE, set_link_journal_try_guest, 0, SPEC_LINK_JOURNAL, NULL, "Same as --link-journal=try-guest" },
        { CHAPTER, "forward-journal", 0, TAKES("PATH"), set_file_path, FIELD(forward_journal), NO_GROUP, NULL,
          "Receive the journal of the container here" },
        { CHAPTER, "forward-journal-max-use", 0, TAKES("SIZE"), set_forward_journal_limit, 0, NO_GROUP, NULL,
          "Room for it" },
        { CHAPTER, "forward-journal-keep-free", 0, TAKES("SIZE"), set_forward_journal_limit, 0, NO_GROUP, NULL,
          "Room to leave to others" },
        { CHAPTER, "forward-journal-max-file-size", 0, TAKES("SIZE"), set_forward_journal_limit, 0, NO_GROUP, NULL,
          "Size of one file of it" },
        { CHAPTER, "forward-journal-max-files", 0, TAKES("N"), set_forward_journal_limit, 0, NO_GROUP, NULL,
          "Number of its files" },
#undef CHAPTER
#define CHAPTER CHAPTER_MOUNTS
        { CHAPTER, "bind", 0, TAKES("PATH[:PATH[:OPTIONS]]"), set_bind, 0, SPEC_MOUNTS, NULL,
          "Mount a file or directory of the host" },
        { CHAPTER, "bind-ro", 0, TAKES("PATH[:PATH[:OPTIONS]]"), set_bind, 1, SPEC_MOUNTS, NULL, "The same, read-only" },
        { CHAPTER, "inaccessible", 0, TAKES("PATH"), set_inaccessible, 0, SPEC_MOUNTS, NULL, "Hide a path of the container" },
        { CHAPTER, "tmpfs", 0, TAKES("PATH[:OPTIONS]"), set_tmpfs, 0, SPEC_MOUNTS, NULL, "Mount an empty tmpfs" },
        { CHAPTER, "overlay", 0, TAKES("PATH[:PATH...]:PATH"), set_overlay, 0, SPEC_MOUNTS, NULL, "Mount an overlay" },
        { CHAPTER, "overlay-ro", 0, TAKES("PATH[:PATH...]:PATH"), set_overlay, 1, SPEC_MOUNTS, NULL, "The same, read-only" },
        { CHAPTER, "bind-user", 0, TAKES("USER"), set_name_list, FIELD(bind_users), SPEC_BIND_USER, NULL,
          "Make a user of the host known in the container" },
        { CHAPTER, "bind-user-shell", 0, TAKES("BOOL|PATH"), set_bind_user_shell, 0, SPEC_BIND_USER_SHELL, NULL,
          "Login shell of such users" },
        { CHAPTER, "bind-user-group", 0, TAKES("GROUP"), set_name_list, FIELD(bind_user_groups), NO_GROUP, NULL,
          "Group that such users are in" },
#undef CHAPTER
#define CHAPTER CHAPTER_CONSOLE
        { CHAPTER, "console", 0, TAKES("MODE"), set_console, 0, SPEC_CONSOLE, list_console,
          "interactive, read-only, passive, pipe, autopipe" },
        { CHAPTER, "pipe", 'P', NONE, set_pipe, 0, SPEC_CONSOLE, NULL, "Same as --console=pipe" },
        { CHAPTER, "console-log", 0, TAKES("WHERE,..."), set_console_log, 0, SPEC_CONSOLE_LOG, list_console_log,
          "Log the console: no, file, journal, syslog (file)" },
        { CHAPTER, "console-log-size", 0, TAKES("SIZE"), set_console_log_size, 0, SPEC_CONSOLE_LOG_SIZE, NULL,
          "Size of one file of the log (1M)" },
        { CHAPTER, "console-log-files", 0, TAKES("N"), set_console_log_files, 0, SPEC_CONSOLE_LOG_FILES, NULL,
          "How many files of the log are kept (2)" },
        { CHAPTER, "background", 0, TAKES("COLOR"), set_background, 0, NO_GROUP, NULL, "Tint of the terminal" },
#undef CHAPTER
#define CHAPTER CHAPTER_CREDENTIALS
        { CHAPTER, "set-credential", 0, TAKES("ID:VALUE"), set_credential, 0, SPEC_CREDENTIALS, NULL, "Pass this credential" },
        { CHAPTER, "load-credential", 0, TAKES("ID:PATH"), set_credential_load, 0, SPEC_CREDENTIALS, NULL,
          "Pass a credential from a file, a socket or our own ones" },
#undef CHAPTER
        { CHAPTER_HIDDEN, "private-users-chown", 0, NONE, set_users_chown, 0, SPEC_USERS, NULL, "" },
        { CHAPTER_HIDDEN, "share-system", 0, NONE, set_share_system, 0, NO_GROUP, NULL, "" },
};
/* clang-format on */

static void list_table(struct buf *out, const char *(*to_string)(int number), int first, int last) {
        for (int i = first; i <= last; i++) {
                const char *word = to_string(i);

                if (word)
                        buf_printf(out, "%s\n", word);
        }
}

static void list_capabilities(struct buf *out) {
        list_table(out, capability_to_string, 0, CAPABILITY_NUMBER_MAX);
}

static void list_signals(struct buf *out) {
        list_table(out, signal_to_string, 1, SIGNAL_NUMBER_MAX);
        for (int i = 0; i <= 15; i++)
                buf_printf(out, i > 0 ? "SIGRTMIN+%d\n" : "SIGRTMIN\n", i);
        for (int i = 14; i >= 0; i--)
                buf_printf(out, i > 0 ? "SIGRTMAX-%d\n" : "SIGRTMAX\n", i);
}

static void list_rlimits(struct buf *out) {
        list_table(out, rlimit_to_string, 0, SPEC_RLIMITS - 1);
}

#define LIST_OF_ENUM(name, type)                        \
        static const char *name##_word(int number) {    \
                return name##_to_string((type) number); \
        }
LIST_OF_ENUM(resolv_conf_mode, enum resolv_conf_mode)
LIST_OF_ENUM(timezone_mode, enum timezone_mode)
LIST_OF_ENUM(console_mode, enum console_mode)
LIST_OF_ENUM(console_log_target, enum console_log_target)
LIST_OF_ENUM(volatile_mode, enum volatile_mode)
LIST_OF_ENUM(ownership_mode, enum ownership_mode)

static void list_resolv_conf(struct buf *out) {
        list_table(out, resolv_conf_mode_word, 0, _RESOLV_CONF_MODE_MAX - 1);
}

static void list_timezone(struct buf *out) {
        list_table(out, timezone_mode_word, 0, _TIMEZONE_MODE_MAX - 1);
}

static void list_console(struct buf *out) {
        list_table(out, console_mode_word, 0, _CONSOLE_MODE_MAX - 1);
}

static void list_console_log(struct buf *out) {
        buf_append_str(out, "no\n");
        list_table(out, console_log_target_word, 0, _CONSOLE_LOG_MAX - 1);
}

static void list_volatile(struct buf *out) {
        list_table(out, volatile_mode_word, 0, _VOLATILE_MODE_MAX - 1);
}

static void list_ownership(struct buf *out) {
        list_table(out, ownership_mode_word, 0, _OWNERSHIP_MODE_MAX - 1);
}

/* ---- reading ---- */

struct reader {
        char *const *argv;
        int argc, at; /* the next word */
        char *const *environ;
        struct spec *spec;
        struct diag *diag;
};

static int wrong_option(struct reader *c, const char *option, const char *what) {
        AUTO_FREE char *shown = str_escape(option, 64);

        return diag_set(c->diag, -EINVAL, strempty(shown), "%s: %s", strempty(shown), what);
}

/* As people know it: "--bind", "-U". */
static void row_name(const struct row *row, char ret[static 48]) {
        size_t n = 0;

        ret[n++] = '-';
        if (!row->name) {
                ret[n++] = row->letter;
                ret[n] = '\0';
                return;
        }
        ret[n++] = '-';
        strcpy(ret + n, row->name); /* the table is ours: at most 32 */
}

static int apply(struct reader *c, const struct row *row, const char *value) {
        char name[48];
        struct setting v = {
                .name = name, .value = value, .field = row->field, .environ = c->environ, .diag = c->diag
        };
        int r;

        row_name(row, name);
        if (value && row->list && streq(value, "help"))
                return diag_set(c->diag, SPEC_OUTCOME_VALUES, name, "%s", "");
        r = row->set(c->spec, &v);
        if (r < 0)
                return r == -EBADMSG ? -EINVAL : r;
        if (row->group != NO_GROUP)
                c->spec->set |= UINT64_C(1) << row->group;
        return 0;
}

/* --user alone is the scope; with a name it is what --uid= is called today (systemd-nspawn(1)). */
static int apply_user(struct reader *c, const char *value) {
        static const struct row as_user = {
                CHAPTER_HIDDEN, "user", 0, ARGUMENT_REQUIRED, NULL, set_user_deprecated, 0, SPEC_USER, NULL, NULL,
        };

        if (!value && c->at < c->argc && c->argv[c->at][0] != '-')
                value = c->argv[c->at++];
        if (value)
                return apply(c, &as_user, value);
        c->spec->user_scope = true;
        return 0;
}

static const struct row *find_row(struct reader *c, const char *word, size_t size) {
        const struct row *found = NULL;
        bool many = false;

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                if (!rows[i].name || strncmp(rows[i].name, word, size) != 0)
                        continue;
                if (!rows[i].name[size])
                        return rows + i;
                many |= found != NULL;
                found = rows + i;
        }
        if (many || !found) {
                AUTO_FREE char *option = strndup(word - 2, size + 2);

                wrong_option(c, strempty(option),
                             many ? "this may be one of several options; see --help."
                                  : "there is no such option; see --help.");
                return NULL;
        }
        return found;
}

static int take_long(struct reader *c, const char *word) {
        const char *equals = strchr(word, '='), *value = equals ? equals + 1 : NULL;
        const struct row *row = find_row(c, word + 2, equals ? (size_t) (equals - word - 2) : strlen(word + 2));
        char name[48];

        if (!row)
                return -EINVAL;
        row_name(row, name);
        if (streq(row->name, "user"))
                return apply_user(c, value);
        if (row->argument == ARGUMENT_NONE && value)
                return wrong_option(c, name, "takes no value.");
        if (row->argument == ARGUMENT_REQUIRED && !value) {
                if (c->at == c->argc)
                        return wrong_option(c, name, "needs a value.");
                value = c->argv[c->at++];
        }
        if (streq(row->name, "system"))
                c->spec->user_scope = false;
        else if (!row->set)
                return (int) row->field;
        else
                return apply(c, row, value);
        return 0;
}

/* "-abD/srv": letters, of which the last may take the rest, or the next word, as its value. */
static int take_letters(struct reader *c, const char *letters) {
        for (; *letters; letters++) {
                const struct row *row = NULL;
                const char *value = NULL;
                char name[] = { '-', *letters, '\0' };
                int r;

                for (size_t i = 0; i < ELEMENTS(rows) && !row; i++)
                        row = rows[i].letter == *letters ? rows + i : NULL;
                if (!row)
                        return wrong_option(c, name, "there is no such option; see --help.");
                if (!row->set)
                        return (int) row->field;
                if (row->argument == ARGUMENT_REQUIRED) {
                        if (!letters[1] && c->at == c->argc)
                                return wrong_option(c, name, "needs a value.");
                        value = letters[1] ? letters + 1 : c->argv[c->at++];
                }
                r = apply(c, row, value);
                if (r != 0 || value)
                        return r;
        }
        return 0;
}

static int take_options(struct reader *c) {
        while (c->at < c->argc) {
                const char *word = c->argv[c->at];
                int r;

                if (word[0] != '-' || !word[1])
                        return 0;
                c->at++;
                if (streq(word, "--"))
                        return 0;
                r = word[1] == '-' ? take_long(c, word) : take_letters(c, word + 1);
                if (r != 0)
                        return r;
        }
        return 0;
}

static int take_words(struct reader *c) {
        for (; c->at < c->argc; c->at++) {
                if (strv_extend(&c->spec->command, c->argv[c->at]) < 0)
                        return -ENOMEM;
                c->spec->set |= UINT64_C(1) << SPEC_START;
        }
        return 0;
}

/* What depends on more than one option, in whatever order they came. */
static void settle(struct spec *s) {
        if (s->users_optional && s->user_scope)
                s->users_mode = USERS_MANAGED;
        if (s->console == CONSOLE_PIPE)
                s->quiet = true;
}

int spec_from_argv(int argc, char *const *argv, char *const *env, struct spec *ret, struct diag *diag) {
        AUTO(spec_done) struct spec s;
        struct diag ignored = { 0 };
        struct reader c = {
                .argv = argv,
                .argc = argc,
                .at = 1,
                .environ = env,
                .spec = &s,
                .diag = diag ? diag : &ignored,
        };
        int r;

        spec_init(&s);
        r = take_options(&c);
        if (r == 0)
                r = take_words(&c);
        if (r != 0)
                return r;
        settle(&s);
        *ret = s;
        spec_init(&s);
        return 0;
}

/* ---- showing ---- */

void spec_option_name(size_t n, const char **ret_long, char *ret_short) {
        *ret_long = NULL;
        *ret_short = 0;
        if (n >= ELEMENTS(rows) || rows[n].chapter == CHAPTER_HIDDEN)
                return;
        *ret_long = strempty(rows[n].name);
        *ret_short = rows[n].letter;
}

static void help_row(const struct row *row, struct buf *out) {
        size_t start = out->size;

        buf_append_str(out, "  ");
        if (row->letter)
                buf_printf(out, "-%c%s", row->letter, row->name ? ", " : "");
        else
                buf_append_str(out, "    ");
        if (row->name)
                buf_printf(out, "--%s", row->name);
        if (row->argument == ARGUMENT_OPTIONAL)
                buf_printf(out, "[=%s]", row->shape);
        else if (row->shape)
                buf_printf(out, "=%s", row->shape);
        if (out->size - start + 2 > HELP_COLUMN) {
                buf_append_char(out, '\n');
                start = out->size;
        }
        while (buf_error(out) == 0 && out->size - start < HELP_COLUMN)
                buf_append_char(out, ' ');
        buf_printf(out, "%s\n", row->text);
}

int spec_help(struct buf *out) {
        buf_append_str(out, "Usage: muster-spawn [OPTION...] [COMMAND [ARGUMENT...]]\n"
                            "       muster-spawn --boot [OPTION...] [ARGUMENT...]\n\n"
                            "Run a command, or an operating system, in a container.\n");
        for (int chapter = 0; chapter < _CHAPTER_MAX; chapter++) {
                buf_printf(out, "\n%s:\n", chapters[chapter]);
                for (size_t i = 0; i < ELEMENTS(rows); i++)
                        if ((int) rows[i].chapter == chapter)
                                help_row(rows + i, out);
        }
        buf_append_str(out, "\nSome options list their values when given \"help\", as in --timezone=help.\n"
                            "See muster-spawn(1) and muster.nspawn(5).\n");
        return buf_error(out);
}

int spec_values(const char *option, struct buf *out) {
        char name[48];

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                row_name(rows + i, name);
                if (rows[i].list && streq(name, option)) {
                        rows[i].list(out);
                        return buf_error(out);
                }
        }
        return -ENOENT;
}
