"""Rejected rows of a corpus: the reasons, and what a report shows of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from typing import Any

import numpy as np

from headline.formats.records import Rows

EXCERPT_LENGTH = 60  # characters


class Reason(StrEnum):
    """The reason why a row is rejected."""

    UNREADABLE = "unreadable row"
    EMPTY_SOURCE = "empty article"
    EMPTY_TARGET = "empty headline"
    SHORT_SOURCE = "article too short"
    SHORT_TARGET = "headline too short"
    LONG_TARGET = "headline too long"
    NOT_SHORTER = "headline not shorter than article"
    DUPLICATE = "duplicate"
    REPEATED = "headline of many articles"
    UNRELATED = "headline unlike its article"
    NEAR_DUPLICATE = "near-duplicate"
    HELD_OUT = "article of the valid or test split"  # only for --unpaired
    NO_SENTENCE = "no sentence fit for a headline"  # only for --unpaired


@dataclass(frozen=True)
class Reject:
    """A rejected row.

    ``row`` is the ``Row.number``. ``excerpt`` is one printable line of at most
    ``EXCERPT_LENGTH`` characters from the raw values, headline first. For an unreadable
    row it begins with the problem.
    """

    file: str
    row: int
    reason: Reason
    excerpt: str


def length_faults(
    target: Sequence[str],
    source: Sequence[str],
    *,
    min_source_length: int,
    min_target_length: int,
    max_target_length: int | None,
) -> dict[int, Reason]:
    """Returns the reason for each pair that is too short or too long, by its index.

    Lengths are in characters; ``max_target_length`` of None means no limit.
    """
    targets, sources = (np.array([*map(len, texts)], int) for texts in (target, source))
    limit = targets if max_target_length is None else max_target_length
    faults: dict[int, Reason] = {}
    for faulty, reason in (
        (sources == 0, Reason.EMPTY_SOURCE),
        (targets == 0, Reason.EMPTY_TARGET),
        (sources < min_source_length, Reason.SHORT_SOURCE),
        (targets < min_target_length, Reason.SHORT_TARGET),
        (targets > limit, Reason.LONG_TARGET),
        (targets >= sources, Reason.NOT_SHORTER),
    ):
        for row in np.flatnonzero(faulty).tolist():
            faults.setdefault(row, reason)
    return faults


def rejects(rows: Rows, file: str, faults: Mapping[int, Reason]) -> list[Reject]:
    """Returns the rejects among some rows, in the order of the rows.

    Args:
        file: the name of the file of the rows.
        faults: the reasons, keyed by the index of the row in ``Rows.numbers``.
    """
    found = []
    for row in rows.others:
        excerpt = _excerpt([f"({row.problem})", *row.values.values()])
        found.append(Reject(file, row.number, Reason.UNREADABLE, excerpt))
    for place, reason in faults.items():
        excerpt = _excerpt(column[place] for column in rows.texts)
        found.append(Reject(file, rows.numbers[place], reason, excerpt))
    return sorted(found, key=lambda reject: reject.row)


def _excerpt(values: Iterable[Any]) -> str:
    shown = " | ".join(_glimpse(value) for value in islice(values, 10))
    printable = "".join(c if c.isprintable() else " " for c in shown)
    return " ".join(printable.split())[:EXCERPT_LENGTH]


def _glimpse(value: Any) -> str:
    if isinstance(value, list | dict):
        return "[...]" if isinstance(value, list) else "{...}"
    return "" if value is None else str(value)[:EXCERPT_LENGTH]
