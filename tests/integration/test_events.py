# SPDX-License-Identifier: LGPL-2.1-or-later
"""The journal of events: what is noted, for whom, and that nothing of it is lost or told twice, whoever is killed or slow."""
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import threading
import time

import pytest
import world

SUBSCRIBE = "org.muster.Machine1.Subscribe"
MACHINE = "io.systemd.Machine."
FILES = pathlib.Path("/run/muster/events")
USER = 4243
ROUNDS = int(os.environ.get("MUSTER_EVENT_KILLS", "15"))


@pytest.fixture(autouse=True)
def empty_journal():
    """Each test begins at number 1."""
    subprocess.run(["rm", "-rf", FILES], check=True)
    yield
    subprocess.run(["rm", "-rf", FILES], check=True)


@pytest.fixture
def small(build):
    """A daemon that keeps 16 events."""
    daemon = world.Musterd(build, "--bus=no", "--max-events=16", "--log-level=info")
    daemon.start()
    yield daemon
    daemon.finish()


def boot_id():
    return pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")


def subscribe(connection, **parameters):
    """All that is there: (what is told, position)."""
    replies = list(connection.stream(SUBSCRIBE, parameters))
    assert list(replies[-1]) == ["position"]
    assert all(len(reply) == 1 for reply in replies)
    return replies[:-1], replies[-1]["position"]


def events(**parameters):
    with world.Varlink() as v:
        told, _ = subscribe(v, **parameters)
        assert all("event" in reply for reply in told), told
        return [reply["event"] for reply in told]


def brief(told):
    return [(e["kind"], e["machine"]) for e in told]


def register_and_forget(v, n, leader, name="web"):
    for _ in range(n):
        v.register(name, leader)
        v.call(MACHINE + "Unregister", {"name": name})


def fails(error, call, *arguments, **keywords):
    with pytest.raises(world.VarlinkError) as caught:
        call(*arguments, **keywords)
    assert caught.value.error == error, caught.value
    return caught.value.parameters


# ---- what is noted ----

def test_a_life(musterd_without_bus, processes):
    leader = processes.sleeper()
    with world.Varlink() as v:
        v.register("web", leader)
        v.call(MACHINE + "Kill", {"name": "web", "signal": "SIGCONT", "whom": "leader"})
        processes.kill(leader)
        world.wait_until(lambda: not v.names(), "the machine to go")
        other = processes.sleeper()
        v.register("made", other, allocateUnit=True)
        world.wait_until(lambda: "running" in [e["kind"] for e in events()], "the scope")
        v.call(MACHINE + "Terminate", {"name": "made"})
        world.wait_until(lambda: not v.names(), "the second one to go")
    told = events()
    assert brief(told) == [("registered", "web"), ("kill", "web"), ("removed", "web"), ("created", "made"),
                           ("running", "made"), ("closing", "made"), ("removed", "made")]
    assert [e["sequence"] for e in told] == list(range(1, 8))
    assert {e["bootId"] for e in told} == {boot_id()}
    assert [e["leader"] for e in told] == [leader] * 3 + [other] * 4
    assert all(e["class"] == "container" for e in told)
    me = {"uid": 0, "pid": os.getpid()}
    assert [e.get("actor") for e in told] == [me, me, None, me, me, me, None]
    assert told[1]["details"] == {"signal": "SIGCONT", "whom": "leader"}
    assert all(abs(e["realtime"] / 1e6 - time.time()) < 60 for e in told)
    assert [e["monotonic"] for e in told] == sorted(e["monotonic"] for e in told)


def test_by_the_bus(musterd, processes):
    """Stock busctl; the actor is the process that called, whoever waits for it."""
    leader = processes.sleeper()
    caller = subprocess.Popen(["busctl", f"--address={world.BUS_ADDRESS}", "call", *world.MANAGER, "RegisterMachine",
                               "sayssus", "web", "0", "test", "container", str(leader), ""], stdout=subprocess.DEVNULL)
    assert caller.wait() == 0
    other = processes.sleeper()
    world.manager("CreateMachine", "sayssusa(sv)", "made", 0, "test", "vm", other, "", 0)
    world.manager("OpenMachineRootDirectory", "s", "web", check=False)
    world.manager("TerminateMachine", "s", "made")
    world.wait_until(lambda: ("removed", "made") in brief(events()), "the machine to go")
    world.manager("UnregisterMachine", "s", "web")
    told = events()
    assert brief(told) == [("registered", "web"), ("created", "made"), ("running", "made"), ("open-root", "web"),
                           ("closing", "made"), ("removed", "made"), ("unregistered", "web")]
    assert told[0]["actor"] == {"uid": 0, "pid": caller.pid}
    assert told[1]["class"] == "vm" and told[1]["actor"] == told[2]["actor"]
    assert "actor" not in told[5]


