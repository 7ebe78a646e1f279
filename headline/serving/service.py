"""``Service``: what the routes of the API ask: articles in, JSON out."""

import asyncio
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Any, TypeVar

from headline.bundle import Bundle, load_bundle
from headline.errors import HeadlineError
from headline.generation.confidence import is_usable
from headline.serving.batch_queue import BatchQueue, QueueFull, Waiting
from headline.serving.messages import Done, Explain, Score, Search, Setup, Work
from headline.serving.metrics import Metrics
from headline.serving.pool import ArticleRefused, Model, Pool, Tell, Watch, WorkerGone
from headline.serving.problems import Problem
from headline.settings.base import Values
from headline.settings.search import DecodeConfig
from headline.settings.serve import ServeConfig

Result = TypeVar("Result")
RATE_OVER = 10.0  # seconds over which the rate of searching is averaged


@dataclass(frozen=True)
class ServedModel:
    """What the server knows about the model that its workers hold."""

    config: DecodeConfig  # the search settings of requests without options
    max_source_length: int
    about: dict[str, Any]  # training figures
    confidence: bool = False  # whether requests may ask for it


class Rate:
    """Articles per second, averaged over the last seconds."""

    def __init__(self) -> None:
        self._count, self._since, self._rate = 0, monotonic(), 0.0

    def add(self, count: int) -> None:
        """Counts articles that were just sent to a worker."""
        self._count += count
        now = monotonic()
        if now - self._since > RATE_OVER:
            self._rate = self._count / (now - self._since)
            self._count, self._since = 0, now

    def seconds_for(self, count: int) -> float:
        """Estimates how long a number of articles takes."""
        took = max(1.0, monotonic() - self._since)
        return count / max(self._rate, self._count / took, 1.0)


class _Counting(Watch):
    """Counts what the workers do."""

    def __init__(self, tell: Tell, metrics: Metrics, rate: Rate) -> None:
        super().__init__(tell)
        self._metrics, self._rate = metrics, rate

    def searching(self, batch: Sequence[Waiting]) -> None:
        self._metrics.batches.observe(len(batch))
        self._metrics.articles.inc(len(batch))
        self._rate.add(len(batch))

    def replaced(self) -> None:
        self._metrics.replaced.inc()


