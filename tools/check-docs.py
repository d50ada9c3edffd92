#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""check-docs: fail when a document says something else than the code. Usage: tools/check-docs.py TOP | --self-test

- docs/scope-properties.md and the table in src/core/scope.c name the same properties with the same fate;
- every polkit action that src/core/access.c asks for is in data/polkit/;
- muster-spawn's table of options, its manual page and its completions for bash, zsh and fish have the same options; its table of
  keys of settings files and their manual page the same keys, marked (T) where a trusted file is needed;
- src/libmuster/libmuster.map, include/muster/muster.h and the manual pages of section 3 have the same functions;
- the walks of docs/ARCHITECTURE.md and docs/walks.md, written `folder/file.c: function`, name functions that are in those files;
- docs/ARCHITECTURE.md stays under 300 lines.
"""
import pathlib
import re
import sys

FATE = {"RESOURCE": "applied", "IO_LIMIT": "applied", "SCOPE_SLICE": "applied", "SCOPE_CPUS": "applied",
        "SCOPE_KILL_SIGNAL": "applied",
        "SCOPE_DESCRIPTION": "accepted", "ACCEPTED": "accepted", "OTHER_UNITS": "accepted", "SCOPE_ACCEPTED": "accepted",
        "SCOPE_NOT_ENFORCED": "not enforced"}
ARCHITECTURE_MAX = 299


def scope_in_code(text):
    found = {name: FATE[macro] for macro, name in re.findall(r'^\s+(RESOURCE|IO_LIMIT|ACCEPTED|OTHER_UNITS)\("(\w+)"', text, re.M)}
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


def differences(where, code, document):
    return ([f"{where}: {name} is missing" for name in sorted(code - document)]
            + [f"{where}: there is no {name}" for name in sorted(document - code)])


def option_names(pairs):
    return {f"--{long}" for long, _ in pairs if long} | {f"-{short}" for _, short in pairs if short}


def check_options(code, manual, bash, zsh, fish):
    rows = re.findall(r'\{ CHAPTER, (?:NULL|"([\w-]+)"), (?:0|\'(\w)\'),', code)
    options = option_names(rows)
    long = {name for name in options if name.startswith("--")}
    manual = manual.split("# OPTIONS")[1].split("# EXIT STATUS")[0]
    titles = "\n".join(re.findall(r"^\*-.*$", manual, re.M))
    return (differences("muster-spawn.1", options, set(re.findall(r"\*(--[\w-]+|-\w)\*", titles)))
            + differences("completion of bash", long,
                          set(re.findall(r"--[\w-]+", re.search(r"local options='(.*?)'", bash, re.S)[1])))
            + differences("completion of zsh", options,
                          set(re.findall(r"[{,'*](--?[\w-]+?)(?=\+?,|=-?[\[}]|[\[}])", zsh.split("_arguments")[1])))
            + differences("completion of fish", options, option_names(
                re.findall(r"^complete -c muster-spawn(?: -s \w)?(?: -l ([\w-]+))?()", fish, re.M)
                + re.findall(r"^complete -c muster-spawn()(?: -s (\w))", fish, re.M))))


def check_keys(code, manual):
    rows = [(section, key, trust) for section, key, trust in re.findall(r'\{ "(\w+)", "(\w+)", FROM_(\w+),', code)]
    rows += [("Exec", f"Limit{name}", "TRUSTED") for name in re.findall(r'LIMIT\("(\w+)", \d+\)', code)]
    keys = {f"[{section}] {key}{' (T)' if trust == 'TRUSTED' else ''}" for section, key, trust in rows}
    documented = set()
    for section, text in re.findall(r"^# \[(\w+)\] SECTION\n(.*?)(?=^# )", manual, re.M | re.S):
        titles = "\n".join(re.findall(r"^\*.*$", text, re.M))
        documented |= {f"[{section.capitalize()}] {key}{mark}" for key, mark in re.findall(r"\*(\w+)\*( \(T\))?", titles)}
    return differences("muster.nspawn.5", keys, documented)


def check_spawn(top, read):
    completions = top / "data/completions"
    return (check_options(read("spec/spec-argv.c"), (top / "man/muster-spawn.1.scd").read_text(),
                          (completions / "muster-spawn").read_text(), (completions / "_muster-spawn").read_text(),
                          (completions / "muster-spawn.fish").read_text())
            + check_keys(read("spec/spec-ini.c"), (top / "man/muster.nspawn.5.scd").read_text()))


def check_library(script, header, manual):
    exported = set(re.findall(r"\b(muster_\w+);", script))
    declared = set(re.findall(r"\b(muster_\w+)\(", re.sub(r"/\*.*?\*/", "", header, flags=re.S)))
    return (differences("muster.h", exported, declared)
            + differences("manual pages of libmuster", exported, set(re.findall(r"\*(muster_\w+)\*\((?:[a-z]|unsigned)", manual))))


def check_walks(document, read):
    bad = []
    for path, names in re.findall(r"`([\w-]+/[\w-]+\.[ch]): ([^`]+)`", document):
        text = read(path)
        if text is None:
            bad.append(f"a walk: there is no src/{path}")
            continue
        for name in re.findall(r"\w+", names):
            if not re.search(rf"^(?!\s|/|\*)[^;\n]*\b({name}\(|HANDLER\({name}\))", text, re.M):
                bad.append(f"a walk: src/{path} has no {name}()")
    if len(document.splitlines()) > ARCHITECTURE_MAX:
        bad.append(f"ARCHITECTURE.md has more than {ARCHITECTURE_MAX} lines")
    return bad


def check(top):
    def read(path):
        file = top / "src" / path
        return file.read_text() if file.exists() else None
    return (check_scope(read("core/scope.c"), (top / "docs/scope-properties.md").read_text())
            + check_library(read("libmuster/libmuster.map"), (top / "include/muster/muster.h").read_text(),
                            "\n".join(page.read_text() for page in (top / "man").glob("*.3.scd")))
            + check_actions(read("core/access.c"), (top / "data/polkit/org.freedesktop.machine1.policy").read_text())
            + check_spawn(top, read)
            + check_walks((top / "docs/ARCHITECTURE.md").read_text(), read) + check_walks((top / "docs/walks.md").read_text(), read))


def self_test():
    code = '        RESOURCE("A", X),\n        ACCEPTED("B"),\n        { "C", NULL, SCOPE_NOT_ENFORCED, 0 },\n'
    good = "| `A` | applied | x |\n| `B` | accepted | x |\n| `C` | not enforced | x |\n"
    source = "int f(void) {\n        g();\n}\n\nHANDLER(h) {\n"
    read = {"core/a.c": source}.get
    options = '{ CHAPTER, "bind", 0, X }, { CHAPTER, "boot", \'b\', X }, { CHAPTER, NULL, \'U\', X },'
    manual = "# OPTIONS\n*--bind*=_PATH_\n\tNot *--image*.\n*-b*, *--boot*\n*-U*\n# EXIT STATUS\n"
    bash = "local options='--bind= --boot'"
    zsh = "_arguments '*--bind=[a]:b' '(-b --boot)'{-b,--boot}'[c]' '-U[d]'"
    fish = "complete -c muster-spawn -l bind -r\ncomplete -c muster-spawn -s b -l boot\ncomplete -c muster-spawn -s U\n"
    keys = '{ "Exec", "Boot", FROM_ANY, x }, { "Files", "Bind", FROM_TRUSTED, x }, LIMIT("CPU", 0),'
    sections = "# [EXEC] SECTION\n*Boot*\n*LimitCPU* (T)\n# [FILES] SECTION\n*Bind* (T)\n\tAs *--bind*.\n# END\n"
    fine = [check_options(options, manual, bash, zsh, fish), check_keys(keys, sections), check_scope(code, good),
            check_actions('ACTION("a")', '<action id="org.freedesktop.machine1.a">'),
            check_walks("`core/a.c: f, h`", read)]
    broken = [check_options(options, manual.replace("*-U*", ""), bash, zsh, fish),
              check_options(options, manual.replace("*-b*", "*-c*"), bash, zsh, fish),
              check_options(options, manual, bash.replace("--boot", "--boots"), zsh, fish),
              check_options(options, manual, bash, zsh.replace("-b,", "-c,"), fish),
              check_options(options, manual, bash, zsh.replace("--bind", "--binds"), fish),
              check_options(options, manual, bash, zsh, fish.replace("-s b", "")),
              check_options(options, manual, bash, zsh, fish.replace("-l bind", "-l bnd")),
              check_keys(keys, sections.replace("*Bind* (T)", "*Bind*")), check_keys(keys, sections.replace("*Boot*", "")),
              check_keys(keys, sections.replace("CPU", "CPUS")), check_scope(code, good.replace("accepted", "applied")),
              check_scope(code, good + "| `D` | applied | x |\n"),
              check_scope(code + '        ACCEPTED("E"),\n', good), check_actions('ACTION("a")', ""),
              check_walks("`core/a.c: g`", read), check_walks("`core/b.c: f`", read), check_walks("x\n" * 300, read),
              check_library("muster_a;", "", "int *muster_a*(int _x_);"), check_library("muster_a;", "int muster_a(void);", ""),
              check_library("", "int muster_a(void);", "int *muster_a*(void);")]
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
