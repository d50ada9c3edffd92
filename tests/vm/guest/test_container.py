# SPDX-License-Identifier: LGPL-2.1-or-later
"""A booted container of stock systemd-nspawn, and the host's own tools on it (clients.md)."""
import pathlib
import re
import signal
import subprocess

import host
import pytest
import world
from host import run, show, systemctl, wait_until

TREE = pathlib.Path("/var/lib/machines/guest")
LAYERS = pathlib.Path("/run/muster-vm-guest")  # not on the disk that it overlays
MASKED = ("musterd.service", "muster-vm-tests.service", "polkit.service", "systemd-networkd.service",
          "systemd-journal-flush.service")


@pytest.fixture(scope="module")
def tree():
    """The VM's own system, seen through an overlay; in it less is started."""
    for directory in (TREE, LAYERS / "upper", LAYERS / "work"):
        directory.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "overlay", "-o", f"lowerdir=/,upperdir={LAYERS}/upper,workdir={LAYERS}/work", "guest", TREE)
    units = TREE / "etc/systemd/system"
    for unit in MASKED:
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to("/dev/null")
    (units / "default.target").unlink(missing_ok=True)
    (units / "default.target").symlink_to("/lib/systemd/system/multi-user.target")
    (TREE / "etc/machine-id").unlink()
    (TREE / "etc/machine-id").write_text("0123456789abcdef0123456789abcdef\n")
    (TREE / "etc/hostname").write_text("guest\n")
    (TREE / "etc/fstab").write_text("")
    yield TREE
    run("umount", TREE)


def settings(text):
    path = pathlib.Path("/etc/systemd/nspawn/guest.nspawn")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def booted():
    """The container's own manager says so."""
    return run("systemctl", "-M", "guest", "is-system-running", check=False).stdout.strip() in ("running", "degraded")


def wait_for_boot():
    wait_until(lambda: (world.MACHINES / "guest").exists(), "guest to be registered")
    wait_until(booted, "guest to be up")


def gone():
    return host.names() == [] and not list(world.MACHINES.iterdir())


@pytest.fixture(scope="module")
def guest(tree):
    """`systemctl start` of the stock template unit: it registers the unit it is in."""
    settings("[Exec]\nPrivateUsers=no\n[Network]\nVirtualEthernet=yes\n")
    systemctl("start", "systemd-nspawn@guest.service")
    wait_for_boot()
    yield "guest"
    if host.names():
        run("machinectl", "terminate", "guest")
        wait_until(gone, "guest to end")


@pytest.fixture
def leader(guest):
    return int(host.machine_property("guest", "Leader"))


def test_it_is_registered(guest, leader):
    values = show("systemd-nspawn@guest.service", "ActiveState", "ControlGroup")
    assert values["ActiveState"] == "active"
    assert host.cgroup_of(leader).startswith(values["ControlGroup"])
    assert host.machine_property("guest", "Service") == "systemd-nspawn"
    assert host.machine_property("guest", "RootDirectory") == str(TREE)
    link = pathlib.Path("/sys/class/net/ve-guest/ifindex").read_text().strip()
    assert host.machine_property("guest", "NetworkInterfaces") == f"1 {link}"


def test_machinectl(guest, leader):
    rows = run("machinectl", "list", "--no-legend").stdout.splitlines()
    assert len(rows) == 1 and rows[0].split()[:3] == ["guest", "container", "systemd-nspawn"]
    status = run("machinectl", "status", "--no-pager", "guest").stdout
    assert f"Leader: {leader}" in status and "systemd-nspawn@guest.service" in status
    assert "Class=container" in run("machinectl", "show", "guest").stdout.splitlines()


def test_os_release(guest):
    assert "debian" in run("machinectl", "list", "--no-legend").stdout


def test_muster(guest, leader):
    assert "guest" in run("muster", "list").stdout
    status = run("muster", "status", "guest").stdout
    assert str(leader) in status and "systemd-nspawn@guest.service" in status


# What each prints on success, of the container and not of the host.
TOOLS = {
    "systemctl -M": (["systemctl", "-M", "guest", "list-units", "--no-pager", "systemd-journald.service"], "active running"),
    "systemctl list-machines": (["systemctl", "list-machines", "--no-pager", "--no-legend"], "guest"),
    "systemctl -r": (["systemctl", "-r", "list-units", "--no-pager", "--full", "--type=service"], "guest:systemd-journald.service"),
    "hostnamectl -M": (["hostnamectl", "-M", "guest"], "Static hostname: guest"),
    "timedatectl -M": (["timedatectl", "-M", "guest", "--no-pager"], "Local time"),
    "localectl -M": (["localectl", "-M", "guest", "--no-pager"], "System Locale"),
    "loginctl -M": (["loginctl", "-M", "guest", "--no-pager", "list-sessions"], "No sessions"),
    "busctl -M": (["busctl", "-M", "guest", "--no-pager", "list"], "org.freedesktop.systemd1"),
    "systemd-run -M": (["systemd-run", "-M", "guest", "--pipe", "--wait", "--quiet", "cat", "/etc/hostname"], "guest"),
    "systemd-cgls": (["systemd-cgls", "--no-pager", "-M", "guest"], "init.scope"),
}


@pytest.mark.parametrize("tool", TOOLS)
def test_tool(guest, tool):
    command, text = TOOLS[tool]
    assert text in run(*command).stdout


