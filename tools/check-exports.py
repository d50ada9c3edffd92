#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-exports: fail when a shared library gives other symbols than its version script names, or takes others than allowed.

Usage: tools/check-exports.py (LIBRARY MAP [IMPORTS])... | --self-test
The version script is the list of what programs may link: taking a name out of it, or moving it to another version, breaks
them, so each change of it is one that a review sees. IMPORTS, a file that ends in .imports, has the only functions that the
library may call.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ALWAYS = re.compile(r"^(__errno_location|__stack_chk_fail|__cxa_finalize|__gmon_start__|_ITM_\w+|__\w+_chk|__tls_get_addr)$")


def nm(kind, library):
    """name -> version, "" for none."""
    text = subprocess.run(["nm", "-D", kind, "-P", library], check=True, text=True, capture_output=True).stdout
    names = (line.split()[0] for line in text.splitlines() if line and line.split()[1] != "A")
    return {name.split("@")[0]: name.split("@")[-1] if "@" in name else "" for name in names}


def wanted(text):
    found = {}
    for version, body in re.findall(r"^(\w*)\s*\{(.*?)\}\s*\w*;", text, re.M | re.S):
        names = re.search(r"global:(.*?)(local:|$)", body, re.S)
        found |= {name: version for name in re.findall(r"(\w+)\s*;", names[1] if names else "")}
    return found


def check(library, script, imports=None):
    given, named = nm("--defined-only", library), wanted(pathlib.Path(script).read_text())
    bad = [f"{library}: {name} is not in {script}" for name in sorted(given.keys() - named.keys())]
    bad += [f"{library}: {name} is missing" for name in sorted(named.keys() - given.keys())]
    bad += [f"{library}: {name} has version {given[name]!r}, not {named[name]!r}"
            for name in sorted(given.keys() & named.keys()) if given[name] != named[name]]
    if imports:
        allowed = set(re.sub(r"#.*", "", pathlib.Path(imports).read_text()).split())
        bad += [f"{library}: must not call {name}()" for name in sorted(nm("--undefined-only", library))
                if name not in allowed and not ALWAYS.match(name)]
    return bad


def self_test():
    script = "A_1 {\nglobal:\n f;\nlocal:\n *;\n};\nA_2 {\nglobal:\n g;\n} A_1;\n"
    cases = {
        "int f(void) { return 1; }\nint g(void) { return 2; }": [],
        "int f(void) { return 1; }\n": ["g is missing"],
        "#include <stdlib.h>\nvoid *f(void) { return malloc(1); }\nint g(void) { return 2; }": ["must not call malloc()"],
    }
    with tempfile.TemporaryDirectory() as top:
        top = pathlib.Path(top)
        for name, text in (("a.map", script), ("b.map", script.replace(" g;", " g; h;").replace("A_2", "A_3")),
                           ("a.imports", "# nothing\n")):
            (top / name).write_text(text)
        for text, expected in cases.items():
            (top / "a.c").write_text(text)
            subprocess.run(["cc", "-shared", "-fPIC", f"-Wl,--version-script={top / 'a.map'}", "-o", top / "a.so", top / "a.c"], check=True)
            found = [line.split(": ", 1)[1] for line in check(str(top / "a.so"), top / "a.map", top / "a.imports")]
            if found != expected:
                print(f"self-test: found {found}, expected {expected}, in: {text}")
                return 1
        found = [line.split(": ", 1)[1] for line in check(str(top / "a.so"), top / "b.map")]
        if found != ["h is missing", "g has version 'A_2', not 'A_3'"]:
            print(f"self-test: found {found}")
            return 1
    return 0


def main(arguments):
    if arguments == ["--self-test"]:
        return self_test()
    groups = []
    for argument in arguments:
        if argument.endswith((".map", ".imports")):
            groups[-1].append(argument)
        else:
            groups.append([argument])
    bad = [line for group in groups for line in check(*group)]
    for line in bad:
        print(line)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
