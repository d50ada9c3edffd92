/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster status: one machine for people, with its processes. */
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

#include "codec/json-text.h"
#include "muster/address.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/output.h"
#include "muster/process-tree.h"
#include "muster/properties.h"
#include "muster/verbs.h"
#include "sys/procfs.h"

#define LABEL_WIDTH 17 /* "     Supervisor: " */

static void row(struct buf *out, const char *label, const char *format, ...) __attribute__((format(printf, 3, 4)));
static void row(struct buf *out, const char *label, const char *format, ...) {
        AUTO_FREE char *text = NULL;
        va_list arguments;

        va_start(arguments, format);
        if (vasprintf(&text, format, arguments) < 0)
                abort();
        va_end(arguments);
        buf_printf(out, "%*s%s%s\n", LABEL_WIDTH - 2, label, *label ? ": " : "  ", text);
}

static uint64_t now_usec(void) {
        struct timespec t;

        clock_gettime(CLOCK_REALTIME, &t);
        return (uint64_t) t.tv_sec * 1000000 + (uint64_t) t.tv_nsec / 1000;
}

static void head(const struct machine_view *v, struct buf *out) {
        AUTO_FREE char *id = output_safe(v->id, false);
        bool runs = !v->state || streq(v->state, "running");

        buf_printf(out, "%s%s%s%s", output_bold(), v->name, output_normal(), v->id ? "(" : "");
        buf_printf(out, "%s%s\n", id, v->id ? ")" : "");
        if (!runs)
                row(out, "State", "%s%s%s", output_red(), v->state, output_normal());
}

static void since(const struct machine_view *v, struct buf *out) {
        uint64_t now = now_usec();
        char when[64], ago[64];

        if (v->realtime_usec == 0)
                return;
        output_time(v->realtime_usec, when, sizeof(when));
        output_span(now > v->realtime_usec ? now - v->realtime_usec : 0, ago, sizeof(ago));
        row(out, "Since", "%s; %s ago", when, ago);
}

static void process(const char *label, pid_t pid, struct buf *out) {
        AUTO_FREE char *comm = NULL, *safe = NULL;
        size_t size;

        if (pid <= 0)
                return;
        if (proc_read(pid, "comm", &comm, &size) < 0) {
                row(out, label, "%d", (int) pid);
                return;
        }
        comm[strcspn(comm, "\n")] = '\0';
        safe = output_safe(comm, false);
        row(out, label, "%d (%s)", (int) pid, safe);
}

static void service(const struct machine_view *v, struct buf *out) {
        AUTO_FREE char *name = output_safe(v->service, false), *class = output_safe(v->class, false);

        if (*name)
                row(out, "Service", "%s; class %s", name, class);
        else
                row(out, "Class", "%s", class);
}

static void text(const char *label, const char *value, struct buf *out) {
        AUTO_FREE char *safe = output_safe(value, false);

        if (*safe)
                row(out, label, "%s", safe);
}

static void interfaces(const struct machine_view *v, struct buf *out) {
        AUTO_BUF struct buf names = BUF_EMPTY;

        for (size_t i = 0; i < v->n_ifindices; i++) {
                char name[IF_NAMESIZE];

                if (if_indextoname((unsigned) v->ifindices[i], name))
                        buf_printf(&names, "%s%s", i ? " " : "", name);
                else
                        buf_printf(&names, "%s%d", i ? " " : "", (int) v->ifindices[i]);
        }
        if (names.size > 0)
                row(out, "Iface", "%s", names.data);
}

static void addresses(const struct machine_view *v, struct buf *out) {
        for (size_t i = 0; i < v->n_addresses; i++) {
                char address[ADDRESS_TEXT_MAX];

                address_text(v, v->addresses + i, address);
                row(out, i ? "" : "Address", "%s", address);
        }
}

static const char *os_name(const struct machine_view *v) {
        static const char *const keys[] = { "PRETTY_NAME", "NAME", "ID" };

        for (size_t i = 0; i < ELEMENTS(keys); i++) {
                const char *value = machine_view_os(v, keys[i]);

                if (!isempty(value))
                        return value;
        }
        return NULL;
}

