/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Input: the text of a state file called cre-1.x. What is read keeps the promises of a record, and reads the same after it
 * was written. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "codec/state.h"
#include "core/name.h"

#define NAME "cre-1.x"

static void require(bool promise) {
        if (!promise)
                abort();
}

static void check_text(const char *s) {
        require(!s || (*s && text_is_valid(s, 4096)));
}

static void check_path(const char *s) {
        require(!s || path_is_absolute(s));
}

static void check_process(const struct pidref *p) {
        require(p->fd < 0 && (p->pid == 0 || p->pid > 1));
}

static void check(const struct machine *m) {
        require(streq(m->name, NAME) && machine_name_is_valid(m->name));
        require(m->class == MACHINE_CONTAINER || m->class == MACHINE_VM);
        require(m->state < MACHINE_GONE && m->uid != (uid_t) -1);
        require(m->leader.pid > 1);
        check_process(&m->leader);
        check_process(&m->supervisor);
        require(!m->unit || unit_name_is_valid(m->unit));
        require(!m->subgroup || (m->unit && m->subgroup[0] && m->subgroup[0] != '/'));
        require(m->kill_signal >= 0 && m->kill_signal <= 64);
        require(!m->scope_created || (m->unit && m->cgroup));
        check_text(m->service);
        check_text(m->ssh_address);
        check_path(m->root_directory);
        check_path(m->ssh_private_key_path);
        check_path(m->control_address);
        check_path(m->cgroup);
        for (size_t i = 0; i < m->n_ifindices; i++)
                require(m->ifindices[i] > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
        AUTO(machine_freep) struct machine *m = NULL, *again = NULL;
        AUTO_BUF struct buf first = BUF_EMPTY, second = BUF_EMPTY;
        struct id128 boot_id, boot_id_again;
        struct diag d = { .line = 0 };

        if (state_decode(NAME, (const char *) data, size, &m, &boot_id, &d) < 0) {
                require(!m && d.text[0]);
                return 0;
        }
        check(m);
        require(state_encode(m, &boot_id, &first) == 0 && first.size <= STATE_FILE_MAX);
        require(state_decode(NAME, first.data, first.size, &again, &boot_id_again, &d) == 0);
        require(state_encode(again, &boot_id_again, &second) == 0);
        require(first.size == second.size && memcmp(first.data, second.data, first.size) == 0);
        return 0;
}
