# SPDX-License-Identifier: LGPL-2.1-or-later
"""libnss_mymachines.so.2, through the real libc, with an nsswitch.conf of our own."""
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

import pytest
import world

BOUND = 2.0  # seconds that a look-up may take: ASK_TIMEOUT_MSEC
HOOK = pathlib.Path("/run/systemd/resolve.hook/io.systemd.Machine")
NSSWITCH = "passwd: files mymachines\ngroup: files mymachines\nhosts: mymachines files\n"


@pytest.fixture(scope="module", autouse=True)
def nsswitch(build):
    """In this sandbox's mounts only."""
    if not (build / "src" / "nss" / "libnss_mymachines.so.2").exists():
        pytest.skip("this libc has no modules for names")
    mine = pathlib.Path("/run/tmp/nsswitch.conf")
    mine.write_text(NSSWITCH)
    subprocess.run(["mount", "--bind", mine, "/etc/nsswitch.conf"], check=True)
    yield
    subprocess.run(["umount", "/etc/nsswitch.conf"], check=True)


def run(build, *command, again=True, **options):
    """Whoever asks waits for BOUND only; again: what took that long is done once more, lest a busy machine is the reason."""
    environment = dict(os.environ, LD_LIBRARY_PATH=str(build / "src" / "nss"))
    began = time.monotonic()
    result = subprocess.run([*map(str, command)], capture_output=True, text=True, env=environment, timeout=60, **options)
    if again and time.monotonic() - began > BOUND - 0.2:
        return run(build, *command, again=False, **options)
    return result


@pytest.fixture
def getent(build):
    return lambda *arguments, **options: run(build, "getent", *arguments, **options).stdout


class Net:
    """A machine's network: a veth pair, or two of them, with addresses on both ends."""

    def __init__(self, leader):
        self.leader = leader

    def ip(self, *arguments, inside=True):
        enter = ["nsenter", f"--net=/proc/{self.leader}/ns/net"] if inside else []
        return subprocess.run([*enter, "ip", *arguments], check=True, capture_output=True, text=True).stdout

    def connect(self, outside, inside, *addresses, own=None, master=None):
        """Returns the index of our end."""
        self.ip("link", "add", outside, "type", "veth", "peer", "name", inside, "netns", str(self.leader), inside=False)
        for address in addresses:
            self.ip("address", "add", address, "dev", inside, *(["nodad"] if ":" in address else []))
        self.ip("link", "set", inside, "up")
        if own:
            self.ip("address", "add", own, "dev", outside, inside=False)
        if master:
            self.ip("link", "set", outside, "master", master, inside=False)
        self.ip("link", "set", outside, "up", inside=False)
        return socket.if_nametoindex(outside)


@pytest.fixture
def web(musterd_without_bus, processes):
    """A container with users and addresses of its own."""
    leader = processes.sleeper(unshare=["-n", "-U"])
    for kind in ("uid", "gid"):
        pathlib.Path(f"/proc/{leader}/{kind}_map").write_text("0 200000 65536\n")
    net = Net(leader)
    net.index = net.connect("ve-web", "host0", "10.9.0.2/24", "fd12::2/64", "2001:db8::2/64", own="10.9.0.1/24")
    with world.Varlink() as v:
        v.register("web", leader, ifIndices=[net.index])
    yield net
    net.ip("link", "del", "ve-web", inside=False)  # when the leader has ended the kernel takes its time for it
    processes.kill(leader)


# ---- hosts ----

def test_hosts(web, getent, build):
    def addresses():
        return {line.split()[0].split("%")[0] for line in getent("ahosts", "web").splitlines()}
    world.wait_until(lambda: addresses() >= {"10.9.0.2", "fd12::2", "2001:db8::2"}, "all addresses")
    assert getent("ahosts", "web").splitlines()[0].split()[2] == "web"  # the canonical name
    assert getent("ahostsv4", "web").split()[0] == "10.9.0.2"
    assert getent("ahostsv6", "web").split()[0] in ("2001:db8::2", "fd12::2")
    assert getent("hosts", "web").split()[1] == "web"
    if HOOK.exists():  # everybody may know
        assert "10.9.0.2" in run(build, "getent", "ahosts", "web", user=1000).stdout
    for name in ("WEB", "web.", "we", "webb", "unit:web", "../web", "a" * 300, ".host"):
        assert getent("hosts", name) == "", name
    # In the order of the scopes, whatever libc's getaddrinfo makes of it.
    code = "import socket; print(*socket.gethostbyname_ex('web')[2])"
    assert run(build, "/usr/bin/python3", "-c", code).stdout.split() == ["10.9.0.2"]
    if os.access("/bin/ping", os.X_OK):
        assert " 0% packet loss" in run(build, "ping", "-c1", "-W2", "web").stdout


def test_link_local_addresses_have_a_scope(web, getent):
    web.ip("address", "flush", "dev", "host0", "scope", "global")
    fe80 = world.wait_until(lambda: [line.split()[0] for line in getent("ahosts", "web").splitlines()], "link-local addresses")
    assert all(address.startswith("fe80:") and address.endswith(f"%{web.index}") for address in fe80), fe80


