# SPDX-License-Identifier: LGPL-2.1-or-later
"""The users of containers and the names of machines, as the host's own programs ask for them: io.systemd.UserDatabase and
io.systemd.Resolve.Hook, getent(1), id(1), ls(1), userdbctl(1); and `muster user` and `muster resolve`."""
import json
import os
import pathlib
import socket
import stat
import subprocess
import sys
import time

import pytest
import world
from world import run_client

TOP = pathlib.Path(__file__).resolve().parents[2]
USERS = "/run/systemd/userdb/io.systemd.Machine"
HOOK = "/run/systemd/resolve.hook/io.systemd.Machine"
IMAGES = "/run/systemd/machine/io.systemd.MachineImage"
DATABASE = "io.systemd.UserDatabase."
RESOLVE = "io.systemd.Resolve.Hook."
UID, GID = 655360000, 720896000  # nobody on a host has them


def fails(error, call, *arguments, **keywords):
    with pytest.raises(world.VarlinkError) as caught:
        call(*arguments, **keywords)
    assert caught.value.error == error, caught.value
    return caught.value.parameters


@pytest.fixture
def mini(musterd_without_bus, processes):
    """A container with users of its own, and one that shares the host's."""
    with world.Varlink() as v:
        v.register("mini", processes.mapped(UID, GID))
        v.register("plain", processes.sleeper())


def record(kind, **query):
    with world.Varlink(USERS) as v:
        return v.call(DATABASE + f"Get{kind}Record", {"service": "io.systemd.Machine", **query})


def test_records(mini):
    user = {"userName": "vu-mini-2", "uid": UID + 2, "gid": 65534, "realName": "UID 2 of Container mini", "homeDirectory": "/",
            "shell": "/usr/sbin/nologin", "locked": True, "service": "io.systemd.Machine", "disposition": "container"}
    group = {"groupName": "vg-mini-3", "gid": GID + 3, "description": "GID 3 of Container mini",
             "service": "io.systemd.Machine", "disposition": "container"}
    assert record("User", uid=UID + 2) == record("User", userName="vu-mini-2") == {"record": user}
    assert record("User", userName="vu-mini-2", uid=UID + 2) == {"record": user}
    assert record("Group", gid=GID + 3) == record("Group", groupName="vg-mini-3") == {"record": group}
    assert record("User", userName="vu-plain-0")["record"]["uid"] == 0
    for error, kind, query in [
            ("NoRecordFound", "User", {"uid": UID + 65536}), ("NoRecordFound", "User", {"uid": 0}),
            ("NoRecordFound", "User", {"uid": 1000}), ("NoRecordFound", "User", {"uid": GID}),
            ("NoRecordFound", "User", {"userName": "vu-mini-65536"}), ("NoRecordFound", "User", {"userName": "vu-mini-02"}),
            ("NoRecordFound", "User", {"userName": "vg-mini-2"}), ("NoRecordFound", "User", {"userName": "root"}),
            ("NoRecordFound", "User", {"userName": "vu-none-2"}), ("NoRecordFound", "Group", {"groupName": "vu-mini-3"}),
            ("ConflictingRecordFound", "User", {"uid": UID + 2, "userName": "vu-mini-3"}),
            ("EnumerationNotSupported", "User", {}), ("EnumerationNotSupported", "Group", {}),
            ("BadService", "User", {"uid": UID, "service": "io.systemd.Multiplexer"}),
            ("BadService", "User", {"service": ""})]:
        fails(DATABASE + error, record, kind, **query)
    for kind, query in [("User", {"uid": -1}), ("User", {"uid": 1 << 32}), ("User", {"gid": 5}), ("User", {"uid": "5"}), ("User", {"uid": 65535}), ("User", {"userName": ""}),
                        ("User", {"fuzzyNames": ["a"]}), ("User", {"uidMin": 5}), ("Group", {"dispositionMask": ["container"]}),
                        ("User", {"uid": UID, "service": None})]:
        fails("org.varlink.service.InvalidParameter", record, kind, **query)
    with world.Varlink(USERS) as v:
        fails(DATABASE + "EnumerationNotSupported", list,
              v.stream(DATABASE + "GetUserRecord", {"service": "io.systemd.Machine"}))
        fails(DATABASE + "NoRecordFound", v.call, DATABASE + "GetMemberships", {"service": "io.systemd.Machine"})
        fails(DATABASE + "BadService", v.call, DATABASE + "GetMemberships", {"service": "x", "userName": "vu-mini-2"})


