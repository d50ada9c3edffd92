# SPDX-License-Identifier: LGPL-2.1-or-later
"""muster-spawn's control groups on a host without systemd: limits, devices, registration, and what is left behind."""
import ctypes
import os
import pathlib
import struct
import subprocess

import pytest
import world
from nspawn import Tree

CGROUPS = pathlib.Path("/sys/fs/cgroup")
EVERYWHERE = pytest.mark.modes("v2", "hybrid", "v1", "none")
WITH_CGROUPS = pytest.mark.modes("v2", "hybrid", "v1")
WITH_V1 = pytest.mark.modes("hybrid", "v1")


@pytest.fixture
def tree():
    """A small tree, copied."""
    made = Tree("busybox")
    if not made.exists():
        pytest.skip("there is no tree of busybox: run-checks.py has said why")
    subprocess.run(["cp", "-a", made.lower, made.root], check=True)
    yield made
    made.unmount()


class Spawn:
    def __init__(self, build, tree, options, command, cgroup=None):
        def enter():
            for path in cgroup:
                (path / "cgroup.procs").write_text("0")

        self.process = subprocess.Popen(
            [str(world.spawn_program(build)), "--quiet", f"--directory={tree.root}", "--console=pipe", *options,
             "/bin/sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=enter if cgroup else None)

    def line(self):
        """What the payload says next."""
        text = self.process.stdout.readline().strip()
        assert text, self.process.stderr.read()
        return text

    def end(self, words=None):
        """(exit status, output, errors); words: its standard input, which ends with them."""
        out, err = self.process.communicate(words, timeout=60)
        assert "Sanitizer" not in err and "runtime error" not in err, err
        return self.process.returncode, out, err


@pytest.fixture
def spawn(build, tree):
    """spawn(COMMAND, OPTION...): the shell inside runs COMMAND."""
    started = []

    def start(command, *options, cgroup=None):
        if not any(o.startswith("--machine=") for o in options):
            options = ("--machine=box", *options)
        started.append(Spawn(build, tree, options, command, cgroup))
        return started[-1]
    yield start
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait()
    left = world.scope_directories()
    world.wait_until(lambda: not world.scope_directories(), "no scope to be left", on_timeout=lambda: left)


def groups(pattern):
    return sorted(world.control_groups(pattern))


def scope(controller, mode, name="box", slice_="machine.slice"):
    """The directory of a machine's scope in the hierarchy of that controller, or where machines are tracked (None)."""
    if controller and mode != "v2":
        [root] = [p for p in CGROUPS.iterdir() if controller in p.name.split(",")]
    else:
        root = world.cgroup_root(mode)
    return root / slice_ / f"{name}.scope"


LIMITS = {  # property: controller, file of v1, content
    "MemoryMax=64M": ("memory", "memory.limit_in_bytes", str(64 << 20)),
    "TasksMax=50": ("pids", "pids.max", "50"),
    "CPUWeight=200": ("cpu", "cpu.shares", "2048"),
    "CPUQuota=50%": ("cpu", "cpu.cfs_quota_us", "50000"),
    "AllowedCPUs=0": ("cpuset", "cpuset.cpus", "0"),
}


@WITH_V1
def test_limits(spawn, mode):
    box = spawn("echo up; read line", *(f"--property={p}" for p in LIMITS))
    assert box.line() == "up"
    for controller, file, content in LIMITS.values():
        assert (scope(controller, mode) / file).read_text().strip() == content
    # Where they hold for the payload, which cannot lift them: it is below.
    for controller, _, _ in LIMITS.values():
        assert (scope(controller, mode) / "payload/cgroup.procs").read_text().split()
    assert box.end("\n")[0] == 0


@WITH_V1
def test_a_limit_limits(spawn):
    """Not more processes than that, however hard root inside tries to lift it."""
    status, out, _ = spawn("""mkdir /run/p && mount -t cgroup -o pids none /run/p && echo max >/run/p/pids.max
        for i in 1 2 3 4 5 6 7 8 9; do sleep 1 & done; echo all; wait""", "--property=TasksMax=5").end()
    assert "all" not in out and status != 0


@pytest.mark.modes("v2")
def test_limits_need_their_controller(spawn, mode):
    """The kernel of the test has its controllers on v1, if not on v2."""
    have = (CGROUPS / "cgroup.controllers").read_text().split()
    box = spawn("echo up; read line", "--property=TasksMax=50")
    if "pids" in have:
        assert box.line() == "up"
        assert (scope("pids", mode) / "pids.max").read_text() == "50\n"
        assert box.end("\n")[0] == 0
    else:
        status, out, err = box.end()
        assert (status, out) == (1, "") and "TasksMax cannot be enforced: this host has no pids controller" in err


WRONG = {
    "Nonsense=1": "Nonsense=: not known without systemd",
    "MemoryMax=0": "MemoryMax=0: must be a size above 0",
    "CPUQuota=20": "must be a percentage of one processor",
    "AllowedCPUs=x": "must be a list of processors",
    "IOReadBandwidthMax=/proc 1M": "/proc is no block device and lies on none",
    "DeviceAllow=/dev/nonsense rw": "/dev/nonsense: there is no such device",
    "DeviceAllow=char-nonsense rw": "no such entry in /proc/devices",
}


@EVERYWHERE
@pytest.mark.parametrize("text", WRONG)
def test_wrong_property(spawn, text):
    """One sentence, and nothing was made."""
    before = groups("*")
    status, out, err = spawn("echo up", f"--property={text}").end()
    assert (status, out) == (1, "") and WRONG[text] in err and err.count("\n") == 1
    assert groups("*") == before


@EVERYWHERE
def test_property_without_meaning(spawn):
    status, out, err = spawn("echo up", "--property=KillMode=mixed", "--property=Description=A box").end()
    assert (status, out, err) == (0, "up\n", "")


@WITH_CGROUPS
@pytest.mark.parametrize("option", ["--slice=test-box", "--property=Slice=test-box.slice"])
def test_slice(spawn, mode, option):
    box = spawn("echo up; read line", option)
    assert box.line() == "up"
    assert (scope(None, mode, slice_="test.slice/test-box.slice") / "payload/cgroup.procs").read_text().split()
    assert box.end("\n")[0] == 0
    assert not groups("test*.slice")


@WITH_CGROUPS
def test_slice_of_others_stays(spawn, mode):
    kept = world.cgroup_root(mode) / "test.slice"
    kept.mkdir()
    try:
        assert spawn("true", "--slice=test-box.slice").end()[0] == 0
        assert kept.is_dir() and not (kept / "test-box.slice").exists()
    finally:
        kept.rmdir()


# "k" is the kernel's log, which can be opened for writing without privileges; "true", because a failing ":" ends the shell.
DEVICES = """mknod /dev/sdx b 8 0 && echo made sdx
mknod /dev/k c 1 11 && echo made k; [ -c /dev/k ] && true >/dev/k && echo opened k
for d in null zero full random urandom; do true </dev/$d && echo $d; done
true <>/dev/ptmx && echo ptmx"""
ALWAYS = ["null", "zero", "full", "random", "urandom", "ptmx"]


@WITH_CGROUPS
def test_devices(spawn):
    """Those of a container can be used, others not even be made, as in a scope of systemd."""
    status, out, err = spawn(DEVICES).end()
    assert out.split("\n")[:-1] == ALWAYS, err
    assert "Operation not permitted" in err


@WITH_CGROUPS
def test_device_in_the_tree(spawn, tree):
    """A node that somebody has made before cannot be opened."""
    os.mknod(tree.root / "k", 0o20666, os.makedev(1, 11))
    _, out, err = spawn("true >/k && echo opened").end()
    assert out == "" and "Operation not permitted" in err
    _, out, err = spawn("true >/k && echo opened", "--property=DevicePolicy=auto").end()
    assert out == "opened\n", err


@WITH_CGROUPS
def test_device_policy_auto(spawn):
    _, out, _ = spawn(DEVICES, "--property=DevicePolicy=auto").end()
    assert "made sdx" in out and "made k" in out and "opened k" in out


@WITH_CGROUPS
def test_device_allow(spawn):
    _, out, _ = spawn(DEVICES, "--property=DeviceAllow=/dev/kmsg wm").end()
    assert "made k" in out and "opened k" in out and "made sdx" not in out
    _, out, _ = spawn(DEVICES, "--property=DeviceAllow=char-mem m").end()
    assert "made k" in out and "opened k" not in out


@WITH_CGROUPS
def test_device_policy_strict(spawn):
    _, out, _ = spawn(DEVICES, "--property=DevicePolicy=strict", "--property=DeviceAllow=/dev/null rw").end()
    assert out.split() == ["null"]


@WITH_CGROUPS
def test_bound_device(spawn):
    """What is bound into the container may be used there."""
    _, out, err = spawn("true >/dev/kmsg && echo opened; mknod /dev/k c 1 11 && echo made", "--bind=/dev/kmsg").end()
    assert out == "opened\n", err


BPF = pathlib.Path("/sys/fs/bpf")
KEPT = BPF / "muster"
SYS_BPF = {"x86_64": 321, "aarch64": 280}.get(os.uname().machine)


@pytest.fixture
def place():
    """Where programs can be kept, empty."""
    if not os.path.ismount(BPF):
        pytest.skip("there is no bpf file system here")
    clear_place()
    yield KEPT
    clear_place()


def clear_place():
    if KEPT.exists():
        for path in KEPT.iterdir():
            path.unlink()
        KEPT.rmdir()


def bpf_calls(build, tree, *options):
    """The commands of bpf(2) of a start, in which only the usual devices can be used."""
    trace = tree.place / "trace"
    words = ["strace", "-f", "-qq", f"--output={trace}", "--trace=bpf", str(world.spawn_program(build)), "--quiet",
             f"--directory={tree.root}", "--machine=box", "--pipe", *options, "/bin/sh", "-c", DEVICES]
    result = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60)
    assert result.stdout.split() == ALWAYS, result
    calls = [line.split("bpf(")[1].split(",")[0] for line in trace.read_text().splitlines() if "bpf(" in line]
    trace.unlink()
    return calls


@pytest.mark.modes("v2")
def test_device_program_is_kept(build, tree, place):
    """What takes the kernel half a millisecond to check and compile, it does once."""
    assert bpf_calls(build, tree) == ["BPF_PROG_LOAD", "BPF_PROG_ATTACH", "BPF_OBJ_PIN"]
    name, = place.iterdir()
    assert place.stat().st_mode & 0o7777 == 0o700 and name.name.startswith("device-")
    assert bpf_calls(build, tree) == ["BPF_OBJ_GET", "BPF_PROG_ATTACH"]
    assert bpf_calls(build, tree, "--bind=/dev/kmsg") == ["BPF_PROG_LOAD", "BPF_PROG_ATTACH"]  # a program of its own
    assert list(place.iterdir()) == [name]


@pytest.mark.modes("v2")
@pytest.mark.parametrize("owner, mode", [(65534, 0o700), (0, 0o770), (0, 0o707), (0, 0o755)])
def test_device_program_of_others(build, tree, place, owner, mode):
    """Where somebody else could have put another program nothing is taken, and nothing is put."""
    bpf_calls(build, tree)
    place.chmod(mode)
    os.chown(place, owner, owner)
    assert bpf_calls(build, tree) == ["BPF_PROG_LOAD", "BPF_PROG_ATTACH"]
    assert len(list(place.iterdir())) == 1


@pytest.mark.modes("v2")
def test_device_program_by_a_link(build, tree, place, tmp_path):
    other = BPF / "other"
    other.mkdir(mode=0o700)
    place.symlink_to(other)
    try:
        assert bpf_calls(build, tree) == ["BPF_PROG_LOAD", "BPF_PROG_ATTACH"]
        assert not list(other.iterdir())
    finally:
        place.unlink()
        other.rmdir()


@pytest.mark.modes("v2")
@pytest.mark.skipif(SYS_BPF is None, reason="no number of bpf(2) for this machine")
def test_device_program_is_something_else(build, tree, place):
    """Under its name is a map: a program is made, as if nothing were there."""
    bpf_calls(build, tree)
    path, = place.iterdir()
    path.unlink()
    libc = ctypes.CDLL(None, use_errno=True)
    array = struct.pack("=IIII", 2, 4, 4, 1).ljust(128, b"\0")  # BPF_MAP_TYPE_ARRAY: sizes of key and value, entries
    fd = libc.syscall(SYS_BPF, 0, array, 128)  # BPF_MAP_CREATE
    name = ctypes.create_string_buffer(os.fsencode(path))
    pin = struct.pack("=QI", ctypes.addressof(name), fd).ljust(128, b"\0")
    assert fd >= 0 and libc.syscall(SYS_BPF, 6, pin, 128) == 0, os.strerror(ctypes.get_errno())  # BPF_OBJ_PIN
    os.close(fd)
    assert bpf_calls(build, tree) == ["BPF_OBJ_GET", "BPF_PROG_ATTACH", "BPF_PROG_LOAD", "BPF_PROG_ATTACH"]


@pytest.mark.modes("v2")
def test_device_program_cannot_be_kept(build, tree, place):
    """No file system for it, or one of another kind."""
    subprocess.run(["umount", BPF], check=True)
    try:
        assert bpf_calls(build, tree) == ["BPF_PROG_LOAD", "BPF_PROG_ATTACH"]
        subprocess.run(["mount", "-t", "tmpfs", "none", BPF], check=True)
        assert bpf_calls(build, tree) == ["BPF_PROG_LOAD", "BPF_PROG_ATTACH", "BPF_OBJ_PIN"]
        assert not list(BPF.iterdir())
        subprocess.run(["umount", BPF], check=True)
    finally:
        subprocess.run(["mount", "-t", "bpf", "-o", "mode=700", "bpf", BPF], check=True)


@WITH_V1
def test_devices_cannot_be_taken(spawn):
    """Root inside may write to its own group; what holds above stays."""
    _, out, _ = spawn("""mkdir /run/p && mount -t cgroup -o devices none /run/p && echo mounted
        echo a >/run/p/devices.allow && echo allowed; mknod /dev/d b 8 0 && echo made""").end()
    assert out == "mounted\n"


@WITH_CGROUPS
def test_devices_with_keep_unit(spawn, mode):
    """Below somebody else's group it has one of its own, too."""
    _, out, _ = spawn(DEVICES, "--keep-unit").end()
    assert out.split() == ALWAYS


def cgroup_of(pid):
    return pathlib.Path(f"/proc/{pid}/cgroup").read_text()


@WITH_CGROUPS
def test_registered(musterd, spawn, mode):
    box = spawn("echo up; read line; exit 3", "--register=yes")
    assert box.line() == "up"
    with world.Varlink() as v:
        machine = v.call("io.systemd.Machine.List", {"name": "box"})
    assert machine["unit"] == "box.scope"
    assert "/machine.slice/box.scope/payload" in cgroup_of(machine["leader"]["pid"])
    assert box.end("\n")[0] == 3
    world.wait_until(lambda: world.Varlink().__enter__().names() == [], "the machine to be forgotten")


@EVERYWHERE
def test_terminate(musterd, spawn):
    box = spawn("echo up; sleep 1000", "--register=yes")
    assert box.line() == "up"
    world.muster("terminate", "box")
    assert box.end()[0] != 0


@EVERYWHERE
def test_register_without_a_registry(spawn, tree):
    status, out, err = spawn("echo up; touch /it-has-run", "--register=yes").end()
    assert (status, out) == (1, "") and "no registry" in err and err.count("\n") == 1
    assert not (tree.root / "it-has-run").exists()
    assert spawn("echo up", "--register=auto").end() == (0, "up\n", "")


@EVERYWHERE
def test_name_is_taken(musterd, spawn, processes, tree):
    with world.Varlink() as v:
        v.call("io.systemd.Machine.Register", {"name": "box", "class": "container", "leader": processes.sleeper()})
    status, out, err = spawn("touch /it-has-run", "--register=yes").end()
    assert (status, out) == (1, "") and "box is registered already" in err
    assert not (tree.root / "it-has-run").exists()
    with world.Varlink() as v:
        assert v.names() == ["box"]


@EVERYWHERE
def test_musterd_is_killed_meanwhile(musterd, spawn):
    box = spawn("echo up; read line; exit 4", "--register=yes")
    assert box.line() == "up"
    musterd.kill()
    musterd.start()
    with world.Varlink() as v:
        assert v.names() == ["box"]
    assert box.end("\n")[0] == 4


@EVERYWHERE
def test_musterd_is_gone_at_the_end(musterd, spawn):
    """There is nobody to tell then, which is no failure; musterd finds out itself."""
    box = spawn("echo up; read line; exit 5", "--register=yes")
    assert box.line() == "up"
    musterd.kill()
    assert box.end("\n")[0] == 5
    musterd.start()
    with world.Varlink() as v:
        world.wait_until(lambda: v.names() == [], "the machine to be forgotten")


@WITH_CGROUPS
def test_runner_is_killed(spawn, mode):
    """The payload dies with it. What it leaves of the control groups, also what was made inside, the next start takes away."""
    inside = "/sys/fs/cgroup" + {"v2": "", "hybrid": "/unified", "v1": "/systemd"}[mode]
    box = spawn(f"mkdir {inside}/init.scope && echo 0 >{inside}/init.scope/cgroup.procs; echo up; sleep 1000",
                "--property=TasksMax=60" if mode != "v2" else "--property=KillMode=mixed")
    assert box.line() == "up"
    box.process.kill()
    box.process.wait()
    stale = scope(None, mode)
    world.wait_until(lambda: not (stale / "payload/init.scope/cgroup.procs").read_text().split(), "the payload to die")
    assert stale.is_dir() and (mode == "v2" or scope("pids", mode).is_dir())
    again = spawn("echo up; read line")
    assert again.line() == "up"
    assert not (stale / "payload/init.scope").exists() and (mode == "v2" or not scope("pids", mode).exists())
    assert again.end("\n")[0] == 0


@WITH_CGROUPS
def test_runs_already(spawn, tree):
    first = spawn("echo up; read line", "--read-only")
    assert first.line() == "up"
    status, out, err = spawn("echo up", "--read-only").end()
    assert (status, out) == (1, "") and "box.scope" in err
    assert first.end("\n")[0] == 0
