# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests have to do with: the bus, the daemon, processes, the Varlink socket, control groups."""
import contextlib
import ctypes
import fnmatch
import json
import os
import pathlib
import pty
import re
import select
import shlex
import signal
import socket
import statistics
import subprocess
import termios
import threading
import time

BUS_SOCKET = "/run/dbus/system_bus_socket"
BUS_ADDRESS = "unix:path=" + BUS_SOCKET
VARLINK_SOCKET = "/run/systemd/machine/io.systemd.Machine"
SERVICES = pathlib.Path("/run/dbus/services")  # what the bus may start
MACHINES = pathlib.Path("/run/systemd/machines")

BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path={socket}</listen>
  <auth>EXTERNAL</auth>
  {services}
  <policy context="default">
    <allow user="*"/>
    {allow}
  </policy>
  {includes}
  <limit name="max_connections_per_user">4096</limit>
  <limit name="max_match_rules_per_connection">65536</limit>
  <limit name="max_replies_per_connection">65536</limit>
  <limit name="max_incoming_bytes">1000000000</limit>
  <limit name="max_outgoing_bytes">1000000000</limit>
</busconfig>
"""
OPEN_POLICY = '<allow own="*"/><allow send_destination="*" eavesdrop="false"/><allow receive_sender="*"/>'


def wait_until(condition, what, timeout=10.0, on_timeout=None):
    """Polls; returns the condition's first true value. on_timeout: says what is wrong instead."""
    deadline = time.monotonic() + timeout
    while True:
        late = time.monotonic() > deadline  # before the last look: who sleeps in between may find all done
        value = condition()
        if value:
            return value
        if late:
            raise AssertionError(f"timed out: {what}" + (f": {on_timeout()}" if on_timeout else ""))
        time.sleep(0.005)


def wait_until_still(value, seconds, what, timeout=60):
    """Until what value() says has not changed for so long."""
    seen = [value(), time.monotonic()]

    def still():
        now = value()
        if now != seen[0]:
            seen[:] = now, time.monotonic()
        return time.monotonic() - seen[1] > seconds
    wait_until(still, what, timeout)


def read_line(pipe, timeout=30):
    """The next line of a pipe that has no buffer, or that nobody has read from."""
    assert select.select([pipe], [], [], timeout)[0], "nothing is said"
    return pipe.readline()


def spawn_program(build):
    """muster-spawn: that of the build, or the one that MUSTER_SPAWN names, for speed without sanitizers."""
    return pathlib.Path(os.environ.get("MUSTER_SPAWN") or build / "muster-spawn")


class Bus:
    def __init__(self, policy=OPEN_POLICY, services=f"<servicedir>{SERVICES}</servicedir>", includes="",
                 socket=BUS_SOCKET):
        SERVICES.mkdir(parents=True, exist_ok=True)
        config = pathlib.Path(socket + ".conf")
        config.write_text(BUS_CONFIG.format(socket=socket, allow=policy, services=services, includes=includes))
        self.socket = pathlib.Path(socket)
        self.address = f"unix:path={socket}"
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(["dbus-daemon", f"--config-file={config}", "--nofork", "--nopidfile",
                                         "--print-address=1"], stdout=subprocess.PIPE, text=True)
        KEPT.add(self.process.pid)
        assert self.process.stdout.readline(), "dbus-daemon did not start"

    def stop(self):
        self.process.kill()
        self.process.wait()
        KEPT.discard(self.process.pid)
        self.socket.unlink(missing_ok=True)


# Processes that outlive a test on purpose (the bus of the session).
KEPT = set()


