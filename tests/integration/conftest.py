# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures: a musterd of our own in the sandbox, a private system bus, processes to register. See sandbox.py."""
import faulthandler
import os
import pathlib
import signal
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import world  # noqa: E402

TEST_SEC = 600


def pytest_configure(config):
    config.addinivalue_line("markers", "modes(*names): the cgroup modes in which the test says something new")
    if "MUSTER_SANDBOX" not in os.environ:
        raise pytest.UsageError("run these tests by tools/run-checks.py: they need the sandbox")
    os.environ.setdefault("ASAN_OPTIONS", "detect_leaks=0")  # see world.Musterd
    config.stderr = os.dup(2)  # before it is taken for what a test says


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_protocol(item):
    """A test that waits for ever ends the run: what it waits for is shown, and the sandbox ends with all that it started."""
    faulthandler.dump_traceback_later(TEST_SEC, exit=True, file=item.config.stderr)
    yield
    faulthandler.cancel_dump_traceback_later()


def pytest_collection_modifyitems(config, items):
    """Outside of cgroup v2 only what depends on the hierarchy runs: the rest would say the same again."""
    mode = os.environ["MUSTER_SANDBOX"]
    chosen, others = [], []
    for item in items:
        marker = item.get_closest_marker("modes")
        (chosen if mode in (marker.args if marker else ("v2",)) else others).append(item)
    config.hook.pytest_deselected(items=others)
    items[:] = chosen


@pytest.fixture(scope="session")
def mode():
    return os.environ["MUSTER_SANDBOX"]


@pytest.fixture(scope="session")
def build():
    return pathlib.Path(os.environ["MUSTER_BUILD"])


@pytest.fixture(scope="session")
def bus():
    """A dbus-daemon that is this sandbox's system bus."""
    server = world.Bus()
    yield server
    server.stop()


@pytest.fixture
def processes():
    """Starts sleepers; kills what is left of them afterwards."""
    group = world.Processes()
    yield group
    group.end()


@pytest.fixture
def musterd(bus, build):
    """A running daemon on the bus, gone again afterwards with everything it made."""
    daemon = world.Musterd(build)
    daemon.start()
    yield daemon
    daemon.finish()


@pytest.fixture
def musterd_without_bus(build):
    daemon = world.Musterd(build, "--bus=no")
    daemon.start()
    yield daemon
    daemon.finish()


@pytest.fixture(autouse=True)
def nothing_left(request):
    """No test leaves a process, a machine's cgroup or a record behind."""
    yield
    left = []

    def gone():
        left[:] = world.leftovers()
        return not left
    try:
        world.wait_until(gone, "all to be gone")
    except AssertionError:
        for pid in world.stray_processes():
            os.kill(pid, signal.SIGKILL)
        subprocess.run("rm -rf /run/systemd/machines/*", shell=True)
        for directory in world.scope_directories():  # the next tests are not to fail for this one
            subprocess.run(["find", directory, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";"], stderr=subprocess.DEVNULL)
        raise AssertionError(f"left behind: {left}") from None
