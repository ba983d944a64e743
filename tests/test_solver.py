"""The solver: each defect of Stanford's is a named test; pause and resume equal a straight run bit for bit."""

import json
import subprocess
import sys
from itertools import chain
from types import SimpleNamespace

import numpy as np
import pytest

from cs231n_lib.optim import SGD, FromRule, step_decay
from cs231n_lib.solver import DivergedError, History, Solver, accuracy


class LeastSquares:
    """Scores = (X - running mean) W, squared error to one-hot labels, noise on the input in training: small, but it has
    everything that a checkpoint must keep: parameters, running statistics and a generator of its own."""

    def __init__(self, *, dim=6, classes=3, dtype=np.float64):
        self.params = {"W": np.zeros((dim, classes), dtype=dtype, order="F")}
        self.bn_params = [{"mode": "train"}]
        self.rng = np.random.default_rng(99)
        self.seen = []

    def loss(self, X, y=None):
        store, W = self.bn_params[0], self.params["W"]
        store["mode"] = "test" if y is None else "train"
        if y is None:
            return (X - store.get("running_mean", 0.0)) @ W
        self.seen.append(len(X))
        X = X + 0.01 * self.rng.normal(size=X.shape)
        store["running_mean"] = 0.9 * store.get("running_mean", np.zeros(X.shape[1])) + 0.1 * X.mean(axis=0)
        residual = (X - X.mean(axis=0)) @ W - np.eye(W.shape[1])[y]
        return 0.5 * (residual**2).sum() / len(X), {"W": (X - X.mean(axis=0)).T @ residual / len(X)}


class Counter:
    """Its one parameter counts the steps; `plan[steps]` is the number of the four validation examples it gets right."""

    def __init__(self, plan):
        self.params, self.plan = {"w": np.zeros(1)}, plan

    def loss(self, X, y=None):
        if y is not None:
            return 1.0, {"w": -np.ones(1)}
        right = self.plan[min(int(self.params["w"][0]), len(self.plan) - 1)]
        return np.eye(2)[(np.arange(len(X)) >= right).astype(int)]


def data(*, n=53, dim=6, classes=3, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=n)
    return rng.normal(size=(n, dim)) + 2 * np.eye(dim)[y], y


def momentum_like(w, dw, config):
    v = 0.9 * config.get("v", np.zeros_like(w)) - config["learning_rate"] * dw
    return w + v, config | {"v": v, "t": config.get("t", 0) + 1}


def make(model=None, *, seed=0, optimizer=None, **options):
    optimizer = optimizer or FromRule(momentum_like, learning_rate=0.05)
    rng = np.random.default_rng(seed)
    return Solver(model or LeastSquares(), data(), data(n=31, seed=1), optimizer=optimizer, rng=rng, **options)


def counting(plan, **options):
    four = np.zeros((4, 1)), np.zeros(4, dtype=int)
    return Solver(Counter(plan), four, four, optimizer=SGD(learning_rate=1.0), rng=np.random.default_rng(0), **options)


def everything(solver):
    """Return all that a run leaves behind, for exact comparison."""
    return {
        "W": solver.model.params["W"].tobytes(),
        "mean": solver.model.bn_params[0]["running_mean"].tobytes(),
        "history": json.dumps(solver.history.to_dict()),
        "rng": str(solver.rng.bit_generator.state),
        "model rng": str(solver.model.rng.bit_generator.state),
        "optimizer": {name: value.tobytes() for name, value in solver.optimizer.state_dict().items()},
    }


# What an epoch is


def test_it_reaches_the_least_squares_solution():
    solver = make(optimizer=SGD(learning_rate=0.01))
    history = solver.train(num_epochs=30, batch_size=8, progress=False)
    X, y = data()
    X, targets = X - X.mean(axis=0), np.eye(3)[y]
    best = np.linalg.lstsq(X, targets, rcond=None)[0]
    optimum = 0.5 * ((X @ best - targets) ** 2).sum() / len(X)
    assert history.loss[0] > 1.3 * optimum
    assert np.mean(history.loss[-7:]) < 1.1 * optimum  # the last pass: single batches are noisy
    assert max(history.val_accuracy) > 0.9 > 0.6 > history.val_accuracy[0]


