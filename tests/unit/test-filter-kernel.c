/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The filter against those who know: the same policy built by libseccomp, as a stack of filters like
 * systemd-nspawn's, must decide the same for every number; and the kernel must take the program, and refuse what it
 * should. */
#include "unit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/str.h"
#include "bpf.h"
#include "plan/filter-rules.h"
#include "plan/syscall-tables.h"
#include "spec/spec.h"

#define DEFAULT_CAPABILITIES UINT64_C(0xfdecafff)
#define FAMILIES 46 /* AF_MAX of today */

static void add_rule(struct spec *s, bool deny, const char *name) {
        s->syscall_rules = reallocarray(s->syscall_rules, s->n_syscall_rules + 1, sizeof(*s->syscall_rules));
        assert_non_null(s->syscall_rules);
        s->syscall_rules[s->n_syscall_rules++] = (struct spec_syscall_rule){ .deny = deny, .name = strdup(name) };
}

static void build(const struct spec *s, struct filter *ret) {
        assert_int_equal(filter_build(s, DEFAULT_CAPABILITIES, NULL, NULL, ret, NULL), 0);
}

/* Programs in the order in which they are installed. */
struct stack {
        struct filter filters[16];
        size_t n;
};

static void stack_done(struct stack *s) {
        for (size_t i = 0; i < s->n; i++)
                filter_done(&s->filters[i]);
}

/* What the kernel makes of several answers: the strictest action, the latest program's where there are two of those. */
static uint32_t stack_ask(const struct stack *s, const struct seccomp_data *data) {
        uint32_t result = SECCOMP_RET_ALLOW;

        for (size_t i = s->n; i-- > 0;) {
                uint32_t answer = bpf_run(s->filters[i].code, s->filters[i].n_code, data, NULL);

                assert_int_not_equal(answer, BPF_BROKEN);
                if ((answer & SECCOMP_RET_ACTION_FULL) < (result & SECCOMP_RET_ACTION_FULL))
                        result = answer;
        }
        return result;
}

static uint32_t scmp_arch(const struct syscall_abi *abi) {
        if (streq(abi->name, "x32"))
                return SCMP_ARCH_X32;
        return abi->audit_arch; /* the others have the same value */
}

static scmp_filter_ctx new_context(const struct syscall_abi *abi, uint32_t action) {
        scmp_filter_ctx c = seccomp_init(action);

        assert_non_null(c);
        if (seccomp_arch_exist(c, scmp_arch(abi)) != 0) {
                assert_int_equal(seccomp_arch_remove(c, SCMP_ARCH_NATIVE), 0);
                assert_int_equal(seccomp_arch_add(c, scmp_arch(abi)), 0);
        }
        assert_int_equal(seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW), 0);
        assert_int_equal(seccomp_attr_set(c, SCMP_FLTATR_CTL_OPTIMIZE, 2), 0);
        return c;
}

/* Consumes the context. */
static void stack_push(struct stack *s, scmp_filter_ctx c) {
        AUTO_CLOSE int fd = memfd_create("filter", MFD_CLOEXEC);
        struct filter *f = &s->filters[s->n++];
        off_t size;

        assert_true(fd >= 0 && s->n <= ELEMENTS(s->filters));
        assert_int_equal(seccomp_export_bpf(c, fd), 0);
        seccomp_release(c);
        size = lseek(fd, 0, SEEK_END);
        assert_true(size > 0);
        f->n_code = (size_t) size / sizeof(*f->code);
        f->code = malloc((size_t) size);
        assert_non_null(f->code);
        assert_int_equal(pread(fd, f->code, (size_t) size, 0), size);
}

/* What this ABI's libseccomp has no name for cannot be asked of it. */
static bool is_known_to_libseccomp(size_t abi, const struct syscall_row *row) {
        return seccomp_syscall_resolve_name(row->name) != __NR_SCMP_ERROR &&
               seccomp_syscall_resolve_name_arch(scmp_arch(&syscall_abis[abi]), row->name) != __NR_SCMP_ERROR;
}

static void push_rules(struct stack *s, size_t abi, const bool *allowed) {
        scmp_filter_ctx c = new_context(&syscall_abis[abi], SCMP_ACT_ERRNO(ENOSYS));

        for (size_t i = 0; i < n_syscall_rows; i++) {
                const struct syscall_row *row = &syscall_rows[i];
                int r;

                if (!is_known_to_libseccomp(abi, row))
                        continue;
                r = seccomp_rule_add(c, allowed[i] ? SCMP_ACT_ALLOW : SCMP_ACT_ERRNO(EPERM),
                                     seccomp_syscall_resolve_name(row->name), 0);
                if (r < 0 && r != -EDOM)
                        fail_msg("%s: %d", row->name, r);
        }
        stack_push(s, c);
}

