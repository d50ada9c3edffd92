/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* io.systemd.UserDatabase: the users and groups of containers, one at a time (registry.md section 14). */
#include <inttypes.h>
#include <stdio.h>

#include "ipc/varlink-internal.h"

#define INTERFACE "io.systemd.UserDatabase."
#define SERVICE_NAME "io.systemd.Machine" /* what the service of that name has always been called */
#define NOBODY_GROUP 65534
#define NO_LOGIN "/usr/sbin/nologin"

struct record_parameters {
        struct varlink_int id;
        const char *name, *group_name, *service;
};

#define RECORD(member) offsetof(struct record_parameters, member)
static const struct varlink_field user_fields[] = {
        { "uid", VARLINK_INT, RECORD(id), .min = 0, .max = UINT32_MAX - 1 },
        { "userName", VARLINK_STRING, RECORD(name) },
        { "service", VARLINK_STRING, RECORD(service), .required = true },
        { NULL },
};
static const struct varlink_field group_fields[] = {
        { "gid", VARLINK_INT, RECORD(id), .min = 0, .max = UINT32_MAX - 1 },
        { "groupName", VARLINK_STRING, RECORD(name) },
        { "service", VARLINK_STRING, RECORD(service), .required = true },
        { NULL },
};
static const struct varlink_field membership_fields[] = {
        { "userName", VARLINK_STRING, RECORD(name) },
        { "groupName", VARLINK_STRING, RECORD(group_name) },
        { "service", VARLINK_STRING, RECORD(service), .required = true },
        { NULL },
};

static bool is_for_us(struct connection *c, const struct record_parameters *p) {
        if (streq(p->service, SERVICE_NAME))
                return true;
        reply_error(c, INTERFACE "BadService", NULL, NULL);
        return false;
}

static void add_user(struct json_text *j, const struct machine_user *u) {
        char text[MACHINE_NAME_MAX + 64];

        json_text_string(j, "userName", u->name);
        json_text_unsigned(j, "uid", u->outside);
        json_text_unsigned(j, "gid", NOBODY_GROUP);
        snprintf(text, sizeof(text), "UID %" PRIu32 " of Container %s", u->inside, u->machine->name);
        json_text_string(j, "realName", text);
        json_text_string(j, "homeDirectory", "/");
        json_text_string(j, "shell", NO_LOGIN);
        json_text_bool(j, "locked", true);
}

static void add_group(struct json_text *j, const struct machine_user *u) {
        char text[MACHINE_NAME_MAX + 64];

        json_text_string(j, "groupName", u->name);
        json_text_unsigned(j, "gid", u->outside);
        snprintf(text, sizeof(text), "GID %" PRIu32 " of Container %s", u->inside, u->machine->name);
        json_text_string(j, "description", text);
}

static void reply_record(struct connection *c, bool group, const struct machine_user *u) {
        struct json_text j = reply_begin(c);

        json_text_begin_object(&j, "record");
        if (group)
                add_group(&j, u);
        else
                add_user(&j, u);
        json_text_string(&j, "service", SERVICE_NAME);
        json_text_string(&j, "disposition", "container");
        json_text_end_object(&j);
        reply_end(c, &j, false);
}

static void get_record(struct connection *c, const struct varlink_call *call, bool group) {
        struct record_parameters p = { .name = NULL };
        struct service *s = c->server->service;
        struct machine_user u;
        bool found;

        if (!varlink_extract(c, call, group ? group_fields : user_fields, &p) || !is_for_us(c, &p))
                return;
        if (p.id.set && p.id.value == UINT16_MAX) { /* (uid_t) -1 of old: nobody's */
                reply_invalid(c, group ? "gid" : "uid");
                return;
        }
        if (p.name && !*p.name) {
                reply_invalid(c, group ? "groupName" : "userName");
                return;
        }
        if (!p.id.set && !p.name) {
                reply_error(c, INTERFACE "EnumerationNotSupported", NULL, NULL);
                return;
        }
        found = p.id.set ? service_user_by_id(s, group, (uint32_t) p.id.value, &u)
                         : service_user_by_name(s, group, p.name, &u);
        if (!found)
                reply_error(c, INTERFACE "NoRecordFound", NULL, NULL);
        else if (p.name && !streq(p.name, u.name))
                reply_error(c, INTERFACE "ConflictingRecordFound", NULL, NULL);
        else
                reply_record(c, group, &u);
}

static void method_get_user(struct connection *c, const struct varlink_call *call) {
        get_record(c, call, false);
}

static void method_get_group(struct connection *c, const struct varlink_call *call) {
        get_record(c, call, true);
}

static void method_get_memberships(struct connection *c, const struct varlink_call *call) {
        struct record_parameters p = { .name = NULL };

        if (varlink_extract(c, call, membership_fields, &p) && is_for_us(c, &p))
                reply_error(c, INTERFACE "NoRecordFound", NULL, NULL);
}

const struct varlink_method varlink_user_methods[] = {
        { INTERFACE "GetUserRecord", method_get_user },
        { INTERFACE "GetGroupRecord", method_get_group },
        { INTERFACE "GetMemberships", method_get_memberships },
        { NULL, NULL },
};
