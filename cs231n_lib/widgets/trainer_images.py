"""Images for the live trainer: shapes10 drawn as it goes, and CIFAR-10 from this machine."""

import numpy as np

from cs231n_lib.data import DataError, Split, load_dataset
from cs231n_lib.shapes10 import CLASSES, draw

HELD_OUT = 100  # images of validation and of test


class Drawn:
    """shapes10, drawn a chunk at a time when it is asked for: the first step must not wait for 2,000 images."""

    classes = CLASSES
    count = 2000  # images to train on: few enough to be known by heart
    CHUNK = 25

    def __init__(self) -> None:
        self._chunks: dict[tuple[int, int], tuple[np.ndarray, np.ndarray]] = {}

    def take(self, split: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return (uint8 (N, 32, 32, 3), labels (N,)) of rows of "train", "val" or "test"."""
        which = ("train", "val", "test").index(split)
        parts = [self._chunk(which, row // self.CHUNK) for row in rows.tolist()]
        picked = [
            (images[row % self.CHUNK], labels[row % self.CHUNK])
            for (images, labels), row in zip(parts, rows, strict=True)
        ]
        return np.stack([image for image, _ in picked]), np.array([label for _, label in picked])

    def _chunk(self, which: int, number: int) -> tuple[np.ndarray, np.ndarray]:
        if (which, number) not in self._chunks:
            rng = np.random.default_rng([231, which, number])
            labels = rng.integers(0, len(CLASSES), size=self.CHUNK)
            self._chunks[which, number] = draw(labels, rng), labels
        return self._chunks[which, number]


class Stored:
    """CIFAR-10 as it lies on this machine. Raises DataError, one sentence, if it does not."""

    def __init__(self) -> None:
        try:
            whole = load_dataset("cifar10", quiet=True)
        except DataError:
            try:
                whole = load_dataset("cifar10-jpeg", quiet=True)
            except DataError as error:
                raise DataError("CIFAR-10 is not here: run `cs231n data get cifar10`, then choose it again.") from error
        self.count = min(10_000, len(whole.train) - HELD_OUT)
        data = whole.subset(train=self.count, val=HELD_OUT, test=HELD_OUT)
        self.classes, self._splits = data.classes, {"train": data.train, "val": data.val, "test": data.test}

    def take(self, split: str, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        part: Split = self._splits[split]
        return part.images[rows], part.labels[rows]


Source = Drawn | Stored
