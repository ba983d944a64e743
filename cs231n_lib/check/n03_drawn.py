"""What is examined in N03: a mistake found from the errors that a gradient check prints, with drawn numbers."""

import numpy as np

from .drawn import Draw, Numbers, Slip, drawn_question

# What each mistake makes of the sum over the rows of a batch of n.
MISTAKES = {
    "divides by the number of rows": lambda total, n: total / n,
    "divides by the square root of the number of rows": lambda total, n: total / np.sqrt(n),
    "divides by the number of rows twice": lambda total, n: total / n / n,
    "has the wrong sign": lambda total, n: -total,
    "is twice as large as it should be": lambda total, n: 2 * total,
}


def printed(mistake: str, n: int) -> float:
    """Return the relative error that a check prints for this mistake, by making it."""
    total = np.random.default_rng(n).normal(size=(n, 6)).sum(axis=0)
    made = MISTAKES[mistake](total, n)
    return float(np.max(np.abs(made - total) / np.maximum(np.abs(made), np.abs(total))))


def answer(n: Numbers) -> dict[str, float]:
    """Return what is right: make every mistake, and see which one prints the table."""
    fits = [m for m in n["options"] if all(abs(printed(m, k) - error) < 6e-4 for k, error in n["table"].items())]
    (made,) = fits
    return {"mistake": n["options"].index(made) + 1, "share": MISTAKES[made](1.0, n["next_rows"])}


def slips(n: Numbers) -> list[Slip]:
    """Return what the usual mistakes give."""
    right, rows = answer(n), n["next_rows"]
    constant = [n["options"].index(m) + 1 for m in ("has the wrong sign", "is twice as large as it should be")]
    grows = "That mistake gives the same relative error for every number of rows; this one grows."
    share = right["share"]
    return [
        *(Slip("mistake", "does-not-grow", number, grows) for number in constant),
        Slip("mistake", "counted-from-0", 0, "The first option is number 1."),
        Slip("share", "error", 1 - share, "This is the relative error: what is missing to 1."),
        Slip("share", "inverse", 1 / share, "The wrong one is the smaller: divide it by the right one."),
        Slip("share", "mean", 1 / rows, "That would be another mistake: put the table's rows into it."),
    ]


@drawn_question(
    "grad-q2",
    points=1,
    title="find the bug from its errors",
    text="""
A gradient check of some `affine_backward` prints these relative errors (absolute difference by the larger of the two
absolute values) on random batches of $N$ rows. They are the same for every random `dout`.

| $N$ | dx | dw | db |
|:---:|:---:|:---:|:---:|
| 1 | 2e-10 | 1e-10 | 4e-11 |
{lines}

`db` should be the sum of the rows of `dout`. Which mistake does that? It

1. {options[0]}
2. {options[1]}
3. {options[2]}
4. {options[3]}
5. {options[4]}

- `mistake`: its number
- `share`: on a batch of {next_rows} rows, the wrong db divided by the right one
""",
    answer=answer,
    slips=slips,
)
def draw(d: Draw) -> Numbers:
    made = d.one_of(list(MISTAKES)[:3])
    sizes = [d.one_of(range(2, 5)), d.one_of(range(5, 9)), d.one_of(range(9, 17))]
    table = {k: round(printed(made, k), 3) for k in sizes}
    left, options = list(MISTAKES), []
    while left:
        options.append(left.pop(left.index(d.one_of(left))))
    return {
        "table": table,
        "lines": "\n".join(f"| {k} | {k}e-10 | 3e-10 | {error:.3f} |" for k, error in table.items()),
        "options": options,
        "next_rows": d.one_of(range(20, 100)),
    }