@pytest.mark.modes("v1")
def test_by_the_scope_manager(bus, build, processes):
    """Who acts on the scope of a machine acts on the machine."""
    daemon = world.Musterd(build, "--scope-manager", "--backend=cgroup")
    daemon.start()
    systemd1 = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
    try:
        world.manager("CreateMachine", "sayssusa(sv)", "web", 0, "test", "container", processes.sleeper(), "", 1, "TasksMax",
                      "t", 33)
        world.busctl("call", *systemd1, "SetUnitProperties", "sba(sv)", "machine-web.scope", "true", 1, "TasksMax", "t",
                     44)
        world.busctl("call", *systemd1, "SetUnitProperties", "sba(sv)", "machine-web.scope", "true", 1, "TasksMax", "t",
                     (1 << 64) - 1)
        world.busctl("call", *systemd1, "KillUnit", "ssi", "machine-web.scope", "all", 18)
        world.busctl("call", *systemd1, "StopUnit", "ss", "machine-web.scope", "replace")
        world.wait_until(lambda: ("removed", "web") in brief(events()), "the machine to go")
        told = events()
        assert [e["kind"] for e in told[2:]] == ["limit", "limit", "kill", "closing", "removed"]
        assert [e["details"] for e in told[2:4]] == [{"TasksMax": "44"}, {"TasksMax": "infinity"}]
        assert told[4]["details"] == {"signal": "SIGCONT", "whom": "all"}
        assert all(e["actor"]["uid"] == 0 and e["actor"]["pid"] > 1 for e in told[:6])
    finally:
        daemon.finish()


def test_another_user(musterd, processes):
    """An owner's own deeds carry his number; he reads the journal like everybody."""
    leader = processes.sleeper(user=USER)
    with world.Varlink() as v:
        v.register("web", leader)
    script = ("import json, os, sys; sys.path.insert(0, sys.argv[1]); import world\n"
              "v = world.Varlink()\n"
              "try: v.call('io.systemd.Machine.Kill', {'name': 'web', 'signal': 18})\n"
              "except world.VarlinkError as e: print(e.error)\n"
              "print(os.getpid(), len(list(v.stream('org.muster.Machine1.Subscribe'))))\n")
    result = subprocess.run([sys.executable, "-c", script, str(pathlib.Path(world.__file__).parent)], text=True,
                            capture_output=True, preexec_fn=world.drop_privileges(USER))
    refused, told = result.stdout.splitlines()
    assert refused == "org.varlink.service.PermissionDenied"
    assert told.split()[1] == "2"  # what was refused has not happened: registered, position
    record = world.MACHINES / "web"  # from now on it is his
    musterd.stop()
    text = record.read_text()
    assert "UID=0\n" in text
    record.write_text(text.replace("UID=0\n", f"UID={USER}\n"))
    musterd.start()
    result = subprocess.run([sys.executable, "-c", script, str(pathlib.Path(world.__file__).parent)], text=True,
                            capture_output=True, preexec_fn=world.drop_privileges(USER))
    pid, n = result.stdout.split()
    assert n == "3"
    assert events()[-1]["actor"] == {"uid": USER, "pid": int(pid)}
    assert events()[-1]["details"] == {"signal": "SIGCONT", "whom": "all"}


