/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/transfer-protocol.h: what muster-transfer is told, and what it reports; little-endian.
 *
 * Request, a file of 12 bytes and strings: u32 "MTR1", u8 kind, u8 flags, u16 0, u32 0; then, each with its NUL: source and
 * destination (empty where there is none).
 * Report, a packet of 40 bytes and a text: u32 "MTS1", u8 kind, u8 0, u16 0, u32 error, u32 0, u64 bytes, u64 files, u64 left out;
 * then the text without a NUL. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/str.h"
#include "core/transfer.h"

#define TRANSFER_REQUEST_MAX ((size_t) (12 + 2 * (TRANSFER_PATH_MAX + 1)))
#define TRANSFER_REPORT_TEXT_MAX ((size_t) 400)
#define TRANSFER_REPORT_MAX (40 + TRANSFER_REPORT_TEXT_MAX)

enum transfer_report_kind {
        TRANSFER_REPORT_PROGRESS = 1, /* more will come */
        TRANSFER_REPORT_DONE,         /* all of it is there: the last report */
        TRANSFER_REPORT_FAILED,       /* nothing of it is: the last report; error and text say why */
        _TRANSFER_REPORT_MAX,
};

struct transfer_report {
        enum transfer_report_kind kind;
        uint32_t error;                          /* errno, positive; 0 unless it failed */
        uint64_t bytes, files;                   /* copied so far: of files; anything that has a name */
        uint64_t left_out;                       /* devices and sockets, which are not copied */
        char text[TRANSFER_REPORT_TEXT_MAX + 1]; /* a sentence; hostile where it names what is inside: escape it */
};

/* Appends. t has passed transfer_check(). -ENOMEM. */
int transfer_request_encode(const struct transfer *t, struct buf *out);
/* -EBADMSG: any byte is not as said above, or transfer_check() refuses it. -ENOMEM. */
int transfer_request_decode(const void *data, size_t size, struct transfer **ret);

/* Returns the size. A longer text is cut. */
size_t transfer_report_encode(const struct transfer_report *r, uint8_t ret[static TRANSFER_REPORT_MAX]);
int transfer_report_decode(const void *data, size_t size, struct transfer_report *ret); /* -EBADMSG */
