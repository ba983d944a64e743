"""Which answers could have changed what another one sees: only these make a failed question worth a second run."""

import time

import pytest

from autograder.company import may_disturb

SHARED = ["import numpy as np\nX = np.arange(6.0)\n"]
OWN = "def net(x):\n    return helper(x) + X.sum()\ndef helper(x):\n    return np.maximum(x, 0)\n"

HARMLESS = [
    "import numpy as np\ndef loss(x, y):\n    s = x.copy()\n    s[np.arange(len(y)), y] -= 1\n    return s\n",
    "def order(x):\n    best = np.sort(x)\n    best.sort()\n    cache = {}\n    cache['x'] = x\n    return best\n",
    "class Net:\n    def __init__(self):\n        self.params = {}\n        self.params['W'] = np.zeros(3)\n",
    "def walk(xs):\n    out = []\n    for x in xs:\n        out.append(x)\n    return out\nprint(walk([1]))\n",
    "losses = []\nfor k in range(3):\n    losses.append(k)\nlosses[0] = 1\n",
    "rates = [10**k for k in range(3)]\nbest = max(rates)\n",
    "def broken(:\n",
]
HARMFUL = [
    "def helper(x):\n    return x\n",
    "X = None\n",
    "del X\n",
    "for X in range(3):\n    pass\n",
    "import math as np\n",
    "def f():\n    global X\n    X = 3\n",
    "def f(x):\n    X[0] = 1\n    return x\n",
    "X.sort()\n",
    "np.sum = max\n",
    "def f(x):\n    np.sum = max\n    return x\n",
    "np.seterr(all='raise')\n",
    "np.add(X, 1, out=X)\n",
    "import sys\nsys.setrecursionlimit(10)\n",
    "import builtins\n",
    "from math import *\n",
    "setattr(np, 'sum', max)\n",
    "exec('X = 1')\n",
    "%reset -f\n",
    "().__class__.__base__\n",
    "import warnings\nwarnings.simplefilter('error')\n",
    "from torch import set_default_dtype as use\nuse('f8')\n",
    "files = !ls\nnp.sum = max\n",
    "m = np\nm.sum = max\n",
    "for m in (np, X):\n    m.sum = max\n",
    "np.sum?\nnp.sum = max\n",
]


@pytest.mark.parametrize("other", HARMLESS)
def test_an_honest_answer_cannot_have_done_it(other):
    assert not may_disturb([other], OWN, SHARED)


@pytest.mark.parametrize("other", HARMFUL)
def test_whatever_reaches_out_of_its_cell_may_have_done_it(other):
    assert may_disturb([HARMLESS[0], other], OWN, SHARED)


def test_an_answer_that_does_not_parse_is_nobody_elses_fault():
    assert not may_disturb(HARMFUL, "def net(:\n", SHARED)


@pytest.mark.parametrize("magic", ["%%time", "%matplotlib inline", "files = !ls", "np.sum?"])
def test_an_answer_with_a_magic_does_run(magic):
    assert may_disturb([HARMFUL[8]], f"{magic}\n{OWN}", SHARED)


@pytest.mark.parametrize("terms", [1_500, 2_500, 60_000])
def test_what_is_too_deep_or_too_long_to_read_may_have_done_it(terms):
    assert may_disturb(["x = " + "+".join(["'a'"] * terms)], OWN, SHARED)


def test_looking_for_magics_takes_no_time_on_white_space():
    start = time.process_time()
    may_disturb([" \n" * 90_000 + "def f(:", "?" * 190_000 + "\n"], "= " * 90_000, SHARED)
    assert time.process_time() - start < 5.0
