/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Numbers in a header are octal text, or, with the first bit set, bytes. Whatever is said about a member before its own header wins
 * over that; strings of it are collected one behind the other, and pointers to them made only when no more can come. */
#include "codec/tar.h"

#include <errno.h>
#include <string.h>

enum { /* where in a header, and how long */
       NAME = 0,
       NAME_SIZE = 100,
       MODE = 100,
       UID = 108,
       GID = 116,
       SIZE = 124,
       MTIME = 136,
       CHECKSUM = 148,
       TYPE = 156,
       TARGET = 157,
       TARGET_SIZE = 100,
       MAGIC = 257,
       PREFIX = 345,
       PREFIX_SIZE = 155,
       SHORT_NUMBER = 8,
       LONG_NUMBER = 12,
};

enum { SAID_SIZE = 1 << 0, SAID_UID = 1 << 1, SAID_GID = 1 << 2, SAID_MTIME = 1 << 3 };

#define XATTR_PREFIX "SCHILY.xattr."

static unsigned checksum(const uint8_t *block) {
        unsigned sum = 0;

        for (size_t i = 0; i < TAR_BLOCK; i++)
                sum += i >= CHECKSUM && i < CHECKSUM + SHORT_NUMBER ? ' ' : block[i];
        return sum;
}

/* ---- writing ---- */

/* size - 1 digits and a NUL. False: it does not fit. */
static bool put_octal(uint8_t *p, size_t size, uint64_t value) {
        p[--size] = '\0';
        while (size > 0) {
                p[--size] = (uint8_t) ('0' + (value & 7));
                value >>= 3;
        }
        return value == 0;
}

/* "LENGTH KEY=VALUE\n", where the length is that of all of it, with its own digits. */
static int add_record(struct buf *out, const char *key, const char *more, const void *value, size_t size) {
        size_t rest = strlen(key) + strlen(more) + size + 3, total = rest + 1; /* ' ', '=', newline; a digit */

        for (size_t power = 10, digits = 1; total >= power; power *= 10)
                total = rest + ++digits;
        buf_printf(out, "%zu %s%s=", total, key, more);
        buf_append(out, value, size);
        return buf_append_char(out, '\n');
}

static int add_text(struct buf *out, const char *key, const char *value) {
        return add_record(out, key, "", value, strlen(value));
}

static int add_number(struct buf *out, const char *key, uint64_t value) {
        AUTO_BUF struct buf text = BUF_EMPTY;

        buf_printf(&text, "%llu", (unsigned long long) value);
        return buf_error(&text) ? buf_error(&text) : add_text(out, key, text.data);
}

/* Exactly: the fraction of a time before 1970 counts upwards all the same. */
static int add_mtime(struct buf *out, const struct tar_member *m) {
        AUTO_BUF struct buf text = BUF_EMPTY;
        long long seconds = m->mtime;
        unsigned long nsec = m->mtime_nsec;

        if (seconds < 0 && nsec > 0) {
                seconds++;
                nsec = 1000000000UL - nsec;
        }
        buf_printf(&text, "%s%lld.%09lu", m->mtime < 0 && seconds == 0 ? "-" : "", seconds, nsec);
        return buf_error(&text) ? buf_error(&text) : add_text(out, "mtime", text.data);
}

static char letter_of(enum tar_type type) {
        static const char letters[] = { [TAR_FILE] = '0',      [TAR_HARD_LINK] = '1', [TAR_SYMLINK] = '2',
                                        [TAR_DIRECTORY] = '5', [TAR_FIFO] = '6',      [TAR_OTHER] = '0' };

        return letters[type];
}

