# SPDX-License-Identifier: LGPL-2.1-or-later
"""Who may do what: real polkitd with rules, the shipped bus policy and activation file, callers that are not root."""
import json
import os
import pathlib
import pwd
import select
import shutil
import signal
import subprocess
import sys
import threading
import time
import traceback

import pytest
import world

TOP = pathlib.Path(__file__).resolve().parents[2]
POLKITD = "/usr/lib/polkit-1/polkitd"
MACHINE1 = "org.freedesktop.machine1"
HOOK = "/run/systemd/resolve.hook/io.systemd.Machine"
FRIEND, FOE, STRANGER = "daemon", "games", "nobody"  # Debian's own users, for polkit's rules know users by name

RULES = """
polkit.addRule(function(action, subject) {
        if (subject.user == "%(friend)s") {
                if (action.id == "org.freedesktop.machine1.register-machine" ||
                    action.id == "org.freedesktop.machine1.create-machine")
                        return polkit.Result.YES;
                if (action.id == "org.freedesktop.machine1.manage-machines" && action.lookup("verb") == "kill" &&
                    (action.lookup("machine") || action.lookup("name")) == "public")
                        return polkit.Result.YES;
                if (action.id == "org.freedesktop.machine1.inspect-machines" && action.lookup("verb") == "open_log" &&
                    action.lookup("machine") == "public")
                        return polkit.Result.YES;
                if (action.id == "org.freedesktop.machine1.manage-machines" && action.lookup("verb") == "copy" &&
                    (action.lookup("machine") || action.lookup("name")) == "public" &&
                    action.lookup("src") == "/etc/hostname" && action.lookup("dest") == "/nowhere/at/all")
                        return polkit.Result.YES;
                if (action.id == "org.freedesktop.machine1.shell" && action.lookup("machine") == "public" &&
                    action.lookup("user") == "root" && action.lookup("program") == "/bin/echo" &&
                    action.lookup("command_line") == "/bin/echo a b")
                        return polkit.Result.YES;
                return polkit.Result.NO;
        }
        if (subject.user == "%(foe)s")
                return polkit.Result.NO;
        return polkit.Result.AUTH_ADMIN;
});
""" % {"friend": FRIEND, "foe": FOE}

# What a system bus allows before the files of services are read (dbus-daemon(1)).
SYSTEM_POLICY = """
    <deny own="*"/><deny send_type="method_call"/>
    <allow send_type="signal"/><allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/><allow receive_type="method_return"/><allow receive_type="error"/>
    <allow receive_type="signal"/><allow send_destination="org.freedesktop.DBus"/>"""


def account(user):
    try:
        return pwd.getpwnam(user)
    except KeyError:
        pytest.skip(f"this system has no user {user}")


def uid_of(user):
    return account(user).pw_uid


@pytest.fixture
def system_bus(bus, tmp_path):
    """system_bus(services=""): a bus with our policy and polkit's in the place of the one where everything is allowed."""
    aside = world.BUS_SOCKET + ".aside"
    os.rename(world.BUS_SOCKET, aside)
    includes = f"<include>{TOP}/data/dbus/org.freedesktop.machine1.conf</include>"
    includes += '<include ignore_missing="yes">/usr/share/dbus-1/system.d/org.freedesktop.PolicyKit1.conf</include>'
    started = []

    def start(services=""):
        started.append(world.Bus(policy=SYSTEM_POLICY, services=services, includes=includes))
    yield start
    for one in started:
        one.stop()
    os.rename(aside, world.BUS_SOCKET)


@pytest.fixture
def daemon(system_bus, build):
    system_bus()
    musterd = world.Musterd(build)
    musterd.start()
    yield musterd
    musterd.finish()


