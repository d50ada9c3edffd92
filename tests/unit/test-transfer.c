/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "codec/transfer-protocol.h"

static void test_paths(void **state) {
        static const struct {
                const char *path;
                bool valid;
        } cases[] = {
                { "/", true },      { "/a", true },     { "/a/b", true }, { "/a b/\xff\n", true }, { "/...", true },
                { "/.a/b.", true }, { "", false },      { "a", false },   { "/a/", false },        { "//", false },
                { "//a", false },   { "/a//b", false }, { "/.", false },  { "/..", false },        { "/a/.", false },
                { "/a/..", false }, { "/./a", false },  { "./a", false }, { "/../a", false },      { "/a/../b", false },
        };
        char large[TRANSFER_PATH_MAX + 2];

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                if (transfer_path_is_valid(cases[i].path) != cases[i].valid)
                        fail_msg("'%s'", cases[i].path);
        for (size_t i = 0; i < sizeof(large); i++)
                large[i] = i % 100 ? 'a' : '/';
        large[TRANSFER_PATH_MAX] = '\0';
        assert_true(transfer_path_is_valid(large));
        large[TRANSFER_PATH_MAX] = 'a';
        large[TRANSFER_PATH_MAX + 1] = '\0';
        assert_false(transfer_path_is_valid(large));
        memset(large + 1, 'a', 256);
        large[257] = '\0';
        assert_false(transfer_path_is_valid(large)); /* no name is that long */
        large[256] = '\0';
        assert_true(transfer_path_is_valid(large));
}

static struct transfer *make(enum transfer_kind kind, bool archive, const char *source, const char *destination) {
        struct transfer *t = NULL;

        assert_int_equal(transfer_new(kind, &t), 0);
        t->archive = archive;
        assert_int_equal(str_replace(&t->source, source), 0);
        assert_int_equal(str_replace(&t->destination, destination), 0);
        return t;
}

static void test_check(void **state) {
        static const struct {
                enum transfer_kind kind;
                bool archive;
                const char *source, *destination, *wrong, *becomes;
        } cases[] = {
                { TRANSFER_COPY_TO, false, "/a", "/b", "", "/b" },
                { TRANSFER_COPY_TO, false, "/a", NULL, "", "/a" },
                { TRANSFER_COPY_TO, false, NULL, NULL, "source", NULL },
                { TRANSFER_COPY_TO, false, "a", "/b", "source", "/b" },
                { TRANSFER_COPY_FROM, false, "/a", "b", "destination", "b" },
                { TRANSFER_COPY_FROM, false, "/a", "/", "", "/" },
                { TRANSFER_COPY_TO, true, NULL, "/b", "", "/b" },
                { TRANSFER_COPY_TO, true, "/a", "/b", "source", "/b" },
                { TRANSFER_COPY_TO, true, NULL, NULL, "destination", NULL },
                { TRANSFER_COPY_FROM, true, "/a", NULL, "", NULL },
                { TRANSFER_COPY_FROM, true, "/a", "/b", "destination", "/b" },
                { TRANSFER_BIND, false, "/a", NULL, "", "/a" },
                { TRANSFER_BIND, false, "/", NULL, "destination", "/" },
                { TRANSFER_BIND, true, "/a", "/b", "source", "/b" },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                AUTO(transfer_freep)
                struct transfer *t = make(cases[i].kind, cases[i].archive, cases[i].source, cases[i].destination);
                struct diag d = { 0 };
                int r = transfer_check(t, &d);

                if ((r == 0) != !*cases[i].wrong || !streq(d.field, cases[i].wrong) || (r < 0 && !*d.text))
                        fail_msg("case %zu: %d, '%s'", i, r, d.field);
                if (!streq_ptr(t->destination, cases[i].becomes))
                        fail_msg("case %zu: '%s'", i, strempty(t->destination));
        }
}

static void test_kinds(void **state) {
        for (int i = 0; i < _TRANSFER_KIND_MAX; i++)
                assert_int_equal(transfer_kind_from_string(transfer_kind_to_string((enum transfer_kind) i)), i);
        assert_int_equal(transfer_kind_from_string("banana"), -EINVAL);
}

