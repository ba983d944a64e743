"""Tiles run side by side: every tile once, sums in one order, errors raised; and products cut to pieces."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import ThreadpoolController, threadpool_limits

from cs231n_lib.kernels.products import LINE, aligned_rows, aligned_zeros, matmul_in_pieces
from cs231n_lib.kernels.threads import one_blas_thread, run_tiles


@pytest.mark.parametrize("threads", [1, 2])
def test_every_tile_runs_once_and_parts_are_added_in_their_order(threads):
    """1 + tiny + tiny ... differs from tiny + tiny ... + 1 in float32, so the order shows."""
    values = np.float32([1, *[3e-8] * 40, -1, *[5e-8] * 40])
    expected = np.zeros(1, np.float32)
    for value in values:
        expected += value
    seen: list[int] = []
    total = np.zeros(1, np.float32)

    def task(number: int) -> list[np.ndarray]:
        seen.append(number)
        return [values[number : number + 1]]

    with threadpool_limits(threads, user_api="blas"):
        run_tiles(task, range(len(values)), into=[total])
    assert sorted(seen) == list(range(len(values)))
    assert total[0] == expected[0]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_error_in_a_tile_is_raised_and_the_next_call_works(threads):
    def task(number: int) -> None:
        if number == 3:
            raise ValueError("tile 3")

    with threadpool_limits(threads, user_api="blas"):
        with pytest.raises(ValueError, match="tile 3"):
            run_tiles(task, range(8))
        total = np.zeros(1)
        run_tiles(lambda number: [np.ones(1)], range(8), into=[total])
    assert total[0] == 8


def test_a_fast_worker_keeps_one_part_and_waits():
    """Tile 0 ends only when tile 2 has begun: by then the other worker has part 1 and may not begin tile 3."""
    third, begun = threading.Event(), []

    def task(number: int) -> list[np.ndarray]:
        begun.append(number)
        if number == 2:
            third.set()
        if number == 0:
            assert third.wait(timeout=60)
            assert 3 not in begun
        return [np.ones(1)]

    total = np.zeros(1)
    with threadpool_limits(2, user_api="blas"):
        run_tiles(task, range(8), into=[total])
    assert total[0] == 8


def test_an_error_frees_a_worker_that_waits_for_the_part():
    third = threading.Event()

    def task(number: int) -> list[np.ndarray]:
        if number == 2:
            third.set()
        if number == 0:
            assert third.wait(timeout=60)
            raise ValueError("tile 0")
        return [np.ones(1)]

    with threadpool_limits(2, user_api="blas"), pytest.raises(ValueError, match="tile 0"):
        run_tiles(task, range(8), into=[np.zeros(1)])


def test_two_workers_meet_in_one_call():
    """Each of the first two tiles waits for the other: with one worker alone the barrier would break."""
    barrier = threading.Barrier(2)
    with threadpool_limits(2, user_api="blas"):
        run_tiles(lambda number: barrier.wait(timeout=60) and None, range(2))


@given(
    batch=st.integers(1, 3), height=st.integers(1, 48), depth=st.integers(1, 200), columns=st.sampled_from([1, 64, 700])
)
def test_matmul_in_pieces_equals_one_product(batch, height, depth, columns):
    rng = np.random.default_rng(height)
    matrix, right = rng.normal(size=(1, height, depth)), rng.normal(size=(batch, depth, columns))
    out = np.full((batch, 2 * height, columns), np.nan)[:, ::2]  # rows apart, as in an image of several filters
    got = matmul_in_pieces(matrix, right, out)
    assert got is out
    np.testing.assert_allclose(out, np.einsum("bmk,bkn->bmn", np.repeat(matrix, batch, axis=0), right), atol=1e-10)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_workspaces_start_at_a_cache_line_and_rows_are_never_a_power_of_two_apart(dtype):
    assert aligned_zeros((3, 5), dtype).__array_interface__["data"][0] % LINE == 0
    for length in (1, 16, 100, 128):
        rows = aligned_rows(4, length, dtype)
        assert rows.shape == (4, length)
        assert rows.__array_interface__["data"][0] % LINE == 0
        assert rows.strides[0] % LINE == 0
        assert rows.strides[0] // LINE % 2 == 1


def test_any_thread_may_hold_blas_at_one_and_the_last_one_gives_it_back():
    """threadpoolctl takes limits from the first thread that sets one and ignores other threads without a word."""
    blas = ThreadpoolController().select(user_api="blas").lib_controllers
    with threadpool_limits(2):
        with one_blas_thread:
            pass
        inside, leave = threading.Event(), threading.Event()

        def hold():
            with one_blas_thread:
                inside.set()
                leave.wait()

        holder = threading.Thread(target=hold)
        holder.start()
        inside.wait()
        assert [library.num_threads for library in blas] == [1] * len(blas)
        with one_blas_thread:
            leave.set()
            holder.join()
            assert [library.num_threads for library in blas] == [1] * len(blas)
        assert [library.num_threads for library in blas] == [2] * len(blas)
    with threadpool_limits(1):
        assert [library.num_threads for library in blas] == [1] * len(blas)