/* A plain header; what does not fit is said in `extended`. */
static void fill(const struct tar_member *m, uint8_t *block, struct buf *extended) {
        size_t path = strlen(m->path), target = m->target ? strlen(m->target) : 0;

        memset(block, 0, TAR_BLOCK);
        memcpy(block + NAME, m->path, path < NAME_SIZE ? path : NAME_SIZE);
        if (path > NAME_SIZE)
                add_text(extended, "path", m->path);
        if (target > 0)
                memcpy(block + TARGET, m->target, target < TARGET_SIZE ? target : TARGET_SIZE);
        if (target > TARGET_SIZE)
                add_text(extended, "linkpath", m->target);
        put_octal(block + MODE, SHORT_NUMBER, m->mode & 07777);
        if (!put_octal(block + UID, SHORT_NUMBER, m->uid))
                add_number(extended, "uid", m->uid);
        if (!put_octal(block + GID, SHORT_NUMBER, m->gid))
                add_number(extended, "gid", m->gid);
        if (!put_octal(block + SIZE, LONG_NUMBER, m->size))
                add_number(extended, "size", m->size);
        if (!put_octal(block + MTIME, LONG_NUMBER, m->mtime < 0 ? 0 : (uint64_t) m->mtime) || m->mtime < 0 ||
            m->mtime_nsec > 0)
                add_mtime(extended, m);
        for (size_t i = 0; i < m->n_xattrs; i++)
                add_record(extended, XATTR_PREFIX, m->xattrs[i].name, m->xattrs[i].value, m->xattrs[i].size);
        block[TYPE] = (uint8_t) letter_of(m->type);
}

static int append_header(struct buf *out, uint8_t *block) {
        memcpy(block + MAGIC,
               "ustar\0"
               "00",
               8);
        put_octal(block + CHECKSUM, SHORT_NUMBER - 1, checksum(block));
        block[CHECKSUM + SHORT_NUMBER - 1] = ' ';
        return buf_append(out, block, TAR_BLOCK);
}

static int append_zeros(struct buf *out, size_t n) {
        static const uint8_t zeros[2 * TAR_BLOCK];

        return buf_append(out, zeros, n);
}

int tar_encode(const struct tar_member *m, struct buf *out) {
        AUTO_BUF struct buf extended = BUF_EMPTY;
        uint8_t block[TAR_BLOCK], first[TAR_BLOCK];

        for (size_t i = 0; i < m->n_xattrs; i++)
                if (strchr(m->xattrs[i].name, '='))
                        return -EINVAL;
        fill(m, block, &extended);
        if (buf_error(&extended))
                return buf_error(&extended);
        if (extended.size > TAR_EXTENDED_MAX)
                return -E2BIG;
        if (extended.size > 0) {
                const struct tar_member about = { .path = "@extended", .mode = 0644, .size = extended.size };
                AUTO_BUF struct buf nothing = BUF_EMPTY;

                fill(&about, first, &nothing);
                first[TYPE] = 'x';
                append_header(out, first);
                buf_append(out, extended.data, extended.size);
                append_zeros(out, tar_padding(extended.size));
        }
        return append_header(out, block);
}

int tar_encode_end(struct buf *out) {
        return append_zeros(out, 2 * TAR_BLOCK);
}

/* ---- reading: numbers ---- */

/* With the first bit set: the rest is the number, the highest byte first. */
static int get_binary(const uint8_t *p, size_t size, int64_t *ret) {
        bool negative = p[0] & 0x40;
        uint64_t value = negative ? UINT64_MAX : 0;

        for (size_t i = 0; i < size; i++) {
                uint8_t byte = i == 0 ? (uint8_t) (negative ? p[0] : p[0] & 0x3f) : p[i];

                if (value >> 55 != (negative ? UINT64_MAX >> 55 : 0))
                        return -EBADMSG;
                value = value << 8 | byte;
        }
        *ret = (int64_t) value;
        return (*ret < 0) == negative ? 0 : -EBADMSG;
}

