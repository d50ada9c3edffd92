#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""run-checks: every test there is, and one line that counts them. Usage: tools/run-checks.py BUILDDIR [SUITE...]

Makes the sanitizer build in BUILDDIR first. The meson suites (unit, fuzz, lint) run next, then, without a SUITE on the command
line, the integration tests. OS trees wait for a mirror most of their time, and what wants systemd as PID 1 for an emulated
processor, so both go on beside all that, with less right to the processors; what they say is shown at the end.
"""
import functools
import itertools
import os
import pathlib
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import xml.etree.ElementTree as ET

TOP = pathlib.Path(__file__).resolve().parent.parent
SUITES = ["lint", "unit", "fuzz"]
COMMANDS = ["test_cli.py"]  # of tests/integration: these have sanitizers in the commands they run
INSIDE = ["test_exec.py", "test_events.py", "test_logs.py"]  # of the rest a third, and
OTHERS = ["test_nspawn.py", "test_hook.py", "test_scope_manager.py", "test_machinectl.py", "test_init.py", "test_crash.py", "test_bench.py"]
TREES = ["bookworm", "busybox", "bookworm-sysvinit", "bookworm-openrc", "bookworm-runit", "forky", "trixie"]  # see tools/os-tree
SPAWN_FILES = ["test_options.py", "test_console_log.py", "test_drills.py", "test_kill.py", "test_places.py"]  # test_boot.py wants all trees
SANDBOX = TOP / "tests" / "integration" / "sandbox.py"
VM_RUN = TOP / "tests" / "vm" / "run"
RELEASE = TOP / "build" / "vm" / "release"  # of what VM_RUN installs
PLAIN_SPAWN = RELEASE / "muster-spawn"
FIRST_TREES = TREES[:2]
# Those of tests/vm/guest that want a kernel and controllers of their own, and a sample of the others, which are the same in a
# container; emulated they take ten times as long.
IN_VM = ["test_compat.py", "test_host.py", "test_libvirt.py", "test_scope.py::test_create_makes_a_transient_scope",
         "test_scope.py::test_properties_are_passed_through", "test_spawn.py::test_scope", "test_spawn.py::test_properties",
         "test_container.py::test_it_is_registered", "test_container.py::test_tool[systemctl -M]",
         "test_container.py::test_machinectl_shell", "test_container.py::test_muster_exec", "test_container.py::test_poweroff"]
# A part of the cases of tests/spawn/compare_world.py will do for a second release of the original.
CASES_OF_NEWER = ["plain", "small", "as-pid2", "terminal", "users-U-network", "users-identity", "volatile-overlay", "mounts-U",
                  "overlay", "environment", "credentials"]
IN_CONTAINER = ["test_compat.py", "test_container.py", "test_names.py", "test_restart.py", "test_scope.py", "test_spawn.py",
                "--deselect=test_scope.py::test_properties_are_passed_through"]
# -O1: the sanitizers' checks make -O2 take twice the time to compile, and nothing here runs long. -g1: lines for their reports. What
# the address sanitizer sees as well need not be checked twice.
BUILD_OPTIONS = ["-Dtests=true", "-Dwerror=true", "-Doptimization=1", "-Ddebug=false", "-Dc_args=-g1 -fno-sanitize=null,object-size",
                 "-Db_sanitize=address,undefined", "-Db_lundef=false"]
BEGUN = time.monotonic()
SKIP = 77
NOTHING_CHOSEN = 5  # pytest: no test has something to say in this mode


def heading(text, out=None):
    """With the time that has passed: the log of a run tells where it went."""
    print(f"\n[{time.monotonic() - BEGUN:4.0f} s] {text}", file=out or sys.stdout, flush=True)


def count(path):
    """(passed, failed, skipped) of one JUnit file; a file that is missing counts as one failure."""
    try:
        cases = list(ET.parse(path).getroot().iter("testcase"))
    except (OSError, ET.ParseError):
        return 0, 1, 0
    failed = sum(1 for c in cases if c.find("failure") is not None or c.find("error") is not None)
    skipped = sum(1 for c in cases if c.find("skipped") is not None)
    return len(cases) - failed - skipped, failed, skipped


def run_meson(build, suites):
    heading("Meson tests: " + " ".join(suites))
    junit = build / "meson-logs" / "testlog.junit.xml"
    junit.unlink(missing_ok=True)
    command = ["meson", "test", "-C", str(build), "--no-rebuild", "--print-errorlogs"]
    for suite in suites:
        command += ["--suite", suite]
    code = subprocess.run(command, cwd=TOP).returncode
    passed, failed, skipped = count(junit)
    if code and not failed:
        failed = 1  # meson itself failed, or a test died outside any of its cases
    return passed, failed, skipped


class Integration:
    """Jobs that run tests in the sandbox: each is called with a file for what it says (None: to our own standard output), and
    returns (passed, failed, skipped)."""

    def __init__(self, build, lane):
        self.build = build
        self.lane = lane
        self.number = itertools.count()

    def quick_build(self):
        """A build directory for tests that start hundreds of commands, with sanitizers in the daemon alone: in a command they
        take ten times as long as the command."""
        place = self.build / "quick"
        shutil.rmtree(place, ignore_errors=True)
        place.mkdir()
        for name in ("musterd", "src", "tests", "bench", "examples"):
            (place / name).symlink_to(self.build / name)
        for name in ("muster", "muster-enter", "muster-helper", "muster-hook", "muster-spawn", "muster-transfer"):
            (place / name).symlink_to(RELEASE / name)
        return place

    def call(self, mode, *command, out=None, **more):
        environment = dict(os.environ, MUSTER_BUILD=str(self.build), MUSTER_INITS=str(self.build / "inits"),
                           MUSTER_TREES=str(trees_of_tests()), PYTHONDONTWRITEBYTECODE="1",
                           MUSTER_SPAWN_TARGETS="muster-spawn")  # by hand they also run with the original
        return self.lane.call(sys.executable, str(SANDBOX), mode, sys.executable, *map(str, command), out=out,
                              env=environment | more)

    def tests(self, mode, directory="integration", files=(), without=(), spawn=PLAIN_SPAWN, build=None, out=None):
        """The tests of a directory, or of some files in it; mode: how control groups look there. spawn: which muster-spawn;
        build: which of the others."""
        top = TOP / "tests" / directory
        what = ", ".join([*files, *(f"without {name}" for name in without)])
        junit = self.build / "meson-logs" / f"{directory}-{mode}-{next(self.number)}.junit.xml"
        junit.unlink(missing_ok=True)
        heading(f"{directory.capitalize()} tests, control groups: {mode}{', ' + what if what else ''}", out)
        code = self.call(mode, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-ra", "--durations=3", f"--junitxml={junit}",
                         *(f"--ignore={top / name}" for name in without), *([top / name for name in files] or [top]), out=out,
                         MUSTER_SPAWN=str(spawn), MUSTER_BUILD=str(build or self.build))
        if code == SKIP and not junit.exists():
            return 0, 0, 1  # the sandbox has said why
        if code == NOTHING_CHOSEN:
            return 0, 0, 0
        passed, failed, skipped = count(junit)
        if code and not failed:
            failed = 1
        return passed, failed, skipped

    def comparison(self, suite=None, cases=(), out=None):
        """What a payload sees under muster-spawn and under the original, and docs/compatibility.md. suite: that Debian's original."""
        heading("Comparison of what a payload sees, with systemd-nspawn" + (f" of {suite}" if suite else ""), out)
        environment = {"MUSTER_SPAWN": str(PLAIN_SPAWN)}
        if suite:
            environment["MUSTER_ORIGINAL_TREE"] = str(trees_of_tests() / suite)
        if suite and not (trees_of_tests() / suite).is_dir():
            print(f"skipped: there is no tree of {suite}", file=out or sys.stdout, flush=True)
            return 0, 0, 1
        code = self.call("v2", TOP / "tests" / "spawn" / "compare_world.py", "systemd-nspawn", "muster-spawn", *cases, out=out,
                         **environment)
        return (0, 0, 1) if code == SKIP else (1, 0, 0) if code == 0 else (0, 1, 0)


