# SPDX-License-Identifier: LGPL-2.1-or-later
"""org.freedesktop.machine1 as stock busctl sees it, and as a D-Bus library does."""
import json
import os
import pathlib
import re
import signal
import subprocess
import threading
import time

import pytest
import rawbus
import world
from world import busctl, manager

MACHINE1 = "org.freedesktop.machine1"
PATH = "/org/freedesktop/machine1/machine/"
INTERFACE = "org.freedesktop.machine1.Machine"


def fails(name, *arguments, call=manager):
    """The D-Bus error name comes from busctl's verbose JSON-free output: ask by a library-free way, gdbus-like."""
    result = call(*arguments, check=False)
    assert result.returncode != 0, result.stdout
    return error_name(result.stderr, name)


# busctl prints only the text of an error, so names are checked by dbus-send, which prints both.
def send(method, *arguments, path="/org/freedesktop/machine1", interface="org.freedesktop.machine1.Manager"):
    return subprocess.run(["dbus-send", f"--bus={world.BUS_ADDRESS}", "--print-reply", f"--dest={MACHINE1}", path,
                           f"{interface}.{method}", *arguments], capture_output=True, text=True)


def error_name(stderr, name):
    assert stderr.startswith("Error " + name + ":"), stderr
    return stderr


def refused(name, method, *arguments, **where):
    result = send(method, *arguments, **where)
    assert result.returncode != 0, result.stdout
    return error_name(result.stderr, name)


def register(name, leader, service="test", class_="container", root="", network=None, check=True):
    arguments = [name, "0", service, class_, leader, root]
    if network is None:
        return manager("RegisterMachine", "sayssus", *arguments, check=check)
    return manager("RegisterMachineWithNetwork", "sayssusai", *arguments, len(network), *network, check=check)


def names():
    out = json.loads(busctl("--json=short", "call", *world.MANAGER, "ListMachines").stdout)
    return sorted(row[0] for row in out["data"][0] if row[0] != ".host")


def test_register_list_get_unregister(musterd, processes):
    leader = processes.sleeper()
    assert register("cre-1.x", leader, network=[2, 3]).stdout == f'o "{PATH}cre_2d1_2ex"\n'
    assert names() == ["cre-1.x"]
    listed = json.loads(busctl("--json=short", "call", *world.MANAGER, "ListMachines").stdout)["data"][0]
    assert [".host", "host", "", PATH + "_2ehost"] in listed
    assert ["cre-1.x", "container", "test", PATH + "cre_2d1_2ex"] in listed
    assert manager("GetMachine", "s", "cre-1.x").stdout == f'o "{PATH}cre_2d1_2ex"\n'
    assert manager("GetMachineByPID", "u", leader).stdout == f'o "{PATH}cre_2d1_2ex"\n'
    manager("UnregisterMachine", "s", "cre-1.x")
    assert names() == []
    os.kill(leader, 0)


def test_properties(musterd, processes):
    leader = processes.sleeper()
    manager("RegisterMachineEx", "sa(sv)", "props", 8, "Class", "s", "vm", "LeaderPID", "u", leader, "LeaderPIDFDID", "t",
            os.stat_result(os.fstat(os.pidfd_open(leader))).st_ino, "Service", "s", "svc", "VSockCID", "u", 9, "SSHAddress",
            "s", "vsock/9", "SSHPrivateKeyPath", "s", "/key", "NetworkInterfaces", "ai", 1, 4)
    out = json.loads(busctl("--json=short", "call", MACHINE1, PATH + "props", "org.freedesktop.DBus.Properties", "GetAll",
                            "s", "").stdout)["data"][0]
    values = {k: v["data"] for k, v in out.items()}
    assert values["Name"] == "props" and values["Class"] == "vm" and values["State"] == "running"
    assert values["Leader"] == leader and values["VSockCID"] == 9 and values["NetworkInterfaces"] == [4]
    assert values["SSHAddress"] == "vsock/9" and values["SSHPrivateKeyPath"] == "/key" and values["UID"] == 0
    assert values["Id"] == [] and values["RootDirectory"] == "" and values["Subgroup"] == ""
    assert abs(values["Timestamp"] / 1e6 - time.time()) < 60
    assert manager("GetMachineSSHInfo", "s", "props").stdout == 'ss "vsock/9" "/key"\n'
    host = json.loads(busctl("--json=short", "call", MACHINE1, PATH + "_2ehost", "org.freedesktop.DBus.Properties", "GetAll",
                             "s", INTERFACE).stdout)["data"][0]
    assert host["Unit"]["data"] == "-.slice" and host["Leader"]["data"] == 1 and host["Class"]["data"] == "host"
    pool = json.loads(busctl("--json=short", "call", MACHINE1, "/org/freedesktop/machine1",
                             "org.freedesktop.DBus.Properties", "GetAll", "s", "").stdout)["data"][0]
    assert pool["PoolPath"]["data"] == "/var/lib/machines"


