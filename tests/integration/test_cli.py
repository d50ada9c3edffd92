# SPDX-License-Identifier: LGPL-2.1-or-later
"""muster: each verb, option and exit status; and as machinectl, compared with the stock one on the same daemon."""
import json
import os
import pathlib
import pty
import re
import signal
import subprocess

import pytest
import world
from world import machinectl, muster, run_client

TOP = pathlib.Path(__file__).resolve().parents[2]
ID = "0123456789abcdef0123456789abcdef"


# Looking for leaks more than doubles the time of a program that ends at once. Where many are started, others have looked.
QUICKLY = dict(ASAN_OPTIONS="detect_leaks=0")


def says(status, text, *arguments, client=muster):
    """A failure: nothing on standard output, one sentence on standard error."""
    result = client(*arguments, check=False, environment=QUICKLY)
    assert result.returncode == status, (arguments, result)
    assert text in result.stderr and result.stderr.startswith("muster: "), (arguments, result)
    assert result.stdout == "", (arguments, result)


@pytest.fixture
def musterd(request, build):
    """Without a bus: everything that muster does works so. Only stock machinectl, where ours is compared with it, needs one."""
    if "as_machinectl" in request.fixturenames:
        request.getfixturevalue("bus")
    daemon = world.Musterd(build, *([] if "as_machinectl" in request.fixturenames else ["--bus=no"]))
    daemon.start()
    yield daemon
    daemon.finish()


@pytest.fixture
def machines(musterd, processes):
    """Two of them, with all and with nothing to tell: {name: leader}."""
    rich = processes.sleeper(unshare=["-n"])
    subprocess.run(["nsenter", "-t", str(rich), "-n", "sh", "-c",
                    "ip link set lo up; ip link add v0 type veth peer name v1; ip link set v0 up; "
                    "ip addr add 10.1.2.3/24 dev v0; ip addr add 10.1.2.4/24 dev v0"], check=True)
    plain = processes.sleeper()
    muster("register", "rich-1.x", f"--leader={rich}", "--service=svc", "--root=/srv/web", f"--id={ID}", "--iface=lo",
           "--vsock-cid=7", "--ssh-address=vsock/7", "--ssh-key=/root/key")
    muster("register", "plain", f"--leader={plain}", "--class=vm", "--create")
    return {"rich-1.x": rich, "plain": plain}


def test_list(machines):
    lines = muster("list").stdout.splitlines()
    assert lines == ["MACHINE  CLASS     SERVICE OS     VERSION ADDRESSES",
                     "plain    vm        -       -      -       -",
                     "rich-1.x container svc     debian 12      10.1.2.3…",
                     "", "2 machines listed."]
    assert muster().stdout.splitlines() == lines
    assert muster("list", "--no-legend").stdout.split("\n")[1] == "rich-1.x container svc debian 12 10.1.2.3…"
    assert ".host    host      -       debian 12      -" in muster("list", "--all").stdout
    assert "ADDRESSES" not in muster("list", "--max-addresses=0").stdout
    assert "10.1.2.4" in muster("list", "--max-addresses=2").stdout
    for everything in ("--max-addresses=all", "--full", "-l"):
        text = muster("list", everything).stdout
        assert "10.1.2.3\n" in text and "10.1.2.4" in text
    environment = dict(LC_ALL="C")
    assert "10.1.2.3..." in muster("list", environment=environment).stdout


def test_json(machines):
    [plain, rich] = json.loads(muster("list", "--json=short").stdout)
    assert plain == {"machine": "plain", "class": "vm", "service": None, "os": None, "version": None, "addresses": [],
                     "unit": "machine-plain.scope", "leader": machines["plain"]}
    assert rich["addresses"][:2] == ["10.1.2.3", "10.1.2.4"] and rich["os"] == "debian" and rich["unit"] is None
    one_line = muster("list", "--json=short").stdout
    assert one_line.count("\n") == 1 and one_line == muster("list", "-j").stdout == muster("list", "-o", "json").stdout
    pretty = muster("list", "--json=pretty").stdout
    assert pretty.count("\n") > 10 and json.loads(pretty) == [plain, rich]
    assert muster("list", "--output=json-pretty").stdout == pretty
    assert muster("list", "--json=off").stdout == muster("list").stdout
    [shown] = json.loads(muster("show", "rich-1.x", "--json=short").stdout)
    assert shown["Id"] == ID and shown["Leader"] == machines["rich-1.x"] and shown["NetworkInterfaces"] == [1]
    assert json.loads(muster("show", "--json=pretty").stdout)["PoolPath"] == "/var/lib/machines"
    [status] = json.loads(muster("status", "plain", "--json=short").stdout)
    assert status["tracked"] == "cgroup" and status["cgroup"] == "/machine.slice/machine-plain.scope"
    assert str(machines["plain"]) in json.dumps(status["processes"])
    checks = json.loads(muster("doctor", "--json=short").stdout)
    assert {"check", "ok"} <= checks[0].keys() and any(c["check"] == "registry daemon" and c["ok"] for c in checks)


