# SPDX-License-Identifier: LGPL-2.1-or-later
"""Clients that send rubbish, claim processes that are not theirs to claim, come by the hundred, or never end: each gets an
answer with a name, the daemon stays alive, and does not grow. Randomness is seeded; a failure prints the seed."""
import contextlib
import os
import pathlib
import random
import resource
import select
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import pytest
import world
from rawbus import Hangup, RawBus, split

TOP = pathlib.Path(__file__).resolve().parents[2]
MACHINE1 = "org.freedesktop.machine1"
PATH = "/org/freedesktop/machine1/machine/"
INVALID = "org.freedesktop.DBus.Error.InvalidArgs"
NO_PROCESS = "org.freedesktop.DBus.Error.UnixProcessIdUnknown"
NO_MACHINE = MACHINE1 + ".NoSuchMachine"
TYPES = "ybnqiuxtdsogv"


@pytest.fixture
def rng(request):
    """Its seed is in the output of a test that fails."""
    seed = int(os.environ.get("MUSTER_HOSTILE_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"MUSTER_HOSTILE_SEED={seed}")
    return random.Random(seed)


def methods(interface):
    """{method: signature of its arguments}, by the shipped description."""
    tree = ET.parse(TOP / "data" / "dbus" / f"{MACHINE1}.{interface}.xml")
    return {m.get("name"): "".join(a.get("type") for a in m.iter("arg") if a.get("direction") == "in")
            for m in tree.iter("method")}


def random_signature(rng, depth=0):
    kind = rng.random()
    if depth > 4 or kind < 0.6:
        return rng.choice(TYPES)
    if kind < 0.8:
        return "a" + random_signature(rng, depth + 1)
    if kind < 0.9:
        return "a{" + rng.choice("ybnqiuxtdsog") + random_signature(rng, depth + 1) + "}"
    return "(" + "".join(random_signature(rng, depth + 1) for _ in range(rng.randrange(1, 4))) + ")"


def random_value(rng, kind):
    if kind[0] == "a":
        return [random_value(rng, kind[1:]) for _ in range(rng.randrange(4))]
    if kind[0] in "({":
        return [random_value(rng, inner) for inner in split(kind[1:-1])]
    if kind == "v":
        inner = rng.choice("yus")
        return inner, random_value(rng, inner)
    bits = {"y": 8, "n": 15, "q": 16, "i": 31, "u": 32, "x": 63, "t": 64}
    if kind in bits:
        return rng.choice([0, 1, (1 << bits[kind]) - 1, rng.randrange(1 << bits[kind])])
    return {"b": rng.randrange(2), "d": rng.random(), "o": "/a/b", "g": "s"}.get(kind, random_text(rng))


def random_text(rng):
    alphabet = rng.choice(["abc-.", "a.", "-", "AZ09_", "/.", "\x01\n\t\x7f", "\u00e4\u20ac\U0001f600", "%s%n", "\\x2d"])
    return "".join(rng.choice(alphabet) for _ in range(rng.choice([0, 1, 2, 5, 63, 64, 65, 300])))


def is_name(text):
    """What is a machine's name, written down anew: a host name without underscores."""
    labels = text.split(".")
    return 0 < len(text) <= 64 and text.isascii() and all(
        label and all(c.isalnum() or c == "-" for c in label) and label[0] != "-" and label[-1] != "-" for label in labels)


def names():
    with world.Varlink() as v:
        return v.names()


def alive(musterd):
    assert musterd.process.poll() is None, musterd.logged()[-4000:]
    with RawBus() as bus:
        assert bus.call("ListMachines") is None


def test_wrong_arguments_for_every_method(musterd, processes, rng):
    leader = processes.sleeper()
    with RawBus() as bus:
        assert bus.call("RegisterMachine", "sayssus", "known", [], "", "container", leader, "") is None
        where = [(dict(), methods("Manager")),
                 (dict(path=PATH + "known", interface=MACHINE1 + ".Machine"), methods("Machine"))]
        for place, table in where:
            for method, right in table.items():
                for _ in range(6):
                    signature = "".join(random_signature(rng) for _ in range(rng.randrange(5)))
                    if signature == right:
                        continue
                    values = [random_value(rng, kind) for kind in split(signature)]
                    error = bus.call(method, signature, *values, **place)
                    assert error == INVALID, (method, right, signature, values, error)
    assert names() == ["known"]
    os.kill(leader, 0)
    alive(musterd)


def test_fuzzed_names(musterd, processes, rng):
    leader = processes.sleeper()
    with RawBus() as bus, world.Varlink() as varlink:
        for _ in range(300):
            name = random_text(rng)
            if is_name(name):
                assert bus.call("GetMachine", "s", name) == NO_MACHINE, name
                continue
            assert bus.call("GetMachine", "s", name) in (NO_MACHINE, INVALID), name
            assert bus.call("KillMachine", "ssi", name, "all", 9) in (NO_MACHINE, INVALID), name
            assert bus.call("RegisterMachine", "sayssus", name, [], "", "container", leader, "") == INVALID, name
            with pytest.raises(world.VarlinkError) as caught:
                varlink.register(name, leader)
            assert caught.value.error == "org.varlink.service.InvalidParameter", name
            with pytest.raises(world.VarlinkError):
                varlink.call("io.systemd.Machine.Terminate", {"name": name})
    assert names() == [] and not world.scope_directories()
    assert list(world.MACHINES.iterdir()) == []


def test_object_paths(musterd, processes, rng):
    with RawBus() as bus:
        for tail in ("none", "_", "_2", "_zz", "_2e_2e", "a/b", "_2ehost/x", "self", "_00", "a" * 3000):
            error = bus.call("GetUIDShift", path=PATH + tail, interface=MACHINE1 + ".Machine")
            assert error and error.startswith("org.freedesktop."), (tail, error)
            error = bus.call("GetAll", "s", "", path=PATH + tail, interface="org.freedesktop.DBus.Properties")
            assert error and error.startswith("org.freedesktop."), (tail, error)
    alive(musterd)


def test_large_and_deep_arguments(musterd, processes):
    leader = processes.sleeper()
    create = ["s", "ay", "s", "s", "u", "s"]
    with RawBus() as bus:
        for method, signature, values in (
                ("RegisterMachineWithNetwork", "sayssusai", ["x", [], "", "container", leader, "", [2] * 50000]),
                ("RegisterMachine", "sayssus", ["x", [0] * 50000, "", "container", leader, ""]),
                ("RegisterMachine", "sayssus", ["x", [], "s" * 1000000, "container", leader, ""]),
                ("RegisterMachine", "sayssus", ["x", [], "", "container", leader, "/" + "r" * 1000000]),
                ("GetMachine", "s", ["n" * 1000000]),
                ("RegisterMachineEx", "sa(sv)", ["x", [("Class", ("s", "banana"))] * 5000]),
                ("RegisterMachineEx", "sa(sv)", ["x", [(f"P{i}", ("s", "v")) for i in range(5000)]]),
                ("CreateMachine", "".join(create) + "a(sv)",
                 ["x", [], "", "container", leader, "", [("Banana", ("t", 5))] * 5000])):
            error = bus.call(method, signature, *values)
            assert error and error.startswith("org.freedesktop."), (method, error)
        deep = ("s", "end")
        for _ in range(60):
            deep = ("v", deep)
        try:  # the bus may refuse that by itself
            assert bus.call("RegisterMachineEx", "sa(sv)", "x", [("Class", deep)])
        except Hangup:
            pass
    assert names() == [] and not world.scope_directories()
    alive(musterd)


def test_garbage_in_the_place_of_a_body(musterd, processes, rng):
    """The bus hangs up on most of it. What it lets through must not harm."""
    for method, signature in list(methods("Manager").items()) * 2:
        with RawBus() as bus:
            try:
                bus.call(method, signature or "s", body=rng.randbytes(rng.choice([1, 4, 8, 64, 500])))
            except Hangup:
                pass
    alive(musterd)


def test_leaders_that_cannot_be(musterd, processes):
    """PID 1, the dead, strangers' numbers, the recycled, and descriptors of anything but a process."""
    leader, other, dead = (processes.sleeper() for _ in range(3))
    dead_fd = os.pidfd_open(dead)
    processes.kill(dead)
    wrong_fds = [os.open("/dev/null", os.O_RDONLY), os.open("/", os.O_RDONLY), *os.pipe(), dead_fd, os.pidfd_open(1)]

    def register(bus, **more):
        properties = [("Class", ("s", "container"))]
        properties += [(key, value) for key, value in more.items() if key != "fds"]
        return bus.call("RegisterMachineEx", "sa(sv)", "ex", properties, fds=more.get("fds", ()))
    with RawBus() as bus:
        for method in ("RegisterMachine", "CreateMachine"):
            tail, values = ("a(sv)", [[]]) if method == "CreateMachine" else ("", [])
            for pid, expected in ((1, INVALID), (dead, NO_PROCESS), (4194303, NO_PROCESS), ((1 << 32) - 1, None),
                                  (1 << 31, None)):
                error = bus.call(method, "sayssus" + tail, "x", [], "", "container", pid, "", *values)
                assert error in ((expected,) if expected else (INVALID, NO_PROCESS)), (method, pid, error)
        for fd in wrong_fds:
            assert register(bus, LeaderPIDFD=("h", 0), fds=[fd]) in (INVALID, NO_PROCESS), os.readlink(f"/proc/self/fd/{fd}")
        mine = os.pidfd_open(leader)
        assert register(bus, LeaderPIDFD=("h", 0), LeaderPID=("u", other), fds=[mine]) == INVALID
        identity = os.fstat(mine).st_ino
        assert register(bus, LeaderPID=("u", leader), LeaderPIDFDID=("t", identity + 1)) == INVALID  # recycled
        assert register(bus, LeaderPIDFD=("h", 0), LeaderPIDFDID=("t", 1), fds=[mine]) == INVALID
        try:
            assert register(bus, LeaderPIDFD=("h", 5), fds=[mine])
        except Hangup:  # the bus may look at that index
            pass
    with RawBus() as bus:
        assert names() == []
        assert register(bus, LeaderPIDFD=("h", 0), LeaderPID=("u", leader), LeaderPIDFDID=("t", identity), fds=[mine]) is None
        assert names() == ["ex"]
    for fd in (*wrong_fds, mine):
        os.close(fd)
    for pid in (leader, other):
        os.kill(pid, 0)  # nothing has happened to them


def test_leader_in_another_namespace(musterd, processes):
    """Its number is what we see, not what it believes; a child namespace's PID 1 is nobody's PID 1 here."""
    unshare = processes.sleeper(command=("unshare", "--pid", "--fork", "--mount-proc", "sleep", "1000"))
    world.wait_until(lambda: pathlib.Path(f"/proc/{unshare}/task/{unshare}/children").read_text().split(), "the child")
    inner = int(pathlib.Path(f"/proc/{unshare}/task/{unshare}/children").read_text())
    with RawBus() as bus:
        assert bus.call("RegisterMachine", "sayssus", "inner", [], "", "container", inner, "") is None
        assert bus.call("GetMachineByPID", "u", inner) is None
        assert bus.call("KillMachine", "ssi", "inner", "all", int(signal.SIGKILL)) is None
    world.wait_until(lambda: names() == [], "the namespace to end")


@pytest.mark.modes("v2", "hybrid", "v1")
def test_groups_without_end(musterd_without_bus, processes, mode):
    """A guest makes thousands of control groups. Signals reach all of it, and (but in v1, which does not tell where processes are)
    others do not wait for the walk."""
    leader = processes.sleeper(command=("sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1000 & done; wait"))
    children = pathlib.Path(f"/proc/{leader}/task/{leader}/children")
    world.wait_until(lambda: len(children.read_text().split()) == 8, "the children")
    with world.Varlink() as v:
        v.call("io.systemd.Machine.Register", {"name": "web", "class": "container", "leaderProcessId": {"pid": leader}, "allocateUnit": True})
        scope = next(d for d in map(pathlib.Path, world.scope_directories()) if world.cgroup_root(mode) in d.parents)
        for i in range(5000):
            (scope / f"g{i}").mkdir()
        for i, pid in enumerate(children.read_text().split()):
            (scope / f"g{i * 600}" / "cgroup.procs").write_text(pid)
        with world.Others() if mode != "v1" else contextlib.nullcontext():
            v.call("io.systemd.Machine.Kill", {"name": "web", "whom": "all", "signal": int(signal.SIGUSR1)})
            world.wait_until(lambda: not v.names(), "the machine to be gone")
            world.wait_until(lambda: not world.scope_directories(), "its groups to be gone", timeout=60)


def test_a_hundred_clients_at_both_doors(musterd, processes):
    """All of them ask before anybody listens. What belongs to one machine is asked for in two rounds on the bus: there
    musterd has to find out who a new client is, and what needs no answer to that overtakes what does."""
    clients = [(RawBus(), world.Varlink(), processes.sleeper(), processes.sleeper()) for _ in range(100)]
    asked = []
    for i, (bus, varlink, first, second) in enumerate(clients):
        register = "sayssus"
        asked.append([bus.send("RegisterMachine", register, f"bus-{i}", [], "", "container", first, ""),
                      bus.send("ListMachines"), bus.send("GetMachine", "s", f"nobody-{i}")])
        varlink.send("io.systemd.Machine.Register", {"name": f"link-{i}", "class": "container", "leader": second,
                                                     "allocateUnit": True})
        varlink.send("io.systemd.Machine.List", {"name": f"link-{i}"})
        varlink.send("io.systemd.Machine.Terminate", {"name": f"link-{i}"})
    for (bus, *_), serials in zip(clients, asked):
        assert [bus.answer(serial) for serial in serials] == [None, None, NO_MACHINE]
    asked = [[bus.send("GetMachine", "s", f"bus-{i}"), bus.send("GetMachineByPID", "u", first),
              bus.send("UnregisterMachine", "s", f"bus-{i}")] for i, (bus, _, first, _) in enumerate(clients)]
    for (bus, varlink, _, second), serials in zip(clients, asked):
        assert [bus.answer(serial) for serial in serials] == [None, None, None]
        varlink.answer()
        assert varlink.answer()["leader"]["pid"] == second
        varlink.answer()
        bus.socket.close()
        varlink.socket.close()
    world.wait_until(lambda: names() == [], "the machines to go")
    world.wait_until(lambda: not world.scope_directories(), "their scopes to go")


def test_a_client_that_never_listens(musterd, processes):
    with world.Varlink() as v:
        for i in range(20):
            v.register(f"m{i}", processes.sleeper())
    deaf = RawBus()
    deaf.socket.settimeout(0.2)
    try:
        for _ in range(5000):
            deaf.send("ListMachines")
    except (Hangup, TimeoutError):
        pass
    with RawBus() as bus:
        assert bus.call("GetMachine", "s", "m0") is None
    deaf.socket.close()
    alive(musterd)


def test_out_of_descriptors(musterd, processes):
    leader, late = processes.sleeper(), processes.sleeper()
    with world.Varlink() as v:
        v.register("early", leader)
    hard = resource.prlimit(musterd.pid, resource.RLIMIT_NOFILE)[1]
    used = len(os.listdir(f"/proc/{musterd.pid}/fd"))
    resource.prlimit(musterd.pid, resource.RLIMIT_NOFILE, (used + 10, hard))
    with RawBus() as bus:
        crowd = [world.Varlink() for _ in range(40)]  # the kernel lets them wait in the queue
        for v in crowd:
            v.send("io.systemd.service.Ping")
        world.wait_until(lambda: len(os.listdir(f"/proc/{musterd.pid}/fd")) >= used + 9, "the descriptors to be used up")
        assert bus.call("GetMachine", "s", "early") is None
        error = bus.call("RegisterMachine", "sayssus", "late", [], "", "container", late, "")
        assert error is None or error.startswith(("org.freedesktop.", "System.Error.")), error
        for v in crowd:
            v.socket.close()
        assert musterd.process.poll() is None
        with world.Varlink() as v:  # who comes after them is served as soon as they are gone
            assert "early" in v.names()
        assert musterd.logged().count("Cannot accept a Varlink connection") < len(crowd) / 2
    resource.prlimit(musterd.pid, resource.RLIMIT_NOFILE, (hard, hard))
    with world.Varlink() as v:
        if "late" not in v.names():
            v.register("late", late)
        assert v.names() == ["early", "late"]


def written_kib(pid):
    """What was written to. (Pages of files are private only as long as no musterd of another test has them, too.)"""
    text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Private_Dirty"))


def some_of_everything(bus, processes, leader, other):
    assert bus.call("RegisterMachine", "sayssus", "mem", [], "svc", "container", leader, "/srv") is None
    assert bus.call("GetMachineByPID", "u", leader) is None
    assert bus.call("ListMachines") is None
    assert bus.call("GetMachine", "s", "none") == NO_MACHINE
    assert bus.call("RegisterMachine", "sayssus", "mem", [], "", "container", other, "") == MACHINE1 + ".MachineExists"
    assert bus.call("GetMachineOSRelease", "s", "mem") is None
    assert bus.call("Introspect", path=PATH + "mem", interface="org.freedesktop.DBus.Introspectable") is None
    assert bus.call("UnregisterMachine", "s", "mem") is None
    guest = processes.sleeper()
    with world.Varlink() as v:
        v.register("mem", leader)
        v.register("guest", guest, allocateUnit=True)
        v.list()
        v.call("io.systemd.Machine.Unregister", {"name": "mem"})
    processes.kill(guest)
    processes.all.pop()
    with world.Varlink() as v:
        v.socket.sendall(b'{"method":5}\0')
        try:
            v.receive()
        except (EOFError, ConnectionError):
            pass


def test_memory_stays_flat(bus, build, processes, monkeypatch):
    """Memory after many operations against that after enough to have touched all code. (The address sanitizer keeps
    freed memory for a while: here it may keep 1 MiB only.)"""
    monkeypatch.setenv("ASAN_OPTIONS", "quarantine_size_mb=1:thread_local_quarantine_size_kb=16")
    musterd = world.Musterd(build, "--log-level=warning", "--max-events=64")  # events are kept: soon there are as many as ever
    musterd.start()
    leaders = processes.sleeper(), processes.sleeper()
    try:
        with RawBus() as raw:
            for _ in range(100):
                some_of_everything(raw, processes, *leaders)
            warm = written_kib(musterd.pid)
            for _ in range(400):
                some_of_everything(raw, processes, *leaders)
            hot = written_kib(musterd.pid)
        assert hot < warm * 1.2 + 256, f"{warm} KiB have become {hot} KiB"
    finally:
        musterd.finish()


def test_random_varlink_messages(musterd_without_bus, processes, rng):
    """Bytes of real messages, changed at random places."""
    leader = processes.sleeper()
    seeds = [p.read_bytes() for p in sorted((TOP / "tests/corpus/varlink").iterdir())]
    assert len(seeds) > 5
    for _ in range(300):
        data = bytearray(rng.choice(seeds))
        for _ in range(rng.randrange(1, 6)):
            if data:
                data[rng.randrange(len(data))] = rng.choice([0, 0x22, 0x7b, 0x5d, 0x5c, 0xff, rng.randrange(256)])
        with world.Varlink() as v:
            try:
                v.socket.sendall(bytes(data) + b"\0")
                v.receive()
            except (EOFError, ConnectionError, ValueError):
                pass
    assert musterd_without_bus.process.poll() is None
    with world.Varlink() as v:
        v.register("after", leader)
        assert "after" in v.names()


def test_other_users_cannot_fill_it(musterd, processes):
    """An ordinary user's registrations are refused one by one without polkit, however many there are."""
    uid = 4242
    leader = processes.sleeper(user=uid)
    script = ("import sys; sys.path.insert(0, sys.argv[1]); import world\n"
              "v = world.Varlink()\n"
              "for i in range(200): v.send('io.systemd.Machine.Register', {'name': f'f{i}', 'class': 'container',"
              f" 'leader': {leader}}})\n"
              "errors = {v.receive()['error'] for _ in range(200)}\n"
              "print(*errors)")
    result = subprocess.run(["/usr/bin/python3", "-c", script, str(TOP / "tests/integration")], text=True, capture_output=True,
                            preexec_fn=world.drop_privileges(uid))
    assert result.stdout.split() == ["org.varlink.service.PermissionDenied"], result
    assert names() == []


CROWD = r"""
import collections, json, socket, sys

DOORS = ["machine/io.systemd.Machine", "userdb/io.systemd.Machine", "resolve.hook/io.systemd.Machine"]
NAME = "x" * 200
SAYS = [
    b'{"method":"io.systemd.Machine.List","para', b"{", b"", b"\0" * 3000, b'{"method":5}\0',
    b'{"method":"io.systemd.UserDatabase.GetUserRecord","parameters":{"uid":"5","service":"io.systemd.Machine"}}\0' * 50,
    b'{"method":"io.systemd.UserDatabase.GetUserRecord","parameters":{"uid":655360000,"service":"io.systemd.Machine"}}\0' * 500,
    b'{"method":"io.systemd.UserDatabase.GetUserRecord","parameters":{"uid":5,"uid":6,"service":"io.systemd.Machine"}}\0',
    b'{"method":"io.systemd.Resolve.Hook.QueryFilter","more":true}\0',
    b'{"method":"io.systemd.Resolve.Hook.QueryFilter"}\0' * 300,
    json.dumps({"method": "io.systemd.Resolve.Hook.ResolveRecord", "parameters": {"question": [
        {"key": {"type": 1, "name": "a." * 120}}] * 64}}).encode() + b"\0",
    json.dumps({"method": "io.systemd.Resolve.Hook.ResolveRecord", "parameters": {"question": [[[[]]]] * 9}}).encode() + b"\0",
    b'{"method":"io.systemd.Machine.List","more":true}\0' * 200,
    b'{"method":"org.muster.Machine1.Subscribe","more":true,"parameters":{"follow":true}}\0',
    b'{"method":"org.muster.Machine1.Wait","parameters":{"name":"m1"}}\0' * 30,
    b'{"method":"org.varlink.service.GetInterfaceDescription","parameters":{"interface":"io.systemd.Machine"}}\0' * 100,
    b'{"method":"' + b"a" * 100000 + b'"}\0', b"\xff\xfe" * 1000,
]
BRACES = b"{" * (1 << 20)
crowd, slow, hung_up = collections.deque(), [], 0
for i in range(int(sys.argv[1])):
    s = socket.socket(socket.AF_UNIX)
    s.setblocking(False)
    try:
        s.connect("/run/systemd/" + DOORS[i % 3])
        s.send(BRACES if i % 50 == 0 else SAYS[i // 3 % len(SAYS)])
    except BlockingIOError:
        pass
    except ConnectionError:
        hung_up += 1
    crowd.append(s)
    if i % 100 == 99:
        slow.append(s)  # one byte at a time
        for s in slow:
            try:
                s.send(b"{")
            except OSError:
                pass
    if len(crowd) > 1100:
        crowd.popleft().close()
print("said", len(crowd), flush=True)
sys.stdin.read()
"""


def test_ten_thousand_hostile_connections(bus, build, processes, monkeypatch):
    """Another user comes by every door, with half messages, braces, wrong types, keys that come twice, and does not read: everybody
    else is served as before, and memory is bounded."""
    monkeypatch.setenv("ASAN_OPTIONS", "quarantine_size_mb=1:thread_local_quarantine_size_kb=16")
    musterd = world.Musterd(build, "--bus=no", "--log-level=warning")
    musterd.start()
    with contextlib.ExitStack() as stack:
        stack.callback(musterd.finish)
        v = stack.enter_context(world.Varlink())
        for i in range(50):
            v.register(f"m{i}", processes.sleeper())
        before = written_kib(musterd.pid)
        crowd = subprocess.Popen([sys.executable, "-c", CROWD, "10000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                 preexec_fn=world.drop_privileges(4242))
        stack.callback(crowd.kill)
        took, most = [], 0
        while True:
            begun = time.monotonic()
            with world.Varlink("/run/systemd/userdb/io.systemd.Machine") as users:
                with pytest.raises(world.VarlinkError, match="NoRecordFound"):
                    users.call("io.systemd.UserDatabase.GetUserRecord", {"uid": 655360000, "service": "io.systemd.Machine"})
            v.call("io.systemd.service.Ping")
            took.append(time.monotonic() - begun)
            if len(took) % 16 == 1:  # it takes its time
                most = max(most, written_kib(musterd.pid))
            if select.select([crowd.stdout], [], [], 0.02)[0]:
                if len(took) >= world.Others.SAMPLES:  # musterd is busy with what was said for longer than it takes to say it
                    break
                time.sleep(0.02)
        assert crowd.stdout.readline().startswith("said")
        took.sort()
        print(f"{len(took)} times served, in {took[len(took) // 2]:.4f} s, {took[-1]:.4f} s at most; {before} KiB, {most} KiB at most")
        # Some milliseconds on a host that is idle; in a run of all tests others want the processors, too.
        assert took[len(took) // 2] < 0.5 and most - before < (64 + 32) << 10
        crowd.kill()
        crowd.wait()
        world.wait_until(lambda: len(os.listdir(f"/proc/{musterd.pid}/fd")) < 200, "them to be forgotten", 60)  # a second of work
        assert len(v.names()) == 50


HOLD = r"""
import array, os, socket, sys
number, what = int(sys.argv[1]), sys.argv[2]
null = os.open("/dev/null", os.O_RDONLY)
held = []
for i in range(number):
    s = socket.socket(socket.AF_UNIX)
    s.connect("/run/systemd/machine/io.systemd.Machine")
    s.setblocking(False)
    held.append(s)
    try:
        if what == "descriptors":
            s.sendmsg([b"{"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", [null] * 4))])
        elif what == "memory":
            s.setblocking(True)
            s.sendall(b'{"method":"' + b"x" * 1000000)
    except OSError:
        pass
print(len(held), flush=True)
sys.stdin.read()
"""


@pytest.fixture
def hold():
    """hold(uid, number, what): so many connections of that user, each of which holds half a message, till the test is over."""
    started = []

    def start(uid, number, what=""):
        started.append(subprocess.Popen([sys.executable, "-c", HOLD, str(number), what], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, user=uid, group=uid, extra_groups=[]))
        assert started[-1].stdout.readline() == f"{number}\n"
    yield start
    for process in started:
        process.kill()
        process.wait()


def test_a_user_of_many_uids_leaves_room_for_root(musterd_without_bus, hold):
    """Subordinate uids (subuid(5)) are counted one by one."""
    for i in range(9):
        hold(100000 + i, 1000)
    with world.Varlink() as v:
        assert v.names() == []


def test_a_user_of_many_uids_holds_no_more_memory_in_all(musterd_without_bus, hold):
    for i in range(6):
        hold(100000 + i, 60, "memory")
    world.wait_until(lambda: "too much waits for that user" in musterd_without_bus.logged(), "some to be hung up on")
    result = subprocess.run([str(musterd_without_bus.build / "muster"), "list", "--json=short"], text=True, capture_output=True, user=4242,
                            group=4242, extra_groups=[])
    assert result.returncode == 0, result  # who holds little is served as before


def test_a_user_does_not_use_up_descriptors(musterd_without_bus, hold):
    before = len(os.listdir(f"/proc/{musterd_without_bus.pid}/fd"))
    hold(4242, 100, "descriptors")
    with world.Varlink() as v:
        v.names()
        assert len(os.listdir(f"/proc/{musterd_without_bus.pid}/fd")) < before + 100 + 64 + 5


# Mounts over its /etc a file system that never answers.
HUNG = r"""
import ctypes, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
CLONE_NEWNS, MS_REC, MS_PRIVATE, FUSE_INIT = 0x20000, 0x4000, 0x40000, 26
libc.unshare(CLONE_NEWNS)
libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None)
fd = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,allow_other".encode()
if libc.mount(b"hung", b"/etc", b"fuse", 0, options) < 0:
    sys.exit(os.strerror(ctypes.get_errno()))
_, code, unique = struct.unpack("<IIQ", os.read(fd, 1 << 17)[:16])
assert code == FUSE_INIT
body = struct.pack("<IIIIHHIIHHI7I", 7, 31, 65536, 0, 16, 12, 65536, 1, 1, 0, 0, *([0] * 7))
os.write(fd, struct.pack("<IiQ", 16 + len(body), 0, unique) + body)
print("ready", flush=True)
while True:
    os.read(fd, 1 << 17)
"""


def helpers_that_hang():
    out = subprocess.run(["ps", "-e", "-o", "stat=,comm="], capture_output=True, text=True).stdout
    return [line for line in out.splitlines() if line.startswith("D") and "muster-helper" in line]


def test_a_machine_whose_files_hang(musterd, processes):
    """It costs one helper, however often it is looked at; of other machines there is an answer all the while."""
    if not os.access("/dev/fuse", os.W_OK):
        pytest.skip("there is no /dev/fuse")
    hung = subprocess.Popen([sys.executable, "-c", HUNG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        if hung.stdout.readline() != "ready\n":
            pytest.skip(f"no FUSE here: {hung.stderr.read()}")
        with world.Varlink() as v:
            v.register("hung", hung.pid)
            v.register("good", processes.sleeper(unshare=["--net", "--mount"]))
            v.register("plain", processes.sleeper())
        asking = [subprocess.Popen(["busctl", f"--address={world.BUS_ADDRESS}", "call", *world.MANAGER, "GetMachineOSRelease", "s", "hung"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for _ in range(30)]
        assert all(process.wait(60) != 0 for process in asking)
        assert len(helpers_that_hang()) == 1
        assert world.manager("GetMachineOSRelease", "s", "hung", check=False).returncode != 0
        assert len(helpers_that_hang()) == 1
        assert "ID" in world.manager("GetMachineOSRelease", "s", "good").stdout
        assert "good" in world.muster("list").stdout
        world.manager("KillMachine", "ssi", "plain", "all", signal.SIGKILL)
    finally:
        hung.kill()
        hung.wait()
    world.wait_until(lambda: not helpers_that_hang(), "the helper to be let go")


def test_one_question_again_and_again(musterd, processes):
    """Nobody listens to the answers for a while. Others get theirs, and in the end everybody has one."""
    with world.Varlink() as v:
        v.register("web", processes.sleeper(unshare=["--net"]))
        v.register("good", processes.sleeper(unshare=["--net"]))
    with RawBus() as flood, RawBus() as other:
        sent = [flood.send("GetMachineAddresses", "s", "web") for _ in range(3000)]
        assert other.call("GetMachineAddresses", "s", "good") is None
        assert {flood.answer(serial) for serial in sent} <= {None, "System.Error.ENOBUFS"}
