/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster: asks the registry and shows its answer.
 *
 * Flow:  main.c        finds the verb in the table, checks how many names it gets
 *        options.c     the command line -> struct options, by a table
 *        verb-*.c      one verb, or a few that are alike
 *        session-*.c   something that runs in a machine: started, and looked after until it ends
 *        fetch.c       machines from the daemon (client/varlink-client.c, codec/machine-view.c), or, when none runs, from
 *                      the state directory (client/state-dir.c)
 *        properties.c, process-tree.c, table-out.c   what was fetched -> text
 *        output.c      text or JSON -> terminal, pager or pipe
 *        failure.c     error names -> sentences
 *
 * Called as machinectl it knows only what machinectl knows, and exits with 1 where muster exits with 2. */
#include <stdio.h>

#include "base/auto.h"
#include "muster/failure.h"
#include "muster/output.h"
#include "muster/verbs.h"

static int verb_help(const struct options *o, char **args);

static int verb_version(const struct options *o, char **args) {
        puts("muster " MUSTER_VERSION);
        return EXIT_SUCCESS;
}

#define ANY -1

static const struct verb {
        const char *name;
        int min_args, max_args; /* max ANY: no limit */
        bool ours;              /* machinectl has no such verb */
        int (*run)(const struct options *o, char **args);
        const char *synopsis; /* NULL: not in the help */
        const char *text;
} verbs[] = {
        { "list", 0, 0, false, verb_list, "list", "List running containers and virtual machines" },
        { "status", 1, ANY, false, verb_status, "status NAME...", "Show a machine and its processes" },
        { "show", 0, ANY, false, verb_show, "show [NAME...]", "Show properties, for programs" },
        { "exec", 1, ANY, true, verb_exec, "exec NAME [--] COMMAND...", "Run a command in a machine" },
        { "shell", 1, ANY, false, verb_shell, "shell [USER@]NAME [COMMAND...]", "Open a shell in a machine" },
        { "login", 1, 1, false, verb_login, "login NAME", "Log in to a machine" },
        { "copy-to", 2, 3, false, verb_copy_to, "copy-to NAME PATH [PATH]", "Copy files from the host into a machine" },
        { "copy-from", 2, 3, false, verb_copy_from, "copy-from NAME PATH [PATH]",
          "Copy files from a machine to the host" },
        { "bind", 2, 3, false, verb_bind, "bind NAME PATH [PATH]", "Mount a directory of the host in a machine" },
        { "poweroff", 1, ANY, false, verb_poweroff, "poweroff NAME...", "Ask machines to shut down (also: stop)" },
        { "stop", 1, ANY, false, verb_poweroff, NULL, NULL },
        { "reboot", 1, ANY, false, verb_reboot, "reboot NAME...", "Ask machines to restart" },
        { "restart", 1, ANY, false, verb_reboot, NULL, NULL },
        { "terminate", 1, ANY, false, verb_terminate, "terminate NAME...", "End machines at once" },
        { "kill", 1, ANY, false, verb_kill, "kill NAME...", "Send a signal to processes of machines" },
        { "register", 1, 1, true, verb_register, "register NAME --leader=PID", "Tell the registry of a machine" },
        { "unregister", 1, ANY, true, verb_unregister, "unregister NAME...", "Make it forget machines, which run on" },
        { "wait", 1, ANY, true, verb_wait, "wait NAME...", "Wait until machines run, or are gone" },
        { "events", 0, ANY, true, verb_events, "events [NAME...]", "What happened to machines, and who did it" },
        { "logs", 0, ANY, true, verb_logs, "logs [NAME]", "Show what a machine said on its console" },
        { "stats", 0, ANY, true, verb_stats, "stats [NAME...]", "Show what machines use: processor, memory, tasks" },
        { "resolve", 1, ANY, true, verb_resolve, "resolve NAME...", "Show the addresses of machines" },
        { "user", 0, ANY, true, verb_user, "user [UID|NAME:UID...]",
          "Which machine has a user number, and which number a user" },
        { "doctor", 0, 0, true, verb_doctor, "doctor", "What of this host is used, and what is missing" },
        { "help", 0, ANY, false, verb_help, NULL, NULL },
        { "version", 0, ANY, false, verb_version, NULL, NULL },
};

