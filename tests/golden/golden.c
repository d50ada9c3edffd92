/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A directory for each case: `argv` (a word a line), `facts` (invented-facts.h), `environ` where there is one, and `expected.plan`.
 * Usage: golden DIRECTORY (compares, speaks TAP) | golden --update DIRECTORY [CASE...] (writes what is planned now) */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../unit/invented-facts.h"
#include "base/auto.h"
#include "base/capname.h"
#include "base/str.h"
#include "plan/plan-print.h"
#include "plan/plan.h"
#include "spec/spec-argv.h"
#include "spec/spec-check.h"
#include "spec/spec-environ.h"

static bool update;

static void require(bool promise, const char *what) {
        if (promise)
                return;
        fprintf(stderr, "golden: %s: %s\n", what, strerror(errno));
        exit(1);
}

/* NULL: there is no such file. */
static char *read_file(const char *top, const char *name, const char *file) {
        AUTO_BUF struct buf content = BUF_EMPTY;
        char path[512], chunk[4096], *text;
        size_t n;
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s/%s", top, name, file);
        f = fopen(path, "re");
        if (!f)
                return NULL;
        while ((n = fread(chunk, 1, sizeof(chunk), f)) > 0)
                buf_append(&content, chunk, n);
        fclose(f);
        require(buf_steal(&content, &text) == 0, path);
        return text;
}

static void write_file(const char *top, const char *name, const char *file, const char *text) {
        char path[512];
        FILE *f;

        snprintf(path, sizeof(path), "%s/%s/%s", top, name, file);
        f = fopen(path, "we");
        require(f && fputs(text, f) >= 0 && fclose(f) == 0, path);
}

static char **lines(char *text) {
        char **v = NULL, *save = NULL;

        for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
                require(strv_extend(&v, line) == 0, line);
        return v;
}

static void warn(const char *text, void *userdata) {
        buf_printf(userdata, "warning: %s\n", text);
}

static void list(struct buf *out, const char *key, char *const *v) {
        for (size_t i = 0; v && v[i]; i++)
                buf_printf(out, "%-12s  %s\n", key, v[i]);
}

static void set(struct buf *out, const char *key, uint64_t capabilities) {
        buf_printf(out, "%-12s ", key);
        for (int i = 0; i < 64; i++)
                if ((capabilities >> i & 1) && capability_to_string(i))
                        buf_printf(out, " %s", capability_to_string(i) + strlen("CAP_"));
        buf_append_char(out, '\n');
}

/* What --dry-run sums up. */
static void payload(const struct plan_payload *p, struct buf *out) {
        list(out, "try", p->candidates);
        list(out, "argument", p->argv);
        list(out, "environment", p->environment);
        set(out, "bounding", p->capabilities.bounding);
        if (p->capabilities.effective != p->capabilities.bounding)
                set(out, "effective", p->capabilities.effective);
        if (p->capabilities.ambient)
                set(out, "ambient", p->capabilities.ambient);
        for (size_t i = 0; i < p->n_groups; i++)
                buf_printf(out, "%-12s  %u\n", "group", p->groups[i]);
        for (int i = 0; i < SPEC_RLIMITS; i++)
                if (p->rlimits_changed >> i & 1)
                        buf_printf(out, "limit %-6d  %lld %lld\n", i, (long long) p->rlimits[i].soft,
                                   (long long) p->rlimits[i].hard);
}

static void require_json(const struct plan *plan, const char *name) {
        AUTO_BUF struct buf out = BUF_EMPTY;
        json_t *json;

        require(plan_print_json(plan, &out) == 0, name);
        json = json_loadb(out.data, out.size, JSON_REJECT_DUPLICATES, NULL);
        require(json_array_size(json_object_get(json, "steps")) == plan->n_steps, name);
        json_decref(json);
}

