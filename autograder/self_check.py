"""Before anybody loses a point, the course's own answers meet the same test cells: only a cell that gives them full
marks may take one."""

from .judge import ODD_VALUE


def lost_points(record: dict) -> bool:
    """True if some question of a judge's record has less than full marks."""
    return any(verdict["points"] < verdict["max_points"] for verdict in record.get("verdicts", []))


def settled(record: dict, reference: dict) -> dict:
    """Return a student's record, in which no point is lost to a test cell that the course's own answers fail.

    record, reference : the judge's records of the student's answers and of the course's own
    There, less than full marks becomes a machine fault, to be judged again when the cell is mended. Where the reference
    passes, a test cell that failed as it does on a wrong type of value failed by the student's value.
    """
    if "fault" in record:
        return record
    own = {verdict["grade_id"]: verdict for verdict in reference.get("verdicts", [])}
    return {**record, "verdicts": [_settled(v, own.get(v["grade_id"]), reference) for v in record["verdicts"]]}


def _settled(verdict: dict, own: dict | None, reference: dict) -> dict:
    if verdict["points"] == verdict["max_points"]:
        return verdict
    if own is None:
        why = f"the course's own answer could not be judged: {reference.get('fault', 'no record')}"
    elif own["points"] < own["max_points"]:
        why = f"the course's own answer got {own['points']:g} of {own['max_points']:g} here: {own['message']}"
    elif verdict["symptom"] == ODD_VALUE:
        kind = verdict["message"].rpartition(" ")[2]
        message = f"what came back cannot be judged: {kind}"
        return {**verdict, "status": "interface", "message": message}
    else:
        return verdict
    return {**verdict, "status": "infra_error", "message": why, "points": 0.0, "hint": "", "stage": "", "symptom": ""}