def test_machines_whose_users_have_no_names(musterd_without_bus, processes):
    with world.Varlink() as v:
        v.register("a.b", processes.mapped(UID))
        v.register("n" * 40, processes.mapped(GID))
    fails(DATABASE + "NoRecordFound", record, "User", uid=UID)
    fails(DATABASE + "NoRecordFound", record, "User", userName="vu-a.b-0")
    fails(DATABASE + "NoRecordFound", record, "User", uid=GID)


def test_sockets(musterd_without_bus):
    for path in (USERS, HOOK, world.VARLINK_SOCKET):
        mode = os.lstat(path).st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o666
    assert os.path.samefile(IMAGES, world.VARLINK_SOCKET)
    for name in ("io.systemd.Machine", "io.systemd.MachineImage"):
        assert os.path.samefile(f"/run/varlink/registry/{name}", world.VARLINK_SOCKET)
    for path, own in ((USERS, {"io.systemd.UserDatabase"}), (HOOK, {"io.systemd.Resolve.Hook"}),
                      (IMAGES, {"io.systemd.Machine", "io.systemd.MachineImage", "io.systemd.service", "org.muster.Machine1"})):
        with world.Varlink(path) as v:
            interfaces = v.call("org.varlink.service.GetInfo")["interfaces"]
            assert set(interfaces) == own | {"io.systemd", "org.varlink.service"} and interfaces == sorted(interfaces)
            for name in interfaces:
                text = v.call("org.varlink.service.GetInterfaceDescription", {"interface": name})["description"]
                assert text == (TOP / "data" / "varlink" / f"{name}.varlink").read_text()
            if path != IMAGES:  # what is not offered there is not done there
                fails("org.varlink.service.MethodNotFound", v.call, "io.systemd.Machine.List", {"name": ".host"})
                fails("org.varlink.service.InterfaceNotFound", v.call, "org.varlink.service.GetInterfaceDescription",
                      {"interface": "io.systemd.Machine"})
    musterd_without_bus.stop()
    assert not any(os.path.lexists(p) for p in (USERS, HOOK, IMAGES, "/run/varlink/registry/io.systemd.MachineImage"))
    musterd_without_bus.start()


def test_a_socket_that_is_handed_over(build):
    """It stays where it is, and the links to it are its owner's business; the others are made all the same."""
    path = "/run/handed.socket"
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(path)
    listening.listen()
    pass_it = ("import os, sys; os.dup2(int(sys.argv[1]), 3); "
               "os.environ.update(LISTEN_FDS='1', LISTEN_FDNAMES='varlink', LISTEN_PID=str(os.getpid())); os.execv(sys.argv[2], sys.argv[2:])")
    command = world.Musterd(build, "--bus=no").command()
    musterd = subprocess.Popen([sys.executable, "-c", pass_it, str(listening.fileno()), *command], pass_fds=[listening.fileno()],
                               stderr=subprocess.DEVNULL)
    try:
        with world.Varlink(path) as v:
            assert v.call("io.systemd.Machine.List", {"name": ".host"})["class"] == "host"
        assert not os.path.lexists(world.VARLINK_SOCKET) and not os.path.lexists(IMAGES) and os.path.exists(USERS)
    finally:
        musterd.terminate()
        assert musterd.wait(20) == 0
    assert os.path.exists(path) and not os.path.exists(USERS)
    os.unlink(path)


