/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipc/varlink-error.h: a fault as a Varlink error (registry.md 13.2, 13.3). */
#pragma once

#include "codec/json-text.h"
#include "service/fault.h"

/* The error id of a kind; NULL for FAULT_NONE. */
const char *varlink_fault_name(enum fault_kind kind);
/* Adds the error's own members to the object that j is in. */
void varlink_fault_parameters(struct json_text *j, const struct fault *f);
