# SPDX-License-Identifier: LGPL-2.1-or-later
"""musterd --scope-manager: what clients of org.freedesktop.systemd1 get of it, and the clients themselves."""
import json
import os
import pathlib
import signal
import subprocess

import pytest
import world
from world import busctl, wait_until

SYSTEMD = ("org.freedesktop.systemd1", "/org/freedesktop/systemd1", "org.freedesktop.systemd1.Manager")
UNITS = "/org/freedesktop/systemd1/unit/"
NOT_SUPPORTED = "org.freedesktop.DBus.Error.NotSupported"
INVALID = "org.freedesktop.DBus.Error.InvalidArgs"


@pytest.fixture
def scope_manager(bus, build):
    daemon = world.Musterd(build, "--scope-manager", "--stop-timeout=1s")
    daemon.start()
    yield daemon
    daemon.finish()


def systemd(method, *arguments, **options):
    return busctl("call", *SYSTEMD, method, *arguments, **options)


def start(name, pids, *properties, check=True):
    """properties: (name, type, value...) each."""
    flat = [word for p in properties for word in p]
    return systemd("StartTransientUnit", "ssa(sv)a(sa(sv))", name, "fail", 1 + len(properties), "PIDs", "au", len(pids),
                   *pids, *flat, 0, check=check)


def exists(name):
    return systemd("GetUnit", "s", name, check=False).returncode == 0


def gone(name):
    wait_until(lambda: not exists(name), f"{name} to go")


def properties(unit):
    path = systemd("GetUnit", "s", unit).stdout.split('"')[1]
    out = busctl("--json=short", "call", SYSTEMD[0], path, "org.freedesktop.DBus.Properties", "GetAll", "s", "").stdout
    return {k: v["data"] for k, v in json.loads(out)["data"][0].items()}


# busctl prints the text of an error only; dbus-send prints its name.
def refused(name, method, *arguments, path=SYSTEMD[1], interface=SYSTEMD[2], **options):
    result = subprocess.run(["dbus-send", f"--bus={world.BUS_ADDRESS}", "--print-reply", f"--dest={SYSTEMD[0]}", path,
                             f"{interface}.{method}", *arguments], capture_output=True, text=True, **options)
    assert result.stderr.startswith(f"Error {name}:"), result.stdout + result.stderr
    return result.stderr


def is_in(pid, cgroup, mode):
    marker = {"v2": "0::", "hybrid": "0::", "v1": "name=systemd:"}[mode]
    lines = pathlib.Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    return any(marker in line and line.endswith(cgroup) for line in lines)


@pytest.fixture
def signals():
    made = []

    def watch(rule):
        made.append(world.Signals(rule))
        return made[-1]
    yield watch
    for one in made:
        one.end()


# ---- the interface ----

@pytest.mark.modes("v2", "hybrid", "v1")
def test_life_of_a_scope(scope_manager, processes, signals, mode):
    jobs = signals("type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'")
    first, second = processes.sleeper(), processes.sleeper()
    job = start("web.scope", [first, second], ("Description", "s", "A web"),
                ("Slice", "s", "machine-web.slice")).stdout.split('"')[1]
    jobs.wait(job, "web.scope", '"done"')
    cgroup = "/machine.slice/machine-web.slice/web.scope"
    assert is_in(first, cgroup, mode) and is_in(second, cgroup, mode)
    assert systemd("GetUnitByPID", "u", second).stdout == f'o "{UNITS}web_2escope"\n'
    about = properties("web.scope")
    assert about["Id"] == "web.scope" and about["Description"] == "A web" and about["Slice"] == "machine-web.slice"
    assert about["ControlGroup"].endswith(cgroup) and about["ActiveState"] == "active" and about["Names"] == ["web.scope"]
    listed = systemd("GetUnitProcesses", "s", "web.scope").stdout
    assert f'{first} "sleep"' in listed and f'{second} "sleep"' in listed and listed.startswith("a(sus) 2 ")
    assert f"{UNITS}web_2escope" in busctl("tree", "--list", SYSTEMD[0]).stdout
    assert ".ControlGroup" in busctl("introspect", SYSTEMD[0], UNITS + "web_2escope").stdout
    processes.kill(first)
    assert exists("web.scope")
    job = systemd("StopUnit", "ss", "web.scope", "replace").stdout.split('"')[1]
    jobs.wait(job)
    gone("web.scope")
    assert not [d for d in world.scope_directories() if d.endswith("web.scope")]


