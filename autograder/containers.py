"""Boxes in Docker or Podman: one container per box, the same frames over its standard input and output.

For machines that have a container engine and no bubblewrap. A container starts cold, about a second each, and the
course's own first cells run in each; there is no zygote in it, since a descriptor cannot be passed into a container.
"""

import contextlib
import json
import math
import os
import resource
import secrets
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .accounting import cpu_seconds, namespace_of, private_memory
from .box import Limits

ENGINES = ("podman", "docker")
IMAGE = "CS231N_BOX_IMAGE"  # names the image, best by digest; see Containerfile
FIRST_USER, USERS = 20_000, 40_000  # ids without an account, within the 65,536 that an ordinary user's engine has
DESCRIPTORS, PROCESSES = 1024, 4096  # for the engine's own start; a box lowers both
MEMORY = 1.5  # the engine's bound, as a multiple of ours: ours says what happened, the engine's ends one process
PROBE_SECONDS = 120
# The image's Python has the version of the grader's: a package lies in the same place under its prefix.
PACKAGES = f"/usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
# Whether the image can be graded in: this Python, these packages, and what is forbidden not to be had.
LOOK = """
import importlib, sys
if sys.version_info[:2] != ({major}, {minor}):
    sys.exit("its Python must be {major}.{minor}, got " + ".".join(map(str, sys.version_info[:2])))
import IPython, matplotlib, numpy, cs231n_lib.optim, inside.container
try:
    importlib.import_module("torch")
except ModuleNotFoundError:
    sys.exit()
sys.exit("PyTorch must not be importable where it is forbidden")
"""


@dataclass
class Contained:
    """A box in a container: the engine bounds its memory, and what can be counted from here is counted as elsewhere."""

    engine: str
    name: str
    process: subprocess.Popen
    folder: tempfile.TemporaryDirectory  # where the engine's own helper leaves notes, such as Podman's "oom"
    pid: int = 0  # of the box's own process, as this process numbers it; 0: on another kernel, or not looked up yet
    base: int = 0  # bytes that it held before the student's first line

    def __post_init__(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        # The box closes its descriptors itself.
        self.reading, self.writing = os.dup(self.process.stdout.fileno()), os.dup(self.process.stdin.fileno())
        self.process.stdout.close()
        self.process.stdin.close()

    def look_up(self) -> None:
        """Find the process of a box that has started. Where the engine's machine is not this one there is none."""
        form = "{{.Id}} {{.State.Pid}}"
        command = [self.engine, "inspect", "--format", form, self.name]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        with contextlib.suppress(OSError, ValueError):
            key, first = done.stdout.split()
            if key in Path(f"/proc/{first}/cgroup").read_text():
                self.pid = int(Path(f"/proc/{first}/task/{first}/children").read_text())
                self.base = private_memory(self.pid)

    def cpu_seconds(self) -> float:
        """The CPU time of its process; where it cannot be read, nan, with which no comparison is true."""
        return cpu_seconds(self.pid) if self.pid else math.nan

    def memory(self) -> int:
        members = namespace_of(self.pid) if self.pid else []
        return sum(max(0, private_memory(pid) - self.base) for pid in members)

    def end(self, patience: float = 0.0) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=patience)
        code = self.process.poll()
        subprocess.run([self.engine, "rm", "--force", self.name], capture_output=True, timeout=60, check=False)
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()
        return "" if code is None else f"exit code {code}"


def start(engine: str, limits: Limits, *, library: Path, data: Path | None, forbid: tuple[str, ...]) -> Contained:
    """Start a container that runs inside/container.py."""
    name = f"cs231n-box-{secrets.token_hex(8)}"
    walls = run_command(engine, name, limits, library=library, data=data, forbid=forbid)
    command = [*walls, "python", "-P", "-s", "-B", "-m", "inside.container", json.dumps(limits.for_child())]
    folder, pipe = tempfile.TemporaryDirectory(prefix="cs231n-box-", ignore_cleanup_errors=True), subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0, cwd=folder.name)
    return Contained(engine, name, process, folder)


