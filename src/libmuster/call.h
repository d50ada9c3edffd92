/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* libmuster/call.h: one question to the registry, and what its errors are in numbers. */
#pragma once

#include "base/str.h"
#include "client/varlink-client.h"
#include "codec/json-text.h"
#include "codec/varlink-answer.h"

#define RUN_DIRECTORY "/run"
#define EXPORT __attribute__((visibility("default")))

/* The method's parameters, being written. */
struct call {
        struct buf text;
        struct json_text json;
};

void call_begin(struct call *c);
void call_done(struct call *c);
#define AUTO_CALL __attribute__((cleanup(call_done)))

/* Ends the parameters; they are NUL-terminated then. -ENOMEM. */
int call_end(struct call *c);
/* Sends it and waits for the reply; errors of the registry become ours. *ret may be NULL. */
int call_registry(struct call *c, const char *method, struct varlink_answer *ret);

/* -EINVAL unless it is a machine's name. */
int check_name(const char *name);
/* 0 for a success, else a negative errno. */
int answer_errno(const struct varlink_answer *answer);
