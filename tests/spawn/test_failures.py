# SPDX-License-Identifier: LGPL-2.1-or-later
"""What cannot be had is refused: exit status 1, a sentence that names the option and the value, and nothing was made."""
import ctypes
import os
import pathlib
import signal
import subprocess

import pytest
import spawn

# (options, words that the sentence has). {tree} is the tree, {place} the directory that it is in.
ROWS = {
    "two ways to start": (["--as-pid2", "--boot"], ["--as-pid2", "--boot"]),
    "directory and image": (["--image=/dev/null"], ["--directory", "--image"]),
    "directory and mstack": (["--mstack=/"], ["--directory", "--mstack"]),
    "template and image": (["--template={tree}", "--image=/x"], ["--image"]),
    "ephemeral and template": (["--ephemeral", "--template={tree}"], ["--ephemeral", "--template"]),
    "ephemeral and journal": (["--ephemeral", "--link-journal=host"], ["--ephemeral", "--link-journal"]),
    "cleanup of a copy": (["--cleanup", "--ephemeral"], ["--cleanup", "--ephemeral"]),
    "no path": (["--directory=/no/such/tree"], ["--directory", "/no/such/tree", "No such file"]),
    "no directory": (["--directory=/etc/passwd"], ["--directory", "/etc/passwd"]),
    "root of the host": (["--directory=/"], ["--directory", "--ephemeral", "--volatile"]),
    "machine": (["--machine=a_b"], ["--machine", "a_b"]),
    "long machine": (["--machine=" + "a" * 65], ["--machine"]),
    "host name": (["--hostname=-x-"], ["--hostname", "-x-"]),
    "no uuid": (["--uuid=foo"], ["--uuid", "foo"]),
    "zero uuid": (["--uuid=" + "0" * 32], ["--uuid"]),
    "console": (["--console=foo"], ["--console", "foo"]),
    "console log": (["--console-log=foo"], ["--console-log", "foo", "journal"]),
    "small console log": (["--console-log-size=63K"], ["--console-log-size", "63K", "64K"]),
    "files of the console log": (["--console-log-files=0"], ["--console-log-files", "1 to 16"]),
    "kill signal": (["--kill-signal=FOO"], ["--kill-signal", "FOO"]),
    "journal": (["--link-journal=foo"], ["--link-journal", "foo"]),
    "resolv.conf": (["--resolv-conf=foo"], ["--resolv-conf", "foo"]),
    "time zone": (["--timezone=foo"], ["--timezone", "foo"]),
    "settings": (["--settings=foo"], ["--settings", "foo"]),
    "volatile": (["--volatile=foo"], ["--volatile", "foo"]),
    "ownership": (["--private-users-ownership=foo"], ["--private-users-ownership", "foo"]),
    "limit": (["--rlimit=FOO=1"], ["--rlimit", "FOO"]),
    "limit without value": (["--rlimit=NOFILE"], ["--rlimit", "NOFILE"]),
    "limit upside down": (["--rlimit=NOFILE=9:3"], ["--rlimit", "9:3"]),
    "personality": (["--personality=foo"], ["--personality", "foo"]),
    "label": (["--selinux-context=a b"], ["--selinux-context", "a b", "SELinux"]),
    "label of files": (["--selinux-apifs-context=a,\"b"], ["--selinux-apifs-context", "SELinux"]),
    "oom": (["--oom-score-adjust=1001"], ["--oom-score-adjust", "1001"]),
    "cpus": (["--cpu-affinity=x"], ["--cpu-affinity", "x"]),
    "no cpu": (["--cpu-affinity=8000"], ["--cpu-affinity"]),
    "capability": (["--capability=net_admin"], ["--capability", "net_admin"]),
    "dropped capability": (["--drop-capability=CAP_FOO"], ["--drop-capability", "CAP_FOO"]),
    "boolean": (["--notify-ready=perhaps"], ["--notify-ready", "perhaps"]),
    "no new privileges": (["--no-new-privileges=2"], ["--no-new-privileges", "2"]),
    "suppress sync": (["--suppress-sync=x"], ["--suppress-sync", "x"]),
    "register": (["--register=x"], ["--register", "x"]),
    "families": (["--restrict-address-families=AF_FOO"], ["--restrict-address-families", "AF_FOO"]),
    "relative chdir": (["--chdir=usr"], ["--chdir", "usr"]),
    "chdir with dots": (["--chdir=/usr/../etc"], ["--chdir", "/usr/../etc"]),
    "chdir below /proc": (["--chdir=/proc/sys"], ["--chdir", "/proc/sys"]),
    "missing chdir": (["--chdir=/no/such"], ["--chdir", "/no/such"]),
    "relative pivot": (["--pivot-root=x"], ["--pivot-root", "x"]),
    "missing pivot": (["--pivot-root=/no/such"], ["--pivot-root", "/no/such"]),
    "relative bind": (["--bind=/etc:x"], ["--bind", "x"]),
    "missing bind": (["--bind=/no/such"], ["--bind", "/no/such"]),
    "bind option": (["--bind=/etc:/x:foo"], ["--bind", "foo"]),
    "directory on file": (["--bind={place}:/etc/passwd"], ["--bind", "/etc/passwd"]),
    "file on directory": (["--bind=/etc/passwd:/usr"], ["--bind", "/usr"]),
    "idmap without users": (["--bind=/etc:/x:idmap"], ["--bind", "idmap", "--private-users"]),
    "relative tmpfs": (["--tmpfs=x"], ["--tmpfs", "x"]),
    "tmpfs option": (["--tmpfs=/x:foo=bar"], ["--tmpfs", "/x"]),
    "overlay of one": (["--overlay=/etc"], ["--overlay", "/etc"]),
    "overlay without its top": (["--overlay-ro=/etc::/mnt"], ["--overlay-ro", "last layer"]),
    "relative overlay": (["--overlay=/etc:x"], ["--overlay", "x"]),
    "missing layer": (["--overlay-ro=/no/such:/etc:/x"], ["--overlay-ro"]),
    "missing secret": (["--inaccessible=/no/such"], ["--inaccessible", "/no/such"]),
    "relative secret": (["--inaccessible=x"], ["--inaccessible", "x"]),
    "port without network": (["--port=80"], ["--port", "private network"]),
    "port 0": (["-n", "--port=0"], ["--port", "0"]),
    "port too large": (["-n", "--port=65536"], ["--port", "65536"]),
    "port of what": (["-n", "--port=icmp:80:8080"], ["--port", "icmp:80:8080"]),
    "port without number": (["-n", "--port=8080:"], ["--port", "8080:"]),
    "port twice": (["-n", "--port=80", "--port=tcp:80:90"], ["--port", "80"]),
    "bridge and zone": (["--network-bridge=b", "--network-zone=z"], ["--network-bridge", "--network-zone"]),
    "network and path": (["--network-namespace-path=/proc/self/ns/net", "--network-veth"], ["--network-namespace-path"]),
    "long zone": (["--network-zone=abcdefghijklm"], ["--network-zone", "abcdefghijklm"]),
    "interface name": (["--network-interface=a/b"], ["--network-interface", "a/b"]),
    "network of a file": (["--network-namespace-path=/etc/passwd"], ["--network-namespace-path", "/etc/passwd"]),
    "network of another kind": (["--network-namespace-path=/proc/self/ns/uts"], ["--network-namespace-path"]),
    "missing network": (["--network-namespace-path=/no/such"], ["--network-namespace-path", "/no/such"]),
    "users": (["--private-users=foo"], ["--private-users", "foo"]),
    "no users": (["--private-users=5:0"], ["--private-users", "5:0"]),
    "too many users": (["--private-users=4294967295"], ["--private-users", "4294967295"]),
    "odd users and chown": (["--private-users=1000:65536", "--private-users-ownership=chown"],
                            ["--private-users-ownership", "65536"]),
    "read-only and chown": (["--private-users=pick", "--private-users-ownership=chown", "--read-only"],
                            ["--private-users-ownership", "--read-only"]),
    "volatile and chown": (["--private-users=pick", "--private-users-ownership=chown", "--volatile=state"],
                           ["--private-users-ownership", "--volatile"]),
    "root and users": (["--bind=/:/", "--private-users=pick"], ["--private-users"]),
    "managed": (["--private-users=managed"], ["--private-users", "--private-network"]),
    "delegate": (["--private-users-delegate=1"], ["--private-users-delegate", "managed"]),
    "ambient all": (["--ambient-capability=all"], ["--ambient-capability", "all"]),
    "ambient not kept": (["--ambient-capability=CAP_SYS_TIME"], ["--ambient-capability"]),
    "ambient and init": (["--ambient-capability=CAP_CHOWN", "--boot"], ["--ambient-capability", "--boot"]),
    "shell without user": (["--bind-user-shell=yes"], ["--bind-user-shell", "--bind-user"]),
    "group without user": (["--bind-user-group=adm"], ["--bind-user-group", "--bind-user"]),
    "credential without value": (["--set-credential=a"], ["--set-credential", "a"]),
    "credential name": (["--set-credential=a/b:c"], ["--set-credential", "a/b"]),
    "credential twice": (["--set-credential=a:b", "--set-credential=a:c"], ["--set-credential", "a"]),
    "missing credential": (["--load-credential=a:/no/such"], ["--load-credential", "/no/such"]),
    "credential of nobody": (["--load-credential=a:b"], ["--load-credential", "b", "CREDENTIALS_DIRECTORY"]),
    "journal limits": (["--forward-journal-max-use=1M"], ["--forward-journal"]),
    "user": (["--uid=nobody-there"], ["nobody-there"]),
    "environment": (["--setenv=1A=x"], ["--setenv", "1A=x"]),
    "no option": (["--no-such-option"], ["--no-such-option"]),
    "no value": (["--chdir"], ["--chdir"]),
    "value of a flag": (["--boot=yes"], ["--boot"]),
    "dry run": (["--dry-run=foo"], ["--dry-run", "foo"]),
}


