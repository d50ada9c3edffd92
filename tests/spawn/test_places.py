# SPDX-License-Identifier: LGPL-2.1-or-later
"""muster-spawn where it is not at home: in itself, in another container, without control groups or capabilities, and
started by a caller that has left everything in disorder."""
import os
import pathlib
import re
import resource
import signal
import subprocess

import pytest
import spawn

LOADER = re.compile(r"(?:=> )?(/\S+) \(0x")


@pytest.fixture
def nest(box):
    """A tree with the runner in it, and a tree for that one: /inner."""
    program = pathlib.Path(spawn.program(spawn.OURS))
    libraries = LOADER.findall(subprocess.run(["ldd", program], capture_output=True, text=True).stdout)
    for path in libraries:
        target = box.root / path[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["cp", "-L", path, target], check=True)
    subprocess.run(["cp", "-L", program, box.root / "bin/muster-spawn"], check=True)
    inner = box.root / "inner"
    inner.mkdir()
    for name in ("bin", "etc", "usr", "sbin"):
        subprocess.run(["cp", "-a", box.root / name, inner], check=True)
    return box


NESTED = "muster-spawn --quiet --register=no --pipe --directory=/inner"


@pytest.mark.parametrize("outer", [(), ("--private-users=pick",), ("--private-network",), ("--read-only",)],
                         ids=["root", "users", "network", "read-only"])
@pytest.mark.parametrize("inner", ["", "--private-network", "--volatile=overlay", "--as-pid2"])
def test_in_itself(nest, outer, inner):
    script = f"{NESTED} {inner} -M two sh -c 'echo $$; uname -n; exit 7'; echo $?"
    result = spawn.run(spawn.OURS, nest, *outer, command=["sh", "-c", script])
    read_only = "--read-only" in outer and "volatile" not in inner  # no place for a lock
    no_network = inner == "--private-network" and inner not in outer  # no CAP_NET_ADMIN to bring lo up
    if read_only or no_network:
        assert result.output == "1\n" and len(result.messages.splitlines()) == 1, result
    else:
        assert result.output == f"{2 if 'pid2' in inner else 1}\ntwo\n7\n", result


@pytest.mark.skipif(spawn.why_not(spawn.ORIGINAL) is not None, reason="there is no systemd-nspawn")
def test_in_the_original(nest):
    script = f"{NESTED} -M two sh -c 'echo $$; uname -n; exit 7'; echo $?"
    result = spawn.run(spawn.ORIGINAL, nest, command=["sh", "-c", script])
    assert result.output == "1\ntwo\n7\n", result


# Callers


def remove_slices():
    """The slice of machines stays for the next one."""
    for path in spawn.CGROUP.rglob("machine.slice"):
        path.rmdir()


def start(box, *options, command=("sh", "-c", "echo fine"), **keywords):
    cgroup = spawn.ControlGroup()
    prepare = keywords.pop("prepare", lambda: None)
    wrapper = keywords.pop("wrapper", [])
    keywords.setdefault("stdin", subprocess.DEVNULL)
    keywords.setdefault("stdout", subprocess.PIPE)
    keywords.setdefault("env", spawn.ENVIRONMENT)

    def enter():
        cgroup.enter()
        prepare()
    try:
        return subprocess.run([*wrapper, spawn.program(spawn.OURS), "--quiet", "--register=no", "--keep-unit", "--pipe",
                               f"--directory={box.root}", "--machine=box", *options, *command], stderr=subprocess.PIPE,
                              text=True, preexec_fn=enter, timeout=30, **keywords)
    finally:
        cgroup.remove()


def test_plain(box):
    assert start(box).stdout == "fine\n"


@pytest.mark.parametrize("closed", [(0,), (1,), (0, 1), (0, 1, 2)], ids=str)
@pytest.mark.parametrize("console", ["--console=pipe", "--console=read-only"])
def test_closed_descriptors(box, closed, console):
    """What was closed does not become a file of the runner's."""
    def prepare():
        for fd in closed:
            os.close(fd)
    result = start(box, console, prepare=prepare, stdout=subprocess.PIPE, command=[
        "sh", "-c", "ls -l /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 > /seen 2>&1; exit 6"])
    assert result.returncode == 6, result
    seen = (box.root / "seen").read_text()
    assert "cgroup" not in seen and "memfd" not in seen and "socket" not in seen and str(box.root) not in seen, seen


