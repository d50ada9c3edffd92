# SPDX-License-Identifier: LGPL-2.1-or-later
"""The log of the console: what machines print is kept with its time, harmless, bounded, and never in the machine's way."""
import datetime
import fcntl
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import threading
import time

import pytest
import spawn
import world

RECORD = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) ([|+<>]) (.*)")
SHOWN = ["--console=read-only"]


@pytest.fixture
def target():
    """The original has no log."""
    reason = spawn.why_not(spawn.OURS)
    if reason:
        pytest.skip(reason)
    return spawn.OURS


@pytest.fixture
def logs(request):
    """The directory where logs go: not there yet, and in memory."""
    directory = pathlib.Path("/var/log/muster")
    if "MUSTER_SANDBOX" in os.environ:  # what other tests have left there, in memory
        subprocess.run(["rm", "-rf", directory], check=True)
    assert not directory.exists()
    yield directory
    if directory.is_symlink() or directory.is_file():
        directory.unlink()
    subprocess.run(["rm", "-rf", directory], check=True)


def records(path):
    """[(kind, text)]; every line has to be a record, and none a byte that a terminal would obey."""
    data = path.read_bytes()
    assert not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]", data), data
    text = data.decode()
    assert text.endswith("\n")
    found = [RECORD.fullmatch(line) for line in text[:-1].split("\n")]
    assert all(found), text[-2000:]
    assert [m[1] for m in found] == sorted(m[1] for m in found)
    return [(m[2], m[3]) for m in found]


def seconds(path):
    """From the first record of what was said to the last."""
    times = [datetime.datetime.fromisoformat(line[:26]) for line in path.read_text().splitlines()]
    return (times[-1] - times[1]).total_seconds()


def sh(target, box, script, *options, **keywords):
    return spawn.run(target, box, *(options or SHOWN), command=["sh", "-c", script], **keywords)


def test_lines(target, box, logs):
    before = time.time()
    result = sh(target, box, "echo one; echo two; printf three")
    assert result.code == 0 and result.output == "one\r\ntwo\r\nthree", result
    [begin, *lines, end] = records(logs / "box.log")
    assert re.fullmatch(rf"leader=\d+ tree={box.root}", begin[1]) and begin[0] == ">"
    assert lines == [("|", "one"), ("|", "two"), ("+", "three")]
    assert end == ("<", "exited status=0")
    [first] = re.findall(r"^\S+", (logs / "box.log").read_text())
    assert abs(time.time() - before) < 60 and first.startswith(time.strftime("%Y-%m-%dT%H:", time.gmtime(before)))


def test_modes_of_files(target, box, logs):
    sh(target, box, "echo x")
    directory, file = logs.stat(), (logs / "box.log").stat()
    assert (stat.S_IMODE(directory.st_mode), directory.st_uid) == (0o750, 0)
    assert (stat.S_IMODE(file.st_mode), file.st_uid, file.st_gid) == (0o640, 0, directory.st_gid)


def test_group_of_directory(target, box, logs):
    """Who gives the directory to a group lets it read the logs."""
    logs.mkdir(mode=0o750)
    os.chown(logs, 0, 4)
    sh(target, box, "echo x")
    assert (logs / "box.log").stat().st_gid == 4 and stat.S_IMODE((logs / "box.log").stat().st_mode) == 0o640


@pytest.mark.parametrize("end, said", [
    ("exit 42", "exited status=42"),
    ("kill -9 $$", None),  # PID 1 cannot do that to itself
    ("true", "exited status=0"),
])
def test_ends(target, box, logs, end, said):
    sh(target, box, end)
    last = records(logs / "box.log")[-1]
    assert last[0] == "<" and (said is None or last[1] == said)


def test_runs_follow_each_other(target, box, logs):
    for n in range(3):
        sh(target, box, f"echo run {n}")
    assert [text for kind, text in records(logs / "box.log") if kind == "|"] == ["run 0", "run 1", "run 2"]
    assert [kind for kind, _ in records(logs / "box.log")] == [">", "|", "<"] * 3


