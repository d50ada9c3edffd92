/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Whatever a file says, for every number that may be in it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/cgroup-stats.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        char *text = strndup((const char *) data, size);

        if (!text)
                abort();
        for (int v2 = 0; v2 <= 1; v2++)
                for (const struct cgroup_stat_source *s = cgroup_stat_sources(v2); s->file; s++) {
                        uint64_t value = 0;

                        if (cgroup_stat_decode(s, text, &value) == 0 && value == STAT_UNKNOWN && s->divisor > 1)
                                abort();
                }
        free(text);
        return 0;
}
