# SPDX-License-Identifier: LGPL-2.1-or-later
"""muster logs: what machines have said on their consoles, shown, followed, listed, removed."""
import fcntl
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import subprocess
import time

import pytest
import world
from nspawn import Tree
from world import muster

MUSTER = pathlib.Path(os.environ["MUSTER_BUILD"]) / "muster"
NOON = 1795694400  # 2026-11-26 12:00:00 UTC


@pytest.fixture(autouse=True)
def no_logs():
    """Machines of other tests have left theirs."""
    subprocess.run(["rm", "-rf", "/var/log/muster"], check=True)


@pytest.fixture
def logs():
    directory = pathlib.Path("/var/log/muster")
    directory.mkdir(mode=0o750)
    yield directory
    subprocess.run(["rm", "-rf", directory], check=True)


def stamp(seconds, usec=0):
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds)) + f".{usec:06}Z"


def record(seconds, text, kind="|"):
    return f"{stamp(seconds)} {kind} {text}\n"


def write(path, *lines):
    path.write_text("".join(lines))


def shown(*arguments, **options):
    """The texts, without the times."""
    out = muster("logs", *arguments, environment=dict(TZ="UTC", **options)).stdout
    return [re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} (.*)", line)[1] for line in out.splitlines()]


def refused(status, text, *arguments, **options):
    result = muster("logs", *arguments, check=False, **options)
    assert result.returncode == status and text in result.stderr and result.stderr.count("\n") == 1, result
    assert result.stderr.startswith("muster: ") and result.stdout == "", result


@pytest.fixture
def web(logs):
    """Two files, an hour apart for each line."""
    write(logs / "web.log.1", record(NOON - 4 * 3600, "leader=7 tree=/srv/web", ">"), record(NOON - 3 * 3600, "eight"),
          record(NOON - 2 * 3600, "nine"))
    write(logs / "web.log", record(NOON - 3600, "ten"), record(NOON, r"\x1b[1mnoon\\"), record(NOON + 1, "pa", "+"),
          record(NOON + 2, "rt"), record(NOON + 3, "exited status=0", "<"))
    return logs


def test_show(web):
    assert shown("web") == ["-- the machine starts: leader=7 tree=/srv/web", "eight", "nine", "ten", r"\x1b[1mnoon\\", "pa\\",
                            "rt", "-- the machine has ended: exited status=0"]
    assert muster("logs", "web", environment=dict(TZ="CET-1")).stdout.splitlines()[-1].startswith("2026-11-26 13:00:03.000 ")


def test_returns(logs):
    """Those at either end of a line are not shown; letters and backslashes are."""
    texts = [r"over", r"path\\r", r"10%\r20%", r"\\r"]
    write(logs / "web.log", record(NOON, r"up\r\r"), record(NOON, r"\r\rprompt", "+"), record(NOON, r"\r"),
          *(record(NOON, text) for text in texts))
    assert shown("web") == ["up", "prompt\\", "", *texts]


@pytest.mark.parametrize("option, expected", [
    ("--lines=3", ["pa\\", "rt", "-- the machine has ended: exited status=0"]),
    ("-n0", []),
    ("--lines=1000", None),
    ("--lines=all", None),
])
def test_lines(web, option, expected):
    assert shown("web", option) == (shown("web") if expected is None else expected)


def test_times(web):
    assert shown("web", "--since=2026-11-26 11:00", "--until=2026-11-26 12:00") == ["ten", r"\x1b[1mnoon\\"]
    assert shown("web", f"--since=@{NOON}", "-n", "2", "--until", f"@{NOON + 2}") == ["pa\\", "rt"]
    assert shown("web", "--since=2026-11-27") == [] == shown("web", "--until=2026-11-25")
    now = time.time()
    write(web / "now.log", record(now - 7200, "old"), record(now - 60, "new"))
    assert shown("now", "--since=-1h") == ["new"] and shown("now", "--until=-1h") == ["old"]


