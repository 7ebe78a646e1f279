"""The texts that a benchmark works on, made from the pairs of a corpus."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from itertools import count, cycle
from pathlib import Path

from headline.data.corpus import Pair


def of_length(articles: Sequence[str], length: int, number: int) -> list[str]:
    """Returns so many texts of so many characters, cut from the articles."""
    text = "".join(articles)
    text *= -(-length * number // len(text))
    return [text[begin : begin + length] for begin in range(0, length * number, length)]


def write_repeated(path: Path, pairs: Sequence[Pair], size: int) -> Path:
    """Writes the pairs again and again, up to ``size`` bytes: no article twice."""
    with path.open("wb") as stream:
        stream.write(_line(("title", "content")).encode())
        for line in _numbered_lines(pairs):
            if stream.tell() + len(line) > size:
                break
            stream.write(line)
    return path


def _numbered_lines(pairs: Sequence[Pair]) -> Iterator[bytes]:
    for number, pair in zip(count(1), cycle(pairs)):
        # In front: what stands behind may be cut off.
        yield _line((pair.target, f"{number}、{pair.source}")).encode()


def _line(values: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(values)
    return line.getvalue()
