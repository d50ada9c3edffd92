/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bounds first, then the JSON library, then one member after the other. What is only nice to have (root, annotation) is
 * left out when it is no good; what identifies the container makes the whole text unusable. */
#include "codec/oci-state.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <string.h>

#include "base/auto.h"
#include "base/str.h"
#include "codec/json-bounds.h"
#include "core/name.h"

static int parse_object(const char *text, size_t size, json_t **ret) {
        static const struct json_bounds bounds = { OCI_TEXT_MAX, OCI_DEPTH_MAX, OCI_VALUES_MAX };
        json_error_t error;
        json_t *top;
        int r;

        r = json_bounds_check(text, size, &bounds);
        if (r < 0)
                return r;
        top = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
        if (!top)
                return json_error_code(&error) == json_error_out_of_memory ? -ENOMEM : -EBADMSG;
        if (!json_is_object(top)) {
                json_decref(top);
                return -EBADMSG;
        }
        *ret = top;
        return 0;
}

static int copy(const char *s, char **ret) {
        char *copied = strdup(s);

        if (!copied)
                return -ENOMEM;
        *ret = copied;
        return 0;
}

static int take_id(const json_t *top, struct oci_state *s, struct diag *d) {
        const char *id = json_string_value(json_object_get(top, "id"));

        if (isempty(id) || !text_is_valid(id, OCI_ID_MAX))
                return diag_set(d, -EBADMSG, "id", "must be text of 1 to %d bytes", OCI_ID_MAX);
        return copy(id, &s->id);
}

static int take_bundle(const json_t *top, struct oci_state *s, struct diag *d) {
        const char *bundle = json_string_value(json_object_get(top, "bundle"));

        if (!bundle || !path_is_absolute_and_valid(bundle))
                return diag_set(d, -EBADMSG, "bundle", "must be an absolute path");
        return copy(bundle, &s->bundle);
}

/* creating, created, running, stopped, and whatever a runtime adds: only the end is different. */
static int take_process(const json_t *top, struct oci_state *s, struct diag *d) {
        const char *status = json_string_value(json_object_get(top, "status"));
        const json_t *pid = json_object_get(top, "pid");

        if (!status)
                return diag_set(d, -EBADMSG, "status", "must be text");
        s->stopped = streq(status, "stopped");
        if (s->stopped)
                return 0;
        if (!json_is_integer(pid) || json_integer_value(pid) < 1 || json_integer_value(pid) > INT32_MAX)
                return diag_set(d, -EBADMSG, "pid", "must be the number of a process");
        s->pid = (pid_t) json_integer_value(pid);
        return 0;
}

static int take_root(const json_t *top, struct oci_state *s) {
        const char *root = json_string_value(json_object_get(top, "root"));

        return root && path_is_absolute_and_valid(root) ? copy(root, &s->root) : 0;
}

static int take_name(const json_t *top, const char *key, struct oci_state *s) {
        const char *name = key ? json_string_value(json_object_get(json_object_get(top, "annotations"), key)) : NULL;

        return !isempty(name) && text_is_valid(name, OCI_ID_MAX) ? copy(name, &s->name) : 0;
}

static int fill(const json_t *top, const char *name_key, struct oci_state *s, struct diag *d) {
        int r;

        r = take_id(top, s, d);
        if (r >= 0)
                r = take_process(top, s, d);
        if (r >= 0)
                r = take_bundle(top, s, d);
        if (r >= 0)
                r = take_root(top, s);
        return r >= 0 ? take_name(top, name_key, s) : r;
}

int oci_state_decode(const char *text, size_t size, const char *name_key, struct oci_state *ret, struct diag *d) {
        struct oci_state s = OCI_STATE_EMPTY;
        json_t *top;
        int r;

        r = parse_object(text, size, &top);
        if (r == -EBADMSG)
                return diag_set(d, r, NULL, "it is no JSON object, or has too many parts");
        if (r < 0)
                return r;
        r = fill(top, name_key, &s, d);
        json_decref(top);
        if (r < 0) {
                oci_state_done(&s);
                return r;
        }
        *ret = s;
        return 0;
}

void oci_state_done(struct oci_state *s) {
        if (!s)
                return;
        free(s->id);
        free(s->bundle);
        free(s->root);
        free(s->name);
        *s = OCI_STATE_EMPTY;
}

int oci_config_root(const char *text, size_t size, const char *bundle, char **ret) {
        AUTO_BUF struct buf path = BUF_EMPTY;
        const json_t *root;
        json_t *top;
        int r;

        r = parse_object(text, size, &top);
        if (r < 0)
                return r;
        root = json_object_get(json_object_get(top, "root"), "path");
        if (!root)
                r = -ENOENT;
        else if (!json_is_string(root) || isempty(json_string_value(root)))
                r = -EBADMSG;
        else if (json_string_value(root)[0] == '/')
                r = buf_append_str(&path, json_string_value(root));
        else
                r = buf_printf(&path, "%s/%s", bundle, json_string_value(root));
        json_decref(top);
        if (r < 0)
                return r;
        return path_is_absolute_and_valid(path.data) ? buf_steal(&path, ret) : -EBADMSG;
}
