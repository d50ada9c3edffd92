/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* --dry-run. The JSON writer is a few lines of its own, for plan/ stands below codec/. */
#include "plan/plan-print.h"

#include <stdio.h>

#include "base/auto.h"
#include "base/capname.h"
#include "plan/plan.h"

static const struct {
        uint64_t flag;
        const char *name;
} namespaces[] = {
        { PLAN_CLONE_NEWNS, "mount" }, { PLAN_CLONE_NEWPID, "pid" }, { PLAN_CLONE_NEWUTS, "uts" },
        { PLAN_CLONE_NEWIPC, "ipc" },  { PLAN_CLONE_NEWNET, "net" }, { PLAN_CLONE_NEWUSER, "user" },
};

static const struct {
        uint64_t attribute;
        const char *name;
} attributes[] = {
        { ATTR_READ_ONLY, "ro" },   { ATTR_NO_SUID, "nosuid" },           { ATTR_NO_DEV, "nodev" },
        { ATTR_NO_EXEC, "noexec" }, { ATTR_STRICT_ATIME, "strictatime" }, { ATTR_NO_SYMLINK_FOLLOW, "nosymfollow" },
};

static const char *tree_name(int tree, char buffer[static 16]) {
        static const char *const names[] = { "root", "dev", "run" };

        if (tree < TREE_FIRST_EXTRA)
                return names[tree];
        snprintf(buffer, 16, "tree %d", tree);
        return buffer;
}

static void attribute_list(uint64_t set, struct buf *out, const char *before, const char *between) {
        for (size_t i = 0; i < ELEMENTS(attributes); i++)
                if (set & attributes[i].attribute) {
                        buf_printf(out, "%s%s", before, attributes[i].name);
                        before = between;
                }
}

static bool source_is_content(const struct step *s) {
        return s->kind == STEP_WRITE || (s->kind == STEP_TREE_NODE && s->node.type == NODE_FILE) ||
               s->kind == STEP_CPU_AFFINITY;
}

/* Foreign text on a terminal. */
static void shown(const char *text, struct buf *out) {
        AUTO_FREE char *escaped = str_escape(text, 4096);

        buf_append_str(out, strempty(escaped));
}

static void what(const struct step *s, struct buf *out) {
        char buffer[16];

        if (s->tree >= 0)
                buf_printf(out, "[%s] ", tree_name(s->tree, buffer));
        if (s->kind == STEP_TREE_NODE || s->kind == STEP_NODE)
                buf_printf(out, "%s ", node_type_to_string(s->node.type));
        if (s->type && s->kind == STEP_TREE_OPEN) {
                shown(s->type, out);
                buf_append_str(out, " : ");
        } else if (s->type)
                buf_printf(out, "%s ", s->type);
        if (s->flags & STEP_THROW_AWAY)
                buf_append_str(out, "(a new directory) ");
        if (s->source && !source_is_content(s))
                shown(s->source, out);
        for (size_t i = 0; s->strings && s->strings[i]; i++) {
                buf_append_str(out, i || s->source ? " over " : "");
                shown(s->strings[i], out);
        }
        if (s->target) {
                if (s->source && !source_is_content(s))
                        buf_append_str(out, s->node.type == NODE_SYMLINK ? " <- " : " -> ");
                shown(s->target, out);
        }
        if (s->kind == STEP_TREE_NODE || s->kind == STEP_TREE_SOCKET)
                buf_printf(out, " %04o", s->node.mode);
        if (s->kind == STEP_TREE_CHOWN)
                buf_printf(out, " to %u", s->node.uid);
        if (s->kind == STEP_TREE_IDMAP && s->number[1])
                buf_printf(out, "%llu -> %u", (unsigned long long) s->number[1], s->node.uid);
        if (s->kind == STEP_ID_MAP)
                buf_printf(out, "0 -> %llu, %llu ids", (unsigned long long) s->number[0],
                           (unsigned long long) s->number[1]);
        attribute_list(s->attributes, out, " ", ",");
        if (s->options)
                buf_printf(out, " (%s)", s->options);
        if (s->label)
                buf_printf(out, " labelled %s", s->label);
}

static void payload_text(const struct plan *p, const struct step *s, struct buf *out) {
        const struct plan_payload *y = &p->payload;
        int kept = 0;

        switch (s->kind) {
        case STEP_IDENTITY:
                for (int i = 0; i < 64; i++)
                        kept += (y->capabilities.bounding >> i) & 1;
                buf_printf(out, "user %u, group %u, %d capabilities", y->uid, y->gid, kept);
                break;
        case STEP_FILTER:
                buf_printf(out, "%zu system calls allowed, %zu instructions", y->filter.n_allowed, y->filter.n_code);
                break;
        case STEP_EXEC:
                shown(y->candidates ? y->candidates[0] : "", out);
                for (size_t i = 1; y->argv && y->argv[0] && y->argv[i]; i++) {
                        buf_append_char(out, ' ');
                        shown(y->argv[i], out);
                }
                break;
        default:
                break;
        }
}