static void test_request(void **state) {
        for (unsigned flags = 0; flags < 16; flags++) {
                AUTO(transfer_freep)
                struct transfer *t = make(TRANSFER_COPY_FROM, false,
                                          "/so ur\xff"
                                          "ce",
                                          "/d"),
                                *u = NULL;
                AUTO_BUF struct buf out = BUF_EMPTY;

                t->replace = flags & 1;
                t->read_only = flags & 2;
                t->make = flags & 4;
                t->progress = flags & 8;
                assert_int_equal(transfer_request_encode(t, &out), 0);
                assert_int_equal(transfer_request_decode(out.data, out.size, &u), 0);
                assert_int_equal(u->kind, TRANSFER_COPY_FROM);
                assert_string_equal(u->source, "/so ur\xff"
                                               "ce");
                assert_string_equal(u->destination, "/d");
                assert_true(u->replace == t->replace && u->read_only == t->read_only && u->make == t->make &&
                            u->progress == t->progress && !u->archive);
                assert_int_equal(u->fds[TRANSFER_FD_STREAM], -EBADF);
        }
}

static void test_wrong_requests(void **state) {
        static const struct {
                size_t at;
                uint8_t byte;
        } cases[] = {
                { 0, 'X' }, { 4, _TRANSFER_KIND_MAX }, { 5, 0x20 }, { 6, 1 }, { 11, 1 }, { 12, 'x' }, { 15, '\0' }
        };
        AUTO(transfer_freep) struct transfer *t = make(TRANSFER_COPY_TO, false, "/source", "/d"), *u = NULL;
        AUTO_BUF struct buf out = BUF_EMPTY;

        assert_int_equal(transfer_request_encode(t, &out), 0);
        for (size_t size = 0; size < out.size; size++)
                assert_int_equal(transfer_request_decode(out.data, size, &u), -EBADMSG);
        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                char old = out.data[cases[i].at];

                out.data[cases[i].at] = (char) cases[i].byte;
                if (transfer_request_decode(out.data, out.size, &u) != -EBADMSG)
                        fail_msg("byte %zu", cases[i].at);
                out.data[cases[i].at] = old;
        }
        buf_append_char(&out, 'x');
        assert_int_equal(transfer_request_decode(out.data, out.size, &u), -EBADMSG);
        assert_null(u);
}

static void test_reports(void **state) {
        static const struct {
                enum transfer_report_kind kind;
                uint32_t error;
                bool valid;
        } cases[] = {
                { TRANSFER_REPORT_PROGRESS, 0, true },   { TRANSFER_REPORT_PROGRESS, 1, false },
                { TRANSFER_REPORT_DONE, 0, true },       { TRANSFER_REPORT_DONE, EIO, false },
                { TRANSFER_REPORT_FAILED, EIO, true },   { TRANSFER_REPORT_FAILED, 0, false },
                { TRANSFER_REPORT_FAILED, 4096, false }, { 0, 0, false },
                { _TRANSFER_REPORT_MAX, 0, false },
        };
        uint8_t packet[TRANSFER_REPORT_MAX + 1];

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct transfer_report r = { .kind = cases[i].kind,
                                             .error = cases[i].error,
                                             .bytes = UINT64_MAX,
                                             .files = 2,
                                             .left_out = 3,
                                             .text = "why" },
                                       t = { 0 };
                size_t size = transfer_report_encode(&r, packet);

                if ((transfer_report_decode(packet, size, &t) == 0) != cases[i].valid)
                        fail_msg("case %zu", i);
                if (!cases[i].valid)
                        continue;
                assert_true(t.kind == r.kind && t.error == r.error && t.bytes == UINT64_MAX && t.files == 2 &&
                            t.left_out == 3);
                assert_string_equal(t.text, "why");
                packet[size] = '\0';
                assert_int_equal(transfer_report_decode(packet, size + 1, &t), -EBADMSG);
                for (size_t n = 0; n < 40; n++)
                        assert_int_equal(transfer_report_decode(packet, n, &t), -EBADMSG);
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_paths),   cmocka_unit_test(test_check),          cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_request), cmocka_unit_test(test_wrong_requests), cmocka_unit_test(test_reports),
};
RUN_TESTS(tests)
