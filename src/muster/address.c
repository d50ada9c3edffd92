/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster/address.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

void address_text(const struct machine_view *v, const struct view_address *a, char ret[static ADDRESS_TEXT_MAX]) {
        if (!inet_ntop(a->family, a->bytes, ret, ADDRESS_TEXT_MAX))
                strcpy(ret, "?");
        /* fe80::/10; the host reaches it only through its own end of the link */
        if (a->family == VIEW_INET6 && a->bytes[0] == 0xfe && (a->bytes[1] & 0xc0) == 0x80 && v->n_ifindices == 1) {
                size_t n = strlen(ret);

                snprintf(ret + n, ADDRESS_TEXT_MAX - n, "%%%d", (int) v->ifindices[0]);
        }
}