def test_silent_machine(target, box, logs):
    """It has run all the same."""
    sh(target, box, "exit 3")
    assert [kind for kind, _ in records(logs / "box.log")] == [">", "<"]


@pytest.mark.parametrize("options", [["--console=pipe"], ["--console=autopipe"], [*SHOWN, "--console-log=no"]])
def test_nothing_is_logged(target, box, logs, options):
    assert "x" in sh(target, box, "echo x", *options).output
    assert not logs.exists()


def test_pipe_is_told(target, box, logs):
    """Who asks for what is not possible hears of it, and of nothing without asking."""
    assert "--console-log= has no effect with --console=pipe" in sh(target, box, "true", "--console-log=journal").messages
    assert sh(target, box, "true", "--console=pipe").messages == ""


def test_interactive(target, box, logs, containers):
    container = containers(target, box, terminal=(24, 80), command=["sh", "-c", "read x; echo \"<$x>\"; exit 7"])
    container.send("typed\r")
    container.expect("<typed>")
    assert container.end() == 7
    assert records(logs / "box.log")[1:] == [("|", "typed"), ("|", "<typed>"), ("<", "exited status=7")]


def test_passive(target, box, logs, containers):
    """Nothing is shown before the end, but it is in the log at once, however much it is; the machine is never kept waiting."""
    script = "echo start; i=0; while [ $i -lt 3000 ]; do echo line $i 0123456789 0123456789; i=$((i+1)); done; read x"
    container = containers(target, box, "--console=passive", terminal=(24, 80), command=["sh", "-c", script])
    log = logs / "box.log"
    world.wait_until(lambda: log.exists() and "line 2999 " in log.read_text(), "the last line in the log", spawn.PATIENCE)
    assert container.text == ""
    container.signal(signal.SIGTERM)
    container.end()
    assert container.text.startswith("start\r\nline 0 ")
    found = [text for kind, text in records(log) if kind == "|"]
    assert found == ["start"] + [f"line {i} 0123456789 0123456789" for i in range(3000)]
    assert records(log)[-1] == ("<", "killed")


HOSTILE = rb"\033[2J\033]0;title\007\n\000\001nul\n\2332Jc1\n\302\233utf\n\342\200\256rtl\n\\x1b\n\377\n"


def test_hostile_bytes(target, box, logs):
    """What a terminal would obey is in the log as text, and can be had back."""
    sh(target, box, f"printf '{HOSTILE.decode()}'")
    assert [text for kind, text in records(logs / "box.log") if kind == "|"] == [
        r"\x1b[2J\x1b]0;title\x07", r"\x00\x01nul", r"\x9b2Jc1", r"\xc2\x9butf", r"\xe2\x80\xaertl", r"\\x1b", r"\xff"]


def test_long_line(target, box, logs):
    (box.root / "line").write_text("x" * 20000 + "end\n")
    sh(target, box, "exec cat /line")
    lines = records(logs / "box.log")[1:-1]
    assert "".join(text for _, text in lines) == "x" * 20000 + "end"
    lengths = [(kind, len(text)) for kind, text in lines]
    if seconds(logs / "box.log") < 1:  # else there may have been a gap in it, which ends a record as well
        assert lengths == [("+", 8192), ("+", 8192), ("|", 20000 - 2 * 8192 + 3)]
    assert lengths[-1][0] == "|" and all(kind == "+" and length <= 8192 for kind, length in lengths[:-1])


def test_prompt(target, box, logs, containers):
    """What waits for an answer is in the log before the answer comes, and once."""
    container = containers(target, box, terminal=(24, 80), command=["sh", "-c", "printf 'name? '; read x; echo hello $x"])
    container.expect("name? ")
    log = logs / "box.log"
    world.wait_until(lambda: log.exists() and ("+", "name? ") in records(log), "the prompt in the log", spawn.PATIENCE)
    container.send("joe\r")
    assert container.end() == 0
    assert records(log)[1:] == [("+", "name? "), ("|", "joe"), ("|", "hello joe"), ("<", "exited status=0")]


