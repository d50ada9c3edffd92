/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* org.varlink.service (what we speak) and io.systemd.service (how we run). */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "ipc/varlink-interfaces.h"
#include "ipc/varlink-internal.h"

static const struct varlink_field no_fields[] = { { NULL } };

static void method_get_info(struct connection *c, const struct varlink_call *call) {
        struct json_text j;

        if (!varlink_extract(c, call, no_fields, NULL))
                return;
        j = reply_begin(c);
        json_text_string(&j, "vendor", "Muster");
        json_text_string(&j, "product", "musterd");
        json_text_string(&j, "version", MUSTER_VERSION);
        json_text_string(&j, "url", "https://muster.org/");
        json_text_begin_array(&j, "interfaces");
        for (const char *const *name = c->door->interfaces; *name; name++)
                json_text_string(&j, NULL, *name);
        json_text_end_array(&j);
        reply_end(c, &j, false);
}

struct describe_parameters {
        const char *interface;
};

static bool is_offered(const struct connection *c, const char *interface) {
        for (const char *const *name = c->door->interfaces; *name; name++)
                if (streq(*name, interface))
                        return true;
        return false;
}

static void method_describe(struct connection *c, const struct varlink_call *call) {
        static const struct varlink_field fields[] = {
                { "interface", VARLINK_STRING, offsetof(struct describe_parameters, interface), .required = true },
                { NULL },
        };
        struct describe_parameters p = { NULL };
        struct json_text j;

        if (!varlink_extract(c, call, fields, &p))
                return;
        for (const struct varlink_interface *i = varlink_interfaces; i->name; i++) {
                if (!streq(i->name, p.interface) || !is_offered(c, p.interface))
                        continue;
                j = reply_begin(c);
                json_text_string(&j, "description", i->text);
                reply_end(c, &j, false);
                return;
        }
        reply_error(c, "org.varlink.service.InterfaceNotFound", "interface", p.interface);
}

static void method_ping(struct connection *c, const struct varlink_call *call) {
        if (varlink_extract(c, call, no_fields, NULL))
                reply_empty(c);
}

/* ---- for root and whoever runs us ---- */

static bool is_privileged(struct connection *c) {
        if (c->uid == 0 || c->uid == geteuid())
                return true;
        reply_error(c, "org.varlink.service.PermissionDenied", NULL, NULL);
        return false;
}

struct level_parameters {
        struct varlink_int level;
};

static const char *const levels[] = { "emerg", "alert", "crit", "err", "warning", "notice", "info", "debug" };

static void method_set_log_level(struct connection *c, const struct varlink_call *call) {
        static const struct varlink_field fields[] = {
                { "level", VARLINK_INT, offsetof(struct level_parameters, level), .required = true, .min = 0,
                  .max = 7 },
                { NULL },
        };
        struct level_parameters p = { .level = { .set = false } };

        if (!varlink_extract(c, call, fields, &p) || !is_privileged(c))
                return;
        c->server->log_control->set_level(levels[p.level.value]);
        reply_empty(c);
}

static void method_get_log_level(struct connection *c, const struct varlink_call *call) {
        const char *level = c->server->log_control->get_level();
        struct json_text j;

        if (!varlink_extract(c, call, no_fields, NULL))
                return;
        j = reply_begin(c);
        for (unsigned i = 0; i < ELEMENTS(levels); i++)
                if (streq(levels[i], level))
                        json_text_unsigned(&j, "level", i);
        reply_end(c, &j, false);
}

static void method_get_environment(struct connection *c, const struct varlink_call *call) {
        struct json_text j;

        if (!varlink_extract(c, call, no_fields, NULL) || !is_privileged(c))
                return;
        j = reply_begin(c);
        json_text_begin_array(&j, "environment");
        for (char **e = environ; e && *e; e++)
                json_text_string(&j, NULL, *e);
        json_text_end_array(&j);
        reply_end(c, &j, false);
}

const struct varlink_method varlink_common_methods[] = {
        { "org.varlink.service.GetInfo", method_get_info },
        { "org.varlink.service.GetInterfaceDescription", method_describe },
        { NULL, NULL },
};

const struct varlink_method varlink_service_methods[] = {
        { "io.systemd.service.Ping", method_ping },
        { "io.systemd.service.SetLogLevel", method_set_log_level },
        { "io.systemd.service.GetLogLevel", method_get_log_level },
        { "io.systemd.service.GetEnvironment", method_get_environment },
        { NULL, NULL },
};
