# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock systemd-nspawn, registering with musterd on a bus that knows no systemd1."""
import json
import os
import pathlib
import signal
import subprocess

import pytest
import world
from nspawn import Nspawn, Tree
from world import machinectl, muster

WITH_CGROUPS = pytest.mark.modes("v2", "hybrid", "v1")


@pytest.fixture
def tree():
    """tree(kind): an OS tree to run; the test is skipped where it could not be made."""
    trees = []

    def mount(kind):
        made = Tree(kind)
        trees.append(made)
        if not made.exists():
            pytest.skip(f"there is no tree of {kind}: run-checks.py has said why")
        made.mount()
        return made
    yield mount
    for made in trees:
        made.unmount()


@pytest.fixture
def containers():
    """Ends what is left of them."""
    started = []

    def keep(container):
        started.append(container)
        return container
    yield keep
    for container in started:
        container.close()


def leader_of(name):
    with world.Varlink() as v:
        return v.call("io.systemd.Machine.List", {"name": name})["leader"]["pid"]


def names():
    with world.Varlink() as v:
        return v.names()


def show(name, *properties):
    """The properties as stock machinectl prints them."""
    out = machinectl("show", name, *(f"--property={p}" for p in properties)).stdout
    return dict(line.split("=", 1) for line in out.splitlines())


def cgroup_of(pid, mode):
    """The path in the hierarchy that machines live in."""
    wanted = {"v2": "0::", "hybrid": "0::", "v1": "name=systemd:"}[mode]
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return next(line.split(wanted, 1)[1] for line in lines if wanted in line)


def machine_of(pid):
    return subprocess.run(["ps", "-o", "machine=", "-p", str(pid)], capture_output=True, text=True).stdout.strip()


def check_gone(container, status=0):
    assert container.end() == status, container.output()
    world.wait_until(lambda: container.name not in names(), "the machine to be forgotten")
    world.wait_until(lambda: not [d for d in world.scope_directories() if "/machine-" in d], "its control groups to go")
    assert not list(world.MACHINES.iterdir())


def check_placed(container, mode):
    """The leader was in its scope when CreateMachine was answered, or nspawn would have made payload/ elsewhere."""
    leader = leader_of(container.name)
    scope = f"/machine.slice/machine-{container.name}.scope"
    assert cgroup_of(leader, mode).startswith(scope + "/payload")
    if mode != "v1":  # stock libsystemd looks for name=systemd as the host has it mounted, not the sandbox
        assert machine_of(leader) == container.name
        assert machine_of(container.process.pid) == "-"
    return leader


@WITH_CGROUPS
def test_a_command(musterd, tree, containers, mode):
    container = containers(Nspawn(tree("bookworm"), "cmd", "--console=pipe", stdin=subprocess.PIPE,
                                  command=("/bin/sh", "-c", "read line; echo got $line; exit 7")))
    world.wait_until(lambda: names() == ["cmd"], "the container to be registered", timeout=30)
    world.wait_until(lambda: cgroup_of(leader_of("cmd"), mode).endswith("/payload"), "nspawn to divide its scope")
    leader = check_placed(container, mode)
    shown = show("cmd", "Class", "Service", "Leader", "RootDirectory", "State", "Unit")
    assert shown == {"Class": "container", "Service": "systemd-nspawn", "Leader": str(leader), "State": "running",
                     "RootDirectory": str(container.tree.root), "Unit": "machine-cmd.scope"}
    container.process.stdin.write(b"word\n")
    container.process.stdin.close()
    check_gone(container, status=7)
    assert container.output() == "got word\n"


@pytest.mark.parametrize("client", [pytest.param("muster", marks=WITH_CGROUPS), "machinectl"])
def test_boot_and_power_off(musterd, tree, containers, mode, client):
    container = containers(Nspawn.boot(tree("bookworm"), "debian"))
    leader = check_placed(container, mode)
    ask = {"muster": muster, "machinectl": machinectl}[client]
    [row] = [line.split() for line in ask("list", "--no-legend").stdout.splitlines()]
    assert row == ["debian", "container", "systemd-nspawn", "debian", "12", "-"]
    status = ask("status", "debian").stdout
    assert f"Leader: {leader} (systemd)" in status and "OS: Debian GNU/Linux 12 (bookworm)" in status
    assert "Unit: machine-debian.scope" in status
    if client == "muster":  # stock machinectl asks systemd1 for the processes
        assert "systemd-journald" in status
    assert ask("show", "debian", "-p", "Leader", "--value").stdout == f"{leader}\n"
    ask("poweroff", "debian")
    check_gone(container)


