"""A run over shards: plan, run one, finish. It needs no engine and no other package.

Each engine (this machine's processes, an array job, Ray, Spark) does the same: it opens
a ``ShardRun``, has workers do ``run.left()``, and calls ``run.finish()``.
"""

import io
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from headline.cluster.output import Outcome, OutputFolder
from headline.cluster.plan import Plan, ShardJob, Splitting, plan, stamp_of
from headline.cluster.plan_file import from_bytes, head_of, run_id, run_in, to_bytes
from headline.cluster.settings import ShardSettings
from headline.errors import (
    ClusterError,
    CorpusError,
    HeadlineError,
    WorkerError,
    refusal,
)
from headline.formats.options import CorpusFormat
from headline.generation.files import Task, write_headlines
from headline.generation.generator import Generator
from headline.system.blas import blas_threads
from headline.system.compression import compressed_text, named_compression
from headline.system.files import sha256
from headline.system.folders import in_turn
from headline.system.storage import StoredPath

PLANNING = ".planning"  # the name of a lock
MOST_TOLD = 20  # lines about rows that one shard reports
MOST_FAILURES = 3  # of one shard; then the run stops
AGAIN = (CorpusError, WorkerError)  # may be gone at the next try


@dataclass(frozen=True)
class ShardRun:
    """A run: its plan, its settings, and the folder of its output."""

    plan: Plan
    settings: ShardSettings
    folder: OutputFolder

    @property
    def worker(self) -> "ShardWorker":
        """A worker for this run, without a model yet; it can be pickled."""
        return ShardWorker(self.settings, self.folder)

    @property
    def size(self) -> str:
        """The number of its shards, in words."""
        count = len(self.plan.jobs)
        return f"{count:,} shard" if count == 1 else f"{count:,} shards"

    def start(self) -> None:
        """Takes the mark of a finished run away, if a shard of it is missing."""
        if self.left():
            self.folder.reopen()

    def left(self) -> list[ShardJob]:
        """Returns the shards whose output is not complete yet."""
        done = self.folder.finished(self.plan.jobs)
        return [job for job in self.plan.jobs if job.name not in done]

    def is_complete(self) -> bool:
        """Tells whether each shard has its output; fast while some have not."""
        return self.folder.may_be_complete(self.plan.jobs) and not self.left()

    def finish(self) -> dict[str, Any]:
        """Writes the manifest and ``_SUCCESS``; see ``OutputFolder.finish``."""
        return self.folder.finish(self.plan)


def open_run(
    files: Sequence[Path],
    settings: ShardSettings,
    output_dir: Path,
    rows_per_shard: int,
    how: CorpusFormat | None = None,
    workers: int = 1,
) -> ShardRun:
    """Plans a run, or goes on with the one that the folder holds.

    Args:
        how: how the files are read, with functions that get what was detected; if left
            out, as the settings say.
        workers: number of processes that plan.

    Raises:
        ClusterError: the folder holds other files, or a run with another model,
            settings or files.
        CorpusError: a file cannot be read.
        HeadlineError: the folder cannot be written.
    """
    stamps = [(path, stamp_of(path)) for path in files]
    head = head_of(stamps, settings, rows_per_shard)
    folder = OutputFolder(output_dir, run_id(head))
    splitting = Splitting(
        how or settings.corpus_format(), rows_per_shard, settings.output.lines
    )
    with _planning(output_dir):
        if _needs_plan(folder):
            folder.keep_plan(to_bytes(plan(files, splitting, workers), head))
        content = folder.plan() or b""
    return ShardRun(from_bytes(content, files, head, output_dir), settings, folder)


def _planning(output_dir: Path) -> AbstractContextManager[None]:
    """Lets one task of an array job plan, while the others wait for its plan."""
    if isinstance(output_dir, StoredPath):  # it has no locks: each makes the same plan
        return nullcontext()
    return in_turn(output_dir, PLANNING)