/* Not for the ABI where this is one call of many behind socketcall(2): libseccomp refuses to look at its arguments. */
static bool has_socket(size_t abi) {
        return seccomp_syscall_resolve_name_arch(scmp_arch(&syscall_abis[abi]), "socket") >= 0;
}

static void push_audit(struct stack *s, size_t abi) {
        scmp_filter_ctx c = new_context(&syscall_abis[abi], SCMP_ACT_ALLOW);

        assert_int_equal(seccomp_rule_add_exact(c, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 2,
                                                SCMP_A0(SCMP_CMP_EQ, AF_NETLINK), SCMP_A2(SCMP_CMP_EQ, NETLINK_AUDIT)),
                         0);
        stack_push(s, c);
}

static void push_families(struct stack *s, size_t abi, const struct spec *spec) {
        scmp_filter_ctx c = new_context(&syscall_abis[abi], SCMP_ACT_ALLOW);

        for (int family = 0; family < FAMILIES; family++) {
                bool listed = false;

                for (size_t i = 0; i < spec->n_address_families; i++)
                        listed |= spec->address_families[i] == family;
                if (listed == spec->address_families_deny)
                        assert_int_equal(seccomp_rule_add_exact(c, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                                                SCMP_A0(SCMP_CMP_EQ, (uint64_t) family)),
                                         0);
        }
        if (!spec->address_families_deny)
                assert_int_equal(seccomp_rule_add_exact(c, SCMP_ACT_ERRNO(EAFNOSUPPORT), SCMP_SYS(socket), 1,
                                                        SCMP_A0(SCMP_CMP_GE, FAMILIES)),
                                 0);
        stack_push(s, c);
}

static void push_sync(struct stack *s, size_t abi) {
        static const int with_fd[] = { SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(syncfs),
                                       SCMP_SYS(sync_file_range), SCMP_SYS(sync_file_range2) };
        scmp_filter_ctx c = new_context(&syscall_abis[abi], SCMP_ACT_ALLOW);

        for (size_t i = 0; i < ELEMENTS(with_fd); i++)
                seccomp_rule_add(c, SCMP_ACT_ERRNO(0), with_fd[i], 1, SCMP_A0(SCMP_CMP_LE, INT32_MAX));
        seccomp_rule_add(c, SCMP_ACT_ERRNO(0), SCMP_SYS(sync), 0);
        seccomp_rule_add(c, SCMP_ACT_ERRNO(0), SCMP_SYS(msync), 0);
        for (unsigned bit = 0; bit < 2; bit++) {
                uint64_t flags = bit ? O_DSYNC : O_SYNC & ~O_DSYNC;

                seccomp_rule_add(c, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(open), 1,
                                 SCMP_A1(SCMP_CMP_MASKED_EQ, flags, flags));
                seccomp_rule_add(c, SCMP_ACT_ERRNO(EINVAL), SCMP_SYS(openat), 1,
                                 SCMP_A2(SCMP_CMP_MASKED_EQ, flags, flags));
        }
        stack_push(s, c);
}

static void make_stack(struct stack *s, const struct spec *spec) {
        AUTO_FREE bool *allowed = calloc(n_syscall_rows, sizeof(*allowed));

        assert_non_null(allowed);
        assert_int_equal(filter_rules_apply(spec->syscall_rules, spec->n_syscall_rules, DEFAULT_CAPABILITIES, NULL,
                                            NULL, allowed),
                         0);
        s->n = 0;
        for (size_t abi = n_syscall_abis; abi-- > 0;)
                push_rules(s, abi, allowed);
        for (size_t abi = n_syscall_abis; abi-- > 0;)
                if (has_socket(abi))
                        push_audit(s, abi);
        for (size_t abi = n_syscall_abis; abi-- > 0 && spec->address_families_set;)
                if (has_socket(abi))
                        push_families(s, abi, spec);
        for (size_t abi = n_syscall_abis; abi-- > 0 && spec->suppress_sync;)
                push_sync(s, abi);
}

/* Where we mean to differ: numbers that the library has no name for, and on x86 the calls behind socketcall(2) and
 * ipc(2), of which it makes rules for both ways. */