def numbered(count):
    return f"i=0; while [ $i -lt {count} ]; do echo number $i is a line, long enough to fill the file; i=$((i+1)); done"


def numbers(*paths):
    return [int(text.split()[1]) for path in paths for kind, text in records(path) if kind == "|"]


def test_rotation(target, box, logs):
    """Files stay within their size, none is lost but the oldest, and the last line is there."""
    sh(target, box, numbered(5000), *SHOWN, "--console-log-size=64K", "--console-log-files=3")
    files = [logs / name for name in ("box.log.2", "box.log.1", "box.log")]
    assert sorted(path.name for path in logs.iterdir()) == ["box.log", "box.log.1", "box.log.2"]
    assert all(path.stat().st_size <= 65536 for path in files) and files[1].stat().st_size > 30000
    found = numbers(*files)
    assert found == list(range(found[0], 5000)) and found[0] > 0


def test_one_file(target, box, logs):
    sh(target, box, numbered(3000), *SHOWN, "--console-log-size=64K", "--console-log-files=1")
    assert [path.name for path in logs.iterdir()] == ["box.log"]
    found = numbers(logs / "box.log")
    assert found == list(range(found[0], 3000)) and (logs / "box.log").stat().st_size <= 65536


def test_default_size(target, box, logs):
    sh(target, box, "head -c 3000000 /dev/zero | tr '\\0' x | fold -w 100")
    assert sorted(path.name for path in logs.iterdir()) == ["box.log", "box.log.1"]
    assert 900000 < (logs / "box.log.1").stat().st_size <= 1 << 20


@pytest.mark.parametrize("moved", [False, True])
def test_file_is_taken_away(target, box, logs, containers, moved):
    """While the machine runs: a new one is made for one that is removed, one that got another name goes on."""
    container = containers(target, box, *SHOWN, terminal=(24, 80),
                           command=["sh", "-c", "echo one; while [ ! -e /go ]; do sleep 0.1; done; echo two"])
    container.expect("one")
    if moved:
        (logs / "box.log").rename(logs / "moved")
    else:
        (logs / "box.log").unlink()
    (box.root / "go").write_text("")
    assert container.end() == 0
    found = records(logs / ("moved" if moved else "box.log"))
    assert ("|", "two") in found and (("|", "one") in found) == moved
    assert [path.name for path in logs.iterdir()] == ["moved" if moved else "box.log"]


def warned(result, *words):
    """One sentence, and the machine has run as ever."""
    lines = [line for line in result.messages.splitlines() if line]
    assert result.code == 0 and "hello" in result.output, result
    assert len(lines) == 1 and all(word in lines[0] for word in words), result


SPEAKS = "for i in 1 2 3; do echo hello $i; sleep 0.1; done"


def test_directory_is_link(target, box, logs, tmp_path):
    logs.symlink_to(tmp_path)
    warned(sh(target, box, SPEAKS), "/var/log/muster/box.log", "directory")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("mode, owner", [(0o770, 0), (0o777, 0), (0o750, 1)])
def test_directory_of_others(target, box, logs, mode, owner):
    """Where others can make files they could put a link in the way."""
    logs.mkdir()
    logs.chmod(mode)
    os.chown(logs, owner, 0)
    warned(sh(target, box, SPEAKS), "/var/log/muster/box.log", "owner")
    assert list(logs.iterdir()) == []


def test_directory_is_file(target, box, logs):
    logs.write_text("mine")
    warned(sh(target, box, SPEAKS), "/var/log/muster/box.log")
    assert logs.read_text() == "mine"


@pytest.mark.parametrize("kind", ["symlink", "dangling", "hard link", "fifo", "directory", "socket", "of another user"])
def test_file_is_something_else(target, box, logs, tmp_path, kind):
    logs.mkdir(mode=0o750)
    victim = logs.parent / "victim"
    victim.write_text("mine")
    file = logs / "box.log"
    made = {"symlink": lambda: file.symlink_to(victim), "dangling": lambda: file.symlink_to("/var/log/made"),
            "hard link": lambda: os.link(victim, file), "fifo": lambda: os.mkfifo(file), "directory": file.mkdir,
            "socket": lambda: socket.socket(socket.AF_UNIX).bind(str(file)),
            "of another user": lambda: (file.write_text(""), os.chown(file, 1, 1))}
    made[kind]()
    warned(sh(target, box, SPEAKS), "/var/log/muster/box.log")
    assert victim.read_text() == "mine" and not os.path.lexists("/var/log/made")
    victim.unlink()


