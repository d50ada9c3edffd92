/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/capname.h: capabilities by name (capabilities(7)). */
#pragma once

#define CAPABILITY_NUMBER_MAX 63 /* what a mask of 64 bits holds; kernels of today know fewer */

/* "CAP_CHOWN" in any case, or a decimal number up to CAPABILITY_NUMBER_MAX. -EINVAL: also for a name without "CAP_". */
int capability_from_string(const char *s);
/* "CAP_CHOWN"; NULL for numbers without a name. Static storage. */
const char *capability_to_string(int number);
