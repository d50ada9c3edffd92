/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* One program for all ABIs: look which one a call is of, then search its number among ranges of the same decision.
 * systemd-nspawn installs a filter for each ABI and each purpose instead, of which the strictest answer counts, the
 * latest one of two errors. Here that is one decision: what a check of the arguments says, otherwise what the rules
 * say.
 *
 * Arguments are compared by their low 32 bits: the kernel takes them as int and never looks at the others.
 * socketcall(2) of old 32-bit programs has its arguments in memory, where no filter sees them, and openat2(2) has its
 * flags there: a list of address families does not hold for the former, unless it is empty. */
#include "plan/filter.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "plan/filter-code.h"
#include "plan/filter-default.h"
#include "plan/filter-rules.h"
#include "plan/syscall-tables.h"
#include "spec/spec.h"

/* struct seccomp_data of <linux/seccomp.h> */
#define DATA_NUMBER 0u
#define DATA_ARCH 4u
#define DATA_ARGUMENT(n) (16u + 8u * (n) + (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__ ? 4u : 0u))

#define ALLOW 0x7fff0000u
#define REFUSE(error) (0x00050000u | (uint32_t) (error))

/* Of <sys/socket.h>, <linux/netlink.h>, <linux/net.h> and <fcntl.h>, for all machines that there are tables for. */
#define NETLINK_FAMILY 16u
#define NETLINK_AUDIT_PROTOCOL 9u
#define SOCKETCALL_SOCKET 1u
#define SYNC_FLAGS 04010000u /* O_DSYNC, and what O_SYNC has in addition */

#define NATIVE_WEIGHT 4

enum base { BASE_ALLOW, BASE_EPERM, BASE_ENOSYS, _BASE_MAX };
enum check {
        CHECK_NONE,
        CHECK_SOCKET,     /* address family, and the audit protocol of netlink */
        CHECK_SOCKETCALL, /* refuses socket(2) of any family; there is no way to look at one */
        CHECK_FD,         /* a first argument >= 0: nothing is done, successfully */
        CHECK_FLAGS_2,    /* O_SYNC or O_DSYNC in the second argument */
        CHECK_FLAGS_3,    /* in the third one */
        CHECK_NOTHING,    /* nothing is done, successfully, whatever the arguments */
        _CHECK_MAX
};
#define DECISION(base, check) ((unsigned) (check) *_BASE_MAX + (unsigned) (base))
#define DECISIONS (_CHECK_MAX * _BASE_MAX)

static const uint32_t base_value[_BASE_MAX] = {
        [BASE_ALLOW] = ALLOW,
        [BASE_EPERM] = REFUSE(EPERM),
        [BASE_ENOSYS] = REFUSE(ENOSYS),
};

enum when { ALWAYS, WITHOUT_SYNC, WITHOUT_SOCKETS };

/* Calls whose arguments matter, and when they do. */
static const struct {
        const char *name;
        enum check check;
        enum when when;
} checked[] = {
        { "fdatasync", CHECK_FD, WITHOUT_SYNC },
        { "fsync", CHECK_FD, WITHOUT_SYNC },
        { "msync", CHECK_NOTHING, WITHOUT_SYNC },
        { "open", CHECK_FLAGS_2, WITHOUT_SYNC },
        { "openat", CHECK_FLAGS_3, WITHOUT_SYNC },
        { "socket", CHECK_SOCKET, ALWAYS },
        { "socketcall", CHECK_SOCKETCALL, WITHOUT_SOCKETS },
        { "sync", CHECK_NOTHING, WITHOUT_SYNC },
        { "sync_file_range", CHECK_FD, WITHOUT_SYNC },
        { "sync_file_range2", CHECK_FD, WITHOUT_SYNC }, /* the same, on ARM and POWER */
        { "syncfs", CHECK_FD, WITHOUT_SYNC },
};

struct point {
        uint32_t number;
        unsigned target, weight;
};

enum family_target { FAMILY_PASSES, FAMILY_REFUSED, FAMILY_NETLINK, _FAMILY_TARGET_MAX };

