/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/protect-self.h: so that a payload cannot write to the program that starts it. */
#pragma once

/* Until the payload runs, its process is ours, and so is the file behind its /proc/self/exe: a tree whose program is a script with
 * the line "#!/proc/self/exe" would have us executed inside, where root could open us for writing (CVE-2019-5736 was that, in
 * another runner). So we go on from a detached mount of ourselves that is read-only and that nobody inside can change. name:
 * what the process is to be called. 0: it is so, and was before. -errno: it cannot be: without the privilege to mount there is no
 * payload that could write. */
int protect_self(const char *name, char *const argv[], char *const env[]);
/* Nobody writes any more to the tables of pointers that were filled in at the start of the program. -errno. */
int protect_tables(void);
