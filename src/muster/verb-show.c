/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster show: properties for programs; without a name those of the registry. */
#include "codec/json-text.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/output.h"
#include "muster/properties.h"
#include "muster/verbs.h"

static int show_manager(const struct options *o) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&out);

        if (!o->json) {
                manager_text(o, &out);
                return output_show(o, &out);
        }
        json_text_begin_object(&j, NULL);
        manager_json(o, &j);
        json_text_end_object(&j);
        return output_json(o, &out);
}

int verb_show(const struct options *o, char **args) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&out);
        int status = EXIT_SUCCESS, r;

        if (!*args)
                return show_manager(o);
        if (o->json)
                json_text_begin_array(&j, NULL);
        for (; *args; args++) {
                struct machine_view v;

                if (fetch_one(o, *args, false, false, &v, NULL) != FETCH_FOUND) {
                        status = EXIT_FAILURE;
                        continue;
                }
                if (o->json) {
                        json_text_begin_object(&j, NULL);
                        properties_json(o, &v, &j);
                        json_text_end_object(&j);
                } else {
                        if (out.size > 0)
                                buf_append_char(&out, '\n');
                        properties_text(o, &v, &out);
                }
                machine_view_done(&v);
        }
        if (o->json)
                json_text_end_array(&j);
        r = o->json ? output_json(o, &out) : output_show(o, &out);
        return r != EXIT_SUCCESS ? r : status;
}
