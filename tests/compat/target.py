# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a case works with: calls that give ("ok", value) or an error's name, processes, what lies in /run/systemd/machines."""
import itertools
import json
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

import dbus

MACHINE1 = "org.freedesktop.machine1"
MANAGER_PATH = "/org/freedesktop/machine1"
MANAGER = MACHINE1 + ".Manager"
MACHINE = MACHINE1 + ".Machine"
PROPERTIES = "org.freedesktop.DBus.Properties"
SYSTEMD1 = "org.freedesktop.systemd1"
VARLINK = "/run/systemd/machine/io.systemd.Machine"
STATE = pathlib.Path("/run/systemd/machines")
PATIENCE = 20.0

_counter = itertools.count(1)


def wait(condition, timeout=PATIENCE):
    """Polls; the first true value, or the last false one when the time is over."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value or time.monotonic() > deadline:
            return value
        time.sleep(0.01)


def plain(value):
    """A D-Bus value as JSON has it."""
    if isinstance(value, dbus.Boolean):
        return bool(value)
    if isinstance(value, dict):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, dbus.ByteArray)):
        return [plain(v) for v in value]
    if isinstance(value, dbus.types.UnixFd):
        return "descriptor"
    if isinstance(value, int):
        return int(value)
    return str(value)


class Signals:
    """MachineNew and MachineRemoved as they come, by a bus monitor of the system's own."""

    def __init__(self):
        self.seen = []
        self.process = subprocess.Popen(
            ["dbus-monitor", "--system", f"type='signal',interface='{MANAGER}',path='{MANAGER_PATH}'"],
            stdout=subprocess.PIPE, text=True)
        self.process.stdout.readline()  # it says that it is there
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        current = []
        for line in self.process.stdout:
            member = re.search(r"^signal .*member=(\w+)", line)
            if member:
                current = [member.group(1)]
                continue
            current.append(line.split('"')[1] if '"' in line else line.strip())
            if len(current) == 3 and current[0] in ("MachineNew", "MachineRemoved"):
                self.seen.append(current)

    def until(self, count):
        wait(lambda: len(self.seen) >= count)
        time.sleep(0.1)  # one more would be a difference, too
        return list(self.seen)

    def stop(self):
        self.process.kill()
        self.process.wait()


class VarlinkError(Exception):
    pass


