/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Ports that do nothing but remember, and fail or answer when a test says so: for what reality will not do on demand. */
#pragma once

#include <stdbool.h>

#include "service/service.h"

struct fake {
        struct ports ports;
        struct service *service;

        /* What reality would be. */
        pid_t dead[8]; /* processes that have died */
        size_t n_dead;
        int save_error;              /* the next save() fails with it, once */
        const char *unit;            /* locate() finds processes in it */
        bool cgroups;                /* plan() finds a hierarchy */
        bool shares_users;           /* every process is in our user namespace */
        int enter_error;             /* enter() fails with it */
        uint32_t entered_by;         /* who asked for the last one */
        unsigned n_maps_read;        /* how often id_map() was asked */
        int transfer_error;          /* transfer's start() fails with it */
        int watch_error;             /* watch() fails with it */
        struct machine *records[4];  /* what load() finds; consumed */
        struct event *journal[8];    /* what the event port's load() finds; consumed */
        uint64_t journal_last;       /* likewise: numbers up to it were used */
        uint64_t now;                /* of both clocks; each look at it takes a microsecond */
        bool hold_auth, hold_create; /* answer later: fake_answer_auth(), fake_finish_create() */

        /* What happened, as words: "save a", "new a", "kill_all a 9", "event removed a 1000 500" (actor's uid and pid, or "-") ... */
        char log[4096];

        /* Waiting. */
        void (*auth_answer)(void *userdata, enum auth_result result);
        void *auth_userdata;
        enum auth_result auth_result; /* given at once unless hold_auth */
        port_done_fn create_done;
        void *create_userdata;
        int create_error;
        transferred_fn transfer_done[80]; /* those that were begun and have not ended */
        void *transfer_userdata[80];
};

void fake_init(struct fake *f); /* makes f->service too */
void fake_done(struct fake *f);
void fake_kill(struct fake *f, pid_t pid); /* it is dead, and the daemon is told */
void fake_answer_auth(struct fake *f, enum auth_result result);
void fake_finish_create(struct fake *f, int error);
/* The n-th transfer has ended. */
void fake_finish_transfer(struct fake *f, size_t n, int error, const char *text);
bool fake_happened(const struct fake *f, const char *what);
void fake_forget_log(struct fake *f);
