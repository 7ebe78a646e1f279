"""Times a trained model: cold start, one article at a time, and in bulk.

    python -m tests.benchmarks.bench MODEL_DIR CORPUS [--output bench.json]

Not a test: the figures are those of one machine, and only ratios of one run compare.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import islice
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `headline generate` does

from headline.generator import Generator
from headline.tables import (
    SOURCE_COLUMNS,
    CorpusFormat,
    as_text,
    find_column,
    open_table,
)


def read_articles(path: Path, most: int) -> list[str]:
    """The first ``most`` articles of a corpus."""
    form = CorpusFormat()
    with open_table(path, form) as table:
        column = find_column(table, None, SOURCE_COLUMNS, "source")
        rows = islice(table, most)
        return [as_text(row.values.get(column)) or "" for row in rows]


def seconds(action: Callable[[], object]) -> float:
    """The wall time of one call."""
    begin = time.perf_counter()
    action()
    return time.perf_counter() - begin


def cold_start(model_dir: Path, article: str, runs: int = 7) -> float:
    """Median seconds of a whole process that writes one headline."""
    command = [sys.executable, "-m", "headline", "generate", "-m", str(model_dir)]

    def process() -> None:
        subprocess.run(command, input=article.encode(), stdout=-3, check=True)

    return statistics.median(seconds(process) for _ in range(runs))


def one_by_one(generator: Generator, articles: list[str]) -> float:
    """Median seconds of one article in a warm process."""
    return statistics.median(
        seconds(partial(generator.generate, [article])) for article in articles[:100]
    )


def measure(model_dir: Path, articles: list[str]) -> dict[str, float]:
    """All figures by name."""
    generator = Generator.load(model_dir)
    generator.generate(articles[:8])
    single = one_by_one(generator, articles)
    bulk = seconds(lambda: generator.generate(articles))
    characters = statistics.fmean(len(article) for article in articles)
    return {
        "articles": len(articles),
        "characters_per_article": round(characters, 1),
        "cold_start_seconds": round(cold_start(model_dir, articles[0]), 4),
        "warm_article_seconds": round(single, 5),
        "bulk_articles_per_second": round(len(articles) / bulk, 1),
    }


def main() -> None:
    """Prints a table and writes the figures to a file."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model_dir", type=Path)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--articles", type=int, default=1000)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args()
    figures = measure(args.model_dir, read_articles(args.corpus, args.articles))
    for name, figure in figures.items():
        print(f"{name.replace('_', ' '):28}{figure:>12}")
    if args.output:
        machine = {"machine": platform.machine(), "cores": os.cpu_count()}
        args.output.write_text(json.dumps(machine | figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
