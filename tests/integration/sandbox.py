#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""sandbox: runs a command where it may start machines and mount control groups without touching the host.

Usage: sandbox.py MODE COMMAND...      MODE: v2 | hybrid | v1 | none

Own mount, pid, cgroup, net and uts namespaces in fresh cgroups; a tmpfs on /run and on /var/log, an empty directory on /tmp and on
/var/tmp, sysfs on /sys, the hierarchies of MODE on /sys/fs/cgroup, a lock of its own for the user database. Everything ends with the
command. Exit status: the command's; 77 when this kernel cannot show MODE.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
MODES = ("v2", "hybrid", "v1", "none")
CGROUP = "/sys/fs/cgroup"
DATABASE_LOCK = pathlib.Path("/etc/.pwd.lock")
SKIP = 77


def hierarchies():
    """[(mount point, type, controllers)] of the control groups that we may write to, with our own cgroup's path."""
    own = {}
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        own[controllers] = path
    found = {}
    for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = line.split(" - ", 1)
        root, point = left.split()[3:5]
        fstype, _, options = right.split()[:3]
        if fstype == "cgroup2":
            controllers = ""
        elif fstype == "cgroup":
            controllers = next((c for c in own if c and set(c.split(",")) <= set(options.split(","))), None)
        else:
            continue
        if controllers is None or controllers not in own or controllers in found:
            continue
        relative = os.path.relpath(own[controllers], root)
        base = pathlib.Path(point) if relative == "." else pathlib.Path(point) / relative
        if not str(relative).startswith("..") and os.access(base, os.W_OK):
            found[controllers] = base
    return found


