#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-child: fail when code that runs between clone3() and execve() calls what could load, lock or allocate.

Usage: tools/check-child.py ARCHIVE... | --self-test
In a foreign root file system a lazily loaded locale, NSS module or library would be the container's code with our
privileges. The archive it is for is spawn_child, of muster-spawn; nothing in the registry runs in that place:
musterd starts muster-helper by posix_spawn(). printf to a buffer is denied, too: it may allocate, and asks the locale.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

DENIED = re.compile(
    r"^(malloc|calloc|realloc|reallocarray|free|strdup|strndup|v?asprintf|fopen|fdopen|opendir|v?(d|f|s|sn)?printf|puts|fputs"
    r"|__\w*printf_chk|v?syslog|exit|atexit|abort)$"
    r"|^(getpw|getgr|getaddrinfo|gethostby|initgroups|iconv|setlocale|localtime|tz|dlopen|popen|system|pthread_|sd_)\w*$")


def denied(archives):
    text = subprocess.run(["nm", "-u", "-P", *archives], check=True, text=True, capture_output=True).stdout
    return sorted({line.split()[0] for line in text.splitlines() if line and DENIED.match(line.split()[0])})


def self_test():
    cases = {
        "#include <stdlib.h>\nvoid *f(void) { return malloc(3); }": ["malloc"],
        "#include <pwd.h>\nvoid *f(void) { return getpwnam(\"a\"); }": ["getpwnam"],
        "#include <stdio.h>\nint f(char *b, int i) { return snprintf(b, 9, \"%d\", i); }": ["snprintf"],
        "#include <unistd.h>\nvoid f(void) { write(1, \"x\", 1); _exit(1); }": [],
    }
    with tempfile.TemporaryDirectory() as top:
        source, output = pathlib.Path(top) / "a.c", str(pathlib.Path(top) / "a.o")
        for text, expected in cases.items():
            source.write_text(text)
            subprocess.run(["cc", "-c", "-o", output, str(source)], check=True)
            if denied([output]) != expected:
                print(f"self-test: found {denied([output])}, expected {expected}, in: {text}")
                return 1
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    found = denied(arguments)
    for symbol in found:
        print(f"not for a child: {symbol}()")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
