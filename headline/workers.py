"""Worker processes: one function over many parts, results in the order of the parts.

The processes start when the first part comes. What they run with reaches them once:
by ``fork`` they share the memory of this process, else they make a copy.
"""

import os
import pickle
import signal
import sys
import threading
import weakref
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from headline.errors import WorkerError

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor
    from multiprocessing.shared_memory import SharedMemory

Part = TypeVar("Part")
Result = TypeVar("Result")

HELD = signal.SIGINT, signal.SIGTERM
AHEAD = 2  # parts that wait for each worker, so that it never waits for one


def cores() -> int:
    """Returns how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers(Generic[Part, Result]):
    """Runs a function in several processes.

    They end with this one, however it ends; an interrupt from the keyboard is this
    process's to handle, theirs to ignore.

    Args:
        work: maps a part to its result; where processes cannot be forked, it and what
            it is bound to are pickled, as parts and results always are.
        count: of processes.
    """

    def __init__(self, work: Callable[[Part], Result], count: int) -> None:
        self.count = count
        self._work = work
        self._pool: ProcessPoolExecutor | None = None

    def map(self, parts: Iterable[Part]) -> Iterator[Result]:
        """Yields the result of each part, in their order.

        No more than ``AHEAD`` parts for each worker are under way, so memory does not
        grow with their number.

        Raises:
            WorkerError: a process was killed.
        """
        from concurrent.futures.process import BrokenProcessPool

        pending: deque[Future[Result]] = deque()
        try:
            for part in parts:
                if self._pool is None:
                    self._pool = self._started()
                    weakref.finalize(self, _end, self._pool)
                if len(pending) == AHEAD * self.count:
                    yield pending.popleft().result()
                with _signals_held():
                    pending.append(self._pool.submit(_run, part))
            while pending:
                yield pending.popleft().result()
        except BrokenProcessPool as error:
            self._pool = None
            raise WorkerError(
                "a worker process was killed, perhaps for want of memory: "
                "try --workers 1"
            ) from error
        finally:
            for future in pending:  # of a caller who wants no more
                future.cancel()

    def _started(self) -> "ProcessPoolExecutor":
        from concurrent.futures import ProcessPoolExecutor
        from multiprocessing import get_context

        method = start_method()
        context = get_context(method)
        if method == "fork":
            return ProcessPoolExecutor(self.count, context, _begin, (self._work,))
        name = self._shared()
        return ProcessPoolExecutor(self.count, context, _begin_spawned, (name,))

    def _shared(self) -> str:
        """Puts the work into memory that the processes share; returns its name.

        Python would write it into a pipe, and wait for ever if the process at the
        other end dies before it has read all of what the pipe cannot hold.
        """
        from multiprocessing.shared_memory import SharedMemory

        pickled = pickle.dumps(self._work)
        memory = SharedMemory(create=True, size=len(pickled))
        assert memory.buf is not None  # until it is closed
        memory.buf[: len(pickled)] = pickled
        weakref.finalize(self, _forget, memory)
        return memory.name


@contextmanager
def _signals_held() -> Iterator[None]:
    """Lets signals wait: a process that starts meanwhile cannot handle them yet."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, HELD)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _end(pool: "ProcessPoolExecutor") -> None:
    # Left to Python, it may be half closed when the interpreter ends. So is one whose
    # process was killed; and its own thread, which must not wait for itself, may be
    # the one that collects the garbage.
    with suppress(OSError, RuntimeError):
        pool.shutdown(cancel_futures=True)


def start_method() -> str:
    """Returns how processes start: the fastest way that is safe here."""
    # A fork copies the locks that other threads hold, and not the threads.
    if sys.platform == "linux" and threading.active_count() == 1:
        return "fork"
    return "spawn"


# What this worker process runs.
_work: Callable[[Any], Any]


def _begin(work: Callable[[Any], Any]) -> None:
    global _work
    # A handler that a fork has copied would raise here, and be told as an error.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, HELD)
    _work = work
    threading.Thread(target=_leave_with_parent, daemon=True).start()


def _begin_spawned(name: str) -> None:
    from multiprocessing.shared_memory import SharedMemory

    memory = SharedMemory(name)
    assert memory.buf is not None
    work = pickle.loads(memory.buf)  # noqa: S301  the parent has put it there
    memory.close()
    _begin(work)


def _forget(memory: "SharedMemory") -> None:
    memory.close()
    memory.unlink()


def _leave_with_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _run(part: Any) -> Any:
    return _work(part)
