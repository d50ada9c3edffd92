# SPDX-License-Identifier: LGPL-2.1-or-later
"""Names of machines and of their users, by the modules of systemd, which are installed here, and by our own."""
import json
import os
import pathlib
import socket
import subprocess

import host
import pytest
import world

OURS = "/usr/local/lib/x86_64-linux-gnu"
USERDB = pathlib.Path("/run/systemd/userdb/io.systemd.Machine")


def getent(*arguments, ours=False):
    environment = dict(os.environ, LD_LIBRARY_PATH=OURS if ours else "")
    result = subprocess.run(["getent", *arguments], env=environment, capture_output=True, text=True)
    return result.stdout.splitlines()


def container(processes):
    """A container with a network and users of its own, registered."""
    leader = processes.sleeper(unshare=["-n", "-U"])
    for kind in ("uid", "gid"):
        pathlib.Path(f"/proc/{leader}/{kind}_map").write_text("0 1000000 65536\n")
    enter = ["nsenter", f"--net=/proc/{leader}/ns/net", "ip"]
    for command in (["ip", "link", "add", "ve-web", "type", "veth", "peer", "name", "host0", "netns", str(leader)],
                    [*enter, "address", "add", "10.9.0.2/24", "dev", "host0"], [*enter, "link", "set", "host0", "up"],
                    ["ip", "address", "add", "10.9.0.1/24", "dev", "ve-web"], ["ip", "link", "set", "ve-web", "up"]):
        subprocess.run(command, check=True)
    with world.Varlink() as v:
        v.register("web", leader, ifIndices=[socket.if_nametoindex("ve-web")])
        yield leader
        v.call("io.systemd.Machine.Unregister", {"name": "web"})
    subprocess.run(["ip", "link", "del", "ve-web"], check=True)  # when the leader has ended the kernel takes its time for it
    processes.kill(leader)


@pytest.fixture
def web(musterd, processes):
    yield from container(processes)


@pytest.fixture
def web_of_the_original(musterd, processes, systemd_version):
    if systemd_version < 258:
        pytest.skip("this systemd-machined has no Varlink")
    units = ["systemd-machined.socket", "systemd-machined.service"]
    host.systemctl("mask", "--runtime", "musterd.service")
    host.systemctl("stop", "musterd.service")
    host.systemctl("unmask", *units)
    host.systemctl("start", *units)
    yield from container(processes)
    host.systemctl("stop", *units)
    host.systemctl("mask", *units)
    host.systemctl("unmask", "--runtime", "musterd.service")
    musterd.start()


def test_hosts(web):
    def addresses(command, ours):
        # Link-local ones become valid while we look.
        lines = [line.split() for line in getent("-s", "hosts:mymachines", command, "web", ours=ours)]
        return [line for line in lines if not line[0].startswith("fe80")]
    for command in ("ahosts", "ahostsv4"):
        assert addresses(command, False) == addresses(command, True) != [], command
    assert ["10.9.0.2", "STREAM", "web"] in addresses("ahosts", True)
    assert getent("-s", "hosts:mymachines", "hosts", "10.9.0.2", ours=True)[0].split() == ["10.9.0.2", "web"]
    for ours in (False, True):
        assert getent("-s", "hosts:mymachines", "ahosts", "nomachine", ours=ours) == []


def test_users(web):
    if not USERDB.exists():
        pytest.skip("the registry has no user records")
    for database, prefix in (("passwd", "vu"), ("group", "vg")):
        for key in ("1000005", f"{prefix}-web-5", "900000000", f"{prefix}-web-70000"):
            theirs = getent("-s", f"{database}:systemd", database, key)
            assert theirs == getent("-s", f"{database}:mymachines", database, key, ours=True), (database, key)
        assert theirs == []
        assert getent("-s", f"{database}:mymachines", database, "1000005", ours=True)[0].startswith(f"{prefix}-web-5:x:1000005:")


def test_userdbctl(web):
    user = json.loads(host.run("userdbctl", "user", "vu-web-5", "--output=json").stdout)
    assert user["uid"] == 1000005 and user["disposition"] == "container" and user["service"] == "io.systemd.Machine"
    assert "vg-web-7" in host.run("userdbctl", "group", "1000007").stdout
    assert "io.systemd.Machine" in host.run("userdbctl", "services").stdout
    assert host.run("userdbctl", "user", "vu-web-70000", check=False).returncode != 0


def test_resolved_asks_the_hook(web, systemd_version):
    """systemd-resolved of 262 gives names of machines to programs that know of no module."""
    if systemd_version < 262:
        pytest.skip("this systemd-resolved asks no hooks")
    host.systemctl("unmask", "systemd-resolved.service")
    host.systemctl("start", "systemd-resolved.service")
    try:
        assert "10.9.0.2" in host.run("resolvectl", "query", "-4", "web").stdout
        assert "10.9.0.2" in "".join(getent("-s", "hosts:resolve", "ahostsv4", "web"))
        assert host.run("resolvectl", "query", "www.web", check=False).returncode != 0
    finally:
        host.systemctl("stop", "systemd-resolved.service")
        host.systemctl("mask", "systemd-resolved.service")


def test_our_module_and_the_original(web_of_the_original):
    """Its Varlink is the same, so the module is at home there, too."""
    assert "10.9.0.2" in getent("-s", "hosts:mymachines", "ahosts", "web", ours=True)[0]
    assert getent("-s", "hosts:mymachines", "hosts", "10.9.0.2", ours=True)[0].split() == ["10.9.0.2", "web"]
    assert getent("-s", "passwd:mymachines", "passwd", "vu-web-5", ours=True)[0].startswith("vu-web-5:x:1000005:")
    assert getent("-s", "group:mymachines", "group", "1000005", ours=True) == ["vg-web-5:x:1000005:"]
    assert getent("-s", "passwd:mymachines", "passwd", "900000000", ours=True) == []
