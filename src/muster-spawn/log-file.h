/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/log-file.h: the file that a machine's console is kept in: bounded, the older ones beside it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct log_file {
        const char *directory, *machine; /* borrowed */
        uint64_t size_max;               /* of one file */
        unsigned files;                  /* how many are kept; 1: no older ones */
        int directory_fd, fd;            /* -EBADF: not opened yet */
        bool torn;                       /* the last record in it was written in part */
};

/* Makes no system call. */
void log_file_init(struct log_file *f, const char *directory, const char *machine, uint64_t size_max, unsigned files);
void log_file_done(struct log_file *f);

/* Appends whole records, in one write; opens, makes and exchanges files as needed. Other writers, and somebody who moves or
 * removes the file, do no harm. No link is followed and nothing is written but regular files of our own.
 * -ELOOP, -EMLINK, -ENOTDIR, -EPERM, -ENXIO, -EBADF: what is there is not such a file, or its directory is not ours alone;
 * other negative errno: as the kernel has it (-ENOSPC, -EROFS ...). */
int log_file_write(struct log_file *f, const char *records, size_t size);