static bool is_comparable(size_t abi, uint32_t number) {
        for (size_t i = 0; i < n_syscall_rows; i++) {
                const struct syscall_row *row = &syscall_rows[i];

                if (row->number[abi] != (int32_t) number)
                        continue;
                return is_known_to_libseccomp(abi, row) && !streq(row->name, "socketcall") &&
                       !streq(row->name, "ipc") && (has_socket(abi) || !streq(row->name, "socket"));
        }
        return true;
}

static void compare(const struct filter *f, const struct stack *stack, size_t abi, uint32_t number,
                    const uint64_t args[static 3]) {
        struct seccomp_data data = { .nr = (int) number,
                                     .arch = syscall_abis[abi].audit_arch,
                                     .args = { args[0], args[1], args[2] } };
        uint32_t ours = bpf_run(f->code, f->n_code, &data, NULL), theirs = stack_ask(stack, &data);

        if (ours != theirs)
                fail_msg("%s, call %u (%d, %d, %d): 0x%x, libseccomp 0x%x", syscall_abis[abi].name, number,
                         (int) args[0], (int) args[1], (int) args[2], ours, theirs);
}

static void compare_all(const struct spec *spec) {
        static const uint64_t samples[][3] = {
                { 0 },
                { (uint64_t) -1, (uint64_t) -1, (uint64_t) -1 },
                { AF_NETLINK, 3, NETLINK_AUDIT },
                { AF_NETLINK, O_SYNC, NETLINK_ROUTE },
                { AF_INET, O_DSYNC, O_DSYNC },
                { AF_UNIX, O_RDWR, O_SYNC | O_CREAT },
                { INT32_MAX, O_CREAT, O_CREAT },
                { AF_PACKET, O_CREAT, 0 },
                { 45, 0, 9 },
                { 46, 0, 9 },
        };
        AUTO(stack_done) struct stack stack;
        AUTO(filter_done) struct filter f = { 0 };

        build(spec, &f);
        make_stack(&stack, spec);
        for (size_t abi = 0; abi < n_syscall_abis; abi++) {
                uint32_t base = streq(syscall_abis[abi].name, "x32") ? 0x40000000 : 0;

                for (uint32_t number = base; number < base + 1024; number++)
                        for (size_t i = 0; i < ELEMENTS(samples) && is_comparable(abi, number); i++)
                                compare(&f, &stack, abi, number, samples[i]);
                compare(&f, &stack, abi, UINT32_MAX, samples[0]);
                compare(&f, &stack, abi, 0x80000000, samples[0]);
        }
}

static void test_same_as_libseccomp(void **state) {
        AUTO(spec_done) struct spec s;

        spec_init(&s);
        compare_all(&s);
        s.suppress_sync = true;
        compare_all(&s);
}

static void test_same_families(void **state) {
        static int list[] = { AF_UNIX, AF_INET, AF_NETLINK };
        struct spec s;

        spec_init(&s);
        s.address_families_set = true;
        s.address_families = list;
        for (size_t n = 0; n <= ELEMENTS(list); n++)
                for (int deny = 0; deny < 2; deny++) {
                        s.n_address_families = n;
                        s.address_families_deny = deny;
                        compare_all(&s);
                }
}

static void test_same_random(void **state) {
        srandom(11);
        for (int round = 0; round < 6; round++) {
                AUTO(spec_done) struct spec s;

                spec_init(&s);
                for (int i = 0; i < 120; i++)
                        add_rule(&s, random() % 2, syscall_rows[(size_t) random() % n_syscall_rows].name);
                add_rule(&s, true, syscall_groups[(size_t) random() % n_syscall_groups].name);
                compare_all(&s);
        }
}

/* The numbers of the build's tables are those of this machine's libseccomp, where it has them. */
static void test_numbers(void **state) {
        size_t n = 0;

        for (size_t abi = 0; abi < n_syscall_abis; abi++)
                for (size_t i = 0; i < n_syscall_rows; i++) {
                        int number =
                                seccomp_syscall_resolve_name_arch(scmp_arch(&syscall_abis[abi]), syscall_rows[i].name);

                        if (number < 0)
                                continue;
                        assert_int_equal(number, syscall_rows[i].number[abi]);
                        n++;
                }
        assert_true(n > 300 * n_syscall_abis);
}

/* In a process of its own; answers come back through memory that both see. */
static int *shared;

