"""The blocked search against plain exact distances; and the benchmark's own judge and loader."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"

REFERENCE = '''# %% [markdown]
# # k-NN

# %% solution="knn-no_loops"
def compute_distances_no_loops(X, X_train):
    """Distances."""
    return np.sqrt(((X[:, None].astype(np.float64) - X_train) ** 2).sum(axis=2))

# %% tests="knn-no_loops" points=8
raise RuntimeError("not part of the solution")
'''

STAND_IN = """
import numpy as np
def no_loops(X, Y):
    return np.sqrt(((X[:, None].astype(np.float64) - Y) ** 2).sum(axis=2))
"""


@pytest.fixture(scope="module")
def knn():
    """Import benchmarks/knn.py as running it does: with its own folder first on the path."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        spec = importlib.util.spec_from_file_location("benchmark_knn", BENCHMARKS / "knn.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        from methods import blocked_knn, knn_methods

        module.blocked_knn, module.knn_methods = blocked_knn, knn_methods
        return module
    finally:
        sys.path.remove(str(BENCHMARKS))


def plain(X, Y, k):
    """Return indices and squared distances by the rule: nearer first, then the smaller index. Nothing clever."""
    squared = ((X[:, None].astype(np.float64) - Y[None].astype(np.float64)) ** 2).sum(axis=2)
    order = np.argsort(squared, axis=1, kind="stable")[:, :k]
    return order, np.take_along_axis(squared, order, axis=1)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 23), st.integers(1, 40), st.integers(1, 9), st.integers(1, 7), st.integers(1, 11), st.integers(0, 99)
)
def test_blocked_search_is_exact_with_ties_copies_and_blocks_that_do_not_fit(knn, n, m, dim, rows, columns, seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 4, size=(n, dim)).astype(np.float32)  # few values, small: ties everywhere
    Y = rng.integers(0, 4, size=(m, dim)).astype(np.float32)
    k = int(rng.integers(1, m + 1))
    spare = int(rng.integers(0, 4))
    got = knn.blocked_knn.nearest_neighbours(X, Y, k=k, rows=rows, columns=columns, spare=spare, workers=2)
    indices, squared = plain(X, Y, k)
    np.testing.assert_array_equal(got.indices, indices)
    np.testing.assert_array_equal(got.squared_distances, squared)


def test_where_float32_cannot_tell_neighbours_apart_the_full_measurement_decides(knn):
    rng = np.random.default_rng(0)
    Y = (1000 + 1e-3 * rng.normal(size=(300, 50))).astype(np.float32)  # |y|^2 is 5e7, the distances are 1e-4
    X = (1000 + 1e-3 * rng.normal(size=(8, 50))).astype(np.float32)
    got = knn.blocked_knn.nearest_neighbours(X, Y, k=5)
    np.testing.assert_array_equal(got.indices, plain(X, Y, 5)[0])
    assert got.num_unproved == 8
    scores = (Y.astype(np.float32) ** 2).sum(axis=1) - 2 * X @ Y.T
    assert (np.argsort(scores, axis=1)[:, :5] != got.indices).any()  # otherwise this test shows nothing


def test_on_pictures_the_proof_succeeds_without_measuring_everything(knn):
    X, Y = knn.draw_images(20, 600, rng=np.random.default_rng(0))
    got = knn.blocked_knn.nearest_neighbours(X, Y, k=5)
    np.testing.assert_array_equal(got.indices, knn.exact_neighbours(X, Y, k=5)[0])
    assert got.num_unproved == 0


def test_exact_neighbours_is_the_plain_answer(knn):
    X, Y = knn.draw_images(5, 60, rng=np.random.default_rng(1))
    assert (Y[-6:] == Y[:6]).all()  # the ties that the rule is for
    np.testing.assert_array_equal(knn.exact_neighbours(X, Y, k=7)[0], plain(X, Y, 7)[0])


def test_blocked_search_refuses_what_it_cannot_do_exactly(knn):
    X = np.zeros((2, 3), dtype=np.float32)
    with pytest.raises(TypeError, match="X and Y must be float32, got float64 and float32"):
        knn.blocked_knn.nearest_neighbours(X.astype(np.float64), X, k=1)
    with pytest.raises(ValueError, match=r"k must be in 1\.\.2, got 3"):
        knn.blocked_knn.nearest_neighbours(X, X, k=3)


def test_the_judge_tells_ties_rounding_and_mistakes_apart(knn):
    squared = np.tile([4.0, 4.0, 4.00001, 9.0], (5, 1))
    exact = np.tile([0, 1], (5, 1))
    answers = np.array([[0, 1], [1, 0], [0, 2], [0, 3], [0, 0]])  # the last names one image twice
    assert knn.judge(answers, exact, squared) == {"same": 1, "tie": 1, "rounding": 1, "wrong": 2}


def test_the_reference_is_read_from_its_solution_cell_alone(knn, tmp_path):
    source = tmp_path / "N01_knn.py"
    with pytest.raises(SystemExit, match=r"source must exist, got .*N01_knn\.py; give --reference"):
        knn.load_reference(source)
    source.write_text(REFERENCE)
    distances = knn.load_reference(source)
    np.testing.assert_allclose(distances(np.zeros((1, 2)), np.array([[3.0, 4.0]])), [[5.0]])
    source.write_text(REFERENCE.replace("no_loops(", "fast("))
    with pytest.raises(SystemExit, match=r"must define one function \*no_loops, got 0"):
        knn.load_reference(source)
    source.write_text(REFERENCE + REFERENCE)
    with pytest.raises(SystemExit, match=r"must have one cell .* got 2"):
        knn.load_reference(source)


def run_command(folder, stand_in, *options):
    (folder / "stand_in.py").write_text(stand_in)
    command = [sys.executable, str(BENCHMARKS / "knn.py"), "--num-test", "30", "--num-train", "200", "--rounds", "1"]
    command += ["--reference", "stand_in:no_loops", "--json", str(folder / "out.json"), *options]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc")
def test_the_command_prints_ratios_and_writes_json(tmp_path):
    result = run_command(tmp_path, STAND_IN)
    assert result.returncode == 0, result.stderr
    rows = {row["method"]: row for row in json.loads((tmp_path / "out.json").read_text())["rows"]}
    assert set(rows) == {"blocked", "no_loops", "scikit-learn", "torch.cdist"}
    assert rows["blocked"]["time_ratio"] == 1
    assert rows["blocked"]["answers"]["same"] == 30
    assert all(row["answers"]["wrong"] == 0 and row["seconds"] > 0 for row in rows.values())


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peak memory is read from Linux's /proc")
def test_a_wrong_reference_fails_the_command(tmp_path):
    result = run_command(tmp_path, STAND_IN.replace("axis=2))", "axis=2))[:, ::-1]"), "--peers", "no_loops")
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1].startswith("knn.py: an answer is wrong")


def test_a_distance_function_is_called_in_pieces_only_when_it_would_not_fit(knn):
    assert knn.pieces(500, 5000) == [slice(0, 500)]
    parts = knn.pieces(10_000, 50_000)
    assert len(parts) > 1
    assert [row for part in parts for row in range(10_000)[part]] == list(range(10_000))
