/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nss/answer.h: what a look-up takes from one reply of the registry, whichever of its methods was asked. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "nss/addresses.h"
#include "nss/json-scan.h"

#define ANSWER_SIZE_MAX (1024 * 1024) /* bytes of a reply */
#define ANSWER_NAME_MAX 64

enum answer_kind {
        ANSWER_FINE,
        ANSWER_NO,      /* an error of io.systemd.Machine: there is no such thing */
        ANSWER_FAILURE, /* another error */
};

struct answer {
        enum answer_kind kind;
        bool has_uid, has_gid;
        uint32_t uid, gid;
        char machine[ANSWER_NAME_MAX + 1]; /* "": not told */
        struct nss_addresses addresses;
        /* while it arrives */
        struct json_scan scan;
        size_t size;
        bool is_object, is_bad;
        unsigned n_bytes; /* of the address that is being read; 17: too many, or no bytes */
        uint8_t bytes[16];
};

void answer_init(struct answer *a);
/* 1: that was all of it. 0: there is more to come. -EBADMSG: it makes no sense. -EMSGSIZE. */
int answer_feed(struct answer *a, const char *data, size_t size);
