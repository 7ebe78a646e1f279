"""Single articles in a warm process, as a service that holds a ``Generator`` has."""

import time
from collections.abc import Iterator

import numpy as np

from headline.generation.generator import Generator
from tests.benchmarks.rows import Row
from tests.benchmarks.subject import Subject
from tests.benchmarks.texts import of_length

LENGTH = 109  # characters of an article
WARM_UP = 5  # articles


def measure(subject: Subject) -> Iterator[Row]:
    """Yields milliseconds of the middle article, and of all but one in twenty."""
    generator = Generator.from_bundle(subject.bundle, subject.bundle.decode)
    number = max(1, len(subject.texts) // 5)
    articles = of_length(subject.texts, LENGTH, number + WARM_UP)
    seconds = [_seconds(generator, article) for article in articles][WARM_UP:]
    for share in (50, 95):
        name = f"generate([text]), {LENGTH} characters, p{share}"
        yield Row("single", name, 1000 * float(np.percentile(seconds, share)), "ms")


def _seconds(generator: Generator, article: str) -> float:
    begin = time.perf_counter()
    generator.generate([article])
    return time.perf_counter() - begin