/* machinectl's verbs that need what Muster does not have yet: a true sentence instead of "unknown". */
static const char *const not_yet[] = {
        "start",      "enable",         "disable",         "list-images", "image-status", "show-image",
        "clone",      "rename",         "read-only",       "remove",      "set-limit",    "clean",
        "pull-tar",   "pull-raw",       "import-tar",      "import-raw",  "import-fs",    "export-tar",
        "export-raw", "list-transfers", "cancel-transfer", "edit",        "cat",
};

static int verb_help(const struct options *o, char **args) {
        printf("Usage: %s [OPTION...] VERB ...\n\nAsks the registry of this host's containers and virtual "
               "machines.\n\n",
               o->machinectl ? "machinectl" : "muster");
        for (size_t i = 0; i < ELEMENTS(verbs); i++)
                if (verbs[i].synopsis && !(o->machinectl && verbs[i].ours))
                        printf("  %-28s %s\n", verbs[i].synopsis, verbs[i].text);
        puts("");
        options_help(o->machinectl);
        printf("\nWithout a verb: list. See muster(1).\n");
        return EXIT_SUCCESS;
}

static const struct verb *find_verb(const char *name, bool machinectl) {
        for (size_t i = 0; i < ELEMENTS(verbs); i++)
                if (streq(verbs[i].name, name) && !(machinectl && verbs[i].ours))
                        return verbs + i;
        return NULL;
}

static int unknown_verb(const char *name) {
        AUTO_FREE char *shown = output_safe(name, true);

        for (size_t i = 0; i < ELEMENTS(not_yet); i++)
                if (streq(not_yet[i], name))
                        return fail("\"%s\" is not possible yet: images are still to come.", name);
        return fail("There is no verb \"%s\"; see --help.", shown);
}

/* Of a verb that runs a command every status below 125 is the command's. */
static int usage_status(const struct options *o) {
        return o->runs_a_command ? EXIT_SESSION : o->machinectl ? EXIT_FAILURE : EXIT_USAGE;
}

static int run(const struct options *o, char **args) {
        const char *name = *args ? *args : "list";
        const struct verb *verb = find_verb(name, o->machinectl);
        int n = *args ? (int) strv_length(args + 1) : 0;
        int usage = usage_status(o), r;

        if (!verb) {
                unknown_verb(name);
                return usage;
        }
        if (n < verb->min_args) {
                fail(verb->min_args > 1 ? "%s needs the name of a machine, and what."
                                        : "%s needs the name of a machine.",
                     name);
                return usage;
        }
        if (verb->max_args != ANY && n > verb->max_args) {
                fail(verb->max_args == 0   ? "%s takes no names."
                     : verb->max_args == 1 ? "%s takes one name."
                                           : "%s takes one name and two paths.",
                     name);
                return usage;
        }
        r = verb->run(o, *args ? args + 1 : args);
        return r == EXIT_USAGE && !o->runs_a_command ? usage : r;
}

int main(int argc, char **argv) {
        const char *slash = argc > 0 ? strrchr(argv[0], '/') : NULL;
        struct options o = { 0 };
        char **args;
        int status;

        if (argc < 1)
                return EXIT_FAILURE;
        o.machinectl = streq(slash ? slash + 1 : argv[0], "machinectl");
        switch (options_parse(argc, argv, &o, &args)) {
        case OPTIONS_DONE:
                status = EXIT_SUCCESS;
                break;
        case OPTIONS_WRONG:
                status = usage_status(&o);
                break;
        default:
                status = run(&o, args);
        }
        options_done(&o);
        return fflush(stdout) == 0 && !ferror(stdout) ? status : EXIT_FAILURE;
}
