# SPDX-License-Identifier: LGPL-2.1-or-later
"""io.systemd.Machine over its socket, without any bus."""
import os
import signal
import socket
import threading
import time

import pytest
import world

MACHINE = "io.systemd.Machine."


def fails(error, call, *arguments, **keywords):
    with pytest.raises(world.VarlinkError) as caught:
        call(*arguments, **keywords)
    assert caught.value.error == error, caught.value
    return caught.value.parameters


def test_life_of_a_machine(musterd_without_bus, processes):
    leader = processes.sleeper()
    with world.Varlink() as v:
        v.register("web", leader, service="test", rootDirectory="/srv/web", ifIndices=[2, 3], vSockCid=7,
                   sshAddress="vsock/7", sshPrivateKeyPath="/root/key", id="0123456789abcdef0123456789abcdef")
        machine = v.call(MACHINE + "List", {"name": "web"})
        assert machine["leader"]["pid"] == leader
        assert machine["class"] == "container" and machine["service"] == "test"
        assert machine["rootDirectory"] == "/srv/web" and machine["vSockCid"] == 7
        assert machine["id"] == "0123456789abcdef0123456789abcdef"
        assert machine["UID"] == 0
        assert abs(machine["timestamp"]["realtime"] / 1e6 - time.time()) < 60
        assert v.call(MACHINE + "List", {"pid": {"pid": leader}})["name"] == "web"
        record = (world.MACHINES / "web").read_text()
        assert f"LEADER={leader}\n" in record and 'NETIF=" 2 3"\n' in record
        v.call(MACHINE + "Unregister", {"name": "web"})
        fails(MACHINE + "NoSuchMachine", v.call, MACHINE + "List", {"name": "web"})
        assert not (world.MACHINES / "web").exists()
    os.kill(leader, 0)  # unregistering touches no process


def test_names_are_free_when_the_leader_dies(musterd_without_bus, processes):
    with world.Varlink() as v:
        for _ in range(50):
            leader = processes.sleeper()
            v.register("again", leader)
            processes.kill(leader)
        world.wait_until(lambda: not v.names(), "the last one to go")


def test_bad_arguments(musterd_without_bus, processes):
    leader = processes.sleeper()
    good = {"name": "x", "class": "container", "leaderProcessId": {"pid": leader}}
    invalid = "org.varlink.service.InvalidParameter"
    cases = [
        (dict(good, name="foo_bar"), "name"), (dict(good, name=""), "name"), (dict(good, name=".host"), "name"),
        (dict(good, name="a" * 65), "name"), (dict(good, name=5), "name"),
        (dict(good, **{"class": "host"}), "class"), (dict(good, **{"class": "banana"}), "class"),
        (dict(good, leaderProcessId={"pid": 1}), None), (dict(good, leaderProcessId={"pid": 999999}), None),
        (dict(good, leaderProcessId=leader), "leaderProcessId"), (dict(good, leaderProcessId={"pid": -3}), None),
        (dict(good, rootDirectory="srv"), "rootDirectory"), (dict(good, controlAddress="/a/../b"), "controlAddress"),
        (dict(good, ifIndices=[0]), "ifIndices"), (dict(good, vSockCid=2), "vSockCid"),
        (dict(good, id="xyz"), "id"), (dict(good, banana=1), "banana"), ({"class": "container"}, "name"),
        ({"name": "x"}, "class"),
    ]
    with world.Varlink() as v:
        for parameters, field in cases:
            answer = fails(invalid, v.call, MACHINE + "Register", parameters)
            assert field is None or answer["parameter"] == field, (parameters, answer)
        assert v.names() == []
        v.call(MACHINE + "Register", good)
        fails(MACHINE + "MachineExists", v.call, MACHINE + "Register", good)
        answer = fails("io.systemd.System", v.call, MACHINE + "Register", dict(good, name="other"))
        assert answer["errnoName"] == "EEXIST"  # one machine per leader, and nothing happens to it
        assert v.names() == ["x"]
    os.kill(leader, 0)


def test_recycled_leader_is_refused(musterd_without_bus, processes):
    leader = processes.sleeper()
    with world.Varlink() as v:
        fails("org.varlink.service.InvalidParameter", v.register, "x", leader,
              leaderProcessId={"pid": leader, "pidfdId": 1})
        assert v.names() == []


def test_kill_and_terminate(musterd_without_bus, processes):
    leader = processes.sleeper(command=("sh", "-c", "trap 'exit 7' USR1; while :; do sleep 0.05; done"))
    with world.Varlink() as v:
        v.register("k", leader)
        fails("org.varlink.service.InvalidParameter", v.call, MACHINE + "Kill", {"name": "k", "signal": 65})
        fails("org.varlink.service.InvalidParameter", v.call, MACHINE + "Kill", {"name": "k", "signal": 9, "whom": "x"})
        time.sleep(0.1)
        v.call(MACHINE + "Kill", {"name": "k", "signal": int(signal.SIGUSR1), "whom": "leader"})
        world.wait_until(lambda: not v.names(), "the machine to go")
        leader = processes.sleeper()
        v.register("t", leader)
        v.call(MACHINE + "Terminate", {"name": "t"})
        world.wait_until(lambda: not v.names(), "the terminated machine to go")
        fails(MACHINE + "NoSuchMachine", v.call, MACHINE + "Terminate", {"name": "t"})