class SystemdLane:
    """Beside the other tests: OS trees for everybody, and what wants systemd as PID 1."""

    def __init__(self, build):
        self.build = build
        self.log = build / "meson-logs" / "systemd.log"
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.out = open(self.log, "w")
        self.have_first_trees = threading.Event()  # those that most tests want
        self.have_trees = threading.Event()
        self.have_release = threading.Event()
        self.results = []
        self.jobs, self.late_jobs = [], []  # what is left for whoever has time; the late ones want all trees
        self.have_jobs = threading.Event()
        self.printing = threading.Lock()
        self.children = set()
        self.cancelled = False
        self.threads = [threading.Thread(target=self.guarded, args=(work,)) for work in (self.make_trees, self.run_tests, self.help)]

    def guarded(self, work):
        """Nobody hears of a thread that ends by an exception, and what it did not test would look as if it had passed."""
        try:
            work()
        except Exception:
            traceback.print_exc()
            self.results.append((0, 1, 0))

    def start(self):
        for thread in self.threads:
            thread.start()

    def call(self, *command, out=None, env=None):
        """In a session of its own: cancel() reaches all that it starts."""
        if self.cancelled:
            return 1
        child = subprocess.Popen(command, cwd=TOP, stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT, env=env,
                                 start_new_session=True)
        self.children.add(child)
        begun = time.monotonic()
        try:
            _, status, usage = os.wait4(child.pid, 0)
        finally:
            self.children.discard(child)
        child.returncode = os.waitstatus_to_exitcode(status)
        print(f"({time.monotonic() - begun:.0f} s, {usage.ru_utime + usage.ru_stime:.0f} s of a processor)",
              file=out or sys.stdout, flush=True)
        return child.returncode

    def cancel(self):
        """As an interrupt from the terminal would: everything there cleans up after itself."""
        self.cancelled = True
        for child in list(self.children):
            subprocess.run(["pkill", "-INT", "-s", str(child.pid)])
        self.join()

    def join(self):
        for thread in self.threads:
            if thread.ident:
                thread.join()

    def make_trees(self):
        """What the tests boot or take programs from. What cannot be made has said why, and its tests will skip."""
        step_back()
        directory = trees_of_tests()
        directory.mkdir(parents=True, exist_ok=True)
        try:
            for kind in TREES:
                if not (directory / kind).is_dir():
                    heading(f"Making the OS tree {kind} in {directory} (kept for the next time).", self.out)
                    self.call(str(TOP / "tools" / "os-tree"), kind, str(directory / kind), out=self.out)
                if kind == FIRST_TREES[-1]:
                    self.have_first_trees.set()
            # Here, because the sandbox of the integration tests has no network.
            self.call(str(TOP / "tests" / "integration" / "fetch-inits"), str(self.build / "inits"), out=self.out)
        finally:
            self.have_first_trees.set()
            self.have_trees.set()

    def run_tests(self):
        step_back()
        try:
            heading("Building what is installed", self.out)
            self.call(sys.executable, str(VM_RUN), "--install-only", out=self.out)
        finally:
            self.have_release.set()
        self.have_first_trees.wait()  # the image grows out of one
        self.test("bookworm", *IN_VM)
        # The comparison with the original asks hundreds of things: what needs neither controllers nor a kernel of its own is
        # tested in containers, and so is all of the newer suite.
        self.test("bookworm", "--container", *IN_CONTAINER)
        self.test_labels()
        heading("Tests with systemd: done", self.out)
        self.help()

    def help(self):
        """Many a test sleeps more than it works, so that two processors have room for a third who takes jobs."""
        self.have_jobs.wait()
        self.take_jobs(self.jobs, until=self.have_trees)
        self.have_trees.wait()
        self.take_jobs(self.late_jobs)
        self.take_jobs(self.jobs)

    def take_jobs(self, jobs, until=None):
        """One after the other; what each says is shown when it has ended."""
        while not self.cancelled and not (until and until.is_set()):
            try:
                job = jobs.pop(0)
            except IndexError:
                return
            with tempfile.TemporaryFile("w+", errors="replace") as out:
                try:
                    result = job(out=out)
                except Exception:
                    traceback.print_exc(file=out)
                    result = (0, 1, 0)
                out.seek(0)
                with self.printing:
                    sys.stdout.write(out.read())
                    sys.stdout.flush()
            if result:
                self.results.append(result)

    def test(self, suite, *arguments, out=None):
        """Tests that want systemd as PID 1, from that Debian suite: in a VM, or with --container in a container. From several
        threads: each suite has files of its own. They speak to the log, and what they have done is in our results."""
        kind = "container" if "--container" in arguments else "VM"
        junit = self.build / "meson-logs" / f"systemd-{kind}-{suite}.junit.xml"
        junit.unlink(missing_ok=True)
        heading(f"Tests with systemd in a {kind}, {suite}", self.out)
        code = self.call(sys.executable, str(VM_RUN), "--suite", suite, f"--junit={junit}", *arguments, out=self.out)
        if code == SKIP and not junit.exists():
            self.results.append((0, 0, 1))  # it has said why
            return
        passed, failed, skipped = count(junit)
        self.results.append((passed, 1 if code and not failed else failed, skipped))

    def test_labels(self):
        """muster-spawn on a kernel with SELinux, half a minute."""
        heading("Tests with SELinux in a VM", self.out)
        code = self.call(str(TOP / "tests" / "vm" / "selinux"), out=self.out)
        self.results.append((int(code == 0), int(code not in (0, SKIP)), int(code == SKIP)))

    def end(self):
        heading("Waiting for the tests with systemd, begun beside the others")
        self.join()
        self.out.close()
        print(self.log.read_text(errors="replace"))
        return self.results or [(0, 1, 0)]


