"""What the specs of N11 share: calls that explain PyTorch's errors, layers on the student's side, and the right net."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .report import CheckFailed, Report, Symptom
from .subject import Call, StudentError, Subject
from .tensors import Tensor

Slip = tuple[str, str, str]  # words of an error message, symptom, hint


def attempt(subject: Subject, report: Report, slips: Sequence[Slip], *args: Any, **options: Any) -> Call:
    """Call the student's code; an exception whose message has the words of a slip becomes a failure with its hint."""
    try:
        return subject.call(*args, **options)
    except StudentError as error:
        if error.kind != "NotImplementedError":
            for words, symptom, hint in slips:
                if words in error.message:
                    first = error.message.splitlines()[0][:160]
                    report.fail(f"your code raised {error.kind}: {first}", hint=hint, symptom=symptom)
        raise


def close(report: Report, got: np.ndarray, want: np.ndarray, symptoms: Any, **options: Any) -> None:
    """Require equal values as `report.close` does; `symptoms()` costs several nets and is called on failure only."""
    try:
        report.close(got, want, **options)
    except CheckFailed:
        report.close(got, want, symptoms=symptoms(), **options)


def at(subject: Subject, path: str) -> Subject:
    """Return the object at a dotted path on the student's side: at(torch, "nn.functional.linear")."""
    for name in path.split("."):
        subject = subject.attribute(name)
    return subject


def parameter(torch: Subject, values: np.ndarray) -> Tensor:
    """Return a fresh nn.Parameter on the student's side; its handle can be handed to their code."""
    return at(torch, "nn.Parameter")(Tensor(values, str(values.dtype)))


def sent(values: np.ndarray) -> Tensor:
    """Return an array as a tensor of the same dtype, for an argument."""
    return Tensor(values, str(values.dtype))


def leaf(values: np.ndarray) -> Any:
    """Return a torch tensor of the judge's that collects gradients."""
    import torch

    return torch.from_numpy(np.array(values)).requires_grad_()


def net_scores(x: np.ndarray, params: Sequence[Any], change: str = "") -> Any:
    """Return the scores of conv - relu - conv - relu - affine in torch, with one recognised mistake.

    params : six torch tensors: w1, b1, w2, b2, w3 (D, classes), b3;  change : "" for the right net
    """
    import torch
    from torch.nn import functional

    (w1, b1), (w2, b2), (w3, b3) = params[:2], params[2:4], params[4:]
    maps = functional.conv2d(torch.from_numpy(np.array(x)), w1, 0 * b1 if change == "b1" else b1, padding="same")
    maps = maps if change == "relu-1" else maps.relu()
    maps = functional.conv2d(maps, w2, 0 * b2 if change == "b2" else b2, padding="same")
    maps = maps if change == "relu-2" else maps.relu()
    if change == "channels-last":
        maps = maps.permute(0, 2, 3, 1)
    out = maps.flatten(1) @ w3 + (0 * b3 if change == "b3" else b3)
    if change == "relu-3":
        return out.relu()
    return getattr(out, change)(dim=1) if change.endswith("softmax") else out


CHANGES = {
    "relu-1": ("no-relu", "The ReLU after the first convolution is missing."),
    "relu-2": ("no-relu", "The ReLU after the second convolution is missing."),
    "relu-3": ("relu-on-scores", "Scores may be negative: no ReLU after the last layer."),
    "softmax": ("softmax-twice", "Return the scores as they are: cross_entropy takes the softmax itself."),
    "log_softmax": (
        "softmax-twice",
        "Return the scores as they are: cross_entropy takes the log of the softmax itself.",
    ),
    "b1": ("no-bias", "The first convolution's bias takes no part."),
    "b2": ("no-bias", "The second convolution's bias takes no part."),
    "b3": ("no-bias", "The last layer's bias takes no part."),
    "channels-last": ("flat-order", "Flatten in the order channel, row, column: the maps as they are."),
}


def score_symptoms(x: np.ndarray, params: Sequence[Any]) -> list[Symptom]:
    """Return the recognised mistakes in a net's scores."""

    def like(change: str) -> Any:
        wrong = net_scores(x, params, change).detach().numpy()
        return lambda got: got.shape == wrong.shape and np.allclose(got, wrong, rtol=1e-6, atol=1e-9)

    return [Symptom(name, like(change), hint) for change, (name, hint) in CHANGES.items()]


def has_history(value: Any, report: Report, name: str = "scores") -> Tensor:
    """Require a tensor through which a gradient can be sent back."""
    hint = "`.detach()`, `.data`, `.numpy()`, `.item()` and `torch.no_grad()` cut the way back to the parameters."
    whole = isinstance(value, Tensor) and value.requires_grad and value.handle is not None
    report.require(whole, f"{name} must carry the way back to the parameters", hint=hint, symptom="cut-graph")
    return value


def require_gradients(
    report: Report, got: Sequence[Any], want: Sequence[np.ndarray], names: Sequence[str], dtype: str = "float64"
) -> None:
    """Require the gradients that PyTorch left in the student's parameters, the last layer's first."""
    for grad, wanted, name in reversed(list(zip(got, want, names, strict=True))):
        if grad is None:
            hint = "Somewhere between this parameter and the scores the graph is cut: look for .data and .detach()."
            report.fail(f"no gradient reaches {name}", hint=hint, symptom="cut-graph")
        values = report.tensor(grad, wanted.shape, dtype=dtype, name=f"gradient of {name}")
        report.close(values, wanted, name=f"gradient of {name}")
