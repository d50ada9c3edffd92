/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "codec/tar.h"

/* All steps over the headers at p up to the member, or the end. */
static int next(struct tar_reader *r, const char **p, const char *end) {
        for (;;) {
                int step;

                assert_true(end - *p >= (long) TAR_BLOCK);
                step = tar_reader_block(r, (const uint8_t *) *p);
                *p += TAR_BLOCK;
                if (step != TAR_EXTENDED)
                        return step;
                step = tar_reader_extended(r, *p, r->size);
                if (step < 0)
                        return step;
                *p += r->size + tar_padding(r->size);
        }
}

static void check_same(const struct tar_member *a, const struct tar_member *b) {
        assert_int_equal(a->type, b->type);
        assert_string_equal(a->path, b->path);
        if (a->target)
                assert_string_equal(a->target, b->target);
        else
                assert_null(b->target);
        assert_true(a->mode == b->mode && a->uid == b->uid && a->gid == b->gid && a->size == b->size);
        assert_true(a->mtime == b->mtime && a->mtime_nsec == b->mtime_nsec);
        assert_int_equal(a->n_xattrs, b->n_xattrs);
        for (size_t i = 0; i < a->n_xattrs; i++) {
                assert_string_equal(a->xattrs[i].name, b->xattrs[i].name);
                assert_int_equal(a->xattrs[i].size, b->xattrs[i].size);
                assert_memory_equal(a->xattrs[i].value, b->xattrs[i].value, a->xattrs[i].size);
        }
}

static char long_name[3001];

/* One behind the other in one archive, so that nothing said about one is left for the next. */
static void test_round(void **state) {
        static const struct tar_xattr xattrs[] = { { "user.a", "b\0c\n", 4 },
                                                   { "user.empty", "", 0 },
                                                   { "user.c", "=", 1 } };
        const struct tar_member members[] = {
                { .type = TAR_DIRECTORY, .path = "./", .mode = 07777, .mtime = 1 },
                { .type = TAR_FILE, .path = "a", .mode = 0644, .uid = 1000, .gid = 2097151, .mtime = 1700000000 },
                { .type = TAR_FILE,
                  .path = "b",
                  .uid = 4294967294,
                  .gid = 2097152,
                  .size = UINT64_C(1) << 40,
                  .mtime_nsec = 1 },
                { .type = TAR_FILE, .path = long_name, .mtime = -1, .mtime_nsec = 999999999 },
                { .type = TAR_SYMLINK, .path = "l", .target = long_name, .mtime = -2, .mtime_nsec = 5 },
                { .type = TAR_SYMLINK, .path = "l", .target = "/etc/passwd", .mtime = INT64_C(1) << 40 },
                { .type = TAR_HARD_LINK, .path = "h", .target = "a", .mtime = -3 },
                { .type = TAR_FIFO, .path = "f", .mode = 0600 },
                { .type = TAR_FILE, .path = "x", .xattrs = xattrs, .n_xattrs = 3 },
                { .type = TAR_FILE, .path = "last" },
        };
        struct tar_reader reader = TAR_READER_EMPTY;
        AUTO_BUF struct buf out = BUF_EMPTY;
        const char *p;

        memset(long_name, 'n', sizeof(long_name) - 1);
        for (size_t i = 0; i < ELEMENTS(members); i++)
                assert_int_equal(tar_encode(&members[i], &out), 0);
        assert_int_equal(tar_encode_end(&out), 0);
        assert_int_equal(out.size % TAR_BLOCK, 0);
        p = out.data;
        for (size_t i = 0; i < ELEMENTS(members); i++) {
                assert_int_equal(next(&reader, &p, out.data + out.size), TAR_MEMBER);
                check_same(&members[i], &reader.member);
        }
        assert_int_equal(next(&reader, &p, out.data + out.size), TAR_END);
        tar_reader_done(&reader);
}

