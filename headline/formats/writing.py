"""Functions that the writers of all formats share."""

import csv
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TextIO


def clean(value: Any) -> str:
    """Returns a value as text that can be written as UTF-8.

    Undecodable bytes and lone surrogates become question marks.
    """
    return str(value).encode("utf-8", "replace").decode("utf-8")


def csv_table(
    stream: TextIO, header: Sequence[str]
) -> Callable[[Iterable[object]], object]:
    """Writes the header of a CSV table; returns a function that writes a row."""
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(header)
    return writer.writerow
