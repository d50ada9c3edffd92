/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* backend/store-files.h: the store port: one file for each machine in RUN/systemd/machines (registry.md section 8). */
#pragma once

#include "core/ports.h"

struct store_files; /* opaque */

/* run: the run-time directory, "/run" on a host; RUN/systemd/machines is made (0755). -errno of mkdir(2), open(2). */
int store_files_new(const char *run, struct store_files **ret);
void store_files_free(struct store_files *s);
DEFINE_AUTO(struct store_files *, store_files_free)
struct store_port store_files_port(struct store_files *s);