def test_a_run_equals_the_loop_written_out():
    solver = make(optimizer=SGD(learning_rate=0.1))
    for _ in solver.steps(num_epochs=2, batch_size=20):
        pass
    (X, y), rng, model, losses = data(), np.random.default_rng(0), LeastSquares(), []
    for _ in range(2):
        order = rng.permutation(53)
        for chosen in (order[:20], order[20:40], order[40:]):
            loss, grads = model.loss(X[chosen], y[chosen])
            model.params["W"] = model.params["W"] - 0.1 * grads["W"]
            losses.append(loss)
    assert solver.history.loss == losses
    np.testing.assert_array_equal(solver.model.params["W"], model.params["W"])


def test_stanford_defect_an_epoch_is_one_pass_each_example_once_last_batch_kept():
    X, y = np.arange(53.0)[:, None], np.zeros(53, dtype=int)
    model = Counter([0])
    batches = []

    def loss(X, y=None, original=model.loss):
        if y is not None:
            batches.append(X[:, 0].tolist())
        return original(X, y)

    model.loss = loss
    solver = Solver(model, (X, y), (X, y), optimizer=SGD(learning_rate=1.0), rng=np.random.default_rng(0))
    history = solver.train(num_epochs=2, batch_size=8, progress=False)
    assert [len(batch) for batch in batches] == [8, 8, 8, 8, 8, 8, 5] * 2
    first, second = list(chain(*batches[:7])), list(chain(*batches[7:]))
    assert sorted(first) == sorted(second) == list(range(53))
    assert first != second  # a fresh permutation
    assert history.evaluated_at == [0, 7, 14]


def test_stanford_defect_one_seed_one_run():
    first, second, other = make(), make(), make(seed=1)
    for solver in (first, second, other):
        solver.train(num_epochs=2, batch_size=8, progress=False)
    assert everything(first) == everything(second)
    assert everything(first)["W"] != everything(other)["W"]


def test_accuracy_counts_examples_not_batches():
    X, y = np.zeros((5, 1)), np.array([0, 0, 0, 0, 1])
    model = SimpleNamespace(loss=lambda X: np.tile([1.0, 0.0], (len(X), 1)))
    assert accuracy(model, X, y, batch_size=4) == pytest.approx(0.8)  # the mean of batch accuracies is 0.5


def test_splits_may_be_tuples_or_objects_and_uint8_needs_preprocess():
    images, labels = np.full((6, 2, 2, 3), 255, dtype=np.uint8), np.zeros(6, dtype=np.int64)
    split = SimpleNamespace(images=images, labels=labels)
    seen = []

    class Spy(Counter):
        def loss(self, X, y=None):
            seen.append((X.dtype, X.max(), X.shape[1:]))
            return super().loss(X, y)

    def options():
        return {"optimizer": SGD(learning_rate=1.0), "rng": np.random.default_rng(0)}

    with pytest.raises(TypeError, match=r"train images must be float, got uint8; pass preprocess="):
        Solver(Spy([0]), split, split, **options())
    solver = Solver(Spy([0]), split, (images, labels), preprocess=lambda X: X.astype(np.float32) / 255, **options())
    solver.train(num_epochs=1, batch_size=4, progress=False)
    assert set(seen) == {(np.dtype(np.float32), np.float32(1), (2, 2, 3))}


# Best parameters


def test_stanford_defect_the_best_parameters_come_back_with_their_running_statistics():
    solver = make(optimizer=SGD(learning_rate=0.5))
    kept = {}
    for event in solver.steps(num_epochs=12, batch_size=8):
        if event.ends_epoch:
            model = solver.model
            kept[round(event.epoch)] = (model.params["W"].copy(), model.bn_params[0]["running_mean"].copy())
    solver.restore_best()
    best = solver.history.best_epoch
    assert 0 < best < 12  # otherwise this test shows nothing
    np.testing.assert_array_equal(solver.model.params["W"], kept[best][0])
    np.testing.assert_array_equal(solver.model.bn_params[0]["running_mean"], kept[best][1])
    assert accuracy(solver.model, *solver.val_data) == max(solver.history.val_accuracy)


