/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The table of core/scope.c says what becomes of a property; here is how its value is written. Three are written otherwise than
 * they are called on the bus. */
#include "core/scope-text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/parse.h"
#include "base/str.h"
#include "core/name.h"

#define NAME_MAX_BYTES 47
#define SHOWN_MAX 32
#define ENTRIES_MAX 256 /* of IO limits, of devices */
#define CPUS_MAX 8192
#define DESCRIPTION_MAX 1024
#define USEC_PER_SEC UINT64_C(1000000)
#define BLANKS " \t"

static const char *const device_policy_table[_DEVICE_POLICY_MAX] = {
        [DEVICE_POLICY_CLOSED] = "closed",
        [DEVICE_POLICY_STRICT] = "strict",
        [DEVICE_POLICY_AUTO] = "auto",
};
DEFINE_TABLE(device_policy, enum device_policy)

struct reading {
        const char *name, *value;
        const struct scope_text_host *host;
        struct diag *d;
};

static int wrong(const struct reading *k, const char *right) {
        AUTO_FREE char *shown = str_escape(k->value, SHOWN_MAX);

        return diag_set(k->d, -EINVAL, k->name, "--property=%s=%s: must be %s.", k->name, strempty(shown), right);
}

/* ---- numbers ---- */

static bool is_digit(char c) {
        return c >= '0' && c <= '9';
}

/* Digits with at most one letter of K, M, G, T, P, E. */
static int parse_scaled(const char *s, uint64_t base, uint64_t *ret) {
        static const char letters[] = "KMGTPE";
        char digits[24];
        size_t n = strspn(s, "0123456789");
        const char *letter = s[n] ? strchr(letters, s[n]) : NULL;
        uint64_t v;

        if (n == 0 || n >= sizeof(digits) || (s[n] && !letter && !streq(s + n, "B")) || (letter && s[n + 1]))
                return -EINVAL;
        memcpy(digits, s, n);
        digits[n] = '\0';
        if (parse_u64(digits, &v) < 0)
                return -ERANGE;
        for (const char *l = letters; letter && l <= letter; l++)
                if (__builtin_mul_overflow(v, base, &v))
                        return -ERANGE;
        if (v == RESOURCE_UNLIMITED)
                return -ERANGE;
        *ret = v;
        return 0;
}

/* "20%", "12.5%", "5‰": in hundredths of a percent. */
static int parse_percent(const char *s, uint64_t *ret) {
        size_t n = strspn(s, "0123456789"), decimals = 0;
        uint64_t v = 0;

        if (n == 0 || n > 9)
                return -EINVAL;
        for (size_t i = 0; i < n; i++)
                v = v * 10 + (uint64_t) (s[i] - '0');
        if (streq(s + n, "‰")) {
                *ret = v * 10;
                return 0;
        }
        v *= 100;
        if (s[n] == '.') {
                decimals = strspn(s + n + 1, "0123456789");
                if (decimals < 1 || decimals > 2)
                        return -EINVAL;
                v += (uint64_t) (s[n + 1] - '0') * 10 + (decimals == 2 ? (uint64_t) (s[n + 2] - '0') : 0);
                n += 1 + decimals;
        }
        if (!streq(s + n, "%"))
                return -EINVAL;
        *ret = v;
        return 0;
}

/* part of whole: hundredths of a percent, without an overflow on the way. */
static uint64_t fraction(uint64_t whole, uint64_t part) {
        return whole / 10000 * part + whole % 10000 * part / 10000;
}

/* "infinity", a percentage of whole, or a number. */
static int parse_amount(const char *s, uint64_t whole, uint64_t *ret) {
        uint64_t part;

        if (streq(s, "infinity")) {
                *ret = RESOURCE_UNLIMITED;
                return 0;
        }
        if (parse_percent(s, &part) < 0)
                return parse_scaled(s, 1024, ret);
        if (part > 10000 || whole == 0)
                return -ERANGE;
        *ret = fraction(whole, part);
        return 0;
}

