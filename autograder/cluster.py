"""The same jobs on many machines: Dask distributed, or Slurm through dask-jobqueue. Both are optional extras.

A worker runs no student's code: like a thread of the default scheduler it drives a judge and boxes, and each record is
on the shared disk before a worker answers. So a worker that is killed costs the time of its job and nothing else.
"""

import importlib
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from .course import CourseError
from .scheduler import ATTEMPTS, Scheduler, Threads, engine_version, run_job

WINDOW_PER_WORKER = 3
LOOPBACK = "127.0.0.1:0"


class Cluster:
    """A scheduler on a running Dask cluster. records : a folder that every worker sees under the same path."""

    def __init__(self, records: Path, client: Any, *, cluster: Any = None) -> None:
        self.records, self.client, self.cluster = records, client, cluster

    @property
    def window(self) -> int:
        """Grows and shrinks with the workers there are."""
        return WINDOW_PER_WORKER * max(2, sum(self.client.nthreads().values()))

    def submit(self, key: str, job: dict) -> "Future[dict]":
        """Promise a job's record. A worker lost `ATTEMPTS` times over one job is that job's machine fault."""
        from distributed import Future as Remote
        from distributed import KilledWorker

        remote = self.client.submit(run_job, self.records, key, job, key=f"grade-{key}", pure=False)
        promise: Future[dict] = Future()

        def settle(done: Remote) -> None:
            try:
                promise.set_result(done.result())
            except KilledWorker:
                promise.set_result({"fault": f"its worker ended {ATTEMPTS} times while judging it"})
            except Exception as error:  # noqa: BLE001 whatever a cluster does, a job ends in a record
                promise.set_result({"fault": f"the cluster failed: {type(error).__name__}: {error}"[:500]})
            finally:
                done.release()  # a record is on disk: the cluster need not keep it

        remote.add_done_callback(settle)
        return promise

    def close(self) -> None:
        self.client.close()
        if self.cluster is not None:
            self.cluster.close()


def connect(records: Path, address: str) -> Cluster:
    """Return a scheduler on the Dask cluster at `address`, such as tcp://127.0.0.1:8786.

    Whoever reaches a Dask port can run code as its owner: outside this machine only tls:// is taken, with the
    certificates that Dask's own configuration names. Raises CourseError.
    """
    distributed = _extra("distributed", "cluster")
    protocol, _, rest = address.partition("://")
    host = rest.rpartition(":")[0].strip("[]")
    if protocol not in ("tcp", "tls") or not host:
        raise CourseError(f"--scheduler must be tcp://127.0.0.1:PORT or tls://HOST:PORT, got {address!r}")
    if protocol == "tcp" and host not in ("127.0.0.1", "localhost", "::1"):
        raise CourseError(f"--scheduler must use tls:// beyond this machine: others could run code, got {address!r}")
    try:
        client = distributed.Client(address, timeout=20, set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise CourseError(f"--scheduler must be a running Dask scheduler, got {address!r}: {error}") from error
    _prepare(client)
    return Cluster(records, client)


def on_slurm(records: Path, *, workers: int, walltime: str = "02:00:00", extra: tuple[str, ...] = ()) -> Cluster:
    """Keep `workers` Slurm jobs of one core each and return a scheduler on them; TLS between all of them.

    A worker retires a few minutes before its walltime, so that Slurm kills none in the middle of a job; another takes
    its place, as for one that was lost. Partition, account and more come from Dask's configuration, jobqueue.slurm.
    """
    jobqueue, distributed = _extra("dask_jobqueue", "slurm"), _extra("distributed", "cluster")
    hours, minutes, seconds = (int(part) for part in walltime.split(":"))
    lifetime = max(60, 3600 * hours + 60 * minutes + seconds - 300)
    notes = records.parent / "slurm"  # what the jobs wrote, and the keys for TLS while they run
    notes.mkdir(mode=0o700, parents=True, exist_ok=True)
    cluster = jobqueue.SLURMCluster(
        cores=1,
        processes=1,
        memory="6GB",
        walltime=walltime,
        protocol="tls://",
        shared_temp_directory=str(notes),
        log_directory=str(notes),
        security=distributed.Security.temporary(),
        # The status pages speak plain HTTP: to their own machine alone.
        scheduler_options={"dashboard_address": LOOPBACK},
        worker_extra_args=["--dashboard-address", LOOPBACK, "--lifetime", f"{lifetime}s", "--lifetime-stagger", "2m"],
        job_extra_directives=list(extra),
    )
    cluster.adapt(minimum_jobs=workers, maximum_jobs=workers)
    client = distributed.Client(cluster, set_as_default=False)
    _prepare(client)
    return Cluster(records, client, cluster=cluster)


def _prepare(client: Any) -> None:
    """A job whose worker dies is given to another, this often in all; code comes from the shared repository."""
    allowed = ATTEMPTS - 1

    def allow(dask_scheduler: Any = None) -> None:
        dask_scheduler.allowed_failures = allowed

    client.run_on_scheduler(allow)
    if set(client.run(engine_version).values()) - {engine_version()}:
        client.close()
        raise CourseError(
            "every worker must have this version of the course's code, got another; update and restart it"
        )


def _extra(module: str, name: str) -> Any:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise CourseError(f"this needs the extra {name!r}: pip install 'cs231n[{name}]', got {error}") from error


def scheduler_for(records: Path, *, workers: int, address: str = "", slurm: bool = False) -> Scheduler:
    """Return the scheduler that the command line asks for: threads of this process, a Dask cluster, or Slurm."""
    if address and slurm:
        raise CourseError("--scheduler and --slurm must not be given together, got both")
    if slurm:
        return on_slurm(records, workers=workers)
    return connect(records, address) if address else Threads(records, workers)