@pytest.fixture
def polkit(daemon):
    """polkitd with our rules and the shipped actions, and with nothing of this system's configuration."""
    if not os.access(POLKITD, os.X_OK):
        pytest.skip("polkitd is not installed")
    covered = ["/etc/polkit-1", "/usr/share/polkit-1"]
    for place in covered:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=755", "polkit", place], check=True)
    for place in ("/etc/polkit-1/rules.d", "/usr/share/polkit-1/rules.d", "/usr/share/polkit-1/actions"):
        os.mkdir(place)
    pathlib.Path("/etc/polkit-1/rules.d/10-test.rules").write_text(RULES)
    shutil.copy(TOP / "data/polkit/org.freedesktop.machine1.policy", "/usr/share/polkit-1/actions")
    process = subprocess.Popen([POLKITD, "--no-debug"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                               env=dict(os.environ, DBUS_SYSTEM_BUS_ADDRESS=world.BUS_ADDRESS))

    def knows_actions():
        out = world.busctl("call", "org.freedesktop.PolicyKit1", "/org/freedesktop/PolicyKit1/Authority",
                           "org.freedesktop.PolicyKit1.Authority", "EnumerateActions", "s", "", check=False)
        return "org.freedesktop.machine1.register-machine" in out.stdout
    world.wait_until(knows_actions, "polkitd to know our actions", timeout=30)
    yield process
    process.kill()
    process.wait()
    for place in covered:
        subprocess.run(["umount", place], check=True)


def send(user, method, *arguments, path="/org/freedesktop/machine1", interface=MACHINE1 + ".Manager", dest=MACHINE1):
    """A call as that user. None, or the name of the error."""
    result = subprocess.run(["dbus-send", f"--bus={world.BUS_ADDRESS}", "--print-reply", f"--dest={dest}", path,
                             f"{interface}.{method}", *arguments], capture_output=True, text=True, user=uid_of(user),
                            group=account(user).pw_gid, extra_groups=[])
    if result.returncode == 0:
        return None
    assert result.stderr.startswith("Error "), result.stderr
    return result.stderr.split()[1].rstrip(":")


def register(user, name, leader):
    return send(user, "RegisterMachine", f"string:{name}", "array:byte:", "string:test", "string:container",
                f"uint32:{leader}", "string:")


def varlink(user, method, **parameters):
    """The same over the socket: None, or the name of the error. In a process that is that user's, as the kernel sees it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            world.drop_privileges(uid_of(user))()
            with world.Varlink() as v:
                v.send("io.systemd.Machine." + method, parameters)
                os.write(writing, json.dumps(v.receive()).encode())
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    return json.loads(text).get("error")


DENIED = "org.freedesktop.DBus.Error.AccessDenied"
ASK = "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired"
VARLINK_DENIED = "org.varlink.service.PermissionDenied"
VARLINK_ASK = "io.systemd.InteractiveAuthenticationRequired"


def names():
    with world.Varlink() as v:
        return v.names()


def test_without_polkit(daemon, processes):
    """Everybody may look, only root and owners may do."""
    theirs = processes.sleeper(user=uid_of(FRIEND))
    assert register("root", "web", processes.sleeper()) is None
    assert send(FRIEND, "ListMachines") is None and send(FRIEND, "GetMachine", "string:web") is None
    assert send(FRIEND, "GetMachineUIDShift", "string:web") is None
    assert register(FRIEND, "own", theirs) == DENIED
    for method, arguments in (("TerminateMachine", ()), ("UnregisterMachine", ()), ("GetMachineOSRelease", ()),
                              ("KillMachine", ("string:all", "int32:9"))):
        assert send(FRIEND, method, "string:web", *arguments) == DENIED, method
    assert varlink(FRIEND, "List", name="web") is None
    assert varlink(FRIEND, "List", name="web", acquireMetadata="yes") == VARLINK_DENIED
    assert varlink(FRIEND, "Register", name="own", **{"class": "container"}, leader=theirs) == VARLINK_DENIED
    assert varlink(FRIEND, "Kill", name="web", signal=9) == VARLINK_DENIED
    assert names() == ["web"]
    assert daemon.logged().count("polkit cannot be asked") == 1  # said once, not each time


def test_allowed_by_a_rule(polkit, processes):
    theirs = processes.sleeper(user=uid_of(FRIEND))
    assert register(FRIEND, "own", theirs) is None
    assert json.loads(world.busctl("--json=short", "get-property", MACHINE1, "/org/freedesktop/machine1/machine/own",
                                   MACHINE1 + ".Machine", "UID").stdout)["data"] == uid_of(FRIEND)
    # Its owner needs no leave to manage it; the rule would say no.
    assert send(FRIEND, "KillMachine", "string:own", "string:all", f"int32:{int(signal.SIGCONT)}") is None
    assert send(FOE, "KillMachine", "string:own", "string:all", "int32:9") == DENIED
    assert send(FOE, "UnregisterMachine", "string:own") == DENIED
    assert send(FRIEND, "UnregisterMachine", "string:own") is None
    assert varlink(FRIEND, "Register", name="again", **{"class": "container"}, leader=theirs, allocateUnit=True) is None
    assert varlink(FOE, "Terminate", name="again") == VARLINK_DENIED
    assert varlink(FRIEND, "Terminate", name="again") is None
    world.wait_until(lambda: names() == [], "the machine to end")


def test_details_reach_the_rules(polkit, processes):
    """The rule lets one user send signals to one machine, and nothing else: verb and machine are part of the question."""
    for name in ("public", "private"):
        assert register("root", name, processes.sleeper()) is None
    cont = f"int32:{int(signal.SIGCONT)}"
    assert send(FRIEND, "KillMachine", "string:public", "string:all", cont) is None
    assert send(FRIEND, "KillMachine", "string:private", "string:all", cont) == DENIED
    assert send(FRIEND, "TerminateMachine", "string:public") == DENIED
    assert send(FRIEND, "Kill", "string:all", cont, path="/org/freedesktop/machine1/machine/public",
                interface=MACHINE1 + ".Machine") is None
    assert send(FRIEND, "Kill", "string:all", cont, path="/org/freedesktop/machine1/machine/private",
                interface=MACHINE1 + ".Machine") == DENIED
    assert varlink(FRIEND, "Kill", name="public", signal=int(signal.SIGCONT)) is None
    assert varlink(FRIEND, "Kill", name="private", signal=int(signal.SIGCONT)) == VARLINK_DENIED
    # Allowed, it fails for another reason.
    copy = ["string:/etc/hostname", "string:/nowhere/at/all"]
    missing = "org.freedesktop.DBus.Error.FileNotFound"
    assert send(FRIEND, "CopyToMachine", "string:public", *copy) == missing
    assert send(FRIEND, "CopyFromMachineWithFlags", "string:public", *copy, "uint64:1") == missing
    assert send(FRIEND, "CopyToMachine", "string:private", *copy) == DENIED
    assert send(FRIEND, "CopyToMachine", "string:public", "string:/etc/shadow", copy[1]) == DENIED
    assert send(FRIEND, "CopyToMachine", "string:public", copy[0], "string:/etc/hostname") == DENIED
    assert send(FRIEND, "BindMountMachine", "string:public", *copy, "boolean:false", "boolean:false") == DENIED
    assert varlink(FRIEND, "CopyTo", name="public", source="/etc/shadow", destination="/nowhere/at/all") == VARLINK_DENIED
    assert names() == ["private", "public"]


def test_somebody_would_have_to_be_asked(polkit, processes):
    assert register("root", "web", processes.sleeper()) is None
    theirs = processes.sleeper(user=uid_of(STRANGER))
    assert register(STRANGER, "own", theirs) == ASK
    assert send(STRANGER, "TerminateMachine", "string:web") == ASK
    assert varlink(STRANGER, "Terminate", name="web") == VARLINK_ASK
    assert varlink(STRANGER, "Register", name="own", **{"class": "container"}, leader=theirs) == VARLINK_ASK
    # Nobody is there to type a password: polkit finds no agent, and that is a no, too.
    assert varlink(STRANGER, "Terminate", name="web", allowInteractiveAuthentication=True) in (VARLINK_ASK, VARLINK_DENIED)
    assert names() == ["web"]


@pytest.mark.parametrize("owner", ["root", FOE])
def test_other_peoples_processes(polkit, processes, owner):
    """Being allowed to register is not being allowed to register what belongs to others."""
    leader = processes.sleeper(user=uid_of(owner))
    assert register(FRIEND, "grab", leader) == DENIED
    assert varlink(FRIEND, "Register", name="grab", **{"class": "container"}, leader=leader) == VARLINK_DENIED
    assert varlink(FRIEND, "Register", name="grab", **{"class": "container"}, leader=leader,
                   allocateUnit=True) == VARLINK_DENIED
    os.kill(leader, 0)
    assert names() == [] and not world.scope_directories()


def user_ids(pid):
    return pathlib.Path(f"/proc/{pid}/status").read_text().split("\nUid:\t")[1].split("\n")[0].split("\t")


def test_only_mapped_there(polkit, processes):
    """A number that somebody else's container maps makes nobody its owner; one's own container is one's own."""
    uid = uid_of(FRIEND)
    outer = processes.sleeper(unshare=["-U"])
    for kind in ("uid", "gid"):
        pathlib.Path(f"/proc/{outer}/{kind}_map").write_text("0 0 65536\n")
    inner = processes.sleeper(command=("nsenter", f"--target={outer}", "--user", f"--setuid={uid}", f"--setgid={uid}", "sleep", "1000"))
    world.wait_until(lambda: world.comm(inner) == "sleep" and user_ids(inner) == [str(uid)] * 4, "it to be of that number")
    assert register(FRIEND, "grab", inner) == DENIED
    assert varlink(FRIEND, "Register", name="grab", **{"class": "container"}, leader=inner) == VARLINK_DENIED
    own = processes.sleeper(user=uid, unshare=["-U"])
    assert user_ids(own) == [str(uid)] * 4
    assert register(FRIEND, "own", own) is None
    assert names() == ["own"]


@pytest.fixture
def becomes_root():
    """A program by which whoever starts it becomes root, wholly, as by passwd(1) and sudo(8)."""
    place = pathlib.Path("/run/setuid")
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "suid,exec,mode=755", "setuid", place], check=True)
    program = place / "setpriv"
    shutil.copy("/usr/bin/setpriv", program)
    program.chmod(0o4755)
    yield f"{program} --reuid=0 --regid=0 --clear-groups"
    subprocess.run(["umount", place], check=True)
    place.rmdir()


