# SPDX-License-Identifier: LGPL-2.1-or-later
"""libvirt's LXC and QEMU drivers: each of its domains is a machine. Only the bookworm image has libvirt in it."""
import json
import os
import pathlib
import shutil
import signal
import subprocess

import host
import pytest
import world
from host import run, show, systemctl, wait_until

CONFIG = {
    "/etc/libvirt/libvirtd.conf": 'unix_sock_dir="/run/libvirt"\nauth_unix_rw="none"\nauth_unix_ro="none"\n',
    "/etc/libvirt/qemu.conf": 'stdio_handler="file"\nsecurity_driver="none"\nuser="root"\ngroup="root"\nnamespaces=[]\n'
                              'remember_owner=0\n',
    "/etc/libvirt/lxc.conf": 'security_driver="none"\n',
}
USERS = {"/etc/passwd": "libvirt-qemu:x:64055:64055::/:/bin/false\n", "/etc/group": "libvirt-qemu:x:64055:\nkvm:x:64056:\n"}
ROOT = pathlib.Path("/run/libvirt-box")
LXC = f"""<domain type='lxc'><name>box</name><memory unit='MiB'>64</memory><vcpu>1</vcpu>
<os><type>exe</type><init>/sbin/init</init></os><devices><filesystem type='mount'><source dir='{ROOT}'/><target dir='/'/>
</filesystem><interface type='bridge'><source bridge='br-box'/></interface><console type='pty'/></devices></domain>"""
QEMU = """<domain type='qemu'><name>a guest</name><memory unit='MiB'>32</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='pc'>hvm</type></os><devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>"""


@pytest.fixture(scope="module")
def libvirtd():
    if not shutil.which("libvirtd"):
        pytest.skip("libvirt is not in the image of this suite")
    for name, text in CONFIG.items():
        pathlib.Path(name).write_text(text)
    for name, text in USERS.items():
        with open(name, "a") as file:
            file.write(text)
    run("systemd-run", "--quiet", "--unit=libvirtd", "libvirtd")
    wait_until(lambda: os.path.exists("/run/libvirt/libvirt-sock"), "libvirtd to listen")
    yield
    systemctl("stop", "libvirtd.service")


@pytest.fixture(scope="module")
def tree():
    """A system of busybox alone, and a bridge for it."""
    for name in ("bin", "sbin", "etc", "proc", "sys", "dev", "run", "tmp"):
        (ROOT / name).mkdir(parents=True, exist_ok=True)
    shutil.copy(shutil.which("busybox"), ROOT / "bin/busybox")
    for name in ("bin/sh", "bin/sleep", "sbin/init", "sbin/poweroff"):
        (ROOT / name).symlink_to("/bin/busybox")
    (ROOT / "etc/inittab").write_text("::respawn:/bin/sleep 3600\n")
    (ROOT / "etc/os-release").write_text("ID=box\nVERSION_ID=1\n")
    run("ip", "link", "add", "br-box", "type", "bridge")
    run("ip", "link", "set", "br-box", "up")
    yield ROOT
    run("ip", "link", "del", "br-box")
    shutil.rmtree(ROOT)


def virsh(uri, *arguments):
    return run("virsh", "-c", f"{uri}:///system", *arguments).stdout


def machines():
    with world.Varlink() as v:
        return [m for m in v.list(acquireMetadata="graceful") if m["class"] != "host"]


def ends(domain, uri):
    wait_until(lambda: not machines(), "the machine to go")
    wait_until(lambda: domain not in virsh(uri, "list"), "libvirt to notice")
    wait_until(lambda: not host.machine_units(), "its scope to go")


@pytest.mark.parametrize("end", ["destroy", "kill -9"])
def test_lxc(musterd, libvirtd, tree, tmp_path, end):
    (tmp_path / "box.xml").write_text(LXC)
    virsh("lxc", "create", tmp_path / "box.xml")
    box, = machines()
    leader = box["leader"]["pid"]
    assert (box["class"], box["service"]) == ("container", "libvirt-lxc") and box["name"].endswith("-box")
    assert box["unit"] == host.scope_of(box["name"]) and show(box["unit"], "ActiveState") == "active"
    wait_until(lambda: world.comm(leader) == "init", "the container to boot")
    run("nsenter", "-t", leader, "-n", "sh", "-c", "ip link set eth0 up; ip addr add 10.9.8.7/24 dev eth0")
    shown, = json.loads(run("muster", "list", "--json=short").stdout)
    assert (shown["machine"], shown["class"], shown["os"]) == (box["name"], "container", "box"), shown
    assert "10.9.8.7" in json.dumps(shown["addresses"])
    assert run("ps", "-o", "machine=", "-p", leader).stdout.strip() == box["name"]
    if end == "destroy":
        destroyed = run("virsh", "-c", "lxc:///system", "destroy", "box", check=False)
        # It kills what is in the group, and looks at it once more: systemd may have been quicker.
        assert destroyed.returncode == 0 or "cgroup.controllers': No such file" in destroyed.stderr, destroyed
    else:
        os.kill(leader, signal.SIGKILL)
    ends("box", "lxc")


@pytest.mark.parametrize("end", ["destroy", "kill -9", "terminate"])
def test_qemu(musterd, libvirtd, tmp_path, end):
    (tmp_path / "guest.xml").write_text(QEMU)
    virsh("qemu", "create", "--paused", tmp_path / "guest.xml")
    guest, = machines()
    leader = guest["leader"]["pid"]
    assert (guest["class"], guest["service"]) == ("vm", "libvirt-qemu") and guest["name"].endswith("-aguest")
    assert guest["unit"] == host.scope_of(guest["name"]) and world.comm(leader).startswith("qemu-system")
    assert guest["id"].replace("-", "") == virsh("qemu", "domuuid", "a guest").strip().replace("-", "")
    if end == "destroy":
        virsh("qemu", "destroy", "a guest")
    elif end == "kill -9":
        os.kill(leader, signal.SIGKILL)
    else:
        run("muster", "terminate", guest["name"])
    ends("a guest", "qemu")


def test_a_vm_with_ssh(musterd, processes):
    """What a VM manager tells when it registers a guest is there for who looks."""
    leader = processes.sleeper()
    run("muster", "register", "guest-1", f"--leader={leader}", "--class=vm", "--vsock-cid=77", "--ssh-address=vsock/77",
        "--ssh-key=/run/key")
    try:
        shown = subprocess.run(["muster", "show", "guest-1", "-p", "Class", "-p", "VSockCID", "-p", "SSHAddress"], text=True,
                               capture_output=True).stdout
        assert sorted(shown.split()) == ["Class=vm", "SSHAddress=vsock/77", "VSockCID=77"], shown
        assert "vsock/77" in run("muster", "status", "guest-1").stdout
    finally:
        run("muster", "unregister", "guest-1")
