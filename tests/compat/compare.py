#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""compare: two outputs of observe.py, and the differences that docs/compatibility.md admits.

Usage: compare.py ORIGINAL.json MUSTER.json [compatibility.md]

Every row of a table in the document whose first cell is in backquotes names cases: a pattern over "case/key" (fnmatch(3)), and
several of them separated by blanks. A row whose pattern ends in "@252" counts for that version of the original only.
"""
import fnmatch
import json
import pathlib
import re
import sys

# What is not in an original of before that version is compared with nothing.
SINCE = {"register-ex*": 262, "create-ex*": 262, "varlink/*": 262, "resolve/*": 262}


def admitted(document, version):
    """[(pattern, the row's reason)]"""
    found = []
    for line in pathlib.Path(document).read_text().splitlines():
        cells = [c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]]
        if len(cells) < 3 or not cells[0].startswith("`"):
            continue
        for pattern in re.findall(r"`([^`]+)`", cells[0]):
            name, _, only = pattern.partition("@")
            if not only or str(version) in only.split(","):
                found.append((name, cells[-1]))
    return found


def is_newer(path, version):
    return any(fnmatch.fnmatchcase(path, pattern) and version < since for pattern, since in SINCE.items())


def compare(original, muster, rows):
    """(differences that no row admits, patterns that admit nothing)"""
    version = original["systemd"]
    theirs, ours = original["seen"], muster["seen"]
    missing = object()
    unexpected, used = [], set()
    asked = {path.split("/")[0] for path in theirs}  # of the other cases nothing can be said
    for path in sorted(theirs.keys() | ours.keys()):
        if is_newer(path, version):
            continue
        a, b = theirs.get(path, missing), ours.get(path, missing)
        if a == b:
            continue
        row = next((p for p, _ in rows if fnmatch.fnmatchcase(path, p)), None)
        used.add(row)
        if row is None:
            show = lambda v: "nothing" if v is missing else json.dumps(v)  # noqa: E731
            unexpected.append(f"{path}\n    original: {show(a)}\n    muster:   {show(b)}")
    unused = [p for p, _ in rows if p not in used and not is_newer(p, version) and p.split("/")[0] in asked]
    return unexpected, unused


def self_test():
    original = {"systemd": 252, "seen": {"a/x": 1, "a/y": 2, "b": 1, "varlink/x": 1}}
    muster = {"systemd": 252, "seen": {"a/x": 2, "a/y": 3, "b": 1}}
    unexpected, unused = compare(original, muster, [("a/x", "why"), ("a/z", "why"), ("c/x", "why")])
    assert len(unexpected) == 1 and unexpected[0].startswith("a/y") and unused == ["a/z"]


def main(arguments):
    if len(arguments) not in (2, 3):
        print(__doc__, file=sys.stderr)
        return 2
    self_test()
    document = arguments[2] if len(arguments) == 3 else pathlib.Path(__file__).resolve().parents[2] / "docs/compatibility.md"
    original, muster = (json.loads(pathlib.Path(a).read_text()) for a in arguments[:2])
    rows = admitted(document, original["systemd"])
    unexpected, unused = compare(original, muster, rows)
    for text in unexpected:
        print(text)
    for pattern in unused:
        print(f"{document} admits a difference that is not there (systemd {original['systemd']}): {pattern}")
    print(f"{len(original['seen'])} observations of systemd {original['systemd']}, {len(rows)} differences admitted, "
          f"{len(unexpected)} not admitted, {len(unused)} not found")
    return 1 if unexpected or unused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
