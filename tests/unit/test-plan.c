/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What tests/golden does not show: contents and owners, limits, whose memory a plan uses, and what happens without memory. */
#include "unit.h"

#include <errno.h>
#include <stdio.h>

#include "base/str.h"
#include "invented-facts.h"
#include "plan/plan-print.h"
#include "plan/plan.h"
#include "spec/spec-argv.h"
#include "spec/spec-check.h"

/* The allocation that fails, counted from 1; 0: none. The linker puts these in front of libc's (tests/unit/meson.build). */
static unsigned failing, allocations;

static bool fails(void) {
        return failing && ++allocations == failing;
}

#define WRAP(type, name, parameters, arguments)                  \
        type __real_##name parameters;                           \
        type __wrap_##name parameters;                           \
        type __wrap_##name parameters {                          \
                return fails() ? NULL : __real_##name arguments; \
        }

WRAP(void *, malloc, (size_t size), (size))
WRAP(void *, calloc, (size_t n, size_t size), (n, size))
WRAP(void *, realloc, (void *p, size_t size), (p, size))
WRAP(void *, reallocarray, (void *p, size_t n, size_t size), (p, n, size))
WRAP(char *, strdup, (const char *s), (s))

int __real_vasprintf(char **ret, const char *format, va_list args);
int __wrap_vasprintf(char **ret, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
int __wrap_vasprintf(char **ret, const char *format, va_list args) {
        return fails() ? -1 : __real_vasprintf(ret, format, args);
}

/* One wish on one host. */
struct world {
        struct spec spec;
        struct invented invented;
};

static void world(const char *words, const char *facts, struct world *ret) {
        AUTO_FREE char *copy = strdup(words);
        char *argv[64], *save = NULL;
        struct diag d = { 0 };
        int n = 0;

        assert_non_null(copy);
        for (char *word = strtok_r(copy, " ", &save); word; word = strtok_r(NULL, " ", &save))
                argv[n++] = word;
        argv[n] = NULL;
        spec_init(&ret->spec);
        if (spec_from_argv(n, argv, NULL, &ret->spec, &d) != 0 || spec_check(&ret->spec, &d) != 0)
                fail_msg("%s: %s", words, d.text);
        invent(facts, &ret->invented);
        invent_for(&ret->spec, &ret->invented);
}

static void world_done(struct world *w) {
        invented_done(&w->invented);
        spec_done(&w->spec);
}

static int build(const struct world *w, struct plan *ret, struct diag *d) {
        return plan_build(&w->spec, &w->invented.facts, NULL, NULL, ret, d);
}

static void must_build(const struct world *w, struct plan *ret) {
        struct diag d = { 0 };

        if (build(w, ret, &d) != 0)
                fail_msg("%s", d.text);
}

static const struct step *find(const struct plan *p, enum step_kind kind, const char *target) {
        for (size_t i = 0; i < p->n_steps; i++)
                if (p->steps[i].kind == kind && streq_ptr(p->steps[i].target, target))
                        return &p->steps[i];
        fail_msg("no step %s %s", step_kind_to_string(kind), target);
        return NULL;
}

static void test_contents(void **state) {
        static const struct {
                enum step_kind kind;
                const char *target, *content;
                unsigned mode;
        } cases[] = {
                { STEP_TREE_NODE, "host/container-manager", "systemd-nspawn\n", 0444 },
                { STEP_TREE_NODE, "host/container-uuid", "11111111-1111-1111-1111-111111111111\n", 0444 },
                { STEP_TREE_NODE, "host/proc-sys-kernel-random-boot-id", "22222222-2222-2222-2222-222222222222\n",
                  0444 },
                { STEP_TREE_NODE, "token", "s3cret", 0400 },
                { STEP_TREE_NODE, "cert", "/etc/cert.pem", 0400 }, /* its invented content */
                { STEP_WRITE, "/etc/resolv.conf", "nameserver 192.0.2.1", 0644 },
                { STEP_WRITE, "/etc/localtime", "TZif2", 0644 },
        };
        struct world w;
        struct plan p;

        world("muster-spawn -D /srv/web --set-credential=token:s3cret --load-credential=cert:/etc/cert.pem "
              "--timezone=copy /bin/sh",
              "like v2\n", &w);
        must_build(&w, &p);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct step *s = find(&p, cases[i].kind, cases[i].target);

                if (s->number[0])
                        assert_int_equal(s->number[0], strlen(cases[i].content));
                assert_memory_equal(s->source, cases[i].content, strlen(cases[i].content));
                assert_int_equal(s->node.mode, cases[i].mode);
        }
        plan_done(&p);
        world_done(&w);
}

