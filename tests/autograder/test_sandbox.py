"""What a box keeps in: files, network, processes, time, memory, and frames that lie."""

import os
import sys
from dataclasses import replace

import numpy as np
import pytest

from autograder import containers
from autograder.box import BoxDied, Limits, Purse
from autograder.course import REPOSITORY, CourseError
from autograder.sandbox import find_sandbox
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
    assert set(found["course"]) == {"cs231n_lib", "inside"}
    assert not found["sources"]
    assert len(found["pids"]) <= 3
    assert found["uid"] >= containers.FIRST_USER  # nobody, or one that no account has
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
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(CourseError, match=r"bwrap is not on PATH.*docker is not on PATH.*--no-sandbox"):
        find_sandbox()
    assert find_sandbox(allow_none=True).level == "none"
    with pytest.raises(CourseError, match="must be one of bubblewrap, podman, docker, landlock, got 'none'"):
        find_sandbox(minimum="none")


def test_a_copy_that_the_student_forks_cannot_speak_for_the_box(sandbox, box):
    box.run("import os\ndef twice(x):\n    os.fork()\n    return x\ndef right(x):\n    return x + 1")
    assert Subject(box, "twice")(1) == 1
    assert [Subject(box, "right")(n) for n in range(20)] == list(range(1, 21))
    code = "import os\nfound = [p for p in os.listdir('/proc') if p.isdigit()]"
    first = ["1"] if sandbox.level == "bubblewrap" else ["1", str(outcome(box, "found = os.getpid()"))]
    assert outcome(box, code) == first


def test_a_box_sees_nothing_of_the_one_before_it(sandbox):
    first = sandbox.start(forbid=("torch", "scipy"))
    first.run("for folder in ('/tmp', '/dev/shm'): open(folder + '/note', 'w').write('secret')")
    first.run("import numpy; numpy.secret = 1")
    second = sandbox.start(forbid=("torch", "scipy"))
    found = outcome(second, "import os, numpy\nfound = os.listdir('/tmp') + os.listdir('/dev/shm')")
    python = {path.split("/")[2] for path in (sys.base_prefix, sys.prefix) if path.startswith("/tmp/")}
    # Nothing else, and nothing at all where Python is not beneath /tmp; a container keeps its own caches there.
    assert set(found) - {"matplotlib", "ipython"} == python
    assert outcome(second, "found = [hasattr(numpy, 'secret'), os.getuid()]")[0] is False
    if os.getuid() == 0:
        users = [outcome(b, "import os\nfound = os.getuid()") for b in (first, second)]
        assert len({*users, 0}) == 3
    first.close()
    second.close()


def test_a_fork_bomb_starves_neither_its_neighbour_nor_the_next(sandbox):
    bomb, neighbour = (sandbox.start(forbid=("torch", "scipy")) for _ in range(2))
    report = bomb.run("import os\nfound = 0\nwhile True:\n    if os.fork() == 0:\n        import time; time.sleep(60)")
    assert "BlockingIOError" in report["error"]["type"]  # EAGAIN: the limit on processes
    assert (
        outcome(neighbour, "import os\nfound = os.waitstatus_to_exitcode(os.wait()[1]) if os.fork() else os._exit(3)")
        == 3
    )
    after = sandbox.start(forbid=("torch", "scipy"))
    assert outcome(after, "found = 5") == 5
    for box in (bomb, neighbour, after):
        box.close()


def test_memory_is_counted_over_all_processes_of_a_box(sandbox):
    small = replace(sandbox, limits=Limits(call=30.0, cell=30.0, memory=800_000_000))
    box = small.start(forbid=("torch", "scipy"))
    box.run("""
import os, time
def f():
    for n in range(8):
        if os.fork() == 0:
            time.sleep(n / 4)
            block = bytearray(b"x") * 200_000_000
            time.sleep(60)
    time.sleep(60)
""")
    with pytest.raises(LimitReached, match=r"held more than 0\.8 GB together"):
        Subject(box, "f")()


def test_a_byte_now_and_then_wins_no_time(sandbox):
    box = replace(sandbox, limits=Limits(call=0.3)).start(forbid=("torch", "scipy"))
    box.run("""
import os, time
def f():
    while True:
        for d in range(3, 12):
            try: os.write(d, b"\\0")
            except OSError: pass
        time.sleep(0.01)
""")
    with pytest.raises(LimitReached):
        Subject(box, "f")()


def test_a_notebook_has_a_purse_of_wall_seconds_over_all_its_boxes(sandbox):
    purse = Purse(0.5)
    box = sandbox.start(forbid=("torch", "scipy"), purse=purse)
    with pytest.raises(LimitReached, match=r"time limit|a whole notebook"):
        box.run("import time; time.sleep(5)")
    again = sandbox.start(forbid=("torch", "scipy"), purse=purse)
    with pytest.raises(LimitReached, match="longer than a question, or a whole notebook, may"):
        again.run("1")


