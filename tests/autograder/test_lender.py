"""Layers that a notebook carries forward: they work in a box that holds neither PyTorch nor the stand-ins."""

import dataclasses
import json
import os
import sys
from pathlib import Path

import numpy as np
import pytest

from autograder.box import Purse
from autograder.lender import Lender, carried
from autograder.warm import JudgeServer
from cs231n_lib.check import LimitReached

SETUP = """from cs231n_lib.carry import carry_forward
affine_forward, affine_backward, relu_forward, relu_backward, conv_forward_naive = carry_forward(
    "N04_two_layer_net",
    ["affine_forward", "affine_backward", "relu_forward", "relu_backward", "conv_forward_naive"],
    quiet=True,
)"""
NET = """def net(x, w, b):
    hidden, first = affine_forward(x, w, b)
    out, second = relu_forward(hidden)
    return out, affine_backward(relu_backward(np.ones_like(out), second), first)[1]"""
NET_TESTS = """x, w, b = np.arange(12.0).reshape(2, 2, 3) - 5, np.eye(6, 4), np.zeros(4)
out, dw = net(x, w, b)
assert np.array_equal(out, np.maximum(x.reshape(2, 6) @ w, 0)), "out"
assert np.array_equal(dw, x.reshape(2, 6).T @ (x.reshape(2, 6) @ w > 0)), "dw"
"""
NORM_TESTS = "x = np.arange(6.0).reshape(3, 2)\nassert np.allclose(norm(x), (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5))"


@pytest.fixture(scope="module")
def server():
    server = JudgeServer()
    yield server
    server.close()


@pytest.fixture
def verdicts(server, make_job):
    def ask(*pairs):
        record = server.ask("lender", json.loads(json.dumps(make_job(*pairs, setup=SETUP).__dict__)))
        assert "fault" not in record, record
        return record["verdicts"]

    return ask


def test_the_names_are_read_from_the_notebooks_own_cells():
    assert carried(
        [SETUP, "carry_forward = 3", "%matplotlib inline\nf, = carry_forward('N08', ['dropout_forward'])"]
    ) == {
        "affine_forward",
        "affine_backward",
        "relu_forward",
        "relu_backward",
        "conv_forward_naive",
        "dropout_forward",
    }
    assert carried(["x = 1"]) == frozenset()


def test_a_net_of_carried_layers_has_its_points(verdicts):
    [verdict] = verdicts((NET, NET_TESTS))
    assert (verdict["points"], verdict["message"]) == (2.0, "")


def test_an_answer_may_call_them_while_its_cell_runs(verdicts):
    [verdict] = verdicts((f"{NET}\nshape = net(np.ones((1, 2)), np.ones((2, 3)), np.zeros(3))[0].shape", NET_TESTS))
    assert verdict["points"] == 2.0


@pytest.mark.parametrize(
    "cheat",
    [
        "from cs231n_lib.carry import carry_forward\n"
        "def norm(x):\n    layer, = carry_forward('N07_normalization', ['batchnorm_forward'], quiet=True)\n"
        "    return layer(x, np.ones(2), np.zeros(2), np.zeros(2), np.ones(2), train=True)[0]",
        "from cs231n_lib.check import standins\n"
        "def norm(x):\n"
        "    return standins.batchnorm_forward(x, np.ones(2), np.zeros(2), np.zeros(2), np.ones(2), train=True)[0]",
        "from cs231n_lib.check import standins\n"
        "def norm(x):\n    return standins.ask('_batchnorm', (x, np.ones(2), np.zeros(2)), 1e-5)",
        "from torch.nn.functional import batch_norm\n"
        "import torch\ndef norm(x):\n    return batch_norm(torch.tensor(x), None, None, training=True).numpy()",
    ],
)
def test_what_the_notebook_does_not_carry_is_not_lent(verdicts, cheat):
    [verdict] = verdicts((cheat, NORM_TESTS))
    assert verdict["points"] == 0.0
    assert verdict["status"] == "error"