static void install(const struct filter *f) {
        struct sock_fprog program = { .len = (unsigned short) f->n_code, .filter = (struct sock_filter *) f->code };

        if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
            syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) < 0)
                _exit(100);
}

/* Runs `body` under the filter (NULL: none). Returns the wait status. */
static int in_child(const struct filter *f, void (*body)(const void *arg), const void *arg) {
        int status;
        pid_t pid = fork();

        if (pid == 0) {
                signal(SIGSEGV, SIG_DFL); /* cmocka catches it */
                if (f)
                        install(f);
                body(arg);
                syscall(SYS_exit_group, 0);
        }
        assert_true(pid > 0);
        assert_int_equal(waitpid(pid, &status, 0), pid);
        return status;
}

/* Calls with arguments that are no good for anything: should a filter let one through, then nothing happens. */
static void call_each(const void *names) {
        char *const *v = names;

        for (size_t i = 0; v[i]; i++) {
                int number = seccomp_syscall_resolve_name(v[i]);

                errno = 0;
                shared[i] = syscall(number, -1L, -1L, -1L, -1L, -1L, -1L) == 0 ? 0 : errno;
        }
}

static void split_words(const char *text, char ***ret) {
        AUTO_FREE char *copy = strdup(text);
        char *save = NULL;

        assert_non_null(copy);
        for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
                if (seccomp_syscall_resolve_name(word) >= 0)
                        assert_int_equal(strv_extend(ret, word), 0);
        assert_true(strv_length(*ret) > 0);
}

static void test_kernel_refuses(void **state) {
        AUTO(filter_done) struct filter f = { 0 };
        AUTO(strv_freep) char **names = NULL;
        AUTO(spec_done) struct spec s;

        split_words("kexec_load swapon init_module finit_module bpf perf_event_open quotactl quotactl_fd "
                    "open_by_handle_at syslog acct settimeofday clock_settime adjtimex iopl ioperm mlock mlockall "
                    "munlockall "
                    "fanotify_init lookup_dcookie pkey_alloc modify_ldt pidfd_getfd map_shadow_stack uselib _sysctl",
                    &names);
        spec_init(&s);
        build(&s, &f);
        assert_int_equal(in_child(&f, call_each, names), 0);
        for (size_t i = 0; names[i]; i++)
                if (shared[i] != EPERM)
                        fail_msg("%s: %s, not EPERM", names[i], strerror(shared[i]));
}

/* With the filter as without, whoever runs this test. */
static void test_kernel_lets_pass(void **state) {
        AUTO(filter_done) struct filter f = { 0 };
        AUTO(strv_freep) char **names = NULL;
        AUTO(spec_done) struct spec s;
        int without[64];
        size_t n;

        split_words("reboot ptrace name_to_handle_at userfaultfd unshare setns mount pivot_root chroot sethostname "
                    "io_uring_setup clone3 process_vm_readv kcmp memfd_create copy_file_range fchmodat2 membarrier "
                    "move_pages migrate_pages set_mempolicy seccomp add_key keyctl request_key landlock_create_ruleset "
                    "cachestat read openat getrandom",
                    &names);
        n = strv_length(names);
        assert_true(n <= ELEMENTS(without));
        spec_init(&s);
        build(&s, &f);
        assert_int_equal(in_child(NULL, call_each, names), 0);
        memcpy(without, shared, n * sizeof(*shared));
        assert_int_equal(in_child(&f, call_each, names), 0);
        for (size_t i = 0; i < n; i++)
                if (shared[i] != without[i])
                        fail_msg("%s: %s, without filter: %s", names[i], strerror(shared[i]), strerror(without[i]));
}

static int outcome(long result) {
        return result < 0 ? errno : 0;
}

