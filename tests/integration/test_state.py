# SPDX-License-Identifier: LGPL-2.1-or-later
"""org.muster.Machine1.Stats and Wait, and `muster stats`."""
import json
import pathlib
import re
import shlex
import subprocess
import sys
import time

import pytest
import world

M = "org.muster.Machine1."
MANUAL = pathlib.Path(__file__).resolve().parents[2] / "man" / "org.muster.Machine1.7.scd"
EVERYWHERE = pytest.mark.modes("v2", "hybrid", "v1", "none")


def fails(error, call, *arguments):
    with pytest.raises(world.VarlinkError) as caught:
        call(*arguments)
    assert caught.value.error == error, caught.value
    return caught.value.parameters


@EVERYWHERE
def test_stats(musterd_without_bus, processes, mode, tmp_path):
    """What there is depends on the hierarchies: here v2 has no controllers, but counts processor time."""
    busy = processes.sleeper(command=("sh", "-c", f"until [ -e {tmp_path}/go ]; do sleep 0.02; done; "
                                      "i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; exec sleep 1000"))
    with world.Varlink() as v:
        v.register("busy", busy, allocateUnit=True)
        v.register("bare", processes.sleeper())
        (tmp_path / "go").touch()  # what it does before it is in its scope does not count
        world.wait_until(lambda: world.comm(busy) == "sleep", "it to have been busy", timeout=30)
        before = time.monotonic()
        stats = v.call(M + "Stats", {"name": "busy"})
        assert stats["name"] == "busy" and abs(stats["monotonic"] / 1e6 - before) < 60
        if mode in ("v2", "hybrid"):
            assert stats["cpuUsageUSec"] > 0 and stats["cpuUserUSec"] <= stats["cpuUsageUSec"]
        if mode in ("v1", "none"):
            assert stats.keys() == {"name", "monotonic"}
        assert v.call(M + "Stats", {"name": ".host"}).keys() == {"name", "monotonic"}
        assert "none" in fails(M + "NoSuchMachine", v.call, M + "Stats", {"name": "none"})["message"]
        fails("org.varlink.service.InvalidParameter", v.call, M + "Stats", {})
    rows = json.loads(world.muster("stats", "-j").stdout)
    assert [row["machine"] for row in rows] == ["bare", "busy"] and rows[0].keys() == rows[1].keys()
    assert {key: value for key, value in rows[1].items() if value is not None}.keys() == stats.keys() - {"name"} | {"machine"}
    lines = world.muster("stats", "busy").stdout.splitlines()
    assert lines[0].split() == ["MACHINE", "CPU", "MEMORY", "TASKS", "READ", "WRITTEN"] and len(lines) == 2
    result = world.muster("stats", "none", "busy", "--no-legend", check=False)
    assert result.returncode == 1 and result.stdout.split()[0] == "busy" and 'no machine "none"' in result.stderr


@pytest.mark.modes("v1", "hybrid")
def test_stats_with_limits(musterd, processes):
    """In v1 a limit makes a group of that controller, which then tells what is used."""
    leader = processes.sleeper()
    world.manager("CreateMachine", "sayssusa(sv)", "tight", 0, "", "container", leader, "", 3,
                  "MemoryMax", "t", 64 << 20, "CPUQuotaPerSecUSec", "t", 500000, "TasksMax", "t", 50)
    with world.Varlink() as v:
        stats = v.call(M + "Stats", {"name": "tight"})
        assert stats["memoryMax"] == 64 << 20 and stats["memoryCurrent"] <= stats["memoryPeak"] and stats["cpuThrottledUSec"] == 0
        assert stats["tasksCurrent"] == 1 and stats["tasksMax"] == 50
        v.call("io.systemd.Machine.Terminate", {"name": "tight"})
    world.wait_until(lambda: not world.scope_directories(), "the scope to go")


