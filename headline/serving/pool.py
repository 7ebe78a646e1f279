"""The worker processes: started, given batches, replaced, and exchanged for new ones.

A worker whose process is gone, even killed in the middle of an answer, is replaced, and
its articles are searched again by another. The replacement gets the model from this
process, so it is the same one, whatever lies in MODEL_DIR by then.
"""

import asyncio
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from headline.serving.batch_queue import MOST_DEATHS, BatchQueue, Waiting
from headline.serving.messages import HEAD, READY, Done, Setup, packed, unpacked

COMMAND = "from headline.serving.worker import main; main()"
# Matrix products of a search are small: see ``cli.models.single_blas_thread``.
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")
PAUSES = (0.0, 0.1, 0.5, 1.0, 5.0)  # seconds before the next try to start a worker

Tell = Callable[[str], None]


class WorkerGone(Exception):
    """The process of a worker has ended."""


class ArticleRefused(Exception):
    """An article has ended too many worker processes."""


@dataclass(frozen=True)
class Model:
    """The model of the workers, as their first message."""

    message: bytes

    @classmethod
    def of(cls, setup: Setup) -> "Model":
        """Makes the message of a model."""
        return cls(packed(setup))


async def started(command: str) -> Process:
    """Starts a process that takes messages on stdin and answers on stdout.

    Args:
        command: Python.
    """
    # -P: no module of the current folder takes the place of one of ours.
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", "-c", command),
        stdin=PIPE,
        stdout=PIPE,
        env=os.environ | dict.fromkeys(ONE_THREAD, "1"),
    )


async def asked(process: Process, message: bytes) -> Any:
    """Sends a message to a process and returns the next one that comes from it.

    Raises:
        WorkerGone: the process ended before.
    """
    sending, answers = process.stdin, process.stdout
    assert sending is not None and answers is not None
    try:
        sending.write(message)
        await sending.drain()
        (length,) = HEAD.unpack(await answers.readexactly(HEAD.size))
        return unpacked(await answers.readexactly(length))
    except (OSError, asyncio.IncompleteReadError) as error:
        raise WorkerGone from error


