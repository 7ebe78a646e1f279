"""``Dataset.map_batches``: the time that a worker of Ray spends beside the model."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from headline.cluster.batches import Batch
from headline.cluster.ray import Headlines
from tests.benchmarks.rows import Row
from tests.cluster.engines import ray_nodes

THEME = "cluster"


class Spent(NamedTuple):
    """Processor time of an actor, in seconds."""

    model: float  # in the model
    all: float  # from its first batch to its last


class Measured(Headlines):
    """``Headlines`` that adds to each row what its actor has spent so far."""

    def __init__(self, model_dir: Path, **settings: Any) -> None:
        super().__init__(model_dir, **settings)
        generator = self._write.generator
        self._model, self._begin = 0.0, 0.0
        generate = generator.generate

        def timed(*given: Any) -> Any:
            begin = time.process_time()
            found = generate(*given)
            self._model += time.process_time() - begin
            return found

        generator.generate = timed  # type: ignore[method-assign, assignment]

    def __call__(self, batch: Batch) -> Batch:
        self._begin = self._begin or time.process_time()
        written = super().__call__(batch)
        spent = Spent(self._model, time.process_time() - self._begin)
        for name, value in spent._asdict().items():
            written = written.append_column(name, [[value] * len(batch)])
        return written


def spent_by(model_dir: Path, texts: Sequence[str], size: int) -> Spent:
    """Returns what an actor spends on articles.

    Args:
        size: articles of a batch.
    """
    import ray

    with ray_nodes(2) as cluster:
        ray.init(address=cluster.address, log_to_driver=False)
        rows = [{"id": at, "content": text} for at, text in enumerate(texts)]
        dataset = ray.data.from_items(rows, override_num_blocks=8).map_batches(
            Measured,
            fn_constructor_args=[model_dir],
            batch_size=size,
            batch_format="pyarrow",
            concurrency=1,
        )
        found = dataset.take_all()
        ray.shutdown()
    assert sorted(row["id"] for row in found) == [*range(len(texts))]
    last = max(found, key=lambda row: float(row["all"]))
    return Spent(last["model"], last["all"])


def measure(model_dir: Path, texts: Sequence[str]) -> Iterator[Row]:
    """Yields the overhead of ``map_batches`` in an actor, in processor time."""
    found = spent_by(model_dir, texts, size=512)
    beside = found.all - found.model
    share = 100 * beside / found.model
    yield Row(THEME, "map_batches, actor beside the model", share, "% of the model")
    each = 1e6 * beside / len(texts)
    yield Row(THEME, "map_batches, actor beside the model", each, "µs an article")
