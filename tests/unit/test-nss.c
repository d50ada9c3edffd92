/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* What the NSS module reads: answers, as they arrive in pieces, records, the kernel's routes; and the order of addresses. */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "nss/answer.h"
#include "nss/record-scan.h"
#include "nss/routes.h"
#include "unit.h"

/* ---- JSON ---- */

struct told {
        char text[4096];
        size_t size;
};

static void on_value(void *userdata, enum json_scan_event event, const char *path, const char *text) {
        static const char marks[] = { '"', '#', '{', '}', '[', ']' };
        struct told *t = userdata;

        t->size += (size_t) snprintf(t->text + t->size, sizeof(t->text) - t->size, "%s%c%s ", path, marks[event],
                                     text                        ? text
                                     : event == JSON_SCAN_STRING ? "<long>"
                                                                 : "");
        assert_true(t->size < sizeof(t->text));
}

/* In pieces of that size. */
static int scan(const char *json, size_t size, size_t piece, struct told *told) {
        struct json_scan s;

        *told = (struct told){ .size = 0 };
        json_scan_init(&s, on_value, told);
        for (size_t at = 0; at < size; at += piece) {
                int r = json_scan_feed(&s, json + at, at + piece < size ? piece : size - at);

                if (r != 0)
                        return r;
        }
        return 0;
}

static const struct {
        const char *json;
        const char *told; /* NULL: not JSON */
} values[] = {
        { "{}", "{ } " },
        { " [ ] ", "[ ] " },
        { "{\"a\":1}", "{ a#1 } " },
        { "{\"a\":{\"b\":[1,[],{\"c\":\"d\"}],\"e\":null},\"f\":true}",
          "{ a{ a.b[ a.b[]#1 a.b[][ a.b[]] a.b[]{ a.b[].c\"d a.b[]} a.b] a.e#null a} f#true } " },
        { "[-1.5e+3,0,false,\"\"]", "[ []#-1.5e+3 []#0 []#false []\" ] " },
        { "\t{\n\"a\"\r: \"\\\"\\\\\\/\\n\\u0041\\u0000\" }", "{ a\"\"\\/??? } " },
        { "{\"a.b\":1,\"a[]\":2,\"\\u0061\":3}", "{ a?b#1 a?]#2 ?#3 } " },
        { "{\"\xc3\xa4\":\"\xc3\xa4\"}", "{ ??\"?? } " },
        { "7", "#7 " },
        { "", NULL },
        { "{", NULL },
        { "[1", NULL },
        { "{]", NULL },
        { "[}", NULL },
        { "[1,]", NULL },
        { "{\"a\":1,}", NULL },
        { "{,}", NULL },
        { "{\"a\"}", NULL },
        { "{\"a\":}", NULL },
        { "{1:1}", NULL },
        { "[1 2]", NULL },
        { "[1]]", NULL },
        { "1 1", NULL },
        { "[01]", NULL },
        { "[1.]", NULL },
        { "[.5]", NULL },
        { "[+1]", NULL },
        { "[1e]", NULL },
        { "[-]", NULL },
        { "[nul]", NULL },
        { "[True]", NULL },
        { "[\"\\x\"]", NULL },
        { "[\"\\u00g0\"]", NULL },
        { "[\"\t\"]", NULL },
        { "[\"a", NULL },
        { "'a'", NULL },
};

static void test_json(void **state) {
        for (size_t i = 0; i < ELEMENTS(values); i++) {
                const size_t size = strlen(values[i].json) + 1;
                struct told whole, bytes;
                int r = scan(values[i].json, size, size, &whole);

                assert_int_equal(r, values[i].told ? 1 : -EBADMSG);
                if (values[i].told)
                        assert_string_equal(whole.text, values[i].told);
                assert_int_equal(scan(values[i].json, size, 1, &bytes), r);
                assert_string_equal(bytes.text, whole.text);
                /* Without its end it is never complete. */
                assert_int_not_equal(scan(values[i].json, size - 1, size, &bytes), 1);
        }
}

