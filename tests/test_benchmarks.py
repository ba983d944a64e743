"""`make bench` runs every file of benchmarks as a plain script with --quick: each must be one that can."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


def test_make_bench_runs_them_all():
    assert len(SCRIPTS) > 5
    assert "for script in benchmarks/*.py; do $(BIN)/python $$script --quick" in (ROOT / "Makefile").read_text()


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_each_is_a_script_that_says_what_it_does_and_has_a_quick_run(script, tmp_path):
    done = subprocess.run([sys.executable, script, "--help"], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "--quick" in done.stdout