struct builder {
        const struct spec *spec;
        unsigned *decisions;         /* one for each of syscall_rows */
        struct point *points;        /* room for each call of each ABI */
        struct filter_range *ranges; /* room for each point and the gap before it, and for what follows the last */
        struct filter_range *families;
        size_t n_families;
        struct filter_code code;
};

static bool applies(const struct spec *s, enum when when) {
        switch (when) {
        case WITHOUT_SYNC:
                return s->suppress_sync;
        case WITHOUT_SOCKETS: /* an empty list to allow */
                return s->address_families_set && !s->address_families_deny && s->n_address_families == 0;
        default:
                return true;
        }
}

static enum check check_of(const struct spec *spec, const char *name) {
        for (size_t i = 0; i < ELEMENTS(checked); i++)
                if (streq(checked[i].name, name))
                        return applies(spec, checked[i].when) ? checked[i].check : CHECK_NONE;
        return CHECK_NONE;
}

static int compare_points(const void *a, const void *b) {
        const struct point *x = a, *y = b;

        return x->number < y->number ? -1 : x->number > y->number;
}

/* The calls of all ABIs that the kernel reports as this architecture, by number. */
static size_t collect_points(struct builder *b, uint32_t audit_arch) {
        size_t n = 0;

        for (size_t abi = 0; abi < n_syscall_abis; abi++) {
                if (syscall_abis[abi].audit_arch != audit_arch)
                        continue;
                for (size_t i = 0; i < n_syscall_rows; i++) {
                        int32_t number = syscall_rows[i].number[abi];
                        bool often = abi == 0 && b->decisions[i] % _BASE_MAX == BASE_ALLOW;

                        if (number >= 0)
                                b->points[n++] =
                                        (struct point){ (uint32_t) number, b->decisions[i], often ? NATIVE_WEIGHT : 0 };
                }
        }
        return n;
}

/* Begins a range, or goes on with the one before when nothing changes. */
static void extend(struct filter_range *ranges, size_t *n, uint32_t from, unsigned target, unsigned weight) {
        if (*n == 0 || ranges[*n - 1].target != target)
                ranges[(*n)++] = (struct filter_range){ .from = from, .weight = 1, .target = target };
        ranges[*n - 1].weight += weight;
}

/* Sorts the points and makes ranges of them; numbers between them go to `gap`. Room for 2 * n + 1 ranges. */
static size_t make_ranges(struct point *points, size_t n_points, unsigned gap, struct filter_range *ranges) {
        uint64_t next = 0;
        size_t n = 0;

        qsort(points, n_points, sizeof(points[0]), compare_points);
        for (size_t i = 0; i < n_points; i++) {
                const struct point *p = &points[i];

                if (p->number < next) /* named twice */
                        continue;
                if (p->number > next)
                        extend(ranges, &n, (uint32_t) next, gap, 0);
                extend(ranges, &n, p->number, p->target, p->weight);
                next = (uint64_t) p->number + 1;
        }
        if (next <= UINT32_MAX)
                extend(ranges, &n, (uint32_t) next, gap, 0);
        return n;
}

/* Without a list it is as with an empty one of families to refuse. */
static enum family_target family_target(const struct spec *s, uint32_t family) {
        bool deny = !s->address_families_set || s->address_families_deny, listed = false;

        for (size_t i = 0; s->address_families_set && i < s->n_address_families; i++)
                listed |= (uint32_t) s->address_families[i] == family;
        if (listed == deny)
                return FAMILY_REFUSED;
        return family == NETLINK_FAMILY ? FAMILY_NETLINK : FAMILY_PASSES;
}

static int make_families(struct builder *b) {
        const struct spec *s = b->spec;
        bool allow_list = s->address_families_set && !s->address_families_deny;
        size_t n = s->address_families_set ? s->n_address_families : 0;
        AUTO_FREE struct point *points = calloc(n + 1, sizeof(*points));

        if (n >= FILTER_INSTRUCTIONS_MAX)
                return -E2BIG;
        b->families = calloc(2 * (n + 1) + 1, sizeof(*b->families));
        if (!points || !b->families)
                return -ENOMEM;
        for (size_t i = 0; i <= n; i++) {
                uint32_t family = i < n ? (uint32_t) s->address_families[i] : NETLINK_FAMILY;

                points[i] = (struct point){ .number = family, .target = family_target(s, family) };
        }
        b->n_families = make_ranges(points, n + 1, allow_list ? FAMILY_REFUSED : FAMILY_PASSES, b->families);
        return 0;
}

