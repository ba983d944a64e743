"""Boxes in Docker or Podman: one container per box, the same frames over its standard input and output.

For machines that have a container engine and no bubblewrap, macOS among them. A container starts cold, about a second
each; there is no zygote in it, since a descriptor cannot be passed into a container.
"""

import contextlib
import json
import os
import secrets
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .box import Limits

ENGINES = ("podman", "docker")
IMAGE = "CS231N_BOX_IMAGE"  # names the image, best by digest; it must hold Python and this course's dependencies


@dataclass
class Contained:
    """A box in a container. Its CPU time cannot be read from here, so the wall clock alone bounds a request."""

    engine: str
    name: str
    process: subprocess.Popen

    def __post_init__(self) -> None:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        # The box closes its descriptors itself.
        self.reading, self.writing = os.dup(self.process.stdout.fileno()), os.dup(self.process.stdin.fileno())
        self.process.stdout.close()
        self.process.stdin.close()

    def cpu_seconds(self) -> float:
        return 0.0

    def memory(self) -> int:
        return 0  # the engine holds it to its limit

    def end(self, patience: float = 0.0) -> str:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(timeout=patience)
        code = self.process.poll()
        subprocess.run([self.engine, "rm", "--force", self.name], capture_output=True, timeout=60, check=False)
        self.process.kill()
        self.process.wait()
        return "" if code is None else f"exit code {code}"


def start(engine: str, limits: Limits, *, library: Path, data: Path | None, forbid: tuple[str, ...]) -> Contained:
    """Start a container that runs inside/runner.py."""
    name = f"cs231n-box-{secrets.token_hex(8)}"
    command = run_command(engine, name, limits, library=library, data=data, forbid=forbid)
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=0
    )
    return Contained(engine, name, process)


def run_command(
    engine: str, name: str, limits: Limits, *, library: Path, data: Path | None, forbid: tuple[str, ...]
) -> list[str]:
    """The command that starts one box: no network, nothing writable but a sized /tmp, no rights, limits."""
    command = [engine, "run", "--rm", "--interactive", "--name", name, "--network", "none", "--read-only"]
    command += ["--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "65534:65534", "--init"]
    command += ["--pids-limit", str(limits.processes), "--memory", str(limits.memory)]
    command += ["--memory-swap", str(limits.memory), "--cpus", "1", "--shm-size", str(limits.scratch)]
    command += ["--tmpfs", f"/tmp:size={limits.scratch},mode=1777", "--workdir", "/tmp", "--hostname", "box"]
    command += ["--ulimit", f"fsize={limits.file_size}", "--ulimit", "core=0", "--ipc", "private", "--pull", "never"]
    command += ["--volume", f"{library}:/course/cs231n_lib:ro"]
    command += ["--volume", f"{Path(__file__).with_name('inside')}:/course/inside:ro"]
    if data is not None:
        command += ["--volume", f"{data}:/data:ro", "--env", "CS231N_DATA=/data"]
    for package in forbid:
        # The image's Python has the version of the grader's: a package lies in the same place under its prefix.
        folder = f"/usr/local/lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages/{package}"
        command += ["--tmpfs", f"{folder}:size=4096,mode=555"]
    for variable in box_environment():
        command += ["--env", variable]
    return [*command, image(), "python", "-P", "-s", "-B", "-m", "inside.runner", json.dumps(limits.for_child())]


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


def probe(engine: str) -> str:
    """Return why this engine cannot be used here, or an empty string."""
    try:
        done = subprocess.run(
            [engine, "image", "inspect", image()], capture_output=True, text=True, timeout=30, check=False
        )
    except FileNotFoundError:
        return f"{engine} is not on PATH"
    except subprocess.TimeoutExpired:
        return f"{engine} does not answer"
    return f"{engine}: {(done.stderr.strip() or 'no such image').splitlines()[-1][:150]}" if done.returncode else ""
