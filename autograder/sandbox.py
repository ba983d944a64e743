"""Which walls a box gets on this machine: probe them, name the level reached, and start boxes at that level.

The levels, best first: bubblewrap (namespaces, a user id or a count of processes of its own), podman and docker (a
container per box), landlock (files and sockets closed where namespaces are forbidden), none. Nothing falls back unsaid.
"""

import atexit
import itertools
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from cs231n_lib.check import LimitReached

from . import containers
from .box import Box, BoxFault, Lend, Limits, Purse
from .course import CourseError
from .inside.landlock import MINIMUM_ABI, landlock_abi
from .library import box_library
from .template import FIRST_USER, USERS, ZYGOTES, Template

LEVELS = ("bubblewrap", *containers.ENGINES, "landlock", "none")  # best first
PRELOAD = ("numpy", "matplotlib.pyplot", "matplotlib_inline.backend_inline", "IPython.core.pylabtools")
HEAVY_PRELOAD = "torch"  # where it is not forbidden
MAX_TEMPLATES = 8
MINIMUM = "docker"  # a level below it must be asked for

Prefix = tuple[tuple[str, str], ...]  # (grade_id, source) of the course's own first cells
_templates: dict[tuple, Template] = {}
_made = itertools.count()
_cold: set[tuple] = set()  # kinds of box whose first cells must run in the box, not in its parent


@dataclass(frozen=True)
class Sandbox:
    """A way to start boxes. `level` goes into every report."""

    level: str  # one of LEVELS
    data: Path | None = None  # data sets, shown read-only
    limits: Limits = field(default_factory=Limits)

    def start(
        self,
        *,
        forbid: tuple[str, ...] = (),
        prefix: Prefix = (),
        purse: Purse | None = None,
        lend: Lend | None = None,
    ) -> Box:
        """Start a box.

        forbid : packages that must not be importable in it; they are simply not there
        prefix : cells of the course that have run in it; where its parent cannot have run them, they run now
        purse : wall seconds left to the notebook that the box is for
        lend : serves what it calls by name
        Raises BoxFault if the machine cannot start one.
        """
        purse = purse or Purse(self.limits.total)
        if self.level in containers.ENGINES:
            inmate = containers.start(self.level, self.limits, library=box_library(), data=self.data, forbid=forbid)
            box, left = Box(inmate, self.limits, purse, lend), prefix
            inmate.look_up()
        else:
            template, left = self._zygote(forbid, prefix)
            box = Box(template.start(), self.limits, purse, lend)
        for _, source in left:
            box.run(source)
        return box

    def warm(self, *, forbid: tuple[str, ...] = (), prefix: Prefix = ()) -> None:
        """Start the zygote of such boxes now, where boxes have one: forks of this process then share it."""
        if self.level not in containers.ENGINES:
            self._zygote(forbid, prefix)

    def _zygote(self, forbid: tuple[str, ...], prefix: Prefix) -> tuple[Template, Prefix]:
        """Return the running zygote for such boxes, started if need be, and the cells that it has not run.

        A zygote cannot run cells for its boxes that fail, leave threads, or leave files in its /tmp.
        """
        key = (self.level, self.data, self.limits, forbid, prefix)
        if key in _cold:
            return self._zygote(forbid, ())[0], prefix
        template = _templates.pop(key, None)
        if template is None or not template.alive:
            try:
                template = self._template(forbid, prefix)
            except BoxFault:
                if not prefix:
                    raise
                template = None
        if template is None or template.report["errors"] or template.report["files"]:
            if template is not None:
                template.close()
            _cold.add(key)
            return self._zygote(forbid, ())[0], prefix
        _templates[key] = template  # the latest used stand last
        while len(_templates) > MAX_TEMPLATES:
            _templates.pop(next(iter(_templates))).close()
        return template, ()

    def _template(self, forbid: tuple[str, ...], prefix: Prefix) -> Template:
        walls = {"bubblewrap": "namespaces"}.get(self.level, self.level)
        preload = PRELOAD + ((HEAVY_PRELOAD,) if HEAVY_PRELOAD not in forbid else ())
        block = (os.getpid() * MAX_TEMPLATES + next(_made)) % ZYGOTES
        config = {
            "walls": walls,
            "preload": preload,
            "prefix": prefix,
            "limits": self.limits.for_child(),
            "scratch": self.limits.scratch,
            "kept": [prefix for prefix in _prefixes() if Path(prefix).is_relative_to("/tmp")],
            "first_user": FIRST_USER + block * USERS if os.getuid() == 0 and walls != "none" else 0,
            "users": USERS,
            "readable": _readable(self.data, forbid),
        }
        command = [sys.executable, "-P", "-s", "-B", "-m", "inside.zygote"]
        if self.level == "bubblewrap":
            environment = _environment("/tmp", "/course", "/data" if self.data else "")
            return Template([*_bubblewrap(self.data, self.limits, forbid, environment), "--", *command], {}, config)
        folder = tempfile.mkdtemp(prefix="cs231n-boxes-")
        os.chmod(folder, 0o711)
        code = Path(folder, "course")
        code.mkdir()
        for package, source in (("inside", _code() / "inside"), ("cs231n_lib", box_library())):
            (code / package).symlink_to(source)
        environment = _environment(folder, str(code), str(self.data or ""))
        return Template(["/usr/bin/env", "-C", folder, *command], environment, config, folder)