static void test_json_limits(void **state) {
        char json[1024], wanted[JSON_SCAN_TEXT_MAX + 16];
        struct told told;

        memset(json, '[', sizeof(json));
        assert_int_equal(scan(json, JSON_SCAN_DEPTH_MAX, 7, &told), 0);
        assert_int_equal(scan(json, JSON_SCAN_DEPTH_MAX + 1, 7, &told), -EBADMSG);
        /* Strings: the longest, and one more byte. */
        memset(json, 'x', sizeof(json));
        json[0] = json[JSON_SCAN_TEXT_MAX + 1] = '"';
        json[JSON_SCAN_TEXT_MAX + 2] = '\0';
        snprintf(wanted, sizeof(wanted), "\"%.*s ", JSON_SCAN_TEXT_MAX, json + 1);
        assert_int_equal(scan(json, strlen(json) + 1, 5, &told), 1);
        assert_string_equal(told.text, wanted);
        memcpy(json + JSON_SCAN_TEXT_MAX + 1, "x\"", 3);
        assert_int_equal(scan(json, strlen(json) + 1, 5, &told), 1);
        assert_string_equal(told.text, "\"<long> ");
        /* A path that is too long is nobody's, and what comes behind it has its own again. */
        snprintf(json, sizeof(json), "{\"%0*d\":{\"%0*d\":{\"a\":[1]}},\"b\":2}", 40, 0, 40, 0);
        assert_int_equal(scan(json, strlen(json) + 1, 3, &told), 1);
        assert_non_null(strstr(told.text, "?#1 "));
        assert_non_null(strstr(told.text, " b#2 } "));
}

static void test_numbers(void **state) {
        static const struct {
                const char *text;
                uint32_t max;
                int r;
                uint32_t value;
        } cases[] = { { "0", 0, 0, 0 },
                      { "255", 255, 0, 255 },
                      { "256", 255, -ERANGE, 0 },
                      { "4294967295", UINT32_MAX, 0, UINT32_MAX },
                      { "4294967296", UINT32_MAX, -ERANGE, 0 },
                      { "99999999999999999999", UINT32_MAX, -ERANGE, 0 },
                      { "-1", 9, -EINVAL, 0 },
                      { "1e1", 99, -EINVAL, 0 },
                      { "", 9, -EINVAL, 0 },
                      { NULL, 9, -EINVAL, 0 } };

        for (size_t i = 0; i < ELEMENTS(cases); i++) {
                uint32_t value = 0;

                assert_int_equal(json_scan_number(cases[i].text, cases[i].max, &value), cases[i].r);
                assert_int_equal(value, cases[i].value);
        }
}

/* ---- answers ---- */

static int answer(const char *json, struct answer *ret) {
        answer_init(ret);
        return answer_feed(ret, json, strlen(json) + 1);
}

static void test_answers(void **state) {
        struct answer a;

        assert_int_equal(
                answer("{\"parameters\":{\"uid\":5,\"gid\":null,\"machineName\":\"web\",\"new\":{\"uid\":9}}}", &a), 1);
        assert_int_equal(a.kind, ANSWER_FINE);
        assert_true(a.has_uid && a.uid == 5 && !a.has_gid);
        assert_string_equal(a.machine, "web");
        assert_int_equal(answer("{\"error\":\"io.systemd.Machine.NoSuchUser\",\"parameters\":{}}", &a), 1);
        assert_int_equal(a.kind, ANSWER_NO);
        assert_int_equal(answer("{\"parameters\":{\"errno\":5},\"error\":\"io.systemd.System\"}", &a), 1);
        assert_int_equal(a.kind, ANSWER_FAILURE);
        assert_int_equal(answer("{}", &a), 1);
        assert_true(a.kind == ANSWER_FINE && !a.has_uid && a.machine[0] == '\0' && a.addresses.n == 0);
        /* What was meant for us, but cannot be. */
        assert_int_equal(answer("[]", &a), -EBADMSG);
        assert_int_equal(answer("{\"parameters\":{\"uid\":-1}}", &a), -EBADMSG);
        assert_int_equal(answer("{\"parameters\":{\"gid\":4294967295}}", &a), -EBADMSG);
        assert_int_equal(answer("{\"parameters\":{\"machineName\":"
                                "\"0123456789012345678901234567890123456789012345678901234567890"
                                "1234\"}}",
                                &a),
                         -EBADMSG);
}

static void test_answer_size(void **state) {
        static char spaces[4096];
        struct answer a;
        int r = 0;

        memset(spaces, ' ', sizeof(spaces));
        answer_init(&a);
        for (size_t size = 0; size <= ANSWER_SIZE_MAX && r == 0; size += sizeof(spaces))
                r = answer_feed(&a, spaces, sizeof(spaces));
        assert_int_equal(r, -EMSGSIZE);
}

