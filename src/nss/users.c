/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Users and groups of containers: number N of the container M is vu-M-N, and vg-M-N. libnss-systemd tells the same where it is
 * installed and the registry serves io.systemd.UserDatabase; here it works without. What no container can have (an id below
 * 65536, a name without that prefix or without a record) costs no question. */
#include <grp.h>
#include <pwd.h>

#include "nss/ask.h"
#include "nss/records.h"
#include "nss/reply.h"

#define CONTAINER_IDS_MIN 65536
#define NAME_MAX_BYTES 31 /* of a user's name, as shadow-utils have it */
#define SILENCE_MSEC 5000

enum kind { USER, GROUP };

/* What the four functions want to know. */
struct identity {
        char name[NAME_MAX_BYTES + 1];
        char machine[NAME_MAX_BYTES + 1];
        uint32_t outer, inner;
};

/* `ls -l` may ask for many users, one after the other: when one answer took too long, none is waited for a while. */
static int64_t silent_until;

static int ask_registry(const char *question, struct answer *ret) {
        const int64_t now = ask_now_msec();
        int r;

        if (now < __atomic_load_n(&silent_until, __ATOMIC_RELAXED))
                return -ETIMEDOUT;
        r = ask(ASK_MACHINE_SOCKET, question, now + ASK_TIMEOUT_MSEC, ret);
        if (r == -ETIMEDOUT)
                __atomic_store_n(&silent_until, ask_now_msec() + SILENCE_MSEC, __ATOMIC_RELAXED);
        return r;
}

static struct outcome outcome_of(int r, const struct answer *answer) {
        if (r == -ENOENT) /* without registry there are no users of machines */
                return OUTCOME_NOT_FOUND;
        if (r < 0)
                return outcome_of_failure(r);
        if (answer->kind == ANSWER_FAILURE)
                return outcome_of_failure(-EIO);
        return answer->kind == ANSWER_NO ? OUTCOME_NOT_FOUND : OUTCOME_SUCCESS;
}

static const char *member(enum kind kind) {
        return kind == USER ? "\"uid\":" : "\"gid\":";
}

static bool id_of(const struct answer *answer, enum kind kind, uint32_t *ret) {
        *ret = kind == USER ? answer->uid : answer->gid;
        return kind == USER ? answer->has_uid : answer->has_gid;
}

/* Machines whose names have a dot, or are too long, have no users by name. */
static bool make_name(enum kind kind, struct identity *i) {
        struct text t = { .size = 0 };

        text_put(&t, kind == USER ? "vu-" : "vg-");
        text_put(&t, i->machine);
        text_put(&t, "-");
        text_put_number(&t, i->inner);
        if (t.size > NAME_MAX_BYTES || strchr(t.data, '.'))
                return false;
        memcpy(i->name, t.data, t.size + 1);
        return true;
}

static struct outcome by_id(enum kind kind, uint32_t id, struct identity *ret) {
        struct text question = { .size = 0 };
        struct answer answer;
        struct outcome o;

        if (id < CONTAINER_IDS_MIN || id == UINT32_MAX)
                return OUTCOME_NOT_FOUND;
        text_put(&question, "{\"method\":\"io.systemd.Machine.MapTo\",\"parameters\":{");
        text_put(&question, member(kind));
        text_put_number(&question, id);
        text_put(&question, "}}");
        o = outcome_of(ask_registry(question.data, &answer), &answer);
        if (o.status != NSS_STATUS_SUCCESS)
                return o;
        if (!id_of(&answer, kind, &ret->inner) || !machine_name_is_plausible(answer.machine))
                return outcome_of_failure(-EBADMSG);
        if (strlen(answer.machine) > NAME_MAX_BYTES)
                return OUTCOME_NOT_FOUND;
        strcpy(ret->machine, answer.machine);
        ret->outer = id;
        return make_name(kind, ret) ? OUTCOME_SUCCESS : OUTCOME_NOT_FOUND;
}

/* "vu-web-5": the last '-' splits. False: it is none of ours, as others would write it. */
static bool split_name(enum kind kind, const char *name, struct identity *ret) {
        const char *rest, *dash;
        size_t n;

        if (strncmp(name, kind == USER ? "vu-" : "vg-", 3) != 0 || strlen(name) > NAME_MAX_BYTES)
                return false;
        rest = name + 3;
        dash = strrchr(rest, '-');
        if (!dash || json_scan_number(dash + 1, UINT32_MAX - 1, &ret->inner) < 0)
                return false;
        n = (size_t) (dash - rest);
        memcpy(ret->machine, rest, n);
        ret->machine[n] = '\0';
        return machine_name_is_plausible(ret->machine) && make_name(kind, ret) && strcmp(ret->name, name) == 0;
}

static struct outcome by_name(enum kind kind, const char *name, struct identity *ret) {
        struct text question = { .size = 0 };
        struct record_scan record;
        struct answer answer;
        struct outcome o;