class Musterd:
    """The daemon. Whether it has lost memory is asked at its end in one mode, where a part of the tests runs: to look takes as long as
    the rest of a short test. The unit tests always ask."""

    def __init__(self, build, *options, run="/run", address=BUS_ADDRESS):
        self.build = build
        self.options = options
        self.run = run
        self.address = address
        self.process = None
        self.log = pathlib.Path(os.environ["TMPDIR"]) / "musterd.log"

    def command(self):
        return [str(self.build / "musterd"), f"--helper={self.build / 'muster-helper'}", "--log-level=debug",
                f"--run={self.run}", *self.options]

    def start(self):
        ready, told = os.pipe()
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=self.address)
        if environment.get("MUSTER_SANDBOX") == "v1":
            environment.pop("ASAN_OPTIONS", None)
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([*self.command(), f"--ready-fd={told}"], stderr=log, pass_fds=[told], env=environment)
        os.close(told)
        with os.fdopen(ready) as pipe:
            assert pipe.readline() == "\n", "musterd did not start:\n" + self.log.read_text()

    @property
    def pid(self):
        return self.process.pid

    def kill(self):
        """SIGKILL: nothing is said, nothing is put away."""
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.terminate()
        assert self.process.wait(20) == 0, self.log.read_text()[-4000:]

    def restart(self):
        self.stop()
        self.start()

    def finish(self):
        """Unregisters what is there, then ends; fails when it died on the way or a sanitizer complained."""
        assert self.process.poll() is None, "musterd is dead:\n" + self.log.read_text()[-4000:]
        with Varlink() as v:
            for machine in v.list():
                if machine["class"] != "host":
                    v.call("io.systemd.Machine.Unregister", {"name": machine["name"]})
        self.stop()
        text = self.log.read_text()
        assert "ERROR: AddressSanitizer" not in text and "ERROR: LeakSanitizer" not in text and "runtime error:" not in text, text[-8000:]
        self.log.unlink()

    def logged(self):
        return self.log.read_text()


def in_groups(directories, argv):
    """The command that runs argv in these control groups. By a shell: to fork this interpreter, as preexec_fn does, takes the kernel
    ten times as long, for all the memory that it has."""
    if not directories:
        return [*argv]
    enter = "".join(f"echo 0 >{shlex.quote(str(directory))}/cgroup.procs && " for directory in directories)
    return ["/bin/sh", "-c", enter + 'exec "$0" "$@"', *argv]


@contextlib.contextmanager
def traced(pid, *options):
    """Within, strace(1) with these options is attached to the process."""
    strace = subprocess.Popen(["strace", "-qq", *options, f"--attach={pid}"])
    status = pathlib.Path(f"/proc/{pid}/status")
    wait_until(lambda: f"TracerPid:\t{strace.pid}\n" in status.read_text(), "strace")
    try:
        yield
    finally:
        strace.terminate()
        strace.wait()


def on_terminal(argv, size=(24, 80), environment=None):
    """(process, master): the command on a new terminal, which is its controlling one."""
    master, slave = pty.openpty()
    termios.tcsetwinsize(slave, size)
    process = subprocess.Popen(["setsid", "--ctty", *argv], stdin=slave, stdout=slave, stderr=slave, env=environment)
    os.close(slave)
    return process, master


def command_line(pid):
    return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")[:-1]