def test_error_names(musterd, processes):
    leader = processes.sleeper()
    register("known", leader)
    register("vm", processes.sleeper(), class_="vm")
    m1, dbus = "org.freedesktop.machine1.", "org.freedesktop.DBus.Error."
    args = ["array:byte:", "string:", "string:container", f"uint32:{processes.sleeper()}", "string:"]
    refused(m1 + "NoSuchMachine", "GetMachine", "string:none")
    refused(m1 + "NoSuchMachine", "TerminateMachine", "string:none")
    refused(m1 + "NoSuchMachine", "KillMachine", "string:none", "string:banana", "int32:999")
    refused(m1 + "NoMachineForPID", "GetMachineByPID", f"uint32:{os.getpid()}")
    refused(m1 + "NoMachineForPID", "GetMachineByPID", "uint32:1")
    refused(dbus + "InvalidArgs", "GetMachineByPID", "uint32:4294967295")
    refused(m1 + "MachineExists", "RegisterMachine", "string:known", *args)
    refused(dbus + "InvalidArgs", "RegisterMachine", "string:foo_bar", *args)
    refused(dbus + "InvalidArgs", "RegisterMachine", "string:x", "array:byte:1,2", *args[1:])
    refused(dbus + "InvalidArgs", "RegisterMachine", "string:x", *args[:2], "string:host", *args[3:])
    refused(dbus + "InvalidArgs", "RegisterMachine", "string:x", *args[:3], "uint32:1", args[4])
    refused(dbus + "UnixProcessIdUnknown", "RegisterMachine", "string:x", *args[:3], "uint32:999999", args[4])
    refused(dbus + "InvalidArgs", "RegisterMachine", "string:x", *args[:4], "string:relative")
    refused(dbus + "FileExists", "RegisterMachine", "string:x", *args[:3], f"uint32:{leader}", args[4])
    refused(dbus + "InvalidArgs", "RegisterMachine", "string:x")
    refused(dbus + "InvalidArgs", "KillMachine", "string:known", "string:banana", "int32:9")
    refused(dbus + "InvalidArgs", "KillMachine", "string:known", "string:all", "int32:0")
    refused(dbus + "UnixProcessIdUnknown", "KillMachine", "string:known", "string:supervisor", "int32:15")
    refused(dbus + "NotSupported", "TerminateMachine", "string:.host")
    refused(dbus + "NotSupported", "KillMachine", "string:.host", "string:all", "int32:9")
    refused(m1 + "NoPrivateNetworking", "GetMachineAddresses", "string:known")
    refused(dbus + "NotSupported", "GetMachineAddresses", "string:vm")
    refused(dbus + "NotSupported", "GetMachineUIDShift", "string:vm")
    refused(dbus + "FileNotFound", "GetMachineSSHInfo", "string:known")
    refused(m1 + "NoSuchUserMapping", "MapToMachineUser", "uint32:5")
    refused(m1 + "NoSuchUserMapping", "MapToMachineUser", "uint32:700000")
    refused(m1 + "NoSuchGroupMapping", "MapToMachineGroup", "uint32:700000")
    refused(dbus + "InvalidArgs", "MapFromMachineUser", "string:vm", "uint32:0")
    refused(dbus + "InvalidArgs", "MapFromMachineUser", "string:known", "uint32:4294967295")
    refused(dbus + "NotSupported", "OpenMachinePTY", "string:vm")
    refused(dbus + "NotSupported", "ListImages")
    refused(dbus + "UnknownMethod", "Banana")
    refused(dbus + "UnknownObject", "GetUIDShift", path=PATH + "none", interface=INTERFACE)
    refused(dbus + "UnknownObject", "GetUIDShift", path=PATH + "self", interface=INTERFACE)
    os.kill(leader, 0)  # nothing above has harmed it
    assert names() == ["known", "vm"]


