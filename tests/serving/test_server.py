"""What the server withstands: signals, killed workers, new models, lost clients."""

import json
import os
import shutil
import signal
import socket
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from headline.bundle import load_bundle, save_bundle
from headline.cli.main import main
from tests.corpora import bracket_pairs
from tests.serving.running import Answer, Running, eventually, is_running, serving
from tests.trained import TRAINED

ARTICLES = [article for _, article in bracket_pairs(40, seed=6)]
NAME = 'headline_requests_total{route="/v1/headlines",status="%s"}'


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    options = "--workers 1 --queue-size 8 --max-texts 8"
    with serving(*options.split()) as running:
        yield running


@pytest.fixture
def clients() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(16) as executor:
        yield executor


def ask(server: Running, article: str, **more: Any) -> Answer:
    return server.post("/v1/headlines", {"text": article}, **more)


def headline_of(answer: Answer) -> str:
    assert answer.status == 200, answer.body
    text: str = answer.json["results"][0]["headlines"][0]["text"]
    return text


def test_an_answer_does_not_wait_for_the_client(server: Running) -> None:
    """A client may take 40 ms to confirm what came, and that must not matter."""
    connection = HTTPConnection(server.host, server.port)
    taken = []
    for _ in range(20):
        begin = time.perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        taken.append(time.perf_counter() - begin)
    connection.close()
    assert sorted(taken)[10] < 0.04


class Paused:
    """Stops the workers of a server, so that its queue grows."""

    def __init__(self, server: Running) -> None:
        self.workers = server.workers
        assert self.workers

    def __enter__(self) -> list[int]:
        for pid in self.workers:
            os.kill(pid, signal.SIGSTOP)
        return self.workers

    def __exit__(self, *_: object) -> None:
        for pid in self.workers:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def occupy(server: Running, clients: ThreadPoolExecutor) -> "Future[Answer]":
    """Gives a paused worker a batch, so that all others wait in the queue."""
    before = server.figure("headline_articles_total")
    future = clients.submit(ask, server, ARTICLES[0])
    eventually(lambda: server.figure("headline_articles_total") == before + 1)
    return future


# --- under load -----------------------------------------------------------------------


def test_a_full_queue_refuses_at_once(
    server: Running, clients: ThreadPoolExecutor
) -> None:
    with Paused(server):
        first = occupy(server, clients)
        waiting = clients.submit(server.post, "/v1/headlines", {"texts": ARTICLES[:8]})
        eventually(lambda: server.figure("headline_queue_articles") == 8)
        begin = time.monotonic()
        refused = ask(server, "天")
        assert time.monotonic() - begin < 0.5
        # It is the same whether the request is parsed or not, and in one piece or not.
        parsed = ask(server, "天", headers={"Connection": "close"})
        body = json.dumps({"text": "天"}).encode()
        with socket.create_connection((server.host, server.port)) as client:
            for _ in range(2):
                client.sendall(raw_head(server, f"Content-Length: {len(body)}"))
                time.sleep(0.05)
                client.sendall(body)
                assert client.recv(1000).startswith(b"HTTP/1.1 429 ")
                client.sendall(raw_head(server, f"Content-Length: {len(body)}") + body)
                assert client.recv(1000).startswith(b"HTTP/1.1 429 ")
        for answer in (refused, parsed):
            assert answer.status == 429 and "8 articles are waiting" in answer.detail
            assert int(answer.headers["Retry-After"]) >= 1
    assert headline_of(first.result())
    assert len(waiting.result().json["results"]) == 8
    assert server.figure("headline_rejections_total") == 6
    assert server.figure(NAME % 429) == 6


def test_what_is_late_is_told_so_and_not_searched(clients: ThreadPoolExecutor) -> None:
    with serving("--workers", "1", "--timeout", "1") as server:
        with Paused(server):
            first = occupy(server, clients)
            late = ask(server, "天")
            assert late.status == 503 and "1 seconds" in late.detail
            assert server.figure("headline_queue_articles") == 0
            assert first.result().status == 503
            assert server.figure("headline_timeouts_total") == 2
        # Only the first went to a worker, before its time was over.
        assert server.figure("headline_articles_total") == 1


def test_the_article_of_a_client_that_has_gone_is_not_searched(
    server: Running, clients: ThreadPoolExecutor
) -> None:
    with Paused(server):
        first = occupy(server, clients)
        with socket.create_connection((server.host, server.port)) as client:
            body = json.dumps({"texts": ARTICLES[:5]}).encode()
            client.sendall(raw_head(server, f"Content-Length: {len(body)}") + body)
            eventually(lambda: server.figure("headline_queue_articles") == 5)
        eventually(lambda: server.figure("headline_queue_articles") == 0)
    assert first.result().status == 200
    assert server.figure(NAME % 499) == 1


def raw_head(server: Running, *lines: str) -> bytes:
    head = [
        "POST /v1/headlines HTTP/1.1",
        f"Host: {server.host}:{server.port}",
        "Content-Type: application/json",
        *lines,
    ]
    return "\r\n".join([*head, "", ""]).encode()


# --- killed workers -------------------------------------------------------------------


def test_no_client_sees_that_a_worker_was_killed(
    server: Running, clients: ThreadPoolExecutor
) -> None:
    known = [headline_of(ask(server, article)) for article in ARTICLES[:6]]
    before = server.workers
    with Paused(server) as workers:
        first = occupy(server, clients)
        others = [clients.submit(ask, server, article) for article in ARTICLES[1:6]]
        eventually(lambda: server.figure("headline_queue_articles") == 5)
        for pid in workers:
            os.kill(pid, signal.SIGKILL)
        found = [headline_of(each.result()) for each in (first, *others)]
    assert found == known
    assert len(server.workers) == len(before) and server.workers != before
    assert server.figure("headline_workers_replaced_total") == 1


