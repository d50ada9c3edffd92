# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every option of muster-spawn, seen by its effect inside of the container.

What --help lists and no test here claims (@shows) makes test_every_option() fail.
"""
import fcntl
import json
import os
import pathlib
import platform
import re
import signal
import socket
import stat
import subprocess
import sys
import termios
import threading
import time

import pytest
import spawn
import world

HERE = pathlib.Path(__file__).parent
SHOWN = set()
# Options whose tests are in files of their own.
ELSEWHERE = {
    "--boot": "test_boot.py",
    "--console-log": "test_console_log.py",
    "--console-log-files": "test_console_log.py",
    "--console-log-size": "test_console_log.py",
    "--directory": "spawn.py",
    "--keep-unit": "spawn.py",
}
# Options that this program does not have yet: it says so, and so does test_not_yet().
NOT_YET = {
    "--image": "/dev/null", "--mstack": "/", "--oci-bundle": "/", "--root-hash": "0" * 64,
    "--root-hash-sig": "base64:AA==", "--verity-data": "/", "--image-policy": "root=verity",
    "--network-bridge": "br0", "--network-zone": "z", "--network-interface": "eth7", "--network-macvlan": "eth7",
    "--network-ipvlan": "eth7", "--network-veth-extra": "a:b", "--network-veth": None, "--bind-user": "daemon",
    "--bind-user-shell": "yes", "--bind-user-group": "adm", "--forward-journal": "/tmp/j",
    "--forward-journal-max-use": "1M", "--forward-journal-keep-free": "1M", "--forward-journal-max-file-size": "1M",
    "--forward-journal-max-files": "3", "--port": "80", "--private-users-delegate": "1", "--user": None,
}
CAPABILITIES_DEFAULT = 0xfdecafff
BOOT_ID = pathlib.Path("/proc/sys/kernel/random/boot_id").read_text().strip().replace("-", "")
SOFT_RESET = re.escape("\033[?47l\033[?1000;1002;1003;1006l\033[!p\033[0m\033[?7h")
NET_ADMIN, CHOWN, SYS_TIME, MKNOD, NET_BIND = 1 << 12, 1 << 0, 1 << 25, 1 << 27, 1 << 10


def shows(*options):
    def claim(test):
        SHOWN.update(options)
        return test
    return claim


@pytest.fixture(params=os.environ.get("MUSTER_OPTIONS_TARGETS", spawn.OURS).split(","))
def target(request):
    reason = spawn.why_not(request.param)
    if reason:
        pytest.skip(reason)
    return request.param


@pytest.fixture
def sh(target, box):
    """sh(script, options...): what the script prints inside; it has to end well, unless code is given."""
    def run(script, *options, code=0, **keywords):
        result = spawn.run(target, box, *options, command=["sh", "-c", script] if script else (), **keywords)
        if code is not None:
            assert result.code == code, result
        run.result = result
        return result.output
    return run


def without_context(text):
    """What was shown, without what tells a terminal whose output it is."""
    return re.sub(r"\033\]3008;[^\033]*\033\\|\033\[2[23];2t|\033\]2;[^\033]*\033\\|" + SOFT_RESET, "", text)


def options_of_help():
    text = subprocess.run([spawn.program(spawn.OURS), "--help"], capture_output=True, text=True, check=True).stdout
    return set(re.findall(r"^ +(?:-\w, )?(--[a-z0-9-]+|-[A-Za-z]\b)", text, re.MULTILINE))


def status(text, key):
    return re.search(rf"^{key}:\s*(.*)$", text, re.MULTILINE).group(1)


def capabilities(text, key="CapBnd"):
    return int(status(text, key), 16)


def own_capabilities():
    return capabilities(pathlib.Path("/proc/self/status").read_text(), "CapPrm")


def mounts(text):
    """{mount point: (root, flags, type, options of the file system)}, of /proc/self/mountinfo."""
    found = {}
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields = left.split()
        if len(fields) > 5 and right.count(" ") > 1:
            fstype, _, options = right.split(" ", 2)
            found[fields[4]] = (fields[3], fields[5].split(","), fstype, options.split(","))
    return found


# The table


def test_every_option():
    found = options_of_help()
    assert len(found) > 80, found
    assert found - SHOWN - set(ELSEWHERE) - set(NOT_YET) == set()
    assert (SHOWN | set(ELSEWHERE) | set(NOT_YET)) - found == set()
    for option, file in ELSEWHERE.items():
        assert option in (HERE / file).read_text(), f"{file} does not test {option}"


@pytest.mark.parametrize("option", sorted(NOT_YET))
def test_not_yet(option, box):
    """No option is taken and then forgotten."""
    words = [f"{option}={NOT_YET[option]}" if NOT_YET[option] else option]
    words += {"--port": ["--network-veth"], "--bind-user-shell": ["--bind-user=daemon"], "--private-users-delegate":
              ["--private-users=managed", "--private-network"], "--bind-user-group": ["--bind-user=daemon"]}.get(option, [])
    place = [] if option in ("--image", "--mstack", "--oci-bundle") else [f"--directory={box.root}"]
    result = subprocess.run([spawn.program(spawn.OURS), "--keep-unit", "--register=no", *place, *words, "true"],
                            capture_output=True, text=True)
    assert result.returncode == 1
    last = result.stderr.splitlines()[-1]
    assert option in last or option.startswith("--forward-journal-") or (words[1:] and words[1].split("=")[0] in last)


# General


@shows("--help", "--version", "--no-pager")
def test_help_and_version():
    ours = spawn.program(spawn.OURS)
    for words in ([["--help"], ["-h"], ["--no-pager", "--help"]]):
        result = subprocess.run([ours, *words], capture_output=True, text=True)
        assert (result.returncode, result.stderr) == (0, "") and result.stdout.startswith("Usage: muster-spawn")
    result = subprocess.run([ours, "--version"], capture_output=True, text=True)
    assert result.returncode == 0 and re.match(r"muster-spawn \d", result.stdout)


@shows("--quiet")
def test_quiet(box):
    """Without it a payload's end is told."""
    words = [spawn.program(spawn.OURS), "--register=no", "--keep-unit", "--console=read-only", f"--directory={box.root}"]
    cgroup = spawn.ControlGroup()
    for quiet in ([], ["--quiet"], ["-q"]):
        result = subprocess.run(cgroup.command([*words, *quiet, "sh", "-c", "exit 3"]), capture_output=True, text=True,
                                stdin=subprocess.DEVNULL)
        assert result.returncode == 3
        assert ("exit status 3" in result.stderr) == (not quiet), result.stderr
    cgroup.remove()


@shows("--dry-run")
@pytest.mark.parametrize("mode", ["", "=text", "=json"])
def test_dry_run(box, mode):
    """Nothing is done: neither the tree nor the host changes."""
    def everything():
        return {str(p): p.lstat().st_mtime_ns for p in box.root.rglob("*")}
    before, tree_before = spawn.Leftovers(), everything()
    result = spawn.run(spawn.OURS, box, f"--dry-run{mode}", "--private-network", "--bind=:/new/place", "--tmpfs=/t",
                       "--set-credential=a:b", "--private-users=pick", "--timezone=copy", "--link-journal=try-guest",
                       command=["touch", "/touched"])
    assert result.code == 0 and "touch" in result.output, result
    assert before.found(timeout=0) == [] and everything() == tree_before
    if mode == "=json":
        plan = json.loads(result.output)
        assert plan and "/new/place" in result.output


