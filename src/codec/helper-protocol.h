/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* codec/helper-protocol.h: the packets between musterd and muster-helper, one question or one answer each,
 * little-endian. A question may bring the pidfd of the leader; the answer about a root brings the directory.
 *
 * Question, 40 bytes: u32 "MHQ1", u8 kind, u8 flags, u16 0, u64 number, i32 pid, i32 signal, u64 id, u64 start.
 * Answer, 24 bytes and a body: u32 "MHA1", u8 kind, u8 0, u16 0, u64 number, i32 error (0 or -errno), u32 count.
 *   addresses: count times { u32 interface, u32 family, 16 bytes }, IPv4 in the first four, the rest 0
 *   os-release: count times a NUL-terminated KEY=value, printable UTF-8
 *   both: i32 error of the addresses, i32 error of os-release, u32 their count, u32 0; then count addresses, and the strings
 *   anything that failed, killing, and a root: no body, count 0
 * The helper has looked at hostile things: an answer is refused as a whole when any byte of it is not as said here. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "core/ports.h"

#define HELPER_QUESTION_SIZE ((size_t) 44)
#define HELPER_ANSWER_MAX ((size_t) 66 * 1024) /* bytes; fits into any socket buffer */
#define HELPER_ADDRESSES_MAX 2000
#define HELPER_STRINGS_MAX 128

enum helper_kind {
        HELPER_ADDRESSES = 1,
        HELPER_OS_RELEASE,
        HELPER_KILL_TREE,
        HELPER_OPEN_ROOT,
        HELPER_BOTH, /* addresses and os-release */
        _HELPER_KIND_MAX,
};
enum helper_flags { HELPER_HOST = 1 << 0 /* about the machine we run on: no process */ };

struct helper_question {
        enum helper_kind kind;
        uint8_t flags;
        int signal; /* HELPER_KILL_TREE only, else 0 */
        uid_t uid;  /* likewise: only processes that are wholly this user's, or in user namespaces of his; 0: all */
        uint64_t number;
        pid_t pid;   /* 0 with HELPER_HOST */
        uint64_t id; /* of struct pidref; both may be 0 when the pidfd travels along */
        uint64_t start;
};

/* Room for any answer; the strings point into the packet it was decoded from. */
struct helper_answer {
        enum helper_kind kind;
        uint64_t number;
        int error;
        int addresses_error, os_release_error; /* HELPER_BOTH only, else 0: of each half */
        size_t n_addresses;
        struct address addresses[HELPER_ADDRESSES_MAX];
        size_t n_strings;
        char *strings[HELPER_STRINGS_MAX + 1]; /* NULL-terminated */
};

void helper_question_encode(const struct helper_question *q, uint8_t ret[static HELPER_QUESTION_SIZE]);
/* -EBADMSG; *ret is untouched then. */
int helper_question_decode(const uint8_t *data, size_t size, struct helper_question *ret);

/* Fills out (HELPER_ANSWER_MAX bytes) from error, else from what the kind calls for. What does not fit gives -EMSGSIZE,
 * which cannot happen within HELPER_ADDRESSES_MAX or a text of 16 KiB. */
int helper_answer_encode(const struct helper_answer *a, uint8_t *out, size_t *ret_size);
/* data is borrowed by ret->strings. -EBADMSG: not an answer; ret is in no defined state then. */
int helper_answer_decode(uint8_t *data, size_t size, struct helper_answer *ret);

/* May "key=value" go into an answer? The key is a shell name, the value UTF-8 without control characters. */
bool helper_string_is_valid(const char *s, size_t size);
