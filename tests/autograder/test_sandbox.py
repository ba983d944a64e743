"""What a box keeps in: files, network, processes, time, memory, and frames that lie."""

import os

import numpy as np
import pytest

from autograder import sandbox as module
from autograder.course import REPOSITORY, CourseError
from autograder.sandbox import BoxDied, find_sandbox
from cs231n_lib.check import LimitReached, Subject


def outcome(box, code):
    """Run code that leaves its finding in `found` and return it."""
    report = box.run(code)
    assert report["error"] is None, report["error"]
    return Subject(box, "found").value()


def test_values_and_callbacks_cross_by_value(box):
    box.run("import numpy as np\ndef apply(f, x):\n    y = f(x)\n    y += 1\n    return y")
    x = np.arange(6.0).reshape(2, 3)
    np.testing.assert_array_equal(Subject(box, "apply")(lambda v: v * 2, x), 2 * x + 1)
    np.testing.assert_array_equal(x, np.arange(6.0).reshape(2, 3))


def test_nothing_of_the_course_or_the_system_is_visible(box):
    code = f"""
import os
found = {{
    "sources": os.path.exists("{REPOSITORY}/assignments"),
    "course": os.listdir("/course"),
    "env": sorted(os.environ),
    "pids": [p for p in os.listdir("/proc") if p.isdigit()],
    "uid": os.getuid(),
}}
"""
    found = outcome(box, code)
    assert set(found["course"]) == {"cs231n_lib", "child.py"}
    assert not found["sources"]
    assert len(found["pids"]) <= 3
    assert found["uid"] == 65534
    assert not [name for name in found["env"] if name.startswith(("CS231N", "CI"))]


@pytest.mark.parametrize(
    "attempt",
    [
        "open('/etc/shadow')",
        "open('/course/cs231n_lib/check/report.py', 'a')",
        "open('/usr/x', 'w')",
        "import socket; socket.create_connection(('127.0.0.1', 80), timeout=1)",
        "import urllib.request; urllib.request.urlopen('http://example.org', timeout=1)",
        "import torch",
        "import scipy.spatial",
        "import autograder",
        "import os; os.kill(-1, 9) if os.getpid() != 1 and False else os.setuid(0)",
        "import ctypes; r = ctypes.CDLL(None).mount(b'none', b'/tmp', b'tmpfs', 0, None); assert r == 0",
    ],
)
def test_an_attempt_fails_inside(box, attempt):
    assert box.run(attempt)["error"] is not None


def test_descriptors_of_the_grader_are_not_inherited(box):
    secret = os.open(__file__, os.O_RDONLY)
    os.set_inheritable(secret, True)
    try:
        code = "import glob, os\nfound = [os.readlink(d) for d in glob.glob('/proc/self/fd/*') if os.path.lexists(d)]"
        found = outcome(box, code)
    finally:
        os.close(secret)
    assert not [name for name in found if "test_sandbox" in name]


def test_an_endless_loop_is_stopped_and_said(box):
    box.run("def f():\n    while True: pass")
    with pytest.raises(LimitReached, match="time limit"):
        Subject(box, "f")()
    assert not box.alive


@pytest.mark.parametrize("code", ["import os; os._exit(7)", "import ctypes; ctypes.string_at(0)", "exit()"])
def test_the_end_of_the_process_is_a_result_or_an_error(box, code):
    box.run(f"def f():\n    {code}")
    with pytest.raises((BoxDied, Exception), match=r"ended its process|SystemExit|NameError|ExitAutocall|exit"):
        Subject(box, "f")()


def test_memory_is_bounded_and_the_box_lives_on(box):
    report = box.run("import numpy as np\nx = np.ones(int(8e9))")
    assert "MemoryError" in report["error"]["type"]
    assert outcome(box, "found = 1") == 1


def test_scratch_space_is_bounded(box):
    report = box.run("for i in range(40):\n    open(f'/tmp/{i}', 'wb').write(b'0' * 10_000_000)")
    assert report["error"]["type"] == "OSError"


def test_a_flood_of_output_is_cut(box):
    report = box.run("print('x' * 5_000_000)")
    assert len(report["text"]) <= 20_000
    box.run("""
import os
def f():
    os.write(1, b"y" * 5_000_000)
    os.write(2, b"z" * 5_000_000)
    print("w" * 5_000_000)
    return 1
""")
    call = Subject(box, "f").call()
    assert call.value == 1
    assert len(call.printed) <= 2000


def test_a_forged_frame_cannot_allocate_without_bound(box):
    forge = """
import os, struct
def f():
    for d in range(3, 20):
        try: os.write(d, struct.pack('<II', 2**31, 2**31))
        except OSError: pass
    os._exit(0)
"""
    box.run(forge)
    with pytest.raises(LimitReached):
        Subject(box, "f")()


def test_processes_left_behind_die_with_the_box(sandbox):
    box = sandbox.start()
    box.run("import subprocess; p = subprocess.Popen(['/usr/bin/env', 'sleep', '987654'], start_new_session=True)")
    box.close()
    assert not [p for p in os.listdir("/proc") if p.isdigit() and "987654" in _command_line(p)]


def _command_line(pid):
    try:
        with open(f"/proc/{pid}/cmdline") as file:
            return file.read()
    except OSError:
        return ""


def test_without_bubblewrap_grading_is_refused_unless_asked_for(monkeypatch):
    monkeypatch.setattr(module.shutil, "which", lambda name: None)
    with pytest.raises(CourseError, match="--no-sandbox"):
        find_sandbox()
    assert find_sandbox(allow_none=True).level == "none"