def test_owner_signals_only_what_is_his(polkit, processes, becomes_root):
    """A leader may become somebody else after it was registered, and others may live below it."""
    go = pathlib.Path("/run/setuid/go")
    script = f"{becomes_root} sleep 700 & sleep 701 & while [ ! -e {go} ]; do sleep 0.05; done; exec {becomes_root} sleep 1000"
    leader = processes.sleeper(command=("sh", "-c", script), user=uid_of(FRIEND))

    def child(argument):
        out = subprocess.run(["pgrep", "-x", "-f", f"sleep {argument}"], capture_output=True, text=True).stdout
        return [int(pid) for pid in out.split()]

    world.wait_until(lambda: child("700") and child("701"), "the children")
    (roots,), (his,) = child("700"), child("701")
    assert register(FRIEND, "own", leader) is None
    assert send(FRIEND, "KillMachine", "string:own", "string:leader", f"int32:{int(signal.SIGCONT)}") is None
    assert send(FRIEND, "KillMachine", "string:own", "string:all", f"int32:{int(signal.SIGUSR2)}") is None
    world.wait_until(lambda: not child("701"), "what is his to end")
    world.wait_until(lambda: world.state(leader) in "ZX", "his leader to end")
    assert child("700") == [roots], "a process of root's was signalled"
    os.kill(roots, signal.SIGKILL)
    world.wait_until(lambda: names() == [], "the machine to go")

    leader = processes.sleeper(command=("sh", "-c", script), user=uid_of(FRIEND))
    assert register(FRIEND, "own", leader) is None
    go.touch()
    world.wait_until(lambda: child("1000") == [leader], "the leader to become root")
    assert send(FRIEND, "KillMachine", "string:own", "string:leader", f"int32:{int(signal.SIGSTOP)}") == DENIED
    assert send(FRIEND, "KillMachine", "string:own", "string:all", f"int32:{int(signal.SIGSTOP)}") is None
    world.wait_until(lambda: world.state(child("701")[0]) == "T", "what is his to stop")
    assert varlink(FRIEND, "Kill", name="own", whom="leader", signal=9) == VARLINK_DENIED
    assert world.state(leader) in "RS" and names() == ["own"]
    assert send("root", "KillMachine", "string:own", "string:leader", "int32:9") is None
    for pid in child("700") + child("701"):
        os.kill(pid, signal.SIGKILL)


