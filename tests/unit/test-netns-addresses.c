/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's address dumps: what counts, in which order; broken ones are refused. Then once the real kernel. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <sys/socket.h>

#include "base/auto.h"
#include "sys/netns-addresses.h"

struct packet {
        uint8_t bytes[4096];
        size_t size;
};

static void put(struct packet *p, const void *data, size_t size) {
        assert_true(p->size + size <= sizeof(p->bytes));
        memcpy(p->bytes + p->size, data, size);
        p->size = NLMSG_ALIGN(p->size + size);
}

static void put_attribute(struct packet *p, uint16_t type, const void *data, size_t size) {
        struct rtattr a = { .rta_type = type, .rta_len = (uint16_t) RTA_LENGTH(size) };

        put(p, &a, sizeof(a));
        put(p, data, size);
}

/* last: the last byte of the address. peer: also an IFA_ADDRESS that is not ours. */
static void put_address(struct packet *p, uint8_t family, uint8_t scope, uint8_t last, uint32_t flags, int ifindex,
                        bool peer) {
        struct nlmsghdr head = { .nlmsg_type = RTM_NEWADDR };
        struct ifaddrmsg body = { .ifa_family = family, .ifa_scope = scope, .ifa_index = (uint32_t) ifindex };
        uint8_t bytes[16] = { 10 }, other[16] = { 99 };
        size_t start = p->size, n = family == AF_INET ? 4 : 16;

        bytes[n - 1] = last;
        put(p, &head, sizeof(head));
        put(p, &body, sizeof(body));
        put_attribute(p, IFA_ADDRESS, peer ? other : bytes, n);
        if (peer)
                put_attribute(p, IFA_LOCAL, bytes, n);
        put_attribute(p, IFA_FLAGS, &flags, sizeof(flags));
        head.nlmsg_len = (uint32_t) (p->size - start);
        memcpy(p->bytes + start, &head, sizeof(head));
}

static void put_done(struct packet *p) {
        struct nlmsghdr head = { .nlmsg_type = NLMSG_DONE, .nlmsg_len = sizeof(head) };

        put(p, &head, sizeof(head));
}

static void test_choice_and_order(void **state) {
        struct packet p = { .size = 0 };
        struct netns_address entries[16];
        struct netns_addresses found = { .entries = entries, .max = ELEMENTS(entries) };
        static const struct {
                int family, ifindex;
                uint8_t last;
        } expected[] = {
                { AF_INET, 2, 1 }, { AF_INET, 2, 5 }, { AF_INET, 3, 9 }, { AF_INET, 1, 4 }, { AF_INET6, 2, 7 }
        };

        put_address(&p, AF_INET6, RT_SCOPE_UNIVERSE, 7, 0, 2, false);
        put_address(&p, AF_INET, RT_SCOPE_LINK, 4, 0, 1, false);
        put_address(&p, AF_INET, RT_SCOPE_UNIVERSE, 9, IFA_F_PERMANENT, 3, true);
        put_address(&p, AF_INET, RT_SCOPE_UNIVERSE, 5, 0, 2, false);
        put_address(&p, AF_INET, RT_SCOPE_UNIVERSE, 5, 0, 2, false);
        put_address(&p, AF_INET, RT_SCOPE_UNIVERSE, 1, 0, 2, false);
        put_address(&p, AF_INET, RT_SCOPE_HOST, 2, 0, 1, false);
        put_address(&p, AF_INET, RT_SCOPE_NOWHERE, 2, 0, 1, false);
        put_address(&p, AF_INET6, RT_SCOPE_LINK, 2, IFA_F_TENTATIVE, 1, false);
        put_address(&p, AF_INET6, RT_SCOPE_LINK, 2, IFA_F_DEPRECATED, 1, false);
        put_address(&p, AF_UNIX, RT_SCOPE_LINK, 2, 0, 1, false);
        put_address(&p, AF_INET, RT_SCOPE_UNIVERSE, 2, 0, 0, false);
        assert_int_equal(netns_addresses_decode(p.bytes, p.size, &found), 0);
        put_done(&p);
        found.n = 0;
        assert_int_equal(netns_addresses_decode(p.bytes, p.size, &found), 1);
        netns_addresses_order(&found);
        assert_int_equal(found.n, ELEMENTS(expected));
        for (size_t i = 0; i < found.n; i++) {
                assert_int_equal(entries[i].family, expected[i].family);
                assert_int_equal(entries[i].ifindex, expected[i].ifindex);
                assert_int_equal(entries[i].bytes[entries[i].family == AF_INET ? 3 : 15], expected[i].last);
                assert_int_equal(entries[i].bytes[0], 10);
        }
}

static void test_limits(void **state) {
        struct packet p = { .size = 0 };
        struct netns_address entries[2];
        struct netns_addresses found = { .entries = entries, .max = ELEMENTS(entries) };

        for (uint8_t i = 0; i < 5; i++)
                put_address(&p, AF_INET, 0, i, 0, 1, false);
        assert_int_equal(netns_addresses_decode(p.bytes, p.size, &found), 0);
        assert_int_equal(found.n, 2);
}

/* Every cut of a good packet, on the heap so that the address sanitizer sees the end. */
static void test_cut(void **state) {
        struct packet p = { .size = 0 };

        put_address(&p, AF_INET6, 0, 1, 0, 1, true);
        put_address(&p, AF_INET, 0, 1, 0, 1, true);
        put_done(&p);
        for (size_t size = 1; size <= p.size; size++) {
                struct netns_address entries[4];
                struct netns_addresses found = { .entries = entries, .max = ELEMENTS(entries) };
                uint8_t *copy = malloc(size);

                assert_non_null(copy);
                memcpy(copy, p.bytes, size);
                netns_addresses_decode(copy, size, &found);
                free(copy);
        }
}

static void test_kernel_error(void **state) {
        struct packet p = { .size = 0 };
        struct nlmsghdr head = { .nlmsg_type = NLMSG_ERROR, .nlmsg_len = sizeof(head) + 4 };
        struct netns_addresses found = { .max = 0 };
        int error = -EPERM;

        put(&p, &head, sizeof(head));
        put(&p, &error, sizeof(error));
        assert_int_equal(netns_addresses_decode(p.bytes, p.size, &found), -EPERM);
        assert_int_equal(netns_addresses_decode(p.bytes, sizeof(head), &found), -EBADMSG);
}

static void test_own_namespace(void **state) {
        struct netns_address entries[64];
        struct netns_addresses found = { .entries = entries, .max = ELEMENTS(entries) };

        assert_int_equal(netns_addresses(-EBADF, -EBADF, &found), 0);
        for (size_t i = 0; i < found.n; i++)
                assert_true(entries[i].ifindex > 0);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_choice_and_order),
                cmocka_unit_test(test_limits),
                cmocka_unit_test(test_cut),
                cmocka_unit_test(test_kernel_error),
                cmocka_unit_test(test_own_namespace),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
