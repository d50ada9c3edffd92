# SPDX-License-Identifier: LGPL-2.1-or-later
"""Stock clients, unmodified: machinectl and friends of this system, and those of newer suites by their own loader."""
import json
import os
import pathlib
import signal
import subprocess

import pytest
import world
from world import machinectl, muster, run_client

# Names that need escaping on the bus, in a unit's name, or both; the longest there is.
ODD_NAMES = ["a", "1", "UPPER", "two-words", "dotted.name.x", "x-1.2-y", "9-9", "a--b", "n" * 64]
NEWER = ["trixie", "forky"]
TOP = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture
def booted(tmp_path):
    """run(program, ...): in a mount namespace of its own that shows /run/systemd/system, as a host booted by systemd."""
    def run(*command, **options):
        script = ('mount -t tmpfs -o mode=755 cover /mnt && mkdir /mnt/systemd && cp -a /run/systemd/. /mnt/systemd/ && '
                  'for d in /run/systemd/*/; do mount --bind "$d" "/mnt/systemd/$(basename "$d")"; done && '
                  'mkdir /mnt/systemd/system && mount --rbind /mnt/systemd /run/systemd && exec "$@"')
        return run_client(["unshare", "--mount", "sh", "-c", script, "sh"], *command, **options)
    return run


class Suite:
    """One of the suite's programs, with its own libraries, on this system's sockets."""

    def __init__(self, tree):
        self.tree = tree
        self.loader = next(tree.glob("usr/lib/*-linux-gnu/ld-linux-*.so.*"))
        self.libraries = ":".join([str(self.loader.parent), str(self.loader.parent / "systemd")])
        self.version = int(self("systemctl", "--version").stdout.split()[1])

    def command(self, program):
        return [self.loader, "--library-path", self.libraries, self.tree / "usr/bin" / program]

    def __call__(self, program, *arguments, **options):
        return run_client(self.command(program), *arguments, **options)


@pytest.fixture(params=NEWER)
def suite(request):
    tree = pathlib.Path(os.environ.get("MUSTER_TREES", "/nonexistent")) / request.param
    if not tree.is_dir():
        pytest.skip(f"there is no tree of {request.param}: run-checks.py has said why")
    return Suite(tree)


@pytest.fixture
def machine(musterd, processes):
    """start(name): a machine in a scope of its own; its leader."""
    def start(name, command=("sleep", "1000"), *options):
        leader = processes.sleeper(command=command)
        muster("register", name, f"--leader={leader}", "--create", *options)
        return leader
    return start


def names():
    with world.Varlink() as v:
        return v.names()


def gone(*which):
    world.wait_until(lambda: not set(which) & set(names()), f"{which} to go")


def heard_by(machine, name, tmp_path):
    """A machine whose leader writes down the first signal that comes."""
    file = tmp_path / f"heard-by-{name}"
    leader = machine(name, ("sh", "-c", f"""
        for n in 2 10 15 38; do trap "echo $n >{file}; exit" $n; done
        echo ready >{file}; while :; do sleep 0.02; done"""))
    world.wait_until(lambda: file.exists() and file.read_text() == "ready\n", "the leader to listen")

    def heard():
        gone(name)
        return int(file.read_text())
    return leader, heard


def test_odd_names(machine):
    leaders = {name: machine(name) for name in ODD_NAMES}
    rows = [line.split() for line in machinectl("list", "--no-legend", "--full").stdout.splitlines()]
    assert sorted(row[0] for row in rows) == sorted(ODD_NAMES)
    for name, leader in leaders.items():
        assert machinectl("show", name, "-p", "Leader", "--value").stdout == f"{leader}\n"
        status = machinectl("status", name).stdout
        assert status.startswith(name + "\n") and f"Leader: {leader} (sleep)" in status
        ps = subprocess.run(["ps", "-o", "machine:70=", "-p", str(leader)], capture_output=True, text=True)
        assert ps.stdout.strip() == name
    machinectl("kill", *ODD_NAMES, "--signal=KILL")
    gone(*ODD_NAMES)


