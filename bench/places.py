# SPDX-License-Identifier: LGPL-2.1-or-later
"""Where daemons are measured: musterd in the sandbox itself, the original in a Debian container booted in the sandbox.

Both have a dbus-daemon, pure cgroup v2, a control group of their own whose cpu.stat tells what daemon and children have used,
and a bench-client (client.c) that is told what to do, one line at a time.
"""
import os
import pathlib
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
import uuid

TOP = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP / "tests" / "integration"))
import world  # noqa: E402

CGROUP = pathlib.Path("/sys/fs/cgroup")
POLICY = TOP / "data" / "dbus" / "org.freedesktop.machine1.conf"
# What a system bus usually allows; own and send of our name is in our policy file.
BUS_POLICY = ('<allow send_destination="org.freedesktop.DBus"/><allow send_type="signal"/>'
              '<allow send_requested_reply="true"/><allow receive_sender="*"/>')
# PID 1 follows each created machine by a match rule of its own; beyond 506 of them a stock bus cuts it off.
PEER_LIMITS = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <limit name="max_match_rules_per_connection">65536</limit>
  <limit name="max_replies_per_connection">65536</limit>
</busconfig>
"""


class Failed(Exception):
    pass


def private_kib(pid):
    """(private, resident) KiB of a process."""
    values = dict(re.findall(r"^(\w+): +(\d+) kB$", pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text(), re.M))
    return int(values["Private_Clean"]) + int(values["Private_Dirty"]), int(values["Rss"])


class Place:
    name = ""
    has_varlink = False
    group = None      # control group of the daemon
    client = None
    users = "mymachines"  # the name service that knows users of machines

    def command(self, argv):
        """The command line that runs argv in this place."""
        raise NotImplementedError

    def start_client(self, build, cgroup, leaders):
        cgroup.mkdir(exist_ok=True)
        program = self.command([self.client_path(build), leaders, self.users])
        self.client = subprocess.Popen(["sh", "-c", 'echo 0 >"$0"/cgroup.procs && exec "$@"', str(cgroup), *program],
                                       env=dict(os.environ, LD_LIBRARY_PATH=self.libraries(build)), stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True, bufsize=1)
        self.answer("start")

    def libraries(self, build):
        """Where the client finds modules for names that are not installed."""
        return str(build / "src" / "nss")

    def client_path(self, build):
        return str(build / "bench" / "bench-client")

    def answer(self, what):
        line = self.client.stdout.readline().split()
        if not line or line[0] != "ok":
            raise Failed(f"{self.name}: {what}: {' '.join(line[1:]) or 'the client is gone'}")
        return [int(word) for word in line[1:]]

    def ask(self, text):
        self.client.stdin.write(text + "\n")
        return self.answer(text)

    def cpu_usec(self):
        return int(re.search(r"^usage_usec (\d+)", (self.group / "cpu.stat").read_text(), re.M).group(1))

    def pid(self):
        """The daemon: the oldest process of its control group."""
        return int((self.group / "cgroup.procs").read_text().split()[0])

    def output(self, argv):
        return subprocess.run(self.command(argv), stdout=subprocess.PIPE, text=True, check=True).stdout

    def system_calls(self, ask, operations):
        """System calls of the daemon and its children for one operation, counted by strace."""
        log = pathlib.Path(os.environ["TMPDIR"]) / "strace"
        with subprocess.Popen(["strace", "-f", "-qq", "-c", "-o", str(log), "-p", str(self.pid())],
                              stderr=subprocess.PIPE) as strace:
            try:
                world.wait_until(lambda: re.search(r"^TracerPid:\s+[1-9]", self.status(), re.M), "strace to attach")
                self.ask(f"{ask} {operations} 60000")
            finally:
                strace.send_signal(signal.SIGINT)
        total = re.search(r"^100\.00 +\S+ +(?:\d+ +)?(\d+) +(?:\d+ +)?total$", log.read_text(), re.M)
        return int(total.group(1)) / operations

    def status(self):
        return pathlib.Path(f"/proc/{self.pid()}/status").read_text()


class MusterdPlace(Place):
    name = "musterd"
    has_varlink = True
    descriptors = 65536  # what our service files ask for, at least: see data/init

    def __init__(self, build):
        self.build = build
        self.group = CGROUP / "musterd.service"
        self.group.mkdir()
        (CGROUP / "dbus.service").mkdir()
        self.bus = world.Bus(policy=BUS_POLICY, includes=f"<include>{POLICY}</include>")
        (CGROUP / "dbus.service" / "cgroup.procs").write_text(str(self.bus.process.pid))
        self.log = open("/run/musterd.log", "a")
        self.daemon = None
        self.start()

    def command(self, argv):
        return argv

    def limit_descriptors(self):
        """Soft and hard limit of the daemon: what the service files say, or as much of it as this host grants."""
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        return self.descriptors if hard == resource.RLIM_INFINITY else min(hard, self.descriptors)

    # Moves itself into the daemon's control group, which takes the kernel milliseconds, and waits for the word to go.
    LAUNCH = 'ulimit -n "$1"; echo 0 >"$0"/cgroup.procs; echo; read -r _; shift; exec "$@"'

    def start(self):
        """Returns the seconds from the daemon's execve() until it said that it is up."""
        ready, told = os.pipe()
        self.daemon = subprocess.Popen(
            ["sh", "-c", self.LAUNCH, str(self.group), str(self.limit_descriptors()), str(self.build / "musterd"),
             f"--helper={self.build / 'muster-helper'}", "--log-target=console", f"--ready-fd={told}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, pass_fds=[told])
        os.close(told)
        self.daemon.stdout.readline()
        begin = time.monotonic()
        self.daemon.stdin.write(b"\n")
        self.daemon.stdin.flush()
        with os.fdopen(ready) as pipe:
            if pipe.readline() != "\n":
                raise Failed("musterd did not start: " + pathlib.Path("/run/musterd.log").read_text()[-2000:])
        return time.monotonic() - begin

    def kill(self):
        self.daemon.kill()
        self.daemon.wait()

    def pid(self):
        return self.daemon.pid

    def stop(self):
        self.kill()  # before the leaders: nobody wants to hear of each of their deaths
        if self.client:
            self.client.kill()
            self.client.wait()
        self.bus.stop()


class OriginalPlace(Place):
    """systemd-machined with systemd as PID 1, in a container of a Debian suite's tree."""
    users = "systemd"

    def __init__(self, build, suite, tree):
        self.suite = suite
        self.stage = pathlib.Path("/run/bench") / suite
        for name in ("upper", "work", "root"):
            (self.stage / name).mkdir(parents=True)
        layers = f"lowerdir={tree},upperdir={self.stage}/upper,workdir={self.stage}/work"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", layers, str(self.stage / "root")], check=True)
        etc = self.stage / "root" / "etc"
        (etc / "dbus-1" / "system-local.conf").write_text(PEER_LIMITS)
        # 1024 is what newer suites give it, and it has two for each machine.
        drop_in = etc / "systemd" / "system" / "systemd-machined.service.d"
        drop_in.mkdir(parents=True)
        most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        (drop_in / "limit.conf").write_text(f"[Service]\nLimitNOFILE={min(most, MusterdPlace.descriptors)}\n")
        (etc / "machine-id").write_text(uuid.uuid4().hex + "\n")  # without one newer suites ask questions at their first boot
        self.boot(build)
        self.init = world.wait_until(self.find_init, "the container's init", 30)
        self.top = CGROUP / self.cgroup_of(self.init).strip("/").removesuffix("/init.scope")
        world.wait_until(self.is_up, f"the container of {suite} to boot", 60)
        self.group = self.top / "system.slice" / "systemd-machined.service"
        self.output(["systemctl", "start", "systemd-machined.service"])
        version = self.output(["systemctl", "--version"]).split()[1]
        self.name = f"machined-{version}"
        self.has_varlink = os.path.exists(f"/proc/{self.init}/root/run/systemd/machine/io.systemd.Machine")

    def boot(self, build):
        group = CGROUP / f"bench-{self.suite}.scope"
        group.mkdir()
        # Without nspawn's system call filter: the daemons' own are what their users have.
        environment = dict(os.environ, SYSTEMD_SECCOMP="0", SYSTEMD_NSPAWN_UNIFIED_HIERARCHY="1")
        self.console = open(self.stage / "console", "w")
        self.nspawn = subprocess.Popen(
            ["sh", "-c", 'echo 0 >"$0"/cgroup.procs && exec "$@"', str(group), "systemd-nspawn", "--quiet", "--boot",
             "--register=no", "--keep-unit", f"--machine=bench-{self.suite}", f"--directory={self.stage}/root",
             f"--bind-ro={build}/bench/bench-client:/usr/bin/bench-client", "--console=read-only"],
            env=environment, stdin=subprocess.DEVNULL, stdout=self.console, stderr=self.console)

    def find_init(self):
        if self.nspawn.poll() is not None:
            raise Failed("systemd-nspawn ended: " + (self.stage / "console").read_text()[-500:])
        for entry in pathlib.Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    status = (entry / "status").read_text()
                    if re.search(rf"^PPid:\t{self.nspawn.pid}$", status, re.M) and \
                            re.search(r"^NSpid:.*\t1$", status, re.M) and "/init.scope" in self.cgroup_of(entry.name):
                        return int(entry.name)
                except OSError:
                    pass
        return None

    def is_up(self):
        if self.nspawn.poll() is not None:
            raise Failed("systemd-nspawn ended: " + (self.stage / "console").read_text()[-500:])
        state = subprocess.run(self.command(["systemctl", "is-system-running"]), stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True).stdout.strip()
        return state in ("running", "degraded")

    @staticmethod
    def cgroup_of(pid):
        return re.search(r"^0::(.*)$", pathlib.Path(f"/proc/{pid}/cgroup").read_text(), re.M).group(1)

    def command(self, argv):
        return ["nsenter", f"--target={self.init}", "--mount", "--uts", "--ipc", "--pid", "--cgroup", *argv]

    def client_path(self, build):
        return "/usr/bin/bench-client"

    def libraries(self, build):
        return ""

    def kill(self):
        os.kill(self.pid(), signal.SIGKILL)

    def stop(self):
        if self.client:
            self.client.kill()
            self.client.wait()
        self.nspawn.kill()
        self.nspawn.wait()


# ---- trees ----

def debian_mirror():
    """The first Debian mirror that this host uses, DEB822 and one-line sources alike; None: it says none."""
    directory = pathlib.Path("/etc/apt")
    for path in [*sorted(directory.glob("sources.list.d/*")), directory / "sources.list"]:
        text = path.read_text() if path.is_file() else ""
        for mirror in re.findall(r"^(?:URIs:|deb(?: +\[[^]]*\])?) *(\S+)", text, re.M):
            if "debian" in mirror and "security" not in mirror:
                return mirror
    return None


def make_tree(directory, suite):
    """The tree of a suite with systemd, made once and kept. None, said why: there is none to be had."""
    tree = directory / f"tree-{suite}"
    if tree.is_dir():
        return tree
    if not shutil.which("mmdebstrap"):
        print("# mmdebstrap is not installed: the original is left out.")
        return None
    new = directory / f"tree-{suite}.new"
    shutil.rmtree(new, ignore_errors=True)
    print(f"# Making a Debian tree ({suite}) for the original, kept for the next time.", flush=True)
    mirror = debian_mirror()
    command = ["mmdebstrap", "--quiet", "--variant=essential", "--include=systemd-sysv,dbus,systemd-container,libnss-mymachines,libnss-systemd",
               "--aptopt=Acquire::Retries \"2\"", "--aptopt=Acquire::Check-Valid-Until \"false\"", suite, str(new),
               *([f"deb {mirror} {suite} main"] if mirror else [])]
    log = directory / f"mmdebstrap-{suite}.log"
    with open(log, "w") as out:
        try:
            code = subprocess.run(command, stdout=out, stderr=out, timeout=600).returncode
        except subprocess.TimeoutExpired:
            code = -1
    if code:
        print(f"# No tree of {suite} (no mirror reachable? see {log.relative_to(TOP)}): the original is left out.")
        shutil.rmtree(new, ignore_errors=True)
        return None
    new.rename(tree)
    return tree
