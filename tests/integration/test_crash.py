# SPDX-License-Identifier: LGPL-2.1-or-later
"""musterd is killed at random moments while machines come and go: none may be lost, none invented, no control group left.

The moments, and who comes and goes, are drawn from a seed that a failure prints. MUSTER_CRASH_SEED repeats it;
MUSTER_CRASH_MACHINES=1000 runs with a thousand machines instead of what is quick enough for every `make check`.
"""
import os
import pathlib
import random
import time

import pytest
import world

MACHINES = int(os.environ.get("MUSTER_CRASH_MACHINES", "300"))
KILLS = 30
CONNECTIONS = 3
OPERATIONS = 8  # on each connection, at most, between two kills
LONGEST_DELAY = 0.02  # seconds until the kill, to begin with; a burst takes about half of that
MORE_KILLS = 100      # at most, until one has come between the calls that are answered and those that are not


class Model:
    """What must be there: name -> leader. What was asked for but not answered may be there or not."""

    def __init__(self, rng, processes):
        self.rng = rng
        self.processes = processes
        self.longest_delay = LONGEST_DELAY
        self.machines = {}
        self.leaders = {}  # every process that is alive: pid -> Popen
        self.counter = 0

    def leader(self):
        pid = self.processes.sleeper()
        self.leaders[pid] = self.processes.all[-1]
        return pid

    def end(self, pid):
        process = self.leaders.pop(pid)
        process.kill()
        process.wait()
        self.processes.all.remove(process)

    def registration(self, name=None):
        if name is None:
            self.counter += 1
            name = f"crash-{self.counter}"
        pid = self.leader()
        parameters = {"name": name, "class": "container", "leaderProcessId": {"pid": pid},
                      "allocateUnit": self.rng.random() < 0.6}
        return name, pid, parameters


def fill(model):
    """The first ones, in peace."""
    with world.Varlink() as v:
        while len(model.machines) < MACHINES:
            name, pid, parameters = model.registration()
            v.call("io.systemd.Machine.Register", parameters)
            model.machines[name] = pid


def burst(model, connection):
    """Sends calls without waiting for the answers. Returns what each would change: (name, leader before, leader after)."""
    calls = []
    rng = model.rng
    for _ in range(rng.randrange(1, OPERATIONS)):
        # A machine has one operation in a burst: with two nobody could say what it must have come to.
        name = rng.choice(sorted(model.machines)) if model.machines else None
        kind = rng.choice(["register", "register", "die", "again", "unregister"])
        if kind == "register" or name is None:
            name, pid, parameters = model.registration()
            connection.send("io.systemd.Machine.Register", parameters)
            calls.append((name, None, pid))
        elif kind == "unregister":
            connection.send("io.systemd.Machine.Unregister", {"name": name})
            calls.append((name, model.machines.pop(name), None))
        else:
            model.end(model.machines.pop(name))
            if kind == "again":  # the name is free the moment its leader is dead
                name, pid, parameters = model.registration(name)
                connection.send("io.systemd.Machine.Register", parameters)
                calls.append((name, None, pid))
    return calls


def settle(model, connection, calls):
    """Reads the answers that still came. Returns the calls that got none."""
    for i, (name, before, after) in enumerate(calls):
        try:
            connection.answer()
        except (EOFError, ConnectionError):
            return calls[i:]
        if after:
            model.machines[name] = after
        else:
            model.end(before)  # unregistered: its leader is of no more use
    return []


def listed():
    with world.Varlink() as v:
        machines = [m for m in v.list() if m["class"] != "host"]
    names = {m["name"]: m["leader"]["pid"] for m in machines}
    assert len(names) == len(machines), "a name is listed twice"
    return machines, names