@shows("--no-ask-password", "--system", "--register", "--background")
def test_accepted(sh):
    """No question is ever asked, and the machines are the system's anyway; a colour is for a terminal."""
    assert sh("echo fine", "--no-ask-password", "--system", "--register=auto", "--background=44") == "fine\n"


@shows("--cleanup")
def test_cleanup(box):
    """What a run that was killed has left in /run goes; with it the hidden copy, which has its own tests."""
    place = pathlib.Path("/run/systemd/nspawn/propagate/box")
    place.mkdir(parents=True, exist_ok=True)
    thrown = pathlib.Path("/var/tmp/muster-spawn-abcdef")
    (thrown / "src/deep").mkdir(parents=True)
    result = spawn.run(spawn.OURS, box, "--cleanup", command=["touch", "/ran"])
    assert result.code == 0, result
    assert not place.exists() and not thrown.exists() and not (box.root / "ran").exists()


def test_cleanup_of_what_runs(box, containers):
    container = containers(spawn.OURS, box, "--bind=:/mnt/a", input=True,
                           command=["sh", "-c", "echo there; read x; touch /mnt/a/x && echo fine"])
    container.expect("there")
    result = spawn.run(spawn.OURS, box, "--cleanup")
    assert result.code == 1 and "busy" in result.messages
    assert spawn.run(spawn.OURS, None, f"--directory={box.place}", "--cleanup").code == 0
    container.send("go\n")
    container.expect("fine")
    assert container.end() == 0


# Execution


@shows("--chdir")
def test_chdir(sh):
    assert sh("pwd") == "/\n"
    assert sh("pwd", "--chdir=/usr") == "/usr\n"


@shows("--setenv")
def test_setenv(sh):
    text = sh("env; echo dollar $PATH", "--setenv=A=1", "-E", "PATH=/bin", "-E", "HOSTVAR", "-E", "UNSET",
              "-E", "container=x", "-E", "A=2", "-E", "EQ=a=b", environment={"HOSTVAR": "of host", "OTHER": "leaks"})
    lines = text.splitlines()
    for wanted in ("A=2", "PATH=/bin", "HOSTVAR=of host", "UNSET=", "container=x", "EQ=a=b", "dollar /bin"):
        assert wanted in lines, text
    assert "leaks" not in text and "A=1" not in lines


def test_environment(sh):
    """All of it, of a command without options."""
    names = {line.split("=", 1)[0]: line.split("=", 1)[1] for line in sh("env").splitlines()}
    assert names.pop("container") == "systemd-nspawn"
    assert re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", names.pop("container_uuid"))
    assert names.pop("TERM") == "dumb"
    assert names.pop("PATH") == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    for name in [n for n in names if n.startswith("container_host_") or n in ("PWD", "SHLVL", "_")]:
        del names[name]
    assert names == {"HOME": "/root", "USER": "root", "LOGNAME": "root", "NOTIFY_SOCKET": "/run/host/notify",
                     "LANG": "C.UTF-8"}


@shows("--uid")
def test_uid(sh, box):
    (box.root / "etc/passwd").write_text("root::0:0:root:/root:/bin/sh\nanna:x:1234:1235::/home/anna:/bin/sh\n")
    (box.root / "etc/group").write_text("root:x:0:\nanna:x:1235:\nsound:x:29:eve,anna\nvideo:x:44:eve\n")
    text = sh("id; echo $HOME $USER $LOGNAME; pwd; stat -c '%u %g %a' /home/anna; cat /proc/self/status", "-u", "anna")
    assert text.startswith("uid=1234(anna) gid=1235(anna) groups=29(sound)\n"
                           "/home/anna anna anna\n/\n1234 1235 755\n"), text
    assert capabilities(text, "CapEff") == capabilities(text, "CapPrm") == capabilities(text, "CapInh") == 0
    assert capabilities(text) == CAPABILITIES_DEFAULT & own_capabilities()
    assert sh("id -u; id -g; echo $USER", "--uid=65534") == "65534\n65534\n65534\n"
    assert sh("id -u", "--uid=0") == "0\n"


@shows("--kill-signal")
def test_kill_signal(target, box, containers):
    script = "trap 'echo got; exit 4' USR1; echo there; while :; do sleep 0.05; done"
    container = containers(target, box, "--kill-signal=SIGUSR1", command=["sh", "-c", script])
    container.expect("there")
    container.signal(signal.SIGTERM)
    container.expect("got")
    assert container.end() == 4


def test_no_kill_signal(target, box, containers):
    container = containers(target, box, command=["sh", "-c", "trap : TERM; echo there; sleep 1000"])
    container.expect("there")
    container.signal(signal.SIGTERM)
    assert container.end(timeout=spawn.PATIENCE) == 1


@shows("--as-pid2")
def test_as_pid2(sh):
    text = sh("echo $$; cat /proc/1/comm; tr '\\0' ' ' < /proc/1/environ; cut -d' ' -f4,5,6 /proc/$$/stat", "-a",
              "--setenv=A=secret", environment={"OWN": "also-secret"})
    lines = text.splitlines()
    assert lines[0] == "2" and "stub" in lines[1] and lines[-1].endswith("1 2 2"), text
    assert "secret" not in text and "container=systemd-nspawn" in text
    assert sh("exit 7", "-a", code=7) == ""
    assert sh("kill -SEGV $$", "-a", code=255) == ""


@shows("--suppress-sync")
def test_suppress_sync(sh):
    assert sh("probe sync /root") == "fsync ok\nfsync-nothing EBADF\nopen ok\n"
    assert sh("probe sync /root", "--suppress-sync=yes") == "fsync ok\nfsync-nothing ok\nopen EINVAL\n"


class Manager:
    """A service manager's end of $NOTIFY_SOCKET."""

    def __init__(self, place):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.path = str(place / "notify")
        self.socket.bind(self.path)
        self.environment = {"NOTIFY_SOCKET": self.path}

    def hear(self, timeout=20):
        """The next message; "" when none comes."""
        self.socket.settimeout(timeout)
        try:
            return self.socket.recv(4096).decode()
        except TimeoutError:
            return ""


@shows("--notify-ready")
def test_notify_ready(target, box, containers):
    manager = Manager(box.place)
    container = containers(target, box, "--notify-ready=yes", environment=manager.environment, input=True, command=[
        "sh", "-c", "read x; exec probe notify READY=1"])
    first = manager.hear()
    assert "READY=1" not in first and f"X_NSPAWN_LEADER_PID={world_pid(container)}" in first
    container.send("go\n")
    assert manager.hear() == "READY=1"
    assert container.end() == 0
    last = manager.hear()
    assert "STOPPING=1" in last and "EXIT_STATUS=0" in last


def world_pid(container):
    """The payload's number on the host."""
    return next(iter(container.cgroup.processes() - {container.process.pid}))


def test_notify(target, box):
    manager = Manager(box.place)
    assert spawn.run(target, box, environment=manager.environment,
                     command=["probe", "notify", "STATUS=two\nMAINPID=1\nFDSTORE=1"]).code == 0
    assert "READY=1" in manager.hear()
    assert manager.hear() == "STATUS=Container running: two"
    assert "EXIT_STATUS=0" in manager.hear()