def test_reboot_and_terminate(musterd, tree, containers, mode):
    container = containers(Nspawn.boot(tree("bookworm"), "again"))
    leaders = [leader_of("again")]
    for reboot in (muster, machinectl):
        reboot("reboot", "again")
        container.wait_ready()
        leaders.append(check_placed(container, mode))
    assert len(set(leaders)) == 3
    muster("terminate", "again")
    container.end()
    check_gone(container, status=container.process.returncode)


@WITH_CGROUPS
def test_kill(musterd, tree, containers, mode):
    debian = tree("bookworm")
    container = containers(Nspawn(debian, "kill", "--console=pipe", command=("/bin/sh", "-c", """
        trap 'echo leader heard' USR1
        sh -c 'trap "echo child heard" USR1; echo ready; while :; do sleep 0.05; done' &
        while :; do wait; done""")))
    world.wait_until(lambda: "ready" in container.output(), "the processes inside", timeout=30)
    muster("kill", "kill", "--kill-whom=leader", "--signal=USR1")
    world.wait_until(lambda: "leader heard" in container.output(), "the leader to hear")
    assert "child heard" not in container.output()
    # SIGUSR1 to everything would end nspawn itself and sleep, which have no handler: one that all of them survive.
    machinectl("kill", "kill", "--signal=SIGCONT")
    machinectl("kill", "kill", "--signal=KILL")
    container.end()
    check_gone(container, status=container.process.returncode)


def test_nspawn_is_killed(musterd, tree, containers, mode):
    """The container goes on without it, registered as it is, and can be ended by us."""
    container = containers(Nspawn.boot(tree("bookworm"), "orphan"))
    leader = leader_of("orphan")
    container.process.kill()
    container.end()
    assert leader_of("orphan") == leader
    muster("kill", "orphan", "--signal=KILL")
    check_gone(container, status=-signal.SIGKILL)


def test_musterd_is_killed_meanwhile(musterd, tree, containers, mode):
    container = containers(Nspawn.boot(tree("bookworm"), "keeps"))
    leader = leader_of("keeps")
    musterd.kill()
    assert muster("show", "keeps", "-p", "Leader", "--value").stdout == f"{leader}\n"  # from the records
    musterd.start()
    assert leader_of("keeps") == leader
    muster("poweroff", "keeps")
    check_gone(container)


@pytest.fixture
def service_cgroup(mode):
    """A control group that looks like a unit's, as a service manager would have made it: with it, --keep-unit has a unit."""
    roots = [world.cgroup_root(mode)]
    if mode == "hybrid":
        roots.append(pathlib.Path("/sys/fs/cgroup/systemd"))
    paths = [root / "muster-test.service" for root in roots]
    for path in paths:
        path.mkdir()
    yield paths
    for path in paths:
        for directory, _, _ in os.walk(path, topdown=False):
            os.rmdir(directory)


@WITH_CGROUPS
def test_keep_unit(musterd, tree, containers, service_cgroup, mode):
    container = containers(Nspawn.boot(tree("bookworm"), "kept", "--keep-unit", cgroup=service_cgroup))
    leader = leader_of("kept")
    assert cgroup_of(leader, mode).startswith("/muster-test.service/payload")
    assert show("kept", "Unit") == {"Unit": "muster-test.service"}
    if mode != "v1":
        assert machine_of(leader) == "kept"
    muster("poweroff", "kept")
    check_gone(container)
    assert service_cgroup[0].is_dir()  # not ours


def test_keep_unit_without_a_unit(musterd, tree, containers, mode):
    """Where everything runs in the root group there is no unit to keep: the machine has none, and works."""
    container = containers(Nspawn(tree("bookworm"), "unitless", "--keep-unit", "--console=pipe", stdin=subprocess.PIPE,
                                  command=("/bin/cat",)))
    world.wait_until(lambda: names() == ["unitless"], "the container to be registered", timeout=30)
    assert machinectl("show", "unitless", "--property=Unit", "--value").stdout.strip() == ""
    muster("terminate", "unitless")
    container.end()
    check_gone(container, status=container.process.returncode)


