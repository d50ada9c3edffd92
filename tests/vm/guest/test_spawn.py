# SPDX-License-Identifier: LGPL-2.1-or-later
"""muster-spawn where systemd is PID 1: in a scope unit that it has made, and in the stock kind of template unit."""
import pathlib
import subprocess

import host
import pytest
import world
from host import run, show, systemctl, wait_until
from test_container import TREE, gone, settings, tree  # noqa: F401

SERVICE = "muster-spawn@guest.service"
SCOPE = "guest.scope"
CONSOLE = pathlib.Path("/run/muster-vm-console")
# Kept by the container: how its system ended.
MARK = TREE / "etc/ended-in-order"
MARK_UNIT = """[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
ExecStop=/bin/touch /etc/ended-in-order
"""


@pytest.fixture(autouse=True)
def in_order(tree, musterd):  # noqa: F811
    """Each container begins without a mark; afterwards nothing of it is left."""
    units = tree / "etc/systemd/system"
    (units / "mark.service").write_text(MARK_UNIT)
    (units / "multi-user.target.wants").mkdir(exist_ok=True)
    wanted = units / "multi-user.target.wants/mark.service"
    if not wanted.is_symlink():
        wanted.symlink_to("../mark.service")
    MARK.unlink(missing_ok=True)
    settings("")
    yield
    wait_until(lambda: not host.units("guest.scope"), "the scope to be collected", timeout=60)
    wait_until(lambda: not world.control_groups("guest.scope"), "its control groups to go", timeout=60)


class Spawn:
    """muster-spawn on the tree, as somebody would start it in a shell."""

    def __init__(self, *options, command=("--boot",), machine="guest"):
        self.console = open(CONSOLE, "wb")
        self.process = subprocess.Popen(
            ["muster-spawn", f"--directory={TREE}", f"--machine={machine}", "--console=read-only", *options, *command],
            stdin=subprocess.DEVNULL, stdout=self.console, stderr=subprocess.STDOUT)

    def output(self):
        return CONSOLE.read_text(errors="replace")

    def end(self):
        try:
            return self.process.wait(host.PATIENCE_SEC)
        except subprocess.TimeoutExpired:
            raise AssertionError("it does not end:\n" + self.output()[-4000:]) from None

    def wait_for_boot(self):
        def up():
            assert self.process.poll() is None, self.output()[-4000:]
            return "guest" in host.names() and run("systemctl", "-M", "guest", "is-system-running",
                                                   check=False).stdout.strip() in ("running", "degraded")
        wait_until(up, "guest to be up")

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self.console.close()


@pytest.fixture
def spawn():
    started = []

    def start(*options, **keywords):
        started.append(Spawn(*options, **keywords))
        return started[-1]
    yield start
    for one in started:
        one.close()


@pytest.fixture
def booted(spawn):
    guest = spawn()
    guest.wait_for_boot()
    return guest


def leader():
    return int(host.machine_property("guest", "Leader"))


def new_leader(old):
    """Another one than that; between two of them there is no machine to ask about."""
    with world.Varlink() as v:
        try:
            pid = v.call("io.systemd.Machine.List", {"name": "guest"})["leader"]["pid"]
        except world.VarlinkError:
            return None
    return pid if pid != old else None


def test_scope(booted):
    values = show(SCOPE, "ActiveState", "ControlGroup", "Slice", "Description", "Delegate", "DevicePolicy", "CollectMode")
    assert values == {"ActiveState": "active", "ControlGroup": "/machine.slice/guest.scope", "Slice": "machine.slice",
                      "Description": "Container guest", "Delegate": "yes", "DevicePolicy": "closed",
                      "CollectMode": "inactive-or-failed"}
    assert host.cgroup_of(leader()).startswith("/machine.slice/guest.scope/payload")
    assert host.cgroup_of(booted.process.pid) == "/machine.slice/guest.scope/supervisor"
    assert host.machine_property("guest", "Unit") == SCOPE
    rows = run("machinectl", "list", "--no-legend").stdout.splitlines()
    assert rows[0].split()[:2] == ["guest", "container"]
    assert f"Leader: {leader()}" in run("machinectl", "status", "--no-pager", "guest").stdout
    run("machinectl", "poweroff", "guest")
    assert booted.end() == 0, booted.output()[-4000:]
    assert MARK.exists()
    wait_until(gone, "guest to be forgotten")


def test_stop_of_the_scope_is_orderly(booted):
    systemctl("stop", SCOPE)
    assert booted.end() == 0, booted.output()[-4000:]
    assert MARK.exists()
    wait_until(gone, "guest to be forgotten")


def test_terminate(booted):
    run("machinectl", "terminate", "guest")
    booted.end()
    wait_until(gone, "guest to be forgotten")


def test_reboot(booted):
    before = leader()
    run("machinectl", "reboot", "guest")
    wait_until(lambda: new_leader(before), "guest to come back")
    booted.wait_for_boot()
    assert host.cgroup_of(leader()).startswith("/machine.slice/guest.scope/payload")
    assert show(SCOPE, "ActiveState") == "active"
    run("machinectl", "poweroff", "guest")
    assert booted.end() == 0, booted.output()[-4000:]


def test_runner_is_killed(booted):
    """Its payload dies with it, and the scope ends."""
    booted.process.kill()
    booted.process.wait()
    wait_until(gone, "guest to be forgotten")