def test_streamed_list(musterd_without_bus, processes):
    leaders = [processes.sleeper() for _ in range(20)]
    with world.Varlink() as v:
        for i, leader in enumerate(leaders):
            v.register(f"m{i}", leader)
        assert v.names() == sorted(f"m{i}" for i in range(20))
        fails("org.varlink.service.ExpectedMore", v.call, MACHINE + "List", {})
        fails("org.varlink.service.InvalidParameter", v.call, MACHINE + "List", {"name": ""})
        fails("org.varlink.service.InvalidParameter", v.call, MACHINE + "Open", {"name": "m0", "mode": "tty", "user": "a:b"})


def test_metadata(musterd_without_bus, processes):
    leader = processes.sleeper(unshare=["-n"])
    shared = processes.sleeper()
    with world.Varlink() as v:
        v.register("own", leader)
        v.register("shared", shared)
        machine = v.call(MACHINE + "List", {"name": "own", "acquireMetadata": "yes"})
        assert machine["UIDShift"] == 0
        assert any(line.startswith("ID=") for line in machine["OSRelease"])
        assert machine.get("addresses", []) == []
        fails(MACHINE + "NoPrivateNetworking", v.call, MACHINE + "List", {"name": "shared", "acquireMetadata": "yes"})
        machine = v.call(MACHINE + "List", {"name": "shared", "acquireMetadata": "graceful"})
        assert "addresses" not in machine and machine["OSRelease"]


def test_id_mapping(musterd_without_bus, processes):
    leader = processes.mapped(200000, 300000)
    with world.Varlink() as v:
        v.register("mapped", leader)
        assert v.call(MACHINE + "MapFrom", {"name": "mapped", "uid": 5, "gid": 6}) == {"uid": 200005, "gid": 300006}
        answer = v.call(MACHINE + "MapTo", {"uid": 200005, "gid": 300006})
        assert answer == {"uid": 5, "gid": 6, "machineName": "mapped"}
        fails(MACHINE + "UserInHostRange", v.call, MACHINE + "MapTo", {"uid": 1000})
        fails(MACHINE + "NoSuchUser", v.call, MACHINE + "MapTo", {"uid": 900000})
        fails(MACHINE + "NoSuchGroup", v.call, MACHINE + "MapFrom", {"name": "mapped", "gid": 70000})


def test_introspection_and_service(musterd_without_bus):
    with world.Varlink() as v:
        info = v.call("org.varlink.service.GetInfo")
        assert "io.systemd.Machine" in info["interfaces"] and "org.varlink.service" in info["interfaces"]
        for interface in info["interfaces"]:
            text = v.call("org.varlink.service.GetInterfaceDescription", {"interface": interface})["description"]
            assert text.lstrip().startswith(("interface " + interface, "#"))
        fails("org.varlink.service.MethodNotFound", v.call, "io.systemd.Machine.Banana")
        v.call("io.systemd.service.Ping")
        level = v.call("io.systemd.service.GetLogLevel")["level"]
        v.call("io.systemd.service.SetLogLevel", {"level": 3})
        assert v.call("io.systemd.service.GetLogLevel")["level"] == 3
        v.call("io.systemd.service.SetLogLevel", {"level": level})


def test_virtual_machines_are_closed(musterd_without_bus, processes):
    with world.Varlink() as v:
        v.register("vm", processes.sleeper(), **{"class": "vm"})
        fails(MACHINE + "NotSupported", v.call, MACHINE + "Open", {"name": "vm", "mode": "tty"})
        fails(MACHINE + "NotSupported", v.call, MACHINE + "CopyFrom", {"name": "vm", "source": "/etc/hosts"})


def test_root_directory(musterd_without_bus, processes):
    """One descriptor with each reply, also when the calls come in one go with others."""
    leader = processes.sleeper(unshare=["-m", "sh", "-c", "mount -t tmpfs none /mnt; touch /mnt/inside; exec sleep 1000"])
    world.wait_until(lambda: os.path.exists(f"/proc/{leader}/root/mnt/inside"), "the mount")
    open_root = b'{"method":"io.systemd.Machine.OpenRootDirectory","parameters":{"name":"m"}}\0'
    ping = b'{"method":"io.systemd.service.Ping"}\0'
    with world.Varlink() as v:
        v.register("m", leader)
        v.register("vm", processes.sleeper(), **{"class": "vm"})
        fails(MACHINE + "NotSupported", v.call, MACHINE + "OpenRootDirectory", {"name": "vm"})
        fails(MACHINE + "NoSuchMachine", v.call, MACHINE + "OpenRootDirectory", {"name": "none"})
        v.socket.sendall(ping + open_root + open_root + ping)
        data, fds = b"", []
        while data.count(b"\0") < 4:
            part, new, _, _ = socket.recv_fds(v.socket, 65536, 8)
            # What a descriptor came with ends with the reply that it belongs to: before that the kernel puts what was sent earlier.
            assert len(new) <= 1 and (not new or part.endswith(b'{"parameters":{"fileDescriptor":0}}\0'))
            data += part
            fds += new
        assert len(fds) == 2 and data.count(b"fileDescriptor") == 2
        for fd in fds:
            assert os.listdir(os.open("mnt", os.O_RDONLY, dir_fd=fd)) == ["inside"]
            os.close(fd)
        host = v.send(MACHINE + "OpenRootDirectory", {"name": ".host"})
        _, [host], _, _ = socket.recv_fds(v.socket, 65536, 8)
        assert os.path.samestat(os.stat(host), os.stat("/"))
        os.close(host)