def test_show(machines):
    text = muster("show", "rich-1.x").stdout
    values = dict(line.split("=", 1) for line in text.splitlines())
    assert values["Name"] == "rich-1.x" and values["Class"] == "container" and values["State"] == "running"
    assert values["Leader"] == str(machines["rich-1.x"]) and values["RootDirectory"] == "/srv/web"
    assert values["SSHAddress"] == "vsock/7" and values["SSHPrivateKeyPath"] == "/root/key" and values["VSockCID"] == "7"
    assert "Unit=" not in text and "\nUnit=\n" in muster("show", "rich-1.x", "--all").stdout
    assert "\nUnit=\n" in muster("show", "rich-1.x", "-a").stdout
    assert muster("show", "rich-1.x", "-p", "Unit").stdout == "Unit=\n"  # asked for by name
    assert muster("show", "rich-1.x", "plain", "-p", "Name", "--property=Class", "--value").stdout == \
        "rich-1.x\ncontainer\n\nplain\nvm\n"
    assert muster("show", "plain", "-P", "Name").stdout == "plain\n"
    assert muster("show", "plain", "-p", "Banana").stdout == ""
    assert muster("show").stdout.startswith("PoolPath=/var/lib/machines\n")


def test_status(machines):
    text = muster("status", "rich-1.x", "plain").stdout
    for line in (f"rich-1.x({ID})", f"Leader: {machines['rich-1.x']} (sleep)", "Service: svc; class container",
                 "Root: /srv/web", "Iface: lo", "VSock CID: 7", "SSH: vsock/7", "Address: 10.1.2.3",
                 "tracked by its leader process only", "Class: vm", "Unit: machine-plain.scope",
                 f"└─{machines['plain']} sleep 1000"):
        assert line in text, line
    assert f"└─{machines['plain']}" not in muster("status", "plain", environment=dict(LC_ALL="C")).stdout
    assert muster("status", ".host").stdout.startswith(".host")


def test_kill_terminate_unregister_wait(machines, processes):
    muster("kill", "plain", "--signal=CONT")
    muster("kill", "plain", "-s", "SIGCONT", "--kill-whom=leader", "--quiet")
    says(1, 'Cannot kill "plain"', "kill", "plain", "--kill-whom=supervisor")  # muster itself was that, and has ended
    muster("wait", "plain", "rich-1.x")
    says(1, '"plain" is still not stopped.', "wait", "plain", "--for=stopped", "--timeout=10ms")
    waiting = subprocess.Popen([world_muster(), "wait", "plain", "--for=stopped"])
    muster("kill", "plain", "-s", "9")
    assert waiting.wait(20) == 0
    muster("unregister", "rich-1.x")
    os.kill(machines["rich-1.x"], 0)
    assert muster("list").stdout == "No machines.\n" and muster("list", "--no-legend").stdout == ""
    assert muster("list", "--json=short").stdout == "[]\n"
    muster("wait", "never-there", "--for=stopped")
    coming = subprocess.Popen([world_muster(), "wait", "comes", "--for=running"])
    leader = processes.sleeper()
    muster("register", "comes", f"--leader={leader}")
    assert coming.wait(20) == 0
    muster("terminate", "comes")
    muster("wait", "comes", "--for=stopped")


def test_wait_is_patient():
    """A registry that is restarted just now is no reason to give up."""
    with world.FakeRegistry() as listener:
        waiting = subprocess.Popen([world_muster(), "wait", "web", "--for=stopped"], stderr=subprocess.PIPE)
        listener.accept()[0].close()
        with listener.accept()[0] as connection:
            assert b'"web"' in connection.recv(65536)
            connection.sendall(b'{"error":"io.systemd.Machine.NoSuchMachine","parameters":{}}\0')
            assert waiting.communicate(timeout=20)[1] == b"" and waiting.returncode == 0


