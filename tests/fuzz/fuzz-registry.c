/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes become operations on a registry; after each, the invariants are checked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/machine-state.h"
#include "core/registry.h"

#define NAMES 24

struct input {
        const uint8_t *data;
        size_t size;
};

static uint8_t take(struct input *in) {
        if (in->size == 0)
                return 0;
        in->size--;
        return *in->data++;
}

static const char *pick_name(uint8_t byte, const char *suffix, char *ret, size_t size) {
        snprintf(ret, size, "m%d%s", byte % NAMES, suffix);
        return ret;
}

static void op_add(struct registry *r, struct input *in) {
        struct machine *m = NULL;
        char text[32];
        uint8_t kind;

        if (machine_new(pick_name(take(in), "", text, sizeof(text)), &m) < 0)
                abort();
        m->leader.pid = 2 + take(in) % NAMES;
        m->uid = take(in) % 3;
        m->state = (enum machine_state)(take(in) % MACHINE_GONE);
        kind = take(in);
        if (kind & 1)
                m->unit = strdup(pick_name(take(in), ".scope", text, sizeof(text)));
        if (kind & 2)
                m->subgroup = strdup("payload");
        switch (registry_add(r, &m, NULL)) {
        case 0:
                if (m)
                        abort(); /* consumed means consumed */
                return;
        case -EEXIST:
        case -EBUSY:
        case -EADDRINUSE:
                machine_free(m);
                return;
        default:
                abort();
        }
}

static void op_event(struct registry *r, struct machine *m, struct input *in) {
        struct transition t = machine_transition(m->state, (enum machine_event)(take(in) % _MACHINE_EVENT_MAX));

        m->state = t.next;
        if (t.effects & EFFECT_FORGET)
                registry_remove(r, m);
}

static void op_set_unit(struct registry *r, struct machine *m, struct input *in) {
        char text[32];
        uint8_t kind = take(in);

        registry_set_unit(r, m, kind & 1 ? pick_name(take(in), ".scope", text, sizeof(text)) : NULL,
                          kind & 2 ? "sub" : NULL);
}

static void play(struct registry *r, struct input *in) {
        struct machine *m;
        char name[32];

        switch (take(in) % 5) {
        case 0:
        case 1:
                op_add(r, in);
                return;
        case 2:
                m = registry_find(r, pick_name(take(in), "", name, sizeof(name)));
                if (m)
                        op_event(r, m, in);
                return;
        case 3:
                m = registry_find_leader(r, 2 + take(in) % NAMES);
                if (m)
                        op_set_unit(r, m, in);
                return;
        default:
                m = registry_find_unit(r, pick_name(take(in), ".scope", name, sizeof(name)));
                if (m)
                        registry_remove(r, m);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        struct input in = { data, size };
        struct registry *r = NULL;
        char why[200];

        if (registry_new(take(&in), &r) < 0)
                abort();
        while (in.size > 0) {
                play(r, &in);
                if (registry_check(r, why, sizeof(why)) < 0) {
                        fprintf(stderr, "%s\n", why);
                        abort();
                }
        }
        registry_free(r);
        return 0;
}
