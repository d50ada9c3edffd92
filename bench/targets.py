# SPDX-License-Identifier: LGPL-2.1-or-later
"""What we want to reach, and whether we do. A limit is absolute, or a ratio to the better of the originals that were measured."""
import dataclasses

MET, MISSED, UNKNOWN = "met", "NOT MET", "not measured"


@dataclasses.dataclass
class Target:
    text: str
    metric: str             # of musterd
    limit: float
    unit: str = "x"         # x: a ratio
    peer: str | None = None     # divided by: the same metric of the original ("="), or another one
    base: str | None = None     # divided by: another of musterd's own metrics
    at_least: bool = False


TARGETS = [
    Target("Register+Unregister, D-Bus: CPU of daemon", "register-pair.cpu.10", 0.5, peer="="),
    Target("Register+Unregister, D-Bus: system calls", "register-pair.calls.10", 65, "calls"),
    Target("Register+Unregister, Varlink: wall, to their D-Bus", "varlink-register-pair.wall.10", 0.25,
           peer="register-pair.wall.10"),
    Target("CreateMachine: wall", "create.wall.10", 0.1, peer="="),
    Target("CreateMachine, 1000 machines there: wall", "create.wall.1000", 0.1, peer="="),
    Target("create to removed: wall", "create-to-removed.wall.10", 0.1, peer="="),
    Target("create to removed, 1000 machines there: wall", "create-to-removed.wall.1000", 0.1, peer="="),
    Target("ListMachines of 1000, D-Bus: CPU", "list.cpu.1000", 0.5, peer="="),
    Target("List of 1000, Varlink: CPU", "varlink-list.cpu.1000", 0.25, peer="="),
    Target("GetMachine: CPU", "get.cpu.1000", 1.0, peer="="),
    Target("GetMachineByPID: CPU", "get-by-pid.cpu.1000", 1.0, peer="="),
    Target("user by number, 1000 machines: CPU", "user-by-id.cpu.1000", 0.02, peer="="),
    Target("user by number of nobody, 1000 machines: CPU", "user-by-id-miss.cpu.1000", 0.02, peer="="),
    Target("user by name: wall", "user-by-name.wall.1000", 1.0, peer="="),
    Target("List of one, Varlink: wall", "varlink-list-one.wall.1000", 1.0, peer="="),
    Target("List of one with metadata, Varlink: wall", "varlink-list-one-metadata.wall.1000", 0.1, peer="="),
    Target("List of 10000, Varlink: wall", "varlink-list.wall.10000", 60000, "us"),
    Target("List of 10000, Varlink: memory that it leaves", "varlink-list.grown.10000", 256, "KiB"),
    Target("getaddrinfo of a machine, 1000 there: wall", "nss-host.wall.1000", 0.2, peer="="),
    Target("getaddrinfo of no machine: wall", "nss-no-host.wall.1000", 1.0, peer="="),
    Target("getpwuid of a container's user, 1000 machines: wall", "nss-user.wall.1000", 0.02, peer="="),
    Target("getpwuid of nobody, 1000 machines: wall", "nss-no-user.wall.1000", 0.02, peer="="),
    Target("muster list of 1000, OS and addresses: wall", "muster-list.wall.1000", 100000, "us"),
    Target("stock machinectl list of 1000: times faster", "machinectl-list.wall.1000", 15, peer="=", at_least=True),
    *[Target(f"{text}: CPU at 10000 to that at 10", f"{name}.cpu.10000", 1.3, base=f"{name}.cpu.10")
      for text, name in (("Register+Unregister, D-Bus", "register-pair"),
                         ("Register+Unregister, Varlink", "varlink-register-pair"),
                         ("create to removed", "create-to-removed"), ("GetMachine", "get"),
                         ("GetMachineByPID", "get-by-pid"), ("MapToMachineUser", "map-to-user"), ("user by number", "user-by-id"),
                         ("user by number of nobody", "user-by-id-miss"), ("user by name", "user-by-name"))],
    Target("machines with the limits of the service files", "capacity", 20000, "machines", at_least=True),
    Target("start with 1000 recorded machines", "start.wall.1000", 50000, "us"),
    Target("private memory of a machine", "private-per-machine", 1.5, "KiB"),
    Target("private memory of an idle daemon", "private.idle", 1024, "KiB"),
    Target("resident memory of an idle daemon", "resident.idle", 5120, "KiB"),
]


def value_of(target, results):
    """The figure to compare with the limit; None where a part of it was not measured."""
    ours = results.median("musterd", target.metric)
    if ours is None:
        return None
    if target.base:
        base = results.median("musterd", target.base)
        return ours / base if base else None
    if target.peer:
        ratio = results.worst_ratio(target.metric, None if target.peer == "=" else target.peer)
        return 1 / ratio if ratio and target.at_least else ratio
    return ours


def evaluate(results):
    """[(target, value or None, verdict)]"""
    rows = []
    for target in TARGETS:
        value = value_of(target, results)
        if value is None:
            verdict = UNKNOWN
        elif value >= target.limit if target.at_least else value <= target.limit:
            verdict = MET
        else:
            verdict = MISSED
        rows.append((target, value, verdict))
    return rows


def print_table(rows, notes):
    print(f"\n{'target':55} {'value':>10} {'limit':>10} {'':8}")
    for target, value, verdict in rows:
        shown = "-" if value is None else f"{value:.3g}" if value < 1000 else f"{value:.0f}"
        sign = ">=" if target.at_least else "<="
        note = notes.get(target.metric, "")
        print(f"{target.text:55} {shown:>10} {sign}{target.limit:>8g} {target.unit:8} {verdict}{note and ': ' + note}")
