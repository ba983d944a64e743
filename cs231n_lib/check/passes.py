"""What a layer's two passes hand on: two results of the forward pass, and a cache that finds its backward pass."""

from typing import Any

from .report import Report
from .subject import StudentError, Subject


def pair(value: Any, first: str, second: str, report: Report) -> tuple[Any, Any]:
    """Require two returned values and give them back; the names are for the message."""
    if value is None:
        report.fail("the result is None", hint="Does your function end in `return`?", symptom="no-return")
    if not isinstance(value, tuple | list) or len(value) != 2:
        found = f"{len(value)} values" if isinstance(value, tuple | list) else f"one {type(value).__name__}"
        report.fail(
            f"two results are asked, ({first}, {second}), got {found}",
            hint=f"End in `return {first}, {second}`.",
            symptom="not-a-pair",
        )
    return value[0], value[1]


def keeps_something(cache: Any, report: Report) -> None:
    """Require a cache: the backward pass gets nothing else."""
    report.require(
        cache is not None and not (isinstance(cache, tuple | list | dict) and len(cache) == 0),
        "the cache is empty",
        hint="The backward pass gets nothing but dout and this cache: keep what it will need.",
        symptom="no-cache",
    )


def neighbour(subject: Subject, name: str) -> Subject | None:
    """Return the function of this name that stands beside the student's own in their notebook, or None."""
    try:
        found = subject.attribute("__globals__").attribute("get")(name)
    except StudentError:
        return None
    return Subject(found._transport, found._target, name=name) if isinstance(found, Subject) else None


def cache_of(subject: Subject, name: str, inputs: tuple, documented: Any) -> Any:
    """Return the cache that the student's own forward function makes of these inputs.

    documented : the cache as the exercise describes it; it stands in while the forward function is unfinished or
        broken, so that the backward function can be examined without it
    """
    forward = neighbour(subject, name)
    try:
        returned = forward(*inputs) if forward is not None else None
    except StudentError:
        returned = None
    if isinstance(returned, tuple | list) and len(returned) == 2 and returned[1] is not None:
        return returned[1]
    return documented
