# SPDX-License-Identifier: LGPL-2.1-or-later
"""The questions. Each case gets a fresh target and gives a dictionary of what it saw; the keys are what docs/compatibility.md
names. Nothing here says what is right: the original does."""
import functools
import os
import pathlib
import re
import signal
import subprocess
import time
import xml.etree.ElementTree as ET

import dbus

from target import (MACHINE, MACHINE1, MANAGER, MANAGER_PATH, PROPERTIES, STATE, SYSTEMD1, unique, wait)

ALL = {}
USERS = "/run/systemd/userdb/io.systemd.Machine"
HOOK = "/run/systemd/resolve.hook/io.systemd.Machine"


def case(name):
    def remember(function):
        assert name not in ALL
        ALL[name] = function
        return function
    return remember


def u32(value):
    return dbus.UInt32(value)


def array(signature, *values):
    return dbus.Array(values, signature=signature)


def variant(type_, value, **options):
    return type_(value, variant_level=1, **options)


# ---- the interface ----

def interface(t, path):
    """{member: signature} of every interface at path."""
    answer = t.ask(path, "org.freedesktop.DBus.Introspectable", "Introspect", "")
    if not isinstance(answer, list):
        return answer
    found = {}
    for node in ET.fromstring(answer[1]).iter("interface"):
        if not node.get("name").startswith(MACHINE1):
            continue
        for member in node:
            args = {"in": "", "out": ""}
            for arg in member.iter("arg"):
                args[arg.get("direction", "out")] += arg.get("type")
            kind = member.tag if member.tag != "property" else member.get("access")
            if member.tag in ("method", "signal", "property"):
                found[f"{node.get('name').removeprefix(MACHINE1 + '.')}.{member.get('name')}"] = \
                    f"{kind} {member.get('type') or args['in'] + ' -> ' + args['out']}"
    return found


@case("interface/manager")
def interface_manager(t):
    return {k: v for k, v in interface(t, MANAGER_PATH).items() if k.startswith("Manager")}


@case("interface/machine")
def interface_machine(t):
    name = unique()
    t.register(name, u32(t.in_unit(unique("unit") + ".scope")))
    return {k: v for k, v in interface(t, t.path(name)).items() if k.startswith("Machine")}


@case("interface/tree")
def interface_tree(t):
    t.register("tree-1.x", u32(t.in_unit("tree.scope")))
    seen = {}
    for path in ("/", "/org/freedesktop", MANAGER_PATH, MANAGER_PATH + "/machine"):
        answer = t.ask(path, "org.freedesktop.DBus.Introspectable", "Introspect", "")
        nodes = [n.get("name") for n in ET.fromstring(answer[1]).findall("node")] if isinstance(answer, list) else answer
        seen[path] = sorted(n for n in nodes if n not in ("image", "transfer")) if isinstance(nodes, list) else nodes
    return seen


@case("interface/unknown")
def interface_unknown(t):
    path = MANAGER_PATH + "/machine/none"
    return {
        "method": t.manager("Banana"),
        "object": t.ask(path, MACHINE, "GetUIDShift", ""),
        "property of no object": t.ask(path, PROPERTIES, "GetAll", "s", ""),
        "interface": t.ask(MANAGER_PATH, PROPERTIES, "GetAll", "s", "org.example.Banana"),
        "property": t.ask(MANAGER_PATH, PROPERTIES, "Get", "ss", MANAGER, "Banana"),
        "machine's property": t.ask(t.path(".host"), PROPERTIES, "Get", "ss", MACHINE, "Banana"),
        "signature": t.manager("GetMachine", "u", u32(5)),
        "too few": t.manager("KillMachine", "s", "x"),
        "read-only property": t.ask(t.path(".host"), PROPERTIES, "Set", "ssv", MACHINE, "Name", variant(dbus.String, "x")),
        "self of nobody": t.ask(MANAGER_PATH + "/machine/self", MACHINE, "GetUIDShift", ""),
    }


# ---- registering: what is taken and what is refused ----

@case("register/name")
def register_name(t):
    names = ["a" * 64, "a" * 65, "UPPER", "1a", "cre-1.x", "foo_bar", "x-", "-x", "a..b", ".a", "a.", "", ".host", "a b", "a/b",
             "ä", "a-.b", "a.-b", "a--b", "..", "%", "a\tb"]
    seen = {}
    for name in names:
        leader = t.start()
        answer = t.create(name, u32(leader))
        seen[name.replace("/", "<slash>") or "<empty>"] = answer if isinstance(answer, str) else "taken"
        t.kill(leader)
    return seen


@case("register/arguments")
def register_arguments(t):
    def tried(**changes):
        leader = t.in_unit(unique("unit") + ".scope")
        name = unique()
        arguments = dict(id=(), service="s", class_="container", leader=u32(leader), root="")
        arguments.update(changes)
        answer = t.register(name, **arguments)
        if isinstance(answer, str):
            return answer
        t.manager("UnregisterMachine", "s", name)
        return "taken"
    return {
        "id of 15 bytes": tried(id=[1] * 15), "id of 16 bytes": tried(id=range(16)), "id of 16 zeros": tried(id=[0] * 16),
        "class vm": tried(class_="vm"), "class host": tried(class_="host"), "class banana": tried(class_="banana"),
        "leader 1": tried(leader=u32(1)), "leader not there": tried(leader=u32(4194000)),
        "leader too large": tried(leader=u32(4000000000)),
        "root relative": tried(root="srv"), "root with dots": tried(root="/a/../b"), "root not there": tried(root="/nonexistent"),
        "root with slashes": tried(root="//srv//x/"),
        "service empty": tried(service=""), "service long": tried(service="x" * 200),
    }


@case("register/network")
def register_network(t):
    def tried(*indices):
        leader = t.in_unit(unique("unit") + ".scope")
        name = unique()
        answer = t.manager("RegisterMachineWithNetwork", "sayssusai", name, array("y"), "s", "container", u32(leader), "",
                           array("i", *indices))
        if isinstance(answer, str):
            return answer
        seen = t.properties(name)["NetworkInterfaces"]
        t.manager("UnregisterMachine", "s", name)
        return seen
    return {"none": tried(), "one": tried(7), "two": tried(2, 3), "zero": tried(0), "negative": tried(-1),
            "same twice": tried(5, 5)}


