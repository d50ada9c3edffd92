# SPDX-License-Identifier: LGPL-2.1-or-later
"""Copying into and out of machines, and mounting in them: muster, both doors, stock clients, and guests that do not play along."""
import io
import json
import os
import pathlib
import shutil
import signal
import socket
import stat
import subprocess
import tarfile

import pytest
import world
from rawbus import RawBus
from test_exec import BUILD, ENVIRONMENT, MUSTER, enter, machines, muster  # noqa: F401
from test_machinectl import Suite

TRANSFER = {"MUSTER_TRANSFER": str(BUILD / "muster-transfer")}
SHIFT = 524288
SHIFTED = [f"--private-users={SHIFT}:65536", "--private-users-ownership=map"]


def start(machines, *options):
    machine = machines("busybox", *options, copy=bool(options), command=["/bin/sleep", "1000"], boot=False,
                       change=lambda root: [(root / name).mkdir(exist_ok=True) for name in ("srv", "tmp")])
    machine.shifted = bool(options)
    return machine


@pytest.fixture
def plain(machines):
    return start(machines)


@pytest.fixture
def shifted(machines):
    return start(machines, *SHIFTED)


@pytest.fixture(params=["same users", "own users"])
def either(request, machines):
    return start(machines, *(SHIFTED if request.param == "own users" else []))


def transferring():
    return [p for p in world.stray_processes() if world.comm(p) == "muster-transfer"]


@pytest.fixture(autouse=True)
def no_process_left():
    yield
    world.wait_until(lambda: not transferring(), "the helpers to go", 15)


def sh(machine, text, check=0):
    return enter(machine, "sh", "-c", text, check=check).stdout.decode()


def run(*arguments, **options):
    return muster(*arguments, environment=TRANSFER, **options)


FLAGS = {"--force": "replace", "--mkdir": "mkdir", "--read-only": "readOnly"}


def transfer(verb, *arguments, archive=None):
    """The same in fewer processes: (error number, sentence, how many were left out)."""
    flags = {FLAGS[a]: True for a in arguments if a in FLAGS}
    name, *paths = [str(a) for a in arguments if a not in FLAGS]
    if archive is not None:
        flags["archive"], paths = True, [None, *paths]
    parameters = dict(zip(("source", "destination"), paths), name=name, kind=verb.replace("-", "_"), **flags)
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with world.Varlink() as v, ours, theirs:
        message = {"method": "org.muster.Machine1.Transfer", "parameters": {k: x for k, x in parameters.items() if x}}
        fds = [theirs.fileno()] + ([archive.fileno()] if archive else [])
        socket.send_fds(v.socket, [json.dumps(message).encode() + b"\0"], fds)
        v.answer()
        theirs.close()
        packet = ours.recv(1000)
    assert packet[:4] == b"MTS1" and packet[4] in (2, 3), packet
    return int.from_bytes(packet[8:12], "little"), packet[40:].decode(), int.from_bytes(packet[32:40], "little")


def do(*arguments, **options):
    error, text, left_out = transfer(*arguments, **options)
    assert error == 0, (error, text)
    return left_out


def refused(wanted, *arguments, **options):
    error, text, _ = transfer(*arguments, **options)
    assert error and wanted in text, (error, text)


