"""Worker processes: one function over many parts, results in the order of the parts.

The processes start when the first part comes. What they run with reaches them once:
by ``fork`` they share the memory of this process, else they are sent a copy.

Each has a pipe of its own, whose far end it alone holds: when it dies, even in the
middle of a result, that pipe ends. ``concurrent.futures`` has one pipe for the results
of all, waits for the rest of a half result for ever, and starts threads, beside which
no process can be forked.
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
from dataclasses import dataclass, field
from itertools import chain, islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from headline.errors import WorkerError
from headline.system.interrupt import ENDINGS

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

Chunk = TypeVar("Chunk")
Result = TypeVar("Result")
Work = Callable[[Any], Any]
Pipe: TypeAlias = "Connection[bytes, bytes]"
Messages = SimpleQueue[bytes]

KILLED = "a worker process was killed, perhaps for want of memory: try --workers 1"
AHEAD = 2  # parts that each worker has or waits with, so that it never waits for one


def cores() -> int:
    """Returns how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _told() -> Iterator[None]:
    """Tells that the process at the other end of a pipe has died."""
    try:
        yield
    except (EOFError, OSError) as error:  # the latter in the middle of a message
        raise WorkerError(KILLED) from error


@dataclass(eq=False)
class _Task:
    """A part under way, and what came of it: whether that is a result, and it."""

    outcome: tuple[bool, Any] | None = None


@dataclass(eq=False)
class _Worker:
    """A process, this end of its pipe, and the parts that it has, the oldest first."""

    process: "BaseProcess"
    connection: Pipe
    tasks: deque[_Task] = field(default_factory=deque)

    def send(self, message: bytes) -> None:
        with _told():
            self.connection.send_bytes(message)

    def receive(self) -> bytes:
        with _told():
            return self.connection.recv_bytes()


class Workers(Generic[Chunk, Result]):
    """Runs a function in several processes.

    They end with this one, however it ends; what a terminal sends to all of them, such
    as an interrupt from the keyboard, is this process's to handle, theirs to ignore.

    Args:
        work: maps a part to its result; where processes cannot be forked, it and what
            it is bound to are pickled, as parts and results always are.
        count: of processes.
        forks: whether they may be forked, where that is safe. Threads of other
            languages, such as those of JAX, nobody here can see.
    """

    def __init__(
        self, work: Callable[[Chunk], Result], count: int, forks: bool = True
    ) -> None:
        self.count = count
        self._may_fork = forks
        self._work = work
        self._pool: list[_Worker] = []
        weakref.finalize(self, _end, os.getpid(), self._pool)

    def map(self, parts: Iterable[Chunk]) -> Iterator[Result]:
        """Yields the result of each part, in their order.

        No more than ``AHEAD`` parts for each worker are under way, so memory does not
        grow with their number.

        Raises:
            WorkerError: a process was killed.
        """
        tasks: deque[_Task] = deque()
        for part in parts:
            if len(tasks) == AHEAD * self.count:
                yield self._result(tasks.popleft())
            tasks.append(self._send(part))
        while tasks:
            yield self._result(tasks.popleft())

    def _send(self, part: Chunk) -> _Task:
        pickled, task = pickle.dumps(part), _Task()
        with self._whole():
            if not self._pool:
                self._start()
            worker = min(self._pool, key=lambda worker: len(worker.tasks))
            worker.send(pickled)
            worker.tasks.append(task)
        return task

    def _start(self) -> None:
        forks = self._may_fork and start_method() == "fork"
        with _signals_held():
            for _ in range(self.count):
                self._pool.append(_started(forks, self._work, self._pool))
        if not forks:
            pickled = pickle.dumps(self._work)
            for worker in self._pool:
                worker.send(pickled)

    def _result(self, task: _Task) -> Result:
        while task.outcome is None:
            self._receive()
        done, value = task.outcome
        if not done:
            raise value
        result: Result = value
        return result

    def _receive(self) -> None:
        """Waits until a worker has a result."""
        from multiprocessing.connection import wait

        with self._whole():
            ready = wait([worker.connection for worker in self._pool])
            for worker in self._pool:
                if worker.connection in ready:
                    outcome = pickle.loads(worker.receive())  # noqa: S301
                    worker.tasks.popleft().outcome = outcome

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Ends the pool if not all of it is there, or a pipe is left half read."""
        try:
            yield
        except BaseException:
            for task in (task for worker in self._pool for task in worker.tasks):
                task.outcome = False, WorkerError(KILLED)
            _end(os.getpid(), self._pool)
            raise


def spread(
    work: Callable[[Chunk], Result], parts: Iterable[Chunk], count: int, few: int
) -> Iterator[Result]:
    """Maps parts to results, in their order, in several processes.

    Args:
        count: of processes.
        few: so many parts, the first, are worked on here: starting others takes longer.
    """
    to_come = iter(parts)
    here = islice(to_come, few) if count > 1 else to_come
    return chain(map(work, here), Workers(work, count).map(to_come))


def start_method() -> str:
    """Returns how processes start: the fastest way that is safe here."""
    # A fork copies the locks that other threads hold, and not the threads.
    if sys.platform == "linux" and threading.active_count() == 1:
        return "fork"
    return "spawn"


@contextmanager
def _signals_held() -> Iterator[None]:
    """Lets signals wait: a process that starts meanwhile cannot handle them yet."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _started(forks: bool, work: Work, pool: list[_Worker]) -> _Worker:
    """Returns a new process beside those of a pool."""
    from multiprocessing import connection, get_context

    here, there = connection.Pipe()
    process: BaseProcess
    if forks:
        inherited = [here, *(worker.connection for worker in pool)]
        arguments = there, work, inherited
        process = get_context("fork").Process(target=_forked, args=arguments)
    else:
        process = get_context("spawn").Process(target=_spawned, args=(there,))
    process.daemon = True
    process.start()
    there.close()  # or the pipe would not end with the process
    return _Worker(process, here)