@pytest.mark.parametrize("value", ["tomorrow", "2026-02-30", "10", "", "-", "@x"])
def test_wrong_time(web, value):
    refused(2, f"--since={value}: must be a time such as", "web", f"--since={value}")
    refused(2, f"--until={value}: must be a time such as", "web", f"--until={value}")


def test_json(web):
    lines = muster("logs", "web", "--json=short").stdout.splitlines()
    objects = [json.loads(line) for line in lines]
    assert [o["kind"] for o in objects] == ["begin", "line", "line", "line", "line", "part", "line", "end"]
    assert objects[4] == {"machine": "web", "time": "2026-11-26T12:00:00.000000Z", "usec": NOON * 1000000, "kind": "line",
                          "text": r"\x1b[1mnoon\\"}
    pretty = muster("logs", "web", "--json=pretty", "-n1").stdout
    assert json.loads(pretty) == objects[-1] and pretty.count("\n") > 5
    assert muster("logs", "web", "-j").stdout.splitlines() == lines


def test_raw(web):
    assert muster("logs", "web", "--raw").stdout == "eight\nnine\nten\n\x1b[1mnoon\\\npart\n"
    master, slave = pty.openpty()
    result = subprocess.run([MUSTER, "logs", "web", "--raw"], stdout=slave, stderr=subprocess.PIPE, text=True)
    os.close(slave)
    os.close(master)
    assert result.returncode == 2 and "terminal" in result.stderr


def test_terminal(web):
    """Through a pager, and nothing that it obeys but our own bold."""
    master, slave = pty.openpty()
    subprocess.run([MUSTER, "logs", "web"], stdout=slave, env={**os.environ, "PAGER": "cat", "TERM": "vt100"}, check=True)
    os.close(slave)
    text = b""
    while select.select([master], [], [], 0.5)[0]:
        try:
            text += os.read(master, 65536)
        except OSError:
            break
    os.close(master)
    assert b"eight" in text and set(re.findall(rb"\x1b.{4}", text)) <= {b"\x1b[1m-", b"\x1b[0m\r"}, text


def test_damage(web):
    """What is no record is left out, and told; so is what a terminal would obey, whoever wrote it."""
    with open(web / "web.log", "ab") as file:
        file.write(b"\x1b[2Jno record\n" + f"{stamp(NOON)} | \x1b[2J\n".encode() + b"x" * 100000 + b"\n"
                   + record(NOON + 9, "last").encode() + stamp(NOON).encode())
    result = muster("logs", "web", "-n2")
    assert [line[24:] for line in result.stdout.splitlines()] == ["-- the machine has ended: exited status=0", "last"]
    assert "3 lines" in result.stderr and "damaged" in result.stderr
    assert muster("logs", "web", "--quiet").stderr == ""


def test_wrong_words(web):
    refused(1, 'There is no log of "nobody" in /var/log/muster', "nobody")
    refused(1, "is no machine name", "../web")
    refused(2, "one machine at a time", "web", "web")
    refused(2, "needs the name", "--follow")
    refused(2, "--until does not go", "web", "-f", "--until=now")
    refused(2, "--json and --guest", "web", "--raw", "--json=short")
    refused(2, "--lines=x: must be a number", "web", "--lines=x")
    refused(1, "must be an absolute path", "web", environment=dict(MUSTER_LOG_DIRECTORY="here"))


def test_no_link_is_followed(logs, tmp_path):
    write(tmp_path / "secret", record(NOON, "secret"))
    (logs / "web.log").symlink_to(tmp_path / "secret")
    refused(1, "no regular file", "web")
    os.mkfifo(logs / "fifo.log")
    refused(1, "no regular file", "fifo")


