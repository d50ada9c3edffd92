/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A kept program is trusted by where it is: a directory that nobody but root can write to, below one from which nobody else can take it
 * away, unless root has mounted it so (it is sticky, or root's alone). Its name is made of its instructions, so that another version of
 * ours has another one. */
#include "sys/device-program.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/auto.h"
#include "base/siphash.h"

#define PLACE "/sys/fs/bpf/muster"
#define PATH_SIZE 64

static int bpf(int command, union bpf_attr *attributes) {
        int r = (int) syscall(SYS_bpf, command, attributes, sizeof(*attributes));

        return r < 0 ? -errno : r;
}

static int load(const void *code, size_t n) {
        union bpf_attr attributes = {
                .prog_type = BPF_PROG_TYPE_CGROUP_DEVICE,
                .insns = (uint64_t) (uintptr_t) code,
                .insn_cnt = (uint32_t) n,
                .license = (uint64_t) (uintptr_t) "LGPL-2.1-or-later", /* it calls nothing that asks for another */
        };

        return bpf(BPF_PROG_LOAD, &attributes);
}

static int attach(int group, int program) {
        union bpf_attr attributes = {
                .attach_type = BPF_CGROUP_DEVICE,
                .target_fd = (uint32_t) group,
                .attach_bpf_fd = (uint32_t) program,
                .attach_flags = BPF_F_ALLOW_MULTI, /* a guest that is a service manager attaches its own below */
        };

        return bpf(BPF_PROG_ATTACH, &attributes);
}

static bool place_is_ours(void) {
        struct stat st;

        return lstat(PLACE, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == 0 && (st.st_mode & 077) == 0;
}

static void path_of(const void *code, size_t n, char ret[static PATH_SIZE]) {
        static const uint8_t key[SIPHASH_KEY_SIZE];

        (void) snprintf(ret, PATH_SIZE, PLACE "/device-%016" PRIx64, siphash24(code, n * sizeof(struct bpf_insn), key));
}

static int take(const char *path) {
        union bpf_attr attributes = { .pathname = (uint64_t) (uintptr_t) path };

        return place_is_ours() ? bpf(BPF_OBJ_GET, &attributes) : -ENOENT;
}

/* Whether that works or not. */
static void put(const char *path, int program) {
        union bpf_attr attributes = { .pathname = (uint64_t) (uintptr_t) path, .bpf_fd = (uint32_t) program };
        bool made = mkdir(PLACE, 0700) == 0;

        if ((!place_is_ours() || bpf(BPF_OBJ_PIN, &attributes) < 0) && made)
                (void) rmdir(PLACE); /* another file system is there */
}

int device_program_attach(int group, const void *code, size_t n, bool keep) {
        AUTO_CLOSE int kept = -EBADF, fresh = -EBADF;
        char path[PATH_SIZE];
        int r;

        if (keep) {
                path_of(code, n, path);
                kept = take(path);
                if (kept >= 0 && attach(group, kept) >= 0)
                        return 0;
        }
        fresh = load(code, n);
        if (fresh < 0)
                return fresh;
        r = attach(group, fresh);
        if (r >= 0 && keep && kept < 0)
                put(path, fresh);
        return r;
}