def test_statistics_in_model_state_are_kept_too():
    class WithState(Counter):
        def __init__(self, plan):
            super().__init__(plan)
            self.state = {"mean": np.zeros(1)}

        def loss(self, X, y=None):
            if y is not None:
                self.state["mean"] = self.params["w"] + 0.5
            return super().loss(X, y)

    four = np.zeros((4, 1)), np.zeros(4, dtype=int)
    solver = Solver(
        WithState([0, 1, 4, 2, 1]), four, four, optimizer=SGD(learning_rate=1.0), rng=np.random.default_rng(0)
    )
    solver.train(num_epochs=4, batch_size=4, progress=False)
    assert solver.model.params["w"][0] == 2
    assert solver.model.state["mean"][0] == 1.5  # set in the second step


def test_a_tie_keeps_the_earlier_epoch_and_the_start_counts():
    assert counting([3, 1, 3, 3]).train(num_epochs=3, batch_size=4, progress=False).best_epoch == 0
    solver = counting([3, 1, 2])
    solver.train(num_epochs=2, batch_size=4, progress=False)
    assert solver.model.params["w"][0] == 0


# Stopping


def test_early_stopping_waits_for_patience_epochs():
    history = counting([0, 1, 2, 2, 1, 4], patience=2).train(num_epochs=9, batch_size=4, progress=False)
    assert history.val_accuracy == [0, 0.25, 0.5, 0.5, 0.25]


def test_a_callback_stops_after_the_present_step_and_training_can_go_on():
    solver = make()
    seen = []

    def watch(event):
        seen.append(event)
        if event.step == 3:
            solver.stop()

    solver.train(num_epochs=2, batch_size=8, on_step=watch, progress=False)
    assert [event.step for event in seen] == [1, 2, 3]
    solver.train(num_epochs=2, batch_size=8, on_step=seen.append, progress=False)
    assert [event.step for event in seen] == list(range(1, 15))


def test_callbacks_see_every_step_and_epoch():
    solver, steps, epochs = make(), [], []
    history = solver.train(num_epochs=2, batch_size=8, on_step=steps.append, on_epoch=epochs.append, progress=False)
    assert [event.loss for event in steps] == history.loss
    assert [event.step for event in epochs] == [7, 14]
    assert [event.val_accuracy for event in epochs] == history.val_accuracy[1:]
    assert [event.epoch for event in steps][6:8] == [1.0, pytest.approx(1 + 8 / 53)]


def test_schedule_and_edited_learning_rate_multiply():
    optimizer = SGD(learning_rate=0.1)
    solver = make(optimizer=optimizer, schedule=lambda epoch: step_decay(epoch, every=1, factor=0.5))

    def edit(event):
        if event.step == 2:
            optimizer.learning_rate = 0.2

    history = solver.train(num_epochs=2, batch_size=20, on_step=edit, progress=False)
    assert history.learning_rate == pytest.approx([0.1, 0.1, 0.2, 0.1, 0.1, 0.1])


# Pause and resume


def test_pausing_is_not_asking_for_the_next_step():
    straight, paused = make(), make()
    straight.train(num_epochs=3, batch_size=8, progress=False)
    for _ in range(5):
        steps = paused.steps(num_epochs=3, batch_size=8)
        for _ in range(4):
            next(steps, None)
    for _ in paused.steps(num_epochs=3, batch_size=8):
        pass
    paused.restore_best()
    assert everything(paused) == everything(straight)


def test_training_on_after_the_best_was_restored_equals_training_straight():
    straight, twice = make(), make()
    straight.train(num_epochs=6, batch_size=8, progress=False)
    twice.train(num_epochs=2, batch_size=8, progress=False)
    twice.train(num_epochs=6, batch_size=8, progress=False)
    assert everything(twice) == everything(straight)