@atexit.register
def close_templates() -> None:
    """End every zygote of this process."""
    while _templates:
        _templates.popitem()[1].close()


def forget_templates() -> None:
    """After a fork: the zygotes are the parent's to end, so the child only lets go of them."""
    atexit.unregister(close_templates)


def find_sandbox(
    *, allow_none: bool = False, minimum: str = MINIMUM, data: Path | None = None, limits: Limits | None = None
) -> Sandbox:
    """Probe for walls and return a sandbox of the best level that starts a box here.

    minimum : refuse a level below this one; allow_none : accept no walls at all
    Raises CourseError, with the reason for each level, if none is good enough.
    """
    if minimum not in LEVELS[:-1]:
        raise CourseError(f"the sandbox's minimum must be one of {', '.join(LEVELS[:-1])}, got {minimum!r}")
    reasons = []
    for level in LEVELS[: LEVELS.index(minimum) + 1]:
        reason = probe(level)
        if not reason:
            return Sandbox(level, data, limits or Limits())
        reasons.append(f"{level}: {reason}")
    if allow_none:
        return Sandbox("none", data, limits or Limits())
    raise CourseError(
        f"grading needs a sandbox of level {minimum} or better, got none ({'; '.join(reasons)}); install the package "
        "bubblewrap, or allow less with --minimum landlock, or give --no-sandbox: then submitted code runs with "
        "your own rights and can read and change your files, grades included"
    )


def probe(level: str) -> str:
    """Return why boxes of this level cannot be had here, or an empty string."""
    if level in containers.ENGINES:
        return containers.probe(level, box_library())
    if level == "bubblewrap":
        program = shutil.which("bwrap")
        if program is None:
            return "bwrap is not on PATH"
        test = [program, "--unshare-all", "--ro-bind", "/", "/", "--", "/bin/true"]
        done = subprocess.run(test, capture_output=True, text=True, timeout=30, check=False)
        if done.returncode:
            return done.stderr.strip()[:200]
    if level == "landlock" and landlock_abi() < MINIMUM_ABI:
        return f"Landlock must be at version {MINIMUM_ABI} or later, got {landlock_abi()}"
    try:
        # Whether a box stands can only be seen on one: limits, ids and mounts fail in their own ways.
        box = Sandbox(level).start(forbid=(HEAVY_PRELOAD,))
        error = box.run("import numpy, bdb, cs231n_lib.optim")["error"]
        box.close()
    except (BoxFault, LimitReached) as fault:
        return str(fault)
    return f"Python and this folder must be readable to other users, got {error['message']}" if error else ""


def _code() -> Path:
    return Path(__file__).resolve().parent