def test_rights_for_a_while(polkit, processes):
    """A program of root's that has somebody's rights just now is not his."""
    uid = uid_of(FRIEND)
    code = f"import os, time; os.seteuid({uid}); time.sleep(1000)"
    leader = processes.sleeper(command=("/usr/bin/python3", "-c", code))
    world.wait_until(lambda: user_ids(leader)[:2] == ["0", str(uid)], "it to take them on")
    assert register(FRIEND, "grab", leader) == DENIED
    assert names() == []


def test_in_a_service_of_the_host(polkit, processes, mode):
    """An owner's verbs reach his processes, not all of the service that they happen to run in."""
    service = world.cgroup_root(mode) / "system.slice/cron.service"
    service.mkdir(parents=True, exist_ok=True)

    def member(**options):
        pid = processes.sleeper(**options)
        (service / "cgroup.procs").write_text(str(pid))
        return pid
    other = member()
    for method, *arguments in (("KillMachine", "string:all", "int32:15"), ("TerminateMachine",)):
        assert register(FRIEND, "job", member(user=uid_of(FRIEND))) is None
        assert send(FRIEND, method, "string:job", *arguments) is None
        world.wait_until(lambda: names() == [], "the machine to end")
        assert world.state(other) in "RS"
    processes.end()
    world.wait_until(lambda: not (service / "cgroup.procs").read_text(), "the service to be empty")
    service.rmdir()
    service.parent.rmdir()


