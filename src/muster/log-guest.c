/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The journal that a machine keeps for itself. */
#include "muster/log-guest.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "muster/failure.h"
#include "muster/fetch.h"

static bool is_executable(const char *directory, size_t size, const char *name) {
        char path[4096];
        int n = snprintf(path, sizeof(path), "%.*s/%s", (int) size, directory, name);

        return n > 0 && (size_t) n < sizeof(path) && size > 0 && access(path, X_OK) == 0;
}

static bool is_in_path(const char *name) {
        const char *path = getenv("PATH");

        for (const char *p = strempty(path); *p;) {
                size_t size = strcspn(p, ":");

                if (is_executable(p, size, name))
                        return true;
                p += size + (p[size] == ':');
        }
        return false;
}

int log_guest_show(const struct options *o, const struct log_span *span, char *machine) {
        char lines[32], since[32], until[32];
        char *argv[16] = { (char *) "journalctl", (char *) "--machine", machine };
        struct machine_view v;
        size_t n = 3;

        if (!is_in_path("journalctl"))
                return fail("--guest: there is no journalctl on this host, which reads journals. Without --guest the "
                            "machine's console is shown.");
        if (fetch_one(o, machine, false, false, &v, NULL) != FETCH_FOUND)
                return EXIT_FAILURE;
        machine_view_done(&v);
        if (o->has_lines && o->lines < UINT32_MAX) {
                snprintf(lines, sizeof(lines), "--lines=%u", o->lines);
                argv[n++] = lines;
        }
        if (span->since_usec > 0) {
                snprintf(since, sizeof(since), "--since=@%llu", (unsigned long long) (span->since_usec / 1000000));
                argv[n++] = since;
        }
        if (span->until_usec < UINT64_MAX) {
                snprintf(until, sizeof(until), "--until=@%llu", (unsigned long long) (span->until_usec / 1000000));
                argv[n++] = until;
        }
        if (o->follow)
                argv[n++] = (char *) "--follow";
        if (o->json)
                argv[n++] = (char *) (o->json == JSON_PRETTY ? "--output=json-pretty" : "--output=json");
        if (!o->pager)
                argv[n++] = (char *) "--no-pager";
        argv[n] = NULL;
        execvp(argv[0], argv);
        return fail("Cannot run journalctl: %s.", strerror(errno));
}
