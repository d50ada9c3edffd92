/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One table says which options there are, in which of the two programs, how they read in --help, and what takes their
 * value. Options of machinectl that belong to what Muster does not do (yet) have a row too: they are refused with a
 * sentence of their own instead of "unknown option". */
#include "muster/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#include "base/parse.h"
#include "base/signame.h"
#include "core/session.h"
#include "muster/failure.h"

enum where { BOTH, OURS, THEIRS /* machinectl only */, REFUSED };

struct row {
        const char *name;
        char letter;          /* 0: none */
        const char *argument; /* NULL: takes none */
        enum where where;
        int (*set)(struct options *o, const char *value); /* 0; 1: answered; -EINVAL: said what is wrong */
        const char *text;                                 /* help; for REFUSED the reason. NULL: not in the help */
};

static int wrong(const char *option, const char *value, const char *right) {
        fail("--%s=%s: must be %s.", option, value, right);
        return -EINVAL;
}

static int set_all(struct options *o, const char *value) {
        o->all = true;
        return 0;
}

static int set_full(struct options *o, const char *value) {
        o->full = true;
        o->max_addresses = UINT_MAX;
        return 0;
}

static int set_property(struct options *o, const char *value) {
        return strv_extend(&o->properties, value);
}

static int set_value(struct options *o, const char *value) {
        o->value = true;
        return 0;
}

/* machinectl -P: --property= and --value in one */
static int set_property_value(struct options *o, const char *value) {
        o->value = true;
        return set_property(o, value);
}

static int set_no_legend(struct options *o, const char *value) {
        o->legend = false;
        return 0;
}

static int set_no_pager(struct options *o, const char *value) {
        o->pager = false;
        return 0;
}

static int set_no_ask_password(struct options *o, const char *value) {
        o->ask_password = false;
        return 0;
}

static int set_quiet(struct options *o, const char *value) {
        o->quiet = true;
        return 0;
}

static int set_max_addresses(struct options *o, const char *value) {
        uint32_t n;

        if (streq(value, "all")) {
                o->max_addresses = UINT_MAX;
                return 0;
        }
        if (parse_u32(value, &n) < 0)
                return wrong("max-addresses", value, "a number or \"all\"");
        o->max_addresses = n;
        return 0;
}

static int set_whom(struct options *o, const char *value) {
        if (!streq(value, "leader") && !streq(value, "all") && !streq(value, "supervisor"))
                return wrong("kill-whom", value, "leader, supervisor or all");
        o->whom = value;
        return 0;
}

/* As machinectl has it, but for the two signals that the C library keeps to itself. */
static void list_signals(bool numbers) {
        if (numbers)
                puts("SIGNAL NAME");
        for (int i = 1; i <= SIGNAL_NUMBER_MAX; i++) {
                const char *name = signal_to_string(i);

                if (!name && i < SIGRTMIN)
                        continue;
                if (numbers)
                        printf("%-6d ", i);
                if (name)
                        puts(name);
                else
                        printf("SIGRTMIN+%d\n", i - SIGRTMIN);
        }
}

static int set_signal(struct options *o, const char *value) {
        if (streq(value, "help") || streq(value, "list")) {
                list_signals(streq(value, "list"));
                return 1;
        }
        o->signal = signal_from_string(value);
        return o->signal < 0
                       ? wrong("signal", value, "a name such as SIGTERM or RTMIN+3, or 1 to 64 (see --signal=list)")
                       : 0;
}

static int set_json(struct options *o, const char *value) {
        static const char *const modes[] = { [JSON_OFF] = "off", [JSON_SHORT] = "short", [JSON_PRETTY] = "pretty" };

        for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
                if (streq(modes[i], value)) {
                        o->json = (enum json_mode) i;
                        return 0;
                }
        return wrong("json", value, "pretty, short or off");
}

static int set_j(struct options *o, const char *value) {
        o->json = isatty(STDOUT_FILENO) ? JSON_PRETTY : JSON_SHORT;
        return 0;
}

