"""What benchmarks/kernels.py takes from its user: a student's pair, shape names."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"


@pytest.fixture(scope="module")
def kernels():
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("benchmark_kernels", BENCHMARKS / "kernels.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(BENCHMARKS))


def cell(source, kind="code"):
    return {"cell_type": kind, "source": source.splitlines(keepends=True)}


def test_a_notebook_gives_its_functions_and_runs_nothing_else(kernels, tmp_path, capsys):
    cells = [
        cell("# Title", "markdown"),
        cell("%matplotlib inline\nimport numpy as np\nraise RuntimeError('not a definition')"),
        cell("def conv_forward_mine(x, w, b, *, stride=1, pad=0):\n    return np.abs(x), None"),
        cell("def conv_backward_mine(dout, cache):\n    return dout, dout, dout"),
        cell("def unfinished(:"),
    ]
    path = tmp_path / "mine.ipynb"
    path.write_text(json.dumps({"cells": cells}), encoding="utf-8")
    pair = kernels.student_pair(f"{path}:conv_forward_mine")
    assert pair.run((-1, 0, 0), 5, {"pad": 1}) == (1, 5, 5, 5)
    assert pair.takes({"stride": 2, "pad": 1})
    assert not pair.takes({"groups": 2})
    assert "a cell of mine.ipynb is left out" in capsys.readouterr().out


def test_what_is_missing_is_named(kernels, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text("def conv_forward(x): pass", encoding="utf-8")
    with pytest.raises(SystemExit, match=r"must define conv_backward$"):
        kernels.student_pair(f"{path}:conv_forward")
    with pytest.raises(SystemExit, match=r"--student must be .*, got nowhere.py:conv_forward"):
        kernels.student_pair("nowhere.py:conv_forward")


def test_shape_names(kernels):
    assert kernels.shape_names("pools,c128k1") == [*kernels.GROUPS["pools"], "c128k1"]
    with pytest.raises(SystemExit, match=r"--shapes must be of eight, more, pools, .* got typo$"):
        kernels.shape_names("c128k1,typo")