def adopt(model, unanswered):
    """What was never answered has happened or not; either way it must have happened as a whole."""
    _, names = listed()
    for name, before, after in unanswered:
        if after and names.get(name) == after:
            model.machines[name] = after
        elif after:
            assert name not in names, f"{name} has leader {names.get(name)}, asked for was {after}"
            model.end(after)
        elif name in names:
            model.machines[name] = before
        else:
            model.end(before)


def check(model):
    world.wait_until(lambda: listed()[1] == model.machines, "machines to be those that must be there", on_timeout=lambda: (
        f"lost: {sorted(model.machines.items() - listed()[1].items())}, "
        f"invented: {sorted(listed()[1].items() - model.machines.items())}"))
    machines, names = listed()
    records = {p.name for p in world.MACHINES.iterdir() if not p.name.startswith("unit:")}
    assert records == set(names)
    units = {m["unit"] for m in machines if m.get("unit")}
    assert {p.name[5:] for p in world.MACHINES.iterdir() if p.name.startswith("unit:")} == units
    world.wait_until(lambda: {os.path.basename(d) for d in world.scope_directories()} == units,
                     "scopes to be those of the machines",
                     on_timeout=lambda: f"{sorted({os.path.basename(d) for d in world.scope_directories()} ^ units)}")
    for machine in machines:
        unit = machine.get("unit")
        if unit:
            cgroup = pathlib.Path(f"/proc/{machine['leader']['pid']}/cgroup").read_text()
            assert unit in cgroup, f"{machine['name']} is not in {unit}:\n{cgroup}"


def round_of(model, daemon):
    connections = [world.Varlink() for _ in range(CONNECTIONS)]
    calls = [burst(model, connection) for connection in connections]
    time.sleep(model.rng.random() * model.longest_delay)  # the random moment
    daemon.kill()
    unanswered = []
    for connection, sent in zip(connections, calls):
        unanswered += settle(model, connection, sent)
        connection.socket.close()
    for name in model.rng.sample(sorted(model.machines), min(3, len(model.machines))):
        model.end(model.machines.pop(name))  # dies while nobody watches
    daemon.start()
    adopt(model, unanswered)
    check(model)
    sent = sum(len(burst) for burst in calls)
    # Hosts differ in speed: the moment is sought where some calls are answered and others not.
    if not unanswered:
        model.longest_delay *= 0.8
    elif len(unanswered) == sent:
        model.longest_delay *= 1.25
    return len(unanswered), sent


@pytest.mark.modes("v2", "v1")
def test_killed_at_random_moments(musterd_without_bus, processes, mode):
    seed = int(os.environ.get("MUSTER_CRASH_SEED") or random.SystemRandom().randrange(1 << 32))
    model = Model(random.Random(seed), processes)
    lost = sent = 0
    try:
        fill(model)
        rounds = KILLS if mode == "v2" else KILLS // 5
        while rounds > 0 or (not 0 < lost < sent and rounds > -MORE_KILLS):
            rounds -= 1
            unanswered, of = round_of(model, musterd_without_bus)
            lost, sent = lost + unanswered, sent + of
            while len(model.machines) > MACHINES:
                model.end(model.machines.popitem()[1])
        assert 0 < lost < sent, "the kills came at no interesting moment"
        for name in list(model.machines):
            model.end(model.machines.pop(name))
        check(model)
    except BaseException as failure:
        raise AssertionError(f"MUSTER_CRASH_SEED={seed} MUSTER_CRASH_MACHINES={MACHINES}: {failure}") from failure


# By these it changes what outlives it. Each is tried as the last thing that it did not get to any more.
LASTING = ("mkdirat", "fsetxattr", "fremovexattr", "renameat", "unlinkat", "write")
CALLS_MAX = 40


def dies_before(daemon, call, number):
    """The daemon is killed when it is about to do this call for the number-th time."""
    return world.traced(daemon.pid, "--output=/dev/null", f"--trace={call}", f"--inject={call}:signal=KILL:when={number}")


