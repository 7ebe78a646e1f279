"""A server as a process of its own, and a plain client for it."""

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPMessage
from pathlib import Path
from typing import Any

from tests.commands import HEADLINE
from tests.trained import TRAINED

ADDRESS = re.compile(r" at http://([^/:]+|\[.*?\]):(\d+)(\S*)/$")
JSON = {"Content-Type": "application/json"}


@dataclass
class Answer:
    """An answer of the server."""

    status: int
    headers: HTTPMessage
    body: bytes

    @property
    def json(self) -> Any:
        """The body, which is JSON."""
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        """The sentence of an error, whose form is checked."""
        assert self.headers["Content-Type"] == "application/problem+json", self.body
        assert self.json.keys() == {"type", "title", "status", "detail"}
        assert self.json["status"] == self.status
        detail: str = self.json["detail"]
        assert "\n" not in detail and not detail.endswith(".")
        return detail


@dataclass
class Running:
    """A server that runs."""

    process: "subprocess.Popen[str]"
    host: str
    port: int
    prefix: str = ""
    told: list[str] = field(default_factory=list)  # lines of stderr

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] = {},
        timeout: float = 30,
    ) -> Answer:
        """Makes a request on a connection of its own; a body may be JSON or bytes."""
        if body is not None and not isinstance(body, bytes):
            body, headers = json.dumps(body).encode(), {**JSON, **headers}
        connection = HTTPConnection(self.host, self.port, timeout=timeout)
        try:
            connection.request(method, self.prefix + path, body, dict(headers))
            found = connection.getresponse()
            return Answer(found.status, found.headers, found.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        """Gets an address."""
        return self.request("GET", path, headers=headers)

    def post(self, path: str, body: Any, **more: Any) -> Answer:
        """Posts JSON or bytes."""
        return self.request("POST", path, body, **more)

    def figure(self, name: str) -> float:
        """Returns a figure of /metrics, by its name and labels."""
        for line in self.get("/metrics").body.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0

    @property
    def workers(self) -> list[int]:
        """The process ids of the workers."""
        pids = children(self.process.pid)
        return [pid for pid in pids if b"serving.worker" in _command(pid)]

    def wait_until_ready(self, seconds: float = 20) -> None:
        """Waits until the workers have the model."""
        eventually(lambda: self.get("/readyz").status == 200, seconds)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal and returns the exit code."""
        self.process.send_signal(number)
        return self.process.wait(timeout=30)


def eventually(check: Any, seconds: float = 10) -> None:
    """Waits until a check holds."""
    until = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < until, "it never came true"
        time.sleep(0.02)


def children(pid: int) -> list[int]:
    """Returns the process ids of the children of a process."""
    found = Path(f"/proc/{pid}/task/{pid}/children")
    return [*map(int, found.read_text().split())]


def is_running(pid: int) -> bool:
    """Tells whether a process runs; one that only waits to be counted does not."""
    try:
        return (
            Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
        )
    except OSError:
        return False


def _command(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


@contextmanager
def serving(*options: str | Path, model: Path = TRAINED) -> Iterator[Running]:
    """Starts a server on a free port, and ends it."""
    command = [*HEADLINE, "serve", "-m", model, "--port", "0", *options]
    process = subprocess.Popen(
        [str(word) for word in command],
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        running = _begun(process)
        running.wait_until_ready()
        yield running
    finally:
        process.kill()
        process.wait()
        assert process.stderr is not None
        process.stderr.close()


def _begun(process: "subprocess.Popen[str]") -> Running:
    """Waits for the line with the address, and goes on reading the lines."""
    assert process.stderr is not None
    told: list[str] = []
    for line in process.stderr:
        told.append(line.rstrip("\n"))
        if found := ADDRESS.search(line.rstrip("\n")):
            host, port, prefix = found.groups()
            break
    else:
        raise AssertionError(f"it did not start: {told}")

    def read() -> None:
        assert process.stderr is not None
        try:
            told.extend(line.rstrip("\n") for line in process.stderr)
        except ValueError:  # closed meanwhile
            return

    threading.Thread(target=read, daemon=True).start()
    return Running(process, host.strip("[]"), int(port), prefix, told)