class Worker:
    """A running worker process.

    Args:
        process: with pipes for stdin and stdout.
    """

    def __init__(self, process: Process) -> None:
        self._process = process
        self.gone = asyncio.create_task(process.wait())

    @classmethod
    async def start(cls, model: Model) -> "Worker":
        """Starts a worker and waits until it has the model.

        Raises:
            WorkerGone: it ended before.
        """
        worker = cls(await started(COMMAND))
        try:
            if await asked(worker._process, model.message) != READY:
                raise WorkerGone
        except BaseException:
            await worker.end()
            raise
        return worker

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def answer(self, batch: Sequence[Waiting]) -> list[Done]:
        """Returns the results of a batch.

        Raises:
            WorkerGone: the process ended before it had answered.
        """
        message = packed([one.work for one in batch])
        answer: list[Done] = await asked(self._process, message)
        return answer

    async def end(self) -> None:
        """Ends the process at once; what it works on is lost."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self.gone
        if self._process.stdin is not None:
            self._process.stdin.close()


class Slot:
    """One worker after the other: as soon as one has died, the next is started.

    Args:
        worker: the first one.
        model: of the next ones.
        queue: where the batches come from.
        watch: is told what happens.
    """

    def __init__(
        self, worker: Worker, model: Model, queue: BatchQueue, watch: "Watch"
    ) -> None:
        self.worker: Worker | None = worker
        self._model, self._queue, self._watch = model, queue, watch
        self._retired = False
        self._taking: asyncio.Task[list[Waiting]] | None = None
        self._running = asyncio.create_task(self._run())

    async def retire(self) -> None:
        """Ends the worker once it has answered its batch."""
        self._retired = True
        if self._taking is not None:
            self._taking.cancel()
        await self._running

    async def end(self) -> None:
        """Ends the worker at once."""
        self._retired = True
        self._running.cancel()
        with suppress(asyncio.CancelledError):
            await self._running

    async def _run(self) -> None:
        try:
            while not self._retired:
                if self.worker is None:
                    self.worker = await self._replacement()
                if await self._work(self.worker):
                    continue
                self.worker = None
                self._watch.tell("a worker process has ended; it is replaced")
                self._watch.replaced()
        finally:
            if self.worker is not None:
                await self.worker.end()

    async def _replacement(self) -> Worker:
        """Starts a worker, however often that takes."""
        pauses = iter(PAUSES)
        while True:
            await asyncio.sleep(next(pauses, PAUSES[-1]))
            with suppress(WorkerGone, OSError):
                return await Worker.start(self._model)
            self._watch.tell("a worker process did not start; trying again")

    async def _work(self, worker: Worker) -> bool:
        """Does one batch; returns False once the worker is gone."""
        batch = await self._next_batch(worker)
        if not batch:
            return self._retired
        try:
            self._watch.searching(batch)
            for article, done in zip(batch, await worker.answer(batch), strict=True):
                if not article.result.done():
                    article.result.set_result(done)
        except WorkerGone:
            self._give_back(batch)
            await worker.end()
            return False
        except BaseException:  # the slot was ended
            self._give_back(batch)
            raise
        return True

    async def _next_batch(self, worker: Worker) -> list[Waiting]:
        """Waits for a batch; returns none if the worker is gone or the slot retired."""
        self._taking = taking = asyncio.create_task(self._queue.take())
        try:
            await asyncio.wait({taking, worker.gone}, return_when="FIRST_COMPLETED")
        finally:
            self._taking = None
            if not taking.done():
                taking.cancel()
        with suppress(asyncio.CancelledError):
            return await taking
        return []

    def _give_back(self, batch: Sequence[Waiting]) -> None:
        for article in self._queue.put_back(batch):
            article.result.set_exception(
                ArticleRefused(f"{MOST_DEATHS} worker processes ended at this article")
            )
            article.result.exception()  # asyncio logs one that is never asked for


class Watch:
    """What is told about the workers; a server counts it."""

    def __init__(self, tell: Tell) -> None:
        self.tell = tell

    def searching(self, batch: Sequence[Waiting]) -> None:
        """A batch is sent to a worker."""

    def replaced(self) -> None:
        """A worker was lost."""


class Pool:
    """The workers of a server.

    Args:
        count: number of processes.
        queue: where their batches come from.
        watch: is told what happens.
    """

    def __init__(self, count: int, queue: BatchQueue, watch: Watch) -> None:
        self.count, self._queue, self._watch = count, queue, watch
        self._slots: list[Slot] = []
        self._exchanging = asyncio.Lock()

    @property
    def is_ready(self) -> bool:
        """Whether at least one worker can search."""
        return any(slot.worker is not None for slot in self._slots)

    @property
    def pids(self) -> list[int]:
        """The process ids of the workers."""
        return [slot.worker.pid for slot in self._slots if slot.worker is not None]

    async def run(self, model: Model) -> None:
        """Starts workers with a model; they take the place of those that run.

        The old ones first answer what they have taken.

        Raises:
            WorkerGone: a new worker did not start; the old ones go on.
        """
        async with self._exchanging:
            starting = [Worker.start(model) for _ in range(self.count)]
            started = await asyncio.gather(*starting, return_exceptions=True)
            workers = [one for one in started if isinstance(one, Worker)]
            if len(workers) < self.count:
                await asyncio.gather(*(one.end() for one in workers))
                raise WorkerGone
            old = self._slots
            self._slots = [
                Slot(worker, model, self._queue, self._watch) for worker in workers
            ]
            await asyncio.gather(*(slot.retire() for slot in old))

    async def end(self) -> None:
        """Ends all workers at once."""
        await asyncio.gather(*(slot.end() for slot in self._slots))
        self._slots = []
