/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* nss/reply.h: what an NSS function hands back to libc: its status and two errors, and texts in the buffer of the caller. */
#pragma once

#include <errno.h>
#include <netdb.h>
#include <nss.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define NSS_EXPORT __attribute__((visibility("default")))

struct outcome {
        enum nss_status status;
        int error;      /* for *errnop */
        int host_error; /* for *h_errnop; users and groups have none */
};

#define OUTCOME_SUCCESS ((struct outcome){ NSS_STATUS_SUCCESS, 0, NETDB_SUCCESS })
#define OUTCOME_NOT_FOUND ((struct outcome){ NSS_STATUS_NOTFOUND, ENOENT, HOST_NOT_FOUND })
#define OUTCOME_NO_FAMILY ((struct outcome){ NSS_STATUS_UNAVAIL, EAFNOSUPPORT, NO_DATA })
#define OUTCOME_NO_ADDRESS ((struct outcome){ NSS_STATUS_NOTFOUND, ENOENT, NO_DATA })
/* The buffer is too small: libc comes again with a larger one. */
#define OUTCOME_TOO_SMALL ((struct outcome){ NSS_STATUS_TRYAGAIN, ERANGE, NETDB_INTERNAL })

/* The registry could not be asked; r: what ask() returned. */
static inline struct outcome outcome_of_failure(int r) {
        if (r == -ETIMEDOUT)
                return (struct outcome){ NSS_STATUS_TRYAGAIN, EAGAIN, TRY_AGAIN };
        return (struct outcome){ NSS_STATUS_UNAVAIL, -r, NO_RECOVERY };
}

struct arena {
        char *data;
        size_t left;
};

/* size bytes, aligned; NULL: they do not fit. */
static inline void *arena_take(struct arena *a, size_t size, size_t alignment) {
        size_t skip = (alignment - (uintptr_t) a->data % alignment) % alignment;
        char *data = a->data + skip;

        if (skip > a->left || size > a->left - skip)
                return NULL;
        a->data += skip + size;
        a->left -= skip + size;
        return data;
}

static inline char *arena_copy(struct arena *a, const char *s) {
        size_t size = strlen(s) + 1;
        char *copy = arena_take(a, size, 1);

        return copy ? memcpy(copy, s, size) : NULL;
}

/* What the thread is to find as it was: its errno, unless there is something to tell; and whether it may be cancelled, which it
 * must not be while a descriptor is open. */
struct call {
        int error, cancel_state;
};

static inline struct call call_begin(void) {
        struct call c = { .error = errno };

        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &c.cancel_state);
        return c;
}

static inline enum nss_status call_end(const struct call *c, struct outcome o, int *errnop, int *host_errnop) {
        pthread_setcancelstate(c->cancel_state, NULL);
        errno = c->error;
        if (o.status != NSS_STATUS_SUCCESS && errnop) /* libc's errno, as a rule */
                *errnop = o.error;
        if (host_errnop)
                *host_errnop = o.host_error;
        return o.status;
}
