/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spec/af-names.h: address families by name (address_families(7)). */
#pragma once

/* "AF_INET" is 2. -EINVAL. */
int address_family_from_string(const char *s);
/* "AF_INET"; NULL for a number without a name. Static storage. */
const char *address_family_to_string(int number);
