/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the runner hears of a child that has ended. */
#include "unit.h"

#include <errno.h>
#include <stdbool.h>
#include <unistd.h>

#include "muster-spawn/channel.h"

/* go: the runner has said that it may go on, and the child, which had failed by then, did not read it. */
static void failed_child(bool go) {
        struct channel_message m = { 0 };
        int pair[2], fd;

        assert_int_equal(channel_pair(pair), 0);
        assert_int_equal(channel_send(pair[1], CHANNEL_NOTE, 3, -EPERM, -EBADF), 0);
        assert_int_equal(channel_send(pair[1], CHANNEL_ERROR, 7, -ENOENT, -EBADF), 0);
        if (go)
                assert_int_equal(channel_send(pair[0], CHANNEL_GO, 0, 0, -EBADF), 0);
        close(pair[1]);
        assert_int_equal(channel_receive(pair[0], &m, &fd), 0);
        assert_true(m.kind == CHANNEL_NOTE && m.step == 3 && m.error == -EPERM && fd == -EBADF);
        assert_int_equal(channel_receive(pair[0], &m, &fd), 0);
        assert_true(m.kind == CHANNEL_ERROR && m.step == 7 && m.error == -ENOENT && fd == -EBADF);
        assert_int_equal(channel_receive(pair[0], &m, &fd), -ECONNRESET);
        close(pair[0]);
}

static void test_last_words(void **state) {
        failed_child(false);
        failed_child(true);
}

static void test_death(void **state) {
        struct channel_message m;
        int pair[2], fd;

        assert_int_equal(channel_pair(pair), 0);
        assert_int_equal(channel_send(pair[0], CHANNEL_GO, 0, 0, -EBADF), 0);
        close(pair[1]);
        assert_int_equal(channel_receive(pair[0], &m, &fd), -ECONNRESET);
        close(pair[0]);
}

int main(void) {
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_last_words),
                cmocka_unit_test(test_death),
        };

        cmocka_set_message_output(CM_OUTPUT_TAP);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
