"""The plan of a run: which part of which input file becomes which output file.

The same files give the same plan on every machine.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from headline.cluster.settings import ShardSettings
from headline.errors import ClusterError
from headline.formats.files import InputFile, blame
from headline.formats.layout import Layout, Place
from headline.formats.options import CorpusFormat
from headline.formats.registered.text import PLAIN_TEXT
from headline.formats.registry import content_format_of, format_of, is_text
from headline.formats.tables import open_table, total_bytes
from headline.generation.inputs import Shard
from headline.system.compression import named_compression, plain_name


class Stamp(NamedTuple):
    """Tells whether a file is still the one that was planned."""

    size: int  # bytes; of a folder, of all files in it
    modified: int  # seconds since 1970


@dataclass(frozen=True)
class ShardJob:
    """One shard: a part of one input file in, one output file out.

    Attributes:
        index: its place in the plan, counted from 0.
        name: the name of its output file.
        shard: what is read.
        size: bytes of the input that it reads.
        stamp: of the whole input file.
    """

    index: int
    name: str
    shard: Shard
    size: int
    stamp: Stamp

    def check_input(self) -> None:
        """Checks that the input file is the one that was planned.

        Raises:
            ClusterError: it has changed.
        """
        if stamp_of(self.shard.path) != self.stamp:
            raise ClusterError(
                f"{self.shard.path} changed since the run began: choose another "
                "--output-dir for the new file"
            )


@dataclass(frozen=True)
class Plan:
    """All shards of a run, in the order of the output."""

    jobs: tuple[ShardJob, ...]
    rows_per_shard: int


def plan(files: Sequence[Path], settings: ShardSettings, rows_per_shard: int) -> Plan:
    """Splits files into shards.

    CSV, TSV, JSON Lines and lines of text are split before a record. Compressed files,
    other formats, and a text that is one article stay whole.

    Raises:
        CorpusError: a file cannot be read.
    """
    jobs: list[ShardJob] = []
    for number, path in enumerate(files):
        stamp = stamp_of(path)
        for part, (shard, size) in enumerate(shards_of(path, settings, rows_per_shard)):
            name = _name(path, number, part)
            jobs.append(ShardJob(len(jobs), name, shard, size, stamp))
    return Plan(tuple(jobs), rows_per_shard)


def stamp_of(path: Path) -> Stamp:
    """Returns the stamp of a file or a folder.

    Raises:
        CorpusError: it is missing.
    """
    with blame(path):
        return Stamp(total_bytes([path]), int(path.stat().st_mtime))


def _name(path: Path, number: int, part: int) -> str:
    """Returns the name of an output; names sort in the order of the plan."""
    format = format_of(path)
    suffix = ".txt" if format is None else format.writes
    kind = named_compression(path)
    packed = "" if kind is None or path.is_dir() else kind.suffix
    stem = Path(plain_name(path)).stem if kind is None else Path(path.stem).stem
    return f"{number:05}-{stem}-{part:05}{suffix}{packed}"


def shards_of(
    path: Path, settings: ShardSettings, rows: int
) -> Iterator[tuple[Shard, int]]:
    """Yields the parts of a file, and the bytes of each.

    Args:
        rows: the most rows of a part.
    """
    size = total_bytes([path])
    layout, places = _places(path, settings, rows)
    if layout is None or not places:
        yield Shard(path), size
        return
    starts, counted = places
    ends = [*(start.offset for start in starts[1:]), size]
    for at, (start, end) in enumerate(zip(starts, ends, strict=True)):
        held = min(rows, counted - at * rows)
        begin = start.offset if at else 0
        yield Shard(path, layout, start, held), end - begin


def _places(
    path: Path, settings: ShardSettings, rows: int
) -> tuple[Layout | None, tuple[list[Place], int] | None]:
    """Returns how a file is written, where its parts begin, and its number of rows."""
    how = CorpusFormat(**settings.form.to_dict())
    if is_text(path):
        with closing(InputFile(path)) as file:
            format = content_format_of(file)
            is_lines = settings.output.lines and format is PLAIN_TEXT
            if not is_lines or not file.is_regular:
                return None, None
            layout = PLAIN_TEXT.layout(file, how)
            return layout, _every(PLAIN_TEXT.places(file.reader(), layout), rows)
    with open_table(path, how) as table:
        return table.layout, _every(table.places(), rows)


def _every(places: Iterator[Place], rows: int) -> tuple[list[Place], int] | None:
    """Returns each place that begins a part, and the number of all; None if none."""
    kept: list[Place] = []
    count = 0
    for place in places:
        if count % rows == 0:
            kept.append(place)
        count += 1
    return (kept, count) if count else None
