/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Both styles of the original are read, NETIF=2 3 and NETIF=" 2 3", and so is CLASS="container". What is not understood is
 * skipped: the other readers of these files do so, too. */
#include "nss/record-scan.h"

#include <string.h>

void record_scan_init(struct record_scan *s) {
        memset(s, 0, sizeof(*s));
}

static const char *value_of(const char *line, const char *key) {
        size_t n = strlen(key);

        return strncmp(line, key, n) == 0 ? line + n : NULL;
}

static void read_interfaces(struct record_scan *s, const char *value) {
        s->n_interfaces = 0;
        while (s->n_interfaces < RECORD_SCAN_INTERFACES_MAX) {
                uint32_t v = 0;

                value += strspn(value, "\" ");
                if (*value < '0' || *value > '9')
                        return;
                for (; *value >= '0' && *value <= '9'; value++)
                        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint32_t) *value - '0', &v))
                                return;
                if (v > 0)
                        s->interfaces[s->n_interfaces++] = v;
        }
}

/* What is no number is nobody's. */
static uint32_t read_uid(const char *value) {
        uint32_t v = 0;

        value += strspn(value, "\"");
        if (*value < '0' || *value > '9')
                return UINT32_MAX;
        for (; *value >= '0' && *value <= '9'; value++)
                if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, (uint32_t) *value - '0', &v))
                        return UINT32_MAX;
        return v;
}

static void read_line(struct record_scan *s) {
        const char *value;

        s->line[s->size] = '\0';
        value = value_of(s->line, "CLASS=");
        if (value)
                s->container = strcmp(value, "container") == 0 || strcmp(value, "\"container\"") == 0;
        value = value_of(s->line, "UID=");
        if (value)
                s->uid = read_uid(value);
        value = value_of(s->line, "NETIF=");
        if (value)
                read_interfaces(s, value);
        s->size = 0;
}

void record_scan_feed(struct record_scan *s, const char *data, size_t size) {
        for (size_t i = 0; i < size; i++)
                if (data[i] == '\n')
                        read_line(s);
                else if (s->size < RECORD_SCAN_LINE_MAX)
                        s->line[s->size++] = data[i];
}

void record_scan_end(struct record_scan *s) {
        read_line(s);
}
