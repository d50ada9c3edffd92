# SPDX-License-Identifier: LGPL-2.1-or-later
"""muster exec, shell and login: in machines of muster-spawn, whatever runs inside, with and without a registry."""
import fcntl
import hashlib
import json
import os
import pathlib
import pty
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import threading
import time

import pytest
import world
from nspawn import Tree
from test_machinectl import Suite

BUILD = pathlib.Path(os.environ["MUSTER_BUILD"])
MUSTER = str(BUILD / "muster")
ENVIRONMENT = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=world.BUS_ADDRESS, MUSTER_ENTER=str(BUILD / "muster-enter"))
SYSTEMS = ("bookworm", "bookworm-sysvinit", "bookworm-runit", "busybox")
FAILURE = 125

# An init and a command in one, without any library: what a tree of one file holds.
ONLY_FILE = r"""
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
int main(int argc, char **argv) {
        if (argc > 2 && !strcmp(argv[1], "exit"))
                return atoi(argv[2]);
        if (argc > 2 && !strcmp(argv[1], "kill"))
                return kill(getpid(), atoi(argv[2]));
        if (argc > 1 && !strcmp(argv[1], "cat")) {
                static char b[65536];
                ssize_t n;
                while ((n = read(0, b, sizeof(b))) > 0)
                        for (ssize_t w = 0, k; w < n; w += k)
                                if ((k = write(1, b + w, (size_t) (n - w))) < 0)
                                        return 1;
                return 0;
        }
        if (argc > 1)
                for (;;)
                        pause();
        signal(SIGCHLD, SIG_IGN);
        for (;;)
                pause();
}
"""


# A parent that is called as a runner is while its payload starts, until it reads something; its child is a program.
NAMED = """
import pathlib, subprocess, sys
name = pathlib.Path("/proc/self/comm")
own = name.read_text()
name.write_text("(muster-start)")
child = subprocess.Popen(["sleep", "1000"])
print(child.pid, flush=True)
sys.stdin.buffer.read(1)
name.write_text(own)
sys.stdin.buffer.read(1)
child.kill()
child.wait()
"""


class OneFile:
    """A tree that holds one static program, /init, and nothing else."""

    def __init__(self):
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="tree-"))
        self.root = self.place / "root"
        self.root.mkdir()
        (self.root / "usr").mkdir()  # without which it is no tree to muster-spawn
        (self.place / "only.c").write_text(ONLY_FILE)
        subprocess.run(["cc", "-static", "-O1", "-o", self.root / "init", self.place / "only.c"], check=True)

    def unmount(self):
        shutil.rmtree(self.place)


class CopiedTree(Tree):
    """A copy in memory: a file system whose owners can be mapped."""

    def mount(self):
        self.root.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "tree", self.root], check=True)
        subprocess.run(["cp", "-a", f"{self.lower}/.", self.root], check=True)


class Machine:
    """muster-spawn, running."""

    def __init__(self, tree, name, *options, command=(), environment=None):
        self.name = name
        self.tree = tree
        self.console = tree.place / f"{name}.console"
        with open(self.console, "wb") as console:
            self.process = subprocess.Popen(
                [world.spawn_program(BUILD), "--quiet", f"--directory={tree.root}", f"--machine={name}", *options, *command],
                stdin=subprocess.DEVNULL, stdout=console, stderr=subprocess.STDOUT,
                env=dict(ENVIRONMENT, **(environment or {})))
        world.wait_until(self.is_registered, "the machine to be registered", 60, self.output)

    def output(self):
        return self.console.read_text(errors="replace")

    def is_registered(self):
        assert self.process.poll() is None, self.output()
        return (world.MACHINES / self.name).exists()

    @property
    def leader(self):
        text = (world.MACHINES / self.name).read_text()
        return int(next(line for line in text.splitlines() if line.startswith("LEADER=")).split("=")[1])

    def end(self):
        if (world.MACHINES / self.name).exists():
            os.kill(self.leader, signal.SIGKILL)
        self.process.wait(60)  # a runner whose machine has ended puts away what it made
        world.wait_until(lambda: not (world.MACHINES / self.name).exists(), "the machine to be forgotten")
        scopes = (f"{self.name}.scope", f"machine-{self.name}.scope")  # which the registry removes when they are empty, unless it ends
        world.wait_until(lambda: not [d for d in world.scope_directories() if os.path.basename(d) in scopes], "its scope to go")


@pytest.fixture
def machines(musterd):
    """machines(kind, *options): one more; kind: a tree of an OS, or "one-file"."""
    made = []

    def start(kind, *options, name=None, boot=True, command=None, change=None, copy=False, **keywords):
        tree = OneFile() if kind == "one-file" else CopiedTree(kind) if copy else Tree(kind)
        if kind != "one-file" and not tree.exists():
            pytest.skip(f"there is no tree of {kind}: run-checks.py has said why")
        made.append([tree, None])
        if kind != "one-file":
            tree.mount()
        if change:
            change(tree.root)
        command = command or (["/init"] if kind == "one-file" else [])
        options = list(options) + (["--boot", "--console=read-only"] if boot and not command else ["--console=pipe"])
        made[-1][1] = Machine(tree, name or f"m{len(made)}", *options, command=command, **keywords)
        return made[-1][1]
    yield start
    for tree, machine in reversed(made):
        if machine:
            machine.end()
    for tree, _ in made:
        tree.unmount()


@pytest.fixture
def others(musterd):
    """Whatever the machine does, others are answered."""
    with world.Others() as others:
        yield others


@pytest.fixture
def plain(machines):
    """A machine with a shell and little else, which is there at once."""
    return machines("busybox", command=["/bin/sleep", "1000"], boot=False)


def muster(*arguments, check=None, environment=None, **options):
    options.setdefault("stdin", subprocess.DEVNULL)
    options.setdefault("timeout", 60)
    out = subprocess.run([MUSTER, *map(str, arguments)], capture_output=True, env=dict(ENVIRONMENT, **(environment or {})),
                         **options)
    text = out.stderr.decode(errors="replace")
    assert "AddressSanitizer" not in text and "runtime error:" not in text, text
    if check is not None:
        assert out.returncode == check, (out.returncode, out.stdout[-2000:], text)
    return out


def enter(machine, *words, options=(), **keywords):
    return muster("exec", *options, machine.name, "--", *words, **keywords)


def says(machine, *words, **keywords):
    """What the command prints; it must succeed, and say nothing else."""
    out = enter(machine, *words, check=0, **keywords)
    assert out.stderr == b"", out.stderr
    return out.stdout.decode()


