/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/oci-state.h: what an OCI runtime tells its hooks about a container (runtime-spec, "State"), and the one thing that
 * is only in the bundle's config.json. Both texts are hostile: a container's creator, or its image, writes into them. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "base/diag.h"

#define OCI_TEXT_MAX (1024 * 1024) /* bytes of a state or of a config.json */
#define OCI_DEPTH_MAX 32           /* nested objects and arrays */
#define OCI_VALUES_MAX 65536       /* in one text */
#define OCI_ID_MAX 1024            /* bytes of an id, and of the annotation that is looked for */

/* Strings are owned. */
struct oci_state {
        char *id;     /* 1 to OCI_ID_MAX bytes without control characters */
        char *bundle; /* absolute and normalized */
        char *root;   /* the root file system where the runtime says it (crun), absolute and normalized; else NULL */
        char *name;   /* value of the annotation that was asked for; NULL: none, empty, or not usable as text */
        bool stopped; /* the container's process has ended */
        pid_t pid;    /* of the container's process, seen from the runtime; 0 only when stopped */
};

#define OCI_STATE_EMPTY ((struct oci_state){ 0 })

/* name_key: the annotation whose value becomes name; NULL: none. Unknown members are skipped: the specification wants that.
 * -EBADMSG: no state; d says why. -EMSGSIZE: larger than OCI_TEXT_MAX. -ENOMEM. */
int oci_state_decode(const char *text, size_t size, const char *name_key, struct oci_state *ret, struct diag *d);
void oci_state_done(struct oci_state *s);

/* root.path of a config.json, made absolute by its bundle's path. *ret is malloc'ed. -ENOENT: it has none. -EBADMSG,
 * -EMSGSIZE: no config.json, or a path that cannot be one. -ENOMEM. */
int oci_config_root(const char *text, size_t size, const char *bundle, char **ret);