def test_a_scope_that_cannot_be_made(musterd_without_bus, processes):
    """There may be no more control groups."""
    leader = processes.sleeper()
    slice_ = pathlib.Path("/sys/fs/cgroup/machine.slice")
    slice_.mkdir(exist_ok=True)
    limit = slice_ / "cgroup.max.descendants"
    limit.write_text("0")
    try:
        with world.Varlink() as v:
            try:
                v.register("web", leader, allocateUnit=True)
            except world.VarlinkError:
                pass
            world.wait_until(lambda: len(events()) == 2, "the failure", on_timeout=lambda: str(events()))
        assert brief(events()) == [("created", "web"), ("create-failed", "web")]
    finally:
        limit.write_text("max")


# ---- reading ----

def test_catching_up_and_following(musterd_without_bus, processes):
    leader = processes.sleeper()
    with world.Varlink() as v, world.Varlink() as reader:
        register_and_forget(v, 3, leader)
        assert len(events(since=4)) == 2 and events(since=6) == []
        reader.send(SUBSCRIBE, {"since": 5, "follow": True}, more=True)
        assert reader.answer()["event"]["sequence"] == 6
        assert reader.answer() == {"position": {"sequence": 6, "bootId": boot_id()}}
        v.register("web", leader)
        reply = reader.receive()
        assert reply["continues"] and reply["parameters"]["event"]["sequence"] == 7
        v.call(MACHINE + "Unregister", {"name": "web"})
        assert reader.answer()["event"]["kind"] == "unregistered"


def test_only_some_machines(musterd_without_bus, processes):
    leaders = [processes.sleeper() for _ in range(3)]
    with world.Varlink() as v, world.Varlink() as reader:
        for i, leader in enumerate(leaders):
            v.register(f"m{i}", leader)
        assert brief(events(machines=["m0", "m2"])) == [("registered", "m0"), ("registered", "m2")]
        assert events(machines=["of-old"]) == []
        reader.send(SUBSCRIBE, {"machines": ["m1"], "follow": True}, more=True)
        assert reader.answer()["event"]["machine"] == "m1"
        assert reader.answer()["position"]["sequence"] == 3
        v.call(MACHINE + "Unregister", {"name": "m0"})
        v.call(MACHINE + "Unregister", {"name": "m1"})
        assert reader.answer()["event"]["sequence"] == 5


def test_wrong_questions(musterd_without_bus, processes):
    invalid = "org.varlink.service.InvalidParameter"
    with world.Varlink() as v:
        register_and_forget(v, 1, processes.sleeper())
        for parameters, field in [({"since": -1}, "since"), ({"since": "1"}, "since"), ({"since": 1.5}, "since"),
                                  ({"bootId": "xyz"}, "bootId"), ({"machines": ["foo_bar"]}, "machines"),
                                  ({"machines": "web"}, "machines"), ({"machines": ["a"] * 65}, "machines"),
                                  ({"follow": 1}, "follow"), ({"banana": 1}, "banana")]:
            assert fails(invalid, lambda: list(v.stream(SUBSCRIBE, parameters)))["parameter"] == field
        fails("org.varlink.service.ExpectedMore", v.call, SUBSCRIBE, {})
        answer = fails("org.muster.Machine1.SequenceInFuture", lambda: subscribe(v, since=3))
        assert answer == {"sequence": 2, "bootId": boot_id()}
        answer = fails("org.muster.Machine1.OtherBoot", lambda: subscribe(v, since=1, bootId="0" * 31 + "1"))
        assert answer == {"bootId": boot_id()}
        assert subscribe(v, since=1, bootId=boot_id())[1]["sequence"] == 2


def test_interface_is_described(musterd_without_bus):
    with world.Varlink() as v:
        assert "org.muster.Machine1" in v.call("org.varlink.service.GetInfo")["interfaces"]
        answer = v.call("org.varlink.service.GetInterfaceDescription", {"interface": "org.muster.Machine1"})
        assert "method Subscribe(" in answer["description"] and "error SequenceInFuture" in answer["description"]


def test_a_gap_is_told(small, processes):
    leader = processes.sleeper()
    with world.Varlink() as v:
        register_and_forget(v, 20, leader)
        told, position = subscribe(v, since=3)
        first = told[1]["event"]["sequence"]
        assert told[0] == {"gap": {"from": 4, "to": first - 1}}
        assert [r["event"]["sequence"] for r in told[1:]] == list(range(first, 41)) and position["sequence"] == 40
        assert len(told) == 17
        told, _ = subscribe(v)  # who claims to know nothing has missed nothing
        assert told[0]["event"]["sequence"] == first
        assert subscribe(v, since=0)[0][0] == {"gap": {"from": 1, "to": first - 1}}


