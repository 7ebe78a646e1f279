"""Articles in batches: which are searched together, and how long one waits for others.

``windows`` cuts what is there anyway, such as a file; ``Batcher`` collects what arrives
over time, from a pipe or from the clients of a server. Of what either yields,
``batches_by_length`` makes the batches of the search.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from queue import Empty, Queue
from threading import Thread
from time import monotonic
from typing import Generic, TypeVar

WINDOW = 16  # batches that are sorted by length together
LONG = 256  # tokens; of longer articles a batch holds fewer

Item = TypeVar("Item")


def windows(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yields the items in lists of at most ``size``."""
    remaining = iter(items)
    while window := list(islice(remaining, size)):
        yield window


def batches_by_length(lengths: Mapping[int, int], most: int) -> Iterator[list[int]]:
    """Yields places in batches, neighbours in length together: little is padding.

    A batch takes memory by its articles times the longest of them. So where that one
    is longer than ``LONG``, the batch is halved until it is as small as one of short
    articles; halves keep few the shapes that an engine compiles.

    Args:
        lengths: tokens of the article at each place.
        most: articles of a batch.
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
    """Stands behind the last item in a queue, with the error that ended it, if any."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


class Batcher(Generic[Item]):
    """Collects items that arrive over time into batches.

    Any thread may ``put`` items; what an item carries (settings, where its result is to
    go) is the caller's affair. One thread iterates over the batches. A batch ends when
    it is full, when its first item has waited long enough, or when no more will come.

    Args:
        size: items of a full batch. As many more may wait; then ``put`` waits, too.
        max_wait: seconds that the first item of a batch waits for others. 0 waits for
            nothing: a batch is what is there.
        queue: where items wait.
        clock: tells the time in seconds.
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
        """Adds an item; waits where too many wait already."""
        self._queue.put(item)

    def end(self, error: BaseException | None = None) -> None:
        """Tells that no more will come.

        Args:
            error: raised for whoever iterates, behind the items that were put before.
        """
        self._queue.put(_End(error))

    def __iter__(self) -> Iterator[list[Item]]:
        """Yields the batches; waits for one item at least."""
        end: _End | None = None
        while end is None:
            batch, end = self._collect()
            if batch:
                yield batch
        if end.error is not None:
            raise end.error

    def _collect(self) -> tuple[list[Item], _End | None]:
        """Returns a batch, and the end where it is the last one."""
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
        """Returns the seconds up to a deadline; None for no limit."""
        return None if deadline is None else max(0.0, deadline - self._clock())


def ready_batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yields what is there already, up to a batch, and waits for one item at least.

    So a slow pipe gets each headline as soon as it can be written, and a fast one is
    read in full batches, of which no more than two are held.

    Args:
        items: are taken in a thread of its own; an error there is raised here.
    """
    batcher = Batcher[Item](size)

    def read() -> None:
        try:
            for item in items:
                batcher.put(item)
        except BaseException as error:  # handed to the one who waits for items
            batcher.end(error)
        else:
            batcher.end()

    Thread(target=read, daemon=True).start()
    yield from batcher