def _end(owner: int, pool: list[_Worker]) -> None:
    """Ends a pool's processes, unless this one is itself one, with a copy of them."""
    if os.getpid() != owner:
        return
    for worker in pool:
        worker.process.terminate()
    for worker in pool:
        worker.process.join()
        worker.connection.close()
    pool.clear()


def _forked(here: Pipe, work: Work, inherited: list[Pipe]) -> None:
    for connection in inherited:  # or they would not end with the process before
        connection.close()
    _take_signals()
    _serve(here, _received(here), work)


def _spawned(here: Pipe) -> None:
    _take_signals()
    received = _received(here)
    _serve(here, received, pickle.loads(received.get()))  # noqa: S301  from the parent


def _take_signals() -> None:
    # A handler that a fork has copied would raise here, and be told as an error.
    for number in ENDINGS:
        # Not first one and then the other: to ignore a signal drops one that waits.
        ends = number == signal.SIGTERM
        signal.signal(number, signal.SIG_DFL if ends else signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)


def _received(here: Pipe) -> Messages:
    """Returns what comes through the pipe, taken at once: who sends never waits."""
    received: Messages = SimpleQueue()
    threading.Thread(target=_receive, args=(here, received), daemon=True).start()
    return received


def _receive(here: Pipe, received: Messages) -> None:
    with suppress(EOFError, OSError):
        while True:
            received.put(here.recv_bytes())
    os._exit(1)  # the process at the other end is gone


def _serve(here: Pipe, received: Messages, work: Work) -> None:
    """Works, and sends beside it: who takes the outcomes may be busy with others."""
    outcomes: Messages = SimpleQueue()
    threading.Thread(target=_send, args=(here, outcomes), daemon=True).start()
    while True:
        outcomes.put(_outcome(work, received.get()))


def _send(here: Pipe, outcomes: Messages) -> None:
    with suppress(OSError):  # nobody is there who would take it
        while True:
            here.send_bytes(outcomes.get())


def _outcome(work: Work, part: bytes) -> bytes:
    try:
        return pickle.dumps((True, work(pickle.loads(part))))  # noqa: S301  as above
    except Exception as error:
        from traceback import format_exc

        error.add_note(f"in a worker process:\n{format_exc()}")
        try:
            return pickle.dumps((False, error))
        except Exception:  # what it carries cannot be pickled
            return pickle.dumps((False, RuntimeError(repr(error))))
