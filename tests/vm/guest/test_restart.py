# SPDX-License-Identifier: LGPL-2.1-or-later
"""Everybody around a machine may be restarted at any time: the manager, musterd, the bus."""
import contextlib
import pathlib
import re
import signal

import host
import pytest
import world
from host import create, manager, scope_of, show, systemctl, wait_until


@pytest.mark.parametrize("verb", ["daemon-reload", "daemon-reexec"])
def test_manager_starts_over(musterd, processes, verb):
    leader = processes.sleeper()
    unit = create("kept", leader)
    systemctl(verb)
    assert host.names() == ["kept"] and show(unit, "ActiveState") == "active"
    manager("TerminateMachine", "s", "kept")
    wait_until(lambda: host.names() == [], "the machine to go")


@pytest.mark.parametrize("verb", ["daemon-reload", "daemon-reexec"])
def test_manager_starts_over_while_a_scope_waits(musterd, processes, verb):
    leader = processes.sleeper()
    with host.Gate() as gate:
        client = gate.hold("mid", leader)
        systemctl(verb)
        assert client.poll() is None
        gate.say("open")
        assert client.wait(host.PATIENCE_SEC) == 0, client.stderr.read()
        assert host.cgroup_of(leader) == f"/machine.slice/{scope_of('mid')}"
        assert host.machine_property("mid", "State") == "running"
        processes.kill(leader)


def test_job_fails_after_the_manager_started_over(musterd, processes):
    """The manager that says so has another name on the bus than the one that took the job."""
    leader = processes.sleeper()
    with host.Gate() as gate:
        client = gate.hold("mid", leader)
        systemctl("daemon-reexec")
        gate.say("no")
        _, text = client.communicate(timeout=host.PATIENCE_SEC)
        assert client.returncode != 0 and "job" in text.lower(), text


@pytest.mark.parametrize("verb", ["daemon-reload", "daemon-reexec"])
def test_create_while_the_manager_starts_over(musterd, processes, verb):
    """It does not answer, or is not even on the bus: that is no reason to fail."""
    leader = processes.sleeper()
    with host.BusyManager(verb):
        client = host.create_in_background("mid", leader)
        wait_until(lambda: (world.MACHINES / "mid").exists(), "the intention to be recorded")
    assert client.wait(host.PATIENCE_SEC) == 0, client.stderr.read()
    assert host.cgroup_of(leader) == f"/machine.slice/{scope_of('mid')}"
    processes.kill(leader)


def test_leader_dies_while_the_manager_is_busy(musterd, processes):
    leader = processes.sleeper()
    with host.BusyManager():
        client = host.create_in_background("mid", leader)
        wait_until(lambda: (world.MACHINES / "mid").exists(), "the intention to be recorded")
        processes.kill(leader)
    _, text = client.communicate(timeout=host.PATIENCE_SEC)
    assert client.returncode != 0, text
    wait_until(lambda: host.names() == [], "the machine to go")


@pytest.mark.parametrize("verb", ["daemon-reload", "daemon-reexec"])
def test_terminate_while_the_manager_is_busy(musterd, processes, verb):
    """Who asked has got his answer: what he asked for happens, though the manager could not be told of it at that moment."""
    create("kept", processes.sleeper())
    with host.BusyManager(verb):
        manager("TerminateMachine", "s", "kept")
    wait_until(lambda: host.names() == [], "the machine to go")


