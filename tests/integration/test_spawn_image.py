# SPDX-License-Identifier: LGPL-2.1-or-later
"""muster-spawn: private versions of trees, trees from templates, ranges of users and who owns the files."""
import fcntl
import os
import pathlib
import re
import shutil
import signal
import struct
import subprocess

import pytest
import world
from nspawn import Tree

HASH_OF_FOOBAR = 276955136  # systemd-nspawn picks this for a machine called foobar
FOREIGN = 2147352576
PARKED = 0xfffe0000
MACHINES = pathlib.Path("/sys/fs/cgroup/machine.slice")
RANGES = pathlib.Path("/run/systemd/nspawn-uid")


def run(build, *arguments, payload=(), check=0, **keywords):
    """muster-spawn, to its end; stdout, or with check=1 what it complains about."""
    result = subprocess.run([world.spawn_program(build), "--register=no", *arguments, *payload], stdin=subprocess.DEVNULL,
                            capture_output=True, text=True, timeout=60, **keywords)
    assert result.returncode == check, result.stderr
    return result.stderr if check else result.stdout


def sh(script):
    return ("sh", "-c", script)


@pytest.fixture
def place():
    """A directory for trees, on a file system of its own kind: /run is a tmpfs."""
    made = pathlib.Path("/run/trees")
    made.mkdir()
    yield made
    subprocess.run(["rm", "-rf", made], check=True)


@pytest.fixture
def tree(place):
    source = Tree("busybox").lower
    if not source.is_dir():
        pytest.skip("there is no tree of busybox: run-checks.py has said why")
    subprocess.run(["cp", "-a", source, place / "tree"], check=True)
    return place / "tree"


def hidden(place):
    return sorted(p.name for p in place.iterdir() if p.name.startswith(".#"))


def removed(group):
    for directory, _, _ in os.walk(group, topdown=False):
        try:
            os.rmdir(directory)
        except OSError:
            pass
    return not group.exists()


def content(tree):
    """All that is in it, with what can be seen from outside."""
    found = {}
    for path in sorted(tree.rglob("*")):
        st = path.lstat()
        found[str(path.relative_to(tree))] = (st.st_mode, st.st_uid, st.st_gid, st.st_size if path.is_file() else 0)
    return found


