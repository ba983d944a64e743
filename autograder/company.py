"""Could one answer have changed what another sees? Read from their text: a failed question is worth a second run
without the other answers only where they could be to blame, and most classes are honest.

Nothing is decided here but whether to try again. When in doubt the answer is yes.
"""

import ast
import re
from collections.abc import Container, Iterator
from functools import lru_cache
from typing import NamedTuple

MAGIC = re.compile(r"(?m)^[ \t]*[%!?]|=[ \t]*[%!]|\?[ \t]*$")  # what IPython reads and Python does not
FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
MAX_READ = 200_000  # characters of a notebook's code: more would take the judge longer than the second run
SHARED_STATE = {
    "builtins",
    "ctypes",
    "gc",
    "importlib",
    "inspect",
    "multiprocessing",
    "os",
    "signal",
    "sys",
    "threading",
}
REACH = {"setattr", "delattr", "exec", "eval", "compile", "globals", "vars", "locals", "get_ipython", "__import__"}
# Functions of a library that change its settings or what they are given, and methods that change what they belong to.
SETTINGS = ("set", "filterwarnings", "simplefilter", "use", "copyto", "place", "put", "fill_diagonal", "shuffle")
METHODS = ("sort", "fill", "append", "extend", "insert", "pop", "clear", "update", "remove", "resize", "partition")
TENSORS = ("zero_", "copy_", "mul_", "add_", "sub_", "div_")
CHANGES = (*SETTINGS, *METHODS, *TENSORS, "add", "discard", "itemset")


def may_disturb(others: list[str], own: str, shared: list[str]) -> bool:
    """True if one of the answers `others` may change what the answer `own` meets. shared : the course's own cells"""
    if sum(map(len, [own, *others, *shared])) > MAX_READ:
        return True
    try:
        return _may_disturb(others, own, shared)
    except RecursionError:  # nested too deeply to be read
        return True


def _may_disturb(others: list[str], own: str, shared: list[str]) -> bool:
    mine, ours = _parsed(own), [tree for tree in map(_parsed, shared) if tree]
    if mine is None:
        return bool(MAGIC.search(own))  # if that is no magic, it does not even run
    used = {node.id for node in ast.walk(mine) if isinstance(node, ast.Name)} | _bound(mine)
    nodes = [node for tree in [mine, *ours] for node in ast.walk(tree) if _is_import(node)]
    imports = frozenset((ast.unparse(node), frozenset(_names(node))) for node in nodes)
    return any(effects.outside or effects.bound & used for effects in (_effects(other, imports) for other in others))


class Effects(NamedTuple):
    """bound : the global names that a cell binds; outside : True if it may change what was not made there"""

    bound: frozenset[str]
    outside: bool


@lru_cache(maxsize=200)
def _effects(text: str, imports: frozenset[tuple[str, frozenset[str]]]) -> Effects:
    """Return what a cell does to others. Kept, because every failed question of a notebook asks for it again.

    imports : (an import's words, the names it binds) of the cells beside it
    """
    tree = _parsed(text)
    if tree is None:  # IPython's own syntax may do anything; Python that does not parse does nothing
        return Effects(frozenset(), bool(MAGIC.search(text)))
    bound = frozenset(_bound(tree, {words for words, _ in imports}))
    libraries = set().union(*(names for _, names in imports), *map(_names, filter(_is_import, ast.walk(tree))))
    made = bound - libraries - _other_names(tree, libraries)
    outside = any(map(_reaches_out, ast.walk(tree))) or any(_changes_outside(tree, made, libraries))
    return Effects(bound, outside)


def _parsed(text: str) -> ast.Module | None:
    try:
        return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _is_import(node: ast.AST) -> bool:
    return isinstance(node, ast.Import | ast.ImportFrom)


def _names(node: ast.AST) -> set[str]:
    """The names that an import binds."""
    assert isinstance(node, ast.Import | ast.ImportFrom)
    return {(alias.asname or alias.name).partition(".")[0] for alias in node.names}


def _bound(tree: ast.Module, imports: Container[str] = ()) -> set[str]:
    """The global names that a cell binds, but for imports that stand elsewhere in the same words."""
    names: set[str] = set()
    for node in _outside_functions(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            names.add(node.id)
        elif _is_import(node) and ast.unparse(node) not in imports:
            names |= _names(node)
    return names.union(*(node.names for node in ast.walk(tree) if isinstance(node, ast.Global)))


def _other_names(tree: ast.Module, libraries: set[str]) -> set[str]:
    """The names that are given to a library: `m = np`, `for m in (np, plt)`."""
    names = set()
    for node in ast.walk(tree):
        value = node.value if isinstance(node, ast.Assign) else node.iter if isinstance(node, ast.For) else None
        held = value.elts if isinstance(value, ast.Tuple | ast.List) else [value]
        if any(isinstance(item, ast.Name) and item.id in libraries for item in held):
            names |= {
                name.id for name in ast.walk(node) if isinstance(name, ast.Name) and isinstance(name.ctx, ast.Store)
            }
    return names


def _outside_functions(node: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(node):
        yield child
        if not isinstance(child, (*FUNCTIONS, ast.ClassDef)):
            yield from _outside_functions(child)


def _reaches_out(node: ast.AST) -> bool:
    """True for what changes libraries, modules or the interpreter itself."""
    if isinstance(node, ast.Import):
        return any(alias.name.partition(".")[0] in SHARED_STATE for alias in node.names)
    if isinstance(node, ast.ImportFrom):
        # A function that sets something is called by its bare name then, or by another.
        names = [alias.name for alias in node.names]
        return (node.module or "").partition(".")[0] in SHARED_STATE or any(
            n.startswith(("*", *SETTINGS)) for n in names
        )
    if isinstance(node, ast.Name):
        return node.id in REACH
    if isinstance(node, ast.Attribute):
        return node.attr.startswith("__") and node.attr != "__init__"
    return False


def _changes_outside(node: ast.AST, local: frozenset[str], libraries: set[str]) -> Iterator[bool]:
    """Yield True for each store into, or changing call on, something that was not made there."""
    for child in ast.iter_child_nodes(node):
        inner = local
        if isinstance(child, FUNCTIONS):
            inner = local | _locals(child)
        elif isinstance(child, ast.Attribute | ast.Subscript) and not isinstance(child.ctx, ast.Load):
            yield _root(child) not in local
        elif isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute):
            root = _root(child.func)
            yield root not in local and child.func.attr.startswith(SETTINGS if root in libraries else CHANGES)
        elif isinstance(child, ast.keyword) and child.arg == "out":
            yield _root(child.value) not in local
        yield from _changes_outside(child, inner, libraries)


def _locals(function: ast.AST) -> frozenset[str]:
    names = {node.arg for node in ast.walk(function) if isinstance(node, ast.arg)}
    return frozenset(
        names | {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    )


def _root(node: ast.AST) -> str:
    """The name at the beginning of a.b[c].d; "" where a call or another expression made the thing there and then."""
    while isinstance(node, ast.Attribute | ast.Subscript | ast.Starred):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
