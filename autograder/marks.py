"""Marks on a student's text: what in it reaches for more than an answer needs. A person looks; no point is taken.

A list of words cannot keep anybody out, and need not: the walls do. It tells an instructor where to look first.
"""

import ast
import re
import unicodedata
from collections.abc import Iterable, Iterator

Mark = tuple[str, str]  # (flag, detail)
MAX_PARTS = 20  # of a dotted name that is looked at

# A dotted name that the code mentions, by its end: "sys._getframe" matches `_getframe`, `np.x` does not match `x`.
NAMES = {
    "frame_walk": "_getframe currentframe f_globals f_locals f_back tb_frame gi_frame settrace setprofile "
    "inspect.stack",
    "ipython_hook": "ast_transformers input_transformers_cleanup input_transformers_post set_custom_exc "
    "events.register run_cell_async displayhook showtraceback display_formatter compile_class run_code",
    "forged_message": "iopub_socket session.send display_pub parent_header comm_manager",
    "ctypes_use": "ctypes cffi memmove addressof",
    "history_probe": "get_objects get_referrers inspect.getsource history_manager linecache getsourcelines",
    "file_probe": "listdir scandir os.walk iterdir rglob glob.glob glob.iglob",
    "gradebook_write": "sqlite3",
    "network_attempt": "socket urllib requests http.client ftplib smtplib create_connection gethostbyname",
    "exited": "os._exit sys.exit os.abort os.kill SystemExit KeyboardInterrupt faulthandler._sigsegv",
    "protocol_violation": "os.write os.writev os.dup os.dup2 os.fdopen os.sendfile",
    "symlink": "symlink symlink_to os.link hardlink_to",
    "pickle_payload": "__reduce__ __reduce_ex__ __setstate__",
    "forged_result": "atexit.register",
    "timing_channel": "time.sleep",
    "process_limit": "os.fork multiprocessing.Pool Popen subprocess.run os.system ProcessPoolExecutor forkserver",
    "disk_limit": "shared_memory SharedMemory memfd_create fallocate",
    "stdin_read": "getpass sys.stdin",
}
NAMED = re.compile(r"\.(?:" + "|".join(re.escape(name) for names in NAMES.values() for name in names.split()) + r")\.")
# The course's own answers: closed in a box (library.py).
OWN_ANSWERS = r"\bcs231n_lib[./](check[./](n\d|standins)|kernels[./](\w+_fast|conv|pool)\b|widgets\b)"
# Text in the code.
WORDS = {
    "course_answer": OWN_ANSWERS,
    "file_probe": r"\.\./\.\.|^/(etc|proc|root|home|srv|var|work|course|autograder|sys)\b|/submitted|source/\*\*",
    "shared_scratch_write": r"^/(tmp|dev/shm|var/tmp)\b",
    "gradebook_write": r"gradebook",
    "forged_result": r"results?\.(json|pkl)|\"score\"|manual_score|\"passed\"|\bmax_score\b",
    "planted_file": r"(nbgrader|ipython|jupyter\w*)_config\.py|(site|user)customize|conftest\.py|\.pth$",
    "network_attempt": r"^(https?|ftp)://",
}
# Any text, prose too. Every repetition has an end: a hostile text must not make the search slow.
SAID = {
    "active_content": r"<\s{0,9}(script|iframe|object|embed|form|meta|link)\b|javascript:|data:text/html|srcdoc\s{0,9}="
    r"|\bon(load|error|click|mouseover|focus)\s{0,9}=",
    "remote_content": r"!\[[^\]\n]{0,200}\]\(\s{0,9}https?:|url\(\s{0,9}[\"']?https?:"
    r"|<\s{0,9}(img|video|audio|source|image)\b[^>]{0,300}\b(src|href)\s{0,9}=\s{0,9}[\"']?https?:",
    "csv_formula": r"^[ \t]{0,9}[=+@-][ \t]{0,9}(cmd\||HYPERLINK\s{0,9}\(|IMPORT\w{1,20}\(|WEBSERVICE\(|DDE\()"
    r"|^=[A-Z]{2,20}\([^\n]{0,200}\)$",
    "prompt_injection": r"\b(give|award|grant|assign)\b.{0,30}\b(full|maximum|all)\b.{0,12}\b(marks?|points?|credit)"
    r"|(ignore|disregard|forget)\b.{0,40}\b(instructions?|prompt|rubric|above)|<\|(im_start|system)"
    r"|^\W{0,9}SYSTEM\s{0,9}:|you are (an?|the) (grader|grading|ai|assistant|language model)",
}
# Worth a look only where the question lost points: honest code does this too.
SOFT = {"stateful", "non_deterministic", "precision", "hard_coded", "uninitialised_result"}
PATCHED = (  # who is patched when an attribute of a module changes
    ("patched_builtin", ("builtins", "logging", "sys", "warnings", "io", "traceback")),
    ("patched_course_module", ("cs231n_lib", "cs231n", "autograder", "nbgrader")),
    ("forged_result", ("pickle", "json", "dill", "cloudpickle", "marshal")),
    ("patched_test_api", ("numpy", "scipy", "torch", "math", "unittest", "pytest")),
)
TEST_API = re.compile(r"allclose|assert_\w+|array_equal|isclose|rel_error|relative_error|grade\w*$")
GIVEN = {"check", "carry_forward", "question", "rel_error", "relative_error", "np", "plt"}
CYRILLIC_LOOKALIKES = set("аеорсухіјѕԁһԛԝАВЕКМНОРСТХІЈЅ")
BIDI = re.compile("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\u2060\ufeff]")


