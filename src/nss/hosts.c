/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Host names: a machine's name is its address. Most names that programs look up are no machines: those cost one openat(2).
 *
 * Addresses come from where systemd-resolved asks for them, too, which answers everybody. List knows them as well, but tells
 * only those who may look into machines; it is asked where there is no resolve hook. */
#include <sys/socket.h>

#include "nss/ask.h"
#include "nss/machine-hosts.h"
#include "nss/records.h"
#include "nss/reply.h"

#define DNS_A 1
#define DNS_AAAA 28

/* ---- asking ---- */

static void put_question(struct text *t, const char *name, unsigned type, bool first) {
        text_put(t, first ? "{\"key\":{\"class\":1,\"type\":" : ",{\"key\":{\"class\":1,\"type\":");
        text_put_number(t, type);
        text_put(t, ",\"name\":\"");
        text_put(t, name);
        text_put(t, "\"}}");
}

int machine_addresses(const char *name, int family, int64_t deadline, struct answer *ret) {
        struct text question = { .size = 0 };
        int r;

        text_put(&question, "{\"method\":\"io.systemd.Resolve.Hook.ResolveRecord\",\"parameters\":{\"question\":[");
        if (family != AF_INET6)
                put_question(&question, name, DNS_A, true);
        if (family != AF_INET)
                put_question(&question, name, DNS_AAAA, family == AF_INET6);
        text_put(&question, "]}}");
        r = ask(ASK_RESOLVE_SOCKET, question.data, deadline, ret);
        if (r != -ENOENT && r != -EACCES)
                return r;
        question.size = 0;
        text_put(&question, "{\"method\":\"io.systemd.Machine.List\",\"parameters\":{\"name\":\"");
        text_put(&question, name);
        text_put(&question, "\",\"acquireMetadata\":\"graceful\"}}");
        return ask(ASK_MACHINE_SOCKET, question.data, deadline, ret);
}

/* A hostent, which has one family, cannot tell the interface that a link-local address is on, and it is of no use without. */
static bool is_wanted(const struct nss_address *a, int family) {
        return family == AF_UNSPEC ||
               (a->family == family && !(family == AF_INET6 && nss_address_is_link_local(family, a->bytes)));
}

/* family: AF_UNSPEC for both. *ret_scope: the interface of the host that link-local addresses are on; 0: not known. */
static struct outcome look_up(const char *name, int family, struct nss_addresses *ret, uint32_t *ret_scope) {
        struct record_scan record;
        struct answer answer;
        unsigned n = 0;
        int r = record_read(name, &record);

        if (r < 0 || !record_is_heard(&record))
                return OUTCOME_NOT_FOUND;
        r = machine_addresses(name, family, ask_now_msec() + ASK_TIMEOUT_MSEC, &answer);
        if (r < 0)
                return outcome_of_failure(r);
        if (answer.kind == ANSWER_FAILURE)
                return outcome_of_failure(-EIO);
        *ret = answer.addresses;
        for (unsigned i = 0; i < ret->n; i++)
                if (is_wanted(ret->entries + i, family))
                        ret->entries[n++] = ret->entries[i];
        ret->n = n;
        *ret_scope = record.n_interfaces == 1 ? record.interfaces[0] : 0;
        return n > 0 ? OUTCOME_SUCCESS : OUTCOME_NO_ADDRESS;
}

/* ---- answers in libc's words ---- */

static struct outcome fill_tuples(const char *name, const struct nss_addresses *a, uint32_t scope, struct arena *arena,
                                  struct gaih_addrtuple **tuples) {
        struct gaih_addrtuple *all;
        char *copy;

        all = arena_take(arena, a->n * sizeof(*all), _Alignof(struct gaih_addrtuple));
        copy = arena_copy(arena, name);
        if (!all || !copy)
                return OUTCOME_TOO_SMALL;
        for (unsigned i = 0; i < a->n; i++) {
                const struct nss_address *from = a->entries + i;

                all[i] = (struct gaih_addrtuple){ .next = i + 1 < a->n ? all + i + 1 : NULL,
                                                  .name = copy,
                                                  .family = from->family };
                memcpy(all[i].addr, from->bytes, nss_address_size(from->family));
                if (from->family == AF_INET6 && nss_address_is_link_local(from->family, from->bytes))
                        all[i].scopeid = scope;
        }
        if (*tuples) /* libc brings the first one itself */
                **tuples = all[0];
        else
                *tuples = all;
        return OUTCOME_SUCCESS;
}

static struct outcome fill_host(const char *name, int family, const struct nss_addresses *a, struct arena *arena,
                                struct hostent *ret) {
        const size_t size = nss_address_size(family);
        char **list = arena_take(arena, (a->n + 1) * sizeof(char *), _Alignof(char *)),
             **aliases = arena_take(arena, sizeof(char *), _Alignof(char *)),
             *bytes = arena_take(arena, a->n * size, 4), *copy = arena_copy(arena, name);

        if (!list || !aliases || !bytes || !copy)
                return OUTCOME_TOO_SMALL;
        for (unsigned i = 0; i < a->n; i++) {
                list[i] = bytes + i * size;
                memcpy(list[i], a->entries[i].bytes, size);
        }
        list[a->n] = NULL;
        aliases[0] = NULL;
        *ret = (struct hostent){
                .h_name = copy, .h_aliases = aliases, .h_addrtype = family, .h_length = (int) size, .h_addr_list = list
        };
        return OUTCOME_SUCCESS;
}