def test_reverse(web, getent):
    assert getent("hosts", "10.9.0.2").split() == ["10.9.0.2", "web"]
    assert getent("hosts", "10.9.0.3") == "" and getent("hosts", "192.0.2.1") == "" and getent("hosts", "10.9.0.1") == ""


def test_reverse_behind_a_bridge(musterd_without_bus, processes, getent):
    leaders = [processes.sleeper(unshare=["-n"]) for _ in range(2)]
    subprocess.run("ip link add br0 type bridge && ip address add 10.8.0.1/24 dev br0 && ip link set br0 up", shell=True, check=True)
    try:
        with world.Varlink() as v:
            for i, leader in enumerate(leaders):
                index = Net(leader).connect(f"vb-{i}", "host0", f"10.8.0.{i + 2}/24", master="br0")
                v.register(f"b{i}", leader, ifIndices=[index])
        assert getent("hosts", "10.8.0.3").split() == ["10.8.0.3", "b1"]
    finally:
        subprocess.run(["ip", "link", "del", "br0"], check=True)


def test_no_machine_costs_one_system_call(web, build):
    def traced(*command):
        result = run(build, "strace", "-f", "-e", "trace=socket,openat,access,sendto,connect", *command)
        lines = result.stderr.splitlines()
        loaded = max(i for i, line in enumerate(lines) if "libnss_mymachines" in line)
        return [line for line in lines[loaded + 1:] if "/etc/" not in line and "cache" not in line]
    assert [line for line in traced("getent", "ahosts", "nomachine") if "machine" in line] == [
        'openat(AT_FDCWD, "/run/systemd/machines/nomachine", O_RDONLY|O_NOCTTY|O_NONBLOCK|O_NOFOLLOW|O_CLOEXEC) = '
        "-1 ENOENT (No such file or directory)"]
    assert not [line for line in traced("getent", "passwd", "60000") if "socket" in line or "machines" in line]


# ---- users and groups ----

def test_users(web, getent, build):
    user = "vu-web-5:x:200005:65534:UID 5 of Container web:/:/usr/sbin/nologin\n"
    assert getent("passwd", "200005") == user and getent("passwd", "vu-web-5") == user
    assert getent("group", "200005") == "vg-web-5:x:200005:\n" and getent("group", "vg-web-5") == "vg-web-5:x:200005:\n"
    for database, names in (("passwd", ("vu-web-05", "vu-web-65536", "vu-web-", "vu-web", "vu-x-5", "vg-web-5", "900000", "4294967295",
                                        "vu-web-99999999999", "vu-" + "w" * 30 + "-5")),
                            ("group", ("vg-web--1", "vu-web-5", "900000"))):
        for name in names:
            assert getent(database, name) == "", name
    file = pathlib.Path("/run/tmp/owned")
    file.touch()
    os.chown(file, 200005, 200006)
    assert run(build, "ls", "-l", file).stdout.split()[2:4] == ["vu-web-5", "vg-web-6"]
    assert run(build, "id", "vu-web-5").stdout.startswith("uid=200005(vu-web-5) gid=65534(nogroup)")
    file.unlink()


def test_users_of_the_host_have_no_other_names(musterd_without_bus, processes, getent):
    with world.Varlink() as v:
        v.register("plain", processes.sleeper())
        v.register("name.with.dots", processes.mapped(400000))
    assert getent("passwd", "vu-plain-0") == "" and getent("group", "vg-plain-0") == ""
    assert getent("passwd", "400000") == "" and getent("passwd", "vu-name.with.dots-0") == ""


# ---- registries that misbehave ----