def remove_tree(path):
    """rmdir bottom-up; processes that are just dying get a moment."""
    for _ in range(200):
        for directory, _, _ in os.walk(path, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass
        if not path.exists():
            return True
        time.sleep(0.02)
    return False


def outer(mode, command):
    name = f"muster-test-{os.getpid()}"
    cgroups = [base / name for base in hierarchies().values()]
    made = []
    for path in cgroups:
        try:
            path.mkdir()
            made.append(path)
        except OSError:
            pass
    os.environ["SANDBOX_SCRATCH"] = scratch = tempfile.mkdtemp(prefix="muster-test-", dir="/var/tmp")
    child = os.fork()
    if child == 0:
        for path in made:
            inherit = path / "cpuset.cpus"
            if inherit.exists() and not inherit.read_text().strip():
                for knob in ("cpuset.cpus", "cpuset.mems"):
                    (path / knob).write_text((path.parent / knob).read_text())
            try:
                (path / "cgroup.procs").write_text("0")
            except OSError:
                pass
        os.execvp("unshare", ["unshare", "-m", "-p", "-C", "-n", "-u", "--fork", "--kill-child", "--mount-proc",
                              "--propagation", "private", sys.executable, os.path.abspath(__file__), "--inner", mode,
                              *command])
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _, status = os.waitpid(child, 0)
    shutil.rmtree(scratch, ignore_errors=True)
    left = [str(path) for path in made if not remove_tree(path)]
    if left:
        print("left behind:", *left, file=sys.stderr)
        return 1
    return os.waitstatus_to_exitcode(status)


def mount(fstype, target, options="", source="none"):
    os.makedirs(target, exist_ok=True)
    command = ["mount", "-t", fstype, *(["-o", options] if options else []), source, target]
    if subprocess.run(command, stderr=subprocess.PIPE).returncode:
        print(f"this kernel does not mount {fstype} {options} in a sandbox", file=sys.stderr)
        sys.exit(SKIP)


def v1_controllers():
    names = []
    for line in pathlib.Path("/proc/self/cgroup").read_text().splitlines():
        controllers = line.split(":", 2)[1]
        if controllers and controllers != "name=systemd":
            names.append(controllers)
    return names


def mount_cgroups(mode):
    if mode == "v2":
        mount("cgroup2", CGROUP)
        return
    mount("tmpfs", CGROUP, "mode=755,nr_inodes=256")
    if mode == "none":
        subprocess.run(["mount", "-o", "remount,ro", CGROUP], check=True)
        return
    controllers = v1_controllers()
    if not controllers:
        print("all controllers of this kernel are on cgroup v2", file=sys.stderr)
        sys.exit(SKIP)
    if mode == "hybrid":
        mount("cgroup2", CGROUP + "/unified")
    mount("cgroup", CGROUP + "/systemd", "none,name=systemd")
    for names in controllers:
        if re.fullmatch(r"[a-z_,]+", names):
            mount("cgroup", f"{CGROUP}/{names}", names)


def mount_temporary(directory, place):
    """Puts an empty directory over a place for temporary files, whose names others would see; a checkout below it stays there."""
    directory.mkdir(parents=True)
    directory.chmod(0o1777)
    if TOP.is_relative_to(place):
        kept = directory / TOP.relative_to(place)
        kept.mkdir(parents=True)
        subprocess.run(["mount", "--rbind", TOP, kept], check=True)
    subprocess.run(["mount", "--rbind", directory, place], check=True)


def mount_lock(mine):
    """Whoever takes users for a container holds the lock of the user database: others of this host shall not wait for that, nor we
    for them. Where there is none it is made, as the first program that changes a user would."""
    try:
        if not DATABASE_LOCK.exists():
            DATABASE_LOCK.touch(0o600)
    except OSError:  # then nobody can hold it
        return
    mine.touch(0o600)
    subprocess.run(["mount", "--bind", mine, DATABASE_LOCK], check=True)


def inner(mode, command):
    mount("sysfs", "/sys")
    if os.path.isdir("/sys/fs/bpf"):  # where most hosts have it
        subprocess.run(["mount", "-t", "bpf", "-o", "mode=700", "bpf", "/sys/fs/bpf"], stderr=subprocess.DEVNULL)
    mount_cgroups(mode)
    mount("tmpfs", "/run", "mode=755")
    for directory in ("/run/dbus", "/run/lock", "/run/tmp"):
        os.makedirs(directory)
    os.makedirs("/var/lib/machines", exist_ok=True)
    mount("tmpfs", "/var/lib/machines", "mode=700")
    mount("tmpfs", "/var/log", "mode=755")  # where machines leave the logs of their consoles
    scratch = pathlib.Path(os.environ.pop("SANDBOX_SCRATCH"))
    for place in ("tmp", "var/tmp"):
        mount_temporary(scratch / place, pathlib.Path("/", place))
    mount_lock(pathlib.Path("/run/pwd.lock"))
    os.chdir(os.getcwd())  # a checkout below one of them is on another mount now
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("DBUS_", "XDG_", "SYSTEMD_", "NOTIFY_"))}
    environment.update(TMPDIR="/run/tmp", MUSTER_SANDBOX=mode)
    # We are PID 1 here: the command is a child, and whatever loses its parent is ours to reap.
    child = subprocess.Popen(command, env=environment).pid
    while True:
        pid, status = os.wait()
        if pid == child:
            return os.waitstatus_to_exitcode(status)


def default_signals():
    """nohup(1) and a shell's "&" leave signals ignored, which every payload and every plain program of a test would inherit."""
    for number in signal.valid_signals() - {signal.SIGPIPE, signal.SIGXFSZ}:  # Python's own, which its children do not get
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def main(arguments):
    default_signals()
    if arguments and arguments[0] == "--inner":
        return inner(arguments[1], arguments[2:])
    if len(arguments) < 2 or arguments[0] not in MODES:
        print(__doc__, file=sys.stderr)
        return 2
    return outer(arguments[0], arguments[1:])


if __name__ == "__main__":
    code = main(sys.argv[1:])
    sys.exit(code if code >= 0 else 128 - code)
