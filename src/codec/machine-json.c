/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "codec/machine-json.h"

#define FAMILY_IPV4 2 /* AF_INET of every architecture; the interface carries the number too */

static void add_process(struct json_text *j, const char *key, const struct pidref *p, const struct id128 *boot_id) {
        char text[ID128_STRING_SIZE];

        if (!pidref_is_set(p))
                return;
        json_text_begin_object(j, key);
        json_text_signed(j, "pid", p->pid);
        if (p->id) {
                json_text_unsigned(j, "pidfdId", p->id);
                json_text_string(j, "bootId", id128_to_string(boot_id, text));
        }
        json_text_end_object(j);
}

void machine_json_add(struct json_text *j, const struct machine *m, const struct id128 *boot_id) {
        char text[ID128_STRING_SIZE];

        json_text_string(j, "name", m->name);
        if (!id128_is_null(&m->id))
                json_text_string(j, "id", id128_to_string(&m->id, text));
        json_text_string_if(j, "service", m->service);
        json_text_string(j, "class", machine_class_to_string(m->class));
        add_process(j, "leader", &m->leader, boot_id);
        add_process(j, "supervisor", &m->supervisor, boot_id);
        json_text_string_if(j, "rootDirectory", m->root_directory);
        json_text_string_if(j, "unit", m->unit);
        json_text_string_if(j, "subgroup", m->subgroup);
        json_text_begin_object(j, "timestamp");
        json_text_unsigned(j, "realtime", m->realtime_usec);
        json_text_unsigned(j, "monotonic", m->monotonic_usec);
        json_text_end_object(j);
        if (m->vsock_cid != VSOCK_CID_UNSET)
                json_text_unsigned(j, "vSockCid", m->vsock_cid);
        json_text_string_if(j, "sshAddress", m->ssh_address);
        json_text_string_if(j, "sshPrivateKeyPath", m->ssh_private_key_path);
        json_text_string_if(j, "controlAddress", m->control_address);
        json_text_unsigned(j, "UID", m->uid);
}

void machine_json_add_addresses(struct json_text *j, const struct inspect_result *result) {
        json_text_begin_array(j, "addresses");
        for (size_t i = 0; i < result->n_addresses; i++) {
                const struct address *a = &result->addresses[i];

                json_text_begin_object(j, NULL);
                json_text_signed(j, "ifindex", a->ifindex);
                json_text_signed(j, "family", a->family);
                json_text_begin_array(j, "address");
                for (size_t k = 0; k < (a->family == FAMILY_IPV4 ? 4 : 16); k++)
                        json_text_unsigned(j, NULL, a->bytes[k]);
                json_text_end_array(j);
                json_text_end_object(j);
        }
        json_text_end_array(j);
}

void machine_json_add_os_release(struct json_text *j, const struct inspect_result *result) {
        json_text_begin_array(j, "OSRelease");
        for (char *const *line = result->os_release; line && *line; line++)
                json_text_string(j, NULL, *line);
        json_text_end_array(j);
}
