/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* busctl(1) speaks D-Bus for us: a program that is linked statically and shall start fast has no library for it, and
 * whoever has systemd-machined has busctl. It costs some milliseconds, on such hosts only. */
#include "muster-spawn/register-bus.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/str.h"
#include "muster-spawn/register.h"

#define ANSWER_MAX 4096
#define ID_BYTES 16

static const char *const beginning[] = { "busctl",
                                         "--quiet",
                                         "--timeout=25",
                                         "call",
                                         "org.freedesktop.machine1",
                                         "/org/freedesktop/machine1",
                                         "org.freedesktop.machine1.Manager" };

static int begin(char ***words, const char *method, const char *signature) {
        int r = 0;

        for (size_t i = 0; r >= 0 && i < ELEMENTS(beginning); i++)
                r = strv_extend(words, beginning[i]);
        if (r >= 0)
                r = strv_extend(words, method);
        return r < 0 ? r : strv_extend(words, signature);
}

/* Its standard error becomes the pipe. */
static int start(char *const words[], int errors, pid_t *ret) {
        posix_spawn_file_actions_t actions;
        posix_spawnattr_t attributes;
        sigset_t none;
        int r;

        sigemptyset(&none);
        posix_spawn_file_actions_init(&actions);
        posix_spawnattr_init(&attributes);
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
        posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
        posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
        r = posix_spawnp(ret, words[0], &actions, &attributes, words, environ);
        posix_spawn_file_actions_destroy(&actions);
        posix_spawnattr_destroy(&attributes);
        return -r;
}

/* The text of a failure as busctl shows it: "Call failed: Machine 'a' already exists". */
static int judge(const char *text, char **error) {
        /* Neither there nor to be started. */
        static const char *const nobody[] = { "not provided by any", "not activatable", "Could not activate", "masked",
                                              "failed to load",      "not found",       "Failed to connect" };

        if (strstr(text, "already exists"))
                return -EEXIST;
        for (size_t i = 0; i < ELEMENTS(nobody); i++)
                if (strstr(text, nobody[i]))
                        return -EHOSTDOWN;
        if (error)
                *error = strndup(text, strcspn(text, "\n"));
        return -EREMOTEIO;
}

static int call(char *const words[], char **error) {
        AUTO_CLOSE int ours = -EBADF, theirs = -EBADF;
        char text[ANSWER_MAX] = "";
        size_t size = 0;
        int fds[2], status, r;
        pid_t pid;

        if (pipe2(fds, O_CLOEXEC) < 0)
                return -errno;
        ours = fds[0];
        theirs = fds[1];
        r = start(words, theirs, &pid);
        if (r < 0)
                return r == -ENOENT ? -EHOSTDOWN : r;
        close(STEAL_FD(theirs));
        for (ssize_t n; size < sizeof(text) - 1 && (n = read(ours, text + size, sizeof(text) - 1 - size)) > 0;)
                size += (size_t) n;
        text[size] = '\0';
        while (waitpid(pid, &status, 0) < 0)
                if (errno != EINTR)
                        return -errno;
        return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? 0 : judge(text, error);
}

static int add_id(char ***words, const char *id) {
        int r = strv_extend(words, "16");

        for (size_t i = 0; r >= 0 && i < ID_BYTES; i++) {
                char byte[] = { '0', 'x', id[2 * i], id[2 * i + 1], '\0' };

                r = strv_extend(words, byte);
        }
        return r;
}

int register_by_bus(const struct registration *m, pid_t leader, char **error) {
        AUTO(strv_freep) char **words = NULL;
        char number[16];
        int r = begin(&words, "RegisterMachine", "sayssus");

        (void) snprintf(number, sizeof(number), "%d", (int) leader);
        if (r >= 0)
                r = strv_extend(&words, m->name);
        if (r >= 0)
                r = add_id(&words, m->id);
        for (size_t i = 0; r >= 0 && i < 4; i++)
                r = strv_extend(&words, (const char *const[]){ m->service, "container", number, strempty(m->root) }[i]);
        return r < 0 ? r : call(words, error);
}

int unregister_by_bus(const char *name) {
        AUTO(strv_freep) char **words = NULL;
        int r = begin(&words, "UnregisterMachine", "s");

        if (r >= 0)
                r = strv_extend(&words, name);
        return r < 0 ? r : call(words, NULL);
}
