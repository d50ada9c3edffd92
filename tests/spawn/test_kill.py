# SPDX-License-Identifier: LGPL-2.1-or-later
"""The runner is killed at moments of its start and run that nobody chose: the payload ends with it, and what it could
not put away itself the next start of the same machine does.

MUSTER_KILL_SEED repeats a row of moments, MUSTER_KILL_ROUNDS says how many.
"""
import fcntl
import os
import pathlib
import random
import signal
import subprocess
import time

import pytest
import spawn
import world

ROUNDS = int(os.environ.get("MUSTER_KILL_ROUNDS", "60"))
SLEEP = ["sh", "-c", "sleep 1000 & sleep 1000"]
WAYS = [
    (["--volatile=overlay"], SLEEP),
    (["--ephemeral"], SLEEP),
    (["--private-network", "--bind=:/mnt/a"], SLEEP),
    (["--private-users=pick", "--set-credential=a:b"], SLEEP),
    (["--overlay=+/etc::/etc", "--as-pid2"], SLEEP),
    (["--boot"], []),
]


def left_over(before):
    """Processes and mounts are never left; the rest is for the next start."""
    return [name for name in spawn.Leftovers.look() - before if name.startswith(("process", "mount", "link"))]


def not_held(name):
    """A lock file that nobody holds bothers nobody."""
    if not name.startswith(("/run/systemd/nspawn-uid/", "/run/systemd/nspawn/locks/")):
        return False
    with open(name, "r+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
    os.unlink(name)
    return True


def kill_once(box, options, command, delay, cgroup):
    words = [spawn.program(spawn.OURS), "--quiet", "--register=no", "--keep-unit", "--machine=box", "--pipe",
             f"--directory={box.root}", *options, *command]
    process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                               preexec_fn=cgroup.enter, env=spawn.ENVIRONMENT | {"TMPDIR": os.environ["TMPDIR"]})
    time.sleep(delay)
    ended = process.poll()
    process.kill()
    process.wait()
    os.set_blocking(process.stderr.fileno(), False)  # a payload that lives on would hold it, and shall be found, not waited for
    message = (process.stderr.read() or b"").decode()
    process.stderr.close()
    return ended, message


def put_away(box):
    """The next start of that machine, and a cleanup, leave nothing behind."""
    for options in ([], ["--ephemeral"]):
        result = spawn.run(spawn.OURS, box, *options, command=["true"])
        assert result.code == 0, result
    result = spawn.run(spawn.OURS, box, "--cleanup")
    assert result.code == 0, result


def test_random_moments(box, time_limit):
    seed = int(os.environ.get("MUSTER_KILL_SEED", random.randrange(1 << 32)))
    print(f"MUSTER_KILL_SEED={seed}")
    chance = random.Random(seed)
    before = spawn.Leftovers.look()
    names = {str(path) for path in box.root.rglob("*")}
    cgroup = spawn.ControlGroup()
    mine = {f"control group {path}" for path in cgroup.paths}
    begin = time.monotonic()
    assert spawn.run(spawn.OURS, box, command=["true"]).code == 0
    whole = time.monotonic() - begin
    for round in range(ROUNDS):
        time_limit()
        options, command = chance.choice(WAYS)
        delay = chance.uniform(0, whole) if round % 4 else chance.uniform(0, 2 * whole)
        what = f"seed {seed}, round {round}: {options} killed after {delay:.4f} s"
        ended, message = kill_once(box, options, command, delay, cgroup)
        assert ended is None or (ended == 0 and "--boot" not in options), (what, ended, message)
        world.wait_until(lambda: not cgroup.processes(), f"the payload to end with its runner ({what})", spawn.PATIENCE,
                         lambda: str([(pid, world.comm(pid)) for pid in cgroup.processes()]))
        world.wait_until(lambda: not left_over(before), f"nothing to be left ({what})", spawn.PATIENCE,
                         lambda: str(left_over(before)))
    time.sleep(3)  # before that an empty directory may be one that is just being made
    put_away(box)
    cgroup.remove()

    def left():
        return sorted(name for name in spawn.Leftovers.look() - before - mine - spawn.Leftovers.SKELETON
                      if not not_held(name))
    world.wait_until(lambda: not left(), f"the next start to put all away (seed {seed})", spawn.PATIENCE, lambda: str(left()))
    came = {str(path)[len(str(box.root)):] for path in box.root.rglob("*") if str(path) not in names}
    assert {name for name in came if not name.startswith(("/var/log", "/etc/", "/mnt", "/lib", "/root"))} == set(), seed


@pytest.mark.parametrize("options", [(), ("--private-users=pick",), ("--as-pid2",), ("--private-network",)])
def test_killed_while_it_runs(box, containers, options):
    container = containers(spawn.OURS, box, *options,
                           command=["sh", "-c", "sleep 1000 & setsid sleep 1000 & echo there; wait"])
    container.expect("there")
    assert len(container.cgroup.processes()) >= 4 or not container.cgroup.paths
    container.signal(signal.SIGKILL)
    assert container.end(timeout=spawn.PATIENCE) == 137
    world.wait_until(lambda: not container.cgroup.processes(), "the payload to end with its runner", spawn.PATIENCE)
    assert spawn.run(spawn.OURS, box, *options, command=["true"]).code == 0


