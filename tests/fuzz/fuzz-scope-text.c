/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Lines as properties, one after the other: what is accepted keeps the header's promises. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "core/name.h"
#include "core/scope-text.h"

static void require(bool promise) {
        if (!promise)
                abort();
}

static void check(const struct scope_text *t) {
        const struct scope_properties *p = &t->properties;

        require(!scope_has(p, RESOURCE_MEMORY_MAX) || p->resources[RESOURCE_MEMORY_MAX] > 0);
        require(!scope_has(p, RESOURCE_CPU_WEIGHT) ||
                (p->resources[RESOURCE_CPU_WEIGHT] >= 1 && p->resources[RESOURCE_CPU_WEIGHT] <= 10000));
        require((p->cpus != NULL) == (p->n_cpus > 0));
        require(!p->cpus || p->cpus[p->n_cpus - 1] != 0);
        require(!p->slice || slice_name_is_valid(p->slice));
        for (size_t i = 0; i < p->n_io; i++)
                require(path_is_absolute_and_valid(p->io[i].path) && p->io[i].value > 0);
        for (size_t i = 0; i < t->n_devices; i++)
                require(t->devices[i].access > 0 && t->devices[i].access < 8);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        static const struct scope_text_host host = { .memory_bytes = UINT64_MAX, .tasks = 4096 };
        char *text = strndup((const char *) data, size), *rest = text, *line;
        struct scope_text t = { .devices = NULL };

        while (text && (line = strsep(&rest, "\n"))) {
                struct diag d = { 0 };
                int r = scope_text_add(&t, line, &host, &d);

                require(r == 0 || *d.text);
                check(&t);
        }
        scope_text_done(&t);
        free(text);
        return 0;
}
