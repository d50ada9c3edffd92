# SPDX-License-Identifier: LGPL-2.1-or-later
"""CreateMachine where systemd is the manager: scopes are its transient units, with everything that it knows to do with them."""
import os
import pathlib
import signal

import host
import world
from host import create, error_of, manager, scope_of, show, systemctl, wait_until


def test_create_makes_a_transient_scope(musterd, processes):
    leader = processes.sleeper()
    unit = create("cre-1.x", leader)
    assert host.cgroup_of(leader) == f"/machine.slice/{unit}"
    values = show(unit, "Transient", "Slice", "Description", "Delegate", "CollectMode", "TasksMax", "ActiveState",
                  "ControlGroup")
    assert values == {"Transient": "yes", "Slice": "machine.slice", "Description": "Container cre-1.x", "Delegate": "yes",
                      "CollectMode": "inactive-or-failed", "TasksMax": "16384", "ActiveState": "active",
                      "ControlGroup": f"/machine.slice/{unit}"}
    assert host.machine_property("cre-1.x", "State") == "running"
    assert host.machine_property("cre-1.x", "Unit").replace("\\\\", "\\") == unit
    assert host.run("ps", "-o", "machine=", "-p", leader).stdout.strip() == "cre-1.x"
    processes.kill(leader)
    wait_until(lambda: unit not in host.machine_units(), "the scope to be collected")


def test_class_vm(musterd, processes):
    unit = create("guest", processes.sleeper(), class_="vm")
    assert show(unit, "Description") == "Virtual Machine guest"
    manager("TerminateMachine", "s", "guest")


def test_properties_are_passed_through(musterd, processes):
    leader = processes.sleeper()
    unit = create("props", leader, ("MemoryMax", "t", 64 << 20), ("TasksMax", "t", 99), ("CPUWeight", "t", 50),
                  ("Slice", "s", "machine-test.slice"), ("Description", "s", "its own words"), ("KillSignal", "i", 38),
                  ("KillMode", "s", "mixed"), ("DevicePolicy", "s", "closed"),
                  ("DeviceAllow", "a(ss)", 1, "/dev/net/tun", "rwm"), ("TimeoutStopUSec", "t", 2000000),
                  ("CPUQuotaPerSecUSec", "t", 200000))
    values = show(unit, "MemoryMax", "TasksMax", "CPUWeight", "Slice", "Description", "KillSignal", "KillMode",
                  "DevicePolicy", "DeviceAllow", "TimeoutStopUSec", "CPUQuotaPerSecUSec")
    assert values == {"MemoryMax": str(64 << 20), "TasksMax": "99", "CPUWeight": "50", "Slice": "machine-test.slice",
                      "Description": "its own words", "KillSignal": "38", "KillMode": "mixed", "DevicePolicy": "closed",
                      "DeviceAllow": "/dev/net/tun rwm", "TimeoutStopUSec": "2s", "CPUQuotaPerSecUSec": "200ms"}
    group = pathlib.Path("/sys/fs/cgroup") / host.cgroup_of(leader).strip("/")
    assert group == pathlib.Path("/sys/fs/cgroup/machine.slice/machine-test.slice") / unit
    assert (group / "memory.max").read_text() == f"{64 << 20}\n"
    assert (group / "pids.max").read_text() == "99\n"
    assert (group / "cpu.weight").read_text() == "50\n"
    assert "/machine-test.slice/" in (world.MACHINES / "props").read_text()
    processes.kill(leader)


SYSTEMD1 = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")


def test_errors_keep_the_managers_names(musterd, processes):
    """What the manager says to a scope like that when it is asked directly is what CreateMachine says."""
    leader = processes.sleeper()
    before = host.cgroup_of(leader)
    masked = pathlib.Path("/run/systemd/system/masked.service")
    masked.symlink_to("/dev/null")
    seen = set()
    for wrong in (("Sillyness", "s", "x"), ("MemoryMax", "s", "x"), ("Slice", "s", "no slice"), ("KillMode", "s", "banana"),
                  ("Requires", "as", 1, "masked.service")):
        direct = error_of("call", *SYSTEMD1, "StartTransientUnit", "ssa(sv)a(sa(sv))", "direct.scope", "fail", 2, "PIDs", "au",
                          1, leader, *wrong, 0)
        assert error_of(*host.create_command("wrong", leader, wrong)) == direct
        assert host.names() == []
        wait_until(lambda: host.machine_units() == [], "the unit to be forgotten")
        seen.add(direct)
    assert "org.freedesktop.DBus.Error.PropertyReadOnly" in seen and "org.freedesktop.systemd1.UnitMasked" in seen
    assert host.cgroup_of(leader) == before
    masked.unlink()
    create("wrong", leader)
    processes.kill(leader)