def text_marks(text: str) -> list[Mark]:
    """Return the marks on any text of a student's: prose, code, or what a notebook shows."""
    found = []
    for flag, pattern in SAID.items():
        if said := re.search(pattern, text[:2_000_000], re.IGNORECASE | re.MULTILINE):
            found.append((flag, f"it says {said.group(0)[:80]!r}"))
    return found


def code_marks(source: str, given: Iterable[str] = ()) -> list[Mark]:
    """Return the marks on one code cell, each flag once. given : names that the course's own cells define"""
    found: dict[str, str] = {}
    try:
        for flag, detail in _code_marks(source, {*GIVEN, *given}):
            found.setdefault(flag, detail)
    except RecursionError:  # one expression of a thousand terms: Python may run it, no person wrote it
        found.setdefault("hidden_code", "it is nested too deeply to be read")
    return list(found.items())


def _code_marks(source: str, given: set[str]) -> Iterator[Mark]:
    yield from _letters(source)
    if magic := re.search(r"(?m)^[ \t]*(?:[!%]\s{0,9}(?:pip|conda|uv|apt\S*)\b.*|!.*\bpip3? install\b.*)$", source):
        yield "environment_change", f"it runs {magic.group(0).strip()[:80]!r}"
    if magic := re.search(r"(?m)^[ \t]*%(?:reset\w*|run|set_env|env)\b.*$", source):
        flag = "poisoned_by_other_cells" if "reset" in magic.group(0) else "environment_change"
        yield flag, f"it runs {magic.group(0).strip()[:80]!r}"
    try:
        tree = ast.parse(without_magics(source))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    modules = _modules(tree)
    for node in ast.walk(tree):
        yield from _node_marks(node, modules, given)


def without_magics(source: str) -> str:
    """Return a cell as Python alone: a line that IPython reads itself does nothing."""
    return re.sub(r"(?m)^([ \t]*)[!%].*$", r"\1pass", source)


