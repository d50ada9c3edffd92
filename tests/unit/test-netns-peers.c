/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The kernel's list of interfaces: which ones lead elsewhere; broken lists are refused. Then the real kernel: a namespace of
 * our own with a veth pair into a child's. */
#include "unit.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "sys/netns-peers.h"

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

/* kind NULL: a physical one. nsid -1: leads nowhere else. */
static void put_link(struct packet *p, int ifindex, const char *kind, int32_t nsid) {
        struct nlmsghdr head = { .nlmsg_type = RTM_NEWLINK };
        struct ifinfomsg body = { .ifi_index = ifindex };
        struct packet info = { .size = 0 };
        size_t start = p->size;

        put(p, &head, sizeof(head));
        put(p, &body, sizeof(body));
        put_attribute(p, IFLA_IFNAME, "some", 5);
        if (kind) {
                put_attribute(&info, IFLA_INFO_KIND, kind, strlen(kind) + 1);
                put_attribute(p, IFLA_LINKINFO | NLA_F_NESTED, info.bytes, info.size);
        }
        if (nsid >= 0)
                put_attribute(p, IFLA_LINK_NETNSID, &nsid, sizeof(nsid));
        head.nlmsg_len = (uint32_t) (p->size - start);
        memcpy(p->bytes + start, &head, sizeof(head));
}

static void put_done(struct packet *p) {
        struct nlmsghdr head = { .nlmsg_type = NLMSG_DONE, .nlmsg_len = sizeof(head) };

        put(p, &head, sizeof(head));
}

static void test_choice(void **state) {
        static const struct netns_peer expected[] = { { 4, 0 }, { 7, 3 } };
        struct netns_peer entries[8];
        struct netns_peers found = { .entries = entries, .max = ELEMENTS(entries) };
        struct packet p = { .size = 0 };

        put_link(&p, 1, NULL, -1);
        put_link(&p, 2, NULL, 0);
        put_link(&p, 3, "veth", -1); /* both ends are here */
        put_link(&p, 4, "veth", 0);
        put_link(&p, 5, "macvlan", 0);
        put_link(&p, 6, "vethmore", 0);
        put_link(&p, 7, "netkit", 3);
        put_link(&p, -8, "veth", 0);
        put_link(&p, 9, "ve", 0);
        assert_int_equal(netns_peers_decode(p.bytes, p.size, &found), 0);
        assert_int_equal(found.n, ELEMENTS(expected));
        assert_memory_equal(entries, expected, sizeof(expected));
        put_done(&p);
        found = (struct netns_peers){ .entries = entries, .max = 1 };
        assert_int_equal(netns_peers_decode(p.bytes, p.size, &found), 1);
        assert_int_equal(found.n, 1);
}

static void test_broken(void **state) {
        struct netns_peer entries[8];
        struct netns_peers found = { .entries = entries, .max = ELEMENTS(entries) };
        struct nlmsghdr head = { .nlmsg_type = NLMSG_ERROR, .nlmsg_len = NLMSG_LENGTH(4) };
        struct packet p = { .size = 0 }, error = { .size = 0 };
        int number = -EPERM;

        put_link(&p, 4, "veth", 0);
        for (size_t size = 1; size < p.size; size++) {
                found.n = 0;
                assert_int_equal(netns_peers_decode(p.bytes, size, &found), -EBADMSG);
        }
        put(&error, &head, sizeof(head));
        put(&error, &number, sizeof(number));
        assert_int_equal(netns_peers_decode(error.bytes, error.size, &found), -EPERM);
        memset(p.bytes, 0, sizeof(struct nlmsghdr));
        assert_int_equal(netns_peers_decode(p.bytes, p.size, &found), -EBADMSG);
}

/* Runs in namespaces of its own. 0: as expected; 77: not possible here. */
static int with_the_kernel(void) {
        struct netns_peer entries[8];
        struct netns_peers found = { .entries = entries, .max = ELEMENTS(entries) };
        char command[128];
        int pipe_fds[2];
        pid_t child;
        char byte;

        if (unshare(CLONE_NEWNET) < 0 || pipe(pipe_fds) < 0)
                return 77;
        child = fork();
        if (child == 0) {
                prctl(PR_SET_PDEATHSIG, SIGKILL);
                byte = unshare(CLONE_NEWNET) < 0 ? 'n' : 'y';
                if (write(pipe_fds[1], &byte, 1) == 1)
                        for (;;)
                                pause();
                _exit(1);
        }
        if (read(pipe_fds[0], &byte, 1) != 1 || byte != 'y')
                return 77;
        snprintf(command, sizeof(command),
                 "ip link add a1 type veth peer a2 && ip link add b1 type veth peer b2 netns %d", (int) child);
        if (system(command) != 0)
                return 77;
        if (netns_peers(child, &found) != 0 || found.n != 1 || found.entries[0].ifindex != if_nametoindex("b1"))
                return 1;
        if (netns_peers(getpid(), &found) != 0 || found.n != 0)
                return 2;
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        return netns_peers(child, &found) == -ESRCH ? 0 : 3;
}

static void test_kernel(void **state) {
        int status;
        pid_t pid = fork();

        if (pid == 0)
                _exit(with_the_kernel());
        assert_int_equal(waitpid(pid, &status, 0), pid);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
                print_message("needs root, network namespaces, ip and veth\n");
                skip();
        }
        assert_int_equal(status, 0);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_kernel),
};

RUN_TESTS(tests)