def test_properties(spawn):
    guest = spawn("--slice=test-spawn", "--property=MemoryMax=300M", "--property=TasksMax=77", "--register=no",
                  command=("/bin/sleep", "1000"))
    wait_until(lambda: show(SCOPE, "ActiveState") == "active", "the scope")
    values = show(SCOPE, "MemoryMax", "TasksMax", "Slice", "ControlGroup")
    assert values == {"MemoryMax": str(300 << 20), "TasksMax": "77", "Slice": "test-spawn.slice",
                      "ControlGroup": "/test.slice/test-spawn.slice/guest.scope"}
    systemctl("stop", SCOPE)
    guest.end()


def test_bad_property(spawn):
    guest = spawn("--property=Nonsense=1", command=("/bin/true",))
    assert guest.end() == 1
    assert "Nonsense" in guest.output()


def test_name_is_taken(booted, spawn):
    """The second finds the name taken, and leaves the first alone."""
    CONSOLE.unlink()
    second = spawn(command=("/bin/true",))
    assert second.end() == 1
    assert "guest.scope" in second.output()
    assert show(SCOPE, "ActiveState") == "active" and leader()
    systemctl("stop", SCOPE)
    assert booted.end() == 0


def test_exit_status_and_output(spawn):
    """systemd-run stands between nobody: status and output are the payload's."""
    guest = spawn("--quiet", "--console=pipe", command=("/bin/sh", "-c", "echo out; exit 7"))
    assert guest.end() == 7
    assert guest.output() == "out\n"


@pytest.fixture
def no_musterd(musterd):
    """Neither running nor to be started by the bus."""
    systemctl("mask", "--runtime", "musterd.service")
    systemctl("stop", "musterd.service")
    yield
    systemctl("unmask", "--runtime", "musterd.service")
    musterd.start()


def test_without_a_registry(no_musterd, spawn):
    guest = spawn("--register=yes", command=("/bin/touch", "/etc/it-has-run"))
    assert guest.end() == 1
    assert "no registry" in guest.output()
    assert not (TREE / "etc/it-has-run").exists()
    guest = spawn("--register=auto", "--quiet", command=("/bin/true",))
    assert (guest.end(), guest.output()) == (0, "")


@pytest.fixture
def machined(no_musterd):
    """The stock one, in place of musterd."""
    systemctl("unmask", "systemd-machined.service")
    systemctl("start", "systemd-machined.service")
    yield
    systemctl("stop", "systemd-machined.service")
    systemctl("mask", "systemd-machined.service")


def test_stock_machined(machined, spawn):
    """Before 257 it speaks D-Bus only."""
    guest = spawn("--register=yes")
    wait_until(lambda: run("machinectl", "show", "guest", "-p", "Unit", check=False).stdout == f"Unit={SCOPE}\n",
               "guest to be registered")
    wait_until(up, "guest to be up")
    run("machinectl", "poweroff", "guest")
    assert guest.end() == 0 and MARK.exists()
    assert run("machinectl", "list", "--no-legend").stdout.strip() == ""


def test_name_is_taken_in_machined(machined, processes, spawn):
    host.manager("RegisterMachine", "sayssus", "guest", 0, "test", "container", processes.sleeper(), "")
    try:
        guest = spawn("--register=yes", command=("/bin/touch", "/etc/it-has-run"))
        assert guest.end() == 1 and "registered already" in guest.output()
        assert not (TREE / "etc/it-has-run").exists()
    finally:
        host.manager("UnregisterMachine", "s", "guest")


def test_musterd_is_killed_meanwhile(musterd, booted):
    before = leader()
    musterd.kill()
    wait_until(lambda: host.names() == ["guest"], "musterd to know it again")
    assert leader() == before
    systemctl("stop", SCOPE)
    assert booted.end() == 0 and MARK.exists()


def test_keep_unit(spawn):
    """Below somebody else's unit no scope is made."""
    host.run("systemd-run", "--quiet", "--unit=keeper", "--property=Delegate=yes", "muster-spawn", f"--directory={TREE}",
             "--machine=guest", "--keep-unit", "--console=read-only", "/bin/sleep", "1000")
    wait_until(lambda: host.names() == ["guest"], "guest to be registered")
    assert host.cgroup_of(leader()) == "/system.slice/keeper.service/payload"
    assert host.machine_property("guest", "Unit") == "keeper.service" and not host.units(SCOPE)
    systemctl("stop", "keeper.service")
    wait_until(gone, "guest to be forgotten")


@pytest.fixture
def service():
    settings("[Exec]\nPrivateUsers=no\n")
    systemctl("start", SERVICE)
    yield SERVICE
    systemctl("stop", SERVICE)
    assert show(SERVICE, "ActiveState") == "inactive", show(SERVICE, "Result")


def up():
    return run("systemctl", "-M", "guest", "is-system-running", check=False).stdout.strip() in ("running", "degraded")


def test_template(service):
    wait_until(up, "guest to be up")
    assert host.cgroup_of(leader()).startswith("/machine.slice/muster-spawn@guest.service/payload")
    assert host.cgroup_of(int(show(SERVICE, "MainPID"))) == "/machine.slice/muster-spawn@guest.service/supervisor"
    assert host.machine_property("guest", "Unit") == SERVICE
    before = leader()
    run("machinectl", "reboot", "guest")  # the unit is started again, by the exit status
    wait_until(lambda: new_leader(before), "guest to come back")
    wait_until(up, "guest to be up")
    MARK.unlink(missing_ok=True)
    systemctl("stop", SERVICE)
    assert MARK.exists()
    wait_until(gone, "guest to be forgotten")


def test_template_ends_by_itself(service):
    wait_until(up, "guest to be up")
    run("machinectl", "poweroff", "guest")
    wait_until(lambda: show(SERVICE, "ActiveState") == "inactive", "the unit to end")
    assert show(SERVICE, "Result") == "success"
