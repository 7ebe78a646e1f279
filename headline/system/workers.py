"""Worker processes: one function over many parts, results in the order of the parts.

The processes start with the first part. They get the function and its data once: with
``fork`` they share the memory of this process, otherwise they are sent a copy.

Each process has its own pipe and is the only holder of its far end: if it dies, even
in the middle of a result, the pipe ends. ``concurrent.futures`` has one pipe for all
results, waits forever for the rest of a half-sent result, and starts threads, after
which forking is not safe.
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
AHEAD = 2  # parts sent to each worker in advance, so that it never waits for one


def cores() -> int:
    """Returns how many processor cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@contextmanager
def _told() -> Iterator[None]:
    """Raises a WorkerError if the process at the other end of a pipe has died."""
    try:
        yield
    except (EOFError, OSError) as error:  # OSError: in the middle of a message
        raise WorkerError(KILLED) from error


@dataclass(eq=False)
class _Task:
    """A part being worked on; its outcome is (True, result) or (False, error)."""

    outcome: tuple[bool, Any] | None = None


@dataclass(eq=False)
class _Worker:
    """A process, this end of its pipe, and its unfinished parts, oldest first."""

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

    They end when this process ends, however it ends. They ignore signals that a
    terminal sends to the whole group, such as Ctrl-C; this process handles those.

    Args:
        work: maps a part to its result. Parts and results are pickled; where processes
            cannot be forked, so are ``work`` and the object it is bound to.
        count: number of processes.
        forks: whether processes may be forked, where that is safe. Pass False if a
            library such as JAX has native threads, which Python cannot see.
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
        """Yields the result of each part, in the order of the parts.

        At most ``AHEAD`` parts per worker are in progress, so memory does not grow with
        the number of parts.

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
        """Ends the pool if the body raises: a worker may be missing or half read."""
        try:
            yield
        except BaseException:
            for task in (task for worker in self._pool for task in worker.tasks):
                task.outcome = False, WorkerError(KILLED)
            _end(os.getpid(), self._pool)
            raise


class Crew(Generic[Chunk, Result]):
    """Runs a function in processes, each of which is replaced if it is killed.

    Unlike ``Workers``, it gives each process one part at a time, and yields results as
    they come. It suits parts of seconds or minutes.

    Args:
        work: maps a part to its result; see ``Workers``.
        count: number of processes.
        forks: see ``Workers``.
    """

    def __init__(
        self, work: Callable[[Chunk], Result], count: int, forks: bool = True
    ) -> None:
        self._work, self._count = work, count
        self._may_fork = forks
        self._pool: list[_Worker] = []
        weakref.finalize(self, _end, os.getpid(), self._pool)

    def run(self, parts: deque[Chunk]) -> Iterator[tuple[Chunk, Result | Exception]]:
        """Yields each part with its result, or the error that it ended with.

        Args:
            parts: what is to be done; the caller may put a part back into it. A part
                whose process was killed comes with a WorkerError.
        """
        busy: dict[_Worker, Chunk] = {}
        try:
            while parts or busy:
                self._hand_out(parts, busy)
                for worker in self._ready(busy):
                    yield busy.pop(worker), self._outcome(worker)
        finally:
            _end(os.getpid(), self._pool)

    def _hand_out(self, parts: deque[Chunk], busy: dict[_Worker, Chunk]) -> None:
        """Gives parts to idle processes, and starts some if there are too few."""
        idle = [worker for worker in self._pool if worker not in busy]
        while parts and len(busy) < self._count:
            worker = idle.pop() if idle else self._started()
            with suppress(WorkerError):  # it is dead, as its end of the pipe will tell
                worker.send(pickle.dumps(parts[0]))
            busy[worker] = parts.popleft()

    def _started(self) -> _Worker:
        forks = self._may_fork and start_method() == "fork"
        with _signals_held():
            worker = _started(forks, self._work, self._pool)
            self._pool.append(worker)
        if not forks:
            with suppress(WorkerError):
                worker.send(pickle.dumps(self._work))
        return worker

    def _ready(self, busy: dict[_Worker, Chunk]) -> list[_Worker]:
        from multiprocessing.connection import wait

        ready = wait([worker.connection for worker in busy])
        return [worker for worker in busy if worker.connection in ready]

    def _outcome(self, worker: _Worker) -> Result | Exception:
        try:
            _, value = pickle.loads(worker.receive())  # noqa: S301  from our process
        except WorkerError as error:
            self._pool.remove(worker)
            _end(os.getpid(), [worker])
            return error
        outcome: Result | Exception = value
        return outcome


def spread(
    work: Callable[[Chunk], Result], parts: Iterable[Chunk], count: int, few: int
) -> Iterator[Result]:
    """Maps parts to results, in their order, in several processes.

    Args:
        count: number of processes.
        few: number of first parts that this process handles itself, because starting
            others would take longer.
    """
    to_come = iter(parts)
    here = islice(to_come, few) if count > 1 else to_come
    return chain(map(work, here), Workers(work, count).map(to_come))


def start_method() -> str:
    """Returns the fastest start method for processes that is safe here."""
    # A fork copies the locks that other threads hold, but not the threads.
    if sys.platform == "linux" and threading.active_count() == 1:
        return "fork"
    return "spawn"


@contextmanager
def _signals_held() -> Iterator[None]:
    """Delays signals, because processes that start meanwhile cannot handle them yet."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ENDINGS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _started(forks: bool, work: Work, pool: list[_Worker]) -> _Worker:
    """Starts another process for a pool."""
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
    """Ends a pool's processes; does nothing in a forked copy of the owner."""
    if os.getpid() != owner:
        return
    for worker in pool:
        worker.process.terminate()
    for worker in pool:
        worker.process.join()
        worker.connection.close()
    pool.clear()


def _forked(here: Pipe, work: Work, inherited: list[Pipe]) -> None:
    for connection in inherited:  # else they would stay open when the parent ends
        connection.close()
    _take_signals()
    _serve(here, _received(here), work)


def _spawned(here: Pipe) -> None:
    _take_signals()
    received = _received(here)
    _serve(here, received, pickle.loads(received.get()))  # noqa: S301  from the parent


def _take_signals() -> None:
    # A handler inherited from the parent would raise here and look like an error.
    for number in ENDINGS:
        # Set once: ignoring SIGTERM even briefly would drop one that is pending.
        ends = number == signal.SIGTERM
        signal.signal(number, signal.SIG_DFL if ends else signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDINGS)


def _received(here: Pipe) -> Messages:
    """Returns a queue of the pipe's messages, read at once so that no sender waits."""
    received: Messages = SimpleQueue()
    threading.Thread(target=_receive, args=(here, received), daemon=True).start()
    return received


def _receive(here: Pipe, received: Messages) -> None:
    with suppress(EOFError, OSError):
        while True:
            received.put(here.recv_bytes())
    os._exit(1)  # the process at the other end is gone


def _serve(here: Pipe, received: Messages, work: Work) -> None:
    """Works on parts; a thread sends the outcomes, as the parent may read them late."""
    outcomes: Messages = SimpleQueue()
    threading.Thread(target=_send, args=(here, outcomes), daemon=True).start()
    while True:
        outcomes.put(_outcome(work, received.get()))


def _send(here: Pipe, outcomes: Messages) -> None:
    with suppress(OSError):  # the parent is gone
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
        except Exception:  # the error cannot be pickled
            return pickle.dumps((False, RuntimeError(repr(error))))