class Running:
    """muster-spawn in the background, with a payload that says "up"."""

    def __init__(self, build, *arguments):
        self.process = subprocess.Popen([world.spawn_program(build), "--register=no", *arguments,
                                         "sh", "-c", "echo up; sleep 1000"],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        while True:
            line = self.process.stdout.readline()
            assert line, "it ended"
            if line.strip() == b"up":
                break

    def end(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        self.process.wait(20)


@pytest.fixture
def running(build):
    started = []

    def start(*arguments):
        started.append(Running(build, *arguments))
        return started[-1]
    yield start
    for one in started:
        if one.process.poll() is None:
            one.end()


@pytest.fixture(params=["btrfs", "xfs"])
def file_system(request, place):
    """(kind, mount point) of one that has snapshots or shared blocks."""
    kind = request.param
    image, point = place / "image", place / kind
    with open(image, "wb") as file:
        file.truncate(600 << 20)
    try:
        subprocess.run([f"mkfs.{kind}", "-q", image], check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip(f"there is no mkfs.{kind}")
    point.mkdir()
    mounted = subprocess.run(["mount", "-o", "loop", image, point], capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount {kind}: {mounted.stderr.strip()}")
    yield kind, point
    subprocess.run(["umount", point], check=True)


def test_ephemeral_leaves_nothing(build, tree, place):
    before = content(tree)
    out = run(build, "-x", "-D", tree, payload=sh("hostname; echo x >/made; rm -r /etc/passwd; chmod 0700 /; ls /"))
    name, *entries = out.split()
    assert re.fullmatch(r"tree-[0-9a-f]{16}", name)
    assert "made" in entries and "usr" in entries
    assert content(tree) == before
    assert hidden(place) == []
    assert run(build, "-x", "-P", "-M", "fixed", "-D", tree, payload=("hostname",)).strip() == "fixed"


def test_ephemeral_says_how(build, tree):
    loud = subprocess.run([world.spawn_program(build), "--register=no", "-x", "-D", tree, "true"], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True)
    assert re.search(r"private version of /run/trees/tree \((overlay|copy|reflink copy|btrfs snapshot)\)", loud.stderr)
    quiet = subprocess.run([world.spawn_program(build), "--register=no", "-q", "-x", "-D", tree, "true"],
                           stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert "private version" not in quiet.stderr


def test_ephemeral_by_snapshot_or_shared_blocks(build, tree, file_system):
    kind, point = file_system
    if kind == "btrfs":
        subprocess.run(["btrfs", "-q", "subvolume", "create", point / "tree"], check=True)
    subprocess.run(["cp", "-a", f"{tree}/.", point / "tree"], check=True)
    before = content(point / "tree")
    result = subprocess.run([world.spawn_program(build), "--register=no", "-U", "-x", "-D", point / "tree",
                             *sh("stat -c %u / /bin; touch /made; mkdir -p /var/deep/er")],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert ("btrfs snapshot" if kind == "btrfs" else "reflink copy") in result.stderr
    assert result.stdout.split() == ["0", "0"]
    assert content(point / "tree") == before
    assert [p.name for p in point.iterdir()] == ["tree"]


def test_ephemeral_on_a_mount_point(build, tree):
    subprocess.run(["mount", "--bind", tree, tree], check=True)
    try:
        before = content(tree)
        run(build, "-x", "-P", "-D", tree, payload=sh("echo x >/made"))
        assert content(tree) == before
    finally:
        subprocess.run(["umount", tree], check=True)


def test_ephemeral_below_another_root(build, tree, place):
    above = place / "above"
    (above / "usr").mkdir(parents=True)
    tree.rename(above / "deploy")
    assert "made" in run(build, "-x", "-P", "-D", above, "--pivot-root=/deploy", payload=sh("echo >/made; ls /"))
    assert not (above / "deploy/made").exists() and hidden(place) == []


def test_left_overs_of_a_killed_run(build, tree, place, running):
    alive = running("-x", "-D", tree)
    theirs = [name for name in hidden(place) if name.startswith(".#machine.")]
    assert len(theirs) == 1
    killed = running("-x", "-D", tree)
    assert len([name for name in hidden(place) if name.startswith(".#machine.")]) == 2
    groups = set(MACHINES.glob("tree-*.scope")) if MACHINES.is_dir() else set()
    killed.end(signal.SIGKILL)
    (place / ".#machine.tree-of-somebody-else").mkdir()
    (place / ".#machine.tree0123456789abcdef").mkdir()  # looks like ours, but has no lock file
    world.wait_until(lambda: run(build, "-x", "-P", "-D", tree, payload=("true",)) == "" and
                     [name for name in hidden(place) if name.startswith(".#machine.")] ==
                     sorted(theirs + [".#machine.tree-of-somebody-else", ".#machine.tree0123456789abcdef"]),
                     "the left-overs to go")
    alive.end()
    assert theirs[0] not in hidden(place)
    for group in groups:  # nobody but a registry looks after those of who was killed
        assert not group.is_dir() or not (group / "cgroup.procs").read_text()
        world.wait_until(lambda: removed(group), "its processes to be gone")


def test_ephemeral_and_locks(build, tree, running):
    held = running("-x", "-D", tree)
    assert "busy" in run(build, "-P", "-D", tree, payload=("true",), check=1)
    run(build, "-x", "-P", "-D", tree, payload=("true",))
    held.end()
    running("-D", tree)
    assert "busy" in run(build, "-x", "-P", "-D", tree, payload=("true",), check=1)


def test_template(build, tree, place):
    os.link(tree / "etc/passwd", tree / "etc/passwd.link")
    target = place / "new"
    arguments = (f"--template={tree}", f"--directory={target}")
    result = subprocess.run([world.spawn_program(build), "--register=no", *arguments, "touch", "/made"],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert result.returncode == 0 and "is made from" in result.stderr
    assert (target / "made").exists() and not (tree / "made").exists()
    copied = {path: what for path, what in content(tree).items() if (target / path).exists()}
    assert copied == content(tree)
    assert (target / "etc/passwd").stat().st_ino == (target / "etc/passwd.link").stat().st_ino
    result = subprocess.run([world.spawn_program(build), "--register=no", *arguments, "ls", "/made"],
                            stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert result.returncode == 0 and "template is not used" in result.stderr
    assert hidden(place) == []


def test_template_for_a_name(build, tree):
    assert run(build, "-P", f"--template={tree}", "-M", "vm1", payload=("hostname",)).strip() == "vm1"
    assert pathlib.Path("/var/lib/machines/vm1/usr").is_dir()
    subprocess.run(["rm", "-rf", "/var/lib/machines/vm1"], check=True)


def test_ephemeral_template(build, tree):
    assert run(build, "-P", "-x", f"--template={tree}", payload=("hostname",)).startswith("tree-")


@pytest.mark.parametrize("arguments, says", [
    (("--template=/nope", "-D", "/run/trees/new"), "/nope"),
    (("--template={tree}", "-D", "/run/trees/no/new"), "/run/trees/no/new"),
    (("--template={tree}",), "--directory="),
])
def test_template_refused(build, tree, place, arguments, says):
    arguments = [argument.format(tree=tree) for argument in arguments]
    assert says in run(build, "-P", *arguments, payload=("true",), check=1)
    assert not (place / "new").exists()


def test_template_interrupted(build, tree, place):
    if not shutil.which("strace"):
        pytest.skip("there is no strace")
    with open(tree / "large", "wb") as file:
        for _ in range(200):
            file.write(b"x" * (1 << 20))
    slowly = ["strace", "-D", "-f", "-qq", "-o", "/dev/null", "-e", "trace=copy_file_range", "-e", "inject=copy_file_range:delay_enter=400000"]
    process = subprocess.Popen([*slowly, world.spawn_program(build), "--register=no", f"--template={tree}", "-D", place / "new", "true"],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    world.wait_until(lambda: list(place.glob(".#machine.*/large")), "the copy to begin")
    process.send_signal(signal.SIGINT)
    assert process.wait(20) == 1
    assert "stopped" in process.stderr.read()
    assert hidden(place) == [] and not (place / "new").exists()


def users(build, tree, *arguments, script="true", **keywords):
    """{"base", "/", ...} as seen inside."""
    out = run(build, "-P", "-D", tree, *arguments,
              payload=sh('echo "base $(awk \'{print $2}\' /proc/self/uid_map)"; '
                         'stat -c "%n %u:%g" / /etc/passwd /proc /sys /dev /dev/mqueue /dev/pts;' + script), **keywords)
    return dict(line.split(" ", 1) for line in out.splitlines())


def test_pick(build, tree):
    seen = users(build, tree, "-M", "foobar", "--private-users=pick", script="touch /made; mkfifo /pipe")
    assert seen["base"] == str(HASH_OF_FOOBAR)
    assert seen["/"] == seen["/etc/passwd"] == seen["/dev"] == seen["/dev/pts"] == "0:0"
    assert seen["/proc"] == seen["/sys"] == seen["/dev/mqueue"] == "65534:65534"
    assert {(tree / name).stat().st_uid for name in ("made", "pipe", "etc/passwd", "usr")} == {0}
    assert list(RANGES.iterdir()) == []


def test_two_of_a_name(build, tree, place, running):
    other = place / "other"
    subprocess.run(["cp", "-a", tree, other], check=True)
    running("-M", "foobar", "-U", "-D", tree)
    assert [path.name for path in RANGES.iterdir()] == [str(HASH_OF_FOOBAR)]
    base = int(users(build, other, "-M", "foobar2", "-U")["base"])
    assert base != HASH_OF_FOOBAR and base % 65536 == 0
    (RANGES / str(base)).touch()  # a left-over, which nobody holds
    assert int(users(build, other, "-M", "foobar2", "-U")["base"]) == base


def test_known_users_are_left_alone(build, tree):
    text = pathlib.Path("/etc/passwd").read_text()
    copy = pathlib.Path("/run/passwd")
    for number in (HASH_OF_FOOBAR, HASH_OF_FOOBAR + 65534):
        copy.write_text(text + f"somebody:x:{number}:{number}::/:/bin/false\n")
        subprocess.run(["mount", "--bind", copy, "/etc/passwd"], check=True)
        try:
            assert users(build, tree, "-M", "foobar", "-U")["base"] != str(HASH_OF_FOOBAR)
        finally:
            subprocess.run(["umount", "/etc/passwd"], check=True)


def test_dry_run_takes_nothing(build, tree):
    out = run(build, "--dry-run", "-M", "foobar", "-U", "-D", tree, payload=("true",))
    assert str(HASH_OF_FOOBAR) in out
    assert not RANGES.exists() or list(RANGES.iterdir()) == []


CAP_NET_RAW = struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0)  # linux/capability.h: struct vfs_cap_data


def acl_for(user):
    """rw for the owner, r for one user more: linux/posix_acl_xattr.h."""
    nobody = 0xffffffff
    entries = ((1, 6, nobody), (2, 4, user), (4, 4, nobody), (16, 4, nobody), (32, 0, nobody))
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


def test_given_away_and_back(build, tree):
    program = tree / "suid"
    program.write_text("")
    program.chmod(0o4755)
    (tree / "mine").write_text("")
    os.chown(tree / "mine", 1000, 1001)
    (tree / "link").symlink_to("/etc/passwd")
    os.setxattr(tree / "mine", "security.capability", CAP_NET_RAW)
    os.setxattr(tree / "mine", "system.posix_acl_access", acl_for(1234))
    seen = users(build, tree, "-M", "foobar", "--private-users=pick", "--private-users-ownership=chown")
    assert seen["base"] == str(HASH_OF_FOOBAR) and seen["/"] == seen["/etc/passwd"] == "0:0"
    assert program.stat().st_mode & 0o7777 == 0o4755
    assert ((tree / "mine").stat().st_uid, (tree / "mine").stat().st_gid) == (HASH_OF_FOOBAR + 1000, HASH_OF_FOOBAR + 1001)
    assert {path.lstat().st_uid // 65536 for path in tree.rglob("*")} == {HASH_OF_FOOBAR // 65536}
    assert os.getxattr(tree / "mine", "system.posix_acl_access") == acl_for(HASH_OF_FOOBAR + 1234)
    version, *_, root = struct.unpack("<6I", os.getxattr(tree / "mine", "security.capability"))
    assert (version, root) == (0x03000001, HASH_OF_FOOBAR)
    # It keeps the numbers that its files have.
    assert users(build, tree, "-M", "another", "-U")["base"] == str(HASH_OF_FOOBAR)
    assert users(build, tree, "--private-users=yes")["base"] == str(HASH_OF_FOOBAR)
    assert "already" in run(build, "-P", "-D", tree, "-U", "--private-users-ownership=map", payload=("true",), check=1)
    # Half of it was done when the power went away.
    os.chown(tree, PARKED, PARKED)
    os.chown(tree / "usr", 0, 0)
    seen = users(build, tree, "-M", "foobar", "-U")
    assert seen["/"] == "0:0" and (tree / "usr").stat().st_uid == HASH_OF_FOOBAR
    run(build, "-P", "-D", tree, "--private-users=0", "--private-users-chown", payload=("true",))
    assert {path.lstat().st_uid for path in tree.rglob("*")} <= {0, 1000}
    assert os.getxattr(tree / "mine", "system.posix_acl_access") == acl_for(1234)
    assert os.getxattr(tree / "mine", "security.capability") == CAP_NET_RAW
    assert program.stat().st_mode & 0o7777 == 0o4755


def test_foreign(build, tree):
    subprocess.run(["chown", "-hR", f"{FOREIGN}:{FOREIGN}", tree], check=True)
    seen = users(build, tree, "-U", script="touch /made")
    assert seen["/"] == seen["/etc/passwd"] == "0:0"
    assert (tree / "made").stat().st_uid == FOREIGN
    assert users(build, tree, "-U", "-x", script="touch /made2")["/"] == "0:0"
    assert not (tree / "made2").exists()


def test_ephemeral_with_users(build, tree):
    before = content(tree)
    assert users(build, tree, "-x", "-U", script="touch /made; rm /etc/passwd; stat -c '%n %u:%g' /made")["/made"] == "0:0"
    assert users(build, tree, "-x", "-U", "--private-users-ownership=chown")["/etc/passwd"] == "0:0"
    assert content(tree) == before


def test_overlay_in_memory(build, tree):
    before = content(tree)
    seen = users(build, tree, "-U", "--volatile=overlay", script="touch /made; stat -c '%n %u:%g' /made")
    assert seen["/"] == seen["/etc/passwd"] == seen["/made"] == "0:0"
    assert content(tree) == before


def test_no_ownership(build, tree):
    seen = users(build, tree, "--private-users=131072")
    assert seen["base"] == "131072" and seen["/"] == "65534:65534" and seen["/dev"] == "0:0"
    assert users(build, tree, "--private-users=1000:65536", "--private-users-ownership=map")["/"] == "0:0"
    assert users(build, tree, "--private-users=identity")["base"] == "0"
    assert users(build, tree, "--private-users=yes")["base"] == "0"


@pytest.mark.parametrize("arguments, says", [
    (("--private-users=5:0",), "at least one"),
    (("--private-users=4294967295",), "4294967295"),
    (("--private-users=4294967000:65536",), "4294967295"),
    (("--private-users=foo",), "foo"),
    (("--private-users=managed",), "managed"),
    (("--private-users=1000:65536", "--private-users-ownership=chown"), "multiple"),
    (("--private-users=131072:1000", "--private-users-ownership=chown"), "multiple"),
    (("--private-users=131072", "--private-users-ownership=chown", "--read-only"), "--read-only"),
    (("--private-users=131072", "--private-users-ownership=chown", "--volatile=state"), "--volatile"),
    (("-U", "--private-users-ownership=foreign"), str(FOREIGN)),
])
def test_users_refused(build, tree, arguments, says):
    before = content(tree)
    assert says in run(build, "-P", "-D", tree, *arguments, payload=("true",), check=1)
    assert content(tree) == before


def test_group_of_another_range(build, tree):
    os.chown(tree, 131072, 0)
    for arguments in (("--private-users=yes",), ("--private-users=196608", "--private-users-chown")):
        assert "group 0" in run(build, "-P", "-D", tree, *arguments, payload=("true",), check=1)


def test_waits_for_the_user_database(build, tree):
    lock = struct.pack("hhqqi", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    database = os.open("/etc/.pwd.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.fcntl(database, fcntl.F_SETLK, lock)
    process = subprocess.Popen([world.spawn_program(build), "--register=no", "-P", "-U", "-D", tree, "true"],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    os.close(database)
    assert process.wait(20) == 0
    # and can be stopped while it does
    database = os.open("/etc/.pwd.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    fcntl.fcntl(database, fcntl.F_SETLK, lock)
    process = subprocess.Popen([world.spawn_program(build), "--register=no", "-P", "-U", "-D", tree, "true"],
                               stdin=subprocess.DEVNULL, stderr=subprocess.PIPE)
    world.wait_until(lambda: world.has_signal(process.pid, "SigBlk", signal.SIGTERM), "it to listen")
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 1
    os.close(database)


ID = "0123456789abcdef0123456789abcdef"
JOURNAL = pathlib.Path("/var/log/journal")


@pytest.fixture
def journal(tree):
    """The host's /var/log, empty but for a journal directory; the tree has a machine id."""
    (tree / "etc/machine-id").write_text(ID + "\n")
    subprocess.run(["mount", "-t", "tmpfs", "none", "/var/log"], check=True)
    JOURNAL.mkdir()
    yield JOURNAL / ID
    subprocess.run(["umount", "/var/log"], check=True)


def journal_run(build, tree, *arguments, check=0):
    return run(build, "-P", "-D", tree, *arguments, check=check,
               payload=sh(f"mkdir -p {JOURNAL}/{ID}; echo x >{JOURNAL}/{ID}/file; stat -c %u:%g {JOURNAL}/{ID}/file"))


@pytest.mark.parametrize("mode", ["guest", "try-guest"])
def test_journal_in_the_guest(build, tree, journal, mode):
    journal.mkdir()  # an empty one is replaced
    for _ in range(2):
        journal_run(build, tree, f"--link-journal={mode}")
        assert os.readlink(journal) == f"{tree}{JOURNAL}/{ID}"
    assert (journal / "file").read_text() == "x\n"
    journal_run(build, tree)  # auto goes on with it
    assert journal.is_symlink()


@pytest.mark.parametrize("mode", ["host", "try-host"])
@pytest.mark.parametrize("users", [(), ("-U",)])
def test_journal_on_the_host(build, tree, journal, mode, users):
    assert journal_run(build, tree, f"--link-journal={mode}", *users).strip() == "0:0"
    assert not journal.is_symlink() and (journal / "file").read_text() == "x\n"
    assert (journal / "file").stat().st_uid == 0
    assert list((tree / "var/log/journal" / ID).iterdir()) == []
    (journal / "file").unlink()
    journal_run(build, tree, *users)  # auto goes on with it
    assert (journal / "file").exists()


def test_journal_by_itself(build, tree, journal):
    journal_run(build, tree)
    assert not os.path.lexists(journal)
    assert (tree / "var/log/journal" / ID / "file").exists()


def test_no_journal(build, tree, journal):
    run(build, "-P", "-D", tree, "--link-journal=no", payload=("true",))
    assert not (tree / "var/log/journal").exists()
    run(build, "-P", "-D", tree, payload=("true",))
    assert (tree / "var/log/journal").is_dir()


def test_journal_refused(build, tree, journal):
    host_id = pathlib.Path("/etc/machine-id").read_text()
    for mode in ("guest", "host"):
        assert "ephemeral" in run(build, "-P", "-x", "-D", tree, f"--link-journal={mode}", payload=("true",), check=1)
        run(build, "-P", "-x", "-D", tree, f"--link-journal=try-{mode}", payload=("true",))
        (tree / "etc/machine-id").write_text(host_id)
        assert "machine id of the host" in journal_run(build, tree, f"--link-journal={mode}", check=1)
        journal_run(build, tree, f"--link-journal=try-{mode}")
        (tree / "etc/machine-id").write_text(ID)
        JOURNAL.rmdir()
        assert "/var/log/journal" in journal_run(build, tree, f"--link-journal={mode}", check=1)
        journal_run(build, tree, f"--link-journal=try-{mode}")
        assert not JOURNAL.exists()
        JOURNAL.mkdir()
        journal.write_text("a file")
        assert "a file" in journal_run(build, tree, f"--link-journal={mode}", check=1)
        journal_run(build, tree, f"--link-journal=try-{mode}")
        journal.unlink()


def test_journal_without_a_machine_id(build, tree, journal):
    subprocess.run(["mount", "--bind", "/dev/null", "/etc/machine-id"], check=True)
    try:
        for mode in ("auto", "try-guest", "try-host"):
            journal_run(build, tree, f"--link-journal={mode}")
        for mode in ("guest", "host"):
            assert "/etc/machine-id" in journal_run(build, tree, f"--link-journal={mode}", check=1)
    finally:
        subprocess.run(["umount", "/etc/machine-id"], check=True)


def test_reboot_keeps_the_files(build, tree):
    """An ephemeral machine that reboots finds what it wrote, has the same name and the same users."""
    (tree / "sbin/init").unlink(missing_ok=True)
    (tree / "sbin/init").write_text("#!/bin/sh\n"
                                    "hostname >>/names; stat -c %u / >>/names\n"
                                    "if [ -e /again ]; then cat /names; poweroff -f; fi\n"
                                    "touch /again; reboot -f\n")
    (tree / "sbin/init").chmod(0o755)
    (tree / "etc/os-release").write_text("ID=test\n")
    out = run(build, "-q", "-x", "-U", "-b", "-D", tree)
    first, owner, second, owner_again = out.split()
    assert first == second and re.fullmatch(r"tree-[0-9a-f]{16}", first)
    assert owner == owner_again == "0"