static void call_checked(const void *arg) {
        shared[0] = outcome(socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
        shared[1] = outcome(socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE));
        shared[2] = outcome(socket(AF_UNIX, SOCK_STREAM, 0));
        shared[3] = outcome(fsync(0));
        shared[4] = outcome(fsync(-1));
        shared[5] = outcome(msync((void *) -1, 1, -1));
        shared[6] = outcome(open("/", O_RDONLY | O_DIRECTORY | O_SYNC | O_CLOEXEC));
        shared[7] = outcome(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
        shared[8] = outcome(syscall(470, -1L, -1L, -1L, -1L));
        shared[9] = outcome(syscall(1000));
        shared[10] = outcome(syscall(9999));
}

static void test_kernel_checks(void **state) {
        static const int plain[] = { EAFNOSUPPORT, 0, 0, -1, EBADF, EINVAL, 0, 0, EPERM, ENOSYS, ENOSYS };
        static const int changed[] = { EAFNOSUPPORT, EAFNOSUPPORT, 0, 0, EBADF, 0, EINVAL, 0, EPERM, ENOSYS, ENOSYS };
        static int only_unix[] = { AF_UNIX };
        struct spec s;

        spec_init(&s);
        for (int round = 0; round < 2; round++) {
                const int *expected = round ? changed : plain;
                AUTO(filter_done) struct filter f = { 0 };

                if (round) {
                        s.suppress_sync = s.address_families_set = true;
                        s.address_families = only_unix;
                        s.n_address_families = 1;
                }
                build(&s, &f);
                assert_int_equal(in_child(&f, call_checked, NULL), 0);
                for (size_t i = 0; i < ELEMENTS(plain); i++)
                        if (expected[i] >= 0 && shared[i] != expected[i])
                                fail_msg("call %zu of round %d: %s", i, round, strerror(shared[i]));
        }
}

#ifdef __x86_64__
/* A call as 32-bit programs make it. The kernel returns the error negated. */
static int call_x86(int number, int a0, int a1, int a2) {
        int result;

        __asm__ volatile("int $0x80"
                         : "=a"(result)
                         : "a"(number), "b"(a0), "c"(a1), "d"(a2)
                         : "memory", "r8", "r9", "r10", "r11");
        return result < 0 ? -result : 0;
}

static void call_by_x86(const void *arg) {
        shared[0] = call_x86(20, 0, 0, 0);    /* getpid */
        shared[1] = call_x86(87, -1, -1, -1); /* swapon */
        shared[2] = call_x86(86, -1, -1, -1); /* uselib */
        shared[3] = call_x86(1000, -1, -1, -1);
        shared[4] = call_x86(359, AF_NETLINK, SOCK_RAW, NETLINK_AUDIT); /* socket */
        shared[5] = call_x86(359, AF_UNIX, SOCK_STREAM, 0);
}

static void call_getpid_x86(const void *arg) {
        call_x86(20, 0, 0, 0);
}

static void test_kernel_x86(void **state) {
        static const int expected[] = { 0, EPERM, EPERM, ENOSYS, EAFNOSUPPORT, 0 };
        AUTO(filter_done) struct filter f = { 0 };
        AUTO(spec_done) struct spec s;

        spec_init(&s);
        if (in_child(NULL, call_getpid_x86, NULL) != 0) {
                print_message("# not tested: this kernel runs no 32-bit programs\n");
                return; /* meson takes cmocka's "not ok # SKIP" for a failure */
        }
        build(&s, &f);
        assert_int_equal(in_child(&f, call_by_x86, NULL), 0);
        for (size_t i = 0; i < ELEMENTS(expected); i++)
                if (shared[i] != expected[i])
                        fail_msg("call %zu: %s", i, strerror(shared[i]));
}

/* A kernel without x32 says ENOSYS to all of them; the filter is asked first. */
static void call_by_x32(const void *arg) {
        shared[0] = outcome(syscall(0x40000000 | 167, -1L, -1L)); /* swapon */
        shared[1] = outcome(syscall(0x40000000 | 13, -1L, -1L));  /* not of x32 */
        shared[2] = outcome(syscall(-1L));
}

static void test_kernel_x32(void **state) {
        AUTO(filter_done) struct filter f = { 0 };
        AUTO(spec_done) struct spec s;

        spec_init(&s);
        build(&s, &f);
        assert_int_equal(in_child(&f, call_by_x32, NULL), 0);
        assert_int_equal(shared[0], EPERM);
        assert_int_equal(shared[1], ENOSYS);
        assert_int_equal(shared[2], ENOSYS);
}
#endif

static int make_shared(void **state) {
        shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        return shared == MAP_FAILED ? -1 : 0;
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),        cmocka_unit_test(test_same_as_libseccomp),
        cmocka_unit_test(test_same_families),  cmocka_unit_test(test_same_random),
        cmocka_unit_test(test_kernel_refuses), cmocka_unit_test(test_kernel_lets_pass),
        cmocka_unit_test(test_kernel_checks),
#ifdef __x86_64__
        cmocka_unit_test(test_kernel_x86),     cmocka_unit_test(test_kernel_x32),
#endif
};

int main(void) {
        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, make_shared, NULL);
}