def test_names_for_oneself(polkit, processes):
    """What a user calls his machine resolves for him, and for nobody else."""
    leader = processes.sleeper(user=uid_of(FRIEND), unshare=["-U", "-n"])
    assert register(FRIEND, "deb.example", leader) is None
    code = f"""
import json, sys
sys.path.insert(0, {os.path.dirname(world.__file__)!r})
import world
with world.Varlink({HOOK!r}) as v:
    v.send("io.systemd.Resolve.Hook.ResolveRecord", {{"question": [{{"key": {{"class": 1, "type": 1, "name": "deb.example"}}}}]}})
    print(json.dumps(v.receive()))
"""
    told = {user: json.loads(subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, text=True, check=True,
                                            preexec_fn=world.drop_privileges(uid_of(user)) if user != "root" else None).stdout)
            for user in ("root", FRIEND, FOE)}
    assert told["root"] == told[FOE] == {"parameters": {}}, told
    assert told[FRIEND] == {"parameters": {"rcode": 0, "answer": []}}, told
    out = world.muster("resolve", "deb.example", check=False)
    assert out.returncode == 1 and f'"deb.example" is a machine of user {uid_of(FRIEND)}, for whom alone' in out.stderr, out
    assert 'There is no machine "none"' in world.muster("resolve", "none", check=False).stderr


