"""Who may ask, and how slow or odd a client may be."""

import hashlib
import random
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from headline.errors import ConfigError
from headline.serving.keys import Keys
from headline.serving.server import is_local
from headline.settings.serve import ServeConfig
from tests.serving.running import JSON, Running, eventually, serving

BODY = b'{"text": "\xe5\xa4\xa9"}'


def checksum(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Needs keys, lies under a path, and lets pages of one origin call it."""
    keys = tmp_path_factory.mktemp("keys") / "keys.txt"
    lines = f"cms {checksum('secret')}", f"editor {checksum('钥匙').upper()}  # Li"
    keys.write_text("\n".join(lines))
    options: list[str | Path] = [
        "--api-keys",
        keys,
        "--url-prefix",
        "/headline/",
        "--workers",
        "1",
    ]
    with serving(*options, "--allow-origin", "https://cms.example.com") as running:
        yield running


@pytest.fixture(scope="module")
def strict() -> Iterator[Running]:
    """Has little patience and few connections."""
    options = "--workers 1 --client-timeout 0.5 --max-connections 20"
    with serving(*options.split()) as running:
        yield running


# --- keys, origins, paths -------------------------------------------------------------


def test_a_key_is_needed_and_enough(guarded: Running) -> None:
    def status(authorization: str | None) -> int:
        more = {} if authorization is None else {"Authorization": authorization}
        answer = guarded.post("/v1/headlines", BODY, headers=JSON | more)
        if answer.status == 401:
            assert answer.headers["WWW-Authenticate"] == "Bearer"
            assert "Authorization: Bearer" in answer.detail
        return answer.status

    assert status(None) == status("Bearer wrong") == status("Basic secret") == 401
    assert status("Bearer ") == status(f"Bearer {checksum('secret')}") == 401
    assert status("Bearer secret") == status("bearer secret") == 200
    key = "钥匙".encode().decode("latin-1")
    assert status(f"Bearer {key}") == 200
    assert guarded.get("/metrics").status == guarded.get("/v1/model").status == 401
    assert guarded.get("/healthz").status == guarded.get("/openapi.json").status == 200


def test_each_owner_has_a_key(tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_text(f"# all\n\na {checksum('x')}\nb  {checksum('y')}  # of b\n")
    keys = Keys.read(path)
    assert [keys.owner(f"Bearer {key}") for key in "xyz"] == ["a", "b", None]
    assert keys.owner("x") is keys.owner("") is None
    for wrong in ("a", f"a {checksum('x')[1:]}", f"a b {checksum('x')}", ""):
        path.write_text(f"{wrong}\n")
        with pytest.raises(ConfigError, match=str(path)):
            Keys.read(path)


def test_all_lies_under_the_path(guarded: Running) -> None:
    guarded.prefix, prefix = "", guarded.prefix
    assert guarded.get("/healthz").status == 404
    assert "/headline/" in guarded.get("/headlinez").detail
    moved = guarded.get("/headline")
    assert (moved.status, moved.headers["Location"]) == (308, "/headline/")
    guarded.prefix = prefix
    assert guarded.get("/healthz").status == 200


def test_pages_of_other_origins_may_not_call_unless_they_are_named(
    guarded: Running,
) -> None:
    def post(origin: str) -> tuple[int, str | None]:
        headers = JSON | {"Authorization": "Bearer secret", "Origin": origin}
        answer = guarded.post("/v1/headlines", BODY, headers=headers)
        return answer.status, answer.headers["Access-Control-Allow-Origin"]

    named = "https://cms.example.com"
    assert post(named) == (200, named)
    assert post("https://evil.example.com") == (400, None)
    assert post(f"http://{guarded.host}:{guarded.port}")[0] == 200
    asked = {"Access-Control-Request-Method": "POST", "Origin": named}
    before = guarded.request("OPTIONS", "/v1/headlines", headers=asked)
    assert before.status == 200
    assert before.headers["Access-Control-Allow-Origin"] == named
    asked["Origin"] = "null"
    assert guarded.request("OPTIONS", "/v1/headlines", headers=asked).status == 400


def test_no_other_name_leads_to_this_machine(strict: Running) -> None:
    def status(host: str) -> int:
        return strict.get("/healthz", Host=host).status

    port = strict.port
    for name in ("localhost", f"127.0.0.1:{port}", "[::1]:9"):
        assert status(name) == 200
    assert status("evil.example.com") == status(f"localhost.evil:{port}") == 400
    with serving("--workers", "1", "--trust-proxy") as server:
        assert server.get("/healthz", Host="news.example.com").status == 200


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.168.1.4", False),
        ("example.com", False),
    ],
)
def test_local_addresses_are_those_of_this_machine(host: str, local: bool) -> None:
    assert is_local(host) == local


@pytest.mark.parametrize(
    "wrong",
    [
        {"url_prefix": "headline"},
        {"url_prefix": "/"},
        {"allow_origin": ("*",)},
        {"allow_origin": ("https://a.b/c",)},
        {"max_texts": 10, "queue_size": 9},
        {"port": 65536},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        ServeConfig.from_dict(wrong)


# --- slow and odd clients -------------------------------------------------------------


def connected(server: Running) -> socket.socket:
    client = socket.create_connection((server.host, server.port))
    client.settimeout(10)
    return client


def head(server: Running, *lines: str, path: str = "/v1/headlines") -> bytes:
    host = f"Host: {server.host}:{server.port}"
    known = [f"POST {path} HTTP/1.1", host, "Content-Type: application/json"]
    return "\r\n".join([*known, *lines, "", ""]).encode()


def rest(client: socket.socket) -> bytes:
    """Reads until the server closes the connection."""
    received = b""
    try:
        while piece := client.recv(1 << 16):
            received += piece
    except ConnectionResetError:
        pass
    return received


def test_a_head_that_never_ends_is_not_waited_for(strict: Running) -> None:
    with connected(strict) as client:
        begin = time.monotonic()
        client.sendall(b"GET /healthz HTTP/1.1\r\n")
        with pytest.raises(OSError):
            for _ in range(200):  # a byte now and then does not help
                client.sendall(b"a")
                time.sleep(0.05)
        assert 0.3 < time.monotonic() - begin < 3
    with connected(strict) as silent:
        assert rest(silent) == b""
    with connected(strict) as client:  # also for the second request of a connection
        get = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
        client.sendall(get)
        received = b""
        while not received.endswith(b'"ok"}'):
            received += client.recv(1000)
        time.sleep(0.7)
        client.sendall(get[:-2])
        assert rest(client) == b""


def test_a_body_that_never_ends_is_not_waited_for(strict: Running) -> None:
    with connected(strict) as client:
        client.sendall(head(strict, "Content-Length: 100") + b"{")
        answer = rest(client)
    assert answer.startswith(b"HTTP/1.1 408") and b"problem+json" in answer


def test_a_client_that_ends_its_side_harms_nobody(strict: Running) -> None:
    for sent in (b"", b"POST /v1", head(strict, "Content-Length: 9")):
        with connected(strict) as client:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            rest(client)
    assert strict.get("/healthz").status == 200


def test_more_connections_than_allowed_are_told_so(strict: Running) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(connected(strict))
        answer = strict.get("/healthz")
        assert answer.status == 503 and "connections" in answer.detail
    eventually(lambda: strict.get("/healthz").status == 200)


def test_any_bytes_get_an_answer_or_an_end(strict: Running) -> None:
    rng = random.Random(1)
    whole = head(strict, f"Content-Length: {len(BODY)}") + BODY
    for number in range(60):
        sent = bytearray(whole if number % 2 else rng.randbytes(rng.randint(1, 300)))
        for _ in range(number % 5):
            sent[rng.randrange(len(sent))] = rng.randrange(256)
        with connected(strict) as client:
            client.sendall(bytes(sent))
            client.shutdown(socket.SHUT_WR)
            answer = rest(client)
        assert answer == b"" or b"HTTP/1.1 5" not in answer[:10], sent
    assert strict.post("/v1/headlines", BODY, headers=JSON).status == 200
    assert strict.told[1:] == []