def make_tree(top):
    (top / "d" / "e").mkdir(parents=True)
    (top / "a").write_text("hello\n")
    os.link(top / "a", top / "d" / "hard")
    os.symlink("/etc/passwd", top / "link")
    os.mkfifo(top / "fifo", 0o640)
    with open(top / "sparse", "wb") as f:
        f.seek(10_000_000)
        f.write(b"end")
    (top / "d" / "e" / ("long" * 40)).write_bytes(os.urandom(300_000))
    os.chown(top / "d" / "e", 5, 6)
    os.chmod(top / "d" / "e", 0o2750)
    os.chmod(top / "a", 0o4755)
    os.setxattr(top / "a", "user.test", b"value")
    os.mknod(top / "null", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    for path in (top / "a", top / "d" / "e", top / "link", top):
        os.utime(path, ns=(1_000_000_000_123_456_789, 1_000_000_000_123_456_789), follow_symlinks=False)


def describe(top):
    """{path: what can be seen of it}"""
    found = {}
    for directory, names, files in os.walk(top):
        for name in ["."] + [n for n in names if os.path.islink(f"{directory}/{n}")] + files:
            path = pathlib.Path(directory, name)
            st = path.lstat()
            content = (os.readlink(path) if path.is_symlink() else path.read_bytes() if stat.S_ISREG(st.st_mode) else None)
            found[os.path.relpath(path, top)] = [stat.S_IFMT(st.st_mode), stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid,
                                                 st.st_mtime_ns if not stat.S_ISFIFO(st.st_mode) else 0, content]
    return found


def inside_path(machine, path):
    return pathlib.Path(f"/proc/{machine.leader}/root{path}")


def names(machine, path):
    return sorted(os.listdir(inside_path(machine, path)))


# ---- copies ----

def test_copies(either, tmp_path):
    since = json.loads(run("events", "--json=short", check=0).stdout.splitlines()[-1])["sequence"]
    source, back = tmp_path / "source", tmp_path / "back"
    source.mkdir()
    make_tree(source)
    out = run("copy-to", either.name, source, "/srv/copy", check=0)
    assert b"views of the kernel: 1." in out.stderr and out.stdout == b""
    inner = inside_path(either, "/srv/copy")
    expected = describe(source)
    del expected["null"]
    seen = describe(inner)
    for path, what in expected.items():
        if either.shifted:  # all is root's, of the machine, and nothing is setuid
            what[2] = what[3] = SHIFT
            what[1] &= 0o1777
        assert seen.pop(path) == what, path
    assert seen == {}
    assert (inner / "a").stat().st_ino == (inner / "d" / "hard").stat().st_ino
    assert (inner / "sparse").stat().st_blocks < 1000 and os.getxattr(inner / "a", "user.test") == b"value"
    do("copy-from", either.name, "/srv/copy", back)
    seen = describe(back)
    for path, what in expected.items():
        what[2:4] = [0, 0] if either.shifted else what[2:4]
        assert seen[path] == what, path
    if either.shifted:
        return
    # What is there is added to; files stay as they are, unless they are to give way.
    (source / "new").write_text("new")
    (source / "a").write_text("changed")
    do("copy-to", either.name, source, "/srv/copy")
    assert (inner / "new").read_text() == "new" and (inner / "a").read_text() == "hello\n"
    refused("is there already", "copy-to", either.name, source / "a", "/srv/copy/a")
    refused("is there already, and is a directory", "copy-to", either.name, source / "a", "/srv/copy")
    run("copy-to", "--force", either.name, source / "a", "/srv/copy/a", check=0)
    assert (inner / "a").read_text() == "changed" and (inner / "d" / "hard").read_text() == "hello\n"
    run("copy-to", either.name, "a", "/srv/", check=0, cwd=source)  # behind a slash goes the name
    assert inside_path(either, "/srv/a").read_text() == "changed"
    refused("No such file", "copy-from", either.name, "/srv/nothing", back / "x")
    refused("No such file", "copy-to", either.name, source / "a", "/srv/no/such/place")
    refused("No such file", "copy-to", either.name, source / "nothing", "/srv/x")
    assert not (back / "x").exists() and names(either, "/srv") == ["a", "copy"]
    told = [json.loads(line)["kind"] for line in run("events", "--json=short", f"--since={since}", check=0).stdout.decode().splitlines()]
    assert told.count("copy-to") == 8 and told.count("copy-from") == 2, told


def test_both_doors(plain, tmp_path):
    """Answers and errors of the interfaces of the original."""
    (tmp_path / "f").write_text("x")
    m, f = plain.name, str(tmp_path / "f")
    world.manager("CopyToMachine", "sss", m, f, "/srv/f")
    assert inside_path(plain, "/srv/f").read_text() == "x"
    path = "/org/freedesktop/machine1/machine/" + m
    machine = ["call", "org.freedesktop.machine1", path, "org.freedesktop.machine1.Machine"]
    world.busctl(*machine, "CopyFrom", "ss", "/srv/f", f"{tmp_path}/back")
    assert (tmp_path / "back").read_text() == "x"
    world.busctl(*machine, "CopyToWithFlags", "sst", f, "/srv/f", 1)
    world.busctl(*machine, "BindMount", "ssbb", str(tmp_path), "/srv/mounted", "true", "true")
    assert names(plain, "/srv/mounted") == ["back", "f"]
    for method, arguments, text in (
            ("CopyToMachine", ("sss", m, f, "/srv/f"), "is there already"),
            ("CopyToMachine", ("sss", "none", f, "/srv/f"), "No machine 'none'"),
            ("CopyToMachine", ("sss", ".host", f, "/srv/f"), "The host itself"),
            ("CopyToMachine", ("sss", m, "f", "/srv/f"), "must be an absolute path"),
            ("CopyToMachine", ("sss", m, f, "/srv/../f"), "must be an absolute path"),
            ("CopyToMachineWithFlags", ("ssst", m, f, "/srv/f", 2), "There is only the flag 1"),
            ("BindMountMachine", ("sssbb", m, f, "/srv/nothing", "false", "false"), "Cannot open the mount point"),
            ("BindMountMachine", ("sssbb", m, f, "/srv/mounted", "false", "false"), "The mount point is a directory"),
            ("BindMountMachine", ("sssbb", m, f, "/", "false", "false"), "Nothing can be mounted over the root")):
        out = world.manager(method, *arguments, check=False)
        assert out.returncode and text in out.stderr, (method, arguments, out.stderr)
    with world.Varlink() as v:
        v.call("io.systemd.Machine.CopyTo", {"name": m, "source": f, "destination": "/srv/f", "replace": True})
        v.call("io.systemd.Machine.CopyFrom", {"name": m, "source": "/srv/f", "destination": f"{tmp_path}/v"})
        v.call("io.systemd.Machine.BindMount", {"name": m, "source": f, "destination": "/srv/v", "mkdir": True})
        assert (tmp_path / "v").read_text() == inside_path(plain, "/srv/v").read_text() == "x"
        for method, parameters, error in (
                ("CopyTo", {"source": f, "destination": "/srv/f"}, "EEXIST"),
                ("CopyTo", {"source": "f", "destination": "/srv/f"}, "InvalidParameter.*source"),
                ("CopyTo", {"source": f, "destination": "srv"}, "InvalidParameter.*destination"),
                ("CopyFrom", {"source": "/srv/none", "destination": f"{tmp_path}/n"}, "ENOENT"),
                ("CopyTo", {"name": ".host", "source": f}, "NotSupported"),
                ("BindMount", {"name": ".host", "source": f}, "NotSupported")):
            with pytest.raises(world.VarlinkError, match=error):
                v.call(f"io.systemd.Machine.{method}", {"name": m, **parameters})
    # Who is not root needs permission, and there is no polkit to ask.
    out = run("copy-from", m, "/etc/passwd", tmp_path / "x", check=1, preexec_fn=world.drop_privileges(65534))
    assert b"manage-machines" in out.stderr and not (tmp_path / "x").exists()
    out = world.manager("CopyToMachine", "sss", m, "/etc/passwd", "/srv/x", check=False, preexec_fn=world.drop_privileges(65534))
    assert out.returncode and not inside_path(plain, "/srv/x").exists()


def test_archives(shifted, tmp_path):
    """Numbers in an archive are the machine's; what an archive says never leads out of the destination."""
    source = tmp_path / "source"
    source.mkdir()
    make_tree(source)
    archive = subprocess.run(["tar", "-C", source, "-c", "."], stdout=subprocess.PIPE, check=True).stdout
    out = run("copy-to", shifted.name, "-", "/srv/tar", stdin=None, input=archive, check=0)
    assert b"views of the kernel: 1." in out.stderr
    seen, expected = describe(inside_path(shifted, "/srv/tar")), describe(source)
    for path, what in expected.items():
        if path != "null":
            what[2:5] = [what[2] + SHIFT, what[3] + SHIFT, what[4] // 10**9 * 10**9]
            assert [*seen[path][:4], seen[path][4] // 10**9 * 10**9, seen[path][5]] == what, path
    out = run("copy-from", shifted.name, "/srv/tar", "-", check=0).stdout
    with tarfile.open(fileobj=io.BytesIO(out)) as tar:
        members = {m.name: m for m in tar.getmembers()}
    assert members["d/e"].uid == 5 and members["a"].mode == 0o4755 and members["link"].linkname == "/etc/passwd"
    assert {"fifo", "sparse", "d/hard", "."} < set(members)
    out = run("copy-from", shifted.name, "/srv/tar/a", "-", check=0).stdout
    with tarfile.open(fileobj=io.BytesIO(out)) as tar:
        assert tar.getnames() == ["a"]

    def tar_of(*entries):
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for name, kind, value in entries:
                info = tarfile.TarInfo(name)
                info.type, info.linkname = kind, value if kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
                info.size = len(value) if kind == tarfile.REGTYPE else 0
                tar.addfile(info, io.BytesIO(value.encode()) if kind == tarfile.REGTYPE else None)
        return data.getvalue()
    sh(shifted, "mkdir /srv/there; echo x > /srv/there/mine")
    file, link, hard = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
    for data, text in ((tar_of(("ok", file, "x"), ("../out", file, "x")), "leads out of the archive"),
                       (tar_of(("ok", file, "x"), ("l", link, "/etc"), ("l/out", file, "x")), "Cannot go to the directory"),
                       (tar_of(("ok", file, "x"), ("l", link, "/etc"), ("h", hard, "l/passwd")), "Cannot find what is linked"),
                       (tar_of(("ok", file, "x"), ("h", hard, "../../etc/passwd")), "Cannot find what is linked"),
                       (archive[:200_000], "before it was complete"), (b"\xff" * 1024, "no tar archive"), (b"", "before it was complete")):
        for place in ("/srv/bad", "/srv/there") if "leads out" in text else ("/srv/there",):
            with open(tmp_path / "archive", "w+b") as f:
                f.write(data)
                f.seek(0)
                refused(text, "copy-to", shifted.name, place, archive=f)
            assert names(shifted, "/srv") == ["tar", "there"] and names(shifted, "/srv/there") == ["mine"]
    run("copy-to", shifted.name, "-", "/srv/abs", stdin=None, input=tar_of(("/x/y", file, "x")), check=0)
    assert inside_path(shifted, "/srv/abs/x/y").read_text() == "x"


def test_without_a_registry(plain, musterd, tmp_path):
    (tmp_path / "f").write_text("x")
    musterd.stop()
    try:
        run("copy-to", plain.name, tmp_path, "/srv/d", check=0)
        run("copy-from", plain.name, "/srv/d/f", tmp_path / "back", check=0)
        run("bind", "--mkdir", "--read-only", plain.name, tmp_path, "/srv/b", check=0)
        assert (tmp_path / "back").read_text() == "x" and names(plain, "/srv/b") == ["back", "f"]
        out = run("copy-from", plain.name, "/srv/none", tmp_path / "none", check=1)
        assert b"No such file" in out.stderr
    finally:
        musterd.start()


# ---- mounts ----

def test_bind(either, tmp_path):
    source = tmp_path / "source"
    (source / "sub").mkdir(parents=True)
    (source / "f").write_text("content")
    os.chmod(source, 0o777)
    os.symlink(source, tmp_path / "link")
    m = either.name
    run("bind", m, tmp_path / "link", "/srv/new/place", "--mkdir", check=0)
    assert names(either, "/srv/new/place") == ["f", "sub"]
    assert sh(either, "echo x > /srv/new/place/from-inside; cat /srv/new/place/f") == "content"
    assert (source / "from-inside").exists()
    do("bind", m, source / "f", "/srv/file", "--mkdir", "--read-only")
    assert sh(either, "cat /srv/file") == "content"
    do("bind", m, source, "/srv/ro", "--mkdir", "--read-only")
    sh(either, "echo x > /srv/ro/y", check=1)
    if either.shifted:  # where root is root of the host, nothing could hold it
        sh(either, "mount -o remount,bind,rw /srv/ro; echo x > /srv/ro/y", check=1)
        return
    refused("The mount point is a directory", "bind", m, source / "f", "/srv")
    refused("The mount point is no directory", "bind", m, source, "/etc/passwd")
    refused("No such file", "bind", m, source, "/srv/nothing")
    refused("No such file", "bind", m, source / "nothing", "/srv/x", "--mkdir")
    # Links of the machine lead where they lead in the machine.
    sh(either, f"ln -s / /tmp/up; ln -s ../../../../../../..{tmp_path} /tmp/out; mkdir -p {tmp_path}")
    do("bind", m, source, "/tmp/out/there", "--mkdir")
    assert names(either, f"{tmp_path}/there") == ["f", "from-inside", "sub"] and not (tmp_path / "there").exists()
    assert inside_path(either, f"{tmp_path}/there").stat().st_dev == source.stat().st_dev


def test_bind_in_the_hosts_mounts(musterd, processes):
    leader = processes.sleeper()
    world.muster("register", "host-like", f"--leader={leader}")
    refused("has the host's mounts", "bind", "host-like", "/usr", "/srv")


# ---- stock clients ----

def stock_clients():
    if shutil.which("machinectl"):
        yield "own", world.machinectl
    for name in ("trixie", "forky"):
        tree = pathlib.Path(os.environ.get("MUSTER_TREES", "/nonexistent")) / name
        if tree.is_dir():
            suite = Suite(tree)
            yield name, lambda *arguments, **options: suite("machinectl", "-M", ".host", *arguments, **options)


def test_stock_clients(plain, tmp_path):
    """machinectl of this system and of newer suites."""
    (tmp_path / "f").write_text("x")
    seen = 0
    for seen, (name, client) in enumerate(stock_clients(), 1):
        client("copy-to", plain.name, tmp_path / "f", f"/srv/{name}")
        client("copy-from", plain.name, f"/srv/{name}", tmp_path / name)
        client("bind", plain.name, tmp_path, f"/srv/bound-{name}", "--mkdir", "--read-only")
        assert (tmp_path / name).read_text() == "x" and "f" in names(plain, f"/srv/bound-{name}")
        if name != "own":
            client("copy-to", "--force", plain.name, tmp_path / "f", f"/srv/{name}")
    if seen:
        out = client("copy-to", plain.name, tmp_path / "f", f"/srv/{name}", check=False)
        assert out.returncode == 1 and "is there already" in out.stderr
    if seen < 3:
        pytest.skip("not all of the three releases are here")


# ---- guests that do not play along ----

RACES = 2


def test_races(plain, tmp_path):
    """Directories that become links to the host's names, and back, all the while: nothing comes from there, nothing goes there."""
    secret, outside = tmp_path / "secret", tmp_path / "outside"
    secret.mkdir()
    outside.mkdir()
    (secret / "f").write_text("secret of the host")
    source = tmp_path / "source"
    for i in range(40):
        (source / "d" / str(i)).mkdir(parents=True)
        (source / "d" / str(i) / "f").write_text("harmless")
    m = plain.name
    depth = "../" * 12
    sh(plain, f"mkdir -p /srv/d /srv/real; echo inside > /srv/real/f; echo inside > /srv/d/f; mkdir -p {outside}")
    enter(plain, "sh", "-c", f"while :; do mv /srv/d /srv/e; ln -s {depth}{secret} /srv/d; rm /srv/d; mv /srv/e /srv/d; "
          f"mv /srv/to /srv/to2; ln -s {depth}{outside} /srv/to; rm /srv/to; mv /srv/to2 /srv/to; done 2>/dev/null",
          options=["--detach"], check=0)
    before = set(os.listdir(outside))
    with world.Others():
        for i in range(RACES):
            transfer("copy-to", "--force", m, source, "/srv/to")
            transfer("copy-to", "--force", m, source / "d" / "0" / "f", "/srv/to/d/0/f")
            transfer("copy-from", m, "/srv", tmp_path / f"out{i}")
            transfer("bind", m, source, f"/srv/to/mounted/{i}", "--mkdir")
    copied = [p for i in range(RACES) for p in (tmp_path / f"out{i}").rglob("*") if p.is_file() and not p.is_symlink()]
    assert all("secret" not in p.read_text() for p in copied) and copied
    assert set(os.listdir(outside)) == before and (secret / "f").read_text() == "secret of the host"
    assert os.listdir(secret) == ["f"]


def test_things_in_the_way(plain, tmp_path):
    m = plain.name
    sh(plain, "mkfifo /srv/fifo; mkdir /srv/d /srv/ro /srv/small; mkfifo /srv/d/fifo; mknod /srv/d/disk b 8 0; ln -s fifo /srv/d/l")
    with world.Others():
        do("copy-from", m, "/srv/fifo", tmp_path / "fifo")
        assert stat.S_ISFIFO((tmp_path / "fifo").stat().st_mode)
        do("copy-from", m, "/srv/d", tmp_path / "d")
        assert sorted(os.listdir(tmp_path / "d")) == ["fifo", "l"]
        refused("is there already", "copy-to", m, "/etc/passwd", "/srv/fifo")
        do("copy-to", "--force", m, "/etc/passwd", "/srv/fifo")
        refused("A device or a socket", "copy-from", m, "/dev/null", tmp_path / "null")
        refused("a view of the kernel", "copy-from", m, "/proc/version", tmp_path / "version")
        # What is mounted over /proc means nothing to us.
        sh(plain, "mount -t tmpfs none /proc && mkdir -p /proc/self/fd /proc/1 && ln -s / /proc/1/root && ln -s /etc /proc/self/fd/5")
        do("copy-to", m, "/etc/passwd", "/srv/p")
        do("copy-from", m, "/proc", tmp_path / "proc")
        assert os.readlink(tmp_path / "proc" / "1" / "root") == "/"
        do("bind", m, tmp_path, "/proc/here", "--mkdir")
        # Refused before anything changes.
        sh(plain, "mount -t tmpfs -o ro none /srv/ro")
        refused("cannot be written to", "copy-to", m, "/etc/passwd", "/srv/ro/p")
        refused("cannot be written to", "copy-to", m, tmp_path, "/srv/ro")
        refused("Read-only file system", "bind", m, tmp_path, "/srv/ro/new", "--mkdir")
        # No space: all is taken back, what was there stays.
        sh(plain, "mount -t tmpfs -o size=300k none /srv/small; mkdir /srv/small/t; echo mine > /srv/small/t/mine")
        big = tmp_path / "big"
        big.mkdir()
        for i in range(5):
            (big / f"f{i}").write_bytes(b"x" * 100_000)
        refused("No space left", "copy-to", m, big, "/srv/small/new")
        refused("No space left", "copy-to", m, big, "/srv/small/t")
        assert names(plain, "/srv/small") == ["t"] and names(plain, "/srv/small/t") == ["mine"]


class Begun:
    """Something that never ends by itself: an archive that stops in the middle, and its client."""

    def __init__(self, machine, place):
        self.reading, self.writing = os.pipe()
        self.client = subprocess.Popen([MUSTER, "copy-to", machine.name, "-", place], stdin=self.reading,
                                       stderr=subprocess.PIPE, env=dict(ENVIRONMENT, **TRANSFER))
        os.close(self.reading)
        data = io.BytesIO()
        with tarfile.open(fileobj=data, mode="w") as tar:
            for name in ("a", "b"):
                info = tarfile.TarInfo(name)
                info.size = 100_000
                tar.addfile(info, io.BytesIO(b"x" * info.size))
        os.write(self.writing, data.getvalue()[:150_000])

    def end(self):
        os.close(self.writing)
        return self.client.wait(20), self.client.stderr.read().decode()


def test_going_in_the_middle(plain, tmp_path):
    """A client, a caller of the bus, and the guest itself: nothing is left, in the guest that lives on."""
    sh(plain, "mkdir /srv/there")
    for place in ("/srv/new", "/srv/there"):
        begun = Begun(plain, place)
        world.wait_until(lambda: len(names(plain, "/srv")) + len(names(plain, "/srv/there")) > 1, "it to begin")
        begun.client.kill()
        world.wait_until(lambda: not transferring(), "the helpers to go")
        begun.end()
        assert names(plain, "/srv") == ["there"] and names(plain, "/srv/there") == []
    sh(plain, "rmdir /srv/there")
    with open(tmp_path / "large", "wb") as f:
        f.truncate(1 << 40)  # a hole, and so many zeros to be read
    client = subprocess.Popen(["busctl", f"--address={world.BUS_ADDRESS}", "--timeout=100", "call", *world.MANAGER,
                               "CopyToMachine", "sss", plain.name, str(tmp_path / "large"), "/srv/large"],
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    world.wait_until(lambda: names(plain, "/srv"), "it to begin")
    with world.Others():
        client.kill()
        client.wait()
        world.wait_until(lambda: not transferring(), "the helpers to go")
    assert names(plain, "/srv") == []
    begun = Begun(plain, "/srv/new")
    world.wait_until(lambda: names(plain, "/srv"), "it to begin")
    os.kill(plain.leader, signal.SIGKILL)
    status, text = begun.client.wait(20), begun.client.stderr.read().decode()
    os.close(begun.writing)
    assert status == 1 and "The machine has ended" in text, text


def test_caller_that_goes_at_once(plain, tmp_path):
    """Before musterd has told the bus that it wants to hear of that: nobody waits for the copy, which would take days."""
    with open(tmp_path / "large", "wb") as f:
        f.truncate(1 << 40)

    def called():
        return run("events", plain.name, check=0).stdout.count(b" copy-to ")
    before = called()
    for i in range(5):
        with RawBus() as bus:
            assert bus.call("CopyFromMachine", "sss", plain.name, "/etc/passwd", str(tmp_path / str(i))) is None  # it is known
            bus.send("CopyToMachine", "sss", plain.name, str(tmp_path / "large"), "/srv/large")
        world.wait_until(lambda: called() == before + i + 1, "the call to come")
        world.wait_until(lambda: not transferring() and not names(plain, "/srv"), "all of it to go")