static void assert_addresses(const struct nss_addresses *a, const char *wanted) {
        char text[4096] = "", one[INET6_ADDRSTRLEN];

        for (unsigned i = 0; i < a->n; i++) {
                inet_ntop(a->entries[i].family, a->entries[i].bytes, one, sizeof(one));
                strcat(strcat(text, i > 0 ? " " : ""), one);
        }
        assert_string_equal(text, wanted);
}

static void test_addresses_in_answers(void **state) {
        struct answer a;

        assert_int_equal(
                answer("{\"parameters\":{\"rcode\":0,\"answer\":[{\"rr\":{\"key\":{\"type\":1,\"name\":\"w\"},"
                       "\"address\":"
                       "[10,0,0,1]},\"raw\":\"AA\"},{\"rr\":{\"address\":[32,1,0,0,0,0,0,0,0,0,0,0,0,0,0,1]}}]}}",
                       &a),
                1);
        assert_addresses(&a.addresses, "10.0.0.1 2001::1");
        assert_int_equal(
                answer("{\"parameters\":{\"addresses\":[{\"address\":[10,0,0,1],\"family\":2},{\"address\":[1,2,3]},"
                       "{\"address\":[1,2,3,256]},{\"address\":[1,2,3,-4]},{\"address\":[1,2,3,4,5]},{\"address\":"
                       "\"x\"},"
                       "{\"address\":[]},{\"address\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,1]},{\"address\":[9,9,9,9]}]}}",
                       &a),
                1);
        assert_addresses(&a.addresses, "10.0.0.1 9.9.9.9");
}

/* ---- addresses ---- */

static void add(struct nss_addresses *a, const char *text) {
        bool v6 = strchr(text, ':') != NULL;
        uint8_t bytes[16];

        assert_int_equal(inet_pton(v6 ? AF_INET6 : AF_INET, text, bytes), 1);
        nss_addresses_add(a, bytes, v6 ? 16 : 4);
}

static void test_order_of_addresses(void **state) {
        static const char *const all[] = { "fe80::1",     "169.254.1.1",    "fd00::1",   "10.0.0.1",
                                           "192.168.1.1", "2001:db8::1",    "fd00::2",   "fe80::2",
                                           "8.8.8.8",     "10.0.0.1",       "127.0.0.1", "::1",
                                           "::",          "0.0.0.0",        "224.0.0.1", "ff02::1",
                                           "fe80::1",     "255.255.255.255" };
        struct nss_addresses a = { .n = 0 };

        for (size_t i = 0; i < ELEMENTS(all); i++)
                add(&a, all[i]);
        assert_addresses(&a, "10.0.0.1 192.168.1.1 2001:db8::1 8.8.8.8 fd00::1 fd00::2 fe80::1 169.254.1.1 fe80::2");
}

static void test_too_many_addresses(void **state) {
        struct nss_addresses a = { .n = 0 };
        char text[32];

        for (int i = 0; i < 2 * ADDRESSES_MAX; i++) {
                snprintf(text, sizeof(text), "fe80::%x", i + 1);
                add(&a, text);
        }
        assert_int_equal(a.n, ADDRESSES_MAX);
        add(&a, "10.0.0.1"); /* takes the place of the last */
        assert_int_equal(a.n, ADDRESSES_MAX);
        assert_int_equal(a.entries[0].family, AF_INET);
}

/* ---- records ---- */

static void test_records(void **state) {
        static const struct {
                const char *text;
                bool container;
                unsigned n;
                uint32_t first;
        } cases[] = { { "# This is private data.\nNAME=web\nCLASS=container\nNETIF=\" 2 3\"\nVSOCK_CID=4294967295\n",
                        true, 2, 2 },
                      { "CLASS=container\nNETIF=7\n", true, 1, 7 },
                      { "CLASS=\"container\"\nNETIF=7 8 9", true, 3, 7 },
                      { "CLASS=vm\n", false, 0, 0 },
                      { "CLASS=containers\n", false, 0, 0 },
                      { "XCLASS=container\n CLASS=container\n#CLASS=container\n", false, 0, 0 },
                      { "CLASS=container\nCLASS=vm\n", false, 0, 0 },
                      { "NETIF=0 4294967296 5\n", false, 0, 0 },
                      { "NETIF=0 5 x 6\n", false, 1, 5 },
                      { "NETIF=\n", false, 0, 0 },
                      { "", false, 0, 0 } };

        for (size_t i = 0; i < ELEMENTS(cases); i++)
                for (size_t piece = 1; piece < 40; piece += 19) {
                        const size_t size = strlen(cases[i].text);
                        struct record_scan s;

                        record_scan_init(&s);
                        for (size_t at = 0; at < size; at += piece)
                                record_scan_feed(&s, cases[i].text + at, at + piece < size ? piece : size - at);
                        record_scan_end(&s);
                        assert_int_equal(s.container, cases[i].container);
                        assert_int_equal(s.n_interfaces, cases[i].n);
                        assert_int_equal(s.n_interfaces ? s.interfaces[0] : 0, cases[i].first);
                }
}