def _needs_plan(folder: OutputFolder) -> bool:
    """Tells whether a folder needs a plan of its run.

    A run that has written nothing, such as one with a wrong option, is forgotten.
    """
    content = folder.plan()
    if content is None:
        folder.check_empty()
        return True
    return run_in(content) != folder.run and not folder.has_outputs()


class ShardWorker:
    """Runs shards one after another, and keeps the model loaded.

    It pickles as folder and settings; the copy loads the model itself.

    Args:
        generator: if the model is loaded already.
    """

    def __init__(
        self,
        settings: ShardSettings,
        folder: OutputFolder,
        generator: Generator | None = None,
    ) -> None:
        self.settings, self.folder = settings, folder
        self._generator = generator

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_generator": None}

    @property
    def generator(self) -> Generator:
        """The generator, loaded at first use."""
        if self._generator is None:
            self._generator = self.settings.generator()
        return self._generator

    def load(self) -> None:
        """Loads the model now, so that processes that are forked share it."""
        _ = self.generator

    def run(self, job: ShardJob) -> Outcome:
        """Writes the output of one shard; see ``run_shard``."""
        return run_shard(job, self.settings, self.folder, self.generator)


def run_shard(
    job: ShardJob, settings: ShardSettings, folder: OutputFolder, generator: Generator
) -> Outcome:
    """Writes the output of one shard and its record, complete or not at all.

    Raises:
        ClusterError: the model or the input changed since the run began.
        CorpusError: the input cannot be read.
        HeadlineError: the output cannot be written.
    """
    begin, tally = time.monotonic(), _Tally()
    job.check_input()
    with blas_threads(1), folder.writing(job.name) as scratch:
        with _text(scratch) as sink:
            write_headlines(generator, [job.shard], sink, tally.task(settings))
        job.check_input()
        settings.check_model()
        outcome = Outcome(
            name=job.name,
            rows=tally.rows,
            rejects=tally.rejects,
            seconds=round(time.monotonic() - begin, 3),
            sha256=sha256(scratch),
            size=scratch.stat().st_size,
            run=folder.run,
            told=tuple(tally.told),
        )
        folder.keep(outcome)
    return outcome


@contextmanager
def _text(path: Path) -> Iterator[TextIO]:
    """Yields a UTF-8 stream into a file, compressed if its name says so."""
    kind = named_compression(path)
    with path.open("wb") as raw:
        if kind is not None:
            with compressed_text(raw, kind) as text:
                yield text
            return
        with io.TextIOWrapper(raw, encoding="utf-8", newline="") as text:
            yield text


@dataclass
class _Tally:
    """Counts the rows of a shard."""

    rows: int = 0
    rejects: int = 0
    told: list[str] = field(default_factory=list)

    def task(self, settings: ShardSettings) -> Task:
        """Returns how the rows are read and written, so that they are counted."""
        form = settings.corpus_format(tell=self._tell, note=self._tell)
        output = settings.output
        return Task(
            form,
            output.headline_column,
            output.lines,
            output.with_scores,
            count_done=self._count,
            reject=self._reject,
        )

    def _tell(self, line: str) -> None:
        if len(self.told) < MOST_TOLD:
            self.told.append(line)

    def _count(self, _: int, articles: int) -> None:
        self.rows += articles

    def _reject(self, _: str) -> None:
        self.rejects += 1


class Failures:
    """Decides whether a shard that failed is tried again."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()

    def add(self, job: ShardJob, error: Exception) -> None:
        """Takes a failure; returns if the shard shall be tried again.

        Raises:
            HeadlineError, OSError: trying again does not help, such as on a full disk.
            ClusterError: it is the last failure that is allowed.
        """
        is_told = isinstance(error, HeadlineError) and not isinstance(error, AGAIN)
        if is_told or refusal(error) is not None:
            raise error
        self._count[job.name] += 1
        if self._count[job.name] >= MOST_FAILURES:
            raise ClusterError(
                f"shard {job.name} failed {MOST_FAILURES} times, so the run stops: "
                f"{error or type(error).__name__}; finished shards stay, and the same "
                "command does what is left"
            ) from error
