/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* io.systemd.MachineImage: there to be found and asked; parameters are checked, and then it says that images are not managed. */
#include <errno.h>

#include "core/name.h"
#include "ipc/varlink-internal.h"

#define INTERFACE "io.systemd.MachineImage."

struct image_parameters {
        const char *name, *text;
        int word;
        bool flag;
        struct varlink_int limit;
};

static int metadata_from_string(const char *s) {
        return streq(s, "no") || streq(s, "yes") || streq(s, "graceful") ? 0 : -EINVAL;
}

static int mode_from_string(const char *s) {
        return streq(s, "all") || streq(s, "hidden") ? 0 : -EINVAL;
}

#define IMAGE(member) offsetof(struct image_parameters, member)
#define INTERACTIVE \
        { "allowInteractiveAuthentication", VARLINK_BOOL, IMAGE(flag) }
static const struct varlink_field list_fields[] = {
        { "name", VARLINK_STRING, IMAGE(name) },
        { "acquireMetadata", VARLINK_ENUM, IMAGE(word), .from_string = metadata_from_string },
        INTERACTIVE,
        { NULL },
};
static const struct varlink_field update_fields[] = {
        { "name", VARLINK_STRING, IMAGE(name), .required = true },
        { "newName", VARLINK_STRING, IMAGE(text) },
        { "readOnly", VARLINK_BOOL, IMAGE(flag) },
        { "limit", VARLINK_INT, IMAGE(limit) },
        INTERACTIVE,
        { NULL },
};
static const struct varlink_field clone_fields[] = {
        { "name", VARLINK_STRING, IMAGE(name), .required = true },
        { "newName", VARLINK_STRING, IMAGE(text), .required = true },
        { "readOnly", VARLINK_BOOL, IMAGE(flag) },
        INTERACTIVE,
        { NULL },
};
static const struct varlink_field remove_fields[] = {
        { "name", VARLINK_STRING, IMAGE(name), .required = true },
        INTERACTIVE,
        { NULL },
};
static const struct varlink_field limit_fields[] = {
        { "limit", VARLINK_INT, IMAGE(limit), .required = true },
        INTERACTIVE,
        { NULL },
};
static const struct varlink_field clean_fields[] = {
        { "mode", VARLINK_ENUM, IMAGE(word), .required = true, .from_string = mode_from_string },
        INTERACTIVE,
        { NULL },
};

static void not_supported(struct connection *c, const struct varlink_call *call, const struct varlink_field *fields,
                          bool needs_more) {
        struct image_parameters p = { .name = NULL };
        struct fault f = FAULT_OK;

        if (!varlink_extract(c, call, fields, &p))
                return;
        if (needs_more && !p.name && !c->more)
                reply_error(c, "org.varlink.service.ExpectedMore", NULL, NULL);
        else if (p.name && !streq(p.name, HOST_MACHINE_NAME) && !image_name_is_valid(p.name))
                reply_invalid(c, "name");
        else if (p.name && service_find_image(c->server->service, p.name, &f) < 0)
                reply_fault(c, &f);
        else
                reply_error(c, INTERFACE "NotSupported", NULL, NULL);
}

static void method_list(struct connection *c, const struct varlink_call *call) {
        not_supported(c, call, list_fields, true);
}

static void method_update(struct connection *c, const struct varlink_call *call) {
        not_supported(c, call, update_fields, false);
}

static void method_clone(struct connection *c, const struct varlink_call *call) {
        not_supported(c, call, clone_fields, false);
}

static void method_remove(struct connection *c, const struct varlink_call *call) {
        not_supported(c, call, remove_fields, false);
}

static void method_set_limit(struct connection *c, const struct varlink_call *call) {
        not_supported(c, call, limit_fields, false);
}

static void method_clean(struct connection *c, const struct varlink_call *call) {
        not_supported(c, call, clean_fields, true);
}

const struct varlink_method varlink_image_methods[] = {
        { INTERFACE "List", method_list },
        { INTERFACE "Update", method_update },
        { INTERFACE "Clone", method_clone },
        { INTERFACE "Remove", method_remove },
        { INTERFACE "SetPoolLimit", method_set_limit },
        { INTERFACE "CleanPool", method_clean },
        { NULL, NULL },
};