/* machinectl's choice of journal formats; the two that name JSON are how its tables become JSON. */
static int set_output(struct options *o, const char *value) {
        if (streq(value, "json"))
                o->json = JSON_SHORT;
        else if (streq(value, "json-pretty"))
                o->json = JSON_PRETTY;
        return 0;
}

/* About journals, which are not in our output. */
static int set_ignored(struct options *o, const char *value) {
        return 0;
}

static int set_follow(struct options *o, const char *value) {
        o->follow = true;
        return 0;
}

static int set_lines(struct options *o, const char *value) {
        o->has_lines = true;
        o->lines = UINT32_MAX;
        if (streq(value, "all"))
                return 0;
        return parse_u32(value, &o->lines) < 0 ? wrong("lines", value, "a number or \"all\"") : 0;
}

static int set_since(struct options *o, const char *value) {
        o->since = value;
        return 0;
}

static int set_machine(struct options *o, const char *value) {
        if (streq(value, ".host"))
                return 0;
        return wrong("machine", value, "\".host\": a registry inside another machine cannot be asked from here");
}

static int set_run(struct options *o, const char *value) {
        if (value[0] != '/')
                return wrong("run", value, "an absolute path");
        o->run = value;
        return 0;
}

static int set_for(struct options *o, const char *value) {
        if (!streq(value, "running") && !streq(value, "stopped"))
                return wrong("for", value, "running or stopped");
        o->wait_stopped = streq(value, "stopped");
        return 0;
}

static int set_until(struct options *o, const char *value) {
        o->until = value;
        return 0;
}

static int set_guest(struct options *o, const char *value) {
        o->guest = true;
        return 0;
}

static int set_raw(struct options *o, const char *value) {
        o->raw = true;
        return 0;
}

static int set_remove(struct options *o, const char *value) {
        o->remove = true;
        return 0;
}

static int set_group(struct options *o, const char *value) {
        o->group = true;
        return 0;
}

static int set_timeout(struct options *o, const char *value) {
        return parse_usec(value, &o->timeout_usec) < 0 ? wrong("timeout", value, "a time such as 30, 500ms or 2min")
                                                       : 0;
}

static int set_pid(const char *option, const char *value, uint32_t *ret) {
        if (parse_u32(value, ret) < 0 || *ret < 1 || *ret > INT32_MAX)
                return wrong(option, value, "the number of a process");
        return 0;
}

static int set_leader(struct options *o, const char *value) {
        return set_pid("leader", value, &o->reg.leader);
}

static int set_class(struct options *o, const char *value) {
        if (!streq(value, "container") && !streq(value, "vm"))
                return wrong("class", value, "container or vm");
        o->reg.class = value;
        return 0;
}

static int set_service(struct options *o, const char *value) {
        o->reg.service = value;
        return 0;
}

static int set_id(struct options *o, const char *value) {
        o->reg.id = value;
        return 0;
}

static int set_root(struct options *o, const char *value) {
        o->reg.root = value;
        return value[0] == '/' ? 0 : wrong("root", value, "an absolute path");
}

static int set_interface(struct options *o, const char *value) {
        return strv_extend(&o->reg.interfaces, value);
}

static int set_vsock_cid(struct options *o, const char *value) {
        o->reg.has_vsock_cid = true;
        return parse_u32(value, &o->reg.vsock_cid) < 0 ? wrong("vsock-cid", value, "a number") : 0;
}

static int set_ssh_address(struct options *o, const char *value) {
        o->reg.ssh_address = value;
        return 0;
}

static int set_ssh_key(struct options *o, const char *value) {
        o->reg.ssh_key = value;
        return 0;
}

static int set_control_address(struct options *o, const char *value) {
        o->reg.control_address = value;
        return 0;
}

static int set_create(struct options *o, const char *value) {
        o->reg.create = true;
        return 0;
}

static int set_user(struct options *o, const char *value) {
        o->session.user = value;
        return *value ? 0 : wrong("user", value, "the name or number of a user");
}

