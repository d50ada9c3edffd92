/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/rtnetlink.h: the messages of a dump (netlink(7), rtnetlink(7)), cut out of what was received. */
#pragma once

#include <stddef.h>
#include <stdint.h>

/* Calls found() with the payload of each message of that type. 0: more is to come. 1: the dump has ended. -errno: what the kernel
 * reported. -EBADMSG: these are no messages. */
int rtnetlink_each(const void *data, size_t size, uint16_t type,
                   void (*found)(void *userdata, const uint8_t *data, size_t size), void *userdata);

/* What a payload of NLMSG_ERROR says, as -errno; -EBADMSG: nothing. */
int rtnetlink_error(const uint8_t *data, size_t size);
