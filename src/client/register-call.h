/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* client/register-call.h: what io.systemd.Machine.Register is told of a machine. Programs fill in what they know. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/pidref.h"
#include "base/str.h"

/* Everything is borrowed. NULL, and 0 for numbers, mean "not told". */
struct register_call {
        const char *name;
        const char *class;           /* NULL: "container" */
        const struct pidref *leader; /* opened: its identity goes along with its number */
        const char *id;              /* 32 hexadecimal digits */
        const char *service;
        const char *root_directory;
        const char *ssh_address;
        const char *ssh_private_key_path;
        const char *control_address;
        const unsigned *ifindices;
        size_t n_ifindices;
        uint32_t vsock_cid;
        bool has_vsock_cid;
        bool allocate_unit;
        bool interactive; /* polkit may ask for a password */
};

/* Appends the parameters as NUL-terminated JSON. -ENOMEM. */
int register_call_encode(const struct register_call *c, struct buf *out);
/* The same for Unregister: this machine, if that is its leader. */
int unregister_call_encode(const char *name, const struct pidref *leader, struct buf *out);
