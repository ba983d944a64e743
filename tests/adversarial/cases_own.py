"""More of the same kinds, thought of here: each has taken a grader down, or was built to take down this one."""

import json
import os
import zipfile

from .case import AFFINE, RIGHT, ZEROS, Case, add_cell, cell_of, wrong

NAME = "T01_two.ipynb"
STUB = "def affine_forward(x, w, b):\n    raise NotImplementedError()\n"
SPY = """
import cs231n_lib.check.peer as peer
asked, real = [], peer.Peer.handle
def handle(self, request, buffers):
    asked.append(str(request.get('names', '')))
    return real(self, request, buffers)
peer.Peer.handle = handle
def affine_forward(x, w, b): raise ValueError(' '.join(asked))
"""
FRAME = """
import os, json, struct
def forge(**header):
    text = json.dumps(header).encode()
    for fd in range(3, 64):
        try: os.write(fd, struct.pack('<II', len(text), 0) + text)
        except OSError: pass
"""


def _linked(folder, student, raw):
    (folder / student).mkdir()
    (folder / student / NAME).write_bytes(raw)
    (folder / student / "N.ipynb").symlink_to("/etc/passwd")
    os.mkfifo(folder / student / "pipe.ipynb")


def _nested(folder, student, raw):
    (folder / student).mkdir()
    name = folder / student / NAME
    name.write_bytes(raw)
    for depth in range(6):
        outer = folder / student / f"{depth}.zip"
        with zipfile.ZipFile(outer, "w") as archive:
            archive.write(name, name.name)
        name.unlink()
        name = outer


def _list_source(nb):
    cell_of(nb, AFFINE)["source"] = RIGHT.splitlines(keepends=True)


def _numbers(nb):
    add_cell(nb, 7)
    nb["cells"] += [None, 3, [], {"cell_type": "code"}, {"source": {"a": 1}}]
    nb["metadata"] = []


def _twice(nb):
    copy = json.loads(json.dumps(cell_of(nb, AFFINE)))
    copy["source"] = "def affine_forward(x, w, b):\n    raise NotImplementedError()\n"
    nb["cells"].append(copy)


def _split(nb):
    """As JupyterLab splits a cell: both halves keep the metadata."""
    first = cell_of(nb, AFFINE)
    second = {**first, "id": "second-half", "source": RIGHT.replace("x.reshape(len(x), -1)", "rows_of(x)")}
    first["source"] = "def rows_of(x):\n    return x.reshape(len(x), -1)\n"
    nb["cells"].insert(nb["cells"].index(first) + 1, second)


def _in_tests(nb):
    cell_of(nb, AFFINE)["source"] = STUB
    tests = cell_of(nb, f"{AFFINE}-tests")
    tests["source"] = RIGHT + "".join(tests["source"])


def _above(nb):
    cell_of(nb, AFFINE)["source"] = STUB
    add_cell(nb, RIGHT, before=AFFINE)


