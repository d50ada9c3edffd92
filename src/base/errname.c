/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/errname.h"

#include <string.h>

const char *errno_name(int error) {
#ifdef __GLIBC__
        return strerrorname_np(error < 0 ? -error : error); /* glibc 2.32 */
#else
        return NULL;
#endif
}
