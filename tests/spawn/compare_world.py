#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""compare_world: what a payload sees under the original and under muster-spawn, and the differences that are admitted.

Usage: compare_world.py THEIRS OURS [CASE...]      each systemd-nspawn or muster-spawn; inside of integration/sandbox.py

Every case is one set of options, run once by each program with world-print as its payload. Two runs of the same program
must not differ at all. Between the two programs, every difference has to be named in docs/compatibility.md: in a row of
a table whose first cell has patterns in backquotes that begin with "world/", over "world/CASE/SECTION/..." (fnmatch);
"@252" at the end makes a pattern count for that version of the original only. A row that names a difference which is
not there fails, too. With WORLD_SHOW in the environment all output is shown. MUSTER_ORIGINAL_TREE: the OS tree that the original
is taken from, which need not be of this host's release.
"""
import json
import os
import pathlib
import re
import stat
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "integration"), str(HERE.parent / "compat")]
import compare as rows_of  # noqa: E402
import nspawn  # noqa: E402
import spawn  # noqa: E402

DOCUMENT = HERE.parents[1] / "docs" / "compatibility.md"
SKIP = 77
# A layer over the tree; a copy in memory, whose ids can be mapped and whose files can be given away.
BIG, SMALL = "bookworm", "busybox"

# name: (tree, options). {place}: a directory of the host with "dir" (a file and a mount in it), "owned" (by
# somebody), "file.d", "file" and "upper".
CASES = {
    "plain": (BIG, []),
    "small": (SMALL, []),
    "as-pid2": (BIG, ["--as-pid2"]),
    "terminal": (BIG, []),
    "private-network": (BIG, ["--private-network"]),
    "veth": (BIG, ["--network-veth"]),
    "users-pick": (SMALL, ["--private-users=pick"]),
    "users-U": (SMALL, ["-U"]),
    "users-U-network": (SMALL, ["-U", "--private-network"]),
    "users-chown": (SMALL, ["--private-users=1310720", "--private-users-ownership=chown"]),
    "users-identity": (SMALL, ["--private-users=identity"]),
    "volatile-yes": (BIG, ["--volatile=yes"]),
    "volatile-state": (BIG, ["--volatile=state"]),
    "volatile-overlay": (BIG, ["--volatile=overlay"]),
    "read-only": (BIG, ["--read-only"]),
    "ephemeral": (SMALL, ["--ephemeral"]),
    "user": (BIG, ["--user=nobody"]),
    "user-number": (BIG, ["--user=65534"]),
    "chdir": (BIG, ["--chdir=/usr/lib"]),
    "capability": (BIG, ["--capability=CAP_SYS_TIME,CAP_SYSLOG,CAP_IPC_LOCK"]),
    "capability-all": (BIG, ["--capability=all"]),
    "drop-capability": (BIG, ["--drop-capability=CAP_SYS_PTRACE,CAP_MKNOD,CAP_SYS_ADMIN"]),
    "drop-all": (BIG, ["--drop-capability=all"]),
    "no-new-privileges": (BIG, ["--no-new-privileges=yes"]),
    "filter-more": (BIG, ["--system-call-filter=@swap @keyring bpf"]),
    "filter-less": (BIG, ["--system-call-filter=~@mount ptrace"]),
    "suppress-sync": (BIG, ["--suppress-sync=yes"]),
    "personality": (BIG, ["--personality=x86"]),
    "mounts": (BIG, ["--bind={place}/dir:/mnt/dir", "--bind-ro={place}/file:/srv/file", "--bind=:/mnt/empty",
                     "--bind={place}/dir:/mnt/alone:norbind", "--tmpfs=/mnt/tmp:size=1M,mode=1777,nosuid",
                     "--tmpfs=/opt", "--bind=/dev/null:/mnt/null", "--bind-ro=+/usr/lib:/mnt/inner"]),
    "mounts-U": (SMALL, ["-U", "--bind={place}/dir:/mnt/raw", "--tmpfs=/mnt/tmp", "--bind=:/mnt/empty"]),
    "mounts-idmap": (SMALL, ["-U", "--bind={place}/owned:/mnt:idmap"]),
    "mounts-rootidmap": (SMALL, ["-U", "--bind={place}/owned:/mnt:rootidmap"]),
    "overlay": (BIG, ["--overlay={place}/dir:{place}/upper:/mnt", "--overlay-ro={place}/dir:{place}/file.d:/srv",
                      "--overlay=+/usr/lib::/usr/lib"]),
    "inaccessible": (BIG, ["--inaccessible=/etc/passwd", "--inaccessible=/root"]),
    "limits": (BIG, ["--rlimit=NOFILE=64:128", "--rlimit=CORE=infinity", "--rlimit=CPU=10min", "--rlimit=NICE=5"]),
    "scheduling": (BIG, ["--oom-score-adjust=500", "--cpu-affinity=1"]),
    "environment": (BIG, ["-EA=1", "--setenv=B=x y", "-EPATH=/usr:/bin", "-Econtainer=other", "-EUNSET"]),
    "names": (BIG, ["--hostname=foo.bar", "--uuid=00112233-4455-6677-8899-aabbccddeeff"]),
    "files-copied": (BIG, ["--resolv-conf=copy-host", "--timezone=copy"]),
    "files-bound": (BIG, ["--resolv-conf=bind-host", "--timezone=bind"]),
    "files-gone": (BIG, ["--resolv-conf=delete", "--timezone=delete"]),
    "files-off": (BIG, ["--resolv-conf=off", "--timezone=off"]),
    "journal": (BIG, ["--link-journal=try-guest"]),
    "credentials": (BIG, ["--set-credential=a.b:hello", "--load-credential=file:{place}/file"]),
}
# The C library keeps signals 32 and 33 for itself, so that the original hands on what the test was started with.
OF_THE_C_LIBRARY = 1 << 31 | 1 << 32
# Values of the same meaning that are new in every run, or say where the run took place.
RANDOM = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "<uuid>"),
    (re.compile(r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])"), "<id>"),
    (re.compile(r"(\.#[\w.-]*?)[0-9a-f]{16}(?![0-9a-f])"), r"\1<random>"),
    (re.compile(r"tree-[a-z0-9_]{8}"), "<place>"),
    (re.compile(r"(nspawn|muster-spawn)-([a-z-]+-)?\w{6}"), "<temporary>"),
    (re.compile(r"(/var/tmp/)[A-Za-z0-9]{6}(?!\w)"), r"\1<temporary>"),
    (re.compile(r"(pipe|socket|anon_inode):\[\d+\]"), r"\1:[]"),
    (re.compile(r"(process) \d+"), r"\1"),
    (re.compile(r"spawn-\d+-\d+\.service"), "<group>"),
]


def plain(text):
    for pattern, replacement in RANDOM:
        text = pattern.sub(replacement, text)
    return text


def same_peers(mounts):
    """Propagation without numbers: a group is called by that place which comes first in the alphabet."""
    groups = {}
    for mount in mounts:
        for word in mount["propagation"]:
            if word.startswith("shared:"):
                groups.setdefault(word[len("shared:"):], []).append(mount["point"])
    for mount in mounts:
        words = []
        for word in mount["propagation"]:
            kind, _, number = word.partition(":")
            members = sorted(set(groups.get(number, [])))
            others = members and members != [mount["point"]]
            words.append(f"{kind} of {members[0]}" if others else kind)
        mount["propagation"] = " ".join(words) or "private"


def numbered(pairs):
    """{key: value}, where what comes again under the same key is key#2, key#3, ..."""
    found = {}
    for key, value in pairs:
        again = 1
        while (name := key if again == 1 else f"{key}#{again}") in found:
            again += 1
        found[name] = value
    return found


