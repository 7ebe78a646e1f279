"""Measures speed and memory: of ``generate``, ``train`` and ``prepare``.

    python -m tests.benchmarks.bench --corpus news.csv --model models/news

Prints one table and writes it to a file. Not a test: the figures are those of one
machine, and only the ratios of one run compare.
"""

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as `headline generate` does

import click

from tests.benchmarks import (
    bulk,
    cluster,
    cold,
    gpu,
    growth,
    machine,
    preparing,
    serve,
    single,
    training,
)
from tests.benchmarks.processes import run
from tests.benchmarks.rows import Row, line
from tests.benchmarks.subject import Subject
from tests.commands import HEADLINE

THEMES: Mapping[str, Callable[[Subject], Iterable[Row]]] = {
    "cold": cold.measure,
    "bulk": bulk.measure,
    "single": single.measure,
    "serve": serve.measure,
    "cluster": cluster.measure,
    "growth": growth.measure,
    "prepare": preparing.measure,
    "training": training.measure,
    "gpu": gpu.measure,
}
ON_REQUEST = "gpu"
DEFAULTS = {field.name: field.default for field in fields(Subject)}


def size(name: str, help: str) -> Callable[[Any], Any]:
    """An option for one of the sizes of a ``Subject``."""
    flag, default = f"--{name.replace('_', '-')}", DEFAULTS[name]
    return click.option(flag, default=default, show_default=True, help=help)


@click.command()
@click.option(
    "--corpus",
    type=click.Path(exists=True, dir_okay=False, resolve_path=True, path_type=Path),
    default="data/sample.csv",
    show_default=True,
    help="Articles and headlines to measure with.",
)
@click.option(
    "--model",
    type=click.Path(exists=True, file_okay=False, resolve_path=True, path_type=Path),
    metavar="MODEL_DIR",
    help="The model; if left out, one is trained on the corpus for --minutes.",
)
@click.option("--only", metavar="THEMES", help=f"Some of {','.join(THEMES)}.")
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the table as JSON, with the machine.",
)
@size("rounds", "Rounds of what is compared.")
@size("articles", "Articles written in bulk.")
@size("seconds", "Seconds of each point of a growth in a round.")
@size("minutes", "Longest training.")
@size("rouge_l", "Validation score that a training is to come to.")
@size("serve_seconds", "Seconds of each number of clients of a server.")
@size("served", "Requests over which the memory of a server is measured.")
@size("training_pairs", "Pairs of an epoch whose speed is measured.")
@size("megabytes", "Size of the corpus to prepare.")
@click.option(
    "--against-training",
    metavar="COMMAND",
    help="Compare with a command that prints JSON: source_characters_per_second.",
)
@click.option(
    "--against-bulk",
    metavar="COMMAND",
    help="The same with articles_per_second; {articles} is the CSV file to write for.",
)
def main(
    corpus: Path,
    model: Path | None,
    only: str | None,
    output: Path | None,
    **sizes: Any,
) -> None:
    """Measure speed and memory of a model and a corpus on this machine."""
    themes = chosen(only)
    with TemporaryDirectory(prefix="headline-bench-") as folder:
        scratch = Path(folder)
        data_dir = scratch / "data"
        run([*HEADLINE, "prepare", str(corpus), "-o", str(data_dir)])
        subject = Subject(
            model_dir=model or trained(data_dir, scratch / "model", sizes["minutes"]),
            corpus=corpus,
            data_dir=data_dir,
            scratch=scratch,
            **sizes,
        )
        rows = list(printed(measured(subject, themes)))
    if output is not None:
        found = {"machine": machine.describe(), "rows": [row.to_dict() for row in rows]}
        output.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n")


def chosen(only: str | None) -> list[str]:
    """Returns the themes that are asked for, in their order.

    Raises:
        click.UsageError: there is no such theme.
    """
    names = [*(THEMES.keys() - {ON_REQUEST})] if only is None else only.split(",")
    for name in set(names) - set(THEMES):
        raise click.UsageError(f"no theme {name!r}; choose from: {', '.join(THEMES)}")
    if ON_REQUEST in names and not gpu.has_gpu():
        raise click.UsageError("theme 'gpu': nvidia-smi finds no GPU")
    return [name for name in THEMES if name in names]


def trained(data_dir: Path, model_dir: Path, minutes: float) -> Path:
    """Trains a model for so many minutes."""
    click.echo(f"training a model for {minutes:g} minutes", err=True)
    run(training.train_command(data_dir, model_dir, "--max-minutes", str(minutes)))
    return model_dir


def measured(subject: Subject, themes: Iterable[str]) -> Iterator[Row]:
    """Yields the rows of all themes, and tells what it is at."""
    for theme in themes:
        click.echo(f"measuring: {theme}", err=True)
        yield from THEMES[theme](subject)


def printed(rows: Iterable[Row]) -> Iterator[Row]:
    """Yields the rows, and prints each as it comes: all takes minutes."""
    for row in rows:
        click.echo(line(row))
        yield row


if __name__ == "__main__":
    main()
