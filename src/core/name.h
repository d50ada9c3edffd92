/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* core/name.h: what is a machine name, a unit name, a user's number; pure syntax. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define MACHINE_NAME_MAX 64
#define UNIT_NAME_MAX 255
#define IMAGE_NAME_MAX 255

/* 1..64 bytes of [A-Za-z0-9-] labels separated by single dots; no label begins or ends with '-'. ".host" is not one. */
bool machine_name_is_valid(const char *s);

/* The machine name for something that goes by the name `foreign` elsewhere. A machine name stays what it is. Of any other the
 * good characters are kept, '-' takes the place of the rest, and 32 bits of a hash of all of it (FNV-1a) are put behind:
 * "foo_bar" becomes "foo-bar-01efffdd". So it is always the same, and differs from what "foo.bar" or "foo bar" become. */
void machine_name_from(const char *foreign, char ret[static MACHINE_NAME_MAX + 1]);

/* "machine-" + escaped name + ".scope": everything but A-Za-z0-9:_. becomes \xHH, '/' becomes '-', a leading '.' is
 * escaped too. *ret is malloc'ed. -ENOMEM. */
int machine_scope_name(const char *name, char **ret);

/* 1..255 bytes, the name of a file: UTF-8 without '/' and control characters; neither "." nor "..", and not ".#...". */
bool image_name_is_valid(const char *s);

/* 1..255 bytes of A-Za-z0-9:-_.\@ and a known type suffix; a template ("foo@.service") is not one. */
bool unit_name_is_valid(const char *s);
bool slice_name_is_valid(const char *s); /* "-.slice", "a.slice", "a-b.slice" */

/* "a-b.slice" -> "a.slice/a-b.slice"; "-.slice" -> "". *ret is malloc'ed. -EINVAL, -ENOMEM. */
int slice_path(const char *slice, char **ret);

/* A control-group path (as in /proc/PID/cgroup) to the unit it belongs to, and the rest below that unit.
 * root: the prefix to drop ("/" or the cgroup of PID 1 without "/init.scope"). *ret_subgroup is NULL when the process
 * sits right in the unit. Both malloc'ed. -ENXIO: the path has no unit component. -ENOMEM. */
int cgroup_path_to_unit(const char *path, const char *root, char **ret_unit, char **ret_subgroup);

/* Absolute, no control character, under 4096 bytes: for paths that are only told to others. */
bool path_is_absolute(const char *s);
/* And without "." or ".." components: for paths that something is looked up by. */
bool path_is_absolute_and_valid(const char *s);
/* No control character, valid UTF-8, at most max bytes. */
bool text_is_valid(const char *s, size_t max);