def world_muster():
    return str(pathlib.Path(os.environ["MUSTER_BUILD"]) / "muster")


def test_wrong_command_lines(musterd):
    usage = [
        ('There is no verb "banana"', "banana"), ("There is no option --banana", "--banana"), ("no option -Z", "-Z"),
        ("kill needs the name of a machine", "kill"), ("status needs the name", "status"), ("wait needs", "wait"),
        ("list takes no names", "list", "x"), ("doctor takes no names", "doctor", "x"),
        ("register takes one name", "register", "x", "y", "--leader=1"), ("register needs --leader", "register", "x"),
        ("--json=x: must be", "list", "--json=x"), ("must be \".host\"", "list", "-M", "foo"),
        ("--signal=BANANA", "kill", "x", "-s", "BANANA"), ("--signal=0", "kill", "x", "--signal=0"),
        ("--signal=65", "kill", "x", "--signal=65"), ("--signal=RTMAX+1", "kill", "x", "--signal=RTMAX+1"),
        ("--kill-whom=banana", "kill", "x", "--kill-whom=banana"), ("--for=banana", "wait", "x", "--for=banana"),
        ("--timeout=soon", "wait", "x", "--timeout=soon"), ("--max-addresses=-1", "list", "--max-addresses=-1"),
        ("--max-addresses needs a value", "list", "--max-addresses"), ("--all takes no value", "list", "--all=yes"),
        ("--leader=0", "register", "x", "--leader=0"), ("--leader=-5", "register", "x", "--leader=-5"),
        ("--class=host", "register", "x", "--leader=2", "--class=host"),
        ("--root=relative", "register", "x", "--leader=2", "--root=relative"),
        ("--vsock-cid=x", "register", "x", "--leader=2", "--vsock-cid=x"), ("--run=run", "list", "--run=run"),
        ("-H, --host is refused", "-H", "host", "list"), ("--user=: must be", "list", "--user="),
        ('"start" is not possible yet', "start", "x"), ('"clone" is not possible yet', "clone"),
        ('"pull-tar" is not possible yet', "pull-tar", "x"),
    ]
    for text, *arguments in usage:
        says(2, text, *arguments)


def test_names_that_cannot_be(musterd):
    for verb in ("status", "show", "kill", "terminate", "poweroff", "stop", "reboot", "restart", "unregister"):
        says(1, '"none"', verb, "none")
        says(1, "is no machine name", verb, "foo_bar")
    for name in ("", "a" * 65, "..", "../../etc", "a b", "\xe4"):
        says(1, "is no machine name", "show", "--", name)
    says(1, r"\x1b", "kill", "\x1b[31mred")  # shown, not obeyed by the terminal
    for verb in ("kill", "terminate", "poweroff", "reboot", "unregister"):
        says(1, '".host"', verb, ".host")
    says(1, "is no machine name", "wait", "foo_bar")


def test_several_names(machines):
    """One failure makes the status 1, and the others are done all the same."""
    result = muster("kill", "none", "plain", "foo_bar", "--signal=KILL", check=False)
    assert result.returncode == 1 and result.stderr.count("\n") == 2
    muster("wait", "plain", "--for=stopped")
    result = muster("show", "none", "rich-1.x", "-P", "Name", check=False)
    assert result.returncode == 1 and result.stdout == "rich-1.x\n"
    result = muster("status", "none", "rich-1.x", "--json=short", check=False)
    assert result.returncode == 1 and len(json.loads(result.stdout)) == 1


def test_bad_registrations(machines, processes):
    leader = processes.sleeper()
    says(1, "taken already", "register", "plain", f"--leader={leader}")
    says(1, "belongs to another machine already", "register", "again", f"--leader={machines['plain']}")
    says(1, '"leader"', "register", "x", "--leader=1")
    says(1, "there is no such process", "register", "x", "--leader=4194303")
    says(1, "is no machine name", "register", "foo_bar", f"--leader={leader}")
    says(1, "", "register", "x", f"--leader={leader}", "--id=banana")
    says(1, "", "register", "x", f"--leader={leader}", "--iface=banana0")
    says(1, "", "register", "x", f"--leader={leader}", "--vsock-cid=1")
    says(1, "", "register", "x", f"--leader={leader}", "--service=a\nb")
    assert "x" not in muster("list", "--no-legend").stdout.split()


