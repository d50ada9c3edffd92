#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""The machines of this host, by libmuster without any binding: everything is a pointer, a number or a string."""
import ctypes
import os
import socket
import sys

muster = ctypes.CDLL("libmuster.so.0")
pointer = ctypes.c_void_p
muster.muster_machines_count.argtypes, muster.muster_machines_count.restype = [pointer], ctypes.c_size_t
muster.muster_machines_get.argtypes, muster.muster_machines_get.restype = [pointer, ctypes.c_size_t], pointer
muster.muster_machines_free.argtypes = [pointer]
muster.muster_machine_leader.argtypes = [pointer]
muster.muster_machine_name.argtypes, muster.muster_machine_name.restype = [pointer], ctypes.c_char_p
muster.muster_machine_addresses_count.argtypes, muster.muster_machine_addresses_count.restype = [pointer], ctypes.c_size_t
muster.muster_machine_address.argtypes = [pointer, ctypes.c_size_t, pointer, pointer, pointer]


def addresses(machine):
    for i in range(muster.muster_machine_addresses_count(machine)):
        family, data = ctypes.c_int(), (ctypes.c_ubyte * 16)()
        size = muster.muster_machine_address(machine, i, ctypes.byref(family), data, None)
        yield socket.inet_ntop(family.value, bytes(data[:size]))


def main():
    machines = pointer()
    r = muster.muster_machines_list(1, ctypes.byref(machines))
    if r < 0:
        sys.exit(f"Cannot list machines: {os.strerror(-r)}.")
    for i in range(muster.muster_machines_count(machines)):
        machine = muster.muster_machines_get(machines, i)
        print(muster.muster_machine_name(machine).decode(), muster.muster_machine_leader(machine), *addresses(machine))
    muster.muster_machines_free(machines)


main()
