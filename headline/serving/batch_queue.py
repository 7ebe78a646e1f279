"""``BatchQueue``: articles of all clients wait here, and leave it in batches.

``headline.generation.batching.Batcher`` hands out articles in the order in which they
come. Here a batch is chosen among all that wait, and what no client wants any more
leaves at once. Everything runs in one event loop, without threads or locks.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any

from headline.generation.batching import LONG

MOST_DEATHS = 3  # worker processes that one article may end


class QueueFull(Exception):
    """There is no room for the articles of a request."""


@dataclass(eq=False)
class Waiting:
    """An article that waits for its result.

    Args:
        work: what a worker process is sent.
        kind: only work of equal kinds is done together.
        length: characters of the article that the model reads.
    """

    work: Any
    kind: Hashable
    length: int
    result: "asyncio.Future[Any]" = field(
        default_factory=lambda: asyncio.get_running_loop().create_future()
    )
    arrived: float = 0.0
    deaths: int = 0  # worker processes that died with it

    @property
    def group(self) -> Hashable:
        """Equal for articles that may be in one batch.

        Long articles keep to themselves, each with those of at most twice its length,
        so that no short one waits for them.
        """
        return self.kind, max(0, (self.length - 1) // LONG).bit_length()


class BatchQueue:
    """A bounded queue of articles, for several takers.

    Args:
        capacity: articles that may wait.
        size: most articles of a batch.
        max_wait: seconds that the first article of a batch waits for others.
        clock: returns the time in seconds.
    """

    def __init__(
        self,
        capacity: int,
        size: int,
        max_wait: float,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.capacity, self.size, self.max_wait = capacity, size, max_wait
        self._clock = clock
        self._waiting: dict[Waiting, None] = {}  # in order of arrival
        self._returned: deque[Waiting] = deque()  # a worker died with each of them
        self._takers = 0
        self._changed = asyncio.Event()
        self._freed = asyncio.Event()

    def __len__(self) -> int:
        """The number of articles that wait."""
        return len(self._waiting) + len(self._returned)

    def put(self, articles: Sequence[Waiting]) -> None:
        """Adds the articles of a request, all or none.

        An article whose ``result`` is cancelled leaves the queue.

        Raises:
            QueueFull: there is no room for all of them.
        """
        if len(self) + len(articles) > self.capacity:
            raise QueueFull
        now = self._clock()
        for article in articles:
            article.arrived = now
            self._waiting[article] = None
            article.result.add_done_callback(lambda _, it=article: self._drop(it))  # type: ignore[misc]
        self._changed.set()

    async def put_when_possible(self, article: Waiting) -> None:
        """Adds an article as soon as there is room."""
        while len(self) >= self.capacity:
            self._freed.clear()
            await self._freed.wait()
        self.put([article])

    def put_back(self, batch: Sequence[Waiting]) -> list[Waiting]:
        """Takes back a batch whose worker died; each of it is searched alone, first.

        Returns:
            the articles that have ended too many workers, which are not taken back.
        """
        for article in batch:
            article.deaths += 1
        wanted = [article for article in batch if not article.result.done()]
        self._returned += [one for one in wanted if one.deaths < MOST_DEATHS]
        self._changed.set()
        return [one for one in wanted if one.deaths >= MOST_DEATHS]

    def _drop(self, article: Waiting) -> None:
        self._waiting.pop(article, None)
        self._freed.set()
        if article.deaths and article in self._returned:
            self._returned.remove(article)

    async def take(self) -> list[Waiting]:
        """Waits for a batch, and returns it."""
        self._takers += 1
        try:
            while (left := self._seconds_left()) is None or left > 0:
                self._changed.clear()
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), left)
            return self._taken()
        finally:
            self._takers -= 1

    def _seconds_left(self) -> float | None:
        """Returns the time until a batch is due; None while there is no article."""
        if self._returned or len(self._waiting) >= self.size:
            return 0.0
        if not self._waiting:
            return None
        oldest = next(iter(self._waiting))
        return max(0.0, oldest.arrived + self.max_wait - self._clock())

    def _taken(self) -> list[Waiting]:
        if self._returned:
            return [self._returned.popleft()]
        batch = self._chosen()
        for article in batch:
            del self._waiting[article]
        self._freed.set()
        return batch

    def _chosen(self) -> list[Waiting]:
        """Returns the oldest article with those that fit it best.

        Workers that are idle at the same time share what waits. The memory of a batch
        grows with the number of articles times the longest length, so a batch of long
        ones holds fewer; see ``batching.batches_by_length``.
        """
        oldest = next(iter(self._waiting))
        alike = [one for one in self._waiting if one.group == oldest.group]
        most = min(self.size, -(-len(alike) // max(1, self._takers)))
        if len(alike) > most:
            alike.sort(key=lambda one: abs(one.length - oldest.length))
            alike.remove(oldest)
            alike = [oldest, *alike[: most - 1]]
        longest = oldest.length
        for count, one in enumerate(alike):
            longest = max(longest, one.length)
            if count and (count + 1) * longest > self.size * LONG:
                return alike[:count]
        return alike
