/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec/proc-text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"

/* A decimal number at *p, which moves behind it. */
static int take_number(const char **p, const char *end, uint64_t *ret) {
        const char *start = *p;
        uint64_t v = 0;

        for (; *p < end && **p >= '0' && **p <= '9'; (*p)++)
                if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint64_t) (**p - '0'), &v))
                        return -EBADMSG;
        if (*p == start)
                return -EBADMSG;
        *ret = v;
        return 0;
}

/* Moves *p to the start of the n-th next field; fields are separated by one blank. */
static int skip_fields(const char **p, const char *end, unsigned n) {
        for (; n > 0; n--) {
                *p = memchr(*p, ' ', (size_t) (end - *p));
                if (!*p)
                        return -EBADMSG;
                (*p)++;
        }
        return 0;
}

int proc_stat_decode(const char *text, size_t size, pid_t *ret_parent, uint64_t *ret_start) {
        const char *end = text + size, *p = memrchr(text, ')', size);
        uint64_t parent, start;

        /* ") S PPID ...": the blank behind the name begins field 3. */
        if (!p || skip_fields(&p, end, 2) < 0 || take_number(&p, end, &parent) < 0 || parent > INT32_MAX ||
            skip_fields(&p, end, 18) < 0 || take_number(&p, end, &start) < 0)
                return -EBADMSG;
        *ret_parent = (pid_t) parent;
        *ret_start = start;
        return 0;
}

static bool lists_controller(const char *list, size_t size, const char *controller) {
        size_t n = strlen(controller);

        if (n == 0)
                return size == 0;
        for (const char *p = list, *end = list + size; p < end;) {
                const char *comma = memchr(p, ',', (size_t) (end - p));
                size_t length = comma ? (size_t) (comma - p) : (size_t) (end - p);

                if (length == n && memcmp(p, controller, n) == 0)
                        return true;
                p += length + 1;
        }
        return false;
}

/* One line "ID:CONTROLLERS:PATH" without its newline. 1: it is the one, *ret is set. 0: another one. */
static int decode_cgroup_line(const char *line, size_t size, const char *controller, char **ret) {
        static const char deleted[] = " (deleted)";
        const char *end = line + size, *list, *path;
        size_t length;

        list = memchr(line, ':', size);
        path = list ? memchr(list + 1, ':', (size_t) (end - list - 1)) : NULL;
        if (!path)
                return -EBADMSG;
        if (!lists_controller(list + 1, (size_t) (path - list - 1), controller))
                return 0;
        path++;
        length = (size_t) (end - path);
        if (length == 0 || path[0] != '/' || memchr(path, '\0', length))
                return -EBADMSG;
        if (length >= sizeof(deleted) - 1 && memcmp(end - (sizeof(deleted) - 1), deleted, sizeof(deleted) - 1) == 0)
                length -= sizeof(deleted) - 1;
        if (length >= 3 && memcmp(path, "/..", 3) == 0 && (length == 3 || path[3] == '/'))
                return -EREMOTE;
        *ret = strndup(path, length);
        return *ret ? 1 : -ENOMEM;
}

int proc_cgroup_decode(const char *text, size_t size, const char *controller, char **ret) {
        for (const char *p = text, *end = text + size; p < end;) {
                const char *newline = memchr(p, '\n', (size_t) (end - p));
                size_t length = newline ? (size_t) (newline - p) : (size_t) (end - p);
                int r = decode_cgroup_line(p, length, controller, ret);

                if (r != 0)
                        return r < 0 ? r : 0;
                p += length + 1;
        }
        return -ENODATA;
}

/* The value of a line "KEY:\tVALUE"; NULL when there is none. "Name:" comes first and has its newlines escaped. */
static const char *status_value(const char *text, const char *key, char *ret, size_t ret_size) {
        const char *at = strstr(text, key);
        size_t n;

        if (!at)
                return NULL;
        at += strlen(key);
        at += strspn(at, "\t ");
        n = strcspn(at, "\n");
        if (n == 0 || n >= ret_size)
                return NULL;
        memcpy(ret, at, n);
        ret[n] = '\0';
        return ret;
}

int proc_status_decode(const char *text, size_t size, struct proc_confinement *ret) {
        AUTO_FREE char *copy = strndup(text, size);
        struct proc_confinement c = { 0 };
        uint32_t mode, no_new;
        char value[32];

        if (!copy)
                return -ENOMEM;
        if (!status_value(copy, "\nCapBnd:", value, sizeof(value)) || parse_hex_u64(value, &c.bounding) < 0)
                return -EBADMSG;
        if (!status_value(copy, "\nNoNewPrivs:", value, sizeof(value)) || parse_u32(value, &no_new) < 0)
                return -EBADMSG;
        if (!status_value(copy, "\nSeccomp:", value, sizeof(value)))
                memcpy(value, "0", sizeof("0")); /* a kernel without it filters nobody */
        if (parse_u32(value, &mode) < 0)
                return -EBADMSG;
        c.no_new_privileges = no_new != 0;
        c.filtered = mode != 0;
        *ret = c;
        return 0;
}

int proc_status_hears(const char *text, size_t size, int sig) {
        AUTO_FREE char *copy = strndup(text, size);
        char value[32];
        uint64_t blocked, caught;

        if (!copy)
                return -ENOMEM;
        if (!status_value(copy, "\nSigBlk:", value, sizeof(value)) || parse_hex_u64(value, &blocked) < 0 ||
            !status_value(copy, "\nSigCgt:", value, sizeof(value)) || parse_hex_u64(value, &caught) < 0)
                return -EBADMSG;
        return ((blocked | caught) >> (sig - 1) & 1) != 0;
}

int proc_syscall_decode(const char *text, size_t size, uint64_t *ret_number, uint64_t *ret_argument) {
        AUTO_FREE char *copy = strndup(text, size);
        const char *p = copy;
        uint64_t number, argument;

        if (!copy)
                return -ENOMEM;
        if (startswith(copy, "running") || startswith(copy, "-1 "))
                return -EAGAIN;
        if (take_number(&p, copy + strlen(copy), &number) < 0 || !startswith(p, " 0x"))
                return -EBADMSG;
        p += strlen(" 0x");
        copy[(size_t) (p - copy) + strcspn(p, " \n")] = '\0';
        if (parse_hex_u64(p, &argument) < 0)
                return -EBADMSG;
        *ret_number = number;
        *ret_argument = argument;
        return 0;
}
