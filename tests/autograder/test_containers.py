"""Boxes in Podman and Docker: the command as text and, where an engine and the image are here, the walls."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from waiting import wait_for

from autograder import containers
from autograder.box import BoxDied, Limits
from autograder.course import REPOSITORY
from autograder.lender import Lender
from autograder.sandbox import Sandbox, probe
from cs231n_lib.check import LimitReached, Subject

LIMITS = Limits(call=3.0, cell=5.0, memory=1_500_000_000)


@pytest.fixture(scope="module", params=containers.ENGINES)
def contained(request):
    reason = probe(request.param)
    if reason:
        pytest.skip(f"no containers on this machine: {reason}")
    return Sandbox(request.param, None, LIMITS)


@pytest.fixture(scope="module")
def shared_box(contained):
    """One box for all that does it no harm: a container takes a second to start."""
    running = contained.start(forbid=("torch", "scipy"))
    yield running
    running.close()


def listed(engine):
    done = subprocess.run([engine, "ps", "--all", "--format", "{{.Names}}"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_container_gets_no_network_no_rights_and_limits():
    command = containers.run_command(
        "podman", "box-1", LIMITS, library=Path("/library"), data=Path("/data"), forbid=("torch",)
    )
    text = " ".join(command)
    for part in (
        "podman run --rm --interactive --name box-1 --network none --read-only --cap-drop ALL",
        "--security-opt no-new-privileges --user ",
        f"--pids-limit {LIMITS.processes} --memory 2250000000 --memory-swap 2250000000",
        f"--tmpfs /tmp:size={LIMITS.scratch},mode=1777",
        "--volume /library:/course/cs231n_lib:ro",
        "--volume /data:/data:ro --env CS231N_DATA=/data",
        "autograder/absent:/usr/local/lib/python",
        "--pull never",
    ):
        assert part in text, part
    assert not [part for part in command if part in ("--privileged", "host") or part.endswith(":rw")]
    assert command[-1] == containers.image()


def test_an_engine_that_is_not_there_is_said(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    assert containers.probe("podman", Path("/library")) == "podman is not on PATH"


def test_an_image_that_is_not_there_or_not_fit_is_said(contained, monkeypatch):
    monkeypatch.setattr(containers, "PACKAGES", "/usr/local/lib/python2.7/site-packages")
    assert "PyTorch must not be importable where it is forbidden" in probe(contained.level)
    monkeypatch.setenv(containers.IMAGE, "cs231n-no-such-image")
    assert "with the image cs231n-no-such-image: " in probe(contained.level)


def test_values_cross_and_figures_become_pictures(shared_box):
    shared_box.run("import numpy as np\ndef twice(x):\n    return 2 * x")
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(Subject(shared_box, "twice")(x), 2 * x)
    assert shared_box.run("import matplotlib.pyplot as plt\nplt.plot([1, 2])", draw=True)["pictures"]


@pytest.mark.parametrize(
    "attempt",
    [
        "import socket; socket.create_connection(('192.0.2.1', 80), timeout=2)",
        "import socket; socket.create_connection(('127.0.0.1', 631), timeout=2)",
        f"open({str(REPOSITORY / 'README.md')!r})",
        "open('/course/x', 'w')",
        "open('/course/inside/runner.py', 'a')",
        "open('/usr/local/x', 'w')",
        "open('/etc/shadow')",
        "import torch",
        "import scipy.spatial",
        "import os; os.setuid(0)",
        "import os; os.kill(1, 9); import time; time.sleep(0.1); os.listdir('/proc/1/fd')",
        "import os; os.mknod('/tmp/disk', 0o60600, os.makedev(8, 0))",
        "import ctypes; r = ctypes.CDLL(None, use_errno=True).unshare(0x10000000); assert r == 0",
        "open('/tmp/large', 'wb').write(bytes(100_000_000))",
    ],
)
def test_the_walls_hold(shared_box, attempt):
    assert shared_box.run(attempt)["error"] is not None
    assert shared_box.run("1 + 1")["error"] is None


LIVING = """
def state(pid):
    return open(f"/proc/{pid}/stat").read().rpartition(")")[2].split()[0]
