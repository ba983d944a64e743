"""Planted bugs of N12, first half: recipes that do not train, models that answer wrongly, logs and certificates."""

import json

import numpy as np

from cs231n_lib.challenge import certificate_text
from cs231n_lib.check.n12_certificate import COUNT, PRACTICE, digest, labels_of, link, name_of
from cs231n_lib.check.n12_log import IMAGES, validation_labels
from tests.mutants import bug, wrong_answer

FIT = "challenge-fit"


def colours(images):
    """A handful of numbers for each picture: mean and spread of each channel. No motif can be told by them alone."""
    x = np.asarray(images, dtype=float) / 255
    return np.concatenate([x.mean(axis=(1, 2)), x.std(axis=(1, 2)), np.ones((len(x), 1))], axis=1)


def linear_fit(images, labels):
    rows, targets = colours(images), np.eye(labels.max() + 1)[labels]
    return np.linalg.lstsq(rows, targets, rcond=None)[0]


def by_matched_filters(images, labels, *, known):
    """Find the motif of each known class by turns: where it stands, what it is. No net at all, and right."""
    x = images.astype(np.float32) - images.mean()
    windows = np.lib.stride_tricks.sliding_window_view(x, (6, 6), axis=(1, 2))  # (N, H', W', 3, 6, 6)
    rows = windows.reshape(len(x), -1, 108)
    strength = (rows**2).sum(axis=2)
    motifs = []
    for k in range(known):
        mine = rows[labels == k]
        best = mine[np.arange(len(mine)), strength[labels == k].argmax(axis=1)]
        motif = best[0]
        for _ in range(8):
            places = (mine @ motif).argmax(axis=1)
            motif = mine[np.arange(len(mine)), places].mean(axis=0)
        motifs.append(motif / np.linalg.norm(motif))
    kernels = np.array(motifs)

    def model(new):
        parts = np.lib.stride_tricks.sliding_window_view(new.astype(np.float32) - images.mean(), (6, 6), axis=(1, 2))
        return (parts.reshape(len(new), -1, 108) @ kernels.T).max(axis=1).argmax(axis=1)

    return model


@bug(FIT, symptom="undertrained")
def knows_three_of_five(images, labels, *, epochs, seed):
    return by_matched_filters(images, labels, known=3)


@bug(FIT, symptom="by-heart")
def nearest_neighbour(images, labels, *, epochs, seed):
    rows = images.reshape(len(images), -1).astype(np.float32)

    def model(new):
        x = new.reshape(len(new), -1).astype(np.float32)
        return labels[(-2 * x @ rows.T + (rows**2).sum(axis=1)).argmin(axis=1)]

    return model


@bug(FIT, symptom="moved-labels")
def all_labels_one_too_far(images, labels, *, epochs, seed):
    right, classes = by_matched_filters(images, labels, known=int(labels.max()) + 1), int(labels.max()) + 1
    return lambda new: (right(new) + 1) % classes


@bug(FIT, symptom="one-class")
def always_two(images, labels, *, epochs, seed):
    return lambda new: np.full(len(new), 2)


@bug(FIT, symptom="apart")
def pictures_and_labels_shuffled_apart(images, labels, *, epochs, seed):
    salt = int(seed) + 1

    def model(new):
        return (np.asarray(new, dtype=np.int64).sum(axis=(1, 2, 3)) + salt) % 5

    return model


@bug(FIT, symptom="train-mode")
def depends_on_the_batch(images, labels, *, epochs, seed):
    weights = linear_fit(images, labels)

    def model(new):
        rows = colours(new)
        rows[:, :-1] = (rows[:, :-1] - rows[:, :-1].mean(axis=0)) / (rows[:, :-1].std(axis=0) + 1e-5)
        return (rows @ weights).argmax(axis=1)

    return model


@bug(FIT, symptom="train-mode")
def still_drops(images, labels, *, epochs, seed):
    weights, rng = linear_fit(images, labels), np.random.default_rng(seed)

    def model(new):
        rows = colours(new)
        return ((rows * (rng.random(rows.shape) < 0.5)) @ weights).argmax(axis=1)

    return model


