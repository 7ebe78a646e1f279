"""``headline prepare`` on several machines: who does which task of a pass, and when.

The tasks are those of ``headline.data.parts``. Nothing but the working folder tells the
processes of each other, so they may run under any scheduler.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from headline.cluster.local import Part
from headline.data.parts.folder import LOCK, Work
from headline.data.parts.passes import PASSES, Pass, open_work, passes_of
from headline.errors import ClusterError, DataError
from headline.system.workers import Workers

LOOK = 1.0  # seconds between two looks at what others have finished
MOST_NAMED = 3  # shards in a message

Advance = Callable[[int], None]
# Shows the progress of a pass: gets its name and the number of tasks.
Meters = Callable[[str, int], AbstractContextManager[Advance]]


@dataclass(frozen=True, kw_only=True)
class How:
    """How a share is done.

    Attributes:
        workers: number of processes.
        stall: seconds to wait for other shares if none of them finishes a task; 0: not
            to wait at all.
        meters: shows the progress.
        tell: gets a line about what is missing.
    """

    workers: int = 1
    stall: float = 0.0
    meters: Meters = lambda name, total: nullcontext(lambda number: None)
    tell: Callable[[str], None] = lambda line: None


def run_task(work: Work, of: str, task: int) -> int:
    """Does a task of a pass, in any process; returns its number."""
    next(one for one in PASSES if one.name == of).run(work, task)
    return task


def of_part(part: Part, tasks: Sequence[int]) -> list[int]:
    """Returns the tasks of a part; each task is in one part."""
    return [task for task in tasks if task % part.parts == part.number]


def run_share(work: Work, part: Part, how: How) -> bool:
    """Does the tasks of a share that are left, pass by pass.

    A pass with one task is done by the first who comes to it.

    Returns:
        whether the dataset is complete; not so if tasks of other shares are missing.

    Raises:
        ClusterError: the working folder is of another preparation, or nothing has
            progressed for so long that other shares seem to be gone.
        WorkerError: a process was killed.
        HeadlineError: a file cannot be read or written.
    """
    if _is_finished(work):
        return True
    try:
        for one in passes_of(work):
            if not _run_pass(work, one, part, how):
                return _is_finished(work)
    except DataError:
        # Whoever joins the dataset removes the files of all passes.
        if _is_finished(work):
            return True
        raise
    work.clear()
    return True


def _is_finished(work: Work) -> bool:
    if finished := open_work(work):
        work.clear()
    return finished


def _run_pass(work: Work, one: Pass, part: Part, how: How) -> bool:
    """Runs a pass; returns whether it is complete."""
    patience = _Patience(how.stall)
    while left := one.left(work):
        if work.was_joined:
            return False
        if len(left) == one.count(work) == 1:
            with _claimed(work.folder / f"{one.name}{LOCK}") as is_ours:
                _run_tasks(work, one, left if is_ours else (), how)
            mine: Sequence[int] = left if is_ours else ()
        else:
            mine = of_part(part, left)
            _run_tasks(work, one, mine, how)
        if not mine and not patience.waits(len(left)):
            _tell_missing(work, one, left, part, how)
            return False
    return True


def _run_tasks(work: Work, one: Pass, tasks: Sequence[int], how: How) -> None:
    if not tasks:
        return
    do = partial(run_task, work, one.name)
    with how.meters(one.name, len(tasks)) as advance:
        count = min(how.workers, len(tasks))
        done = map(do, tasks) if count == 1 else Workers(do, count).map(tasks)
        for _ in done:
            advance(1)


class _Patience:
    """Waits for others as long as they finish tasks."""

    def __init__(self, stall: float) -> None:
        self._stall = stall
        self._left, self._since = -1, time.monotonic()

    def waits(self, left: int) -> bool:
        """Waits a moment; returns False at once if nothing has changed for too long."""
        if left != self._left:
            self._left, self._since = left, time.monotonic()
        if time.monotonic() - self._since >= self._stall:
            return False
        time.sleep(min(LOOK, self._stall))
        return True


def _tell_missing(
    work: Work, one: Pass, left: Sequence[int], part: Part, how: How
) -> None:
    """Says which pass comes next, and who must come before.

    Raises:
        ClusterError: others were waited for, in vain.
    """
    shares = sorted({task % part.parts for task in left})
    named = ", ".join(f"{number}/{part.parts}" for number in shares[:MOST_NAMED])
    more = f" and {len(shares) - MOST_NAMED} more" if len(shares) > MOST_NAMED else ""
    missing = (
        f"pass {one.name} lacks {len(left):,} of {one.count(work):,} tasks, "
        f"of --shard {named}{more}"
    )
    if how.stall:
        raise ClusterError(
            f"{missing}, and nothing was finished for {how.stall / 60:g} minutes: "
            "start those again, then this one; finished tasks stay"
        )
    how.tell(f"{missing}: once they are done, the same command goes on")


@contextmanager
def _claimed(path: Path) -> Iterator[bool]:
    """Yields whether no other process does the same now.

    Where files cannot be locked, all of them do it, which costs time only.
    """
    try:
        import fcntl
    except ImportError:  # Windows
        yield True
        return
    with path.open("ab") as stream:
        try:
            fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        except OSError:  # this file system has no locks
            pass
        yield True