def test_slow_reader(small, processes):
    """It reads nothing while more than a thousand events pass: others are served, and it is told of a gap."""
    leader = processes.sleeper()
    with world.Varlink() as v, world.Varlink() as reader:
        reader.send(SUBSCRIBE, {"follow": True}, more=True)
        assert reader.answer() == {"position": {"sequence": 0, "bootId": boot_id()}}
        register_and_forget(v, 800, leader)
        times = []
        for _ in range(51):
            begin = time.monotonic()
            v.names()
            times.append(time.monotonic() - begin)
        assert sorted(times)[25] < 0.1
        numbers, gaps = [], []
        while not numbers or numbers[-1] < 1600:
            reply = reader.answer()
            if "gap" in reply:
                gaps.append(reply["gap"])
                numbers += range(reply["gap"]["from"], reply["gap"]["to"] + 1)
            else:
                numbers.append(reply["event"]["sequence"])
        assert numbers == list(range(1, 1601))
        assert gaps and sum(g["to"] - g["from"] + 1 for g in gaps) > 100


def test_reader_that_goes_away(musterd_without_bus, processes):
    leader = processes.sleeper()
    with world.Varlink() as v:
        for _ in range(20):
            readers = [world.Varlink() for _ in range(20)]
            for reader in readers:
                reader.send(SUBSCRIBE, {"follow": True}, more=True)
            for reader in readers[::2]:
                reader.answer()
            for reader in readers:
                reader.socket.close()
            register_and_forget(v, 1, leader)
        world.wait_until(lambda: len(os.listdir(f"/proc/{musterd_without_bus.pid}/fd")) < 30, "the connections to end")


# ---- the daemon is killed ----

class Reader(threading.Thread):
    """Follows, over any number of lives of the daemon, from the last number it has seen."""

    def __init__(self):
        super().__init__(daemon=True)
        self.told = []
        self.ended = False
        self.failure = None

    def read(self):
        with world.Varlink(timeout=0.5) as v:
            v.send(SUBSCRIBE, {"since": self.told[-1]["sequence"] if self.told else 0, "follow": True}, more=True)
            while not self.ended:
                reply = v.answer()
                if "gap" in reply:
                    raise AssertionError(reply)
                if "event" in reply:
                    self.told.append(reply["event"])

    def run(self):
        while not self.ended:
            try:
                self.read()
            except (EOFError, OSError):
                time.sleep(0.01)
            except Exception as failure:
                self.failure = failure
                return


def balance(told):
    """What the journal says lives; it must be sound on the way."""
    alive = {}
    for e in told:
        name = e["machine"]
        if e["kind"] in ("registered", "created"):
            assert name not in alive, e
            alive[name] = e["leader"]
        elif e["kind"] == "running":
            assert alive[name] == e["leader"], e
        elif e["kind"] in ("removed", "unregistered", "create-failed"):
            assert alive.pop(name) == e["leader"], e
    return alive


def work(rng, processes, leaders, name):
    """Calls one after the other until the daemon is gone: what was answered."""
    answered = []
    try:
        with world.Varlink() as v:
            for _ in range(rng.randrange(5, 40)):
                leader = rng.choice(leaders)
                v.call(MACHINE + "Register", {"name": name, "class": "container", "leaderProcessId": {"pid": leader},
                                              "allocateUnit": rng.random() < 0.3})
                answered.append(("registered", leader))
                v.call(MACHINE + "Unregister", {"name": name})
                answered.append(("unregistered", leader))
    except (EOFError, OSError):
        pass
    except world.VarlinkError as e:
        # a scope that is still being made cannot be let go of yet; one that was let go of is there as long as its leader
        assert e.parameters.get("errnoName") in ("EBUSY", "EEXIST"), e
    return answered


