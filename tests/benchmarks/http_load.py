"""Clients of a server, in one process: each asks again as soon as it is answered.

    python -m tests.benchmarks.http_load HOST PORT REQUESTS.json CLIENTS SECONDS [RATE]

With a RATE, in requests a second for all of them, each asks at its times, answered or
not. Prints JSON: for each status, the seconds of its answers.
"""

import asyncio
import json
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

WARM_UP = 0.1  # share of the time whose answers do not count


class Clients:
    """Clients that send the same requests in turn.

    Args:
        bodies: JSON.
    """

    def __init__(self, host: str, port: int, bodies: list[str]) -> None:
        self.host, self.port = host, port
        self._requests: Iterator[bytes] = cycle([*map(self._request, bodies)])
        self.taken: dict[int, list[float]] = {}

    def _request(self, body: str) -> bytes:
        data = body.encode()
        head = (
            f"POST /v1/headlines HTTP/1.1\r\nHost: {self.host}:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
        )
        return head.encode() + data

    async def run(self, count: int, seconds: float, rate: float | None) -> None:
        """Lets so many clients ask for so long."""
        begin = time.perf_counter()
        first, end = begin + WARM_UP * seconds, begin + seconds
        every = None if rate is None else count / rate
        clients = [
            self._ask(begin + (every or 0) * at / count, first, end, every)
            for at in range(count)
        ]
        await asyncio.gather(*clients)

    async def _ask(
        self, start: float, first: float, end: float, every: float | None
    ) -> None:
        loop = asyncio.get_running_loop()
        connection = await self._connected(loop)
        due = start
        while (now := time.perf_counter()) < end:
            if every is not None:
                await asyncio.sleep(max(0.0, due - now))
                due += every
            begin = time.perf_counter()
            status = await connection.ask(next(self._requests), loop.create_future())
            now = time.perf_counter()
            if first <= now < end:
                self.taken.setdefault(status, []).append(now - begin)
            if connection.is_lost:
                connection = await self._connected(loop)
        connection.close()

    async def _connected(self, loop: asyncio.AbstractEventLoop) -> "_Connection":
        _, connection = await loop.create_connection(_Connection, self.host, self.port)
        return connection


class _Connection(asyncio.Protocol):
    """A connection that has one request at a time; it costs little, as others count."""

    def __init__(self) -> None:
        self.is_lost = False
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def ask(
        self, request: bytes, answer: "asyncio.Future[int]"
    ) -> "asyncio.Future[int]":
        """Sends a request; returns the status, once the answer is whole."""
        self._answer = answer
        self._transport.write(request)
        return answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        if len(body) >= int(length):
            self._received = b""
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        self.is_lost = True
        if not self._answer.done():
            self._answer.set_result(0)

    def close(self) -> None:
        self._transport.close()


def main(host: str, port: str, requests: str, count: str, *more: str) -> None:
    """Runs the clients and prints what they were told."""
    bodies: list[str] = json.loads(Path(requests).read_text("utf-8"))
    clients = Clients(host, int(port), bodies)
    seconds, rate = float(more[0]), float(more[1]) if len(more) > 1 else None
    asyncio.run(clients.run(int(count), seconds, rate))
    print(json.dumps(clients.taken))


if __name__ == "__main__":
    main(*sys.argv[1:])
