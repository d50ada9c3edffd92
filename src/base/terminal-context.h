/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/terminal-context.h: what a terminal is told of who writes to it. A record of context, that terminals may show or keep (OSC 3008,
 * the UAPI Group's "Hierarchical Context Signalling"; others ignore it), and a title (xterm's control sequences). */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#define TERMINAL_CONTEXT_MAX 1024

/* Each may be NULL but id, which is printable and at most 64 bytes long. They are made harmless: they may hold anything. */
struct terminal_context {
        const char *id;
        const char *user, *hostname, *machine_id, *boot_id, *program; /* who writes, and where */
        unsigned long pid;
        const char *container; /* what is written from now on comes from there */
};

/* To be written before, and after; with a title the terminal also gets a title of its own, and a soft reset at the end, which takes colours and
 * some modes back. NUL-terminated; their lengths; 0, and an empty text: there is no room. */
size_t terminal_context_begin(const struct terminal_context *c, bool title, char *buffer, size_t size);
size_t terminal_context_end(const struct terminal_context *c, bool title, char *buffer, size_t size);
