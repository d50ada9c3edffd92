#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""exec.py: what it takes to run `true` in a machine, beside nsenter(1) and systemd-run(1), one after the other in turn.

Usage: tests/integration/sandbox.py v2 bench/exec.py BUILD TREE [COUNT]
BUILD has musterd, muster, muster-enter and muster-spawn, without sanitizers; TREE is an OS tree with a shell, such as busybox. One with
systemd is booted, and systemd-run -M takes part, which reaches the machine's own bus. `first` is a command that no other went before in
the last ten seconds, so that no muster-enter waits for it (five of these).
Prints a line for each: name, median, smallest and largest, in milliseconds.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/integration"))
import world  # noqa: E402

NAME = "bench"


def milliseconds(command):
    """With as little of our own as can be: subprocess takes a millisecond itself."""
    null = [(os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0)]
    begin = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=null)
    _, status = os.waitpid(pid, 0)
    spent = time.perf_counter() - begin
    if status:
        sys.exit(f"{' '.join(command)} failed.")
    return spent * 1000


def start(build, tree, booted):
    how = ["--boot", "--console=read-only"] if booted else ["--console=pipe", "/bin/sleep", "100000"]
    machine = subprocess.Popen([world.spawn_program(build), "--quiet", f"--directory={tree}", f"--machine={NAME}", "--volatile=overlay",
                                *how], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    record = world.MACHINES / NAME
    world.wait_until(record.exists, "the machine to be registered", 30)
    return machine, int(next(line for line in record.read_text().splitlines() if line.startswith("LEADER=")).split("=")[1])


def main(build, tree, count=200):
    build = pathlib.Path(build).resolve()
    musterd = world.Musterd(build, "--bus=no")
    musterd.start()
    booted = (pathlib.Path(tree) / "usr/lib/systemd/systemd").exists()
    machine, leader = start(build, tree, booted)
    execute = [str(build / "muster"), "exec", NAME, "--"]
    commands = {"muster exec": [*execute, "true"], "nsenter": ["nsenter", "-a", "-t", str(leader), "/bin/true"]}
    if booted:
        commands["systemd-run"] = ["systemd-run", "-M", NAME, "--quiet", "--wait", "--pipe", "true"]
        world.wait_until(lambda: subprocess.run([*execute, "systemctl", "is-system-running"], stdin=subprocess.DEVNULL,
                                                capture_output=True).stdout in (b"running\n", b"degraded\n"), "the boot", 120)
    times = {name: [] for name in [*commands, "first"]}
    for turn in range(int(count) + 5):
        for name, command in commands.items():
            spent = milliseconds(command)
            if turn >= 5:
                times[name].append(spent)
    for _ in range(5):
        time.sleep(11)
        times["first"].append(milliseconds(commands["muster exec"]))
    os.kill(leader, 9)
    machine.wait()
    musterd.process.terminate()
    musterd.process.wait()
    for name, spent in times.items():
        print(f"{name:12} {statistics.median(spent):7.2f} {min(spent):7.2f} {max(spent):7.2f} ms")


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    main(*sys.argv[1:])
