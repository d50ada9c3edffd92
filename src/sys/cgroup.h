/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/cgroup.h: directories of control group hierarchies, v1 and v2, always by descriptor (cgroups(7), Linux 5.6 for
 * openat2(2)). Paths are relative, without ".."; neither links nor other mounts are followed. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* How deep v1 cgroups are searched for processes; v2 needs no searching. */
#define CGROUP_DEPTH_MAX 64
/* How many groups are looked into by somebody for whom others wait: whoever lives in one may make as many as he likes. A tenth
 * of a second; an OS has some hundred. */
#define CGROUP_GROUPS_MAX ((size_t) 4096)

/* Directory descriptor for reading, close-on-exec. "" is dir_fd itself again. -ENOENT, -ELOOP, -EXDEV. */
int cgroup_open(int dir_fd, const char *path);
/* Where a hierarchy is mounted: absolute path, links are followed (the host's own mount table names it). */
int cgroup_open_mount(const char *path);

/* Makes one directory and opens it: its fd, or -EEXIST and what else mkdir(2) says. */
int cgroup_make(int dir_fd, const char *name);

/* Moves one process into the cgroup. -ESRCH: it is gone. -EBUSY, -EOPNOTSUPP: v2 allows no processes there. */
int cgroup_attach(int fd, pid_t pid);

/* Are there processes in the cgroup or below? v2: cgroup.events; v1 (no such file): looks for any. 1, 0 or -errno; a
 * removed one has none. */
int cgroup_is_populated(int fd);

/* Writes value to the attribute and reads it back. 0; 1: read back as something else, which *ret_got (malloc'ed, may be
 * NULL when out of memory) shows. The comparing knows how kernels spell: sizes round down to pages, "max" may be a huge
 * number, io.max and its like are tables by device. */
int cgroup_set(int fd, const char *attribute, const char *value, char **ret_got);

/* Does a word list such as cgroup.controllers hold the word? 1, 0 or -errno. */
int cgroup_lists(int fd, const char *attribute, const char *word);

/* Gives the directory and the files by which it is delegated to uid (cgroups(7), "Cgroups v2 delegation"). */
int cgroup_give_to(int fd, uid_t uid);

/* Marks a directory as made by us, as extended attribute trusted.muster.scope, or user.muster.scope where we may not set
 * that. text: the machine name, or CGROUP_MARK_SLICE. */
#define CGROUP_MARK_SLICE "/"
#define CGROUP_MARK_UNIT "*" /* a scope without a machine: cgroup_note() says more */
#define CGROUP_MARK_MAX 64
int cgroup_mark(int fd, const char *text);
/* 1 and the text (NUL-terminated), or 0: not marked. */
int cgroup_marked(int fd, char ret[static CGROUP_MARK_MAX + 1]);

/* A text beside the mark, as trusted.muster.unit or user.muster.unit: gone when the directory is. */
#define CGROUP_NOTE_MAX 4096
int cgroup_note(int fd, const char *text);
/* Its size and the text (NUL-terminated), or 0: there is none. */
size_t cgroup_noted(int fd, char ret[static CGROUP_NOTE_MAX + 1]);

/* Notes in dir_fd, as trusted.muster.begun or user.muster.begun, which directory is about to be made in it, until finish: a
 * process that is killed before it has marked what it made leaves the note, and a later one clears both away. Only a help:
 * where no note can be written there is none. name: at most NAME_MAX bytes, no slash. */
void cgroup_begin(int dir_fd, const char *name);
void cgroup_finish(int dir_fd);
/* Removes what was begun in dir_fd and never finished, if nobody lives in it. */
void cgroup_clear_unfinished(int dir_fd);

/* Removes dir_fd/name and everything below, bottom-up. dir_fd may hold the whole rest of the path in name. 0 also when it
 * was not there. -EBUSY: processes live in it. -EAGAIN: many directories were removed, more are left: call again. */
int cgroup_remove(int dir_fd, const char *name);

/* Calls found(name) for each directory in fd, until it returns non-zero, which is returned. At most 65536. */
int cgroup_list(int fd, int (*found)(void *userdata, const char *name), void *userdata);
