/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the filter says about calls by name, on every ABI: the default, what rules and capabilities change, the checks
 * of arguments; that the program stays small, and right for any rules. test-filter-kernel.c asks the kernel and
 * libseccomp. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/str.h"
#include "bpf.h"
#include "plan/filter-code.h"
#include "plan/filter-default.h"
#include "plan/filter-rules.h"
#include "plan/syscall-tables.h"
#include "spec/spec.h"

#define DEFAULT_CAPABILITIES UINT64_C(0xfdecafff)
#define PASSES SECCOMP_RET_ALLOW
#define REFUSED(error) (SECCOMP_RET_ERRNO | (error))

_Static_assert(sizeof(struct filter_instruction) == sizeof(struct sock_filter), "one is the other");
_Static_assert(offsetof(struct filter_instruction, jt) == offsetof(struct sock_filter, jt), "one is the other");
_Static_assert(offsetof(struct filter_instruction, k) == offsetof(struct sock_filter, k), "one is the other");
_Static_assert(FILTER_INSTRUCTIONS_MAX == BPF_MAXINSNS, "the kernel's");

static char warnings[1024];

static void remember(const char *text, void *userdata) {
        assert_ptr_equal(userdata, warnings);
        assert_true(strlen(warnings) + strlen(text) + 1 < sizeof(warnings));
        strcat(warnings, text);
        strcat(warnings, "\n");
}

/* "~mount @keyring": rules as the parsers of spec/ leave them, one list as a user writes it. */
static void add_rules(struct spec *s, const char *list) {
        bool deny = *list == '~';
        AUTO_FREE char *copy = strdup(list + deny);
        char *save = NULL;

        assert_non_null(copy);
        for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
                s->syscall_rules = reallocarray(s->syscall_rules, s->n_syscall_rules + 1, sizeof(*s->syscall_rules));
                assert_non_null(s->syscall_rules);
                s->syscall_rules[s->n_syscall_rules++] =
                        (struct spec_syscall_rule){ .deny = deny, .name = strdup(word) };
        }
}

static void build(const struct spec *s, uint64_t capabilities, struct filter *ret) {
        struct diag d = { 0 };

        *warnings = 0;
        if (filter_build(s, capabilities, remember, warnings, ret, &d) != 0)
                fail_msg("not built: %s", d.text);
        assert_true(ret->n_code > 0 && ret->n_code <= FILTER_INSTRUCTIONS_MAX);
}

/* Rules (NULL: none), then a filter of them. */
static void build_rules(const char *rules, uint64_t capabilities, struct filter *ret) {
        AUTO(spec_done) struct spec s;

        spec_init(&s);
        if (rules)
                add_rules(&s, rules);
        build(&s, capabilities, ret);
}

/* Some tests say what only this machine has. */
static bool is_x86_64(void) {
        return streq(syscall_abis[0].name, "x86-64");
}

/* -1: the ABI does not have the call. */
static int32_t number_of(const char *name, size_t abi) {
        for (size_t i = 0; i < n_syscall_rows; i++)
                if (streq(syscall_rows[i].name, name))
                        return syscall_rows[i].number[abi];
        return -1;
}

static uint32_t ask_number(const struct filter *f, size_t abi, uint32_t number, uint64_t a0, uint64_t a1, uint64_t a2) {
        struct seccomp_data data = { .nr = (int) number, .arch = syscall_abis[abi].audit_arch, .args = { a0, a1, a2 } };

        return bpf_run(f->code, f->n_code, &data, NULL);
}

static uint32_t ask_args(const struct filter *f, size_t abi, const char *name, uint64_t a0, uint64_t a1, uint64_t a2) {
        int32_t number = number_of(name, abi);

        if (number < 0)
                fail_msg("%s has no %s", syscall_abis[abi].name, name);
        return ask_number(f, abi, (uint32_t) number, a0, a1, a2);
}

static uint32_t ask(const struct filter *f, const char *name) {
        return ask_args(f, 0, name, 0, 0, 0);
}