def test_machine_object_has_the_same_verbs(musterd, processes):
    leader = processes.sleeper(unshare=["-n"])
    register("obj", leader)
    call = lambda method, *a: busctl("call", MACHINE1, PATH + "obj", INTERFACE, method, *a)  # noqa: E731
    assert call("GetUIDShift").stdout == "u 0\n"
    assert call("GetAddresses").stdout == "a(iay) 0\n"
    assert '"ID"' in call("GetOSRelease").stdout
    call("Kill", "si", "leader", "9")
    world.wait_until(lambda: names() == [], "the killed machine to go")


def test_self(musterd, processes):
    register("me", os.getpid())
    path = ["call", MACHINE1, PATH + "self"]
    assert busctl(*path, INTERFACE, "GetUIDShift").stdout == "u 0\n"
    out = busctl("--json=short", *path, "org.freedesktop.DBus.Properties", "Get", "ss", INTERFACE, "Name").stdout
    assert json.loads(out)["data"][0]["data"] == "me"
    out = busctl("--json=short", *path, "org.freedesktop.DBus.Properties", "GetAll", "s", "").stdout
    assert json.loads(out)["data"][0]["Name"]["data"] == "me"
    assert manager("GetMachineByPID", "u", 0).stdout == f'o "{PATH}me"\n'
    manager("UnregisterMachine", "s", "me")


def test_tree_and_introspection(musterd, processes):
    register("a-b", processes.sleeper())
    tree = busctl("tree", MACHINE1).stdout
    assert PATH + "a_2db" in tree and PATH + "_2ehost" in tree and "/org/freedesktop/LogControl1" in tree
    assert "UnregisterMachine" in busctl("introspect", MACHINE1, "/org/freedesktop/machine1").stdout
    assert '"a-b"' in busctl("introspect", MACHINE1, PATH + "a_2db").stdout


def test_addresses_and_os_release(musterd, processes):
    leader = processes.sleeper(unshare=["-n"], command=("sleep", "1000"))
    subprocess.run(["nsenter", "-t", str(leader), "-n", "sh", "-c",
                    "ip link set lo up; ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; "
                    "ip addr add 10.1.2.3/24 dev v0; ip addr add fd00::5/64 dev v0 nodad; ip addr add 10.0.0.9/8 dev v1"],
                   check=True)
    register("net", leader)
    out = json.loads(busctl("--json=short", "call", *world.MANAGER, "GetMachineAddresses", "s", "net").stdout)["data"][0]
    assert [2, [10, 0, 0, 9]] in out and [2, [10, 1, 2, 3]] in out
    assert [10, [0xfd] + [0] * 14 + [5]] in out
    assert out.index([2, [10, 1, 2, 3]]) < out.index([10, [0xfd] + [0] * 14 + [5]])
    assert [2, [127, 0, 0, 1]] not in out
    release = json.loads(busctl("--json=short", "call", *world.MANAGER, "GetMachineOSRelease", "s", "net").stdout)["data"][0]
    expected = dict(re.findall(r'^(\w+)="?([^"\n]*)"?$', pathlib.Path("/etc/os-release").read_text(), re.M))
    assert release == expected
    assert json.loads(busctl("--json=short", "call", *world.MANAGER, "GetMachineOSRelease", "s", ".host").stdout)["data"][0] \
        == expected


