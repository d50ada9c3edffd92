/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: a command line, a word a line or a word a NUL byte. On any kind of host (its size chooses one) it gives one clear sentence, or a plan which
 * keeps the rules: one that does not is our mistake, and says so with -ENOTRECOVERABLE. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../unit/invented-facts.h"
#include "base/auto.h"
#include "base/str.h"
#include "plan/plan-check.h"
#include "plan/plan-print.h"
#include "plan/plan.h"
#include "spec/spec-argv.h"
#include "spec/spec-check.h"

#define WORDS_MAX 256

static void require(bool promise) {
        if (!promise)
                abort();
}

static void require_sentence(int r, const struct diag *d) {
        bool known = r == -EINVAL || r == -EOPNOTSUPP || r == -E2BIG || r == -ERANGE, printable = *d->text;

        for (const char *p = d->text; *p; p++) /* it goes to a terminal */
                printable &= (unsigned char) *p >= ' ' && *p != 0x7f;
        if (known && printable)
                return;
        fprintf(stderr, "%d: %s: %s\n", r, d->field, d->text);
        abort();
}

static void require_plan(const struct plan *plan) {
        AUTO_BUF struct buf text = BUF_EMPTY, json = BUF_EMPTY;
        struct diag d = { 0 };

        require(plan_check(plan, &d) == 0);
        require(plan->payload.argv && plan->payload.argv[0] && plan->payload.candidates && plan->payload.candidates[0]);
        for (size_t i = 0; plan->payload.environment[i]; i++)
                require(strchr(plan->payload.environment[i], '='));
        require(plan_print_text(plan, &text) == 0 && plan_print_json(plan, &json) == 0);
        require(json.data[json.size - 1] == '\n' && memchr(json.data, '\n', json.size) == json.data + json.size - 1);
}

static void plan_on(const struct spec *spec, const char *facts) {
        struct invented invented;
        struct plan plan = { 0 };
        struct diag d = { 0 };
        int r;

        invent(facts, &invented);
        invent_for(spec, &invented);
        r = plan_build(spec, &invented.facts, NULL, NULL, &plan, &d);
        if (r < 0)
                require_sentence(r, &d);
        else
                require_plan(&plan);
        plan_done(&plan);
        invented_done(&invented);
}

static void plan_somewhere(struct spec *spec, size_t choice) {
        static const char *const hosts[] = {
                "like v2\nstdio_is_terminal yes\n",
                "like hybrid\nephemeral_upper /srv/.#upper\nuid 7\ngid 7\nhome /home/x\n",
                "like v1\nlocaltime_link -\nstub_resolver_running yes\nroot_uid 65536\n",
                "like none\nlocaltime_present no\nresolv_conf_present no\n",
                "like nested\n",
        };

        plan_on(spec, hosts[choice % ELEMENTS(hosts)]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO_FREE char *text = malloc(size + 1);
        char *argv[WORDS_MAX + 1];
        struct diag d = { 0 };
        struct spec spec;
        int n = 0, r;

        require(text != NULL);
        if (size)
                memcpy(text, data, size);
        text[size] = '\0';
        for (char *p = text; p < text + size && n < WORDS_MAX; p += strlen(p) + 1) {
                p[strcspn(p, "\n")] = '\0';
                argv[n++] = p;
        }
        argv[n] = NULL;
        spec_init(&spec);
        r = n ? spec_from_argv(n, argv, NULL, &spec, &d) : SPEC_OUTCOME_HELP;
        if (r == 0)
                r = spec_check(&spec, &d);
        if (r >= 0 && r < SPEC_OUTCOME_HELP)
                r = spec_check_supported(&spec, &d);
        if (r < 0)
                require_sentence(r, &d);
        else if (r == 0) {
                spec.no_seccomp |= size % 16; /* what a filter is has a target of its own, and takes most of the time */
                plan_somewhere(&spec, size);
        }
        spec_done(&spec);
        return 0;
}
