/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* For the program that makes the default filter, and for machines whose programs cannot be run where Muster is built. */
#include "plan/filter-default.h"

const struct filter_default filter_default = { 0 };