class Target:
    def __init__(self):
        self.bus = dbus.bus.BusConnection(dbus.bus.BusConnection.TYPE_SYSTEM)
        self.children = []
        self.units = []
        self.words = {str(os.getpid()): "<caller>"}  # what is written instead of a text that changes from run to run
        self.signals_seen = None
        self.terminated = False
        # Since 258 whoever registers a machine is its supervisor, which means us, and is told to end with it.
        for number in (signal.SIGTERM, signal.SIGUSR1):
            signal.signal(number, self.on_signal)

    def on_signal(self, number, _):
        self.terminated |= number == signal.SIGTERM

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.signals_seen:
            self.signals_seen.stop()
        self.bus.close()

    # ---- asking ----

    def ask(self, path, interface, method, signature, *arguments, name=MACHINE1):
        """["ok", value...] or the error's name."""
        try:
            value = self.bus.call_blocking(name, path, interface, method, signature, arguments, timeout=30,
                                           byte_arrays=False)
        except dbus.DBusException as e:
            return e.get_dbus_name()
        if value is None:
            return "ok"
        return ["ok", self.say(plain(value))]

    def manager(self, method, signature="", *arguments):
        return self.ask(MANAGER_PATH, MANAGER, method, signature, *arguments)

    def machine(self, name, method, signature="", *arguments):
        return self.ask(self.path(name), MACHINE, method, signature, *arguments)

    @staticmethod
    def path(name):
        label = "".join(c if c.isascii() and (c.isalpha() or (c.isdigit() and i)) else f"_{ord(c):02x}"
                        for i, c in enumerate(name))
        return f"{MANAGER_PATH}/machine/{label or '_'}"

    def properties(self, name, interface=""):
        answer = self.ask(self.path(name), PROPERTIES, "GetAll", "s", interface)
        return answer[1] if isinstance(answer, list) else answer

    def register(self, name, leader, id=(), service="svc", class_="container", root="/srv/x"):
        return self.manager("RegisterMachine", "sayssus", name, dbus.Array(id, signature="y"), service, class_, leader, root)

    def create(self, name, leader, properties=(), service="svc", class_="container", root=""):
        return self.manager("CreateMachine", "sayssusa(sv)", name, dbus.Array([], signature="y"), service, class_, leader,
                            root, dbus.Array(list(properties), signature="(sv)"))

    def names(self):
        answer = self.manager("ListMachines")
        return sorted(row[0] for row in answer[1] if row[0] != ".host")

    def gone(self, name, timeout=PATIENCE):
        """Whether it goes, within a patient while."""
        return "gone" if wait(lambda: name not in self.names(), timeout) else "still there"

    def signals(self):
        self.signals_seen = Signals()
        return self.signals_seen

    def varlink(self, method, parameters=None, more=False, path=VARLINK):
        """Replies as ["ok", ...], or [error, parameters]."""
        message = {"method": method, "parameters": parameters or {}}
        if more:
            message["more"] = True
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(30)
            try:
                s.connect(path)
            except OSError as e:
                return [type(e).__name__]
            s.sendall(json.dumps(message).encode() + b"\0")
            data, replies = b"", []
            while True:
                while b"\0" not in data:
                    part = s.recv(65536)
                    if not part:
                        return replies + ["hung up"]
                    data += part
                text, data = data.split(b"\0", 1)
                reply = json.loads(text)
                if "error" in reply:
                    return replies + [[reply["error"], self.say(reply.get("parameters", {}))]]
                replies.append(self.say(reply.get("parameters", {})))
                if not reply.get("continues"):
                    return ["ok", *replies]

    # ---- the words ----

    def call_it(self, text, word):
        self.words[str(text)] = word

    def say(self, value):
        """The same value with everything replaced that has a word."""
        if isinstance(value, dict):
            return {self.say(k): self.say(v) for k, v in value.items()}
        if isinstance(value, list):  # of numbers they are bytes, not processes
            return [v if isinstance(v, int) else self.say(v) for v in value]
        if isinstance(value, bool):
            return value
        if isinstance(value, int):
            return self.words.get(str(value), value)
        for text, word in self.words.items():
            value = re.sub(rf"(?<![0-9A-Za-z]){re.escape(text)}(?![0-9A-Za-z])", word, value)
        return value

    # ---- processes ----

    def start(self, *argv, word="<leader>", user=None, **options):
        """A process of the case's own, in a scope of its own unless options say otherwise."""
        child = subprocess.Popen(argv or ["sleep", "1000"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                 stderr=subprocess.DEVNULL, user=user, **options)
        self.children.append(child)
        self.call_it(child.pid, word)
        self.call_it(os.stat(os.pidfd_open(child.pid)).st_ino, "<id of " + word.strip("<>") + ">")
        return child.pid

    def unshared(self, *options, word="<leader>"):
        pid = self.start("unshare", *options, "sleep", "1000", word=word)
        comm = pathlib.Path(f"/proc/{pid}/comm")
        assert wait(lambda: comm.read_text() == "sleep\n"), "unshare does not run"
        return pid

    def in_unit(self, unit, *argv, word="<leader>", **options):
        """A process in a transient scope of that name, which systemd makes."""
        pid = self.start(*argv, word=word, **options) if argv else self.start(word=word, **options)
        self.place(unit, pid)
        return pid

    def place(self, unit, *pids):
        answer = self.ask("/org/freedesktop/systemd1", SYSTEMD1 + ".Manager", "StartTransientUnit", "ssa(sv)a(sa(sv))", unit,
                          "fail", dbus.Array([("PIDs", dbus.Array(pids, signature="u", variant_level=1)),
                                              ("Delegate", dbus.Boolean(True, variant_level=1))], signature="(sv)"),
                          dbus.Array([], signature="(sa(sv))"), name=SYSTEMD1)
        assert isinstance(answer, list), answer
        self.units.append(unit)
        assert wait(lambda: all(unit in self.cgroup(pid) for pid in pids)), "not in its unit"

    @staticmethod
    def cgroup(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/cgroup").read_text().strip().split("::")[-1]
        except OSError:
            return "no process"

    def alive(self, pid):
        for child in self.children:
            if child.pid == pid:
                return child.poll() is None
        return pathlib.Path(f"/proc/{pid}").exists()

    def dies(self, pid):
        """How it ended: the signal's name, or that it lives on."""
        child = next(c for c in self.children if c.pid == pid)
        wait(lambda: child.poll() is not None, 5)
        if child.returncode is None:
            return "lives"
        return signal.Signals(-child.returncode).name if child.returncode < 0 else f"exit {child.returncode}"

    def kill(self, pid, sig=signal.SIGKILL):
        os.kill(pid, sig)
        for child in self.children:
            if child.pid == pid:
                child.wait()

    # ---- units and files ----

    def unit(self, unit, *names):
        """Some properties of a unit, as systemctl shows them."""
        out = subprocess.run(["systemctl", "show", unit, "-p", ",".join(names)], text=True, capture_output=True).stdout
        return self.say(dict(line.split("=", 1) for line in out.splitlines()))

    def unit_state(self, unit):
        return self.unit(unit, "ActiveState")["ActiveState"]

    def state_files(self):
        """{name: lines} of the state directory; links as "-> target"."""
        found = {}
        for path in sorted(STATE.iterdir()):
            if path.is_symlink():
                found[path.name] = "-> " + os.readlink(path)
            elif path.is_file() and not path.name.startswith("."):
                found[path.name] = {k: v for k, v in (self.assignment(line) for line in path.read_text().splitlines()) if k}
        return found

    def assignment(self, line):
        """KEY=value with the quoting of either style taken off, for both mean the same to every reader."""
        if line.startswith("#") or "=" not in line:
            return None, None
        key, value = line.split("=", 1)
        if value.startswith('"') and value.endswith('"'):
            value = re.sub(r'\\(["\\`$])', r"\1", value[1:-1])
        else:
            value = re.sub(r"\\(.)", r"\1", value)
        if key in ("REALTIME", "MONOTONIC", "BOOT_ID", "LEADER_PIDFDID", "SUPERVISOR_PIDFDID", "LEADER_START",
                   "SUPERVISOR_START", "SUPERVISOR", "SCOPE_JOB"):
            value = "<there>"
        return key, self.say(value.strip())

    def run(self, *argv, **options):
        """A command: its exit status, what it prints, and the first line of its complaint."""
        result = subprocess.run(argv, text=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL, **options)
        return {"status": result.returncode, "out": [self.say(line.rstrip()) for line in result.stdout.splitlines()]}

    # ---- the end ----

    @staticmethod
    def systemctl(verb):
        """For the daemon, and its socket where it has one."""
        units = [unit for unit in (os.environ["DAEMON"] + ".socket", os.environ["DAEMON"] + ".service")
                 if subprocess.run(["systemctl", "cat", unit], capture_output=True).returncode == 0]
        subprocess.run(["systemctl", verb, *units], check=True)

    def restart(self):
        self.systemctl("stop")
        self.systemctl("start")
        assert wait(lambda: isinstance(self.manager("ListMachines"), list)), "it does not come back"

    def clean_up(self):
        """Ends what the case began; says what would not go."""
        for child in self.children:
            if child.poll() is None:
                child.kill()
            child.wait()
        for name in self.names():
            self.manager("TerminateMachine", "s", name)
        for unit in self.units:
            subprocess.run(["systemctl", "stop", unit], capture_output=True)
            subprocess.run(["systemctl", "reset-failed", unit], capture_output=True)
        left = []
        if not wait(lambda: not self.names()):
            left += self.names()
            for name in self.names():
                self.manager("UnregisterMachine", "s", name)
        return left


def unique(prefix="m"):
    return f"{prefix}{next(_counter)}"