@pytest.mark.modes("v2", "hybrid", "v1")
def test_an_empty_scope_is_collected(scope_manager, processes):
    leader = processes.sleeper()
    start("brief.scope", [leader])
    processes.kill(leader)
    gone("brief.scope")
    start("brief.scope", [processes.sleeper()])
    systemd("KillUnit", "ssi", "brief.scope", "all", 9)
    gone("brief.scope")


def test_who_does_not_end_is_killed(scope_manager, processes):
    start("deaf.scope", [processes.sleeper(command=["sh", "-c", "trap '' TERM; exec sleep 1000"])])
    systemd("StopUnit", "ss", "deaf.scope", "fail")
    gone("deaf.scope")


@pytest.mark.modes("v2", "v1")
def test_survives_kill_9(scope_manager, processes):
    leader, other = processes.sleeper(), processes.sleeper()
    start("old.scope", [leader], ("Description", "s", 'Older than "you"'), ("TimeoutStopUSec", "t", 700000),
          ("AddRef", "b", "true"))
    start("ended.scope", [other])
    scope_manager.kill()
    processes.kill(other)
    scope_manager.start()
    about = properties("old.scope")
    assert about["Description"] == 'Older than "you"' and about["TimeoutStopUSec"] == 700000
    gone("ended.scope")
    systemd("UnrefUnit", "s", "old.scope")
    refused("org.freedesktop.systemd1.NotReferenced", "UnrefUnit", "string:old.scope")
    systemd("StopUnit", "ss", "old.scope", "fail")
    gone("old.scope")


def test_a_scope_outlives_a_musterd_without_the_option(bus, build, processes):
    daemon = world.Musterd(build, "--scope-manager")
    daemon.start()
    leader = processes.sleeper()
    start("kept.scope", [leader])
    daemon.stop()
    daemon.options = ()
    daemon.start()
    assert is_in(leader, "/system.slice/kept.scope", "v2")
    assert busctl("call", *SYSTEMD, "GetUnit", "s", "kept.scope", check=False).returncode != 0
    processes.kill(leader)
    wait_until(lambda: not world.scope_directories(), "the scope to be removed")
    daemon.finish()


def test_controller_is_asked_and_its_end_noticed(scope_manager, processes, signals):
    stops = signals("type='signal',member='RequestStop'")
    leader, name = processes.sleeper(), name_that_stays()
    start("asked.scope", [leader], ("Controller", "s", name), ("TimeoutStopUSec", "t", 300000))
    assert properties("asked.scope")["Controller"] == name
    systemd("StopUnit", "ss", "asked.scope", "fail")
    stops.wait("asked_2escope")
    gone("asked.scope")  # the controller did nothing, so it was killed
    start("orphan.scope", [processes.sleeper()], ("Controller", "s", ":1.4000000"))
    wait_until(lambda: properties("orphan.scope")["Controller"] == "", "the controller's absence to be noticed")
    systemd("StopUnit", "ss", "orphan.scope", "fail")
    gone("orphan.scope")


def name_that_stays():
    """A unique name that lives as long as the test: musterd's own."""
    out = busctl("--json=short", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                 "GetNameOwner", "s", SYSTEMD[0]).stdout
    return json.loads(out)["data"][0]


def test_abandon(scope_manager, processes):
    leader = processes.sleeper()
    start("left.scope", [leader])
    systemd("AbandonScope", "s", "left.scope")
    assert properties("left.scope")["SubState"] == "abandoned"
    os.kill(leader, 0)
    processes.kill(leader)
    gone("left.scope")


def test_refusals(scope_manager, processes):
    leader = processes.sleeper()
    for method, arguments in (("StartUnit", ["string:a.service", "string:fail"]), ("ListUnits", []), ("Reload", []),
                              ("EnableUnitFiles", ["array:string:a", "boolean:false", "boolean:false"]), ("NoSuch", [])):
        assert method in refused(NOT_SUPPORTED, method, *arguments)
    refused("org.freedesktop.systemd1.NoSuchUnit", "GetUnit", "string:none.scope")
    refused("org.freedesktop.systemd1.NoSuchUnit", "StopUnit", "string:none.scope", "string:fail")
    refused("org.freedesktop.systemd1.NoUnitForPID", "GetUnitByPID", f"uint32:{leader}")
    for name in ("a.service", ".scope", "a/b.scope", "../x.scope", "a@.scope", "x" * 250 + ".scope", "a b.scope"):
        assert "scope" in start(name, [leader], check=False).stderr, name
    for bad in (("Slice", "s", "../x.slice"), ("Slice", "s", "a/b.slice"), ("Slice", "s", "no"), ("Nonsense", "s", "x"),
                ("Controller", "s", "org.example.X"), ("KillSignal", "i", 99), ("CollectMode", "s", "never"),
                ("Description", "t", 1), ("PIDs", "au", 1, 1)):
        result = start("bad.scope", [leader], bad, check=False)
        assert result.returncode != 0 and (bad[0] in result.stderr or "PID 1" in result.stderr), (bad, result)
    assert "processes" in start("bad.scope", [], check=False).stderr
    assert "lives" in start("bad.scope", [2 ** 22 - 1], check=False).stderr
    assert not exists("bad.scope") and not world.scope_directories()
    start("twice.scope", [leader])
    assert "exists" in start("twice.scope", [processes.sleeper()], check=False).stderr
    refused("org.freedesktop.systemd1.NotSubscribed", "Unsubscribe")
    systemd("KillUnit", "ssi", "twice.scope", "all", 9)
    gone("twice.scope")


