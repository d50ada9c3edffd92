/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Looks names up on many threads, in children that are forked meanwhile, and on threads that are cancelled in the middle, while
 * somebody else stops and kills the registry. What is answered must be right. Goes on until its standard input ends. Prints "ready"
 * when much was found, and much not; "waited" when a look-up took as long as it may; in the end how long the longest took.
 *
 * Usage: driver libc|module [fork]      libc: through nsswitch.conf; module: its functions, which are linked in here
 * The machine: web, whose users are the host's from 200000 on, and whose address is 10.9.0.2. */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <nss.h>
#include <poll.h>
#include <pthread.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum nss_status _nss_mymachines_gethostbyname4_r(const char *, struct gaih_addrtuple **, char *, size_t, int *, int *,
                                                 int32_t *);
enum nss_status _nss_mymachines_gethostbyaddr_r(const void *, socklen_t, int, struct hostent *, char *, size_t, int *,
                                                int *);
enum nss_status _nss_mymachines_getpwnam_r(const char *, struct passwd *, char *, size_t, int *);
enum nss_status _nss_mymachines_getpwuid_r(uid_t, struct passwd *, char *, size_t, int *);
enum nss_status _nss_mymachines_getgrgid_r(gid_t, struct group *, char *, size_t, int *);

#define THREADS 4
#define BOUND_MSEC 2000
#define TICK_MSEC 100
#define MUCH 50
#define ADDRESS "10.9.0.2"

/* +1: found, and right. 0: not found. */
typedef int (*look_up_fn)(void);

static bool stopping;
static long longest_msec, found, missed, stalled_msec;

static void die(const char *what) {
        fprintf(stderr, "driver: %s\n", what);
        abort();
}

static void must(bool condition, const char *what) {
        if (!condition)
                die(what);
}

static long now_msec(void) {
        struct timespec t;

        clock_gettime(CLOCK_MONOTONIC, &t);
        return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- through libc ---- */

static int libc_host(void) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
        struct addrinfo *all;
        bool right = false;

        if (getaddrinfo("web", NULL, &hints, &all) != 0)
                return 0;
        for (const struct addrinfo *a = all; a; a = a->ai_next)
                right |= a->ai_family == AF_INET &&
                         ((struct sockaddr_in *) (void *) a->ai_addr)->sin_addr.s_addr == inet_addr(ADDRESS);
        must(right, "other addresses");
        freeaddrinfo(all);
        return 1;
}

static int libc_no_host(void) {
        const struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
        struct addrinfo *all;

        must(getaddrinfo("no-machine", NULL, &hints, &all) != 0, "no-machine has an address");
        return 0;
}

static int libc_user(void) {
        struct passwd p, *result;
        char buffer[1024];

        if (getpwuid_r(200005, &p, buffer, sizeof(buffer), &result) != 0 || !result)
                return 0;
        must(strcmp(p.pw_name, "vu-web-5") == 0, "another user");
        return 1;
}

static int libc_group(void) {
        struct group g, *result;
        char buffer[1024];

        if (getgrgid_r(200005, &g, buffer, sizeof(buffer), &result) != 0 || !result)
                return 0;
        must(strcmp(g.gr_name, "vg-web-5") == 0, "another group");
        return 1;
}

/* ---- the module's own functions ---- */

static int module_host(void) {
        struct gaih_addrtuple *tuples = NULL;
        char buffer[1024];
        int error, host_error;
        in_addr_t address;

        if (_nss_mymachines_gethostbyname4_r("web", &tuples, buffer, sizeof(buffer), &error, &host_error, NULL) !=
            NSS_STATUS_SUCCESS)
                return 0;
        inet_pton(AF_INET, ADDRESS, &address);
        must(tuples->family == AF_INET && memcmp(tuples->addr, &address, 4) == 0, "another address");
        return 1;
}

static int module_no_host(void) {
        struct gaih_addrtuple *tuples = NULL;
        char buffer[1024];
        int error, host_error;

        must(_nss_mymachines_gethostbyname4_r("no-machine", &tuples, buffer, sizeof(buffer), &error, &host_error,
                                              NULL) == NSS_STATUS_NOTFOUND,
             "no-machine has an address");
        return 0;
}

static int module_address(void) {
        struct hostent host;
        in_addr_t address;
        char buffer[1024];
        int error, host_error;

        inet_pton(AF_INET, ADDRESS, &address);
        if (_nss_mymachines_gethostbyaddr_r(&address, 4, AF_INET, &host, buffer, sizeof(buffer), &error, &host_error) !=
            NSS_STATUS_SUCCESS)
                return 0;
        must(strcmp(host.h_name, "web") == 0, "another host");
        return 1;
}

