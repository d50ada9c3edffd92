/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* PR_SET_MM alone is not enough: it needs a capability that containers seldom have, and only moves the window: the
 * old text would stay in memory. So the text itself is overwritten first. */
#include "sys/process-title.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define STAT_FIELD_ARGUMENTS 48

/* The number at *p, which moves behind it and the blank that follows. */
static bool next_number(const char **p, unsigned long *ret) {
        unsigned long v = 0;
        const char *s = *p;

        if (*s == '-') /* only in fields we skip */
                s++;
        if (*s < '0' || *s > '9')
                return false;
        for (; *s >= '0' && *s <= '9'; s++)
                v = v * 10 + (unsigned long) (*s - '0');
        *p = *s == ' ' ? s + 1 : s;
        *ret = v;
        return true;
}

static int read_stat(char *buffer, size_t size) {
        int fd = openat(AT_FDCWD, "/proc/self/stat", O_RDONLY | O_CLOEXEC | O_NOCTTY);
        ssize_t n;

        if (fd < 0)
                return -errno;
        n = read(fd, buffer, size - 1);
        if (n < 0)
                n = -errno;
        close(fd);
        if (n < 0)
                return (int) n;
        buffer[n] = '\0';
        return 0;
}

int process_areas_find(struct process_areas *ret) {
        unsigned long fields[STAT_FIELD_ARGUMENTS + 4]; /* from field 4 on */
        char buffer[2048];
        const char *p;
        int r;

        r = read_stat(buffer, sizeof(buffer));
        if (r < 0)
                return r;
        p = strrchr(buffer, ')'); /* comm may hold anything */
        if (!p || strlen(p) < sizeof(") S "))
                return -EBADMSG;
        p += sizeof(") S ") - 1;
        for (int i = 4; i < STAT_FIELD_ARGUMENTS + 4; i++)
                if (!next_number(&p, &fields[i]))
                        return -EBADMSG;
        *ret = (struct process_areas){
                .arguments = fields[STAT_FIELD_ARGUMENTS],
                .arguments_end = fields[STAT_FIELD_ARGUMENTS + 1],
                .environment = fields[STAT_FIELD_ARGUMENTS + 2],
                .environment_end = fields[STAT_FIELD_ARGUMENTS + 3],
        };
        /* Zeros are shown to those who may not know. */
        if (ret->arguments == 0 || ret->arguments > ret->arguments_end || ret->environment > ret->environment_end)
                return -EBADMSG;
        return 0;
}

/* How much of the strings fits, without cutting one. */
static size_t whole_strings(const char *strings, size_t size, size_t room) {
        if (size <= room)
                return size;
        while (room > 0 && strings[room - 1] != '\0')
                room--;
        return room;
}

/* The kernel refuses a window whose start is behind its end, also for the moment between the two calls; and half a
 * move, were it ever to happen, would show what lies between the old place and the new. */
static void move_environment(const struct process_areas *a, unsigned long start, unsigned long end) {
        bool down = start < a->environment;
        unsigned long first = down ? start : end, second = down ? end : start;
        int first_field = down ? PR_SET_MM_ENV_START : PR_SET_MM_ENV_END;
        int second_field = down ? PR_SET_MM_ENV_END : PR_SET_MM_ENV_START;

        if (prctl(PR_SET_MM, first_field, first, 0, 0) < 0)
                return;
        if (prctl(PR_SET_MM, second_field, second, 0, 0) < 0)
                (void) prctl(PR_SET_MM, first_field, down ? a->environment : a->environment_end, 0, 0);
}

void process_hide(const struct process_areas *a, const char *title, const char *environment, size_t size) {
        char *arguments = (char *) a->arguments, *old = (char *) a->environment; // NOLINT
        size_t arguments_size = a->arguments_end - a->arguments, old_size = a->environment_end - a->environment;
        size_t title_size = strlen(title);

        (void) prctl(PR_SET_NAME, title, 0, 0, 0);
        explicit_bzero(arguments, arguments_size);
        explicit_bzero(old, old_size);
        if (arguments_size > 0) /* the last byte stays NUL: else the kernel would go on reading in the environment */
                memcpy(arguments, title, title_size < arguments_size ? title_size : arguments_size - 1);
        memcpy(old, environment, whole_strings(environment, size, old_size));
        if (title_size < arguments_size)
                (void) prctl(PR_SET_MM, PR_SET_MM_ARG_END, a->arguments + title_size + 1, 0, 0);
        move_environment(a, (unsigned long) environment, (unsigned long) environment + size);
}
