"""PyTorch is imported ahead in a notebook's kernel, and nowhere else."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cs231n_lib.check import exercises, harness

CHECK = "from cs231n_lib.check import check; check('conv-output_shape', print)\n"


@pytest.mark.parametrize(("kernel", "expected"), [(True, "True"), (False, "False")])
def test_the_first_check_of_a_notebook_with_torch_oracles_begins_its_import_in_a_kernel_only(kernel, expected):
    code = "import sys, threading, types\n"
    code += "sys.modules['ipykernel'] = types.ModuleType('ipykernel')\n" * kernel
    code += CHECK
    code += "for t in threading.enumerate():\n    if t.name == 'import torch': t.join()\n"
    code += "print('torch' in sys.modules and sys.modules['torch'].ones(2).sum().item() == 2)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.splitlines()[-1] == expected


def test_a_notebook_without_torch_oracles_imports_nothing_ahead():
    code = "import sys, threading, types\nsys.modules['ipykernel'] = types.ModuleType('ipykernel')\n"
    code += "from cs231n_lib.check import check; check('knn-q2', {'A'})\n"
    code += "print([t.name for t in threading.enumerate()])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300)
    assert "import torch" not in done.stdout.splitlines()[-1]


def test_the_notebooks_that_are_named_are_those_whose_specs_import_torch():
    folder = Path(harness.__file__).parent
    using = {
        p.name[:3] for p in folder.glob("n[0-9][0-9]_*.py") if re.search(r"^ +(import|from) torch", p.read_text(), re.M)
    }
    prefixes = {}
    for name, exercise in exercises().items():
        module = getattr(exercise.examine, "__module__", None) or type(exercise.drawn).__module__
        found = re.search(r"\.(n\d\d)_", module)
        if found:
            prefixes.setdefault(found[1], set()).add(name.split("-")[0])
    needed = {prefix for notebook in using for prefix in prefixes[notebook]}
    assert needed <= set(harness.TORCH_ORACLES)