def test_register_no(musterd, tree, containers, mode):
    debian = tree("bookworm")
    container = containers(Nspawn(debian, "hidden", "--register=no", "--keep-unit", "--console=pipe",
                                  command=("/bin/echo", "ran")))
    assert container.end() == 0 and container.output() == "ran\n"
    # Without --keep-unit it wants a scope from systemd1, and there is none: its own error, quickly, and none of ours.
    container = containers(Nspawn(debian, "scope", "--register=no", "--console=pipe", command=("/bin/true",)))
    assert container.end() != 0
    assert "org.freedesktop.systemd1" in container.output()
    assert "hidden" not in musterd.logged() and "scope" not in names()


@pytest.mark.modes("hybrid", "v1")
def test_limits(musterd, tree, containers, mode):
    """--property= arrives in the controllers' files. (Their v2 names are tested where v2 has controllers.)"""
    container = containers(Nspawn(tree("bookworm"), "limits", "--property=TasksMax=77", "--console=pipe",
                                  "--property=MemoryMax=100M", stdin=subprocess.PIPE, command=("/bin/cat",)))
    world.wait_until(lambda: names() == ["limits"], "the container to be registered", timeout=30)
    scope = "machine.slice/machine-limits.scope"
    assert pathlib.Path("/sys/fs/cgroup/pids", scope, "pids.max").read_text() == "77\n"
    assert pathlib.Path("/sys/fs/cgroup/memory", scope, "memory.limit_in_bytes").read_text() == f"{100 << 20}\n"
    container.process.stdin.close()
    check_gone(container)


def test_limits_that_cannot_be_kept_are_refused(musterd, tree, containers):
    container = containers(Nspawn(tree("bookworm"), "strict", "--property=BlockIOWeight=banana", command=("/bin/true",)))
    assert container.end() != 0
    container = containers(Nspawn(tree("bookworm"), "strict", "--property=LogNamespace=x", command=("/bin/true",)))
    assert container.end() != 0
    assert names() == [] and not world.scope_directories()


def test_network(musterd, tree, containers):
    """A veth pair: its host side is recorded, the addresses inside are shown."""
    container = containers(Nspawn(tree("bookworm"), "net", "--network-veth", "--console=pipe", stdin=subprocess.PIPE,
                                  command=("/bin/cat",)))
    world.wait_until(lambda: names() == ["net"], "the container to be registered", timeout=30)
    index = pathlib.Path("/sys/class/net/ve-net/ifindex").read_text().strip()
    assert muster("show", "net", "-p", "NetworkInterfaces", "--value").stdout == f"{index}\n"
    world.wait_until(lambda: subprocess.run(
        ["nsenter", "-t", str(leader_of("net")), "-n", "ip", "addr", "add", "10.9.8.7/24", "dev", "host0"],
        capture_output=True).returncode == 0, "the interface inside")
    for list_machines in (muster, machinectl):
        assert "10.9.8.7" in list_machines("list", "--no-legend").stdout
    assert json.loads(muster("status", "net", "--json=short").stdout)[0]["Addresses"][0] == "10.9.8.7"
    container.process.stdin.close()
    check_gone(container)


def test_private_users_and_busybox(musterd, tree, containers):
    """Another init, which wants another signal, as another user."""
    container = containers(Nspawn(tree("busybox"), "box", "--boot", "--console=read-only", "--private-users=524288:65536",
                                  "--private-users-ownership=chown"))
    world.wait_until(lambda: "ready" in container.output(), "busybox to boot", timeout=30)
    assert muster("list", "--no-legend").stdout.split()[:5] == ["box", "container", "systemd-nspawn", "busybox", "1"]
    assert "UID Shift: 524288" in muster("status", "box").stdout
    assert world.manager("MapToMachineUser", "u", 524290).stdout.startswith('sou "box" ')
    muster("poweroff", "box")
    check_gone(container)


@pytest.mark.modes("none")
def test_without_control_groups(musterd, tree, containers):
    container = containers(Nspawn(tree("bookworm"), "none", command=("/bin/true",)))
    if container.end() != 0 and "cgroup" in container.output():
        pytest.skip("systemd-nspawn does not start without control groups: " + container.output().strip())
    check_gone(container)
