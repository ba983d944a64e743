"""The judge: test cells run unchanged where the student's code never ran, and every end has a name."""

import json
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from waiting import descendants, wait_for

from autograder.containers import ENGINES
from autograder.judge import derive_seed
from autograder.warm import JudgeServer

RIGHT = "def f(x):\n    return x + 1"
TESTS = "assert np.allclose(f(np.arange(3.0)), [1, 2, 3])"
PARTIAL = "score = 2.0 if np.allclose(f(np.zeros(2)), 1) else 0.5\nfloat(score)"


def verdicts(job):
    return {v["grade_id"]: v for v in run(job)["verdicts"]}


@pytest.fixture(scope="module", autouse=True)
def server():
    """A warm judge for the whole module: IPython keeps one shell per process, so each job has to have its own."""
    global _server
    _server = JudgeServer()
    yield _server
    _server.close()


def run(job):
    return json.loads(json.dumps(_server.ask("test", job.__dict__)))


def test_plain_asserts_and_partial_credit(make_job):
    record = run(make_job((RIGHT, TESTS), ("def f(x):\n    return x", PARTIAL)))
    got = {verdict["grade_id"]: verdict for verdict in record["verdicts"]}
    assert got["q0-tests"]["points"] == 2.0  # judged alone: the later f is another answer's
    assert "poisoned_by_other_cells" in {name for name, _ in record["flags"]}
    assert got["q1-tests"]["points"] == 0.5
    assert verdicts(make_job((RIGHT, TESTS)))["q0-tests"]["points"] == 2.0


def test_cheats_against_the_test_process_change_nothing(make_job):
    wrong = "def f(x):\n    return x\n"
    cheats = [
        "np.allclose = lambda *a, **k: True",
        "import builtins; builtins.AssertionError = type('Quiet', (Exception,), {})",
        "class T(__import__('ast').NodeTransformer):\n    def visit_Assert(self, n): return None\n"
        "get_ipython().ast_transformers.append(T())",
        "import sys\ndef f(x):\n    sys._getframe(1).f_globals['np'].allclose = lambda *a: True\n    return x",
        "class A:\n    def __eq__(self, o): return True\n"
        "    def __array__(self, *a, **k): return np.array([1., 2, 3])\n"
        "def f(x): return A()",
        "get_ipython().displayhook(2.0)",
        "import autograder.judge",
    ]
    for cheat in cheats:
        got = verdicts(make_job((wrong + cheat, TESTS)))["q0-tests"]
        assert got["points"] == 0.0, cheat


def test_a_process_that_ends_costs_only_its_own_question(make_job):
    crash = "def g(x):\n    import os; os._exit(1)"
    got = verdicts(
        make_job((RIGHT, TESTS), (crash, "assert g(1) == 1"), ("def h(x):\n    return x", "assert h(2) == 2"))
    )
    assert got["q0-tests"]["points"] == got["q2-tests"]["points"] == 2.0
    assert (got["q1-tests"]["points"], got["q1-tests"]["status"]) == (0.0, "limit")
    assert "ended its process" in got["q1-tests"]["message"]


def test_a_cell_that_ends_the_process_while_loading_is_left_out(make_job):
    got = verdicts(make_job(("import os; os._exit(1)", "assert f"), (RIGHT, TESTS)))
    assert got["q1-tests"]["points"] == 2.0


def test_a_syntax_error_and_a_missing_name_are_said(make_job):
    got = verdicts(make_job(("def g(:", "assert g(1)"), (RIGHT, TESTS)))
    assert got["q0-tests"]["status"] == "error"
    assert "`g` is not defined" in got["q0-tests"]["message"]
    assert got["q1-tests"]["points"] == 2.0


def test_a_broken_test_cell_is_never_a_zero(make_job):
    got = verdicts(make_job((RIGHT, "f(1)\n1 / 0"), (RIGHT, "3.0")))
    assert got["q0-tests"]["status"] == got["q1-tests"]["status"] == "infra_error"


def test_an_answer_in_a_cell_of_its_own_is_found(make_job):
    stub = "def f(x):\n    raise NotImplementedError()"
    record = run(make_job((stub, TESTS), extras=[(1, RIGHT)]))
    assert record["verdicts"][0]["points"] == 2.0
    assert record["flags"][0][0] == "found_elsewhere"


