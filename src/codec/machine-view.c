/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Reads the fields of a List reply by a table; every string and array is bounded before it is copied. */
#include "codec/machine-view.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/str.h"

static const struct {
        const char *key;
        size_t offset;
} text_fields[] = {
        { "name", offsetof(struct machine_view, name) },
        { "id", offsetof(struct machine_view, id) },
        { "service", offsetof(struct machine_view, service) },
        { "class", offsetof(struct machine_view, class) },
        { "rootDirectory", offsetof(struct machine_view, root_directory) },
        { "unit", offsetof(struct machine_view, unit) },
        { "subgroup", offsetof(struct machine_view, subgroup) },
        { "sshAddress", offsetof(struct machine_view, ssh_address) },
        { "sshPrivateKeyPath", offsetof(struct machine_view, ssh_private_key_path) },
        { "controlAddress", offsetof(struct machine_view, control_address) },
};

void machine_view_init(struct machine_view *v) {
        memset(v, 0, sizeof(*v));
        v->vsock_cid = VIEW_VSOCK_CID_UNSET;
        v->uid = VIEW_UID_UNSET;
}

void machine_view_done(struct machine_view *v) {
        if (!v)
                return;
        for (size_t i = 0; i < ELEMENTS(text_fields); i++)
                free(*(char **) ((char *) v + text_fields[i].offset));
        free(v->state);
        free(v->ifindices);
        free(v->addresses);
        strv_free(v->os_release);
        machine_view_init(v);
}

/* An absent or null field leaves *ret alone. */
static int get_number(const json_t *object, const char *key, uint64_t max, uint64_t *ret) {
        const json_t *value = json_object_get(object, key);

        if (!value || json_is_null(value))
                return 0;
        if (!json_is_integer(value) || json_integer_value(value) < 0 || (uint64_t) json_integer_value(value) > max)
                return -EBADMSG;
        *ret = (uint64_t) json_integer_value(value);
        return 1;
}

static int get_text(const json_t *object, const char *key, char **ret) {
        const json_t *value = json_object_get(object, key);

        if (!value || json_is_null(value))
                return 0;
        if (!json_is_string(value) || json_string_length(value) > MACHINE_VIEW_TEXT_MAX)
                return -EBADMSG;
        return str_dup_nonempty(json_string_value(value), ret);
}

static int get_process(const json_t *object, const char *key, struct view_process *ret) {
        const json_t *value = json_object_get(object, key);
        uint64_t pid = 0;
        int r;

        if (!value || json_is_null(value))
                return 0;
        if (!json_is_object(value))
                return -EBADMSG;
        r = get_number(value, "pid", INT32_MAX, &pid);
        if (r < 0)
                return r;
        ret->pid = (pid_t) pid;
        r = get_number(value, "pidfdId", INT64_MAX, &ret->pidfd_id);
        return r < 0 ? r : 0;
}

static int get_timestamp(const json_t *object, struct machine_view *v) {
        const json_t *value = json_object_get(object, "timestamp");
        int r;

        if (!value || json_is_null(value))
                return 0;
        if (!json_is_object(value))
                return -EBADMSG;
        r = get_number(value, "realtime", INT64_MAX, &v->realtime_usec);
        if (r < 0)
                return r;
        r = get_number(value, "monotonic", INT64_MAX, &v->monotonic_usec);
        return r < 0 ? r : 0;
}

/* 1: *ret is filled. 0: an address family that we cannot show. */
static int decode_address(const json_t *entry, struct view_address *ret) {
        struct view_address a = { 0 };
        uint64_t family = 0, ifindex = 0;
        const json_t *bytes = json_object_get(entry, "address");
        size_t size;
        int r;

        r = get_number(entry, "family", INT32_MAX, &family);
        if (r <= 0)
                return -EBADMSG;
        r = get_number(entry, "ifindex", INT32_MAX, &ifindex);
        if (r < 0)
                return r;
        if (family != VIEW_INET && family != VIEW_INET6)
                return 0;
        size = family == VIEW_INET ? 4 : 16;
        if (!json_is_array(bytes) || json_array_size(bytes) != size)
                return -EBADMSG;
        for (size_t i = 0; i < size; i++) {
                const json_t *byte = json_array_get(bytes, i);

                if (!json_is_integer(byte) || json_integer_value(byte) < 0 || json_integer_value(byte) > 255)
                        return -EBADMSG;
                a.bytes[i] = (uint8_t) json_integer_value(byte);
        }
        a.family = (int) family;
        a.ifindex = (int) ifindex;
        *ret = a;
        return 1;
}