        if (!split_name(kind, name, ret) || record_read(ret->machine, &record) < 0 || !record.container)
                return OUTCOME_NOT_FOUND;
        text_put(&question, "{\"method\":\"io.systemd.Machine.MapFrom\",\"parameters\":{\"name\":\"");
        text_put(&question, ret->machine);
        text_put(&question, "\",");
        text_put(&question, member(kind));
        text_put_number(&question, ret->inner);
        text_put(&question, "}}");
        o = outcome_of(ask_registry(question.data, &answer), &answer);
        if (o.status != NSS_STATUS_SUCCESS)
                return o;
        if (!id_of(&answer, kind, &ret->outer))
                return outcome_of_failure(-EBADMSG);
        /* A container without user namespace has the users of the host; vu-web-0 must be no other name of root. */
        return ret->outer >= CONTAINER_IDS_MIN ? OUTCOME_SUCCESS : OUTCOME_NOT_FOUND;
}

/* ---- answers in libc's words ---- */

/* "UID 5 of Container web" */
static char *describe(const struct identity *i, struct arena *arena) {
        struct text t = { .size = 0 };

        text_put(&t, "UID ");
        text_put_number(&t, i->inner);
        text_put(&t, " of Container ");
        text_put(&t, i->machine);
        return arena_copy(arena, t.data);
}

static struct outcome fill_user(const struct identity *i, struct arena *arena, struct passwd *ret) {
        const struct passwd p = { .pw_name = arena_copy(arena, i->name),
                                  .pw_passwd = arena_copy(arena, "x"), /* there is no shadow entry: locked */
                                  .pw_uid = i->outer,
                                  .pw_gid = 65534,
                                  .pw_gecos = describe(i, arena),
                                  .pw_dir = arena_copy(arena, "/"),
                                  .pw_shell = arena_copy(arena, "/usr/sbin/nologin") };

        if (!p.pw_name || !p.pw_passwd || !p.pw_gecos || !p.pw_dir || !p.pw_shell)
                return OUTCOME_TOO_SMALL;
        *ret = p;
        return OUTCOME_SUCCESS;
}

static struct outcome fill_group(const struct identity *i, struct arena *arena, struct group *ret) {
        const struct group g = { .gr_name = arena_copy(arena, i->name),
                                 .gr_passwd = arena_copy(arena, "x"),
                                 .gr_gid = i->outer,
                                 .gr_mem = arena_take(arena, sizeof(char *), _Alignof(char *)) };

        if (!g.gr_name || !g.gr_passwd || !g.gr_mem)
                return OUTCOME_TOO_SMALL;
        g.gr_mem[0] = NULL;
        *ret = g;
        return OUTCOME_SUCCESS;
}

/* ---- what libc calls ---- */

NSS_EXPORT enum nss_status _nss_mymachines_getpwnam_r(const char *name, struct passwd *ret, char *buffer, size_t size,
                                                      int *errnop);
NSS_EXPORT enum nss_status _nss_mymachines_getpwuid_r(uid_t uid, struct passwd *ret, char *buffer, size_t size,
                                                      int *errnop);
NSS_EXPORT enum nss_status _nss_mymachines_getgrnam_r(const char *name, struct group *ret, char *buffer, size_t size,
                                                      int *errnop);
NSS_EXPORT enum nss_status _nss_mymachines_getgrgid_r(gid_t gid, struct group *ret, char *buffer, size_t size,
                                                      int *errnop);

enum nss_status _nss_mymachines_getpwnam_r(const char *name, struct passwd *ret, char *buffer, size_t size,
                                           int *errnop) {
        struct arena arena = { buffer, size };
        const struct call call = call_begin();
        struct identity i;
        struct outcome o = by_name(USER, name, &i);

        if (o.status == NSS_STATUS_SUCCESS)
                o = fill_user(&i, &arena, ret);
        return call_end(&call, o, errnop, NULL);
}

enum nss_status _nss_mymachines_getpwuid_r(uid_t uid, struct passwd *ret, char *buffer, size_t size, int *errnop) {
        struct arena arena = { buffer, size };
        const struct call call = call_begin();
        struct identity i;
        struct outcome o = by_id(USER, uid, &i);

        if (o.status == NSS_STATUS_SUCCESS)
                o = fill_user(&i, &arena, ret);
        return call_end(&call, o, errnop, NULL);
}

enum nss_status _nss_mymachines_getgrnam_r(const char *name, struct group *ret, char *buffer, size_t size,
                                           int *errnop) {
        struct arena arena = { buffer, size };
        const struct call call = call_begin();
        struct identity i;
        struct outcome o = by_name(GROUP, name, &i);

        if (o.status == NSS_STATUS_SUCCESS)
                o = fill_group(&i, &arena, ret);
        return call_end(&call, o, errnop, NULL);
}

enum nss_status _nss_mymachines_getgrgid_r(gid_t gid, struct group *ret, char *buffer, size_t size, int *errnop) {
        struct arena arena = { buffer, size };
        const struct call call = call_begin();
        struct identity i;
        struct outcome o = by_id(GROUP, gid, &i);

        if (o.status == NSS_STATUS_SUCCESS)
                o = fill_group(&i, &arena, ret);
        return call_end(&call, o, errnop, NULL);
}
