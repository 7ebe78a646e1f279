"""Prepare: time and memory against the size of the corpus, and opening the dataset."""

import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from headline.data.store import open_dataset
from headline.evaluation.evaluate import read_pairs
from headline.formats.tables import CorpusFormat
from tests.benchmarks.processes import run
from tests.benchmarks.rows import Row
from tests.benchmarks.subject import Subject
from tests.benchmarks.texts import write_repeated
from tests.commands import HEADLINE

SHARES = (0.25, 0.5, 1.0)  # of the megabytes asked for


def measure(subject: Subject) -> Iterator[Row]:
    """Yields the rows of corpora of several sizes, each with those of the largest."""
    largest, *others = (list(_of_size(subject, share)) for share in SHARES[::-1])
    yield from largest
    for rows in others:
        for row, other in zip(rows, largest, strict=True):
            ratio = row.value / other.value
            yield Row(row.theme, row.name, row.value, row.unit, ratio, other.name)


def _of_size(subject: Subject, share: float) -> Iterator[Row]:
    size = int(1e6 * subject.megabytes * share)
    corpus, data_dir = subject.scratch / "large.csv", subject.scratch / "large"
    pairs = list(read_pairs(subject.corpus, CorpusFormat()))
    write_repeated(corpus, pairs, size)
    command = [*HEADLINE, "prepare", str(corpus), "-o", str(data_dir), "--overwrite"]
    done = run([*command, "--no-clean"])  # the pairs repeat, so few would be left
    name = f"corpus of {size / 1e6:g} MB"
    yield Row("prepare", name, corpus.stat().st_size / 1e6 / done.seconds, "MB/s")
    yield Row("prepare", f"{name}, peak memory", done.megabytes, "MB")
    seconds = median(_seconds_to_open(data_dir) for _ in range(subject.rounds))
    yield Row("prepare", f"{name}, opened", seconds, "s")


def _seconds_to_open(data_dir: Path) -> float:
    begin = time.perf_counter()
    open_dataset(data_dir)
    return time.perf_counter() - begin
