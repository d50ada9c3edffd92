/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The search path and what counts as an image are machinectl(1)'s: symbolic links are followed, for whoever may make one there
 * is root. */
#include "backend/images.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/auto.h"
#include "base/str.h"
#include "core/name.h"

static bool is_of_type(const char *directory, const char *name, const char *suffix, mode_t type) {
        char path[64 + IMAGE_NAME_MAX];
        struct stat st;
        int n = snprintf(path, sizeof(path), "%s/%s%s", directory, name, suffix);

        return n > 0 && (size_t) n < sizeof(path) && stat(path, &st) >= 0 && (st.st_mode & S_IFMT) == type;
}

static int images_exists(void *impl, const char *name) {
        static const char *const directories[] = {
                "/etc/machines",      "/run/machines",           "/var/lib/machines",
                "/var/lib/container", "/usr/local/lib/machines", "/usr/lib/machines",
        };
        static const struct {
                const char *suffix;
                mode_t type;
        } forms[] = { { "", S_IFDIR }, { ".raw", S_IFREG }, { "", S_IFBLK }, { ".mstack", S_IFDIR } };

        for (size_t d = 0; d < ELEMENTS(directories); d++) {
                /* Newer versions of the original find a disk by its whole name, too. */
                if (endswith(name, ".raw") && is_of_type(directories[d], name, "", S_IFREG))
                        return 1;
                for (size_t f = 0; f < ELEMENTS(forms); f++)
                        if (is_of_type(directories[d], name, forms[f].suffix, forms[f].type))
                                return 1;
        }
        return 0;
}

struct image_port images_port(void) {
        return (struct image_port){ .exists = images_exists };
}