def test_help_names_what_there_is(musterd):
    text = muster("--help").stdout
    assert muster("help").stdout == muster("list", "-h").stdout == text
    assert re.fullmatch(r"muster \d+\.\d+.*\n", muster("--version").stdout)
    options = set(re.findall(r"--([a-z-]+)", text))
    verbs = set(re.findall(r"^  ([a-z][a-z-]*)", text, re.M)) | {"stop", "restart", "help", "version"}
    manual = (TOP / "man" / "muster.1.scd").read_text()
    # The manual, both completions and --help know the same.
    documented = set(re.findall(r"\*--([a-z-]+)\*", manual.split("# OPTIONS")[1].split("# SIGNALS")[0]))
    assert options == documented
    section = manual.split("# VERBS")[1].split("# OPTIONS")[0]
    titles = re.findall(r"^(\*[a-z-]+\*.*)$", section, re.M)
    assert verbs == {name for title in titles for name in re.findall(r"\*([a-z][a-z-]*)\*", title)}
    bash = (TOP / "data" / "completions" / "muster").read_text()
    zsh = (TOP / "data" / "completions" / "_muster").read_text()
    assert set(re.search(r"local verbs='(.*)'", bash)[1].split()) == verbs
    assert set(re.findall(r"^ +'([a-z-]+):", zsh, re.M)) == verbs
    assert set(re.findall(r"--([a-z-]+)[= \n']", bash.split("local registering")[0].split("local options")[1]
                          + bash.split("local registering")[1].split("COMPREPLY")[0])) == options
    assert set(re.findall(r"--([a-z-]+)[=\[,}]", zsh.split("_arguments")[1])) == options
    properties = set(json.loads(muster("show", ".host", "--json=short").stdout)[0])
    assert set(re.search(r"property:\((.*?)\)", zsh)[1].split()) == properties
    assert set(re.search(r"--property\|-p\|-P\)\s+mapfile.*?-W '(.*?)'", bash, re.S)[1].split()) == properties


def complete(*words):
    """What bash offers for the last word."""
    script = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _muster; printf "%s\\n" "${COMPREPLY[@]}"'
    path = f"{os.environ['MUSTER_BUILD']}:{os.environ['PATH']}"
    result = subprocess.run(["bash", "-c", script, "bash", TOP / "data/completions/muster", "muster", *words],
                            text=True, capture_output=True, env=dict(os.environ, PATH=path))
    return result.stdout.split()


def test_bash_completion(machines):
    assert complete("st") == ["status", "stop", "stats"]
    assert complete("status", "") == [".host", "plain", "rich-1.x"]
    assert complete("kill", "ri") == ["rich-1.x"]
    assert complete("--json", "=", "p") == ["pretty"]
    assert complete("register", "--le") == ["--leader="]
    assert complete("list", "x") == []


@pytest.fixture
def as_machinectl(tmp_path):
    link = tmp_path / "machinectl"
    link.symlink_to(world_muster())
    return lambda *arguments, **options: run_client([link, "-M", ".host"], *arguments, **options)


# What the stock one has no words for, or words of its own: shown differently, listed in test_as_machinectl_differences.
SAME = [
    "list", "", "list --all", "list --no-legend", "list -l", "list --full --no-legend", "list --max-addresses=0",
    "list --max-addresses=2", "list --max-addresses=all", "list -o json", "list --all -o json", "-q list", "show",
    "show --property=PoolPath", "show rich-1.x -p Name -p Unit -p Id -p Class", "show rich-1.x plain -p Leader -p Unit",
    "show rich-1.x plain --value -p Name", "show plain -p Banana", "show plain --property=Leader,Name",
    "show plain --all -p Unit -p Service -p Timestamp -p TimestampMonotonic -p VSockCID -p State",
    "kill plain -s CONT", "kill plain --signal=SIGWINCH --kill-whom=leader", "kill rich-1.x none -s CONT", "status none",
    "show none", "kill none", "kill", "status", "list x", "banana", "--banana", "-Z", "kill plain -s BANANA",
    "kill plain -s 0", "kill plain -s 65", "kill plain --kill-whom=banana", "poweroff none", "poweroff none none",
    "reboot none", "terminate none", "terminate .host", "kill .host", "show foo_bar", "status foo_bar", "poweroff",
    "list --max-addresses=-1", "list --max-addresses", "--json=short list", "list -j", "--run=/x list", "wait plain",
    "register x --leader=2", "unregister plain", "doctor", "terminate foo_bar", "list --no-legend --no-pager",
]