def test_stray_cells_of_the_student_do_not_reach_a_right_answer(make_job):
    assert verdicts(make_job((RIGHT, TESTS), extras=[(1, "%reset -f"), (2, "1/0")]))["q0-tests"]["points"] == 2.0


def test_an_answer_after_the_last_question_is_found(make_job):
    stub = "def f(x):\n    raise NotImplementedError()"
    job = make_job((stub, TESTS), extras=[(3, RIGHT)])
    job.cells.append({"role": "setup", "grade_id": "t-end", "source": "1 / 0", "points": 0.0})
    assert verdicts(job)["q0-tests"]["points"] == 2.0


def test_a_cell_of_the_course_behind_the_last_question_decides_nothing(make_job):
    job = make_job((RIGHT, TESTS))
    job.cells.append({"role": "setup", "grade_id": "t-end", "source": "1 / 0", "points": 0.0})
    record = run(job)
    assert [v["points"] for v in record["verdicts"]] == [2.0]
    assert "t-end" not in record["shown"]


def test_figures_are_drawn_where_they_are_kept_and_nowhere_else(make_job):
    plot = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()"
    job = make_job((f"{RIGHT}\n{plot}", TESTS), (RIGHT, TESTS))
    job.cells.insert(3, {"role": "setup", "grade_id": "t-plot", "source": plot, "points": 0.0})
    shown = run(job)["shown"]
    assert [len(shown[name]["pictures"]) for name in ("q0", "t-plot", "q1")] == [1, 0, 0]


def test_seeds_differ_by_question_and_follow_the_secret():
    assert derive_seed("a", "q0") == derive_seed("a", "q0")
    assert len({derive_seed("a", "q0"), derive_seed("a", "q1"), derive_seed("b", "q0")}) == 3


def test_a_box_that_cannot_start_is_the_machines_fault(make_job):
    job = make_job((RIGHT, TESTS))
    job.sandbox["data"] = "/no/such/folder"
    assert "did not start" in run(job)["fault"]


def test_a_drawn_question_is_judged_for_the_name_in_the_notebook_and_the_name_is_kept(make_job):
    tests = 'from cs231n_lib.check import check\nresult = check("conv-q1", sizes, student=student)\nresult.points'
    answer = (
        "from cs231n_lib.check import question\nstudent = {!r}\nn = question('conv-q1', 'ada')\n"
        "h, w = ((n[k] + 2 * n['pad'] - n['kernel']) // n['stride'] + 1 for k in ('height', 'width'))\n"
        "one = n['channels'] * n['kernel'] ** 2\n"
        "f = n['filters']\nsizes = dict(height=h, width=w, parameters=f * (one + 1), multiply_adds=h * w * one * f)\n"
        "sizes['reach'] = 1 + n['layers'] * (n['kernel'] - 1)"
    )
    right = verdicts(make_job((answer.format("ada"), tests)))["q0-tests"]
    assert (right["points"], right["status"], right["student"]) == (0.5, "passed", "ada")
    copied = verdicts(make_job((answer.format("bob"), tests)))["q0-tests"]
    assert copied["points"] <= 0.2
    assert copied["student"] == "bob"
    evil = answer.format("ada") + "\nclass Name(str):\n    pass\nstudent = Name('ada' * 1000)"
    assert verdicts(make_job((evil, tests)))["q0-tests"]["points"] == 0.0
    assert verdicts(make_job((answer.format("ada") + "\ndel student", tests)))["q0-tests"]["status"] == "error"
    assert verdicts(make_job((RIGHT, TESTS)))["q0-tests"]["student"] is None


def test_a_notebook_that_imports_torch_has_it_in_its_box_and_no_other_heavy_package():
    from autograder.grading import Template
    from autograder.source import read_source, to_notebook
    from tests.cells import SOURCE

    def absent(notebook):
        return set(Template("t", to_notebook(read_source(SOURCE / notebook)), {}).forbid)

    assert "torch" not in absent("a3/N11_pytorch.py")
    assert {"scipy", "sklearn", "numba", "pandas"} <= absent("a3/N11_pytorch.py")
    assert "torch" in absent("a1/N01_knn.py")


