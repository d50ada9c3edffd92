/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Who is told what, and when something is asked at all. */
#include "unit.h"

#include <errno.h>
#include <stdlib.h>

#include "backend/helper-question.h"

static int told[2000], n_told;

static void on_answer(void *userdata, const struct inspect_result *result) {
        assert_true(n_told < 2000);
        told[n_told++] = *(int *) userdata * 10000 - result->error;
}

static int names[2000];

static struct question *question(int name, enum helper_kind kind, pid_t pid) {
        struct question *q = calloc(1, sizeof(*q));

        assert_non_null(q);
        names[name] = name;
        q->wire = (struct helper_question){ .kind = kind, .number = (uint64_t) name + 1, .pid = pid };
        q->answer = on_answer;
        q->userdata = &names[name];
        return q;
}

static struct question *sent(struct questions *all, int name, enum helper_kind kind, pid_t pid) {
        struct question *q = question(name, kind, pid);

        assert_true(question_begin(all, q));
        question_sent(q);
        return q;
}

static int begin(void **state) {
        n_told = 0;
        return 0;
}

/* Two are on their way; those that come then get one answer, in the order in which they came. */
static void test_same(void **state) {
        struct questions all = { .subjects = NULL };
        struct question *first = sent(&all, 0, HELPER_ADDRESSES, 7), *second = sent(&all, 1, HELPER_ADDRESSES, 7),
                        *third;

        for (int i = 2; i < 6; i++)
                assert_false(question_begin(&all, question(i, HELPER_ADDRESSES, 7)));
        assert_true(all.waiting.n == 0);
        question_finish(&all, first, -5, NULL, -EBADF);
        assert_int_equal(n_told, 1);
        assert_int_equal(told[0], 5);
        assert_true(all.waiting.n == 1);
        third = queue_take(&all.waiting);
        question_sent(third);
        assert_false(question_begin(
                &all, question(6, HELPER_ADDRESSES, 7))); /* the third has begun: too late for its answer */
        question_finish(&all, third, -9, NULL, -EBADF);
        assert_int_equal(n_told, 5);
        for (int i = 1; i < 5; i++)
                assert_int_equal(told[i], (i + 1) * 10000 + 9);
        question_finish(&all, second, 0, NULL, -EBADF);
        assert_true(all.waiting.n == 1);
        question_finish(&all, queue_take(&all.waiting), 0, NULL, -EBADF);
        assert_int_equal(n_told, 7);
        assert_null(all.subjects);
}

/* Another machine, another question, and what is done instead of looked at. */
static void test_different(void **state) {
        struct questions all = { .subjects = NULL };
        struct question *q[7];

        for (int i = 0; i < 2; i++)
                q[i] = sent(&all, i, HELPER_ADDRESSES, 7);
        q[2] = sent(&all, 2, HELPER_ADDRESSES, 8);
        q[3] = sent(&all, 3, HELPER_OS_RELEASE, 7);
        for (int i = 4; i < 7; i++)
                q[i] = sent(&all, i, HELPER_OPEN_ROOT, 7);
        for (int i = 0; i < 7; i++)
                question_finish(&all, q[i], 0, NULL, -EBADF);
        assert_int_equal(n_told, 7);
        assert_true(all.waiting.n == 0);
        assert_null(all.subjects);
}

/* A worker died: one question has failed, the other is asked again, and its subject stays. */
static void test_again(void **state) {
        struct questions all = { .subjects = NULL };
        struct question *first = sent(&all, 0, HELPER_BOTH, 7), *second = sent(&all, 1, HELPER_BOTH, 7);

        first->os_release = second->os_release = on_answer;
        question_not_sent(second);
        question_finish(&all, first, -EIO, NULL, -EBADF);
        assert_int_equal(n_told, 2);
        assert_non_null(all.subjects);
        question_sent(second);
        question_finish(&all, second, 0, NULL, -EBADF);
        assert_int_equal(n_told, 4);
        assert_null(all.subjects);
}

static void test_many(void **state) {
        struct questions all = { .subjects = NULL };
        struct question *first = sent(&all, 0, HELPER_ADDRESSES, 7), *second = sent(&all, 1, HELPER_ADDRESSES, 7);
        int failed = 0;

        for (int i = 2; i < 2000; i++)
                assert_false(question_begin(&all, question(i, HELPER_ADDRESSES, 7)));
        for (int i = 0; i < n_told; i++)
                failed += told[i] % 10000 == ENOBUFS;
        assert_int_equal(failed, n_told);
        assert_in_range(failed, 500, 1500);
        question_finish(&all, first, 0, NULL, -EBADF);
        question_finish(&all, second, 0, NULL, -EBADF);
        question_finish(&all, queue_take(&all.waiting), 0, NULL, -EBADF);
        assert_int_equal(n_told, 2000);
        assert_null(all.subjects);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_same, begin),
        cmocka_unit_test_setup(test_different, begin),
        cmocka_unit_test_setup(test_again, begin),
        cmocka_unit_test_setup(test_many, begin),
};

RUN_TESTS(tests)
