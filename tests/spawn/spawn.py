# SPDX-License-Identifier: LGPL-2.1-or-later
"""Containers of muster-spawn and of the systemd-nspawn that it has to equal, run by the same words.

A container always starts with --register=no --keep-unit, in a control group of its own, on a tree that is under a layer
in memory (integration/nspawn.py: Tree) or a copy in memory (CopiedTree). What it leaves behind is found by Leftovers.
"""
import glob
import itertools
import os
import pathlib
import re
import select
import shutil
import signal
import subprocess
import termios
import time

import nspawn
import world

ORIGINAL, OURS = TARGETS = ("systemd-nspawn", "muster-spawn")
CGROUP = pathlib.Path("/sys/fs/cgroup")
NUMBER = itertools.count(1)
PATIENCE = 20  # seconds for what takes a moment, on a machine that stalls now and then
# What both programs look at in their own environment would make tests depend on who runs them.
ENVIRONMENT = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "TERM": "vt220",
               "LANG": "C.UTF-8",
               # To look for leaks takes longer than the program, which starts a container and ends. The unit tests look.
               "ASAN_OPTIONS": "detect_leaks=0"}


def program(target):
    """The file to run; MUSTER_ORIGINAL names another systemd-nspawn than that of this host."""
    if target == ORIGINAL:
        return os.environ.get("MUSTER_ORIGINAL") or shutil.which(ORIGINAL)
    return str(world.spawn_program(pathlib.Path(os.environ["MUSTER_BUILD"])))


def why_not(target):
    """Why that program cannot be run here; None when it can."""
    path = program(target)
    return None if path and os.access(path, os.X_OK) else f"{target} is not there: {path or 'not in $PATH'}"


class CopiedTree(nspawn.Tree):
    """A copy in memory, for small trees: a file system of one layer, whose mounts can be mapped to other ids."""

    def mount(self):
        self.root.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tree", self.root], check=True)
        subprocess.run(["cp", "-a", f"{self.lower}/.", self.root], check=True)


def payload(name):
    """A program that the build has made for use inside of a container."""
    return pathlib.Path(os.environ["MUSTER_BUILD"]) / "tests" / "spawn" / name


def install(tree, name):
    """Puts a program of ours into the mounted tree; its path inside."""
    shutil.copy(payload(name), tree.root / "usr" / name)
    return f"/usr/{name}"


class ControlGroup:
    """A control group that looks like a service's, in each hierarchy that --keep-unit reads."""

    def __init__(self):
        roots = {"v2": [CGROUP], "hybrid": [CGROUP / "unified", CGROUP / "systemd"], "v1": [CGROUP / "systemd"]}
        name = f"spawn-{os.getpid()}-{next(NUMBER)}.service"
        self.paths = [root / name for root in roots.get(os.environ["MUSTER_SANDBOX"], [])]
        for path in self.paths:
            path.mkdir()

    def enter(self):
        """In the child, before it becomes the program."""
        for path in self.paths:
            (path / "cgroup.procs").write_text("0")

    def command(self, arguments):
        """The same for a command line."""
        return world.in_groups(self.paths, arguments)

    def processes(self):
        found = set()
        for path in self.paths:
            for directory, _, _ in os.walk(path):
                try:
                    found |= {int(line) for line in pathlib.Path(directory, "cgroup.procs").read_text().split()}
                except OSError:  # it has just gone
                    pass
        return found

    def remove(self, timeout=PATIENCE):
        """Fails when something still lives in it: rmdir does not take a group with processes."""
        def empty():
            for path in self.paths:
                for directory, _, _ in os.walk(path, topdown=False):
                    try:
                        os.rmdir(directory)
                    except OSError:
                        pass
            return not any(path.exists() for path in self.paths)
        world.wait_until(empty, "the container's control groups to be empty", timeout,
                         lambda: ", ".join(f"{pid} ({world.comm(pid)})" for pid in self.processes()))


