"""The checks on trial: how long each takes on the reference, and how many planted bugs it refuses by name.

    python benchmarks/checks.py            every exercise
    python benchmarks/checks.py --quick    the first exercise of each notebook

A check should answer within five seconds on a slow core. Every planted bug should be killed: denied its full points.
All but the wrong letters of a question, whose key is hidden, should also be named: refused with the bug's own hint.
"""

import argparse
import contextlib
import io
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from cs231n_lib.check import Result, check, exercises
from tests.cells import exercise_ids, grade, graded_name, namespace
from tests.mutants import bugs

LIMIT = 5.0  # seconds


def quietly(examine, *arguments: object) -> Result:
    with contextlib.redirect_stdout(io.StringIO()):
        return examine(*arguments)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the first exercise of each notebook")
    options = parser.parse_args()
    chosen = exercise_ids()
    if options.quick:
        chosen = list({notebook: (notebook, first) for notebook, first in reversed(chosen)}.values())[::-1]
    print(f"{'exercise':26s}{'points':>7s}{'check':>9s}{'planted':>9s}{'killed':>8s}{'named':>7s}")
    planted = killed = named = slow = 0
    for notebook, exercise_id in chosen:
        answer = quietly(namespace, notebook, "setup", "solution")[graded_name(notebook, exercise_id)]
        seconds = quietly(check, exercise_id, answer).seconds
        mine = [bug for bug in bugs() if bug.exercise_id == exercise_id]
        found = [(bug, quietly(grade, notebook, exercise_id, bug.answer)) for bug in mine]
        full = exercises()[exercise_id].points
        dead = sum(result.points < full for _, result in found)
        hinted = sum(bool(bug.symptom) and result.symptom == bug.symptom for bug, result in found)
        print(f"{exercise_id:26s}{full:7g}{seconds:8.2f}s{len(mine):9d}{dead:8d}{hinted:7d}")
        planted, killed, named, slow = planted + len(mine), killed + dead, named + hinted, slow + (seconds > LIMIT)
    print(
        f"\n{killed} of {planted} planted bugs killed, {named} named by their own hint; {slow} checks over {LIMIT:g} s"
    )
    return int(killed < planted or slow > 0)


if __name__ == "__main__":
    sys.exit(main())