class FakeRegistry:
    """Answers every question on both sockets with the same bytes; None: never."""

    def __init__(self, answer):
        self.answer = answer
        self.questions = []
        self.listeners = []
        for path in (HOOK, pathlib.Path(world.VARLINK_SOCKET)):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink(missing_ok=True)
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(str(path))
            listener.listen(16)
            self.listeners.append(listener)
            threading.Thread(target=self.serve, args=[listener], daemon=True).start()
        world.MACHINES.mkdir(parents=True, exist_ok=True)
        (world.MACHINES / "fake").write_text("# comment\nNAME=fake\nCLASS=container\nNETIF=\" 1\"\n")

    def serve(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                self.questions.append(json.loads(connection.recv(65536).rstrip(b"\0")))
                try:
                    if self.answer is None:
                        connection.recv(1)
                    else:
                        connection.sendall(self.answer)
                except OSError:
                    pass

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for listener in self.listeners:
            listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        for path in (HOOK, pathlib.Path(world.VARLINK_SOCKET), world.MACHINES / "fake"):
            path.unlink()


def test_resolve_hook(getent, build):
    """What systemd-machined 262 answers there."""
    addresses = [[192, 0, 2, 1], [10, 0, 0, 1], [0xfe, 0x80, *[0] * 13, 1], [0xfd, *[0] * 14, 1], [0x20, 1, *[0] * 13, 1]]
    answer = [{"rr": {"key": {"class": 1, "type": 1, "name": "fake"}, "address": a}, "raw": "AAAA"} for a in addresses]
    with FakeRegistry(json.dumps({"parameters": {"rcode": 0, "answer": answer}}).encode() + b"\0") as fake:
        assert {line.split()[0] for line in getent("ahosts", "fake").splitlines()} == {
            "192.0.2.1", "10.0.0.1", "fe80::1%1", "fd00::1", "2001::1"}
        code = "import socket; print(*[a[4][0] for a in socket.getaddrinfo('fake', 1, socket.AF_INET6, socket.SOCK_STREAM)])"
        assert run(build, "/usr/bin/python3", "-c", code).stdout.split() == ["2001::1", "fd00::1"]
    keys = [question["key"] for question in fake.questions[0]["parameters"]["question"]]
    assert keys == [{"class": 1, "type": 1, "name": "fake"}, {"class": 1, "type": 28, "name": "fake"}]


def test_machine_of_a_user(getent):
    """Its name may be that of a host which others mean: it is for him alone, and nobody is asked."""
    answer = [{"rr": {"key": {"class": 1, "type": 1, "name": "fake"}, "address": [192, 0, 2, 1]}, "raw": "AAAA"}]
    with FakeRegistry(json.dumps({"parameters": {"rcode": 0, "answer": answer}}).encode() + b"\0") as fake:
        for uid in ("4711", '"4711"', "99999999999999999999", "x"):
            (world.MACHINES / "fake").write_text(f"NAME=fake\nUID={uid}\nCLASS=container\n")
            assert getent("hosts", "fake") == "" and getent("ahosts", "fake") == "" and fake.questions == []
        (world.MACHINES / "fake").write_text("NAME=fake\nUID=0\nCLASS=container\n")
        assert getent("hosts", "fake").split() == ["192.0.2.1", "fake"]


NONSENSE = {
    "nothing": b"", "empty": b"\0", "no members": b"{}\0", "array": b"[]\0", "braces": b"{" * 100000, "endless": b"x" * 2000000,
    "cut": b'{"parameters":{"answer":[{"rr":', "error": b'{"error":"io.systemd.System","parameters":{"errno":5}}\0',
    "values": b'{"parameters":{"answer":[{"rr":{"address":[1,2,3]}}],"uid":-1,"machineName":"../../x"}}\0',
}


@pytest.mark.parametrize("kind", NONSENSE)
def test_nonsense(getent, kind):
    with FakeRegistry(NONSENSE[kind]):
        assert getent("ahosts", "fake") == "" and getent("passwd", "200000") == "" and getent("group", "vg-fake-1") == ""


def test_a_registry_that_hangs(getent, build):
    with FakeRegistry(None) as fake:
        began = time.monotonic()
        assert getent("ahosts", "fake", again=False) == ""
        assert BOUND - 0.2 < time.monotonic() - began < 2 * BOUND + 5
        fake.questions.clear()
        # Of many users, only the first is waited for.
        code = "import pwd\nfor i in range(200000, 200100):\n try: pwd.getpwuid(i)\n except KeyError: pass"
        began = time.monotonic()
        assert run(build, "/usr/bin/python3", "-c", code, again=False).returncode == 0
        assert time.monotonic() - began < 2 * BOUND + 5
        world.wait_until(lambda: fake.questions, "the first question")
        assert len(fake.questions) == 1


def test_no_registry(getent):
    assert getent("passwd", "200000") == "" and getent("hosts", "10.9.0.2") == "" and getent("ahosts", "web") == ""


# ---- stopped, killed, restarted ----

DRIVERS = [("nss-driver", "module", "fork"), ("nss-driver-threads", "module"), ("nss-driver", "libc")]


def test_threads_while_the_registry_is_stopped_and_killed(web, musterd_without_bus, build):
    environment = dict(os.environ, LD_LIBRARY_PATH=str(build / "src" / "nss"))
    running = []
    for program, how, *options in DRIVERS:
        driver = build / "tests" / "nss" / program
        if driver.exists():  # not every compiler has the sanitizer for threads, which knows only some layouts of memory
            running.append(subprocess.Popen(["setarch", "-R", str(driver), how, *options], env=environment, bufsize=0,
                                            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE))
    try:
        for process in running:
            assert world.read_line(process.stdout) == b"ready\n", process.args
        os.kill(musterd_without_bus.pid, signal.SIGSTOP)
        for process in running:
            assert world.read_line(process.stdout) == b"waited\n", process.args
        os.kill(musterd_without_bus.pid, signal.SIGCONT)
        time.sleep(0.3)
        musterd_without_bus.kill()
        time.sleep(0.3)
        musterd_without_bus.start()
        time.sleep(0.5)
        for process in running:
            out, err = process.communicate(timeout=60)
            assert process.returncode == 0 and not err, (process.args, err)
            assert BOUND * 1000 - 200 < int(out) < 2 * BOUND * 1000 - 200, (process.args, out)
    finally:
        for process in running:
            process.kill()
            process.wait()