def test_polkit_dies(polkit, processes):
    theirs = processes.sleeper(user=uid_of(FRIEND))
    polkit.kill()
    polkit.wait()
    assert register(FRIEND, "own", theirs) == DENIED
    assert varlink(FRIEND, "Register", name="own", **{"class": "container"}, leader=theirs) == VARLINK_DENIED
    assert register("root", "web", processes.sleeper()) is None


class Waiting:
    """A user with that many connections, on each of which he has asked for something that polkit must allow; until end()."""

    def __init__(self, user, number, **more):
        told, tell = os.pipe()
        hold, self.release = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            try:
                os.close(self.release)
                world.drop_privileges(uid_of(user))()
                self.ask(number, more, tell, hold)
                os._exit(0)
            except BaseException:
                traceback.print_exc()
                os._exit(1)
        os.close(tell)
        os.close(hold)
        self.told = os.fdopen(told)
        self.refused = json.loads(self.told.readline())

    @staticmethod
    def ask(number, more, tell, hold):
        connections = [world.Varlink() for _ in range(number)]
        for v in connections:
            v.send("io.systemd.Machine.Kill", {"name": "web", "signal": 9, **more})
        with world.Varlink() as v:
            v.names()
        at_once, end = [], time.monotonic() + 20
        while time.monotonic() < end and len(at_once) < number - 16:
            at_once = select.select([v.socket for v in connections], [], [], 0)[0]
            time.sleep(0.02)
        os.write(tell, json.dumps([v.receive()["error"] for v in connections if v.socket in at_once]).encode() + b"\n")
        os.read(hold, 1)

    def end(self):
        os.write(self.release, b"\n")
        os.close(self.release)
        self.told.close()
        assert os.waitstatus_to_exitcode(os.waitpid(self.child, 0)[1]) == 0


def test_questions_without_end(daemon, polkit, processes):
    """While polkit is stuck nobody's questions keep those of others from being asked, and who leaves takes his back."""
    assert register("root", "web", processes.sleeper()) is None
    assert register("root", "public", processes.sleeper()) is None
    polkit.send_signal(signal.SIGSTOP)
    try:
        waiting = Waiting(FOE, 130)
        assert waiting.refused == ["io.systemd.System"] * (130 - 16)
        friend = threading.Thread(target=lambda: answers.append(varlink(FRIEND, "Kill", name="public", signal=int(signal.SIGCONT))))
        answers = []
        friend.start()
        waiting.end()
        world.wait_until(lambda: len(os.listdir(f"/proc/{daemon.pid}/fd")) < 100, "his connections to be forgotten")
        again = Waiting(FOE, 10)
        assert again.refused == []
    finally:
        polkit.send_signal(signal.SIGCONT)
    friend.join()
    again.end()
    assert answers == [None]
    assert varlink(FOE, "Kill", name="web", signal=9) == VARLINK_DENIED  # it has answered, and counts no question for ever


KILL_OFTEN = """
import json, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect("/run/systemd/machine/io.systemd.Machine")
kill = {"method": "io.systemd.Machine.Kill", "parameters": {"name": "own", "signal": 18, "whom": "leader"}}
for _ in range(int(sys.argv[1])):
    s.sendall(json.dumps(kill).encode() + b"\\0")
    while not s.recv(65536).endswith(b"\\0"):
        pass
"""


