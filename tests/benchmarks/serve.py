"""``headline serve`` under load: client and server on the same cores."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from tests.benchmarks.rows import Row
from tests.benchmarks.subject import Subject
from tests.benchmarks.texts import of_length
from tests.serving.running import Running, serving

LENGTH = 109  # characters of an article
ARTICLES = 500
CLIENTS = (1, 8, 64, 256)
TOO_MANY = 4.0  # times what the server can serve
ONE_BY_ONE = ("--batch-size", "1", "--max-wait", "0")
Taken = dict[str, list[float]]  # seconds of the answers, by their status


def measure(subject: Subject) -> Iterator[Row]:
    """Yields requests a second and milliseconds for each number of clients."""
    requests = subject.scratch / "requests.json"
    texts = of_length(subject.texts, LENGTH, ARTICLES)
    requests.write_text(json.dumps([json.dumps({"text": text}) for text in texts]))
    best = 0.0
    rates: dict[int, float] = {}
    with serving("--queue-size", "512", model=subject.model_dir) as server:
        for count in CLIENTS:
            taken = load(server, requests, count, subject.serve_seconds)
            rates[count] = rate(taken, subject.serve_seconds)
            best = max(best, rates[count])
            yield from _rows(f"{count} clients", taken, rates[count])
        yield from _overload(server, requests, best, subject.serve_seconds)
        yield from _memory(server, requests, subject)
    with serving(*ONE_BY_ONE, model=subject.model_dir) as server:
        for count in CLIENTS:
            taken = load(server, requests, count, subject.serve_seconds)
            alone = rate(taken, subject.serve_seconds)
            yield from _rows(f"{count} clients, batches of one", taken, alone)
            times = rates[count] / max(alone, 1e-9)
            yield Row("serve", f"{count} clients: batches pay off", times, "times")


def load(
    server: Running,
    requests: Path,
    count: int,
    seconds: float,
    rate: float | None = None,
) -> Taken:
    """Lets clients ask in a process of their own; see ``http_load``."""
    command = [sys.executable, "-m", "tests.benchmarks.http_load"]
    command += [server.host, str(server.port), str(requests), str(count), str(seconds)]
    command += [] if rate is None else [str(rate)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    taken: Taken = json.loads(done.stdout)
    return taken


def rate(taken: Taken, seconds: float) -> float:
    """Returns the requests a second that were served."""
    from tests.benchmarks.http_load import WARM_UP

    return len(taken.get("200", [])) / (seconds * (1 - WARM_UP))


def _rows(name: str, taken: Taken, served: float) -> Iterator[Row]:
    yield Row("serve", name, served, "requests/s")
    yield from _times(name, taken.get("200", []))


def _times(name: str, seconds: list[float]) -> Iterator[Row]:
    """Yields the middle of some times, and what all but one in a hundred are below."""
    if seconds:
        for share in (50, 99):
            milliseconds = 1000 * float(np.percentile(seconds, share))
            yield Row("serve", f"{name}, p{share}", milliseconds, "ms")


def _overload(
    server: Running, requests: Path, best: float, seconds: float
) -> Iterator[Row]:
    """Yields what is served of more requests than can be."""
    asked = TOO_MANY * best
    # So many that each is answered before its next turn comes, even if it waits.
    count = round(asked * 4)
    taken = load(server, requests, min(count, 950), seconds, asked)
    served = rate(taken, seconds)
    name = f"{TOO_MANY:g} times too many"
    yield Row("serve", f"{name}: served", 100 * served / best, "% of the best rate")
    refused = taken.get("429", [])
    yield Row("serve", f"{name}: refused", float(len(refused)), "requests")
    yield from _times(f"{name}: refused", refused)


def _memory(server: Running, requests: Path, subject: Subject) -> Iterator[Row]:
    """Yields how memory grows with requests, after a first tenth of them."""
    first = server.figure("headline_articles_total")
    before = 0
    while (done := server.figure("headline_articles_total") - first) < subject.served:
        load(server, requests, 64, min(10.0, subject.serve_seconds))
        if not before and done >= subject.served / 10:
            before = resident(server)
    after = resident(server)
    yield Row("serve", f"memory after {done:,.0f} requests", after / 1e6, "MB")
    growth = 100 * (after / (before or after) - 1)
    yield Row("serve", "… its growth after a tenth of them", growth, "%")


def resident(server: Running) -> int:
    """Returns the memory of the server and its workers, in bytes."""
    pids = [server.process.pid, *server.workers]
    pages = (Path(f"/proc/{pid}/statm").read_text().split()[1] for pid in pids)
    return 4096 * sum(map(int, pages))
