/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster register NAME --leader=PID: for runners that are scripts. The leader's identity goes along with its number, so
 * that a process that died meanwhile cannot be mistaken for its successor. */
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>

#include "base/id128.h"
#include "client/varlink-client.h"
#include "codec/json-text.h"
#include "core/name.h"
#include "muster/failure.h"
#include "muster/fetch.h"
#include "muster/verbs.h"
#include "sys/fileio.h"
#include "sys/pidfd.h"

static void boot_id_member(struct json_text *j) {
        AUTO_FREE char *text = NULL;
        char id[ID128_STRING_SIZE];
        struct id128 boot;

        if (read_file_at(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, &text, NULL) < 0)
                return;
        text[strcspn(text, "\n")] = '\0';
        if (id128_from_string(text, &boot) == 0)
                json_text_string(j, "bootId", id128_to_string(&boot, id));
}

static int process_member(struct json_text *j, const char *key, const char *option, uint32_t pid) {
        struct pidref p;
        int r;

        r = pidref_open((pid_t) pid, &p);
        if (r == -ESRCH)
                return fail("--%s=%u: there is no such process.", option, pid);
        if (r < 0)
                return fail("--%s=%u: %s.", option, pid, strerror(-r));
        json_text_begin_object(j, key);
        json_text_unsigned(j, "pid", pid);
        if (p.id) {
                json_text_unsigned(j, "pidfdId", p.id);
                boot_id_member(j);
        }
        json_text_end_object(j);
        pidref_done(&p);
        return EXIT_SUCCESS;
}

static int interfaces_member(struct json_text *j, char **names) {
        if (!names)
                return EXIT_SUCCESS;
        json_text_begin_array(j, "ifIndices");
        for (; *names; names++) {
                unsigned index = if_nametoindex(*names);

                if (index == 0)
                        return fail("--iface=%s: there is no such network interface on this host.", *names);
                json_text_unsigned(j, NULL, index);
        }
        json_text_end_array(j);
        return EXIT_SUCCESS;
}

static int id_member(struct json_text *j, const char *text) {
        char hex[ID128_STRING_SIZE];
        struct id128 id;

        if (!text)
                return EXIT_SUCCESS;
        if (id128_from_string(text, &id) < 0)
                return fail("--id=%s: must be 32 hexadecimal digits.", text);
        json_text_string(j, "id", id128_to_string(&id, hex));
        return EXIT_SUCCESS;
}

static int build(const struct options *o, const char *name, struct buf *out) {
        const struct register_options *reg = &o->reg;
        struct json_text j = JSON_TEXT(out);

        json_text_begin_object(&j, NULL);
        json_text_string(&j, "name", name);
        json_text_string(&j, "class", reg->class ? reg->class : "container");
        if (process_member(&j, "leaderProcessId", "leader", reg->leader) != EXIT_SUCCESS ||
            (reg->supervisor &&
             process_member(&j, "supervisorProcessId", "supervisor", reg->supervisor) != EXIT_SUCCESS) ||
            id_member(&j, reg->id) != EXIT_SUCCESS || interfaces_member(&j, reg->interfaces) != EXIT_SUCCESS)
                return EXIT_FAILURE;
        json_text_string_if(&j, "service", reg->service);
        json_text_string_if(&j, "rootDirectory", reg->root);
        json_text_string_if(&j, "sshAddress", reg->ssh_address);
        json_text_string_if(&j, "sshPrivateKeyPath", reg->ssh_key);
        json_text_string_if(&j, "controlAddress", reg->control_address);
        if (reg->has_vsock_cid)
                json_text_unsigned(&j, "vSockCid", reg->vsock_cid);
        if (reg->create)
                json_text_bool(&j, "allocateUnit", true);
        if (o->ask_password && isatty(STDIN_FILENO))
                json_text_bool(&j, "allowInteractiveAuthentication", true);
        json_text_end_object(&j);
        buf_append_char(out, '\0');
        return buf_error(out) ? fail("Out of memory.") : EXIT_SUCCESS;
}

int verb_register(const struct options *o, char **args) {
        AUTO(varlink_client_freep) struct varlink_client *c = NULL;
        AUTO_BUF struct buf parameters = BUF_EMPTY;
        struct varlink_answer answer;
        int r;

        if (!o->reg.leader) {
                fail("register needs --leader=PID, the machine's first process.");
                return EXIT_USAGE;
        }
        if (!name_is_usable(*args) || build(o, *args, &parameters) != EXIT_SUCCESS)
                return EXIT_FAILURE;
        r = varlink_client_connect(o->run, VARLINK_CLIENT_TIMEOUT_MSEC, &c);
        if (r == 0)
                r = varlink_client_call(c, "io.systemd.Machine.Register", parameters.data, &answer);
        if (r < 0)
                return fail_connection(o->run, r);
        r = answer.error ? fail_answer(&answer, "register", *args) : EXIT_SUCCESS;
        varlink_answer_done(&answer);
        return r;
}
