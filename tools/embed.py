#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""embed: interface files as C strings. Usage: tools/embed.py OUTPUT.c FILE.varlink..."""
import pathlib
import sys


def literal(text):
    lines = [line.replace("\\", "\\\\").replace('"', '\\"').replace("\t", "\\t") for line in text.splitlines()]
    return "\n".join(f'          "{line}\\n"' for line in lines)


def main(output, files):
    rows = []
    for name in files:
        path = pathlib.Path(name)
        rows.append(f'        {{ "{path.stem}",\n{literal(path.read_text())} }},')
    pathlib.Path(output).write_text(
        '/* Made by tools/embed.py from data/varlink. */\n#include "ipc/varlink-interfaces.h"\n\n'
        "const struct varlink_interface varlink_interfaces[] = {\n" + "\n".join(rows) + "\n        { NULL, NULL },\n};\n")


main(sys.argv[1], sys.argv[2:])