@pytest.mark.parametrize("row", ROWS)
def test_row(box, row):
    options, words = ROWS[row]
    options = [option.format(tree=box.root, place=box.place) for option in options]
    before = spawn.Leftovers()
    names = {str(path)[len(str(box.root)):] for path in box.root.rglob("*")}
    words_before = ["true"] if row != "no value" else []
    result = spawn.run(spawn.OURS, None if any(o.startswith("--directory") for o in options) else box, *options,
                       command=words_before, timeout=20)
    assert result.code == 1, result
    lines = result.messages.splitlines()
    assert lines and len(lines) <= 2, result
    for word in words:
        assert word in lines[-1], (word, result)
    assert before.found() == []
    came = {str(path)[len(str(box.root)):] for path in box.root.rglob("*")} - names
    # What a start makes in a tree that lacks it may be there; that is no trace of the failure.
    assert {name for name in came if not name.startswith(("/var/log", "/etc/resolv.conf", "/etc/localtime", "/x"))} == set()


ENVIRONMENT = {
    "shared and boot": ({"SYSTEMD_NSPAWN_SHARE_NS_PID": "1"}, ["--boot"]),
    "no boolean": ({"SYSTEMD_NSPAWN_TMPFS_TMP": "perhaps"}, []),
    "writable and users": ({"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "yes"}, ["--private-users=pick"]),
    "network and users": ({"SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network"}, ["--private-users=pick"]),
}


@pytest.mark.parametrize("row", ENVIRONMENT)
def test_environment(box, row):
    environment, options = ENVIRONMENT[row]
    result = spawn.run(spawn.OURS, box, *options, command=["true"], environment=environment)
    assert result.code == 1 and ("SYSTEMD_NSPAWN_" in result.messages or "--boot" in result.messages), result


class TestTree:
    """Trees that cannot be run."""

    def refused(self, box, *options, command=("true",), words=()):
        before = spawn.Leftovers()
        result = spawn.run(spawn.OURS, box, *options, command=command)
        assert result.code == 1 and all(word in result.messages for word in words), result
        assert before.found() == []

    def test_no_usr(self, box):
        subprocess.run(["rm", "-rf", box.root / "usr"], check=True)
        self.refused(box, words=["/usr", str(box.root)])

    def test_no_os_release(self, box):
        (box.root / "etc/os-release").unlink()
        self.refused(box, "--boot", command=(), words=["os-release"])

    def test_no_init(self, box):
        for name in ("sbin/init",):
            (box.root / name).unlink()
        self.refused(box, "--boot", command=(), words=["/usr/lib/systemd/systemd", "/lib/systemd/systemd", "/sbin/init"])

    @pytest.mark.parametrize("options", [(), ("--as-pid2",)])
    def test_no_program(self, box, options):
        self.refused(box, *options, command=["no-such-program"], words=["no-such-program", "No such file"])

    @pytest.mark.parametrize("options", [(), ("--as-pid2",)])
    def test_no_executable(self, box, options):
        self.refused(box, *options, command=["/etc/passwd"], words=["/etc/passwd", "Permission denied"])

    def test_no_second_process(self, box):
        self.refused(box, "--as-pid2", "--user=54321", "--rlimit=NPROC=1", words=["--as-pid2", "temporarily unavailable"])

    def test_machine_id(self, box):
        (box.root / "etc/machine-id").write_text("garbage\n")
        self.refused(box, words=["machine id", "/etc/machine-id"])

    def test_busy(self, box, containers):
        first = containers(spawn.OURS, box, command=["sh", "-c", "echo there; read x"], input=True)
        first.expect("there")
        self.refused(box, words=[str(box.root), "busy"])
        self.refused(box, "--read-only", words=["busy"])
        first.signal(signal.SIGTERM)
        assert first.end(timeout=spawn.PATIENCE) == 1

    def test_two_readers(self, box, containers):
        first = containers(spawn.OURS, box, "--read-only", command=["sh", "-c", "echo there; read x"], input=True,
                           name="one")
        first.expect("there")
        assert spawn.run(spawn.OURS, box, "--read-only", command=["true"]).code == 0
        self.refused(box, words=["busy"])
        first.close_input()
        assert first.end(timeout=spawn.PATIENCE) == 1

    def test_settings(self, box):
        for content, words in ((b"[Exec", ["box.nspawn", "1"]), (b"[Exec]\nHostname=\xff\n", ["box.nspawn", "2"])):
            (box.place / "box.nspawn").write_bytes(content)
            self.refused(box, words=words)

    def test_settings_that_are_no_file(self, box):
        os.mkfifo(box.place / "box.nspawn")
        self.refused(box, words=["box.nspawn"])

    def test_no_registry(self, box):
        self.refused(box, "--register=yes", words=["--register"])

    def test_notify_socket(self, box):
        """An address that nobody can speak to: told, and no reason not to run."""
        result = spawn.run(spawn.OURS, box, command=["true"], environment={"NOTIFY_SOCKET": "relative"})
        assert result.code == 0 and "NOTIFY_SOCKET" in result.messages


def test_output_is_full(box):
    """Text that cannot be written is no success."""
    with open("/dev/full", "w") as full:
        for words in (["--help"], ["--version"], ["--dry-run", f"--directory={box.root}", "true"], ["--timezone=help"]):
            result = subprocess.run([spawn.program(spawn.OURS), *words], stdout=full, stderr=subprocess.PIPE, text=True)
            assert result.returncode == 1, words


def test_nobody():
    """Without privileges: one sentence about what that costs, and one about what is wrong."""
    libc = ctypes.CDLL(None)
    result = subprocess.run([spawn.program(spawn.OURS), "--register=no", "--keep-unit", "--directory=/var/tmp", "-M", "box",
                             "true"], capture_output=True, text=True, cwd="/",
                            preexec_fn=lambda: (libc.setgroups(0, None), os.setgid(65534), os.setuid(65534)))
    notice, *error = result.stderr.splitlines()
    assert result.returncode == 1, result.stderr
    if not notice.startswith("only root can start containers here"):  # a host where users may make no user namespaces
        assert notice.startswith("Running without privileges")
        assert error == ["/var/tmp does not look like an OS tree: it has no /usr"]