def test_signal_dispositions(box):
    """Whatever the caller ignores or blocks, a payload begins with everything as it was at boot."""
    def prepare():
        for number in (signal.SIGPIPE, signal.SIGHUP, signal.SIGINT, signal.SIGCHLD, signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 60))
    for options in ((), ("--as-pid2",)):
        result = start(box, *options, prepare=prepare, command=["grep", "^Sig[BIC]", "/proc/self/status"])
        assert re.fullmatch(r"(Sig\w+:\t0{16}\n){3}", result.stdout), (options, result)


def test_run_directories(box):
    """On a host where nobody has made them before: the locks are root's, what is above them is for all."""
    subprocess.run(["rm", "-rf", "/run/systemd"], check=True)
    assert start(box, command=["true"]).returncode == 0
    places = ("/run/systemd", "/run/systemd/nspawn", "/run/systemd/nspawn/locks")
    modes = {path: oct(os.stat(path).st_mode & 0o777) for path in places}
    assert list(modes.values()) == ["0o755", "0o755", "0o700"], modes


def test_ignored_hangup(box):
    """nohup: the runner lives on, as its caller wants."""
    result = start(box, prepare=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN), command=["true"])
    assert result.returncode == 0


def test_huge_environment(box):
    environment = {f"NAME_{n}": "x" * 1000 for n in range(900)} | spawn.ENVIRONMENT
    result = start(box, env=environment, command=["sh", "-c", "env | wc -c"])
    assert result.returncode == 0 and int(result.stdout) < 1500, result


def test_huge_arguments(box):
    words = ["y" * 1000] * 1000
    result = start(box, command=["sh", "-c", 'echo $# "${#1}"', "sh", *words])
    assert result.stdout == "1000 1000\n", result
    result = start(box, *[f"--setenv=A{n}=x" for n in range(2000)], command=["sh", "-c", "env | grep -c ^A"])
    assert result.stdout == "2000\n", result


def test_many_descriptors(box):
    def prepare():
        resource.setrlimit(resource.RLIMIT_NOFILE, (5000, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
        for fd in range(10, 4096):
            os.dup2(2, fd)
    result = start(box, prepare=prepare, close_fds=False, command=["sh", "-c", "ls /proc/self/fd | wc -l"])
    assert result.stdout == "4\n", result


@pytest.mark.parametrize("limit", [3, 8, 16, 40])
def test_few_descriptors(box, limit):
    """Too few end in one sentence; enough are enough."""
    result = start(box, wrapper=["sh", "-c", f'ulimit -n {limit}; exec "$@"', "sh"])
    if result.returncode == 0:
        assert result.stdout == "fine\n"
    else:
        assert limit < 40 and result.returncode in (1, 127) and len(result.stderr.splitlines()) <= 4, result


def test_deleted_directory(box):
    gone = box.place / "gone"
    gone.mkdir()

    def prepare():
        os.chdir(gone)
        os.rmdir(gone)
    assert start(box, prepare=prepare).stdout == "fine\n"
    gone.mkdir()
    result = start(box, "--bind=relative:/x", prepare=prepare)
    assert result.returncode == 1 and "current directory" in result.stderr, result


def test_umask(box):
    result = start(box, "--bind=:/mnt/new", prepare=lambda: os.umask(0o777),
                   command=["sh", "-c", "umask; stat -c %a /mnt /mnt/new /run /run/host /dev /dev/null /tmp /run/host/os-release"])
    assert result.stdout == "0022\n755\n755\n755\n755\n755\n666\n1777\n644\n", result


def test_argv_zero(box):
    """A caller may call it anything."""
    cgroup = spawn.ControlGroup()
    result = subprocess.run(["", "--quiet", "--register=no", "--keep-unit", "--pipe", f"--directory={box.root}", "echo", "fine"],
                            executable=spawn.program(spawn.OURS), preexec_fn=cgroup.enter, capture_output=True, text=True)
    cgroup.remove()
    assert result.stdout == "fine\n", result


def test_limits(box):
    """Limits of the caller that are lower than the payload's are no obstacle, where they may not be raised."""
    def prepare():
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, 4096))
        resource.setrlimit(resource.RLIMIT_STACK, (1 << 20, 4 << 20))
    assert start(box, prepare=prepare).stdout == "fine\n"


@pytest.mark.parametrize("capability", ["sys_admin", "mknod", "sys_chroot", "setpcap", "sys_resource", "net_admin", "setuid",
                                        "dac_override", "chown", "sys_ptrace", "kill"])
def test_without_capability(box, capability):
    """A caller that lacks one: it runs, with the payload lacking it too, or says in a sentence what it cannot do."""
    for options in ((), ("--private-users=pick", "--private-users-ownership=map")):
        result = start(box, *options, wrapper=["setpriv", f"--bounding-set=-{capability}", f"--inh-caps=-{capability}"])
        assert result.stdout == "fine\n" or (result.returncode == 1 and 1 <= len(result.stderr.splitlines()) <= 2), result
        if capability in ("sys_resource", "net_admin", "sys_ptrace", "kill"):
            assert result.stdout == "fine\n", result