/* ---- routes ---- */

struct message {
        _Alignas(8) uint8_t data[256];
        size_t size;
};

static void message_begin(struct message *m, uint16_t type, const void *body, size_t size) {
        struct nlmsghdr head = { .nlmsg_type = type };

        memset(m, 0, sizeof(*m));
        memcpy(m->data, &head, sizeof(head));
        memcpy(m->data + NLMSG_HDRLEN, body, size);
        m->size = NLMSG_SPACE(size);
}

static void message_attribute(struct message *m, uint16_t type, uint32_t value) {
        struct rtattr a = { .rta_type = type, .rta_len = RTA_LENGTH(4) };

        memcpy(m->data + m->size, &a, sizeof(a));
        memcpy(m->data + m->size + RTA_LENGTH(0), &value, sizeof(value));
        m->size += RTA_SPACE(4);
}

static void message_end(struct message *m) {
        uint32_t size = (uint32_t) m->size;

        memcpy(m->data, &size, sizeof(size));
}

static void test_routes(void **state) {
        struct rtmsg body = { .rtm_type = RTN_UNICAST };
        uint32_t index = 0;
        struct message m;

        message_begin(&m, RTM_NEWROUTE, &body, sizeof(body));
        message_attribute(&m, RTA_TABLE, 254);
        message_attribute(&m, RTA_OIF, 5);
        message_end(&m);
        assert_int_equal(routes_decode_route(m.data, m.size, &index), 0);
        assert_int_equal(index, 5);
        assert_int_equal(routes_decode_link(m.data, m.size, &index), -EBADMSG);
        for (size_t size = 0; size < m.size; size++)
                assert_int_equal(routes_decode_route(m.data, size, &index), -EBADMSG);
        message_attribute(&m, RTA_GATEWAY, 1);
        message_end(&m);
        assert_int_equal(routes_decode_route(m.data, m.size, &index), -ENOENT);
        body.rtm_type = RTN_LOCAL;
        message_begin(&m, RTM_NEWROUTE, &body, sizeof(body));
        message_attribute(&m, RTA_OIF, 1);
        message_end(&m);
        assert_int_equal(routes_decode_route(m.data, m.size, &index), -ENOENT);
}

static void test_links_and_errors(void **state) {
        const struct ifinfomsg link = { .ifi_index = 3 };
        struct nlmsgerr e = { .error = -ENETUNREACH };
        uint32_t index = 9;
        struct message m;

        message_begin(&m, RTM_NEWLINK, &link, sizeof(link));
        message_end(&m);
        assert_int_equal(routes_decode_link(m.data, m.size, &index), 0);
        assert_int_equal(index, 0);
        message_attribute(&m, IFLA_MASTER, 4);
        message_end(&m);
        assert_int_equal(routes_decode_link(m.data, m.size, &index), 0);
        assert_int_equal(index, 4);
        message_begin(&m, NLMSG_ERROR, &e, sizeof(e));
        message_end(&m);
        assert_int_equal(routes_decode_route(m.data, m.size, &index), -ENETUNREACH);
        e.error = 0; /* an acknowledgement, which nobody asked for */
        message_begin(&m, NLMSG_ERROR, &e, sizeof(e));
        message_end(&m);
        assert_int_equal(routes_decode_route(m.data, m.size, &index), -EBADMSG);
}

static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_json_limits),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_answer_size),
        cmocka_unit_test(test_addresses_in_answers),
        cmocka_unit_test(test_order_of_addresses),
        cmocka_unit_test(test_too_many_addresses),
        cmocka_unit_test(test_records),
        cmocka_unit_test(test_routes),
        cmocka_unit_test(test_links_and_errors),
};

RUN_TESTS(tests)
