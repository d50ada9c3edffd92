# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the Varlink socket treats its clients: bursts, half-closed and vanished peers, slow helpers, waiting for polkit."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import time

import pytest
import world

MACHINE = "io.systemd.Machine."
PING = b'{"method":"io.systemd.service.Ping"}\0'
DESCRIBE = (b'{"method":"org.varlink.service.GetInterfaceDescription",'
            b'"parameters":{"interface":"io.systemd.Machine"}}\0')
LIST = b'{"method":"io.systemd.Machine.List","more":true}\0'

POLKIT = """
import sys
import dbus, dbus.service, dbus.bus, dbus.mainloop.glib
from gi.repository import GLib

dbus.mainloop.glib.DBusGMainLoop(set_as_default=True)
bus = dbus.bus.BusConnection(sys.argv[1])

class Authority(dbus.service.Object):
    @dbus.service.method("org.freedesktop.PolicyKit1.Authority", in_signature="(sa{sv})sa{ss}us",
                         out_signature="(bba{ss})", async_callbacks=("answer", "fail"))
    def CheckAuthorization(self, subject, action, details, flags, cancellation, answer, fail):
        GLib.timeout_add(300, lambda: answer((True, False, {})))

name = dbus.service.BusName("org.freedesktop.PolicyKit1", bus)
Authority(bus, "/org/freedesktop/PolicyKit1/Authority")
print("ready", flush=True)
GLib.MainLoop().run()
"""

CLIENT = """
import socket, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(10)
s.connect(sys.argv[1])
s.sendall(sys.stdin.buffer.read())
data = b""
while data.count(b"\\0") < int(sys.argv[2]):
    more = s.recv(65536)
    if not more:
        break
    data += more
sys.stdout.buffer.write(data)
"""


def message(method, parameters, **flags):
    return json.dumps({"method": MACHINE + method, "parameters": parameters, **flags}).encode() + b"\0"


def register_many(processes, count):
    with world.Varlink() as v:
        for i in range(count):
            v.register(f"m{i}", processes.sleeper(), rootDirectory="/srv/" + "x" * 1000)