NOBODY = 65534


@pytest.mark.parametrize("delegated", [(".", "cgroup.procs", "cgroup.subtree_control", "tasks"), (".",), ()],
                         ids=["delegated", "groups, but no processes", "not delegated"])
@pytest.mark.parametrize("option", ["--pipe", "--as-pid2", "--private-network", "--volatile=overlay"])
def test_without_root(box, delegated, option):
    """A user who is nothing but a user: root of the container is that user, and there is nobody else."""
    subprocess.run(["chown", "-hR", f"{NOBODY}:{NOBODY}", box.root], check=True)
    for path in (box.root, box.place):
        path.chmod(0o755)
    cgroup = spawn.ControlGroup()
    for path in cgroup.paths:
        for name in delegated:
            if (path / name).exists():
                os.chown(path / name, NOBODY, NOBODY)
    words = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", spawn.program(spawn.OURS), "--register=no",
             "--keep-unit", "--pipe", f"--directory={box.root}", "--machine=box", option, "sh", "-c",
             "id -u; cat /proc/self/uid_map; touch /made && echo made; echo $$; ls /sys/fs/cgroup | wc -l; exit 7"]
    result = subprocess.run(cgroup.command(words), stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=30)
    cgroup.remove()
    assert result.returncode == 7 and result.stderr.startswith("Running without privileges, with one user"), result
    assert len(result.stderr.splitlines()) == 1, result
    user, *mapping, made, pid, groups = result.stdout.split()
    assert (user, mapping, made, pid) == ("0", ["0", str(NOBODY), "1"], "made", "2" if "pid2" in option else "1"), result
    assert (int(groups) > 0) == bool(cgroup.paths), result
    if "volatile" not in option:
        assert (box.root / "made").stat().st_uid == NOBODY


@pytest.mark.parametrize("path", ["/proc/sys", "/proc/kallsyms", "/proc/bus", "/proc/acpi"])
def test_masked_proc(box, path):
    """Another container has masked a part of /proc: the kernel then shows no new one in a user namespace."""
    if not os.path.exists(path):
        pytest.skip(f"this kernel has no {path}")
    kind = ["-t", "tmpfs", "none"] if os.path.isdir(path) else ["--bind", "/dev/null"]
    subprocess.run(["mount", *kind, path], check=True)
    try:
        assert start(box).stdout == "fine\n"
        result = start(box, "--private-users=pick", "--private-users-ownership=map")
        assert result.stdout == "fine\n" or (result.returncode == 1 and "/proc" in result.stderr), result
    finally:
        subprocess.run(["umount", path], check=True)


@pytest.mark.parametrize("mode", ["read-only", "missing", "no group"])
def test_control_groups(box, mode):
    """Nothing to write in, or nothing at all. The hierarchies v1, hybrid and none are sandbox.py's."""
    script = {"read-only": "mount -o remount,ro,bind /sys/fs/cgroup", "missing": "umount -l /sys/fs/cgroup",
              "no group": "mount -t tmpfs -o ro none /sys/fs/cgroup"}[mode]
    if not os.path.ismount("/sys/fs/cgroup"):
        pytest.skip("there are no control groups here")
    words = [spawn.program(spawn.OURS), "--quiet", "--register=no", "--pipe", f"--directory={box.root}", "echo", "fine"]
    result = subprocess.run(["unshare", "-m", "sh", "-c", script + '; exec "$@"', "sh", *words],
                            capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    remove_slices()
    assert result.stdout == "fine\n", result


def test_reboots_leave_no_descriptor(box):
    """A guest that reboots is started by the same process again."""
    (box.root / "sbin/init").unlink()
    (box.root / "sbin/init").write_text("#!/bin/sh\nn=$(cat /count 2>/dev/null || echo 0); echo $((n + 1)) > /count\n"
                                        "[ $n -lt 12 ] && reboot -f\nls /proc/self/fd | wc -l; exit 5\n")
    (box.root / "sbin/init").chmod(0o755)
    words = [spawn.program(spawn.OURS), "--quiet", "--register=no", "--pipe", f"--directory={box.root}", "--boot"]
    result = subprocess.run(["sh", "-c", 'ulimit -n 40; exec "$@"', "sh", *words], capture_output=True, text=True,
                            stdin=subprocess.DEVNULL, timeout=60)
    assert (result.returncode, result.stdout) == (5, "4\n"), result
    remove_slices()
