/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What every cmocka test includes, in the order that cmocka wants. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/auto.h"

/* Runs the tests of an array and speaks TAP. */
#define RUN_TESTS(tests)                                          \
        int main(void) {                                          \
                cmocka_set_message_output(CM_OUTPUT_TAP);         \
                return cmocka_run_group_tests(tests, NULL, NULL); \
        }