def cpu_seconds(pid):
    return int(pathlib.Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


@pytest.mark.parametrize("call, count", [(PING, 500), (DESCRIBE, 200)])
def test_a_burst_is_answered_to_the_end(musterd_without_bus, call, count):
    """More calls than one turn takes, and more answers than one turn may produce."""
    with world.Varlink() as v:
        v.socket.sendall(call * count)
        for _ in range(count):
            assert "error" not in v.receive()


def test_calls_without_an_answer_outlive_their_peer(musterd_without_bus, processes):
    with world.Varlink() as v:
        for i in range(20):
            v.register(f"m{i}", processes.sleeper())
    for i in range(20):
        with world.Varlink() as v:
            v.socket.sendall(message("Unregister", {"name": f"m{i}"}, oneway=True))
    with world.Varlink() as v:
        world.wait_until(lambda: not v.names(), "twenty oneway calls to be carried out")


def test_a_peer_that_has_said_everything_hears_everything(musterd_without_bus, processes):
    register_many(processes, 400)
    with world.Varlink() as v:
        v.socket.sendall(LIST)
        v.socket.shutdown(socket.SHUT_WR)
        time.sleep(0.2)
        replies = [v.receive() for _ in range(401)]
        assert not replies[-1].get("continues") and all(r["continues"] for r in replies[:-1])
        assert v.socket.recv(1) == b""


def test_machines_may_go_while_a_list_is_sent(musterd_without_bus, processes):
    register_many(processes, 400)
    with world.Varlink() as slow, world.Varlink() as v:
        slow.socket.sendall(LIST)
        time.sleep(0.2)  # as much as the socket takes is on its way
        for i in range(0, 400, 2):
            v.call(MACHINE + "Unregister", {"name": f"m{i}"})
        v.register("late", processes.sleeper())
        names = []
        while True:
            reply = slow.receive()
            names.append(reply["parameters"]["name"])
            if not reply.get("continues"):
                break
    assert len(names) == len(set(names))
    assert {f"m{i}" for i in range(1, 400, 2)} | {".host", "late"} <= set(names)


def test_waiting_costs_nothing(musterd_without_bus, processes):
    """Neither a helper that takes its time nor a peer that does not read makes the loop spin."""
    daemon = musterd_without_bus.pid
    register_many(processes, 300)
    with world.Varlink() as v, world.Varlink() as lazy:
        assert v.call(MACHINE + "List", {"name": "m0", "acquireMetadata": "graceful"})
        helpers = pathlib.Path(f"/proc/{daemon}/task/{daemon}/children").read_text().split()
        for helper in helpers:
            os.kill(int(helper), signal.SIGSTOP)
        v.socket.sendall(message("List", {"acquireMetadata": "graceful"}, more=True))
        lazy.socket.sendall(LIST * 3)
        world.wait_until_still(lambda: cpu_seconds(daemon), 0.3, "all that can be done to be done")
        before = cpu_seconds(daemon)
        time.sleep(0.5)
        spent = cpu_seconds(daemon) - before
        for helper in helpers:
            try:
                os.kill(int(helper), signal.SIGCONT)
            except ProcessLookupError:  # it was too slow
                pass
        assert helpers and spent < 0.1
        assert sum(1 for _ in range(301) if v.receive()) == 301
        assert sum(1 for _ in range(903) if lazy.receive()) == 903


@pytest.mark.parametrize("allocate_unit", [False, True])
def test_the_next_call_waits_until_polkit_has_answered(musterd, processes, allocate_unit):
    """The answer to the first call must not begin the second, which takes away what the first still holds."""
    pytest.importorskip("dbus")
    pytest.importorskip("gi")
    leader = processes.sleeper(user=12345)
    calls = (message("Register", {"name": "m", "class": "container", "leader": leader, "allocateUnit": allocate_unit}) +
             message("Unregister", {"name": "m"}) + PING)
    polkit = subprocess.Popen([sys.executable, "-c", POLKIT, world.BUS_ADDRESS], stdout=subprocess.PIPE, text=True)
    try:
        assert polkit.stdout.readline() == "ready\n"
        client = subprocess.run([sys.executable, "-c", CLIENT, world.VARLINK_SOCKET, "3"], input=calls, user=12345,
                                group=12345, extra_groups=[], capture_output=True)
    finally:
        polkit.kill()
        polkit.wait()
    answers = client.stdout.split(b"\0")[:-1]
    assert len(answers) == 3 and b"error" not in answers[0] and b"error" not in answers[2], (answers, client.stderr)
    processes.kill(leader)
    world.wait_until(lambda: not world.scope_directories(), "the scope to be removed once it is empty")


def test_descriptors_that_come_along(musterd_without_bus, processes):
    """Those that nobody takes are closed; more than a call may bring end the connection."""
    def held():
        return len(list(pathlib.Path(f"/proc/{musterd_without_bus.pid}/fd").iterdir()))
    null = os.open("/dev/null", os.O_RDWR)
    with world.Varlink() as v:
        v.register("m", processes.sleeper())
        v.call("io.systemd.service.Ping")
        before = held()
        for n in (1, 2, 4):
            socket.send_fds(v.socket, [PING + PING], [null] * n)
            assert v.answer() == {} and v.answer() == {}
        assert held() == before
        call = b'{"method":"org.muster.Machine1.Exec","parameters":{"name":"m","arguments":["true"]%s}}\0'
        for n, more in ((0, b""), (1, b""), (3, b""), (4, b',"terminal":true'), (2, b',"detach":true')):
            socket.send_fds(v.socket, [call % more], [null] * n) if n else v.socket.sendall(call % more)
            with pytest.raises(world.VarlinkError, match="Refused"):
                v.answer()
        # Behind a call in the same go: they are for the second.
        socket.send_fds(v.socket, [PING[:10]], [null])
        v.socket.sendall(PING[10:])
        assert v.answer() == {}
        assert held() == before
        socket.send_fds(v.socket, [PING], [null] * 5)
        with pytest.raises(EOFError):
            v.answer()
    world.wait_until(lambda: held() == before - 1, "the connection and its descriptors to be closed")
    os.close(null)
