/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/siphash.h: SipHash-2-4, a keyed hash of 64 bits (Aumasson and Bernstein, "SipHash: a fast short-input PRF"). */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define SIPHASH_KEY_SIZE 16

/* The result is a number: its bytes, where they are wanted, begin with the lowest. */
uint64_t siphash24(const void *data, size_t size, const uint8_t key[static SIPHASH_KEY_SIZE]);
