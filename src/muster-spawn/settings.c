/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-spawn/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "base/str.h"
#include "spec/spec-ini.h"
#include "spec/spec-merge.h"

static const char *const trusted_directories[] = { "/etc/systemd/nspawn", "/run/systemd/nspawn" };

/* The directory that the tree is in. Its files come with the tree, from whoever made that. */
static int beside(const char *root, const char *name, char **ret) {
        const char *slash = strrchr(root, '/');

        if (!slash || !slash[1]) {
                *ret = NULL;
                return 0;
        }
        return asprintf(ret, "%.*s/%s.nspawn", (int) (slash - root), root, name) < 0 ? -ENOMEM : 0;
}

/* A regular file, at most SPEC_FILE_MAX. -ENOENT. */
static int read_settings(const char *path, char **ret, size_t *ret_size) {
        AUTO_CLOSE int fd = openat(AT_FDCWD, path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
        AUTO_FREE char *text = NULL;
        struct stat st;
        size_t size = 0;

        if (fd < 0)
                return -errno;
        if (fstat(fd, &st) < 0)
                return -errno;
        if (!S_ISREG(st.st_mode))
                return -EINVAL;
        if (st.st_size > SPEC_FILE_MAX)
                return -EFBIG;
        text = malloc((size_t) st.st_size + 1);
        if (!text)
                return -ENOMEM;
        while (size < (size_t) st.st_size) {
                ssize_t n = read(fd, text + size, (size_t) st.st_size - size);

                if (n < 0)
                        return -errno;
                if (n == 0)
                        break;
                size += (size_t) n;
        }
        *ret = STEAL(text);
        *ret_size = size;
        return 0;
}

static void warn(unsigned line, const char *text, void *userdata) {
        log_warning("%s:%u: %s", (const char *) userdata, line, text);
}

static int take(struct spec *s, char *path, const char *text, size_t size, bool trusted, struct diag *diag) {
        struct spec file;
        struct diag found = { 0 };
        int r;

        spec_init(&file);
        r = spec_from_ini(text, size, trusted || s->settings_mode == SETTINGS_TRUSTED, warn, path, &file, &found);
        if (r < 0)
                return diag_set(diag, r, NULL, "%.60s:%u: %.90s", path, found.line,
                                *found.text ? found.text : "cannot be read");
        spec_merge(s, &file, s->settings_mode == SETTINGS_OVERRIDE);
        spec_done(&file);
        log_debug("settings of %s", path);
        return 0;
}

/* path is consumed. 1: taken. 0: there is none. */
static int try(struct spec *s, char *path, bool trusted, struct diag *diag) {
        AUTO_FREE char *owned = path, *text = NULL;
        size_t size = 0;
        int r = read_settings(owned, &text, &size);

        if (r == -ENOENT || r == -ENOTDIR)
                return 0;
        if (r < 0)
                return diag_set(diag, r, NULL, "cannot read the settings in %.90s: %s", owned, strerror(-r));
        r = take(s, owned, text, size, trusted, diag);
        return r < 0 ? r : 1;
}

int settings_load(struct spec *s, const char *name, const char *root, struct diag *diag) {
        char *path;
        int r;

        if (s->settings_mode == SETTINGS_NO)
                return 0;
        for (size_t i = 0; i < ELEMENTS(trusted_directories); i++) {
                if (asprintf(&path, "%s/%s.nspawn", trusted_directories[i], name) < 0)
                        return -ENOMEM;
                r = try(s, path, true, diag);
                if (r != 0)
                        return r < 0 ? r : 0;
        }
        r = beside(root, name, &path);
        if (r < 0 || !path)
                return r;
        r = try(s, path, false, diag);
        return r < 0 ? r : 0;
}