/* Where its processes are, and which. */
static void processes(const struct options *o, const struct machine_view *v, struct buf *out) {
        struct process_tree tree;

        text("Unit", v->unit, out);
        text("Subgroup", v->subgroup, out);
        if (process_tree_read(v, &tree) < 0) {
                buf_printf(out, "%*s(out of memory)\n", LABEL_WIDTH, "");
                return;
        }
        if (tree.source == TREE_CGROUP)
                text("Cgroup", tree.cgroup, out);
        else if (tree.root.n_children > 0)
                row(out, "Processes", "tracked by its leader process only: no control group");
        process_tree_text(&tree, LABEL_WIDTH, o->full ? 0 : output_width(), out);
        process_tree_done(&tree);
}

static void status_text(const struct options *o, const struct machine_view *v, bool from_daemon, struct buf *out) {
        head(v, out);
        since(v, out);
        process("Leader", v->leader.pid, out);
        process("Supervisor", v->supervisor.pid, out);
        service(v, out);
        text("Root", v->root_directory, out);
        interfaces(v, out);
        if (v->vsock_cid != VIEW_VSOCK_CID_UNSET)
                row(out, "VSock CID", "%u", v->vsock_cid);
        text("SSH", v->ssh_address, out);
        addresses(v, out);
        text("OS", os_name(v), out);
        if (v->has_uid_shift && v->uid_shift > 0)
                row(out, "UID Shift", "%u", v->uid_shift);
        if (v->uid != VIEW_UID_UNSET && v->uid != 0)
                row(out, "Owner", "user %u", v->uid);
        processes(o, v, out);
        if (!from_daemon)
                row(out, "Registry", "not running: system and addresses are not known");
}

static void status_json(const struct options *o, const struct machine_view *v, struct json_text *j) {
        struct process_tree tree;

        json_text_begin_object(j, NULL);
        properties_json(o, v, j);
        json_text_begin_array(j, "Addresses");
        for (size_t i = 0; i < v->n_addresses; i++) {
                char address[ADDRESS_TEXT_MAX];

                address_text(v, v->addresses + i, address);
                json_text_string(j, NULL, address);
        }
        json_text_end_array(j);
        json_text_begin_object(j, "OSRelease");
        for (char **line = v->os_release; line && *line; line++) {
                AUTO_FREE char *key = strndup(*line, strcspn(*line, "="));

                /* each key once, with the value that counts */
                if (key && machine_view_os(v, key) == *line + strlen(key) + 1)
                        json_text_string(j, key, *line + strlen(key) + 1);
        }
        json_text_end_object(j);
        if (v->has_uid_shift)
                json_text_unsigned(j, "UIDShift", v->uid_shift);
        if (process_tree_read(v, &tree) == 0) {
                static const char *const sources[] = { "cgroup", "namespace", "descendants" };

                json_text_string(j, "tracked", sources[tree.source]);
                json_text_string_if(j, "cgroup", tree.cgroup);
                process_tree_json(&tree, j);
                process_tree_done(&tree);
        }
        json_text_end_object(j);
}

int verb_status(const struct options *o, char **args) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        struct json_text j = JSON_TEXT(&out);
        int status = EXIT_SUCCESS, r;

        if (o->json)
                json_text_begin_array(&j, NULL);
        for (; *args; args++) {
                struct machine_view v;
                bool from_daemon;

                if (fetch_one(o, *args, true, false, &v, &from_daemon) != FETCH_FOUND) {
                        status = EXIT_FAILURE;
                        continue;
                }
                if (o->json)
                        status_json(o, &v, &j);
                else {
                        if (out.size > 0)
                                buf_append_char(&out, '\n');
                        status_text(o, &v, from_daemon, &out);
                }
                machine_view_done(&v);
        }
        if (o->json)
                json_text_end_array(&j);
        r = o->json ? output_json(o, &out) : output_show(o, &out);
        return r != EXIT_SUCCESS ? r : status;
}
