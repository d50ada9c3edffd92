/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Facts that nobody asked a host for, so that a plan is the same wherever it is tested. */
#pragma once

#include "plan/facts.h"
#include "spec/spec.h"

struct invented {
        struct facts facts;
        char strings[16][64]; /* what facts only borrows */
        size_t n_strings;
};

/* Lines "KEY VALUE..."; "like NAME" takes over one of the sets below. Aborts on what it does not know: it is our own text. */
void invent(const char *text, struct invented *ret);
/* What depends on the wish: the contents of credentials, the chosen range of ids. Behind invent(). */
void invent_for(const struct spec *spec, struct invented *i);
void invented_done(struct invented *i);

/* The names of the sets; NULL at the end. */
extern const char *const invented_sets[];