def test_ps(guest, leader):
    rows = [row.split() for row in run("ps", "-e", "-o", "pid=,machine=").stdout.splitlines()]
    machines = dict(row for row in rows if len(row) == 2)
    assert machines[str(leader)] == "guest" and machines["1"] == "-"


def test_sd_bus_open_system_machine(guest):
    """libsystemd's own way in, by its exported function."""
    code = """
import ctypes
sd = ctypes.CDLL("libsystemd.so.0")
bus, reply, error = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
assert sd.sd_bus_open_system_machine(ctypes.byref(bus), b"guest") >= 0
text = ctypes.c_char_p()
r = sd.sd_bus_get_property_string(bus, b"org.freedesktop.hostname1", b"/org/freedesktop/hostname1",
                                  b"org.freedesktop.hostname1", b"Hostname", None, ctypes.byref(text))
assert r >= 0, r
print(text.value.decode())
"""
    assert run("python3", "-c", code).stdout == "guest\n"


def test_journalctl_machine(guest):
    run("journalctl", "-M", "guest", "--no-pager", "-n", "1")


def test_journalctl_merge(guest):
    """--link-journal=try-guest of the template unit: the container's journal is among the host's, where it keeps one."""
    assert run("journalctl", "-m", "--no-pager", "-n", "1").stdout


def test_machinectl_shell(guest):
    """A session as logind has it: what people use it for, systemctl --user in the first place."""
    for _ in range(3):  # machinectl 252 takes a terminal that nobody has open for the end: on a busy host it may miss what was printed
        out = run("machinectl", "--quiet", "shell", "daemon@guest", "/bin/sh", "-c", "cat /proc/self/cgroup; echo $XDG_RUNTIME_DIR").stdout
        if out.strip():
            break
    if "container-shell@" not in out and "/session-" not in out:
        raise AssertionError(out + run("journalctl", "-M", "guest", "--no-pager", "-n", "60", check=False).stdout)
    assert "/run/user/1\n" in out.replace("\r", ""), out


def test_muster_exec(guest):
    """By the service as it is installed: what the unit takes from musterd, commands would lack."""
    assert run("muster", "exec", "guest", "--", "sh", "-c", "exit 42", check=False).returncode == 42
    status = run("muster", "exec", "guest", "--", "cat", "/proc/self/status", "/proc/1/status").stdout
    for field in ("CapBnd", "CapPrm", "NoNewPrivs"):
        own, leaders = re.findall(rf"^{field}:\s*(\w+)$", status, re.M)
        assert own == leaders, (field, own, leaders)
    assert "musterd.service" not in run("muster", "exec", "guest", "--", "cat", "/proc/self/cgroup").stdout


def test_reexec_and_reboot(guest, leader):
    """The host's manager executes itself anew, the container reboots: nobody loses it."""
    systemctl("daemon-reexec")
    assert host.names() == ["guest"] and booted()
    run("systemctl", "-M", "guest", "reboot", check=False)
    wait_until(lambda: world.comm(leader) is None, "the old leader to end")
    wait_until(lambda: host.names() == ["guest"] and int(host.machine_property("guest", "Leader")) != leader,
               "guest to be back")
    wait_for_boot()


def test_poweroff(guest):
    run("machinectl", "poweroff", "guest")
    wait_until(gone, "guest to be gone")
    wait_until(lambda: show("systemd-nspawn@guest.service", "ActiveState") in ("inactive", "failed"), "its unit to end")
    assert show("systemd-nspawn@guest.service", "ActiveState") == "inactive"
    assert not pathlib.Path("/sys/fs/cgroup" + "/machine.slice/systemd-nspawn@guest.service").exists()


def test_machinectl_start(tree, musterd):
    """By the stock template unit; machinectl asks first whether there is an image of that name."""
    assert run("machinectl", "start", "none", check=False).returncode != 0
    run("machinectl", "start", "guest")
    wait_for_boot()
    assert host.names() == ["guest"]
    run("machinectl", "poweroff", "guest")
    wait_until(gone, "guest to be gone")
    wait_until(lambda: show("systemd-nspawn@guest.service", "ActiveState") in ("inactive", "failed"), "its unit to end")


def test_nspawn_makes_its_own_scope(tree, musterd):
    """`systemd-nspawn -b` as people type it: CreateMachine (262: a scope of its own, then Register)."""
    with open("/run/nspawn.log", "w") as log:
        nspawn = subprocess.Popen(["systemd-nspawn", "-b", "-D", str(tree), "-M", "guest", "--console=pipe",
                                   "--settings=no"], stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        wait_for_boot()
        unit = host.machine_property("guest", "Unit")
        assert unit.endswith(".scope") and show(unit, "ActiveState") == "active"
        # RequestStop reaches nspawn, its controller, which shuts the container down.
        run("machinectl", "terminate", "guest")
        assert nspawn.wait(host.PATIENCE_SEC) == 0, pathlib.Path("/run/nspawn.log").read_text()[-2000:]
        wait_until(gone, "guest to be gone")
        assert show(unit, "LoadState") == "not-found" or show(unit, "ActiveState") == "inactive"
    finally:
        if nspawn.poll() is None:
            nspawn.send_signal(signal.SIGTERM)
            nspawn.wait(host.PATIENCE_SEC)