class Processes:
    def __init__(self):
        self.all = []

    def mapped(self, uids, gids=None, count=65536):
        """A sleeper in a user namespace whose ids 0.. are the host's from uids (gids) on."""
        pid = self.sleeper(unshare=["-U"])
        for kind, start in (("uid", uids), ("gid", gids or uids)):
            pathlib.Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {start} {count}\n")
        return pid

    def sleeper(self, cgroup=None, command=("sleep", "1000"), unshare=None, user=None):
        """A process that does nothing; cgroup: directories to start it in; unshare: options of unshare(1)."""
        directories = [cgroup] if isinstance(cgroup, (str, pathlib.Path)) else cgroup or []

        argv = ["unshare", *unshare, "--", *command] if unshare else list(command)
        process = subprocess.Popen(in_groups(directories, argv), user=user, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        self.all.append(process)
        if unshare:
            wait_until(lambda: comm(process.pid) == os.path.basename(command[0]), "unshare to run the command")
        elif directories:
            wait_until(lambda: command_line(process.pid) == list(map(os.fsencode, command)), "the shell to run the command")
        return process.pid

    def kill(self, pid, sig=signal.SIGKILL):
        os.kill(pid, sig)
        for process in self.all:
            if process.pid == pid and sig == signal.SIGKILL:
                process.wait()

    def end(self):
        for process in self.all:
            if process.poll() is None:
                process.kill()
            process.wait()


def comm(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return None


def state(pid):
    """Its letter in /proc/PID/stat; X: it is gone."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return "X"


class FakeRegistry:
    """A socket where the registry has its own, to be accepted from: for what the real one does only when one is lucky."""

    def __enter__(self):
        path = pathlib.Path(VARLINK_SOCKET)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.settimeout(30)
        self.listener.bind(str(path))
        self.listener.listen(16)
        return self.listener

    def __exit__(self, *unused):
        self.listener.close()
        pathlib.Path(VARLINK_SOCKET).unlink()


def has_signal(pid, field, number):
    """Whether a process blocks the signal (SigBlk), ignores it (SigIgn), ..."""
    mask = re.search(rf"^{field}:\s*(\w+)", pathlib.Path(f"/proc/{pid}/status").read_text(), re.M)[1]
    return bool(int(mask, 16) >> number - 1 & 1)


class VarlinkError(Exception):
    def __init__(self, error, parameters):
        super().__init__(f"{error} {parameters}")
        self.error = error
        self.parameters = parameters


class Varlink:
    """A client written from the protocol's description, not from ours."""

    def __init__(self, path=VARLINK_SOCKET, timeout=15):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(timeout)
        self.socket.connect(path)
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, method, parameters=None, **flags):
        message = {"method": method, **flags}
        if parameters is not None:
            message["parameters"] = parameters
        self.socket.sendall(json.dumps(message).encode() + b"\0")

    def receive(self):
        while b"\0" not in self.buffer:
            data = self.socket.recv(1 << 20)
            if not data:
                raise EOFError("the server hung up")
            self.buffer += data
        text, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(text)

    def call(self, method, parameters=None):
        self.send(method, parameters)
        return self.answer()

    def answer(self):
        reply = self.receive()
        if "error" in reply:
            raise VarlinkError(reply["error"], reply.get("parameters", {}))
        return reply.get("parameters", {})

    def stream(self, method, parameters=None):
        self.send(method, parameters, more=True)
        while True:
            reply = self.receive()
            if "error" in reply:
                raise VarlinkError(reply["error"], reply.get("parameters", {}))
            yield reply["parameters"]
            if not reply.get("continues"):
                return

    def list(self, **parameters):
        try:
            return list(self.stream("io.systemd.Machine.List", parameters))
        except VarlinkError as e:
            if e.error.endswith("NoSuchMachine") and not parameters:
                return []
            raise

    def register(self, name, leader, **parameters):
        return self.call("io.systemd.Machine.Register",
                         {"name": name, "class": "container", "leaderProcessId": {"pid": leader}, **parameters})

    def names(self):
        return sorted(m["name"] for m in self.list() if m["class"] != "host")


def busctl(*arguments, check=True, **options):
    """Stock busctl against the sandbox's bus; returns the completed process."""
    result = subprocess.run(["busctl", f"--address={BUS_ADDRESS}", *map(str, arguments)], capture_output=True, text=True,
                            **options)
    if check:
        assert result.returncode == 0, result.stderr
    return result


class Signals:
    """What a match rule of ours catches, from the moment that it is in force."""

    def __init__(self, rule):
        # A monitor sees unicast signals, too: the first ones say that it is in force.
        self.process = subprocess.Popen(["dbus-monitor", "--address", BUS_ADDRESS, rule], text=True, stdout=subprocess.PIPE)
        self.lines = []
        self.ready = threading.Event()
        self.thread = threading.Thread(target=self.read)
        self.thread.start()
        assert self.ready.wait(20)

    def read(self):
        for line in self.process.stdout:
            self.lines.append(line)
            if "NameLost" in line or "NameAcquired" in line:
                self.ready.set()

    def wait(self, *words):
        wait_until(lambda: all(w in "".join(self.lines) for w in words), f"{words}")

    def end(self):
        self.process.kill()
        self.process.wait()
        self.thread.join()


MANAGER = ("org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager")


def manager(method, *arguments, check=True, **options):
    return busctl("call", *MANAGER, method, *arguments, check=check, **options)


def run_client(command, *arguments, check=True, **options):
    """A program on the sandbox's system bus; status 0 unless check is False. Its output is never a terminal."""
    options.setdefault("stdin", subprocess.DEVNULL)
    environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=BUS_ADDRESS, **options.pop("environment", {}))
    result = subprocess.run([*map(str, command), *map(str, arguments)], capture_output=True, text=True, env=environment,
                            **options)
    assert "ERROR: AddressSanitizer" not in result.stderr and "runtime error:" not in result.stderr, result.stderr
    if check:
        assert result.returncode == 0, f"{command} {arguments} -> {result.returncode}: {result.stdout}{result.stderr}"
    return result


