/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* SELinux: the files that the container gets from us carry one label. What is mounted from elsewhere keeps those that it has. */
#include <errno.h>

#include "plan/chapters.h"
#include "plan/facts.h"
#include "plan/plan.h"
#include "spec/spec.h"

int plan_check_labels(const struct spec *spec, const struct facts *facts, struct diag *diag) {
        const struct {
                const char *option, *label;
                bool known;
        } wanted[] = {
                { "--selinux-context", spec->selinux_context, facts->knows_context },
                { "--selinux-apifs-context", spec->selinux_apifs_context, facts->knows_apifs_context },
        };

        for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
                if (wanted[i].label && !facts->has_selinux)
                        return diag_set(
                                diag, -EOPNOTSUPP, wanted[i].option,
                                "SELinux is not switched on here (nothing of it is mounted on /sys/fs/selinux): "
                                "leave this option out");
                if (wanted[i].label && !wanted[i].known)
                        return diag_set(diag, -EINVAL, wanted[i].option,
                                        "%.60s: the SELinux policy of this host knows no such label", wanted[i].label);
        }
        return 0;
}

/* mount(8): a file system has one context=, or others of that family. */
static bool has_label(const char *options) {
        return strstr(strempty(options), "context=");
}

void plan_labels(struct chapter *c) {
        const char *label = c->spec->selinux_apifs_context;

        if (!label)
                return;
        label = plan_string(c->plan, label);
        for (size_t i = 0; i < c->plan->n_steps; i++) {
                struct step *s = &c->plan->steps[i];
                bool fits = s->kind == STEP_MOUNT || s->kind == STEP_TREE_NEW
                                    ? streq(s->type, "tmpfs") || streq(s->type, "devpts")
                                    : s->kind == STEP_TREE_OVERLAY && s->options;

                if (fits && !has_label(s->options))
                        s->label = label;
        }
}