def test_fd_store(box):
    """A manager with room for descriptors ($FDSTORE) gets those of the payload, by a name that says whose they are."""
    manager = Manager(box.place)
    heard = []
    (box.root / "go").write_text("#!/bin/sh\nexec >/kept\nexec probe notify \"$1\" 1 $2\n")
    (box.root / "go").chmod(0o755)
    for text, *fd in [("FDSTORE=1\nFDNAME=foo", "fd"), ("FDSTOREREMOVE=1\nFDNAME=foo",), ("FDSTORE=1",),
                      ("FDSTORE=1\nSTATUS=two\nFDNAME=a:b", "fd")]:
        result = spawn.run(spawn.OURS, box, environment={**manager.environment, "FDSTORE": "10"}, command=["/go", text, *fd])
        assert result.code == 0, result
        while True:
            manager.socket.settimeout(10)
            message, fds, _, _ = socket.recv_fds(manager.socket, 4096, 10)
            if message.startswith(b"STOPPING"):
                break
            heard.append((message.decode(), [os.readlink(f"/proc/self/fd/{n}") for n in fds]))
            for n in fds:
                os.close(n)
    kept = "/kept"  # as the payload calls it: nobody else has a name for it
    heard = [entry for entry in heard if "Container started" not in entry[0]]
    assert heard == [("FDSTORE=1\nFDNAME=payload-foo\nFDPOLL=0", [kept]), ("FDSTOREREMOVE=1\nFDNAME=payload-foo", []),
                     ("STATUS=Container running: two", []), ("FDSTORE=1\nFDNAME=payload-stored\nFDPOLL=0", [kept])], heard


def test_no_fd_store(box, containers):
    """Where nobody keeps them, the kernel says so to who sends them, if it can."""
    manager = Manager(box.place)
    new = tuple(map(int, platform.release().split(".")[:2])) >= (6, 16)
    for store in ({}, {"FDSTORE": "0"}):
        container = containers(spawn.OURS, box, environment={**manager.environment, **store}, input=True, command=[
            "sh", "-c", "read x; exec probe notify FDSTORE=1 1 fd"])
        assert "READY=1" in manager.hear()  # before that the socket is made so
        container.send("go\n")
        container.expect("EPERM\n" if new else "ok\n")
        assert container.end() == new
        assert "STOPPING=1" in manager.hear()


def test_socket_activation(box):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(str(box.place / "listen"))
    listener.listen()
    cgroup = spawn.ControlGroup()

    start = [sys.executable, "-c", "import os, sys; os.dup2(int(sys.argv[1]), 3); os.environ.update(LISTEN_FDS='1', "
             "LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES='name'); os.execv(sys.argv[2], sys.argv[2:])",
             str(listener.fileno())]
    words = [spawn.program(spawn.OURS), "--register=no", "--keep-unit", "--pipe", f"--directory={box.root}", "sh", "-c",
             "ls /proc/self/fd | tr '\\n' ' '; echo ${LISTEN_FDNAMES-none}; probe listen"]
    process = subprocess.Popen([*start, *words], stdout=subprocess.PIPE, stdin=subprocess.DEVNULL,
                               pass_fds=[listener.fileno()], preexec_fn=cgroup.enter, text=True)
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.settimeout(20)
    client.connect(str(box.place / "listen"))
    client.send(b"hello inside")
    assert client.recv(64) == b"got it"
    output = process.communicate(timeout=30)[0]
    listener.close()
    cgroup.remove()
    assert output == "0 1 2 3 4 none\n1 1\nhello inside\n", output  # 4 is ls's own


# Identity


@shows("--machine", "--hostname")
def test_names(sh):
    assert sh("uname -n", name="other") == "other\n"
    assert sh("uname -n", "--hostname=foo.bar", name="other") == "foo.bar\n"


def test_machine_found_by_name(box):
    os.symlink(box.root, "/var/lib/machines/found")
    try:
        result = spawn.run(spawn.OURS, None, name="found", command=["uname", "-n"])
        assert (result.code, result.output) == (0, "found\n"), result
    finally:
        os.unlink("/var/lib/machines/found")


@shows("--uuid")
def test_uuid(sh, box):
    number = "000102030405060708090a0b0c0d0e0f"
    dashed = "00010203-0405-0607-0809-0a0b0c0d0e0f"
    script = "echo $container_uuid; cat /run/host/container-uuid"
    assert sh(script, f"--uuid={number}") == f"{dashed}\n{dashed}\n"
    assert sh(script, f"--uuid={dashed}") == f"{dashed}\n{dashed}\n"
    (box.root / "etc/machine-id").write_text("uninitialized\n")
    assert sh(script, f"--uuid={number}") == f"{dashed}\n{dashed}\n"
    (box.root / "etc/machine-id").write_text("f" * 31 + "1\n")
    assert sh(script, f"--uuid={number}").startswith("ffffffff-ffff-ffff-ffff-fffffffffff1\n")


@shows("--slice", "--property")
def test_scope_options(sh):
    assert sh("echo runs", "--slice=x", "--property=CPUWeight=100") == "runs\n"
    messages = sh.result.messages.splitlines()
    assert len(messages) == 2 and "--slice=" in messages[0] and "--property=" in messages[1]


# Security and resources


@shows("--personality")
def test_personality(sh):
    if os.uname().machine == "x86_64":
        assert sh("uname -m", "--personality=x86") == "i686\n"
        assert sh("uname -m", "--personality=x86-64") == "x86_64\n"


@shows("--no-new-privileges")
def test_no_new_privileges(sh):
    assert status(sh("cat /proc/self/status"), "NoNewPrivs") == "0"
    assert status(sh("cat /proc/self/status", "--no-new-privileges=yes"), "NoNewPrivs") == "1"


@shows("--rlimit")
def test_rlimit(sh):
    text = sh("cat /proc/self/limits", "--rlimit=NOFILE=64:128", "--rlimit=LimitCORE=infinity",
              "--rlimit=RLIMIT_CPU=10min", "--rlimit=AS=1G", "--rlimit=NPROC=77")

    def limit(name):
        return re.search(rf"^{name} +(\S+) +(\S+)", text, re.MULTILINE).groups()
    assert limit("Max open files") == ("64", "128")
    assert limit("Max core file size") == ("unlimited", "unlimited")
    assert limit("Max cpu time") == ("600", "600")
    assert limit("Max address space") == ("1073741824", "1073741824")
    assert limit("Max processes") == ("77", "77")
    assert limit("Max stack size")[0] == "8388608"


@shows("--oom-score-adjust")
def test_oom_score(sh):
    assert sh("cat /proc/self/oom_score_adj", "--oom-score-adjust=500") == "500\n"


@shows("--cpu-affinity")
def test_cpu_affinity(sh):
    cpu = max(os.sched_getaffinity(0))
    assert status(sh("cat /proc/self/status", f"--cpu-affinity={cpu}"), "Cpus_allowed_list") == str(cpu)