def test_images_are_not_there_yet(musterd_without_bus):
    image = "io.systemd.MachineImage."
    with world.Varlink(IMAGES) as v:
        fails(image + "NotSupported", list, v.stream(image + "List", {}))
        fails("org.varlink.service.ExpectedMore", v.call, image + "List", {})
        fails(image + "NotSupported", v.call, image + "List", {"name": ".host"})
        fails(image + "NoSuchImage", v.call, image + "Remove", {"name": "none"})
        fails(image + "NotSupported", v.call, image + "SetPoolLimit", {"limit": 5})
        for method, parameters, wrong in [("List", {"name": "a/b"}, "name"), ("Clone", {"name": "a"}, "newName"),
                                          ("Update", {"limit": 5}, "name"), ("CleanPool", {"mode": "x"}, "mode"),
                                          ("List", {"acquireMetadata": "x"}, "acquireMetadata")]:
            answer = fails("org.varlink.service.InvalidParameter", v.call, image + method, parameters)
            assert answer == {"parameter": wrong}


# ---- by name ----


def question(*keys):
    return {"question": [{"key": {"type": kind, "name": name, **more}} for kind, name, more in keys]}


def resolve(*keys):
    with world.Varlink(HOOK) as v:
        return v.call(RESOLVE + "ResolveRecord", question(*keys))


A, AAAA, MX, ANY = 1, 28, 15, 255


def muster(*arguments, **options):
    """Looking for leaks more than doubles the time of a program that ends at once: what fails is looked at for them."""
    fine = options.get("check", True)
    return world.muster(*arguments, environment=dict(ASAN_OPTIONS=f"detect_leaks={int(not fine)}"), **options)


def link_local(leader):
    """The interfaces that have an address of their own already."""
    out = subprocess.run(["nsenter", "-t", str(leader), "-n", "ip", "-6", "-o", "addr", "show", "scope", "link", "-tentative"],
                         capture_output=True, text=True, check=True).stdout
    return {line.split()[1] for line in out.splitlines()}


@pytest.fixture
def netted(musterd_without_bus, processes):
    leader = processes.sleeper(unshare=["-n"])
    subprocess.run(["nsenter", "-t", str(leader), "-n", "sh", "-c",
                    "ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up; "
                    "ip addr add 10.1.2.3/24 dev v0; ip addr add 2001:db8::7/64 dev v0 nodad"], check=True)
    # Tentative addresses are not told: without this two answers might differ.
    world.wait_until(lambda: link_local(leader) == {"v0", "v1"}, "the kernel to be sure of its addresses")
    with world.Varlink() as v:
        v.register("web.example", leader, ifIndices=[1])
        v.register("shared", processes.sleeper())
        v.register("vm", processes.sleeper(), **{"class": "vm"})


