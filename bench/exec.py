#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""exec.py: what it takes to run `true` in a machine, beside nsenter(1), one after the other in turn.

Usage: tests/integration/sandbox.py v2 bench/exec.py BUILD TREE [COUNT]
BUILD has musterd, muster, muster-enter and muster-spawn, without sanitizers; TREE is an OS tree with a shell, such as busybox.
Prints a line for each: name, median, smallest and largest, in milliseconds.
"""
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "tests/integration"))
import world  # noqa: E402

NAME = "bench"


def milliseconds(command):
    begin = time.perf_counter()
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True)
    return (time.perf_counter() - begin) * 1000


def start(build, tree, place):
    machine = subprocess.Popen([world.spawn_program(build), "--quiet", f"--directory={tree}", f"--machine={NAME}", "--volatile=overlay",
                                "--console=pipe", "/bin/sleep", "100000"], stdin=subprocess.DEVNULL)
    record = world.MACHINES / NAME
    world.wait_until(record.exists, "the machine to be registered", 30)
    return machine, int(next(line for line in record.read_text().splitlines() if line.startswith("LEADER=")).split("=")[1])


def main(build, tree, count=200):
    build = pathlib.Path(build).resolve()
    musterd = world.Musterd(build, "--bus=no")
    musterd.start()
    with tempfile.TemporaryDirectory() as place:
        machine, leader = start(build, tree, place)
        commands = {"muster exec": [build / "muster", "exec", NAME, "--", "true"],
                    "nsenter": ["nsenter", "-a", "-t", str(leader), "/bin/true"]}
        times = {name: [] for name in commands}
        for turn in range(int(count) + 5):
            for name, command in commands.items():
                spent = milliseconds(command)
                if turn >= 5:
                    times[name].append(spent)
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
