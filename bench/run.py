#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""bench: musterd measured, beside the original where there is one. Usage: bench/run.py BUILD [OPTION...]

  --peer=SUITE   the original of this Debian suite (bookworm: 252, trixie: 257, forky: 262); may be given several times;
                 none: --no-peer. Default: bookworm
  --rounds=N     how often each figure is taken; musterd and the originals take turns (7)
  --smoke        ten machines, one round, no original, no verdict: does it still work?

Prints lines `PLACE.NAME VALUE UNIT (MIN .. MAX)`, ratios, and a table of targets; writes everything to BUILD/bench/log.json.
NAME ends in the number of machines that were there. CPU is that of the daemon and its children, for one operation.
Everything runs in the sandbox of the integration tests; exit status 0 says that it ran, not that a target is met.
"""
import argparse
import json
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import time

sys.dont_write_bytecode = True
TOP = pathlib.Path(__file__).resolve().parent.parent
SANDBOX = TOP / "tests" / "integration" / "sandbox.py"
sys.path.insert(0, str(TOP / "bench"))
import places  # noqa: E402
import targets  # noqa: E402

SIZES = (10, 1000, 10000)
CAPACITY = 20000
LISTED = 1000  # size at which the lists of people are taken, the daemon restarted, memory read
MSEC = 120     # for one operation in one round
MOST = 5000
TRACED = 40    # operations under strace
LISTS = 2      # machinectl list takes the original seconds each time

# What the client is asked for; the names of its series; the door it goes through.
OPERATIONS = [
    ("register-pair", ["register-pair"], "dbus"),
    ("fresh-register-pair", ["fresh-register-pair"], "dbus"),
    ("varlink-register-pair", ["varlink-register-pair"], "varlink"),
    ("life", ["create", "leader-death-to-removed", "create-to-removed"], "dbus"),
    ("list", ["list"], "dbus"),
    ("varlink-list", ["varlink-list"], "varlink"),
    ("get", ["get"], "dbus"),
    ("get-by-pid", ["get-by-pid"], "dbus"),
    ("map-to-user", ["map-to-user"], "dbus"),
    ("varlink-list-one", ["varlink-list-one"], "varlink"),
    ("varlink-list-one-metadata", ["varlink-list-one-metadata"], "varlink"),
    ("user-by-id", ["user-by-id"], "users"),
    ("user-by-id-miss", ["user-by-id-miss"], "users"),
    ("user-by-name", ["user-by-name"], "users"),
    *[(name, [name], "nss") for name in ("nss-host", "nss-no-host", "nss-user", "nss-no-user")],
]


class Results:
    """Every value taken, by place and name."""
    def __init__(self):
        self.values = {}
        self.units = {}

    def add(self, place, name, value, unit):
        self.values.setdefault(place.name, {}).setdefault(name, []).append(value)
        self.units[name] = unit

    def median(self, place, name):
        values = self.values.get(place, {}).get(name)
        return statistics.median(values) if values else None

    def peers(self):
        return [name for name in self.values if name != "musterd"]

    def ratio(self, peer, name, theirs=None):
        """Median of the rounds' own ratios: what disturbs a round disturbs both, for they take turns."""
        ours, theirs = self.values.get("musterd", {}).get(name), self.values[peer].get(theirs or name)
        if not ours or not theirs:
            return None
        ratios = [a / b for a, b in zip(ours, theirs) if b]
        return statistics.median(ratios) if ratios else None

    def worst_ratio(self, name, theirs=None):
        """To the best of the originals."""
        return max((r for r in (self.ratio(peer, name, theirs) for peer in self.peers()) if r is not None), default=None)

    def names(self):
        return list(self.units)

    def print(self):
        for name in self.names():
            for place, values in self.values.items():
                if name in values:
                    taken = values[name]
                    print(f"{place + '.' + name:52} {statistics.median(taken):12.2f} {self.units[name]}"
                          + (f"   ({min(taken):.2f} .. {max(taken):.2f})" if len(taken) > 1 else ""))
            for peer in self.peers():
                ratio = self.ratio(peer, name)
                if ratio is not None:
                    print(f"{'ratio.' + name:52} {ratio:12.3f} of {peer}")