/* Names that just fit, and just do not. */
static void test_lengths(void **state) {
        char name[200] = "";

        for (size_t n = 1; n < sizeof(name); n++) {
                struct tar_member m = { .type = TAR_SYMLINK, .path = name, .target = name };
                struct tar_reader reader = TAR_READER_EMPTY;
                AUTO_BUF struct buf out = BUF_EMPTY;
                const char *p;

                memset(name, 'x', n);
                assert_int_equal(tar_encode(&m, &out), 0);
                assert_int_equal(out.size, n <= 100 ? TAR_BLOCK : 3 * TAR_BLOCK);
                p = out.data;
                assert_int_equal(next(&reader, &p, out.data + out.size), TAR_MEMBER);
                check_same(&m, &reader.member);
                tar_reader_done(&reader);
        }
}

static void sum(char *block) {
        unsigned s = 0;

        memset(block + 148, ' ', 8);
        for (size_t i = 0; i < TAR_BLOCK; i++)
                s += (uint8_t) block[i];
        snprintf(block + 148, 8, "%06o", s);
}

static int read_changed(char type, const char *magic, size_t at, const char *bytes, size_t n, struct tar_reader *r) {
        struct tar_member m = { .type = TAR_FILE, .path = "name", .target = "target", .mode = 0600, .size = 5 };
        AUTO_BUF struct buf out = BUF_EMPTY;
        const char *p;

        assert_int_equal(tar_encode(&m, &out), 0);
        out.data[156] = type;
        memcpy(out.data + 257, magic, 8);
        memcpy(out.data + at, bytes, n);
        sum(out.data);
        p = out.data;
        return next(r, &p, out.data + out.size);
}

