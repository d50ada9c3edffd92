#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""start: what it costs to start a container, beside the peers that are installed. Usage: bench/start.py BUILD [OPTION...]

  --rounds=N   how often each is started; they take turns (30)
  --processors=N   all of it on so many of them (all): where to wake an idle one takes long, as in some virtual machines,
               that is what counts for a program that starts others, however little it does itself
  --tree=DIR   the OS tree, which the peers write to (build/bench/tree-start, made when it is missing)
  --smoke      two rounds, no verdict: does it still work?

Starts /bin/true of a Debian tree, everything on that is on by default, in the sandbox of the integration tests (cgroup v2).
Prints `NAME.WHAT VALUE UNIT (MIN .. MAX)`: wall and CPU time, how long a booted tree takes to its login, system calls without
the payload's own, the peak of a memory control group with everybody in it, payload and all (of cgroup v1 where v2 has no such
controller); then a table of targets. All of it goes to BUILD/bench/start.json.
"""
import argparse
import json
import os
import pathlib
import platform
import pty
import select
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

TOP = pathlib.Path(__file__).resolve().parent.parent
SANDBOX = TOP / "tests" / "integration" / "sandbox.py"
MSEC = 1000
BOOT_SEC = 60
BOOTS = 7
BOOTED = {"muster-spawn", "nspawn"}
NOT_BOOTED = ("--pipe", "/bin/true")


def allowed_calls():
    """About what muster-spawn allows: every call of its table but those of groups that want a privilege, or nobody wants."""
    refused = {"@clock", "@cpu-emulation", "@debug", "@module", "@obsolete", "@pkey", "@privileged", "@raw-io", "@reboot", "@swap",
               "@memlock"}
    names, group = set(), None
    for line in (TOP / "src" / "plan" / "syscall-groups.txt").read_text().splitlines():
        if line.startswith("@"):
            group = line.split(":")[0]
        elif line.startswith((" ", "\t")) and group not in refused:
            names |= {word for word in line.split() if not word.startswith("@")}
    return sorted(names)


def crun_bundle(tree, directory):
    """A bundle of the default configuration, with a filter of the usual shape, that runs /bin/true."""
    subprocess.run(["crun", "spec"], cwd=directory, check=True)
    path = directory / "config.json"
    config = json.loads(path.read_text())
    config["process"].update(terminal=False, args=["/bin/true"])
    config["root"] = {"path": str(tree), "readonly": False}
    config["linux"].pop("resources", None)
    config["linux"]["cgroupsPath"] = "/bench-crun"
    config["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO", "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
                                  "syscalls": [{"names": allowed_calls(), "action": "SCMP_ACT_ALLOW"}]}
    path.write_text(json.dumps(config))


def commands(build, tree, directory):
    """name: command; those whose program is missing are left out, and named."""
    spawn = [str(build / "muster-spawn"), "-q", "-D", str(tree), "--pipe"]
    stock = ["systemd-nspawn", "-q", "-D", str(tree), "--pipe", "--register=no", "--keep-unit"]
    true = ["/bin/true"]
    found = {
        "bin-true": true,
        "floor": [str(build / "bench" / "floor"), str(tree), *true],
        "muster-spawn": [*spawn, *true],
        "muster-spawn-network": [*spawn, "--private-network", *true],
        "muster-spawn-users": [*spawn, "--private-users=pick", *true],
        "muster-spawn-pid2": [*spawn, "--as-pid2", *true],
        "muster-spawn-volatile": [*spawn, "--volatile=overlay", *true],
        "muster-spawn-ephemeral": [*spawn, "--ephemeral", *true],
    }
    # Here, because what a network namespace leaves to the kernel's workers would fall to whoever comes next.
    found["floor-netns"] = [str(build / "bench" / "floor"), "--netns", str(tree), *true]
    if shutil.which("systemd-nspawn"):
        found |= {"nspawn": [*stock, *true], "nspawn-network": [*stock, "--private-network", *true],
                  "nspawn-users": [*stock, "--private-users=pick", *true], "nspawn-pid2": [*stock, "--as-pid2", *true],
                  "nspawn-volatile": [*stock, "--volatile=overlay", *true]}
    if shutil.which("bwrap"):
        found["bubblewrap"] = ["bwrap", "--unshare-all", "--share-net", "--bind", str(tree), "/", "--proc", "/proc",
                               "--dev", "/dev", "--tmpfs", "/tmp", "--tmpfs", "/run", *true]
    if shutil.which("crun"):
        crun_bundle(tree, directory)
        found["crun-filter"] = ["crun", f"--root={directory}/state", "run", f"--bundle={directory}", "bench"]
    if shutil.which("lxc-execute"):
        config = directory / "lxc.conf"
        config.write_text(f"lxc.rootfs.path = dir:{tree}\nlxc.uts.name = bench\nlxc.net.0.type = none\n")
        found["lxc-execute"] = ["lxc-execute", "-n", "bench", "-f", str(config), "--", *true]
    return found


def once(command, errors):
    """Wall and CPU milliseconds of the whole tree of processes. With as little of our own as can be: subprocess takes one itself."""
    streams = [(os.POSIX_SPAWN_OPEN, fd, "/dev/null", os.O_RDWR, 0) for fd in (0, 1)]
    streams.append((os.POSIX_SPAWN_OPEN, 2, errors, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
    begin = time.perf_counter()
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=streams)
    _, status, usage = os.wait4(pid, 0)
    wall = time.perf_counter() - begin
    if status:
        raise SystemExit(f"{' '.join(command)} failed: {pathlib.Path(errors).read_text(errors='replace')[-500:]}")
    return wall * MSEC, (usage.ru_utime + usage.ru_stime) * MSEC


def boot(command):
    """Milliseconds to the login on the console of an OS tree that is booted; then it is killed."""
    ours, theirs = pty.openpty()
    begin, seen = time.perf_counter(), b""
    with subprocess.Popen([*command, "-b"], stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
        os.close(theirs)
        try:
            while b"login: " not in seen:
                if not select.select([ours], [], [], BOOT_SEC)[0]:
                    raise SystemExit(f"{command[0]} -b does not come up:\n{seen.decode(errors='replace')[-1000:]}")
                seen += os.read(ours, 4096)
            return (time.perf_counter() - begin) * MSEC
        finally:
            process.kill()
            process.wait()
            os.close(ours)
            time.sleep(0.2)  # for what it leaves to the kernel


def calls(command, directory):
    """System calls of everybody until the payload is started, and of the runner after that; not the payload's own."""
    if not shutil.which("strace"):
        return None
    log = directory / "strace"
    subprocess.run(["strace", "-f", "-qq", "-o", str(log), *command], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)
    payload, count = set(), 0
    for line in log.read_text(errors="replace").splitlines():
        pid, _, call = line.partition(" ")
        call = call.strip()
        if pid in payload or "resumed>" in call or call.startswith(("---", "+++")):
            continue
        count += 1
        if call.startswith('execve("/bin/true"'):
            payload.add(pid)
    return count


