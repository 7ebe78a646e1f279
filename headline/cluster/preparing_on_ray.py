"""``headline prepare --on ray``: the tasks of each pass as tasks of a Ray cluster.

Ray decides where a task runs, and runs it again if its worker or node dies.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from headline.cluster.preparing import How, run_task
from headline.data.parts.folder import Work
from headline.data.parts.passes import Pass, open_work, passes_of
from headline.errors import ClusterError
from headline.system.packages import optional

TRIES = 3  # of a task whose worker dies
LOOK = 1.0  # seconds between two looks at the clock while nothing is finished


def prepare_on_ray(work: Work, address: str, how: How) -> None:
    """Prepares a dataset with the tasks that are left, and removes the working folder.

    All files must be at the same places on each node.

    Args:
        address: HOST:PORT, "auto" for the cluster that runs here, or "local" to start
            one on this machine.

    Raises:
        ClusterError: there is no such cluster; the working folder is of another
            preparation; a task failed ``TRIES`` times, or nothing progresses any more.
        HeadlineError: Ray is not installed; a file cannot be read or written.
    """
    ray = optional("ray", "ray", "--on ray")
    if not open_work(work):
        with _connected(ray, address):
            for one in passes_of(work):
                _run_pass(ray, work, one, how)
    work.remove()


@contextmanager
def _connected(ray: Any, address: str) -> Iterator[None]:
    """Connects this process to a cluster, if it is not connected yet."""
    if ray.is_initialized():
        yield
        return
    try:
        ray.init(address=address, logging_level="ERROR", log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        why = str(error).strip().partition("\n")[0].rstrip(".")
        raise ClusterError(
            f"no Ray cluster at the address {address}: {why}; start one with "
            "`ray start --head`, or use --address local"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _run_pass(ray: Any, work: Work, one: Pass, how: How) -> None:
    tasks = one.left(work)
    do = partial(_run_there, os.getcwd(), work, one.name)
    remote = ray.remote(num_cpus=1, max_retries=TRIES - 1)(do_task)
    with how.meters(one.name, len(tasks)) as advance:
        under_way = [remote.remote(do, task) for task in tasks]
        try:
            _wait(ray, one, under_way, how, advance)
        finally:
            for task in under_way:
                ray.cancel(task, force=True)


def do_task(do: Callable[[int], int], task: int) -> int:
    """Does a task in a worker of Ray."""
    return do(task)


def _run_there(folder: str, work: Work, of: str, task: int) -> int:
    """Does a task with the working directory of the driver, so that its paths hold."""
    os.chdir(folder)
    return run_task(work, of, task)


def _wait(
    ray: Any,
    one: Pass,
    under_way: list[Any],
    how: How,
    advance: Callable[[int], None],
) -> None:
    """Waits for all tasks; finished ones are removed from ``under_way``."""
    since = time.monotonic()
    while under_way:
        ready, _ = ray.wait(under_way, timeout=LOOK)
        for task in ready:
            under_way.remove(task)
            _check(ray, one, task)
            advance(1)
            since = time.monotonic()
        if time.monotonic() - since > how.stall:
            raise ClusterError(_stalled(ray, one, under_way, how.stall))


def _check(ray: Any, one: Pass, task: Any) -> None:
    """Checks that a task has succeeded.

    Raises:
        ClusterError: its worker died each time.
        Exception: what the task has raised.
    """
    try:
        ray.get(task)
    except ray.exceptions.RayTaskError as error:
        raise error.cause if isinstance(error.cause, Exception) else error from error
    except ray.exceptions.RayError as error:
        why = str(error).strip().partition("\n")[0].rstrip(".")
        raise ClusterError(
            f"a task of pass {one.name} failed {TRIES} times: {why}; finished tasks "
            "stay, and the same command does what is left"
        ) from error


def _stalled(ray: Any, one: Pass, under_way: Sequence[Any], stall: float) -> str:
    free = ray.available_resources().get("CPU", 0)
    return (
        f"nothing was finished for {stall / 60:g} minutes: pass {one.name} waits for "
        f"{len(under_way):,} tasks, and the cluster has {free:g} free CPUs; finished "
        "tasks stay, and the same command does what is left"
    )