static int module_user(void) {
        struct passwd p;
        char buffer[1024];
        int error;

        if (_nss_mymachines_getpwuid_r(200005, &p, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS)
                return 0;
        must(strcmp(p.pw_name, "vu-web-5") == 0, "another user");
        return 1;
}

static int module_user_name(void) {
        struct passwd p;
        char buffer[1024];
        int error;

        if (_nss_mymachines_getpwnam_r("vu-web-7", &p, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS)
                return 0;
        must(p.pw_uid == 200007, "another user number");
        return 1;
}

static int module_group(void) {
        struct group g;
        char buffer[1024];
        int error;

        if (_nss_mymachines_getgrgid_r(200005, &g, buffer, sizeof(buffer), &error) != NSS_STATUS_SUCCESS)
                return 0;
        must(strcmp(g.gr_name, "vg-web-5") == 0, "another group");
        return 1;
}

/* Each thread has one that it does all the time: a user's look-up would not wait again when one has just waited in vain. */
static const look_up_fn through_libc[THREADS] = { libc_host, libc_no_host, libc_user, libc_group };
static const look_up_fn of_module[][THREADS] = { { module_host, module_no_host, module_user, module_group },
                                                 { module_address, module_host, module_user_name, module_user } };

/* ---- threads ---- */

static void note(long msec, int result) {
        long seen = __atomic_load_n(&longest_msec, __ATOMIC_RELAXED);

        while (msec > seen &&
               !__atomic_compare_exchange_n(&longest_msec, &seen, msec, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        }
        __atomic_fetch_add(result ? &found : &missed, 1, __ATOMIC_RELAXED);
}

static long seen(const long *counter) {
        return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

/* Whoever sleeps longer than he wanted was on a machine that did not run: no look-up is to blame for that. */
static void *count_stalls(void *userdata) {
        while (!__atomic_load_n(&stopping, __ATOMIC_RELAXED)) {
                long began = now_msec(), late;

                usleep(TICK_MSEC * 1000);
                late = now_msec() - began - TICK_MSEC;
                if (late > TICK_MSEC)
                        __atomic_fetch_add(&stalled_msec, late, __ATOMIC_RELAXED);
        }
        return NULL;
}

static void *loop(void *userdata) {
        look_up_fn look_up = *(look_up_fn *) userdata;

        while (!__atomic_load_n(&stopping, __ATOMIC_RELAXED)) {
                long before = seen(&stalled_msec), began = now_msec();
                int result = look_up();
                long took = now_msec() - began;

                usleep(took > BOUND_MSEC ? 200000 : 5000); /* for who counts the stalls */
                note(took - (seen(&stalled_msec) - before), result);
        }
        return NULL;
}

static void *once(void *userdata) {
        (void) (*(look_up_fn *) userdata)();
        return NULL;
}

static void cancel_one(look_up_fn look_up) {
        pthread_t thread;

        must(pthread_create(&thread, NULL, once, &look_up) == 0, "no thread");
        pthread_cancel(thread);
        pthread_join(thread, NULL);
}

static void fork_one(look_up_fn look_up) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
                look_up();
                _exit(0);
        }
        must(waitpid(pid, &status, 0) == pid && status == 0, "a child failed");
}

static int descriptors(void) {
        DIR *d = opendir("/proc/self/fd");
        int n = 0;

        while (readdir(d))
                n++;
        closedir(d);
        return n;
}

static void say_once(const char *word, bool when, bool *said) {
        if (!when || *said)
                return;
        *said = true;
        puts(word);
        fflush(stdout);
}

int main(int argc, char **argv) {
        bool libc = argc > 1 && strcmp(argv[1], "libc") == 0, forks = argc > 2, ready = false, waited = false;
        struct pollfd end = { .fd = STDIN_FILENO, .events = POLLIN };
        pthread_t threads[2 * THREADS], clock;
        look_up_fn jobs[2 * THREADS];
        int before = descriptors(), n = libc ? THREADS : 2 * THREADS;

        must(pthread_create(&clock, NULL, count_stalls, NULL) == 0, "no thread");
        for (int i = 0; i < n; i++) {
                jobs[i] = libc ? through_libc[i] : of_module[i / THREADS][i % THREADS];
                must(pthread_create(threads + i, NULL, loop, jobs + i) == 0, "no thread");
        }
        for (int i = 0; poll(&end, 1, 20) == 0; i++) {
                if (!libc) /* libc's own files would leak */
                        cancel_one(jobs[i % n]);
                if (forks)
                        fork_one(jobs[i % n]);
                say_once("ready", seen(&found) > MUCH && seen(&missed) > MUCH, &ready);
                say_once("waited", ready && seen(&longest_msec) > BOUND_MSEC - 200, &waited);
        }
        __atomic_store_n(&stopping, true, __ATOMIC_RELAXED);
        for (int i = 0; i < n; i++)
                pthread_join(threads[i], NULL);
        pthread_join(clock, NULL);
        if (!libc)
                must(descriptors() == before, "a descriptor was left open");
        printf("%ld\n", longest_msec);
        return 0;
}
