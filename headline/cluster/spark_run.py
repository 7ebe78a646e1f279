"""The shards of a run as tasks of Spark; see ``headline.cluster.spark``."""

import os
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from headline.cluster.local import CountShard, alone
from headline.cluster.output import Outcome
from headline.cluster.plan import ShardJob
from headline.cluster.shards import Failures, ShardRun, ShardWorker
from headline.errors import ClusterError, HeadlineError
from headline.system.packages import optional

GAVE_UP = re.compile(r"Task (\d+) in stage \S+ failed \d+ times")

_kept: dict[str, ShardWorker] = {}  # the worker of this process, with its model


@contextmanager
def spark_context() -> Iterator[Any]:
    """Yields the ``SparkContext`` that ``spark-submit`` or Spark's files configure.

    Raises:
        HeadlineError: pyspark is not installed, or Spark cannot start.
    """
    sql = optional("pyspark.sql", "spark", "headline.cluster.spark")
    if "SPARK_ENV_LOADED" not in os.environ:  # spark-submit chooses a Python itself
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    try:
        session = sql.SparkSession.builder.appName("headline").getOrCreate()
    except Exception as error:  # there is no Java, for example
        reason = str(error).strip().partition("\n")[0]
        raise HeadlineError(f"Spark does not start: {reason}") from error
    try:
        yield session.sparkContext
    finally:
        session.stop()


def run_on_spark(run: ShardRun, context: Any, count_shard: CountShard) -> None:
    """Runs the shards that are left, a task for each, and finishes the run.

    Each Python worker loads the model once. Spark itself gives the task of a lost
    executor to another one; a shard that fails is tried again after the others. All
    paths of the run must be absolute, and lead to the same files on each machine.

    Args:
        context: the ``SparkContext``.

    Raises:
        ClusterError: see ``Failures.add``; or executors are lost too often.
        LockedError: another process of this machine writes into the same folder.
    """
    failures = Failures()
    with alone(run.folder.path):
        run.start()
        while jobs := run.left():
            for job, outcome in _round(context, run.worker, jobs):
                if isinstance(outcome, Exception):
                    failures.add(job, outcome)
                else:
                    count_shard(job, outcome)
        run.finish()


def _round(
    context: Any, worker: ShardWorker, jobs: Sequence[ShardJob]
) -> list[tuple[ShardJob, Outcome | Exception]]:
    """Runs each shard once, and returns their outcomes or errors.

    Raises:
        ClusterError: Spark gives up.
    """
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    tasks = context.parallelize(jobs, len(jobs)).map(partial(_run, worker))
    try:
        return list(tasks.collect())
    except (Py4JError, PySparkException) as error:
        raise ClusterError(
            f"{_gave_up(str(error), jobs)}; finished shards stay, and the same command "
            "does what is left"
        ) from error


def _run(worker: ShardWorker, job: ShardJob) -> tuple[ShardJob, Outcome | Exception]:
    """Runs a shard in a Python worker of Spark, which keeps its model."""
    key = f"{worker.folder.path} {worker.folder.run}"
    if key not in _kept:
        _kept.clear()
        _kept[key] = worker
    try:
        return job, _kept[key].run(job)
    except HeadlineError as error:
        return job, error
    except Exception as error:  # perhaps one that cannot be pickled
        return job, RuntimeError(f"{type(error).__name__}: {error}")


def _gave_up(message: str, jobs: Sequence[ShardJob]) -> str:
    """Returns in words why Spark ended a job."""
    found = GAVE_UP.search(message)
    if found is None:
        return f"Spark ended the run: {message.strip().splitlines()[-1].strip()}"
    name = jobs[int(found[1])].name
    return f"Spark gave shard {name} up: it lost too many executors with it"