def test_a_box_can_read_no_line_of_a_stand_in(sandbox):
    box = sandbox.start(forbid=("torch", "scipy"))
    read = box.run(
        "import cs231n_lib.check.standins as s, os, pathlib\n"
        "folder = pathlib.Path(s.__file__).parents[1]\n"
        "files = list(folder.rglob('*.py'))\n"
        "print(len(files), [p.name for p in files if 'batch_norm(' in p.read_text()])"
    )
    box.close()
    count, found = read["text"].strip().split(" ", 1)
    assert int(count) > 50
    assert found == "[]"


def test_a_call_without_end_costs_its_question_only(verdicts):
    endless = """def f():
    return affine_forward(np.ones((5000, 5000)), np.ones((5000, 5000)), np.ones(5000))"""
    first, second = verdicts((endless, "assert f()"), (NET, NET_TESTS))
    assert (first["points"], first["status"]) == (0.0, "limit")
    assert second["points"] == 2.0


@pytest.fixture
def lender(sandbox):
    lender = Lender(sandbox, frozenset({"relu_forward", "affine_forward"}))
    yield lender
    lender.close()


def idle():
    """Nothing to look at meanwhile."""


def packed(*args):
    from cs231n_lib.check import wire

    return wire.pack((args, {}))


def test_a_lender_serves_by_name_what_it_was_made_for(lender):
    from cs231n_lib.check import wire

    reply, parts = lender.lend("relu_forward", *packed(np.array([-1.0, 2.0])), 30.0, idle)
    out, cache = wire.unpack(reply["value"], parts)
    assert out.tolist() == [0.0, 2.0]
    assert cache.tolist() == [-1.0, 2.0]
    for name in ("relu_backward", "__import__", "torch", ""):
        reply, _ = lender.lend(name, *packed(np.ones(2)), 30.0, idle)
        assert "is not among the layers" in reply["error"]["message"]


def test_a_lender_survives_messages_that_no_honest_box_sends(lender):
    hostile = [None, 7, {"tuple": []}, {"handle": 0}, {"tuple": [{"tuple": [{"callback": 0}]}, {"dict": []}]}]
    hostile += [{"tuple": [{"tuple": [{"array": "<f8", "shape": [2]}]}, {"dict": []}]}, [[[]]]]
    for header in hostile:
        reply, _ = lender.lend("relu_forward", header, [b"1"], 30.0, idle)
        assert reply["error"]["message"]
    box = lender.box
    reply, _ = lender.lend("relu_forward", *packed(np.ones(2)), 30.0, idle)
    assert "error" not in reply
    assert lender.box is box


def test_a_lender_that_was_stopped_starts_again(lender):
    with pytest.raises(LimitReached) as stop:
        lender.lend("affine_forward", *packed(np.ones((5000, 5000)), np.ones((5000, 5000)), np.ones(5000)), 1.0, idle)
    assert stop.value.kind == "budget"
    reply, _ = lender.lend("relu_forward", *packed(np.ones(2)), 30.0, idle)
    assert "error" not in reply


def test_a_lenders_box_ends_with_it(lender):
    lender.lend("relu_forward", *packed(np.ones(2)), 30.0, idle)
    assert lender.box is not None
    reading = lender.box.inmate.reading
    lender.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(reading)


RAW = """import json, os, struct, time
from cs231n_lib.check import standins
asking = standins.ask.__self__.callback
pipes = dict(zip(asking.__code__.co_freevars, (cell.cell_contents for cell in asking.__closure__)))["pipes"]
def raw(text):
    pipes.writing.write(struct.pack("<II", len(text), 0) + text.encode())
    pipes.writing.flush()
    return pipes.read()
"""
BORROW = "from cs231n_lib.check import standins\n"
CALLS_BACK = ("def g(f):\n    return f(1.0)", "assert g(lambda v: v.real + 1) == 2.0")


def test_a_message_nested_too_deeply_costs_its_sender_only(verdicts):
    deep = 'for depth in range(800, 1000):\n    raw(\'{"callback": "relu_forward", "arguments": %s}\' % '
    first, second = verdicts(
        (f"{RAW}{deep}('[' * depth + ']' * depth))\ndef f(): return True", "assert f()"), (NET, NET_TESTS)
    )
    assert first["points"] == 0.0
    assert second["points"] == 2.0