def run_command(
    engine: str, name: str, limits: Limits, *, library: Path, data: Path | None, forbid: tuple[str, ...]
) -> list[str]:
    """The command that starts a container, up to what runs in it: no network, nothing writable but a sized /tmp, no
    rights, limits, and a user id of its own, for the kernel counts processes by user.
    """
    memory = str(int(MEMORY * limits.memory))
    user, inside = FIRST_USER + secrets.randbelow(USERS), Path(__file__).parent
    _, most = resource.getrlimit(resource.RLIMIT_NPROC)
    processes = PROCESSES if most == resource.RLIM_INFINITY else min(PROCESSES, most)
    command = [engine, "run", "--rm", "--interactive", "--name", name, "--network", "none", "--read-only"]
    command += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", f"{user}:{user}"]
    command += ["--pids-limit", str(limits.processes), "--memory", memory, "--memory-swap", memory]
    command += ["--cpus", "1", "--shm-size", str(limits.scratch)]
    command += ["--tmpfs", f"/tmp:size={limits.scratch},mode=1777", "--workdir", "/tmp", "--hostname", "box"]
    command += ["--ulimit", f"fsize={limits.file_size}", "--ulimit", "core=0", "--ipc", "private", "--pull", "never"]
    command += ["--ulimit", f"nofile={DESCRIPTORS}:{DESCRIPTORS}", "--ulimit", f"nproc={processes}:{processes}"]
    command += ["--stop-signal", "SIGKILL", "--log-driver", "none"]
    command += ["--volume", f"{library}:/course/cs231n_lib:ro", "--volume", f"{inside / 'inside'}:/course/inside:ro"]
    if data is not None:
        command += ["--volume", f"{data}:/data:ro", "--env", "CS231N_DATA=/data"]
    for package in forbid:
        command += ["--volume", f"{inside / 'absent'}:{PACKAGES}/{package}:ro"]
    for variable in box_environment():
        command += ["--env", variable]
    return [*command, image()]


def image() -> str:
    """The image for boxes, from the environment variable CS231N_BOX_IMAGE."""
    return os.environ.get(IMAGE, "cs231n-box")


def box_environment() -> list[str]:
    """NAME=value pairs of a box's environment in a container."""
    return [
        "PYTHONPATH=/course",
        "HOME=/tmp",
        "OMP_NUM_THREADS=1",
        "OPENBLAS_NUM_THREADS=1",
        "MKL_NUM_THREADS=1",
        "PYTHONHASHSEED=0",
        "MPLBACKEND=module://matplotlib_inline.backend_inline",
        "MPLCONFIGDIR=/tmp/matplotlib",
        "IPYTHONDIR=/tmp/ipython",
        "NBGRADER_EXECUTION=autograde",
    ]


def probe(engine: str, library: Path) -> str:
    """Return why boxes cannot be had from this engine here, or an empty string: a container with their walls tells."""
    name = f"cs231n-probe-{secrets.token_hex(8)}"
    walls = run_command(engine, name, Limits(), library=library, data=None, forbid=("torch",))
    look = LOOK.format(major=sys.version_info.major, minor=sys.version_info.minor)
    try:
        done = subprocess.run(
            [*walls, "python", "-P", "-s", "-B", "-c", look],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=PROBE_SECONDS,
            check=False,
        )
    except FileNotFoundError:
        return f"{engine} is not on PATH"
    except subprocess.TimeoutExpired:
        subprocess.Popen([engine, "rm", "--force", name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return f"{engine} does not answer within {PROBE_SECONDS} s"
    if not done.returncode:
        return ""
    lines = [line for line in done.stderr.splitlines() if line.strip() and "--help" not in line]
    return f"{engine} with the image {image()}: {(lines or [f'exit code {done.returncode}'])[-1][:200]}"
