/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* plan/plan-check.h: the rules of order that every plan keeps, whatever was asked for. */
#pragma once

#include "base/diag.h"
#include "plan/plan.h"

/* 0, or -ENOTRECOVERABLE with a diag that names the step and the rule that it breaks: a mistake of ours, the plan must not be
 * carried out. -ENOMEM. */
int plan_check(const struct plan *p, struct diag *diag);

/* Where steps of that kind belong. */
enum phase step_kind_phase(enum step_kind kind);
