# SPDX-License-Identifier: LGPL-2.1-or-later
"""Every JSON that muster prints is what data/schema says."""
import json
import os
import pathlib
import re
import subprocess

import pytest
import world

jsonschema = pytest.importorskip("jsonschema")
TOP = pathlib.Path(__file__).resolve().parents[2]
SCHEMAS = TOP / "data" / "schema"
VERBS = {"show-registry": "show", "logs-list": "logs"}  # else they are called as the verb


def muster(*arguments, check=True):
    return world.muster(*arguments, check=check, environment=dict(ASAN_OPTIONS="detect_leaks=0"))


def strict(schema):
    """For others there may be more members some day; we want to know of them."""
    if isinstance(schema, dict):
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
        for value in schema.values():
            strict(value)
    elif isinstance(schema, list):
        for value in schema:
            strict(value)
    return schema


def holds(name, *arguments, lines=False):
    schema = strict(json.loads((SCHEMAS / f"{name}.json").read_text()))
    jsonschema.Draft202012Validator.check_schema(schema)
    text = muster(VERBS.get(name, name), *arguments, "--json=short").stdout
    values = [json.loads(line) for line in text.splitlines()] if lines else [json.loads(text)]
    assert values and all(values)
    for value in values:
        jsonschema.validate(value, schema, cls=jsonschema.Draft202012Validator)
    return values


@pytest.fixture
def machines(musterd_without_bus, processes):
    with world.Varlink() as v:
        v.register("rich", processes.mapped(655360000), rootDirectory="/srv", ifIndices=[1], vSockCid=7, service="svc",
                   id="0123456789abcdef0123456789abcdef", sshAddress="vsock/7", sshPrivateKeyPath="/key")
        v.register("scope", processes.sleeper(unshare=["-n", "sh", "-c", "ip addr add 10.1.2.3/32 dev lo scope global; "
                                                       "ip link set lo up; exec sleep 1000"]), allocateUnit=True)
        v.register("vm", processes.sleeper(), **{"class": "vm"})
    world.wait_until(lambda: "10.1.2.3" in muster("resolve", "scope", check=False).stdout, "the address")
    logs = pathlib.Path("/var/log/muster")
    logs.mkdir(mode=0o750, exist_ok=True)
    (logs / "rich.log").write_text("2026-11-26T12:00:00.000000Z < muster-spawn\n2026-11-26T12:00:01.000000Z | hello\n")
    yield
    (logs / "rich.log").unlink()


def test_all(machines, musterd_without_bus):
    listed = holds("list", "--all")[0]
    assert {row["machine"] for row in listed} == {".host", "rich", "scope", "vm"}
    holds("show", "rich", "scope", "vm", ".host")
    holds("show", "rich", "--property=Name")
    holds("show-registry")
    holds("status", "rich", "scope", "vm", ".host")
    muster("kill", "scope", "--signal=CONT")
    assert {event["kind"] for event in holds("events", lines=True)} >= {"registered", "created", "running", "kill"}
    holds("logs", "rich", lines=True)
    holds("logs-list")
    holds("stats")
    holds("resolve", "scope")
    holds("user", "655360002", "scope:5")
    holds("user")
    holds("user", "--group", "vg-rich-7")
    holds("doctor")
    musterd_without_bus.kill()
    for name, *arguments in (["list"], ["show", "rich", "scope"], ["status", "rich"], ["user", "655360002"], ["resolve", "scope"],
                             ["doctor"]):
        holds(name, *arguments)
    holds("events", lines=True)
    musterd_without_bus.start()
    gap = {"gap": {"from": 1, "to": 5}}
    jsonschema.validate(gap, strict(json.loads((SCHEMAS / "events.json").read_text())))


def test_each_verb_with_json_has_one():
    """The manual says which they are."""
    text = (TOP / "man" / "muster.1.scd").read_text()
    known = re.search(r"\*-j\* is pretty on a terminal.*?know it", text, re.S)[0]
    verbs = set(re.findall(r"\*(\w+)\*", known))
    assert verbs == {VERBS.get(path.stem, path.stem) for path in SCHEMAS.glob("*.json")} - {"spawn-plan"}


@pytest.mark.parametrize("options", (
    [], ["--boot"], ["--ephemeral", "--read-only"], ["--private-users=524288", "--private-users-ownership=chown", "--private-network"],
    ["--volatile=overlay", "--as-pid2", "--user=root", "--chdir=/usr"], ["--volatile=yes"],
    ["--bind=/etc:/mnt", "--bind-ro=/usr:/srv:norbind", "--tmpfs=/opt:size=1M", "--inaccessible=/usr/lib", "--overlay=/etc:/usr::/media"],
    ["--link-journal=try-host", "--uuid=0123456789abcdef0123456789abcdef", "--rlimit=RLIMIT_NOFILE=100", "--oom-score-adjust=5",
     "--cpu-affinity=0", "--personality=x86", "--no-new-privileges=yes", "--system-call-filter=~@mount", "--timezone=copy",
     "--resolv-conf=copy-host", "--set-credential=a:b", "--console=pipe"]))
def test_plan(tmp_path, options):
    """muster-spawn --dry-run=json: what would be done, with nothing done."""
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    for name in ("srv", "mnt", "opt", "media", "sbin", "var/log"):
        (tmp_path / name).mkdir(parents=True)
    (tmp_path / "etc/os-release").write_text("ID=box\n")
    (tmp_path / "sbin/init").write_text("")
    (tmp_path / "sbin/init").chmod(0o755)
    build = pathlib.Path(os.environ["MUSTER_BUILD"])
    out = subprocess.run([world.spawn_program(build), "--dry-run=json", "--quiet", f"--directory={tmp_path}", "--machine=box", *options,
                          *([] if "--boot" in options else ["true"])], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    schema = strict(json.loads((SCHEMAS / "spawn-plan.json").read_text()))
    jsonschema.validate(json.loads(out.stdout), schema, cls=jsonschema.Draft202012Validator)