def test_read_only(target, box, logs):
    subprocess.run(["mount", "-o", "remount,ro", "/var/log"], check=True)
    try:
        warned(sh(target, box, SPEAKS), "/var/log/muster/box.log", "Read-only")
    finally:
        subprocess.run(["mount", "-o", "remount,rw", "/var/log"], check=True)


def test_full_disk(target, box, logs):
    """One warning; when there is room again the log goes on, and what was cut off hides no other line."""
    logs.mkdir(mode=0o750)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=750", "none", logs], check=True)
    try:
        result = sh(target, box, f"{numbered(2000)}; echo hello")
        warned(result, "/var/log/muster/box.log", "No space left")
        assert result.output.count("\n") == 2001
        text = (logs / "box.log").read_bytes()
        assert len(text) <= 65536 and text.startswith(b"2") and b"number 100 is" in text
    finally:
        subprocess.run(["umount", logs], check=True)


def test_variable(target, box, logs, tmp_path):
    place = tmp_path / "a" / "b"
    sh(target, box, "echo x", environment={"MUSTER_LOG_DIRECTORY": str(place)})
    assert ("|", "x") in records(place / "box.log") and not logs.exists()
    result = sh(target, box, "echo hello", environment={"MUSTER_LOG_DIRECTORY": "relative"})
    warned(result, "MUSTER_LOG_DIRECTORY", "absolute")


def test_killed_runner(target, box, logs, containers):
    """What has been shown is there, readable, and the next run goes on behind it."""
    container = containers(target, box, *SHOWN, terminal=(24, 80), command=["sh", "-c", f"{numbered(500)}; echo up; sleep 1000"])
    container.expect("up\r\n")  # the terminal passes on the end of a line by itself
    container.process.kill()
    container.process.wait()
    found = records(logs / "box.log")
    assert found[-1] == ("|", "up")
    sh(target, box, "echo again")
    assert [kind for kind, _ in records(logs / "box.log")][-3:] == [">", "|", "<"]


def test_torn_record(target, box, logs):
    """A record of which the end is missing takes no other with it."""
    logs.mkdir(mode=0o750)
    (logs / "box.log").write_text("2026-11-26T10:00:00.000000Z | it was cut o")
    sh(target, box, "echo x")
    [first, *rest] = (logs / "box.log").read_text().splitlines(keepends=True)
    assert first.endswith("cut o\n")
    (logs / "box.log").write_text("".join(rest))
    assert [kind for kind, _ in records(logs / "box.log")] == [">", "|", "<"]


def test_descriptors_stay_out(target, box, logs):
    """The payload of a second run has no descriptor of the log of the first."""
    result = sh(target, box, "echo x; ls -l /proc/self/fd")
    assert "muster" not in result.output and ".log" not in result.output, result


