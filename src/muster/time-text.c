/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "muster/time-text.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/parse.h"
#include "base/str.h"

#define USEC UINT64_C(1000000)
#define SECONDS_MAX UINT64_C(253402300799) /* 9999-12-31T23:59:59Z */

/* n digits, a number from min to max. */
static bool take_number(const char **s, unsigned n, int min, int max, int *ret) {
        int v = 0;

        for (; n > 0; n--, (*s)++) {
                if (**s < '0' || **s > '9')
                        return false;
                v = v * 10 + (**s - '0');
        }
        *ret = v;
        return v >= min && v <= max;
}

static bool take(const char **s, char c) {
        if (**s != c)
                return false;
        (*s)++;
        return true;
}

static bool take_date(const char **s, struct tm *t) {
        int year, month;

        if (!take_number(s, 4, 1970, 9999, &year) || !take(s, '-') || !take_number(s, 2, 1, 12, &month) ||
            !take(s, '-') || !take_number(s, 2, 1, 31, &t->tm_mday))
                return false;
        t->tm_year = year - 1900;
        t->tm_mon = month - 1;
        return true;
}

static bool take_time(const char **s, struct tm *t) {
        if (!take_number(s, 2, 0, 23, &t->tm_hour) || !take(s, ':') || !take_number(s, 2, 0, 59, &t->tm_min))
                return false;
        return !take(s, ':') || take_number(s, 2, 0, 59, &t->tm_sec);
}

static int from_fields(const struct tm *fields, bool utc, uint64_t *ret) {
        struct tm t = *fields;
        time_t seconds;

        t.tm_isdst = -1;
        seconds = utc ? timegm(&t) : mktime(&t);
        /* Both make the 2nd of March of the 30th of February. An hour that the change to summer time leaves out is taken for the
         * one that is there. */
        if (seconds < 0 || (uint64_t) seconds > SECONDS_MAX || t.tm_mday != fields->tm_mday)
                return -EINVAL;
        *ret = (uint64_t) seconds * USEC;
        return 0;
}

static int parse_calendar(const char *s, const struct tm *today, uint64_t *ret) {
        struct tm t = { .tm_year = today->tm_year, .tm_mon = today->tm_mon, .tm_mday = today->tm_mday };
        bool dated = strlen(s) > 4 && s[4] == '-', utc;

        if (dated && !take_date(&s, &t))
                return -EINVAL;
        if ((!dated || take(&s, ' ') || take(&s, 'T')) && !take_time(&s, &t))
                return -EINVAL;
        utc = dated && take(&s, 'Z');
        return *s ? -EINVAL : from_fields(&t, utc, ret);
}

static int parse_seconds(const char *s, uint64_t *ret) {
        uint64_t seconds;

        if (parse_u64(s, &seconds) < 0 || seconds > SECONDS_MAX)
                return -EINVAL;
        *ret = seconds * USEC;
        return 0;
}

static int parse_ago(const char *s, uint64_t now_usec, uint64_t *ret) {
        uint64_t span;

        if (parse_usec(s, &span) < 0)
                return -EINVAL;
        *ret = span < now_usec ? now_usec - span : 0;
        return 0;
}

int time_text_parse(const char *s, uint64_t now_usec, uint64_t *ret) {
        time_t now = (time_t) (now_usec / USEC);
        struct tm today;

        if (*s == '@')
                return parse_seconds(s + 1, ret);
        if (*s == '-')
                return parse_ago(s + 1, now_usec, ret);
        if (streq(s, "now")) {
                *ret = now_usec;
                return 0;
        }
        if (!localtime_r(&now, &today))
                return -EINVAL;
        today.tm_hour = today.tm_min = today.tm_sec = 0;
        if (streq(s, "today"))
                return from_fields(&today, false, ret);
        if (streq(s, "yesterday")) {
                time_t noon;

                today.tm_hour = 12; /* a day before is the day before, even where one has 23 hours */
                today.tm_isdst = -1;
                noon = mktime(&today) - 24 * 60 * 60;
                if (!localtime_r(&noon, &today))
                        return -EINVAL;
                today.tm_hour = today.tm_min = today.tm_sec = 0;
                return from_fields(&today, false, ret);
        }
        return parse_calendar(s, &today, ret);
}