static int get_number(const uint8_t *p, size_t size, int64_t *ret) {
        uint64_t value = 0;
        size_t i = 0;

        if (p[0] & 0x80)
                return get_binary(p, size, ret);
        while (i < size && p[i] == ' ')
                i++;
        for (; i < size && p[i] >= '0' && p[i] <= '7'; i++) {
                if (value >> 60)
                        return -EBADMSG;
                value = value << 3 | (uint64_t) (p[i] - '0');
        }
        if (i < size && p[i] != ' ' && p[i] != '\0')
                return -EBADMSG;
        *ret = (int64_t) value;
        return 0;
}

/* Owners that nobody can have are nobody's. */
static uint32_t to_id(int64_t value) {
        return value < 0 || value >= UINT32_MAX ? UINT32_MAX : (uint32_t) value;
}

static int parse_decimal(const char *s, size_t size, uint64_t *ret) {
        uint64_t value = 0;

        if (size == 0)
                return -EBADMSG;
        for (size_t i = 0; i < size; i++) {
                if (s[i] < '0' || s[i] > '9')
                        return -EBADMSG;
                if (__builtin_mul_overflow(value, 10, &value) ||
                    __builtin_add_overflow(value, (uint64_t) (s[i] - '0'), &value))
                        return -EBADMSG;
        }
        *ret = value;
        return 0;
}

static int parse_time(const char *s, size_t size, int64_t *ret, uint32_t *ret_nsec) {
        bool negative = size > 0 && *s == '-';
        const char *dot = memchr(s, '.', size);
        size_t whole = dot ? (size_t) (dot - s) : size;
        uint64_t seconds;
        uint32_t nsec = 0, unit = 100000000;

        if (parse_decimal(s + negative, whole - negative, &seconds) < 0 || seconds > INT64_MAX / 2)
                return -EBADMSG;
        for (const char *p = dot ? dot + 1 : s + size; p < s + size; p++, unit /= 10) {
                if (*p < '0' || *p > '9')
                        return -EBADMSG;
                nsec += unit * (uint32_t) (*p - '0');
        }
        *ret = negative ? -(int64_t) seconds : (int64_t) seconds;
        *ret_nsec = nsec;
        if (negative && nsec > 0) {
                (*ret)--;
                *ret_nsec = 1000000000U - nsec;
        }
        return 0;
}

/* ---- reading: what is said before a member ---- */

static void forget(struct tar_reader *r) {
        buf_clear(&r->texts);
        r->long_path = r->long_target = 0;
        r->member.n_xattrs = 0;
        r->said = 0;
        r->forget = false;
}

/* Where in texts it is now. */
static int keep(struct tar_reader *r, const char *s, size_t size, size_t *ret_at) {
        *ret_at = r->texts.size;
        if (r->texts.size > TAR_EXTENDED_MAX || size > TAR_EXTENDED_MAX - r->texts.size)
                return -E2BIG;
        buf_append(&r->texts, s, size);
        return buf_append_char(&r->texts, '\0');
}

static int keep_path(struct tar_reader *r, const char *s, size_t size, size_t *ret_at) {
        size_t at = 0;
        int r2;

        if (size == 0 || size > TAR_PATH_MAX || memchr(s, '\0', size))
                return -EBADMSG;
        r2 = keep(r, s, size, &at);
        *ret_at = at + 1;
        return r2;
}

static int keep_xattr(struct tar_reader *r, const char *name, size_t name_size, const char *value, size_t size) {
        size_t n = r->member.n_xattrs;
        int r2;

        if (n >= TAR_XATTRS_MAX)
                return -E2BIG;
        if (name_size == 0 || name_size > 255 || memchr(name, '\0', name_size))
                return -EBADMSG;
        r2 = keep(r, name, name_size, &r->xattr_names[n]);
        if (r2 >= 0)
                r2 = keep(r, value, size, &r->xattr_values[n]);
        if (r2 < 0)
                return r2;
        r->xattrs[n].size = size;
        r->member.n_xattrs++;
        return 0;
}

static bool is_key(const char *key, size_t size, const char *wanted) {
        return size == strlen(wanted) && memcmp(key, wanted, size) == 0;
}