def test_resolve_record(netted):
    four = {"rr": {"key": {"class": 1, "type": 1, "name": "web.example"}, "address": [10, 1, 2, 3]},
            "raw": "A3dlYgdleGFtcGxlAAABAAEAAAAAAAQKAQID"}
    assert resolve((A, "web.example", {})) == {"rcode": 0, "answer": [four]}
    six = resolve((AAAA, "web.example", {"class": 1}))["answer"]
    assert six[0]["rr"]["address"] == list(socket.inet_pton(socket.AF_INET6, "2001:db8::7"))
    both = resolve((A, "web.example", {}), (AAAA, "web.example", {}))["answer"]
    assert both[0] == four and both[1:] == six
    for other in ((A, "web.example", {"class": 3}), (A, "web.example", {"class": ANY}), (ANY, "web.example", {}), (MX, "web.example", {})):
        assert resolve(other) == {"rcode": 0, "answer": []}
    assert resolve((A, "www.web.example", {})) == resolve((A, "a.b.shared", {})) == {"rcode": 3}
    for other in ("example", "WEB.example", "none", "", "web.example.", "x.example"):
        assert resolve((A, other, {})) == {}, other
    assert fails("io.systemd.System", resolve, (A, "shared", {}))["errnoName"] == "ENONET"
    assert fails("io.systemd.System", resolve, (A, "vm", {}))["errnoName"] == "EOPNOTSUPP"
    with world.Varlink(HOOK) as v:
        for bad in ({}, {"question": []}, {"question": [{}]}, {"question": [5]}, {"question": [{"key": {"type": 1}}]},
                    {"question": [{"key": {"type": -1, "name": "x"}}]}, question(*[(A, "x", {})] * 65), question((A, ".host", {})),
                    question((A, "a..b", {})), question((A, "a" * 64, {})), question((A, "a." * 150, {}))):
            answer = fails("org.varlink.service.InvalidParameter", v.call, RESOLVE + "ResolveRecord", bad)
            assert answer == {"parameter": "question"}


def test_query_filter(netted, processes):
    with world.Varlink(HOOK) as v, world.Varlink() as registry:
        assert v.call(RESOLVE + "QueryFilter") == {"filterDomains": ["web.example", "shared", "vm"]}
        v.send(RESOLVE + "QueryFilter", more=True)

        def told():
            reply = v.receive()
            assert reply["continues"] is True
            return reply["parameters"]["filterDomains"]
        assert told() == ["web.example", "shared", "vm"]
        registry.register("new", processes.sleeper())
        assert told() == ["web.example", "shared", "vm", "new"]
        started = time.monotonic()
        registry.register("n" * 64, processes.sleeper())  # no name for DNS
        for i in range(20):
            registry.call("io.systemd.Machine.Unregister", {"name": "new"})
            registry.register("new", processes.sleeper())
        registry.call("io.systemd.Machine.Unregister", {"name": "vm"})
        seen = 0
        names = None
        while names != ["web.example", "shared", "new"]:
            names = told()
            seen += 1
        assert seen <= 2 + (time.monotonic() - started) * 10
    # Who does not listen is not written to for ever.
    with world.Varlink(HOOK) as deaf, world.Varlink() as registry:
        deaf.send(RESOLVE + "QueryFilter", more=True)
        registry.call("io.systemd.Machine.Unregister", {"name": "new"})
        time.sleep(0.15)
        assert registry.names() == ["n" * 64, "shared", "web.example"]


def test_muster_resolve(netted, musterd_without_bus):
    def check():
        lines = [line.split() for line in muster("resolve", "web.example").stdout.splitlines()]
        assert [line[0] for line in lines[:2]] == ["10.1.2.3", "2001:db8::7"] and {line[1] for line in lines} == {"web.example"}
        of_link = [line[0] for line in lines if line[0].startswith("fe80")]
        assert len(of_link) == 2 and all(address.endswith("%1") for address in of_link)  # the interface, without which they lead nowhere
        [answer] = json.loads(muster("resolve", "web.example", "-j").stdout)
        assert answer == {"machine": "web.example", "addresses": [line[0] for line in lines]}
        result = muster("resolve", "none", "web.example", "shared", "a_b", check=False)
        assert result.returncode == 1 and "10.1.2.3" in result.stdout
        assert all(text in result.stderr for text in ("There is no machine", "no network of its own", "is no machine name"))
    assert "virtual machine" in muster("resolve", "vm", check=False).stderr
    check()
    musterd_without_bus.kill()
    check()
    command = [pathlib.Path(os.environ["MUSTER_BUILD"]) / "muster", "resolve", "web.example"]
    quickly = dict(ASAN_OPTIONS="detect_leaks=0")
    result = run_client(command, check=False, environment=quickly, preexec_fn=world.drop_privileges(4242))
    assert result.returncode == 1 and "only root" in result.stderr
    musterd_without_bus.start()
    assert "10.1.2.3" in run_client(command, environment=quickly, preexec_fn=world.drop_privileges(4242)).stdout


