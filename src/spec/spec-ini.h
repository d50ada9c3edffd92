/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spec/spec-ini.h: a settings file, NAME.nspawn, as a spec (muster.nspawn(5)). What is wrong with one line costs that line and
 * a warning; only a file that is no such text at all is refused. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/diag.h"
#include "spec/spec.h"

#define SPEC_FILE_MAX (4 * 1024 * 1024)
#define SPEC_LINE_MAX (1024 * 1024)

/* One sentence about one line; borrowed for the call. */
typedef void spec_warn(unsigned line, const char *text, void *userdata);

/* trusted: the file is in a place that only the administrator writes to; in another one, keys that give the container more than
 * the command line does are skipped with a warning each. warn may be NULL.
 * 0: *ret is to be given to spec_done(). Otherwise it is untouched: -EBADMSG with a diag (line and text): not UTF-8, a section
 * that is not closed, or a wrong name of an interface. -E2BIG with a diag: over the limits above. -ENOMEM. */
int spec_from_ini(const char *text, size_t size, bool trusted, spec_warn *warn, void *userdata, struct spec *ret,
                  struct diag *diag);

/* For those who check documents: the nth section and key, and whether it needs a trusted file. False behind the last one. */
bool spec_ini_key(size_t n, const char **ret_section, const char **ret_key, bool *ret_privileged);