static int set_directory(struct options *o, const char *value) {
        o->session.directory = value;
        return value[0] == '/' ? 0 : wrong("chdir", value, "an absolute path");
}

/* NAME=VALUE, or NAME for what it is with us. */
static int set_environment(struct options *o, const char *value) {
        AUTO_BUF struct buf assignment = BUF_EMPTY;
        const char *own = strchr(value, '=') ? NULL : getenv(value);

        if (own)
                buf_printf(&assignment, "%s=%s", value, own);
        else if (!strchr(value, '=')) /* nothing is passed on where there is nothing */
                return 0;
        else
                buf_append_str(&assignment, value);
        if (buf_error(&assignment))
                return -ENOMEM;
        if (!session_assignment_is_valid(assignment.data))
                return wrong("setenv", value, "NAME=VALUE or NAME, the name of letters, digits and '_'");
        return strv_extend(&o->session.environment, assignment.data);
}

static int set_detach(struct options *o, const char *value) {
        o->session.detach = true;
        return 0;
}

static int set_terminal(struct options *o, const char *value) {
        o->session.terminal = TERMINAL_YES;
        return 0;
}

static int set_no_terminal(struct options *o, const char *value) {
        o->session.terminal = TERMINAL_NO;
        return 0;
}

static int set_force(struct options *o, const char *value) {
        o->force = true;
        return 0;
}

static int set_mkdir(struct options *o, const char *value) {
        o->mkdir = true;
        return 0;
}

static int set_read_only(struct options *o, const char *value) {
        o->read_only = true;
        return 0;
}

#define IMAGES "images are not managed by Muster yet"

