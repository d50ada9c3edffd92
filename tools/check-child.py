#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-child: fail when code that runs between clone3() and execve() calls what it must not.

Usage: check-child.py ARCHIVE... | --bare ARCHIVE... | --self-test
It may be in the memory of another process, which goes on, so only what looks at bytes is allowed, and functions of ours that were
written for it. A wrapper of a system call sets errno, which is the other's, too; and in a foreign root file system a lazily loaded
locale, NSS module or library would be the container's code with our privileges.

--bare: code that runs before there is a C library calls nothing of it: what looks at bytes may be one of several functions there,
of which the library has not chosen yet.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ALLOWED = re.compile(
    r"^(mem(cmp|cpy|move|set|chr)|mempcpy|stpn?cpy|str(n?cmp|n?len|n?cat|n?cpy|r?chr|chrnul))$"
    r"|^__(mem(cpy|move|set)|mempcpy|stpn?cpy|strn?c(at|py))_chk$|^__stack_chk_fail$|^_GLOBAL_OFFSET_TABLE_$|^__(a|ub)san_\w+$"
    r"|^(mount_attach|mount_change|inode_info)$"  # sys: bare system calls
    r"|^(stub_init|stub_serve|clone_beside)$"  # checked by themselves, or nothing but a call
    r"|^process_(areas_find|hide)$")  # only in memory of its own: rule_memory() of plan/plan-check.c

BARE = re.compile(r"^(_start|__ehdr_start)$")  # where a program begins


def symbols(archives, *options):
    text = subprocess.run(["nm", "-P", *options, *archives], check=True, text=True, capture_output=True).stdout
    return {line.split()[0] for line in text.splitlines() if len(line.split()) > 1}


def denied(archives, allowed):
    wanted = symbols(archives, "-u") - symbols(archives, "--defined-only")
    return sorted(s for s in wanted if not allowed.match(s))


def self_test():
    cases = {
        "#include <stdlib.h>\nvoid *f(void) { return malloc(3); }": (["malloc"], ["malloc"]),
        "#include <pwd.h>\nvoid *f(void) { return getpwnam(\"a\"); }": (["getpwnam"], ["getpwnam"]),
        "#include <stdio.h>\nint f(char *b, int i) { return snprintf(b, 9, \"%d\", i); }": (["snprintf"], ["snprintf"]),
        "#include <unistd.h>\nvoid f(void) { write(1, \"x\", 1); _exit(1); }": (["_exit", "write"], ["_exit", "write"]),
        "#include <errno.h>\nint f(void) { return errno; }": (["__errno_location"], ["__errno_location"]),
        "#include <string.h>\nint f(const char *a, const char *b) { return strcmp(a, b); }": ([], ["strcmp"]),
        "int f(int a) { return a + 1; }": ([], []),
    }
    with tempfile.TemporaryDirectory() as top:
        source, output = pathlib.Path(top) / "a.c", str(pathlib.Path(top) / "a.o")
        for text, expected in cases.items():
            source.write_text(text)
            subprocess.run(["cc", "-c", "-o", output, str(source)], check=True)
            found = denied([output], ALLOWED), denied([output], BARE)
            if found != expected:
                print(f"self-test: found {found}, expected {expected}, in: {text}")
                return 1
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    found = denied(arguments[1:], BARE) if arguments[0] == "--bare" else denied(arguments, ALLOWED)
    for symbol in found:
        print(f"not to be called there: {symbol}()")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