static void print(struct plan *plan, const char *name, struct buf *out) {
        require_json(plan, name);
        /* What is a call, and how many instructions tell it apart, is the machine's matter; the filter has tests of its own. */
        if (plan->payload.filter.n_code)
                plan->payload.filter.n_allowed = plan->payload.filter.n_code = 1;
        plan_print_text(plan, out);
        payload(&plan->payload, out);
}

static int wish(char **argv, char **env, struct spec *spec, struct diag *diag) {
        int r = spec_from_argv((int) strv_length(argv), argv, env, spec, diag);

        require(r <= 0, "an option that only prints something");
        if (r >= 0)
                r = spec_from_environ(env, spec, diag);
        if (r >= 0)
                r = spec_check(spec, diag);
        return r < 0 ? r : spec_check_supported(spec, diag);
}

static void plan_case(const char *top, const char *name, struct buf *out) {
        AUTO_FREE char *argv_text = read_file(top, name, "argv"), *facts_text = read_file(top, name, "facts"),
                       *env_text = read_file(top, name, "environ");
        char *none[] = { NULL };
        char **argv = argv_text ? lines(argv_text) : NULL, **env = env_text ? lines(env_text) : NULL;
        struct invented invented;
        struct diag diag = { 0 };
        struct plan plan = { 0 };
        struct spec spec;
        int r;

        require(argv && facts_text, name);
        spec_init(&spec);
        r = wish(argv, env ? env : none, &spec, &diag);
        list(out, "notice", spec.notices);
        invent(facts_text, &invented);
        invent_for(&spec, &invented);
        if (r >= 0)
                r = plan_build(&spec, &invented.facts, warn, out, &plan, &diag);
        if (r < 0)
                buf_printf(out, "refused: %s: %s\n", diag.field, diag.text);
        else
                print(&plan, name, out);
        plan_done(&plan);
        invented_done(&invented);
        spec_done(&spec);
        strv_free(argv);
        strv_free(env);
        require(buf_error(out) == 0, name);
}

/* The first line in which they differ. */
static void show_difference(const char *expected, const char *planned) {
        int line = 1;

        for (; *expected && *expected == *planned; expected++, planned++)
                if (*expected == '\n')
                        line++;
        while (expected[-1] != '\n' && line > 1) {
                expected--;
                planned--;
        }
        printf("# line %d\n# expected: %.*s\n# planned:  %.*s\n", line, (int) strcspn(expected, "\n"), expected,
               (int) strcspn(planned, "\n"), planned);
}

static bool run(const char *top, const char *name, int number) {
        AUTO_FREE char *expected = NULL;
        AUTO_BUF struct buf planned = BUF_EMPTY;
        bool same;

        plan_case(top, name, &planned);
        if (update) {
                write_file(top, name, "expected.plan", planned.data);
                return true;
        }
        expected = read_file(top, name, "expected.plan");
        same = expected && streq(expected, planned.data);
        printf("%s %d - %s\n", same ? "ok" : "not ok", number, name);
        if (!same && expected && *expected)
                show_difference(expected, planned.data);
        return same;
}

static int is_case(const struct dirent *e) {
        return e->d_name[0] != '.' && e->d_type == DT_DIR;
}

int main(int argc, char *argv[]) {
        struct dirent **cases;
        bool ok = true;
        int n, first;

        update = argc > 1 && streq(argv[1], "--update");
        first = update ? 2 : 1;
        if (argc <= first) {
                fprintf(stderr, "Usage: golden [--update] DIRECTORY [CASE...]\n");
                return 2;
        }
        n = scandir(argv[first], &cases, is_case, alphasort);
        require(n > 0, argv[first]);
        if (!update)
                printf("1..%d\n", n);
        for (int i = 0; i < n; i++) {
                bool wanted = argc == first + 1;

                for (int k = first + 1; k < argc; k++)
                        wanted |= streq(argv[k], cases[i]->d_name);
                if (wanted)
                        ok &= run(argv[first], cases[i]->d_name, i + 1);
                free(cases[i]);
        }
        free(cases);
        return ok ? 0 : 1;
}