def test_only_root_may(scope_manager, processes):
    leader = processes.sleeper()
    start("mine.scope", [leader])
    user = {"preexec_fn": world.drop_privileges(65534)}
    subprocess.run(["dbus-send", f"--bus={world.BUS_ADDRESS}", "--print-reply", f"--dest={SYSTEMD[0]}", SYSTEMD[1],
                    f"{SYSTEMD[2]}.GetUnit", "string:mine.scope"], check=True, stdout=subprocess.DEVNULL, **user)
    for method, arguments in (("StopUnit", ["string:mine.scope", "string:fail"]), ("AbandonScope", ["string:mine.scope"]),
                              ("KillUnit", ["string:mine.scope", "string:all", "int32:9"]), ("UnrefUnit", ["string:mine.scope"])):
        refused("org.freedesktop.DBus.Error.AccessDenied", method, *arguments, **user)
    refused("org.freedesktop.DBus.Error.AccessDenied", "Abandon", path=UNITS + "mine_2escope",
            interface="org.freedesktop.systemd1.Scope", **user)
    os.kill(leader, 0)
    systemd("StopUnit", "ss", "mine.scope", "fail")
    gone("mine.scope")


@pytest.mark.modes("v1")
def test_limits(scope_manager, processes):
    leader = processes.sleeper()
    start("small.scope", [leader], ("TasksMax", "t", 33))
    limit, = pathlib.Path("/sys/fs/cgroup/pids").glob("**/small.scope/pids.max")
    assert limit.read_text() == "33\n"
    systemd("SetUnitProperties", "sba(sv)", "small.scope", "true", 1, "TasksMax", "t", 44)
    assert limit.read_text() == "44\n"
    assert "MemoryMax" in systemd("SetUnitProperties", "sba(sv)", "small.scope", "true", 1, "MemoryMax", "t", 1 << 30,
                                  check=False).stderr
    systemd("StopUnit", "ss", "small.scope", "fail")
    gone("small.scope")


def test_scope_of_a_machine(scope_manager, processes, signals):
    """What libvirt does after CreateMachine, and machinectl status."""
    jobs = signals("type='signal',interface='org.freedesktop.systemd1.Manager',member='JobRemoved'")
    leader = processes.sleeper()
    world.manager("CreateMachine", "sayssusa(sv)", "m-1", 0, "test", "vm", leader, "", 0)
    unit = "machine-m\\x2d1.scope"
    assert properties(unit)["ControlGroup"] == "/machine.slice/" + unit
    assert str(leader) in systemd("GetUnitProcesses", "s", unit).stdout
    refused(NOT_SUPPORTED, "AbandonScope", "string:" + unit)
    assert "exists" in start(unit, [processes.sleeper()], check=False).stderr
    systemd("StopUnit", "ss", unit, "fail")
    jobs.wait("m\\x2d1.scope", "done")
    assert not exists(unit)
    with world.Varlink() as v:
        assert v.names() == []


def test_options(build):
    for options, word in ((["--backend=systemd"], "systemd"), (["--bus=no"], "bus")):
        result = subprocess.run([str(build / "musterd"), "--scope-manager", *options], capture_output=True, text=True)
        assert result.returncode == 1 and word in result.stderr and result.stderr.count("\n") == 1


