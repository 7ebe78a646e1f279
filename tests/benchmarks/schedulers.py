"""Schedulers: what Ray and Spark cost, measured with workers that only sleep.

    python -m tests.benchmarks.schedulers

A sleeping worker takes no processor, so one machine can have 64 of them, and the real
schedulers of both engines hand out shards to them. What the workers of a real cluster
would do at once, this machine starts one after the other; so the start is told apart.
"""

import os
import time
from collections import deque
from collections.abc import Iterator
from functools import partial
from itertools import pairwise
from math import ceil
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import click

from headline.cluster.ray_crew import RayCrew, Wants
from headline.settings.commands import ShardsConfig
from tests.benchmarks.rows import Row, line
from tests.cluster.engines import ray_nodes, spark_environment

THEME = "cluster"


class Slept(NamedTuple):
    """When a worker slept, in seconds since 1970."""

    begin: float
    end: float
    worker: int  # its process


class Times(NamedTuple):
    """What a scheduler made of a run.

    Attributes:
        start: seconds until all workers had begun.
        share: of the workers' time that is spent on shards, from there until the first
            worker finds no shard left.
        whole: the same, of the whole run with its start and its end.
        between: seconds between two shards of a worker, the median.
    """

    start: float
    share: float
    whole: float
    between: float


def sleep(seconds: float, shard: int) -> Slept:
    """Does a shard."""
    begin = time.time()
    time.sleep(seconds)
    return Slept(begin, time.time(), os.getpid())


def times_of(slept: list[Slept], begin: float, workers: int) -> Times:
    """Returns what a scheduler made of a run.

    Args:
        begin: of the run, in seconds since 1970.
    """
    by_worker: dict[int, list[Slept]] = {}
    for one in sorted(slept):
        by_worker.setdefault(one.worker, []).append(one)
    assert len(by_worker) == workers, f"{len(by_worker)} of {workers} workers did it"
    all_began = max(own[0].begin for own in by_worker.values())
    first_idle = min(own[-1].end for own in by_worker.values())
    busy = sum(
        max(0.0, min(one.end, first_idle) - max(one.begin, all_began)) for one in slept
    )
    gaps = [
        after.begin - before.end
        for own in by_worker.values()
        for before, after in pairwise(own)
    ]
    share = busy / (workers * (first_idle - all_began))
    total = sum(one.end - one.begin for one in slept)
    whole = total / (workers * (max(one.end for one in slept) - begin))
    return Times(all_began - begin, share, whole, median(gaps))


def on_ray(workers: int, shards: int, seconds: float) -> Times:
    """Returns what Ray makes of shards that sleep."""
    import ray

    with ray_nodes(workers) as cluster:
        ray.init(address=cluster.address, log_to_driver=False)
        begin = time.time()
        crew = RayCrew[int, Slept](partial(sleep, seconds), Wants(workers), print)
        found = [done for _, done in crew.run(deque(range(shards)))]
        ray.shutdown()
    slept = [one for one in found if isinstance(one, Slept)]
    assert len(slept) == shards
    return times_of(slept, begin, workers)


def on_spark(workers: int, shards: int, seconds: float) -> Times:
    """Returns what Spark makes of shards that sleep, with two executors."""
    from pyspark.sql import SparkSession

    master = f"local-cluster[2,{workers // 2},2048]"
    before = dict(os.environ)
    with TemporaryDirectory() as folder:
        os.environ |= spark_environment(Path(folder), master)
        # Named again, because a second session has the Java of the first.
        session = SparkSession.builder.master(master).getOrCreate()
        context: Any = session.sparkContext
        begin = time.time()
        tasks = context.parallelize(range(shards), shards).map(partial(sleep, seconds))
        slept = tasks.collect()
        session.stop()
        os.environ.clear()
        os.environ |= before
    return times_of(slept, begin, workers)


SCHEDULERS = {"Ray": on_ray, "Spark": on_spark}


def scheduled(engine: str, workers: int, rounds: int, seconds: float) -> Iterator[Row]:
    """Yields the figures of a scheduler.

    Args:
        rounds: shards of each worker.
        seconds: that a shard takes.
    """
    found = SCHEDULERS[engine](workers, rounds * workers, seconds)
    name = f"{engine}, {workers} workers that sleep"
    yield Row(THEME, f"{name}: start of all", found.start, "s")
    yield Row(THEME, f"{name}: time on articles", 100 * found.share, "%")
    yield Row(THEME, f"{name}: the same, start included", 100 * found.whole, "%")
    yield Row(THEME, f"{name}: between shards", 1000 * found.between, "ms")


class Cost(NamedTuple):
    """What a run costs, in seconds, as measured on one machine; see the table."""

    article: float = 2.4e-3  # the search, on one core
    plan: float = 2.5e-6  # an article in the plan, divided by the processes that plan
    start: float = 20.0  # until all workers have begun: 16 that Ray starts on two cores
    between: float = 5e-3  # the scheduler and the shard itself, beside its articles


MEASURED = Cost()
PLANNING = 4  # processes that plan


def seconds_of(
    articles: int, workers: int, rows: int, cost: Cost = MEASURED
) -> tuple[float, float]:
    """Returns the time of a run, computed, and the share of it spent on articles.

    Args:
        rows: of a shard.
    """
    shards = ceil(articles / rows)
    most = ceil(shards / workers)  # shards of the worker that has most
    work = min(rows, articles) * cost.article + cost.between
    seconds = articles * cost.plan / PLANNING + cost.start + most * work
    return seconds, articles * cost.article / (workers * seconds)


def table(rows: int) -> str:
    """Returns a table of computed times, in Markdown."""
    counts = 2, 16, 64, 256
    names = " | ".join(f"{count} workers" for count in counts)
    lines = [f"| articles (all computed) | {names} |", "|---" * 5 + "|"]
    for power in range(6, 10):
        cells = []
        for count in counts:
            seconds, share = seconds_of(10**power, count, rows)
            cells.append(f"{_told(seconds)} ({100 * share:.0f}%)")
        lines.append(f"| 10^{power} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _told(seconds: float) -> str:
    """Returns a time in minutes, hours or days."""
    for unit, size, most in (("minutes", 60, 120), ("hours", 3600, 72)):
        if seconds < most * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds / 86400:.1f} days"


@click.command()
@click.option("--engines", default="Ray,Spark", show_default=True)
@click.option("--workers", default="16,64", show_default=True)
@click.option("--rounds", default=6, show_default=True, help="Shards of each worker.")
@click.option("--seconds", default=20.0, show_default=True, help="Time of a shard.")
@click.option("--table", "only_table", is_flag=True, help="Print computed times only.")
def main(
    engines: str, workers: str, rounds: int, seconds: float, only_table: bool
) -> None:
    """Measure the schedulers of Ray and Spark with workers that sleep."""
    if only_table:
        return click.echo(table(ShardsConfig().rows_per_shard))
    for engine in engines.split(","):
        for count in map(int, workers.split(",")):
            for row in scheduled(engine, count, rounds, seconds):
                click.echo(line(row))


if __name__ == "__main__":
    main()