@pytest.mark.parametrize("inside", [False, True], ids=["-M .host", "booted"])
def test_verbs(machine, booted, tmp_path, inside):
    """With -M .host, and without it where /run/systemd/system is to be seen."""
    def stock(*arguments, **options):
        return booted("machinectl", *arguments, **options) if inside else machinectl(*arguments, **options)
    leader, heard = heard_by(machine, "web", tmp_path)
    assert stock("list", "--no-legend").stdout.split()[:3] == ["web", "container", "-"]
    assert f"Leader: {leader} (sh)" in stock("status", "web").stdout
    assert stock("show", "web", "-p", "Unit", "--value").stdout == "machine-web.scope\n"
    stock("kill", "web", "--signal=USR1", "--kill-whom=leader")
    assert heard() == signal.SIGUSR1
    for verb, expected in (("poweroff", 38), ("reboot", 2)):
        _, heard = heard_by(machine, "web", tmp_path)
        stock(verb, "web")
        assert heard() == expected
    machine("ends")
    stock("terminate", "ends")
    gone("ends")
    for arguments in (["status", "none"], ["kill", "none"], ["terminate", "none"], ["poweroff", "none"], ["show", "none"]):
        result = stock(*arguments, check=False)
        assert result.returncode == 1 and "none" in result.stderr and "known" in result.stderr, result


def test_not_booted(machine):
    """What a stock client says by itself on a host like ours; the README names it."""
    result = run_client(["machinectl"], "list", check=False)
    assert result.returncode == 1 and "not been booted with systemd" in result.stderr


def test_tools_that_read_the_records(machine, booted, processes):
    """-M NAME finds the leader in the record, and only fails at what is not inside: a bus."""
    machine("inside")
    for command in (["busctl", "-M", "inside", "list"], ["systemctl", "-M", "inside", "status"],
                    ["loginctl", "-M", "inside", "list-sessions"], ["hostnamectl", "-M", "inside", "status"]):
        missing = run_client([*command[:2], "none", *command[3:]], check=False)
        assert missing.returncode != 0 and "Host is down" in missing.stderr + missing.stdout, (command, missing)
    # The leader shares our file system, so that the bus inside is the one of the sandbox: it answers.
    assert "org.freedesktop.machine1" in run_client(["busctl", "-M", "inside", "list"]).stdout
    rows = booted("systemctl", "list-machines", "--no-legend", "--all", check=False).stdout
    assert "inside" in rows
    machine("vm", ("sleep", "1000"), "--class=vm")
    result = run_client(["busctl", "-M", "vm", "list"], check=False)
    assert result.returncode != 0 and "Input/output error" in result.stderr  # their word for "not a container"


def test_newer_machinectl(machine, suite, booted, tmp_path):
    leader = machine("newer-1")
    assert suite("machinectl", "-M", ".host", "list", "--no-legend").stdout.split()[:2] == ["newer-1", "container"]
    assert f"Leader: {leader} (sleep)" in suite("machinectl", "-M", ".host", "status", "newer-1").stdout
    shown = suite("machinectl", "-M", ".host", "show", "newer-1").stdout
    ours = muster("show", "newer-1").stdout.splitlines()
    assert set(line for line in ours if not line.startswith("NetworkInterfaces")) <= set(shown.splitlines())
    rows = json.loads(suite("machinectl", "-M", ".host", "list", "--output=json").stdout)
    assert rows[0]["machine"] == "newer-1" and rows[0]["class"] == "container"
    for verb, expected in (("poweroff", 38), ("reboot", 2), ("kill", 15)):
        _, heard = heard_by(machine, "asked", tmp_path)
        suite("machinectl", "-M", ".host", verb, "asked")
        assert heard() == expected
    suite("machinectl", "-M", ".host", "terminate", "newer-1")
    gone("newer-1")


def test_newer_machinectl_over_varlink(machine, suite, booted, tmp_path):
    """Without -M .host, 262 asks the Varlink socket about control addresses first, and a failure there is final."""
    def local(*arguments, **options):
        return booted(*suite.command("machinectl"), *arguments, **options)
    for verb, expected in (("poweroff", 38), ("reboot", 2)):
        _, heard = heard_by(machine, "asked", tmp_path)
        local(verb, "asked")
        assert heard() == expected
    machine("ends")
    local("terminate", "ends")
    gone("ends")
    result = local("poweroff", "none", check=False)
    assert result.returncode == 1