def test_failed_job(musterd, processes):
    """The scope's start depends on something that fails: JobFailed, and nothing is left of it."""
    leader = processes.sleeper()
    before = host.cgroup_of(leader)
    with host.Gate() as gate:
        client = gate.hold("fails", leader)
        assert host.machine_property("fails", "State") == "opening"
        gate.say("no")
        _, text = client.communicate(timeout=host.PATIENCE_SEC)
        assert client.returncode != 0 and "job" in text.lower(), text
    assert host.names() == [] and host.cgroup_of(leader) == before
    create("fails", leader)
    processes.kill(leader)


def test_leader_dies_while_the_scope_waits(musterd, processes):
    leader = processes.sleeper()
    with host.Gate() as gate:
        client = gate.hold("brief", leader)
        processes.kill(leader)
        _, text = client.communicate(timeout=host.PATIENCE_SEC)
        assert client.returncode != 0, text
        assert host.names() == []
        other = processes.sleeper()
        create("brief", other)
        processes.kill(other)


def test_name_clash_leaves_the_others_scope_alone(musterd, processes):
    unit = scope_of("clash")
    other = processes.sleeper(command=("systemd-run", "--quiet", "--scope", f"--unit={unit}", "sleep", "1000"))
    wait_until(lambda: show(unit, "ActiveState") == "active", "the other scope")
    leader = processes.sleeper()
    assert error_of(*host.create_command("clash", leader)) == "org.freedesktop.systemd1.UnitExists"
    assert host.names() == [] and show(unit, "ActiveState") == "active"
    os.kill(other, 0)
    systemctl("stop", unit)


def test_name_clash_and_a_crash(musterd, processes):
    """musterd dies while it waits for a scope of that name to go, which is somebody else's: the next one must not touch it."""
    unit = scope_of("clash")
    other = processes.sleeper(command=("systemd-run", "--quiet", "--scope", f"--unit={unit}", "sleep", "1000"))
    wait_until(lambda: show(unit, "ActiveState") == "active", "the other scope")
    client = host.create_in_background("clash", processes.sleeper())
    wait_until(lambda: (world.MACHINES / "clash").exists(), "the intention to be recorded")
    musterd.kill()
    client.communicate(timeout=host.PATIENCE_SEC)
    wait_until(lambda: not (world.MACHINES / "clash").exists(), "the record to go")
    assert host.names() == [] and show(unit, "ActiveState") == "active"
    os.kill(other, 0)
    systemctl("stop", unit)


def test_register_derives_the_unit(musterd):
    host.run("systemd-run", "--quiet", "--unit=payload", "sleep", "1000")
    leader = int(show("payload.service", "MainPID"))
    manager("RegisterMachine", "sayssus", "reg", 0, "test", "container", leader, "")
    assert host.machine_property("reg", "Unit") == "payload.service"
    assert os.readlink(world.MACHINES / "unit:payload.service") == "reg"
    # Stopping it is stopping its unit: the manager's job, with the unit's own result.
    manager("TerminateMachine", "s", "reg")
    wait_until(lambda: host.names() == [], "the machine to go")
    wait_until(lambda: show("payload.service", "LoadState") == "not-found", "the unit to be collected")


def test_kill_reaches_the_whole_unit(musterd):
    host.run("systemd-run", "--quiet", "--unit=payload", "sh", "-c", "sleep 1000 & exec sleep 1000")
    leader = int(show("payload.service", "MainPID"))
    manager("RegisterMachine", "sayssus", "reg", 0, "test", "container", leader, "")
    processes = pathlib.Path("/sys/fs/cgroup/system.slice/payload.service/cgroup.procs")
    wait_until(lambda: len(processes.read_text().split()) == 2, "both processes")
    manager("KillMachine", "ssi", "reg", "all", signal.SIGKILL)
    wait_until(lambda: host.names() == [], "the machine to go")
    wait_until(lambda: show("payload.service", "ActiveState") == "failed", "the unit to end")
    assert show("payload.service", "Result") == "signal"
    systemctl("reset-failed", "payload.service")


