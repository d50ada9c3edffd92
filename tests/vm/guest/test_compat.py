# SPDX-License-Identifier: LGPL-2.1-or-later
"""The compatibility suite: the original and Muster, one after the other on this host; see tests/compat."""
import os
import shutil
import subprocess

RESULTS = "/run/muster-vm-results"
# What PID 1 and the control groups have a part in; the rest is the same in a container, which is ten times as fast.
IN_A_VM = ["create/plain", "create/properties"]


def test_answers_are_those_of_the_original(musterd, capfd):
    """The suite takes musterd away and brings it back; what it has seen goes along with the results."""
    chosen = [] if os.path.exists("/muster-vm/container") else IN_A_VM
    suite = subprocess.Popen(["/muster-vm/compat/run", "/run/compat", *chosen], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, env=dict(os.environ, DOCUMENT="/muster-vm/compatibility.md"))
    said = []
    with capfd.disabled():  # it takes minutes: show that it gets on
        for line in suite.stdout:
            print(line, end="", flush=True)
            said.append(line)
    code = suite.wait()
    for name in ("original.json", "muster.json"):
        if os.path.exists(f"/run/compat/{name}"):
            shutil.copy(f"/run/compat/{name}", RESULTS)
    assert code == 0, "".join(line for line in said if not line.startswith("  "))
