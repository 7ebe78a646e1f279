"""The shards of a run joined into the one file that a single process writes."""

import hashlib
import io
import zlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from shutil import copyfileobj
from typing import TYPE_CHECKING, BinaryIO, cast

from headline.cluster.output import Outcome, OutputFolder
from headline.cluster.plan import Plan, PlannedFile, ShardJob
from headline.cluster.plan_file import finished_plan
from headline.errors import ClusterError
from headline.formats.dialects import DELIMITERS, Dialect
from headline.formats.registered.delimited import row_writer
from headline.system.compression import decompressed, named_compression

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

CHUNK = 1 << 20  # bytes copied at once
BRACKETS = (b"[\n", b"]\n", b"[]\n")  # lines around the objects of an array
ARRAY = ".json"
TEXT = (".jsonl", ".txt")


def join(output_dir: Path, names: Sequence[str], sink: BinaryIO) -> None:
    """Writes the outputs of a finished run as one, checking each by its checksum.

    Args:
        names: of the input files whose outputs are joined; all of them if empty.
        sink: gets the bytes.

    Raises:
        ClusterError: the run is not finished, an output is damaged or missing, or the
            outputs cannot go into one file.
    """
    plan, folder = _opened(output_dir)
    files = _chosen(plan.files, names, output_dir)
    outcomes = folder.finished(plan.jobs)
    jobs = [job for job in plan.jobs if plan.files[job.file] in files]
    for job in jobs:
        if job.name not in outcomes:
            raise _damaged(output_dir / job.name)
    _check_alike(files, jobs)
    joining = _Joining(folder, outcomes, sink)
    if files[0].writes in DELIMITERS:
        joining.tables(jobs, plan.files)
    elif files[0].writes == ARRAY:
        joining.arrays(jobs)
    else:
        joining.bytes(jobs)


def _opened(output_dir: Path) -> tuple[Plan, OutputFolder]:
    folder = OutputFolder(output_dir, "")
    content = folder.plan()
    if content is None:
        raise ClusterError(
            f"{output_dir} holds no shards, as `headline generate --output-dir` writes"
        )
    plan, run = finished_plan(content, output_dir)
    folder = OutputFolder(output_dir, run)
    if not folder.is_finished():
        done = len(folder.finished(plan.jobs))
        raise ClusterError(
            f"{output_dir} is not complete: {done:,} of {len(plan.jobs):,} shards are "
            "there; run the same `headline generate` again to write the others"
        )
    return plan, folder


def _chosen(
    files: Sequence[PlannedFile], names: Sequence[str], output_dir: Path
) -> list[PlannedFile]:
    known = [file.path.name for file in files]
    for name in names:
        if name not in known:
            raise ClusterError(
                f"{output_dir} has no shards of {name!r}, but of {', '.join(known[:5])}"
            )
    return [file for file in files if not names or file.path.name in names]


def _damaged(place: Path) -> ClusterError:
    return ClusterError(
        f"{place} is missing or damaged: remove it and run the same "
        "`headline generate` again"
    )


def _check_alike(files: Sequence[PlannedFile], jobs: Sequence[ShardJob]) -> None:
    """Checks that outputs can go into one file.

    Raises:
        ClusterError: they cannot.
    """
    first = files[0]
    is_text = first.writes in (*DELIMITERS, ARRAY, *TEXT)
    for file in files:
        if file.shape != first.shape:
            raise ClusterError(
                f"what came of {first.path} and {file.path} cannot go into one output, "
                "because they differ in kind or in columns: name one of them"
            )
    if not is_text and len(jobs) > 1:
        raise ClusterError(
            f"files of {first.writes} cannot be joined: name one of them, or read the "
            "folder with a program that reads many"
        )


class _Joining:
    """Copies outputs one after another."""

    def __init__(
        self, folder: OutputFolder, outcomes: Mapping[str, Outcome], sink: BinaryIO
    ) -> None:
        self._folder, self._outcomes = folder, outcomes
        self._sink = sink

    def bytes(self, jobs: Sequence[ShardJob]) -> None:
        """Copies outputs as they are, decompressed."""
        for job in jobs:
            with self._reading(job) as stream:
                copyfileobj(stream, self._sink, CHUNK)

    def tables(self, jobs: Sequence[ShardJob], files: Sequence[PlannedFile]) -> None:
        """Copies tables, with the first header only and in the first one's dialect."""
        first = _dialect(files[jobs[0].file])
        for job in jobs:
            dialect = _dialect(files[job.file])
            with self._reading(job) as stream:
                if job is not jobs[0]:
                    _skip_header(stream, dialect)
                if dialect == first:
                    copyfileobj(stream, self._sink, CHUNK)
                else:
                    _copy_rows(stream, dialect, self._sink, first)

    def arrays(self, jobs: Sequence[ShardJob]) -> None:
        """Copies JSON arrays, which have an object in each line, as one array."""
        before = b"[\n"
        for job in jobs:
            with self._reading(job) as stream:
                for line in stream:
                    if line not in BRACKETS:
                        line = line.removesuffix(b"\n").removesuffix(b",")
                        self._sink.write(before + line)
                        before = b",\n"
        self._sink.write(b"[]\n" if before == b"[\n" else b"\n]\n")

    @contextmanager
    def _reading(self, job: ShardJob) -> Iterator[io.BufferedReader]:
        """Yields the content of an output, decompressed, and checks it at the end.

        Raises:
            ClusterError: it is damaged.
        """
        place = self._folder.path / job.name
        kind = named_compression(place)
        with self._folder.open(job.name) as file:
            raw = _Hashed(file)
            stream = cast(io.BufferedReader, io.BufferedReader(raw, CHUNK))
            try:
                yield stream if kind is None else decompressed(stream, kind, str(place))
                while stream.read(CHUNK):
                    pass
            except (OSError, EOFError, zlib.error) as error:
                if isinstance(error, BrokenPipeError):
                    raise
                raise _damaged(place) from error
            if raw.digest.hexdigest() != self._outcomes[job.name].sha256:
                raise _damaged(place)


class _Hashed(io.RawIOBase):
    """A stream that computes the checksum of all that is read from it."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream, self.digest = stream, hashlib.sha256()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        view = memoryview(buffer).cast("B")
        content = self._stream.read(len(view))
        view[: len(content)] = content
        self.digest.update(content)
        return len(content)


def _dialect(file: PlannedFile) -> Dialect:
    """Returns the dialect of the outputs of a file."""
    known = None if file.layout is None else file.layout.dialect
    return known or Dialect(DELIMITERS[file.writes])


def _skip_header(stream: io.BufferedReader, dialect: Dialect) -> None:
    if dialect.separator_line:
        stream.readline()
    lines = (line.decode() for line in iter(stream.readline, b""))
    next(dialect.parse(lines), None)  # it may go on over several lines


def _copy_rows(
    stream: io.BufferedReader, dialect: Dialect, sink: BinaryIO, other: Dialect
) -> None:
    """Copies rows into another dialect."""
    text = io.TextIOWrapper(sink, "utf-8", newline="")
    write = row_writer(text, other)
    for row in dialect.parse(line.decode() for line in stream):
        write(row)
    text.detach()