@case("register/twice")
def register_twice(t):
    t.terminated = False
    first, second = t.in_unit("twice-a.scope", word="<first>"), t.in_unit("twice-b.scope", word="<second>")
    third = t.start(word="<third>")
    seen = {"first": t.register("twice", u32(first)), "same name": t.register("twice", u32(second))}
    # The original stops the unit of the leader that it refuses, so its processes are looked at after each step.
    time.sleep(0.5)
    seen["the refused leader"] = "lives" if t.alive(second) else "is dead"
    seen["same leader"] = t.register("other", u32(first))
    time.sleep(0.5)
    seen["the registered leader"] = "lives" if t.alive(first) else "is dead"
    seen["third"] = "lives" if t.alive(third) else "is dead"
    seen["the caller got SIGTERM"] = t.terminated
    return seen


@case("register/caller")
def register_caller(t):
    """Leader 0 is the caller."""
    script = ("import dbus, sys, os\n"
              "b = dbus.SystemBus()\n"
              f"print(b.call_blocking('{MACHINE1}', '{MANAGER_PATH}', '{MANAGER}', 'RegisterMachine', 'sayssus',"
              " ('caller', dbus.Array([], signature='y'), 's', 'container', dbus.UInt32(0), '')), flush=True)\n"
              f"print(b.call_blocking('{MACHINE1}', '{MANAGER_PATH}', '{MANAGER}', 'GetMachineByPID', 'u', (dbus.UInt32(0),)),"
              " flush=True)\n"
              f"print(b.call_blocking('{MACHINE1}', '{MANAGER_PATH}/machine/self', '{PROPERTIES}', 'Get', 'ss',"
              f" ('{MACHINE}', 'Name')), flush=True)\n"
              "sys.stdin.read()\n")
    child = subprocess.Popen(["systemd-run", "--quiet", "--pipe", "--unit=caller-test", "/usr/bin/python3", "-c", script],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    t.children.append(child)
    lines = [child.stdout.readline().strip() for _ in range(3)]
    seen = {"answers": lines, "unit": (t.properties("caller") or {}).get("Unit")}
    child.stdin.close()
    child.wait()
    t.units.append("caller-test.service")
    seen["afterwards"] = t.gone("caller")
    return seen


@case("register/properties")
def register_properties(t):
    leader = t.in_unit("props.scope")
    t.manager("RegisterMachineWithNetwork", "sayssusai", "props", array("y", *range(16)), "my svc", "container", u32(leader),
              "/srv/props", array("i", 2, 3))
    seen = t.properties("props")
    for name in ("Timestamp", "TimestampMonotonic"):
        seen[name] = "sensible" if 0 < seen[name] else seen[name]
    seen["Supervisor"] = seen["SupervisorPIDFDId"] = "<of the caller>"
    return seen


@case("register/files")
def register_files(t):
    leader = t.in_unit("files.scope")
    t.manager("RegisterMachineWithNetwork", "sayssusai", "files-1.x", array("y", *range(16)), "my svc", "container", u32(leader),
              "/srv/a b\"$'", array("i", 2, 3))
    other = t.start(word="<made>")
    t.create("made-1", u32(other))
    seen = {name: lines for name, lines in t.state_files().items() if "files" in name or "made" in name}
    t.manager("UnregisterMachine", "s", "files-1.x")
    t.manager("UnregisterMachine", "s", "made-1")
    seen["afterwards"] = sorted(name for name in t.state_files() if "files" in name or "made" in name)
    return seen


@case("register/ps")
def register_ps(t):
    leader = t.in_unit("ps.scope")
    t.register("ps-1", u32(leader))
    show = lambda pid: t.run("ps", "-o", "machine=", "-p", str(pid))["out"]  # noqa: E731
    return {"leader": show(leader), "somebody else": show(os.getpid())}


@case("register/subgroup")
def register_subgroup(t):
    leader = t.in_unit("sub.scope")
    below = pathlib.Path("/sys/fs/cgroup" + t.cgroup(leader)) / "payload"
    below.mkdir()
    (below / "cgroup.procs").write_text(str(leader))
    t.register("sub", u32(leader))
    seen = {k: v for k, v in t.properties("sub").items() if k in ("Unit", "Subgroup")}
    seen["file"] = {k: v for k, v in t.state_files().get("sub", {}).items() if k in ("SCOPE", "SUBGROUP")}
    seen["link"] = t.state_files().get("unit:sub.scope")
    return seen


EX = {
    "whole": [("Class", "s", "container"), ("Service", "s", "svc"), ("RootDirectory", "s", "/srv"), ("VSockCID", "u", 77),
              ("SSHAddress", "s", "vsock/77"), ("SSHPrivateKeyPath", "s", "/key"), ("NetworkInterfaces", "ai", [4])],
    "unknown key": [("Class", "s", "container"), ("Banana", "s", "x")],
    "empty class": [("Class", "s", "")],
    "key with dots": [("Class", "s", "container"), ("SSHPrivateKeyPath", "s", "/a/../b")],
    "root with dots": [("Class", "s", "container"), ("RootDirectory", "s", "/a/../b")],
    "wrong type": [("Class", "u", 5)],
    "vsock 2": [("Class", "s", "vm"), ("VSockCID", "u", 2)],
    "vsock 4294967295": [("Class", "s", "vm"), ("VSockCID", "u", 4294967295)],
    "no class": [("Service", "s", "svc")],
}


def ex(t, method, name, properties, *more):
    types = {"s": dbus.String, "u": dbus.UInt32, "t": dbus.UInt64}
    listed = dbus.Array([(key, types[sig](value, variant_level=1) if sig in types
                          else dbus.Array(value, signature=sig[1:], variant_level=1)) for key, sig, value in properties],
                        signature="(sv)")
    return t.manager(method, "sa(sv)" + ("a(sv)" if more else ""), name, listed, *more)


@case("register-ex")
def register_ex(t):
    seen = {}
    for what, properties in EX.items():
        # One for each: the original lets go of an unregistered leader only some time after it has said so.
        leader = t.in_unit(unique("ex") + ".scope")
        identity = os.stat(os.pidfd_open(leader)).st_ino
        name = unique()
        answer = ex(t, "RegisterMachineEx", name, [*properties, ("LeaderPID", "u", leader), ("LeaderPIDFDID", "t", identity)])
        if isinstance(answer, list):
            answer = {k: v for k, v in t.properties(name).items()
                      if k in ("Class", "Service", "RootDirectory", "VSockCID", "SSHAddress", "SSHPrivateKeyPath",
                               "NetworkInterfaces", "Leader")}
            answer["GetMachineSSHInfo"] = t.manager("GetMachineSSHInfo", "s", name)
            t.manager("UnregisterMachine", "s", name)
        seen[what] = answer
    base = [("Class", "s", "container")]
    seen["pid alone"] = ex(t, "RegisterMachineEx", unique(), [*base, ("LeaderPID", "u", leader)])
    seen["id alone"] = ex(t, "RegisterMachineEx", unique(), [*base, ("LeaderPIDFDID", "t", identity)])
    return seen


# ---- creating ----

UNIT_PROPERTIES = ("Slice", "Description", "Delegate", "CollectMode", "TasksMax", "ActiveState", "SubState", "Transient",
                   "MemoryMax", "CPUWeight", "KillMode", "Controller")


@case("create/plain")
def create_plain(t):
    leader = t.start()
    seen = {"answer": t.create("made-1.x", u32(leader))}
    seen["properties"] = {k: v for k, v in t.properties("made-1.x").items() if k in ("Unit", "Subgroup", "Leader", "State")}
    seen["unit"] = t.unit("machine-made\\x2d1.x.scope", *UNIT_PROPERTIES)
    seen["cgroup"] = t.cgroup(leader)
    seen["by pid"] = t.manager("GetMachineByPID", "u", u32(leader))
    seen["ps"] = t.run("ps", "-o", "machine=", "-p", str(leader))["out"]
    t.kill(leader)
    seen["leader killed"] = t.gone("made-1.x")
    seen["then the unit"] = t.unit("machine-made\\x2d1.x.scope", "ActiveState", "LoadState") \
        if wait(lambda: t.unit_state("machine-made\\x2d1.x.scope") == "inactive") else "lingers"
    seen["the name again"] = isinstance(t.create("made-1.x", u32(t.start(word="<second>"))), list)
    return seen


@case("create/vm")
def create_vm(t):
    t.create("guest", u32(t.start()), class_="vm")
    return {"unit": t.unit("machine-guest.scope", "Description", "Slice"), "class": t.properties("guest")["Class"]}


@case("create/properties")
def create_properties(t):
    properties = [("Slice", variant(dbus.String, "foo-bar.slice")), ("MemoryMax", variant(dbus.UInt64, 300 << 20)),
                  ("TasksMax", variant(dbus.UInt64, 77)), ("CPUWeight", variant(dbus.UInt64, 50)),
                  ("Description", variant(dbus.String, "A description")), ("KillMode", variant(dbus.String, "mixed")),
                  ("KillSignal", variant(dbus.Int32, 38))]
    leader = t.start()
    seen = {"answer": t.create("limits", u32(leader), properties)}
    seen["unit"] = t.unit("machine-limits.scope", *UNIT_PROPERTIES, "KillSignal")
    seen["cgroup"] = t.cgroup(leader)
    subprocess.run(["systemctl", "stop", "machine-limits.scope"])
    return seen


@case("create/refused")
def create_refused(t):
    seen = {}
    for what, property_ in (("unknown property", ("BananaMax", variant(dbus.UInt64, 5))),
                            ("wrong type", ("TasksMax", variant(dbus.String, "x"))),
                            ("not a slice", ("Slice", variant(dbus.String, "x.service"))),
                            ("slice with dots", ("Slice", variant(dbus.String, "../../x")))):
        leader = t.start()
        name = unique()
        seen[what] = t.create(name, u32(leader), [property_])
        seen[what + ": machine"] = t.gone(name, 5)
        seen[what + ": leader"] = "lives" if t.alive(leader) else "is dead"
        t.kill(leader)
    other = t.in_unit("machine-taken.scope", word="<other>")
    seen["a unit of that name is there"] = t.create("taken", u32(t.start()))
    seen["a unit of that name is there: it"] = "lives" if t.alive(other) else "is dead"
    return seen


@case("create/network")
def create_network(t):
    leader = t.start()
    seen = {"answer": t.manager("CreateMachineWithNetwork", "sayssusaia(sv)", "netted", array("y"), "svc", "container",
                                u32(leader), "", array("i", 9), array("(sv)"))}
    seen["interfaces"] = t.properties("netted")["NetworkInterfaces"]
    return seen


@case("create-ex")
def create_ex(t):
    leader = t.start()
    identity = os.stat(os.pidfd_open(leader)).st_ino
    seen = {"answer": ex(t, "CreateMachineEx", "made-ex", [("Class", "s", "vm"), ("LeaderPID", "u", leader),
                                                           ("LeaderPIDFDID", "t", identity)], array("(sv)"))}
    seen["unit"] = (t.properties("made-ex") or {}).get("Unit") if isinstance(seen["answer"], list) else None
    return seen


# ---- looking things up ----

@case("lookup/by-pid")
def lookup_by_pid(t):
    leader = t.start("sh", "-c", "sleep 1000 & wait")
    children = wait(lambda: pathlib.Path(f"/proc/{leader}/task/{leader}/children").read_text().split())
    t.create("bypid", u32(leader))  # which moves the leader alone
    ask = lambda pid: t.manager("GetMachineByPID", "u", u32(pid))  # noqa: E731
    return {"leader": ask(leader), "child": ask(int(children[0])), "1": ask(1), "caller": ask(0), "somebody": ask(os.getpid()),
            "not there": ask(4194000), "too large": ask(4000000000)}


@case("lookup/nested")
def lookup_nested(t):
    """A process in a unit of its own, below a leader."""
    leader = t.start("sh", "-c", "sleep 1000 & wait")
    t.create("nested", u32(leader))
    child = int(wait(lambda: pathlib.Path(f"/proc/{leader}/task/{leader}/children").read_text().split())[0])
    t.place("nested-inner.scope", child)
    return {"child in a unit of its own": t.manager("GetMachineByPID", "u", u32(child))}


@case("lookup/names")
def lookup_names(t):
    return {"none": t.manager("GetMachine", "s", "none"), "host": t.manager("GetMachine", "s", ".host"),
            "bad": t.manager("GetMachine", "s", "foo_bar"), "empty": t.manager("GetMachine", "s", "")}


@case("lookup/list")
def lookup_list(t):
    t.register("one", u32(t.in_unit("one.scope")), service="")
    t.register("two", u32(t.in_unit("two.scope", word="<second>")), class_="vm")
    return {row[0]: row[1:] for row in t.manager("ListMachines")[1]}


@case("lookup/host")
def lookup_host(t):
    seen = t.properties(".host")
    for name in ("Timestamp", "LeaderPIDFDId"):
        seen[name] = "<there>" if seen.get(name) else seen.get(name)
    seen["TimestampMonotonic"] = "as good as 0" if seen["TimestampMonotonic"] < 10 else seen["TimestampMonotonic"]
    seen["Id"] = "that of /etc/machine-id" if bytes(seen["Id"]).hex() == \
        pathlib.Path("/etc/machine-id").read_text().strip() else seen["Id"]
    seen["VSockCID"] = "<of this host>"
    for method in ("GetUIDShift", "GetSSHInfo"):
        seen[method] = t.machine(".host", method)
    seen["GetOSRelease"] = t.machine(".host", "GetOSRelease")[1].get("ID")
    seen["GetAddresses"] = isinstance(t.machine(".host", "GetAddresses"), list)
    return seen


@case("lookup/image")
def lookup_image(t):
    pool = pathlib.Path("/var/lib/machines")
    pool.mkdir(exist_ok=True)
    tree, disk, file = pool / "compat tree", pool / "compat-disk.raw", pool / "compat-file"
    tree.mkdir()
    disk.touch()
    file.touch()
    seen = {name or "<empty>": t.manager("GetImage", "s", name)
            for name in ("compat tree", "compat-disk", "compat-disk.raw", "compat-file", ".host", "none", "", "a\tb", "..")}
    tree.rmdir()
    disk.unlink()
    file.unlink()
    return seen


@case("lookup/pool")
def lookup_pool(t):
    return t.ask(MANAGER_PATH, PROPERTIES, "GetAll", "s", "")[1]


# ---- looking into one ----

def prepared(t, name, *unshare, class_="container"):
    pid = t.unshared(*unshare) if unshare else t.start()
    t.place(name + "-unit.scope", pid)
    t.register(name, u32(pid), class_=class_)
    return pid


@case("inspect/host-network")
def inspect_host_network(t):
    prepared(t, "shared")
    return {"addresses": t.machine("shared", "GetAddresses"), "by name": t.manager("GetMachineAddresses", "s", "shared"),
            "os-release": t.machine("shared", "GetOSRelease")[1].get("ID"), "shift": t.machine("shared", "GetUIDShift"),
            "ssh": t.machine("shared", "GetSSHInfo")}


@case("inspect/addresses")
def inspect_addresses(t):
    pid = prepared(t, "private", "-n")
    seen = {"none": t.machine("private", "GetAddresses")}
    subprocess.run(["nsenter", "-t", str(pid), "-n", "sh", "-c",
                    "ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up &&"
                    "ip addr add 10.1.2.3/24 dev v0 && ip addr add 10.1.2.4/24 dev v0 && ip addr add 192.168.7.1/16 dev v1 &&"
                    "ip addr add fd00::5/64 dev v0 nodad && ip addr add fd00::1/64 dev v1 nodad"], check=True)
    addresses = wait(lambda: [a for a in t.machine("private", "GetAddresses")[1] if a[1][:1] != [254]])
    seen["some"] = addresses
    return seen


@case("inspect/root")
def inspect_root(t):
    """os-release: of a tree with one, with one in /usr/lib only, with none, and with one that points out of it."""
    seen = {}
    for what, make in (("etc", "mkdir -p etc && printf 'ID=mine\\nVERSION_ID=\"7 \\\\$x\"\\n# no\\nBAD LINE\\n' >etc/os-release"),
                       ("usr", "mkdir -p usr/lib && echo ID=usr >usr/lib/os-release"), ("none", "mkdir -p etc"),
                       ("link", "mkdir -p etc usr/lib && echo ID=far >usr/lib/os-release &&"
                                " ln -s ../../../../../../usr/lib/os-release etc/os-release")):
        name = unique("root")
        root = pathlib.Path("/run") / name
        root.mkdir()
        subprocess.run(["sh", "-c", make], cwd=root, check=True)
        pid = t.start("unshare", "-m", "sh", "-c",
                      f"mount -t tmpfs none /mnt && mkdir /mnt/r && mount --bind {root} /mnt/r && mkdir -p /mnt/r/old &&"
                      " mkdir -p /mnt/r/proc /mnt/r/dev && mount --rbind /usr /mnt/r/old && mount --rbind /proc /mnt/r/proc &&"
                      " mount --rbind /dev /mnt/r/dev && cd /mnt/r && exec chroot . /old/bin/busybox sleep 1000")
        comm = pathlib.Path(f"/proc/{pid}/comm")
        assert wait(lambda: comm.read_text() in ("busybox\n", "sleep\n") and os.readlink(f"/proc/{pid}/exe")), "no root"
        time.sleep(0.2)
        t.place(name + ".scope", pid)
        t.register(name, u32(pid))
        answer = t.machine(name, "GetOSRelease")
        seen[what] = answer[1] if isinstance(answer, list) else answer
        t.kill(pid)
        subprocess.run(["rm", "-rf", root])
    return seen


@case("inspect/vm")
def inspect_vm(t):
    prepared(t, "guest", class_="vm")
    seen = {method: t.machine("guest", method)
            for method in ("GetAddresses", "GetOSRelease", "GetUIDShift", "GetSSHInfo", "OpenPTY", "OpenRootDirectory")}
    seen["MapFrom"] = t.manager("MapFromMachineUser", "su", "guest", u32(0))
    return seen


@case("inspect/mapping")
def inspect_mapping(t):
    pid = t.unshared("-U")
    for kind, start in (("uid", 524288), ("gid", 600000)):
        pathlib.Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {start} 65536\n")
    t.place("mapped.scope", pid)
    t.register("mapped", u32(pid))
    plain = t.in_unit("plain.scope", word="<plain>")
    t.register("plain", u32(plain))
    seen = {"shift of unequal maps": t.machine("mapped", "GetUIDShift")}
    for method, numbers in (("MapFromMachineUser", (0, 2, 65535, 65536, 70000, 0xffffffff)),
                            ("MapFromMachineGroup", (0, 2, 65536))):
        for number in numbers:
            seen[f"{method} {number}"] = t.manager(method, "su", "mapped", u32(number))
    seen["MapFromMachineUser plain 1000"] = t.manager("MapFromMachineUser", "su", "plain", u32(1000))
    for method, numbers in (("MapToMachineUser", (5, 65535, 65536, 524287, 524288, 524290, 589823, 589824, 0xffffffff)),
                            ("MapToMachineGroup", (5, 600003, 700000))):
        for number in numbers:
            seen[f"{method} {number}"] = t.manager(method, "u", u32(number))
    return seen


@case("inspect/shift")
def inspect_shift(t):
    seen = {}
    for what, uids, gids in (("simple", "0 524288 65536", "0 524288 65536"), ("short", "0 524288 1000", "0 524288 1000"),
                             ("two lines", "0 524288 1000\n1000 700000 1000", "0 524288 1000\n1000 700000 1000"),
                             ("not from 0", "5 524288 65536", "5 524288 65536")):
        pid = t.unshared("-U")
        pathlib.Path(f"/proc/{pid}/uid_map").write_text(uids + "\n")
        pathlib.Path(f"/proc/{pid}/gid_map").write_text(gids + "\n")
        name = unique("shift")
        t.place(name + ".scope", pid)
        t.register(name, u32(pid))
        seen[what] = t.machine(name, "GetUIDShift")
    return seen


# ---- files ----

def rooted(t, make, name):
    """A machine whose mount namespace has a root of its own, filled by the shell commands `make`: (that on the host, leader)."""
    root = pathlib.Path("/run") / name
    root.mkdir()
    subprocess.run(["sh", "-c", "mkdir old proc && cp /usr/bin/busybox . && " + make], cwd=root, check=True)
    pid = t.start("unshare", "-m", "sh", "-c",
                  f"mount --make-rprivate / && mount --bind {root} {root} && cd {root} && ./busybox pivot_root . old &&"
                  " exec /busybox sh -c '/busybox umount -l /old; exec /busybox sleep 1000'")
    assert wait(lambda: (pathlib.Path(f"/proc/{pid}/comm").read_text() == "busybox\n" and os.path.exists(f"/proc/{pid}/root/srv")
                         and not os.path.exists(f"/proc/{pid}/root/old/usr"))), "no root"
    time.sleep(0.2)
    t.place(name + ".scope", pid)
    t.register(name, u32(pid))
    return root, pid


def tree(top):
    """{path: kind, mode, owner, content}"""
    found = {}
    for directory, names, files in os.walk(top):
        for name in [".", *files, *(n for n in names if os.path.islink(f"{directory}/{n}"))]:
            path = pathlib.Path(directory, name)
            st = path.lstat()
            content = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
            found[os.path.normpath(os.path.relpath(path, top))] = f"{st.st_mode:o} {st.st_uid}:{st.st_gid} {content}"
    return found


TREE = ("mkdir -p d/e && echo a >a && ln a d/hard && ln -s ../a d/link && mkfifo f && echo b >d/e/b && chown 5:6 d/e/b &&"
        " chmod 4711 d/e/b && chmod 2750 d")


@case("files/copy")
def files_copy(t):
    name, seen = unique("copy"), {}
    root, pid = rooted(t, "mkdir -p srv/from", name)
    host = pathlib.Path("/run") / (name + "-host")
    host.mkdir()
    for directory in (host, root / "srv" / "from"):
        subprocess.run(["sh", "-c", TREE], cwd=directory, check=True)
    seen["to"] = t.machine(name, "CopyTo", "ss", str(host), "/srv/to")
    seen["to, tree"] = tree(root / "srv" / "to")
    seen["to, hard link"] = os.path.samefile(root / "srv/to/a", root / "srv/to/d/hard")
    seen["from"] = t.manager("CopyFromMachine", "sss", name, "/srv/from", f"{host}-back")
    seen["from, tree"] = tree(f"{host}-back")
    (host / "a").write_text("changed")
    (host / "new").write_text("new")
    seen["again"] = t.machine(name, "CopyTo", "ss", str(host), "/srv/to")
    seen["again, a"] = (root / "srv/to/a").read_text()
    seen["again, new"] = (root / "srv/to/new").read_text()
    seen["file over file"] = t.machine(name, "CopyTo", "ss", f"{host}/a", "/srv/to/a")
    seen["file over file, with flags"] = t.machine(name, "CopyToWithFlags", "sst", f"{host}/a", "/srv/to/a", dbus.UInt64(1))
    seen["file over file, a"] = (root / "srv/to/a").read_text()
    seen["without a destination"] = t.machine(name, "CopyFrom", "ss", "/srv/nothing", "")
    for what, source, target in (("no source", f"{host}/none", "/srv/x"), ("no parent", f"{host}/a", "/srv/none/x"),
                                 ("relative source", "a", "/srv/x"), ("relative destination", f"{host}/a", "srv/x"),
                                 ("dots", f"{host}/a", "/srv/../x")):
        seen[what] = t.machine(name, "CopyTo", "ss", source, target)
    seen["unknown flag"] = t.machine(name, "CopyToWithFlags", "sst", f"{host}/a", "/srv/x", dbus.UInt64(64))
    seen["unknown machine"] = t.manager("CopyToMachine", "sss", "none", "/a", "/a")
    seen["host"] = t.manager("CopyToMachine", "sss", ".host", "/a", "/a")
    prepared(t, "guest", class_="vm")
    seen["vm"] = t.manager("CopyToMachine", "sss", "guest", "/a", "/a")
    t.kill(pid)
    subprocess.run(["rm", "-rf", root, host, f"{host}-back"])
    return seen


@case("files/bind")
def files_bind(t):
    name, seen = unique("bind"), {}
    root, pid = rooted(t, "mkdir -p srv/there; touch srv/file", name)
    host = pathlib.Path("/run") / (name + "-host")
    host.mkdir()
    (host / "a").write_text("a")
    inside = pathlib.Path(f"/proc/{pid}/root/srv")
    for what, read_only, make, target in (("plain", False, False, "there"), ("made", True, True, "new/er"), ("none", False, False, "no")):
        seen[what] = t.machine(name, "BindMount", "ssbb", str(host), f"/srv/{target}", read_only, make)
        seen[f"{what}, seen"] = os.listdir(inside / target) if (inside / target).exists() else "nothing"
    for what, source, target in (("no source", f"{host}/none", "/srv/there"), ("relative source", "a", "/srv/there"),
                                 ("relative destination", str(host), "srv/there"), ("dots", str(host), "/srv/../srv/there")):
        seen[what] = t.machine(name, "BindMount", "ssbb", source, target, False, False)
    seen["unknown machine"] = t.manager("BindMountMachine", "sssbb", "none", "/a", "/a", False, False)
    seen["host"] = t.manager("BindMountMachine", "sssbb", ".host", "/a", "/a", False, False)
    prepared(t, "guest", class_="vm")
    seen["vm"] = t.manager("BindMountMachine", "sssbb", "guest", "/a", "/a", False, False)
    prepared(t, "shared")
    seen["with the host's mounts"] = t.manager("BindMountMachine", "sssbb", "shared", str(host), "/srv", False, False)
    t.kill(pid)
    subprocess.run(["rm", "-rf", root, host])
    return seen


# ---- kill, terminate, unregister ----

@case("control/kill-arguments")
def control_kill_arguments(t):
    leader = t.in_unit("kill.scope")
    t.register("kill", u32(leader))
    kill = lambda name, whom, sig: t.manager("KillMachine", "ssi", name, whom, dbus.Int32(sig))  # noqa: E731
    return {"none": kill("none", "all", 15), "whom": kill("kill", "banana", 15), "signal 0": kill("kill", "all", 0),
            "signal 65": kill("kill", "leader", 65), "signal -1": kill("kill", "leader", -1),
            "none and bad": kill("none", "banana", 99), "host": kill(".host", "all", 15),
            "host, bad signal": kill(".host", "all", 0), "leader": "lives" if t.alive(leader) else "is dead"}


@case("control/kill")
def control_kill(t):
    seen = {}
    for whom in ("leader", "all", "", "supervisor"):
        leader, other = t.start(word="<leader>"), t.start(word="<other>")
        name = unique("kill")
        t.place(name + "-unit.scope", leader, other)
        t.register(name, u32(leader))
        seen[whom or "<empty>"] = {"answer": t.manager("KillMachine", "ssi", name, whom, dbus.Int32(signal.SIGUSR1)),
                                   "leader": t.dies(leader)}
        if whom != "leader":
            seen[whom or "<empty>"]["other"] = t.dies(other)
        t.kill(other) if t.alive(other) else None
    return seen


@case("control/terminate")
def control_terminate(t):
    seen = {"none": t.manager("TerminateMachine", "s", "none"), "host": t.manager("TerminateMachine", "s", ".host")}
    leader, other = t.start(word="<leader>"), t.start(word="<other>")
    t.place("term.scope", leader, other)
    t.register("term", u32(leader))
    seen["registered"] = {"answer": t.manager("TerminateMachine", "s", "term"), "leader": t.dies(leader),
                          "other": t.dies(other), "then": t.gone("term")}
    leader = t.start()
    t.create("term2", u32(leader))
    seen["created"] = {"answer": t.machine("term2", "Terminate"), "leader": t.dies(leader), "then": t.gone("term2"),
                       "unit": wait(lambda: t.unit_state("machine-term2.scope") == "inactive")}
    return seen


@case("control/unregister")
def control_unregister(t):
    seen = {"none": t.manager("UnregisterMachine", "s", "none"), "host": t.manager("UnregisterMachine", "s", ".host")}
    leader = t.start()
    t.create("unreg", u32(leader))
    seen["answer"] = t.manager("UnregisterMachine", "s", "unreg")
    time.sleep(0.5)
    seen["listed"] = "unreg" in t.names()
    seen["leader"] = "lives" if t.alive(leader) else "is dead"
    seen["unit"] = t.unit_state("machine-unreg.scope")
    seen["again"] = t.manager("UnregisterMachine", "s", "unreg")
    t.units.append("machine-unreg.scope")
    return seen


@case("control/lingering-unit")
def control_lingering_unit(t):
    """The leader ends, another process of its unit does not."""
    leader, other = t.start(word="<leader>"), t.start(word="<other>")
    t.place("linger.scope", leader, other)
    t.register("linger", u32(leader))
    t.kill(leader)
    time.sleep(1)
    return {"machine": "listed" if "linger" in t.names() else "gone", "the other process": t.dies(other) if not t.alive(other)
            else "lives", "unit": t.unit_state("linger.scope")}


@case("control/lingering-scope")
def control_lingering_scope(t):
    """The same in a scope that was made for the machine."""
    leader = t.start("sh", "-c", "sleep 1000 & echo $! >/run/linger.pid; exec sleep 1000")
    other = int(wait(lambda: pathlib.Path("/run/linger.pid").exists() and pathlib.Path("/run/linger.pid").read_text().strip()))
    pathlib.Path("/run/linger.pid").unlink()
    t.create("linger2", u32(leader))
    t.kill(leader)
    time.sleep(1)
    seen = {"machine": "listed" if "linger2" in t.names() else "gone",
            "the other process": "lives" if t.alive(other) else "is dead"}
    subprocess.run(["systemctl", "stop", "machine-linger2.scope"], capture_output=True)
    return seen


@case("control/unit-stopped")
def control_unit_stopped(t):
    leader = t.start()
    t.create("stopped", u32(leader))
    subprocess.run(["systemctl", "stop", "machine-stopped.scope"], check=True)
    return {"leader": t.dies(leader), "machine": t.gone("stopped")}


# ---- what is told ----

@case("signals/life")
def signals_life(t):
    signals = t.signals()
    leader = t.in_unit("sig.scope")
    t.register("sig", u32(leader))
    t.kill(leader)
    subprocess.run(["systemctl", "stop", "sig.scope"], capture_output=True)
    t.gone("sig")
    made = t.start(word="<made>")
    t.create("sig2", u32(made))
    t.manager("UnregisterMachine", "s", "sig2")
    t.create("bad_name", u32(made))
    return {"in order": signals.until(4)}


@case("restart")
def restart(t):
    leader, made = t.in_unit("again.scope"), t.start(word="<made>")
    t.register("again", u32(leader), class_="vm")
    t.create("again-made", u32(made))
    before = {name: t.properties(name) for name in ("again", "again-made")}
    files = {k: v for k, v in t.state_files().items() if "again" in k}
    signals = t.signals()
    t.restart()
    wait(lambda: {"again", "again-made"} <= set(t.names()))
    told = sorted(signals.until(2))
    after = {name: t.properties(name) for name in ("again", "again-made")}
    seen = {"listed": t.names(), "told": told, "files are the same":
            files == {k: v for k, v in t.state_files().items() if "again" in k}}
    for name in before:
        for key in before[name]:
            if not key.startswith("Supervisor"):
                seen[f"{name} {key} is the same"] = before[name][key] == after[name].get(key)
    seen["terminate made"] = [t.manager("TerminateMachine", "s", "again-made"), t.dies(made), t.gone("again-made")]
    return seen


@case("restart/meanwhile")
def restart_meanwhile(t):
    """What ends while nobody looks is not there afterwards."""
    leader = t.start()
    t.create("meanwhile", u32(leader))
    t.systemctl("stop")
    t.kill(leader)
    t.systemctl("start")
    wait(lambda: isinstance(t.manager("ListMachines"), list))
    return {"machine": t.gone("meanwhile"), "files": [n for n in t.state_files() if "meanwhile" in n]}


# ---- who may ----

CALL = """
import dbus, sys, os
os.setgroups([]); os.setgid(65534); os.setuid(65534)
b = dbus.bus.BusConnection(dbus.bus.BusConnection.TYPE_SYSTEM)
def ask(method, signature, *arguments):
    try:
        b.call_blocking("org.freedesktop.machine1", "/org/freedesktop/machine1", "org.freedesktop.machine1.Manager", method,
                        signature, arguments, timeout=20)
        print(method, "ok", flush=True)
    except dbus.DBusException as e:
        print(method, e.get_dbus_name(), flush=True)
none = dbus.Array([], signature="y")
ask("GetMachine", "s", "theirs")
ask("ListMachines", "")
ask("GetMachineByPID", "u", dbus.UInt32(LEADER))
ask("GetMachineAddresses", "s", "theirs")
ask("GetMachineUIDShift", "s", "theirs")
ask("MapToMachineUser", "u", dbus.UInt32(700000))
ask("MapFromMachineUser", "su", "theirs", dbus.UInt32(0))
ask("UnregisterMachine", "s", "theirs")
ask("TerminateMachine", "s", "theirs")
ask("KillMachine", "ssi", "theirs", "all", dbus.Int32(15))
ask("KillMachine", "ssi", "theirs", "banana", dbus.Int32(15))
ask("TerminateMachine", "s", "none")
ask("OpenMachineLogin", "s", "theirs")
ask("OpenMachineShell", "sssasas", "theirs", "", "", dbus.Array([], signature="s"), dbus.Array([], signature="s"))
"""


@case("user/denied")
def user_denied(t):
    leader = t.in_unit("theirs.scope")
    t.register("theirs", u32(leader))
    out = t.run("/usr/bin/python3", "-c", CALL.replace("LEADER", str(leader)))["out"]
    seen = {}
    for number, line in enumerate(out):
        method, answer = line.split(" ", 1)
        seen[f"{number:02} {method}"] = answer
    seen["leader"] = "lives" if t.alive(leader) else "is dead"
    return seen


# ---- logging ----

@case("log-control")
def log_control(t):
    where = ("/org/freedesktop/LogControl1", PROPERTIES)
    log = "org.freedesktop.LogControl1"
    seen = {"all": t.ask(*where, "GetAll", "s", log)[1]}
    for name, value in (("LogLevel", "warning"), ("LogLevel", "banana"), ("LogTarget", "kmsg"), ("LogTarget", "banana"),
                        ("SyslogIdentifier", "x"), ("Banana", "x")):
        seen[f"set {name} to {value}"] = t.ask(*where, "Set", "ssv", log, name, variant(dbus.String, value))
    seen["read back"] = t.ask(*where, "Get", "ss", log, "LogLevel")
    t.ask(*where, "Set", "ssv", log, "LogLevel", variant(dbus.String, "info"))
    t.ask(*where, "Set", "ssv", log, "LogTarget", variant(dbus.String, "journal"))
    return seen


# ---- the stock command line ----

@case("machinectl")
def machinectl(t):
    pid = t.unshared("-n")
    subprocess.run(["nsenter", "-t", str(pid), "-n", "sh", "-c", "ip link set lo up && ip link add v0 type veth peer name v1 &&"
                    " ip link set v0 up && ip link set v1 up && ip addr add 10.1.2.3/24 dev v0 && ip -6 addr flush scope link"],
                   check=True)
    t.place("ctl.scope", pid)
    t.register("ctl-1", u32(pid), id=range(16))
    t.register("ctl-vm", u32(t.in_unit("ctlvm.scope", word="<second>")), class_="vm")
    run = lambda *arguments: t.run("machinectl", "--no-pager", *arguments)  # noqa: E731
    seen = {"list": run("list"), "list --all": run("list", "--all"), "list -q": run("list", "-q", "--no-legend"),
            "list json": run("list", "-o", "json"), "show none": run("show", "none"), "status none": run("status", "none")}
    properties = "Name,Class,Service,RootDirectory,State,Unit,Leader,Id,NetworkInterfaces"
    seen["show"] = run("show", "ctl-1", *[f"-p{p}" for p in properties.split(",")])
    status = run("status", "ctl-1", "--lines=0")  # what the journal has depends on the moment
    hide = re.compile(r"^(\s*Since:).*|^(\s*Unit:).*")
    status["out"] = [hide.sub(r"\1\2 <there>", line) for line in status["out"] if "──" not in line]
    seen["status"] = status
    seen["kill bad signal"] = run("kill", "ctl-1", "--signal=banana")["status"]
    seen["kill"] = [run("kill", "ctl-1", "--kill-whom=leader", "--signal=USR1"), t.dies(pid)]
    seen["terminate none"] = run("terminate", "none")["status"]
    seen["poweroff none"] = run("poweroff", "none")["status"]
    seen["terminate"] = [run("terminate", "ctl-vm"), t.gone("ctl-vm")]
    return seen


# ---- Varlink (since 257) ----

M = "io.systemd.Machine."


@case("varlink/register")
def varlink_register(t):
    def tried(**changes):
        leader = t.in_unit(unique("var") + ".scope")
        if changes.get("leaderProcessId") == "object":
            changes["leaderProcessId"] = {"pid": leader}
        elif changes.get("leaderProcessId") == "number":
            changes["leaderProcessId"] = leader
        good = {"class": "container", "leader": leader, "name": unique("var")}
        parameters = {k: v for k, v in dict(good, **changes).items() if v is not None}
        answer = t.varlink(M + "Register", parameters)
        if answer[0] == "ok":
            t.varlink(M + "Unregister", {"name": parameters["name"]})
            t.gone(parameters["name"])
        return answer
    return {"plain": tried(), "bad name": tried(name="foo_bar"), "no name": tried(name=None), "no class": tried(**{"class": None}),
            "class host": tried(**{"class": "host"}), "class banana": tried(**{"class": "banana"}),
            "leader 1": tried(leader=1), "leader not there": tried(leader=4194000), "leader text": tried(leader="x"),
            "unknown field": tried(banana=1), "id": tried(id="x"), "root": tried(rootDirectory="srv"),
            "root with dots": tried(rootDirectory="/a/../b"), "key with dots": tried(sshPrivateKeyPath="/a/../b"),
            "control relative": tried(controlAddress="x"), "control": tried(controlAddress="/run/x/../y"),
            "vsock 2": tried(vSockCid=2), "process id": tried(leader=None, leaderProcessId="object"),
            "bare process id": tried(leader=None, leaderProcessId="number")}


@case("varlink/list")
def varlink_list(t):
    leader = t.in_unit("var.scope")
    t.varlink(M + "Register", {"name": "var-1", "class": "container", "leader": leader, "service": "my svc",
                               "rootDirectory": "/srv", "id": "000102030405060708090a0b0c0d0e0f"})

    def shown(answer):
        for reply in answer:
            if isinstance(reply, dict):
                for key in ("timestamp", "supervisor"):
                    if key in reply:
                        reply[key] = "<there>"
                if "leader" in reply:
                    reply["leader"] = {k: v if k == "pid" else "<there>" for k, v in reply["leader"].items()}
        return answer
    return {"by name": shown(t.varlink(M + "List", {"name": "var-1"})),
            "by pid": [r.get("name") if isinstance(r, dict) else r for r in t.varlink(M + "List", {"pid": {"pid": leader}})],
            "both": [r.get("name") if isinstance(r, dict) else r
                     for r in t.varlink(M + "List", {"pid": {"pid": leader}, "name": "var-1"})],
            "disagree": t.varlink(M + "List", {"pid": {"pid": 1}, "name": "var-1"}),
            "none": t.varlink(M + "List", {"name": "none"}), "bad name": t.varlink(M + "List", {"name": "foo_bar"}),
            "bare pid": t.varlink(M + "List", {"pid": leader}), "all without more": t.varlink(M + "List"),
            "all": sorted(r["name"] for r in t.varlink(M + "List", more=True)[1:]),
            "shared network": t.varlink(M + "List", {"name": "var-1", "acquireMetadata": "yes"})}


@case("varlink/control")
def varlink_control(t):
    leader = t.in_unit("var.scope")
    t.varlink(M + "Register", {"name": "var-2", "class": "container", "leader": leader})
    seen = {"kill none": t.varlink(M + "Kill", {"name": "none", "signal": 15}),
            "kill bad whom": t.varlink(M + "Kill", {"name": "var-2", "signal": 15, "whom": "banana"}),
            "kill bad signal": t.varlink(M + "Kill", {"name": "var-2", "signal": 99}),
            "kill by name": t.varlink(M + "Kill", {"name": "var-2", "signal": "SIGUSR1", "whom": "leader"}),
            "leader": t.dies(leader), "terminate none": t.varlink(M + "Terminate", {"name": "none"}),
            "unregister none": t.varlink(M + "Unregister", {"name": "none"}),
            "neither": t.varlink(M + "Terminate", {})}
    return seen


@case("varlink/mapping")
def varlink_mapping(t):
    pid = t.unshared("-U")
    for kind, start in (("uid", 524288), ("gid", 600000)):
        pathlib.Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {start} 65536\n")
    t.place("vmapped.scope", pid)
    t.register("vmapped", u32(pid))
    ask = lambda method, **parameters: t.varlink(M + method, parameters)  # noqa: E731
    return {"from": ask("MapFrom", name="vmapped", uid=5, gid=6), "from nowhere": ask("MapFrom", name="vmapped", uid=70000),
            "from no group": ask("MapFrom", name="vmapped", gid=70000), "from nothing": ask("MapFrom", name="vmapped"),
            "to": ask("MapTo", uid=524290), "to both": ask("MapTo", uid=524290, gid=600001),
            "to nobody": ask("MapTo", uid=900000), "to the host": ask("MapTo", uid=5), "to host's group": ask("MapTo", gid=5),
            "to nothing": ask("MapTo")}


@case("users")
def users(t):
    pid = t.unshared("-U")
    for kind, start in (("uid", 655360000), ("gid", 720896000)):
        pathlib.Path(f"/proc/{pid}/{kind}_map").write_text(f"0 {start} 65536\n")
    t.place("umapped.scope", pid)
    t.register("umapped", u32(pid))

    def ask(method, more=False, service="io.systemd.Machine", **query):
        return t.varlink("io.systemd.UserDatabase." + method, {"service": service, **query}, more, path=USERS)
    user, group = (functools.partial(ask, f"Get{kind}Record") for kind in ("User", "Group"))
    return {"by number": user(uid=655360002), "by name": user(userName="vu-umapped-2"), "in a stream": user(uid=655360002, more=True),
            "group": group(gid=720896003), "group by name": group(groupName="vg-umapped-3"),
            "agree": user(uid=655360002, userName="vu-umapped-2"), "disagree": user(uid=655360002, userName="vu-umapped-3"),
            "of nobody": user(uid=655360000 + 65536), "beyond inside": user(uid=655360000 + 65535),
            "of the host": user(uid=1000), "beyond": user(userName="vu-umapped-65536"),
            "of no machine": user(userName="vu-none-2"), "leading zero": user(userName="vu-umapped-02"),
            "name of a group": user(userName="vg-umapped-2"), "other name": user(userName="root"), "all": user(), "all, more": user(more=True),
            "other service": user(uid=655360002, service="x"), "memberships": ask("GetMemberships"),
            "memberships of other service": ask("GetMemberships", service="x"),
            "refused": {"nobody": user(uid=65535), "negative": user(uid=-1), "text": user(uid="5"), "empty": user(userName=""),
                        "filter": user(uidMin=5), "group's": user(gid=5)}}


@case("resolve")
def resolve(t):
    pid = t.unshared("-n")
    subprocess.run(["nsenter", "-t", str(pid), "-n", "sh", "-c", "ip link set lo up; ip addr add 10.9.8.7/32 dev lo scope global"],
                   check=True)
    t.place("rnetted.scope", pid)
    t.register("rnetted.x", u32(pid))
    ask = lambda *keys: t.varlink("io.systemd.Resolve.Hook.ResolveRecord", {"question": [  # noqa: E731
        {"key": {"type": kind, "name": name}} for kind, name in keys]}, path=HOOK)
    return {"address": ask((1, "rnetted.x")), "other family": ask((28, "rnetted.x")), "both": ask((1, "rnetted.x"), (28, "rnetted.x")),
            "other type": ask((15, "rnetted.x")), "any type": ask((255, "rnetted.x")), "below": ask((1, "a.rnetted.x")),
            "above": ask((1, "x")), "other case": ask((1, "RNETTED.x")), "no name": ask((1, ".host")), "nothing": ask(),
            "names": t.varlink("io.systemd.Resolve.Hook.QueryFilter", path=HOOK)}


@case("varlink/service")
def varlink_service(t):
    info = t.varlink("org.varlink.service.GetInfo")
    seen = {"interfaces": sorted(i for i in info[1]["interfaces"]) if info[0] == "ok" else info,
            "unknown method": t.varlink(M + "Banana"), "unknown interface": t.varlink("org.example.Banana.Eat"),
            "describe unknown": t.varlink("org.varlink.service.GetInterfaceDescription", {"interface": "org.example.Banana"}),
            "ping": t.varlink("io.systemd.service.Ping")}
    return seen
