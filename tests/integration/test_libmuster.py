# SPDX-License-Identifier: LGPL-2.1-or-later
"""libmuster.so.0, by the programs in examples/, by Python, and by programs that know only libsystemd's names."""
import json
import os
import pathlib
import shutil
import socket
import subprocess

import pytest
import world

TOP = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def example(build):
    def run(name, *arguments, check=True, **options):
        return world.run_client([build / "examples" / f"example-{name}"], *arguments, check=check, **options)
    return run


@pytest.fixture
def stock(build):
    """Runs a program that has no sanitizers, with libraries of the build that has none, either."""
    library = world.spawn_program(build).resolve().parents[1] / "libmuster"
    ldd = subprocess.run(["ldd", library / "libmuster.so.0"], capture_output=True, text=True)
    if ldd.returncode or "libasan" in ldd.stdout:
        pytest.skip("there is no build without sanitizers")

    def run(*command, preload=None):
        environment = dict(os.environ, LD_LIBRARY_PATH=str(library))
        if preload:
            environment["LD_PRELOAD"] = str(library / preload)
        result = subprocess.run([*map(str, command)], env=environment, capture_output=True, text=True, timeout=60)
        assert result.returncode == 0, result
        return result.stdout
    return run


def test_list(musterd_without_bus, processes, example):
    assert example("list").stdout == ""
    own, shared = processes.sleeper(unshare=["-n"]), processes.sleeper()
    subprocess.run(["nsenter", f"--net=/proc/{own}/ns/net", "sh", "-c", "ip link set lo up && ip address add 10.7.0.1/24 dev lo"], check=True)
    with world.Varlink() as v:
        v.register("web", own)
        v.register("db", shared, **{"class": "vm"})
    lines = example("list").stdout.splitlines()
    assert lines[0] == f"db vm {shared} -" and lines[1].startswith(f"web container {own} ") and "10.7.0.1" in lines[1]
    # From the files, when nobody runs; and again when the daemon is back.
    musterd_without_bus.kill()
    assert example("list").stdout.splitlines() == [f"db vm {shared} -", f"web container {own} -"]
    musterd_without_bus.start()


def test_whose(musterd_without_bus, processes, example):
    leader = processes.mapped(200000)
    child = int(subprocess.run(["nsenter", f"--target={leader}", "--user", "sh", "-c", "true & echo $!"], capture_output=True,
                               text=True).stdout or 0)
    world.wait_until(lambda: not child or not os.path.exists(f"/proc/{child}"), "the child to be buried")
    with world.Varlink() as v:
        v.register("web", leader)
    assert example("whose", "pid", leader).stdout == "web 0\n"
    assert example("whose", "uid", 200005).stdout == "web 5\n"
    for kind, number, reason in (("uid", 1000, "No such file or directory"), ("uid", 900000, "No such file or directory"),
                                 ("pid", os.getpid(), "No data available"), ("pid", child or 999999, "No such process")):
        result = example("whose", kind, number, check=False)
        assert result.returncode == 1 and result.stderr == reason + "\n", (kind, number, result)
    musterd_without_bus.kill()
    assert example("whose", "pid", leader).stdout == "web 0\n"
    assert example("whose", "uid", 200005, check=False).stderr == "Host is down\n"
    musterd_without_bus.start()


def test_enroll(musterd_without_bus, processes, example):
    leader = processes.sleeper()
    assert example("enroll", "web", leader).stdout == "web is running, registered by example\nIt has ended.\n"
    result = example("enroll", "web", 999999, check=False)
    assert result.returncode == 1 and result.stderr == "Cannot register the machine: No such process.\n"
    leader = processes.sleeper()
    assert example("enroll", "_", leader, check=False).stderr == "Cannot register the machine: Invalid argument.\n"


def has_found_registry(watcher):
    """It waits for what that says and for nothing else: its epoll set has no files and no timer any more."""
    text = subprocess.run(f"cat /proc/{watcher.pid}/fdinfo/*", shell=True, capture_output=True, text=True).stdout
    return text.count("tfd:") == 1


def test_watch_before_there_is_a_registry(musterd_without_bus, processes, build):
    """What happens before somebody can be asked is not known, which is said."""
    leaders = [processes.sleeper() for _ in range(2)]
    musterd_without_bus.kill()
    shutil.rmtree(world.MACHINES)
    watcher = subprocess.Popen([build / "examples" / "example-watch"], stdout=subprocess.PIPE, text=True)
    assert watcher.stdout.readline() == "watching\n"
    try:
        musterd_without_bus.start()
        with world.Varlink() as v:
            v.register("a", leaders[0])
        world.wait_until(lambda: has_found_registry(watcher), "it to ask, as it does every second", 30)
        with world.Varlink() as v:
            v.register("b", leaders[1])
        lines = []
        while not lines or lines[-1] not in ("registered b", ""):
            lines.append(watcher.stdout.readline().strip())
        assert "registered b" in lines and ("registered a" in lines or "missed" in lines), lines
    finally:
        watcher.kill()
        watcher.wait()


