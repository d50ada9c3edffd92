/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spec/spec-check.h: what a complete spec (command line, environment and file together) implies, and what in it cannot be
 * together. All of it is known without asking the host. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/diag.h"
#include "spec/spec.h"

/* First fills in what one setting says about another:
 * - a bridge or a zone makes a veth; a veth or any link makes the network private;
 * - a volatile mode, or a mount on /, makes the root read-only;
 * - a shared PID or UTS namespace turns registration off, unless it was asked for;
 * - -x --template=T without -D is -x -D T; --template= with -M alone makes /var/lib/machines/NAME.
 * Then refuses: -EINVAL with a diag (field: the option, text: one sentence that names the two). Adds to s->notices what has no
 * effect. -ENOMEM. */
int spec_check(struct spec *s, struct diag *diag);

/* -EOPNOTSUPP with a diag: something is wanted that muster-spawn understands but does not do yet. */
int spec_check_supported(const struct spec *s, struct diag *diag);

/* The capabilities that a payload keeps in its bounding set, before those are taken away that muster-spawn lacks itself.
 * user_namespace: it will run in one. Behind spec_check(). */
uint64_t spec_bounding_capabilities(const struct spec *s, bool user_namespace);
