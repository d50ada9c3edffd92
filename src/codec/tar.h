/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/tar.h: members of a tar archive <-> structs, a block of 512 bytes at a time; the content of files is the caller's.
 *
 * Written is what POSIX calls pax: ustar headers, before them an extended one for what does not fit. Read are those, what older tars
 * wrote (v7), and of GNU tar's extensions long names and large numbers; sparse files and archives in several volumes are refused. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

#define TAR_BLOCK ((size_t) 512)
#define TAR_EXTENDED_MAX ((size_t) 1 << 20) /* bytes of what describes one member: names, extended attributes */
#define TAR_XATTRS_MAX 256
#define TAR_PATH_MAX ((size_t) 4095)

enum tar_type {
        TAR_FILE, /* the only one with content */
        TAR_HARD_LINK,
        TAR_SYMLINK,
        TAR_DIRECTORY,
        TAR_FIFO,
        TAR_OTHER, /* devices, and what is not known */
};

struct tar_xattr {
        const char *name;
        const void *value;
        size_t size;
};

struct tar_member {
        enum tar_type type;
        const char *path;   /* never empty; as it was written: may be absolute, and have ".." in it */
        const char *target; /* of links; else NULL */
        uint32_t mode;      /* 07777 at most */
        uint32_t uid, gid;
        uint64_t size; /* of the content; 0 for all that has none */
        int64_t mtime;
        uint32_t mtime_nsec;
        const struct tar_xattr *xattrs;
        size_t n_xattrs;
};

/* Appends the header blocks of one member. -ENOMEM; -E2BIG: what describes it is larger than TAR_EXTENDED_MAX. -EINVAL: the name
 * of an extended attribute has a '=', for which there is no place. */
int tar_encode(const struct tar_member *m, struct buf *out);
/* Appends what an archive ends with. */
int tar_encode_end(struct buf *out);
/* Bytes of zeros behind a content of that size. */
static inline size_t tar_padding(uint64_t size) {
        return (size_t) (-size & (TAR_BLOCK - 1));
}

enum tar_step {
        TAR_END,      /* that was the end of the archive */
        TAR_EXTENDED, /* reader->size bytes follow (and padding): they are to be given to tar_reader_extended() */
        TAR_MEMBER,   /* reader->member, valid until the next call; its content follows, and padding */
};

struct tar_reader {
        struct tar_member member;
        size_t size;
        /* private */
        char type;
        char path[TAR_PATH_MAX + 1], target[TAR_PATH_MAX + 1]; /* of the header */
        struct buf texts; /* what the headers before the member said: strings, each with its NUL */
        struct tar_xattr xattrs[TAR_XATTRS_MAX];
        size_t long_path, long_target; /* 1 + where in texts they begin; 0: not said */
        size_t xattr_names[TAR_XATTRS_MAX], xattr_values[TAR_XATTRS_MAX]; /* where in texts */
        uint64_t pax_size, pax_uid, pax_gid;
        int64_t pax_mtime;
        uint32_t pax_mtime_nsec;
        unsigned said; /* which of these were */
        bool forget;   /* what was said belongs to the member that was given last */
};

#define TAR_READER_EMPTY \
        { .texts = BUF_EMPTY }

/* The next header block: an enum tar_step. -EBADMSG: that is no tar archive, or not any more. -EOPNOTSUPP: a kind of member that is
 * not read. -E2BIG, -ENOMEM. */
int tar_reader_block(struct tar_reader *r, const uint8_t block[static TAR_BLOCK]);
int tar_reader_extended(struct tar_reader *r, const char *data, size_t size);
void tar_reader_done(struct tar_reader *r);