def test_mapping(musterd, processes):
    leader = processes.mapped(524288)
    register("mini", leader)
    assert manager("GetMachineUIDShift", "s", "mini").stdout == "u 524288\n"
    assert manager("MapFromMachineUser", "su", "mini", 2).stdout == "u 524290\n"
    assert manager("MapToMachineUser", "u", 524290).stdout == f'sou "mini" "{PATH}mini" 2\n'
    assert manager("MapToMachineGroup", "u", 524291).stdout == f'sou "mini" "{PATH}mini" 3\n'
    processes.kill(leader)
    world.wait_until(lambda: names() == [], "the machine to go")
    refused("org.freedesktop.machine1.NoSuchUserMapping", "MapToMachineUser", "uint32:524290")


def test_signals(musterd, processes):
    monitor = world.Signals("type='signal',interface='org.freedesktop.machine1.Manager'")
    try:
        leader = processes.sleeper()
        register("sig", leader)
        processes.kill(leader)
        monitor.wait("MachineRemoved")
        time.sleep(0.1)
    finally:
        monitor.end()
    signals = [re.search(r"member=(\w+)", line).group(1) for line in monitor.lines if "member=Machine" in line]
    assert signals == ["MachineNew", "MachineRemoved"]
    assert any(f'object path "{PATH}sig"' in line for line in monitor.lines)


def test_log_control(musterd):
    where = (MACHINE1, "/org/freedesktop/LogControl1", "org.freedesktop.LogControl1")
    assert busctl("get-property", *where, "LogLevel").stdout == 's "debug"\n'
    busctl("set-property", *where, "LogLevel", "s", "warning")
    assert busctl("get-property", *where, "LogLevel").stdout == 's "warning"\n'
    assert busctl("set-property", *where, "LogLevel", "s", "banana", check=False).returncode != 0
    assert busctl("set-property", *where, "LogTarget", "s", "banana", check=False).returncode != 0
    busctl("get-property", *where, "SyslogIdentifier")
    busctl("set-property", *where, "LogLevel", "s", "debug")


def test_get_image(musterd):
    """Whether there is one: what machinectl start asks first."""
    pool = pathlib.Path("/var/lib/machines")
    (pool / "tree-1").mkdir()
    (pool / "disk.raw").touch()
    (pool / "file").touch()
    (pool / "link").symlink_to("tree-1")
    image = "/org/freedesktop/machine1/image/"
    try:
        for name, label in (("tree-1", "tree_2d1"), ("disk", "disk"), ("link", "link"), (".host", "_2ehost")):
            assert manager("GetImage", "s", name).stdout == f'o "{image}{label}"\n'
        for name in ("none", "file", "", ".", "..", "../machines/tree-1", ".#tree-1", "x" * 256):
            refused("org.freedesktop.machine1.NoSuchImage", "GetImage", "string:" + name)
    finally:
        (pool / "tree-1").rmdir()
        for name in ("disk.raw", "file", "link"):
            (pool / name).unlink()


def test_wrong_signatures(musterd):
    for method, arguments in (("GetMachine", ["uint32:5"]), ("RegisterMachineEx", ["string:a", "array:string:x"]),
                              ("KillMachine", ["string:a"]), ("ListMachines", ["string:a"]), ("CreateMachine", [])):
        refused("org.freedesktop.DBus.Error.InvalidArgs", method, *arguments)
    for properties in (["Banana", "s", "x"], ["Class", "u", "5"], ["LeaderPID", "u", "77"], ["LeaderPIDFDID", "t", "77"]):
        result = manager("RegisterMachineEx", "sa(sv)", "ex", 1, *properties, check=False)
        assert result.returncode != 0
    assert names() == []