def test_terminate_insists_as_the_unit_says(musterd, processes):
    """A leader that does not listen: the unit's own TimeoutStopUSec= and SIGKILL."""
    leader = processes.sleeper(command=("sh", "-c", "trap '' TERM; while :; do sleep 1000; done"))
    create("stubborn", leader, ("TimeoutStopUSec", "t", 1000000))
    manager("TerminateMachine", "s", "stubborn")
    assert host.machine_property("stubborn", "State") == "closing"
    wait_until(lambda: host.names() == [], "the machine to go")


def test_name_is_free_while_the_scope_lingers(musterd, processes):
    """The leader is dead, something else in its scope is not, and does not listen: the name is free, the rest is killed."""
    leader = processes.sleeper(command=host.LINGERER)
    unit = create("again", leader)
    host.await_lingerer(unit, leader)
    group = pathlib.Path("/sys/fs/cgroup/machine.slice") / unit / "cgroup.procs"
    manager("KillMachine", "ssi", "again", "leader", signal.SIGKILL)
    wait_until(lambda: host.names() == [], "the machine to go")
    second = processes.sleeper()
    create("again", second)
    assert host.cgroup_of(second) == f"/machine.slice/{unit}"
    assert group.read_text().split() == [str(second)]
    processes.kill(second)


def test_several_at_once(musterd, processes):
    leaders = [processes.sleeper() for _ in range(8)]
    clients = [host.create_in_background(f"many-{i}", leader) for i, leader in enumerate(leaders)]
    for i, client in enumerate(clients):
        assert client.wait(host.PATIENCE_SEC) == 0
        assert host.cgroup_of(leaders[i]) == f"/machine.slice/{scope_of(f'many-{i}')}"
    assert len(host.names()) == 8
    for leader in leaders:
        processes.kill(leader)


def test_owner_who_is_not_root(musterd, processes, systemd_version):
    """polkit lets a user create a machine of one of their own processes; their scope's control group is theirs, where systemd can do that."""
    rules = pathlib.Path("/etc/polkit-1/rules.d/10-muster-test.rules")
    host.run("useradd", "--system", "owner", check=False)
    uid = int(host.run("id", "-u", "owner").stdout)
    rules.parent.mkdir(parents=True, exist_ok=True)
    rules.write_text('polkit.addRule(function(action, subject) { if (action.id == "org.freedesktop.machine1.create-machine"'
                     ' && subject.user == "owner") return polkit.Result.YES; });\n')
    rules.chmod(0o644)
    host.run("systemctl", "restart", "polkit.service")
    try:
        leader = processes.sleeper(user=uid)
        host.busctl(*host.create_command("owned", leader), user=uid, group=uid, extra_groups=[])
        unit = scope_of("owned")
        assert show(unit, "ActiveState") == "active"
        if systemd_version >= 257:  # earlier ones know no User= of a scope
            assert os.stat(f"/sys/fs/cgroup/machine.slice/{unit}").st_uid == uid
        assert host.machine_property("owned", "UID") == str(uid)
        processes.kill(leader)
        # That is no leave to do what he likes with other units, which takes root.
        leader = processes.sleeper(user=uid)
        for name, *value in (("Wants", "as", 1, "rescue.service"), ("Conflicts", "as", 1, "musterd.service"), ("Unheard", "b", "true")):
            refused = host.busctl(*host.create_command("other", leader, (name, *value)), user=uid, group=uid, extra_groups=[], check=False)
            assert refused.returncode != 0 and "Access denied" in refused.stderr, name + refused.stderr
        assert host.names() == [] and "other" not in host.cgroup_of(leader)
        host.busctl(*host.create_command("other", leader, ("TasksMax", "t", 20)), user=uid, group=uid, extra_groups=[])
        assert show(scope_of("other"), "TasksMax") == "20"
        processes.kill(leader)
        leader = processes.sleeper(user=uid)
        create("ours", leader, ("Wants", "as", 1, "musterd.service"))
        processes.kill(leader)
    finally:
        rules.unlink()
