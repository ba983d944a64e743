"""The numbers of the hard cases: points, features, the straight line fitted in feature space, and its way back.

The line is fitted by minimising the softmax loss of two classes, log(1 + exp(-y (w z + b))) with y = +1 or -1, over
features z with mean 0 and spread 1: Newton's method, with a tiny weight on w so that separable points have a minimum.
Of the lines on Newton's way the one that gets most points right is kept, and moved along its normal if that gets more.
"""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .base import Choice, Data, Slider, State, ask

REACH = 3.0  # the plane spans [-REACH, REACH] both ways
CELLS, LINES, KNOTS = 48, 9, 25  # cells of the region map on a side; lines of the grid each way; points on each line
CENTRES = np.array([[-1.5, 1.2], [1.6, 0.9], [0.0, -1.6]])
NEAR = 0.75  # a point this close to a centre belongs to its mode
MOST_FEATURES = 12
STEP = 0.05  # of the morph
MOVING = ("polar", "product", "squares", "radius", "bumps")


@dataclass(frozen=True)
class Lift(State):
    """The case, the features, and how far the plane has been moved towards them."""

    case: str = "ring"
    features: str = "polar"
    morph: float = 0.0
    count: int = 120
    gap: float = 0.1
    probe_x: float = 1.2
    probe_y: float = 0.9
    seed: int = 0


CONTROLS = (
    Choice("case", "class 1", ("quadrants", "ring", "modes"), names=("quadrants", "1 ≤ L2 ≤ 2", "3 modes")),
    Choice("features", "features φ(x)", ("x", "product", "squares", "polar", "radius", "bumps", "yours"),
           names=("x₁, x₂", "x₁, x₁x₂", "x₁², x₂²", "angle, radius", "r, (r - 1.5)²", "x₁, bumps", "yours")),
    Slider("morph", "from x to φ(x)", 0.0, 1.0, step=STEP, needs={"features": MOVING}),
    Slider("count", "points", 40, 160, step=20),
    Slider("gap", "class gap", 0.0, 0.3, step=0.05),
    Slider("probe_x", "probe x₁", -REACH, REACH, step=0.1),
    Slider("probe_y", "probe x₂", -REACH, REACH, step=0.1),
    Slider("seed", "seed", 0, 9),
)  # fmt: skip


def _product(p: np.ndarray) -> np.ndarray:
    x1, x2 = p.T
    return np.array([x1, x1 * x2]).T


def _polar(p: np.ndarray) -> np.ndarray:
    x1, x2 = p.T
    return np.array([np.arctan2(x2, x1), np.hypot(x1, x2)]).T


def _radius(p: np.ndarray) -> np.ndarray:
    away = np.hypot(*p.T)
    return np.array([away, (away - 1.5) ** 2]).T


def _bumps(p: np.ndarray) -> np.ndarray:
    """Return x1 and a sum of three hills, one on each centre: what a hidden layer could learn."""
    hills = [np.exp(-((p[:, 0] - u) ** 2) - (p[:, 1] - v) ** 2) for u, v in CENTRES]
    return np.array([p[:, 0], np.sum(hills, axis=0)]).T


# name -> (function of points (N, 2), the names of its two features)
FEATURES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], tuple[str, str]]] = {
    "x": (lambda p: p, ("x₁", "x₂")),
    "product": (_product, ("x₁", "x₁ · x₂")),
    "squares": (lambda p: p**2, ("x₁²", "x₂²")),
    "polar": (_polar, ("angle", "radius")),
    "radius": (_radius, ("radius r", "(r - 1.5)²")),
    "bumps": (_bumps, ("x₁", "three bumps")),
}


@dataclass(frozen=True)
class Lifted:
    """The plane and the feature space. Places in feature space are scaled to the plane's square by the points."""

    state: Lift
    points: np.ndarray  # float (N, 2)
    labels: np.ndarray  # int (N,), 1 for class 1
    guesses: np.ndarray  # int (N,)
    regions: np.ndarray  # int (CELLS, CELLS): what the line says in the plane, row 0 on top
    places: np.ndarray  # float (N, 2): the points in feature space
    grid: np.ndarray  # float (2 * LINES, KNOTS, 2): the plane's grid, moved
    plane_grid: np.ndarray  # the same before
    line: tuple[float, float, float]  # a u + b v + c = 0 in feature space, scaled; class 1 where it is positive
    probe: np.ndarray  # float (2,), in feature space
    says: int  # the probe's class
    names: tuple[str, str]  # of the two axes
    raw: float  # the share that a line in x itself gets right
    yours: float | None  # the share with the student's features
    problem: str

    @property
    def accuracy(self) -> float:
        return float((self.guesses == self.labels).mean())