static const struct row rows[] = {
        { "help", 'h', NULL, BOTH, NULL, "Show this text" },
        { "version", 0, NULL, BOTH, NULL, "Show the version" },
        { "no-pager", 0, NULL, BOTH, set_no_pager, "Do not pipe output into a pager" },
        { "no-legend", 0, NULL, BOTH, set_no_legend, "Leave out headers and footers" },
        { "no-ask-password", 0, NULL, BOTH, set_no_ask_password, "Do not let polkit ask for a password" },
        { "property", 'p', "NAME", BOTH, set_property, "show: only these properties" },
        { "value", 0, NULL, BOTH, set_value, "show: only the values" },
        { "all", 'a', NULL, BOTH, set_all, "show: empty properties too; list: .host too" },
        { "full", 'l', NULL, BOTH, set_full, "Do not shorten anything" },
        { "max-addresses", 0, "N", BOTH, set_max_addresses, "list: how many addresses (1), or all" },
        { "kill-whom", 0, "WHOM", BOTH, set_whom, "kill: all (default), leader or supervisor" },
        { "kill-who", 0, "WHOM", BOTH, set_whom, NULL },
        { "signal", 's', "SIGNAL", BOTH, set_signal, "kill: which signal (SIGTERM), or list" },
        { "quiet", 'q', NULL, BOTH, set_quiet, "Say less" },
        { "machine", 'M', "NAME", BOTH, set_machine, "Only .host, this host" },
        { "output", 'o', "FORMAT", BOTH, set_output, "json or json-pretty; others are for journals" },
        { "lines", 'n', "N", THEIRS, set_ignored, NULL },
        { NULL, 'P', "NAME", BOTH, set_property_value, NULL },
        { "json", 0, "MODE", OURS, set_json, "pretty, short or off" },
        { NULL, 'j', NULL, OURS, set_j, "JSON: pretty on a terminal, else short" },
        { "run", 0, "DIR", OURS, set_run, "Run-time directory of the daemon (/run)" },
        { "follow", 'f', NULL, OURS, set_follow, "events, logs: go on with what is still to come" },
        { "lines", 'n', "N", OURS, set_lines, "events, logs: only the newest so many, or all" },
        { "since", 0, "WHEN", OURS, set_since, "events: those behind the one of this number; logs: from this time" },
        { "for", 0, "STATE", OURS, set_for, "wait: running (default) or stopped" },
        { "until", 0, "TIME", OURS, set_until, "logs: up to this time" },
        { "guest", 0, NULL, OURS, set_guest, "logs: the journal inside the machine" },
        { "raw", 0, NULL, OURS, set_raw, "logs: the bytes as they were, not for terminals" },
        { "remove", 0, NULL, OURS, set_remove, "logs: remove the log of a machine that is gone" },
        { "group", 0, NULL, OURS, set_group, "user: groups, not users" },
        { "timeout", 0, "TIME", OURS, set_timeout, "wait, exec, shell: give up after this time" },
        { "user", 'u', "USER", OURS, set_user, "exec, shell: as this user of the machine, name or number" },
        { "uid", 0, "USER", BOTH, set_user, "the same" },
        { "setenv", 'E', "NAME[=VALUE]", BOTH, set_environment, "exec, shell: an environment variable" },
        { "chdir", 'C', "DIR", OURS, set_directory, "exec, shell: in this directory of the machine" },
        { "terminal", 't', NULL, OURS, set_terminal, "exec, shell: on a terminal, whatever ours is" },
        { "no-terminal", 'T', NULL, OURS, set_no_terminal, "exec, shell: never on a terminal" },
        { "detach", 'd', NULL, OURS, set_detach, "exec, shell: do not wait for the end" },
        { "force", 0, NULL, BOTH, set_force, "copy-to, copy-from: replace files that exist" },
        { "mkdir", 0, NULL, BOTH, set_mkdir, "bind: make the mount point where there is none" },
        { "read-only", 0, NULL, BOTH, set_read_only, "bind: nothing can be changed in the machine" },
        { "leader", 0, "PID", OURS, set_leader, "register: the machine's first process" },
        { "class", 0, "CLASS", OURS, set_class, "register: container (default) or vm" },
        { "service", 0, "NAME", OURS, set_service, "register: who runs it" },
        { "id", 0, "ID", OURS, set_id, "register: its machine ID" },
        { "root", 0, "DIR", OURS, set_root, "register: its root directory on this host" },
        { "iface", 0, "NAME", OURS, set_interface, "register: a network interface of it on this host" },
        { "vsock-cid", 0, "CID", OURS, set_vsock_cid, "register: its AF_VSOCK address" },
        { "ssh-address", 0, "ADDRESS", OURS, set_ssh_address, "register: where its ssh server listens" },
        { "ssh-key", 0, "FILE", OURS, set_ssh_key, "register: private key for that server" },
        { "control-address", 0, "SOCKET", OURS, set_control_address, "register: its own Varlink control socket" },
        { "create", 0, NULL, OURS, set_create, "register: make a control group for it" },
        { "host", 'H', "HOST", REFUSED, NULL, "other hosts cannot be asked; use ssh HOST muster" },
        { "verify", 0, "MODE", REFUSED, NULL, IMAGES },
        { "format", 0, "FORMAT", REFUSED, NULL, IMAGES },
};

#define N_ROWS ELEMENTS(rows)
#define LONG_BASE 256 /* getopt values of long options: LONG_BASE + row */

static bool row_known(const struct row *row, bool machinectl) {
        return row->where != (machinectl ? OURS : THEIRS);
}

static void build_tables(bool machinectl, struct option *longs, char *shorts) {
        size_t n = 0;

        *shorts++ = '-'; /* in their order */
        *shorts++ = ':';
        for (size_t i = 0; i < N_ROWS; i++) {
                if (!row_known(rows + i, machinectl))
                        continue;
                if (rows[i].name)
                        longs[n++] = (struct option){ rows[i].name, rows[i].argument ? required_argument : no_argument,
                                                      NULL, LONG_BASE + (int) i };
                if (rows[i].letter)
                        *shorts++ = rows[i].letter;
                if (rows[i].letter && rows[i].argument)
                        *shorts++ = ':';
        }
        longs[n] = (struct option){ 0 };
        *shorts = '\0';
}

