"""Ray and Spark for tests: who may run them, and small clusters on this machine.

Nothing here stops processes that a test has not started itself: other people on this
machine may have clusters of their own, so ``ray stop`` is out of the question.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import which
from typing import Any

import pytest

EXECUTORS = "local-cluster[2,1,1024]"  # two of one core, with 1,024 MB of memory
STORE = 80 << 20  # bytes of a node's object store; Ray's least is 75 MB
# Ray counts these as its own. Two nodes of one CPU each are enough for all tests.
QUIET = {"RAY_DEDUP_LOGS": "0", "RAY_USAGE_STATS_ENABLED": "0"}


def missing(package: str) -> bool:
    """Tells whether a package is not installed."""
    return importlib.util.find_spec(package) is None


needs_ray = pytest.mark.skipif(missing("ray"), reason="ray is not installed")


def why_no_spark() -> str:
    """Returns why Spark cannot run here; "" if it can."""
    if missing("pyspark"):
        return "pyspark is not installed"
    return "" if which("java") else "there is no Java"


needs_spark = pytest.mark.skipif(bool(why_no_spark()), reason=why_no_spark() or "-")


def spark_environment(folder: Path, master: str = EXECUTORS) -> dict[str, str]:
    """Returns the environment of programs that use Spark.

    Args:
        folder: gets what the executors of Spark write beside their work.
        master: what runs the tasks.
    """
    import pyspark

    return {
        "PYSPARK_SUBMIT_ARGS": f"--master {master} --conf spark.ui.enabled=false"
        " pyspark-shell",
        "PYSPARK_PYTHON": sys.executable,
        "SPARK_HOME": str(Path(pyspark.__file__).parent),
        "SPARK_WORKER_DIR": str(folder / "work"),
        "SPARK_LOCAL_IP": "127.0.0.1",
    }


@contextmanager
def ray_nodes(*cpus: float) -> Iterator[Any]:
    """Yields a ``ray.cluster_utils.Cluster`` with a node for each number of CPUs."""
    from ray.cluster_utils import Cluster

    before = dict(os.environ)
    os.environ |= QUIET
    first: dict[str, Any]
    others: list[dict[str, Any]]
    first, *others = ({"num_cpus": n, "object_store_memory": STORE} for n in cpus)
    cluster: Any = Cluster(initialize_head=True, head_node_args=first)
    try:
        for other in others:
            cluster.add_node(**other)
        yield cluster
    finally:
        with suppress(Exception):  # a test may have killed some of it
            cluster.shutdown()
        os.environ.clear()
        os.environ |= before


def pids_of(node: Any) -> list[int]:
    """Returns the processes of a node of ``ray_nodes``, workers left out."""
    return [one.process.pid for all in node.all_processes.values() for one in all]
