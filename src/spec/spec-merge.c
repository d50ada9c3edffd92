/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "spec/spec-merge.h"

#include <stddef.h>

#include "base/auto.h"

#define ROW(group, field) \
        { group, offsetof(struct spec, field), sizeof(((struct spec *) 0)->field) }

/* What a group consists of. The fields change places, so each has an owner still. */
static const struct {
        enum spec_group group;
        size_t offset, size;
} fields[] = {
        ROW(SPEC_ENVIRONMENT, environment),
        ROW(SPEC_USER, user),
        ROW(SPEC_CAPABILITIES, capabilities),
        ROW(SPEC_KILL_SIGNAL, kill_signal),
        ROW(SPEC_PERSONALITY, personality),
        ROW(SPEC_MACHINE_ID, uuid),
        ROW(SPEC_NETWORK, network.private_network),
        ROW(SPEC_NETWORK, network.veth),
        ROW(SPEC_NETWORK, network.links),
        ROW(SPEC_NETWORK, network.n_links),
        ROW(SPEC_NETWORK, network.bridge),
        ROW(SPEC_NETWORK, network.zone),
        ROW(SPEC_NETWORK, network.namespace_path),
        ROW(SPEC_PORTS, network.ports),
        ROW(SPEC_PORTS, network.n_ports),
        ROW(SPEC_READ_ONLY, read_only),
        ROW(SPEC_VOLATILE, volatile_mode),
        ROW(SPEC_MOUNTS, mounts),
        ROW(SPEC_MOUNTS, n_mounts),
        ROW(SPEC_CHDIR, chdir),
        ROW(SPEC_USERS, users_mode),
        ROW(SPEC_USERS, users_base),
        ROW(SPEC_USERS, users_count),
        ROW(SPEC_USERS, ownership),
        ROW(SPEC_USERS, users_delegate),
        ROW(SPEC_USERS, users_optional),
        ROW(SPEC_NOTIFY_READY, notify_ready),
        ROW(SPEC_PIVOT_ROOT, pivot_root_new),
        ROW(SPEC_PIVOT_ROOT, pivot_root_old),
        ROW(SPEC_SYSCALL_FILTER, syscall_rules),
        ROW(SPEC_SYSCALL_FILTER, n_syscall_rules),
        ROW(SPEC_HOSTNAME, hostname),
        ROW(SPEC_NO_NEW_PRIVILEGES, no_new_privileges),
        ROW(SPEC_OOM_SCORE_ADJUST, oom_score_adjust),
        ROW(SPEC_OOM_SCORE_ADJUST, oom_score_adjust_set),
        ROW(SPEC_CPU_AFFINITY, cpu_affinity),
        ROW(SPEC_CPU_AFFINITY, cpu_affinity_bytes),
        ROW(SPEC_RESOLV_CONF, resolv_conf),
        ROW(SPEC_LINK_JOURNAL, link_journal),
        ROW(SPEC_TIMEZONE, timezone),
        ROW(SPEC_EPHEMERAL, ephemeral),
        ROW(SPEC_SLICE, slice),
        ROW(SPEC_DIRECTORY, directory),
        ROW(SPEC_CONSOLE, console),
        ROW(SPEC_CONSOLE_LOG, console_log_set),
        ROW(SPEC_CONSOLE_LOG, console_log),
        ROW(SPEC_CONSOLE_LOG_SIZE, console_log_size),
        ROW(SPEC_CONSOLE_LOG_FILES, console_log_files),
        ROW(SPEC_CREDENTIALS, credentials),
        ROW(SPEC_CREDENTIALS, n_credentials),
        ROW(SPEC_BIND_USER, bind_users),
        ROW(SPEC_BIND_USER_SHELL, bind_user_shell),
        ROW(SPEC_SUPPRESS_SYNC, suppress_sync),
        ROW(SPEC_ADDRESS_FAMILIES, address_families_set),
        ROW(SPEC_ADDRESS_FAMILIES, address_families_deny),
        ROW(SPEC_ADDRESS_FAMILIES, address_families),
        ROW(SPEC_ADDRESS_FAMILIES, n_address_families),
};

static void swap_bytes(char *a, char *b, size_t size) {
        for (size_t i = 0; i < size; i++) {
                char c = a[i];

                a[i] = b[i];
                b[i] = c;
        }
}

#define SWAP(a, b) swap_bytes((char *) &(a), (char *) &(b), sizeof(a))

/* Words of a file are for the mode of the command line, where the file names none: the service template boots, and a file may
 * only want to add arguments for the init. */
static void merge_start(struct spec *s, struct spec *file) {
        if (!file->start_mode_set && !file->command)
                return;
        SWAP(s->command, file->command);
        if (!file->start_mode_set)
                return;
        s->start_mode = file->start_mode;
        s->start_mode_set = true;
}

static bool is_wanted(const struct spec *s, const struct spec *file, unsigned group, bool file_wins) {
        uint64_t bit = UINT64_C(1) << group;

        return (file->set & bit) && (file_wins || !(s->set & bit));
}

void spec_merge(struct spec *s, struct spec *file, bool file_wins) {
        uint64_t set = s->set;

        if (is_wanted(s, file, SPEC_START, file_wins))
                merge_start(s, file);
        for (size_t i = 0; i < ELEMENTS(fields); i++)
                if (is_wanted(s, file, fields[i].group, file_wins))
                        swap_bytes((char *) s + fields[i].offset, (char *) file + fields[i].offset, fields[i].size);
        for (unsigned i = 0; i < SPEC_RLIMITS; i++)
                if (is_wanted(s, file, SPEC_RLIMIT_FIRST + i, file_wins))
                        s->rlimits[i] = file->rlimits[i];
        s->set = set | file->set;
}
