"""Code that takes what it can get: time, memory, disk, processes, output. Scaled to what a test may cost."""

from .case import Case, right, wrong

CASES = {
    "RES01": Case("an endless loop", "timeout", "def affine_forward(x, w, b):\n    while True: pass\n"),
    "RES03": Case(
        "an endless recursion", "exception", "def affine_forward(x, w, b):\n    return affine_forward(x, w, b)\n"
    ),
    "RES05": wrong("prints 40 MB", "output_flood", "for i in range(200000): print('spam' * 50)\n"),
    "RES07": Case(
        "ignores every signal that can be ignored, then loops",
        "timeout",
        """
import signal
def affine_forward(x, w, b):
    for s in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM): signal.signal(s, signal.SIG_IGN)
    while True: pass
""",
    ),
    "RES09": Case("waits for input", "stdin_read", "def affine_forward(x, w, b): return input('score? ')\n"),
    "RES11": Case(
        "returns a view of 8 TB",
        "result_too_large",
        "def affine_forward(x, w, b):\n    return np.broadcast_to(np.float64(0), (10**6, 10**6)), (x, w)\n",
    ),
    "RES13": Case(
        "overflows the stack of C",
        "process_died",
        """
import sys
sys.setrecursionlimit(10**9)
def affine_forward(x, w, b):
    def f(n): return sorted([1], key=lambda _: f(n + 1))
    return f(0)
""",
    ),
    "RES15": Case(
        "fills every place it can write to",
        "disk_limit",
        """
def affine_forward(x, w, b):
    i = 0
    while True:
        i += 1
        for d in ('/srv', '/tmp', '/dev/shm', '/var/tmp'):
            try: open(f'{d}/junk{i}', 'wb').write(b'0' * 10**7)
            except OSError: pass
""",
    ),
    "RES17": Case(
        "right, but sleeps in every call so that one question would take minutes",
        "budget",
        """
import time
def affine_forward(x, w, b):
    time.sleep(4.9)
    return x.reshape(len(x), -1) @ w + b, (x, w)
""",
    ),
    "RES19": Case(
        "a regular expression without end, in one call of C",
        "timeout",
        "import re\ndef affine_forward(x, w, b): return re.match(r'(a+)+$', 'a' * 60 + 'b'), (x, w)\n",
    ),
    "RES21": right(
        "shows a picture of many megabytes",
        "output_flood",
        "from IPython.display import display\ndisplay({'image/png': 'A' * 2_000_000}, raw=True)\n",
    ),
    "RES23": right(
        "loads data with worker processes",
        "process_limit",
        "from torch.utils.data import DataLoader\n"
        "for batch in DataLoader(list(range(64)), num_workers=4, batch_size=8): pass\n",
    ),
    "RES25": Case(
        "asks for 100 GB of shared memory",
        "disk_limit",
        """
from multiprocessing import shared_memory
def affine_forward(x, w, b):
    return [shared_memory.SharedMemory(create=True, size=10**8) for _ in range(1000)], (x, w)
""",
    ),
}
