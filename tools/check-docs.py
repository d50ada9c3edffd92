#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-docs: fail when a document says something else than the code. Usage: tools/check-docs.py TOP | --self-test

- docs/scope-properties.md and the table in src/core/scope.c name the same properties with the same fate;
- every polkit action that src/core/access.c asks for is in data/polkit/;
- the walks of docs/ARCHITECTURE.md, written `folder/file.c: function`, name functions that are in those files;
- docs/ARCHITECTURE.md stays under 300 lines.
"""
import pathlib
import re
import sys

FATE = {"RESOURCE": "applied", "IO_LIMIT": "applied", "SCOPE_SLICE": "applied", "SCOPE_CPUS": "applied",
        "SCOPE_DESCRIPTION": "accepted", "ACCEPTED": "accepted", "SCOPE_ACCEPTED": "accepted",
        "SCOPE_NOT_ENFORCED": "not enforced"}
ARCHITECTURE_MAX = 299


def scope_in_code(text):
    found = {name: FATE[macro] for macro, name in re.findall(r'^\s+(RESOURCE|IO_LIMIT|ACCEPTED)\("(\w+)"', text, re.M)}
    for name, kind in re.findall(r'^\s+\{ "(\w+)", [^,]+, (SCOPE_\w+),', text, re.M):
        found[name] = FATE[kind]
    return found


def scope_in_document(text):
    return dict(re.findall(r"^\| `(\w+)` \| (applied|accepted|not enforced) \|", text, re.M))


def check_scope(code, document):
    code, document = scope_in_code(code), scope_in_document(document)
    return [f"scope property {name}: {code.get(name, 'unknown')} in the code, {document.get(name, 'missing')} in the document"
            for name in sorted(code.keys() | document.keys()) if code.get(name) != document.get(name)]


def check_actions(code, policy):
    wanted = {f"org.freedesktop.machine1.{name}" for name in re.findall(r'ACTION\("([\w-]+)"\)', code)}
    return [f"polkit action {name} is not in the policy file"
            for name in sorted(wanted - set(re.findall(r'<action id="([^"]+)">', policy)))]


def check_walks(document, read):
    bad = []
    for path, names in re.findall(r"`([\w-]+/[\w-]+\.[ch]): ([^`]+)`", document):
        text = read(path)
        if text is None:
            bad.append(f"ARCHITECTURE.md: there is no src/{path}")
            continue
        for name in re.findall(r"\w+", names):
            if not re.search(rf"^(?!\s|/|\*)[^;\n]*\b({name}\(|HANDLER\({name}\))", text, re.M):
                bad.append(f"ARCHITECTURE.md: src/{path} has no {name}()")
    if len(document.splitlines()) > ARCHITECTURE_MAX:
        bad.append(f"ARCHITECTURE.md has more than {ARCHITECTURE_MAX} lines")
    return bad


def check(top):
    def read(path):
        file = top / "src" / path
        return file.read_text() if file.exists() else None
    return (check_scope(read("core/scope.c"), (top / "docs/scope-properties.md").read_text())
            + check_actions(read("core/access.c"), (top / "data/polkit/org.freedesktop.machine1.policy").read_text())
            + check_walks((top / "docs/ARCHITECTURE.md").read_text(), read))


def self_test():
    code = '        RESOURCE("A", X),\n        ACCEPTED("B"),\n        { "C", NULL, SCOPE_NOT_ENFORCED, 0 },\n'
    good = "| `A` | applied | x |\n| `B` | accepted | x |\n| `C` | not enforced | x |\n"
    source = "int f(void) {\n        g();\n}\n\nHANDLER(h) {\n"
    read = {"core/a.c": source}.get
    fine = [check_scope(code, good), check_actions('ACTION("a")', '<action id="org.freedesktop.machine1.a">'),
            check_walks("`core/a.c: f, h`", read)]
    broken = [check_scope(code, good.replace("accepted", "applied")), check_scope(code, good + "| `D` | applied | x |\n"),
              check_scope(code + '        ACCEPTED("E"),\n', good), check_actions('ACTION("a")', ""),
              check_walks("`core/a.c: g`", read), check_walks("`core/b.c: f`", read), check_walks("x\n" * 300, read)]
    if any(fine) or not all(broken):
        print(f"self-test: fine {fine}, broken {broken}")
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
