/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Writes the filter of a container that asks for nothing special as C: see src/plan/filter-default.h. Runs when Muster is built, on
 * a machine of the kind that Muster is for. */
#include <stdio.h>
#include <string.h>

#include "plan/capabilities.h"
#include "plan/filter-rules.h"
#include "plan/filter.h"
#include "spec/spec.h"

int main(void) {
        static const struct spec nothing_asked_for;
        struct capability_facts facts = { .own = UINT64_MAX, .payload_is_root = true };
        struct capability_sets sets;
        struct diag diag = { 0 };
        struct filter filter;
        uint64_t missing;

        if (capabilities_decide(&nothing_asked_for, &facts, &sets, &missing, &diag) < 0 ||
            filter_build(&nothing_asked_for, sets.bounding, NULL, NULL, &filter, &diag) < 0) {
                fprintf(stderr, "make-default-filter: %s\n", *diag.text ? diag.text : "out of memory");
                return 1;
        }
        printf("/* Made by tools/make-default-filter.c. */\n#include \"plan/filter-default.h\"\n\n"
               "static const struct filter_instruction code[] = {\n");
        for (size_t i = 0; i < filter.n_code; i++)
                printf("        { 0x%02x, %u, %u, 0x%08x },\n", filter.code[i].code, filter.code[i].jt,
                       filter.code[i].jf, filter.code[i].k);
        printf("};\n\nconst struct filter_default filter_default = {\n"
               "        .code = code, .n_code = %zu, .n_allowed = %zu, .capabilities = UINT64_C(0x%llx),\n};\n",
               filter.n_code, filter.n_allowed, (unsigned long long) (sets.bounding & filter_rules_capabilities()));
        filter_done(&filter);
        return fflush(stdout) == 0 && !ferror(stdout) ? 0 : 1;
}