static void test_other_tars(void **state) {
        static const struct {
                char type;
                const char *magic;
                size_t at;
                const char *bytes;
                size_t n;
                int step;
                enum tar_type is;
                const char *path;
                uint64_t size;
        } cases[] = {
                { '0',
                  "ustar\0"
                  "00",
                  345, "a/b", 4, TAR_MEMBER, TAR_FILE, "a/b/name", 5 },
                { '0', "ustar  ", 345, "a/b", 4, TAR_MEMBER, TAR_FILE, "name", 5 }, /* GNU has times there */
                { '\0', "\0\0\0\0\0\0\0", 0, "name/", 6, TAR_MEMBER, TAR_DIRECTORY, "name/", 0 },
                { '0', "ustar  ", 124, "\x80\0\0\0\0\0\0\x01\0\0\0\0", 12, TAR_MEMBER, TAR_FILE, "name",
                  UINT64_C(1) << 32 },
                { '0', "ustar  ", 136, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12, TAR_MEMBER, TAR_FILE,
                  "name", 5 },
                { '0', "ustar  ", 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xfe", 12, -EBADMSG, 0, NULL, 0 },
                { '0', "ustar  ", 124, "\x80\xff\0\0\0\0\0\x01\0\0\0\0", 12, -EBADMSG, 0, NULL, 0 },
                { '0', "ustar  ", 124, "0000000000x", 12, -EBADMSG, 0, NULL, 0 },
                { '7', "ustar  ", 124, "     7 ", 8, TAR_MEMBER, TAR_FILE, "name", 7 },
                { '3', "ustar  ", 329, "1", 1, TAR_MEMBER, TAR_OTHER, "name", 0 },
                { '4', "ustar  ", 329, "1", 1, TAR_MEMBER, TAR_OTHER, "name", 0 },
                { '5', "ustar  ", 329, "1", 1, TAR_MEMBER, TAR_DIRECTORY, "name", 0 },
                { '1', "ustar  ", 329, "1", 1, TAR_MEMBER, TAR_HARD_LINK, "name", 0 },
                { '2', "ustar  ", 157, "\0", 1, -EBADMSG, 0, NULL, 0 }, /* to nowhere */
                { '0', "ustar  ", 0, "\0", 1, -EBADMSG, 0, NULL, 0 },   /* without a name */
                { 'S', "ustar  ", 329, "1", 1, -EOPNOTSUPP, 0, NULL, 0 },
                { 'M', "ustar  ", 329, "1", 1, -EOPNOTSUPP, 0, NULL, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct tar_reader r = TAR_READER_EMPTY;
                int step = read_changed(cases[i].type, cases[i].magic, cases[i].at, cases[i].bytes, cases[i].n, &r);

                if (step != cases[i].step)
                        fail_msg("case %zu: %d", i, step);
                if (step == TAR_MEMBER && (r.member.type != cases[i].is || !streq(r.member.path, cases[i].path) ||
                                           r.member.size != cases[i].size))
                        fail_msg("case %zu: type %d, '%s', %llu", i, (int) r.member.type, r.member.path,
                                 (unsigned long long) r.member.size);
                tar_reader_done(&r);
        }
}

static void test_wrong_sums(void **state) {
        struct tar_member m = { .type = TAR_FILE, .path = "name" };
        struct tar_reader r = TAR_READER_EMPTY;
        AUTO_BUF struct buf out = BUF_EMPTY;

        assert_int_equal(tar_encode(&m, &out), 0);
        for (size_t i = 0; i < TAR_BLOCK; i += 7) {
                out.data[i] ^= 1;
                if (tar_reader_block(&r, (const uint8_t *) out.data) != -EBADMSG && i != 155) /* behind the sum */
                        fail_msg("byte %zu", i);
                out.data[i] ^= 1;
        }
        tar_reader_done(&r);
}

/* What is said before a member. */
static void test_extended(void **state) {
        static const struct {
                char type;
                const char *text;
                size_t size;
                int result;
        } cases[] = {
                { 'x', "9 path=a\n", 9, 0 },
                { 'x', "9 path=a\n9 path=b\n", 18, 0 },
                { 'x', "8 path=\n", 8, -EBADMSG },
                { 'x', "9 path=a", 8, -EBADMSG },
                { 'x', "99 path=a\n", 10, -EBADMSG },
                { 'x', "0 path=a\n", 9, -EBADMSG },
                { 'x', "x path=a\n", 9, -EBADMSG },
                { 'x', "5 ab\n", 5, -EBADMSG },
                { 'x', "10 path=a\0\n", 11, -EBADMSG },
                { 'x', "11 size=-1\n", 11, -EBADMSG },
                { 'x', "30 size=99999999999999999999\n", 29, -EBADMSG },
                { 'x', "11 mtime=.\n", 11, -EBADMSG },
                { 'x', "14 mtime=1.1x\n", 14, -EBADMSG },
                { 'x', "15 comment=abc\n", 15, 0 },
                { 'x', "22 GNU.sparse.major=1\n", 22, -EOPNOTSUPP },
                { 'x', "17 SCHILY.xattr.=\n", 18, -EBADMSG },
                { 'x', "21 SCHILY.xattr.a=\0b\n", 21, 0 },
                { 'L', "long", 5, 0 },
                { 'L', "", 1, -EBADMSG },
                { 'K', "target", 6, 0 },
                { 'g', "anything", 8, 0 },
        };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                struct tar_reader r = TAR_READER_EMPTY;
                int result;

                r.type = cases[i].type;
                result = tar_reader_extended(&r, cases[i].text, cases[i].size);
                if (result != cases[i].result)
                        fail_msg("case %zu: %d", i, result);
                tar_reader_done(&r);
        }
}

static void test_limits(void **state) {
        struct tar_reader r = TAR_READER_EMPTY;
        AUTO_BUF struct buf much = BUF_EMPTY;
        static char value[TAR_EXTENDED_MAX];
        const struct tar_xattr xattr = { "user.x", value, sizeof(value) };
        const struct tar_member m = { .type = TAR_FILE, .path = "a", .xattrs = &xattr, .n_xattrs = 1 };

        const struct tar_xattr odd = { "user.=", "", 0 };
        const struct tar_member with_odd = { .type = TAR_FILE, .path = "a", .xattrs = &odd, .n_xattrs = 1 };

        assert_int_equal(tar_encode(&with_odd, &much), -EINVAL); /* it would be read as another one */
        assert_int_equal(tar_encode(&m, &much), -E2BIG);
        buf_clear(&much);
        for (int i = 0; i < TAR_XATTRS_MAX + 1; i++)
                buf_append_str(&much, "20 SCHILY.xattr.a=b\n");
        r.type = 'x';
        assert_int_equal(tar_reader_extended(&r, much.data, much.size), -E2BIG);
        assert_int_equal(r.member.n_xattrs, TAR_XATTRS_MAX);
        tar_reader_done(&r);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_round),      cmocka_unit_test(test_lengths),  cmocka_unit_test(test_other_tars),
        cmocka_unit_test(test_wrong_sums), cmocka_unit_test(test_extended), cmocka_unit_test(test_limits),
};
RUN_TESTS(tests)
