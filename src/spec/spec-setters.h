/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* spec/spec-setters.h: one function for each setting, shared by the command line (spec-argv.c) and by settings files
 * (spec-ini.c). "field" says what a row has to give in struct setting.field. */
#pragma once

#include "spec/spec-values.h"

/* spec-settings.c: those that only choose a word or keep a text */
spec_setter set_flag;      /* field: a bool; no value: true */
spec_setter set_bool;      /* field: a bool */
spec_setter set_text;      /* field: a char *; not empty */
spec_setter set_file_path; /* field: a char *; any path, kept as written */
spec_setter set_label;     /* field: a char *; an SELinux context, at most 255 bytes, without '"' */
spec_setter set_settings, set_volatile, set_pivot_root, set_root_hash, set_root_hash_signature;
spec_setter set_slice, set_property, set_register;
spec_setter set_resolv_conf, set_timezone, set_link_journal, set_link_journal_try_guest;
spec_setter set_forward_journal_limit;
spec_setter set_bind_user_shell;
spec_setter set_name_list; /* field: a char **, of user or group names */
spec_setter set_console, set_pipe, set_background, set_dry_run, set_share_system;
spec_setter set_console_log, set_console_log_size, set_console_log_files;

/* spec-payload.c: what is started, as whom, under which name */
spec_setter set_start_mode; /* field: enum start_mode */
spec_setter set_parameters, set_chdir, set_environment, set_user, set_user_deprecated, set_kill_signal;
spec_setter set_machine, set_hostname, set_uuid, set_personality;

/* spec-users.c: user namespaces */
spec_setter set_private_users, set_users_chown, set_users_ownership, set_users_delegate, set_users_pick;

/* spec-network.c */
spec_setter set_private_network, set_veth, set_bridge, set_zone, set_namespace_path, set_port;
spec_setter set_links; /* field: enum spec_link_type */

/* spec-security.c */
spec_setter set_capabilities; /* field: a mask in struct spec */
spec_setter set_syscall_filter, set_address_families;

/* spec-limits.c */
spec_setter set_rlimit;       /* NAME=SOFT[:HARD] */
spec_setter set_rlimit_value; /* SOFT[:HARD]; field: the number of the limit */
spec_setter set_oom_score_adjust, set_cpu_affinity;
/* "RLIMIT_NOFILE", "LimitNOFILE" and "NOFILE" are all 7. -EINVAL. */
int rlimit_from_string(const char *s);
const char *rlimit_to_string(int number); /* "NOFILE"; NULL. Static. */

/* spec-mounts.c */
spec_setter set_bind;    /* field: 1 for read-only */
spec_setter set_overlay; /* the same */
spec_setter set_tmpfs, set_inaccessible;

/* spec-credentials.c */
spec_setter set_credential, set_credential_load;
