/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The leader's identity goes along with its number, so that a process that died meanwhile cannot be mistaken for its
 * successor. */
#include "client/register-call.h"

#include <fcntl.h>
#include <string.h>

#include "base/auto.h"
#include "base/id128.h"
#include "codec/json-text.h"
#include "sys/fileio.h"

static void boot_id_member(struct json_text *j) {
        AUTO_FREE char *text = NULL;
        char id[ID128_STRING_SIZE];
        struct id128 boot;

        if (read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL) < 0)
                return;
        text[strcspn(text, "\n")] = '\0';
        if (id128_from_string(text, &boot) == 0)
                json_text_string(j, "bootId", id128_to_string(&boot, id));
}

static void process_member(struct json_text *j, const char *key, const struct pidref *p) {
        if (!p)
                return;
        json_text_begin_object(j, key);
        json_text_unsigned(j, "pid", (uint64_t) p->pid);
        if (p->id) {
                json_text_unsigned(j, "pidfdId", p->id);
                boot_id_member(j);
        }
        json_text_end_object(j);
}

static void interfaces_member(struct json_text *j, const struct register_call *c) {
        if (c->n_ifindices == 0)
                return;
        json_text_begin_array(j, "ifIndices");
        for (size_t i = 0; i < c->n_ifindices; i++)
                json_text_unsigned(j, NULL, c->ifindices[i]);
        json_text_end_array(j);
}

int register_call_encode(const struct register_call *c, struct buf *out) {
        struct json_text j = JSON_TEXT(out);

        json_text_begin_object(&j, NULL);
        json_text_string(&j, "name", c->name);
        json_text_string(&j, "class", c->class ? c->class : "container");
        process_member(&j, "leaderProcessId", c->leader);
        json_text_string_if(&j, "id", c->id);
        interfaces_member(&j, c);
        json_text_string_if(&j, "service", c->service);
        json_text_string_if(&j, "rootDirectory", c->root_directory);
        json_text_string_if(&j, "sshAddress", c->ssh_address);
        json_text_string_if(&j, "sshPrivateKeyPath", c->ssh_private_key_path);
        json_text_string_if(&j, "controlAddress", c->control_address);
        if (c->has_vsock_cid)
                json_text_unsigned(&j, "vSockCid", c->vsock_cid);
        if (c->allocate_unit)
                json_text_bool(&j, "allocateUnit", true);
        if (c->interactive)
                json_text_bool(&j, "allowInteractiveAuthentication", true);
        json_text_end_object(&j);
        buf_append_char(out, '\0');
        return buf_error(out);
}

int unregister_call_encode(const char *name, const struct pidref *leader, struct buf *out) {
        struct json_text j = JSON_TEXT(out);

        json_text_begin_object(&j, NULL);
        json_text_string(&j, "name", name);
        process_member(&j, "pid", leader);
        json_text_end_object(&j);
        buf_append_char(out, '\0');
        return buf_error(out);
}