def belongs(points: np.ndarray, case: str) -> tuple[np.ndarray, np.ndarray]:
    """Return whether points (N, 2) are of class 1, and how far each is from the border."""
    x1, x2 = points.T
    if case == "quadrants":
        return x1 * x2 > 0, np.minimum(abs(x1), abs(x2))
    if case == "ring":
        norm = np.linalg.norm(points, axis=1)
        return (norm >= 1) & (norm <= 2), np.minimum(abs(norm - 1), abs(norm - 2))
    nearest = np.linalg.norm(points[:, None] - CENTRES, axis=2).min(axis=1)
    return nearest < NEAR, abs(nearest - NEAR)


@lru_cache(maxsize=64)
def sample(case: str, count: int, gap: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return points (count, 2), half of them of class 1, none closer to the border than `gap`, and their classes.

    Half of what is not in the ring lies within it: uniform points would nearly all lie outside.
    """
    pool = np.random.default_rng([seed, 3]).uniform(-REACH, REACH, size=(5000, 2))
    inside, away = belongs(pool, case)
    clear = away > gap
    parts = [(inside, count // 2), (~inside, count - count // 2)]
    if case == "ring":
        hole = np.linalg.norm(pool, axis=1) < 1
        parts = [(inside, count // 2), (hole, count // 4), (~inside & ~hole, count - count // 2 - count // 4)]
    chosen = np.sort(np.concatenate([np.flatnonzero(clear & part)[:size] for part, size in parts]))
    return pool[chosen], inside[chosen].astype(int)


def fit(features: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Return weights (F,), bias and the share of points that w f + b > 0 gets right."""
    center, spread = features.mean(axis=0), features.std(axis=0)
    spread = np.where(spread > 1e-12, spread, 1.0)
    z = np.column_stack([(features - center) / spread, np.ones(len(features))])
    sign, theta, best = 2.0 * labels - 1, np.zeros(z.shape[1]), (-1.0, np.zeros(z.shape[1]))
    for _ in range(40):
        margins = np.clip(sign * (z @ theta), -500, 500)
        miss = 1 / (1 + np.exp(margins))  # the probability that the model gives to the wrong class
        slope = 1e-7 * theta - z.T @ (sign * miss)
        bend = (z * (miss * (1 - miss))[:, None]).T @ z + 1e-7 * np.eye(len(theta))
        theta = theta - np.linalg.solve(bend, slope)
        share = float(((z @ theta > 0) == (labels > 0)).mean())
        best = max(best, (share, theta), key=lambda pair: pair[0])
        if np.abs(slope).max() < 1e-9:
            break
    share, theta = best
    along = np.sort(z[:, :-1] @ theta[:-1])
    cuts = np.concatenate([[-theta[-1]], (along[1:] + along[:-1]) / 2])
    right = ((z[:, :-1] @ theta[:-1] > cuts[:, None]) == (labels > 0)).mean(axis=1)
    cut = int(right.argmax())  # the first of equals: Newton's own bias if no other does better
    weights = theta[:-1] / spread
    return weights, float(-cuts[cut] - weights @ center), float(right[cut])


def plane_grid() -> np.ndarray:
    """Return the lines of a square grid as points (2 * LINES, KNOTS, 2): first those across, then those upwards."""
    places, along = np.linspace(-REACH, REACH, LINES), np.linspace(-REACH, REACH, KNOTS)
    across = np.array([[(t, at) for t in along] for at in places])
    return np.concatenate([across, across[:, :, ::-1]])


def _asked_places(state: Lift) -> np.ndarray:
    """Return all points at which features are needed: the sample, the map's cells, the grid, the probe."""
    middle = ((np.arange(CELLS) + 0.5) / CELLS * 2 - 1) * REACH
    cells = np.column_stack([np.tile(middle, CELLS), np.repeat(middle[::-1], CELLS)])
    points, _ = sample(state.case, state.count, state.gap, state.seed)
    return np.vstack([points, cells, plane_grid().reshape(-1, 2)])


@lru_cache(maxsize=32)
def _built_in(state: Lift) -> np.ndarray:
    return FEATURES[state.features][0](_asked_places(state))


def your_features(state: Lift, data: Data) -> tuple[np.ndarray | None, str]:
    """Return the student's features at all places, (places, F), or None, and what is wrong with them."""
    memo = data.setdefault("_answers", {})  # the widget's own: see Data
    if state not in memo:
        while len(memo) > 20:
            memo.pop(next(iter(memo)))
        memo[state] = _asked(_asked_places(state), data["phi"])
    return memo[state]


def _asked(at: np.ndarray, phi: Callable[..., object]) -> tuple[np.ndarray | None, str]:
    table, problem = ask(phi, at, shape=None)
    if table is None:
        return None, problem
    name = getattr(phi, "__name__", type(phi).__name__)
    if table.ndim != 2 or len(table) != len(at) or not 1 <= table.shape[1] <= MOST_FEATURES:
        hint = "; one feature is a column: write feature[:, None]" if table.shape == (len(at),) else ""
        return None, f"{name} must return shape ({len(at)}, F) with F in [1, {MOST_FEATURES}], got {table.shape}{hint}"
    table = table.astype(float)
    if not np.isfinite(table).all():
        i = int(np.flatnonzero(~np.isfinite(table).all(axis=1))[0])
        return None, f"{name} must return finite numbers, got {table[i]} at ({at[i, 0]:.2f}, {at[i, 1]:.2f})"
    alone, problem = ask(phi, at[:5], shape=(5, table.shape[1]))
    if alone is None:
        return None, problem
    if not np.allclose(alone, table[:5], rtol=1e-5, atol=1e-9):
        return None, f"{name} must give each point features of its own, got others for 5 points alone"
    return table, ""


def compute(state: Lift, data: Data) -> Lifted:
    """Return plane, feature space and the line in both."""
    key = dataclasses.replace(state, morph=0.0, probe_x=0.0, probe_y=0.0, features="x")
    points, labels = sample(state.case, state.count, state.gap, state.seed)
    mine, problem, yours = None, "", None
    if "phi" in data:
        mine, problem = your_features(key, data)
        yours = fit(mine[: len(points)], labels)[2] if mine is not None else None
    own = state.features == "yours" and mine is not None
    name = "x" if state.features == "yours" else state.features
    table = mine if own and mine is not None else _built_in(dataclasses.replace(key, features=name))
    count = len(points)
    weights, bias, _ = fit(table[:count], labels)
    scores = table @ weights + bias
    at = np.array([[state.probe_x, state.probe_y]])
    probe = FEATURES[name][0](at)
    if own:
        answer, told = ask(data["phi"], at, shape=(1, table.shape[1]))
        problem, probe = problem or told, table[:1] if answer is None else answer.astype(float)
    spots, line, names = _flat(np.vstack([table, probe]), np.vstack([_asked_places(key), at]), weights, bias)
    if not own:
        names = FEATURES[name][1]
    low, high = spots[:count].min(axis=0), spots[:count].max(axis=0)
    middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-9) / (0.9 * REACH)
    if name == "x" and not own:
        middle, half = np.zeros(2), np.ones(2)  # the plane itself
    spots = (spots - middle) / half
    a, b, c = line
    cells = CELLS * CELLS
    return Lifted(
        state=state, points=points, labels=labels, guesses=(scores[:count] > 0).astype(int),
        regions=(scores[count : count + cells] > 0).astype(int).reshape(CELLS, CELLS), places=spots[:count],
        grid=spots[count + cells : -1].reshape(2 * LINES, KNOTS, 2), plane_grid=plane_grid(),
        line=(a * half[0], b * half[1], c + a * middle[0] + b * middle[1]), probe=spots[-1],
        says=int((probe @ weights + bias)[0] > 0), names=names, raw=fit(points, labels)[2], yours=yours,
        problem=problem,
    )  # fmt: skip


def _flat(
    table: np.ndarray, at: np.ndarray, weights: np.ndarray, bias: float
) -> tuple[np.ndarray, tuple[float, float, float], tuple[str, str]]:
    """Return features (n, F) as places (n, 2) in which the boundary is a line, that line, and the axes' names."""
    if table.shape[1] == 1:
        return np.column_stack([at[:, 0], table[:, 0]]), (0.0, float(weights[0]), bias), ("x₁", "your feature")
    if table.shape[1] == 2:
        return table, (float(weights[0]), float(weights[1]), bias), ("your feature 1", "your feature 2")
    length = max(float(np.linalg.norm(weights)), 1e-12)
    up = weights / length
    rest = table - table.mean(axis=0)
    rest = rest - np.outer(rest @ up, up)
    across = np.linalg.eigh(rest.T @ rest)[1][:, -1]
    across = across * np.sign(across[np.abs(across).argmax()])  # either sign would do: fix one
    return (
        np.column_stack([table @ across, table @ up]),
        (0.0, length, bias),
        ("widest direction", "across the boundary"),
    )
