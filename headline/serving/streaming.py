"""A stream of articles: lines of JSON in, lines of JSON out, in the same order.

Little is held at any time: while ``AHEAD`` articles of a client wait or are searched,
or while the client does not read its answers, nothing more of its request is read.
"""

import asyncio
from collections.abc import AsyncIterable, AsyncIterator, Awaitable
from contextlib import suppress

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from headline.serving.answers import to_json
from headline.serving.bodies import NDJSON, leaving, lost, pieces
from headline.serving.messages import Done, Search
from headline.serving.pool import ArticleRefused
from headline.serving.problems import Problem
from headline.serving.requests import Line, check_length, config_of, parsed
from headline.serving.service import ClientGone, Service

AHEAD = 128  # articles of one client that wait or are searched at the same time
ESCAPED = 6  # bytes of a character, if JSON escapes it
MORE = 65_536  # bytes of a line beside its article

Answer = Awaitable[Done]


class LineStream(Response):
    """The answer to a stream; it is made while the request is read.

    Args:
        request: its body has a JSON object on each line.
        service: searches.
    """

    media_type = NDJSON

    def __init__(self, request: Request, service: Service) -> None:
        super().__init__(media_type=NDJSON)
        del self.headers["content-length"]
        self._request, self._service = request, service
        ahead = min(AHEAD, max(1, service.limits.queue_size // 4))
        self._waiting: set[asyncio.Future[Done]] = set()
        # The end of the stream is None.
        self._answers: asyncio.Queue[Answer | None] = asyncio.Queue(ahead)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers line by line."""
        headers = self.raw_headers
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        writing = asyncio.create_task(self._write(send))
        reading = asyncio.create_task(self._read())
        gone = lost(self._request)
        try:
            await asyncio.wait({writing, reading, gone}, return_when="FIRST_COMPLETED")
            if gone.done():
                raise ClientGone
            if reading.done():  # an error: otherwise it waits for the client to leave
                await reading
            await writing
        finally:
            for task in (reading, writing):
                task.cancel()
                with suppress(asyncio.CancelledError, Exception):
                    await task
            self._forget()

    async def _read(self) -> None:
        """Reads articles and lets them wait for a worker.

        Raises:
            ClientGone: the client closed its connection.
        """
        most = ESCAPED * self._service.limits.max_characters + MORE
        async for line in lines_of(pieces(self._request), most):
            if line is None or line.strip():
                await self._answers.put(await self._asked(line))
        await self._answers.put(None)
        await leaving(self._request)
        raise ClientGone

    async def _asked(self, line: bytes | None) -> Answer:
        try:
            if line is None:
                raise Problem(413, "a line is too long; send the article's beginning")
            asked = parsed(Line, line)
            check_length(asked.text, self._service.limits)
            config = config_of(asked.options, self._service.model.config)
        except Problem as problem:
            return _failed(problem.detail)
        answer = await self._service.enqueued_later(Search(asked.text, config))
        self._waiting.add(answer)
        answer.add_done_callback(self._waiting.discard)
        return answer

    async def _write(self, send: Send) -> None:
        while (answer := await self._answers.get()) is not None:
            try:
                body = (await answer).body
            except ArticleRefused as error:
                body = to_json({"headlines": [], "error": str(error)})
            await send(_piece(body + b"\n"))
        await send({"type": "http.response.body", "body": b""})

    def _forget(self) -> None:
        """Lets the articles that nobody will take leave the queue."""
        for answer in [*self._waiting]:
            answer.cancel()


def _piece(body: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": True}


def _failed(detail: str) -> Answer:
    failed: asyncio.Future[Done] = asyncio.get_running_loop().create_future()
    failed.set_result(Done(to_json({"headlines": [], "error": detail})))
    return failed


async def lines_of(
    body: AsyncIterable[bytes], most: int
) -> AsyncIterator[bytes | None]:
    """Yields the lines of a body; None for each that has more bytes than ``most``."""
    rest, is_too_long = b"", False
    async for piece in body:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield None if is_too_long or len(line) > most else line
            is_too_long = False
        if len(rest) > most:
            rest, is_too_long = b"", True
    if rest or is_too_long:
        yield None if is_too_long else rest
