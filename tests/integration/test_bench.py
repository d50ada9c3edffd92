# SPDX-License-Identifier: LGPL-2.1-or-later
"""The benchmarks still run: ten machines, one round, no figure judged. See bench/run.py."""
import json
import pathlib
import subprocess
import sys

RUN = pathlib.Path(__file__).resolve().parent.parent.parent / "bench" / "run.py"


def test_bench_smoke(build):
    log = build / "bench" / "smoke.json"
    log.unlink(missing_ok=True)
    # In a sandbox of its own inside this one: it wants the bus, the sockets and the control groups for itself.
    result = subprocess.run([sys.executable, str(RUN), str(build), "--smoke"], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stdout + result.stderr
    taken = json.loads(log.read_text())["values"]["musterd"]
    for name in ("register-pair.cpu.10", "register-pair.calls.10", "varlink-list.wall.10", "create-to-removed.wall.10",
                 "muster-list.wall.10", "start.wall.10"):
        assert len(taken[name]) == 1 and taken[name][0] > 0, f"{name}: {taken.get(name)}"