def step_back():
    """This thread, on Linux, and what it starts."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 5)


def trees_of_tests():
    return TOP / "build" / "trees"  # tools/demo boots one of them, too


def wait_for(event, what):
    if not event.is_set():
        heading(f"Waiting for {what}")
        event.wait()


def run_all_integration(build, lane):
    """The longest first, and each for who is free."""
    run, later = Integration(build, lane), functools.partial
    wait_for(lane.have_first_trees, "the first OS trees")
    wait_for(lane.have_release, "the build without sanitizers")
    # Containers are started a thousand times, and sanitizers take ten times as long as a start: they have these tests.
    lane.jobs += [later(run.tests, "v2", "spawn", ["test_failures.py"], spawn=build / "muster-spawn")]
    lane.jobs += [later(run.tests, "v2", "spawn", [file]) for file in SPAWN_FILES]
    lane.jobs += [later(run.comparison), later(run.tests, "hybrid", "spawn", ["test_places.py"])]
    quick = run.quick_build()
    lane.late_jobs += [later(run.tests, "v2", files=INSIDE, build=quick), later(run.tests, "v2", files=OTHERS, build=quick),
                       later(run.tests, "v2", without=INSIDE + OTHERS + COMMANDS, build=quick),
                       later(run.tests, "v2", files=COMMANDS), later(lane.test, "forky", "--container", "test_compat.py", "test_names.py"),
                       later(run.tests, "v2", "spawn", ["test_boot.py"]), later(run.tests, "v1"), later(run.tests, "hybrid", build=quick),
                       later(run.comparison, "forky", CASES_OF_NEWER), later(run.tests, "none")]
    lane.have_jobs.set()
    lane.take_jobs(lane.jobs)
    wait_for(lane.have_trees, "all OS trees")
    lane.take_jobs(lane.late_jobs)


def make_build(build):
    heading(f"Building in {build}")
    return subprocess.run([str(TOP / "tools" / "build"), str(build), *BUILD_OPTIONS]).returncode


def run_everything(build, suites, lane):
    """[(passed, failed, skipped)], or None: there is nothing to test."""
    if make_build(build):
        return None
    results = [run_meson(build, suites or SUITES)]
    if lane:
        run_all_integration(build, lane)
        results += lane.end()
    elif not suites:
        print("The integration tests start containers and need root: sudo make check")
        results.append((0, 0, 1))
    return results


def main(arguments):
    build = pathlib.Path(arguments[0]).resolve()
    suites = arguments[1:]
    lane = SystemdLane(build) if not suites and os.geteuid() == 0 else None
    try:
        if lane:
            lane.start()
        results = run_everything(build, suites, lane)
    finally:
        if lane:
            lane.have_jobs.set()
            lane.cancel()
    if results is None:
        return 1
    passed, failed, skipped = (sum(column) for column in zip(*results))
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    heading(f"All done ({used.ru_utime + used.ru_stime:.0f} s of a processor)")
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
