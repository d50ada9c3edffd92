/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* sys/terminal.h: modes of a terminal (termios(3)), and both ends of a pseudo terminal (pty(7)). */
#pragma once

#include <stdbool.h>
#include <termios.h>

/* Opens the slave of a pseudo terminal by its master, in the devpts of the master wherever that is mounted
 * (TIOCGPTPEER, Linux 4.13): no path of a container is followed. flags: O_RDWR and so on; O_CLOEXEC and O_NOCTTY are
 * added. -errno. */
int terminal_open_peer(int master, int flags);

/* True when nobody else is in the foreground, so that changing modes does not stop us (SIGTTOU). */
bool terminal_is_foreground(int fd);

/* All of `saved` but raw: what is typed comes byte by byte, without echo and signals, and output is not touched. */
int terminal_set_raw(int fd, const struct termios *saved);
/* Its modes of now, but that output is not touched: no line feed becomes a carriage return and a line feed. */
int terminal_set_raw_output(int fd);
/* Back to `saved`, from the background, too. */
int terminal_restore(int fd, const struct termios *saved);

/* Copies the size in rows and columns. -ENOTTY: one of them is no terminal. */
int terminal_copy_size(int from, int to);
