#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""observe: puts the same questions to whatever owns org.freedesktop.machine1, and writes down what it sees.

Usage: observe.py OUTPUT.json [CASE-PREFIX...]

Run as root on a host with systemd as PID 1. The daemon to look at runs already; $DAEMON is its unit without ".service".
What differs from run to run by nature (process numbers, times, ids of boots) is written as a word, so that two outputs can be
compared by compare.py.
"""
import json
import pathlib
import subprocess
import sys
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cases  # noqa: E402
import target  # noqa: E402


def flatten(value, path, out):
    """{"a": {"b": 1}} -> {"a/b": 1}; lists are leaves."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            flatten(inner, f"{path}/{key}", out)
    else:
        out[path] = value


def observe(chosen):
    seen = {}
    for name, case in cases.ALL.items():
        if chosen and not name.startswith(tuple(chosen)):
            continue
        with target.Target() as t:
            try:
                result = case(t)
            except Exception:  # noqa: BLE001 - one broken case must not hide the others
                result = {"the case itself failed": traceback.format_exc()}
            left = t.clean_up()
            if left:
                result = dict(result, **{"left behind": left})
        flatten(result, name, seen)
        print(f"  {name}", flush=True)
    return seen


def main(arguments):
    if not arguments:
        print(__doc__, file=sys.stderr)
        return 2
    version = subprocess.run(["systemctl", "--version"], text=True, capture_output=True).stdout.split()[1]
    seen = observe(arguments[1:])
    pathlib.Path(arguments[0]).write_text(json.dumps({"systemd": int(version.split(".")[0]), "seen": seen}, indent=1))
    broken = [path for path in seen if path.endswith("/the case itself failed")]
    for path in broken:
        print(path, seen[path], sep="\n", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
