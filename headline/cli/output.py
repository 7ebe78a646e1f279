"""Output of the commands: results on stdout, some of the messages on stderr."""

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import click

from headline.cli.story import tell
from headline.system.streams import utf8_stdout

if TYPE_CHECKING:
    from headline.evaluation.evaluate import Evaluation
    from headline.evaluation.scoring import Scored
    from headline.generation.files import CountDone

MOST_TOLD = 20  # unreadable rows, or notes, that are printed


class Notes:
    """Prints each line once, however often a file is opened, ``MOST_TOLD`` at most."""

    def __init__(self) -> None:
        self._printed: set[str] = set()

    def __call__(self, line: str) -> None:
        if line not in self._printed and len(self._printed) < MOST_TOLD:
            self._printed.add(line)
            tell(line)


def telling_some() -> Callable[[str], None]:
    """Returns a function that prints only the first ``MOST_TOLD`` lines."""
    places = count(1)

    def tell_row(line: str) -> None:
        place = next(places)
        if place <= MOST_TOLD:
            tell(line)
        elif place == MOST_TOLD + 1:
            tell("further unreadable rows are not shown")

    return tell_row


def print_result(
    result: "Evaluation | Scored", output: Path | None, as_json: bool
) -> None:
    """Prints scores, and writes the scored headlines to ``output`` if wanted."""
    from headline.system.outputs import is_stdout

    if output is not None:
        result.write(output)
    text = json.dumps(result.to_dict()) if as_json else result.table()
    if output is not None and is_stdout(output):
        click.echo(text, err=True)
    else:
        click.echo(text, file=utf8_stdout())  # the table has a ±


@contextmanager
def generation_meter(
    files: Sequence[Path], output: Path
) -> "Iterator[CountDone | None]":
    """Yields a function that shows the progress of ``generate``.

    It is None if the headlines on the terminal show it, or if input comes from a pipe
    that may never end.
    """
    from headline.system.outputs import is_stdout

    to_stdout = is_stdout(output)
    shown = to_stdout and sys.stdout is not None and sys.stdout.isatty()
    if shown or (to_stdout and not files):
        yield None
        return
    from headline.formats.tables import total_bytes
    from headline.system.progress import Meter

    if not files or not all(path.is_file() or path.is_dir() for path in files):
        with Meter("generate", "articles", tell) as meter:
            yield lambda read, articles: meter.advance(articles)
        return
    done = count_up()
    with Meter("generate", "B", tell, total_bytes(files)) as meter:
        yield lambda read, more: meter.advance(read, f"{done(more):,} articles")


def count_up() -> Callable[[int], int]:
    """Returns a function that adds a number to a total and returns the total."""
    total = 0

    def add(number: int) -> int:
        nonlocal total
        total += number
        return total

    return add