static int take_number(struct tar_reader *r, const char *value, size_t size, uint64_t *ret, unsigned said) {
        r->said |= said;
        return parse_decimal(value, size, ret);
}

static int take_record(struct tar_reader *r, const char *key, size_t key_size, const char *value, size_t size) {
        size_t prefix = strlen(XATTR_PREFIX);

        if (is_key(key, key_size, "path"))
                return keep_path(r, value, size, &r->long_path);
        if (is_key(key, key_size, "linkpath"))
                return keep_path(r, value, size, &r->long_target);
        if (is_key(key, key_size, "size"))
                return take_number(r, value, size, &r->pax_size, SAID_SIZE);
        if (is_key(key, key_size, "uid"))
                return take_number(r, value, size, &r->pax_uid, SAID_UID);
        if (is_key(key, key_size, "gid"))
                return take_number(r, value, size, &r->pax_gid, SAID_GID);
        if (is_key(key, key_size, "mtime")) {
                r->said |= SAID_MTIME;
                return parse_time(value, size, &r->pax_mtime, &r->pax_mtime_nsec);
        }
        if (key_size > prefix && memcmp(key, XATTR_PREFIX, prefix) == 0)
                return keep_xattr(r, key + prefix, key_size - prefix, value, size);
        if (key_size >= 11 && memcmp(key, "GNU.sparse.", 11) == 0)
                return -EOPNOTSUPP;
        return 0;
}

static int take_records(struct tar_reader *r, const char *p, size_t left) {
        while (left > 0) {
                const char *space = memchr(p, ' ', left), *equals;
                uint64_t size;
                int r2;

                if (!space || parse_decimal(p, (size_t) (space - p), &size) < 0 || size > left ||
                    size < (size_t) (space - p) + 3 || p[size - 1] != '\n')
                        return -EBADMSG;
                equals = memchr(space + 1, '=', (size_t) (p + size - 1 - (space + 1)));
                if (!equals)
                        return -EBADMSG;
                r2 = take_record(r, space + 1, (size_t) (equals - space - 1), equals + 1,
                                 (size_t) (p + size - 1 - (equals + 1)));
                if (r2 < 0)
                        return r2;
                p += size;
                left -= size;
        }
        return 0;
}

int tar_reader_extended(struct tar_reader *r, const char *data, size_t size) {
        switch (r->type) {
        case 'L':
                return keep_path(r, data, strnlen(data, size), &r->long_path);
        case 'K':
                return keep_path(r, data, strnlen(data, size), &r->long_target);
        case 'x':
        case 'X':
                return take_records(r, data, size);
        default: /* for all members that follow: nothing of ours */
                return 0;
        }
}

/* ---- reading: headers ---- */

static bool is_zero(const uint8_t *block) {
        for (size_t i = 0; i < TAR_BLOCK; i++)
                if (block[i])
                        return false;
        return true;
}

static int check_header(const uint8_t *block) {
        int64_t sum;

        if (get_number(block + CHECKSUM, SHORT_NUMBER, &sum) < 0 || sum < 0 || (unsigned) sum != checksum(block))
                return -EBADMSG;
        return 0;
}

/* Only ustar has a prefix there: GNU's own format ("ustar ") has times. */
static void get_path(struct tar_reader *r, const uint8_t *block) {
        size_t n = 0, size;

        if (memcmp(block + MAGIC, "ustar", 6) == 0 && block[PREFIX]) {
                n = strnlen((const char *) block + PREFIX, PREFIX_SIZE);
                memcpy(r->path, block + PREFIX, n);
                r->path[n++] = '/';
        }
        size = strnlen((const char *) block + NAME, NAME_SIZE);
        memcpy(r->path + n, block + NAME, size);
        r->path[n + size] = '\0';
        size = strnlen((const char *) block + TARGET, TARGET_SIZE);
        memcpy(r->target, block + TARGET, size);
        r->target[size] = '\0';
}