def memory_group():
    """(a control group of its own, the file with its peak); None where there is no memory controller."""
    for top, name in (("/sys/fs/cgroup", "memory.peak"), ("/sys/fs/cgroup/memory", "memory.max_usage_in_bytes")):
        group = pathlib.Path(top) / f"bench-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        if (group / name).exists():
            return group, name
        group.rmdir()
    return None


def peak(command):
    """KiB. The memory of files that were read before is not in it."""
    found = memory_group()
    if not found:
        return None
    group, name = found
    try:
        subprocess.run(command, preexec_fn=lambda: (group / "cgroup.procs").write_text("0"), stdin=subprocess.DEVNULL,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return int((group / name).read_text()) / 1024
    finally:
        remove_group(group)


def remove_group(group):
    """What has been waited for may be leaving still."""
    for _ in range(100):
        try:
            group.rmdir()
            return
        except OSError:
            time.sleep(0.02)


def peaks(options, build):
    """{name.peak: [KiB]}, several of each: what the kernel frees late is counted now here, now there."""
    values = {}
    with tempfile.TemporaryDirectory() as name:
        todo = commands(build, options.tree, pathlib.Path(name))
        for command in todo.values():
            subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(5):
            for who, command in todo.items():
                value = peak(command)
                if value is not None:
                    values.setdefault(f"{who}.peak", []).append(value)
    return values


TARGETS = [  # text, metric of ours, limit, divided by
    ("start: wall, to nspawn", "muster-spawn.wall", 1 / 8, "nspawn.wall"),
    ("with --private-network", "muster-spawn-network.wall", 1 / 8, "nspawn-network.wall"),
    ("with --private-users=pick", "muster-spawn-users.wall", 1 / 8, "nspawn-users.wall"),
    ("with --as-pid2", "muster-spawn-pid2.wall", 1 / 8, "nspawn-pid2.wall"),
    ("with --volatile=overlay", "muster-spawn-volatile.wall", 1 / 8, "nspawn-volatile.wall"),
    ("start: wall, to crun with a filter", "muster-spawn.wall", 1, "crun-filter.wall"),
    ("start: wall, to bubblewrap", "muster-spawn.wall", 1, "bubblewrap.wall"),
    ("start: wall, to the floor", "muster-spawn.wall", 2.5, "floor.wall"),
    ("start: system calls", "muster-spawn.calls", 300, None),
    ("--ephemeral: ms more", "muster-spawn-ephemeral.wall", 10, "-muster-spawn.wall"),
    ("-b to the login: to nspawn", "muster-spawn.boot", 1, "nspawn.boot"),
    ("peak of memory, KiB", "muster-spawn.peak", 1536, None),
]


def verdicts(medians):
    print(f"\n{'target':44} {'value':>9}    limit")
    for text, metric, limit, base in TARGETS:
        value = medians.get(metric)
        other = medians.get(base.lstrip("-")) if base else None
        if value is None or (base and other is None):
            print(f"{text:44} {'-':>9}    {limit:.4g}   not measured")
            continue
        value = value if not base else value - other if base.startswith("-") else value / other
        print(f"{text:44} {value:9.3g} <= {limit:.4g}   {'met' if value <= limit else 'NOT MET'}")


def measure(options, build):
    values = {}
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        todo = commands(build, options.tree, directory)
        missing = {"systemd-nspawn", "bwrap", "crun", "lxc-execute"} - {p for p in map(os.path.basename, (
            c[0] for c in todo.values()))}
        if missing:
            print(f"# not installed: {', '.join(sorted(missing))}")
        for command in todo.values():
            once(command, directory / "errors")  # warms what can be warm
        for _ in range(options.rounds):
            for who, command in todo.items():
                wall, cpu = once(command, directory / "errors")
                values.setdefault(f"{who}.wall", []).append(wall)
                values.setdefault(f"{who}.cpu", []).append(cpu)
        for who, command in todo.items():
            count = calls(command, directory)
            if count is not None:
                values[f"{who}.calls"] = [count]
        # The last, because who is killed leaves work to the next start.
        for _ in range(min(options.rounds, BOOTS)):
            for who in BOOTED & todo.keys():
                values.setdefault(f"{who}.boot", []).append(boot([word for word in todo[who] if word not in NOT_BOOTED]))
    return values


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--processors", type=int, default=os.cpu_count())
    parser.add_argument("--tree", type=pathlib.Path, default=TOP / "build" / "bench" / "tree-start")
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--peaks", type=pathlib.Path, help=argparse.SUPPRESS)  # where to write them, and nothing else
    options = parser.parse_args()
    build, options.tree = options.build.resolve(), options.tree.resolve()
    os.sched_setaffinity(0, range(options.processors))
    if "MUSTER_SANDBOX" not in os.environ:
        if not options.tree.exists():
            options.tree.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run([TOP / "tools" / "os-tree", "bookworm", options.tree], check=True)
        with tempfile.NamedTemporaryFile(dir=build) as file:  # /tmp is the sandbox's own
            subprocess.run([sys.executable, str(SANDBOX), "v1", sys.executable, *sys.argv, f"--peaks={file.name}"])
            os.environ["BENCH_PEAKS"] = pathlib.Path(file.name).read_text()
        os.execv(sys.executable, [sys.executable, str(SANDBOX), "v2", sys.executable, *sys.argv])
    if options.peaks:
        options.peaks.write_text(json.dumps(peaks(options, build)))
        return
    if options.smoke:
        options.rounds = 2
    print(f"# {platform.release()} {platform.machine()}, {len(os.sched_getaffinity(0))} processors, load {os.getloadavg()[0]:.1f}")
    values = measure(options, build)
    values |= json.loads(os.environ.get("BENCH_PEAKS") or "{}")
    units = {"wall": "ms", "boot": "ms", "cpu": "ms", "calls": "calls", "peak": "KiB"}
    for name, list_ in values.items():
        print(f"{name:34} {statistics.median(list_):10.2f} {units[name.rsplit('.', 1)[1]]:6}"
              + (f" ({min(list_):.2f} .. {max(list_):.2f})" if len(list_) > 1 else ""))
    (build / "bench").mkdir(exist_ok=True)
    (build / "bench" / "start.json").write_text(json.dumps(values, indent=1))
    if not options.smoke:
        verdicts({name: statistics.median(list_) for name, list_ in values.items()})


if __name__ == "__main__":
    main()
