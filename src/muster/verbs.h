/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/verbs.h: one function per verb. Each gets the words behind the verb, NULL-terminated, has said everything there is
 * to say when it returns, and returns the exit status. */
#pragma once

#include "muster/options.h"

int verb_list(const struct options *o, char **args);
int verb_status(const struct options *o, char **args);
int verb_show(const struct options *o, char **args);
int verb_kill(const struct options *o, char **args);
int verb_terminate(const struct options *o, char **args);
int verb_unregister(const struct options *o, char **args);
int verb_poweroff(const struct options *o, char **args);
int verb_reboot(const struct options *o, char **args);
int verb_register(const struct options *o, char **args);
int verb_wait(const struct options *o, char **args);
int verb_events(const struct options *o, char **args);
int verb_logs(const struct options *o, char **args);
int verb_exec(const struct options *o, char **args);
int verb_shell(const struct options *o, char **args);
int verb_login(const struct options *o, char **args);
int verb_resolve(const struct options *o, char **args);
int verb_stats(const struct options *o, char **args);
int verb_user(const struct options *o, char **args);
int verb_copy_to(const struct options *o, char **args);
int verb_copy_from(const struct options *o, char **args);
int verb_bind(const struct options *o, char **args);
int verb_doctor(const struct options *o, char **args);
