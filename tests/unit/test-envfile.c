/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* KEY=value texts -> assignments and back (registry.md 8.2, os-release(5)). */
#include "unit.h"

#include <errno.h>
#include <string.h>

#include "base/str.h"
#include "codec/envfile.h"

static int show(void *userdata, const char *key, const char *value) {
        return buf_printf(userdata, "%s=[%s]", key, value);
}

static const struct {
        const char *what, *text, *expected;
} reading[] = {
        { "nothing", "", "" },
        { "one", "A=b\n", "A=[b]" },
        { "no newline at the end", "A=b", "A=[b]" },
        { "empty values", "A=\nB=\"\"\nC=''\nD=", "A=[]B=[]C=[]D=[]" },
        { "comments and blank lines", "# A=1\n; B=2\n\n   \nC=3\n #D=4\n", "C=[3]" },
        { "no assignments", "A\n=b\n1A=c\nA-B=d\nexport E=f\nG=h\n", "G=[h]" },
        { "a blank before the equals sign", "A =b\nC=d\n", "C=[d]" },
        { "a key of every kind of character", "_aZ09=x", "_aZ09=[x]" },
        { "outer blanks go", "  A= \t b c \t\r\nB=d\r\n", "A=[b c]B=[d]" },
        { "a hash is no comment in a value", "A=b #c\nD=#e\n", "A=[b #c]D=[#e]" },
        { "the value may hold equals signs", "A=b=c", "A=[b=c]" },
        { "double quotes", "A=\" b  c \"\n", "A=[ b  c ]" },
        { "what a backslash escapes in them", "A=\"\\\"\\\\\\`\\$\"\n", "A=[\"\\`$]" },
        { "what it does not", "A=\"\\n\\x2d\\'\"\n", "A=[\\n\\x2d\\']" },
        { "single quotes are literal", "A='b\\\"$'\n", "A=[b\\\"$]" },
        { "bare backslashes", "A=a\\\\x2d\\ \\\"\nB=c\n", "A=[a\\x2d \"]B=[c]" },
        { "a kept blank at the end", "A=b\\ \nB=\"c \"  \n", "A=[b ]B=[c ]" },
        { "parts side by side", "A=b'c d'\"e\"f\n", "A=[bc def]" },
        { "a newline in quotes", "A=\"b\nB=c\"\nD='e\nf'\n", "A=[b\nB=c]D=[e\nf]" },
        { "continued lines", "A=b\\\nc\nD=\"e\\\nf\"\n", "A=[bc]D=[ef]" },
        { "an open quote lasts to the end", "A=\"b\nC=d", "A=[b\nC=d]" },
        { "an open single quote", "A='b\nC=d", "A=[b\nC=d]" },
        { "a backslash at the end", "A=b\\", "A=[b\\]" },
        { "a backslash at the end in quotes", "A=\"b\\", "A=[b\\]" },
        { "twice: both are told, in order", "A=1\nA=2\n", "A=[1]A=[2]" },
        { "the 262 writer", "SCOPE=\"machine-cre\\\\x2d1.x.scope\"\nSERVICE=\"my svc\"\nNETIF=\" 2 3\"\n",
          "SCOPE=[machine-cre\\x2d1.x.scope]SERVICE=[my svc]NETIF=[ 2 3]" },
        { "the 252 writer", "SCOPE=machine-cre\\\\x2d1.x.scope\nSERVICE=my svc\nNETIF=2 3\n",
          "SCOPE=[machine-cre\\x2d1.x.scope]SERVICE=[my svc]NETIF=[2 3]" },
        { "other bytes pass", "A=\xc3\xa4\xff\n", "A=[\xc3\xa4\xff]" },
};

