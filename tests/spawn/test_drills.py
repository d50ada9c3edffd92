# SPDX-License-Identifier: LGPL-2.1-or-later
"""Hostile trees and payloads: nothing of the host is changed, learned or kept waiting.

A fort is a directory of this host that no container has any business with, with files that a tree tries to reach. What the machine may see of the host by the plan (its os-release, name resolution, time zone) is no secret.
"""
import array
import ctypes
import fcntl
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import subprocess
import termios
import threading
import time

import pytest
import spawn
import world

SECRET = "word-of-the-host-4711"
MOUNT_POINTS = ["proc", "sys", "dev", "run", "tmp"]
FILES = ["etc/resolv.conf", "etc/localtime", "etc/machine-id", "etc/passwd", "etc/group", "etc/os-release",
         "usr/lib/os-release", "var/log/journal", "var/log", "usr/share/zoneinfo", "root"]


class Fort:
    """A directory of the host with secrets; unchanged() compares names, contents, modes, owners and mounts."""

    def __init__(self, place):
        self.place = place
        for name in ("etc", "empty", "log"):
            (place / name).mkdir(parents=True)
        for name in ("etc/passwd", "etc/shadow", "file"):
            (place / name).write_text(f"{SECRET}:x:77:77::/:/bin/sh\n")
        self.before = self.look()

    def look(self):
        found = {}
        for path in sorted(self.place.rglob("*")):
            st = path.lstat()
            found[str(path)] = (st.st_mode, st.st_uid, st.st_gid, path.read_bytes() if path.is_file() else None)
        mounts = [line.split(" ", 4)[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
        return found, sorted(mounts), os.uname().nodename

    def check(self):
        """A file system whose last user is just ending may take a moment to go."""
        try:
            world.wait_until(lambda: self.look() == self.before, "the host to be as it was", spawn.PATIENCE)
        except AssertionError:
            assert self.look() == self.before


@pytest.fixture
def fort(box):
    made = Fort(box.place / "fort")
    yield made
    made.check()


def inside(box, script, *options, **keywords):
    keywords.setdefault("timeout", 20)
    result = spawn.run(spawn.OURS, box, *options, command=["sh", "-c", script], **keywords)
    assert SECRET not in result.output + result.messages, result
    return result


def replace(path, target):
    """A link instead of whatever is there."""
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.is_dir():
        subprocess.run(["rm", "-rf", path], check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


LOOK = "cat /etc/passwd /etc/resolv.conf /etc/machine-id 2>/dev/null; ls -R /etc /root 2>/dev/null; true"


@pytest.fixture(params=[(), ("--private-users=pick", "--private-users-ownership=map")], ids=["root", "users"])
def users(request):
    return request.param


# Trees


@pytest.mark.parametrize("dots", [False, True], ids=["absolute", "dots"])
@pytest.mark.parametrize("name", MOUNT_POINTS + FILES)
def test_links(box, fort, name, dots):
    """What the runner mounts or writes is a link to a place of the host: it stays in the tree, or the start fails."""
    target = fort.place / ("etc/passwd" if name.startswith("etc") or "os-release" in name else "empty")
    replace(box.root / name, "../" * 30 + str(target)[1:] if dots else target)
    inside(box, LOOK, "--set-credential=a:b", "--resolv-conf=copy-host", "--timezone=copy")
    inside(box, LOOK, "--resolv-conf=replace-host", "--timezone=symlink", "--uid=77")
    inside(box, LOOK, "--resolv-conf=bind-host", "--timezone=bind", "--private-network")


@pytest.mark.parametrize("name", ["proc", "dev", "run", "tmp", "etc/resolv.conf"])
def test_links_with_users(box, fort, name):
    replace(box.root / name, fort.place / ("etc/passwd" if name.startswith("etc") else "empty"))
    inside(box, LOOK, "--private-users=pick", "--private-users-ownership=map")


@pytest.mark.parametrize("option", ["--bind={fort}/empty:/way/in", "--tmpfs=/way/in", "--bind=:/way/in",
                                    "--overlay=+/etc::/way/in", "--bind=+/way/etc/shadow:/seen",
                                    "--overlay-ro=+/way/etc:+/etc:/seen", "--inaccessible=/way/etc/passwd"])
def test_links_of_mounts(box, fort, option):
    """A mount of the command line whose way leads through a link of the tree."""
    (box.root / "way").symlink_to(fort.place)
    inside(box, "cat /seen /seen/* /way/in/*; touch /way/in/made; " + LOOK, option.format(fort=fort.place))


def test_link_as_pivot(box, fort):
    (box.root / "next").symlink_to(fort.place)
    assert inside(box, LOOK, "--pivot-root=/next").code == 1


def test_settings_with_dots(box, fort):
    """The name of a settings file is the machine's: it has no slash, and no dots for a way up."""
    (box.place.parent / "up.nspawn").write_text("[Exec]\nHostname=bad\n")
    try:
        for name in ("../up", "..", "a/../../up", ".", "a/b"):
            result = subprocess.run([spawn.program(spawn.OURS), f"--machine={name}", f"--directory={box.root}", "true"],
                                    capture_output=True, text=True)
            assert result.returncode == 1 and "--machine" in result.stderr, result.stderr
        (box.place / "box.nspawn").write_text("[Exec]\nWorkingDirectory=/../..\nPivotRoot=/../../run\n[Files]\n"
                                              f"Bind={fort.place}:/x\n")
        assert "x" not in inside(box, "pwd; ls / | grep -x x").output.splitlines()
    finally:
        (box.place.parent / "up.nspawn").unlink()


def make(path, kind):
    if path.is_symlink() or path.exists():
        subprocess.run(["rm", "-rf", path], check=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM).bind(str(path))
    elif kind == "device":
        os.mknod(path, 0o20666, os.makedev(1, 5))  # endless zeros
    elif kind == "directory":
        path.mkdir()
    else:
        path.touch()


@pytest.mark.parametrize("kind", ["fifo", "socket", "device", "directory", "file"])
@pytest.mark.parametrize("name", ["etc/resolv.conf", "etc/localtime", "etc/machine-id", "etc/passwd", "etc/group",
                                  "etc/os-release", "proc", "dev", "run", "tmp", "root", "var", "var/log/journal"])
def test_strange_types(box, fort, name, kind):
    """Nobody waits for the other end of a fifo, or for the end of a device; the start succeeds or fails at once."""
    make(box.root / name, kind)
    begin = time.monotonic()
    inside(box, "true", "--uid=nobody", timeout=15)
    inside(box, "true", "--resolv-conf=replace-host", "--timezone=copy", timeout=15)
    assert time.monotonic() - begin < 12


@pytest.mark.parametrize("name", ["etc/resolv.conf", "etc/localtime", "etc/machine-id", "etc/passwd"])
def test_devices_are_not_opened(box, name):
    """To open some devices has effects (a watchdog starts, a tape rewinds), so that a tree's are left alone."""
    make(box.root / name, "device")
    libc = ctypes.CDLL(None)
    watch = libc.inotify_init1(os.O_NONBLOCK)
    assert libc.inotify_add_watch(watch, str(box.root / name).encode(), 0x20) >= 0  # IN_OPEN
    spawn.run(spawn.OURS, box, "--resolv-conf=copy-host", "--timezone=copy", "--uid=anna", command=["true"])
    spawn.run(spawn.OURS, box, "--resolv-conf=bind-host", "--timezone=bind", command=["true"])
    with pytest.raises(BlockingIOError):
        os.read(watch, 4096)
    os.close(watch)


@pytest.mark.parametrize("content", [b"x" * (100 << 20), b"0\0" * 16 + b"\n", b"0" * 32 + b"\n", b"\xff" * 32,
                                     b"/etc/shadow"], ids=["huge", "nul", "zero", "bytes", "path"])
def test_machine_id(box, fort, content):
    (box.root / "etc/machine-id").write_bytes(content)
    result = inside(box, "echo $container_uuid")
    assert result.code == 1 and "/etc/machine-id" in result.messages and len(result.messages) < 300, result


PASSWD = {
    "huge": b"".join(b"user%d:x:%d:%d::/:/bin/sh\n" % (n, n, n) for n in range(300000)) + b"anna:x:5:5::/:/bin/sh\n",
    "long line": b"anna:" + b"x" * (3 << 20) + b":5:5::/:/bin/sh\n",
    "no end": b"anna:x:5:5::/",
    "nul": b"anna\0:x:5:5::/:/bin/sh\n",
    "negative": b"anna:x:-1:-1::/:/bin/sh\n",
    "largest": b"anna:x:4294967295:4294967295::/:/bin/sh\n",
    "wraps": b"anna:x:4294967296:4294967296::/:/bin/sh\n",
    "relative home": b"anna:x:5:5::../../../../run:/bin/sh\n",
    "home above": b"anna:x:5:5::/../../../../../run/made:/bin/sh\n",
    "long home": b"anna:x:5:5::/" + b"h/" * 3000 + b":/bin/sh\n",
    "escape": b"anna:x:5:5:\x1b]0;title\x07:/\x1b[2J:/bin/sh\n",
}


@pytest.mark.parametrize("lines", PASSWD)
def test_passwd(box, fort, lines):
    """Whoever it becomes: never root by a mistake, never with the groups of another."""
    (box.root / "etc/passwd").write_bytes(PASSWD[lines])
    (box.root / "etc/group").write_bytes(b"sudo:x:27:annabel,xanna\nwheel:x:10:anna \n:::anna\n")
    result = inside(box, "id -u; id -G", "--uid=anna")
    assert result.code in (0, 1) and "\x1b" not in result.messages, result
    if result.code == 0:
        assert result.output.split()[0] == "5" and "27" not in result.output, result
    else:
        assert "anna" in result.messages and len(result.messages) < 400, result


def test_environment_tricks(box, fort):
    """Names that another program would take for more than a variable."""
    result = inside(box, "env", "--setenv=LD_PRELOAD=/x.so", "--setenv=A=b\nc=d")
    assert result.code in (0, 1)
    for wrong in ("=x", "A-B=1", "1A=x", "", "A\n=x", "A B=c"):
        result = inside(box, "env", f"--setenv={wrong}")
        assert result.code == 1 and "--setenv" in result.messages, (wrong, result)


# The runner's own program and its traces


def test_program(box, fort, users):
    """The stub init is a process of the runner's program: it must not be a way to write to that file."""
    program = pathlib.Path(spawn.program(spawn.OURS))
    before = (program.stat().st_size, program.stat().st_mtime_ns, program.stat().st_ino)
    result = inside(box, "touch /tmp/exe; probe exe /proc/1/exe", "--as-pid2", *users)
    answers = dict(line.split() for line in result.output.splitlines())
    if answers.pop("found") == "ok":
        assert answers["write"] in ("ETXTBSY", "EROFS", "EACCES", "EPERM"), answers  # the first is looked at first
        assert answers["truncate"] in ("EROFS", "EACCES", "EPERM"), answers
    assert not set(answers.values()) & {"ok"}, answers
    assert (program.stat().st_size, program.stat().st_mtime_ns, program.stat().st_ino) == before


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere the program always starts twice")
@pytest.mark.parametrize("starts", [1, 2])
def test_program_is_read_only(box, fort, starts):
    """Once where the kernel lets a program say which file it is, twice where it does not: then, too, from a mount of its own."""
    program, trace = spawn.program(spawn.OURS), fort.place / "trace"
    headers = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True).stdout
    if " INTERP " in headers:
        pytest.skip("the program is not linked statically")
    refuse = [] if starts == 1 else ["--inject=prctl:error=EPERM:when=1"]  # the question whether it may
    words = ["strace", "-f", "-qq", f"--output={trace}", "--trace=execve,execveat,prctl", *refuse, program, "--quiet",
             "--register=no", "--keep-unit", "--pipe", f"--directory={box.root}", "--as-pid2", "sh", "-c",
             "probe exe /proc/1/exe; tr '\\0' ' ' </proc/1/cmdline"]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert result.returncode == 0, result
    assert "truncate EROFS" in result.stdout and "(muster-stub)" in result.stdout, result
    calls = trace.read_text()
    trace.unlink()
    assert "PR_SET_MM_MAP" in calls, calls
    again = re.findall(r'execveat\(\d+, "", \["([^"]+)"', calls)
    assert len(again) == starts and again[-1] == "(muster-stub)", calls


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere every child has a copy of the runner's memory")
@pytest.mark.parametrize("options, shared", [((), True), (("--as-pid2",), True), (("--oom-score-adjust=1",), False)])
def test_memory_is_not_copied(box, fort, options, shared):
    """What makes a start quick, and does nothing else that could be seen: whose memory the child has, and which C library."""
    program, trace = spawn.program(spawn.OURS), fort.place / "trace"
    headers = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True).stdout
    if " INTERP " in headers:
        pytest.skip("the program is not linked statically")
    subprocess.run(["strace", "-f", "-qq", f"--output={trace}", "--trace=clone3", program, "--quiet", "--register=no", "--keep-unit",
                    "--pipe", f"--directory={box.root}", *options, "true"], stdin=subprocess.DEVNULL, check=True, timeout=30)
    calls = [line for line in trace.read_text().splitlines() if "CLONE_NEWNS" in line]
    trace.unlink()
    assert len(calls) == 1 and ("CLONE_VM" in calls[0]) == shared, calls
    assert not shutil.which("musl-gcc") or b"glibc.malloc" not in pathlib.Path(program).read_bytes()  # a tunable of glibc


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere the stub init has a copy of the runner's memory")
@pytest.mark.parametrize("options", [(), ("--oom-score-adjust=1",)], ids=["in its memory", "in a copy of it"])
def test_starting_is_told(box, fort, options):
    """From when the stub init is a program until the payload is one the runner says by its name that nobody may join."""
    program = spawn.program(spawn.OURS)
    headers = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True).stdout
    if " INTERP " in headers:
        pytest.skip("the program is not linked statically")
    words = [program, "--quiet", "--register=no", "--keep-unit", "--pipe", f"--directory={box.root}", "--as-pid2", *options,
             "sh", "-c", "echo there; read end"]
    starting, started = ["(muster-stub)", "(muster-start)"], ["(muster-stub)", "sh"]
    for seconds in (2, 8, 15):  # longer when we were too slow to look
        held = ["strace", "-f", "-qq", "--output=/dev/null", "--trace=execve", f"--inject=execve:delay_enter={seconds}000000:when=1"]
        process = subprocess.Popen([*held, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        try:
            world.wait_until(lambda: names_below(process.pid)[1:] in (starting, started), "the stub init", seconds + spawn.PATIENCE)
            names = names_below(process.pid)
            assert process.stdout.readline() == b"there\n"
            world.wait_until(lambda: names_below(process.pid) == ["muster-spawn", *started], "the runner's own name", spawn.PATIENCE)
        finally:
            process.communicate(b"\n", timeout=seconds + spawn.PATIENCE)
        assert process.returncode == 0
        if names[1:] == starting:
            break
    assert names == ["(muster-start)", *starting]


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere the stub init has a copy of the runner's memory")
def test_stub_has_nothing(box, fort):
    """However long its start takes, the payload does not run before the small init has closed what the caller left open."""
    program = spawn.program(spawn.OURS)
    leaked = os.open(fort.place / "file", os.O_RDONLY)
    os.dup2(leaked, 700)
    held = ["strace", "-f", "-qq", "--output=/dev/null", "--trace=execveat", "--inject=execveat:delay_exit=700000"]
    result = subprocess.run([*held, program, "--quiet", "--register=no", "--keep-unit", "--pipe", f"--directory={box.root}", "--as-pid2",
                             "sh", "-c", "cat /proc/1/comm; ls /proc/1/fd; cat /proc/1/fd/700"], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, pass_fds=[700], timeout=30)
    os.close(leaked)
    os.close(700)
    assert result.stdout == "(muster-stub)\n", result


@pytest.mark.skipif(platform.machine() != "x86_64", reason="elsewhere the stub init has a copy of the runner's memory")
def test_stub_cannot_start(box, fort):
    """The payload's process, which waits for it, does not go on without it."""
    program = spawn.program(spawn.OURS)
    headers = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True).stdout
    if " INTERP " in headers:
        pytest.skip("the program is not linked statically")
    fail = ["strace", "-f", "-qq", "--output=/dev/null", "--trace=execveat", "--inject=execveat:error=EACCES"]
    result = subprocess.run([*fail, program, "--quiet", "--register=no", "--keep-unit", "--pipe", f"--directory={box.root}", "--as-pid2",
                             "touch", "/ran"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    assert result.returncode == 1 and "--as-pid2" in result.stderr and "Permission denied" in result.stderr, result
    assert not (box.root / "ran").exists()


def test_no_other_child(box, fort, containers):
    """Who holds a user namespace for a mount is killed, and soon reaped."""
    trace = fort.place / "trace"
    subprocess.run(["strace", "-qq", f"--output={trace}", "--trace=clone3,fork,clone", spawn.program(spawn.OURS), "--quiet",
                    "--register=no", "--keep-unit", "--pipe", f"--directory={box.root}", "--private-users=pick", "true"],
                   stdin=subprocess.DEVNULL, check=True, timeout=30)
    holders = [line for line in trace.read_text().splitlines() if "CLONE_NEWUSER" in line and "CLONE_NEWNS" not in line]
    trace.unlink()
    if not holders:
        pytest.skip("no mount of this file system can be mapped, so nobody holds a namespace for one")
    assert all("CLONE_FILES" in line for line in holders), holders  # else the channel to the payload is open as long as they live
    container = containers(spawn.OURS, box, "--private-users=pick", command=["sh", "-c", "echo there; sleep 1000"])
    container.expect("there")
    children = pathlib.Path(f"/proc/{container.process.pid}/task/{container.process.pid}/children")
    world.wait_until(lambda: len(children.read_text().split()) == 1, "the other child to be reaped")
    container.signal(signal.SIGTERM)
    assert container.end(timeout=spawn.PATIENCE) == 1


def names_below(pid):
    """Of the process' child, of that one's, and so on."""
    names = []
    try:
        while children := pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            pid = children[0]
            names.append(pathlib.Path(f"/proc/{pid}/comm").read_text().strip())
    except OSError:
        pass
    return names


def test_tables_are_read_only(box, containers):
    """What the start alone writes to (RELRO) is not left writable by a C library that does not see to it."""
    program = spawn.program(spawn.OURS)
    headers = subprocess.run(["readelf", "-lW", program], capture_output=True, text=True, check=True).stdout
    address = int(re.search(r"GNU_RELRO +\S+ (0x[0-9a-f]+)", headers)[1], 16) & ~0xfff
    container = containers(spawn.OURS, box, command=["sh", "-c", "echo there; sleep 1000"])
    container.expect("there")
    runner = pathlib.Path(f"/proc/{container.process.pid}")
    inode = os.stat(program).st_ino
    maps = [(int(line[0].split("-")[0], 16), int(line[0].split("-")[1], 16), line[1], int(line[2], 16))
            for line in map(str.split, (runner / "maps").read_text().splitlines()) if int(line[4]) == inode]
    base = next(begin for begin, _, _, offset in maps if offset == 0)
    protection = next(p for begin, end, p, _ in maps if begin <= base + address < end)
    container.signal(signal.SIGTERM)
    assert container.end(timeout=spawn.PATIENCE) == 1
    assert protection.startswith("r--"), maps


def test_program_as_interpreter(box, fort):
    """A script that is run by its own starter's program."""
    for name in ("script", "sbin/init"):
        path = box.root / name
        path.unlink(missing_ok=True)
        path.write_text("#!/proc/self/exe\n")
        path.chmod(0o755)
    program = pathlib.Path(spawn.program(spawn.OURS))
    before = program.stat().st_mtime_ns
    spawn.run(spawn.OURS, box, command=["/script"])
    spawn.run(spawn.OURS, box, "--boot")
    assert program.stat().st_mtime_ns == before


def test_descriptors(box, fort):
    """Nothing but 0, 1, 2, whatever the caller has left open."""
    leaked = [os.open(fort.place, os.O_RDONLY), os.open(fort.place / "file", os.O_RDWR), os.open("/", os.O_PATH)]
    high = 700
    os.dup2(leaked[0], high)
    for fd in (*leaked, high):
        os.set_inheritable(fd, True)
    cgroup = spawn.ControlGroup()
    script = "cd /proc/1/fd; for n in *; do readlink $n; done; ls /proc/self/fd"  # 3 is ls's own
    words = [spawn.program(spawn.OURS), "--register=no", "--keep-unit", "--pipe", f"--directory={box.root}"]
    for options in ([], ["-a"]):
        result = subprocess.run([*words, *options, "sh", "-c", script], stdin=subprocess.DEVNULL, capture_output=True,
                                text=True, close_fds=False, preexec_fn=cgroup.enter)
        # The stub init has none at all.
        assert result.returncode == 0 and ("\n" + result.stdout).endswith("\n0\n1\n2\n3\n"), result
        places = [line for line in result.stdout.splitlines()[:-4] if line.startswith("/")]
        assert set(places) <= {"/dev/null", "/proc/1/fd"}, places
    cgroup.remove()
    for fd in (*leaked, high):
        os.close(fd)


def test_ways_out_of_proc(box, fort, users):
    """cwd, root, and the descriptors of each process that is seen lead to places of the container."""
    script = ("for p in /proc/[0-9]*; do ls $p/root/ | head -40; ls $p/cwd/; readlink $p/root $p/cwd; done; "
              f"ls /proc/1/root{fort.place} /proc/1/cwd{fort.place} /proc/1/cwd/../../../..{fort.place}; "
              "ls -d /proc/[0-9]* | wc -l")
    for options in ([], ["--as-pid2"]):
        result = inside(box, script, *options, *users)
        assert "shadow" not in result.output and int(result.output.split()[-1]) <= 5, result


def test_memory_of_runner(box, fort):
    """The stub init was cloned from the runner: it holds none of the runner's secrets in what the payload may read."""
    result = inside(box, "grep -a -c word-of-[t]he-host /proc/1/environ /proc/1/cmdline; "
                    "for f in environ cmdline maps; do cat /proc/1/$f; done", "-a", environment={"HOSTS_SECRET": SECRET})
    assert result.output.splitlines()[:2] == ["/proc/1/environ:0", "/proc/1/cmdline:0"], result


# Payloads


CALLS = {"x86_64": {"ptrace": 101, "setgroups": 116, "init_module": 175, "syslog": 103, "kexec_load": 246, "setns": 308,
                    "bpf": 321, "open_by_handle_at": 304, "settimeofday": 164, "kill": 62},
         "aarch64": {"ptrace": 117, "setgroups": 159, "init_module": 105, "syslog": 116, "kexec_load": 104, "setns": 268,
                     "bpf": 280, "open_by_handle_at": 265, "settimeofday": 170, "kill": 129}}.get(os.uname().machine)
known_calls = pytest.mark.skipif(not CALLS, reason="no numbers of system calls for this machine")


@known_calls
@pytest.mark.parametrize("call", ["init_module", "kexec_load", "bpf", "open_by_handle_at", "settimeofday"])
def test_calls(box, fort, users, call):
    assert inside(box, f"probe call {CALLS[call]} 0 0 0", *users).output == "EPERM\n"


@known_calls
def test_setgroups(box, fort):
    """In a user namespace: only ids that it maps."""
    result = inside(box, "probe call %d 0 0; probe call %d 1 AAAA; id -G" % ((CALLS["setgroups"],) * 2),
                    "--private-users=pick", "--private-users-ownership=map")
    assert result.output.split()[:2] == ["ok", "EINVAL"], result  # 0x41414141 is not mapped


@known_calls
def test_ptrace(box, fort, users):
    """Processes of the host have no number inside, so nothing can be done to them."""
    numbers = [os.getpid(), os.getppid()]
    script = "; ".join(f"probe call {CALLS['ptrace']} 16 {n} 0 0; probe call {CALLS['kill']} {n} 0"
                       for n in numbers if n > 2)
    result = inside(box, "sleep 0; " + script, *users)
    assert set(result.output.split()) <= {"ESRCH"}, result


def test_devices(box, fort, users):
    """With users of its own no device can be made; none that is there is a disk or memory."""
    result = inside(box, "cd /tmp; mknod d b 8 0; mknod m c 1 1; mknod /dev/d b 8 0; ls /dev; probe open /dev/mem 0; "
                    "probe open /tmp/m 0; probe open /tmp/d 0; probe open /dev/d 0", *users)
    answers = result.output.split()[-4:]
    if users:
        assert set(answers) == {"ENOENT"}, result
    else:
        assert "ok" not in answers, result
    assert not {"mem", "kmem", "port", "kmsg", "sda", "loop-control", "kvm"} & set(result.output.split())


def test_devices_of_the_tree(box, fort):
    """A device that came with the tree."""
    os.mknod(box.root / "mem", 0o20666, os.makedev(1, 1))
    for options in ((), ("--private-users=pick", "--private-users-ownership=map")):
        assert inside(box, "probe open /mem 0", *options).output.strip() in ("EACCES", "EPERM", "ENXIO")


def test_mounts_stay_inside(box, fort, users):
    """fort.check() compares the mount table of the host."""
    result = inside(box, "mkdir -p /tmp/a; mount -t tmpfs x /tmp/a && mount --make-rshared /; mount -t tmpfs y /usr; "
                    "mount -o remount,rw /run/host; mount -t tmpfs z /run/host/incoming; mount -o bind /tmp /root && "
                    "echo done", *users)
    assert result.output == "done\n", result


def test_incoming_is_one_way(box, fort):
    """What is mounted on the tunnel inside does not come out."""
    result = inside(box, "mount -t tmpfs z /run/host/incoming; touch /run/host/incoming/x; sleep 0.2")
    assert result.code in (0, 1)
    assert not list(pathlib.Path("/run/systemd/nspawn").rglob("x"))


@pytest.mark.parametrize("path", ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/hostname",
                                  "/proc/sys/fs/protected_symlinks", "/proc/sys/kernel/modprobe", "/proc/irq/0/smp_affinity",
                                  "/sys/kernel/uevent_helper", "/sys/kernel/mm/ksm/run", "/proc/acpi/x"])
def test_kernel_files(box, fort, users, path):
    """Neither as they are, nor after what mount namespaces allow to a root with user namespace."""
    before = pathlib.Path(path).read_text() if os.path.isfile(path) and "/sys/" in path else None
    again = "mount -o remount,rw /proc/sys; mount -o remount,rw /sys; mount -t proc p /tmp;" if users else ""
    inside(box, f"{again} echo {SECRET[:4]} > {path}; echo x > /tmp/{path[6:]}", *users)
    if before is not None:
        assert pathlib.Path(path).read_text() == before


def test_kernel_log(box, fort, users):
    result = inside(box, "dmesg | head -3; probe open /dev/kmsg 0; mknod /tmp/k c 1 11 && probe open /tmp/k 1", *users)
    assert "ok" not in result.output.split() and "Linux version" not in result.output, result


def test_cgroup(box, fort, users):
    """The payload's own group is the top of what it sees, also of a file system that it mounts itself."""
    if os.environ["MUSTER_SANDBOX"] == "none":
        pytest.skip("there are no control groups here")
    mine = pathlib.Path("/proc/self/cgroup").read_text()
    script = ("cat /proc/self/cgroup; mkdir -p /tmp/c; mount -t cgroup2 none /tmp/c && { ls /tmp/c; "
              "cat /tmp/c/cgroup.procs; echo 1 > /tmp/c/../cgroup.procs; mkdir /tmp/c/sub && rmdir /tmp/c/sub; }; "
              "for d in /sys/fs/cgroup/.. /sys/fs/cgroup/../..; do echo 1 > $d/cgroup.procs; done; true")
    result = inside(box, script, *users)
    assert all(line.endswith(":/") for line in result.output.splitlines()
               if re.match(r"\d+:[a-z,_=]*:/", line)), result
    assert "spawn-" not in result.output and "machine.slice" not in result.output, result
    assert pathlib.Path("/proc/self/cgroup").read_text() == mine


def test_type_into_terminal(box, fort, containers):
    """What a payload pushes into its terminal's input is its own; the caller's terminal gets none of it."""
    container = containers(spawn.OURS, box, terminal=(24, 80), command=["sh", "-c", "probe type 'id\n'; echo ended"])
    container.expect("ended")
    assert container.end() == 0
    waiting = array.array("i", [0])
    fcntl.ioctl(container.master, termios.TIOCOUTQ, waiting)
    assert waiting[0] == 0


def test_type_through_pipe(box, fort):
    """In pipe mode the caller's terminal itself may be inside: it is not the payload's controlling terminal."""
    result = inside(box, "probe type x", input="")
    assert result.output in ("ENOTTY\n", "EPERM\n", "EIO\n"), result


class Listener:
    def __init__(self, place):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(place / "notify"))
        self.environment = {"NOTIFY_SOCKET": str(place / "notify")}

    def message(self):
        """The next that has come; None: there is none."""
        try:
            data, ancillary, _, _ = self.socket.recvmsg(8192, 4096, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        assert not ancillary
        return data.decode()

    def messages(self):
        return list(iter(self.message, None))


def test_notify_flood(box, fort, containers):
    """The runner stays awake to signals, and says no more to its manager than there is room for."""
    listener = Listener(box.place)
    container = containers(spawn.OURS, box, environment=listener.environment,
                           command=["probe", "notify", "STATUS=" + "x" * 200, "100000000"])
    heard, done = [], threading.Event()

    def listen():
        while not done.wait(0.001):
            if message := listener.message():
                heard.append(message)
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    try:
        world.wait_until(lambda: len(heard) > 2, "the flood", spawn.PATIENCE)
        container.signal(signal.SIGTERM)
        assert container.end(timeout=spawn.PATIENCE) == 1
    finally:
        done.set()
        thread.join()
    heard += listener.messages()
    assert all(m.startswith(("STATUS=Container running: xxx", "READY=1\nSTATUS=Container started", "STOPPING=1"))
               for m in heard)


@pytest.mark.parametrize("text", ["READY=1\nSTATUS=a\x1b[2Jb", "MAINPID=1", "FDSTORE=1\nFDNAME=x", "WATCHDOG=trigger",
                                  "STATUS=a\nMAINPID=1", "BUSERROR=x", "X" * 5000, "STATUS=" + "y" * 6000, "\n\n\n", "=",
                                  "X_NSPAWN_LEADER_PID=1", "EXIT_STATUS=7", "STOPPING=1"])
def test_notify_text(box, fort, text):
    """With a descriptor, which is dropped. Only what a container may say reaches the manager."""
    listener = Listener(box.place)
    (box.root / "go").write_text(f"#!/bin/sh\nexec probe notify '{text}' 3 fd\n")
    (box.root / "go").chmod(0o755)
    spawn.run(spawn.OURS, box, environment=listener.environment, command=["/go"])
    messages = listener.messages()
    assert messages and "READY=1\nSTATUS=Container started" in messages[0]
    for message in messages[1:-1]:
        lines = message.split("\n")
        assert all(re.match(r"READY=1$|STATUS=Container running", line) for line in lines), message
        assert "\x1b" not in message
    assert messages[-1].startswith("STOPPING=1\nSTATUS=Terminating") and len(messages) < 12


def test_fork_of_runner_is_not_notified(box, fort):
    """A child of PID 1 is nobody."""
    listener = Listener(box.place)
    inside(box, "probe notify STATUS=bad; true", environment=listener.environment)
    assert not [m for m in listener.messages() if "bad" in m]


def test_payload_fills_the_tunnel_and_run(box, fort, users):
    """Memory that a payload fills is limited by the file systems that it gets."""
    result = inside(box, "dd if=/dev/zero of=/dev/big bs=1M count=64 2>/dev/null; ls -l /dev/big | awk '{print $5}'; "
                    "touch /run/host/x || echo ro", *users)
    assert int(result.output.split()[0]) <= 4 << 20 and "ro" in result.output, result


def test_no_host_processes(box, fort, users):
    result = inside(box, "ps | wc -l; cat /proc/1/comm", *users)
    assert int(result.output.split()[0]) < 8, result