def muster(*arguments, **options):
    return run_client([pathlib.Path(os.environ["MUSTER_BUILD"]) / "muster"], *arguments, **options)


def machinectl(*arguments, **options):
    """The stock one. With -M .host it does not insist on a host that was booted by systemd."""
    return run_client(["machinectl", "-M", ".host"], *arguments, **options)


def cgroup_root(mode):
    """Where machines live: the hierarchy that stock libsystemd reads."""
    return {"v2": pathlib.Path("/sys/fs/cgroup"), "hybrid": pathlib.Path("/sys/fs/cgroup/unified"),
            "v1": pathlib.Path("/sys/fs/cgroup/systemd")}.get(mode)


def control_groups(pattern):
    """Every directory of that name, in whatever hierarchy."""
    # os.walk() takes it calmly when a directory goes away while it looks.
    return [os.path.join(top, name) for top, names, _ in os.walk("/sys/fs/cgroup") for name in fnmatch.filter(names, pattern)]


def scope_directories():
    """Every directory of a machine's scope."""
    return control_groups("*.scope")


def stray_processes():
    """Everything in this PID namespace but PID 1, ourselves, what runs us, and what is kept."""
    known = {1, os.getpid(), *KEPT}
    pid = os.getppid()
    while pid > 1:
        known.add(pid)
        pid = int(pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and int(entry.name) not in known:
            try:
                if pathlib.Path(entry, "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                    found.append(int(entry.name))
            except OSError:
                pass
    return found


def leftovers():
    left = [f"process {pid} ({comm(pid)})" for pid in stray_processes()]
    left += scope_directories()
    if MACHINES.is_dir():
        left += [str(p) for p in MACHINES.iterdir()]
    return left


def drop_privileges(uid):
    """preexec_fn of a process that is an ordinary user."""
    def enter():
        libc = ctypes.CDLL(None, use_errno=True)
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)
        libc.prctl(4, 1, 0, 0, 0)  # PR_SET_DUMPABLE, which the change of uid has cleared
    return enter


class Others:
    """Somebody else who asks the registry for its list all the time, while something is done to it:
    with Others(): ...    Half of the answers must come in less than the 100 ms that are promised; where many want the processor it
    is not the registry's fault when some take longer, but none may take as long as if somebody waited for the machine."""

    SAMPLES = 25  # of fewer a few slow ones would be half

    def __init__(self, usual=0.1, longest=10):
        self.usual, self.longest = usual, longest
        self.spent, self.problem = [], None
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.ask)

    def ask(self):
        try:
            while not self.done.is_set() or len(self.spent) < self.SAMPLES:
                begin = time.monotonic()
                with Varlink() as v:
                    v.names()
                self.spent.append(time.monotonic() - begin)
                self.done.wait(0.02)
        except Exception as e:  # it is told where the others are waited for
            self.problem = e

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.done.set()
        self.thread.join()
        if kind is None:
            assert self.problem is None, f"others got no answer: {self.problem!r}"
            assert statistics.median(self.spent) < self.usual and max(self.spent) < self.longest, sorted(self.spent)[-10:]
