#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-iface: fail when the running daemon does not offer what data/dbus/*.xml and data/varlink/*.varlink promise.

Usage: tools/check-iface.py BUILD | --self-test
Starts BUILD's musterd with a run-time directory and a bus of its own, asks both doors to describe themselves, compares.
"""
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

SKIP = 77  # meson's exit code for a skipped test
DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
BUS_NAME = "org.freedesktop.machine1"
OBJECTS = {  # interface file: the object that has it
    "org.freedesktop.machine1.Manager": "/org/freedesktop/machine1",
    "org.freedesktop.machine1.Machine": "/org/freedesktop/machine1/machine/_2ehost",
    "org.freedesktop.LogControl1": "/org/freedesktop/LogControl1",
}
SOCKETS = {  # interface: the socket below the run-time directory that describes it, when it is not the first
    "io.systemd.UserDatabase": "systemd/userdb/io.systemd.Machine",
    "io.systemd.Resolve.Hook": "systemd/resolve.hook/io.systemd.Machine",
}
BUS_CONFIG = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>system</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow user="*"/><allow own="*"/><allow send_destination="*"/><allow receive_sender="*"/></policy>
</busconfig>"""

# ---- comparing ----


def members(text):
    """{"interface member": what a client depends on}: kind, arguments in order, type and access, annotations."""
    found = {}
    for interface in ET.fromstring(text).iter("interface"):
        if interface.get("name").startswith("org.freedesktop.DBus."):
            continue
        for member in interface:
            arguments = [(a.get("direction", ""), a.get("type"), a.get("name")) for a in member.findall("arg")]
            notes = sorted((a.get("name"), a.get("value")) for a in member.findall("annotation"))
            found[f"{interface.get('name')} {member.get('name')}"] = (
                member.tag, member.get("type"), member.get("access"), arguments, notes)
    return found


def compare_xml(promised, offered):
    promised, offered = members(promised), members(offered)
    bad = [f"{name}: missing" for name in sorted(promised.keys() - offered.keys())]
    bad += [f"{name}: not promised" for name in sorted(offered.keys() - promised.keys())]
    bad += [f"{name}: promised {promised[name]}, offered {offered[name]}"
            for name in sorted(promised.keys() & offered.keys()) if promised[name] != offered[name]]
    return bad


def compare_varlink(name, promised, offered):
    return [] if promised == offered else [f"{name}: the description differs from data/varlink/{name}.varlink"]


# ---- asking ----


def wait_for(path, process):
    deadline = time.monotonic() + 20
    while not path.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{path} did not appear")
        time.sleep(0.02)


def introspect(address, path):
    command = ["dbus-send", f"--bus={address}", "--print-reply=literal", f"--dest={BUS_NAME}", path,
               "org.freedesktop.DBus.Introspectable.Introspect"]
    while True:  # the name comes a moment after the sockets
        reply = subprocess.run(command, text=True, capture_output=True, timeout=20)
        if reply.returncode == 0:
            return reply.stdout.strip()
        if "ServiceUnknown" not in reply.stderr and "was not provided" not in reply.stderr:
            raise RuntimeError(reply.stderr)
        time.sleep(0.02)


def varlink(path, method, parameters):
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(20)
        s.connect(str(path))
        s.sendall(json.dumps({"method": method, "parameters": parameters}).encode() + b"\0")
        answer = b""
        while not answer.endswith(b"\0"):
            more = s.recv(65536)
            if not more:
                raise RuntimeError(f"{method}: connection closed")
            answer += more
    reply = json.loads(answer[:-1])
    if "error" in reply:
        raise RuntimeError(f"{method} {parameters}: {reply['error']}")
    return reply["parameters"]


def ask_dbus(address):
    bad = []
    for name, path in OBJECTS.items():
        bad += compare_xml((DATA / "dbus" / f"{name}.xml").read_text(), introspect(address, path))
    return bad