def normalise(world):
    """World-print's object with what must differ between any two runs taken out."""
    same_peers(world["mounts"])
    world["mounts"] = numbered((plain(mount.pop("point")), mount) for mount in world["mounts"])
    world["environment"] = numbered(entry.partition("=")[::2] for entry in world["environment"])
    if isinstance(world["init"]["environment"], list):
        world["init"]["environment"].sort()
    world["status"]["SigIgn"] = f"{int(world['status']['SigIgn'], 16) & ~OF_THE_C_LIBRARY:016x}"
    for kind, own in world["namespaces"].items():
        ours = os.readlink(f"/proc/self/ns/{kind}")
        world["namespaces"][kind] = "the host's" if own == ours else "its own" if own.startswith(f"{kind}:") else own
    return world


def flatten(value, path, into):
    if isinstance(value, dict):
        for key, below in value.items():
            flatten(below, f"{path}/{plain(key).lstrip('/') or '.'}", into)
        if not value:
            into[path] = "empty"
    elif isinstance(value, list):
        into[path] = [plain(str(v)) for v in value]
    else:
        into[path] = plain(value) if isinstance(value, str) else value


def parse(output):
    """The object in it; a terminal may show something before and after, and ends its lines in its own way."""
    text = output.replace("\r\n", "\n")
    begin, end = text.find("{"), text.rfind("}")
    try:
        return json.loads(text[begin:end + 1])
    except json.JSONDecodeError:
        return None


