"""A run on this machine, in worker processes; or one part of it, in an array job."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from headline.cluster.output import Outcome
from headline.cluster.plan import ShardJob
from headline.cluster.shards import Failures, ShardRun, ShardWorker
from headline.errors import ConfigError
from headline.system.folders import LOCK, locked
from headline.system.storage import StoredPath
from headline.system.workers import Crew

# Yields each shard with its outcome, or the error that it ended with.
RunAll = Callable[[deque[ShardJob]], Iterator[tuple[ShardJob, Outcome | Exception]]]
CountShard = Callable[[ShardJob, Outcome], None]  # called when a shard is complete


@dataclass(frozen=True)
class Part:
    """A part of a run; parts are counted from 0, as the indices of array jobs."""

    number: int
    parts: int

    @classmethod
    def parse(cls, text: str) -> "Part":
        """Reads a part such as ``0/8``.

        Raises:
            ConfigError: it has another form, or there is no such part.
        """
        number, _, parts = text.partition("/")
        if not (number.isdecimal() and parts.isdecimal()):
            raise ConfigError(f"it is written I/N, such as 0/8; got {text!r}", "shard")
        part = cls(int(number), int(parts))
        if part.number >= part.parts:
            last = f"{part.parts - 1}/{part.parts}" if part.parts else "0/1"
            raise ConfigError(
                f"parts are counted from 0, so the last one is {last}; got {text!r}",
                "shard",
            )
        return part

    def of(self, jobs: Sequence[ShardJob]) -> list[ShardJob]:
        """Returns the shards of this part; each shard is in one part."""
        return [job for job in jobs if job.index % self.parts == self.number]

    @property
    def lock(self) -> str:
        """The name of a file that keeps out another process with the same part."""
        return LOCK if self.parts == 1 else f"{LOCK}-{self.number}-of-{self.parts}"


WHOLE = Part(0, 1)


def run_here(
    run: ShardRun,
    worker: ShardWorker,
    workers: int,
    count_shard: CountShard,
    part: Part = WHOLE,
) -> bool:
    """Runs the shards of a part that are left, and finishes the run if it is the last.

    Args:
        worker: of the run; if its model is loaded, processes share it where they can.
        workers: number of processes.
        part: which shards are run.

    Returns:
        whether the run is complete; not so if other parts are still running.

    Raises:
        LockedError: another process of this machine does the same.
        HeadlineError: see ``Failures.add``.
    """
    with alone(run.folder.path, part):
        run.start()
        jobs = part.of(run.left())
        for job, outcome in outcomes(_crew(worker, workers, jobs).run, jobs):
            count_shard(job, outcome)
        if not run.is_complete():
            return False
        run.finish()
        return True


def alone(folder: Path, part: Part = WHOLE) -> AbstractContextManager[None]:
    """Keeps out processes that would do the same; a store has no locks."""
    if isinstance(folder, StoredPath):
        return nullcontext()
    return locked(folder, part.lock)


def _crew(
    worker: ShardWorker, workers: int, jobs: Sequence[ShardJob]
) -> Crew[ShardJob, Outcome]:
    # Once Keras is loaded, a fork would not survive the threads of its backend.
    on_cpu = worker.settings.device == "cpu"
    return Crew(worker.run, min(workers, len(jobs)), forks=on_cpu)


def outcomes(
    run: RunAll, jobs: Sequence[ShardJob]
) -> Iterator[tuple[ShardJob, Outcome]]:
    """Yields each shard that is complete; tries those again that fail.

    Args:
        run: of the processes or actors; see ``Crew.run``.

    Raises:
        HeadlineError: see ``Failures.add``.
    """
    queue, failures = deque(jobs), Failures()
    for job, outcome in run(queue):
        if isinstance(outcome, Exception):
            failures.add(job, outcome)
            queue.appendleft(job)
        else:
            yield job, outcome
