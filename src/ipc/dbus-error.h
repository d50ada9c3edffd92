/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* ipc/dbus-error.h: a fault as a D-Bus error name (registry.md section 3). */
#pragma once

#include <systemd/sd-bus.h>

#include "service/fault.h"

/* Fills *error and returns the negative errno that sd-bus handlers return. */
int dbus_error_from_fault(sd_bus_error *error, const struct fault *f);
/* The error name of a kind; NULL for FAULT_NONE and FAULT_ERRNO. */
const char *dbus_fault_name(enum fault_kind kind);
/* Answers a method call with the fault. */
int dbus_reply_fault(sd_bus_message *call, const struct fault *f);