def test_newer_varlinkctl(machine, suite):
    leader = machine("linked")
    socket = world.VARLINK_SOCKET
    info = suite("varlinkctl", "info", socket).stdout
    assert "io.systemd.Machine" in info and "org.varlink.service" in info and "Muster" in info
    text = suite("varlinkctl", "introspect", socket, "io.systemd.Machine").stdout
    assert "interface io.systemd.Machine" in text and "method Register(" in text
    if suite.version >= 257:
        methods = suite("varlinkctl", "list-methods", socket, "io.systemd.Machine").stdout
        assert "io.systemd.Machine.Register" in methods.split() and "io.systemd.Machine.List" in methods.split()
    assert "io.systemd.Machine" in suite("varlinkctl", "list-interfaces", socket).stdout.split()
    for path, interface in (("userdb/io.systemd.Machine", "UserDatabase"), ("resolve.hook/io.systemd.Machine", "Resolve.Hook"),
                            ("machine/io.systemd.MachineImage", "MachineImage"), ("machine/io.systemd.Machine", "Machine")):
        text = suite("varlinkctl", "introspect", f"/run/systemd/{path}", f"io.systemd.{interface}").stdout
        promised = (TOP / "data" / "varlink" / f"io.systemd.{interface}.varlink").read_text()
        assert text.split() == promised.split(), interface
    names = suite("varlinkctl", "call", "/run/systemd/resolve.hook/io.systemd.Machine", "io.systemd.Resolve.Hook.QueryFilter",
                  "{}", "--json=short").stdout
    assert json.loads(names) == {"filterDomains": ["linked"]}
    call = suite("varlinkctl", "call", socket, "io.systemd.Machine.List", '{"name":"linked"}', "--json=short")
    machine_object = json.loads(call.stdout)
    assert machine_object["leader"]["pid"] == leader and machine_object["unit"] == "machine-linked.scope"
    machine("second")
    call = suite("varlinkctl", "call", "--more", socket, "io.systemd.Machine.List", "{}", "--json=short")
    rows = [json.loads(line) for line in call.stdout.replace("\x1e", "").splitlines() if line]
    assert {"linked", "second"} <= {row["name"] for row in rows}
    stats = json.loads(suite("varlinkctl", "call", socket, "org.muster.Machine1.Stats", '{"name":"linked"}', "--json=short").stdout)
    assert stats["name"] == "linked" and stats["cpuUsageUSec"] >= 0
    text = suite("varlinkctl", "introspect", socket, "org.muster.Machine1").stdout
    assert all(f"method {method}(" in text for method in ("Subscribe", "Exec", "Stats", "Wait"))
    result = suite("varlinkctl", "call", socket, "io.systemd.Machine.List", '{"name":"none"}', check=False)
    assert result.returncode != 0 and "NoSuchMachine" in result.stderr
    suite("varlinkctl", "call", socket, "io.systemd.Machine.Kill", '{"name":"linked","signal":9}')
    suite("varlinkctl", "call", socket, "io.systemd.Machine.Terminate", '{"name":"second"}')
    gone("linked", "second")


def test_newer_busctl(machine, suite):
    machine("on-bus")
    assert "/org/freedesktop/machine1/machine/on_2dbus" in suite("busctl", "tree", "org.freedesktop.machine1").stdout
    text = suite("busctl", "introspect", "org.freedesktop.machine1", "/org/freedesktop/machine1/machine/on_2dbus").stdout
    assert '"machine-on\\\\x2dbus.scope"' in text
    result = suite("busctl", "call", *world.MANAGER, "GetMachine", "s", "on-bus")
    assert result.stdout == 'o "/org/freedesktop/machine1/machine/on_2dbus"\n'


def test_newer_systemctl_finds_machines(machine, suite):
    machine("inside")
    missing = suite("systemctl", "-M", "none", "status", check=False)
    assert "Host is down" in missing.stderr + missing.stdout
    found = suite("busctl", "-M", "inside", "list", check=False)
    assert "org.freedesktop.machine1" in found.stdout, found
