/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What there is on the host where the journal of the machine would be. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "muster-spawn/gather.h"
#include "muster-spawn/idmap-ns.h"
#include "sys/fileio.h"
#include "sys/inode-info.h"

#define JOURNAL "/var/log/journal"

void gather_machine_id(struct facts *f) {
        AUTO_FREE char *text = NULL;

        if (!id128_is_null(&f->machine_id) || read_record_at(AT_FDCWD, "/etc/machine-id", 256, &text, NULL) < 0)
                return;
        text[strcspn(text, "\n")] = '\0';
        (void) id128_from_string(text, &f->machine_id);
}

static int read_link(const char *path, struct facts *f) {
        char target[PATH_MAX];
        ssize_t n = readlink(path, target, sizeof(target) - 1);

        if (n < 0)
                return -errno;
        target[n] = '\0';
        f->journal = JOURNAL_LINK;
        if (*target == '/')
                f->journal_link = strdup(target);
        else if (asprintf(&f->journal_link, JOURNAL "/%s", target) < 0)
                f->journal_link = NULL;
        return f->journal_link ? 0 : -ENOMEM;
}

/* What is kept on the host is shown to the machine as its own. */
static bool can_be_shown(const struct spec *s, const struct facts *f) {
        AUTO_CLOSE int tree = -EBADF;

        if (s->users_mode == USERS_NO || f->uid_base == 0 || s->link_journal == LINK_JOURNAL_GUEST ||
            s->link_journal == LINK_JOURNAL_TRY_GUEST)
                return true;
        tree = idmap_clone(JOURNAL, 0, f->uid_base, 1);
        return tree >= 0;
}

int gather_journal(const struct spec *s, struct facts *f) {
        char path[sizeof(JOURNAL) + 1 + ID128_STRING_SIZE], id[ID128_STRING_SIZE];
        struct inode_info info;
        bool must = s->link_journal == LINK_JOURNAL_GUEST || s->link_journal == LINK_JOURNAL_HOST;
        bool kept = false;
        int r;

        f->journal = JOURNAL_NO_BASE;
        if (s->link_journal == LINK_JOURNAL_NO || s->ephemeral)
                return 0;
        kept = access(JOURNAL, W_OK) == 0;
        if (kept || must) /* else nobody has to know */
                gather_machine_id(f);
        if (!kept || !can_be_shown(s, f))
                return 0;
        snprintf(path, sizeof(path), JOURNAL "/%s", id128_to_string(&f->uuid, id));
        r = inode_info(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, &info);
        if (r < 0) {
                f->journal = r == -ENOENT ? JOURNAL_MISSING : JOURNAL_OTHER;
                return 0;
        }
        if (S_ISLNK(info.type))
                return read_link(path, f);
        f->journal = S_ISDIR(info.type) && !info.mount_root ? JOURNAL_DIRECTORY : JOURNAL_OTHER;
        return 0;
}