CASES = {
    "OWN01": Case(
        "forges a reply without a value before its own",
        "protocol_violation",
        FRAME + f"def affine_forward(x, w, b):\n    forge(passed=True)\n    return {ZEROS}\n",
    ),
    "OWN02": Case(
        "forges an error that is no error's form",
        "exception",
        FRAME
        + f"def affine_forward(x, w, b):\n    forge(error=dict(bases=5, mutated=3, message=9))\n    return {ZEROS}\n",
    ),
    "OWN03": wrong(
        "forges the report of its own cell, with words where the grader expects a form",
        "protocol_violation",
        FRAME + "forge(error='x', text=5, pictures={}, names=[1])\n",
    ),
    "OWN04": Case(
        "forges numbers that no float can hold",
        "protocol_violation",
        FRAME + f"def affine_forward(x, w, b):\n    forge(value={{'float': 10**400}}, peak=[])\n    return {ZEROS}\n",
    ),
    "OWN05": Case(
        "forges a frame of four gigabytes",
        "result_too_large",
        FRAME + "def affine_forward(x, w, b):\n    for fd in range(3, 64):\n"
        "        try: os.write(fd, struct.pack('<II', 2**32 - 1, 2**32 - 1))\n        except OSError: pass\n"
        f"    return {ZEROS}\n",
    ),
    "OWN06": wrong("deletes what every question needs", "cell_error", "del np, softmax_loss\n"),
    "OWN07": wrong(
        "breaks NumPy for everybody after it", "poisoned_by_other_cells", "np.log = np.exp = lambda *a, **k: 1\n"
    ),
    "OWN08": Case(
        "leaves threads that never end",
        "timeout",
        "import threading\ndef spin():\n    while True: pass\n"
        "for _ in range(4): threading.Thread(target=spin, daemon=True).start()\n"
        "def affine_forward(x, w, b):\n    while True: pass\n",
    ),
    "OWN09": Case(
        "a fork bomb", "process_limit", "import os\ndef affine_forward(x, w, b):\n    while True: os.fork()\n"
    ),
    "OWN10": Case(
        "takes memory until there is none",
        "memory_limit",
        "def affine_forward(x, w, b):\n    kept = []\n    while True: kept.append(np.ones(10**7))\n",
    ),
    "OWN11": Case("ends its process while the cell is loaded", "cell_error", "import os\nos._exit(3)\n"),
    "OWN12": Case("never ends loading", "cell_error", "while True: pass\n"),
    "OWN13": Case("returns a dictionary", "wrong_type", "def affine_forward(x, w, b): return {'out': 1}\n"),
    "OWN14": Case("returns a generator", "wrong_type", "def affine_forward(x, w, b):\n    yield x\n"),
    "OWN15": Case(
        "raises an error that cannot be printed",
        "exception",
        "class E(Exception):\n    def __str__(self): raise SystemExit\ndef affine_forward(x, w, b): raise E\n",
    ),
    "OWN16": Case(
        "an array of objects",
        "result_not_plain",
        "def affine_forward(x, w, b): return np.full((len(x), w.shape[1]), None, dtype=object), (x, w)\n",
    ),
    "OWN17": Case("a link and a pipe in the folder", "special_file", place=_linked, q1=3.0),
    "OWN18": Case("archives in archives in archives", "unreadable_archive", place=_nested, q2=0.0),
    "OWN19": Case("sources as lists of lines", "", edit=_list_source, q1=3.0),
    "OWN20": Case("numbers where cells should be", "", edit=_numbers, q1=3.0),
    "OWN21": Case("its answer, and the stub once more", "duplicate_cell", edit=_twice, q1=3.0),
    "OWN22": Case("UTF-16", "invalid_json", raw=lambda raw: raw.decode().encode("utf-16"), q2=0.0),
    "OWN23": Case("a byte order mark", "", raw=lambda raw: b"\xef\xbb\xbf" + raw, q1=3.0),
    "OWN24": Case(
        "raises half a character",
        "exception",
        "def affine_forward(x, w, b): raise ValueError('\\ud800')\n",
    ),
    "OWN25": Case("thousands of white lines", "", RIGHT + " \n" * 40_000 + "x = 1\n", q1=3.0),
    "OWN26": Case("asks the system's shell first", "", f"!ls\nfound = !ls\n{RIGHT}", q1=3.0),
    "OWN27": Case("a cell split in two", "duplicate_cell", edit=_split, q1=3.0),
    "OWN28": Case("its answer stands in the cell of the tests", "found_elsewhere", edit=_in_tests, q1=3.0),
    "OWN29": Case("its answer stands above the stub", "found_elsewhere", edit=_above, q1=3.0),
    "OWN30": Case("listens to what the judge asks for", "patched_course_module", SPY),
    "OWN31": Case(
        "returns a named tuple",
        "",
        "from collections import namedtuple\nPair = namedtuple('Pair', 'out cache')\n"
        "def affine_forward(x, w, b): return Pair(x.reshape(len(x), -1) @ w + b, (x, w))\n",
        q1=3.0,
    ),
    "OWN32": Case(
        "keys made to collide: the judge must not be the one who waits",
        "protocol_violation",
        "import cs231n_lib.check.peer as peer\n"
        "peer.wire.pack = lambda v, **k: ({'set': [(2**61 - 1) * n for n in range(150_000)]}, [])\n" + RIGHT,
    ),
    "OWN33": Case(
        "asks the course's own checks for the answer: a box has none",
        "course_answer",
        "from cs231n_lib.check import n04_affine\n"
        "def affine_forward(x, w, b): return n04_affine.affine(x, w, b), (x, w)\n",
    ),
    "OWN34": Case(
        "lets the library's fast convolution do it: a box has none",
        "course_answer",
        "from cs231n_lib.kernels import conv_forward_fast\n"
        "def affine_forward(x, w, b):\n"
        "    pixels, filters = x.reshape(len(x), -1, 1, 1), np.ascontiguousarray(w.T)[:, :, None, None]\n"
        "    return conv_forward_fast(pixels, filters, b)[0][:, :, 0, 0], (x, w)\n",
    ),
}