def test_a_job_learns_nothing_from_the_one_before_it(make_job, server):
    poison = "np.allclose = lambda *a: True\nsecret = 1"
    first = server.ask("test", make_job((poison + "\n" + RIGHT, "import json as kept\nassert f(1) == 2")).__dict__)
    second = server.ask("test", make_job(("def f(x):\n    return x", TESTS), ("pass", "assert kept")).__dict__)
    assert [v["points"] for v in first["verdicts"]] == [2.0]
    assert [v["points"] for v in second["verdicts"]] == [0.0, 0.0]


def test_a_forked_copy_in_a_function_costs_only_its_own_question(make_job):
    fork = "import os\ndef g(x):\n    os.fork()\n    return x - 1"
    got = verdicts(
        make_job((RIGHT, TESTS), (fork, "assert g(1) == 1"), ("def h(x):\n    return x", "assert h(2) == 2"))
    )
    assert {name: v["points"] for name, v in got.items()} == {"q0-tests": 2.0, "q1-tests": 0.0, "q2-tests": 2.0}


def test_a_judge_that_is_killed_is_a_fault_and_the_next_job_is_judged(make_job, server):
    slow = make_job(("import time\ndef f(x):\n    time.sleep(30)", "assert f(1)")).__dict__
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(server.ask, "test", slow)
        judges = wait_for(lambda: server.process and descendants(server.process.pid, depth=2))
        os.kill(judges[-1], signal.SIGKILL)
        assert "without a word" in asked.result(timeout=60)["fault"]
    assert server.ask("test", make_job((RIGHT, TESTS)).__dict__)["verdicts"][0]["points"] == 2.0


def test_a_server_that_is_killed_is_started_again_and_leaves_nothing_running(make_job, server, sandbox):
    server.ask("test", make_job((RIGHT, TESTS)).__dict__)
    old = [server.process.pid, *descendants(server.process.pid)]
    assert len(old) >= (3 if sandbox.level in ENGINES else 4)  # the server, a stage, then walls and zygote or engine
    server.process.kill()
    server.process.wait()
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in old))
    assert server.ask("test", make_job((RIGHT, TESTS)).__dict__)["verdicts"][0]["points"] == 2.0


def test_a_lone_surrogate_that_an_answer_raises_can_be_written_anywhere(make_job):
    raises = "def f(x):\n    raise ValueError('\\ud800 boom')"
    record = run(make_job((raises, TESTS), (RIGHT.replace("f(", "g("), TESTS.replace("f(", "g("))))
    json.dumps(record, ensure_ascii=False).encode()
    assert [v["points"] for v in record["verdicts"]] == [0.0, 2.0]


STUB = "def f(x):\n    raise NotImplementedError()"


def test_an_answer_above_its_stub_or_in_another_answers_cell_is_found(make_job):
    above = run(make_job((STUB, TESTS), extras=[(0, RIGHT)]))
    assert above["verdicts"][0]["points"] == 2.0
    other = run(make_job((RIGHT + "\ndef g(x):\n    return x", TESTS.replace("f(", "g(")), (STUB, TESTS)))
    assert [v["points"] for v in other["verdicts"]] == [0.0, 2.0]
    for record in (above, other):
        assert "found_elsewhere" in {name for name, _ in record["flags"]}


def test_cells_of_the_students_own_cannot_keep_the_judge_for_long(make_job):
    job = make_job((STUB, TESTS), extras=[(1, f"import time; time.sleep(4)  # {n}") for n in range(40)])
    job.sandbox["limits"] = {**job.sandbox["limits"], "total": 10.0}
    start = time.monotonic()
    run(job)
    assert time.monotonic() - start < 80.0  # of them all, 160 s; what no answer needs waits for nobody


def test_a_box_is_not_told_what_hidden_tests_are_called(make_job):
    spy = """
import cs231n_lib.check.peer as peer
asked, real = [], peer.Peer.handle
def handle(self, request, buffers):
    asked.extend(request.get("names", []))
    return real(self, request, buffers)
peer.Peer.handle = handle
def f(x):
    raise ValueError(repr(asked))
"""
    hidden = "def hidden_zebra(g):\n    import math\n    lion = g(np.zeros(1))\n    assert lion.tiger\nhidden_zebra(f)"
    assert verdicts(make_job((spy, hidden)))["q0-tests"]["message"] == "ValueError: ['f']"
