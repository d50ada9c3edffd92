/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Limits of resources, and where on the machine the payload may run. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/parse.h"
#include "base/str.h"
#include "spec/spec-setters.h"
#include "spec/spec.h"

#define CPU_MAX 8192
#define USEC_PER_SEC UINT64_C(1000000)
#define NICE_RAW_ZERO 20 /* getrlimit(2): the limit of RLIMIT_NICE is 20 less the nice value */

enum rlimit_unit { UNIT_COUNT, UNIT_BYTES, UNIT_SECONDS, UNIT_USEC, UNIT_NICE };

static const struct {
        const char *name;
        enum rlimit_unit unit;
} limits[SPEC_RLIMITS] = {
        { "CPU", UNIT_SECONDS },    { "FSIZE", UNIT_BYTES }, { "DATA", UNIT_BYTES },   { "STACK", UNIT_BYTES },
        { "CORE", UNIT_BYTES },     { "RSS", UNIT_BYTES },   { "NPROC", UNIT_COUNT },  { "NOFILE", UNIT_COUNT },
        { "MEMLOCK", UNIT_BYTES },  { "AS", UNIT_BYTES },    { "LOCKS", UNIT_COUNT },  { "SIGPENDING", UNIT_COUNT },
        { "MSGQUEUE", UNIT_BYTES }, { "NICE", UNIT_NICE },   { "RTPRIO", UNIT_COUNT }, { "RTTIME", UNIT_USEC },
};

int rlimit_from_string(const char *s) {
        const char *rest = startswith(s, "RLIMIT_");

        if (!rest)
                rest = startswith(s, "Limit");
        if (!rest)
                rest = s;
        for (int i = 0; i < SPEC_RLIMITS; i++)
                if (streq(limits[i].name, rest))
                        return i;
        return -EINVAL;
}

const char *rlimit_to_string(int number) {
        return number >= 0 && number < SPEC_RLIMITS ? limits[number].name : NULL;
}

static int parse_nice(const char *s, uint64_t *ret) {
        bool sign = *s == '+' || *s == '-';
        uint32_t n;

        if (parse_u32(s + sign, &n) < 0)
                return -EINVAL;
        if (!sign) {
                *ret = n;
                return n <= 40 ? 0 : -ERANGE;
        }
        if (n > (*s == '-' ? 20U : 19U))
                return -ERANGE;
        *ret = *s == '-' ? NICE_RAW_ZERO + n : NICE_RAW_ZERO - n;
        return 0;
}

static int parse_limit(const char *s, enum rlimit_unit unit, uint64_t *ret) {
        uint64_t usec = 0;
        int r;

        if (streq(s, "infinity")) {
                *ret = SPEC_RLIMIT_INFINITY;
                return 0;
        }
        switch (unit) {
        case UNIT_NICE:
                return parse_nice(s, ret);
        case UNIT_SECONDS:
                r = parse_usec(s, &usec);
                *ret = usec / USEC_PER_SEC + (usec % USEC_PER_SEC > 0);
                return r;
        case UNIT_USEC: /* a bare number is one of microseconds, as the kernel counts */
                return parse_u64(s, ret) >= 0 ? 0 : parse_usec(s, ret);
        case UNIT_COUNT:
        case UNIT_BYTES:
                return value_size(s, ret);
        }
        return -EINVAL;
}

static int apply_rlimit(struct spec *s, const struct setting *v, int number, const char *text) {
        AUTO(strv_freep) char **fields = NULL;
        struct spec_rlimit limit = { .set = true };
        int r;

        r = value_fields(text, &fields);
        if (r == -ENOMEM)
                return r;
        if (r < 0 || strv_length(fields) > 2 || parse_limit(fields[0], limits[number].unit, &limit.soft) < 0 ||
            (fields[1] && parse_limit(fields[1], limits[number].unit, &limit.hard) < 0))
                return value_wrong(v, "the limit must be SOFT or SOFT:HARD, numbers with a unit or infinity.");
        if (!fields[1])
                limit.hard = limit.soft;
        if (limit.soft > limit.hard)
                return value_wrong(v, "the soft limit must not be above the hard one.");
        s->rlimits[number] = limit;
        s->set |= UINT64_C(1) << (SPEC_RLIMIT_FIRST + number);
        return 0;
}

int set_rlimit(struct spec *s, const struct setting *v) {
        const char *equals = strchr(v->value, '=');
        AUTO_FREE char *name = NULL;
        int number;

        if (!equals)
                return value_wrong(v, "must be an assignment such as NOFILE=1024:4096.");
        name = strndup(v->value, (size_t) (equals - v->value));
        if (!name)
                return -ENOMEM;
        number = rlimit_from_string(name);
        if (number < 0)
                return value_wrong(v, "there is no such limit; names are like NOFILE or RLIMIT_NOFILE.");
        return apply_rlimit(s, v, number, equals + 1);
}

int set_rlimit_value(struct spec *s, const struct setting *v) {
        if (!*v->value) {
                s->rlimits[v->field] = (struct spec_rlimit){ 0 };
                s->set &= ~(UINT64_C(1) << (SPEC_RLIMIT_FIRST + v->field));
                return 0;
        }
        return apply_rlimit(s, v, (int) v->field, v->value);
}

int set_oom_score_adjust(struct spec *s, const struct setting *v) {
        int32_t n = 0;

        if (!(v->in_file && !*v->value) && (parse_i32(v->value, &n) < 0 || n < -1000 || n > 1000))
                return value_wrong(v, "must be a number from -1000 to 1000.");
        s->oom_score_adjust = n;
        s->oom_score_adjust_set = *v->value;
        return 0;
}

/* N or N-M */
static int parse_cpus(const char *word, unsigned char *cpus, size_t *size) {
        const char *dash = strchr(word, '-');
        AUTO_FREE char *first_text = strndup(word, dash ? (size_t) (dash - word) : strlen(word));
        uint32_t first, last;

        if (!first_text)
                return -ENOMEM;
        if (parse_u32(first_text, &first) < 0)
                return -EINVAL;
        last = first;
        if ((dash && parse_u32(dash + 1, &last) < 0) || last < first || last >= CPU_MAX)
                return -EINVAL;
        for (uint32_t i = first; i <= last; i++)
                cpus[i / 8] |= (unsigned char) (1U << (i % 8));
        if (last / 8 + 1 > *size)
                *size = last / 8 + 1;
        return 0;
}

int set_cpu_affinity(struct spec *s, const struct setting *v) {
        AUTO(strv_freep) char **words = NULL;
        AUTO_FREE unsigned char *cpus = calloc(CPU_MAX / 8, 1);
        size_t size = 0;
        int r;

        if (!cpus)
                return -ENOMEM;
        r = value_words(v->value, ", \t", false, &words);
        if (r < 0 || (!words && !v->in_file))
                return value_list_wrong(v, r, "a list of CPUs such as 0,2-5");
        for (size_t i = 0; words && words[i]; i++) {
                r = parse_cpus(words[i], cpus, &size);
                if (r < 0)
                        return r == -ENOMEM ? r
                                            : value_wrong(v, "must be a list of CPUs below %d such as 0,2-5.", CPU_MAX);
        }
        free(s->cpu_affinity);
        s->cpu_affinity = STEAL(cpus);
        s->cpu_affinity_bytes = size;
        return 0;
}