/* -EOPNOTSUPP: the content of such a member is not what a file would hold. */
static int type_of(char letter, const char *path) {
        switch (letter) {
        case '\0':
        case '0':
        case '7':
                return *path && path[strlen(path) - 1] == '/' ? TAR_DIRECTORY
                                                              : TAR_FILE; /* v7 had no letter for those */
        case '1':
                return TAR_HARD_LINK;
        case '2':
                return TAR_SYMLINK;
        case '3':
        case '4':
                return TAR_OTHER;
        case '5':
                return TAR_DIRECTORY;
        case '6':
                return TAR_FIFO;
        default:
                return -EOPNOTSUPP;
        }
}

static int fill_numbers(struct tar_reader *r, const uint8_t *block) {
        int64_t mode, uid, gid, size, mtime;
        struct tar_member *m = &r->member;

        if (get_number(block + MODE, SHORT_NUMBER, &mode) < 0 || get_number(block + UID, SHORT_NUMBER, &uid) < 0 ||
            get_number(block + GID, SHORT_NUMBER, &gid) < 0 || get_number(block + SIZE, LONG_NUMBER, &size) < 0 ||
            get_number(block + MTIME, LONG_NUMBER, &mtime) < 0 || size < 0)
                return -EBADMSG;
        m->mode = (uint32_t) mode & 07777;
        m->uid = to_id(r->said & SAID_UID ? (int64_t) (r->pax_uid > UINT32_MAX ? UINT32_MAX : r->pax_uid) : uid);
        m->gid = to_id(r->said & SAID_GID ? (int64_t) (r->pax_gid > UINT32_MAX ? UINT32_MAX : r->pax_gid) : gid);
        m->size = r->said & SAID_SIZE ? r->pax_size : (uint64_t) size;
        m->mtime = r->said & SAID_MTIME ? r->pax_mtime : mtime;
        m->mtime_nsec = r->said & SAID_MTIME ? r->pax_mtime_nsec : 0;
        return m->size > INT64_MAX ? -EBADMSG : 0;
}

static int fill_member(struct tar_reader *r, const uint8_t *block) {
        struct tar_member *m = &r->member;
        int type, r2 = fill_numbers(r, block);

        if (r2 < 0)
                return r2;
        m->path = r->long_path ? r->texts.data + r->long_path - 1 : r->path;
        m->target = r->long_target ? r->texts.data + r->long_target - 1 : r->target;
        type = type_of(r->type, m->path);
        if (type < 0)
                return type;
        m->type = (enum tar_type) type;
        if (!*m->path || ((type == TAR_HARD_LINK || type == TAR_SYMLINK) && !*m->target))
                return -EBADMSG;
        if (type != TAR_HARD_LINK && type != TAR_SYMLINK)
                m->target = NULL;
        if (type != TAR_FILE)
                m->size = 0;
        for (size_t i = 0; i < m->n_xattrs; i++) {
                r->xattrs[i].name = r->texts.data + r->xattr_names[i];
                r->xattrs[i].value = r->texts.data + r->xattr_values[i];
        }
        m->xattrs = r->xattrs;
        r->forget = true;
        return TAR_MEMBER;
}

int tar_reader_block(struct tar_reader *r, const uint8_t block[static TAR_BLOCK]) {
        int64_t size;

        if (r->forget)
                forget(r);
        if (is_zero(block))
                return TAR_END;
        if (check_header(block) < 0)
                return -EBADMSG;
        r->type = (char) block[TYPE];
        get_path(r, block);
        if (!r->type || !strchr("xXgLK", r->type))
                return fill_member(r, block);
        if (get_number(block + SIZE, LONG_NUMBER, &size) < 0 || size <= 0)
                return -EBADMSG;
        if ((uint64_t) size > TAR_EXTENDED_MAX)
                return -E2BIG;
        r->size = (size_t) size;
        return TAR_EXTENDED;
}

void tar_reader_done(struct tar_reader *r) {
        buf_done(&r->texts);
}
