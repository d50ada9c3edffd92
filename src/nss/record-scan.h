/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nss/record-scan.h: a machine's record in /run/systemd/machines, as far as names need it. Pure, allocates nothing. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECORD_SCAN_INTERFACES_MAX 32 /* further ones are left out */
#define RECORD_SCAN_LINE_MAX 256      /* bytes of a line that are looked at */

struct record_scan {
        bool container;
        uint32_t uid; /* whose machine it is */
        unsigned n_interfaces;
        uint32_t interfaces[RECORD_SCAN_INTERFACES_MAX]; /* of the host */
        /* the line being read */
        size_t size;
        char line[RECORD_SCAN_LINE_MAX + 1];
};

void record_scan_init(struct record_scan *s);
void record_scan_feed(struct record_scan *s, const char *data, size_t size);
/* After the last byte: a line may lack its end. */
void record_scan_end(struct record_scan *s);