def test_muster_user(mini, musterd_without_bus):
    def check():
        two = {"kind": "user", "machine": "mini", "name": "vu-mini-2", "inside": 2, "host": UID + 2, "count": 1}
        for word in (str(UID + 2), "mini:2", "vu-mini-2"):
            assert json.loads(muster("user", word, "-j").stdout) == [two]
        lines = muster("user", UID + 2, "plain:7").stdout.split()
        assert lines == ["MACHINE", "INSIDE", "HOST", "NAME", "mini", "2", str(UID + 2), "vu-mini-2", "plain", "7", "7", "vu-plain-7"]
        for word in (str(GID + 3), "mini:3", "vg-mini-3"):
            assert json.loads(muster("user", "--group", word, "-j").stdout)[0]["name"] == "vg-mini-3"
        assert muster("user", "--no-legend").stdout.split() == ["mini", "0", str(UID), "65536"]
        assert json.loads(muster("user", "--group", "-j").stdout) == [
            {"kind": "group", "machine": "mini", "name": None, "inside": 0, "host": GID, "count": 65536}]
        result = muster("user", "1000", "900000000", "mini:65536", "none:1", "mini:2", check=False)
        assert result.returncode == 1 and "vu-mini-2" in result.stdout and result.stderr.count("\n") == 4
    check()
    words = ["vg-mini-3", "mini", "mini:", "a_b:1", "mini:-1", "9" * 30, "a" * 80 + ":1"]
    assert muster("user", *words, check=False).stderr.count("muster: ") == len(words)
    musterd_without_bus.kill()
    check()
    musterd_without_bus.start()


# ---- the host's own programs ----


@pytest.fixture
def host(tmp_path, mini):
    """run(program, ...) where passwd and group come from libnss-systemd, too."""
    switch = tmp_path / "nsswitch.conf"
    switch.write_text("passwd: files systemd\ngroup: files systemd\nhosts: files\n")

    def run(*command, **options):
        return run_client(["unshare", "--mount", "sh", "-c", f"mount --bind {switch} /etc/nsswitch.conf && exec \"$@\"", "sh"],
                          *command, **options)
    return run


def test_getent_id_ls(host, tmp_path):
    if not list(pathlib.Path("/usr/lib").glob("*/libnss_systemd.so.2")):
        pytest.skip("libnss-systemd is not installed")
    owned = tmp_path / "owned"
    owned.touch()
    os.chown(owned, UID + 2, GID + 3)
    user = f"vu-mini-2:x:{UID + 2}:65534:UID 2 of Container mini:/:/usr/sbin/nologin\n"
    group = f"vg-mini-3:x:{GID + 3}:\n"
    assert host("getent", "passwd", UID + 2).stdout == host("getent", "passwd", "vu-mini-2").stdout == user
    assert host("getent", "group", GID + 3).stdout == host("getent", "group", "vg-mini-3").stdout == group
    assert host("id", "-u", "vu-mini-2").stdout == f"{UID + 2}\n"
    assert host("ls", "-l", owned).stdout.split()[2:4] == ["vu-mini-2", "vg-mini-3"]
    assert host("getent", "passwd", UID + 70000, check=False).returncode == 2


def test_userdbctl(host):
    if subprocess.run(["which", "userdbctl"], capture_output=True).returncode:
        pytest.skip("userdbctl is not installed (Debian: systemd-userdbd)")
    user = json.loads(host("userdbctl", "user", "vu-mini-2", "--output=json").stdout)
    assert user["uid"] == UID + 2 and user["disposition"] == "container"
    assert "vg-mini-3" in host("userdbctl", "group", GID + 3).stdout
    assert "io.systemd.Machine" in host("userdbctl", "services").stdout
