"""The same jobs on Dask and Slurm: equal records, a lost worker loses nothing, a job that ends workers is a fault."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading

import pytest
from waiting import wait_for

from autograder.cluster import Cluster, connect, scheduler_for
from autograder.course import CourseError
from autograder.scheduler import Threads, content_key

distributed = pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
pytestmark = pytest.mark.slow

RIGHT = "def f(x):\n    return x + 1"
TESTS = "assert f({n}) == {n} + 1"


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """Two worker processes on this machine, as an instructor starts them by hand."""
    folder = tmp_path_factory.mktemp("dask")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1", local_directory=folder
        ) as cluster,
    ):
        yield cluster


def without_times(record):
    return {**record, "verdicts": [{**v, "seconds": 0} for v in record["verdicts"]]}


def test_records_are_those_of_threads(local, make_job, tmp_path):
    jobs = [make_job((RIGHT, TESTS.format(n=n)), ("def g(x):\n    return 0", "assert g(1)")).__dict__ for n in range(4)]
    kept = {}
    for name, scheduler in (
        ("threads", Threads(tmp_path / "threads", 2)),
        ("dask", connect(tmp_path / "dask", local.scheduler_address)),
    ):
        promises = [scheduler.submit(content_key(job), job) for job in jobs]
        assert [p.result(timeout=300)["verdicts"][0]["points"] for p in promises] == [2.0] * 4
        scheduler.close()
        files = sorted((tmp_path / name).glob("*.json"))
        kept[name] = [(p.name, without_times(json.loads(p.read_text()))) for p in files]
    assert kept["threads"] == kept["dask"]


def test_a_killed_worker_loses_nothing(local, make_job, tmp_path):
    slow = "import time\ndef f(x):\n    time.sleep(0.5)\n    return x + 1"
    jobs = [make_job((slow, TESTS.format(n=n))).__dict__ for n in range(6)]
    scheduler = connect(tmp_path, local.scheduler_address)
    promises = [scheduler.submit(content_key(job), job) for job in jobs]
    promises[0].result(timeout=300)
    victims = scheduler.client.run(os.getpid)
    os.kill(next(iter(victims.values())), signal.SIGKILL)
    assert [p.result(timeout=300)["verdicts"][0]["points"] for p in promises] == [2.0] * 6
    assert len(list(tmp_path.glob("*.json"))) == 6
    scheduler.close()


def test_a_job_that_ends_every_worker_is_a_machine_fault(tmp_path):
    class Lost:
        """A client whose workers die over each job."""

        def submit(self, *args, **kwargs):
            return self

        def add_done_callback(self, settle):
            threading.Thread(target=settle, args=(self,)).start()

        def result(self):
            raise distributed.KilledWorker("grade", None, 2)

        def release(self):
            pass

    record = Cluster(tmp_path, Lost()).submit("k", {}).result(timeout=60)
    assert record == {"fault": "its worker ended 3 times while judging it"}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"address": "tcp://192.0.2.1:8786"}, "must use tls:// beyond this machine"),
        ({"address": "8786"}, "must be tcp://127.0.0.1:PORT or tls://HOST:PORT, got '8786'"),
        ({"address": "tcp://127.0.0.1:1", "slurm": True}, "must not be given together"),
    ],
)
def test_a_wrong_address_is_one_clear_line(options, message, tmp_path):
    with pytest.raises(CourseError, match=message):
        scheduler_for(tmp_path, workers=1, **options)


def test_without_the_extra_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(CourseError, match=r"pip install 'cs231n\[slurm\]'"):
        scheduler_for(tmp_path, workers=1, slurm=True)


def test_slurm_jobs_use_tls_and_retire_before_their_time(monkeypatch, tmp_path):
    jobqueue = pytest.importorskip("dask_jobqueue", reason="the extra `slurm` is not installed")
    made = {}

    class Recorded(jobqueue.SLURMCluster):
        def __init__(self, **options):
            made.update(options)
            super().__init__(**options)
            made["script"] = self.job_script()
            made["address"] = self.scheduler_address
            self.close()
            raise CourseError("seen")

    monkeypatch.setattr(jobqueue, "SLURMCluster", Recorded)
    with pytest.raises(CourseError, match="seen"):
        scheduler_for(tmp_path / "records", workers=3, slurm=True)
    assert made["address"].startswith("tls://")
    for part in (
        "#SBATCH -t 02:00:00",
        "--lifetime 6900s",
        "--tls-key",
        "--nthreads 1",
        "tls://",
        "--dashboard-address 127.0.0.1:0",
    ):
        assert part in made["script"], part


def slurm_queue():
    done = subprocess.run(["squeue", "--noheader", "--format", "%i"], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_a_lost_slurm_job_is_replaced_and_none_is_left(make_job, tmp_path):
    pytest.importorskip("dask_jobqueue", reason="the extra `slurm` is not installed")
    if shutil.which("sinfo") is None or subprocess.run(["sinfo"], capture_output=True, check=False).returncode:
        pytest.skip("no Slurm runs on this machine")
    before = set(slurm_queue())
    scheduler = scheduler_for(tmp_path / "course" / "records", workers=1, slurm=True)
    jobs = [make_job((RIGHT, TESTS.format(n=n))).__dict__ for n in range(2)]
    assert scheduler.submit("first", jobs[0]).result(timeout=120)["verdicts"][0]["points"] == 2.0
    (first,) = set(slurm_queue()) - before
    subprocess.run(["scancel", first], check=True)
    wait_for(lambda: first not in slurm_queue(), seconds=60)
    assert scheduler.submit("second", jobs[1]).result(timeout=120)["verdicts"][0]["points"] == 2.0
    scheduler.close()
    wait_for(lambda: set(slurm_queue()) <= before, seconds=60)