def _environment(home: str, code: str, data: str) -> dict[str, str]:
    """The whole environment of a box: nothing of the grader's is inherited."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    return {
        **threads,
        "PATH": "/usr/bin:/bin",
        "HOME": home,
        "LANG": "C.UTF-8",
        "PYTHONPATH": code,
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR": f"{home}/matplotlib",
        "IPYTHONDIR": f"{home}/ipython",
        "NBGRADER_EXECUTION": "autograde",
        **({"CS231N_DATA": data} if data else {}),
    }


def _prefixes() -> list[str]:
    """The folders outside /usr that hold this Python and its packages."""
    return [p for p in dict.fromkeys((sys.base_prefix, sys.prefix)) if not Path(p).is_relative_to("/usr")]


def _packages() -> list[Path]:
    """The folders of packages that a box can read: this Python's own, those of what it was made from, the system's."""
    places = [Path(sysconfig.get_path(kind)) for kind in ("purelib", "platlib")]
    for prefix in (Path(sys.base_prefix), Path("/usr"), Path("/usr/local")):
        for library in sorted(path for path in prefix.glob("lib*") if not path.is_symlink()):
            places += sorted(library.glob("python3*/*-packages"))
    return list(dict.fromkeys(places))


def _readable(data: Path | None, forbid: tuple[str, ...]) -> list[str]:
    """What a box may read where Landlock is its wall: the same as bubblewrap shows, forbidden packages left out."""
    paths = ["/etc/ld.so.cache", str(box_library()), str(_code() / "inside"), *([str(data)] if data else [])]
    closed = {folder / name for folder in _packages() for name in forbid}
    closed = {path for path in closed if path.is_dir()}
    system = [Path("/", name) for name in ("usr", "lib", "lib32", "lib64", "bin")]
    for folder in [*(path for path in system if not path.is_symlink()), *map(Path, _prefixes())]:
        paths += _around(folder, closed)
    return [path for path in paths if os.path.exists(path)]


def _around(folder: Path, closed: set[Path]) -> list[str]:
    """Paths that cover a folder without those in `closed`: a right on a folder reaches all beneath it."""
    if not any(path.is_relative_to(folder) for path in closed):
        return [str(folder)]
    # A right on a link is a right on what it leads to, such as lib64 to lib: its target has its own turn.
    kept = [child for child in sorted(folder.iterdir()) if child not in closed and not child.is_symlink()]
    return [part for child in kept for part in _around(child, closed)]


def _bubblewrap(data: Path | None, limits: Limits, forbid: tuple[str, ...], environment: dict[str, str]) -> list[str]:
    """The walls around a zygote and all its boxes: what is not named here does not exist inside.

    Root's zygote keeps the few rights it needs to give each box a user id of its own; a box keeps none.
    """
    walls = [shutil.which("bwrap") or "bwrap", "--as-pid-1", "--die-with-parent", "--new-session", "--clearenv"]
    walls += ["--hostname", "box", "--cap-drop", "ALL"]
    if os.getuid() == 0:
        walls += [f"--unshare-{name}" for name in ("pid", "net", "ipc", "uts", "cgroup-try")]
        for capability in ("SYS_ADMIN", "SETUID", "SETGID", "SETPCAP", "KILL"):
            walls += ["--cap-add", f"CAP_{capability}"]
    else:
        walls += ["--unshare-all", "--uid", "65534", "--gid", "65534"]
    for name, value in environment.items():
        walls += ["--setenv", name, value]
    walls += ["--ro-bind", "/usr", "/usr"]
    for link in ("bin", "sbin", "lib", "lib32", "lib64"):
        path = Path("/", link)
        if path.is_symlink():
            walls += ["--symlink", os.readlink(path), str(path)]
        elif path.exists():
            walls += ["--ro-bind", str(path), str(path)]
    walls += ["--ro-bind-try", "/etc/ld.so.cache", "/etc/ld.so.cache"]
    walls += ["--proc", "/proc", "--dev", "/dev", "--size", str(limits.scratch), "--tmpfs", "/tmp"]
    for prefix in _prefixes():
        for folder in reversed(Path(prefix).parents[:-1]):
            walls += ["--perms", "0755", "--dir", str(folder)]
        walls += ["--ro-bind", prefix, prefix]
    for folder in (folder / package for package in forbid for folder in _packages()):
        if folder.is_dir():
            walls += ["--ro-bind", str(_code() / "absent"), str(folder)]
    walls += ["--perms", "0755", "--dir", "/course"]
    walls += ["--ro-bind", str(box_library()), "/course/cs231n_lib"]
    walls += ["--ro-bind", str(_code() / "inside"), "/course/inside"]
    if data is not None:
        walls += ["--ro-bind", str(data), "/data"]
    return [*walls, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp"]
