/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The members of MapTo, MapFrom, List (io.systemd.Machine) and ResolveRecord (io.systemd.Resolve.Hook) that matter; their
 * names do not collide, so one reader serves them all. Others are skipped: later versions will have more. */
#include "nss/answer.h"

#include <errno.h>
#include <string.h>

#define ID_MAX (UINT32_MAX - 1)

static bool is(const char *path, const char *wanted) {
        return strcmp(path, wanted) == 0;
}

static bool is_addresses(const char *path) {
        return is(path, "parameters.answer[].rr.address") || is(path, "parameters.addresses[].address");
}

static bool is_address_byte(const char *path) {
        return is(path, "parameters.answer[].rr.address[]") || is(path, "parameters.addresses[].address[]");
}

static void on_string(struct answer *a, const char *path, const char *text) {
        static const char machine_errors[] = "io.systemd.Machine.";

        if (is(path, "error"))
                a->kind = text && strncmp(text, machine_errors, sizeof(machine_errors) - 1) == 0 ? ANSWER_NO
                                                                                                 : ANSWER_FAILURE;
        else if (is(path, "parameters.machineName")) {
                if (text && strlen(text) <= ANSWER_NAME_MAX)
                        strcpy(a->machine, text);
                else
                        a->is_bad = true;
        }
}

static void on_id(struct answer *a, const char *text, bool *has, uint32_t *id) {
        if (strcmp(text, "null") == 0)
                return;
        *has = json_scan_number(text, ID_MAX, id) == 0;
        if (!*has)
                a->is_bad = true;
}

static void on_word(struct answer *a, const char *path, const char *text) {
        uint32_t byte;

        if (is(path, "parameters.uid"))
                on_id(a, text, &a->has_uid, &a->uid);
        else if (is(path, "parameters.gid"))
                on_id(a, text, &a->has_gid, &a->gid);
        else if (is_address_byte(path)) {
                if (a->n_bytes < 16 && json_scan_number(text, 255, &byte) == 0)
                        a->bytes[a->n_bytes++] = (uint8_t) byte;
                else
                        a->n_bytes = 17;
        }
}

static void on_value(void *userdata, enum json_scan_event event, const char *path, const char *text) {
        struct answer *a = userdata;

        switch (event) {
        case JSON_SCAN_STRING:
                on_string(a, path, text);
                break;
        case JSON_SCAN_WORD:
                on_word(a, path, text);
                break;
        case JSON_SCAN_BEGIN_OBJECT:
                if (is(path, ""))
                        a->is_object = true;
                break;
        case JSON_SCAN_BEGIN_ARRAY:
                if (is_addresses(path))
                        a->n_bytes = 0;
                break;
        case JSON_SCAN_END_ARRAY:
                if (is_addresses(path))
                        nss_addresses_add(&a->addresses, a->bytes, a->n_bytes);
                break;
        case JSON_SCAN_END_OBJECT:
                break;
        }
}

void answer_init(struct answer *a) {
        memset(a, 0, sizeof(*a));
        json_scan_init(&a->scan, on_value, a);
}

int answer_feed(struct answer *a, const char *data, size_t size) {
        int r;

        a->size += size;
        if (a->size > ANSWER_SIZE_MAX)
                return -EMSGSIZE;
        r = json_scan_feed(&a->scan, data, size);
        if (r == 1 && (!a->is_object || a->is_bad))
                return -EBADMSG;
        return r;
}
