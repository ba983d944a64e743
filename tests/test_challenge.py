"""The log and the sealed test of the open challenge, as a student uses them."""

import json

import numpy as np
import pytest

from cs231n_lib import challenge
from cs231n_lib.challenge import Log, as_digits, take_sealed_test
from cs231n_lib.check import Report, check
from cs231n_lib.check.n12_certificate import COUNT, PRACTICE, labels_of, name_of, pictures_of
from cs231n_lib.check.n12_log import IMAGES, read_log, validation_labels
from cs231n_lib.data import load_dataset


@pytest.fixture
def blank(monkeypatch):
    """A sealed set without its drawing: the labels are what these tests are about."""
    monkeypatch.setattr(challenge, "sealed_pictures", lambda: (np.zeros((COUNT, 1, 1, 3), np.uint8), name_of(PRACTICE)))


def add(log, run, right=900, **changes):
    truth = np.arange(IMAGES) % 10
    labels = np.where(np.arange(IMAGES) < right, truth, (truth + 1) % 10)
    given = {"settings": {"most": 2}, "epochs": 3, "seed": 0, "seconds": 4.26, "expected": 'a "guess", é'}
    return log.add(run, labels=labels, truth=truth, **(given | changes))


def test_a_log_is_read_again_and_what_it_prints_can_be_pasted(tmp_path):
    log = Log(tmp_path / "runs.jsonl")
    assert add(log, "first", 873)["accuracy"] == 0.873
    add(log, "second", settings={f"setting{i}": i for i in range(20)})
    again = Log(tmp_path / "runs.jsonl")
    assert again.runs == log.runs
    assert "first" in again
    assert max(map(len, log.text().splitlines())) <= 110
    assert list(read_log(log.text(), Report()).values()) == log.runs


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"seconds": 0.0}, "seconds must be"),
        ({"expected": ""}, "expected must be"),
        ({"seed": 1.5}, "seed must be"),
        ({"settings": [1]}, "settings must be"),
    ],
)
def test_a_bad_entry_is_refused_and_not_written(tmp_path, changes, rule):
    log = Log(tmp_path / "runs.jsonl")
    with pytest.raises(ValueError, match=rule):
        add(log, "bad", **changes)
    assert not log.path.exists()
    add(log, "good")
    with pytest.raises(ValueError, match="run must be a new name, got 'good' again"):
        add(log, "good")
    assert len(log.path.read_text().splitlines()) == 1


def test_digits_are_labels_in_order():
    assert as_digits(np.array([3, 0, 9])) == "309"
    assert len(as_digits(np.zeros(250, dtype=int)).splitlines()) == 3
    with pytest.raises(ValueError, match="as_digits: labels must be"):
        as_digits(np.array([10]))


def test_the_first_use_counts_and_every_use_is_on_the_certificate(tmp_path, blank):
    truth = labels_of(PRACTICE)
    first = take_sealed_test(lambda images: (truth + 1) % 10, run="a", accuracy=0.8, folder=tmp_path)
    assert check("challenge-certificate", first).points == 3
    second = take_sealed_test(lambda images: truth, run="b", accuracy=0.9, folder=tmp_path)
    result = check("challenge-certificate", second)
    assert (result.symptom, result.points) == ("used-again", 2.0)
    parsed = json.loads("".join(second.splitlines()))
    assert [use["number"] for use in parsed["uses"]] == [1, 2]
    assert parsed["labels"] == as_digits((truth + 1) % 10).replace("\n", "")


def test_a_model_that_gives_too_few_labels_is_no_use(tmp_path, blank):
    with pytest.raises(ValueError, match="take_sealed_test: model must give one label for each of 2000"):
        take_sealed_test(lambda images: np.zeros(5, dtype=int), run="a", accuracy=0.8, folder=tmp_path)
    assert not (tmp_path / "sealed-uses.jsonl").exists()


def test_a_sealed_set_is_balanced_and_its_name_does_not_tell_the_seed():
    assert (np.bincount(labels_of("abc")) == COUNT // 10).all()
    assert name_of("abc") != name_of("abd")
    assert "abc" not in name_of("abc")
    assert (labels_of("abc") != labels_of("abd")).any()


def test_sealed_pictures_show_their_labels():
    from cs231n_lib import shapes10

    rng = np.random.default_rng(int(PRACTICE, 16))
    labels = rng.permutation(np.arange(COUNT) % 10)
    np.testing.assert_array_equal(labels, labels_of(PRACTICE))
    np.testing.assert_array_equal(pictures_of(PRACTICE)[:25], shapes10.draw(labels, rng)[:25])


def test_validation_labels_are_those_of_shapes10():
    stored = load_dataset("shapes10", quiet=True).subset(val=IMAGES).val
    np.testing.assert_array_equal(validation_labels(), stored.labels)
