/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Resource limits: the defaults of systemd-nspawn, what the user wants, and what the caller may give. */
#include "unit.h"

#include <sys/resource.h>

#include "plan/rlimits.h"

#define INFINITE SPEC_RLIMIT_INFINITY

static struct rlimit_facts make_facts(bool may_raise) {
        struct rlimit_facts f = { .nr_open = 1048576,
                                  .host_nproc = { 15000, 15000 },
                                  .host_sigpending = { 15001, 15002 },
                                  .may_raise = may_raise };

        for (int i = 0; i < SPEC_RLIMITS; i++)
                f.own[i] = (struct rlimit_pair){ INFINITE, INFINITE };
        return f;
}

static void assert_pair(const struct rlimit_pair *p, uint64_t soft, uint64_t hard) {
        assert_int_equal(p->soft, soft);
        assert_int_equal(p->hard, hard);
}

static void test_defaults(void **state) {
        static const struct {
                int resource;
                uint64_t soft, hard;
        } cases[] = {
                { RLIMIT_AS, INFINITE, INFINITE },
                { RLIMIT_CPU, INFINITE, INFINITE },
                { RLIMIT_DATA, INFINITE, INFINITE },
                { RLIMIT_FSIZE, INFINITE, INFINITE },
                { RLIMIT_LOCKS, INFINITE, INFINITE },
                { RLIMIT_RSS, INFINITE, INFINITE },
                { RLIMIT_RTTIME, INFINITE, INFINITE },
                { RLIMIT_CORE, 0, INFINITE },
                { RLIMIT_MEMLOCK, 8388608, 8388608 },
                { RLIMIT_MSGQUEUE, 819200, 819200 },
                { RLIMIT_NICE, 0, 0 },
                { RLIMIT_RTPRIO, 0, 0 },
                { RLIMIT_STACK, 8388608, INFINITE },
                { RLIMIT_NOFILE, 1024, 524288 },
                { RLIMIT_NPROC, 15000, 15000 },
                { RLIMIT_SIGPENDING, 15001, 15002 },
        };
        struct spec_rlimit wanted[SPEC_RLIMITS] = { 0 };
        struct rlimit_facts facts = make_facts(true);
        struct rlimit_pair ret[SPEC_RLIMITS];

        assert_int_equal(ELEMENTS(cases), SPEC_RLIMITS);
        assert_int_equal(SPEC_RLIMITS, RLIM_NLIMITS);
        rlimits_decide(wanted, &facts, ret);
        for (size_t i = 0; i < ELEMENTS(cases); i++)
                assert_pair(&ret[cases[i].resource], cases[i].soft, cases[i].hard);
        facts.nr_open = 5000;
        rlimits_decide(wanted, &facts, ret);
        assert_pair(&ret[RLIMIT_NOFILE], 1024, 5000);
        facts.nr_open = 100;
        rlimits_decide(wanted, &facts, ret);
        assert_pair(&ret[RLIMIT_NOFILE], 100, 100);
        facts.nr_open = 0;
        rlimits_decide(wanted, &facts, ret);
        assert_pair(&ret[RLIMIT_NOFILE], 1024, 524288);
}

/* A caller without CAP_SYS_RESOURCE whose own limit of files is 20000. */
static void test_clamped(void **state) {
        struct spec_rlimit wanted[SPEC_RLIMITS] = { 0 };
        struct rlimit_facts facts = make_facts(false);
        struct rlimit_pair ret[SPEC_RLIMITS];

        facts.own[RLIMIT_NOFILE] = (struct rlimit_pair){ 512, 20000 };
        facts.own[RLIMIT_CORE] = (struct rlimit_pair){ 0, 0 };
        facts.own[RLIMIT_MEMLOCK] = (struct rlimit_pair){ 65536, 65536 };
        rlimits_decide(wanted, &facts, ret);
        assert_pair(&ret[RLIMIT_NOFILE], 1024, 20000);
        assert_pair(&ret[RLIMIT_CORE], 0, 0);
        assert_pair(&ret[RLIMIT_MEMLOCK], 65536, 65536);
        assert_pair(&ret[RLIMIT_STACK], 8388608, INFINITE);
        wanted[RLIMIT_NOFILE] = (struct spec_rlimit){ true, 64, 128 };
        wanted[RLIMIT_MEMLOCK] = (struct spec_rlimit){ true, INFINITE, INFINITE };
        rlimits_decide(wanted, &facts, ret);
        assert_pair(&ret[RLIMIT_NOFILE], 64, 128);
        assert_pair(&ret[RLIMIT_MEMLOCK], 65536, 65536);
        facts.may_raise = true;
        rlimits_decide(wanted, &facts, ret);
        assert_pair(&ret[RLIMIT_MEMLOCK], INFINITE, INFINITE);
        assert_pair(&ret[RLIMIT_CORE], 0, INFINITE);
}

static void test_wanted(void **state) {
        struct spec_rlimit wanted[SPEC_RLIMITS] = { 0 };
        struct rlimit_facts facts = make_facts(true);
        struct rlimit_pair ret[SPEC_RLIMITS];

        wanted[RLIMIT_NOFILE] = (struct spec_rlimit){ true, 64, 128 };
        wanted[RLIMIT_CORE] = (struct spec_rlimit){ true, INFINITE, INFINITE };
        wanted[RLIMIT_CPU] = (struct spec_rlimit){ true, 600, 600 };
        wanted[RLIMIT_AS] = (struct spec_rlimit){ false, 1, 1 };
        rlimits_decide(wanted, &facts, ret);
        assert_pair(&ret[RLIMIT_NOFILE], 64, 128);
        assert_pair(&ret[RLIMIT_CORE], INFINITE, INFINITE);
        assert_pair(&ret[RLIMIT_CPU], 600, 600);
        assert_pair(&ret[RLIMIT_AS], INFINITE, INFINITE);
        /* even root stays below nr_open */
        wanted[RLIMIT_NOFILE] = (struct spec_rlimit){ true, INFINITE, INFINITE };
        rlimits_decide(wanted, &facts, ret);
        assert_pair(&ret[RLIMIT_NOFILE], 1048576, 1048576);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_clamped),
        cmocka_unit_test(test_wanted),
};

RUN_TESTS(tests)