static int get_addresses(const json_t *object, struct machine_view *v) {
        const json_t *list = json_object_get(object, "addresses");
        size_t n;

        if (!list || json_is_null(list))
                return 0;
        if (!json_is_array(list) || json_array_size(list) > MACHINE_VIEW_ADDRESSES_MAX)
                return -EBADMSG;
        n = json_array_size(list);
        if (n == 0)
                return 0;
        v->addresses = calloc(n, sizeof(*v->addresses));
        if (!v->addresses)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                int r = decode_address(json_array_get(list, i), v->addresses + v->n_addresses);

                if (r < 0)
                        return r;
                v->n_addresses += (size_t) r;
        }
        return 0;
}

static int get_os_release(const json_t *object, struct machine_view *v) {
        const json_t *list = json_object_get(object, "OSRelease");
        size_t n;

        if (!list || json_is_null(list))
                return 0;
        if (!json_is_array(list) || json_array_size(list) > MACHINE_VIEW_OS_RELEASE_MAX)
                return -EBADMSG;
        n = json_array_size(list);
        v->os_release = calloc(n + 1, sizeof(*v->os_release));
        if (!v->os_release)
                return -ENOMEM;
        for (size_t i = 0; i < n; i++) {
                const json_t *entry = json_array_get(list, i);

                if (!json_is_string(entry) || json_string_length(entry) > MACHINE_VIEW_TEXT_MAX)
                        return -EBADMSG;
                v->os_release[i] = strdup(json_string_value(entry));
                if (!v->os_release[i])
                        return -ENOMEM;
        }
        return 0;
}

static int get_small_numbers(const json_t *object, struct machine_view *v) {
        uint64_t cid = v->vsock_cid, uid = v->uid, shift = 0;
        int r;

        r = get_number(object, "vSockCid", UINT32_MAX, &cid);
        if (r < 0)
                return r;
        r = get_number(object, "UID", UINT32_MAX, &uid);
        if (r < 0)
                return r;
        r = get_number(object, "UIDShift", UINT32_MAX, &shift);
        if (r < 0)
                return r;
        v->has_uid_shift = r > 0;
        v->vsock_cid = (uint32_t) cid;
        v->uid = (uint32_t) uid;
        v->uid_shift = (uint32_t) shift;
        return 0;
}

static int decode_all(const json_t *object, struct machine_view *v) {
        int r;

        for (size_t i = 0; i < ELEMENTS(text_fields); i++) {
                r = get_text(object, text_fields[i].key, (char **) ((char *) v + text_fields[i].offset));
                if (r < 0)
                        return r;
        }
        if (!v->name)
                return -EBADMSG;
        r = get_process(object, "leader", &v->leader);
        if (r < 0)
                return r;
        r = get_process(object, "supervisor", &v->supervisor);
        if (r < 0)
                return r;
        r = get_timestamp(object, v);
        if (r < 0)
                return r;
        r = get_small_numbers(object, v);
        if (r < 0)
                return r;
        r = get_addresses(object, v);
        if (r < 0)
                return r;
        return get_os_release(object, v);
}

int machine_view_decode(const struct varlink_answer *answer, struct machine_view *ret) {
        struct machine_view v;
        int r;

        machine_view_init(&v);
        r = decode_all(answer->parameters, &v);
        if (r < 0) {
                machine_view_done(&v);
                return r;
        }
        *ret = v;
        return 0;
}

const char *machine_view_os(const struct machine_view *v, const char *key) {
        const char *value = NULL;
        size_t n = strlen(key);

        for (char **line = v->os_release; line && *line; line++)
                if (strncmp(*line, key, n) == 0 && (*line)[n] == '=')
                        value = *line + n + 1;
        return value;
}