def test_ephemeral(target, box, logs):
    """The name made up for the run is the name of the log; so many are kept."""
    logs.mkdir(mode=0o750)
    for n in range(300):
        file = logs / f"old-{n:03}.log"
        file.write_text(f"2020-01-01T00:00:00.000000Z | {n}\n")
        os.utime(file, (1577836800 + n, 1577836800 + n))
    held = os.open(logs / "old-000.log", os.O_RDONLY)
    fcntl.flock(held, fcntl.LOCK_SH)  # as a machine that runs
    (logs / "old-001.log.1").write_text("")
    arguments = [spawn.program(target), "--quiet", "--register=no", "--keep-unit", "--ephemeral", *SHOWN,
                 f"--directory={box.root}", "echo", "x"]
    result = subprocess.run(arguments, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    os.close(held)
    assert result.returncode == 0, result
    left = {path.name for path in logs.iterdir()}
    assert "old-000.log" in left and not {"old-001.log", "old-001.log.1"} & left and "old-002.log" in left
    [new] = [name for name in left if not name.startswith("old-")]
    assert re.fullmatch(r"root-[0-9a-f]{16}\.log", new) and ("|", "x") in records(logs / new)


def test_journal(target, box, logs):
    """The journal's own protocol, to a socket where the journal has its own."""
    with listener("/run/systemd/journal/socket") as received:
        sh(target, box, r"printf 'a\033[1mb\n'; echo two; printf three", *SHOWN, "--console-log=journal")
    fields = [dict(line.split(b"=", 1) for line in message.rstrip(b"\n").split(b"\n")) for message in received]
    assert [f[b"MESSAGE"] for f in fields] == [rb"a\x1b[1mb", b"two", b"three"]
    assert all(f[b"SYSLOG_IDENTIFIER"] == f[b"MUSTER_MACHINE"] == b"box" and f[b"PRIORITY"] == b"6" for f in fields)
    assert not logs.exists()


@pytest.fixture
def own_dev(tmp_path):
    """A /dev that things can be made in: a layer in memory on that of the host."""
    for name in ("upper", "work", "pts"):
        (tmp_path / name).mkdir()
    subprocess.run(["mount", "--bind", "/dev/pts", tmp_path / "pts"], check=True)
    subprocess.run(["mount", "-t", "overlay", "-o", f"lowerdir=/dev,upperdir={tmp_path}/upper,workdir={tmp_path}/work", "dev",
                    "/dev"], check=True)
    subprocess.run(["mount", "--move", tmp_path / "pts", "/dev/pts"], check=True)
    yield
    subprocess.run(["umount", "/dev/pts", "/dev"], check=True)


def test_syslog_and_file(target, own_dev, box, logs):
    with listener("/dev/log") as received:
        sh(target, box, "echo one; head -c 2000 /dev/zero | tr '\\0' x; echo", *SHOWN, "--console-log=syslog,file")
    parts = [re.fullmatch(rb"<30>[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d box: (.*)", message)[1] for message in received]
    assert parts == [b"one", b"x" * 900, b"x" * 900, b"x" * 200]
    assert ("|", "one") in records(logs / "box.log")


@pytest.mark.parametrize("where, path", [("journal", "/run/systemd/journal/socket"), ("syslog", "/dev/log")])
def test_nobody_listens(target, box, logs, where, path):
    assert not os.path.exists(path)
    warned(sh(target, box, SPEAKS, *SHOWN, f"--console-log={where}"), where, "No such file")


class listener:
    """A datagram socket; what came is there afterwards."""

    def __init__(self, path):
        self.path, self.messages = pathlib.Path(path), []

    def __enter__(self):
        assert not self.path.exists()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.path))
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()
        return self.messages

    def read(self):
        while True:
            message = self.socket.recv(65536)
            if message == b"end":
                return
            self.messages.append(message)

    def __exit__(self, *_):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as last:
            last.sendto(b"end", str(self.path))
        self.thread.join()
        self.socket.close()
        self.path.unlink()


def test_many_bytes(target, box, logs):
    """The reader of our output gets all of it, unchanged, whatever the log does."""
    result = sh(target, box, "head -c 5000000 /dev/zero | tr '\\0' y | fold -w 70; echo; echo done", timeout=120)
    assert result.code == 0 and result.output.count("y") == 5000000 and result.output.endswith("done\r\n")
    assert records(logs / "box.log")[-2:] == [("|", "done"), ("<", "exited status=0")]


def test_boot(target, tree, logs, containers):
    """An init and what it starts."""
    system = tree("busybox")
    container = containers(target, system, "--boot", "--kill-signal=SIGUSR1", terminal=(24, 80))
    container.expect("login: ")
    container.expect("# ")
    container.send("poweroff\r")
    assert container.end() == 0
    found = records(logs / "box.log")
    assert found[0][0] == ">" and found[-1] == ("<", "power-off")
    assert any("login" in text for _, text in found) and any("poweroff" in text for _, text in found)