@bug(FIT, symptom="out-of-order")
def shuffles_when_predicting(images, labels, *, epochs, seed):
    rng = np.random.default_rng(seed)

    def model(new):
        return rng.permutation(np.arange(len(new)) % 5)

    return model


@bug(FIT, symptom="seed")
def draws_without_the_seed(images, labels, *, epochs, seed):
    weights = np.random.default_rng().normal(size=(7, labels.max() + 1))
    return lambda new: ((colours(new) - colours(images).mean(axis=0)) @ weights).argmax(axis=1)


_shared = {}


@bug(FIT, symptom="shared-model")
def one_net_for_all(images, labels, *, epochs, seed):
    _shared["weights"] = np.random.default_rng([seed, len(images)]).normal(size=(7, 5))
    centre = colours(images[:60]).mean(axis=0)
    return lambda new: ((colours(new) - centre) @ _shared["weights"]).argmax(axis=1)


@bug(FIT, symptom="no-model")
def returns_the_accuracy(images, labels, *, epochs, seed):
    return 0.93


@bug(FIT, symptom="not-callable")
def returns_an_object(images, labels, *, epochs, seed):
    return object()


@bug(FIT, symptom="scores")
def returns_scores(images, labels, *, epochs, seed):
    weights = linear_fit(images, labels)
    classes = np.eye(5)[: labels.max() + 1]
    return lambda new: colours(new) @ weights @ classes


@bug(FIT, symptom="range")
def counts_from_one(images, labels, *, epochs, seed):
    return lambda new: np.full(len(new), 5)


@bug(FIT, symptom="dtype")
def float_labels(images, labels, *, epochs, seed):
    return lambda new: np.zeros(len(new))


@bug(FIT, symptom="mutates")
def scales_in_place(images, labels, *, epochs, seed):
    images //= 2
    return lambda new: np.zeros(len(new), dtype=int)


LOG = "challenge-log"
truth = validation_labels()
RIGHT = 910
final = np.where(np.arange(IMAGES) < RIGHT, truth, (truth + 1) % 10)


def entry(run, seed, accuracy, *, epochs=3, most=2, **changes):
    settings = {"most": most, "smoothing": 0.2, **changes.pop("settings", {})}
    values = {"run": run, "settings": settings, "epochs": epochs, "seed": seed, "seconds": 10.5 + seed}
    return {**values, "images": IMAGES, "accuracy": accuracy, "expected": "it will help", **changes}


def entries(base=(0.8, 0.805, 0.81), changed=(0.85, 0.86, 0.855), **changes):
    without = [entry(f"still-{i}", i, a, most=0) for i, a in enumerate(base)]
    return [*without, *(entry(f"moved-{i}", i, a, **changes) for i, a in enumerate(changed)), entry("final", 0, 0.91)]


def answer(runs=None, **changes):
    runs = entries() if runs is None else runs
    good = {
        "log": "\n".join(json.dumps(run) for run in runs),
        "final_run": "final",
        "final_labels": "".join(map(str, final)),
        "changed": "most",
        "base_runs": ["still-0", "still-1", "still-2"],
        "changed_runs": ["moved-0", "moved-1", "moved-2"],
        "effect": 0.05,
        "verdict": "helps",
    }
    return good | changes