def test_access(web):
    """Others are told what to do; the group of the directory may read."""
    for arguments in (["web"], [], ["web", "-f"]):
        refused(1, "/var/log/muster", *arguments, preexec_fn=world.drop_privileges(1234))
        refused(1, "sudo", *arguments, preexec_fn=world.drop_privileges(1234))
    refused(1, "Only root may", "--remove", "web", preexec_fn=world.drop_privileges(1234))
    for path in (web, web / "web.log", web / "web.log.1"):
        os.chown(path, 0, 1234)
    muster("logs", "web", preexec_fn=world.drop_privileges(1234))


def test_own_directory(logs, tmp_path):
    """A user sees the logs of machines of the user's own, and those of the system where that is allowed."""
    for variable, place in (("XDG_STATE_HOME", "state/muster/log"), ("HOME", "home/.local/state/muster/log")):
        own = tmp_path / place
        own.mkdir(parents=True)
        write(own / "mine.log", record(NOON, variable))
        environment = {"HOME": "/nonexistent", variable: str(tmp_path / place.split("/")[0])}
        for path in (own, *own.parents):
            if path.is_relative_to(os.environ["TMPDIR"]):
                path.chmod(0o755)
        out = muster("logs", "mine", environment=environment, preexec_fn=world.drop_privileges(1234)).stdout
        assert out.endswith(f" {variable}\n")
        out = muster("logs", "--no-legend", environment=environment, preexec_fn=world.drop_privileges(1234)).stdout
        assert out.startswith("mine ") and out.count("\n") == 1
        assert "mine" not in muster("logs", environment=environment).stdout


def test_list(web):
    write(web / "a-b.log", record(NOON, "x"))
    write(web / "empty.log")
    for other in ("web.log.3x", "notes.txt", "bad_name.log", ".log"):
        (web / other).write_text("x")
    [first, *rows, _, total] = muster("logs", environment=dict(TZ="UTC")).stdout.splitlines()
    assert first.split() == ["MACHINE", "SIZE", "FIRST", "LAST"] and total == "3 logs listed."
    assert [row.split()[0] for row in rows] == ["a-b", "empty", "web"]
    assert "Thu 2026-11-26 08:00:00 UTC" in rows[2] and "-" in rows[1].split()
    size = sum((web / name).stat().st_size for name in ("web.log", "web.log.1"))
    [_, empty, last] = json.loads(muster("logs", "--json=short").stdout)
    assert last["machine"] == "web" and last["size"] == size and last["first"] == "2026-11-26T08:00:00.000000Z"
    assert empty["first"] is None and re.fullmatch(r"\d{4}-.*Z", last["last"])
    assert muster("logs", "--no-legend").stdout.count("\n") == 3


def test_completion(web):
    """bash offers the machines that have logs, also those that are gone."""
    top = pathlib.Path(__file__).resolve().parents[2]
    script = 'source "$0"; COMP_WORDS=(muster logs ""); COMP_CWORD=2; _muster; printf "%s\\n" "${COMPREPLY[@]}"'
    result = subprocess.run(["bash", "-c", script, top / "data/completions/muster"], text=True, capture_output=True,
                            env=dict(os.environ, PATH=f"{MUSTER.parent}:{os.environ['PATH']}"), check=True)
    assert result.stdout.split() == ["web"]


def test_empty_list():
    assert muster("logs").stdout == "No logs.\n" and muster("logs", "--json=short").stdout == "[]\n"


def test_remove(web):
    held = os.open(web / "web.log", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)
    refused(1, "being written to", "--remove", "web")
    os.close(held)
    assert {"web.log", "web.log.1"} == {path.name for path in web.iterdir()}
    muster("logs", "--remove", "web")
    assert list(web.iterdir()) == []
    refused(1, "There is no log", "--remove", "web")
    refused(2, "needs the name", "--remove")