/* ---- what libc calls ---- */

NSS_EXPORT enum nss_status _nss_mymachines_gethostbyname4_r(const char *name, struct gaih_addrtuple **tuples,
                                                            char *buffer, size_t size, int *errnop, int *host_errnop,
                                                            int32_t *ttl);
NSS_EXPORT enum nss_status _nss_mymachines_gethostbyname3_r(const char *name, int family, struct hostent *host,
                                                            char *buffer, size_t size, int *errnop, int *host_errnop,
                                                            int32_t *ttl, char **canonical);
NSS_EXPORT enum nss_status _nss_mymachines_gethostbyname2_r(const char *name, int family, struct hostent *host,
                                                            char *buffer, size_t size, int *errnop, int *host_errnop);
NSS_EXPORT enum nss_status _nss_mymachines_gethostbyname_r(const char *name, struct hostent *host, char *buffer,
                                                           size_t size, int *errnop, int *host_errnop);
NSS_EXPORT enum nss_status _nss_mymachines_gethostbyaddr2_r(const void *bytes, socklen_t n_bytes, int family,
                                                            struct hostent *host, char *buffer, size_t size,
                                                            int *errnop, int *host_errnop, int32_t *ttl);
NSS_EXPORT enum nss_status _nss_mymachines_gethostbyaddr_r(const void *bytes, socklen_t n_bytes, int family,
                                                           struct hostent *host, char *buffer, size_t size, int *errnop,
                                                           int *host_errnop);

enum nss_status _nss_mymachines_gethostbyname4_r(const char *name, struct gaih_addrtuple **tuples, char *buffer,
                                                 size_t size, int *errnop, int *host_errnop, int32_t *ttl) {
        struct arena arena = { buffer, size };
        struct nss_addresses addresses;
        const struct call call = call_begin();
        struct outcome o;
        uint32_t scope;

        o = look_up(name, AF_UNSPEC, &addresses, &scope);
        if (o.status == NSS_STATUS_SUCCESS)
                o = fill_tuples(name, &addresses, scope, &arena, tuples);
        if (o.status == NSS_STATUS_SUCCESS && ttl)
                *ttl = 0;
        return call_end(&call, o, errnop, host_errnop);
}

enum nss_status _nss_mymachines_gethostbyname3_r(const char *name, int family, struct hostent *host, char *buffer,
                                                 size_t size, int *errnop, int *host_errnop, int32_t *ttl,
                                                 char **canonical) {
        struct arena arena = { buffer, size };
        struct nss_addresses addresses;
        const struct call call = call_begin();
        struct outcome o;
        uint32_t scope;

        if (family == AF_UNSPEC)
                family = AF_INET;
        if (family != AF_INET && family != AF_INET6)
                return call_end(&call, OUTCOME_NO_FAMILY, errnop, host_errnop);
        o = look_up(name, family, &addresses, &scope);
        if (o.status == NSS_STATUS_SUCCESS)
                o = fill_host(name, family, &addresses, &arena, host);
        if (o.status == NSS_STATUS_SUCCESS) {
                if (ttl)
                        *ttl = 0;
                if (canonical)
                        *canonical = host->h_name;
        }
        return call_end(&call, o, errnop, host_errnop);
}

enum nss_status _nss_mymachines_gethostbyname2_r(const char *name, int family, struct hostent *host, char *buffer,
                                                 size_t size, int *errnop, int *host_errnop) {
        return _nss_mymachines_gethostbyname3_r(name, family, host, buffer, size, errnop, host_errnop, NULL, NULL);
}

enum nss_status _nss_mymachines_gethostbyname_r(const char *name, struct hostent *host, char *buffer, size_t size,
                                                int *errnop, int *host_errnop) {
        return _nss_mymachines_gethostbyname3_r(name, AF_INET, host, buffer, size, errnop, host_errnop, NULL, NULL);
}

enum nss_status _nss_mymachines_gethostbyaddr2_r(const void *bytes, socklen_t n_bytes, int family, struct hostent *host,
                                                 char *buffer, size_t size, int *errnop, int *host_errnop,
                                                 int32_t *ttl) {
        struct nss_addresses only = { .n = 1 };
        struct arena arena = { buffer, size };
        const struct call call = call_begin();
        char name[ANSWER_NAME_MAX + 1];
        struct outcome o;
        int r;

        if ((family != AF_INET && family != AF_INET6) || n_bytes != nss_address_size(family))
                return call_end(&call, OUTCOME_NO_FAMILY, errnop, host_errnop);
        only.entries[0].family = family;
        memcpy(only.entries[0].bytes, bytes, n_bytes);
        r = machine_of_address(&only.entries[0], ask_now_msec() + ASK_TIMEOUT_MSEC, name);
        o = r == -ENOENT ? OUTCOME_NOT_FOUND : r < 0 ? outcome_of_failure(r) : OUTCOME_SUCCESS;
        if (r >= 0)
                o = fill_host(name, family, &only, &arena, host);
        if (o.status == NSS_STATUS_SUCCESS && ttl)
                *ttl = 0;
        return call_end(&call, o, errnop, host_errnop);
}

enum nss_status _nss_mymachines_gethostbyaddr_r(const void *bytes, socklen_t n_bytes, int family, struct hostent *host,
                                                char *buffer, size_t size, int *errnop, int *host_errnop) {
        return _nss_mymachines_gethostbyaddr2_r(bytes, n_bytes, family, host, buffer, size, errnop, host_errnop, NULL);
}
