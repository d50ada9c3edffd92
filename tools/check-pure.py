#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-pure: fail when an archive of the pure half calls anything but memory, strings and its own layer.

Usage: tools/check-pure.py ARCHIVE... | --self-test
Purity is a link-time fact: a time(), getenv() or open() shows up as an undefined symbol.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

PURE = re.compile(
    r"^(mem|stp|__mem)\w+$|^(__)?str(?!ftime|fmon|ptime)\w+$"
    r"|^(malloc|calloc|realloc|reallocarray|free|qsort|bsearch)$"
    r"|^(v?snprintf|v?asprintf|__v?(sn|as)printf_chk)$|^__ctype_b_loc$|^__isoc23_strto\w+$"
    r"|^(abort|__assert_fail|__stack_chk_fail|__errno_location)$"
    r"|^(json_\w+|jansson_\w+)$|^_GLOBAL_OFFSET_TABLE_$|^__(asan|ubsan|sanitizer|gcov|llvm)\w*$")


def symbols(kind, archives):
    text = subprocess.run(["nm", kind, "-P", *archives], check=True, text=True, capture_output=True).stdout
    return {line.split()[0] for line in text.splitlines() if line and not line.rstrip().endswith(":")}


def foreign(archives):
    return sorted(s for s in symbols("-u", archives) - symbols("--defined-only", archives) if not PURE.match(s))


def compile_archive(directory, text):
    source = directory / "a.c"
    source.write_text(text)
    subprocess.run(["cc", "-c", "-o", directory / "a.o", source], check=True)
    subprocess.run(["ar", "rc", directory / "a.a", directory / "a.o"], check=True)
    return str(directory / "a.a")


def self_test():
    cases = {
        "#include <time.h>\nlong f(void) { return time(0); }": ["time"],
        "#include <stdlib.h>\nchar *f(void) { return getenv(\"A\"); }": ["getenv"],
        "#include <stdio.h>\n#include <fcntl.h>\nint f(void) { puts(\"x\"); return open(\"/\", 0); }": ["open", "puts"],
        "#include <string.h>\n#include <stdlib.h>\nchar *f(char *a) { free(a); return strdup(a); }": [],
    }
    with tempfile.TemporaryDirectory() as top:
        for text, expected in cases.items():
            found = foreign([compile_archive(pathlib.Path(top), text)])
            if found != expected:
                print(f"self-test: found {found}, expected {expected}, in: {text}")
                return 1
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    found = foreign(arguments)
    for symbol in found:
        print(f"not pure: {symbol}()")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
