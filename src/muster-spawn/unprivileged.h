/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* muster-spawn/unprivileged.h: a start by somebody who is not root. */
#pragma once

#include "spec/spec.h"

/* Nothing for who may mount. Anybody else goes on in a user namespace and a mount namespace of his own, in which he is root: with the
 * range of user numbers that subuid(5) grants him (newuidmap(1) sets it up), or with his own number alone. spec->users_mode becomes
 * USERS_NO, for this is the container's user namespace. Says what it costs. Negative errno, logged. */
int unprivileged_enter(struct spec *spec);