def test_refused_where_systemd_is_the_manager(build):
    script = f"mkdir -p /run/systemd/system; printf systemd >/proc/1/comm; {build}/musterd --scope-manager; s=$?; exit $s"
    result = subprocess.run(["unshare", "-p", "-m", "--fork", "--mount-proc", "sh", "-c", script], capture_output=True, text=True,
                            timeout=60)
    os.rmdir("/run/systemd/system")
    assert result.returncode == 1 and "systemd manages" in result.stderr and result.stderr.count("\n") == 1, result.stderr


def test_not_owned_without_the_option(musterd):
    names = json.loads(busctl("--json=short", "call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                              "ListNames").stdout)["data"][0]
    assert SYSTEMD[0] not in names and world.MANAGER[0] in names


# ---- systemd-nspawn 262 ----

@pytest.fixture
def container(tmp_path):
    """A busybox system whose init takes the signals of a real one."""
    busybox = pathlib.Path("/bin/busybox")
    if not busybox.exists():
        pytest.skip("busybox is not installed")
    tree = tmp_path / "box"
    for folder in ("bin", "sbin", "etc", "proc", "sys", "dev", "run", "tmp", "usr/lib", "root", "var"):
        (tree / folder).mkdir(parents=True)
    (tree / "bin/busybox").write_bytes(busybox.read_bytes())
    (tree / "bin/busybox").chmod(0o755)
    for name in ("sh", "sleep", "umount", "poweroff"):
        (tree / "bin" / name).symlink_to("busybox")
    (tree / "sbin/init").symlink_to("../bin/busybox")
    (tree / "etc/os-release").write_text("ID=busybox\nPRETTY_NAME=Box\n")
    (tree / "etc/inittab").write_text("::sysinit:/bin/sh -c true\n::respawn:/bin/sleep 1000\n")
    return tree


@pytest.fixture
def nspawn(container):
    tree = pathlib.Path(os.environ.get("MUSTER_TREES", "/nonexistent")) / "forky"
    if not tree.is_dir():
        pytest.skip("systemd-nspawn of Debian forky could not be fetched (needs mmdebstrap and a mirror)")
    loaders = list((tree / "usr").glob("lib*/ld-linux*.so.*"))
    if not loaders:
        pytest.skip("the Debian forky tree is of an architecture whose loader is not known here")
    started = []

    def run(*options):
        libraries = loaders[0].resolve().parent
        process = subprocess.Popen(
            [str(loaders[0]), "--library-path", f"{libraries}:{libraries}/systemd", str(tree / "usr/bin/systemd-nspawn"), "-q",
             "-D", str(container), "--private-network", "-b", "--console=pipe", *options],
            stdin=subprocess.DEVNULL, env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=world.BUS_ADDRESS,
                                               SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1"))
        started.append(process)
        return process
    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
            process.wait()
    for leftover in pathlib.Path("/run/systemd/nspawn").glob("*/unix-export"):  # of one that was killed -9
        subprocess.run(["umount", "-l", str(leftover)], check=True)
        leftover.rmdir()


def machine(name):
    with world.Varlink() as v:
        return next((m for m in v.list() if m["name"] == name), None)


def muster(build, *arguments):
    return subprocess.run([str(build / "muster"), *arguments], capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("end", ["poweroff", "terminate", "kill -9", "stop the unit", "kill -9 of nspawn"])
def test_nspawn_262(scope_manager, nspawn, build, end):
    process = nspawn()
    box = wait_until(lambda: process.poll() is not None or machine("box"), "the machine to be registered", 60)
    assert process.poll() is None, "nspawn has ended"
    leader = box["leader"]["pid"]
    assert (box["class"], box["service"], box["unit"]) == ("container", "systemd-nspawn", "box.scope")
    assert "box" in muster(build, "list")
    wait_until(lambda: world.comm(leader) == "init", "the container to boot", 60)
    wait_until(lambda: is_in(leader, "/machine.slice/box.scope/payload", "v2"), "nspawn to delegate")
    assert subprocess.run(["ps", "-o", "machine=", "-p", str(leader)], capture_output=True, text=True).stdout == "box\n"
    assert str(leader) in systemd("GetUnitProcesses", "s", "box.scope").stdout
    assert properties("box.scope")["Controller"].startswith(":")
    if end == "kill -9 of nspawn":  # the container lives on: a machine is its leader
        process.kill()
        wait_until(lambda: properties("box.scope")["Controller"] == "", "the controller's end to be noticed")
        assert machine("box")
        muster(build, "terminate", "box")
    elif end == "kill -9":
        os.kill(leader, signal.SIGKILL)
    elif end == "stop the unit":
        systemd("StopUnit", "ss", "box.scope", "fail")
    else:
        muster(build, end, "box")
    process.wait(60)
    wait_until(lambda: not machine("box"), "the machine to go", 30)
    gone("box.scope")


def test_nspawn_262_and_kill_9_of_musterd(scope_manager, nspawn, build):
    process = nspawn()
    wait_until(lambda: process.poll() is not None or machine("box"), "the machine to be registered", 60)
    scope_manager.kill()
    scope_manager.start()
    assert machine("box")["unit"] == "box.scope" and properties("box.scope")["Controller"].startswith(":")
    muster(build, "terminate", "box")
    process.wait(60)
    gone("box.scope")
    assert not machine("box")


# ---- libvirt ----
# It wants machine1 to be activatable and systemd1 to be owned, and a control group hierarchy with controllers: that is v1 here.

# In mounts of its own: no configuration, state or users of this host, and of the control groups only what the sandbox shows,
# for libvirt takes every line of the mount table at its word.
LIBVIRTD = """
set -e
for f in passwd group; do
    { cat /etc/$f; cat $1/$f; } >$1/$f.all
    mount --bind $1/$f.all /etc/$f
done
for d in /etc/libvirt /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do
    mkdir -p $d
    mount -t tmpfs none $d
done
cp $1/*.conf /etc/libvirt/
mkdir $1/cgroup
mount --rbind /sys/fs/cgroup $1/cgroup
while mountpoint -q /sys; do umount -R -l /sys; done
mount -t sysfs none /sys
mount --rbind $1/cgroup /sys/fs/cgroup
umount -R -l $1/cgroup
exec libvirtd
"""
LIBVIRT_FILES = {
    "libvirtd.conf": 'unix_sock_dir="/run/libvirt"\nauth_unix_rw="none"\nauth_unix_ro="none"\n',
    "qemu.conf": 'stdio_handler="file"\nsecurity_driver="none"\nuser="root"\ngroup="root"\nnamespaces=[]\nremember_owner=0\n',
    "lxc.conf": 'security_driver="none"\n',
    "passwd": "libvirt-qemu:x:64055:64055::/:/bin/false\n",
    "group": "libvirt-qemu:x:64055:\nkvm:x:64056:\n",
}
LXC = """<domain type='lxc'><name>box</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type>exe</type><init>/sbin/init</init></os><devices><filesystem type='mount'><source dir='{root}'/><target dir='/'/>
</filesystem><console type='pty'/></devices></domain>"""
QEMU = """<domain type='qemu'><name>a guest</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>"""


@pytest.fixture
def activatable(scope_manager, build):
    """The activation file that is installed, for this bus."""
    source = pathlib.Path(__file__).resolve().parents[2] / "data/dbus/org.freedesktop.machine1.service.in"
    file = world.SERVICES / "org.freedesktop.machine1.service"
    reload = ("call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus", "ReloadConfig")
    file.write_text(source.read_text().replace("@sbindir@", str(build)))
    busctl(*reload)
    yield
    file.unlink()
    busctl(*reload)


@pytest.fixture
def libvirt(activatable, tmp_path):
    for program in ("/usr/sbin/libvirtd", "/usr/bin/virsh", "/usr/bin/qemu-system-x86_64", "/usr/lib/libvirt/libvirt_lxc"):
        if not os.path.exists(program):
            pytest.skip(f"{program} is not installed")
    folder = tmp_path / "libvirt"
    folder.mkdir()
    for name, text in LIBVIRT_FILES.items():
        (folder / name).write_text(text)
    log = open(folder / "log", "w+")
    daemon = subprocess.Popen(["unshare", "-m", "sh", "-c", LIBVIRTD, "sh", str(folder)], stderr=log, stdout=log,
                              env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=world.BUS_ADDRESS))
    socket = pathlib.Path("/run/libvirt/libvirt-sock")
    wait_until(lambda: socket.exists() or daemon.poll() is not None, "libvirtd to listen", 60)
    assert daemon.poll() is None, (folder / "log").read_text()

    def virsh(uri, *arguments):
        result = subprocess.run(["virsh", "-c", f"{uri}:///system", *arguments], capture_output=True, text=True, timeout=90)
        assert result.returncode == 0, result.stderr + (folder / "log").read_text()[-3000:]
        return result.stdout
    yield virsh
    daemon.terminate()
    daemon.wait(30)
    log.close()


def machines():
    with world.Varlink() as v:
        return [m for m in v.list() if m["class"] != "host"]


@pytest.mark.modes("v1")
@pytest.mark.parametrize("end", ["destroy", "poweroff", "kill -9"])
def test_libvirt_lxc(scope_manager, libvirt, container, build, tmp_path, end):
    (tmp_path / "box.xml").write_text(LXC.format(root=container))
    libvirt("lxc", "create", str(tmp_path / "box.xml"))
    box, = machines()
    leader = box["leader"]["pid"]
    assert (box["class"], box["service"]) == ("container", "libvirt-lxc") and box["name"].endswith("-box")
    assert box["unit"] == "machine-" + box["name"].replace("-", "\\x2d") + ".scope"
    wait_until(lambda: world.comm(leader) == "init", "the container to boot", 60)
    assert subprocess.run(["ps", "-o", "machine=", "-p", str(leader)], capture_output=True,
                          text=True).stdout == box["name"] + "\n"
    if end == "destroy":
        libvirt("lxc", "destroy", "box")
    elif end == "poweroff":
        muster(build, "poweroff", box["name"])
    else:
        os.kill(leader, signal.SIGKILL)
    wait_until(lambda: not machines(), "the machine to go", 30)
    try:
        wait_until(lambda: "box" not in libvirt("lxc", "list"), "libvirt to notice", 30)
    except AssertionError:
        if end != "kill -9":
            raise
        libvirt("lxc", "destroy", "box")  # its controller has been seen to wait for a killed init without end


@pytest.mark.modes("v1")
@pytest.mark.parametrize("end", ["destroy", "kill -9", "muster terminate"])
def test_libvirt_qemu(scope_manager, libvirt, build, tmp_path, end):
    (tmp_path / "guest.xml").write_text(QEMU)
    libvirt("qemu", "create", "--paused", str(tmp_path / "guest.xml"))
    guest, = machines()
    leader = guest["leader"]["pid"]
    assert (guest["class"], guest["service"], guest["name"]) == ("vm", "libvirt-qemu", "qemu-1-aguest")
    assert guest["unit"] == "machine-qemu\\x2d1\\x2daguest.scope"
    assert world.comm(leader).startswith("qemu-system")
    uuid = libvirt("qemu", "domuuid", "a guest").strip()
    assert guest["id"].replace("-", "") == uuid.replace("-", "")
    if end == "destroy":
        libvirt("qemu", "destroy", "a guest")
    elif end == "kill -9":
        os.kill(leader, signal.SIGKILL)
    else:
        muster(build, "terminate", guest["name"])
    wait_until(lambda: not machines(), "the machine to go", 30)
    wait_until(lambda: "guest" not in libvirt("qemu", "list"), "libvirt to notice", 30)


def test_shipped_policy(build, processes):
    """With the installed bus policies and nothing else: root owns the name and manages, others may only look."""
    top = pathlib.Path(__file__).resolve().parents[2] / "data/dbus"
    files = "".join(f"<include>{top / name}</include>" for name in ("org.freedesktop.machine1.conf", "muster-scope-manager.conf"))
    strict = '<deny own="*"/><deny send_type="method_call"/><allow send_destination="org.freedesktop.DBus"/>' \
             '<allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>' \
             '<allow send_requested_reply="true" send_type="error"/><allow receive_type="method_call"/>' \
             '<allow receive_type="method_return"/><allow receive_type="error"/><allow receive_type="signal"/>'
    server = world.Bus(policy=strict, includes=files, socket="/run/dbus/strict_socket")
    daemon = world.Musterd(build, "--scope-manager", address=server.address)
    daemon.start()
    leader = processes.sleeper()

    def send(method, *arguments, **options):
        return subprocess.run(["dbus-send", f"--bus={server.address}", "--print-reply", f"--dest={SYSTEMD[0]}", SYSTEMD[1],
                               f"{SYSTEMD[2]}.{method}", *arguments], capture_output=True, text=True, **options)
    subprocess.run(["busctl", f"--address={server.address}", "call", *SYSTEMD, "StartTransientUnit", "ssa(sv)a(sa(sv))",
                    "p.scope", "fail", "1", "PIDs", "au", "1", str(leader), "0"], check=True, stdout=subprocess.DEVNULL)
    user = {"preexec_fn": world.drop_privileges(65534)}
    assert send("GetUnit", "string:p.scope", **user).returncode == 0
    assert "AccessDenied" in send("StopUnit", "string:p.scope", "string:fail", **user).stderr
    assert send("StopUnit", "string:p.scope", "string:fail").returncode == 0
    wait_until(lambda: not world.scope_directories(), "the scope to go")
    daemon.finish()
    server.stop()
