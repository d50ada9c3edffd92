#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-format: fail when clang-format would change a file. Usage: tools/check-format.py TOP | --self-test

Skipped where there is no clang-format. Its versions disagree in places: the one that counts is Debian 12's, 14.
"""
import concurrent.futures
import difflib
import pathlib
import shutil
import subprocess
import sys
import tempfile

VERSION = "14"
SKIP = 77  # meson's exit code for a skipped test
STYLE = pathlib.Path(__file__).resolve().parent.parent / ".clang-format"


def find_program():
    return shutil.which(f"clang-format-{VERSION}") or shutil.which("clang-format")


def why_not(program):
    if not program:
        return "clang-format is not installed"
    told = subprocess.run([program, "--version"], text=True, capture_output=True).stdout.split("version")[-1].strip()
    if not told.startswith(VERSION + "."):
        return f"clang-format {VERSION} decides here, this is {told}"
    return None


def difference(program, path):
    """What `make format` would do to the file, as a unified diff; empty when nothing."""
    text = path.read_text()
    right = subprocess.run([program, f"--style=file:{STYLE}", f"--assume-filename={path}"], input=text, check=True,
                           text=True, capture_output=True).stdout
    return list(difflib.unified_diff(text.splitlines(), right.splitlines(), str(path), "formatted", "", "", 1, ""))


def check(program, top):
    """One look at all files, since starting the program costs more than its work; then at those that it blames."""
    files = [p for folder in ("src", "tests", "bench", "include", "examples") for p in sorted((top / folder).rglob("*.[ch]"))]
    if not files:
        return []
    result = subprocess.run([program, f"--style=file:{STYLE}", "--dry-run", "--Werror", *files], text=True,
                            capture_output=True)
    if result.returncode == 0:
        return []
    blamed = [p for p in files if f"{p}:" in result.stderr]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        return [d for d in pool.map(lambda p: difference(program, p), blamed or files) if d]


def self_test(program):
    with tempfile.TemporaryDirectory() as temporary:
        top = pathlib.Path(temporary)
        (top / "src").mkdir()
        (top / "src" / "good.c").write_text("int f(void) {\n        return 0;\n}\n")
        (top / "src" / "bad.c").write_text("int f (void)\n{\n  return 0;\n}\n")
        found = check(program, top)
    if len(found) != 1 or "bad.c" not in found[0][0]:
        print(f"self-test: expected one complaint about bad.c, got {found}")
        return 1
    return 0


def main(argument):
    program = find_program()
    reason = why_not(program)
    if reason:
        print(f"skipped: {reason}")
        return SKIP
    if argument == "--self-test":
        return self_test(program)
    found = check(program, pathlib.Path(argument))
    for lines in found:
        print("\n".join(lines[:20]))
    if found:
        print(f"{len(found)} files need `make format`.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
