# SPDX-License-Identifier: LGPL-2.1-or-later
"""Whole systems boot, are used on their console, and end by their own means and by a signal to the runner."""
import signal
import time

import pytest
import spawn
import world

REBOOT = 133  # with --keep-unit the runner leaves the next start to whoever started it

# Which signal each kind of system takes for a power-off; None: that which the runner sends of itself, SIGRTMIN+3.
SYSTEMS = {
    "bookworm": None,
    "bookworm-sysvinit": "SIGPWR",
    "bookworm-openrc": "SIGPWR",
    "bookworm-runit": "SIGINT",
    "trixie": None,
    "forky": None,
    "busybox": "SIGUSR2",
}


@pytest.fixture(params=SYSTEMS)
def kind(request):
    return request.param


def boot(target, tree, containers, kind, *options):
    """A system that has shown its login on a terminal."""
    container = containers(target, tree(kind), "--boot", *options, terminal=(24, 80), timeout=90)
    container.expect("login: ")
    return container


def log_in(container, kind):
    """busybox has a shell on the console at once; the others want a name and no password."""
    if kind != "busybox":
        container.send("root\r")
    container.expect("# ")


def test_power_off(target, tree, containers, kind):
    container = boot(target, tree, containers, kind)
    log_in(container, kind)
    container.send("poweroff\r")
    assert container.end() == 0, container.text


def test_reboot(target, tree, containers, kind):
    container = boot(target, tree, containers, kind)
    log_in(container, kind)
    container.send("reboot\r")
    assert container.end() == REBOOT, container.text


def test_signal(target, tree, containers, kind):
    """SIGTERM to the runner becomes the signal for a shutdown in order."""
    options = [f"--kill-signal={SYSTEMS[kind]}"] if SYSTEMS[kind] else []
    container = boot(target, tree, containers, kind, *options)
    begin = time.monotonic()
    container.signal(signal.SIGTERM)
    assert container.end(timeout=30) == 0, container.text
    assert time.monotonic() - begin < 20, container.text


def test_second_signal(target, tree, containers):
    """This init does not know SIGRTMIN+3, and so goes on; the second SIGTERM to the runner kills it."""
    container = boot(target, tree, containers, "bookworm-sysvinit")
    container.signal(signal.SIGTERM)
    log_in(container, "bookworm-sysvinit")
    container.signal(signal.SIGTERM)
    assert container.end(timeout=10) == 1, container.text


@pytest.mark.parametrize("kind", ["bookworm", "busybox"])
@pytest.mark.parametrize("delay", [0, 0.03, 0.1])
def test_signal_before_it_listens(tree, containers, kind, delay):
    """Told to end while it still starts, it does, though its init did not listen at the moment."""
    if reason := spawn.why_not(spawn.OURS):
        pytest.skip(reason)
    options = [f"--kill-signal={SYSTEMS[kind]}"] if SYSTEMS[kind] else []
    container = containers(spawn.OURS, tree(kind), "--boot", "--console=read-only", *options, timeout=60)
    world.wait_until(lambda: world.comm(container.process.pid) == "muster-spawn" and
                     world.has_signal(container.process.pid, "SigBlk", signal.SIGTERM), "the runner to take signals")
    time.sleep(delay)
    container.signal(signal.SIGTERM)
    assert container.end() == 0, container.text
