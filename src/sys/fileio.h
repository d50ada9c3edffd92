/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/fileio.h: whole small files by directory fd, bounded on reading, atomic on writing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads all of dir_fd/path (dir_fd may be AT_FDCWD), at most max bytes. *ret is malloc'ed and NUL-terminated one byte after
 * *ret_size (may be NULL). Follows no symlink in the last component. -EFBIG: larger than max. -errno of open(2), read(2). */
int read_file_at(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size);

/* The same for a file of one record, or of many short ones, such as /proc/PID/stat or uid_map: a read(2) that leaves half
 * of its room is taken for the last, which saves asking. Not for mountinfo: the kernel never splits a line of it between
 * two reads, so a short one may have a long line behind it. */
int read_record_at(int dir_fd, const char *path, size_t max, char **ret, size_t *ret_size);

/* The beginning of such a file, which is all of it where size bytes are enough, as a string. -errno of open(2), read(2). */
int read_text_at(int dir_fd, const char *path, char *ret, size_t size);

/* One write(2) of size bytes to an existing file (kernel attribute files). -EIO on a short write. */
int write_attribute_at(int dir_fd, const char *path, const char *data, size_t size);
/* The same for a NUL-terminated text. */
int write_attribute_text_at(int dir_fd, const char *path, const char *text);

/* Writes a temporary file beside dir_fd/name (mode as given), then renames it over: watchers see one IN_MOVED_TO. The
 * temporary is removed on failure. durable: fsync(2) before the rename (useless on tmpfs). */
int write_file_atomic_at(int dir_fd, const char *name, const char *data, size_t size, mode_t mode, bool durable);
/* Makes the symbolic link dir_fd/name -> target, replacing atomically what is there; nothing is done where it is so already. */
int symlink_atomic_at(int dir_fd, const char *target, const char *name);

/* mkdir -p of an absolute path; existing directories keep their mode. Never used on paths of others. */
int mkdir_parents(const char *path, mode_t mode);
/* The same, with 0755 for what is above the last component. */
int mkdir_below(const char *path, mode_t mode);