/* Whatever the runner makes inside belongs to the container's root. */
static void test_owners(void **state) {
        struct world w;
        struct plan p;

        world("muster-spawn -D /srv/web --private-users=524288 --set-credential=a:b --bind=:/x -b", "like v2\n", &w);
        must_build(&w, &p);
        for (size_t i = 0; i < p.n_steps; i++) {
                const struct step *s = &p.steps[i];
                bool owned = s->kind == STEP_TREE_NODE || s->kind == STEP_TREE_SOCKET || (s->flags & STEP_THROW_AWAY);

                if (owned && (s->node.uid != 524288 || s->node.gid != 524288))
                        fail_msg("%s %s belongs to %u:%u", step_kind_to_string(s->kind), strempty(s->target),
                                 s->node.uid, s->node.gid);
                if (s->kind == STEP_TREE_NEW && streq(s->type, "tmpfs"))
                        assert_non_null(strstr(s->options, ",uid=524288,gid=524288"));
        }
        plan_done(&p);
        world_done(&w);
}

static void test_flags(void **state) {
        static const struct {
                enum step_kind kind;
                const char *target;
                unsigned flags;
                uint64_t attributes;
        } cases[] = {
                { STEP_ATTACH, "/one", STEP_CREATE | STEP_COVERS, 0 },
                { STEP_BIND, "/two", STEP_CREATE | STEP_COVERS, ATTR_READ_ONLY },
                { STEP_BIND, "/four", STEP_MASK | STEP_COVERS, ATTR_READ_ONLY },
                { STEP_MOUNT, "/three", STEP_CREATE | STEP_COVERS, ATTR_NO_DEV | ATTR_STRICT_ATIME },
                { STEP_WRITE, "/etc/resolv.conf", STEP_MAY_FAIL | STEP_REPLACE, 0 },
                { STEP_BIND, "/proc/kcore", STEP_IF_EXISTS, 0 }, /* it lies on a mount that has its attributes */
        };
        struct world w;
        struct plan p;

        world("muster-spawn -D /srv/web --bind=/1:/one:norbind --bind-ro=+/2:/two:norbind --tmpfs=/three "
              "--inaccessible=/four "
              "--resolv-conf=replace-host /bin/sh",
              "like v2\n", &w);
        must_build(&w, &p);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                const struct step *s = find(&p, cases[i].kind, cases[i].target);

                if (s->flags != cases[i].flags || s->attributes != cases[i].attributes)
                        fail_msg("%s: flags 0x%x, attributes 0x%llx", cases[i].target, s->flags,
                                 (unsigned long long) s->attributes);
        }
        plan_done(&p);
        world_done(&w);
}

