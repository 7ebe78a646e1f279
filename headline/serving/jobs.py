"""Files that clients send: each becomes a job, whose result is kept for a while."""

import asyncio
import secrets
import shutil
import tempfile
from asyncio.subprocess import Process
from collections.abc import AsyncIterable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from time import monotonic

from headline.errors import refusal
from headline.formats.registry import format_of
from headline.serving.bodies import MB
from headline.serving.file_job import Ended, FileTask, How, Note, Progress
from headline.serving.messages import packed
from headline.serving.pool import Tell, WorkerGone, asked, started
from headline.serving.problems import Problem
from headline.serving.service import Service

MOST_JOBS = 100  # that wait
COMMAND = "from headline.serving.file_job import main; main()"
EVERY = 30.0  # seconds between two looks for results that are too old


class State(StrEnum):
    """How far a job is."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(eq=False)
class Job:
    """A file and its result.

    Attributes:
        name: of the file at the client.
        folder: of the file and its result.
        size: bytes of the file.
    """

    id: str
    name: str
    folder: Path
    task: FileTask
    size: int = 0
    state: State = State.WAITING
    read: int = 0
    articles: int = 0
    notes: list[str] = field(default_factory=list)
    error: str | None = None
    ended: float = 0.0  # when it ended
    running: "asyncio.Task[None] | None" = None

    @property
    def is_over(self) -> bool:
        """Whether it will not go on."""
        return self.state in (State.DONE, State.FAILED)

    @property
    def result_name(self) -> str:
        """The name that is proposed for the result."""
        name = Path(self.name)
        name = name.with_suffix("") if name.suffix.lower() == ".gz" else name
        return f"{name.stem}_headlines{name.suffix}"


class Jobs:
    """The jobs of a server; one of them runs at a time, in a process of its own.

    Args:
        service: has the model and the limits.
        tell: gets a line for the operator.
    """

    def __init__(self, service: Service, tell: Tell) -> None:
        self._service, self._tell = service, tell
        limits = service.limits
        self._keep_seconds = limits.keep_hours * 3600
        self._room = int(limits.keep_bytes * MB)
        self._most = min(self._room, int(limits.max_file * MB))
        self._folder = Path(tempfile.mkdtemp(prefix="headline-serve-"))
        self._jobs: dict[str, Job] = {}
        self._turn = asyncio.Lock()
        self._tidying = asyncio.create_task(self._tidy())

    async def end(self) -> None:
        """Ends all jobs and removes their files."""
        self._tidying.cancel()
        for job in [*self._jobs.values()]:
            await self.remove(job)
        shutil.rmtree(self._folder, ignore_errors=True)

    def planned(self, name: str, how: How) -> Job:
        """Returns a new job, which waits for its file.

        Args:
            name: of the file at the client; tells its format.
            how: how its headlines are written.

        Raises:
            Problem: the format is unknown (415), or too many jobs wait (429).
        """
        format = format_of(Path(name))
        if format is None:
            raise Problem(
                415,
                "the name must tell the kind of the file, such as ?name=news.csv; "
                "`headline generate` tells which it reads",
            )
        if sum(not job.is_over for job in self._jobs.values()) >= MOST_JOBS:
            raise Problem(429, "too many files wait; try again later", EVERY)
        id = secrets.token_urlsafe(16)
        folder = self._folder / id
        lower = name.lower()
        gz = ".gz" if lower.endswith(".gz") else ""
        kind = next(s for s in format.suffixes if lower.removesuffix(gz).endswith(s))
        source, result = folder / f"articles{kind}{gz}", folder / f"headlines{kind}"
        return Job(id, name, folder, FileTask(source, result, how))

    async def accept(self, job: Job, body: AsyncIterable[bytes]) -> None:
        """Keeps the file of a job and lets it wait for its turn.

        Raises:
            Problem: the file is too large (413), or there is no room (503).
        """
        self._jobs[job.id] = job
        try:
            job.folder.mkdir()
            await self._keep(job, body)
        except BaseException as error:
            await self.remove(job)
            if isinstance(error, OSError) and refusal(error) is not None:
                self._tell(f"a file could not be kept: {error.strerror}")
                raise Problem(503, "there is no room for files", EVERY) from error
            raise
        job.running = asyncio.create_task(self._run(job))

    async def _keep(self, job: Job, body: AsyncIterable[bytes]) -> None:
        with job.task.source.open("wb") as file:
            async for piece in body:
                job.size += len(piece)
                if job.size > self._most:
                    raise Problem(
                        413, f"a file may have {self._most / MB:g} MB; send it in parts"
                    )
                self._make_room()
                file.write(piece)
        if not job.size:
            raise Problem(400, "the file is empty; send it as the body")

    def find(self, id: str) -> Job:
        """Returns a job.

        Raises:
            Problem: there is none (404).
        """
        if id not in self._jobs:
            raise Problem(404, "there is no such file; a result is kept for a while")
        return self._jobs[id]

    async def remove(self, job: Job) -> None:
        """Ends a job and removes its files."""
        self._jobs.pop(job.id, None)
        if job.running is not None:
            job.running.cancel()
            with suppress(asyncio.CancelledError):
                await job.running
        shutil.rmtree(job.folder, ignore_errors=True)

    async def _run(self, job: Job) -> None:
        async with self._turn:
            job.state = State.RUNNING
            try:
                process = await started(COMMAND)
                try:
                    await self._follow(job, process)
                finally:
                    with suppress(ProcessLookupError):
                        process.kill()
                    await process.wait()
            except OSError as error:
                job.error = f"the process did not start: {error.strerror}"
            job.task.source.unlink(missing_ok=True)
            job.state = State.DONE if job.error is None else State.FAILED
            job.ended = monotonic()

    async def _follow(self, job: Job, process: Process) -> None:
        """Gives a process its task, and takes what it tells until the end."""
        try:
            message = self._service.packed_model.message + packed(job.task)
            told = await asked(process, message)
            while not isinstance(told, Ended):
                if isinstance(told, Progress):
                    job.read += told.read
                    job.articles += told.articles
                elif isinstance(told, Note):
                    job.notes.append(told.text)
                told = await asked(process, b"")
            job.error = told.error
        except WorkerGone:
            job.error = "its process has ended, perhaps for want of memory"

    def _make_room(self) -> None:
        """Removes the oldest results until there is room for the rest.

        Raises:
            Problem: what is not done takes all room (503).
        """
        while sum(map(_size, self._jobs.values())) > self._room:
            over = [job for job in self._jobs.values() if job.is_over]
            if not over:
                raise Problem(503, "there is no room for more files now", EVERY)
            self._drop(min(over, key=lambda job: job.ended))

    def _drop(self, job: Job) -> None:
        self._jobs.pop(job.id, None)
        shutil.rmtree(job.folder, ignore_errors=True)

    async def _tidy(self) -> None:
        """Removes results that are too old."""
        while True:
            await asyncio.sleep(min(EVERY, self._keep_seconds / 2))
            now = monotonic()
            for job in [*self._jobs.values()]:
                if job.is_over and now - job.ended > self._keep_seconds:
                    self._drop(job)
            with suppress(Problem):
                self._make_room()


def _size(job: Job) -> int:
    """Returns the room that a job takes, in bytes."""
    if not job.is_over:
        return job.size
    with suppress(OSError):
        return job.task.result.stat().st_size
    return 0