class Bench:
    def __init__(self, build, options):
        self.build = build
        self.rounds = options.rounds
        self.results = Results()
        self.notes = {}
        self.places = []
        self.refused = set()  # what an original does not do

    # ---- one figure ----

    def take(self, place, ask, series, size, count=MOST, msec=MSEC):
        """One round: times as the client has them, and the daemon's CPU for one operation."""
        before = place.cpu_usec()
        answer = place.ask(f"{ask} {count} {msec}")
        used = (place.cpu_usec() - before) / answer[0]
        for i, name in enumerate(series):
            self.results.add(place, f"{name}.wall.{size}", answer[1 + 3 * i] / 1000, "us")
        self.results.add(place, f"{series[-1]}.cpu.{size}", used, "us")

    def each_round(self, ask, series, size, door="dbus", **limits):
        for _ in range(self.rounds):
            for place in self.places:
                if (door == "varlink" and not place.has_varlink) or (place, ask) in self.refused or (
                        door == "nss" and not (self.build / "src" / "nss" / "libnss_mymachines.so.2").exists()):
                    continue
                try:
                    self.take(place, ask, series, size, **limits)
                except places.Failed as e:
                    if place is self.places[0]:
                        raise
                    print(f"# {e}: left out", flush=True)  # 257 has a name taken for a while after it was unregistered
                    self.refused.add((place, ask))

    def system_calls(self, size):
        for place in self.places:
            for name in ("register-pair", "life", "get", "get-by-pid"):
                if (place, name) in self.refused:
                    continue
                try:
                    self.results.add(place, f"{name}.calls.{size}", place.system_calls(name, TRACED), "calls")
                except places.Failed as e:
                    print(f"# {e}: left out", flush=True)

    # ---- what is taken once ----

    def idle_memory(self):
        for place in self.places:
            private, resident = places.private_kib(place.pid())
            self.results.add(place, "private.idle", private, "KiB")
            self.results.add(place, "resident.idle", resident, "KiB")

    def grown_memory(self, size):
        for place in self.places:
            grown = places.private_kib(place.pid())[0] - self.results.median(place.name, "private.idle")
            self.results.add(place, "private-per-machine", grown / size, "KiB")

    def check_listed(self, place, argv, size):
        """A list counts only when it has every machine, its OS and its address."""
        lines = [line for line in place.output(argv).splitlines() if "10.6" in line]
        if len(lines) != size or not all("debian" in line.lower() or "bench" in line for line in lines):
            raise places.Failed(f"{place.name}: {argv[0]} shows {len(lines)} complete machines, not {size}")

    def people(self, size):
        """muster list and machinectl list, as commands."""
        musterd = self.places[0]
        muster = [str(self.build / "muster"), "list", "--no-pager", "--no-legend"]
        stock = ["machinectl", "-M", ".host", "list", "--no-pager", "--no-legend"]
        self.check_listed(musterd, muster, size)
        self.check_listed(musterd, stock, size)
        for _ in range(min(self.rounds, LISTS)):
            self.run(musterd, muster, "muster-list", size)
            for place in self.places:
                self.run(place, stock, "machinectl-list", size)

    def run(self, place, argv, name, size):
        before = place.cpu_usec()
        answer = place.ask("run 1 0 " + " ".join(argv))
        self.results.add(place, f"{name}.wall.{size}", answer[1] / 1000, "us")
        self.results.add(place, f"{name}.cpu.{size}", place.cpu_usec() - before, "us")

    def restarts(self, size):
        for _ in range(self.rounds):
            for place in self.places:
                place.kill()
                took = 0
                if isinstance(place, places.MusterdPlace):
                    before = place.cpu_usec()
                    took = place.start()
                    self.results.add(place, f"start.wall.{size}", took * 1e6, "us")
                    self.results.add(place, f"start.cpu.{size}", place.cpu_usec() - before, "us")
                answer = place.ask("complete 1 0")  # the original is started by the bus, at the first call
                self.results.add(place, f"start-to-list.wall.{size}", took * 1e6 + answer[1] / 1000, "us")

    def capacity(self):
        musterd = self.places[0]
        try:
            musterd.ask(f"grow {CAPACITY}")
        except places.Failed as e:
            limit = musterd.limit_descriptors()
            if limit < musterd.descriptors:
                self.notes["capacity"] = f"this host's hard limit of {limit} descriptors, the service files ask for more"
            print(f"# {e}")
        musterd.ask("list 1 0")
        count = musterd.ask("count")[0]
        self.results.add(musterd, "capacity", count, "machines")
        self.results.add(musterd, "descriptors-per-machine", len(os.listdir(f"/proc/{musterd.pid()}/fd")) / count, "fds")

    # ---- all of it ----

    def grow(self, size):
        """An original that does not take so many machines leaves; what it was measured at before stays."""
        for place in list(self.places):
            try:
                place.ask(f"grow {size}")
            except places.Failed as e:
                if place is self.places[0]:
                    raise
                print(f"# {e}: no figures of it from here on", flush=True)
                self.places.remove(place)
                place.stop()

    def at(self, size):
        started = time.monotonic()
        self.grow(size)
        if size == LISTED:
            self.grown_memory(size)
        for place in self.places:  # musterd reads the maps of new machines when it is first asked for one
            answer = place.ask("map-to-user 1 0")
            self.results.add(place, f"first-map-to-user.wall.{size}", answer[1] / 1000, "us")
            place.ask("map-to-user 5 0")
        for _ in range(self.rounds):  # tells a slow or busy host from a slow daemon
            self.run(self.places[0], ["/bin/true"], "yardstick-bin-true", size)
        for ask, series, door in OPERATIONS:
            before = places.private_kib(self.places[0].pid())[0]
            self.each_round(ask, series, size, door)
            if ask == "varlink-list":  # a stream: what it takes is not to depend on how long it is
                grown = places.private_kib(self.places[0].pid())[0] - before
                self.results.add(self.places[0], f"varlink-list.grown.{size}", grown, "KiB")
        print(f"# {size} machines: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)

    def start_places(self, trees):
        self.places.append(places.MusterdPlace(self.build))
        for suite, tree in trees:
            try:
                self.places.append(places.OriginalPlace(self.build, suite, tree))
            except (places.Failed, AssertionError, OSError, subprocess.CalledProcessError) as e:
                print(f"# The original of {suite} is left out: {e}", flush=True)
        self.idle_memory()
        for place in self.places:
            if isinstance(place, places.MusterdPlace):
                place.start_client(self.build, places.CGROUP / "bench.scope", "/sys/fs/cgroup/machine.slice")
            else:
                place.start_client(self.build, place.top / "bench.scope", "/sys/fs/cgroup/machine.slice")

    def whole(self, trees):
        self.start_places(trees)
        for size in SIZES:
            self.at(size)
            if size == SIZES[0]:
                self.system_calls(size)
            if size == LISTED:
                self.people(size)
                self.restarts(size)
        for place in self.places[1:]:
            place.stop()
        del self.places[1:]
        self.capacity()
        self.places[0].stop()

    def smoke(self):
        size = SIZES[0]
        self.start_places([])
        self.at(size)
        self.system_calls(size)
        self.people(size)
        self.restarts(size)
        self.places[0].stop()


# ---- what is printed and kept ----

def describe_host():
    model = next((line.split(":", 1)[1].strip() for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    return {"kernel": platform.release(), "processors": os.cpu_count(), "model": model,
            "load": os.getloadavg()[0], "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())}


def keep(bench, log, rows):
    log.write_text(json.dumps({
        "host": describe_host(),
        "units": bench.results.units,
        "values": bench.results.values,
        "targets": [{"text": t.text, "metric": t.metric, "limit": t.limit, "unit": t.unit, "value": v, "verdict": verdict}
                    for t, v, verdict in rows],
        "notes": bench.notes,
    }, indent=1) + "\n")


def inner(build, options):
    bench = Bench(build, options)
    log = build / "bench" / ("smoke.json" if options.smoke else "log.json")
    if options.smoke:
        bench.smoke()
        bench.results.print()
        keep(bench, log, [])
        return 0
    failure = None
    try:
        bench.whole([(suite, build / "bench" / f"tree-{suite}") for suite in options.peer])
    except places.Failed as e:
        failure = e  # what was taken before is worth seeing all the same
    bench.results.print()
    rows = targets.evaluate(bench.results)
    targets.print_table(rows, bench.notes)
    keep(bench, log, rows)
    if failure:
        print(f"bench: {failure}", file=sys.stderr)
    return 1 if failure else 0


def outer(build, options, arguments):
    if os.geteuid() != 0:
        print("The benchmarks start containers and need root: sudo make bench")
        return 1
    if not (build / "bench" / "bench-client").exists():
        print(f"There is no {build}/bench/bench-client: make bench builds it.")
        return 1
    suites = [] if options.smoke or options.no_peer else options.peer or ["bookworm"]
    trees = [suite for suite in suites if places.make_tree(build / "bench", suite)]
    command = [sys.executable, str(SANDBOX), "v2", sys.executable, os.path.abspath(__file__), str(build), "--inner",
               f"--rounds={1 if options.smoke else options.rounds}", *(["--smoke"] if options.smoke else []),
               *[f"--peer={suite}" for suite in trees]]
    return subprocess.run(command).returncode


def main(arguments):
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--peer", action="append", default=[])
    parser.add_argument("--no-peer", action="store_true")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--inner", action="store_true")
    options = parser.parse_args(arguments)
    build = options.build.resolve()
    try:
        return inner(build, options) if options.inner else outer(build, options, arguments)
    except places.Failed as e:
        print(f"bench: {e}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
