/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster-spawn/clean-up.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/log.h"
#include "muster-spawn/ephemeral.h"
#include "muster-spawn/gather.h"
#include "muster-spawn/lock.h"
#include "muster-spawn/payload-cgroup.h"
#include "muster-spawn/scope-unit.h"
#include "muster-spawn/throw-away.h"
#include "plan/facts.h"
#include "spec/spec.h"

/* Empty on our side; -EBUSY where it is mounted in a machine that runs. */
static int remove_tunnel(const char *machine) {
        AUTO_FREE char *path = NULL;

        if (asprintf(&path, "/run/systemd/nspawn/propagate/%s", machine) < 0) {
                path = NULL;
                return -ENOMEM;
        }
        return rmdir(path) < 0 && errno != ENOENT && errno != EBUSY ? -errno : 0;
}

/* Those of a service manager's it removes itself. */
static void clean_groups(const struct spec *spec, const char *machine) {
        struct payload_cgroup c = { 0 };
        AUTO_FREE char *unit = NULL;

        if (under_systemd())
                return;
        if (asprintf(&unit, "%s.scope", machine) < 0) {
                unit = NULL;
                return;
        }
        if (payload_cgroup_probe(&c) >= 0)
                payload_cgroup_clean(&c, &(struct payload_cgroup_wish){
                                                 .slice = spec->slice ? spec->slice : "machine.slice", .unit = unit });
        payload_cgroup_done(&c);
}

/* The work directories of overlays lie beside what the options name. */
static void clean_overlays(const struct spec *spec) {
        for (size_t i = 0; i < spec->n_mounts; i++) {
                const struct spec_mount *m = &spec->mounts[i];

                if (m->type == SPEC_MOUNT_OVERLAY && !m->read_only && m->source.path && !m->source.in_root)
                        throw_away_clean_beside(m->source.path);
        }
}

int clean_up(const struct spec *spec) {
        AUTO(facts_done) struct facts image = { 0 };
        struct image_lock lock = IMAGE_LOCK_EMPTY;
        struct diag diag = { 0 };
        int r = gather_image(spec, &image, &diag);

        if (r < 0) {
                log_error("%s: %s", *diag.field ? diag.field : "--cleanup", diag.text);
                return EXIT_FAILURE;
        }
        /* The lock files of a run that was killed go with ours. */
        r = image_lock(image.root, true, &lock);
        if (r == -EBUSY)
                log_error("--cleanup: %s is busy: a machine runs from it", image.root);
        else if (r < 0)
                log_error_errno(r, "--cleanup: cannot lock %s", image.root);
        if (r < 0)
                return EXIT_FAILURE;
        ephemeral_clean(image.root);
        throw_away_clean();
        clean_overlays(spec);
        clean_groups(spec, image.machine);
        r = remove_tunnel(image.machine);
        if (r < 0)
                log_error_errno(r, "--cleanup: cannot remove the mount tunnel of %s", image.machine);
        image_unlock(&lock);
        return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
