"""Batches of articles: which are searched together, and how long one waits for others.

``windows`` cuts articles that are already there, such as a file; ``Batcher`` collects
articles that arrive over time, from a pipe or from the clients of a server.
``batches_by_length`` turns the lists that either yields into batches of the search.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import Generic, TypeVar

WINDOW = 16  # batches that are sorted by length together
LONG = 256  # tokens; a batch holds fewer articles that are longer

Item = TypeVar("Item")


def windows(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yields the items in lists of at most ``size``."""
    remaining = iter(items)
    while window := list(islice(remaining, size)):
        yield window


def batches_by_length(lengths: Mapping[int, int], most: int) -> Iterator[list[int]]:
    """Yields places in batches of similar lengths, so that there is little padding.

    The memory of a batch grows with the number of articles times the longest length. So
    if that length is above ``LONG``, the batch is halved until it needs no more memory
    than a batch of short articles. Halving keeps the number of compiled shapes low.

    Args:
        lengths: number of tokens of the article at each place.
        most: most articles per batch.
    """
    order = sorted(lengths, key=lengths.__getitem__)
    start = 0
    while start < len(order):
        size, batch = most, order[start : start + most]
        while size > 1 and size * lengths[batch[-1]] > most * LONG:
            size //= 2
            batch = batch[:size]
        yield batch
        start += size


class _End:
    """Marks the end of a queue, with the error that ended it, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Batcher(Generic[Item]):
    """Collects items that arrive over time into batches.

    Any thread may ``put`` items. The caller decides what an item carries, such as
    settings or where to send its result. One thread iterates over the batches. A batch
    ends when it is full, when its first item has waited ``max_wait``, or at the end.

    Args:
        size: items of a full batch. This many may also wait in the queue; then ``put``
            blocks.
        max_wait: seconds that the first item of a batch waits for others. With 0, a
            batch is whatever is in the queue.
        queue: where items wait.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        size: int,
        max_wait: float = 0.0,
        queue: "Queue[Item | _End] | None" = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.size = size
        self.max_wait = max_wait
        self._queue: Queue[Item | _End] = Queue(size) if queue is None else queue
        self._clock = clock

    def put(self, item: Item) -> None:
        """Adds an item; blocks while the queue is full."""
        self._queue.put(item)

    def end(self, error: BaseException | None = None) -> None:
        """Marks the end of the items.

        Args:
            error: raised in the iterating thread, after the items put before it.
        """
        self._queue.put(_End(error))

    def __iter__(self) -> Iterator[list[Item]]:
        """Yields the batches; waits for at least one item each time."""
        end: _End | None = None
        while end is None:
            batch, end = self._collect()
            if batch:
                yield batch
        if end.error is not None:
            raise end.error

    def _collect(self) -> tuple[list[Item], _End | None]:
        """Returns a batch, and the end if it is the last batch."""
        batch: list[Item] = []
        deadline: float | None = None
        while len(batch) < self.size:
            try:
                entry = self._queue.get(timeout=self._left(deadline))
            except Empty:
                break
            if isinstance(entry, _End):
                return batch, entry
            batch.append(entry)
            deadline = self._clock() + self.max_wait if deadline is None else deadline
        return batch, None

    def _left(self, deadline: float | None) -> float | None:
        """Returns the seconds left until a deadline; None if there is no deadline."""
        return None if deadline is None else max(0.0, deadline - self._clock())


def ready_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yields the items that have arrived, up to a batch; waits for at least one.

    So a slow pipe gets each headline as soon as possible, and a fast one is read in
    full batches, at most two of which are held.

    Args:
        items: read in a separate thread; an error there is raised here.
    """
    batcher = Batcher[Item](size)

    def read() -> None:
        try:
            for item in items:
                batcher.put(item)
        except BaseException as error:  # passed on to the thread that iterates
            batcher.end(error)
        else:
            batcher.end()

    Thread(target=read, daemon=True).start()
    yield from batcher