def test_journal_is_not_one_users(polkit, processes):
    """Whoever owns a machine cannot have all else forgotten by doing something to it again and again."""
    def told():
        with world.Varlink() as v:
            return [r["event"] for r in v.stream("org.muster.Machine1.Subscribe", {"machines": ["own"]}) if "event" in r]

    def kill(times):
        subprocess.run([sys.executable, "-c", KILL_OFTEN, str(times)], user=uid_of(FRIEND), group=account(FRIEND).pw_gid, extra_groups=[],
                       check=True)

    assert register(FRIEND, "own", processes.sleeper(user=uid_of(FRIEND))) is None
    before = len(told())
    kill(1500)
    assert 256 <= len(told()) - before < 1000
    time.sleep(1.1)
    kill(1)
    kills = told()[before:]
    assert {e["kind"] for e in kills} == {"kill"}
    assert len(kills) + sum(int(e["details"].get("left-out", 0)) for e in kills) == 1501
    assert send("root", "KillMachine", "string:own", "string:leader", f"int32:{int(signal.SIGCONT)}") is None
    assert "left-out" not in told()[-1]["details"]


def test_password_dialog_is_withdrawn(polkit, processes):
    """Whoever would be asked for a password and goes away is asked no longer."""
    assert register("root", "web", processes.sleeper()) is None
    polkit.send_signal(signal.SIGSTOP)
    seen = world.Signals("type='method_call',interface='org.freedesktop.PolicyKit1.Authority'")
    try:
        waiting = Waiting(STRANGER, 1, allowInteractiveAuthentication=True)
        seen.wait("member=CheckAuthorization", 'string "muster-')
        waiting.end()
        seen.wait("member=CancelCheckAuthorization")
    finally:
        polkit.send_signal(signal.SIGCONT)
        seen.end()
    text = "".join(seen.lines)
    question = text[text.index("member=CheckAuthorization"):].split('string "muster-')[1].split('"')[0]
    assert f'string "muster-{question}"' in text[text.index("member=CancelCheckAuthorization"):]


def test_shipped_policy(daemon, processes):
    assert register("root", "web", processes.sleeper()) is None
    properties = dict(path="/org/freedesktop/LogControl1", interface="org.freedesktop.DBus.Properties")
    level = ["string:org.freedesktop.LogControl1", "string:LogLevel"]
    assert send(FRIEND, "Get", *level, **properties) is None
    assert send(FRIEND, "Set", *level, "variant:string:emerg", **properties) == DENIED
    assert send("root", "Set", *level, "variant:string:debug", **properties) is None
    assert send(FRIEND, "GetAll", "string:", path="/org/freedesktop/machine1/machine/web",
                interface="org.freedesktop.DBus.Properties") is None
    assert send(FRIEND, "Introspect", interface="org.freedesktop.DBus.Introspectable") is None
    assert send(FRIEND, "Ping", interface="org.freedesktop.DBus.Peer") is None
    bus = dict(path="/org/freedesktop/DBus", interface="org.freedesktop.DBus", dest="org.freedesktop.DBus")
    assert send(FRIEND, "RequestName", "string:" + MACHINE1, "uint32:3", **bus) == DENIED
    assert send(FRIEND, "ListMachines") is None


def test_activation(system_bus, build, tmp_path):
    """Nothing runs: the first call starts musterd by the shipped file, also when it comes from an ordinary user."""
    services = tmp_path / "services"
    services.mkdir()
    text = (TOP / "data/dbus/org.freedesktop.machine1.service.in").read_text()
    (services / "org.freedesktop.machine1.service").write_text(text.replace("@sbindir@", str(build)))
    system_bus(services=f"<servicedir>{services}</servicedir>")
    assert send(FRIEND, "ListMachines") is None
    out = world.busctl("call", "org.freedesktop.DBus", "/org/freedesktop/DBus", "org.freedesktop.DBus",
                       "GetConnectionUnixProcessID", "s", MACHINE1).stdout
    pid = int(out.split()[1])
    assert os.readlink(f"/proc/{pid}/exe") == os.path.realpath(build / "musterd")
    assert os.stat(f"/proc/{pid}").st_uid == 0
    assert world.run_client([build / "muster"], "list").stdout == "No machines.\n"  # the other door is open as well
    os.kill(pid, signal.SIGTERM)
    world.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "it to end")