def _node_marks(node: ast.AST, modules: dict[str, str], given: set[str]) -> Iterator[Mark]:
    if isinstance(node, ast.Attribute | ast.Name):
        yield from _named(_dotted(node, modules))
        yield from _answer_of_the_course(_dotted(node, modules))
    elif isinstance(node, ast.Import):
        yield from (m for alias in node.names for m in _named(alias.name))
        yield from (m for alias in node.names for m in _library(alias.name))
        yield from (m for alias in node.names for m in _answer_of_the_course(alias.name))
    elif isinstance(node, ast.ImportFrom):
        yield from (m for alias in node.names for m in _named(f"{node.module}.{alias.name}"))
        yield from (m for alias in node.names for m in _answer_of_the_course(f"{node.module}.{alias.name}"))
        yield from _named(node.module or "")
        yield from _library(node.module or "")
    elif isinstance(node, ast.Constant) and isinstance(node.value, str):
        for flag, pattern in WORDS.items():
            if said := re.search(pattern, node.value[:10_000]):
                yield flag, f"it names {said.group(0)[:80]!r}"
    elif isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield from _named(node.name)
        yield from _defined(node, given)
    elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign | ast.Delete):
        targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
        for target in targets:
            yield from _assigned(target, modules, given)
    elif isinstance(node, ast.Call):
        yield from _called(node, modules)
    elif isinstance(node, ast.If | ast.IfExp):
        yield from _by_heart(node.test)
    elif isinstance(node, ast.Global):
        yield "stateful", f"it writes to the global name {node.names[0]}"


def _letters(source: str) -> Iterator[Mark]:
    if odd := BIDI.search(source):
        yield "unicode_trick", f"it holds the invisible mark {unicodedata.name(odd.group(0), 'unnamed')}"
    for word in re.findall(r"[^\W\d]\w*", source):
        if looks_like_others(word):
            yield "unicode_trick", f"the name {word[:60]!r} holds letters that look like others"


def looks_like_others(word: str) -> bool:
    """True for a word of Latin letters and some that only look so."""
    if word.isascii():
        return False
    mixed = set(word) & CYRILLIC_LOOKALIKES and any(ch.isascii() and ch.isalpha() for ch in word)
    return bool(mixed) or (
        unicodedata.normalize("NFKC", word) != word and unicodedata.normalize("NFKC", word).isascii()
    )


def _modules(tree: ast.AST) -> dict[str, str]:
    """{name in the code: module it stands for}"""
    names = {"np": "numpy", "plt": "matplotlib.pyplot"}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {
                a.asname or a.name.split(".")[0]: a.name if a.asname else a.name.split(".")[0] for a in node.names
            }
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {a.asname or a.name: f"{node.module}.{a.name}" for a in node.names}
    return names


def _dotted(node: ast.AST, modules: dict[str, str]) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute) and len(parts) < MAX_PARTS:
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(modules.get(node.id, node.id))
    return ".".join(reversed(parts))


def _named(dotted: str) -> Iterator[Mark]:
    whole = f".{dotted}."
    if NAMED.search(whole):  # rarely: most names of an honest answer are nobody's business
        for flag, names in NAMES.items():
            if any(f".{name}." in whole for name in names.split()):
                yield flag, f"it uses {dotted[:80]}"


def _library(module: str) -> Iterator[Mark]:
    if module.split(".")[0] in ("torch", "tensorflow", "jax", "sklearn", "numba", "cv2", "skimage"):
        yield "forbidden_library", f"it imports {module[:80]}"


def _answer_of_the_course(dotted: str) -> Iterator[Mark]:
    if re.match(OWN_ANSWERS, dotted):
        yield "course_answer", f"it uses {dotted[:80]}"


def _assigned(target: ast.AST, modules: dict[str, str], given: set[str]) -> Iterator[Mark]:
    for node in ast.walk(target):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del) and node.id in given:
            flag = "patched_test_api" if TEST_API.search(node.id) else "patched_course_module"
            yield flag, f"it gives {node.id} a new meaning"
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store | ast.Del):
            yield from _patched(_dotted(node, modules) or node.attr, modules)


def _patched(dotted: str, modules: dict[str, str]) -> Iterator[Mark]:
    root, last = dotted.split(".")[0], dotted.rpartition(".")[2]
    if root in {name.split(".")[0] for name in modules.values()} or TEST_API.search(last):
        for flag, packages in PATCHED:
            if root in packages:
                yield flag, f"it changes {dotted[:80]}"
        if dotted.startswith("cs231n") and re.search(r"data|load|dataset", dotted):
            yield "data_leak", f"it changes {dotted[:80]}"
        if TEST_API.search(last):
            yield "patched_test_api", f"it changes {dotted[:80]}"


