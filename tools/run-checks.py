#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""run-checks: every test there is, and one line that counts them. Usage: tools/run-checks.py BUILDDIR [SUITE...]

The meson suites (unit, fuzz, lint) run first, then, without a SUITE on the command line, the integration tests and those that
want systemd as PID 1, in a VM.
"""
import os
import pathlib
import subprocess
import sys
import xml.etree.ElementTree as ET

TOP = pathlib.Path(__file__).resolve().parent.parent
SUITES = ["lint", "unit", "fuzz"]
MODES = ["v2", "hybrid", "v1", "none"]  # see tests/integration/sandbox.py
TREES = ["bookworm", "busybox", "trixie", "forky"]  # see tools/os-tree
SYSTEMD_SUITES = ["bookworm", "forky"]  # see tests/vm/run
SKIP = 77
NOTHING_CHOSEN = 5  # pytest: no test has something to say in this mode


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


def run_integration(build, mode):
    """The integration tests in one sandbox; mode: how control groups look there."""
    tests = TOP / "tests" / "integration"
    junit = build / "meson-logs" / f"integration-{mode}.junit.xml"
    junit.unlink(missing_ok=True)
    environment = dict(os.environ, MUSTER_BUILD=str(build), PYTHONDONTWRITEBYTECODE="1")
    print(f"\nIntegration tests, control groups: {mode}", flush=True)
    code = subprocess.run(
        [sys.executable, str(tests / "sandbox.py"), mode, sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider",
         "-ra", "--durations=3", f"--junitxml={junit}", str(tests)],
        cwd=TOP, env=environment).returncode
    if code == SKIP and not junit.exists():
        return 0, 0, 1  # the sandbox has said why
    if code == NOTHING_CHOSEN:
        return 0, 0, 0
    passed, failed, skipped = count(junit)
    if code and not failed:
        failed = 1
    return passed, failed, skipped


def make_trees(directory):
    """The OS trees that the tests boot or take programs from. What cannot be made has said why, and its tests will skip."""
    directory.mkdir(parents=True, exist_ok=True)
    for kind in TREES:
        if not (directory / kind).is_dir():
            print(f"Making the OS tree {kind} in {directory} (kept for the next time).", flush=True)
            subprocess.run([str(TOP / "tools" / "os-tree"), kind, str(directory / kind)])


def run_all_integration(build):
    if not list((TOP / "tests" / "integration").glob("test_*.py")):
        return []
    if os.geteuid() != 0:
        print("The integration tests start containers and need root: sudo make check")
        return [(0, 0, 1)]
    # Here, because the sandbox has no network.
    inits = build / "inits"
    subprocess.run([str(TOP / "tests" / "integration" / "fetch-inits"), str(inits)])
    os.environ["MUSTER_INITS"] = str(inits)
    trees = TOP / "build" / "trees"  # tools/demo boots one of them, too
    make_trees(trees)
    os.environ["MUSTER_TREES"] = str(trees)
    return [run_integration(build, mode) for mode in MODES]


def run_systemd(build, suite, *arguments):
    """Tests that want systemd as PID 1, from that Debian suite: in a VM, or with --container in a container."""
    kind = "container" if "--container" in arguments else "VM"
    junit = build / "meson-logs" / f"systemd-{kind}-{suite}.junit.xml"
    junit.unlink(missing_ok=True)
    print(f"\nTests with systemd in a {kind}, {suite}", flush=True)
    code = subprocess.run([sys.executable, str(TOP / "tests" / "vm" / "run"), "--suite", suite, f"--junit={junit}",
                           *arguments], cwd=TOP).returncode
    if code == SKIP and not junit.exists():
        return 0, 0, 1  # it has said why
    passed, failed, skipped = count(junit)
    if code and not failed:
        failed = 1
    return passed, failed, skipped


def begin_images(build):
    """Images for tests/vm/run take minutes of waiting for the mirror and the disk: meanwhile other tests run."""
    if os.geteuid() != 0:
        return None
    images = TOP / "build" / "vm"
    images.mkdir(parents=True, exist_ok=True)
    make = " ; ".join(f"'{TOP}/tests/vm/build-image' {suite} '{images}'" for suite in SYSTEMD_SUITES)
    return subprocess.Popen(["sh", "-c", make], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                            stderr=open(build / "meson-logs" / "images.log", "w"))


def run_all_systemd(build):
    """The comparison with the original asks hundreds of things, and the newer suite takes ten minutes to be emulated: what
    needs no controllers and no kernel of its own is tested in containers."""
    results = [run_systemd(build, suite, "--container", "test_compat.py") for suite in SYSTEMD_SUITES]
    results.append(run_systemd(build, "bookworm"))
    return results


def main(arguments):
    build = pathlib.Path(arguments[0]).resolve()
    suites = arguments[1:]
    results = [run_meson(build, suites or SUITES)]
    if not suites:
        images = begin_images(build)
        results += run_all_integration(build)
        if images:
            images.wait()
        results += run_all_systemd(build)
    passed, failed, skipped = (sum(column) for column in zip(*results))
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
