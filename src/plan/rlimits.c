/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What a service manager gives its services, not what the caller's shell happens to have: two starts of a container are
 * alike. NPROC and SIGPENDING depend on the size of the machine: the kernel has put them into the host's PID 1. */
#include "plan/rlimits.h"

#define KIB 1024u
#define MIB (1024u * KIB)
#define NOFILE_SOFT 1024u /* more would break programs that use select(2) */
#define NOFILE_HARD (512u * KIB)

/* include/uapi/asm-generic/resource.h: the same numbers on every architecture that we build for. */
enum {
        LIMIT_STACK = 3,
        LIMIT_CORE = 4,
        LIMIT_NPROC = 6,
        LIMIT_NOFILE = 7,
        LIMIT_MEMLOCK = 8,
        LIMIT_SIGPENDING = 11,
        LIMIT_MSGQUEUE = 12,
        LIMIT_NICE = 13,
        LIMIT_RTPRIO = 14,
};

static uint64_t smaller(uint64_t a, uint64_t b) {
        return a < b ? a : b;
}

/* 0 is "not known". */
static uint64_t nofile_limit(const struct rlimit_facts *facts) {
        return facts->nr_open ? facts->nr_open : NOFILE_HARD;
}

static struct rlimit_pair default_of(int resource, const struct rlimit_facts *facts) {
        switch (resource) {
        case LIMIT_STACK:
                return (struct rlimit_pair){ 8 * MIB, SPEC_RLIMIT_INFINITY };
        case LIMIT_CORE:
                return (struct rlimit_pair){ 0, SPEC_RLIMIT_INFINITY };
        case LIMIT_NPROC:
                return facts->host_nproc;
        case LIMIT_NOFILE:
                return (struct rlimit_pair){ NOFILE_SOFT, smaller(nofile_limit(facts), NOFILE_HARD) };
        case LIMIT_MEMLOCK:
                return (struct rlimit_pair){ 8 * MIB, 8 * MIB };
        case LIMIT_SIGPENDING:
                return facts->host_sigpending;
        case LIMIT_MSGQUEUE:
                return (struct rlimit_pair){ 800 * KIB, 800 * KIB };
        case LIMIT_NICE:
        case LIMIT_RTPRIO:
                return (struct rlimit_pair){ 0, 0 };
        default:
                return (struct rlimit_pair){ SPEC_RLIMIT_INFINITY, SPEC_RLIMIT_INFINITY };
        }
}

void rlimits_decide(const struct spec_rlimit wanted[static SPEC_RLIMITS], const struct rlimit_facts *facts,
                    struct rlimit_pair ret[static SPEC_RLIMITS]) {
        for (int i = 0; i < SPEC_RLIMITS; i++) {
                struct rlimit_pair p = default_of(i, facts);

                if (wanted[i].set)
                        p = (struct rlimit_pair){ wanted[i].soft, wanted[i].hard };
                if (!facts->may_raise)
                        p.hard = smaller(p.hard, facts->own[i].hard);
                else if (i == LIMIT_NOFILE && facts->nr_open) /* setrlimit(2) lets nobody go above it */
                        p.hard = smaller(p.hard, facts->nr_open);
                p.soft = smaller(p.soft, p.hard);
                ret[i] = p;
        }
}
