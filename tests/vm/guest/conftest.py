# SPDX-License-Identifier: LGPL-2.1-or-later
"""Fixtures inside the VM: the musterd that was installed, processes to register, and nothing left behind by any test."""
import faulthandler
import os
import pathlib
import subprocess

import host
import pytest
import world

TEST_SEC = 600  # emulated, on a busy machine; see SILENT_SEC in tests/vm/run


@pytest.fixture(autouse=True)
def ends_in_time():
    faulthandler.dump_traceback_later(TEST_SEC, exit=True)
    yield
    faulthandler.cancel_dump_traceback_later()


@pytest.fixture(scope="session")
def suite():
    return pathlib.Path("/muster-vm/suite").read_text().strip()


@pytest.fixture(scope="session")
def systemd_version():
    return int(subprocess.run(["systemctl", "--version"], capture_output=True, text=True).stdout.split()[1].split("~")[0])


@pytest.fixture
def processes():
    """Starts sleepers; kills what is left of them afterwards."""
    group = world.Processes()
    yield group
    group.end()


@pytest.fixture
def musterd():
    """The installed service, running; afterwards it must run still, and know of no machine."""
    service = host.Service("musterd.service")
    if not service.is_active():
        service.start()
    yield service
    left = []
    try:
        host.wait_until(lambda: not left_behind(left), "everything to be put away", timeout=60)
    except AssertionError:
        host.clean_up()
        raise AssertionError(f"left behind: {left}")
    assert service.is_active()


def left_behind(found):
    found[:] = host.machine_units() + [str(p) for p in world.MACHINES.iterdir()]
    if os.path.exists(world.VARLINK_SOCKET):
        with world.Varlink() as v:
            found += v.names()
    return found


def pytest_runtest_logreport(report):
    """At once, not at the end: it may never come."""
    if report.failed:
        print(f"\n{report.longreprtext}", flush=True)