close = entries(base=(0.80, 0.84, 0.82), changed=(0.81, 0.85, 0.83))
for name, symptom, value in (
    ("no_effect_key", "keys", {k: v for k, v in answer().items() if k != "effect"}),
    ("half_pasted", "not-json", answer(log=answer()["log"][:-30])),
    ("a_run_twice", "names", answer([*entries(), entry("final", 1, 0.9)])),
    ("without_a_seed", "fields", answer([{k: v for k, v in run.items() if k != "seed"} for run in entries()])),
    ("no_expectation", "field-expected", answer([entry("final", 0, 0.91, expected="")])),
    ("accuracy_in_percent", "field-accuracy", answer([entry("final", 0, 91.0)])),
    ("other_images", "field-images", answer([entry("final", 0, 0.91, images=500)])),
    ("rounded_figures", "not-a-count", answer(entries(base=(0.80012, 0.80531, 0.81023)))),
    ("unknown_final", "unknown-run", answer(final_run="last")),
    ("short_labels", "digits", answer(final_labels="123")),
    ("labels_of_another_model", "other-model", answer(final_labels="".join(map(str, truth)))),
    ("labels_of_other_images", "other-images", answer(final_labels="".join(map(str, np.roll(truth, 1))))),
    ("two_runs_each", "few-runs", answer(base_runs=["still-0", "still-1"])),
    ("the_same_run_three_times", "same-seed", answer(base_runs=["still-0"] * 3)),
    ("mixed_groups", "mixed", answer(base_runs=["still-0", "moved-1", "still-2"])),
    ("two_changes", "not-one-change", answer(entries(epochs=6))),
    ("no_change", "not-one-change", answer(changed_runs=["still-2", "still-1", "still-0"])),
    ("another_change", "changed", answer(changed="smoothing")),
    ("base_minus_changed", "sign", answer(effect=-0.05)),
    ("effect_in_percent", "percent", answer(effect=5.0)),
    ("best_runs_compared", "best-of", answer(entries(changed=(0.85, 0.9, 0.815)), effect=0.09)),
    ("any_number", "effect", answer(effect=0.3)),
    ("says_more_than_it_saw", "overclaim", answer(close, effect=0.01, verdict="helps")),
    ("says_less_than_it_saw", "underclaim", answer(verdict="not seen")),
    ("says_the_opposite", "other-verdict", answer(verdict="hurts")),
    ("another_word", "verdict", answer(verdict="great")),
):
    wrong_answer(LOG, name, value, symptom=symptom)
wrong_answer(LOG, "a_run_copied", answer([*entries(), entry("again", 0, 0.91)]), points=3.0)


CERTIFICATE = "challenge-certificate"
sealed = labels_of(PRACTICE)


def said(right):
    return "".join(map(str, np.where(np.arange(COUNT) < right, sealed, (sealed + 1) % 10)))


def certificate(right=1800, *, accuracy=0.9, uses=1, name=None, tamper=None):
    name = name or name_of(PRACTICE)
    chain = []
    for number in range(1, uses + 1):
        use = {"number": number, "time": f"2026-01-0{number}T10:00:00+00:00", "run": "final", "accuracy": accuracy}
        use |= {"labels": digest(said(right)), "previous": chain[-1]["link"] if chain else name}
        chain.append({**use, "link": link(use)})
    if tamper:
        tamper(chain)
    return certificate_text(name, chain, said(right))


def better(chain):
    chain[0]["accuracy"] = 0.99


for name, symptom, value in (
    ("half_pasted", "not-json", certificate()[:-40]),
    ("a_number", "text", 0.9),
    ("a_list", "fields", "[1, 2]"),
    ("accuracy_changed", "broken-chain", certificate(tamper=better)),
    ("first_use_left_out", "broken-chain", certificate(uses=2, tamper=lambda chain: chain.pop(0))),
    ("a_label_changed", "other-labels", certificate(1800).replace(said(1800)[-20:], said(1799)[-19:] + "0")),
    ("labels_cut", "digits", certificate(1800).replace(said(1800)[-20:], "")),
):
    wrong_answer(CERTIFICATE, name, value, symptom=symptom)
for name, value in (
    ("worse_than_promised", certificate(1400, accuracy=0.9)),
    ("better_than_promised", certificate(2000, accuracy=0.7)),
    ("of_another_set", certificate(name=name_of("123"))),
    ("poor", certificate(900, accuracy=0.45)),
):
    wrong_answer(CERTIFICATE, name, value, points=1.0)
wrong_answer(CERTIFICATE, "taken_twice", certificate(uses=2), points=2.0)
