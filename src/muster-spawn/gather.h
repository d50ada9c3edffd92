/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/gather.h: asks the host and the tree what the plan has to know (plan/facts.h). Only asks: nothing is changed, but
 * what a chosen range of user numbers or an ephemeral copy needs, which the caller releases. */
#pragma once

#include <stdint.h>

#include "base/diag.h"
#include "plan/facts.h"
#include "spec/spec.h"

struct payload_cgroup;

/* The tree and the machine's name: -D, -M or the current directory, in the order of systemd-nspawn(1). Fills facts->root and
 * facts->machine. -ENOENT and others with a diag. */
int gather_image(const struct spec *spec, struct facts *facts, struct diag *diag);
/* May that tree be run in this way? Once the wish is complete. -EINVAL with a diag. */
int gather_image_check(const struct spec *spec, const struct facts *facts, struct diag *diag);
/* A random suffix for the name that gather_image() made up, when the run is ephemeral: two runs of one tree shall not get into each
 * other's way. */
int gather_suffix(const struct spec *spec, struct facts *facts);
/* Its part about SELinux, for who wants to know before anything is made: plan_check_labels(). */
void gather_selinux(const struct spec *spec, struct facts *facts);
/* The host. */
int gather_host(const struct spec *spec, const struct payload_cgroup *cgroup, struct facts *facts, struct diag *diag);
/* facts->machine_id, the host's. */
void gather_machine_id(struct facts *facts);
/* The journal on the host, once the machine's id is known: facts->journal, machine_id. */
int gather_journal(const struct spec *spec, struct facts *facts);
/* The tree, once facts->root is known: which entries it has, its machine id, its users. */
int gather_tree(const struct spec *spec, struct facts *facts, struct diag *diag);
