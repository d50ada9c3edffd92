/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-transfer/levels.h: the directories from the destination down to where the last member went, open; and what has been made in
 * directories that were there before, so that it can be taken back. */
#pragma once

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "codec/tar.h"

#define LEVELS_MAX 258
#define TEMPORARY_SIZE 32

/* What is set when the content is complete. */
struct attributes {
        uid_t uid;
        gid_t gid;
        mode_t mode;
        struct timespec mtime;
};

/* keep_owners: else root's, without setuid and setgid. */
struct attributes attributes_of(const struct tar_member *m, bool keep_owners);
struct attributes attributes_default(void); /* of a directory that nobody has described */
/* The order matters: a new owner takes away setuid bits. m: for its extended attributes; NULL: none. -EINVAL: no such owner. */
int attributes_set(const struct attributes *a, int fd, const struct tar_member *m);
/* The same by a place (O_PATH), for what is never opened. */
int attributes_set_by_place(const struct attributes *a, int fd, bool is_link);

/* A name that nobody has guessed. */
int temporary_name(char ret[static TEMPORARY_SIZE]);

struct level {
        int fd;
        char name[256];
        bool ours;      /* it was made by us, or is below such a one */
        bool described; /* attributes are to be set when it is left */
        struct attributes attributes;
};

struct made {
        char *path; /* from the destination */
        dev_t device;
        ino_t inode;
};

struct levels {
        struct level all[LEVELS_MAX];
        size_t n;
        struct made *made;
        size_t n_made, allocated;
};

/* fd: of the destination, consumed, or -errno, which is returned. */
int levels_begin(struct levels *l, int fd, bool ours);
struct level *levels_last(struct levels *l);
/* Into the directory `name` of the last one; made: by us, just now. -ENOTDIR: it is none. */
int levels_enter(struct levels *l, const char *name, bool made);
/* What the last one shall be like in the end; m: its extended attributes are set now. */
int levels_describe(struct levels *l, const struct attributes *a, const struct tar_member *m);
/* `name` was made in the last one: levels_undo() removes it. -ENOMEM. */
int levels_remember(struct levels *l, const char *name);

/* Is that the destination itself? */
bool levels_is_top(const char *path);
/* Leaves and enters directories until the last is that of path; those that are missing are made. -EBADMSG: there is ".." in path. last:
 * its last component. */
int levels_go_to_parent(struct levels *l, const char *path, char last[static 256]);
/* Only opens it, as a place, and leaves the levels as they are. */
int levels_open_parent(const struct levels *l, const char *path, char last[static 256]);

/* Leaves all but the first, and describes that, too. */
int levels_end(struct levels *l);
/* Removes what was remembered. */
void levels_undo(struct levels *l);
void levels_done(struct levels *l);
