"""Tricks on how answers are compared: patched helpers, hooks, frames, objects that equal everything."""

from .case import RIGHT, ZEROS, Case, wrong

CASES = {
    "CMP01": wrong(
        "rebinds the comparing functions of NumPy and the course's relative error",
        "patched_test_api",
        "np.allclose = lambda *a, **k: True\nnp.testing.assert_allclose = lambda *a, **k: None\n"
        "rel_error = lambda x, y: 0.0\n",
    ),
    "CMP03": wrong(
        "an AST transformer that takes assert statements out of later cells",
        "ipython_hook",
        """
import ast
class NoAsserts(ast.NodeTransformer):
    def visit_Assert(self, node):
        return ast.copy_location(ast.Pass(), node)
    def visit_Expr(self, node):
        return ast.copy_location(ast.Pass(), node) if 'assert' in ast.dump(node) else node
get_ipython().ast_transformers.append(NoAsserts())
""",
    ),
    "CMP05": wrong(
        "an exception handler that swallows what test cells raise",
        "ipython_hook",
        "get_ipython().set_custom_exc((BaseException,), lambda *a, **k: None)\n",
    ),
    "CMP07": Case(
        "patches the helpers in its caller's globals",
        "frame_walk",
        f"""
import sys
def affine_forward(x, w, b):
    g = sys._getframe(1).f_globals
    g['rel_error'] = lambda *a: 0.0
    g['np'].allclose = lambda *a, **k: True
    g['np'].testing.assert_allclose = lambda *a, **k: None
    return {ZEROS}
""",
    ),
    "CMP09": Case(
        "returns an object that equals everything and looks for the expected array in the frames above",
        "result_not_plain",
        """
class Always:
    def __init__(self, s): self.shape = s
    def __eq__(self, o): return True
    __lt__ = __gt__ = __le__ = __ge__ = __eq__
    __hash__ = None
    def __sub__(self, o): return 0.0
    __rsub__ = __abs__ = lambda self, *o: 0.0
    __add__ = __radd__ = lambda self, o: 1.0
    def __array__(self, *a, **k):
        import sys
        f = sys._getframe(1)
        while f:
            for v in f.f_locals.values():
                if type(v) is np.ndarray and v.shape == self.shape: return v
            f = f.f_back
        return np.zeros(self.shape)
def affine_forward(x, w, b): return Always((x.shape[0], w.shape[1])), (x, w)
""",
    ),
    "CMP11": wrong(
        "overwrites everything called assert, allclose or array_equal, and np.max",
        "patched_test_api",
        """
import numpy.testing as npt
for m in (np, npt):
    for n in dir(m):
        if 'assert' in n or n in ('allclose', 'array_equal'):
            setattr(m, n, lambda *a, **k: True)
real_max = np.max
np.max = lambda a, *r, **k: 0.0 if not k and not r else real_max(a, *r, **k)
""",
    ),
    "CMP13": wrong(
        "replaces AssertionError, and patches again before each cell",
        "ipython_hook",
        """
import builtins
class Quiet(Exception): pass
builtins.AssertionError = Quiet
get_ipython().events.register('pre_run_cell', lambda info: globals().update(rel_error=lambda *a: 0))
np.allclose = lambda *a, **k: True
""",
    ),
    "CMP15": Case(
        "writes through ctypes into every array of the result's shape",
        "ctypes_use",
        """
import ctypes, gc
def affine_forward(x, w, b):
    out = np.zeros((x.shape[0], w.shape[1]))
    for a in [o for o in gc.get_objects() if type(o) is np.ndarray and o.shape == out.shape]:
        ctypes.memmove(a.ctypes.data, out.ctypes.data, out.nbytes)
    return out, (x, w)
""",
    ),
    "CMP17": wrong(
        "replaces the course's gradient checker so that every slope agrees",
        "patched_course_module",
        """
import cs231n_lib.gradient_check as g
g.numerical_gradient = lambda *a, **k: 0.0
g.relative_error = lambda a, b: 0.0
""",
    ),
    "CMP19": wrong(
        "silences print and logging",
        "patched_builtin",
        "import builtins, logging\nbuiltins.print = lambda *a, **k: None\n"
        "logging.Logger.handle = lambda *a, **k: None\n",
    ),
    "VAL01": Case(
        "nan everywhere",
        "non_finite",
        "def affine_forward(x, w, b):\n    return np.full((x.shape[0], w.shape[1]), np.nan), (x, w)\n",
    ),
    "VAL03": Case(
        "computes in float16",
        "precision",
        "def affine_forward(x, w, b):\n    return (x.reshape(len(x), -1) @ w + b).astype(np.float16), (x, w)\n",
    ),
    "VAL05": Case(
        "keeps its first answer and returns it for ever",
        "stateful",
        """
_c = {}
def affine_forward(x, w, b):
    if 'o' not in _c: _c['o'] = x.reshape(len(x), -1) @ w + b
    return _c['o'], (x, w)
""",
    ),
    "VAL07": Case(
        "knows the answer to one shape by heart",
        "hard_coded",
        f"""
def affine_forward(x, w, b):
    if x.shape == (2, 4, 5, 6):
        return np.array([[1.49834967, 1.70660132, 1.91485297], [3.25553199, 3.5141327, 3.77273342]]), None
    return {ZEROS}
""",
    ),
    "VAL09": Case(
        "right, and prints while it works",
        "",
        "def affine_forward(x, w, b):\n    print('debug', x.shape)\n    return x.reshape(len(x), -1) @ w + b, (x, w)\n",
        q1=3.0,
    ),
    "VAL11": Case(
        "right, and leaves error states, print options and another working folder behind",
        "poisoned_by_other_cells",
        "np.seterr(all='raise'); np.set_printoptions(threshold=1); import os; os.chdir('/'); np.exp = None\n" + RIGHT,
        q1=3.0,
    ),
    "VAL13": Case(
        "complex numbers with an imaginary part of almost nothing",
        "dtype",
        "def affine_forward(x, w, b):\n    return (x.reshape(len(x), -1) @ w + b).astype(complex) + 1e-12j, (x, w)\n",
    ),
    "VAL15": Case(
        "right numbers as np.matrix",
        "result_subclass",
        "def affine_forward(x, w, b):\n    return np.asmatrix(x.reshape(len(x), -1) @ w + b), (x, w)\n",
        q1=3.0,
    ),
    "VAL17": Case(
        "no return",
        "missing_result",
        "def affine_forward(x, w, b):\n    x.reshape(len(x), -1) @ w + b\n",
    ),
    "VAL19": Case(
        "reaches for PyTorch in a notebook of NumPy: there is none in the box",
        "forbidden_library",
        "def affine_forward(x, w, b):\n    import torch\n    return torch.zeros(3, requires_grad=True), (x, w)\n",
    ),
    "VAL21": Case(
        "right for a batch of one only",
        "value",
        "def affine_forward(x, w, b):\n    return np.repeat(x[0].reshape(1, -1) @ w + b, len(x), axis=0), (x, w)\n",
    ),
    "VAL23": Case(
        "another answer at each call",
        "non_deterministic",
        "def affine_forward(x, w, b):\n    return x.reshape(len(x), -1) @ w + b + np.random.randn() * 1e-3, (x, w)\n",
    ),
    "VAL25": Case(
        "the result is the input's own memory: the exercise forbids it, and only that question pays",
        "aliases_input",
        more=(("net-relu_forward", "def relu_forward(x):\n    return np.maximum(x, 0, out=x), x\n"),),
        extra=(("net-relu_forward", 0.0),),
        q1=3.0,
    ),
    "VAL27": Case(
        "computes in float32: these exercises ask for the accuracy of float64",
        "precision",
        """
def affine_forward(x, w, b):
    return x.reshape(len(x), -1).astype('f4') @ w.astype('f4') + b.astype('f4'), (x, w)
""",
    ),
}