class Service:
    """Searches for the clients of a server, in worker processes.

    Args:
        model_dir: where the model comes from, now and when it is loaded again.
        limits: how much may wait, and how long.
        values: search settings that differ from those of the model.
        workers: number of processes.
        tell: gets a line for the operator.
    """

    def __init__(
        self,
        model_dir: Path,
        limits: ServeConfig,
        values: Values,
        workers: int,
        tell: Tell,
    ) -> None:
        self.model_dir, self.limits, self.tell = model_dir, limits, tell
        self.metrics = Metrics()
        self.ending = False
        self._values = values
        self._rate = Rate()
        self.packed_model, self.model = self._load()
        size, wait = self.model.config.batch_size, limits.max_wait / 1000
        self.queue = BatchQueue(limits.queue_size, size, wait)
        self.metrics.follow_queue(self.queue.__len__)
        self.pool = Pool(workers, self.queue, _Counting(tell, self.metrics, self._rate))

    async def start(self) -> None:
        """Starts the workers; requests may wait for them already.

        Raises:
            WorkerGone: one did not start.
        """
        await self.pool.run(self.packed_model)

    async def end(self) -> None:
        """Ends the workers."""
        await self.pool.end()

    async def reload(self) -> None:
        """Takes over the model that lies in the folder now, unless it is damaged."""
        try:
            packed, model = await asyncio.to_thread(self._load)
            await self.pool.run(packed)
        except HeadlineError as error:
            self.tell(f"the model stays as it is: {error}")
        except WorkerGone:
            self.tell("the model stays as it is: no worker started with the new one")
        else:
            self.packed_model, self.model = packed, model
            self.queue.size = model.config.batch_size
            self.tell(f"took over the model in {self.model_dir}")

    def _load(self) -> tuple[Model, ServedModel]:
        bundle = load_bundle(self.model_dir)
        config = bundle.decode.changed(self._values)
        bundle = replace(bundle, decode=config)
        known = ServedModel(
            config,
            bundle.max_source_length,
            _about(bundle),
            is_usable(bundle.confidence) and not config.in_styles,
        )
        return Model.of(Setup(bundle, config)), known

    async def answers(self, work: Sequence[Work]) -> list[Done]:
        """Returns the results of a request, in order.

        Raises:
            Problem: there is no room (429), or the time is over (503).
        """
        waiting = self.enqueued(work)
        results = [one.result for one in waiting]
        try:
            _, late = await asyncio.wait(results, timeout=self.limits.timeout)
            if late:
                raise self._too_late()
            return [done.result() for done in results]
        except ArticleRefused as error:
            raise Problem(503, f"{error}; shorten it, or send it alone") from error
        finally:
            for one in waiting:
                one.result.cancel()

    def _too_late(self) -> Problem:
        self.metrics.late.inc()
        return Problem(
            503,
            f"the answer took more than {self.limits.timeout:g} seconds; send fewer "
            "articles, or try again later",
            self.expected_wait,
        )

    def enqueued(self, work: Sequence[Work]) -> list[Waiting]:
        """Lets work wait for a worker.

        Raises:
            Problem: there is no room for all of it (429).
        """
        waiting = [self._waiting(one) for one in work]
        try:
            self.queue.put(waiting)
        except QueueFull:
            raise self._no_room() from None
        return waiting

    def check_room(self) -> None:
        """Refuses a request that could not even have one article.

        Raises:
            Problem: the queue is full (429).
        """
        if len(self.queue) >= self.queue.capacity:
            raise self._no_room()

    def refusal(self) -> bytes | None:
        """Returns the whole answer to a request if there is no room for it."""
        if len(self.queue) < self.queue.capacity:
            return None
        problem = self._no_room()
        self.metrics.requests.labels("/v1/headlines", str(problem.status)).inc()
        return problem.raw()

    def _no_room(self) -> Problem:
        self.metrics.refused.inc()
        return Problem(
            429,
            f"{len(self.queue):,} articles are waiting; try again later, or send fewer",
            self.expected_wait,
        )

    async def enqueued_later(self, work: Work) -> "asyncio.Future[Done]":
        """Lets an article wait for a worker, as soon as there is room."""
        waiting = self._waiting(work)
        await self.queue.put_when_possible(waiting)
        return waiting.result

    def _waiting(self, work: Work) -> Waiting:
        read = self.model.max_source_length
        return Waiting(work, kind_of(work), min(len(work.text), read))

    @property
    def expected_wait(self) -> float:
        """The seconds after which a client may expect room."""
        return self._rate.seconds_for(len(self.queue))


def kind_of(work: Work) -> tuple[Any, ...]:
    """Returns what must be equal for work that is done together."""
    if isinstance(work, Search):
        return Search, work.config.shared
    return (Score,) if isinstance(work, Score) else (Explain, id(work))


def _about(bundle: Bundle) -> dict[str, Any]:
    known = bundle.provenance
    return {name: known[name] for name in ("preset", "epoch", "valid") if name in known}


class ClientGone(Exception):
    """The client has closed its connection, or is too slow to be waited for."""


async def unless_gone(work: Awaitable[Result], gone: Awaitable[Any]) -> Result:
    """Returns a result, unless the client leaves before.

    Raises:
        ClientGone: it did.
    """
    working, leaving = asyncio.ensure_future(work), asyncio.ensure_future(gone)
    try:
        await asyncio.wait({working, leaving}, return_when="FIRST_COMPLETED")
        if not working.done():
            raise ClientGone
        return await working
    finally:
        for task in (working, leaving):
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
