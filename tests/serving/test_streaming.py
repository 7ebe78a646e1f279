"""A stream of articles: any number, in order, without filling anyone's memory."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.generation.generator import Generator
from headline.serving.streaming import lines_of
from tests.corpora import bracket_pairs
from tests.serving.running import Running, eventually, serving
from tests.serving.test_server import Paused, occupy
from tests.trained import TRAINED

NDJSON = {"Content-Type": "application/x-ndjson"}
ARTICLES = [article for _, article in bracket_pairs(300, seed=8)]


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    options = "--workers 2 --queue-size 64 --max-texts 64 --max-characters 2000"
    with serving(*options.split(), "--client-timeout", "2") as running:
        yield running


def body_of(lines: list[Any]) -> bytes:
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def streamed(server: Running, body: bytes) -> list[Any]:
    answer = server.post("/v1/headlines", body, headers=NDJSON)
    assert answer.status == 200, answer.body
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.body.splitlines()]


def test_each_line_gets_its_line_in_order(server: Running) -> None:
    generator = Generator.load(TRAINED)
    known = [found[0].text for found in generator.generate(ARTICLES)]

    found = streamed(server, body_of([{"text": text} for text in ARTICLES]))

    assert [one["headlines"][0]["text"] for one in found] == known
    whole = server.post("/v1/headlines", {"texts": ARTICLES[:20]}).json["results"]
    assert found[:20] == whole


def test_a_wrong_line_leaves_the_others_theirs(server: Running) -> None:
    lines: list[Any] = [
        {"text": ARTICLES[0]},
        {"text": 7},
        {"text": "天", "options": {"beam": 1}},
        {"text": "天" * 2001},
        {"text": "天", "options": {"must_include": ["天" * 50]}},
        {"text": ""},
    ]
    body = body_of(lines) + b"\n{\n" + b"x" * 200_000 + b"\n" + body_of(lines[:1])[:-1]
    found = streamed(server, body)
    assert [one.get("error", "")[:12] for one in found] == [
        "",
        "text: input ",
        "options: unk",
        "an article m",
        "max_length 4",
        "",
        "the body mus",
        "a line is to",
        "",
    ]
    assert found[0] == found[-1] and found[0]["headlines"][0]["text"]
    assert found[5]["headlines"][0]["text"] == ""


def test_lines_come_back_while_others_are_still_sent(server: Running) -> None:
    with chunked(server) as client:
        for article in ARTICLES[:3]:
            client.send(body_of([{"text": article}]))
            assert client.line()["headlines"][0]["text"]
        client.end()


def test_a_client_that_does_not_read_stops_the_server_from_reading(
    server: Running,
) -> None:
    gone, memory = server.figure(NAME % 499), resident(server)
    piece = b"{\n" * 5000  # they need no search, and get long answers
    with chunked(server, room=4096) as client:
        client.socket.settimeout(1)
        sent = 0
        with pytest.raises(TimeoutError):
            while sent < 200_000_000:
                client.send(piece)
                sent += len(piece)
        assert resident(server) < memory + 20_000_000
        # In the end the server gives up.
        eventually(lambda: server.figure(NAME % 499) == gone + 1)
        with pytest.raises(OSError):
            client.send(piece)
    assert server.told[1:] == []


def test_articles_of_a_client_that_has_gone_leave_the_queue(server: Running) -> None:
    body = body_of([{"text": text} for text in ARTICLES])
    with (
        ThreadPoolExecutor() as others,
        Paused(server),
        chunked(server) as client,
    ):
        for _ in server.workers:  # each has something to do
            occupy(server, others)
        client.send(body)
        eventually(lambda: server.figure("headline_queue_articles") >= 10)
        client.socket.close()
        eventually(lambda: server.figure("headline_queue_articles") == 0)


NAME = 'headline_requests_total{route="/v1/headlines",status="%s"}'


def test_streams_let_other_clients_pass(server: Running) -> None:
    body = body_of([{"text": text} for text in ARTICLES])
    streams = [threading.Thread(target=streamed, args=(server, body)) for _ in range(3)]
    for each in streams:
        each.start()
    for article in ARTICLES[:10]:
        assert server.post("/v1/headlines", {"text": article}).status in (200, 429)
    for each in streams:
        each.join()


def resident(server: Running) -> int:
    """The memory of the server's process, in bytes."""
    pages = Path(f"/proc/{server.process.pid}/statm").read_text().split()[1]
    return int(pages) * 4096


class chunked:
    """A client that sends pieces of a request and reads lines of its answer."""

    def __init__(self, server: Running, room: int | None = None) -> None:
        self.socket = socket.socket()
        if room is not None:  # for what comes and is not read
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, room)
        self.socket.connect((server.host, server.port))
        self.socket.settimeout(10)
        self._head = (
            f"POST /v1/headlines HTTP/1.1\r\nHost: {server.host}:{server.port}\r\n"
            "Content-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"
        )
        self._answer = b""

    def __enter__(self) -> "chunked":
        self.socket.sendall(self._head.encode())
        while b"\r\n\r\n" not in self._answer:
            self._answer += self.socket.recv(4096)
        self._answer = self._answer.partition(b"\r\n\r\n")[2]
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def send(self, piece: bytes) -> None:
        self.socket.sendall(b"%x\r\n%s\r\n" % (len(piece), piece))

    def end(self) -> None:
        self.socket.sendall(b"0\r\n\r\n")
        while not self._answer.endswith(b"0\r\n\r\n"):
            self._answer += self.socket.recv(4096)

    def line(self) -> Any:
        """Returns the next line, which comes as a chunk of its own."""
        while self._answer.count(b"\r\n") < 2:
            self._answer += self.socket.recv(4096)
        _, line, self._answer = self._answer.split(b"\r\n", 2)
        return json.loads(line)


@given(st.lists(st.text("a\n", max_size=9)), st.integers(1, 8))
def test_lines_are_those_of_the_body_however_it_is_cut(
    texts: list[str], most: int
) -> None:
    async def cut() -> AsyncIterator[bytes]:
        for text in texts:
            yield text.encode()

    async def lines() -> list[bytes | None]:
        return [line async for line in lines_of(cut(), most)]

    whole = "".join(texts).encode().split(b"\n")
    known = whole if whole[-1] else whole[:-1]
    assert asyncio.run(lines()) == [x if len(x) <= most else None for x in known]
