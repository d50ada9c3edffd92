/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/properties.h: a machine as named properties, those of the D-Bus object: behind `show` and the JSON of `status`. */
#pragma once

#include "codec/json-text.h"
#include "codec/machine-view.h"
#include "muster/options.h"

/* KEY=value lines, chosen by o->properties, o->all and o->value. */
void properties_text(const struct options *o, const struct machine_view *v, struct buf *out);
/* Members of the object that j is in; all of them, or those in o->properties. */
void properties_json(const struct options *o, const struct machine_view *v, struct json_text *j);
/* The same two for the registry itself. */
void manager_text(const struct options *o, struct buf *out);
void manager_json(const struct options *o, struct json_text *j);
