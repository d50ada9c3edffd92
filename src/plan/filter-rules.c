/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A list of calls and groups is expanded item by item. A refused call is skipped wherever it turns up; a refused
 * group only as an item of its own, as systemd-nspawn does: what it shares with other groups stays allowed. Hence the
 * warning when refusing a group changes nothing at all. Names of calls that are not known are no mistake: other
 * machines have them. */
#include "plan/filter-rules.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/auto.h"
#include "base/capname.h"
#include "base/str.h"
#include "plan/syscall-tables.h"
#include "spec/spec.h"

/* What containers may do, and what needs a capability first. The same as systemd-nspawn 262. */
static const struct {
        const char *capability; /* NULL: none */
        const char *items;
} defaults[] = {
        { NULL,
          "@aio @basic-io @chown @default @file-system @io-event @ipc @keyring @mount @network-io @process @resources "
          "@setuid @signal @sync @timer" },
        { NULL,
          "arm_fadvise64_64 brk cachestat capget capset copy_file_range fadvise64 fadvise64_64 flock get_mempolicy "
          "getcpu getpriority getrandom ioctl ioprio_get kcmp madvise mincore mprotect mremap name_to_handle_at "
          "oldolduname olduname personality readahead readdir remap_file_pages sched_get_priority_max "
          "sched_get_priority_min sched_getaffinity sched_getattr sched_getparam sched_getscheduler "
          "sched_rr_get_interval sched_rr_get_interval_time64 sched_yield seccomp sendfile sendfile64 "
          "setdomainname setfsgid setfsgid32 setfsuid setfsuid32 sethostname setpgid setsid splice sysinfo tee "
          "umask uname userfaultfd vmsplice" },
        { "CAP_BPF", "bpf" },
        { "CAP_IPC_LOCK", "@memlock" },
        { "CAP_SYS_BOOT", "reboot" },
        { "CAP_SYSLOG", "syslog" },
        { "CAP_SYS_MODULE", "@module" },
        { "CAP_SYS_PACCT", "acct" },
        { "CAP_SYS_PTRACE", "process_vm_readv process_vm_writev ptrace" },
        { "CAP_SYS_RAWIO", "@raw-io" },
        { "CAP_SYS_TIME", "@clock" },
        { "CAP_SYS_TTY_CONFIG", "vhangup" },
};

struct rules {
        bool *allowed, *denied; /* one for each of syscall_rows */
        uint64_t denied_groups; /* bit n: syscall_groups[n] */
        uint64_t skipped;       /* refused groups that were met */
        void (*warn)(const char *text, void *userdata);
        void *userdata;
};

static int by_name(const void *name, const void *entry) {
        return strcmp(name, entry); /* rows and groups begin with their name */
}

/* -ENOENT: no such call or group here. */
static int find_item(const char *name) {
        if (*name == '@') {
                const struct syscall_group *g = bsearch(name, syscall_groups, n_syscall_groups, sizeof(*g), by_name);

                return g ? (int) (SYSCALL_ITEM_GROUP | (size_t) (g - syscall_groups)) : -ENOENT;
        } else {
                const struct syscall_row *row = bsearch(name, syscall_rows, n_syscall_rows, sizeof(*row), by_name);

                return row ? (int) (row - syscall_rows) : -ENOENT;
        }
}

static void allow(struct rules *r, unsigned item) {
        unsigned i = item & ~SYSCALL_ITEM_GROUP;

        if (!(item & SYSCALL_ITEM_GROUP))
                r->allowed[i] = !r->denied[i];
        else if (r->denied_groups & UINT64_C(1) << i)
                r->skipped |= UINT64_C(1) << i;
        else
                for (unsigned k = 0; k < syscall_groups[i].n; k++)
                        allow(r, syscall_members[syscall_groups[i].first + k]);
}

static void allow_list(struct rules *r, const char *items) {
        char name[sizeof(syscall_rows[0].name)];

        for (size_t n; *items; items += n + (items[n] == ' ')) {
                int item;

                n = strcspn(items, " ");
                assert(n < sizeof(name)); /* our own text */
                memcpy(name, items, n);
                name[n] = 0;
                item = find_item(name);
                if (item >= 0)
                        allow(r, (unsigned) item);
        }
}

static void warn_about(struct rules *r, const char *before, const char *name, const char *after) {
        AUTO_FREE char *shown = str_escape(name, 64);
        AUTO_BUF struct buf text = BUF_EMPTY;

        if (r->warn && shown && buf_printf(&text, "%s'%s'%s", before, shown, after) == 0)
                r->warn(text.data, r->userdata);
}

static void take_rule(struct rules *r, const struct spec_syscall_rule *rule) {
        int item = find_item(rule->name);

        if (item < 0) {
                if (*rule->name == '@')
                        warn_about(r, "There is no group of system calls called ", rule->name, ": ignoring it.");
        } else if (!rule->deny)
                allow(r, (unsigned) item);
        else if ((unsigned) item & SYSCALL_ITEM_GROUP)
                r->denied_groups |= UINT64_C(1) << ((unsigned) item & ~SYSCALL_ITEM_GROUP);
        else
                r->denied[item] = true;
}

static bool any_is_allowed(const struct rules *r, unsigned item) {
        unsigned i = item & ~SYSCALL_ITEM_GROUP;

        if (!(item & SYSCALL_ITEM_GROUP))
                return r->allowed[i];
        for (unsigned k = 0; k < syscall_groups[i].n; k++)
                if (any_is_allowed(r, syscall_members[syscall_groups[i].first + k]))
                        return true;
        return false;
}

static void warn_about_idle_groups(struct rules *r) {
        uint64_t idle = r->denied_groups & ~r->skipped;

        for (unsigned i = 0; i < n_syscall_groups; i++)
                if (idle & UINT64_C(1) << i && any_is_allowed(r, SYSCALL_ITEM_GROUP | i))
                        warn_about(r, "Refusing the system calls of ", syscall_groups[i].name,
                                   " has no effect, because other groups allow them: refuse those, or each call.");
}

int filter_rules_apply(const struct spec_syscall_rule *rules, size_t n_rules, uint64_t capabilities,
                       void (*warn)(const char *text, void *userdata), void *userdata, bool *allowed) {
        AUTO_FREE bool *denied = calloc(n_syscall_rows, sizeof(*denied));
        struct rules r = { .allowed = allowed, .denied = denied, .warn = warn, .userdata = userdata };

        if (!denied)
                return -ENOMEM;
        memset(allowed, 0, n_syscall_rows * sizeof(*allowed));
        for (size_t i = 0; i < n_rules; i++) /* what is refused wins, wherever it is written */
                if (rules[i].deny)
                        take_rule(&r, &rules[i]);
        for (size_t i = 0; i < ELEMENTS(defaults); i++) {
                const char *name = defaults[i].capability;

                if (!name || capabilities & UINT64_C(1) << capability_from_string(name))
                        allow_list(&r, defaults[i].items);
        }
        for (size_t i = 0; i < n_rules; i++)
                if (!rules[i].deny)
                        take_rule(&r, &rules[i]);
        warn_about_idle_groups(&r);
        return 0;
}

uint64_t filter_rules_capabilities(void) {
        uint64_t set = 0;

        for (size_t i = 0; i < ELEMENTS(defaults); i++)
                if (defaults[i].capability)
                        set |= UINT64_C(1) << capability_from_string(defaults[i].capability);
        return set;
}
