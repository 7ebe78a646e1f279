"""``prepare --on ray``: the bytes of one process, whatever dies on the way."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headline.cluster.local import Part
from headline.cluster.preparing import Advance, How, run_share
from headline.cluster.preparing_on_ray import prepare_on_ray
from headline.data.parts.folder import COUNT, Work
from headline.data.prepare import prepare
from headline.errors import ClusterError
from tests.cluster.test_preparing import finished_tasks, process
from tests.data.dirty_jobs import dirty_job
from tests.data.test_prepare import files

ray: Any = pytest.importorskip("ray", reason="needs pip install 'headline[ray]'")
pytestmark = pytest.mark.cluster

HOW = How(stall=120.0)
# Workers see the modules of the tests.
ENVIRONMENT = {"env_vars": {"PYTHONPATH": str(Path(__file__).parents[2])}}
CONNECTED = {
    "logging_level": "ERROR",
    "log_to_driver": False,
    "runtime_env": ENVIRONMENT,
}


@pytest.fixture(scope="module", autouse=True)
def cluster() -> Iterator[None]:
    """A cluster with two CPUs, unless this process is connected to one already."""
    if ray.is_initialized():
        yield
        return
    ray.init(address="local", num_cpus=2, include_dashboard=False, **CONNECTED)
    yield
    ray.shutdown()


def test_ray_gives_the_bytes_of_one_process(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 150)
    prepare(job)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)

    prepare_on_ray(work, "auto", HOW)

    assert files(work.job.data_dir) == files(job.data_dir)
    assert not work.folder.exists()


def test_what_an_array_job_has_done_is_not_repeated(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 150)
    prepare(job)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)
    for number in (0, 1, 0):
        run_share(work, Part(number, 2), How())
    before = finished_tasks(work)
    seen: dict[str, int] = {}
    remove = Work.remove

    def look(self: Work) -> None:
        seen.update(finished_tasks(self))
        remove(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Work, "remove", look)
        prepare_on_ray(Work(work.job, rows=60), "auto", HOW)

    assert before and before.items() <= seen.items()
    assert files(work.job.data_dir) == files(job.data_dir)


class _Deadly(Work):
    """Kills the first worker that counts a part, once it has begun."""

    def path(self, name: str, task: int = 0) -> Path:
        path = super().path(name, task)
        mark = self.job.data_dir.with_name("killed")
        if name == COUNT and task == 1 and not mark.exists() and _in_worker():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return path


def _in_worker() -> bool:
    return bool(ray.get_runtime_context().worker.mode == ray.WORKER_MODE)


def test_task_of_a_killed_worker_runs_again(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 150)
    prepare(job)
    work = _Deadly(replace(job, data_dir=tmp_path / "data"), rows=60)

    prepare_on_ray(work, "auto", HOW)

    assert (tmp_path / "killed").exists()
    assert files(work.job.data_dir) == files(job.data_dir)


def _with_a_dying_node(work: Work) -> None:
    """Prepares on two nodes, of which one is killed when the first part is counted."""
    from ray.cluster_utils import Cluster

    nodes: Any = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    node = nodes.add_node(num_cpus=1)
    ray.init(address=nodes.address, **CONNECTED)

    @contextmanager
    def killing(name: str, _: int) -> Iterator[Advance]:
        def advance(_: int) -> None:
            if name == COUNT and node in nodes.list_all_nodes():
                nodes.remove_node(node, allow_graceful=False)

        yield advance

    try:
        prepare_on_ray(work, "auto", replace(HOW, meters=killing))
        assert node not in nodes.list_all_nodes()
    finally:
        ray.shutdown()
        nodes.shutdown()


def test_tasks_of_a_killed_node_run_elsewhere(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 150)
    prepare(job)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)

    run = process(_with_a_dying_node, work)
    run.join(300)

    assert run.exitcode == 0
    assert files(work.job.data_dir) == files(job.data_dir)


def _drive(work: Work, address: str) -> None:
    ray.init(address=address, **CONNECTED)
    prepare_on_ray(work, "auto", HOW)


def test_after_a_killed_driver_the_same_command_goes_on(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 150)
    prepare(job)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=40)

    driver = process(_drive, work, ray.get_runtime_context().gcs_address)
    end = time.monotonic() + 120
    while len(work.done(COUNT)) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    driver.kill()
    driver.join()
    assert work.done(COUNT) and not work.was_joined
    prepare_on_ray(Work(work.job, rows=40), "auto", HOW)

    assert files(work.job.data_dir) == files(job.data_dir)


def test_changed_input_stops_the_run_with_one_line(tmp_path: Path) -> None:
    job = dirty_job(tmp_path, 60)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)
    work.begin()
    os.utime(job.files[0], (0, 0))

    with pytest.raises(ClusterError, match="has changed since"):
        prepare_on_ray(work, "auto", HOW)


def test_tasks_that_find_no_room_are_not_waited_for_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = dirty_job(tmp_path, 60)
    work = Work(replace(job, data_dir=tmp_path / "data"), rows=60)
    remote = ray.remote
    monkeypatch.setattr(ray, "remote", lambda **more: remote(**more | {"num_cpus": 64}))

    with pytest.raises(ClusterError) as error:
        prepare_on_ray(work, "auto", replace(HOW, stall=2.0))

    assert "pass plan waits for 3 tasks" in str(error.value)
