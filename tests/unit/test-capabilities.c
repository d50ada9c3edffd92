/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Which capabilities a payload gets: masks as systemd-nspawn 262 shows them in /proc/self/status. */
#include "unit.h"

#include <errno.h>
#include <linux/capability.h>

#include "base/str.h"
#include "plan/capabilities.h"
#include "spec/spec.h"

#define ALL UINT64_MAX
#define HOST UINT64_C(0x1ffffffffff)                     /* of a kernel with 41 */
#define POOR (HOST & ~(UINT64_C(1) << CAP_SYS_RESOURCE)) /* a caller without CAP_SYS_RESOURCE */
#define BIT(c) (UINT64_C(1) << (c))

static void test_masks(void **state) {
        static const struct {
                uint64_t own;
                bool user_namespace, network_private;
                uint64_t add, drop, kept, missing;
        } cases[] = {
                { HOST, false, false, 0, 0, 0xfdecafff, 0 },
                { HOST, false, true, 0, 0, 0xfdecbfff, 0 },
                { POOR, false, false, 0, 0, 0xfcecafff, 0 },
                { POOR, false, true, 0, 0, 0xfcecbfff, 0 },
                { POOR, true, false, 0, 0, 0xfdecabff, 0 },
                { POOR, true, true, 0, 0, 0xfdecbfff, 0 },
                { HOST, false, false, 0, ALL, 0, 0 },
                { HOST, false, false, ALL, 0, HOST, 0 },
                { POOR, false, false, ALL, 0, POOR, 0 },
                { POOR, false, false, ALL, ALL, 0, 0 },
                { HOST, false, false, BIT(CAP_NET_ADMIN), 0, 0xfdecbfff, 0 },
                { HOST, false, false, BIT(CAP_SYS_TIME), 0, 0xffecafff, 0 },
                { HOST, false, false, BIT(CAP_SYS_TIME), BIT(CAP_SYS_TIME), 0xfdecafff, 0 },
                { HOST, false, true, 0, BIT(CAP_NET_ADMIN), 0xfdecafff, 0 },
                { POOR, false, false, BIT(CAP_SYS_RESOURCE), 0, 0xfcecafff, BIT(CAP_SYS_RESOURCE) },
                { POOR, false, false, BIT(CAP_SYS_RESOURCE), BIT(CAP_SYS_RESOURCE), 0xfcecafff, 0 },
                { POOR, false, false, BIT(63), 0, 0xfcecafff, BIT(63) },
                { POOR, true, false, BIT(CAP_NET_BIND_SERVICE), 0, 0xfdecabff, 0 },
                { 0, true, true, 0, BIT(CAP_CHOWN), 0xfdecbffe, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (int root = 0; root < 2; root++) {
                        struct capability_facts facts = { .own = cases[i].own,
                                                          .user_namespace = cases[i].user_namespace,
                                                          .network_private = cases[i].network_private,
                                                          .payload_is_root = root };
                        uint64_t missing = 7, expected = root ? cases[i].kept : 0;
                        struct capability_sets sets;
                        struct spec s;

                        spec_init(&s);
                        s.start_mode = START_BOOT;
                        s.capabilities.add = cases[i].add;
                        s.capabilities.drop = cases[i].drop;
                        assert_int_equal(capabilities_decide(&s, &facts, &sets, &missing, NULL), 0);
                        if (sets.bounding != cases[i].kept)
                                fail_msg("case %zu: %llx", i, (unsigned long long) sets.bounding);
                        assert_true(sets.effective == expected && sets.permitted == expected &&
                                    sets.inheritable == expected && sets.ambient == 0);
                        assert_int_equal(missing, cases[i].missing);
                }
}

static void test_ambient(void **state) {
        struct capability_facts facts = { .own = HOST };
        struct capability_sets sets;
        uint64_t missing;
        struct spec s;

        spec_init(&s);
        s.capabilities.ambient = BIT(CAP_CHOWN);
        assert_int_equal(capabilities_decide(&s, &facts, &sets, &missing, NULL), 0);
        assert_int_equal(sets.bounding, 0xfdecafff);
        assert_true(sets.effective == 1 && sets.permitted == 1 && sets.inheritable == 1 && sets.ambient == 1);
        facts.payload_is_root = true;
        assert_int_equal(capabilities_decide(&s, &facts, &sets, &missing, NULL), 0);
        assert_true(sets.effective == 0xfdecafff && sets.inheritable == 0xfdecafff && sets.ambient == 1);
}

static void test_ambient_refused(void **state) {
        static const struct {
                enum start_mode mode;
                uint64_t own, add, drop, ambient;
                bool user_namespace;
                const char *text;
        } cases[] = {
                { START_BOOT, HOST, 0, 0, BIT(CAP_CHOWN), false, "(--boot)" },
                { START_PID2, HOST, 0, 0, BIT(CAP_SYS_TIME), false,
                  "CAP_SYS_TIME cannot be ambient: the container does" },
                { START_PID1, HOST, 0, BIT(CAP_CHOWN), BIT(CAP_CHOWN), false,
                  "CAP_CHOWN cannot be ambient: the container" },
                { START_PID1, POOR, 0, 0, BIT(CAP_SYS_RESOURCE), false,
                  "CAP_SYS_RESOURCE cannot be ambient: it is not ours" },
                { START_PID1, HOST, BIT(50), 0, BIT(50), false, "Capability 50 cannot be ambient: it is not ours" },
                { START_PID1, HOST, 0, 0, BIT(CAP_NET_BIND_SERVICE), true, "CAP_NET_BIND_SERVICE cannot be ambient" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct capability_facts facts = { .own = cases[i].own, .user_namespace = cases[i].user_namespace };
                struct capability_sets sets;
                uint64_t missing;
                struct diag d = { 0 };
                struct spec s;

                spec_init(&s);
                s.start_mode = cases[i].mode;
                s.capabilities = (struct spec_capabilities){ cases[i].add, cases[i].drop, cases[i].ambient };
                assert_int_equal(capabilities_decide(&s, &facts, &sets, &missing, &d), -EINVAL);
                assert_string_equal(d.field, "AmbientCapability");
                if (!strstr(d.text, cases[i].text))
                        fail_msg("case %zu: %s", i, d.text);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks),
        cmocka_unit_test(test_ambient),
        cmocka_unit_test(test_ambient_refused),
};

RUN_TESTS(tests)