@pytest.mark.parametrize("stop_at", [0, 3, 7, 10])
def test_stanford_defect_resume_from_a_checkpoint_is_bit_for_bit(tmp_path, stop_at):
    straight, first, second = make(), make(), make(seed=123)
    straight.train(num_epochs=3, batch_size=8, progress=False)
    steps = first.steps(num_epochs=3, batch_size=8)
    for _ in range(stop_at):
        next(steps)
    first.save(tmp_path / "run.npz")
    second.model.rng = np.random.default_rng(5)  # everything random must come from the file
    second.model.bn_params[0]["running_mean"] = np.full(6, 7.0)
    second.load(tmp_path / "run.npz")
    second.train(num_epochs=3, batch_size=8, progress=False)
    assert everything(second) == everything(straight)


def test_a_finished_run_is_saved_where_it_stood_not_at_its_best(tmp_path):
    straight, first, second = make(), make(), make()
    straight.train(num_epochs=5, batch_size=8, progress=False)
    first.train(num_epochs=3, batch_size=8, checkpoint=tmp_path / "run.npz", progress=False)
    first.save(tmp_path / "after.npz")
    second.load(tmp_path / "after.npz")
    second.train(num_epochs=5, batch_size=8, progress=False)
    assert everything(second) == everything(straight)
    third = make()
    third.load(tmp_path / "run.npz")
    third.train(num_epochs=5, batch_size=8, progress=False)
    assert everything(third) == everything(straight)


@pytest.mark.parametrize("kind", [np.random.MT19937, np.random.Philox, np.random.SFC64])
def test_every_kind_of_generator_is_saved(tmp_path, kind):
    def solver():
        return Solver(
            LeastSquares(), data(), data(), optimizer=SGD(learning_rate=0.1), rng=np.random.Generator(kind(3))
        )

    first, second = solver(), solver()
    next(first.steps(num_epochs=1, batch_size=8))
    first.save(tmp_path / "run.npz")
    second.load(tmp_path / "run.npz")
    assert first.rng.integers(1 << 60) == second.rng.integers(1 << 60)
    with pytest.raises(ValueError, match="rng must be of kind"):
        make(optimizer=SGD(learning_rate=0.1)).load(tmp_path / "run.npz")


def test_an_interrupted_write_leaves_the_old_checkpoint_and_no_rubbish(tmp_path, monkeypatch):
    solver, path = make(), tmp_path / "run.npz"
    solver.save(path)
    old = path.read_bytes()

    def fails(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fails)
    with pytest.raises(OSError, match="disk full"):
        solver.save(path)
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == ["run.npz"]


