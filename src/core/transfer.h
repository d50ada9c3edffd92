/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/transfer.h: what is to be copied into or out of a machine, or mounted in it: plain data, and whether it makes sense. */
#pragma once

#include <stdbool.h>

#include "base/auto.h"
#include "base/diag.h"
#include "base/table.h"

#define TRANSFERS_MAX 64         /* that go on at the same time (registry.md 11.7), */
#define TRANSFERS_OF_USER_MAX 16 /* and of these of one user who is not root */
#define TRANSFER_PATH_MAX 4095   /* bytes, without the NUL */
#define TRANSFER_COPY_REPLACE 1U /* the one flag that D-Bus callers may set */

enum transfer_kind {
        TRANSFER_COPY_TO,   /* from the host into the machine */
        TRANSFER_COPY_FROM, /* from the machine to the host */
        TRANSFER_BIND,      /* a file or directory of the host is mounted in the machine */
        _TRANSFER_KIND_MAX,
};
DECLARE_TABLE(transfer_kind, enum transfer_kind); /* "copy_to" "copy_from" "bind": Varlink has no dashes */

enum transfer_fd {
        TRANSFER_FD_STATUS, /* SOCK_SEQPACKET: reports go there (codec/transfer-protocol.h) */
        TRANSFER_FD_STREAM, /* with `archive`: a tar archive comes from, or goes to there */
        _TRANSFER_FD_MAX,
};

/* Strings are owned. */
struct transfer {
        enum transfer_kind kind;
        bool replace;              /* copies: files that exist give way */
        bool read_only;            /* bind */
        bool make;                 /* bind: the mount point is made where there is none */
        bool archive;              /* copies: the host's side is a tar archive, and has no path */
        bool progress;             /* it is reported how far it is */
        char *source;              /* NULL with an archive that goes in */
        char *destination;         /* NULL: as the source; and with an archive that comes out */
        int fds[_TRANSFER_FD_MAX]; /* owned, -EBADF where there is none; closed as those of machines are (core/machine.h) */
};

int transfer_new(enum transfer_kind kind, struct transfer **ret);
void transfer_free(struct transfer *t);
DEFINE_AUTO(struct transfer *, transfer_free)

/* Whether it can be begun, descriptors apart; a destination that is missing becomes the source. -EINVAL: d->text says in a sentence
 * what is wrong, d->field names it as io.systemd.Machine does. -ENOMEM. */
int transfer_check(struct transfer *t, struct diag *d);

/* Absolute, without "." and "..", doubled and trailing slashes: what does not depend on links. */
bool transfer_path_is_valid(const char *path);