static size_t write_socket_check(struct builder *b, size_t base) {
        struct filter_target targets[_FAMILY_TARGET_MAX] = {
                [FAMILY_PASSES] = { .is_block = true, .place = base },
                [FAMILY_REFUSED] = { .value = REFUSE(EAFNOSUPPORT) },
                [FAMILY_NETLINK] = { .is_block = true },
        };
        size_t refuse = filter_code_target(&b->code, &targets[FAMILY_REFUSED]), place;

        place = filter_code_branch(&b->code, FILTER_JUMP_EQUAL, NETLINK_AUDIT_PROTOCOL, refuse, base);
        targets[FAMILY_NETLINK].place = filter_code_load(&b->code, DATA_ARGUMENT(2), place);
        place = filter_code_search(&b->code, b->families, b->n_families, targets);
        return filter_code_load(&b->code, DATA_ARGUMENT(0), place);
}

static size_t write_check(struct builder *b, enum check check, struct filter_target *base) {
        static const uint32_t values[_CHECK_MAX] = {
                [CHECK_FD] = REFUSE(0),
                [CHECK_FLAGS_2] = REFUSE(EINVAL),
                [CHECK_FLAGS_3] = REFUSE(EINVAL),
                [CHECK_SOCKETCALL] = REFUSE(EAFNOSUPPORT),
        };
        struct filter_target own = { .value = values[check] };
        size_t pass = filter_code_target(&b->code, base), answer, place;

        if (check == CHECK_SOCKET)
                return write_socket_check(b, pass);
        answer = filter_code_target(&b->code, &own);
        if (check == CHECK_FD)
                place = filter_code_branch(&b->code, FILTER_JUMP_BITS, UINT32_C(1) << 31, pass, answer);
        else if (check == CHECK_SOCKETCALL)
                place = filter_code_branch(&b->code, FILTER_JUMP_EQUAL, SOCKETCALL_SOCKET, answer, pass);
        else
                place = filter_code_branch(&b->code, FILTER_JUMP_BITS, SYNC_FLAGS, answer, pass);
        return filter_code_load(&b->code,
                                DATA_ARGUMENT(check == CHECK_FLAGS_2   ? 1
                                              : check == CHECK_FLAGS_3 ? 2
                                                                       : 0),
                                place);
}

/* The decisions that need code are written once for each architecture, and jumped to. */
static void write_targets(struct builder *b, size_t n_ranges, struct filter_target *targets) {
        for (unsigned base = 0; base < _BASE_MAX; base++) {
                targets[DECISION(base, CHECK_NONE)].value = base_value[base];
                targets[DECISION(base, CHECK_NOTHING)].value = REFUSE(0);
        }
        for (size_t i = 0; i < n_ranges; i++) {
                unsigned decision = b->ranges[i].target;
                struct filter_target *t = &targets[decision];
                enum check check = (enum check)(decision / _BASE_MAX);

                if (t->place || check == CHECK_NONE || check == CHECK_NOTHING)
                        continue;
                t->is_block = true;
                t->place = write_check(b, check, &targets[DECISION(decision % _BASE_MAX, CHECK_NONE)]);
        }
}

/* From "is it of this architecture" to the answer; `other` is where to go when it is not. */
static size_t write_architecture(struct builder *b, uint32_t audit_arch, size_t other) {
        struct filter_target targets[DECISIONS] = { 0 };
        size_t n = make_ranges(b->points, collect_points(b, audit_arch), DECISION(BASE_ENOSYS, CHECK_NONE), b->ranges);
        size_t own;

        write_targets(b, n, targets);
        own = filter_code_search(&b->code, b->ranges, n, targets);
        own = filter_code_load(&b->code, DATA_NUMBER, own);
        return filter_code_branch(&b->code, FILTER_JUMP_EQUAL, audit_arch, own, other);
}