class Spawn:
    """A running container.

    terminal: None for pipes (the program gets --pipe), (rows, columns) for a terminal of that size. Standard error is
    apart from standard output only with pipes. environment: beside ENVIRONMENT.
    """

    def __init__(self, target, tree, *options, command=(), name="box", terminal=None, environment=None, input=False,
                 timeout=60):
        self.target = target
        self.tree = tree
        self.timeout = timeout
        self.seen = b""  # everything that the container has shown
        self.errors = b""
        self.position = 0  # up to here expect() has looked
        self.cgroup = ControlGroup()
        self.master = self.error_pipe = None
        arguments = [program(target), "--quiet", "--register=no", "--keep-unit", f"--machine={name}"]
        if tree is not None:
            arguments.append(f"--directory={tree.root}")
        if terminal is None:
            arguments.append("--pipe")
        self.arguments = [*arguments, *options, *map(str, command)]
        environment = {**ENVIRONMENT, **(environment or {}), "TMPDIR": os.environ["TMPDIR"]}
        try:
            (self.start_piped if terminal is None else self.start_on_terminal)(environment, terminal or input)
        except BaseException:
            self.cgroup.remove()
            raise

    def start_piped(self, environment, input):
        self.process = subprocess.Popen(self.cgroup.command(self.arguments), env=environment,
                                        stdin=subprocess.PIPE if input else subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.output_fd, self.error_pipe = self.process.stdout.fileno(), self.process.stderr.fileno()
        self.input_fd = self.process.stdin.fileno() if input else None

    def start_on_terminal(self, environment, size):
        self.process, self.master = world.on_terminal(self.cgroup.command(self.arguments), size, environment)
        self.output_fd = self.input_fd = self.master

    def resize(self, rows, columns):
        termios.tcsetwinsize(self.master, (rows, columns))

    @property
    def text(self):
        """Everything shown so far."""
        return self.seen.decode(errors="replace")

    @property
    def messages(self):
        """What the program or the payload has said on standard error; with a terminal it is in the text."""
        return self.errors.decode(errors="replace")

    def pump(self, seconds):
        """Takes what comes within that time. False: nothing will come any more."""
        open_fds = [fd for fd in (self.output_fd, self.error_pipe) if fd is not None]
        if not open_fds:
            return False
        for fd in select.select(open_fds, [], [], seconds)[0]:
            try:
                data = os.read(fd, 65536)
            except OSError:  # the terminal's other end is closed
                data = b""
            if fd == self.error_pipe:
                self.errors += data
                self.error_pipe = fd if data else None
            else:
                self.seen += data
                self.output_fd = fd if data else None
        return True

    def fail(self, what):
        raise AssertionError(f"{what}\n{' '.join(self.arguments)}\nexit status: {self.process.poll()}\n"
                             f"output:\n{self.text[-6000:]}\nmessages:\n{self.messages[-2000:]}")

    def expect(self, wanted, timeout=None):
        """Waits for the text after what was expected last; what stood before it."""
        wanted, deadline = wanted.encode(), time.monotonic() + (timeout or self.timeout)
        while (found := self.seen.find(wanted, self.position)) < 0:
            if time.monotonic() > deadline:
                self.fail(f"timed out waiting for {wanted!r}")
            if not self.pump(0.1):
                self.fail(f"ended before {wanted!r}")
        before = self.seen[self.position:found]
        self.position = found + len(wanted)
        return before.decode(errors="replace")

    def send(self, keys):
        data = keys if isinstance(keys, bytes) else keys.encode()
        while data:
            data = data[os.write(self.input_fd, data):]

    def close_input(self):
        """End of file for a payload on pipes."""
        self.process.stdin.close()
        self.input_fd = None

    def signal(self, number):
        self.process.send_signal(number)

    def wait_heard(self):
        """Until the program has read its signals: one that is sent again before that comes once."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status")
        world.wait_until(lambda: re.search(r"^ShdPnd:\t0+$", status.read_text(), re.MULTILINE), "the signal to be read", PATIENCE)

    def end(self, timeout=None):
        """Waits until the program ends by itself; its exit status, as of a shell: 128 + the signal that ended it."""
        deadline = time.monotonic() + (timeout or self.timeout)
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.fail("the container does not end")
            if not self.pump(0.1):
                time.sleep(0.01)
        while (self.output_fd is not None or self.error_pipe is not None) and time.monotonic() < deadline:
            # A terminal tells no end while a process that was left behind holds it: then there is just nothing more.
            before = len(self.seen) + len(self.errors)
            if not self.pump(0.2) or before == len(self.seen) + len(self.errors):
                break
        code = self.process.returncode
        return code if code >= 0 else 128 - code

    def close(self):
        """Ends what is left of it, and fails when it left processes behind by itself."""
        ended_by_itself = self.process.poll() is not None
        if not ended_by_itself:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe:
                pipe.close()
        if self.master is not None:
            os.close(self.master)
        if not ended_by_itself:
            for pid in self.cgroup.processes():
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
        self.cgroup.remove()


class Result:
    """What a container that has ended by itself leaves to look at."""

    def __init__(self, code, output, messages):
        self.code, self.output, self.messages = code, output, messages

    def __repr__(self):
        return f"exit status {self.code}\noutput: {self.output}\nmessages: {self.messages}"


def run(target, tree, *options, input=None, timeout=60, **keywords):
    """Runs a command to its end, on pipes."""
    container = Spawn(target, tree, *options, input=input is not None, timeout=timeout, **keywords)
    try:
        if input is not None:
            container.send(input)
            container.close_input()
        code = container.end()
        return Result(code, container.text, container.messages)
    finally:
        container.close()


class Leftovers:
    """What is on the host now; found() tells what has come since.

    Directories that only say that containers have been here are no leftovers: the original makes them and leaves them,
    and other programs may rely on it.
    """

    SKELETON = {"/run/systemd/nspawn", "/run/systemd/nspawn/locks", "/run/systemd/nspawn/propagate",
                "/run/systemd/nspawn/unix-export", "/run/systemd/nspawn-uid"}

    def __init__(self):
        self.before = self.look()

    @staticmethod
    def look():
        found = {f"process {pid} ({world.comm(pid)})" for pid in world.stray_processes()}
        mounts = pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
        found |= {f"mount on {line.split()[4]}" for line in mounts}
        found |= {f"link {name}" for name in os.listdir("/sys/class/net")}
        # os.walk() and glob.glob() take it calmly when something goes away while they look.
        found |= {f"control group {os.path.join(top, name)}" for top, names, _ in os.walk(CGROUP) for name in names}
        for top in ("/run/systemd/nspawn", "/run/systemd/nspawn-uid", "/run/systemd/machines", "/run/muster",
                    "/run/host", "/var/lib/machines"):
            found |= {os.path.join(place, name) for place, names, files in os.walk(top) for name in names + files}
            found |= {top} if os.path.exists(top) else set()
        # Locks and hidden copies lie beside a tree; backing directories of mounts in the host's /var/tmp and /tmp.
        for place in (os.environ["TMPDIR"], "/var/tmp", "/tmp"):
            found |= {path for pattern in (".#*", "*/.#*", "nspawn-*", "muster-spawn-*")
                      for path in glob.glob(f"{place}/{pattern}", include_hidden=True)}
        return found

    def found(self, timeout=PATIENCE):
        """Names of what is left, after a moment for what is still going."""
        deadline = time.monotonic() + timeout
        while True:
            left = self.look() - self.before - self.SKELETON
            if not left or time.monotonic() > deadline:
                return sorted(left)
            time.sleep(0.05)
