# SPDX-License-Identifier: LGPL-2.1-or-later
"""A container of the stock systemd-nspawn, in an OS tree that tools/os-tree has made before the sandbox was entered."""
import os
import pathlib
import socket
import subprocess
import tempfile

import world


class Tree:
    """An OS tree of that kind, under a layer in memory: what is written to it is gone with it."""

    def __init__(self, kind):
        self.lower = pathlib.Path(os.environ.get("MUSTER_TREES", "/nonexistent")) / kind
        self.place = pathlib.Path(tempfile.mkdtemp(prefix="tree-"))
        self.root = self.place / "root"

    def exists(self):
        return self.lower.is_dir()

    def mount(self):
        for name in ("root", "upper", "work"):
            (self.place / name).mkdir()
        options = f"lowerdir={self.lower},upperdir={self.place / 'upper'},workdir={self.place / 'work'}"
        subprocess.run(["mount", "-t", "overlay", "-o", options, "overlay", self.root], check=True)

    def unmount(self):
        if self.root.is_mount():
            subprocess.run(["umount", self.root], check=True)
        subprocess.run(["rm", "-rf", self.place], check=True)


class Nspawn:
    """systemd-nspawn, running. options: beside name and directory."""

    def __init__(self, tree, name, *options, command=(), cgroup=None, stdin=subprocess.DEVNULL):
        self.name = name
        self.tree = tree
        self.console = pathlib.Path(tree.place) / f"{name}.console"
        self.ready = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.ready.bind(str(tree.place / f"{name}.ready"))
        self.ready.settimeout(90)
        # The socket's own path, because systemd-nspawn wants to reach it after it has changed its directories.
        environment = dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=world.BUS_ADDRESS, NOTIFY_SOCKET=self.ready.getsockname())

        with open(self.console, "wb") as console:
            self.process = subprocess.Popen(
                world.in_groups(cgroup or [], ["systemd-nspawn", "--quiet", f"--directory={tree.root}", f"--machine={name}",
                                               *options, *command]),
                stdin=stdin, stdout=console, stderr=subprocess.STDOUT, env=environment)

    @classmethod
    def boot(cls, tree, name, *options, **keywords):
        """Returns when the system inside says that it is up."""
        machine = cls(tree, name, "--boot", "--console=read-only", "--notify-ready=yes", *options, **keywords)
        machine.wait_ready()
        return machine

    def wait_ready(self):
        """Until READY=1 arrives: once for each time that the container starts."""
        while True:
            try:
                message = self.ready.recv(4096)
            except TimeoutError:
                raise AssertionError("the container does not come up:\n" + self.output()) from None
            if b"READY=1" in message.split(b"\n"):
                return

    def output(self):
        return self.console.read_text(errors="replace")

    def end(self, timeout=60):
        """Waits until it ends by itself; its exit status."""
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError("the container does not end:\n" + self.output()) from None

    def close(self):
        self.ready.close()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