def overlay_with_upper(box):
    """The option, and the directory that work directories come to lie in."""
    for path in (box.place / "a", box.place / "layers/up", box.root / "mnt"):
        path.mkdir(parents=True, exist_ok=True)
    return f"--overlay={box.place}/a:{box.place}/layers/up:/mnt", box.place / "layers"


def work_directories(place):
    return sorted(path.name for path in place.glob(".#*"))


@pytest.mark.parametrize("way", ["next start", "cleanup"])
def test_work_directory(box, containers, way):
    """It lies beside an upper directory that somebody named; nothing else that lies there is touched."""
    option, place = overlay_with_upper(box)
    container = containers(spawn.OURS, box, option, command=["sh", "-c", "echo x > /mnt/kept; echo there; sleep 1000"])
    container.expect("there")
    container.signal(signal.SIGKILL)
    container.end(timeout=spawn.PATIENCE)
    world.wait_until(lambda: not container.cgroup.processes(), "the payload to end with its runner", spawn.PATIENCE)
    assert len(work_directories(place)) == 1
    theirs = [".#up-", ".#up-1234567", ".#up-abcdef", ".#upper-abcdef", ".#up-linked"]
    for name in theirs[:-1]:
        (place / name / "work").mkdir(parents=True)
    (place / ".#up-abcdef/mine").touch()
    (place / ".#up-linked").symlink_to(place / "up")
    (place / ".#up-foreig/work").mkdir(parents=True)
    os.chown(place / ".#up-foreig", 1234, 1234)
    if way == "cleanup":
        result = spawn.run(spawn.OURS, box, option, "--cleanup")
        assert result.code == 0 and not result.output, result
    else:
        result = spawn.run(spawn.OURS, box, option, command=["cat", "/mnt/kept"])
        assert (result.code, result.output) == (0, "x\n"), result
    assert work_directories(place) == sorted([*theirs, ".#up-foreig"])
    assert (place / "up/kept").read_text() == "x\n" and (place / ".#up-abcdef/mine").exists()


def test_work_directory_in_use(box, containers):
    """What a run that lives needs stays, whatever becomes of another one with the same upper directory."""
    option, place = overlay_with_upper(box)
    container = containers(spawn.OURS, box, "--read-only", option, input=True,
                           command=["sh", "-c", "echo there; read x; echo $x > /mnt/kept; cat /mnt/kept"])
    container.expect("there")
    used = work_directories(place)
    assert len(used) == 1
    spawn.run(spawn.OURS, box, "--read-only", option, name="other", command=["true"])  # refused, where the kernel sees to that
    assert work_directories(place) == used
    container.send("alive\n")
    container.expect("alive")
    assert container.end() == 0
    assert work_directories(place) == []


def test_payload_is_killed(box, containers):
    container = containers(spawn.OURS, box, command=["sh", "-c", "sleep 1000 & echo there; wait"])
    container.expect("there")
    os.kill(payload_pid(container), signal.SIGKILL)
    assert container.end(timeout=spawn.PATIENCE) == 1
    assert "SIGKILL" in container.messages


def payload_pid(container):
    """PID 1 of the container, as the host calls it: the child of the runner."""
    pid = container.process.pid
    return int(pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])


def test_stopped_payload(box, containers):
    """A payload that is stopped does not hear the kill signal; the second asks nobody."""
    container = containers(spawn.OURS, box, "--kill-signal=SIGUSR1", command=[
        "sh", "-c", "trap 'exit 9' USR1; echo there; while :; do sleep 0.05; done"])
    container.expect("there")
    pid = payload_pid(container)
    os.kill(pid, signal.SIGSTOP)
    container.signal(signal.SIGTERM)
    container.wait_heard()
    time.sleep(0.3)
    assert container.process.poll() is None
    container.signal(signal.SIGTERM)
    assert container.end(timeout=spawn.PATIENCE) == 1


def test_stopped_payload_without_kill_signal(box, containers):
    container = containers(spawn.OURS, box, command=["sh", "-c", "echo there; sleep 1000"])
    container.expect("there")
    os.kill(payload_pid(container), signal.SIGSTOP)
    container.signal(signal.SIGTERM)
    assert container.end(timeout=spawn.PATIENCE) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signal_at_random(box, number):
    """Signals that the runner handles, at any moment of its start: it ends, and puts away all by itself."""
    chance = random.Random(number)
    before = spawn.Leftovers()
    for _ in range(8):
        container = spawn.Spawn(spawn.OURS, box, "--private-network", "--bind=:/mnt/a", command=SLEEP)
        time.sleep(chance.uniform(0, 0.1))
        container.signal(number)
        code = container.end(timeout=spawn.PATIENCE)
        container.close()
        assert code in (1, 128 + number)
        assert before.found() == []