static bool may_be_zero(enum resource r) {
        return r != RESOURCE_MEMORY_MAX && r != RESOURCE_TASKS_MAX;
}

static int read_quota(const struct reading *k, uint64_t *ret) {
        uint64_t part;

        /* No "infinity" here: there the empty value says that there is no quota. */
        if (parse_percent(k->value, &part) < 0 || part == 0)
                return wrong(k, "a percentage of one processor above 0, such as 20% or 150%");
        *ret = part * (USEC_PER_SEC / 10000);
        return 0;
}

static int read_period(const struct reading *k, uint64_t *ret) {
        uint64_t usec;

        if (parse_usec(k->value, &usec) < 0 || usec < 1000 || usec > USEC_PER_SEC)
                return wrong(k, "a time from 1ms to 1s");
        *ret = usec;
        return 0;
}

static int read_weight(const struct reading *k, uint64_t *ret) {
        uint64_t v;

        if (parse_u64(k->value, &v) < 0 || v < 1 || v > 10000)
                return wrong(k, "a number from 1 to 10000; 100 is normal");
        *ret = v;
        return 0;
}

static int read_size(const struct reading *k, enum resource r, uint64_t *ret) {
        bool tasks = r == RESOURCE_TASKS_MAX;
        uint64_t v;

        if (parse_amount(k->value, tasks ? k->host->tasks : k->host->memory_bytes, &v) < 0 ||
            (v == 0 && !may_be_zero(r)))
                return wrong(k,
                             tasks ? "a number of tasks above 0, a percentage of what the host allows, or \"infinity\""
                             : may_be_zero(r)
                                     ? "a size such as 512M or 4G, a percentage of the host's memory, or \"infinity\""
                                     : "a size above 0 such as 512M or 4G, a percentage of the host's memory, or "
                                       "\"infinity\"");
        *ret = v;
        return 0;
}

static int read_resource(const struct reading *k, enum resource r, struct scope_properties *p) {
        uint64_t value = 0;
        int q;

        if (!*k->value) {
                p->resources_set &= ~(UINT32_C(1) << r);
                return 0;
        }
        switch (r) {
        case RESOURCE_CPU_QUOTA:
                q = read_quota(k, &value);
                break;
        case RESOURCE_CPU_PERIOD:
                q = read_period(k, &value);
                break;
        case RESOURCE_CPU_WEIGHT:
        case RESOURCE_IO_WEIGHT:
                q = read_weight(k, &value);
                break;
        default:
                q = read_size(k, r, &value);
        }
        if (q >= 0)
                scope_set(p, r, value);
        return q;
}

/* ---- lists ---- */

/* "PATH REST" in two; *ret_path is malloc'ed, what is behind it borrowed and "" where there is nothing. */
static int split(const char *value, char **ret_path, const char **ret_rest) {
        size_t n = strcspn(value, BLANKS);

        *ret_path = strndup(value, n);
        *ret_rest = value + n + strspn(value + n, BLANKS);
        return *ret_path ? 0 : -ENOMEM;
}

static void forget_io(struct scope_properties *p, enum io_limit_kind kind) {
        size_t left = 0;

        for (size_t i = 0; i < p->n_io; i++) {
                if (p->io[i].kind != kind)
                        p->io[left++] = p->io[i];
                else
                        free(p->io[i].path);
        }
        p->n_io = left;
}

static int set_io(struct scope_properties *p, enum io_limit_kind kind, char **path, uint64_t value) {
        struct io_limit *bigger;

        for (size_t i = 0; i < p->n_io; i++)
                if (p->io[i].kind == kind && streq(p->io[i].path, *path)) {
                        p->io[i].value = value;
                        return 0;
                }
        bigger = reallocarray(p->io, p->n_io + 1, sizeof(*bigger));
        if (!bigger)
                return -ENOMEM;
        p->io = bigger;
        p->io[p->n_io++] = (struct io_limit){ .kind = kind, .path = STEAL(*path), .value = value };
        return 0;
}

