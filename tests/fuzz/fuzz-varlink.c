/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Bytes of a client -> messages -> calls -> parameters of every type. The bytes are fed twice, in pieces of different sizes:
 * the messages must be the same. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "codec/varlink-call.h"
#include "codec/varlink-frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int color_from_string(const char *s) {
        return streq(s, "container") ? 0 : streq(s, "all") ? 1 : -EINVAL;
}

struct parameters {
        const char *name, *source;
        struct varlink_int uid, signal;
        bool flag;
        struct varlink_array args, ifindices, question;
        struct varlink_object key;
        int class;
        struct varlink_id128 id;
        struct varlink_process pid;
};

#define AT(member) offsetof(struct parameters, member)
static const struct varlink_field fields[] = {
        { "name", VARLINK_STRING, AT(name) },
        { "source", VARLINK_STRING, AT(source) },
        { "uid", VARLINK_INT, AT(uid), .min = 0, .max = UINT32_MAX },
        { "signal", VARLINK_SIGNAL, AT(signal) },
        { "allocateUnit", VARLINK_BOOL, AT(flag) },
        { "args", VARLINK_STRINGS, AT(args) },
        { "ifIndices", VARLINK_INTS, AT(ifindices), .min = 1, .max = INT32_MAX },
        { "question", VARLINK_OBJECTS, AT(question) },
        { "key", VARLINK_OBJECT, AT(key) },
        { "class", VARLINK_ENUM, AT(class), .from_string = color_from_string },
        { "id", VARLINK_ID128, AT(id) },
        { "pid", VARLINK_PROCESS, AT(pid) },
        { "supervisor", VARLINK_ANY_INT, 0 },
        { "supervisorProcessId", VARLINK_ANY_PROCESS, 0 },
        { NULL },
};

static void require(bool claim) {
        if (!claim)
                abort();
}

/* Objects are taken apart by the same table. */
static void use_objects(const struct parameters *p) {
        const char *wrong = NULL;

        for (size_t i = 0; i < p->question.n; i++) {
                struct varlink_object o = varlink_array_object(&p->question, i);
                struct parameters inner = { .class = -1 };

                require(o.object);
                if (varlink_object_extract(&o, fields, &inner, &wrong) < 0)
                        require(wrong);
                else if (inner.key.object)
                        varlink_object_extract(&inner.key, fields, &inner, &wrong);
        }
}

/* Everything that extract() lets through is within what the table promises. */
static void use(const struct parameters *p) {
        require(!p->uid.set || (p->uid.value >= 0 && p->uid.value <= UINT32_MAX));
        require(!p->pid.set || p->pid.pid >= 0);
        require(p->class == -1 || p->class == 0 || p->class == 1);
        for (size_t i = 0; i < p->args.n; i++)
                require(varlink_array_string(&p->args, i));
        for (size_t i = 0; i < p->ifindices.n; i++)
                require(varlink_array_int(&p->ifindices, i) > 0 && varlink_array_int(&p->ifindices, i) <= INT32_MAX);
        use_objects(p);
        require(strlen(strempty(p->name)) + strlen(strempty(p->source)) <= VARLINK_MESSAGE_MAX);
}

static void take_call(const char *text, size_t size) {
        struct varlink_call c = VARLINK_CALL_EMPTY;
        struct parameters p = { .class = -1 };
        const char *wrong = NULL;
        int r;

        r = varlink_call_parse(text, size, &c);
        if (r >= 0) {
                require(c.method && !(c.more && c.oneway));
                r = varlink_call_extract(&c, fields, &p, &wrong);
                require(r == 0 || (r == -EINVAL && wrong && strlen(wrong) <= size));
                if (r == 0)
                        use(&p);
        } else
                require(!c.root);
        varlink_call_done(&c);
}

/* The messages in `all`, each with its size before it; returns the result that ended the stream. */
static int cut(const uint8_t *data, size_t size, size_t piece, bool parse, struct buf *all) {
        struct varlink_frame f = VARLINK_FRAME_EMPTY;
        const char *text;
        size_t n;
        int r = 0;

        for (size_t at = 0; at < size && r >= 0; at += piece) {
                require(varlink_frame_feed(&f, data + at, piece < size - at ? piece : size - at) >= 0);
                while ((r = varlink_frame_next(&f, &text, &n)) > 0) {
                        require(text[n] == '\0' && strlen(text) == n);
                        buf_append(all, &n, sizeof(n));
                        buf_append(all, text, n);
                        if (parse)
                                take_call(text, n);
                }
        }
        varlink_frame_done(&f);
        return r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO_BUF struct buf whole = BUF_EMPTY, pieces = BUF_EMPTY;

        require(cut(data, size, size + 1, true, &whole) == cut(data, size, 1 + size % 7, false, &pieces));
        require(whole.size == pieces.size && (whole.size == 0 || memcmp(whole.data, pieces.data, whole.size) == 0));
        return 0;
}
