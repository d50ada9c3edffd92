/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clients whose end matters: subscribers, and controllers of scopes. One match rule for each, and none for strangers. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "ipc/dbus-systemd1.h"

struct peer {
        struct systemd1 *s;
        char *name;
        sd_bus_slot *match, *query;
        bool subscribed, controller;
        struct peer *previous, *next;
};

static struct peer *peer_find(const struct systemd1 *s, const char *name) {
        for (struct peer *p = s->peers; p; p = p->next)
                if (streq(p->name, name))
                        return p;
        return NULL;
}

static void peer_free(struct peer *p) {
        struct systemd1 *s = p->s;

        if (p->previous)
                p->previous->next = p->next;
        else
                s->peers = p->next;
        if (p->next)
                p->next->previous = p->previous;
        s->n_peers--;
        s->n_subscribers -= p->subscribed;
        sd_bus_slot_unref(p->match);
        sd_bus_slot_unref(p->query);
        free(p->name);
        free(p);
}

static void peer_gone(struct peer *p) {
        struct systemd1 *s = p->s;
        char *name = p->controller ? STEAL(p->name) : NULL;

        peer_free(p);
        if (name)
                units_controller_gone(s->units, name);
        free(name);
}

static int on_owner_changed(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        const char *name, *before, *after;

        if (sd_bus_message_read(m, "sss", &name, &before, &after) >= 0 && !*after)
                peer_gone(userdata);
        return 0;
}

/* It may have left before our match rule was there. */
static int on_owner(sd_bus_message *m, void *userdata, sd_bus_error *error) {
        struct peer *p = userdata;

        p->query = sd_bus_slot_unref(p->query);
        if (sd_bus_message_is_method_error(m, "org.freedesktop.DBus.Error.NameHasNoOwner"))
                peer_gone(p);
        return 0;
}

static int follow(struct peer *p) {
        char match[512];
        int n, r;

        n = snprintf(match, sizeof(match),
                     "type='signal',sender='org.freedesktop.DBus',path='/org/freedesktop/DBus',"
                     "interface='org.freedesktop.DBus',member='NameOwnerChanged',arg0='%s'",
                     p->name);
        if (n < 0 || (size_t) n >= sizeof(match))
                return -ENAMETOOLONG;
        r = sd_bus_add_match_async(p->s->d->bus, &p->match, match, on_owner_changed, NULL, p);
        if (r < 0)
                return r;
        return sd_bus_call_method_async(p->s->d->bus, &p->query, "org.freedesktop.DBus", "/org/freedesktop/DBus",
                                        "org.freedesktop.DBus", "GetNameOwner", on_owner, p, "s", p->name);
}

static int peer_get(struct systemd1 *s, const char *name, struct peer **ret) {
        struct peer *p = peer_find(s, name);
        int r;

        if (p) {
                *ret = p;
                return 0;
        }
        if (s->n_peers >= PEERS_MAX)
                return -ENOBUFS;
        p = calloc(1, sizeof(*p));
        if (!p)
                return -ENOMEM;
        p->s = s;
        p->next = s->peers;
        if (p->next)
                p->next->previous = p;
        s->peers = p;
        s->n_peers++;
        p->name = strdup(name);
        r = p->name ? follow(p) : -ENOMEM;
        if (r < 0) {
                peer_free(p);
                return r;
        }
        *ret = p;
        return 0;
}

int peers_subscribe(struct systemd1 *s, const char *name) {
        struct peer *p = NULL;
        int r = peer_get(s, name, &p);

        if (r < 0)
                return r;
        if (p->subscribed)
                return -EALREADY;
        p->subscribed = true;
        s->n_subscribers++;
        return 0;
}

int peers_unsubscribe(struct systemd1 *s, const char *name) {
        struct peer *p = peer_find(s, name);

        if (!p || !p->subscribed)
                return -ENOENT;
        p->subscribed = false;
        s->n_subscribers--;
        if (!p->controller)
                peer_free(p);
        return 0;
}

int peers_watch_controller(struct systemd1 *s, const char *name) {
        struct peer *p = NULL;
        int r = peer_get(s, name, &p);

        if (r >= 0)
                p->controller = true;
        return r;
}

void peers_clear(struct systemd1 *s) {
        while (s->peers)
                peer_free(s->peers);
}
