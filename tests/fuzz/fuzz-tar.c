/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* An archive from anybody, as muster-transfer reads it; whatever is read can be written, and is read as the same then. */
#include <stdlib.h>
#include <string.h>

#include "codec/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int next(struct tar_reader *r, const uint8_t **p, size_t *left) {
        while (*left >= TAR_BLOCK) {
                int step = tar_reader_block(r, *p);
                uint8_t *copy;

                *p += TAR_BLOCK;
                *left -= TAR_BLOCK;
                if (step != TAR_EXTENDED)
                        return step;
                if (*left < r->size + tar_padding(r->size))
                        return TAR_END;
                copy = malloc(r->size); /* so that the sanitizer sees what is read behind it */
                if (!copy)
                        abort();
                memcpy(copy, *p, r->size);
                step = tar_reader_extended(r, (char *) copy, r->size);
                free(copy);
                if (step < 0)
                        return step;
                *left -= r->size + tar_padding(r->size);
                *p += r->size + tar_padding(r->size);
        }
        return TAR_END;
}

static void write_and_read(const struct tar_member *m) {
        struct tar_reader r = TAR_READER_EMPTY;
        AUTO_BUF struct buf out = BUF_EMPTY;
        const uint8_t *p;
        size_t left;

        if (m->type == TAR_OTHER || tar_encode(m, &out) < 0)
                return;
        p = (const uint8_t *) out.data;
        left = out.size;
        if (next(&r, &p, &left) != TAR_MEMBER || !streq(r.member.path, m->path) || r.member.size != m->size ||
            r.member.mode != m->mode || r.member.uid != m->uid || r.member.gid != m->gid ||
            r.member.mtime != m->mtime || r.member.mtime_nsec != m->mtime_nsec || r.member.n_xattrs != m->n_xattrs)
                abort();
        tar_reader_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct tar_reader r = TAR_READER_EMPTY;

        while (next(&r, &data, &size) == TAR_MEMBER) {
                const struct tar_member *m = &r.member;
                uint64_t content = m->size + tar_padding(m->size);

                if (!*m->path || strlen(m->path) > TAR_PATH_MAX || m->mode > 07777)
                        abort();
                write_and_read(m);
                if (content > size)
                        break;
                data += content;
                size -= content;
        }
        tar_reader_done(&r);
        return 0;
}