def test_hostile_bytes(musterd_without_bus):
    hostile = [b"\0", b"{}\0", b"[]\0", b'{"method":5}\0', b'{"method":"a","method":"b"}\0', b"{" * 100000 + b"\0",
               b'{"method":"io.systemd.Machine.List","parameters":{"name":"\xff"}}\0', b"\xff\xfe\0", b"x" * 70000 + b"\0",
               b'{"method":"io.systemd.Machine.List","parameters":[]}\0', b'{"method":"io.systemd.Machine.List","more":1}\0',
               b'{"method":"io.systemd.Machine.Kill","parameters":{"name":"a","signal":99999999999999999999999}}\0']
    for message in hostile:
        with world.Varlink() as v:
            v.socket.sendall(message)
            try:
                v.receive()
            except (EOFError, ConnectionError):
                pass
    with world.Varlink() as v:  # larger than any message may be
        with pytest.raises((EOFError, ConnectionError)):
            for _ in range(40):
                v.socket.sendall(b"x" * 65536)
            v.receive()
    with world.Varlink() as v:
        assert v.names() == []


def test_half_a_message_does_not_stop_others(musterd_without_bus):
    idle = [world.Varlink() for _ in range(100)]
    for v in idle:
        v.socket.sendall(b'{"method":"io.systemd')
    start = time.monotonic()
    with world.Varlink() as v:
        v.call("io.systemd.service.Ping")
    assert time.monotonic() - start < 10
    for v in idle:
        v.socket.close()


def test_pipelined_calls_are_answered_in_order(musterd_without_bus, processes):
    with world.Varlink() as v:
        for i in range(100):
            v.send("io.systemd.Machine.List", {"name": f"none{i}"})
        v.send("io.systemd.service.Ping")
        for _ in range(100):
            assert v.receive()["error"] == MACHINE + "NoSuchMachine"
        assert "error" not in v.receive()


def test_many_clients_at_once(musterd_without_bus, processes):
    leaders = [processes.sleeper() for _ in range(100)]
    errors = []

    def one(i, leader):
        try:
            with world.Varlink() as v:
                for _ in range(20):
                    v.register(f"c{i}", leader)
                    v.call(MACHINE + "Unregister", {"name": f"c{i}"})
        except Exception as e:  # noqa: BLE001 - reported below
            errors.append(e)

    threads = [threading.Thread(target=one, args=(i, leader)) for i, leader in enumerate(leaders)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not errors
    with world.Varlink() as v:
        assert v.names() == []


def test_a_peer_that_hangs_up_in_the_middle_of_a_list(musterd_without_bus, processes):
    with world.Varlink() as v:
        for i in range(30):
            v.register(f"m{i}", processes.sleeper())
    for _ in range(50):
        v = world.Varlink()
        v.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
        v.send("io.systemd.Machine.List", {"acquireMetadata": "graceful"}, more=True)
        v.socket.close()
    with world.Varlink() as v:
        assert len(v.names()) == 30


def test_a_second_daemon_refuses_to_start(musterd_without_bus, build, processes):
    with world.Varlink() as v:
        v.register("m", processes.sleeper())
        second = world.Musterd(build, "--bus=no")
        import subprocess
        result = subprocess.run(second.command(), capture_output=True, text=True, timeout=10)
        assert result.returncode != 0 and "already" in result.stderr
        assert v.names() == ["m"]
        assert (world.MACHINES / "m").exists()


def test_target_by_name_and_process(musterd_without_bus, processes):
    """Who gives both means that machine and no other that has its name by now: so a runner that is late unregisters nobody else's."""
    first, second, third = processes.sleeper(), processes.sleeper(), processes.sleeper()
    with world.Varlink() as v:
        v.register("web", first)
        v.register("db", second)
        for method, more in (("Unregister", {}), ("Terminate", {}), ("Kill", {"signal": 9})):
            for pid in (second, third):
                with pytest.raises(world.VarlinkError) as refused:
                    v.call(MACHINE + method, {"name": "web", "pid": {"pid": pid}, **more})
                assert refused.value.error == MACHINE + "NoSuchMachine", method
        assert sorted(v.names()) == ["db", "web"]
        v.call(MACHINE + "Unregister", {"name": "web", "pid": {"pid": first}})
        assert v.names() == ["db"]