def _called(node: ast.Call, modules: dict[str, str]) -> Iterator[Mark]:
    name = _dotted(node.func, modules)
    if name in ("setattr", "delattr") and node.args:
        what = _dotted(node.args[0], modules)
        known = set(modules.values())
        yield from (
            _patched(f"{what}.attribute", modules) if what in known else [("patched_test_api", "it uses setattr")]
        )
    if name in ("__import__", "importlib.import_module") and node.args:
        text = _folded(node.args[0])
        yield from _library(text)
        yield from _named(text)
    if name == "input":
        yield "stdin_read", "it asks for input"
    if name in ("exec", "eval", "compile"):
        yield "hidden_code", f"it runs text as code with {name}"
    for keyword in node.keywords:
        workers = keyword.value.value if isinstance(keyword.value, ast.Constant) else 0
        if keyword.arg in ("num_workers", "n_jobs", "processes", "max_workers") and workers:
            yield "process_limit", f"it asks for workers with {keyword.arg}="
    if name in ("numpy.asmatrix", "numpy.matrix") or name.startswith("numpy.ma."):
        yield "result_subclass", f"it uses {name}"


def _folded(node: ast.AST) -> str:
    """The text of a string that is put together from constants; "" if it is not."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _folded(node.left) + _folded(node.right)
    return ""


def _by_heart(test: ast.AST) -> Iterator[Mark]:
    for node in ast.walk(test):
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq):
            shape = any(isinstance(n, ast.Attribute) and n.attr == "shape" for n in ast.walk(node.left))
            numbers = [n for n in ast.walk(node.comparators[0]) if isinstance(n, ast.Constant)]
            if shape and len(numbers) > 1:
                yield "hard_coded", "it asks for one shape by its numbers"


def _defined(node: ast.FunctionDef | ast.ClassDef, given: set[str]) -> Iterator[Mark]:
    if node.name in given:
        flag = "patched_test_api" if TEST_API.search(node.name) else "patched_course_module"
        yield flag, f"it defines {node.name} again"
    if not isinstance(node, ast.FunctionDef):
        return
    own = {a.arg for a in ast.walk(node.args) if isinstance(a, ast.arg)}
    own |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    for inner in ast.walk(node):
        if isinstance(inner, ast.Subscript) and isinstance(inner.ctx, ast.Store) and isinstance(inner.value, ast.Name):
            if inner.value.id not in own:
                yield "stateful", f"{node.name} writes into {inner.value.id}, which outlives the call"
        elif isinstance(inner, ast.Attribute) and isinstance(inner.value, ast.Attribute):
            text = f"{_dotted(inner, {'np': 'numpy'})}"
            if text.startswith("numpy.random.") and inner.attr.islower() and inner.attr not in ("default_rng", "seed"):
                yield "non_deterministic", f"{node.name} draws from {text}, which everybody shares"
        elif isinstance(inner, ast.Return) and inner.value is not None:
            calls = [_dotted(n.func, {"np": "numpy"}) for n in ast.walk(inner.value) if isinstance(n, ast.Call)]
            if any(c in ("numpy.empty", "numpy.empty_like", "numpy.ndarray") for c in calls):
                yield "uninitialised_result", f"{node.name} returns memory that it never wrote"
        elif isinstance(inner, ast.Attribute) and inner.attr in ("float16", "half", "float32", "single"):
            yield "precision", f"{node.name} computes in {inner.attr}"
        elif isinstance(inner, ast.Constant) and inner.value in ("f2", "f4", "float16", "float32", "half"):
            yield "precision", f"{node.name} computes in {inner.value}"
        elif isinstance(inner, ast.Attribute) and inner.attr in ("md5", "sha1", "sha256", "blake2b"):
            yield "hard_coded", f"{node.name} takes a hash of what it is given"
        elif isinstance(inner, ast.While) and isinstance(inner.test, ast.Constant) and inner.test.value:
            writes = [n for n in ast.walk(inner) if isinstance(n, ast.Call) and _dotted(n.func, {}) == "open"]
            if writes:
                yield "disk_limit", f"{node.name} opens files without end"