static int read_io_limit(const struct reading *k, enum io_limit_kind kind, struct scope_properties *p) {
        AUTO_FREE char *path = NULL;
        const char *rest;
        uint64_t value;
        int r;

        if (!*k->value) {
                forget_io(p, kind);
                return 0;
        }
        r = split(k->value, &path, &rest);
        if (r < 0)
                return r;
        if (streq(rest, "infinity"))
                value = RESOURCE_UNLIMITED;
        else if (parse_scaled(rest, 1000, &value) < 0 || value == 0)
                return wrong(k, "a path and a number above 0 for each second, such as \"/dev/sda 10M\"");
        if (!path_is_absolute_and_valid(path))
                return wrong(k, "the absolute path of a block device or of a file on it, and a number such as 10M");
        if (p->n_io >= ENTRIES_MAX)
                return wrong(k, "one of fewer: there are too many");
        return set_io(p, kind, &path, value);
}

/* "3" or "0-3"; moves *s behind it. */
static int read_range(const char **s, unsigned *ret_first, unsigned *ret_last) {
        unsigned ends[2] = { 0, 0 };

        for (int i = 0; i < 2; i++) {
                if (!is_digit(**s))
                        return -EINVAL;
                for (; is_digit(**s); (*s)++) {
                        ends[i] = ends[i] * 10 + (unsigned) (**s - '0');
                        if (ends[i] >= CPUS_MAX)
                                return -ERANGE;
                }
                if (i == 0 && **s != '-') {
                        ends[1] = ends[0];
                        break;
                }
                if (i == 0)
                        (*s)++;
        }
        *ret_first = ends[0];
        *ret_last = ends[1];
        return ends[0] <= ends[1] ? 0 : -EINVAL;
}

static int read_cpus(const struct reading *k, struct scope_properties *p) {
        AUTO_FREE uint8_t *mask = calloc(1, CPUS_MAX / 8);
        size_t size = 0;

        if (!mask)
                return -ENOMEM;
        for (const char *s = k->value; *(s += strspn(s, BLANKS ","));) {
                unsigned first, last;

                if (read_range(&s, &first, &last) < 0 || (*s && !strchr(BLANKS ",", *s)))
                        return wrong(k, "a list of processors, such as 0-3,8");
                for (unsigned i = first; i <= last; i++)
                        mask[i / 8] |= (uint8_t) (1U << i % 8);
                size = last / 8 + 1 > size ? last / 8 + 1 : size;
        }
        if (size == 0 && *k->value)
                return wrong(k, "a list of processors, such as 0-3,8");
        free(p->cpus);
        p->cpus = size > 0 ? STEAL(mask) : NULL;
        p->n_cpus = size;
        return 0;
}

/* ---- texts ---- */

static int read_slice(const struct reading *k, struct scope_properties *p) {
        if (*k->value && !slice_name_is_valid(k->value))
                return wrong(k, "the name of a slice, such as machine.slice");
        return str_replace(&p->slice, k->value);
}

static int read_description(const struct reading *k, struct scope_properties *p) {
        if (!text_is_valid(k->value, DESCRIPTION_MAX))
                return wrong(k, "text without control characters");
        return str_replace(&p->description, k->value);
}

/* ---- devices ---- */

static int read_access(const char *s, unsigned *ret) {
        unsigned access = 0;

        for (; *s; s++) {
                const char *at = strchr("rwm", *s);

                if (!at)
                        return -EINVAL;
                access |= *at == 'r' ? DEVICE_READ : *at == 'w' ? DEVICE_WRITE : DEVICE_MKNOD;
        }
        *ret = access ? access : DEVICE_READ | DEVICE_WRITE | DEVICE_MKNOD;
        return 0;
}

static void forget_devices(struct scope_text *t) {
        for (size_t i = 0; i < t->n_devices; i++)
                free(t->devices[i].path);
        t->n_devices = 0;
}

