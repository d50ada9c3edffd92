/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/errname.h: symbolic names of errno values, as D-Bus and Varlink error replies spell them. */
#pragma once

/* "EIO" for 5 or -5; NULL for a number without a name, or where the C library knows none. Static storage. */
const char *errno_name(int error);