static const struct row *row_of(int c, bool machinectl) {
        if (c >= LONG_BASE)
                return rows + (c - LONG_BASE);
        for (size_t i = 0; i < N_ROWS; i++)
                if (rows[i].letter == c && row_known(rows + i, machinectl))
                        return rows + i;
        return NULL;
}

static enum options_result apply(const struct row *row, struct options *o, const char *value, const char **verb) {
        int r;

        if (row->where == REFUSED) {
                if (row->letter)
                        fail("-%c, --%s is refused: %s.", row->letter, row->name, row->text);
                else
                        fail("--%s is refused: %s.", row->name, row->text);
                return OPTIONS_WRONG;
        }
        if (!row->set) {
                *verb = row->name;
                return OPTIONS_GO;
        }
        r = row->set(o, value);
        if (r == -ENOMEM)
                fail("Out of memory.");
        return r < 0 ? OPTIONS_WRONG : r > 0 ? OPTIONS_DONE : OPTIONS_GO;
}

static enum options_result complain(int c, int argc, char **argv) {
        if (c == ':')
                fail("%s needs a value.", argv[optind - 1]);
        else if (optopt > 0 && optopt < LONG_BASE)
                fail("There is no option -%c; see --help.", optopt);
        else if (optopt >= LONG_BASE)
                fail("--%s takes no value.", rows[optopt - LONG_BASE].name);
        else
                fail("There is no option %s; see --help.", argv[optind - 1]);
        return OPTIONS_WRONG;
}

#define IN_ORDER 1 /* what getopt_long(3) says of a word that is no option, when it is asked not to sort */

static void take_word(struct options *o, size_t *n, char *word) {
        o->words[(*n)++] = word;
        if (*n == 1)
                o->runs_a_command = (streq(word, "exec") && !o->machinectl) || streq(word, "shell");
}

enum options_result options_parse(int argc, char **argv, struct options *ret, char ***ret_args) {
        static char *help_words[] = { NULL, NULL };
        struct option longs[N_ROWS + 1];
        char shorts[2 * N_ROWS + 3];
        const char *instead = NULL;
        enum options_result r;
        size_t n = 0;
        int c;

        ret->run = "/run";
        ret->legend = ret->pager = ret->ask_password = true;
        ret->max_addresses = 1;
        ret->timeout_usec = UINT64_MAX;
        ret->words = calloc((size_t) argc + 2, sizeof(*ret->words));
        if (!ret->words) {
                fail("Out of memory.");
                return OPTIONS_WRONG;
        }
        build_tables(ret->machinectl, longs, shorts);
        opterr = 0;
        while ((c = getopt_long(argc, argv, shorts, longs, NULL)) >= 0) {
                if (c == '?' || c == ':')
                        return complain(c, argc, argv);
                if (c == IN_ORDER) {
                        take_word(ret, &n, optarg);
                        if (ret->runs_a_command && n > 2)
                                break;
                        continue;
                }
                r = apply(row_of(c, ret->machinectl), ret, optarg, &instead);
                if (r != OPTIONS_GO)
                        return r;
        }
        for (int i = optind; i < argc; i++)
                take_word(ret, &n, argv[i]);
        *ret_args = ret->words;
        if (instead) { /* --help and --version are the verbs of that name, whatever else was said */
                help_words[0] = (char *) instead;
                *ret_args = help_words;
        }
        return OPTIONS_GO;
}

void options_done(struct options *o) {
        strv_free(o->properties);
        strv_free(o->reg.interfaces);
        strv_free(o->session.environment);
        free(o->words);
}

void options_help(bool machinectl) {
        for (size_t i = 0; i < N_ROWS; i++) {
                const struct row *row = rows + i;
                char name[64];

                if (!row->text || row->where == REFUSED || !row_known(row, machinectl))
                        continue;
                snprintf(name, sizeof(name), "%s%s%s%s", row->name ? "--" : "", row->name ? row->name : "",
                         row->argument ? "=" : "", row->argument ? row->argument : "");
                if (row->letter)
                        printf("  -%c %-24s %s\n", row->letter, name, row->text);
                else
                        printf("     %-24s %s\n", name, row->text);
        }
}
