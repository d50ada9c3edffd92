/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/own-segments.h: the segments of the program that is running. Freestanding: also used before there is a C library. */
#pragma once

#include <stdint.h>

struct prctl_mm_map; /* <sys/prctl.h> */

/* The pages of the writable segments, all at once. Each by itself is a trap, in a virtual machine whose page tables its host keeps one
 * of 20 to 40 microseconds; a page that is asked for beforehand takes one or two. madvise(2), MADV_POPULATE_WRITE: before Linux 5.14
 * nothing happens. */
void own_segments_prefault(void);
/* Maps the program once more, from the file that it is (open for reading), somewhere else. How far away that is; 0: it cannot be. */
intptr_t own_segments_copy(int file);
/* Called in such a copy: takes the program away that is `by` before it. */
void own_segments_unmap(intptr_t by);
/* Where its code and its data are: start_code to end_data of *ret. */
void own_segments_places(struct prctl_mm_map *ret);
/* Makes read-only what only the start of the program had to write to (ld(1), -z relro), for C libraries that leave a static program
 * as it is. -errno of mprotect(2). */
int own_segments_seal(void);
