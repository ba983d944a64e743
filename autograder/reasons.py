"""How a question ended in one word, from the judge's verdict: for a person to sort by, and never a deduction."""

import re

BY_EXCEPTION = {
    "SystemExit": "exited",
    "KeyboardInterrupt": "exited",
    "EOFError": "stdin_read",
    "StdinNotImplementedError": "stdin_read",
    "ModuleNotFoundError": "forbidden_library",
    "ImportError": "forbidden_library",
    "MemoryError": "memory_limit",
    "TooLarge": "result_too_large",
    "WireError": "result_not_plain",
}
BY_SYMPTOM = {
    "no-return": "missing_result",
    "dtype": "dtype",
    "shape": "shape",
    "not-array": "wrong_type",
    "not-tensor": "wrong_type",
    "not-a-pair": "wrong_type",
    "not-plain": "result_not_plain",
    "odd-value": "wrong_type",
    "too-large": "result_too_large",
    "garbled": "protocol_violation",
    "aliases": "aliases_input",
}
BY_STAGE = (("speed", "not_vectorised"), ("untouched", "aliases_input"), ("determin", "non_deterministic"))


def reason_of(verdict: dict) -> str:
    """Return the reason for a question's points; "" where nothing is wrong. verdict : as the judge records it"""
    status, symptom, message = verdict["status"], verdict["symptom"], verdict["message"]
    if status == "passed":
        return ""
    if status == "todo":
        return "unanswered"
    if status == "limit":
        return symptom or "timeout"
    if status == "error":
        return _raised(symptom, message)
    if symptom in BY_SYMPTOM:
        return BY_SYMPTOM[symptom]
    if re.search(r"\bgot -?(nan|inf)\b|\b(nan|inf)\b.*finite|finite", message):
        return "non_finite"
    by_stage = [word for part, word in BY_STAGE if part in verdict["stage"]]
    return by_stage[0] if by_stage else "value"


def _raised(kind: str, message: str) -> str:
    if "No space left" in message or "File too large" in message:
        return "disk_limit"
    if "Cannot allocate memory" in message:
        return "memory_limit"
    if "Resource temporarily unavailable" in message or "can't start new thread" in message:
        return "process_limit"
    return BY_EXCEPTION.get(kind, "exception")
