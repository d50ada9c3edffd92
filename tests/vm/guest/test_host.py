# SPDX-License-Identifier: LGPL-2.1-or-later
"""The host under test: systemd is the manager, and musterd runs in systemd-machined's place as it was installed."""
import pathlib
import uuid

import host
from host import busctl, manager, run


def test_systemd_runs_musterd(musterd):
    assert pathlib.Path("/proc/1/comm").read_text() == "systemd\n"
    assert host.show("systemd-machined.service", "LoadState") == "masked"
    owner = busctl("status", "org.freedesktop.machine1").stdout
    assert f"PID={musterd.pid}\n" in owner
    assert "Unit=musterd.service\n" in owner


def test_nothing_failed(musterd):
    assert host.systemctl("--failed", "--plain", "--no-legend").stdout == ""


def test_bus_activation(musterd):
    """The bus asks the manager, which starts the unit through its alias."""
    host.systemctl("stop", "musterd.service")
    assert not musterd.is_active()
    assert ".host" in manager("ListMachines").stdout
    assert musterd.is_active()


def test_machine_id_is_the_vms_uuid(musterd):
    """An empty /etc/machine-id takes the product UUID that the VM manager gives (-uuid). The CPUID of this one says "TCG"."""
    given = uuid.UUID(pathlib.Path("/muster-vm/uuid").read_text().strip())
    assert uuid.UUID(pathlib.Path("/sys/class/dmi/id/product_uuid").read_text().strip()) == given
    assert uuid.UUID(pathlib.Path("/etc/machine-id").read_text().strip()) == given
    # The registry shows it as the host's.
    row = busctl("get-property", "org.freedesktop.machine1", "/org/freedesktop/machine1/machine/_2ehost",
                 "org.freedesktop.machine1.Machine", "Id").stdout.split()
    assert row[:2] == ["ay", "16"] and bytes(map(int, row[2:])) == given.bytes


def test_shell_of_the_host(musterd):
    """machinectl shell user@.host gives a session of that user, which su(1) and sudo(8) do not."""
    script = "cat /proc/self/cgroup; echo $XDG_RUNTIME_DIR; id -un; exit 3"
    out = run("machinectl", "--quiet", "shell", "daemon@.host", "/bin/sh", "-c", script).stdout.replace("\r", "")
    assert "/run/user/1\ndaemon\n" in out and "musterd.service" not in out, out
    assert run("muster", "exec", ".host", "--", "sh", "-c", "exit 42", check=False).returncode == 42