def test_commands(polkit, processes):
    """A rule sees machine, user, program and command line; who is denied is told the action."""
    with world.Varlink() as v:
        for name in ("public", "private"):
            v.register(name, processes.sleeper())

    def execute(user, *arguments):
        return world.muster("exec", *arguments, check=False, preexec_fn=world.drop_privileges(uid_of(user)))
    out = execute(FRIEND, "public", "--", "/bin/echo", "a", "b")
    assert (out.returncode, out.stdout) == (0, "a b\n"), out.stderr
    for user, *arguments in ((FRIEND, "private", "/bin/echo", "a", "b"), (FRIEND, "public", "/bin/echo", "a b", "c"),
                             (FRIEND, "--user=games", "public", "/bin/echo", "a", "b"), (FOE, "public", "/bin/echo", "a", "b"),
                             (STRANGER, "public", "/bin/echo", "a", "b")):
        out = execute(user, *arguments)
        assert out.returncode == 125 and out.stdout == "" and "org.freedesktop.machine1.shell" in out.stderr, out
    out = execute(FRIEND, "private", "true")
    assert "only root, or who is granted the polkit action" in out.stderr
    for verb in ("terminate", "kill", "unregister"):
        out = world.muster(verb, "private", check=False, preexec_fn=world.drop_privileges(uid_of(FOE)))
        assert out.returncode == 1 and MACHINE1 + ".manage-machines" in out.stderr and "pkexec" in out.stderr, out


@pytest.fixture
def logs():
    """The directory of the logs, as muster-spawn makes it."""
    directory = pathlib.Path("/var/log/muster")
    directory.mkdir(mode=0o750, exist_ok=True)  # machines of other tests may have made it
    yield directory
    for file in (*directory.glob("public.log*"), *directory.glob("private.log*")):
        file.unlink()
    if not any(directory.iterdir()):
        directory.rmdir()


def write_log(path, text):
    with open(path, "a") as f:
        f.write(f"2026-11-26T10:00:00.000000Z | {text}\n")
    path.chmod(0o640)


def test_logs(polkit, processes, logs):
    """Who may not open the files gets them from the registry, when a rule says so; a name is no claim to what was said under it."""
    def read(user, *arguments):
        return world.muster("logs", *arguments, check=False, preexec_fn=world.drop_privileges(uid_of(user)))
    for name, text in (("public.log.1", "older"), ("public.log", "newer"), ("private.log", "secret")):
        write_log(logs / name, text)
    out = read(FRIEND, "public")
    assert out.returncode == 0 and [line.split()[-1] for line in out.stdout.splitlines()] == ["older", "newer"], out
    assert register(FRIEND, "private", processes.sleeper(user=uid_of(FRIEND))) is None
    for user, name in ((FRIEND, "private"), (FOE, "public"), (STRANGER, "public")):
        out = read(user, name)
        assert out.returncode == 1 and out.stdout == "" and MACHINE1 + ".inspect-machines" in out.stderr, out
    (logs / "public.log.1").unlink()
    (logs / "public.log").unlink()
    out = read(FRIEND, "public")
    assert out.returncode == 1 and "There is no log" in out.stderr, out


def test_logs_followed(polkit, logs):
    """The next file is asked for when there is one."""
    write_log(logs / "public.log", "first")
    process = subprocess.Popen([pathlib.Path(os.environ["MUSTER_BUILD"]) / "muster", "logs", "-f", "public"], stdout=subprocess.PIPE,
                               text=True, preexec_fn=world.drop_privileges(uid_of(FRIEND)))
    late = threading.Timer(30, process.kill)
    late.start()
    assert process.stdout.readline().endswith(" first\n")
    write_log(logs / "public.log", "second")
    (logs / "public.log").rename(logs / "public.log.1")
    write_log(logs / "public.log", "third")
    assert process.stdout.readline().endswith(" second\n") and process.stdout.readline().endswith(" third\n")
    late.cancel()
    process.kill()
    process.wait()
