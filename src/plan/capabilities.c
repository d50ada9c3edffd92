/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The default is what systemd-nspawn 262 keeps, and what a system in a container expects. Bits that no kernel knows
 * stay set after "all": whoever applies a mask looks only at the bits that are there. */
#include "plan/capabilities.h"

#include <errno.h>
#include <stdio.h>

#include "base/capname.h"
#include "spec/spec.h"

#define BIT(capability) (UINT64_C(1) << (capability))

/* include/uapi/linux/capability.h */
enum {
        CHOWN = 0,
        DAC_OVERRIDE = 1,
        DAC_READ_SEARCH = 2,
        FOWNER = 3,
        FSETID = 4,
        KILL = 5,
        SETGID = 6,
        SETUID = 7,
        SETPCAP = 8,
        LINUX_IMMUTABLE = 9,
        NET_BIND_SERVICE = 10,
        NET_BROADCAST = 11,
        NET_ADMIN = 12,
        NET_RAW = 13,
        IPC_OWNER = 15,
        SYS_CHROOT = 18,
        SYS_PTRACE = 19,
        SYS_ADMIN = 21,
        SYS_BOOT = 22,
        SYS_NICE = 23,
        SYS_RESOURCE = 24,
        SYS_TTY_CONFIG = 26,
        MKNOD = 27,
        LEASE = 28,
        AUDIT_WRITE = 29,
        AUDIT_CONTROL = 30,
        SETFCAP = 31,
};

static const uint64_t default_set = BIT(CHOWN) | BIT(DAC_OVERRIDE) | BIT(DAC_READ_SEARCH) | BIT(FOWNER) | BIT(FSETID) |
                                    BIT(KILL) | BIT(SETGID) | BIT(SETUID) | BIT(SETPCAP) | BIT(LINUX_IMMUTABLE) |
                                    BIT(NET_BIND_SERVICE) | BIT(NET_BROADCAST) | BIT(NET_RAW) | BIT(IPC_OWNER) |
                                    BIT(SYS_CHROOT) | BIT(SYS_PTRACE) | BIT(SYS_ADMIN) | BIT(SYS_BOOT) | BIT(SYS_NICE) |
                                    BIT(SYS_RESOURCE) | BIT(SYS_TTY_CONFIG) | BIT(MKNOD) | BIT(LEASE) |
                                    BIT(AUDIT_WRITE) | BIT(AUDIT_CONTROL) | BIT(SETFCAP);

/* Before it is known what the caller has to give. */
static uint64_t wanted_set(const struct spec_capabilities *c, const struct capability_facts *facts) {
        uint64_t wanted = (default_set | c->add | (facts->network_private ? BIT(NET_ADMIN) : 0)) & ~c->drop;

        /* The host's network is not the user namespace's: ports below 1024 cannot be bound there. Without the
         * capability programs know. */
        if (facts->user_namespace && !facts->network_private)
                wanted &= ~BIT(NET_BIND_SERVICE);
        return wanted;
}

static int refuse_ambient(uint64_t outside, uint64_t wanted, struct diag *diag) {
        int number = __builtin_ctzll(outside);
        const char *name = capability_to_string(number);
        char text[24];

        snprintf(text, sizeof(text), "%d", number);
        return diag_set(diag, -EINVAL, "AmbientCapability", "Capability %s cannot be ambient: %s", name ? name : text,
                        wanted & BIT(number) ? "it is not ours to give"
                                             : "the container does not keep it, it has to be added, too");
}

int capabilities_decide(const struct spec *spec, const struct capability_facts *facts, struct capability_sets *ret,
                        uint64_t *ret_missing, struct diag *diag) {
        const struct spec_capabilities *c = &spec->capabilities;
        uint64_t wanted = wanted_set(c, facts), kept = facts->user_namespace ? wanted : wanted & facts->own, others;

        if (c->ambient && spec->start_mode == START_BOOT)
                return diag_set(diag, -EINVAL, "AmbientCapability",
                                "Ambient capabilities are for a command: an init (--boot) has all that it may have");
        if (c->ambient & ~kept)
                return refuse_ambient(c->ambient & ~kept, wanted, diag);
        others = facts->payload_is_root ? kept : c->ambient;
        *ret = (struct capability_sets){
                .bounding = kept,
                .effective = others,
                .permitted = others,
                .inheritable = others,
                .ambient = c->ambient,
        };
        *ret_missing = c->add == UINT64_MAX ? 0 : wanted & c->add & ~kept; /* "all" is all there is */
        return 0;
}