def test_an_idle_worker_is_replaced_before_it_is_needed(server: Running) -> None:
    (pid,) = server.workers
    replaced = server.figure("headline_workers_replaced_total")
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: server.figure("headline_workers_replaced_total") > replaced)
    eventually(lambda: len(server.workers) == 1 and server.workers != [pid])
    assert headline_of(ask(server, ARTICLES[0]))


def test_workers_end_with_a_server_that_was_killed() -> None:
    with serving("--workers", "2") as server:
        workers = server.workers
        assert len(workers) == 2
        server.process.kill()
        server.process.wait()
        eventually(lambda: not any(map(is_running, workers)))


# --- the end --------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_what_was_accepted_is_answered_before_the_end(
    number: signal.Signals, clients: ThreadPoolExecutor
) -> None:
    with serving("--workers", "1") as server:
        with Paused(server) as workers:
            waiting = [clients.submit(ask, server, article) for article in ARTICLES[:8]]
            eventually(lambda: accepted(server) == 8)
            server.process.send_signal(number)
            # A terminal and systemd send it to the workers too.
            for pid in workers:
                os.kill(pid, number)
            eventually(lambda: _refuses(server))
            assert server.process.poll() is None
        found = [each.result() for each in waiting]
        assert all(headline_of(one) for one in found)
        assert server.process.wait(timeout=10) == 0
        assert server.told[1:] == []
        assert not any(map(is_running, workers))


def accepted(server: Running) -> float:
    """The number of articles that wait or are searched."""
    names = "headline_queue_articles", "headline_articles_total"
    return sum(map(server.figure, names))


def _refuses(server: Running) -> bool:
    try:
        with socket.create_connection((server.host, server.port)):
            return False
    except ConnectionRefusedError:
        return True


def test_the_end_comes_within_the_grace_period(clients: ThreadPoolExecutor) -> None:
    with serving("--workers", "1", "--grace", "2") as server, Paused(server):
        waiting = clients.submit(ask, server, ARTICLES[0])
        eventually(lambda: server.figure("headline_articles_total") == 1)
        begin = time.monotonic()
        server.stop()
        assert time.monotonic() - begin < 2.5
        answer = waiting.result()
        assert answer.status == 503 and "ending" in answer.detail


# --- new models -----------------------------------------------------------------------


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    return shutil.copytree(TRAINED, tmp_path / "model")


def test_a_new_model_is_taken_over_without_a_lost_request(
    model_dir: Path, clients: ThreadPoolExecutor
) -> None:
    def number(server: Running) -> int:
        answer = ask(server, ARTICLES[0])
        assert answer.status == 200, answer.body
        return len(answer.json["results"][0]["headlines"])

    with serving("--workers", "2", model=model_dir) as server:
        assert number(server) == 1
        old = server.workers
        bundle = load_bundle(model_dir)
        new = replace(bundle, decode=replace(bundle.decode, num_headlines=2))
        save_bundle(model_dir, new)
        busy = [clients.submit(number, server) for _ in range(100)]
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: any("took over" in line for line in server.told))
        assert {each.result() for each in busy} <= {1, 2}
        assert number(server) == 2
        assert len(server.workers) == 2 and not set(server.workers) & set(old)


def test_a_damaged_model_is_refused_and_the_old_one_stays(model_dir: Path) -> None:
    with serving("--workers", "1", model=model_dir) as server:
        known = headline_of(ask(server, ARTICLES[0]))
        weights = model_dir / "weights.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\x00")
        server.process.send_signal(signal.SIGHUP)
        eventually(lambda: len(server.told) == 2)
        assert "the model stays as it is" in server.told[1]
        assert str(weights) in server.told[1]
        assert headline_of(ask(server, ARTICLES[0])) == known
        # Not even a worker that starts now reads the damaged file.
        os.kill(server.workers[0], signal.SIGKILL)
        assert headline_of(ask(server, ARTICLES[0])) == known


# --- the start ------------------------------------------------------------------------


def invoked(*args: str | Path) -> str:
    result = CliRunner().invoke(main, ["serve", *map(str, args)])
    assert result.exit_code in (1, 2), result.output
    lines = result.output.splitlines()
    return lines[-1]


def test_what_cannot_start_says_why_in_a_line(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    assert "no model folder" in invoked("-m", "nowhere")
    assert "--host: other machines" in invoked("-m", TRAINED, "--host", "0.0.0.0")
    keys.write_text("name abc\n")
    refused = invoked("-m", TRAINED, "--api-keys", keys)
    assert f"--api-keys: {keys}, line 1: expected a name" in refused
    keys.write_text("# nobody\n")
    assert "has no key" in invoked("-m", TRAINED, "--api-keys", keys)
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"cannot listen on 127.0.0.1 port {port}" in invoked(
            "-m", TRAINED, "--port", str(port)
        )


def test_missing_packages_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from importlib import util

    found: Callable[..., Any] = util.find_spec
    monkeypatch.setattr(
        util, "find_spec", lambda name: None if name == "uvicorn" else found(name)
    )
    assert "serve needs uvicorn: pip install 'headline[serve]'" in invoked(
        "-m", TRAINED
    )
