/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster/log-read.h: the records of a machine's console log, from its oldest file to its youngest, and on as they come. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/auto.h"
#include "codec/console-log.h"

/* From when to when records are wanted, in microseconds since 1970. */
struct log_span {
        uint64_t since_usec, until_usec; /* 0 and UINT64_MAX: no limit */
};

struct log_reader; /* opaque */
struct options;

/* -ENOENT: there is no log. -EACCES and others: as the kernel has it. machine is a valid name. */
int log_reader_open(const char *directory, const char *machine, struct log_reader **ret);
/* The same for who may not open them: the registry is asked, now and for each that comes later. -EACCES: it refuses; -EHOSTDOWN: there
 * is none. o is borrowed. */
int log_reader_ask(const struct options *o, const char *machine, struct log_reader **ret);
void log_reader_free(struct log_reader *r);
DEFINE_AUTO(struct log_reader *, log_reader_free)

/* 1: the next record; its text is valid until the next call. 0: there is none, yet. Negative errno. What is no record is left
 * out and counted. */
int log_reader_next(struct log_reader *r, struct console_record *ret);
uint64_t log_reader_skipped(const struct log_reader *r);
/* From the beginning again. */
int log_reader_rewind(struct log_reader *r);
/* Finds files that have been made since. 1: some are gone that had not been read. */
int log_reader_renew(struct log_reader *r);
