#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-layers: fail when a file includes a header of a folder, or of a library, that its own folder may not see.

Usage: tools/check-layers.py SRC | --self-test
The table is docs/ARCHITECTURE.md's; dependencies point down only.
"""
import pathlib
import re
import sys
import tempfile

PROGRAMS = {"musterd", "muster", "muster-helper", "muster-hook", "muster-spawn", "muster-enter", "muster-transfer", "muster-importd", "muster-vm", "libmuster",
            "nss", "nomad-driver"}
LIBRARY = {  # folder: the other folders it may include
    "base": set(), "core": {"base"}, "spec": {"base"}, "plan": {"base", "spec"},
    "codec": {"base", "core", "spec"}, "sys": {"base"},
    "service": {"base", "core"}, "backend": {"base", "core", "codec", "sys"},
    "ipc": {"base", "core", "codec", "sys", "service"}, "client": {"base", "codec", "sys", "core"},
}
ALLOWED = LIBRARY | {program: set(LIBRARY) for program in PROGRAMS}
ALLOWED["nss"] = set()  # it is loaded into every program: nothing in it allocates
ALLOWED["libmuster"] = {"base", "codec", "sys", "client", "core"}
SILENT = {"core", "spec", "plan", "codec", "sys"}  # they return errors, they never log
OUTSIDE = {  # beginning of a system header: the folders that may include it
    "systemd/": {"backend", "ipc", "musterd"},
    "jansson.h": {"codec"},
    "libsmartcols/": {"muster"},
    "seccomp.h": {"sys"},
    "uthash.h": {"core", "service", "backend", "ipc", "client"},
}
NO_SYSCALLS = {"base", "core", "spec", "plan", "codec", "service"}
SYSCALL_HEADERS = re.compile(r"^(fcntl|poll|spawn|dirent|syslog|sched|signal|pwd|grp|netdb|dlfcn|pthread)\.h$"
                             r"|^sys/(socket|stat|mount|epoll|signalfd|inotify|wait|syscall|un|xattr|mman|ioctl|prctl)\.h$"
                             r"|^(linux|net|arpa)/")
INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]', re.M)


def folder(path):
    return pathlib.PurePath(path).parts[0]


def check_own(path, own, header):
    if "/" not in header:
        return f"{path}: write the folder in '{header}'"
    if folder(header) != own and folder(header) not in ALLOWED[own]:
        return f"{path}: {own}/ may not include {header}"
    if own in SILENT and header == "base/log.h":
        return f"{path}: {own}/ returns errors, it does not log them"
    return None


def check_system(path, own, header):
    for beginning, folders in OUTSIDE.items():
        if header.startswith(beginning) and own not in folders:
            return f"{path}: {own}/ may not include <{header}>"
    if own in NO_SYSCALLS and SYSCALL_HEADERS.match(header):
        return f"{path}: {own}/ makes no system calls and needs no <{header}>"
    return None


def check(src):
    bad = []
    for path in sorted(src.rglob("*.[ch]")):
        own = folder(path.relative_to(src))
        if own not in ALLOWED:
            bad.append(f"{path}: folder '{own}' has no row in the table")
            continue
        for quote, header in INCLUDE.findall(path.read_text(errors="replace")):
            problem = check_own(path, own, header) if quote == '"' else check_system(path, own, header)
            if problem:
                bad.append(problem)
    return bad


def self_test():
    """Each line breaks exactly one rule; the last file breaks none."""
    broken = {
        "base/a.c": '#include "core/machine.h"', "core/a.c": '#include "sys/pidfd.h"',
        "sys/a.h": '#include "base/log.h"', "ipc/a.c": '#include "backend/store.h"',
        "service/a.c": "#include <systemd/sd-bus.h>", "codec/a.c": "#include <fcntl.h>",
        "muster/a.c": '#include "musterd/main.h"', "ghost/a.c": "", "core/b.c": '#include "machine.h"',
        "backend/a.c": "#include <jansson.h>",
    }
    with tempfile.TemporaryDirectory() as top:
        src = pathlib.Path(top)
        for name, text in broken.items() | {"core/fine.c": '#include <errno.h>\n#include "base/str.h"'}.items():
            (src / name).parent.mkdir(exist_ok=True)
            (src / name).write_text(text)
        found = check(src)
    blamed = sorted(str(pathlib.Path(line.split(":")[0]).relative_to(top)) for line in found)
    if blamed != sorted(broken):
        print(f"self-test: blamed {blamed}, expected {sorted(broken)}")
        return 1
    return 0


def main(argument):
    if argument == "--self-test":
        return self_test()
    bad = check(pathlib.Path(argument))
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
