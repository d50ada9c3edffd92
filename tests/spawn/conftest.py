# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures of the container runner's tests: which program, which tree, and that nothing is left. See spawn.py.

By hand, from the top of the checkout, as root, with the trees of tools/os-tree in build/trees:

    export MUSTER_BUILD=$PWD/build/check MUSTER_TREES=$PWD/build/trees
    tests/integration/sandbox.py v2 /usr/bin/python3 -m pytest tests/spawn      MUSTER_SPAWN_TARGETS=muster-spawn: ours alone
    tests/integration/sandbox.py v2 tests/spawn/compare_world.py systemd-nspawn muster-spawn
"""
import faulthandler
import os
import pathlib
import shutil
import sys

import pytest

TEST_SEC = 600  # on a slow, busy machine
STDERR = pytest.StashKey()  # that of the whole run: pytest has taken away that of a test
HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration")]
import spawn  # noqa: E402
from nspawn import Tree  # noqa: E402


def pytest_configure(config):
    if "MUSTER_SANDBOX" not in os.environ or "MUSTER_BUILD" not in os.environ:
        raise pytest.UsageError("these tests need integration/sandbox.py around them, and MUSTER_BUILD")
    config.stash[STDERR] = os.dup(sys.__stderr__.fileno())


@pytest.fixture(params=os.environ.get("MUSTER_SPAWN_TARGETS", " ".join(spawn.TARGETS)).split())
def target(request):
    """The program that is tested: the same tests run with the original."""
    reason = spawn.why_not(request.param)
    if reason:
        pytest.skip(reason)
    return request.param


@pytest.fixture(autouse=True)
def time_limit(request):
    """Ends the run when a test waits for ever. time_limit() begins again, for a test of many parts."""
    def begin():
        faulthandler.dump_traceback_later(TEST_SEC, exit=True, file=request.config.stash[STDERR])
    begin()
    yield begin
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(autouse=True)
def nothing_left(time_limit):
    """No test leaves a process, a mount, a control group, a lock or a copy behind."""
    leftovers = spawn.Leftovers()
    yield
    assert not leftovers.found()


@pytest.fixture
def tree(nothing_left):
    """tree(kind): an OS tree to run; the test is skipped where it could not be made. copy: in memory as a whole."""
    trees = []

    def mount(kind, copy=False):
        made = (spawn.CopiedTree if copy else Tree)(kind)
        trees.append(made)
        if not made.exists():
            pytest.skip(f"there is no tree of {kind}: tools/os-tree makes it")
        made.mount()
        return made
    yield mount
    for made in trees:
        made.unmount()


@pytest.fixture
def containers():
    """containers(target, tree, ...): a running container, which is ended with the test. To be named after tree."""
    started = []

    def start(*arguments, **keywords):
        started.append(spawn.Spawn(*arguments, **keywords))
        return started[-1]
    yield start
    for container in started:
        container.close()


@pytest.fixture
def box(tree):
    """A copy in memory of the smallest system there is, with the program `probe` in it."""
    made = tree("busybox", copy=True)
    shutil.copy(spawn.payload("probe"), made.root / "bin")
    return made