def inside(machine):
    """Processes of the machine's pid namespace that live; the dead are its first process's to bury, which some never do."""
    own = os.readlink(f"/proc/{machine.leader}/ns/pid")
    found = []
    for entry in pathlib.Path("/proc").iterdir():
        try:
            if (entry.name.isdigit() and os.readlink(entry / "ns/pid") == own
                    and (entry / "stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"):
                found.append(int(entry.name))
        except OSError:
            pass
    return found


def command_in(machine, name):
    """The process of that name that is not the leader; None."""
    return next((p for p in inside(machine) if p != machine.leader and world.comm(p) == name), None)


def entering():
    return [p for p in world.stray_processes() if world.comm(p) in ("muster-enter", "muster")]


# ---- exit statuses ----

@pytest.mark.parametrize("kind", SYSTEMS)
def test_statuses(machines, kind):
    machine = machines(kind)
    for status in (0, 1, 2, 42, 124, 125, 126, 127, 255):
        assert enter(machine, "/bin/sh", "-c", f"exit {status}").returncode == status
    assert enter(machine, "sh", "-c", "kill -9 $$").returncode == 137
    assert enter(machine, "sh", "-c", "kill -11 $$").returncode == 139
    for words, status, text in ((("no-such-command",), 127, b"no-such-command is not found"),
                                (("/no/such/command",), 127, b"/no/such/command is not found"),
                                (("/etc/passwd",), 126, b"/etc/passwd cannot be executed: Permission denied"),
                                (("/etc",), 126, b"/etc cannot be executed")):
        out = enter(machine, *words, check=status)
        assert text in out.stderr and out.stdout == b"", out.stderr
    begin = time.monotonic()
    assert enter(machine, "sleep", "100", options=["--timeout=300ms"]).returncode == 124
    assert time.monotonic() - begin < 20
    out = enter(machine, "sh", "-c", "echo out; echo err >&2", check=0)
    assert (out.stdout, out.stderr) == (b"out\n", b"err\n")


def test_statuses_of_one_file(machines):
    machine = machines("one-file")
    for status in (0, 1, 2, 42, 255):
        assert enter(machine, "/init", "exit", status).returncode == status
    assert enter(machine, "/init", "kill", 9).returncode == 137
    assert enter(machine, "/init", "kill", 11).returncode == 139
    assert enter(machine, "/bin/sh").returncode == 127
    assert enter(machine, "init", "exit", 3, options=["--setenv=PATH=/"]).returncode == 3
    assert enter(machine, "/proc", options=[]).returncode == 126
    assert enter(machine, "/init", "wait", options=["--timeout=200ms"]).returncode == 124
    assert enter(machine, "/init", "exit", 5, options=["--user=4711"]).returncode == 5
    assert b"Cannot look for user nobody" in enter(machine, "/init", options=["-u", "nobody"], check=FAILURE).stderr


def test_timeout_kills_what_does_not_listen(plain):
    for timeout in ("200ms", "1s", "5s"):  # it counts from the start: a slow shell has not set its trap by then
        begin = time.monotonic()
        out = enter(plain, "sh", "-c", "trap '' TERM; echo up; sleep 100; sleep 100", options=[f"--timeout={timeout}"], check=124)
        if out.stdout:
            break
    assert out.stdout == b"up\n" and time.monotonic() - begin > 4
    world.wait_until(lambda: not entering() and len(inside(plain)) == 1, "all of it to be gone")


# ---- bytes ----

def test_large(machines, tmp_path):
    """100 MB by pipes, and by files, which are copied by muster."""
    machine = machines("one-file")
    data = tmp_path / "data"
    with open(data, "wb") as f:
        for i in range(100):
            f.write(hashlib.sha512(str(i).encode()).digest() * 16384)
    with open(data, "rb") as f:
        wanted = hashlib.sha256(f.read()).hexdigest()
    source = subprocess.Popen(["cat", data], stdout=subprocess.PIPE)
    pipe = subprocess.run([MUSTER, "exec", machine.name, "/init", "cat"], stdin=source.stdout, stdout=subprocess.PIPE,
                          env=ENVIRONMENT, check=True)
    assert source.wait() == 0 and hashlib.sha256(pipe.stdout).hexdigest() == wanted
    with open(data, "rb") as source, open(tmp_path / "copy", "wb") as target:
        subprocess.run([MUSTER, "exec", machine.name, "/init", "cat"], stdin=source, stdout=target, env=ENVIRONMENT,
                       check=True)
    with open(tmp_path / "copy", "rb") as f:
        assert hashlib.sha256(f.read()).hexdigest() == wanted
    for name in ("data", "copy"):
        (tmp_path / name).unlink()


def test_ends_of_pipes(plain, tmp_path):
    assert enter(plain, "cat", input=b"\x00\xff\r\n\x1b[0m", stdin=None, check=0).stdout == b"\x00\xff\r\n\x1b[0m"
    # The reader goes: so does the writer.
    pipe = subprocess.Popen([MUSTER, "exec", plain.name, "yes"], stdout=subprocess.PIPE, env=ENVIRONMENT)
    assert pipe.stdout.read(4) == b"y\ny\n"
    pipe.stdout.close()
    assert pipe.wait(20) == 141
    # What stays behind does not keep us.
    begin = time.monotonic()
    with open(tmp_path / "out", "wb") as target:
        subprocess.run([MUSTER, "exec", plain.name, "sh", "-c", "echo early; sleep 30 &"], stdout=target, env=ENVIRONMENT,
                       check=True)
    assert (tmp_path / "out").read_bytes() == b"early\n" and time.monotonic() - begin < 10
    os.kill([p for p in inside(plain) if p != plain.leader][0], signal.SIGKILL)


def test_nothing_of_the_host_goes_in(plain, tmp_path):
    """A file is not the command's to open again, nor a directory to walk from."""
    (tmp_path / "file").write_text("secret")
    with open(tmp_path / "file") as f:
        out = enter(plain, "sh", "-c", "readlink /proc/self/fd/0; ls /proc/self/fd; cat", stdin=f, check=0).stdout.decode()
    assert out.startswith("pipe:") and out.endswith("secret") and str(tmp_path) not in out
    assert [line for line in out.splitlines()[1:] if line.isdigit()] == ["0", "1", "2", "3"]  # 3: ls reads the directory
    directory = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    with world.Varlink() as v:
        for wrong in (directory, os.open(tmp_path / "file", os.O_RDONLY), os.open("/dev/zero", os.O_RDWR)):
            ours = os.pipe()
            status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            message = json.dumps({"method": "org.muster.Machine1.Exec",
                                  "parameters": {"name": plain.name, "arguments": ["ls"]}}).encode() + b"\0"
            socket.send_fds(v.socket, [message], [theirs.fileno(), wrong, ours[1], ours[1]])
            theirs.close()
            assert v.answer() == {}
            report = status.recv(1000)
            assert report[:5] == b"MES1\x03" and b"is a file or a device of the host" in report, report
            for fd in (*ours, wrong):
                os.close(fd)
            status.close()


# ---- who, where, with what ----

def test_environment(plain):
    out = says(plain, "env")
    assert set(out.splitlines()) == {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
                                     "USER=root", "LOGNAME=root", "SHELL=/bin/sh"} | set(
                                         line for line in out.splitlines() if line.startswith("SHLVL"))
    out = says(plain, "env", options=["-E", "A=b c", "--setenv=PATH=/bin", "-E", "FROM_US", "-E", "NOT_THERE"],
               environment={"FROM_US": "yes"})
    assert "A=b c\n" in out and "PATH=/bin\n" in out and "FROM_US=yes\n" in out and "NOT_THERE" not in out
    assert says(plain, "pwd") == "/\n"
    assert says(plain, "pwd", options=["-C", "/etc"]) == "/etc\n"
    assert b"Cannot change to the directory /nowhere" in enter(plain, "pwd", options=["--chdir=/nowhere"],
                                                               check=FAILURE).stderr
    assert says(plain, "sh", "-c", "umask; ulimit -n; cat /proc/self/stat | cut -d' ' -f1,5,6")


def test_users(machines):
    machine = machines("bookworm", command=["/bin/sleep", "1000"], boot=False)
    show = "id -u; id -g; id -Gn; echo $HOME $USER; grep CapEff /proc/self/status"
    assert says(machine, "sh", "-c", "id -u; id -g") == "0\n0\n"
    for option in ("--user=games", "--uid=games", "-ugames", "--user=5"):
        out = says(machine, "sh", "-c", show, options=[option]).splitlines()
        assert out[0] == "5" and out[1] == "60" and out[3] == "/usr/games games" and out[4].split()[1] == "0" * 16, out
    assert says(machine, "sh", "-c", "id -u; id -g; echo $HOME", options=["--user=12345"]) == "12345\n12345\n/\n"
    for wrong, text in (("nobody-here", b"has no user nobody-here"), ("a:b", b"A user is a name"),
                        ("4294967295", b"A user is"), ("", b"--user=")):
        assert text in enter(machine, "id", options=[f"--user={wrong}"], check=FAILURE).stderr


def status_of(text, *keys):
    found = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return [found[key].strip() for key in keys]


@pytest.mark.modes("v2", "hybrid", "v1", "none")
def test_confined_like_the_machine(machines, mode):
    machine = machines("busybox", "--no-new-privileges=yes", "--drop-capability=CAP_SYS_CHROOT,CAP_NET_RAW",
                       command=["/bin/sleep", "1000"], boot=False)
    keys = ("CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")  # none are inheritable
    status = says(machine, "cat", "/proc/self/status")
    assert status_of(status, *keys) == status_of(pathlib.Path(f"/proc/{machine.leader}/status").read_text(), *keys)
    for kind in ("cgroup", "ipc", "mnt", "net", "pid", "user", "uts"):
        assert says(machine, "readlink", f"/proc/self/ns/{kind}").strip() == os.readlink(f"/proc/{machine.leader}/ns/{kind}")
    pathlib.Path(f"/proc/{machine.leader}/oom_score_adj").write_text("300")  # other than ours
    running = subprocess.Popen([MUSTER, "exec", machine.name, "sleep", "1000"], env=ENVIRONMENT)
    pid = world.wait_until(lambda: command_in(machine, "sleep"), "the command to run")
    for what in ("cgroup", "oom_score_adj", "limits"):
        assert pathlib.Path(f"/proc/{pid}/{what}").read_text() == pathlib.Path(f"/proc/{machine.leader}/{what}").read_text()
    assert pathlib.Path(f"/proc/{pid}/root").stat().st_ino == pathlib.Path(f"/proc/{machine.leader}/root").stat().st_ino
    os.kill(pid, signal.SIGKILL)
    assert running.wait(20) == 137


def test_user_namespace(machines):
    machine = machines("busybox", "--private-users=524288:65536", "--private-users-ownership=map", copy=True,
                       command=["/bin/sleep", "1000"], boot=False)
    assert says(machine, "sh", "-c", "id -u; cat /proc/self/uid_map").split() == ["0", "0", "524288", "65536"]
    running = subprocess.Popen([MUSTER, "exec", "-u", "1000", machine.name, "sleep", "1000"], env=ENVIRONMENT)
    pid = world.wait_until(lambda: command_in(machine, "sleep"), "the command to run")
    assert os.stat(f"/proc/{pid}").st_uid == 525288
    os.kill(pid, signal.SIGTERM)
    assert running.wait(20) == 143
    assert b"not mapped" in enter(machine, "id", options=["-u", "70000"], check=FAILURE).stderr
    assert enter(machine, "sh", "-c", "test -t 0", options=["-t"]).returncode == 0


# ---- terminals ----

class Terminal:
    """muster on a terminal of ours."""

    def __init__(self, *arguments, size=(24, 80), environment=None):
        self.text = b""
        self.process, self.fd = world.on_terminal([MUSTER, *arguments], size, dict(ENVIRONMENT, TERM="vt220", **(environment or {})))

    def send(self, data):
        os.write(self.fd, data)

    def expect(self, what, timeout=30):
        deadline = time.monotonic() + timeout
        while what not in self.text:
            ready, _, _ = select.select([self.fd], [], [], max(0, deadline - time.monotonic()))
            assert ready, self.text
            try:
                self.text += os.read(self.fd, 65536)
            except OSError:
                break
        assert what in self.text, self.text
        self.text = self.text.split(what, 1)[1]

    def modes(self):
        return termios.tcgetattr(self.fd)

    def end(self, timeout=30):
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            ended = self.process.poll() is not None
            while select.select([self.fd], [], [], 0 if ended else 0.05)[0]:
                try:
                    self.text += os.read(self.fd, 65536)
                except OSError:
                    break
            if ended:
                os.close(self.fd)
                return self.process.returncode
        self.process.kill()
        raise AssertionError(self.text)


def test_terminal(plain):
    terminal = Terminal("exec", plain.name, "sh", "-c", "tty; stty size; echo $TERM; read x; echo got $x; exit 7", size=(33, 111))
    terminal.expect(b"/dev/pts/")
    terminal.expect(b"33 111\r\n")
    terminal.expect(b"vt220\r\n")
    assert not terminal.modes()[3] & termios.ICANON
    terminal.send(b"hello\r")
    terminal.expect(b"got hello\r\n")
    assert terminal.end() == 7


def test_terminal_is_restored(plain):
    shell = pty.openpty()
    before = termios.tcgetattr(shell[1])
    for sig, status in ((None, 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)):
        process = subprocess.Popen([MUSTER, "exec", plain.name, "sh", "-c", "echo up; read x"], stdin=shell[1], stdout=shell[1],
                                   env=ENVIRONMENT, start_new_session=True)
        while b"up" not in os.read(shell[0], 1000):
            pass
        assert termios.tcgetattr(shell[1]) != before
        if sig:
            process.send_signal(sig)
        else:
            os.write(shell[0], b"\r")
        assert process.wait(20) == status
        assert termios.tcgetattr(shell[1]) == before
        world.wait_until(lambda: not entering() and len(inside(plain)) == 1, "it to be gone", 15)
    for fd in shell:
        os.close(fd)


def test_terminal_or_not(plain):
    assert enter(plain, "sh", "-c", "test -t 0 || test -t 1 || test -t 2").returncode == 1
    out = enter(plain, "sh", "-c", "test -t 0 && test -t 1 && test -t 2 && echo yes; cat", options=["-t"], input=b"in\n",
                stdin=None, check=0)
    assert b"yes\r\n" in out.stdout and out.stdout.count(b"in\r\n") == 2  # what is typed, and what cat says
    out = enter(plain, "sh", "-c", "echo again > $(tty)", options=["-t", "--user=4711"], check=0)
    assert out.stdout == b"again\r\n"  # the terminal is the user's
    terminal = Terminal("exec", "-T", plain.name, "sh", "-c", "test -t 0 || test -t 1 || echo none")
    terminal.expect(b"none")
    assert terminal.end() == 0
    terminal = Terminal("exec", plain.name, "sh", "-c", "echo up; while :; do stty size; sleep 0.1; done")
    terminal.expect(b"up")
    termios.tcsetwinsize(terminal.fd, (50, 132))
    terminal.expect(b"50 132")
    terminal.send(b"\x1d\x1d\x1d")
    assert terminal.end() == 129
    terminal = Terminal("exec", plain.name, "sh", "-c", "echo up; exec sleep 1000")
    terminal.expect(b"up")
    terminal.send(b"\x1d\x1d\x1d")
    assert terminal.end() == 129
    world.wait_until(lambda: not entering() and len(inside(plain)) == 1, "it to be gone", 15)


def test_in_the_background(plain):
    """Not stopped for what is typed, which is somebody else's."""
    script = f"{MUSTER} exec {plain.name} sh -c 'sleep 2; exit 9' >/dev/null & wait $!; echo status $?"
    process, fd = world.on_terminal(["bash", "-ic", script], environment=ENVIRONMENT)
    time.sleep(0.7)
    os.write(fd, b"typed\r")
    text, deadline = b"", time.monotonic() + 20
    while b"status" not in text and time.monotonic() < deadline:
        if select.select([fd], [], [], 0.2)[0]:
            text += os.read(fd, 1000)
    assert b"status 9" in text, text
    os.close(fd)
    process.wait()


# ---- lives ----

def test_detach(plain):
    begin = time.monotonic()
    assert enter(plain, "sleep", "1000", options=["-d"], check=0).stdout == b""
    assert time.monotonic() - begin < 10
    world.wait_until(lambda: not entering(), "the helpers to go")
    [pid] = [p for p in inside(plain) if p != plain.leader]
    assert world.comm(pid) == "sleep"
    os.kill(pid, signal.SIGKILL)
    assert enter(plain, "no-such-command", options=["--detach"]).returncode == 127


def test_events(plain):
    """Who went in, and how; nothing of what was run."""
    enter(plain, "true", options=["--user=0"], check=0)
    enter(plain, "no-such-command", check=127)
    muster("shell", plain.name, "/bin/true", check=0)
    told = [json.loads(line) for line in world.muster("events", "--json=short", plain.name).stdout.splitlines()]
    sessions = [event for event in told if event["kind"] in ("exec", "shell", "login", "open-pty")][-3:]
    assert [event["kind"] for event in sessions] == ["exec", "exec", "shell"], told
    assert [event.get("details") for event in sessions] == [{"user": "0"}, None, None]
    assert all(event["actor"]["uid"] == 0 and event["actor"]["pid"] > 1 for event in sessions)
    assert "no-such-command" not in json.dumps(sessions)


@pytest.mark.parametrize("sig", (signal.SIGKILL, signal.SIGTERM, signal.SIGINT))
def test_client_killed(plain, sig):
    """Also what ignores SIGHUP."""
    process = subprocess.Popen([MUSTER, "exec", plain.name, "sh", "-c", "trap '' HUP; echo up; sleep 1000; sleep 1000"],
                               stdout=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdout.readline() == b"up\n"
    process.send_signal(sig)
    process.wait(20)
    world.wait_until(lambda: not entering() and len(inside(plain)) == 1, "it to be gone", 15)
    process.stdout.close()


def test_helper_killed(plain):
    """What waits outside takes the command with it."""
    process = subprocess.Popen([MUSTER, "exec", plain.name, "sh", "-c", "trap '' HUP TERM; echo up; while :; do sleep 1; done"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdout.readline() == b"up\n"

    def helpers():
        return [p for p in entering() if world.comm(p) == "muster-enter"]
    world.wait_until(lambda: len(helpers()) == 1, "the one that has become the command to be called so")
    [helper] = helpers()
    os.kill(helper, signal.SIGTERM)  # a service manager that means musterd
    time.sleep(0.2)
    assert process.poll() is None and world.comm(helper) == "muster-enter"
    os.kill(helper, signal.SIGKILL)
    assert b"muster-enter has ended" in process.communicate(timeout=20)[1]
    assert process.returncode == FAILURE
    world.wait_until(lambda: command_in(plain, "sh") is None, "the command to be gone")


def test_signals_are_passed_on(plain):
    process = subprocess.Popen([MUSTER, "exec", plain.name, "sh", "-c",
                                "trap 'echo usr1' USR1; trap 'echo term; exit 9' TERM; echo up; while :; do sleep 0.1; done"],
                               stdout=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdout.readline() == b"up\n"
    process.send_signal(signal.SIGUSR1)
    assert process.stdout.readline() == b"usr1\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == b"term\n"
    assert process.wait(20) == 9
    process.stdout.close()


class Session:
    """org.muster.Machine1.Exec by hand, so that what the client does is done when it is wanted."""

    def __init__(self, varlink, machine, *words, early=()):
        out, theirs_out = os.pipe()
        null = os.open("/dev/null", os.O_RDWR)
        self.status, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.status.settimeout(30)
        for number in early:
            self.status.send(bytes([number]))
        message = json.dumps({"method": "org.muster.Machine1.Exec",
                              "parameters": {"name": machine.name, "arguments": [*words]}}).encode() + b"\0"
        socket.send_fds(varlink.socket, [message], [theirs.fileno(), null, theirs_out, null])
        theirs.close()
        os.close(theirs_out)
        os.close(null)
        self.out = os.fdopen(out, "rb", 0)
        assert varlink.answer() == {}

    def reports(self):
        """Pairs of kind (codec/enter-protocol.h) and value, to the end."""
        return [(report[4], int.from_bytes(report[8:12], "little")) for report in iter(lambda: self.status.recv(1000), b"")]

    def close(self):
        self.status.close()
        self.out.close()


def test_early_signal(plain):
    """Whoever hears the command knows that it runs, though what waits outside may not yet: no signal is lost."""
    with world.Varlink() as v:
        session = Session(v, plain, "sleep", "1000", early=[signal.SIGTERM])
        reports = session.reports()
        session.close()
    assert [kind for kind, _ in reports] == [2, 5] and reports[1][1] == signal.SIGTERM, reports  # started, and signaled


def test_early_leave(plain):
    """Whoever hears the command and goes is not taken for one who goes before it runs: it is asked to end, not killed."""
    words = ["sh", "-c", "trap 'touch /run/asked; exit' HUP; echo up; while :; do sleep 0.05; done"]
    with world.Varlink() as v:
        for _ in range(20):
            session = Session(v, plain, *words)
            assert session.out.readline() == b"up\n"
            session.close()
            world.wait_until(lambda: enter(plain, "rm", "/run/asked").returncode == 0, "the command to be asked")
    world.wait_until(lambda: not entering() and len(inside(plain)) == 1, "all of it to be gone")


def test_signals_that_nobody_reads(plain):
    """What the client says in vain costs it none of the reports."""
    with world.Varlink() as v:
        for _ in range(20):
            session = Session(v, plain, "sh", "-c", "echo up; exit 7")
            assert session.out.readline() == b"up\n"
            try:
                for _ in range(50):
                    session.status.send(bytes([signal.SIGWINCH]))
            except (BrokenPipeError, ConnectionResetError):
                pass
            assert session.reports()[-1] == (4, 7)
            session.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_leave_while_asking(number):
    """Where somebody may be asked for a password, one signal is enough to leave; whoever is asked for none leaves by a second one."""
    ours, theirs = pty.openpty()
    with world.FakeRegistry() as listener:
        os.chmod(world.VARLINK_SOCKET, 0o666)
        for asked in (True, False):
            process = subprocess.Popen([MUSTER, "exec", "web", "true"], stdin=theirs if asked else subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, preexec_fn=world.drop_privileges(4242),
                                       env=dict(ENVIRONMENT, ASAN_OPTIONS="detect_leaks=0"))
            with listener.accept()[0] as connection:
                text = connection.recv(65536)
                assert b'"web"' in text and (b"allowInteractiveAuthentication" in text) == asked
                process.send_signal(number)
                if not asked:
                    with pytest.raises(subprocess.TimeoutExpired):
                        process.wait(0.5)
                    process.send_signal(number)
                assert process.wait(20) == 128 + number
                assert connection.recv(1) == b""
    os.close(ours)
    os.close(theirs)


def test_slow_reader(plain):
    """Somebody who stays behind and writes on does not keep us, however slowly we are read."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen([MUSTER, "exec", plain.name, "sh", "-c", "yes & sleep 0.5; exit 3"], stdin=subprocess.DEVNULL, stdout=theirs,
                               env=ENVIRONMENT)
    end = time.monotonic() + 30
    while process.poll() is None and time.monotonic() < end:
        if select.select([ours], [], [], 0.1)[0]:
            os.read(ours, 4096)
            time.sleep(0.01)
    status = process.poll()
    os.close(ours)
    os.close(theirs)
    process.wait(20)
    assert status == 3
    world.wait_until(lambda: not [p for p in inside(plain) if p != plain.leader], "the one behind to end, for nobody reads it")


def test_registry_killed(plain, musterd):
    """A session is between the client and the machine."""
    process = subprocess.Popen([MUSTER, "exec", plain.name, "sh", "-c", "echo up; read x; echo $x; exit 42"],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdout.readline() == b"up\n"
    musterd.kill()
    musterd.start()
    assert process.communicate(b"still here\n", timeout=20)[0] == b"still here\n"
    assert process.returncode == 42
    assert says(plain, "echo", "again") == "again\n"


def test_no_registry(plain, musterd):
    """Root needs none; others do."""
    musterd.kill()
    try:
        assert says(plain, "echo", "alone") == "alone\n"
        assert enter(plain, "sh", "-c", "exit 3").returncode == 3
        assert enter(plain, "nothing").returncode == 127
        assert b'There is no machine "other"' in muster("exec", "other", "ls", check=FAILURE).stderr
        out = muster("exec", plain.name, "ls", check=FAILURE, preexec_fn=world.drop_privileges(65534))
        assert b"No registry is running" in out.stderr
    finally:
        musterd.start()


def test_machine_ends(machines, others):
    machine = machines("busybox", command=["/bin/sleep", "1000"], boot=False)
    process = subprocess.Popen([MUSTER, "exec", machine.name, "sh", "-c", "echo up; sleep 1000"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, env=ENVIRONMENT)
    assert process.stdout.readline() == b"up\n"
    os.kill(machine.leader, signal.SIGKILL)
    assert b"The machine has ended" in process.communicate(timeout=20)[1]
    assert process.returncode == 137
    world.wait_until(lambda: not entering(), "the helpers to go")


def test_many(plain):
    """200 at once; the registry answers others, and nothing is left."""
    processes = [subprocess.Popen([MUSTER, "exec", plain.name, "sh", "-c", f"exit {n}"], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=ENVIRONMENT) for n in range(200)]
    with world.Others(usual=1):  # two hundred programs of a sanitizer build want the processor at the same time
        for process in processes:
            process.wait(120)
    said = [p.communicate(timeout=60)[1] for p in processes]
    assert [p.returncode for p in processes] == list(range(200)), [text for text in said if text]
    world.wait_until(lambda: not entering() and len(inside(plain)) == 1, "all to be gone")


def test_spare(plain, musterd):
    """One is started ahead of time when a command has ended; when it is killed the next is started as the first was."""
    def spare():
        return next((p for p in world.stray_processes() if world.comm(p) == "muster-spare"), None)

    def used(pid):
        enter(plain, "true", check=0)
        return world.wait_until(lambda: spare() not in (None, pid) and spare(), "another one")
    first = used(None)
    second = used(first)
    assert not pathlib.Path(f"/proc/{first}").exists() or world.comm(first) != "muster-spare"
    held = {os.readlink(entry) for entry in pathlib.Path(f"/proc/{second}/fd").iterdir()}
    assert {what for what in held if not what.startswith("socket:")} == {"/dev/null"}
    os.kill(second, signal.SIGKILL)
    assert says(plain, "echo", "fine") == "fine\n"
    third = used(second)
    musterd.kill()
    world.wait_until(lambda: not pathlib.Path(f"/proc/{third}").exists(), "it to end with the registry")
    musterd.start()


# ---- who may ----

def test_denied(plain):
    out = muster("exec", plain.name, "id", check=FAILURE, preexec_fn=world.drop_privileges(65534))
    assert b"org.freedesktop.machine1.shell" in out.stderr and b"Access denied" in out.stderr and out.stdout == b""


def test_owner(machines, processes, musterd):
    """A user may enter his own machine, when it has a user namespace; else nobody may."""
    uid = 65534
    sleeper = processes.sleeper(user=uid)
    with world.Varlink() as v:
        v.register("unmapped", sleeper)
    record = world.MACHINES / "unmapped"
    text = record.read_text()
    musterd.stop()
    lines = [line for line in text.splitlines() if not line.startswith("UID=")]
    record.write_text("\n".join([*lines, f"UID={uid}"]) + "\n")
    musterd.start()
    for how in ({}, {"preexec_fn": world.drop_privileges(uid)}):
        out = muster("exec", "unmapped", "id", check=FAILURE, **how)
        assert b"nobody may enter it" in out.stderr, out.stderr


def test_refused(plain, processes):
    with world.Varlink() as v:
        v.register("vm", processes.sleeper(), **{"class": "vm"})
    for text, *arguments in ((b"virtual machine", "exec", "vm", "ls"),
                             (b"No machine 'none'", "exec", "none", "ls"), (b"is no machine name", "exec", "a_b", "ls"),
                             (b"exec needs a command", "exec", plain.name), (b"needs the name", "exec"),
                             (b"There is no option", "exec", "--banana", plain.name, "ls"),
                             (b"--chdir=tmp", "exec", "-C", "tmp", plain.name, "ls"),
                             (b"--setenv=1=2", "exec", "-E", "1=2", plain.name, "ls"),
                             (b"UTF-8", "exec", plain.name, "\udcff"), (b"needs a terminal", "login", plain.name)):
        out = muster(*arguments, stdin=subprocess.DEVNULL)
        assert text in out.stderr, (arguments, out.stderr)
        assert out.returncode == FAILURE, (arguments, out.returncode)


# ---- a machine's first moments ----

def test_before_it_runs(musterd, tmp_path):
    """A runner has registered its child, which is still a process of the host: nothing is run before that has changed."""
    go, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(go, 1)
        os.execvp("sleep", ["sleep", "1000"])
    try:
        with world.Varlink() as v:
            v.register("early", child)
        process = subprocess.Popen([MUSTER, "exec", "early", "echo", "ran"], stdout=subprocess.PIPE, env=ENVIRONMENT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        os.write(told, b"x")
        assert process.communicate(timeout=20)[0] == b"ran\n"
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(go)
        os.close(told)


def test_before_the_payload_runs(musterd):
    """The small init of --as-pid2 is a program, and its payload still in the runner's memory, which says so by its name."""
    runner = subprocess.Popen([sys.executable, "-c", NAMED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
    try:
        with world.Varlink() as v:
            v.register("early", int(runner.stdout.readline()))
        process = subprocess.Popen([MUSTER, "exec", "early", "echo", "ran"], stdout=subprocess.PIPE, env=ENVIRONMENT)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.5)
        runner.stdin.write(b"x")
        assert process.communicate(timeout=20)[0] == b"ran\n"
    finally:
        runner.stdin.close()
        runner.wait(20)


# ---- hostile machines ----

def test_own_proc(machines, others):
    """/proc is a directory of lies, or nothing at all."""
    def change(root):
        for name in ("self", "1", "2"):
            (root / "lies" / name / "fd").mkdir(parents=True)
            (root / "lies" / name / "status").write_text("CapBnd:\t000001ffffffffff\nNoNewPrivs:\t0\nSeccomp:\t0\n")
    machine = machines("busybox", boot=False, change=change,
                       command=["/bin/sh", "-c", "mount --bind /lies /proc; exec sleep 1000"])
    world.wait_until(lambda: enter(machine, "ls", "/proc").stdout == b"1\n2\nself\n", "the machine to lie")
    assert says(machine, "echo", "fine") == "fine\n"
    assert enter(machine, "sh", "-c", "test -t 0", options=["-t"]).returncode == 0
    assert enter(machine, "sh", "-c", "kill -9 $$").returncode == 137


def test_fifo_for_passwd(machines, others):
    def change(root):
        (root / "etc" / "passwd").unlink(missing_ok=True)
        os.mkfifo(root / "etc" / "passwd")
    machine = machines("busybox", boot=False, change=change, command=["/bin/sleep", "1000"])
    assert says(machine, "echo", "fine") == "fine\n"
    out = enter(machine, "id", options=["--user=root"], check=FAILURE)
    assert b"no regular file" in out.stderr
    assert says(machine, "sh", "-c", "cat /proc/self/status | grep Uid", options=["--user=77"]).split()[1] == "77"


def test_links_for_passwd(machines, tmp_path):
    """A link that leads out of the tree leads nowhere."""
    secret = tmp_path / "passwd"
    secret.write_text("intruder:x:0:0::/:/bin/sh\n")

    def change(root):
        (root / "etc" / "passwd").unlink(missing_ok=True)
        (root / "etc" / "passwd").symlink_to(secret)
    machine = machines("busybox", boot=False, change=change, command=["/bin/sleep", "1000"])
    assert b"Cannot look for user intruder" in enter(machine, "id", options=["-u", "intruder"], check=FAILURE).stderr


def test_false_multiplexer(machines, others):
    """/dev/pts and /dev/ptmx are not what they seem."""
    machine = machines("busybox", boot=False, command=["/bin/sh", "-c", "mount -t tmpfs none /dev/pts; rm /dev/ptmx; "
                                                       "mkfifo /dev/pts/ptmx /dev/ptmx; exec sleep 1000"])
    world.wait_until(lambda: b"Cannot open a terminal" in enter(machine, "true", options=["-t"]).stderr, "the fifo")
    assert enter(machine, "true", options=["-t"]).returncode == FAILURE
    assert enter(machine, "true").returncode == 0


def test_full(machines, others):
    """No room for another process in the machine: said so."""
    machine = machines("busybox", command=["/bin/sleep", "1000"], boot=False)
    path = next(line for line in pathlib.Path(f"/proc/{machine.leader}/cgroup").read_text().splitlines() if "0::" in line)
    limit = pathlib.Path("/sys/fs/cgroup" + path.split("0::", 1)[1]) / "pids.max"
    if not limit.exists():
        pytest.skip("there is no pids controller here")
    limit.write_text("1")
    assert b"no room" in enter(machine, "true", check=FAILURE).stderr


def test_frozen(machines):
    """A machine that does not move takes nobody along: the registry answers, and whoever waits can leave."""
    machine = machines("busybox", command=["/bin/sleep", "1000"], boot=False)
    assert enter(machine, "true").returncode == 0
    path = next(line for line in pathlib.Path(f"/proc/{machine.leader}/cgroup").read_text().splitlines() if "0::" in line)
    frozen = pathlib.Path("/sys/fs/cgroup" + path.split("0::", 1)[1]) / "cgroup.freeze"
    other = machines("busybox", command=["/bin/sleep", "1000"], boot=False)
    frozen.write_text("1")
    waiting = [subprocess.Popen([MUSTER, "exec", machine.name, "true"], env=ENVIRONMENT) for _ in range(20)]
    time.sleep(0.5)
    assert enter(other, "echo", "moves").stdout == b"moves\n"
    with world.Others():
        time.sleep(0.5)
    assert all(p.poll() is None for p in waiting)
    for process in waiting:
        process.kill()
        process.wait()
    world.wait_until(lambda: not entering(), "the helpers to go", 20)
    frozen.write_text("0")


def test_the_program_is_not_theirs(machines):
    """A script whose interpreter is the program that runs it finds that read-only."""
    def change(root):
        (root / "evil").write_text("#!/proc/self/exe\n")
        (root / "evil").chmod(0o755)
    machine = machines("busybox", boot=False, change=change, command=["/bin/sleep", "1000"])
    before = hashlib.sha256((BUILD / "muster-enter").read_bytes()).hexdigest()
    out = enter(machine, "/evil")
    assert out.returncode != 0
    assert hashlib.sha256((BUILD / "muster-enter").read_bytes()).hexdigest() == before


# ---- shells ----

def test_shell(machines):
    machine = machines("bookworm", command=["/bin/sleep", "1000"], boot=False)
    out = muster("shell", machine.name, "/bin/sh", "-c", "echo $HOME $USER; pwd; exit 5", check=5)
    assert out.stdout == b"/root root\n/root\n" and out.stderr == b""
    out = muster("shell", f"games@{machine.name}", "/bin/sh", "-c", "id -un; echo $SHELL; pwd", check=0)
    assert out.stdout.splitlines()[:2] == [b"games", b"/usr/sbin/nologin"]
    out = muster("shell", machine.name, input=b"echo $0; exit 6\n", stdin=None, check=6)
    assert out.stdout == b"-bash\n"
    terminal = Terminal("shell", f"root@{machine.name}")
    terminal.expect(b"# ")
    terminal.send(b"stty size; exit 3\r")
    terminal.expect(b"24 80")
    assert terminal.end() == 3


def await_running(name):
    """Of a machine with systemd: its bus and units are to be had."""
    world.wait_until(lambda: b"running" in muster("exec", name, "--", "systemctl", "is-system-running").stdout, "it to be up", 60)


def told_to_pam(root):
    (root / "etc/environment").write_text("SAID_BY_PAM=yes\n")


def test_shell_by_systemd(machines):
    """On a terminal it is a unit of the machine's own, with a PAM session, and the command is what it was all the same."""
    name = machines("bookworm", change=told_to_pam).name
    await_running(name)
    shell = Terminal("shell", f"games@{name}", "sh", "-c", "echo ${SAID_BY_PAM}; id -un; cat /proc/self/cgroup; stty size; pwd; exit 5")
    for text in (b"yes\r\n", b"games\r\n", b"container-shell@", b"24 80\r\n", b"/usr/games\r\n"):
        shell.expect(text)
    assert shell.end() == 5
    shell = Terminal("shell", "--chdir=/srv", "--setenv=A=$HOME %h", name, "/usr/bin/printf", "%s;", "$HOME", "$$", "%i", "a b", "")
    shell.expect(b"$HOME;$$;%i;a b;;")
    assert shell.end() == 0
    shell = Terminal("shell", "--chdir=/srv", "--setenv=A=$HOME %h", name, "sh", "-c", "pwd; echo \"$A\"; kill -9 $$")
    shell.expect(b"/srv\r\n$HOME %h\r\n")
    assert shell.end() == 128 + signal.SIGKILL
    shell = Terminal("shell", "--setenv=PATH=/none:/usr/games:/srv", name, "true")  # where there is none
    assert shell.end() == 127
    shell = Terminal("shell", "--chdir=/none", name, "pwd")
    shell.expect(b"Cannot change to the directory /none")
    assert shell.end() == FAILURE
    shell = Terminal("shell", name, "no-such-program")
    shell.expect(b"is not found in the machine")
    assert shell.end() == 127
    shell = Terminal("shell", "--timeout=1", name, "sleep", "100")
    assert shell.end() == 124
    shell = Terminal("shell", name)
    shell.expect(b"# ")
    shell.send(b"shopt login_shell; echo $SAID_BY_PAM; exit 3\r")
    shell.expect(b"on\r\nyes\r\n")
    assert shell.end() == 3
    # What the session is to find in its environment is not what root of the machine finds, who asks for it.
    shell = Terminal("shell", "--setenv=SYSTEMD_LOG_LEVEL=debug", f"games@{name}", "sh", "-c", "echo only $SYSTEMD_LOG_LEVEL")
    assert shell.end() == 0 and shell.text == b"only debug\r\n", shell.text
    # Without a terminal nothing of it would end when we go: it is as any command.
    assert b"SAID_BY_PAM" not in muster("shell", name, "env", check=0).stdout
    world.wait_until(lambda: b"container-shell@" not in muster("exec", name, "--", "systemctl", "list-units", "--all", "--plain").stdout,
                     "the units to go")


def test_output_is_there_for_who_reads_late(machines):
    """A client may be slow: what the shell has printed is not thrown away when its unit ends."""
    machine = machines("bookworm")
    await_running(machine.name)
    with world.Varlink() as v:
        v.send("io.systemd.Machine.Open", {"name": machine.name, "mode": "shell", "user": "root", "path": "/bin/sh",
                                           "args": ["/bin/sh", "-c", "until test -e /run/go; do sleep 0.1; done; "
                                                    "echo all of it; touch /run/printed"]})
        _, fds, _, _ = socket.recv_fds(v.socket, 65536, 4)
    world.wait_until(lambda: unit_of(machine, "container-shell@*"), "the unit to run", 30)
    enter(machine, "touch", "/run/go", check=0)
    world.wait_until(lambda: not unit_of(machine, "container-shell@*"), "the unit to end", 30)
    enter(machine, "test", "-e", "/run/printed", check=0)
    assert os.read(fds[0], 100) == b"all of it\r\n"
    os.close(fds[0])


def test_host(musterd):
    """The host is entered like a machine, with its first process's control group and not the daemon's."""
    out = muster("exec", ".host", "sh", "-c", "cat /proc/self/cgroup; readlink /proc/self/ns/pid", check=0)
    first = pathlib.Path("/proc/1/cgroup").read_text() + os.readlink("/proc/1/ns/pid") + "\n"
    assert out.stdout.decode() == first
    shell = Terminal("shell", ".host", "/bin/sh", "-c", "tty; exit 4")
    shell.expect(b"/dev/pts/")
    assert shell.end() == 4
    login = Terminal("login", ".host")
    login.expect(b"login: ")
    login.send(b"\x1d\x1d\x1d")
    assert login.end() == 128 + signal.SIGHUP
    if shutil.which("machinectl"):
        out = world.machinectl("--quiet", "shell", "root@.host", "/bin/sh", "-c", "echo clean", environment={"TERM": "dumb"}).stdout
        assert out.replace("\r\n", "\n") == "clean\n"
    child = subprocess.run([MUSTER, "exec", ".host", "true"], env=ENVIRONMENT, capture_output=True, preexec_fn=world.drop_privileges(65534))
    assert child.returncode == FAILURE and b"org.freedesktop.machine1.host-shell" in child.stderr
    world.wait_until(lambda: not entering(), "the helpers to go")
    # What was done to it is in the journal like everything else, also after a restart.
    musterd.restart()
    told = [json.loads(line) for line in muster("events", ".host", "--json=short", check=0).stdout.splitlines()]
    assert [event["kind"] for event in told][:3] == ["exec", "shell", "login"], told
    assert "Setting aside" not in musterd.logged()
    musterd.stop()
    assert b"start musterd" in muster("exec", ".host", "true", check=FAILURE).stderr
    musterd.start()


@pytest.mark.parametrize("kind", ("bookworm-sysvinit", "busybox"))
def test_login(machines, kind):
    machine = machines(kind)
    terminal = Terminal("login", machine.name)
    terminal.expect(b"login: ")
    terminal.send(b"root\r")
    terminal.expect(b"# ")
    terminal.send(b"tty; exit\r")
    terminal.expect(b"/dev/pts/")
    assert terminal.end() == 0


# ---- for clients of the original ----

def unit_of(machine, pattern):
    """The machine's systemd has started it."""
    out = enter(machine, "systemctl", "list-units", "--no-legend", "--plain", pattern, options=["-T"])
    return pattern.rstrip("*").encode() in out.stdout


class Stock(Terminal):
    """A machinectl of the original on a terminal of ours: the host's, or another command."""

    def __init__(self, *arguments, command=("machinectl",)):
        command = [*map(str, command), "-M", ".host", *arguments]
        self.text = b""
        self.process, self.fd = world.on_terminal(command, environment=dict(ENVIRONMENT, TERM="vt220"))


def needs_machinectl():
    if not shutil.which("machinectl"):
        pytest.skip("there is no machinectl here")


@pytest.mark.parametrize("kind", ("bookworm", "bookworm-sysvinit", "busybox"))
def test_stock_machinectl(machines, kind):
    needs_machinectl()
    machine = machines(kind)
    if kind == "bookworm":
        await_running(machine.name)
    shell = Stock("shell", machine.name)
    shell.expect(b"# ")
    shell.send(b"stty size; id -u; tty\r")
    shell.expect(b"24 80")
    shell.expect(b"0\r\n/dev/pts/")
    assert unit_of(machine, "container-shell@*") == (kind == "bookworm")
    shell.send(b"exit\r")
    assert shell.end() == 0, shell.text
    shell = Stock("shell", f"root@{machine.name}", "/bin/sh", "-c", "echo it is $0; sleep 0.2")
    shell.expect(b"it is /bin/sh")
    assert shell.end() == 0
    login = Stock("login", machine.name)
    login.expect(b"login: ")
    login.send(b"root\r")
    login.expect(b"# ")
    login.send(b"tty\r")
    login.expect(b"/dev/pts/")
    assert unit_of(machine, "container-getty@*") == (kind == "bookworm")
    login.send(b"\x1d\x1d\x1d")
    assert login.end() == 0
    world.wait_until(lambda: not entering(), "the helpers to go")


@pytest.mark.parametrize("suite", ("trixie", "forky"))
def test_newer_machinectl(machines, suite):
    tree = pathlib.Path(os.environ.get("MUSTER_TREES", "/nonexistent")) / suite
    if not tree.is_dir():
        pytest.skip(f"there is no tree of {suite}: run-checks.py has said why")
    command = Suite(tree).command("machinectl")
    machine = machines("bookworm")
    shell = Stock("shell", machine.name, command=command)
    shell.expect(b"# ")
    shell.send(b"stty size; id -u; exit\r")
    shell.expect(b"24 80\r\n")
    shell.expect(b"0\r\n")
    assert shell.end() == 0, shell.text
    login = Stock("login", machine.name, command=command)
    login.expect(b"login: ")
    login.send(b"\x1d\x1d\x1d")
    assert login.end() == 0
    out = subprocess.run([*map(str, command), "-M", ".host", "--quiet", "shell", f"root@{machine.name}", "/bin/sh", "-c",
                          "echo clean; exit 0"], stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
                         env=dict(ENVIRONMENT, TERM="dumb"))
    assert out.stdout.replace(b"\r\n", b"\n") == b"clean\n", out


def test_stock_shell_in_a_script(plain):
    """As Ansible's machinectl connection does it: no terminal of its own, and output that is what was printed."""
    needs_machinectl()
    out = world.machinectl("--quiet", "shell", f"root@{plain.name}", "/bin/sh", "-c", "echo clean; exit 0",
                           environment={"TERM": "dumb"}).stdout
    assert out.replace("\r\n", "\n") == "clean\n", out


def test_open(plain, musterd):
    """The answers themselves, by both doors."""
    with world.Varlink() as v:
        v.send("io.systemd.Machine.Open", {"name": plain.name, "mode": "tty"})
        data, fds, _, _ = socket.recv_fds(v.socket, 65536, 4)
        reply = json.loads(data.rstrip(b"\0"))["parameters"]
        assert reply["ptyFileDescriptor"] == 0 and reply["ptyPath"].startswith("/dev/pts/") and os.isatty(fds[0])
        number = fcntl.ioctl(fds[0], 0x80045430, b"\0" * 4)  # TIOCGPTN
        assert reply["ptyPath"] == f"/dev/pts/{int.from_bytes(number, 'little')}"
        # Whoever has the other end inside talks to us.
        assert enter(plain, "sh", "-c", f"echo hello > {reply['ptyPath']}", check=0)
        assert os.read(fds[0], 100) == b"hello\r\n"
        os.close(fds[0])
        for parameters, error in (({"mode": "banana"}, "InvalidParameter"), ({"mode": "shell", "user": "a:b"}, "InvalidParameter"),
                                  ({"mode": "shell", "path": "sh"}, "InvalidParameter"),
                                  ({"mode": "shell", "path": "/nothing"}, "System"), ({"mode": "login", "name": "none"}, "NoSuch")):
            with pytest.raises(world.VarlinkError, match=error):
                v.call("io.systemd.Machine.Open", {"name": plain.name, **parameters})
    assert "No machine 'none'" in world.manager("OpenMachineShell", "sssasas", "none", "", "", 0, 0, check=False).stderr
    for user, path, text in (("a:b", "", "A user is a name"), ("", "sh", "must be absolute"), ("nobody-here", "", "no user"),
                             ("", "/nothing", "/nothing is not found")):
        out = world.manager("OpenMachineShell", "sssasas", plain.name, user, path, 0, 0, check=False)
        assert text in out.stderr, out.stderr
    assert "/dev/pts/" in world.manager("OpenMachinePTY", "s", plain.name).stdout
    path = "/org/freedesktop/machine1/machine/" + plain.name
    out = world.busctl("call", "org.freedesktop.machine1", path, "org.freedesktop.machine1.Machine", "OpenPTY").stdout
    assert "/dev/pts/" in out
    world.wait_until(lambda: not entering() and len(inside(plain)) == 1, "all to be gone")


def test_open_denied(plain):
    for mode in ("tty", "login", "shell"):
        reading, writing = os.pipe()
        child = os.fork()
        if child == 0:
            world.drop_privileges(65534)()
            with world.Varlink() as v:
                v.send("io.systemd.Machine.Open", {"name": plain.name, "mode": mode})
                os.write(writing, json.dumps(v.receive()).encode())
            os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as f:
            assert "PermissionDenied" in f.read(), mode
        os.waitpid(child, 0)
