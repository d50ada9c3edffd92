/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-spawn/console-look.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/id128.h"
#include "base/str.h"
#include "sys/procfs.h"

static const char *own_user(void) {
        const char *name = getenv("LOGNAME");

        return geteuid() == 0 ? "root" : *strempty(name) ? name : getenv("USER");
}

static const char *id_text(const struct id128 *id, char buffer[static ID128_STRING_SIZE]) {
        return id128_is_null(id) ? NULL : id128_to_string(id, buffer);
}

void console_look_make(struct console_look *ret, const struct spec *spec, const struct facts *facts) {
        bool colors = !*strempty(getenv("NO_COLOR"));
        char id[ID128_STRING_SIZE], machine_id[ID128_STRING_SIZE], boot_id[ID128_STRING_SIZE];
        struct id128 random = { 0 }, boot = { 0 };
        struct utsname host = { 0 };
        struct terminal_context c;

        ret->background = NULL;
        *ret->begin = *ret->end = '\0';
        if (isempty(facts->terminal_type) || streq(facts->terminal_type, "dumb"))
                return;
        ret->background = colors ? spec->background : NULL;
        if (getrandom(random.bytes, sizeof(random.bytes), 0) != (ssize_t) sizeof(random.bytes))
                return;
        (void) uname(&host);
        (void) proc_boot_id(&boot);
        c = (struct terminal_context){
                .id = id128_to_string(&random, id),
                .user = own_user(),
                .hostname = host.nodename,
                .machine_id = id_text(&facts->machine_id, machine_id),
                .boot_id = id_text(&boot, boot_id),
                .program = program_invocation_short_name,
                .pid = (unsigned long) getpid(),
                .container = facts->machine,
        };
        if (terminal_context_begin(&c, colors, ret->begin, sizeof(ret->begin)) > 0)
                (void) terminal_context_end(&c, colors, ret->end, sizeof(ret->end));
}