class Follower:
    def __init__(self, *arguments, **environment):
        self.process = subprocess.Popen([MUSTER, "logs", *arguments, "--follow"], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env={**os.environ, **environment})
        self.seen = ""

    def texts(self):
        return [line[24:] for line in self.seen.splitlines()]

    def until(self, last, timeout=15):
        deadline = time.monotonic() + timeout
        while not (self.seen.endswith("\n") and self.texts()[-1] == last):
            assert time.monotonic() < deadline, (last, self.seen, self.process.poll())
            if select.select([self.process.stdout], [], [], 0.1)[0]:
                data = os.read(self.process.stdout.fileno(), 65536).decode()
                assert data, (self.process.wait(), self.process.stderr.read())
                self.seen += data
        return self.texts()

    def end(self):
        self.process.send_signal(signal.SIGINT)
        code = self.process.wait(10)
        errors = self.process.stderr.read().decode()
        self.process.stdout.close()
        self.process.stderr.close()
        assert code == -signal.SIGINT and "Sanitizer" not in errors, errors
        return errors


def append(path, *lines):
    with open(path, "a") as file:
        file.write("".join(lines))


def test_follow(web):
    """From the last ten on, over an exchange of the files, and two at once."""
    follower = Follower("web", "-n1")
    follower.until("-- the machine has ended: exited status=0")
    append(web / "web.log", record(NOON + 10, "more"))
    follower.until("more")
    append(web / "web.log", record(NOON + 11, "before"), record(NOON + 12, "half")[:-3])
    time.sleep(0.2)
    append(web / "web.log", "lf\n")
    follower.until("half")
    (web / "web.log").rename(web / "web.log.1")
    append(web / "web.log", record(NOON + 13, "new file"))
    follower.until("new file")
    follower.process.send_signal(signal.SIGSTOP)
    append(web / "web.log", record(NOON + 14, "a"))
    (web / "web.log").rename(web / "web.log.2")
    append(web / "web.log.1", "")
    (web / "web.log.1").unlink()
    write(web / "web.log.1", record(NOON + 15, "b"))
    write(web / "web.log", record(NOON + 16, "c"))
    follower.process.send_signal(signal.SIGCONT)
    texts = follower.until("c")
    assert texts[1:] == ["more", "before", "half", "new file", "a", "b", "c"] and follower.end() == ""


def test_follow_ten(logs):
    write(logs / "web.log", *[record(NOON + n, str(n)) for n in range(30)])
    follower = Follower("web")
    assert follower.until("29") == [str(n) for n in range(20, 30)]
    follower.end()


def test_follow_waits():
    """Also for the directory; and goes on when the log was removed."""
    directory = pathlib.Path("/var/log/muster")
    follower = Follower("web")
    assert b"waiting" in world.read_line(follower.process.stderr)
    directory.mkdir()
    write(directory / "web.log", record(NOON, "first"))
    follower.until("first")
    muster("logs", "--remove", "web")
    write(directory / "web.log", record(NOON, "second"))
    follower.until("second")
    follower.end()
    subprocess.run(["rm", "-rf", directory], check=True)