def test_as_machinectl(machines, as_machinectl):
    different = []
    for line in SAME:
        stock, ours = (client(*line.split(), check=False, environment=QUICKLY) for client in (machinectl, as_machinectl))
        if (stock.returncode, stock.stdout) != (ours.returncode, ours.stdout):
            different.append((line, stock, ours))
        assert bool(stock.stderr) == bool(ours.stderr), (line, stock, ours)
    assert not different


def test_as_machinectl_differences(machines, as_machinectl):
    """Where the output is not to be equal, it holds the same."""
    stock, ours = (client("status", "rich-1.x").stdout for client in (machinectl, as_machinectl))
    pairs = [dict(re.findall(r"^\s+([A-Z][A-Za-z ]*): (.*)$", text, re.M)) for text in (stock, ours)]
    assert {key: pairs[1].get(key) for key in pairs[0] if key != "Since"} == \
        {key: value for key, value in pairs[0].items() if key != "Since"}
    stock, ours = (client("show", "rich-1.x", "-a").stdout.splitlines() for client in (machinectl, as_machinectl))
    assert [line for line in stock if "[unprintable]" not in line] == \
        [line for line in ours if not line.startswith("NetworkInterfaces=")]
    stock, ours = (client("kill", "plain", "-s", "list").stdout.splitlines() for client in (machinectl, as_machinectl))
    assert [line for line in stock if line.split()[0] not in ("32", "33")] == ours
    stock, ours = (json.loads(client("list", "-o", "json-pretty").stdout) for client in (machinectl, as_machinectl))
    assert stock == ours
    says(1, "is refused", "list", "--verify=no", client=as_machinectl)


def test_without_a_daemon(musterd, machines):
    listed = muster("list", "--json=short").stdout
    shown = muster("show", "plain").stdout
    musterd.kill()
    rows = json.loads(muster("list", "--json=short").stdout)
    assert [(r["machine"], r["leader"], r["unit"]) for r in rows] == \
        [(r["machine"], r["leader"], r["unit"]) for r in json.loads(listed)]
    assert muster("show", "plain").stdout == shown
    assert "not running" in muster("status", "plain").stdout
    for arguments in (["kill", "plain"], ["terminate", "plain"], ["poweroff", "plain"], ["reboot", "plain"],
                      ["unregister", "plain"], ["register", "x", f"--leader={os.getpid()}"]):
        says(1, "No registry is running", *arguments)
    says(1, 'There is no machine "none"', "show", "none")
    says(1, "", "wait", "none", "--timeout=10ms")
    muster("wait", "plain")
    assert any(not c["ok"] and c["check"] == "registry daemon" for c in json.loads(muster("doctor", "-j").stdout))
    waiting = subprocess.Popen([world_muster(), "wait", "plain", "--for=stopped"])
    os.kill(machines["plain"], signal.SIGKILL)
    assert waiting.wait(20) == 0
    assert [r["machine"] for r in json.loads(muster("list", "--json=short").stdout)] == ["rich-1.x"]
    musterd.start()
    assert muster("list", "--no-legend").stdout.split()[0] == "rich-1.x"
    assert muster("list", "--run=/nonexistent").stdout == "No machines.\n"