static void test_reading(void **state) {
        for (size_t i = 0; i < ELEMENTS(reading); i++) {
                AUTO_BUF struct buf out = BUF_EMPTY;
                size_t size = strlen(reading[i].text);
                AUTO_FREE char *exact = malloc(size + 1);

                assert_non_null(exact);
                memcpy(exact, reading[i].text, size);
                exact = realloc(exact, size ? size : 1); /* no NUL behind it: the sanitizer sees who looks for one */
                assert_int_equal(envfile_parse(exact, size, show, &out), 0);
                if (!streq(out.size ? out.data : "", reading[i].expected))
                        fail_msg("%s: %s", reading[i].what, out.size ? out.data : "(nothing)");
        }
}

static void test_nul(void **state) {
        AUTO_BUF struct buf out = BUF_EMPTY;

        assert_int_equal(envfile_parse("A=b\nC=d\0e\n", 11, show, &out), -EBADMSG);
        assert_int_equal(out.size, 0);
}

static int stop_at_second(void *userdata, const char *key, const char *value) {
        int *calls = userdata;

        return ++*calls == 2 ? -ENXIO : 0;
}

static void test_stops(void **state) {
        int calls = 0;

        assert_int_equal(envfile_parse("A=1\nB=2\nC=3\n", 12, stop_at_second, &calls), -ENXIO);
        assert_int_equal(calls, 2);
}

static const struct {
        const char *value, *line;
} writing[] = {
        { "", "K=\n" },
        { "plain-1.x_/:@+,=~#%{}^", "K=plain-1.x_/:@+,=~#%{}^\n" },
        { "my svc", "K=\"my svc\"\n" },
        { " 2 3", "K=\" 2 3\"\n" },
        { "machine-cre\\x2d1.x.scope", "K=\"machine-cre\\\\x2d1.x.scope\"\n" },
        { "a\"b`c$d", "K=\"a\\\"b\\`c\\$d\"\n" },
        { "it's", "K=\"it's\"\n" },
        { "a*", "K=\"a*\"\n" },
        { "a?", "K=\"a?\"\n" },
        { "a[", "K=\"a[\"\n" },
        { "a]", "K=a]\n" },
        { "(a)", "K=\"(a)\"\n" },
        { "<a>", "K=\"<a>\"\n" },
        { "a|b", "K=\"a|b\"\n" },
        { "a&b", "K=\"a&b\"\n" },
        { "a;b", "K=\"a;b\"\n" },
        { "a!b", "K=\"a!b\"\n" },
        { "a\tb", "K=\"a\tb\"\n" },
        { "a\nb", "K=\"a\nb\"\n" },
        { "a\001b\177", "K=\"a\001b\177\"\n" },
        { "\xc3\xa4", "K=\xc3\xa4\n" },
};

static void test_writing(void **state) {
        for (size_t i = 0; i < ELEMENTS(writing); i++) {
                AUTO_BUF struct buf out = BUF_EMPTY;

                assert_int_equal(envfile_append(&out, "K", writing[i].value), 0);
                assert_string_equal(out.data, writing[i].line);
        }
}

static int compare(void *userdata, const char *key, const char *value) {
        assert_string_equal(key, "K");
        assert_string_equal(value, userdata);
        return 1;
}

/* Every byte alone, doubled, at the ends and in the middle comes back as it was. */
static void test_round_trip(void **state) {
        for (int c = 1; c < 256; c++) {
                char values[][6] = { { (char) c },
                                     { (char) c, (char) c },
                                     { 'a', (char) c },
                                     { 'a', (char) c, 'b' },
                                     { '\\', (char) c } };

                for (size_t i = 0; i < ELEMENTS(values); i++) {
                        AUTO_BUF struct buf out = BUF_EMPTY;

                        assert_int_equal(envfile_append(&out, "K", values[i]), 0);
                        assert_int_equal(envfile_parse(out.data, out.size, compare, values[i]), 1);
                }
        }
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading), cmocka_unit_test(test_nul),        cmocka_unit_test(test_stops),
        cmocka_unit_test(test_writing), cmocka_unit_test(test_round_trip),
};

RUN_TESTS(tests)
