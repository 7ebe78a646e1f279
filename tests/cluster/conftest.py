"""The clusters that the tests of this folder share."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from tests.cluster.engines import ray_nodes, spark_environment


@pytest.fixture(scope="session")
def ray_cluster() -> Iterator[Any]:
    """Two nodes of Ray with a CPU each, to which this process is connected."""
    import ray

    with ray_nodes(1, 1) as cluster:
        ray.init(address=cluster.address, log_to_driver=False)
        yield cluster
        ray.shutdown()


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A session of Spark with two executors, processes of one core each."""
    from pyspark.sql import SparkSession

    before = dict(os.environ)
    os.environ |= spark_environment(tmp_path_factory.mktemp("spark"))
    session = SparkSession.builder.getOrCreate()
    yield session
    session.stop()
    os.environ.clear()
    os.environ |= before