def test_killed_at_random_moments(musterd_without_bus, processes):
    seed = random.SystemRandom().randrange(1 << 32)
    rng = random.Random(seed)
    reader = Reader()
    reader.start()
    answered = []
    try:
        for i in range(ROUNDS):
            leaders = [processes.sleeper() for _ in range(2)]
            worker = threading.Thread(target=lambda: answered.extend(work(rng, processes, leaders, f"m{i}")))
            worker.start()
            time.sleep(rng.random() * 0.05)
            musterd_without_bus.kill()
            worker.join()
            if rng.random() < 0.5:
                processes.kill(leaders[0])
            musterd_without_bus.start()
            for leader in leaders:
                if pathlib.Path(f"/proc/{leader}").exists():
                    processes.kill(leader)
            world.wait_until(lambda: not world.Varlink().names(), "the machines to go")
        told = events()
        assert [e["sequence"] for e in told] == list(range(1, len(told) + 1))
        world.wait_until(lambda: len(reader.told) >= len(told) or reader.failure, "the reader to catch up")
        assert not reader.failure and reader.told == told  # nothing lost, nothing twice, no number for two things
        assert balance(told) == {}
        kinds = [("registered" if e["kind"] == "created" else e["kind"], e["leader"]) for e in told
                 if e["kind"] in ("registered", "created", "unregistered")]
        for deed in set(answered):
            assert kinds.count(deed) >= answered.count(deed), deed
    except BaseException as failure:
        raise AssertionError(f"seed {seed}: {failure}") from failure
    finally:
        reader.ended = True
        reader.join()


def test_deaths_while_it_is_away(musterd_without_bus, processes):
    leaders = [processes.sleeper(), processes.sleeper()]
    with world.Varlink() as v:
        v.register("dies", leaders[0])
        v.register("lives", leaders[1])
    musterd_without_bus.kill()
    processes.kill(leaders[0])
    musterd_without_bus.start()
    told = events(since=2)
    assert brief(told) == [("removed", "dies")]
    assert told[0]["details"] == {"noticed": "restart"} and "actor" not in told[0]
    musterd_without_bus.restart()
    assert events(since=3) == []  # nothing has happened: nothing is noted


def test_machines_older_than_the_journal(musterd_without_bus, processes):
    with world.Varlink() as v:
        v.register("web", processes.sleeper())
    musterd_without_bus.stop()
    subprocess.run(["rm", "-r", FILES], check=True)
    musterd_without_bus.start()
    told = events()
    assert brief(told) == [("registered", "web")]
    assert told[0]["actor"] == {"uid": 0} and told[0]["details"] == {"recovered": "yes"}


# ---- the files ----

def test_hostile_files(musterd_without_bus, processes):
    current = FILES / "current"
    leader = processes.sleeper()
    with world.Varlink() as v:
        register_and_forget(v, 2, leader)
    good = current.read_bytes()
    lines = good.splitlines(keepends=True)
    for name, content, kept, jumps in [
            ("torn", good + b'{"sequence":5,"realt', 4, False),
            ("garbage", lines[0] + os.urandom(500) + b"\n" + lines[2], 2, True),
            ("a huge line", good + b'{"a":"' + b"x" * (5 << 20) + b'"}\n', 4, True),
            ("wrong numbers", lines[1] + lines[0] + lines[3], 2, True),
            ("nothing but zeros", bytes(10000), 0, True)]:
        musterd_without_bus.stop()
        before = musterd_without_bus.logged().count("Setting aside")
        (FILES / "previous").unlink(missing_ok=True)
        current.write_bytes(content)
        musterd_without_bus.start()
        assert musterd_without_bus.logged().count("Setting aside") == before + 1, name
        assert (FILES / "current.bad").read_bytes() == content, name
        with world.Varlink() as v:
            told, position = subscribe(v)
            assert len([r for r in told if "event" in r]) == kept, name
            assert (position["sequence"] > 1000000) == jumps, name
            register_and_forget(v, 1, leader)
        assert events(since=position["sequence"])[0]["sequence"] == position["sequence"] + 1
        musterd_without_bus.restart()
        assert musterd_without_bus.logged().count("Setting aside") == before + 1, name