def ask_varlink(run):
    files = sorted((DATA / "varlink").glob("*.varlink"))
    bad = [] if files else ["data/varlink holds no interface"]
    main = run / "systemd/machine/io.systemd.Machine"
    served = set(varlink(main, "org.varlink.service.GetInfo", {})["interfaces"])
    for name in sorted(served - {f.stem for f in files}):
        bad.append(f"{name}: served, but data/varlink has no file for it")
    for file in files:
        path = run / SOCKETS.get(file.stem, "systemd/machine/io.systemd.Machine")
        if not path.exists():
            bad.append(f"{file.stem}: its socket {path.relative_to(run)} is not there")
            continue
        reply = varlink(path, "org.varlink.service.GetInterfaceDescription", {"interface": file.stem})
        bad += compare_varlink(file.stem, file.read_text(), reply["description"])
    return bad


def run_daemon(build, top):
    """The complaints about both doors."""
    run = top / "run"
    run.mkdir()
    (top / "bus.conf").write_text(BUS_CONFIG.format(socket=top / "bus"))
    address = f"unix:path={top / 'bus'}"
    processes = []
    try:
        bus = subprocess.Popen(["dbus-daemon", f"--config-file={top / 'bus.conf'}", "--nofork", "--nopidfile"],
                               stderr=subprocess.DEVNULL)  # it complains when it may not raise its limits
        processes.append(bus)
        wait_for(top / "bus", bus)
        daemon = subprocess.Popen([build / "musterd", f"--run={run}", f"--helper={build / 'muster-helper'}",
                                   "--log-target=console", "--log-level=warning"],
                                  env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=address))
        processes.append(daemon)
        wait_for(run / "systemd/machine/io.systemd.Machine", daemon)
        bad = ask_dbus(address) + ask_varlink(run)
        daemon.terminate()
        if daemon.wait(timeout=20) != 0:
            bad.append(f"musterd ended with {daemon.returncode}")
        return bad
    finally:
        for process in reversed(processes):
            process.kill()
            process.wait()


def find_programs(build):
    """The directory with the programs under their plain names, as tools/build leaves it; None when they are not built."""
    programs = ["musterd", "muster-helper"]
    if all((build / p).exists() for p in programs):
        return build
    if not all((build / "src" / p / p).exists() for p in programs):
        return None
    for p in programs:  # meson was called by hand
        (build / p).unlink(missing_ok=True)
        (build / p).symlink_to(pathlib.Path("src") / p / p)
    return build


# ---- proving that it can fail ----


def self_test():
    text = (DATA / "dbus" / "org.freedesktop.machine1.Manager.xml").read_text()
    changes = {
        "a method less": ('<method name="GetMachine">', '<method name="FetchMachine">'),
        "another type": ('<arg name="pid" type="u" direction="in"/>', '<arg name="pid" type="i" direction="in"/>'),
        "another argument name": ('name="uid_outer" type="u" direction="in"', 'name="uid" type="u" direction="in"'),
        "another annotation": ('value="false"', 'value="const"'),
        "another access": ('access="read"', 'access="readwrite"'),
        "a signal for a method": ('<signal name="MachineNew">', '<method name="MachineNew">'),
    }
    if compare_xml(text, text) or compare_varlink("a", "interface a\n", "interface a\n"):
        print("self-test: equal things differ")
        return 1
    for what, (old, new) in changes.items():
        changed = text.replace(old, new, 1)
        if what == "a signal for a method":
            changed = changed.replace("</signal>", "</method>", 1)
        if changed == text or not compare_xml(text, changed):
            print(f"self-test: {what} goes unnoticed")
            return 1
    if not compare_varlink("a", "interface a\n", "interface a \n"):
        print("self-test: a blank more goes unnoticed")
        return 1
    return 0


def main(argument):
    if argument == "--self-test":
        return self_test()
    build = find_programs(pathlib.Path(argument).resolve())
    missing = [p for p in ("dbus-daemon", "dbus-send") if not shutil.which(p)]
    if not build or missing:
        print("skipped: " + (f"{' and '.join(missing)} not installed" if missing else "musterd is not built"))
        return SKIP
    with tempfile.TemporaryDirectory(prefix="muster-iface-") as top:
        bad = run_daemon(build, pathlib.Path(top))
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
