/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/plan-print.h: a plan for people, and for programs. */
#pragma once

#include "base/str.h"

struct plan;

/* One line for each step: phase, what, on what, because of what. -ENOMEM. */
int plan_print_text(const struct plan *p, struct buf *out);
/* One JSON object: {"namespaces":[...],"steps":[{...}],"payload":{...}}, and a newline. -ENOMEM. */
int plan_print_json(const struct plan *p, struct buf *out);