def prepare(tree):
    """What the cases' options name; world-print in the tree."""
    place = tree.place / "src"
    for name in ("dir", "dir/below", "file.d", "owned", "upper"):
        (place / name).mkdir(parents=True)
    (place / "file").write_text("of the host\n")
    (place / "dir/entry").write_text("of the host\n")
    for name in ("dir", "owned"):
        os.chown(place / name, 1000, 1000)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "below", place / "dir/below"], check=True)
    for name in ("mnt", "srv", "opt"):
        (tree.root / name).mkdir(exist_ok=True)
    return place


def run(target, tree, case, options):
    """(exit status, output, messages)"""
    command = ["/usr/world-print"]
    container = spawn.Spawn(target, tree, *options, command=command, terminal=(24, 80) if case == "terminal" else None)
    try:
        return container.end(), container.text, container.messages
    finally:
        container.close()


def files_of(tree):
    """{path: what it is} in a copy, or in the layer over a tree: what the next run will find."""
    top, found = (tree.root if isinstance(tree, spawn.CopiedTree) else tree.place / "upper"), {}
    for directory, names, files in os.walk(top):
        for path in (pathlib.Path(directory, name) for name in names + files):
            st = path.lstat()
            text = f" -> {os.readlink(path)}" if path.is_symlink() else f" {st.st_size} bytes" if path.is_file() else ""
            found[f"/{path.relative_to(top)}"] = f"{stat.filemode(st.st_mode)} {st.st_uid}:{st.st_gid}{text}"
    return found


def observe_case(target, case):
    kind, options = CASES[case]
    leftovers = spawn.Leftovers()
    tree = (spawn.CopiedTree if kind == SMALL else nspawn.Tree)(kind)
    try:
        tree.mount()
        place = prepare(tree)
        spawn.install(tree, "world-print")
        before = files_of(tree)
        code, output, messages = run(target, tree, case, [option.format(place=place) for option in options])
        if os.environ.get("WORLD_SHOW"):
            print(f"{target} {case}: {code}\n{output}\n{messages}", file=sys.stderr)
        found = {"exit": code, "messages": "some" if messages else "none"}
        world = parse(output)
        found["world"] = "complete" if world else "none"
        flatten(normalise(world) if world else {}, "seen", found)
        after = files_of(tree)
        for path in before.keys() | after.keys():
            if before.get(path) != after.get(path):
                found[f"tree{plain(path)}"] = after.get(path, "gone")
        subprocess.run(["umount", place / "dir/below"], check=True)
    finally:
        tree.unmount()
    found["left"] = sorted(plain(line) for line in leftovers.found())
    return {f"world/{case}/{key}": value for key, value in found.items()}