def test_cells_of_the_course_run_once_in_the_parent(sandbox):
    prefix = (("setup", "import os\nbegun = os.getppid()\nvalue = [1]"),)
    first, second = (sandbox.start(forbid=("torch", "scipy"), prefix=prefix) for _ in range(2))
    first.run("value.append(2)")
    assert outcome(first, "found = value") == [1, 2]
    assert outcome(second, "found = value") == [1]
    first.close()
    second.close()


@pytest.mark.parametrize(
    "cell",
    [
        "1 / 0",
        "open('/tmp/kept', 'w').write('x')",
        "import threading, time; threading.Thread(target=time.sleep, args=(9,)).start()",
    ],
)
def test_cells_that_a_parent_cannot_run_for_its_boxes_run_in_the_box(sandbox, cell):
    if sandbox.level in containers.ENGINES:
        pytest.skip("a box in a container has no parent here")
    box = sandbox.start(forbid=("torch", "scipy"), prefix=(("setup", f"import os\nhere = os.getpid()\n{cell}"),))
    assert outcome(box, "found = here") == 1
    box.close()


@pytest.mark.parametrize("last", ["plt.plot([1, 2])", "plt.plot([1, 2])\nplt.show()", "display(plt.subplots()[0])"])
def test_a_figure_becomes_a_picture_as_in_jupyter(sandbox, last):
    box = sandbox.start(forbid=("torch", "scipy"))
    try:
        assert box.run(f"import matplotlib.pyplot as plt\n{last}", draw=True)["pictures"]
        assert not box.run(last)["pictures"]
    finally:
        box.close()


def test_a_python_beneath_tmp_is_seen_and_cannot_be_changed(sandbox, monkeypatch, tmp_path):
    """A clone in /tmp has its environment there, where each box has a folder of its own."""
    if not tmp_path.is_relative_to("/tmp"):
        pytest.skip(f"temporary folders are not beneath /tmp here but at {tmp_path}")
    if sandbox.level in containers.ENGINES:
        pytest.skip("a container has a Python of its own")
    from autograder import sandbox as walls

    (tmp_path / "python").mkdir()
    (tmp_path / "python" / "late_import.py").write_text("answer = 42")
    (tmp_path / "secret.txt").write_text("hidden")
    before = walls._prefixes()
    monkeypatch.setattr(walls, "_prefixes", lambda: [*before, str(tmp_path / "python")])
    box = sandbox.start(forbid=("torch", "scipy", "no_such_package"))  # a parent of its own, with this folder
    try:
        told = box.run(f"import sys\nsys.path.append({str(tmp_path / 'python')!r})\nimport late_import")
        assert told["error"] is None
        for attempt in (f"open({str(tmp_path / 'python' / 'x')!r}, 'w')", f"open({str(tmp_path / 'secret.txt')!r})"):
            assert box.run(attempt)["error"]["type"] in ("OSError", "PermissionError", "FileNotFoundError")
        assert box.run("open('/tmp/own.txt', 'w').write('x')")["error"] is None
    finally:
        box.close()


def test_a_line_of_the_systems_shell_is_run_without_a_terminal(box):
    shown = box.run("word = 'there'\n!echo hello {word}\nfound = !echo a; echo b\nprint(list(found), _exit_code)")
    assert shown["error"] is None
    assert shown["text"] == "hello there\n['a', 'b'] 0\n"


@pytest.mark.parametrize(
    "answer",
    [
        "from cs231n_lib.kernels import conv_forward_fast as answer",
        "from cs231n_lib.kernels.conv import conv_forward_fast as answer",
        "from cs231n_lib.check.n04_affine import affine as answer",
        "from cs231n_lib.check.n02_oracle import reference as answer",
        "from cs231n_lib.widgets.mlp_net import forward as answer",
        "import importlib\nanswer = importlib.import_module('cs231n_lib.check.n0' + '9_oracle').conv",
    ],
)
def test_what_the_library_knows_of_the_answers_is_not_in_a_box(box, answer):
    assert box.run(f"{answer}\nanswer(1, 2, 3)")["error"]["type"] in ("ModuleNotFoundError", "ImportError")
    found = box.run("import pathlib, cs231n_lib\nprint(*pathlib.Path(cs231n_lib.__file__).parent.rglob('*.py'))")[
        "text"
    ]
    for path in found.split():
        name = path.removeprefix("/course/cs231n_lib/")
        if name.startswith(("kernels/conv", "widgets/")) or "_oracle" in name:
            assert "CLOSED_IN_A_BOX = True" in box.run(f"print(open({path!r}).read())")["text"], path


def test_a_check_among_the_answers_does_not_stop_them_in_a_box(box):
    told = box.run(
        "import numpy as np\nfrom cs231n_lib.kernels import im2col\n"
        "from cs231n_lib.check import check, question, ready\n"
        "result = check('net-affine_forward', lambda x, w, b: x)\n"
        "print(result.status, ready('net-affine_forward'), sorted(question('conv-q1', 'ann'))[0])\n"
        "print(im2col(np.ones((1, 1, 3, 3)), 2, 2).shape)"
    )
    assert told["error"] is None
    assert "todo False channels" in told["text"]
    assert "(4, 4)" in told["text"]
