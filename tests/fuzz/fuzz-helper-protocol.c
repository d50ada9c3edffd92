/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Packets of the helper: whatever decodes encodes to the very same bytes again. */
#include <stdlib.h>
#include <string.h>

#include "codec/helper-protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(const uint8_t *data, size_t size) {
        static struct helper_answer a;
        static uint8_t again[HELPER_ANSWER_MAX];
        uint8_t *copy = malloc(size ? size : 1);
        size_t again_size = 0;

        if (!copy)
                abort();
        if (size)
                memcpy(copy, data, size);
        if (helper_answer_decode(copy, size, &a) == 0) {
                if (helper_answer_encode(&a, again, &again_size) < 0 || again_size != size ||
                    memcmp(again, data, size) != 0)
                        abort();
        }
        free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        uint8_t again[HELPER_QUESTION_SIZE];
        struct helper_question q;

        if (helper_question_decode(data, size, &q) == 0) {
                helper_question_encode(&q, again);
                if (memcmp(again, data, size) != 0)
                        abort();
        }
        answer(data, size);
        return 0;
}
