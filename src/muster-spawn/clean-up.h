/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/clean-up.h: --cleanup, for a service manager to call after a run that was killed. */
#pragma once

struct spec;

/* Removes what such a run of that machine has left on this host; nothing of one that runs. The exit status; logs what is wrong. */
int clean_up(const struct spec *spec);
