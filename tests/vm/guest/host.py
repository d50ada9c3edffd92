# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests in the VM have to do with: units of the service manager, the installed musterd, containers."""
import os
import pathlib
import re
import subprocess

import world


PATIENCE_SEC = 240  # how long anything may take on an emulated and busy machine


def wait_until(condition, what, timeout=PATIENCE_SEC):
    return world.wait_until(condition, what, timeout)


def run(*command, check=True, timeout=PATIENCE_SEC, **options):
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
        wait_until(lambda: self.pid not in (0, old) and self.is_active(), f"{self.unit} to come back")


# Has a child that does not listen either, born in its scope: CreateMachine moves nobody but the leader there.
LINGERER = ("sh", "-c", "trap '' TERM HUP; until grep -q machine.slice /proc/$$/cgroup; do sleep 0.1; done; "
            "(trap '' TERM HUP; while :; do sleep 1000; done) & wait")


def await_lingerer(unit, leader):
    group = pathlib.Path("/sys/fs/cgroup/machine.slice") / unit / "cgroup.procs"
    wait_until(lambda: any(world.comm(int(pid)) == "sleep" for pid in group.read_text().split() if int(pid) != leader),
               "the child of the leader to be in its scope")


def clean_up():
    """After a failed test: whatever it has left, so that the next one starts afresh."""
    for unit in machine_units():
        systemctl("kill", "--signal=SIGKILL", unit, check=False)
        systemctl("stop", unit, check=False)
    with world.Varlink() as v:
        for name in v.names():
            v.call("io.systemd.Machine.Unregister", {"name": name})


MACHINE1 = "org.freedesktop.machine1"
OBJECT = "/org/freedesktop/machine1/machine/"


def create_command(name, leader, *properties, class_="container"):
    """busctl's words for CreateMachine; properties: ("TasksMax", "t", 99), ..."""
    words = [str(w) for p in properties for w in p]
    return ["call", *world.MANAGER, "CreateMachine", "sayssusa(sv)", name, "0", "test", class_, str(leader), "",
            str(len(properties)), *words]


def busctl(*arguments, **options):
    return world.busctl(f"--timeout={PATIENCE_SEC}", *arguments, **options)


def manager(method, *arguments, **options):
    return busctl("call", *world.MANAGER, method, *arguments, **options)


def create(name, leader, *properties, **options):
    busctl(*create_command(name, leader, *properties, **options))
    return scope_of(name)


def create_in_background(name, leader, *properties):
    return subprocess.Popen(["busctl", f"--timeout={PATIENCE_SEC}", *create_command(name, leader, *properties)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def error_of(*call):
    """The D-Bus name of the error: busctl itself shows only its text, its debug log shows both."""
    result = busctl(*call, check=False,
                          env=dict(os.environ, SYSTEMD_LOG_LEVEL="debug"))
    assert result.returncode != 0, result.stdout
    found = re.findall(r"type=error .*error-name=(\S+)", result.stderr)
    assert found, result.stderr
    return found[-1]


def machine_property(name, what):
    path = OBJECT + "".join(c if c.isalnum() else f"_{ord(c):02x}" for c in name)
    return busctl("get-property", MACHINE1, path, MACHINE1 + ".Machine", what).stdout.split(" ", 1)[1].strip().strip('"')


def names():
    with world.Varlink() as v:
        return v.names()


class Gate:
    """A unit that others can wait for, for as long as a test wants: it has started when it is opened, or failed."""

    def __init__(self):
        self.unit = "gate.service"
        self.fifo = pathlib.Path("/run/gate.fifo")

    def __enter__(self):
        run("mkfifo", self.fifo)
        run("systemd-run", "--quiet", "--no-block", f"--unit={self.unit}", "--service-type=oneshot", "--remain-after-exit",
            "--property=TimeoutStartSec=infinity", "sh", "-c", f"read word <{self.fifo} && test $word = open")
        return self

    def properties(self):
        """Scope properties that hold a scope up until the gate is open."""
        return ("Requires", "as", 1, self.unit), ("After", "as", 1, self.unit)

    def hold(self, name, leader):
        """The busctl that is creating the machine; the job of its scope waits here."""
        client = create_in_background(name, leader, *self.properties())
        wait_until(lambda: show(scope_of(name), "Job") not in ("", "0"), f"the job of {name}")
        return client

    def say(self, word):
        with open(self.fifo, "w") as fifo:
            fifo.write(word + "\n")

    def __exit__(self, *_):
        systemctl("kill", "--signal=SIGKILL", self.unit, check=False)
        systemctl("stop", self.unit, check=False)
        systemctl("reset-failed", self.unit, check=False)
        self.fifo.unlink()


class BusyManager:
    """While it is entered the service manager does nothing: it waits for a generator of daemon-reload (or -reexec)."""

    def __init__(self, verb="daemon-reload"):
        self.verb = verb
        self.generator = pathlib.Path("/run/systemd/system-generators/muster-test")
        self.fifo = pathlib.Path("/run/muster-test-generator.fifo")

    def __enter__(self):
        subprocess.run(["mkfifo", str(self.fifo)], check=True)
        self.generator.parent.mkdir(exist_ok=True)
        self.generator.write_text(f"#!/bin/sh\nread word <{self.fifo}\n")
        self.generator.chmod(0o755)
        self.process = subprocess.Popen(["systemctl", self.verb], stdin=subprocess.DEVNULL)
        # Opening the other end waits until the generator reads.
        self.hold = open(self.fifo, "w")
        return self

    def __exit__(self, *_):
        self.generator.unlink()
        self.hold.write("go\n")
        self.hold.close()
        self.process.wait(PATIENCE_SEC)
        self.fifo.unlink()