/* The native architecture is asked for first, so it is written last. */
static void write_program(struct builder *b) {
        struct filter_target foreign = { .value = ALLOW };
        size_t place = filter_code_target(&b->code, &foreign);

        for (size_t i = n_syscall_abis; i-- > 0;) {
                bool is_first = true;

                for (size_t k = 0; k < i; k++)
                        is_first &= syscall_abis[k].audit_arch != syscall_abis[i].audit_arch;
                if (is_first)
                        place = write_architecture(b, syscall_abis[i].audit_arch, place);
        }
        filter_code_load(&b->code, DATA_ARCH, place);
}

static int decide(struct builder *b, uint64_t capabilities, void (*warn)(const char *text, void *userdata),
                  void *userdata, size_t *ret_allowed) {
        AUTO_FREE bool *allowed = calloc(n_syscall_rows, sizeof(*allowed));
        size_t n_allowed = 0;
        int r;

        if (!allowed)
                return -ENOMEM;
        r = filter_rules_apply(b->spec->syscall_rules, b->spec->n_syscall_rules, capabilities, warn, userdata, allowed);
        if (r < 0)
                return r;
        for (size_t i = 0; i < n_syscall_rows; i++) {
                b->decisions[i] =
                        DECISION(allowed[i] ? BASE_ALLOW : BASE_EPERM, check_of(b->spec, syscall_rows[i].name));
                n_allowed += allowed[i] && syscall_rows[i].number[0] >= 0;
        }
        *ret_allowed = n_allowed;
        return 0;
}

static void builder_done(struct builder *b) {
        free(b->decisions);
        free(b->points);
        free(b->ranges);
        free(b->families);
        filter_code_done(&b->code);
}

static int builder_init(struct builder *b, const struct spec *spec) {
        size_t n_points = n_syscall_rows * n_syscall_abis;

        *b = (struct builder){ .spec = spec };
        b->decisions = calloc(n_syscall_rows, sizeof(*b->decisions));
        b->points = calloc(n_points, sizeof(*b->points));
        b->ranges = calloc(2 * n_points + 1, sizeof(*b->ranges));
        return b->decisions && b->points && b->ranges ? 0 : -ENOMEM;
}

static int build(struct builder *b, struct filter *ret) {
        struct filter f = { .n_allowed = ret->n_allowed };
        int r = make_families(b);

        if (r < 0)
                return r;
        write_program(b);
        r = filter_code_finish(&b->code, &f.code, &f.n_code);
        if (r < 0)
                return r;
        if (f.n_code > FILTER_INSTRUCTIONS_MAX) {
                filter_done(&f);
                return -E2BIG;
        }
        *ret = f;
        return 0;
}

/* Does everybody who says no more than this get the same? */
static bool is_default(const struct spec *spec, uint64_t capabilities) {
        return filter_default.code && spec->n_syscall_rules == 0 && !spec->address_families_set &&
               !spec->suppress_sync && (capabilities & filter_rules_capabilities()) == filter_default.capabilities;
}

int filter_build(const struct spec *spec, uint64_t capabilities, void (*warn)(const char *text, void *userdata),
                 void *userdata, struct filter *ret, struct diag *diag) {
        AUTO(builder_done) struct builder b = { 0 };
        struct filter f = { 0 };
        int r;

        if (is_default(spec, capabilities)) {
                *ret = (struct filter){
                        .code = (struct filter_instruction *) filter_default.code, /* never written to */
                        .n_code = filter_default.n_code,
                        .n_allowed = filter_default.n_allowed
                };
                return 0;
        }
        r = builder_init(&b, spec);
        if (r >= 0)
                r = decide(&b, capabilities, warn, userdata, &f.n_allowed);
        if (r >= 0)
                r = build(&b, &f);
        if (r == -E2BIG)
                return diag_set(
                        diag, r, "RestrictAddressFamilies",
                        "%zu address families make a filter of more than %d instructions, which the kernel refuses",
                        spec->n_address_families, FILTER_INSTRUCTIONS_MAX);
        if (r < 0)
                return r;
        *ret = f;
        return 0;
}

void filter_done(struct filter *f) {
        if (f->code != filter_default.code)
                free(f->code);
        *f = (struct filter){ 0 };
}
