/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-hook/options.h"

#include <getopt.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "core/name.h"
#include "muster-hook/fail.h"

#define ANNOTATION "org.freedesktop.machine1.name"
#define TIMEOUT_MSEC 5000 /* a container waits for us: less patience than muster has */

static int wrong(const char *option, const char *value, const char *right) {
        return fail("--%s=%s: must be %s.", option, value, right);
}

static int set_required(struct options *o, const char *value) {
        o->required = true;
        return 0;
}

static int set_name(struct options *o, const char *value) {
        if (!machine_name_is_valid(value))
                return wrong("name", value, "1 to 64 letters, digits, '-' and single dots");
        o->name = value;
        return 0;
}

static int set_service(struct options *o, const char *value) {
        o->service = value;
        return *value && text_is_valid(value, 256) ? 0 : wrong("service", value, "text");
}

static int set_annotation(struct options *o, const char *value) {
        o->annotation = *value ? value : NULL;
        return 0;
}

static int set_run(struct options *o, const char *value) {
        o->run = value;
        return *value == '/' ? 0 : wrong("run", value, "an absolute path");
}

static int set_timeout(struct options *o, const char *value) {
        uint64_t usec;

        if (parse_usec(value, &usec) < 0 || usec < 1000 || usec / 1000 > INT_MAX)
                return wrong("timeout", value, "a time such as 5, 500ms or 1min");
        o->timeout_msec = (unsigned) (usec / 1000);
        return 0;
}

static const struct row {
        const char *name;
        const char *argument;                             /* NULL: takes none */
        int (*set)(struct options *o, const char *value); /* NULL: help and version */
        const char *text;
} rows[] = {
        { "help", NULL, NULL, "Show this text" },
        { "version", NULL, NULL, "Show the version" },
        { "required", NULL, set_required, "Fail, so that the container does not start, when it cannot be registered" },
        { "name", "NAME", set_name, "Machine name, instead of the container's" },
        { "service", "NAME", set_service, "Who runs the container (lxc; oci)" },
        { "annotation", "KEY", set_annotation, "oci: where the name may be (" ANNOTATION "); empty: nowhere" },
        { "timeout", "TIME", set_timeout, "How long to wait for the registry (5s)" },
        { "run", "DIR", set_run, "Run-time directory of the daemon (/run)" },
};

#define N_ROWS ELEMENTS(rows)

static void print_help(void) {
        puts("Usage: muster-hook [OPTION...] lxc|oci\n\n"
             "Run by a container manager: tells the registry of machines of its containers.\n\n"
             "  lxc   as lxc.hook.start-host and lxc.hook.post-stop\n"
             "  oci   as createRuntime and poststop hook of an OCI runtime; the container's state is on standard "
             "input\n");
        for (size_t i = 0; i < N_ROWS; i++) {
                char name[64];

                snprintf(name, sizeof(name), "--%s%s%s", rows[i].name, rows[i].argument ? "=" : "",
                         strempty(rows[i].argument));
                printf("  %-20s %s\n", name, rows[i].text);
        }
        puts("\nSee muster-hook(8).");
}

static enum options_result answer(const struct row *row) {
        if (streq(row->name, "help"))
                print_help();
        else
                puts("muster-hook " MUSTER_VERSION);
        return OPTIONS_DONE;
}

static enum options_result complain(int c, char **argv) {
        if (c == ':')
                fail("%s needs a value.", argv[optind - 1]);
        else if (optopt > 0)
                fail("There is no option -%c; see --help.", optopt);
        else
                fail("There is no such option: %s; see --help.", argv[optind - 1]);
        return OPTIONS_WRONG;
}

enum options_result options_parse(int argc, char **argv, struct options *ret, char ***ret_words) {
        struct option longs[N_ROWS + 1] = { { 0 } };
        int c, index = 0;

        *ret = (struct options){ .annotation = ANNOTATION, .run = "/run", .timeout_msec = TIMEOUT_MSEC };
        for (size_t i = 0; i < N_ROWS; i++)
                longs[i] =
                        (struct option){ rows[i].name, rows[i].argument ? required_argument : no_argument, NULL, 'L' };
        opterr = 0;
        while ((c = getopt_long(argc, argv, "+:", longs, &index)) >= 0) {
                if (c != 'L')
                        return complain(c, argv);
                if (!rows[index].set)
                        return answer(rows + index);
                if (rows[index].set(ret, optarg) < 0)
                        return OPTIONS_WRONG;
        }
        *ret_words = argv + optind;
        return OPTIONS_GO;
}
