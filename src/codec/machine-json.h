/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/machine-json.h: a machine as io.systemd.Machine.List shows it (registry.md 13.4). */
#pragma once

#include "base/id128.h"
#include "codec/json-text.h"
#include "core/machine.h"
#include "core/ports.h"

/* Adds the members of m to the object that j is in; what is empty is left out. boot_id: of this host. */
void machine_json_add(struct json_text *j, const struct machine *m, const struct id128 *boot_id);
/* The members that are asked for by acquireMetadata, from the answers of the inspect port. */
void machine_json_add_addresses(struct json_text *j, const struct inspect_result *result);
void machine_json_add_os_release(struct json_text *j, const struct inspect_result *result);