@pytest.mark.parametrize("argument", ["object()", "'text'"])
def test_a_cell_cannot_call_what_a_question_handed_over(server, make_job, argument):
    job = make_job(CALLS_BACK, extras=[(99, f"{BORROW}standins.ask(0, {argument})")], setup=SETUP)
    record = server.ask("lender", json.loads(json.dumps(job.__dict__)))
    assert "fault" not in record, record
    assert record["verdicts"][0]["points"] == 2.0
    assert "no such function" in record["flags"][0][1]


def test_nor_can_what_answers_for_its_names(verdicts):
    forge = """
def handle(self, request, buffers, handle=type(standins.ask.__self__).handle, seen=[]):
    seen += [request["op"]]
    if seen[-2:] == ["call", "describe"]:
        standins.ask(0, object())
    return handle(self, request, buffers)
type(standins.ask.__self__).handle = handle"""
    first, _ = verdicts((f"{BORROW}{CALLS_BACK[0]}{forge}", CALLS_BACK[1]), (NET, NET_TESTS))
    assert first["points"] == 2.0


def test_what_one_question_handed_over_does_not_answer_the_next(verdicts):
    first, second = verdicts(CALLS_BACK, (f"{BORROW}def h(x):\n    return standins.ask(0, x)", "assert h(3.0) == 4.0"))
    assert first["points"] == 2.0
    assert second["points"] == 0.0
    assert "earlier question" in second["message"]


def test_a_box_is_watched_while_it_waits_for_a_layer(sandbox, lender):
    lender.warm()
    box = sandbox.start(forbid=("torch",), lend=lender.lend, purse=Purse(60.0))
    box.limits = dataclasses.replace(box.limits, memory=300_000_000)
    hoard = """import os, time, numpy as np
from cs231n_lib.check import standins
for delay in (0.7, 1.0, 1.3):
    if os.fork() == 0:
        time.sleep(delay)
        held = np.ones(25_000_000)
        time.sleep(60)
x = np.ones((2500, 2500), dtype=int)
standins.affine_forward(x, x, x[0])"""
    with pytest.raises(LimitReached) as stop:
        box.run(hoard)
    assert stop.value.kind == "memory_limit"
    assert not lender.box.alive
    reply, _ = lender.lend("relu_forward", *packed(np.ones(2)), 30.0, idle)
    assert "error" not in reply


def test_threads_may_call_them_at_once_and_a_forked_process_is_told_no(sandbox, lender):
    box = sandbox.start(forbid=("torch",), lend=lender.lend, purse=Purse(60.0))
    said = box.run(
        "import multiprocessing, pickle, numpy as np\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "from cs231n_lib.check.standins import relu_forward\n"
        "def total(n): return float(relu_forward(np.full(3, n))[0].sum())\n"
        "with ThreadPoolExecutor(4) as pool: print(sum(pool.map(total, range(40))))\n"
        "print(pickle.loads(pickle.dumps(relu_forward)) is relu_forward)\n"
        "with multiprocessing.get_context('fork').Pool(1) as pool: pool.map(total, [1])"
    )
    box.close()
    assert said["error"]["message"] == "layers carried forward can be called in the notebook's own process only"


def test_a_package_that_is_forbidden_is_not_in_the_python_beneath_either(sandbox):
    folders = [Path(sys.base_prefix, "lib"), Path("/usr/lib"), Path("/usr/local/lib")]
    found = [path for folder in folders for path in folder.glob("python3*/*-packages/scipy")]
    if not found:
        pytest.skip("no other Python here has it")
    box = sandbox.start(forbid=("torch", "scipy"))
    read = box.run(
        f"import os\nfor path in {list(map(str, found))}: print(os.listdir(path) if os.path.exists(path) else [])"
    )
    box.close()
    assert {*read["text"].split("\n")} <= {"['__init__.py']", "[]", ""}