def test_follow_ends_with_its_reader(web):
    process = subprocess.Popen([MUSTER, "logs", "web", "-f"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(10) in (0, -signal.SIGPIPE)
    process.stderr.close()


def test_guest(web):
    """journalctl reads it, for a machine that runs; what is missing is said."""
    empty = dict(PATH="/nonexistent")
    refused(1, "no journalctl", "web", "--guest", environment=empty)


def test_guest_arguments(web, musterd_without_bus, processes, tmp_path):
    write(tmp_path / "journalctl", "#!/bin/sh\n", 'printf "%s\\n" "$@"\n')
    (tmp_path / "journalctl").chmod(0o755)
    path = dict(PATH=f"{tmp_path}:{os.environ['PATH']}")
    refused(1, "web", "web", "--guest", environment=path)
    muster("register", "web", f"--leader={processes.sleeper()}")
    words = muster("logs", "web", "--guest", "-n5", "-f", f"--since=@{NOON}", "--no-pager", "--json=short",
                   environment=path).stdout.split()
    assert words == ["--machine", "web", "--lines=5", f"--since=@{NOON}", "--follow", "--output=json", "--no-pager"]


def test_guest_journal(musterd, build):
    """A system that keeps a journal: it is read from outside while the machine runs, and its console all the same."""
    tree = Tree("bookworm")
    if not tree.exists() or not shutil.which("journalctl"):
        pytest.skip("needs a tree of bookworm, and journalctl")
    tree.mount()
    command = [world.spawn_program(build), "--quiet", "--boot", "--register=yes", f"--directory={tree.root}", "--machine=guest",
               "--console=read-only"]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        world.wait_until(lambda: "login: " in muster("logs", "guest", check=False).stdout, "the login prompt in the log", 90)
        lines = muster("logs", "guest", "--guest", "--no-pager", "-n", "1000").stdout
        assert re.search(r"systemd\[1\]: (Reached|Started|Starting) ", lines), lines[-2000:]
        [entry] = muster("logs", "guest", "--guest", "--json=short", "-n", "1").stdout.splitlines()
        assert "MESSAGE" in json.loads(entry)
    finally:
        process.terminate()
        process.wait(60)
        tree.unmount()
    refused(1, "guest", "guest", "--guest")
    shown_last = muster("logs", "guest").stdout
    assert "login: " in shown_last and shown_last.endswith("-- the machine has ended: power-off\n"), shown_last[-500:]
    subprocess.run(["rm", "-rf", "/var/log/muster"], check=True)


@pytest.fixture
def box():
    made = Tree("busybox")
    if not made.exists():
        pytest.skip("there is no tree of busybox: run-checks.py has said why")
    made.mount()
    yield made
    made.unmount()


def test_real_machine(box, build):
    """From the console of a container to the reader's screen, before and after its end, over a restart."""
    command = [world.spawn_program(build), "--quiet", "--register=no", "--keep-unit", f"--directory={box.root}", "--machine=real",
               "--console=read-only", "sh", "-c", "echo hello; echo there; sleep 0.3; echo bye"]
    subprocess.run(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)
    assert shown("real")[1:] == ["hello", "there", "bye", "-- the machine has ended: exited status=0"]
    follower = Follower("real", "-n1")
    follower.until("-- the machine has ended: exited status=0")  # it has come so far
    follower.seen = ""
    subprocess.run(command, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL, check=True)
    texts = follower.until("-- the machine has ended: exited status=0")
    follower.end()
    assert texts[1:] == ["hello", "there", "bye", "-- the machine has ended: exited status=0"]
    assert texts[0].startswith("-- the machine starts: leader=") and texts[0].endswith(f"tree={box.root}")
    muster("logs", "--remove", "real")
    subprocess.run(["rm", "-rf", "/var/log/muster"], check=True)


def test_user(box, build, tmp_path):
    """A user's own machine has a log of the user's."""
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 1234, 1234)
    for path in (box.place, tmp_path, *tmp_path.parents):
        if path.is_relative_to(os.environ["TMPDIR"]):
            path.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home)}
    command = [world.spawn_program(build), "--quiet", "--register=no", "--keep-unit", f"--directory={box.root}", "--machine=mine",
               "--read-only", "--console=read-only", "sh", "-c", "echo mine"]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment,
                            preexec_fn=world.drop_privileges(1234))
    if re.search("cannot make a user namespace|cannot mount /sys/fs/cgroup", result.stderr):  # not in every sandbox
        pytest.skip(result.stderr)
    assert result.returncode == 0, result
    file = home / ".local/state/muster/log/mine.log"
    assert file.stat().st_uid == 1234
    out = subprocess.run([MUSTER, "logs", "mine"], env=environment, capture_output=True, text=True,
                         preexec_fn=world.drop_privileges(1234))
    assert out.returncode == 0 and " mine\n" in out.stdout, out
    out = subprocess.run([MUSTER, "logs", "--no-legend"], env=environment, capture_output=True, text=True,
                         preexec_fn=world.drop_privileges(1234))
    assert out.stdout.startswith("mine "), out
