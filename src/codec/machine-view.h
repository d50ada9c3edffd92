/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/machine-view.h: a machine as a client sees it: one reply of io.systemd.Machine.List (registry.md 13.4). */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/auto.h"
#include "codec/varlink-answer.h"

#define MACHINE_VIEW_ADDRESSES_MAX 4096
#define MACHINE_VIEW_OS_RELEASE_MAX 256 /* assignments */
#define MACHINE_VIEW_TEXT_MAX 4096      /* bytes of any one string */

#define VIEW_INET 2 /* AF_INET and AF_INET6: the numbers are Linux ABI and appear on the wire */
#define VIEW_INET6 10
#define VIEW_VSOCK_CID_UNSET UINT32_MAX
#define VIEW_UID_UNSET UINT32_MAX

struct view_address {
        int ifindex; /* 0: not told */
        int family;  /* VIEW_INET or VIEW_INET6 */
        uint8_t bytes[16];
};

struct view_process {
        pid_t pid; /* 0: unset */
        uint64_t pidfd_id;
};

/* Strings are owned and NULL when unset; "" arrives as unset. */
struct machine_view {
        char *name;
        char *id; /* 32 hex digits */
        char *service;
        char *class;
        char *state; /* not in the reply: only a record on disk tells it; NULL: not known */
        char *root_directory;
        char *unit;
        char *subgroup;
        char *ssh_address;
        char *ssh_private_key_path;
        char *control_address;
        struct view_process leader;
        struct view_process supervisor;
        uint64_t realtime_usec; /* 0: not told */
        uint64_t monotonic_usec;
        uint32_t vsock_cid;
        uint32_t uid;
        int32_t *ifindices; /* host side; like state, not in the reply */
        size_t n_ifindices;
        struct view_address *addresses; /* sorted by the daemon */
        size_t n_addresses;
        char **os_release; /* "KEY=value", NULL-terminated */
        bool has_uid_shift;
        uint32_t uid_shift;
};

/* All unset. */
void machine_view_init(struct machine_view *v);
void machine_view_done(struct machine_view *v);

/* parameters of a successful answer. Fields of later versions are ignored, addresses of other families too. -EBADMSG: a
 * field has the wrong type, is out of bounds, or the name is missing. -ENOMEM. */
int machine_view_decode(const struct varlink_answer *answer, struct machine_view *ret);

/* The value of KEY in os_release, the last one where there are several; NULL: not there. Borrowed. */
const char *machine_view_os(const struct machine_view *v, const char *key);
