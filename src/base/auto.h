/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* base/auto.h: scope-bound clean-up: whoever declares a local owns it until it is stolen. */
#pragma once

#include <stdlib.h>
#include <unistd.h>

#define AUTO(fn) __attribute__((cleanup(fn)))

static inline void auto_free_p(void *p) {
        free(*(void **) p);
}

static inline void auto_close_p(const int *fd) {
        if (*fd >= 0)
                close(*fd);
}

/* A heap pointer freed at the end of the scope. Initialise it at the declaration. */
#define AUTO_FREE AUTO(auto_free_p)

/* A file descriptor closed at the end of the scope; -EBADF means none. */
#define AUTO_CLOSE AUTO(auto_close_p)

/* Take the value out of a local so that its clean-up finds nothing. */
#define STEAL(p)                            \
        ({                                  \
                __typeof__(p) _steal = (p); \
                (p) = NULL;                 \
                _steal;                     \
        })

#define STEAL_FD(fd)                    \
        ({                              \
                int _steal_fd = (fd);   \
                (fd) = -9 /* -EBADF */; \
                _steal_fd;              \
        })

/* Defines NAMEp(), the clean-up function of a pointer type, from its free function. */
#define DEFINE_AUTO(type, free_fn)               \
        static inline void free_fn##p(type *p) { \
                if (*p)                          \
                        free_fn(*p);             \
        }

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