/* Where the stub init can become a program, it leaves the runner's memory; where not, it must never have been in it. */
static void test_stub_and_memory(void **state) {
        static const struct {
                const char *words, *facts;
                bool stub_is_program, shares_memory;
        } cases[] = {
                { "muster-spawn -D /srv/web /bin/sh", "like v2\n", false, true },
                { "muster-spawn -D /srv/web /bin/sh", "like v2\nstarts_bare yes\n", false, true },
                { "muster-spawn -D /srv/web --oom-score-adjust=5 /bin/sh", "like v2\n", false, false },
                { "muster-spawn -D /srv/web -a /bin/sh", "like v2\n", false, false },
                { "muster-spawn -D /srv/web -a /bin/sh", "like v2\nstarts_bare yes\n", true, true },
                { "muster-spawn -D /srv/web -a --oom-score-adjust=5 /bin/sh", "like v2\nstarts_bare yes\n", true,
                  false },
                { "muster-spawn -D /srv/web -a --system-call-filter=bpf /bin/sh", "like v2\nstarts_bare yes\n", true,
                  true },
                { "muster-spawn -D /srv/web -a --system-call-filter=~execveat /bin/sh", "like v2\nstarts_bare yes\n",
                  false, false },
                { "muster-spawn -D /srv/web -a -Z u:r:t /bin/sh",
                  "like v2\nstarts_bare yes\nhas_selinux yes\nknows_context yes\n", false, false },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct world w;
                struct plan p;

                world(cases[i].words, cases[i].facts, &w);
                must_build(&w, &p);
                if (p.stub_is_program != cases[i].stub_is_program || p.shares_memory != cases[i].shares_memory)
                        fail_msg("%s, %s: program %d, memory %d", cases[i].words, cases[i].facts, p.stub_is_program,
                                 p.shares_memory);
                plan_done(&p);
                world_done(&w);
        }
}

static void test_too_many_trees(void **state) {
        AUTO_BUF struct buf more = BUF_EMPTY;
        struct diag d = { 0 };
        struct world w;
        struct plan p;

        world("muster-spawn -D /srv/web --bind=/a /bin/sh", "like v2\n", &w);
        w.spec.mounts = reallocarray(w.spec.mounts, TREE_MAX + 1, sizeof(*w.spec.mounts));
        assert_non_null(w.spec.mounts);
        for (size_t i = 1; i < TREE_MAX + 1; i++) {
                struct spec_mount *m = &w.spec.mounts[i];

                *m = (struct spec_mount){ .type = SPEC_MOUNT_BIND, .source.path = strdup("/a") };
                assert_true(asprintf(&m->destination, "/m%zu", i) > 0);
        }
        w.spec.n_mounts = TREE_MAX + 1;
        assert_int_equal(build(&w, &p, &d), -E2BIG);
        assert_non_null(strstr(d.text, "more mounts than can be made"));
        world_done(&w);
}

/* Each allocation fails once: -ENOMEM, and nothing is lost (the address sanitizer looks). */
static void test_no_memory(void **state) {
        unsigned n;
        struct world w;

        world("muster-spawn -D /srv/web --private-users=524288 --private-users-ownership=map --overlay=/a:/b:/c "
              "--bind=/d "
              "--set-credential=a:b --system-call-filter=@clock -u alice -E A=B -b x=y z",
              "like hybrid\nuid 7\ngid 7\ngroups 7 8\nhome /home/alice\n", &w);
        for (n = 1;; n++) {
                struct diag d = { 0 };
                struct plan p;
                int r;

                allocations = 0;
                failing = n;
                r = build(&w, &p, &d);
                failing = 0;
                if (r == 0) {
                        plan_done(&p);
                        if (allocations < n)
                                break;
                        fail_msg("allocation %u fails, and nobody notices", n);
                }
                if (r != -ENOMEM)
                        fail_msg("allocation %u: %d: %s", n, r, d.text);
        }
        print_message("# %u allocations\n", n - 1);
        assert_true(n > 100);
        world_done(&w);
}

static void test_print_without_memory(void **state) {
        struct world w;
        struct plan p;

        world("muster-spawn -D /srv/web -b", "like v2\n", &w);
        must_build(&w, &p);
        for (int json = 0; json < 2; json++) {
                AUTO_BUF struct buf out = BUF_EMPTY;
                int r;

                allocations = 0;
                failing = 3;
                r = json ? plan_print_json(&p, &out) : plan_print_text(&p, &out);
                failing = 0;
                assert_int_equal(r, -ENOMEM);
        }
        plan_done(&p);
        world_done(&w);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_contents),
                cmocka_unit_test(test_owners),
                cmocka_unit_test(test_flags),
                cmocka_unit_test(test_stub_and_memory),
                cmocka_unit_test(test_too_many_trees),
                cmocka_unit_test(test_no_memory),
                cmocka_unit_test(test_print_without_memory),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