static bool is_among(const char *name, const char *list) {
        size_t n = strlen(name);

        for (const char *p = list; (p = strstr(p, name)); p += n)
                if ((p == list || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
                        return true;
        return false;
}

/* All calls of `list` (those that the native ABI has) give `value`. */
static void assert_all(const struct filter *f, const char *list, uint32_t value) {
        size_t n = 0;

        for (size_t i = 0; i < n_syscall_rows; i++) {
                const char *name = syscall_rows[i].name;

                if (syscall_rows[i].number[0] < 0 || !is_among(name, list))
                        continue;
                if (ask(f, name) != value)
                        fail_msg("%s gives 0x%x, not 0x%x", name, ask(f, name), value);
                n++;
        }
        assert_true(n > 0);
}

static void test_tables(void **state) {
        assert_true(n_syscall_abis >= 1 && n_syscall_abis <= SYSCALL_ABIS_MAX);
        assert_true(n_syscall_rows < SYSCALL_ITEM_GROUP && n_syscall_groups <= 64);
        for (size_t i = 1; i < n_syscall_rows; i++)
                assert_true(strcmp(syscall_rows[i - 1].name, syscall_rows[i].name) < 0);
        for (size_t i = 1; i < n_syscall_groups; i++)
                assert_true(strcmp(syscall_groups[i - 1].name, syscall_groups[i].name) < 0);
        for (size_t i = 0; i < n_syscall_groups; i++)
                for (size_t k = 0; k < syscall_groups[i].n; k++) {
                        unsigned item = syscall_members[syscall_groups[i].first + k];

                        assert_true(item & SYSCALL_ITEM_GROUP ? (item & ~SYSCALL_ITEM_GROUP) < n_syscall_groups
                                                              : item < n_syscall_rows);
                }
        for (size_t abi = 0; abi < n_syscall_abis; abi++)
                for (size_t i = 0; i < n_syscall_rows; i++)
                        for (size_t k = i + 1; k < n_syscall_rows; k++)
                                if (syscall_rows[i].number[abi] >= 0 &&
                                    syscall_rows[i].number[abi] == syscall_rows[k].number[abi])
                                        fail_msg("%s and %s are both %d", syscall_rows[i].name, syscall_rows[k].name,
                                                 syscall_rows[i].number[abi]);
}

/* What systemd-nspawn 262 refuses on x86-64, known calls all: everything else in our tables passes. */
static void test_default(void **state) {
        static const char refused[] =
                "_sysctl acct adjtimex afs_syscall bpf clock_adjtime clock_settime create_module delete_module "
                "fanotify_init fanotify_mark finit_module futex_requeue futex_wait futex_wake get_kernel_syms getpmsg "
                "init_module ioperm iopl kexec_file_load kexec_load listns lookup_dcookie lsm_set_self_attr "
                "map_shadow_stack memfd_secret mlock mlock2 mlockall modify_ldt munlock munlockall nfsservctl "
                "open_by_handle_at perf_event_open pidfd_getfd pkey_alloc pkey_free pkey_mprotect process_mrelease "
                "putpmsg "
                "query_module quotactl quotactl_fd rseq_slice_yield security settimeofday swapoff swapon sysfs syslog "
                "tuxcall uselib ustat vserver";
        AUTO(filter_done) struct filter f = { 0 };
        size_t n_allowed = 0;

        build_rules(NULL, DEFAULT_CAPABILITIES, &f);
        for (size_t i = 0; i < n_syscall_rows; i++) {
                const char *name = syscall_rows[i].name;

                if (syscall_rows[i].number[0] < 0)
                        continue;
                /* there the list is complete, but for one that only newer versions of libseccomp know */
                if (is_x86_64() && !streq(name, "uprobe"))
                        assert_int_equal(ask(&f, name), is_among(name, refused) ? REFUSED(EPERM) : PASSES);
        }
        assert_all(&f, refused, REFUSED(EPERM));
        for (size_t i = 0; i < n_syscall_rows; i++)
                n_allowed += syscall_rows[i].number[0] >= 0 && ask(&f, syscall_rows[i].name) == PASSES;
        assert_int_equal(f.n_allowed, n_allowed);
        assert_int_equal(*warnings, 0);
        assert_int_equal(ask_number(&f, 0, 470, 0, 0, 0), REFUSED(EPERM));
        for (uint32_t number = 337; is_x86_64() && number < 424; number++)
                assert_int_equal(ask_number(&f, 0, number, 0, 0, 0), REFUSED(ENOSYS));
        for (size_t abi = 0; abi < n_syscall_abis; abi++) {
                static const uint32_t unknown[] = { 600, 1000, 9999, 0x3fffffff, 0x7fffffff, 0x80000000, UINT32_MAX };

                for (size_t i = 0; i < ELEMENTS(unknown); i++)
                        assert_int_equal(ask_number(&f, abi, unknown[i], 0, 0, 0), REFUSED(ENOSYS));
        }
}

/* Each name on each ABI: the same as on the native one. */
static void test_abis(void **state) {
        AUTO(filter_done) struct filter f = { 0 };
        struct seccomp_data foreign = { .nr = 0, .arch = 0x12345678 };

        build_rules(NULL, DEFAULT_CAPABILITIES, &f);
        for (size_t abi = 1; abi < n_syscall_abis; abi++)
                for (size_t i = 0; i < n_syscall_rows; i++)
                        if (syscall_rows[i].number[0] >= 0 && syscall_rows[i].number[abi] >= 0)
                                assert_int_equal(ask_args(&f, abi, syscall_rows[i].name, 0, 0, 0),
                                                 ask(&f, syscall_rows[i].name));
        assert_int_equal(bpf_run(f.code, f.n_code, &foreign, NULL), PASSES);
        if (!is_x86_64())
                return;
        assert_int_equal(ask_number(&f, 2, 102, 1, 0, 0), PASSES);                      /* socketcall */
        assert_int_equal(ask_number(&f, 2, 113, 0, 0, 0), REFUSED(EPERM));              /* vm86old */
        assert_int_equal(ask_number(&f, 1, 0x40000000 | 512, 0, 0, 0), PASSES);         /* rt_sigaction */
        assert_int_equal(ask_number(&f, 1, 0x40000000 | 13, 0, 0, 0), REFUSED(ENOSYS)); /* x86-64's, not for x32 */
        assert_int_equal(ask_number(&f, 0, 512, 0, 0, 0), REFUSED(ENOSYS));
}

static void test_rules(void **state) {
        static const struct {
                const char *rules, *name;
                uint32_t expected;
        } cases[] = {
                { "@swap @keyring", "swapon", PASSES },
                { "@swap @keyring", "add_key", PASSES },
                { "@swap @keyring", "kexec_load", REFUSED(EPERM) },
                { "~mount @keyring", "mount", REFUSED(EPERM) },
                { "~mount @keyring", "add_key", REFUSED(EPERM) },
                { "~mount @keyring", "pivot_root", PASSES },
                { "~mount @keyring", "read", PASSES },
                { "~socket", "socket", REFUSED(EPERM) },
                { "~sandbox", "seccomp", PASSES },  /* no such call */
                { "~@sandbox", "seccomp", PASSES }, /* allowed by itself, too */
                { "~@sandbox", "landlock_add_rule", REFUSED(EPERM) },
                { "~@process", "clone", REFUSED(EPERM) },
                { "~@process", "times", PASSES }, /* of @timer, too */
                { "~@sync", "fsync", REFUSED(EPERM) },
                { "~@privileged", "mount", PASSES },
                { "~@privileged", "chroot", PASSES },
                { "@obsolete", "uselib", PASSES },
                { "@known", "kexec_load", PASSES },
                { "@reboot", "kexec_load", PASSES },
                { "no_such_call @swap", "swapon", PASSES },
                { "@no-such-group swapon", "swapon", PASSES },
                { "@system-service", "mlock", PASSES },
                { "@ default known", "swapon", REFUSED(EPERM) },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO(filter_done) struct filter f = { 0 };

                build_rules(cases[i].rules, DEFAULT_CAPABILITIES, &f);
                if (number_of(cases[i].name, 0) >= 0 && ask(&f, cases[i].name) != cases[i].expected)
                        fail_msg("'%s': %s gives 0x%x", cases[i].rules, cases[i].name, ask(&f, cases[i].name));
        }
}

/* What is refused wins over what is allowed, by name and by group, in any order. */
static void test_deny_wins(void **state) {
        static const char *const orders[][2] = {
                { "swapon", "~swapon" },      { "~swapon", "swapon" }, { "@swap", "~swapon" },
                { "~swapon", "@privileged" }, { "@swap", "~@swap" },   { "~@swap", "@privileged" },
        };

        for (size_t i = 0; i < ELEMENTS(orders); i++) {
                AUTO(filter_done) struct filter f = { 0 };
                AUTO(spec_done) struct spec s;

                spec_init(&s);
                add_rules(&s, orders[i][0]);
                add_rules(&s, orders[i][1]);
                build(&s, DEFAULT_CAPABILITIES, &f);
                assert_int_equal(ask(&f, "swapon"), REFUSED(EPERM));
        }
}

static void test_warnings(void **state) {
        static const struct {
                const char *rules, *text;
        } cases[] = {
                { "@no-such-group", "There is no group of system calls called '@no-such-group': ignoring it.\n" },
                { "~@\x1bx", "There is no group of system calls called '@\\x1bx': ignoring it.\n" },
                { "no_such_call ~x s390_pci_mmio_read", "" },
                { "~no_such_call @mount", "" },
                { "~@swap", "" }, /* nothing of it was allowed */
                { "~@privileged",
                  "Refusing the system calls of '@privileged' has no effect, because other groups allow "
                  "them: refuse those, or each call.\n" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO(filter_done) struct filter f = { 0 };

                build_rules(cases[i].rules, DEFAULT_CAPABILITIES, &f);
                assert_string_equal(warnings, cases[i].text);
        }
}

static void test_capabilities(void **state) {
        static const struct {
                int capability;
                const char *opens;
        } cases[] = {
                { 14, "mlock mlock2 mlockall munlock munlockall" },
                { 16, "init_module finit_module delete_module" },
                { 17, "iopl ioperm" },
                { 19, "ptrace" },
                { 20, "acct" },
                { 22, "reboot" },
                { 25, "adjtimex clock_settime settimeofday clock_adjtime" },
                { 26, "vhangup" },
                { 34, "syslog" },
                { 39, "bpf" },
        };
        AUTO(filter_done) struct filter none = { 0 }, all = { 0 };

        build_rules(NULL, 0, &none);
        build_rules(NULL, UINT64_MAX, &all);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO(filter_done) struct filter only = { 0 }, but = { 0 };
                const char *opens = cases[i].opens;

                if (cases[i].capability == 17 && !is_x86_64()) /* no ports */
                        continue;
                build_rules(NULL, UINT64_C(1) << cases[i].capability, &only);
                build_rules(NULL, ~(UINT64_C(1) << cases[i].capability), &but);
                assert_all(&none, opens, REFUSED(EPERM));
                assert_all(&only, opens, PASSES);
                assert_all(&but, opens, REFUSED(EPERM));
                assert_all(&all, opens, PASSES);
        }
        assert_all(&none, "process_vm_readv process_vm_writev mount read", PASSES);
        assert_all(&all, "swapon kexec_load perf_event_open fanotify_init quotactl", REFUSED(EPERM));
}

static void test_audit_socket(void **state) {
        AUTO(filter_done) struct filter f = { 0 };

        build_rules(NULL, DEFAULT_CAPABILITIES, &f);
        for (size_t abi = 0; abi < n_syscall_abis; abi++) {
                if (number_of("socket", abi) < 0)
                        continue;
                assert_int_equal(ask_args(&f, abi, "socket", AF_NETLINK, SOCK_RAW, NETLINK_AUDIT),
                                 REFUSED(EAFNOSUPPORT));
                /* the kernel takes an int */
                assert_int_equal(
                        ask_args(&f, abi, "socket", UINT64_C(0xffffffff00000010), SOCK_RAW, UINT64_C(0x100000009)),
                        REFUSED(EAFNOSUPPORT));
                assert_int_equal(ask_args(&f, abi, "socket", AF_NETLINK, SOCK_RAW, NETLINK_ROUTE), PASSES);
                assert_int_equal(ask_args(&f, abi, "socket", AF_INET, SOCK_RAW, NETLINK_AUDIT), PASSES);
                for (int family = 0; family < 50; family++)
                        assert_int_equal(ask_args(&f, abi, "socket", (uint64_t) family, SOCK_STREAM, 0), PASSES);
        }
}

static void test_families(void **state) {
        static int lists[][3] = { { AF_INET, AF_UNIX }, { AF_INET }, { AF_NETLINK }, { -1, AF_INET, AF_INET } };
        static const struct {
                bool set, deny;
                int *list;
                size_t n;
                const char *rules;
                int family, protocol;
                uint32_t expected;
        } cases[] = {
                { true, false, lists[0], 2, NULL, AF_INET, 0, PASSES },
                { true, false, lists[0], 2, NULL, AF_UNIX, 0, PASSES },
                { true, false, lists[0], 2, NULL, AF_UNSPEC, 0, REFUSED(EAFNOSUPPORT) },
                { true, false, lists[0], 2, NULL, AF_INET6, 0, REFUSED(EAFNOSUPPORT) },
                { true, false, lists[0], 2, NULL, AF_NETLINK, 0, REFUSED(EAFNOSUPPORT) },
                { true, false, lists[0], 2, NULL, 9999, 0, REFUSED(EAFNOSUPPORT) },
                { true, false, lists[0], 2, NULL, -1, 0, REFUSED(EAFNOSUPPORT) },
                { true, true, lists[1], 1, NULL, AF_INET, 0, REFUSED(EAFNOSUPPORT) },
                { true, true, lists[1], 1, NULL, AF_INET6, 0, PASSES },
                { true, true, lists[1], 1, NULL, AF_NETLINK, NETLINK_ROUTE, PASSES },
                { true, true, lists[1], 1, NULL, AF_NETLINK, NETLINK_AUDIT, REFUSED(EAFNOSUPPORT) },
                { true, false, lists[2], 1, NULL, AF_NETLINK, NETLINK_ROUTE, PASSES },
                { true, false, lists[2], 1, NULL, AF_NETLINK, NETLINK_AUDIT, REFUSED(EAFNOSUPPORT) },
                { true, true, lists[2], 1, NULL, AF_NETLINK, NETLINK_ROUTE, REFUSED(EAFNOSUPPORT) },
                { true, true, lists[3], 3, NULL, -1, 0, REFUSED(EAFNOSUPPORT) },
                { true, true, lists[3], 3, NULL, -2, 0, PASSES },
                { true, false, NULL, 0, NULL, AF_UNIX, 0, REFUSED(EAFNOSUPPORT) },
                { true, false, NULL, 0, NULL, AF_NETLINK, 0, REFUSED(EAFNOSUPPORT) },
                { true, true, NULL, 0, NULL, AF_UNIX, 0, PASSES },
                { false, false, lists[1], 1, NULL, AF_UNIX, 0, PASSES },
                /* a refused call: what the check of the arguments says counts first */
                { true, true, lists[1], 1, "~socket", AF_INET, 0, REFUSED(EAFNOSUPPORT) },
                { true, true, lists[1], 1, "~socket", AF_UNIX, 0, REFUSED(EPERM) },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO(filter_done) struct filter f = { 0 };
                struct spec s;

                spec_init(&s);
                if (cases[i].rules)
                        add_rules(&s, cases[i].rules);
                s.address_families_set = cases[i].set;
                s.address_families_deny = cases[i].deny;
                s.address_families = cases[i].list;
                s.n_address_families = cases[i].n;
                build(&s, DEFAULT_CAPABILITIES, &f);
                s.address_families = NULL; /* not on the heap */
                spec_done(&s);
                if (ask_args(&f, 0, "socket", (uint64_t) cases[i].family, SOCK_STREAM, (uint64_t) cases[i].protocol) !=
                    cases[i].expected)
                        fail_msg("case %zu", i);
                assert_int_equal(ask(&f, "bind"), PASSES);
        }
}

/* What old 32-bit programs call instead of socket(2): without a look at the family it is all or nothing. */
static void test_socketcall(void **state) {
        static int list[] = { AF_UNIX };

        for (int n = 0; n < 2; n++)
                for (int deny = 0; deny < 2; deny++) {
                        AUTO(filter_done) struct filter f = { 0 };
                        struct spec s;

                        spec_init(&s);
                        s.address_families_set = true;
                        s.address_families_deny = deny;
                        s.address_families = list;
                        s.n_address_families = (size_t) n;
                        build(&s, DEFAULT_CAPABILITIES, &f);
                        for (size_t abi = 0; abi < n_syscall_abis; abi++) {
                                if (number_of("socketcall", abi) < 0)
                                        continue;
                                assert_int_equal(ask_args(&f, abi, "socketcall", 1, 0, 0),
                                                 n == 0 && !deny ? REFUSED(EAFNOSUPPORT) : PASSES);
                                assert_int_equal(ask_args(&f, abi, "socketcall", 2, 0, 0), PASSES);
                        }
                }
}

static void test_too_many_families(void **state) {
        AUTO(spec_done) struct spec s;
        struct diag d = { 0 };
        struct filter f;

        spec_init(&s);
        s.address_families_set = true;
        s.n_address_families = 4000;
        s.address_families = calloc(s.n_address_families, sizeof(int));
        assert_non_null(s.address_families);
        for (size_t i = 0; i < s.n_address_families; i++)
                s.address_families[i] = (int) (2 * i);
        assert_int_equal(filter_build(&s, 0, NULL, NULL, &f, &d), -E2BIG);
        assert_non_null(strstr(d.text, "4000 address families"));
        /* a tenth of them reaches farther than conditional jumps do */
        s.n_address_families = 400;
        build(&s, DEFAULT_CAPABILITIES, &f);
        for (unsigned family = 0; family < 1000; family++)
                assert_int_equal(ask_args(&f, 0, "socket", family, 0, 0),
                                 family < 800 && family % 2 == 0 ? PASSES : REFUSED(EAFNOSUPPORT));
        filter_done(&f);
}

static void test_suppress_sync(void **state) {
        static const char *const with_fd[] = { "fsync", "fdatasync", "syncfs", "sync_file_range", "sync_file_range2" };
        AUTO(filter_done) struct filter f = { 0 }, refused = { 0 };
        AUTO(spec_done) struct spec s;

        spec_init(&s);
        s.suppress_sync = true;
        build(&s, DEFAULT_CAPABILITIES, &f);
        add_rules(&s, "~@sync open openat");
        build(&s, DEFAULT_CAPABILITIES, &refused);
        for (size_t abi = 0; abi < n_syscall_abis; abi++) {
                for (size_t i = 0; i < ELEMENTS(with_fd); i++) {
                        if (number_of(with_fd[i], abi) < 0)
                                continue;
                        assert_int_equal(ask_args(&f, abi, with_fd[i], 0, 0, 0), REFUSED(0));
                        assert_int_equal(ask_args(&f, abi, with_fd[i], INT32_MAX, 0, 0), REFUSED(0));
                        assert_int_equal(ask_args(&f, abi, with_fd[i], (uint64_t) -1, 0, 0), PASSES);
                        assert_int_equal(ask_args(&f, abi, with_fd[i], 0x80000000, 0, 0), PASSES);
                        assert_int_equal(ask_args(&refused, abi, with_fd[i], 0, 0, 0), REFUSED(0));
                        assert_int_equal(ask_args(&refused, abi, with_fd[i], (uint64_t) -1, 0, 0), REFUSED(EPERM));
                }
                assert_int_equal(ask_args(&f, abi, "sync", 0, 0, 0), REFUSED(0));
                assert_int_equal(ask_args(&f, abi, "msync", (uint64_t) -1, 0, 0), REFUSED(0));
                assert_int_equal(ask_args(&f, abi, "openat", 0, 0, O_SYNC), REFUSED(EINVAL));
                assert_int_equal(ask_args(&f, abi, "openat", 0, 0, O_DSYNC | O_CREAT), REFUSED(EINVAL));
                assert_int_equal(ask_args(&f, abi, "openat", 0, 0, O_SYNC & ~O_DSYNC), REFUSED(EINVAL));
                assert_int_equal(ask_args(&f, abi, "openat", UINT64_MAX, UINT64_MAX, O_RDWR | O_CREAT | O_CLOEXEC),
                                 PASSES);
                assert_int_equal(ask_args(&refused, abi, "openat", 0, 0, O_SYNC), REFUSED(EINVAL));
                assert_int_equal(ask_args(&refused, abi, "openat", 0, 0, 0), REFUSED(EPERM));
                if (number_of("open", abi) >= 0) {
                        assert_int_equal(ask_args(&f, abi, "open", 0, O_WRONLY | O_SYNC, 0), REFUSED(EINVAL));
                        assert_int_equal(ask_args(&f, abi, "open", O_SYNC, O_WRONLY, O_SYNC), PASSES);
                }
        }
        filter_done(&f);
        build_rules(NULL, DEFAULT_CAPABILITIES, &f);
        assert_int_equal(ask(&f, "sync"), PASSES);
        assert_int_equal(ask_args(&f, 0, "openat", 0, 0, O_SYNC), PASSES);
}

/* The kernel remembers what a filter says about a call whatever its arguments, but only if it got there by these. */
static void test_only_cacheable(void **state) {
        AUTO(filter_done) struct filter f = { 0 };

        build_rules(NULL, DEFAULT_CAPABILITIES, &f);
        for (size_t i = 0; i < f.n_code; i++)
                switch (f.code[i].code) {
                case BPF_LD | BPF_W | BPF_ABS:
                        assert_true(f.code[i].k == offsetof(struct seccomp_data, nr) ||
                                    f.code[i].k == offsetof(struct seccomp_data, arch) ||
                                    f.code[i].k >= offsetof(struct seccomp_data, args));
                        break;
                case BPF_RET | BPF_K:
                case BPF_JMP | BPF_JA:
                case BPF_JMP | BPF_JEQ | BPF_K:
                case BPF_JMP | BPF_JGE | BPF_K:
                case BPF_JMP | BPF_JSET | BPF_K:
                        break;
                default:
                        fail_msg("instruction 0x%x", f.code[i].code);
                }
        assert_int_equal(f.code[f.n_code - 1].code, BPF_RET | BPF_K);
}

static void test_short(void **state) {
        static const char *const common[] = { "read", "write", "close", "futex", "openat", "recvmsg", "epoll_pwait" };
        AUTO(filter_done) struct filter f = { 0 };

        build_rules(NULL, DEFAULT_CAPABILITIES, &f);
        assert_true(f.n_code < 400);
        for (size_t i = 0; i < ELEMENTS(common); i++) {
                struct seccomp_data data = { .nr = number_of(common[i], 0), .arch = syscall_abis[0].audit_arch };
                unsigned steps;

                assert_int_equal(bpf_run(f.code, f.n_code, &data, &steps), PASSES);
                if (steps > 14)
                        fail_msg("%s takes %u instructions", common[i], steps);
        }
}

/* Any rules: each number of each ABI gets what its name deserves. */
/* What was made when Muster was built is what would be made now. A rule that changes nothing has it made now. */
static void test_prepared(void **state) {
        const uint64_t usual = DEFAULT_CAPABILITIES;
        struct filter prepared, again, made;

        if (!filter_default.code)
                skip(); /* built for a machine whose programs could not run there */
        build_rules(NULL, usual, &prepared);
        build_rules(NULL, usual | UINT64_C(1) << 12 /* CAP_NET_ADMIN: opens no calls */, &again);
        build_rules("read", usual, &made);
        assert_ptr_equal(prepared.code, again.code);
        assert_ptr_not_equal(prepared.code, made.code);
        assert_int_equal(prepared.n_code, made.n_code);
        assert_int_equal(prepared.n_allowed, made.n_allowed);
        assert_memory_equal(prepared.code, made.code, made.n_code * sizeof(*made.code));
        filter_done(&made);
        filter_done(&again);
        filter_done(&prepared);
        assert_null(prepared.code);
        build_rules(NULL, usual, &again); /* nobody has freed it */
        assert_int_equal(again.code[0].code, FILTER_LOAD);
        filter_done(&again);
}

/* Whatever opens or closes a call is not the prepared one. */
static void test_not_prepared(void **state) {
        const uint64_t usual = DEFAULT_CAPABILITIES;
        struct filter prepared, other;
        AUTO(spec_done) struct spec s;

        spec_init(&s);
        if (!filter_default.code)
                skip();
        build_rules(NULL, usual, &prepared);
        for (int i = 0; i < 64; i++)
                if (filter_rules_capabilities() >> i & 1) {
                        build_rules(NULL, usual ^ UINT64_C(1) << i, &other);
                        assert_ptr_not_equal(other.code, prepared.code);
                        filter_done(&other);
                }
        s.suppress_sync = true;
        build(&s, usual, &other);
        assert_ptr_not_equal(other.code, prepared.code);
        filter_done(&other);
        s.suppress_sync = false;
        s.address_families_set = true;
        build(&s, usual, &other);
        assert_ptr_not_equal(other.code, prepared.code);
        filter_done(&other);
        filter_done(&prepared);
}

static void test_random(void **state) {
        AUTO_FREE bool *allowed = calloc(n_syscall_rows, sizeof(*allowed));
        size_t most = 0;

        assert_non_null(allowed);
        srandom(7);
        for (int round = 0; round < 100; round++) {
                AUTO(filter_done) struct filter f = { 0 };
                AUTO(spec_done) struct spec s;
                uint64_t capabilities = (uint64_t) random() << 31 ^ (uint64_t) random();

                spec_init(&s);
                for (long n = random() % 400; n > 0; n--) {
                        char rule[64];
                        bool group = random() % 32 == 0;

                        snprintf(rule, sizeof(rule), "%s%s", random() % 2 ? "~" : "",
                                 group ? syscall_groups[(size_t) random() % n_syscall_groups].name
                                       : syscall_rows[(size_t) random() % n_syscall_rows].name);
                        add_rules(&s, rule);
                }
                s.suppress_sync = random() % 2;
                build(&s, capabilities, &f);
                assert_int_equal(
                        filter_rules_apply(s.syscall_rules, s.n_syscall_rules, capabilities, NULL, NULL, allowed), 0);
                most = f.n_code > most ? f.n_code : most;
                for (size_t abi = 0; abi < n_syscall_abis; abi++)
                        for (size_t i = 0; i < n_syscall_rows; i++)
                                if (syscall_rows[i].number[abi] >= 0 && !strstr(syscall_rows[i].name, "sync"))
                                        assert_int_equal(ask_args(&f, abi, syscall_rows[i].name, 0, 0, 0),
                                                         allowed[i] ? PASSES : REFUSED(EPERM));
        }
        assert_true(most > 100 * n_syscall_abis &&
                    most < 600 * n_syscall_abis); /* some were hard, none near the kernel's limit */
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_default),
        cmocka_unit_test(test_abis),
        cmocka_unit_test(test_rules),
        cmocka_unit_test(test_deny_wins),
        cmocka_unit_test(test_warnings),
        cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_audit_socket),
        cmocka_unit_test(test_families),
        cmocka_unit_test(test_socketcall),
        cmocka_unit_test(test_too_many_families),
        cmocka_unit_test(test_suppress_sync),
        cmocka_unit_test(test_only_cacheable),
        cmocka_unit_test(test_short),
        cmocka_unit_test(test_prepared),
        cmocka_unit_test(test_not_prepared),
        cmocka_unit_test(test_random),
};

RUN_TESTS(tests)