living = {int(p) for p in os.listdir("/proc") if p.isdigit() and state(p) != "Z"} - {1, os.getpid()}
"""


def test_leftovers_of_one_request_are_gone_in_the_next(shared_box):
    shared_box.run("import os, time\ndef leave():\n    if os.fork() == 0:\n        time.sleep(600)\n    return 1")
    assert Subject(shared_box, "leave")() == 1

    def all_gone():
        shared_box.run(LIVING)
        return Subject(shared_box, "living").value() == set()

    wait_for(all_gone)  # the one that was left sleeps for ten minutes; a killed process takes a moment to end


HOARD = """
import os, time
for n in range(6):
    if os.fork() == 0:
        time.sleep(n / 2)
        held = bytearray(b"x") * 400_000_000
        time.sleep(60)
time.sleep(60)
"""


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("while True: pass", "timeout"),
        ("import os; os._exit(3)", "process_died"),
        ("held = [bytearray(b'x') * 100_000_000 for _ in range(40)]", ""),
        (HOARD, "memory_limit"),
    ],
)
def test_limits_end_a_box_and_leave_no_container(contained, code, kind):
    box = contained.start(forbid=("torch",))
    if kind:
        with pytest.raises(LimitReached) as stop:
            box.run(code)
        assert stop.value.kind == kind
    else:
        assert box.run(code)["error"]["type"] == "MemoryError"
        box.close()
    wait_for(lambda: box.inmate.name not in listed(contained.level))


def test_how_a_box_ended_is_told(contained):
    box = contained.start(forbid=("torch",))
    with pytest.raises(BoxDied, match="exit code 3"):
        box.run("import os; os._exit(3)")


def test_a_fork_bomb_starves_no_neighbour(contained):
    bomb, neighbour = (contained.start(forbid=("torch",)) for _ in range(2))
    report = bomb.run("import os\nwhile True:\n    if os.fork() == 0:\n        import time; time.sleep(60)")
    assert report["error"]["type"] == "BlockingIOError"
    told = neighbour.run("import os\nif os.fork() == 0:\n    os._exit(3)\nassert os.wait()[1] == 3 << 8")
    assert told["error"] is None
    bomb.close()
    neighbour.close()


def test_layers_carried_forward_are_lent_between_containers(contained):
    lender = Lender(contained, frozenset({"relu_forward"}))
    box = contained.start(forbid=("torch",), lend=lender.lend)
    box.run("import numpy as np\nfrom cs231n_lib.check.standins import relu_forward")
    told = box.run("assert relu_forward(np.array([-1.0, 2.0]))[0].tolist() == [0.0, 2.0]")
    assert told["error"] is None
    box.close()
    lender.close()


JUDGE = """
import sys, time
from autograder.box import Limits
from autograder.sandbox import Sandbox
box = Sandbox({engine!r}, None, Limits()).start(forbid=("torch",))
print(box.inmate.name, flush=True)
box.run("import os, signal, time\\nfor n in range(1, 65):\\n    try: signal.signal(n, signal.SIG_IGN)\\n"
        "    except (OSError, ValueError): pass\\nos.fork()\\nwhile True: time.sleep(1)")
"""


def test_a_container_does_not_outlive_its_judge(contained):
    judge = subprocess.Popen(
        [sys.executable, "-c", JUDGE.format(engine=contained.level)], cwd=REPOSITORY, stdout=subprocess.PIPE, text=True
    )
    name = judge.stdout.readline().strip()
    assert name in listed(contained.level)
    os.kill(judge.pid, signal.SIGKILL)
    judge.wait()
    judge.stdout.close()
    wait_for(lambda: name not in listed(contained.level))
