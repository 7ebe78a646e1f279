"""Pipelines of Ray and Spark that belong to users: their rows, with headlines."""

from typing import Any

import pytest

from headline.cluster.ray import Headlines
from headline.cluster.spark import headlines
from headline.generation.generator import Generator
from headline.settings.search import DecodeConfig
from tests.cluster.engines import needs_ray, needs_spark
from tests.corpora import bracket_pairs
from tests.trained import TRAINED

pytestmark = pytest.mark.cluster
ARTICLES = [article for _, article in bracket_pairs(300, seed=6)]
ROWS = [{"id": n, "content": article} for n, article in enumerate(ARTICLES)]
SAMPLING: dict[str, Any] = {"num_headlines": 2, "sample": True, "seed": 3}


@pytest.fixture(scope="module")
def known() -> list[tuple[Any, ...]]:
    """The rows that a single process makes, with sampled headlines."""
    own = Generator.load(TRAINED).config.to_dict()
    config = DecodeConfig(**own | {"consensus": False} | SAMPLING)
    found = Generator.load(TRAINED, config).generate(ARTICLES)
    return [
        (n, article, first.text, first.score, second.text, second.score)
        for n, (article, (first, second)) in enumerate(
            zip(ARTICLES, found, strict=True)
        )
    ]


COLUMNS = (
    *("id", "content", "headline", "headline_score"),
    *("headline_2", "headline_2_score"),
)


@needs_ray
@pytest.mark.parametrize("kind", ["numpy", "pandas", "pyarrow"])
def test_ray_data_gets_the_headlines_of_one_process(
    ray_cluster: Any, kind: str, known: list[tuple[Any, ...]]
) -> None:
    import ray

    dataset = ray.data.from_items(ROWS, override_num_blocks=4).map_batches(
        Headlines,
        fn_constructor_args=[TRAINED],
        fn_constructor_kwargs={"with_scores": True, **SAMPLING},
        batch_size=64,
        batch_format=kind,
        concurrency=1,
    )
    rows = [tuple(row[name] for name in COLUMNS) for row in dataset.iter_rows()]
    check(rows, known)


@needs_spark
def test_spark_gets_the_headlines_of_one_process(
    spark: Any, known: list[tuple[Any, ...]]
) -> None:
    write = headlines(TRAINED, with_scores=True, **SAMPLING)
    df = spark.createDataFrame(ROWS, "id long, content string").repartition(4)
    schema = write.schema(df.schema)
    assert schema.names == [*COLUMNS]
    check([tuple(row) for row in df.mapInArrow(write, schema).collect()], known)


def check(rows: list[tuple[Any, ...]], known: list[tuple[Any, ...]]) -> None:
    """Compares rows in any order; scores differ by rounding with the batch."""
    assert len(rows) == len(known)
    for row, other in zip(sorted(rows), known, strict=True):
        assert row[:3] == other[:3] and row[4] == other[4]
        assert (row[3], row[5]) == pytest.approx((other[3], other[5]), abs=1e-4)