@pytest.fixture
def refusal():
    """While it is entered the bus takes no StopUnit() from anybody."""
    policy = pathlib.Path("/etc/dbus-1/system.d/muster-test.conf")

    def reload():
        host.run("busctl", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")

    @contextlib.contextmanager
    def refused():
        policy.write_text('<busconfig><policy context="mandatory"><deny send_interface="org.freedesktop.systemd1.Manager"'
                          ' send_member="StopUnit"/></policy></busconfig>\n')
        try:
            reload()
            yield
        finally:
            policy.unlink()
            reload()
    return refused


def test_manager_stops_a_unit_when_it_can_again(musterd, processes, refusal):
    leader = processes.sleeper(command=("sh", "-c", "trap '' TERM; while :; do sleep 1; done"))
    unit = create("late", leader, ("TimeoutStopUSec", "t", 100000))
    with refusal():
        manager("TerminateMachine", "s", "late")
        assert host.names() == ["late"]
    wait_until(lambda: host.names() == [], "the machine to go")
    # By the manager, whose time for it is over.
    wait_until(lambda: "timed out" in host.run("journalctl", "-u", unit, "-o", "cat").stdout, "the manager to say so")


def test_manager_never_stops_a_unit(musterd, processes, refusal):
    """It is not waited for without end."""
    create("kept", processes.sleeper())
    with refusal():
        manager("TerminateMachine", "s", "kept")
        wait_until(lambda: host.names() == [], "the machine to go")


@pytest.mark.parametrize("how", ["restart", "kill"])
def test_musterd_starts_over(musterd, processes, how):
    leader = processes.sleeper()
    unit = create("kept", leader, ("TimeoutStopUSec", "t", 5000000))
    getattr(musterd, how)()
    assert host.names() == ["kept"] and show(unit, "ActiveState") == "active"
    assert host.machine_property("kept", "Leader") == str(leader)
    manager("TerminateMachine", "s", "kept")
    wait_until(lambda: host.names() == [], "the machine to go")


def test_musterd_is_killed_while_a_scope_waits(musterd, processes):
    """Nobody will get an answer, so the machine never was: its job is taken back, the leader stays where it was."""
    leader = processes.sleeper()
    before = host.cgroup_of(leader)
    with host.Gate() as gate:
        client = gate.hold("mid", leader)
        musterd.kill()
        client.communicate(timeout=host.PATIENCE_SEC)
        wait_until(lambda: show(scope_of("mid"), "Job") in ("", "0"), "the job to be taken back")
        gate.say("open")
        wait_until(lambda: show(gate.unit, "ActiveState") in ("active", "inactive"), "the gate")
    assert host.names() == [] and host.cgroup_of(leader) == before
    create("mid", leader)
    processes.kill(leader)


def test_leader_dies_while_musterd_is_away(musterd, processes):
    leader = processes.sleeper(command=host.LINGERER)
    unit = create("orphan", leader)
    host.await_lingerer(unit, leader)
    systemctl("stop", "musterd.service")
    processes.kill(leader)
    musterd.start()
    assert host.names() == []
    wait_until(lambda: unit not in host.machine_units(), "what is left in the scope to be killed")


def test_bus_starts_over(musterd, processes):
    leader = processes.sleeper()
    unit = create("kept", leader)
    systemctl("restart", "dbus.service")
    wait_until(lambda: manager("GetMachine", "s", "kept", check=False).returncode == 0, "musterd on the new bus")
    assert show(unit, "ActiveState") == "active"
    second = processes.sleeper()
    wait_until(lambda: host.run("busctl", "status", "org.freedesktop.systemd1", check=False).returncode == 0,
               "the manager on the new bus")
    create("second", second)
    manager("KillMachine", "ssi", "second", "all", signal.SIGKILL)
    second_gone = lambda: host.names() == ["kept"]  # noqa: E731
    wait_until(second_gone, "the second machine to go")
    manager("TerminateMachine", "s", "kept")
    wait_until(lambda: host.names() == [], "the machine to go")


def wakes_of(pid):
    return re.search(r"^voluntary_ctxt_switches:.*", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[0]


def test_units_that_are_not_ours_wake_nobody(musterd, processes):
    """50 units start and stop; musterd does not run at all, but to tell the manager twice in three minutes that it lives."""
    leader = processes.sleeper()
    create("idle", leader)
    host.names()
    trace = pathlib.Path("/run/musterd.trace")
    pid = musterd.pid
    # A second after a machine came its user map is read.
    world.wait_until_still(lambda: wakes_of(pid), 2, "musterd to rest", host.PATIENCE_SEC)
    strace = processes.sleeper(command=("strace", "-qq", "-s", "200", "-o", str(trace), "-p", str(pid)))
    wait_until(lambda: f"TracerPid:\t{strace}" in pathlib.Path(f"/proc/{pid}/status").read_text(), "strace")
    for i in range(50):
        host.run("systemd-run", "--quiet", "--wait", "--collect", f"--unit=unrelated-{i}", "true")
    processes.kill(strace, signal.SIGTERM)
    wait_until(lambda: "TracerPid:\t0" in pathlib.Path(f"/proc/{pid}/status").read_text(), "strace to let go")
    calls = [line for line in trace.read_text().splitlines() if "(" in line]
    received = [line for line in calls if line.startswith(("recv", "accept"))]
    wakes = [line for line in calls if line.startswith("epoll_") and re.search(r"= [1-9]", line)]
    pings = [line for line in calls if "WATCHDOG=1" in line]  # woken by a timer
    assert received == [] and len(wakes) <= len(pings), "\n".join(calls[:100])
    trace.unlink()
    processes.kill(leader)