int plan_print_text(const struct plan *p, struct buf *out) {
        buf_append_str(out, "clone  ");
        for (size_t i = 0; i < ELEMENTS(namespaces); i++)
                if (p->clone_flags & namespaces[i].flag)
                        buf_printf(out, " %s", namespaces[i].name);
        buf_append_char(out, '\n');
        for (size_t i = 0; i < p->n_steps; i++) {
                const struct step *s = &p->steps[i];
                size_t start = out->size, width;

                buf_printf(out, "%-6s  %-12s  ", phase_to_string(s->phase), step_kind_to_string(s->kind));
                what(s, out);
                payload_text(p, s, out);
                width = out->size - start;
                buf_printf(out, "%*s  because: %s%s\n", width < 72 ? (int) (72 - width) : 0, "", s->why,
                           s->flags & STEP_MAY_FAIL ? " (may fail)" : "");
        }
        return buf_error(out);
}

static void json_string(struct buf *out, const char *s) {
        buf_append_char(out, '"');
        for (; *s; s++) {
                unsigned char c = (unsigned char) *s;

                if (c == '"' || c == '\\')
                        buf_printf(out, "\\%c", c);
                else if (c < 0x20 || c >= 0x7f) /* bytes as they are: paths are bytes, and JSON is not */
                        buf_printf(out, "\\u%04x", c);
                else
                        buf_append_char(out, (char) c);
        }
        buf_append_char(out, '"');
}

static void member(struct buf *out, const char *key, const char *value) {
        if (!value)
                return;
        buf_printf(out, ",\"%s\":", key);
        json_string(out, value);
}

static void list(struct buf *out, const char *key, char *const *v) {
        if (!v || !v[0])
                return;
        buf_printf(out, ",\"%s\":[", key);
        for (size_t i = 0; v[i]; i++) {
                buf_append_str(out, i ? "," : "");
                json_string(out, v[i]);
        }
        buf_append_char(out, ']');
}

static void json_step(const struct step *s, struct buf *out) {
        char buffer[16];

        buf_printf(out, "{\"phase\":\"%s\",\"kind\":\"%s\"", phase_to_string(s->phase), step_kind_to_string(s->kind));
        member(out, "because", s->why);
        if (s->tree >= 0)
                member(out, "tree", tree_name(s->tree, buffer));
        if (s->kind == STEP_TREE_NODE || s->kind == STEP_NODE || s->kind == STEP_TREE_SOCKET)
                buf_printf(out, ",\"node\":\"%s\",\"mode\":%u,\"uid\":%u,\"gid\":%u", node_type_to_string(s->node.type),
                           s->node.mode, s->node.uid, s->node.gid);
        member(out, s->kind == STEP_TREE_OPEN ? "below" : "type", s->type);
        if (!source_is_content(s))
                member(out, "source", s->source);
        list(out, "lower", s->strings);
        member(out, "target", s->target);
        member(out, "options", s->options);
        member(out, "label", s->label);
        if (s->attributes) {
                buf_append_str(out, ",\"attributes\":[");
                attribute_list(s->attributes, out, "\"", "\",\"");
                buf_append_str(out, "\"]");
        }
        if (s->kind == STEP_ID_MAP)
                buf_printf(out, ",\"base\":%llu,\"count\":%llu", (unsigned long long) s->number[0],
                           (unsigned long long) s->number[1]);
        if (s->flags & STEP_MAY_FAIL)
                buf_append_str(out, ",\"mayFail\":true");
        buf_append_char(out, '}');
}

static void json_payload(const struct plan_payload *y, struct buf *out) {
        bool first = true;

        buf_printf(out, "{\"uid\":%u,\"gid\":%u", y->uid, y->gid);
        member(out, "hostname", y->hostname);
        member(out, "directory", y->chdir);
        list(out, "programs", y->candidates);
        list(out, "arguments", y->argv);
        list(out, "environment", y->environment);
        buf_append_str(out, ",\"capabilities\":[");
        for (int i = 0; i < 64; i++) {
                const char *name = capability_to_string(i);

                if (!((y->capabilities.bounding >> i) & 1) || !name)
                        continue;
                buf_printf(out, "%s\"%s\"", first ? "" : ",", name);
                first = false;
        }
        buf_printf(out, "],\"systemCallsAllowed\":%zu}", y->filter.n_allowed);
}

int plan_print_json(const struct plan *p, struct buf *out) {
        bool first = true;

        buf_append_str(out, "{\"namespaces\":[");
        for (size_t i = 0; i < ELEMENTS(namespaces); i++)
                if (p->clone_flags & namespaces[i].flag) {
                        buf_printf(out, "%s\"%s\"", first ? "" : ",", namespaces[i].name);
                        first = false;
                }
        buf_append_str(out, "],\"steps\":[");
        for (size_t i = 0; i < p->n_steps; i++) {
                buf_append_str(out, i ? "," : "");
                json_step(&p->steps[i], out);
        }
        buf_append_str(out, "],\"payload\":");
        json_payload(&p->payload, out);
        buf_append_str(out, "}\n");
        return buf_error(out);
}