def test_files_are_readable_and_bounded(small, processes):
    with world.Varlink() as v:
        register_and_forget(v, 200, processes.sleeper())
    assert sorted(p.name for p in FILES.iterdir()) == ["current", "previous"]
    for path in FILES.iterdir():
        assert path.stat().st_size <= 16 * 256 and path.stat().st_mode & 0o777 == 0o644 and path.stat().st_uid == 0
    assert json.loads((FILES / "current").read_text().splitlines()[-1])["sequence"] == 400


def test_another_bound_after_a_restart(build, small, processes):
    """Fewer are kept than the files have; nothing of that is an error."""
    with world.Varlink() as v:
        register_and_forget(v, 30, processes.sleeper())
    for bound, kept in ((64, None), (16, 16)):
        small.stop()
        small.options = ("--bus=no", f"--max-events={bound}")
        small.start()
        numbers = [e["sequence"] for e in events()]
        assert numbers == list(range(numbers[0], 61)) and (kept is None or len(numbers) == kept) and len(numbers) >= 16
    assert "Setting aside" not in small.logged()
    for wrong in ("15", "65537", "-1", "x", ""):
        result = subprocess.run([build / "musterd", f"--max-events={wrong}"], capture_output=True, text=True)
        assert result.returncode == 1 and result.stderr.endswith(": must be a number from 16 to 65536.\n")


def test_one_write_for_each_event(musterd_without_bus, processes):
    """System calls of the daemon for a pair of calls, those for events among them."""
    leader = processes.sleeper()
    trace = pathlib.Path(os.environ["TMPDIR"]) / "events.strace"
    with world.Varlink() as v:
        register_and_forget(v, 1, leader)
        tracer = subprocess.Popen(["strace", "-f", "-y", "-o", trace, "-p", str(musterd_without_bus.pid)],
                                  stderr=subprocess.DEVNULL)
        # The kernel names the tracer before any call is traced.
        world.wait_until(lambda: v.call("io.systemd.service.Ping") == {} and trace.exists() and trace.stat().st_size, "strace")
        register_and_forget(v, 10, leader)
        tracer.terminate()
        tracer.wait()
    lines = trace.read_text().splitlines()
    assert len([line for line in lines if "/muster/events" in line]) == 20
    assert len([line for line in lines if "/muster/events/current>" in line and " write(" in line]) == 20


# ---- muster events ----

def test_for_people(musterd_without_bus, processes):
    with world.Varlink() as v:
        register_and_forget(v, 1, processes.sleeper())
    head, *lines = world.muster("events").stdout.splitlines()
    assert head.split() == ["NUMBER", "TIME", "EVENT", "MACHINE", "BY", "DETAILS"]
    number, _, _, kind, machine, actor = lines[0].split()
    assert (number, kind, machine, actor) == ("1", "registered", "web", f"root[{os.getpid()}]")
    assert len(lines) == 2
    assert len(world.muster("events", "--no-legend", "-n", "1").stdout.splitlines()) == 1
    other = world.muster("events", "--no-legend", "other", check=False)
    assert (other.returncode, other.stdout, other.stderr) == (1, "", 'muster: There is no event of "other".\n')
    assert world.muster("events", "--no-legend", "--since=2", "other").stderr == ""


def test_for_programs(small, processes):
    with world.Varlink() as v:
        register_and_forget(v, 20, processes.sleeper())
    told = [json.loads(line) for line in world.muster("events", "--json=short", "--since=20").stdout.splitlines()]
    assert told[0] == {"gap": {"from": 21, "to": 24}} and told[1]["sequence"] == 25 and told[-1]["sequence"] == 40
    assert [e for e in events()] == told[1:]
    pretty = world.muster("events", "--json=pretty", "-n1").stdout
    assert json.loads(pretty)["sequence"] == 40 and pretty.count("\n") > 5
    assert "-- Events 21 to 24 are missing" in world.muster("events", "--since=20").stdout


@pytest.mark.parametrize("since, status, words", [
    ("x", 2, "--since=x"), ("-1", 2, "--since=-1"), ("nonsense:1", 2, "BOOT-ID:NUMBER"), ("99", 1, "no event 99 yet"),
    ("0123456789abcdef0123456789abcdef:1", 1, "another boot")])
def test_wrong_since(musterd_without_bus, since, status, words):
    result = world.muster("events", f"--since={since}", check=False)
    assert result.returncode == status and words in result.stderr and result.stdout == ""


