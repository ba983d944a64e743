"""The other ways to put up walls: Landlock where namespaces are forbidden, containers, bubblewrap for a plain user."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from waiting import wait_for

from autograder.box import Limits
from autograder.course import REPOSITORY
from autograder.inside.landlock import MINIMUM_ABI, landlock_abi
from autograder.sandbox import Sandbox, probe
from cs231n_lib.check import Subject

LIMITS = Limits(call=3.0, cell=5.0)


@pytest.fixture(scope="module")
def landlock():
    reason = probe("landlock")
    if reason:
        pytest.skip(f"no Landlock boxes on this machine: {reason}")
    return Sandbox("landlock", None, LIMITS)


@pytest.fixture
def box(landlock):
    running = landlock.start(forbid=("torch", "scipy"))
    yield running
    running.close()


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/passwd')",
        f"open({str(REPOSITORY / 'README.md')!r})",
        f"open({str(REPOSITORY / 'autograder' / 'judge.py')!r})",
        "import os; os.listdir('/root')",
        "import os; os.listdir('/proc')",
        "open('/tmp/x', 'w')",
        "open('/usr/x', 'w')",
        "import socket; socket.socket()",
        "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
        "import socket; socket.socket(socket.AF_UNIX)",
        "import os; os.kill(os.getppid(), 9)",
        "import torch",
        "import scipy.spatial",
        "import os; os.setuid(0) if os.getuid() else (_ for _ in ()).throw(PermissionError())",
        "import ctypes, os; r = ctypes.CDLL(None, use_errno=True).unshare(0x10000000); assert r == 0",
    ],
)
def test_landlock_closes_files_sockets_signals_and_the_kernels_doors(box, attempt):
    assert box.run(attempt)["error"] is not None, attempt


def test_landlock_leaves_room_to_work(box):
    report = box.run("import numpy as np\nopen('mine', 'w').write('x')\nx = np.ones(3)\nprint(open('mine').read())")
    assert report["error"] is None
    assert report["text"] == "x\n"
    box.run("def f(x):\n    return x + 1")
    assert Subject(box, "f")(1) == 2


def test_landlock_leftovers_are_killed_with_the_box(landlock):
    box = landlock.start(forbid=("torch", "scipy"))
    box.run("""
import os, time
def f():
    told, tell = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(tell, str(os.getpid()).encode())
            time.sleep(3600)
        os._exit(0)
    return int(os.read(told, 20))
""")
    left = Subject(box, "f")()
    assert os.path.exists(f"/proc/{left}")
    box.close()
    wait_for(lambda: not os.path.exists(f"/proc/{left}"))


ORDINARY = """
import os, sys
from autograder.box import Limits
from autograder.sandbox import find_sandbox
from cs231n_lib.check import LimitReached, Subject
sandbox = find_sandbox(limits=Limits(call=3.0, cell=5.0))
assert sandbox.level == "bubblewrap" and os.getuid() == 65534
box = sandbox.start(forbid=("torch", "scipy"))
for attempt in ("open('/etc/shadow')", "import socket; socket.create_connection(('127.0.0.1', 80), timeout=1)",
                "import torch", "open('/dev/note', 'w')", "open('/course/x', 'w')", "import os; os.setuid(0)",
                "import ctypes; assert ctypes.CDLL(None).unshare(0x10000000) == 0"):
    assert box.run(attempt)["error"] is not None, attempt
box.run("import os\\nfound = [p for p in os.listdir('/proc') if p.isdigit()]")
assert Subject(box, "found").value() in (["1"], []), "other processes are seen"
box.run("open('/tmp/note', 'w').write('secret')")
bomb = sandbox.start(forbid=("torch", "scipy"))
report = bomb.run("import os\\nwhile True:\\n    if os.fork() == 0:\\n        import time; time.sleep(60)")
assert "BlockingIOError" in report["error"]["type"], report
after = sandbox.start(forbid=("torch", "scipy"))
after.run("import os\\nended = os.waitstatus_to_exitcode(os.wait()[1]) if os.fork() else os._exit(3)")
after.run("found = [os.listdir('/tmp'), ended]")
python = {path.split("/")[2] for path in (sys.base_prefix, sys.prefix) if path.startswith("/tmp/")}
assert Subject(after, "found").value() == [sorted(python), 3]
print("ORDINARY OK")
"""


ROOT_ONLY = pytest.mark.skipif(os.getuid() != 0, reason="an ordinary user runs every other test as one")


def as_nobody(*command):
    """Root becomes `nobody` and runs Python, in a mount namespace where nobody may walk to this Python."""
    if shutil.which("setpriv") is None or probe("bubblewrap"):
        pytest.skip("setpriv and bubblewrap are needed")
    home = Path(sys.base_prefix)
    closed = [p for p in reversed(home.parents) if not os.stat(p).st_mode & 0o001]
    opened = "true"
    if closed:  # such as /root: shown to nobody only here, and only down to Python
        opened = f"""mkdir -p /mnt/py && mount --bind {home} /mnt/py && mount -t tmpfs -o mode=755 tmpfs {closed[0]} &&
mkdir -p {home} && mount --bind /mnt/py {home}"""
    private = "mount -t tmpfs -o mode=1777 tmpfs /tmp"
    if REPOSITORY.is_relative_to("/tmp"):
        private = f"""mkdir -p /mnt/repository && mount --bind {REPOSITORY} /mnt/repository && {private} &&
mkdir -p {REPOSITORY} && mount --bind /mnt/repository {REPOSITORY}"""
    script = f"""{opened} && {private} && cd {REPOSITORY} &&
exec setpriv --reuid 65534 --regid 65534 --clear-groups {sys.executable} -B "$@" """
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "HOME": "/tmp"}
    return subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, "sh", *command],
        capture_output=True,
        text=True,
        timeout=400,
        env=environment,
        check=False,
    )


@pytest.mark.slow
@ROOT_ONLY
def test_bubblewrap_holds_for_an_ordinary_user_too():
    done = as_nobody("-c", ORDINARY)
    assert "ORDINARY OK" in done.stdout, done.stderr[-3000:]


@pytest.mark.slow
@ROOT_ONLY
def test_the_fallback_holds_for_an_ordinary_user_too():
    done = as_nobody("-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "test_landlock")
    assert done.returncode == 0, done.stdout[-3000:]
    if landlock_abi() >= MINIMUM_ABI:
        assert "skipped" not in done.stdout, done.stdout[-3000:]