@shows("--capability", "--drop-capability")
def test_capabilities(sh):
    own = own_capabilities()

    def bounding(*options):
        text = sh("cat /proc/self/status", *options)
        assert capabilities(text) == capabilities(text, "CapEff") == capabilities(text, "CapPrm")
        assert capabilities(text, "CapAmb") == 0
        return capabilities(text)
    assert bounding() == CAPABILITIES_DEFAULT & own
    assert bounding("--private-network") == (CAPABILITIES_DEFAULT | NET_ADMIN) & own
    assert bounding("--capability=cap_sys_time,12") == (CAPABILITIES_DEFAULT | NET_ADMIN | SYS_TIME) & own
    assert bounding("--capability=all") == own
    assert bounding("--drop-capability=CAP_MKNOD", "--capability=CAP_MKNOD") == CAPABILITIES_DEFAULT & ~MKNOD & own
    assert bounding("--drop-capability=all") == 0


@shows("--ambient-capability")
def test_ambient_capability(sh):
    text = sh("cat /proc/self/status", "--uid=65534", "--ambient-capability=CAP_CHOWN")
    assert [capabilities(text, k) for k in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [CHOWN] * 4
    assert capabilities(text) == CAPABILITIES_DEFAULT & own_capabilities()


SWAPON, ADD_KEY, PIVOT_ROOT, MLOCK, FUTURE, SOCKET = (
    {"x86_64": (167, 248, 155, 149, 9999, 41), "aarch64": (224, 217, 41, 228, 9999, 198)}
    .get(os.uname().machine, (0,) * 6))


@shows("--system-call-filter")
@pytest.mark.skipif(not SWAPON, reason="no numbers of system calls for this machine")
def test_system_call_filter(sh):
    script = "; ".join(f"probe call {number} /nowhere 0 0 0" for number in (SWAPON, PIVOT_ROOT, MLOCK, FUTURE))
    assert sh(script).split()[::2] == ["EPERM", "EPERM"]  # swapon, mlock
    assert sh(script).split()[3] == "ENOSYS"
    assert sh(script, "--system-call-filter=@swap mlock").split()[0] != "EPERM" or \
        not own_capabilities() & 1 << 21
    assert sh(f"probe call {MLOCK} 0 0", "--system-call-filter=mlock") == "ok\n"
    assert sh(f"probe call {MLOCK} 0 0", "--capability=CAP_IPC_LOCK") == "ok\n"
    assert sh(f"probe call {MLOCK} 0 0", "--system-call-filter=mlock", "--system-call-filter=~mlock") == "EPERM\n"
    assert sh("mount -t tmpfs x /root && echo mounted") == "mounted\n"
    assert sh("mount -t tmpfs x /root && echo mounted", "--system-call-filter=~mount", code=1) == ""


@shows("--restrict-address-families")
@pytest.mark.skipif(not SOCKET, reason="no numbers of system calls for this machine")
def test_restrict_address_families(sh):
    unix, inet, inet6, netlink = 1, 2, 10, 16

    def allowed(*options):
        script = "; ".join(f"probe call {SOCKET} {family} 2 0" for family in (unix, inet, inet6, netlink))
        answers = sh(script, *options).split()
        assert set(answers) <= {"ok", "EAFNOSUPPORT"}, answers
        return [answer == "ok" for answer in answers]
    assert allowed() == [True] * 4
    assert allowed("--restrict-address-families=AF_INET AF_UNIX") == [True, True, False, False]
    assert allowed("--restrict-address-families=~AF_INET") == [True, False, True, True]
    assert allowed("--restrict-address-families=none") == [False] * 4
    assert allowed("--restrict-address-families=") == [True] * 4
    assert sh(f"probe call {SOCKET} 16 3 9") == "EAFNOSUPPORT\n"  # NETLINK_AUDIT


@shows("--selinux-context", "--selinux-apifs-context")
@pytest.mark.skipif(os.path.exists("/sys/fs/selinux/enforce"), reason="SELinux is on")
@pytest.mark.parametrize("option", ["--selinux-context", "--selinux-apifs-context"])
def test_selinux(box, option):
    """A confinement that cannot be had is refused, not left out."""
    result = spawn.run(spawn.OURS, box, f"{option}=system_u:system_r:container_t:s0", command=["true"])
    assert result.code == 1 and option in result.messages and "SELinux" in result.messages, result


@pytest.mark.parametrize("options", [(), ("-U",), ("--read-only",)])
def test_kernel_log(sh, target, options):
    """/proc/kmsg of a container has nothing to read, which takes for ever; nobody waits to open it."""
    if target == spawn.ORIGINAL and "-U" in options:
        pytest.skip("it leaves the owner of the tree's files changed")
    script = ("probe open /proc/kmsg 0; timeout 1 cat /proc/kmsg; echo $?; "
              "timeout 5 sh -c 'echo written > /proc/kmsg; read line < /proc/kmsg; echo $line'; stat -c '%F %a %u' /proc/kmsg")
    assert sh(script, *options).splitlines() == ["ok", "143", "written", "fifo 600 0"]


# Users


@shows("--private-users", "-U", "--private-users-ownership")
def test_private_users(sh, box):
    base = sh("cat /proc/self/uid_map", "-U", name="foobar").split()
    assert base == ["0", "276955136", "65536"]  # of the name
    text = sh("cat /proc/self/uid_map /proc/self/gid_map; stat -c %u /etc /proc/1; touch /made; stat -c %u /made",
              "--private-users=1000:70000", "--private-users-ownership=map")
    assert text.split() == ["0", "1000", "70000"] * 2 + ["0", "0", "0"]
    assert (box.root / "made").stat().st_uid == 0
    assert sh("stat -c %u /etc", "--private-users=131072", "--private-users-ownership=off") == "65534\n"
    assert sh("cat /proc/self/uid_map", "--private-users=identity").split() == ["0", "0", "65536"]
    assert sh("readlink /proc/self/ns/user", "--private-users=no") == os.readlink("/proc/self/ns/user") + "\n"
    text = sh("cat /proc/self/status", "-U", "--private-network")
    assert capabilities(text) & NET_ADMIN
    assert not capabilities(sh("cat /proc/self/status", "-U")) & NET_BIND


# Network


@shows("--private-network")
def test_private_network(sh):
    text = sh("ls /sys/class/net; cat /sys/class/net/lo/flags; readlink /proc/self/ns/net; cat /proc/self/mountinfo",
              "--private-network")
    assert text.splitlines()[:2] == ["lo", "0x9"]
    assert text.splitlines()[2] != os.readlink("/proc/self/ns/net")
    assert mounts(text)["/sys"][2] == "tmpfs" and "rw" in mounts(text)["/proc/sys/net"][1]
    assert sh("readlink /proc/self/ns/net") == os.readlink("/proc/self/ns/net") + "\n"


@shows("--network-namespace-path")
def test_network_namespace_path(sh, box):
    holder = subprocess.Popen(["unshare", "-n", "sh", "-c", "ip link add seen type veth peer name other; echo; cat"],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        path = f"/proc/{holder.pid}/ns/net"
        text = sh("cat /proc/net/dev; cat /proc/self/status", f"--network-namespace-path={path}")
        assert "seen:" in text and not capabilities(text) & NET_ADMIN
        assert capabilities(sh("cat /proc/self/status", f"--network-namespace-path={path}", "--private-network")) \
            & NET_ADMIN
    finally:
        holder.communicate(timeout=10)


# Files of the host


@shows("--resolv-conf")
def test_resolv_conf(sh, box):
    host, inside = pathlib.Path("/etc/resolv.conf"), box.root / "etc/resolv.conf"
    if not host.is_file():
        pytest.skip("this host has no /etc/resolv.conf")
    script = "cat /etc/resolv.conf; cat /proc/self/mountinfo >&2"

    def seen(mode, before="own\n"):
        if inside.is_symlink() or inside.exists():
            inside.unlink()
        if before is not None:
            inside.write_text(before)
            inside.chmod(0o600)
        return sh(script, f"--resolv-conf={mode}", code=None)
    assert seen("auto") == seen("copy-host") == host.read_text() == inside.read_text()
    assert stat.S_IMODE(inside.stat().st_mode) == 0o644
    assert seen("copy-host", None) == host.read_text()
    assert seen("replace-host") == host.read_text() == inside.read_text()
    assert seen("bind-host") == host.read_text() and inside.read_text() == "own\n"
    flags = mounts(sh.result.messages)["/etc/resolv.conf"][1]
    assert {"ro", "nosuid", "nodev"} <= set(flags)
    assert seen("off") == "own\n"
    assert seen("delete") == "" and not inside.exists()
    assert seen("copy-static") == "own\n" or pathlib.Path("/usr/lib/systemd/resolv.conf").exists()
    inside.unlink(missing_ok=True)
    inside.symlink_to("elsewhere")
    assert sh("readlink /etc/resolv.conf") == "elsewhere\n"  # the tree's own arrangement
    assert sh("readlink /etc/resolv.conf || echo file", "--resolv-conf=replace-host") == "file\n"
    inside.write_text("own\n")
    assert sh("cat /etc/resolv.conf", "--private-network") == "own\n"


@shows("--timezone")
def test_timezone(sh, box):
    host, inside = pathlib.Path("/etc/localtime"), box.root / "etc/localtime"
    if not host.is_symlink() or "zoneinfo/" not in os.readlink(host):
        pytest.skip("the time zone of this host is not a link")
    zone = os.readlink(host).split("zoneinfo/", 1)[1]
    target = box.root / "usr/share/zoneinfo" / zone
    script = "readlink /etc/localtime; cat /proc/self/mountinfo"

    def seen(mode):
        inside.unlink(missing_ok=True)
        inside.symlink_to("../usr/share/zoneinfo/Other")
        return sh(script, f"--timezone={mode}", code=None)
    target.parent.mkdir(parents=True)
    target.write_text("zone\n")
    (box.root / "usr/share/zoneinfo/Other").touch()
    for mode in ("auto", "symlink"):
        assert seen(mode).splitlines()[0] == f"../usr/share/zoneinfo/{zone}"
    assert seen("off").splitlines()[0].endswith("Other")
    seen("copy")
    assert not inside.is_symlink() and inside.read_bytes() == host.read_bytes()
    assert "/usr/share/zoneinfo/Other" in mounts(seen("bind"))
    seen("delete")
    assert not os.path.lexists(inside)


@shows("--link-journal", "-j")
def test_link_journal(sh, box):
    journal = box.root / "var/log/journal"
    sh("true", "--link-journal=no")
    assert not journal.exists()
    sh("true")
    assert journal.is_dir()
    sh("true", "-j")


@pytest.mark.parametrize("mode", ["host", "guest"])
def test_link_journal_host(box, mode):
    """A journal that was asked for is linked, or the start fails; here the host has no place for it."""
    if os.path.exists("/var/log/journal"):
        pytest.skip("this host has a journal")
    (box.root / "etc/machine-id").write_text("f" * 31 + "1\n")
    result = spawn.run(spawn.OURS, box, f"--link-journal={mode}", command=["true"])
    assert result.code == 1 and "--link-journal" in result.messages, result


# Image


@shows("--read-only")
def test_read_only(sh, box):
    text = sh("touch /x; touch /usr/x; touch /tmp/x && echo tmp; cat /proc/self/mountinfo", "--read-only")
    assert "ro" in mounts(text)["/"][1] and text.startswith("tmp\n")
    assert not (box.root / "x").exists()


@shows("--volatile")
@pytest.mark.parametrize("mode, fs, rw, usr", [("state", "tmpfs", False, None), ("overlay", "overlay", True, None),
                                               ("no", "tmpfs", True, None)])
def test_volatile(sh, box, mode, fs, rw, usr):
    text = sh("touch /etc/x; touch /var/y; ls /var/y; cat /proc/self/mountinfo", f"--volatile={mode}")
    found = mounts(text)
    assert text.startswith("/var/y\n")
    assert found["/"][2] == fs and ("rw" in found["/"][1]) == rw
    assert ("/var" in found) == (mode == "state")
    assert ((box.root / "etc/x").exists(), (box.root / "var/y").exists()) == ((mode == "no"),) * 2


def test_volatile_yes(sh, box):
    """Only /usr stays; for it all has to be there."""
    result = spawn.run(spawn.OURS, box, "--volatile", command=["true"])
    assert result.code == 1 and "--volatile" in result.messages
    for name in ("bin", "sbin"):
        (box.root / name).rename(box.root / "usr" / f"{name}.moved")
        subprocess.run(["cp", "-a", box.root / "usr" / f"{name}.moved/.", box.root / "usr" / name], check=True)
        (box.root / name).symlink_to(f"usr/{name}")
    text = sh("touch /x /etc/x; touch /usr/x; ls /etc; cat /proc/self/mountinfo", "--volatile")
    found = mounts(text)
    assert found["/"][2] == "tmpfs" and "rw" in found["/"][1] and "ro" in found["/usr"][1]
    assert text.split("\n")[:3] == ["localtime", "resolv.conf", "x"] and not (box.root / "usr/x").exists()


@shows("--pivot-root")
def test_pivot_root(sh, box):
    inner = box.root / "deploy/one"
    inner.mkdir(parents=True)
    for name in ("bin", "usr", "etc"):
        subprocess.run(["cp", "-a", box.root / name, inner], check=True)
    (inner / "sysroot").mkdir()
    assert "sysroot" in sh("ls /", "--pivot-root=/deploy/one")
    text = sh("ls /; echo; ls /sysroot", "--pivot-root=/deploy/one:/sysroot")
    first, second = text.split("\n\n")
    assert "deploy" in second and "deploy" not in first.split()



@shows("--ephemeral")
def test_ephemeral(sh, box):
    assert sh("echo x > /made; cat /made; uname -n", "--ephemeral") == "x\nbox\n"
    assert not (box.root / "made").exists()


@shows("--template")
def test_template(box):
    new = box.place / "new"
    for _ in range(2):  # the second time it is there
        result = spawn.run(spawn.OURS, None, f"--template={box.root}", f"--directory={new}",
                           command=["sh", "-c", "echo x >> /made; cat /made"])
        assert result.code == 0, result
    assert result.output == "x\nx\n" and not (box.root / "made").exists()
    subprocess.run(["rm", "-rf", new, *box.place.glob(".#*")], check=True)


# Mounts


@pytest.fixture
def host(box):
    """A directory of the host, with files and a mount of its own."""
    place = box.place / "host"
    (place / "below").mkdir(parents=True)
    (place / "file").write_text("of host\n")
    subprocess.run(["mount", "-t", "tmpfs", "none", place / "below"], check=True)
    (place / "below/deep").write_text("deep\n")
    yield place
    subprocess.run(["umount", place / "below"], check=True)


@shows("--bind", "--bind-ro")
class TestBind:
    def test_directory(self, sh, host):
        text = sh("cat /mnt/a/file /mnt/a/below/deep; echo new > /mnt/a/made; cat /proc/self/mountinfo",
                  f"--bind={host}:/mnt/a")
        assert text.startswith("of host\ndeep\n") and "rw" in mounts(text)["/mnt/a"][1]
        assert (host / "made").read_text() == "new\n"

    def test_not_recursive(self, sh, host):
        assert sh("ls /mnt/a/below", f"--bind={host}:/mnt/a:norbind") == ""
        assert sh("ls /mnt/a/below", f"--bind={host}:/mnt/a:rbind") == "deep\n"

    def test_read_only(self, sh, host):
        text = sh("touch /mnt/a/x; touch /mnt/a/below/x; cat /proc/self/mountinfo", f"--bind-ro={host}:/mnt/a")
        assert "ro" in mounts(text)["/mnt/a"][1] and "ro" in mounts(text)["/mnt/a/below"][1]
        assert not (host / "x").exists() and not (host / "below/x").exists()

    def test_file(self, sh, host, box):
        assert sh("cat /mnt/new/file", f"--bind-ro={host}/file:/mnt/new/file") == "of host\n"
        assert stat.S_IMODE((box.root / "mnt/new/file").stat().st_mode) == 0o644

    def test_same_path(self, sh, host, box):
        assert sh(f"cat {host}/file", f"--bind={host}") == "of host\n"
        assert not (box.root / str(host)[1:]).exists()  # /run is in memory

    def test_inside(self, sh, box):
        (box.root / "srv").mkdir()
        (box.root / "srv/inner").write_text("inner\n")
        assert sh("cat /mnt/i/inner", "--bind=+/srv:/mnt/i") == "inner\n"

    def test_throw_away(self, sh):
        assert sh("stat -c '%a %u %g' /mnt/e; touch /mnt/e/x && ls /mnt/e", "--bind=:/mnt/e") == "755 0 0\nx\n"
        assert sh("stat -c '%a %u %g' /mnt/e", "--bind=:/mnt/e", "-U") == "755 0 0\n"

    def test_escaped(self, sh, host):
        (host / "a:b").mkdir()
        (host / "a:b/c").write_text("colon\n")
        assert sh("cat /mnt/x:y/c", f"--bind={host}/a\\:b:/mnt/x\\:y") == "colon\n"

    def test_relative(self, box, host):
        words = [spawn.program(spawn.OURS), "--quiet", "--register=no", "--keep-unit", "--pipe", f"--directory={box.root}",
                 "--bind=file:/mnt/f", "cat", "/mnt/f"]
        result = subprocess.run(self.group().command(words), cwd=host, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.cgroup.remove()
        assert result.stdout == "of host\n", result.stderr

    def group(self):
        self.cgroup = spawn.ControlGroup()
        return self.cgroup

    @pytest.mark.parametrize("mapping, owner, made", [("noidmap", 65534, None), ("idmap", 1000, 0),
                                                      ("rootidmap", 0, 1000), ("owneridmap", 1010, 1000)])
    def test_owners(self, sh, host, box, mapping, owner, made):
        os.chown(host, 1000, 1000)
        (box.root / "mnt/o").mkdir(parents=True)
        os.chown(box.root / "mnt/o", 1010, 1010)
        text = sh("stat -c %u /mnt/o; touch /mnt/o/made; true", "--private-users=pick",
                  "--private-users-ownership=map", f"--bind={host}:/mnt/o:norbind,{mapping}")
        assert text == f"{owner}\n"
        if mapping in ("idmap", "rootidmap"):
            assert (host / "made").stat().st_uid == made

    def test_device(self, sh):
        assert sh("test -c /dev/other && head -c 3 /dev/other | wc -c", "--bind=/dev/zero:/dev/other") == "3\n"

    def test_root(self, sh, box):
        other = box.place / "other"
        subprocess.run(["cp", "-a", box.root, other], check=True)
        (other / "other").touch()
        assert "other" in sh("ls /", f"--bind={other}:/").split()

    def test_order(self, sh, host):
        """By the depth of the destination, whatever the order on the command line."""
        assert sh("cat /mnt/a/below/file", f"--bind={host}:/mnt/a/below", f"--bind={host}:/mnt/a") == "of host\n"


@shows("--tmpfs")
def test_tmpfs(sh):
    text = sh("cat /proc/self/mountinfo; stat -c %a /mnt/t /mnt/s", "--tmpfs=/mnt/t",
              "--tmpfs=/mnt/s:size=1M,mode=1777,nosuid")
    found = mounts(text)
    assert found["/mnt/t"][2] == "tmpfs" and {"rw", "nodev"} <= set(found["/mnt/t"][1])
    assert {"nosuid", "nodev"} <= set(found["/mnt/s"][1]) and "size=1024k" in found["/mnt/s"][3]
    assert text.endswith("755\n1777\n")
    assert sh("stat -c '%u %g' /mnt/t", "--tmpfs=/mnt/t", "-U") == "0 0\n"


@shows("--overlay", "--overlay-ro")
def test_overlay(sh, box):
    for name in ("a", "b", "up"):
        (box.place / name).mkdir()
    for name in ("a", "b"):
        (box.place / name / "both").write_text(f"{name}\n")
        (box.place / name / name).touch()
    layers = ":".join(str(box.place / name) for name in ("a", "b", "up"))
    assert sh("ls /mnt/o | tr '\\n' ' '; cat /mnt/o/both; echo x > /mnt/o/made", f"--overlay={layers}:/mnt/o") == \
        "a b both b\n"
    assert (box.place / "up/made").exists() and not list(box.place.glob(".#up*"))
    (box.place / "up/both").write_text("up\n")
    assert sh("cat /mnt/o/both; touch /mnt/o/x 2>/dev/null || echo no", f"--overlay-ro={layers}:/mnt/o") == "up\nno\n"
    assert sh("touch /etc/made; ls /etc/made /etc/os-release", "--overlay=+/etc::/etc") == \
        "/etc/made\n/etc/os-release\n"
    assert not (box.root / "etc/made").exists()
    assert not list(pathlib.Path("/var/tmp").glob("muster-spawn-*"))


@shows("--inaccessible")
def test_inaccessible(sh, box):
    (box.root / "srv/secret").mkdir(parents=True)
    (box.root / "srv/secret/file").touch()
    text = sh("stat -c '%F %a' /etc/passwd /srv/secret; ls /srv/secret; cat /etc/passwd", "--inaccessible=/etc/passwd",
              "--inaccessible=/srv/secret", "--drop-capability=CAP_DAC_OVERRIDE,CAP_DAC_READ_SEARCH", code=None)
    assert text == "regular empty file 0\ndirectory 0\n"
    assert sh.result.messages.count("ermission denied") == 2


# Console


@shows("--pipe", "--console")
class TestConsole:
    script = "test -e /dev/console && echo console; tty; test -t 1 && stty size"

    def test_pipe(self, sh):
        assert sh(self.script, code=1) == "not a tty\n"
        assert sh("cat; echo $TERM", input="from here\n") == "from here\ndumb\n"
        assert sh("cat; echo err >&2", "-P", input="x") == "x" and sh.result.messages == "err\n"

    @pytest.mark.parametrize("mode", [None, "interactive"])
    def test_interactive(self, target, box, containers, mode):
        container = containers(target, box, *([f"--console={mode}"] if mode else []), terminal=(33, 77),
                               command=["sh", "-c", self.script + "; read x; echo \"<$x>\"; stty size; ls -l /dev/console"])
        container.expect("console\r\n/dev/pts/0\r\n33 77\r\n")
        container.resize(11, 22)
        container.send("typed\r")
        container.expect("<typed>\r\n11 22\r\n")
        container.expect("-> pts/0")
        assert container.end() == 0

    @pytest.mark.parametrize("color, environment, tinted", [
        ("44", {"TERM": "xterm"}, True), ("48;5;17", {"TERM": "xterm"}, True), ("", {"TERM": "xterm"}, False),
        ("44", {"TERM": "dumb"}, False), ("44", {"TERM": "xterm", "NO_COLOR": "1"}, False)])
    def test_background(self, box, containers, color, environment, tinted):
        """The colour is there from the beginning to the end, also when the payload takes it away, and only on a terminal. Around it the
        terminal is told whose output that is (test_terminal_is_told)."""
        script = r"printf 'a\033[31mb\033[0mc\033[0;41md\n'; seq 3000 | while read n; do printf '\033[m%s\n' $n; done"
        begin, again, end = (f"\033[{color}m\033[J", f"\033[{color}m", "\033[0m") if tinted else ("", "", "")
        container = containers(spawn.OURS, box, f"--background={color}", "--console=interactive", terminal=(24, 80),
                               environment=environment, command=["sh", "-c", script])
        assert container.end() == 0
        numbers = "".join(f"\033[m{again}{n}\r\n" for n in range(1, 3001))
        assert without_context(container.text) == f"{begin}a\033[31mb\033[0m{again}c\033[0;41md\r\n{numbers}{end}"
        assert "\033" not in spawn.run(spawn.OURS, box, "--background=44", "--pipe", command=["echo", "plain"]).output

    def test_end_for_a_slow_reader(self, box, containers):
        """A terminal that takes nothing at the moment when the payload ends is told what ends the colour all the same, later."""
        container = containers(spawn.OURS, box, "--background=44", "--console=interactive", terminal=(24, 80),
                               environment={"TERM": "xterm"}, command=["sh", "-c", "echo there; until test -e /go; do sleep 0.05; done"])
        container.expect("there\r\n")
        slave = fcntl.ioctl(container.master, 0x5441, os.O_RDWR | os.O_NOCTTY)  # TIOCGPTPEER
        termios.tcflow(slave, termios.TCOOFF)
        (box.root / "go").touch()
        world.wait_until(lambda: container.cgroup.processes() <= {container.process.pid}, "the payload to end", spawn.PATIENCE)
        time.sleep(0.3)  # the moment passes
        termios.tcflow(slave, termios.TCOON)
        os.close(slave)
        assert container.end() == 0 and without_context(container.text).endswith("there\r\n\033[0m"), container.text

    @pytest.mark.parametrize("environment, record, title", [
        ({"TERM": "xterm"}, True, True), ({"TERM": "xterm", "NO_COLOR": "1"}, True, False), ({"TERM": "dumb"}, False, False),
        ({"TERM": ""}, False, False)])
    def test_terminal_is_told(self, box, containers, environment, record, title):
        container = containers(spawn.OURS, box, "--hostname=inner", terminal=(24, 80), environment=environment,
                               command=["sh", "-c", r"printf 'a\nb'; exit 3"])
        assert container.end() == 3
        host = os.uname().nodename
        fields = f"user=root;hostname={host};(machineid=[0-9a-f]{{32}};)?bootid={BOOT_ID};pid={container.process.pid};" \
                 r"comm=muster-spawn;container=box;type=container"
        expected = r"\033\]3008;start=(?P<id>[0-9a-f]{32});" + fields + r"\033\\" if record else ""
        expected += r"\033\[22;2t\033\]2;Container box on " + re.escape(host) + r"\033\\" if title else ""
        expected += "a\r\nb\r?\n?"
        expected += r"\033\[23;2t" + SOFT_RESET if title else ""
        expected += r"\033\]3008;end=(?P=id)\033\\" if record else ""
        assert re.fullmatch(expected, container.text), (container.text, expected)

    def test_terminal_is_not_told(self, box, containers):
        """Where nobody types at it, and where there is none."""
        for mode in ("read-only", "passive"):
            container = containers(spawn.OURS, box, f"--console={mode}", terminal=(24, 80), command=["echo", "a"])
            assert container.end() == 0 and "\033" not in container.text, container.text

    def test_read_only(self, sh, target, box, containers):
        assert "/dev/pts/0" in sh(self.script, "--console=read-only")
        container = containers(target, box, "--console=read-only", terminal=(24, 80),
                               command=["sh", "-c", "read -t 1 x && echo got; echo end"])
        container.send("typed\r")
        container.expect("end")
        assert container.end() == 0 and "got" not in container.text

    def test_passive(self, sh):
        assert "/dev/pts/0" in sh(self.script, "--console=passive")

    def test_autopipe(self, target, box, containers, sh):
        assert sh("tty", "--console=autopipe", code=1) == "not a tty\n"
        container = containers(target, box, "--console=autopipe", terminal=(24, 80), command=["tty"])
        container.expect("/dev/pts/0")
        assert container.end() == 0

    def test_three_keys(self, target, box, containers):
        """Also where a kill signal would ask first."""
        container = containers(target, box, "--kill-signal=SIGUSR1", terminal=(24, 80),
                               command=["sh", "-c", "trap : USR1; echo there; while :; do sleep 1; done"])
        container.expect("there")
        container.send("\x1d\x1d\x1d")
        assert container.end(timeout=spawn.PATIENCE) == 1

    def test_slow_keys(self, target, box, containers):
        """Other bytes in between: they are the guest's."""
        container = containers(target, box, terminal=(24, 80), command=["sh", "-c", "stty raw -echo; echo there; "
                                                                        "head -c 5 | od -An -tx1; exit 6"])
        container.expect("there")
        container.send("\x1d\x1da\x1d\x1d")
        container.expect("1d 1d 61 1d 1d")
        assert container.end() == 6


# Credentials


@shows("--set-credential", "--load-credential")
class TestCredentials:
    def test_set(self, sh):
        text = sh("echo $CREDENTIALS_DIRECTORY; cd /run/host/credentials; stat -c %a . a.b; od -An -c a.b; "
                  "touch x; cat /proc/self/mountinfo", r"--set-credential=a.b:hello\x00w\n")
        assert text.startswith("/run/host/credentials\n500\n400\n   h   e   l   l   o  \\0   w  \\n\n"), text
        found = mounts(text)["/run/host/credentials"]
        assert found[2] == "ramfs" and {"ro", "nosuid", "nodev", "noexec"} <= set(found[1])
        assert sh("stat -c %s /run/host/credentials/none", "--set-credential=none:") == "0\n"

    def test_user(self, sh):
        command = "cat /run/host/credentials/a 2>/dev/null || echo no"
        assert sh(command, "--set-credential=a:b", "--uid=65534") == "no\n"
        assert sh(command, "--set-credential=a:b", "--uid=65534", "--no-new-privileges=yes") == "b"
        assert sh(command, "--set-credential=a:b", "-U") == "b"

    def test_file(self, sh, box):
        (box.place / "secret").write_bytes(bytes(range(256)))
        text = sh("od -An -v -tu1 /run/host/credentials/s", f"--load-credential=s:{box.place}/secret")
        assert [int(n) for n in text.split()] == list(range(256))

    def test_name(self, sh, box):
        (box.place / "own").mkdir()
        (box.place / "own/mine").write_text("of service\n")
        assert sh("cat /run/host/credentials/c", "--load-credential=c:mine",
                  environment={"CREDENTIALS_DIRECTORY": str(box.place / "own")}) == "of service\n"

    def test_socket(self, sh, box):
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(str(box.place / "server"))
        server.listen()
        server.settimeout(spawn.PATIENCE)

        def answer():
            connection = server.accept()[0]
            connection.send(b"from socket\n")
            connection.close()
        thread = threading.Thread(target=answer, daemon=True)
        thread.start()
        assert sh("cat /run/host/credentials/c", f"--load-credential=c:{box.place}/server") == "from socket\n"
        thread.join()
        server.close()


# Settings files


@pytest.fixture(params=["/etc/systemd/nspawn", "/run/systemd/nspawn", None])
def settings_place(request, box):
    """Where a settings file may be; /etc is under a layer for that, None: beside the tree, which is not trusted."""
    if request.param is None:
        yield box.place
        return
    place = pathlib.Path(request.param)
    if request.param.startswith("/etc"):
        layer = box.place / "etc"
        for name in ("upper", "work"):
            (layer / name).mkdir(parents=True)
        subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir=/etc,upperdir={layer}/upper,workdir={layer}/work",
                        "overlay", "/etc"], check=True)
    place.mkdir(parents=True, exist_ok=True)
    yield place
    for name in ("box", "root"):
        (place / f"{name}.nspawn").unlink(missing_ok=True)
    if request.param.startswith("/etc"):
        subprocess.run(["umount", "/etc"], check=True)


SETTINGS = """
[Exec]
Parameters=sh -c 'echo "$0" "$1" $A $B; pwd; uname -n; cat /proc/self/status /proc/self/mountinfo; echo $container_uuid' \
"foo bar" 'baz'
Environment=A=1 B=2
WorkingDirectory=/usr
Hostname=from.file
DropCapability=CAP_MKNOD
Capability=CAP_SYS_TIME
MachineID=000102030405060708090a0b0c0d0e0f
OOMScoreAdjust=300
LimitNOFILE=99
[Files]
TemporaryFileSystem=/mnt/t
[Network]
Private=yes
"""
UUID = "00010203-0405-0607-0809-0a0b0c0d0e0f"


@shows("--settings")
class TestSettings:
    def test_trust(self, sh, settings_place, box):
        (settings_place / "box.nspawn").write_text(SETTINGS)
        trusted = settings_place != box.place
        for words in [[], ["--settings=trusted"]]:
            text = sh(None, *words)
            assert text.startswith("foo bar baz 1 2\n/usr\nfrom.file\n"), sh.result
            assert not capabilities(text) & MKNOD
            everything = trusted or bool(words)
            assert ("/mnt/t" in mounts(text), text.endswith(UUID + "\n"), bool(capabilities(text) & NET_ADMIN),
                    "Private" in sh.result.messages, "MachineID" in sh.result.messages) == \
                (everything, everything, everything, not everything, not everything), sh.result

    def test_who_wins(self, sh):
        place = pathlib.Path("/run/systemd/nspawn")
        place.mkdir(parents=True, exist_ok=True)
        (place / "box.nspawn").write_text(SETTINGS)
        command = "echo $A $B $ONLY; uname -n"
        assert sh(command, "-E", "ONLY=1") == "1\nfrom.file\n"
        assert sh(command, "--hostname=mine") == "1 2\nmine\n"
        assert sh(None, "--settings=override", "--hostname=mine", "-E", "ONLY=1").splitlines()[2] == "from.file"
        assert sh(command, "--settings=no") == "\nbox\n"
        (place / "box.nspawn").unlink()

    def test_first_place_wins(self, sh, box):
        place = pathlib.Path("/run/systemd/nspawn")
        place.mkdir(parents=True, exist_ok=True)
        (place / "box.nspawn").write_text("[Exec]\nHostname=run\n")
        (box.place / "box.nspawn").write_text("[Exec]\nHostname=beside\n")
        assert sh("uname -n") == "run\n"
        (place / "box.nspawn").unlink()
        assert sh("uname -n") == "beside\n"


# Environment switches


class TestSwitches:
    def test_service(self, sh):
        assert sh("echo $container; cat /run/host/container-manager",
                  environment={"SYSTEMD_NSPAWN_CONTAINER_SERVICE": "myrt"}) == "myrt\nmyrt\n"

    def test_tmp(self, sh):
        assert "/tmp" in mounts(sh("cat /proc/self/mountinfo"))
        assert "/tmp" not in mounts(sh("cat /proc/self/mountinfo", environment={"SYSTEMD_NSPAWN_TMPFS_TMP": "0"}))

    def test_api(self, sh):
        found = mounts(sh("cat /proc/self/mountinfo", environment={"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes"}))
        assert "rw" in found["/sys"][1] and "/proc/sys" not in found
        found = mounts(sh("cat /proc/self/mountinfo", environment={"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}))
        assert found["/sys"][2] == "tmpfs" and "rw" in found["/proc/sys/net"][1]

    def test_share(self, sh):
        script = "for n in ipc uts pid; do readlink /proc/self/ns/$n; done; echo $$"
        own = [os.readlink(f"/proc/self/ns/{name}") for name in ("ipc", "uts", "pid")]
        seen = sh(script, environment={"SYSTEMD_NSPAWN_SHARE_NS_IPC": "1"}).split()
        assert [a == b for a, b in zip(seen, own)] == [True, False, False]
        seen = sh(script, environment={"SYSTEMD_NSPAWN_SHARE_SYSTEM": "1"}).split()
        assert seen[:3] == own and int(seen[3]) > 1

    def test_os_release(self, sh, box):
        (box.root / "etc/os-release").unlink()
        result = spawn.run(spawn.OURS, box, "--boot")
        assert result.code == 1 and "os-release" in result.messages

    def test_lock(self, target, box, containers):
        first = containers(target, box, command=["sh", "-c", "echo there; sleep 1000"])
        first.expect("there")
        assert spawn.run(target, box, command=["true"]).code == 1
        assert spawn.run(target, box, command=["true"], environment={"SYSTEMD_NSPAWN_LOCK": "0"}).code == 0
        first.signal(signal.SIGTERM)
        assert first.end(timeout=spawn.PATIENCE) == 1

    def test_seccomp(self, sh):
        assert status(sh("cat /proc/self/status"), "Seccomp") == "2"
        assert status(sh("cat /proc/self/status", environment={"SYSTEMD_SECCOMP": "0"}), "Seccomp") == "0"
