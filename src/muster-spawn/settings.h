/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/settings.h: finds and reads NAME.nspawn. */
#pragma once

#include "base/diag.h"
#include "spec/spec.h"

/* Looks in /etc/systemd/nspawn, /run/systemd/nspawn (trusted) and beside the tree (not), as --settings= wants it, and merges what
 * the first one says into *s. name: the machine's, without a random suffix. root: the tree. Warnings are
 * logged. Negative errno with a diag. */
int settings_load(struct spec *s, const char *name, const char *root, struct diag *diag);
