# SPDX-License-Identifier: LGPL-2.1-or-later
"""muster-hook, run by the real LXC, crun, runc and podman: their containers come into the registry and leave it."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import pytest
import world

DATA = pathlib.Path(__file__).resolve().parents[2] / "data" / "hooks"
LXC_PATH = pathlib.Path("/run/lxc")  # LXC wants to be let through to the root file system by everybody
NAME_KEY = "org.freedesktop.machine1.name"
LIFE = ["/bin/sh", "-c", "trap 'exit 0' TERM; while :; do sleep 0.1; done"]

pytestmark = pytest.mark.modes("v2", "hybrid")


def need(*programs):
    for program in programs:
        if not shutil.which(program):
            pytest.skip(f"{program} is not installed")


def run(*command, check=True, **options):
    result = subprocess.run([str(word) for word in command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                            timeout=60, **options)
    if check:
        assert result.returncode == 0, f"{command}: {result.stdout}{result.stderr}"
    return result


@pytest.fixture
def tree():
    """A root file system of busybox alone."""
    need("busybox")
    top = pathlib.Path("/run/tree")
    for name in ("bin", "proc", "sys", "dev", "etc", "tmp", "run"):
        (top / name).mkdir(parents=True)
    shutil.copy(shutil.which("busybox"), top / "bin/busybox")
    for name in ("sh", "sleep"):
        (top / "bin" / name).symlink_to("busybox")
    yield top
    shutil.rmtree(top)


def shipped(name, build, *options):
    """A file of data/hooks as meson configures it, with the hook in the build directory, and with more options. A busy machine gets
    more time than the hook gives the registry, and less than an OCI runtime gives the hook."""
    text = (DATA / f"{name}.in").read_text().replace("@libexecdir@/muster/muster-hook", str(build / "muster-hook"))
    for option in (*options, "--timeout=20s"):
        text = text.replace("muster-hook lxc", f"muster-hook {option} lxc").replace('"oci"]', f'"{option}", "oci"]')
    return text


def machines():
    with world.Varlink() as v:
        return {m["name"]: m for m in v.list() if m["class"] != "host"}


def record(name):
    return (world.MACHINES / name).read_text()


def gone():
    world.wait_until(lambda: not machines(), "the machine to go")


# ---- LXC ----

class Lxc:
    def __init__(self, build, tree):
        self.build = build
        self.tree = tree
        self.started = []

    def configure(self, name, *options, version=1, veth=None):
        directory = LXC_PATH / name
        directory.mkdir(parents=True)
        config = [f"lxc.rootfs.path = dir:{self.tree}", "lxc.uts.name = test", f"lxc.hook.version = {version}",
                  "lxc.mount.auto = proc:mixed", "lxc.autodev = 1", "lxc.net.0.type = " + ("veth" if veth else "empty")]
        if veth:
            config.append(f"lxc.net.0.veth.pair = {veth}")
        (directory / "hooks.conf").write_text(shipped("lxc.conf", self.build, *options))
        (directory / "config").write_text("\n".join([*config, f"lxc.include = {directory}/hooks.conf"]) + "\n")

    def start(self, name, check=True):
        self.started.append(name)
        result = run("lxc-start", "-d", "-P", LXC_PATH, "-n", name, "-l", "DEBUG", "-o", f"/run/lxc-{name}.log", "--",
                     *LIFE, check=False)
        if check:
            assert result.returncode == 0, result.stderr + self.log(name)[-4000:]
        return result.returncode == 0

    def leader(self, name):
        return int(run("lxc-info", "-P", LXC_PATH, "-n", name, "-p", "-H").stdout)

    def monitor(self, name):
        return int(pathlib.Path(f"/proc/{self.leader(name)}/stat").read_text().rsplit(")", 1)[1].split()[1])

    def stop(self, name):
        run("lxc-stop", "-P", LXC_PATH, "-n", name, "-k")
        run("lxc-wait", "-P", LXC_PATH, "-n", name, "-s", "STOPPED", "-t", "10")

    def log(self, name):
        return pathlib.Path(f"/run/lxc-{name}.log").read_text()

    def end(self):
        for name in self.started:
            run("lxc-stop", "-P", LXC_PATH, "-n", name, "-k", check=False)
            run("lxc-wait", "-P", LXC_PATH, "-n", name, "-s", "STOPPED", "-t", "10", check=False)
        shutil.rmtree(LXC_PATH)


@pytest.fixture
def lxc(build, tree):
    need("lxc-start", "lxc-stop", "lxc-info", "lxc-wait")
    LXC_PATH.mkdir(exist_ok=True)
    manager = Lxc(build, tree)
    yield manager
    manager.end()


@pytest.mark.parametrize("version", [0, 1])
def test_lxc(musterd_without_bus, build, lxc, version):
    lxc.configure("web", version=version, veth="vethmuster")
    lxc.start("web")
    [machine] = machines().values()
    assert machine["name"] == "web" and machine["class"] == "container" and machine["service"] == "lxc"
    assert machine["leader"]["pid"] == lxc.leader("web")
    assert machine["rootDirectory"] == str(lxc.tree)
    index = pathlib.Path("/sys/class/net/vethmuster/ifindex").read_text().strip()
    assert f'NETIF="{index}"' in record("web").replace('=" ', '="')
    assert run(build / "muster", "list", "--no-legend").stdout.split()[:3] == ["web", "container", "lxc"]
    lxc.stop("web")
    assert not machines()


@pytest.mark.parametrize("victim", ["leader", "monitor"])
def test_lxc_killed(musterd_without_bus, lxc, victim):
    lxc.configure("web")
    lxc.start("web")
    leader = lxc.leader("web")
    os.kill(leader if victim == "leader" else lxc.monitor("web"), signal.SIGKILL)
    world.wait_until(lambda: world.comm(leader) is None, "the leader to die")
    gone()


def test_lxc_name_that_no_machine_may_have(musterd_without_bus, lxc):
    for name in ("foo_bar", "foo-bar"):
        lxc.configure(name)
        lxc.start(name)
    names = sorted(machines())
    assert names[0] == "foo-bar" and names[1].startswith("foo-bar-") and len(names) == 2
    lxc.stop("foo_bar")
    assert sorted(machines()) == ["foo-bar"]


def test_lxc_name_of_somebody_else(musterd_without_bus, lxc, processes):
    """It is not taken away from them: neither at the start nor at the end."""
    with world.Varlink() as v:
        v.register("web", processes.sleeper(), service="lxc")
    before = machines()
    lxc.configure("web")
    lxc.configure("other", "--name=other-name")
    lxc.start("web")
    lxc.start("other")
    assert machines()["web"] == before["web"] and sorted(machines()) == ["other-name", "web"]
    assert 'Container "web" is not registered: another machine is called "web".' in lxc.log("web")
    lxc.stop("web")
    lxc.stop("other")
    assert machines() == before


def test_lxc_without_a_registry(lxc):
    lxc.configure("free")
    lxc.configure("bound", "--required")
    assert lxc.start("free")
    assert "No registry is running" in lxc.log("free")
    assert not lxc.start("bound", check=False)
    lxc.stop("free")


# ---- OCI runtimes ----

class Oci:
    def __init__(self, runtime, build, tree):
        self.runtime = runtime
        self.build = build
        self.tree = tree
        self.started = []
        self.errors = pathlib.Path("/run/hook-errors")

    def command(self, *words, check=True):
        return run(self.runtime, "--root", f"/run/{self.runtime}", *words, check=check)

    def bundle(self, name, *options, annotation=None, stages=()):
        directory = pathlib.Path("/run/bundles") / name
        directory.mkdir(parents=True)
        example = json.loads(shipped("oci-config.json", self.build, *options))
        for stage in stages:
            example["hooks"][stage] = example["hooks"]["createRuntime"]
        # Only crun shows what a hook says; it does so in a file.
        annotations = {"run.oci.hooks.stderr": str(self.errors)}
        if annotation is not None:
            annotations[NAME_KEY] = annotation
        config = {
            "ociVersion": "1.0.2",
            "process": {"terminal": False, "user": {"uid": 0, "gid": 0}, "args": LIFE, "env": ["PATH=/bin"], "cwd": "/"},
            "root": {"path": str(self.tree), "readonly": True},
            "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
            "annotations": annotations, "hooks": example["hooks"],
            "linux": {"namespaces": [{"type": t} for t in ("pid", "mount", "uts", "ipc", "network")]},
        }
        (directory / "config.json").write_text(json.dumps(config))
        return directory

    def start(self, name, *options, check=True, **bundle):
        self.started.append(name)
        directory = self.bundle(name, *options, **bundle)
        with open("/dev/null", "r+") as null:  # a detached container keeps the standard streams: no pipes
            result = subprocess.run([self.runtime, "--root", f"/run/{self.runtime}", "run", "--detach", "--bundle",
                                     directory, name], stdin=null, stdout=null, stderr=null, timeout=60)
        if check:
            assert result.returncode == 0
        return result.returncode == 0

    def state(self, name):
        return json.loads(self.command("state", name).stdout)

    def stop(self, name):
        self.command("delete", "--force", name)

    def end(self):
        for name in self.started:
            self.command("delete", "--force", name, check=False)
        shutil.rmtree("/run/bundles")
        self.errors.unlink(missing_ok=True)


@pytest.fixture(params=["crun", "runc"])
def oci(request, build, tree):
    need(request.param)
    runtime = Oci(request.param, build, tree)
    yield runtime
    runtime.end()


def test_oci(musterd_without_bus, oci):
    oci.start("plain")
    oci.start("x_1", annotation="web")
    found = machines()
    assert sorted(found) == ["plain", "web"]
    for name, container in (("plain", "plain"), ("web", "x_1")):
        assert found[name]["class"] == "container" and found[name]["service"] == "oci"
        assert found[name]["leader"]["pid"] == oci.state(container)["pid"]
        assert found[name]["rootDirectory"] == str(oci.tree)
    oci.stop("x_1")
    assert sorted(machines()) == ["plain"]
    oci.stop("plain")
    assert not machines()


def test_oci_killed(musterd_without_bus, oci):
    oci.start("web")
    os.kill(oci.state("web")["pid"], signal.SIGKILL)
    gone()


def test_oci_more_hooks_than_needed(musterd_without_bus, oci):
    assert oci.start("web", "--required", annotation="a_b", stages=["poststart"])
    [name] = machines()
    assert name.startswith("a-b-")
    if oci.runtime == "crun":
        assert oci.errors.read_text() == ""


def test_oci_name_of_somebody_else(musterd_without_bus, oci, processes):
    with world.Varlink() as v:
        v.register("web", processes.sleeper(), service="oci")
    before = machines()
    oci.start("c1", annotation="web")
    assert sorted(machines()) == ["c1", "web"] and machines()["web"] == before["web"]
    oci.stop("c1")
    assert machines() == before


def test_oci_without_a_registry(oci):
    assert oci.start("free")
    if oci.runtime == "crun":
        assert oci.errors.read_text().startswith('muster-hook: Container "free": No registry is running')
    assert not oci.start("bound", "--required", check=False)


@pytest.mark.modes("v2")
def test_hostile_states(musterd_without_bus, build, processes):
    """One sentence, exit status 0, or 1 when required; nothing is registered."""
    state = {"ociVersion": "1.0", "id": "a", "status": "running", "pid": processes.sleeper(), "bundle": "/nonexistent"}
    cases = [b"", b"\0", b"{}", b"[" * 500000, b'{"id":"' + b"x" * 2000000 + b'"}', b"\xff",
             *(json.dumps(state | bad).encode() for bad in (
                 {"pid": 1}, {"pid": 999999999}, {"pid": -1}, {"id": "\x1b[2J"}, {"id": ""}, {"bundle": "../x"},
                 {"status": None}))]
    for text in cases:
        for options, status in ((), 0), (("--required",), 1):
            result = subprocess.run([build / "muster-hook", *options, "oci"], input=text, capture_output=True, timeout=60)
            said = result.stderr.decode()
            assert result.returncode == status, (text[:100], said)
            assert said.startswith("muster-hook: ") and said.count("\n") == 1 and said[:-1].isprintable(), said
    assert not machines()
    result = subprocess.run([build / "muster-hook", "--required", "oci"], input=json.dumps(state).encode())
    assert result.returncode == 0 and list(machines()) == ["a"]


@pytest.mark.modes("v2")
def test_command_line(build):
    """Who writes a wrong one wants to know; what LXC puts behind is never an option of ours."""
    for words in ([], ["docker"], ["--banana", "oci"], ["--name=a_b", "lxc"], ["--run=x", "oci"], ["--timeout=0", "oci"]):
        result = run(build / "muster-hook", *words, check=False)
        assert result.returncode == 2 and result.stderr.startswith("muster-hook: "), words
    environment = {k: v for k, v in os.environ.items() if not k.startswith("LXC_")}
    result = run(build / "muster-hook", "lxc", "--required", "lxc", "start-host", check=False,
                 env=dict(environment, LXC_NAME="--required"))
    assert result.returncode == 0 and "LXC_PID" in result.stderr
    assert "lxc.hook.post-stop" in run(build / "muster-hook", "--help").stdout


@pytest.mark.modes("v2")
def test_registry_that_hangs(musterd_without_bus, build, processes):
    """Neither does it hold up a container for long, nor does a message that nobody reads."""
    state = json.dumps({"id": "a", "status": "running", "pid": processes.sleeper(), "bundle": "/b"}).encode()
    command = [build / "muster-hook", "--timeout=100ms", "oci"]
    os.kill(musterd_without_bus.pid, signal.SIGSTOP)
    try:
        result = subprocess.run(command, input=state, capture_output=True, timeout=60)
        assert result.returncode == 0 and b"did not answer in time" in result.stderr
        nobody, told = os.pipe()
        os.close(nobody)
        assert subprocess.run(command, input=state, stderr=told, timeout=60).returncode == 0
        os.close(told)
    finally:
        os.kill(musterd_without_bus.pid, signal.SIGCONT)


# ---- podman ----

class Podman:
    def __init__(self, build, tree):
        self.tree = tree
        self.top = pathlib.Path("/run/podman-test")
        (self.top / "hooks").mkdir(parents=True)
        (self.top / "hooks" / "muster.json").write_text(shipped("podman.json", build))

    def command(self, *words, check=True):
        return run("podman", "--root", self.top / "root", "--runroot", self.top / "run", "--tmpdir", self.top / "tmp",
                   "--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file", "--runtime",
                   "crun", "--hooks-dir", self.top / "hooks", *words, check=check)

    def start(self, name, *options):
        result = self.command("run", "--detach", "--network", "none", "--cgroups", "disabled", "--log-driver", "none",
                              "--name", name, *options, "--rootfs", self.tree, *LIFE, check=False)
        if result.returncode and not (self.top / "run").exists():
            pytest.skip("podman does not run here: " + result.stderr.strip())
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def end(self):
        self.command("rm", "--force", "--all", "--time", "0", check=False)
        for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines():
            if line.split()[4].startswith(str(self.top)):
                subprocess.run(["umount", "--lazy", line.split()[4]])
        shutil.rmtree(self.top)


@pytest.fixture
def podman(build, tree):
    need("podman", "conmon", "crun")
    manager = Podman(build, tree)
    yield manager
    manager.end()


@pytest.mark.modes("v2")
def test_podman(musterd_without_bus, podman):
    first = podman.start("one")
    second = podman.start("two", "--annotation", f"{NAME_KEY}=web")
    found = machines()
    assert sorted(found) == sorted([first, "web"]) and len(first) == 64
    for name, container in ((first, first), ("web", second)):
        pid = int(podman.command("inspect", "--format", "{{.State.Pid}}", container).stdout)
        assert found[name]["service"] == "podman" and found[name]["leader"]["pid"] == pid
        assert found[name]["id"] == container[:32] and found[name]["rootDirectory"] == str(podman.tree)
    podman.command("stop", "two")
    world.wait_until(lambda: list(machines()) == [first], "the stopped one to go")
    os.kill(found[first]["leader"]["pid"], signal.SIGKILL)
    gone()
    podman.command("wait", "one")