def test_watch_begins_with_what_was_missed(build):
    """Where the journal ends is not known before; that is told before all others, also when the registry goes again at once."""
    boot = "0123456789abcdef0123456789abcdef"
    position = {"parameters": {"position": {"sequence": 5, "bootId": boot}}}
    event = {"sequence": 6, "bootId": boot, "realtime": 1, "monotonic": 1, "kind": "registered", "machine": "web", "class": "container",
             "leader": 1}
    world.MACHINES.mkdir(parents=True, exist_ok=True)
    for goes in (False, True):
        watcher = subprocess.Popen([build / "examples" / "example-watch"], stdout=subprocess.PIPE, bufsize=0)
        try:
            assert world.read_line(watcher.stdout) == b"watching\n"
            with world.FakeRegistry() as listener, listener.accept()[0] as connection:
                assert b"Subscribe" in connection.recv(65536)
                if goes:
                    connection.shutdown(socket.SHUT_RD)
                replies = [position] if goes else [position, {"parameters": {"event": event}, "continues": True}]
                connection.sendall(b"".join(json.dumps(reply).encode() + b"\0" for reply in replies))
                assert world.read_line(watcher.stdout) == b"missed \n"
                assert goes or world.read_line(watcher.stdout) == b"registered web\n"
        finally:
            watcher.kill()
            watcher.wait()


def test_watch(musterd_without_bus, processes, build):
    """Through restarts of the daemon, without a gap."""
    leaders = [processes.sleeper() for _ in range(4)]
    with world.Varlink() as v:
        v.register("before", leaders[0])
    watcher = subprocess.Popen([build / "examples" / "example-watch"], stdout=subprocess.PIPE, text=True)
    assert watcher.stdout.readline() == "watching\n"
    try:
        with world.Varlink() as v:
            v.register("a", leaders[1])
        assert watcher.stdout.readline() == "registered a\n"
        musterd_without_bus.restart()
        with world.Varlink() as v:
            v.register("b", leaders[2])
        lines = []
        while "registered b" not in lines:
            lines.append(watcher.stdout.readline().strip())
            assert lines[-1], lines
        assert set(lines) <= {"registered a", "registered b", "changed a", "changed b", "changed before"}, lines
        processes.kill(leaders[1])
        assert watcher.stdout.readline() == "removed a\n"
    finally:
        watcher.kill()
        watcher.wait()


BUS = """
import socket, subprocess
subprocess.run(['mount', '-t', 'tmpfs', 'none', '/run/dbus'], check=True)
s = socket.socket(socket.AF_UNIX)
s.bind('/run/dbus/system_bus_socket')
s.listen()
while True:
    c, _ = s.accept()
    said = c.recv(100)
    peer = c.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    c.sendall(f"OK {int.from_bytes(peer[4:8], 'little')} {int.from_bytes(peer[8:12], 'little')} {said!r}".encode())
    c.close()
"""


def test_bus_inside(musterd, processes, example):
    leader = processes.sleeper(unshare=["-U", "-m"])
    for kind in ("uid", "gid"):
        pathlib.Path(f"/proc/{leader}/{kind}_map").write_text("0 200000 65536\n")
    processes.sleeper(command=("nsenter", f"--target={leader}", "--user", "--mount", "--setuid=0", "--setgid=0", "/usr/bin/python3",
                               "-c", BUS))
    with world.Varlink() as v:
        v.register("web", leader)
        v.register("none", processes.sleeper(unshare=["-m", "sh", "-c", "mount -t tmpfs none /run/dbus; exec sleep 1000"]))
        v.register("vm", processes.sleeper(), **{"class": "vm"})
        v.register("real", processes.sleeper())  # the sandbox has a real bus
    assert example("inside-bus", "real").stdout.startswith("OK ")
    world.wait_until(lambda: example("inside-bus", "web", check=False).stdout == "OK 0 0 b'\\x00AUTH EXTERNAL 30\\r\\n'",
                     "the bus to see root of the container", on_timeout=lambda: example("inside-bus", "web", check=False))
    for name, reason in (("none", "No such file or directory"), ("vm", "Operation not supported"),
                         ("nobody", "No such file or directory")):
        assert example("inside-bus", name, check=False).stderr == f"Cannot reach the bus: {reason}.\n"