def test_stanford_defect_a_checkpoint_never_unpickles(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    path = tmp_path / "bomb.npz"
    np.savez(path, format=np.array("cs231n-solver-1"), history=np.array([Bomb()], dtype=object))
    with pytest.raises(ValueError, match="path must be a checkpoint"):
        make().load(path)


def test_a_file_that_does_not_fit_is_refused(tmp_path):
    solver, path = make(), tmp_path / "run.npz"
    solver.save(path)
    with pytest.raises(ValueError, match=r"params/W of shape \(6, 3\) where the model has \(6, 4\)"):
        make(LeastSquares(classes=4)).load(path)
    with pytest.raises(ValueError, match="state must come from the optimizer SGD"):
        make(optimizer=SGD(learning_rate=1.0)).load(path)
    other = Solver(LeastSquares(), data(n=7), data(), optimizer=SGD(learning_rate=1.0), rng=np.random.default_rng(0))
    with pytest.raises(ValueError, match="train must have 53 examples as then, got 7"):
        other.load(path)
    path.write_bytes(b"not a zip")
    with pytest.raises(ValueError, match="path must be a checkpoint"):
        solver.load(path)
    np.savez(path, x=np.ones(2))
    with pytest.raises(ValueError, match="got another file"):
        solver.load(path)
    with pytest.raises(FileNotFoundError):
        solver.load(tmp_path / "missing.npz")


def test_an_evaluation_that_was_interrupted_is_made_up_for(monkeypatch):
    solver = make()
    evaluate, calls = solver._evaluate, []

    def interrupted():
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        evaluate()

    monkeypatch.setattr(solver, "_evaluate", interrupted)
    with pytest.raises(KeyboardInterrupt):
        solver.train(num_epochs=2, batch_size=8, progress=False)
    history = solver.train(num_epochs=2, batch_size=8, progress=False)
    assert history.evaluated_at == [0, 7, 14]


# Divergence


class Breaks(LeastSquares):
    """Returns `broken(loss, grads)` from the given step on, after its forward pass has moved the statistics."""

    def __init__(self, broken, *, at):
        super().__init__()
        self.broken, self.at, self.calls = broken, at, 0

    def loss(self, X, y=None):
        if y is None:
            return super().loss(X)
        self.calls += 1
        result = super().loss(X, y)
        if self.calls < self.at:
            return result
        self.bn_params[0]["running_mean"] = np.full(6, np.nan)
        return self.broken(*result)


@pytest.mark.parametrize(
    ("broken", "where"),
    [
        (lambda loss, grads: (np.nan, grads), "loss"),
        (lambda loss, grads: (np.inf, grads), "loss"),
        (lambda loss, grads: (loss, {"W": np.full((6, 3), np.inf)}), "gradient of 'W'"),
        (lambda loss, grads: (loss, {"W": np.full((6, 3), 1e308)}), "parameter 'W' after the step"),
    ],
)
def test_stanford_defect_nan_and_inf_stop_training_with_where_and_when(broken, where):
    solver = make(Breaks(broken, at=10), optimizer=SGD(learning_rate=1e3 if "parameter" in where else 0.05))
    before = {}

    def keep(event):
        before.update(W=solver.model.params["W"].copy(), mean=solver.model.bn_params[0]["running_mean"].copy())

    with pytest.raises(DivergedError, match="lower the learning rate") as caught, np.errstate(over="ignore"):
        solver.train(num_epochs=5, batch_size=8, on_step=keep, progress=False)
    error = caught.value
    assert (error.where, error.step, error.epoch) == (where, 10, pytest.approx(1 + 16 / 53))
    assert error.learning_rate == solver.optimizer.learning_rate
    assert error.losses == solver.history.loss[-5:]
    assert len(solver.history.loss) == 9
    assert f"{where} must be finite, got nan or inf at step 10 (epoch 1.30" in str(error)
    np.testing.assert_array_equal(solver.model.params["W"], before["W"])
    np.testing.assert_array_equal(solver.model.bn_params[0]["running_mean"], before["mean"])
    solver.restore_best()  # Stanford's model.params is {} here
    assert np.isfinite(accuracy(solver.model, *solver.val_data))


def test_divergence_at_the_very_first_step_leaves_the_initial_model():
    solver = make(Breaks(lambda loss, grads: (np.nan, grads), at=1))
    with pytest.raises(DivergedError, match="losses before: none"):
        solver.train(num_epochs=1, batch_size=8, progress=False)
    np.testing.assert_array_equal(solver.model.params["W"], np.zeros((6, 3)))
    assert "running_mean" not in solver.model.bn_params[0]


def test_after_divergence_a_lower_learning_rate_can_go_on():
    with np.errstate(over="ignore", invalid="ignore"):
        solver = make(optimizer=SGD(learning_rate=1e60))
        with pytest.raises(DivergedError):
            solver.train(num_epochs=5, batch_size=8, progress=False)
    solver = make(Breaks(lambda loss, grads: (np.nan, grads), at=4), optimizer=SGD(learning_rate=0.1))
    with pytest.raises(DivergedError):
        solver.train(num_epochs=1, batch_size=8, progress=False)
    solver.model.at = 10**9
    solver.optimizer.learning_rate = 0.01
    history = solver.train(num_epochs=1, batch_size=8, progress=False)
    assert history.learning_rate == [0.1] * 3 + [0.01] * 4
    assert solver.model.seen == [8] * 4 + [8] * 3 + [5]  # the failed batch is tried again


def test_nan_scores_are_not_read_as_an_answer():
    model = Counter([0])
    model.loss = lambda X, y=None: (1.0, {"w": np.zeros(1)}) if y is not None else np.full((len(X), 2), np.nan)
    four = np.zeros((4, 1)), np.zeros(4, dtype=int)
    solver = Solver(model, four, four, optimizer=SGD(learning_rate=1.0), rng=np.random.default_rng(0))
    with pytest.raises(DivergedError, match="scores on train must be finite"):
        solver.train(num_epochs=1, batch_size=4, progress=False)


# Interface


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: make().train(num_epochs=0, batch_size=8), "num_epochs must be a whole number >= 1, got 0"),
        (lambda: make().train(num_epochs=1, batch_size=2.5), r"batch_size must be a whole number >= 1, got 2\.5"),
        (lambda: make(patience=0), "patience must be at least 1 epoch or None, got 0"),
        (lambda: counting([0]).restore_best() or History().best_epoch, "best_epoch must follow an evaluation"),
        (lambda: History.from_dict({"loss": []}), r"data must have the keys .* got \['loss'\]"),
    ],
)
def test_value_errors_name_the_argument_and_the_value(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_wrong_splits_labels_rngs_and_models_are_named():
    def solver(train=None, *, rng=None, model=None):
        optimizer = SGD(learning_rate=1.0)
        rng = rng or np.random.default_rng(0)
        return Solver(model or LeastSquares(), train or data(), data(), optimizer=optimizer, rng=rng)

    with pytest.raises(TypeError, match=r"train must be a tuple \(X, y\) or have \.images and \.labels, got dict"):
        solver({"X": 1})
    with pytest.raises(ValueError, match=r"train labels must be integers of shape \(53,\).* got float64 of shape"):
        solver((data()[0], data()[1] * 1.0))
    with pytest.raises(ValueError, match=r"train labels must be .* got int64 of shape \(52,\)"):
        solver((data()[0], data()[1][1:]))
    with pytest.raises(TypeError, match=r"rng must be a Generator, got 3"):
        solver(rng=3)
    broken = LeastSquares()
    broken.params["W"][0, 0] = np.nan
    with pytest.raises(ValueError, match=r"model\.params\['W'\] must be finite"):
        solver(model=broken)


@pytest.mark.parametrize(
    ("returned", "message"),
    [(None, r"must return \(loss, grads\), got NoneType"), ((1.0, {"W": None}), r"grads\['W'\] .* got None")],
)
def test_an_unwritten_loss_or_backward_pass_is_named(returned, message):
    with pytest.raises(TypeError, match=message):
        make(Breaks(lambda loss, grads: returned, at=1)).train(num_epochs=1, batch_size=8, progress=False)


def test_history_is_plain_data_and_survives_json():
    solver = make()
    history = solver.train(num_epochs=2, batch_size=8, progress=False)
    assert History.from_dict(json.loads(json.dumps(history.to_dict()))) == history
    history.loss.clear()  # the solver's own copy is not the caller's
    assert len(solver.history.loss) == 14


def test_progress_is_shown_and_can_be_silenced(capsys):
    make().train(num_epochs=1, batch_size=8)
    assert "7/7" in capsys.readouterr().err
    make().train(num_epochs=1, batch_size=8, progress=False)
    assert capsys.readouterr() == ("", "")


def test_float32_training_stays_float32():
    model = LeastSquares(dtype=np.float32)
    make(model).train(num_epochs=1, batch_size=8, progress=False)
    assert model.params["W"].dtype == np.float32


def test_importing_loads_neither_torch_nor_matplotlib():
    code = (
        "import sys, cs231n_lib.solver, cs231n_lib.optim;"
        "sys.exit('torch' in sys.modules or 'matplotlib' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