def test_wait(musterd_without_bus, processes):
    leader = processes.sleeper()
    with world.Varlink() as v, world.Varlink() as runs, world.Varlink() as ends, world.Varlink() as oneway:
        fails(M + "NoSuchMachine", v.call, M + "Wait", {"name": "never"})  # others have had a "web", and the journal knows it
        for bad in ({}, {"name": ".host"}, {"name": "a_b"}, {"name": "web", "for": "ever"}):
            fails("org.varlink.service.InvalidParameter", v.call, M + "Wait", bad)
        runs.send(M + "Wait", {"name": "web", "for": "running"})
        runs.send("io.systemd.service.Ping")  # its turn comes afterwards
        oneway.send(M + "Wait", {"name": "web", "for": "running"}, oneway=True)
        with world.Varlink() as away:
            away.send(M + "Wait", {"name": "web", "for": "running"})
        v.register("other", processes.sleeper())
        v.register("web", leader, allocateUnit=True)
        assert runs.answer() == {} and runs.answer() == {}
        assert v.call(M + "Wait", {"name": "web", "for": "running"}) == {}
        ends.send(M + "Wait", {"name": "web", "for": "stopped"})
        v.call("io.systemd.Machine.Unregister", {"name": "other"})
        processes.kill(leader)
        ended = ends.answer()
        assert ended["ended"] == "removed" and v.names() == []
        assert v.call(M + "Wait", {"name": "web"}) == ended  # also of whoever comes too late
        assert v.call(M + "Wait", {"name": "other"})["ended"] == "unregistered"
    musterd_without_bus.restart()
    with world.Varlink() as v:
        assert v.call(M + "Wait", {"name": "web"}) == ended


def test_examples_of_the_manual(musterd_without_bus, processes):
    """Each method has one, and it does what it says there. varlinkctl is played here; test_machinectl.py has the real one."""
    blocks = re.findall(r"^```\n(.*?)^```\n", MANUAL.read_text(), re.M | re.S)
    programs = {re.search(r"org.muster.Machine1.(\w+)", block)[1]: block for block in blocks if block.startswith("#!/usr/bin/python3")}
    calls = [shlex.split(block) for block in blocks if block.startswith("varlinkctl call")]
    answers = {}
    with world.Varlink() as v:
        v.register("web", processes.sleeper())
        for words in calls:
            more = "--more" in words
            socket, method, parameters = words[-3:]
            assert socket == world.VARLINK_SOCKET
            parameters = json.loads(parameters)
            answers[method] = list(v.stream(method, parameters)) if more else v.call(method, parameters)
        text = v.call("org.varlink.service.GetInterfaceDescription", {"interface": "org.muster.Machine1"})["description"]
    assert set(re.findall(r"^method (\w+)", text, re.M)) == {method.removeprefix(M) for method in answers} | programs.keys()
    assert answers[M + "Stats"]["name"] == "web" and answers[M + "Wait"] == {}
    *events, last = [answer.keys() for answer in answers[M + "Subscribe"]]  # those of other tests' "web" are there, too
    assert events and all(keys == {"event"} for keys in events) and last == {"position"}
    for method, says in (("Exec", "hello\nended: 4 7\n"), ("Transfer", "passwd\n"), ("OpenLog", "")):  # nobody has said anything
        ran = subprocess.run([sys.executable, "-c", programs[method]], capture_output=True, text=True)
        assert ran.returncode == 0 and ran.stdout == says, ran
    # All fields and errors that there are, are told of.
    words = set(re.findall(r"[A-Za-z]+", MANUAL.read_text()))
    assert set(re.findall(r"^\t(\w+):", text.split("method ", 1)[1], re.M)) <= words
    assert set(re.findall(r"^error (\w+)", text, re.M)) <= words


class CrampedMusterd(world.Musterd):
    """One that may have few descriptors open."""

    most = 48

    def command(self):
        return ["prlimit", f"--nofile={self.most}:{self.most}", "setpriv", "--inh-caps=-sys_resource", "--bounding-set=-sys_resource",
                *super().command()]


def test_restart_without_enough_descriptors(build, musterd_without_bus, processes):
    """That says nothing of the machines: whoever is started next, with more room, knows them all."""
    daemon = musterd_without_bus
    with world.Varlink() as v:
        for i in range(80):
            v.register(f"m{i}", processes.sleeper())
        names = sorted(v.names())
    daemon.kill()
    cramped = CrampedMusterd(build, *daemon.options)
    cramped.start()
    try:
        world.wait_until(lambda: "Too many open files" in cramped.logged(), "it to be short of descriptors", on_timeout=lambda: cramped.logged()[-3000:])
        assert sorted(p.name for p in world.MACHINES.iterdir() if not p.name.startswith("unit:")) == names
    finally:
        cramped.kill()
        daemon.start()
    with world.Varlink() as v:
        assert sorted(v.names()) == names