def test_python(musterd_without_bus, processes, stock):
    leader = processes.mapped(200000, 300000)
    with world.Varlink() as v:
        v.register("web", leader)
    assert stock("/usr/bin/python3", TOP / "examples" / "list.py").split()[:2] == ["web", str(leader)]
    stock("/usr/bin/python3", "-c", f"""
import ctypes, errno, os, socket
muster = ctypes.CDLL("libmuster.so.0")
name, number = ctypes.c_char_p(), ctypes.c_uint32()
to_name, to_number = ctypes.byref(name), ctypes.byref(number)
assert muster.muster_pidfd_machine(os.pidfd_open({leader}), to_name) == 0 and name.value == b"web"
assert muster.muster_pidfd_machine(0, to_name) == -errno.EINVAL
pair = socket.socketpair()
assert muster.muster_peer_machine(pair[0].fileno(), to_name) == -errno.ENODATA
assert muster.muster_peer_machine(os.open("/dev/null", os.O_RDONLY), to_name) == -errno.ENOTSOCK
assert muster.muster_gid_machine(300007, to_name, to_number) == 0 and (name.value, number.value) == (b"web", 7)
assert muster.muster_machine_uid(b"web", 5, to_number) == 0 and number.value == 200005
assert muster.muster_machine_gid(b"web", 5, to_number) == 0 and number.value == 300005
assert muster.muster_machine_uid(b"web", 70000, to_number) == -errno.ENOENT
assert muster.muster_machine_uid(b"none", 5, to_number) == -errno.ENOENT
assert muster.muster_machine_uid(b"../web", 5, to_number) == -errno.EINVAL
assert muster.muster_machine_get(b"none", 0, to_name) == -errno.ENOENT
assert muster.muster_kill(b"web", b"nobody", 15) == -errno.EINVAL and muster.muster_terminate(b"none") == -errno.ENOENT
""")


def test_stock_programs_with_the_shim(musterd_without_bus, processes, stock):
    """ps knows machines by their units; a leader in none has a machine all the same."""
    leader, lo = processes.sleeper(), socket.if_nametoindex("lo")
    with world.Varlink() as v:
        v.register("unitless", leader, ifIndices=[lo])
    assert stock("ps", "-o", "machine=", "-p", leader).strip() == "-"
    assert stock("ps", "-o", "machine=", "-p", leader, preload="libmuster-login.so.0").strip() == "unitless"
    stock("/usr/bin/python3", "-c", f"""
import ctypes
shim = ctypes.CDLL("libmuster-login.so.0")
name, names, indexes = ctypes.c_char_p(), ctypes.POINTER(ctypes.c_char_p)(), ctypes.POINTER(ctypes.c_int)()
assert shim.sd_machine_get_class(b"unitless", ctypes.byref(name)) == 0 and name.value == b"container"
assert shim.sd_machine_get_class(b"none", ctypes.byref(name)) == -6
assert shim.sd_get_machine_names(ctypes.byref(names)) == 1 and names[0] == b"unitless" and names[1] is None
assert shim.sd_machine_get_ifindices(b"unitless", ctypes.byref(indexes)) == 1 and indexes[0] == {lo}
assert shim.sd_pid_get_machine_name(0, None) == -61
""")


def test_header(build):
    """It stands alone, in C and in C++, as strict as they can be."""
    for compiler, *options in (["cc", "-std=c99", "-pedantic-errors"], ["c++", "-std=c++11", "-x", "c++"]):
        if shutil.which(compiler):
            subprocess.run([compiler, *options, "-Wall", "-Wextra", "-Werror", "-fsyntax-only", TOP / "include/muster/muster.h"], check=True)


def test_watch_a_registry_without_events(processes, build):
    """That of systemd, which has none: its files tell."""
    world.MACHINES.mkdir(parents=True, exist_ok=True)
    with world.FakeRegistry() as listener:
        watcher = subprocess.Popen([build / "examples" / "example-watch"], stdout=subprocess.PIPE, text=True)
        try:
            with listener.accept()[0] as connection:
                assert b"Subscribe" in connection.recv(65536)
                connection.sendall(b'{"error":"org.varlink.service.MethodNotFound","parameters":{"method":"x"}}\0')
                assert watcher.stdout.readline() == "watching\n"
            (world.MACHINES / ".#new").write_text("x")
            (world.MACHINES / ".#new").rename(world.MACHINES / "new")
            assert watcher.stdout.readline() == "changed new\n"
            (world.MACHINES / "new").unlink()
            assert watcher.stdout.readline() == "removed new\n"
            listener.settimeout(1.5)
            with pytest.raises(TimeoutError):  # it is not asked again and again
                listener.accept()
        finally:
            watcher.kill()
            watcher.wait()
