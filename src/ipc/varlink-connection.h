/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipc/varlink-connection.h: one Varlink client, from its first byte to its hanging up. */
#pragma once

struct connection;
struct varlink_door;
struct varlink_server;

/* Takes fd over; closes it at once when the peer has too many connections already. */
void connection_new(const struct varlink_door *door, int fd);
void connection_free(struct connection *c);
/* A few seconds have passed: who has sent half a message, or takes no answer, is hung up on. */
void connections_tick(struct varlink_server *v);
