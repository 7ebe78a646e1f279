"""The commands and programs of the page about Ray and Spark, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.engines import (
    needs_ray,
    needs_spark,
    ray_nodes,
    spark_environment,
)
from tests.cluster.test_cluster_readme import BLOCKS, block, expected, shell
from tests.cluster.test_cluster_readme import place as place
from tests.cluster.test_local import cat
from tests.corpora import bracket_pairs

pytestmark = pytest.mark.cluster
ROOT = str(Path(__file__).parents[2])
TITLES = [title for year in (2023, 2024) for title, _ in bracket_pairs(30, seed=year)]


@needs_ray
def test_the_commands_of_ray(place: Path) -> None:
    start, generate, stop = block("bash", "--on ray").splitlines()
    # Both would find clusters of other people on this machine.
    assert (start, stop) == ("ray start --head", "ray stop")
    with ray_nodes(1, 1) as cluster:
        assert "out is complete: 8 shards" in shell(
            generate, place, RAY_ADDRESS=cluster.address
        )
    assert cat(place / "out") == expected(place)


@needs_ray
def test_the_program_of_ray(place: Path) -> None:
    program = block("python", "map_batches")
    with ray_nodes(1, 1) as cluster:
        run_program(program, place, RAY_ADDRESS=cluster.address)
    check_parquet(place)


@needs_spark
def test_the_commands_of_spark(place: Path) -> None:
    python = place / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    settings = spark_environment(place, "local[2]")
    settings["PATH"] = (
        f"{place / 'bin'}:{settings['SPARK_HOME']}/bin:{os.environ['PATH']}"
    )
    module = block("bash", "python -m headline.cluster.spark")
    submit = block("bash", "spark-submit").replace("--master yarn", "--master local[1]")
    for text in (module, submit.replace(" out ", " submitted ")):
        shell(text, place, **settings)
    # The first one limits the headlines to more characters than any has.
    assert cat(place / "out") == expected(place) == cat(place / "submitted")


@needs_spark
def test_the_program_of_spark(place: Path) -> None:
    program = block("python", "mapInArrow")
    run_program(program, place, **spark_environment(place, "local[2]"))
    check_parquet(place)


def run_program(text: str, place: Path, **variables: str) -> None:
    """Runs a program of the page, whose shared folder is here."""
    environment = os.environ | {"PYTHONPATH": ROOT} | variables
    subprocess.run(
        [sys.executable, "-c", text.replace("/shared", str(place))],
        cwd=place,
        env=environment,
        check=True,
    )


def check_parquet(place: Path) -> None:
    """Checks the rows that a pipeline has written, in any order."""
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = parquet.read_table(place / "headlines").to_pylist()
    assert sorted(row["title"] for row in rows) == sorted(TITLES)
    right = sum(row["title"] == row["headline"] for row in rows)
    assert right > 0.8 * len(rows) and all(row["headline_score"] < 0 for row in rows)


def test_every_block_about_engines_is_tried_here() -> None:
    engines = [text for _, text in BLOCKS if re.search(r"\bray\b|spark", text)]
    assert len([text for text in engines if "headline prepare" not in text]) == 5