@pytest.mark.modes("v2", "hybrid", "v1", "none")
def test_create(musterd, processes, mode):
    leader = processes.sleeper()
    manager("CreateMachine", "sayssusa(sv)", "made-1", 0, "svc", "container", leader, "", 0)
    unit = busctl("get-property", MACHINE1, PATH + "made_2d1", INTERFACE, "Unit").stdout
    if mode == "none":
        assert unit == 's ""\n'
    else:
        assert unit == 's "machine-made\\\\x2d1.scope"\n'
        directory = world.cgroup_root(mode) / "machine.slice" / "machine-made\\x2d1.scope"
        assert (directory / "cgroup.procs").read_text().split() == [str(leader)]
        assert os.readlink(world.MACHINES / "unit:machine-made\\x2d1.scope") == "made-1"
        if mode != "v1":  # stock libsystemd of Debian 12 wants to see the real name=systemd mount for that
            assert subprocess.run(["ps", "-o", "machine=", "-p", str(leader)], capture_output=True,
                                  text=True).stdout.strip() == "made-1"
    processes.kill(leader)
    world.wait_until(lambda: names() == [], "the machine to go")
    world.wait_until(lambda: not world.scope_directories(), "its cgroups to go")


def test_create_with_a_signal_to_end(musterd, processes, mode):
    """Where no supervisor is there to be asked; a shell that will not hear of SIGTERM."""
    if mode == "none":
        pytest.skip("without a control group there is no scope to have properties")
    leader = processes.sleeper(command=("sh", "-c", "trap '' TERM; while :; do :; sleep 0.1; done"))
    world.wait_until(lambda: world.has_signal(leader, "SigIgn", signal.SIGTERM), "the trap")
    manager("CreateMachine", "sayssusa(sv)", "stubborn", 0, "", "container", leader, "", 1, "KillSignal", "i", 37)
    begun = time.monotonic()
    manager("TerminateMachine", "s", "stubborn")
    world.wait_until(lambda: names() == [], "the machine to go")
    assert time.monotonic() - begun < 9, "it took the time to stop"


def test_answers_come_in_the_order_of_calls(musterd, processes):
    """Of a client that waits for nothing: the bus must be asked who it is before anything is registered."""
    for n in range(10):
        leader = processes.sleeper()
        with rawbus.RawBus() as bus:
            made = bus.send("RegisterMachine", "sayssus", f"piped-{n}", b"", "test", "container", leader, "")
            found = bus.send("GetMachine", "s", f"piped-{n}")
            gone = bus.send("UnregisterMachine", "s", f"piped-{n}")
            missed = bus.send("GetMachine", "s", f"piped-{n}")
            assert [bus.answer(serial) for serial in (made, found, gone)] == [None, None, None]
            assert bus.answer(missed) == "org.freedesktop.machine1.NoSuchMachine"


def test_create_refuses_unknown_properties_by_name(musterd, processes):
    leader = processes.sleeper()
    create = lambda *p: manager("CreateMachine", "sayssusa(sv)", "c", 0, "", "container", leader, "", *p,  # noqa: E731
                                check=False)
    result = create(1, "BananaMax", "t", 5)
    assert result.returncode != 0 and "BananaMax" in result.stderr
    result = create(1, "TasksMax", "s", "x")
    assert result.returncode != 0 and "TasksMax" in result.stderr
    result = create(1, "Slice", "s", "../../x")
    assert result.returncode != 0 and "Slice" in result.stderr
    assert names() == [] and not world.scope_directories()
    result = create(3, "Controller", "s", ":1.5", "DevicePolicy", "s", "closed", "Slice", "s", "a-b.slice")
    assert result.returncode == 0, result.stderr
    assert (pathlib.Path("/sys/fs/cgroup/a.slice/a-b.slice/machine-c.scope/cgroup.procs").read_text().split()
            == [str(leader)])
    manager("KillMachine", "ssi", "c", "all", int(signal.SIGKILL))
    world.wait_until(lambda: not world.scope_directories() and names() == [], "it to go")


def test_many_clients_at_once(musterd, processes):
    failures = []

    def client(i):
        for k in range(2):
            leader = processes.sleeper()
            if register(f"many-{i}-{k}", leader, check=False).returncode:
                failures.append(i)
            if manager("UnregisterMachine", "s", f"many-{i}-{k}", check=False).returncode:
                failures.append(i)

    threads = [threading.Thread(target=client, args=(i,)) for i in range(30)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures and names() == []