def on_terminal(*arguments, environment=()):
    """Runs muster with a terminal of 60 columns for its output."""
    ours, theirs = pty.openpty()
    subprocess.run(["stty", "cols", "60"], stdin=theirs, check=True)
    process = subprocess.Popen([world_muster(), *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
                               env={**os.environ, "TERM": "xterm", "PAGER": "sed s/^/paged:/", **dict(environment)})
    os.close(theirs)
    text = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # EIO: the other side is closed
            break
        if not data:
            break
        text += data
    os.close(ours)
    assert process.wait(20) == 0, text
    return text.decode().replace("\r\n", "\n")


def test_colour_and_pager_only_on_a_terminal(machines, processes):
    wide = processes.sleeper(command=("bash", "-c", "exec -a '" + "a long command line " * 5 + "' sleep 1000"))
    world.wait_until(lambda: world.comm(wide) == "sleep", "bash to have become sleep")
    muster("register", "wide", f"--leader={wide}")
    for arguments in (["status", "plain"], ["list"], ["doctor"], ["status", "plain", "-j"]):
        assert "\x1b" not in muster(*arguments).stdout
    assert "\x1b[" in on_terminal("status", "plain", "--no-pager")
    assert "\x1b[" not in on_terminal("status", "plain", "--no-pager", environment={"NO_COLOR": "1"})
    assert "\x1b[" not in on_terminal("status", "plain", "--no-pager", environment={"TERM": "dumb"})
    assert "paged:" in on_terminal("list") and "paged:" not in on_terminal("list", "--no-pager")
    assert "paged:" not in on_terminal("list", environment={"SYSTEMD_PAGER": "cat"})
    assert json.loads(re.sub(r"\x1b\[[0-9;]*m", "", on_terminal("list", "-j", "--no-pager")))
    tree = on_terminal("status", "wide", "--no-pager", environment={"NO_COLOR": "1"}).split("\n")
    assert max(len(line) for line in tree if "─" in line) <= 60
    tree = on_terminal("status", "wide", "--no-pager", "--full", environment={"NO_COLOR": "1"})
    assert "a long command line " * 5 in tree


def test_output_that_cannot_be_written(machines):
    with open("/dev/full", "w") as full:
        for arguments in (["list"], ["show", "plain"], ["list", "-j"], ["help"]):
            result = subprocess.run([world_muster(), *arguments], stdout=full, stderr=subprocess.PIPE)
            assert result.returncode == 1, arguments


SIGNAL_TRAP = ("sh", "-c", """
    for s in HUP INT QUIT USR1 USR2 TERM PWR; do trap "echo $s >%s; exit" $s; done
    echo ready >%s; while :; do sleep 0.02; done""")


@pytest.mark.parametrize("verb, expected", [("poweroff", "TERM"), ("stop", "TERM"), ("reboot", "INT"), ("restart", "INT")])
def test_signals_for_a_plain_program(musterd, processes, tmp_path, verb, expected):
    heard = tmp_path / "heard"
    leader = processes.sleeper(command=(*SIGNAL_TRAP[:2], SIGNAL_TRAP[2] % (heard, heard)))
    world.wait_until(lambda: heard.exists() and heard.read_text() == "ready\n", "the program to listen")
    muster("register", "plain", f"--leader={leader}")
    muster(verb, "plain")
    muster("wait", "plain", "--for=stopped", "--timeout=20")
    assert heard.read_text() == expected + "\n"


@pytest.mark.parametrize("verb", ["poweroff", "reboot"])
def test_signals_for_busybox_init(musterd, processes, tmp_path, verb):
    """busybox' init is PID 1 of a namespace; both its ways out end it, and what it prints tells them apart."""
    root = tmp_path / "root"
    for name in ("bin", "etc", "dev", "proc"):
        (root / name).mkdir(parents=True)
    subprocess.run(["cp", "/bin/busybox", root / "bin"], check=True)
    (root / "bin" / "init").symlink_to("busybox")
    (root / "etc" / "inittab").write_text("::sysinit:/bin/busybox touch /up\n::shutdown:/bin/busybox touch /down\n"
                                          "::respawn:/bin/busybox sleep 3600\n")
    (root / "dev" / "console").touch()
    unshare = processes.sleeper(command=("unshare", "--pid", "--fork", "--mount", f"--root={root}", "/bin/init"))
    world.wait_until((root / "up").exists, "init to run")
    [leader] = subprocess.run(["pgrep", "-P", str(unshare)], capture_output=True, text=True).stdout.split()
    assert os.readlink(f"/proc/{leader}/exe").endswith("/bin/busybox")
    muster("register", "box", f"--leader={leader}")
    muster(verb, "box")
    muster("wait", "box", "--for=stopped", "--timeout=20")
    assert (root / "down").exists()
    # reboot(2) inside of a pid namespace: how the kernel ends its init says what was asked for.
    status = next(p for p in processes.all if p.pid == unshare).wait()
    assert status == -(signal.SIGINT if verb == "poweroff" else signal.SIGHUP) or status == 128 + (
        signal.SIGINT if verb == "poweroff" else signal.SIGHUP)