def each_death(daemon, do, before=lambda: None, after=lambda: None):
    """Has the daemon killed before each lasting call of do(), and started again, until it lives through it, with after() to follow.
    Each time begins with before()."""
    for call in LASTING:
        for number in range(1, CALLS_MAX):
            try:
                before()
                with dies_before(daemon, call, number):
                    do()
                with world.Varlink() as v:  # who has answered is not done yet, and may have died of what came next
                    v.call("io.systemd.service.Ping")
                after()
                break
            except (EOFError, ConnectionError):
                assert daemon.process.wait(20) == -9, f"{call} {number}"
                daemon.start()
                yield f"killed before {call} {number}"
            finally:
                daemon.stop()
                assert not world.control_groups("*.slice"), f"slices that nobody takes away: {call} {number}"
                daemon.start()
        else:
            raise AssertionError(f"killed at {call} without end")


def nothing_halfway(daemon, processes, make, is_there):
    """Whenever the daemon is killed in make(pid), all of it was done (but for the answer) or nothing has been: no directory stays in
    any hierarchy, the process is back where it was, and the name is free for the next."""
    pid = processes.sleeper()
    before = pathlib.Path(f"/proc/{pid}/cgroup").read_text()

    def end():
        nonlocal pid
        processes.end()
        world.wait_until(lambda: not is_there(), "it to be gone")
        pid = processes.sleeper()

    deaths = 0
    for death in each_death(daemon, lambda: make(pid), after=end):
        deaths += 1
        if is_there():
            end()
        world.wait_until(lambda: not world.scope_directories(), f"control groups to be gone: {death}",
                         on_timeout=world.scope_directories)
        assert pathlib.Path(f"/proc/{pid}/cgroup").read_text() == before, death
    assert deaths > 6


@pytest.mark.modes("v2", "hybrid", "v1")
def test_killed_at_each_step(musterd_without_bus, processes):
    def make(pid):
        with world.Varlink() as v:
            v.call("io.systemd.Machine.Register", {"name": "step", "class": "container", "leaderProcessId": {"pid": pid},
                                                   "allocateUnit": True})
    nothing_halfway(musterd_without_bus, processes, make, lambda: listed()[1])


@pytest.fixture
def scope_manager(bus, build):
    daemon = world.Musterd(build, "--scope-manager")
    daemon.start()
    yield daemon
    daemon.finish()


@pytest.mark.modes("v2", "hybrid", "v1")
def test_scope_manager_killed_at_each_step(scope_manager, processes):
    manager = ["call", "org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager"]

    def make(pid):
        result = world.busctl(*manager, "StartTransientUnit", "ssa(sv)a(sa(sv))", "step.scope", "fail", 1, "PIDs", "au", 1, pid, 0,
                              check=False)
        if result.returncode:
            assert "unit" not in result.stderr, result.stderr  # that there is one already
            raise ConnectionError

    def is_there():
        return world.busctl(*manager, "GetUnit", "s", "step.scope", check=False).returncode == 0
    nothing_halfway(scope_manager, processes, make, is_there)


@pytest.mark.modes("v2", "hybrid", "v1")
def test_killed_at_each_step_of_an_end(musterd_without_bus, processes):
    daemon = musterd_without_bus

    def before():
        with world.Varlink() as v:
            v.call("io.systemd.Machine.Register", {"name": "step", "class": "container", "allocateUnit": True,
                                                   "leaderProcessId": {"pid": processes.sleeper()}})

    def is_gone():
        return not world.scope_directories() and not list(world.MACHINES.iterdir()) and not listed()[1]

    def do():
        processes.end()
        world.wait_until(lambda: daemon.process.poll() is not None or is_gone(), "the machine to be gone")
        if daemon.process.returncode is not None:
            raise EOFError

    deaths = 0
    for death in each_death(daemon, do, before):
        deaths += 1
        world.wait_until(is_gone, f"the machine to be gone: {death}", on_timeout=world.leftovers)
    assert deaths > 3