def observe(target, cases):
    """{"world/CASE/...": value} of that program."""
    return {key: value for case in cases for key, value in observe_case(target, case).items()}


def version_of(target):
    text = subprocess.run([spawn.program(target), "--version"], capture_output=True, text=True, check=True).stdout
    return int(re.search(r"\d+", text).group())


def admitted(cases, version, same):
    """The document's rows for these cases; none between two runs of the same program."""
    rows = [] if same else [row for row in rows_of.admitted(DOCUMENT, version) if row[0].startswith("world/")]
    if cases != list(CASES):  # whether a row for all cases is true is only known when all were run
        rows = [row for row in rows if row[0].split("/")[1] in cases or "*" in row[0].split("/")[1]]
    return rows


def self_test():
    mounts = [{"point": "/a", "propagation": ["shared:7"]}, {"point": "/b", "propagation": ["shared:7", "master:9"]},
              {"point": "/c", "propagation": []}]
    same_peers(mounts)
    assert [m["propagation"] for m in mounts] == ["shared of /a", "shared of /a master", "private"], mounts
    assert plain("/run/tmp/tree-j_8ka0il/.#boot60a8d49f9419e4b8//x") == "/run/tmp/<place>/.#boot<random>//x"
    assert numbered([("a", 1), ("a", 2)]) == {"a": 1, "a#2": 2}


def original_of(tree):
    """A program that runs the tree's systemd-nspawn by the tree's own loader and libraries."""
    loader = next(tree.glob("usr/lib*/ld-linux-*.so.*"))
    libraries = next(tree.glob("usr/lib/*-linux-gnu"))
    program = pathlib.Path(os.environ["TMPDIR"]) / "systemd-nspawn"
    program.write_text(f"#!/bin/sh\nexec {loader} --library-path {libraries}:{libraries}/systemd --argv0 systemd-nspawn "
                       f"{tree}/usr/bin/systemd-nspawn \"$@\"\n")
    program.chmod(0o755)
    return str(program)


def main(arguments):
    if "MUSTER_ORIGINAL_TREE" in os.environ:
        os.environ["MUSTER_ORIGINAL"] = original_of(pathlib.Path(os.environ["MUSTER_ORIGINAL_TREE"]))
    cases = arguments[2:] or list(CASES)
    unknown = [case for case in cases if case not in CASES]
    if len(arguments) < 2 or not set(arguments[:2]) <= set(spawn.TARGETS) or unknown:
        print(f"no such case: {', '.join(unknown)}" if unknown else __doc__, file=sys.stderr)
        return 2
    self_test()
    for target in arguments[:2]:
        if spawn.why_not(target):
            print(spawn.why_not(target), file=sys.stderr)
            return SKIP
    for kind in (BIG, SMALL):
        if not nspawn.Tree(kind).exists():
            print(f"there is no tree of {kind}: tools/os-tree makes it", file=sys.stderr)
            return SKIP
    theirs, ours = arguments[:2]
    version = version_of(theirs)
    rows = admitted(cases, version, theirs == ours)
    original, muster = observe(theirs, cases), observe(ours, cases)
    unexpected, unused = rows_of.compare({"systemd": version, "seen": original}, {"seen": muster}, rows)
    if cases != list(CASES):
        unused = [pattern for pattern in unused if "*" not in pattern.split("/")[1]]
    incomplete = [case for case in cases if original[f"world/{case}/world"] == "none"]
    for text in unexpected:
        print(text)
    for pattern in unused:
        print(f"{DOCUMENT.name} admits a difference that is not there (systemd {version}): {pattern}")
    print(f"{len(cases)} cases ({len(incomplete)} that the original refuses: {' '.join(incomplete) or 'none'}), "
          f"{len(original)} observations of {theirs} {version}, {len(rows)} differences admitted, "
          f"{len(unexpected)} not admitted, {len(unused)} not found")
    return 1 if unexpected or unused else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
