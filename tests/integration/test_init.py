# SPDX-License-Identifier: LGPL-2.1-or-later
"""The service scripts of data/init, each run by the init system that it is for; see fetch-inits for where those come from."""
import os
import pathlib
import resource
import shutil
import subprocess

import pytest
import world

SCRIPTS = pathlib.Path(__file__).resolve().parents[2] / "data" / "init"
DESCRIPTORS = 65536


@pytest.fixture
def script(build):
    """Writes a service script the way meson configures it, with the daemon in the build directory."""
    def write(name, target, mode=0o755):
        text = (SCRIPTS / f"musterd.{name}.in").read_text().replace("@sbindir@", str(build))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)
    return write


@pytest.fixture
def init_tree():
    def find(name):
        tree = pathlib.Path(os.environ.get("MUSTER_INITS", "/nonexistent")) / name
        if not tree.is_dir():
            pytest.skip(f"Debian's package {name} could not be downloaded")
        return tree
    return find


@pytest.fixture
def service_directory(tmp_path):
    directory = tmp_path / "musterd"
    directory.mkdir()
    (directory / "conf").write_text("MUSTERD_OPTIONS=--bus=no\n")
    (directory / "data").mkdir()
    (directory / "data" / "conf").write_text("MUSTERD_OPTIONS=--bus=no\n")
    return directory


def pids():
    found = subprocess.run(["pgrep", "-x", "musterd"], text=True, capture_output=True).stdout.split()
    return [int(pid) for pid in found]


def serves():
    try:
        with world.Varlink() as v:
            v.names()
        return True
    except OSError:
        return False


def check_running():
    world.wait_until(serves, "musterd to serve")
    [pid] = pids()
    limit = next(line for line in pathlib.Path(f"/proc/{pid}/limits").read_text().splitlines()
                 if line.startswith("Max open files"))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    assert int(limit.split()[3]) >= min(DESCRIPTORS, hard)
    return pid


def check_stopped():
    world.wait_until(lambda: not pids(), "musterd to stop")


def test_runit(script, init_tree, service_directory):
    tree = init_tree("runit")
    script("runit", service_directory / "run")
    environment = dict(os.environ, PATH=f"{tree}/usr/bin:{os.environ['PATH']}")
    supervisor = subprocess.Popen([tree / "usr/bin/runsv", service_directory], env=environment)
    try:
        first = check_running()
        os.kill(first, 9)
        world.wait_until(lambda: pids() and pids() != [first], "runsv to start it again")
        check_running()
        subprocess.run([tree / "usr/bin/sv", "down", service_directory], check=True, env=environment)
        check_stopped()
    finally:
        subprocess.run([tree / "usr/bin/sv", "exit", service_directory], env=environment)
        supervisor.wait(10)


def test_s6(script, init_tree, service_directory):
    tree = init_tree("s6")
    script("s6", service_directory / "run")
    for name in ("type", "notification-fd"):
        shutil.copy(SCRIPTS / "s6" / name, service_directory / name)
    libraries = next((tree / "usr/lib").glob("*/libs6.so*")).parent
    environment = dict(os.environ, PATH=f"{tree}/usr/bin:{os.environ['PATH']}", LD_LIBRARY_PATH=str(libraries))
    supervisor = subprocess.Popen([tree / "usr/bin/s6-supervise", service_directory], env=environment)

    def is_ready():
        status = subprocess.run([tree / "usr/bin/s6-svstat", "-o", "ready", service_directory], env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        return status.stdout.strip() == "true"
    try:
        world.wait_until(is_ready, "musterd to tell s6 that it is ready")
        check_running()
    finally:
        subprocess.run([tree / "usr/bin/s6-svc", "-dx", service_directory], env=environment, check=True)
        supervisor.wait(10)
    check_stopped()


def test_sysvinit(script, tmp_path):
    if not shutil.which("start-stop-daemon"):
        pytest.skip("start-stop-daemon is not installed")
    service = tmp_path / "musterd"
    script("sysvinit", service)
    try:
        assert subprocess.run([service, "status"]).returncode == 3
        subprocess.run([service, "start"], check=True)
        first = check_running()  # it has waited: no polling needed
        subprocess.run([service, "start"], check=True)
        assert pids() == [first]
        os.kill(first, 9)
        world.wait_until(lambda: not pids(), "it to die")
        assert subprocess.run([service, "status"]).returncode == 3
        subprocess.run([service, "restart"], check=True)
        assert check_running() != first
        assert subprocess.run([service, "status"]).returncode == 0
    finally:
        subprocess.run([service, "stop"], check=True)
    check_stopped()
    assert not pathlib.Path("/run/musterd.pid").exists()


@pytest.fixture
def openrc_root(init_tree, tmp_path):
    """OpenRC knows its own paths only: its tree laid over our root, for a chroot."""
    root = tmp_path / "root"
    for name in ("root", "upper", "work"):
        (tmp_path / name).mkdir()
    shutil.copytree(init_tree("openrc"), tmp_path / "tree", symlinks=True)  # layers may not lie in each other
    options = f"lowerdir={tmp_path / 'tree'}:/,upperdir={tmp_path / 'upper'},workdir={tmp_path / 'work'}"
    if subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", root]).returncode:
        pytest.skip("cannot lay OpenRC's tree over the root file system")
    for place in ("proc", "sys", "dev", "run"):
        subprocess.run(["mount", "--rbind", f"/{place}", root / place], check=True)
    yield root
    subprocess.run(["umount", "-R", "-l", root], check=True)


def test_openrc(script, openrc_root, build):
    # The checkout may be on a file system of its own, which the overlay does not show.
    programs = openrc_root / "run/tmp/programs"
    programs.mkdir()
    shutil.copy(build / "src/musterd/musterd", programs / "musterd")
    target = openrc_root / "etc/init.d/musterd"
    script("openrc", target)
    target.write_text(target.read_text().replace(str(build), "/run/tmp/programs"))
    state = openrc_root / "run/openrc"  # as if OpenRC had booted this system
    for name in ("daemons", "exclusive", "failed", "inactive", "options", "scheduled", "started", "starting", "stopping",
                 "tmp", "wasinactive"):
        (state / name).mkdir(parents=True)
    (state / "softlevel").write_text("default\n")
    service = ["chroot", openrc_root, "/etc/init.d/musterd", "--nodeps"]
    try:
        subprocess.run([*service, "start"], check=True)
        first = check_running()
        assert subprocess.run([*service, "status"]).returncode == 0
        os.kill(first, 9)
        world.wait_until(lambda: pids() and pids() != [first], "supervise-daemon to start it again")
        check_running()
    finally:
        subprocess.run([*service, "stop"])
        shutil.rmtree(programs)
        shutil.rmtree(state, ignore_errors=True)
    check_stopped()


def test_systemd(script, tmp_path, build):
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not installed")
    unit = tmp_path / "musterd.service"
    text = (SCRIPTS / "musterd.service.in").read_text().replace("@sbindir@", str(build))
    unit.write_text(text.replace("Documentation=man:musterd(8)\n", ""))  # is not installed here
    result = subprocess.run(["systemd-analyze", "verify", "--recursive-errors=no", unit], text=True, capture_output=True)
    assert result.returncode == 0 and "musterd.service" not in result.stderr, result.stderr


