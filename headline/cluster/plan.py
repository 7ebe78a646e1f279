"""The plan of a run: which part of which input file becomes which output file.

The same files give the same plan on every machine.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NamedTuple

from headline.errors import ClusterError
from headline.formats.files import InputFile, blame
from headline.formats.layout import Layout, Place
from headline.formats.options import CorpusFormat
from headline.formats.registered.text import PLAIN_TEXT
from headline.formats.registry import FileFormat, content_format_of, is_text
from headline.formats.tables import open_table, total_bytes
from headline.generation.inputs import Shard
from headline.system.compression import named_compression
from headline.system.workers import spread

LARGE = 50_000_000  # bytes; for less, other processes do not pay off


class Stamp(NamedTuple):
    """Tells whether a file is still the one that was planned."""

    size: int  # bytes; of a folder, of all files in it
    modified: int  # seconds since 1970


@dataclass(frozen=True)
class PlannedFile:
    """An input file, and what its outputs have in common.

    Attributes:
        writes: the suffix of the outputs, without compression.
        shape: must be equal for files that are joined; see ``FileFormat.shape``.
        layout: how it is written; None if no other process needs to know.
    """

    path: Path
    stamp: Stamp
    writes: str
    shape: tuple[str, ...]
    layout: Layout | None


@dataclass(frozen=True)
class ShardJob:
    """One shard: a part of one input file in, one output file out.

    Attributes:
        index: its place in the plan, counted from 0.
        file: the place of its input file in the plan.
        name: the name of its output file.
        shard: what is read.
        size: bytes of the input that it reads.
        stamp: of the whole input file.
    """

    index: int
    file: int
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

    files: tuple[PlannedFile, ...]
    jobs: tuple[ShardJob, ...]


class Splitting(NamedTuple):
    """How files are read and split.

    Attributes:
        how: how the files are read.
        rows: the most rows of a shard.
        lines: each line of a text file is an article.
    """

    how: CorpusFormat
    rows: int
    lines: bool


def plan(files: Sequence[Path], splitting: Splitting, workers: int = 1) -> Plan:
    """Splits files into shards.

    CSV, TSV, JSON Lines and lines of text are split before a record. Compressed files,
    other formats, and a text that is one article stay whole.

    Args:
        workers: number of processes, which read a file each if the files are large.

    Raises:
        CorpusError: a file cannot be read.
    """
    planned: list[PlannedFile] = []
    jobs: list[ShardJob] = []
    count = workers if total_bytes(files) > LARGE else 1
    found = spread(partial(_split, splitting), files, count, few=1)
    for number, (file, parts) in enumerate(found):
        planned.append(file)
        for part, (shard, size) in enumerate(parts):
            name = _name(file.path, file.writes, number, part)
            jobs.append(ShardJob(len(jobs), number, name, shard, size, file.stamp))
    return Plan(tuple(planned), tuple(jobs))


def _split(
    splitting: Splitting, path: Path
) -> tuple[PlannedFile, list[tuple[Shard, int]]]:
    """Returns what a file's outputs have in common, and each part with its bytes."""
    stamp = stamp_of(path)
    format, layout, cuts = _cuts(path, splitting)
    shape = format.shape(layout) if layout and format.is_table else ("text",)
    is_known = layout is not None and layout.own is None
    kept = layout if is_known else None
    file = PlannedFile(path, stamp, format.writes, shape, kept)
    return file, [*_parts(path, layout, cuts, stamp.size)]


def stamp_of(path: Path) -> Stamp:
    """Returns the stamp of a file or a folder.

    Raises:
        CorpusError: it is missing.
    """
    with blame(path):
        return Stamp(total_bytes([path]), int(path.stat().st_mtime))


def _name(path: Path, writes: str, number: int, part: int) -> str:
    """Returns the name of an output; names sort in the order of the plan."""
    kind = None if path.is_dir() else named_compression(path)
    stem = path.stem if kind is None else Path(path.stem).stem
    return f"{number:05}-{stem}-{part:05}{writes}{kind.suffix if kind else ''}"


class _Cuts(NamedTuple):
    """Where the parts of a file begin; no places if it stays whole."""

    places: Sequence[Place]
    counts: Sequence[int]  # rows of each part


WHOLE = _Cuts((), ())


def _cuts(path: Path, splitting: Splitting) -> tuple[FileFormat, Layout | None, _Cuts]:
    """Returns the format of a file, how it is written, and where its parts begin."""
    how, rows, lines = splitting
    if not is_text(path):
        with open_table(path, how) as table:
            # In Parquet, for example, rows have places, but none in the bytes.
            in_bytes = table.layout.is_text and not table.format.is_folder
            cuts = _every(table.places(), rows) if in_bytes else WHOLE
            return table.format, table.layout, cuts
    with closing(InputFile(path)) as file:
        format = content_format_of(file) or PLAIN_TEXT
        if not lines or format is not PLAIN_TEXT:
            return format, None, WHOLE
        layout = format.layout(file, how)
        return format, layout, _every(format.places(file.reader(), layout), rows)


def _every(places: Iterator[Place], rows: int) -> _Cuts:
    """Returns each place that begins a part of so many rows."""
    kept: list[Place] = []
    count = 0
    for place in places:
        if count % rows == 0:
            kept.append(place)
        count += 1
    return _Cuts(kept, [min(rows, count - at * rows) for at in range(len(kept))])


def _parts(
    path: Path, layout: Layout | None, cuts: _Cuts, size: int
) -> Iterator[tuple[Shard, int]]:
    """Yields the parts of a file, and the bytes of each.

    Args:
        size: bytes of the file.
    """
    if not cuts.places:
        yield Shard(path), size
        return
    begins = [0, *(place.offset for place in cuts.places[1:])]
    ends = [*begins[1:], size]
    for at, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        start = cuts.places[at] if at else None
        yield Shard(path, layout, start, cuts.counts[at]), end - begin
