/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/supervise.h: from the moment the payload runs until it has ended: its end, our signals, its console,
 * and what it says on the notify socket. One loop, one thread. */
#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "muster-spawn/console-log.h"
#include "spec/spec.h"

enum payload_end {
        PAYLOAD_EXITED,   /* status: 0..255 */
        PAYLOAD_SIGNALED, /* status: the signal */
        PAYLOAD_POWER_OFF, /* reboot(2) with halt or power-off inside its pid namespace: died of SIGINT; or with restart, when told to end */
        PAYLOAD_REBOOT, /* reboot(2) with restart: died of SIGHUP */
        PAYLOAD_KILLED, /* by us: second signal, no kill signal set, or ^]^]^] */
};

struct supervised {
        const char *machine;       /* borrowed, as are all below */
        pid_t pid;                 /* PID 1 of the payload, our child, in our pid namespace */
        int pidfd;                 /* of the same; not closed by supervise() */
        enum console_mode console; /* decided: never CONSOLE_UNSET or CONSOLE_AUTOPIPE */
        int terminal;              /* master of the payload's pseudo terminal; -EBADF with CONSOLE_PIPE */
        int notify;                /* datagram socket bound to /run/host/notify, SO_PASSCRED set; or -EBADF */
        int kill_signal;           /* to PID 1 on SIGTERM, SIGINT and SIGHUP; 0: none, then it is killed at once */
        bool notify_ready;         /* say READY=1 to our own service manager only when the payload has said so */
        bool quiet;
        struct console_log *log;         /* of the console; NULL: none */
        const struct console_look *look; /* NULL: nothing is told to the terminal */
        void (*settled)(
                void *data); /* called once, when there was nothing to do for a second in all, if ever; NULL: nothing */
        void (*ended)(
                void *data); /* called once, when all is over but that the payload is reaped: its number is still its own; NULL: nothing */
        void *data; /* of both */
};

/* Blocks the signals that supervise() reads, and those that would end us before we have cleaned up. SIGHUP stays
 * ignored where it is (nohup(1)). *ret_payload: the mask that the payload shall have, a sigset_t: an empty one.
 * Negative errno. */
int supervise_signals(void *ret_payload);

/* Has somebody said that it shall end, and nobody heard it, because supervise() is not running? */
bool supervise_stop_waits(void);

/* Says READY to $NOTIFY_SOCKET, forwards, waits. The caller has called supervise_signals() before it started the
 * payload. On return the payload has been reaped, what was left in the terminal has been written out, and the
 * caller's own terminal is as it was. 0 and *ret, *ret_status; negative errno when waiting itself is impossible: then
 * the payload may still run. */
int supervise(const struct supervised *s, enum payload_end *ret, int *ret_status);

/* One line about it: a notice, less when quiet; an error when the payload died of a signal. */
void payload_end_report(const struct supervised *s, enum payload_end end, int status);

/* What the program exits with: n for PAYLOAD_EXITED (133 means a reboot to service managers, so it becomes 1), 0 for
 * power-off, 133 for a reboot that the caller does not carry out, else 1. */
int payload_exit_status(enum payload_end end, int status);

/* The program's last word to $NOTIFY_SOCKET: STOPPING=1, whether it terminates or wants a restart (133),
 * EXIT_STATUS=. */
void supervise_say_goodbye(int exit_status);
