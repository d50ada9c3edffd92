# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests in the VM have to do with: units of the service manager, the installed musterd, containers."""
import pathlib
import subprocess

import world


def run(*command, check=True, timeout=200, **options):
    """The completed process; its output is part of what a failing test shows."""
    result = subprocess.run([str(c) for c in command], capture_output=True, text=True, timeout=timeout,
                            stdin=subprocess.DEVNULL, **options)
    if check:
        assert result.returncode == 0, f"{' '.join(map(str, command))}: {result.returncode}\n{result.stdout}{result.stderr}"
    return result


def systemctl(*arguments, **options):
    return run("systemctl", *arguments, **options)


def show(unit, *properties):
    """The values of a unit's properties; of a single one just that."""
    out = systemctl("show", unit, *(f"--property={p}" for p in properties)).stdout
    values = dict(line.split("=", 1) for line in out.splitlines() if "=" in line)
    return values.get(properties[0], "") if len(properties) == 1 else values


def scope_of(name):
    """The unit that CreateMachine makes (registry.md 1.5; '-' is the one valid character that is escaped)."""
    return "machine-" + name.replace("-", "\\x2d") + ".scope"


def units(pattern):
    out = systemctl("list-units", "--all", "--plain", "--no-legend", "--full", pattern).stdout
    return [line.split()[0] for line in out.splitlines()]


def machine_units():
    return units("machine-*.scope")


def cgroup_of(pid):
    """Path of a process's control group, or None when it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/cgroup").read_text().split("::", 1)[1].strip()
    except OSError:
        return None


class Service:
    def __init__(self, unit):
        self.unit = unit

    def is_active(self):
        return systemctl("is-active", self.unit, check=False).stdout.strip() == "active"

    def start(self):
        systemctl("start", self.unit)

    def restart(self):
        systemctl("restart", self.unit)

    @property
    def pid(self):
        return int(show(self.unit, "MainPID"))

    def kill(self):
        """SIGKILL, and wait until the manager has started it anew."""
        old = self.pid
        systemctl("kill", "--signal=SIGKILL", "--kill-whom=main", self.unit)
        world.wait_until(lambda: self.pid not in (0, old) and self.is_active(), f"{self.unit} to come back", timeout=60)


def clean_up():
    """After a failed test: whatever it has left, so that the next one starts afresh."""
    for unit in machine_units():
        systemctl("kill", "--signal=SIGKILL", unit, check=False)
        systemctl("stop", unit, check=False)
    with world.Varlink() as v:
        for name in v.names():
            v.call("io.systemd.Machine.Unregister", {"name": name})