def test_wrong_words(musterd_without_bus):
    assert world.muster("events", "foo_bar", check=False).returncode == 1
    result = world.muster("events", "-n", "x", check=False)
    assert result.returncode == 2 and "--lines=x" in result.stderr


def test_without_a_daemon(musterd_without_bus, processes):
    with world.Varlink() as v:
        register_and_forget(v, 2, processes.sleeper())
    expected = events()
    musterd_without_bus.stop()
    try:
        told = [json.loads(line) for line in world.muster("events", "--json=short").stdout.splitlines()]
        assert told == expected
        assert len(world.muster("events", "--json=short", "--since=3").stdout.splitlines()) == 1
        assert len(world.muster("events", "--json=short", f"--since={boot_id()}:2").stdout.splitlines()) == 2
        for since, words in (("5", "no event 5 yet"), ("0123456789abcdef0123456789abcdef:1", "another boot")):
            result = world.muster("events", f"--since={since}", check=False)
            assert result.returncode == 1 and words in result.stderr
        with open(FILES / "current", "a") as file:
            file.write("torn")
        assert len(world.muster("events", "--json=short").stdout.splitlines()) == 4
    finally:
        (FILES / "current").unlink()
        musterd_without_bus.start()
    assert world.muster("events", "--no-legend").stdout == ""


def test_following_over_restarts(musterd_without_bus, processes):
    """muster events -f, killed daemons in between: every event once, in order."""
    leader = processes.sleeper()
    with world.Varlink() as v:
        register_and_forget(v, 1, leader)
    output = pathlib.Path(os.environ["TMPDIR"]) / "followed"
    with open(output, "w") as file:
        follower = subprocess.Popen([musterd_without_bus.build / "muster", "events", "-f", "--json=short", "-q"],
                                    stdout=file, stderr=subprocess.PIPE, text=True)
    processes.all.append(follower)

    def followed():
        whole, _, _ = output.read_text().rpartition("\n")  # the last line may be on its way
        return [json.loads(line)["sequence"] for line in whole.splitlines()]

    world.wait_until(lambda: followed() == [1, 2], "the beginning")
    for i in range(1, 6):
        with world.Varlink() as v:
            register_and_forget(v, 5, leader)
        (musterd_without_bus.kill if i % 2 else musterd_without_bus.stop)()
        time.sleep(0.3)
        musterd_without_bus.start()
        with world.Varlink() as v:
            register_and_forget(v, 5, leader)
        world.wait_until(lambda: len(followed()) >= 2 + 20 * i, "the follower to come back")
        assert followed() == list(range(1, 3 + 20 * i))
    follower.send_signal(signal.SIGTERM)
    assert follower.wait() == -signal.SIGTERM and follower.stderr.read() == ""


def test_following_from_the_files_on(musterd_without_bus, processes):
    """Begun while no daemon runs."""
    leader = processes.sleeper()
    with world.Varlink() as v:
        register_and_forget(v, 10, leader)
    musterd_without_bus.kill()
    follower = subprocess.Popen([musterd_without_bus.build / "muster", "events", "-f", "--json=short", "--lines=3"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    processes.all.append(follower)

    def next_number():
        return json.loads(follower.stdout.readline())["sequence"]

    assert [next_number() for _ in range(3)] == [18, 19, 20]
    assert follower.stderr.readline() == "muster: No registry is running; waiting for one.\n"
    musterd_without_bus.start()
    with world.Varlink() as v:
        register_and_forget(v, 1, leader)
    assert [next_number() for _ in range(2)] == [21, 22]
    follower.kill()
    follower.wait()


def test_follower_without_readers(musterd_without_bus, processes):
    leader = processes.sleeper()
    follower = subprocess.Popen([musterd_without_bus.build / "muster", "events", "-f", "--no-legend"],
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    processes.all.append(follower)
    with world.Varlink() as v:
        register_and_forget(v, 1, leader)
        assert b"registered" in follower.stdout.readline()
        follower.stdout.close()
        register_and_forget(v, 1, leader)
    assert follower.wait(10) == 0 and follower.stderr.read() == b""