static int read_device(const struct reading *k, struct scope_text *t) {
        AUTO_FREE char *path = NULL;
        struct device_allow *bigger;
        const char *rest;
        unsigned access;
        int r;

        if (!*k->value) {
                forget_devices(t);
                return 0;
        }
        r = split(k->value, &path, &rest);
        if (r < 0)
                return r;
        if ((!startswith(path, "/dev/") || !path_is_absolute_and_valid(path)) && !startswith(path, "char-") &&
            !startswith(path, "block-"))
                return wrong(k, "a node below /dev, or char-NAME or block-NAME with a name of /proc/devices");
        if (read_access(rest, &access) < 0)
                return wrong(k, "a device and letters of r, w and m, such as \"/dev/kvm rw\"");
        if (t->n_devices >= ENTRIES_MAX)
                return wrong(k, "one of fewer: there are too many");
        bigger = reallocarray(t->devices, t->n_devices + 1, sizeof(*bigger));
        if (!bigger)
                return -ENOMEM;
        t->devices = bigger;
        t->devices[t->n_devices++] = (struct device_allow){ .path = STEAL(path), .access = access };
        return 0;
}

static int read_devices(const struct reading *k, struct scope_text *t) {
        int policy;

        if (streq(k->name, "DeviceAllow"))
                return read_device(k, t);
        policy = *k->value ? device_policy_from_string(k->value) : DEVICE_POLICY_CLOSED;
        if (policy < 0)
                return wrong(k, "one of closed, strict and auto");
        t->device_policy = (enum device_policy) policy;
        return 0;
}

/* ---- one property ---- */

/* As it is called on the bus; NULL: no such word. */
static const char *bus_name(const char *name) {
        static const struct {
                const char *written, *bus;
        } rows[] = {
                { "CPUQuota", "CPUQuotaPerSecUSec" },
                { "CPUQuotaPeriodSec", "CPUQuotaPeriodUSec" },
                { "TimeoutStopSec", "TimeoutStopUSec" },
        };

        for (size_t i = 0; i < ELEMENTS(rows); i++) {
                if (streq(rows[i].written, name))
                        return rows[i].bus;
                if (streq(rows[i].bus, name))
                        return NULL;
        }
        return name;
}

static int read_value(const struct reading *k, const struct scope_property *p, struct scope_text *t) {
        switch (p->kind) {
        case SCOPE_RESOURCE:
                return read_resource(k, (enum resource) p->value, &t->properties);
        case SCOPE_IO_LIMIT:
                return read_io_limit(k, (enum io_limit_kind) p->value, &t->properties);
        case SCOPE_SLICE:
                return read_slice(k, &t->properties);
        case SCOPE_DESCRIPTION:
                return read_description(k, &t->properties);
        case SCOPE_CPUS:
                return read_cpus(k, &t->properties);
        case SCOPE_NOT_ENFORCED:
                return read_devices(k, t);
        default:
                return 0;
        }
}

int scope_text_add(struct scope_text *t, const char *text, const struct scope_text_host *host, struct diag *d) {
        const char *equals = strchr(text, '='), *bus;
        const struct scope_property *p;
        char name[NAME_MAX_BYTES + 1];
        struct reading k = { .name = name, .host = host, .d = d };

        if (!equals || equals == text || (size_t) (equals - text) > NAME_MAX_BYTES) {
                AUTO_FREE char *shown = str_escape(text, SHOWN_MAX);

                return diag_set(d, -EINVAL, "--property", "--property=%s: must be NAME=VALUE, such as MemoryMax=1G.",
                                strempty(shown));
        }
        snprintf(name, sizeof(name), "%.*s", (int) (equals - text), text);
        k.value = equals + 1;
        bus = bus_name(name);
        p = bus ? scope_property_find(bus) : NULL;
        if (!p) {
                AUTO_FREE char *shown = str_escape(name, NAME_MAX_BYTES);

                return diag_set(d, -EINVAL, "--property",
                                "--property=%s=: not known without systemd as the host's service manager.",
                                strempty(shown));
        }
        return read_value(&k, p, t);
}

void scope_text_done(struct scope_text *t) {
        forget_devices(t);
        free(t->devices);
        scope_properties_done(&t->properties);
        *t = (struct scope_text){ .devices = NULL };
}
