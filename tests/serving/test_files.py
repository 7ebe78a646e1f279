"""Files become jobs: the same result as by ``headline generate``, and an end."""

import csv
import gzip
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from click.testing import CliRunner

from headline.cli.main import main
from tests.corpora import bracket_pairs, write_pairs
from tests.serving.running import Answer, Running, children, eventually, serving
from tests.trained import TRAINED

PAIRS = bracket_pairs(30, seed=4)


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    options = "--workers 1 --max-file 3 --keep-bytes 4 --keep-hours 1"
    with serving(*options.split()) as running:
        yield running


def send(server: Running, path: Path, **query: str) -> Answer:
    address = f"/v1/files?{urlencode({'name': path.name, **query})}"
    return server.request("POST", address, path.read_bytes())


def finished(server: Running, sent: Answer) -> Any:
    """Waits until a job is over, and returns its state."""
    assert sent.status == 202, sent.body
    place = sent.headers["Location"]

    def is_over() -> bool:
        return server.get(place).json["state"] in ("done", "failed")

    eventually(is_over, 30)
    return server.get(place).json


def generated(path: Path, *options: str) -> bytes:
    """What ``headline generate`` writes."""
    command = ["generate", "-m", str(TRAINED), str(path), *options]
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0
    return result.stdout_bytes


def files(folder: Path) -> Iterator[tuple[Path, dict[str, str], list[str]]]:
    """Files of each format, parameters of the request, options of ``generate``."""
    write_pairs(folder / "a.csv", PAIRS)
    yield folder / "a.csv", {}, []
    settings = {"num_headlines": 2, "max_length": 6}
    asked = {"options": json.dumps(settings), "with_scores": "true"}
    options = ["--num-headlines", "2", "--max-length", "6", "--with-scores"]
    yield folder / "a.csv", asked, options
    with (folder / "b.tsv").open("w", newline="") as file:
        rows = csv.writer(file, delimiter="\t")
        rows.writerows(
            [("标题", "x"), *((text, n) for n, (_, text) in enumerate(PAIRS))]
        )
    named = {"source_column": "标题", "headline_column": "新"}
    yield (
        folder / "b.tsv",
        named,
        ["--source-column", "标题", "--headline-column", "新"],
    )
    objects = [
        {"text": text, "options": {"max_length": n + 3}}
        for n, (_, text) in enumerate(PAIRS)
    ]
    lines = "".join(json.dumps(one) + "\n" for one in [*objects, {"text": 3}])
    (folder / "c.jsonl").write_text(lines)
    yield folder / "c.jsonl", {}, []
    (folder / "C.JSONL.gz").write_bytes(gzip.compress(lines.encode()))
    yield folder / "C.JSONL.gz", {}, []
    (folder / "d.txt").write_text("\n".join(text for _, text in PAIRS), "gb18030")
    yield folder / "d.txt", {"lines": "true"}, ["--lines"]


def test_the_result_is_that_of_generate(server: Running, tmp_path: Path) -> None:
    tried = 0
    for path, query, options in files(tmp_path):
        sent = send(server, path, **query)
        state = finished(server, sent)
        assert state["state"] == "done", state
        assert state["articles"] >= len(PAIRS)
        result = server.get(state["result"])
        assert result.body == generated(path, *options), path
        disposition = result.headers["Content-Disposition"]
        suffix = path.name.removesuffix(".gz").rpartition(".")[2]
        assert f"{path.name[0]}_headlines.{suffix}" in disposition
        tried += 1
    assert tried == 6


def test_an_unusable_file_says_why(server: Running, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("a,b\n1,2\n")
    state = finished(server, send(server, path))
    assert state["state"] == "failed" and "column" in state["error"]
    assert "the file" in state["error"] and "headline-serve" not in state["error"]
    result = server.get(f"/v1/files/{state['id']}/result")
    assert result.status == 404 and result.detail


def test_wrong_requests_are_refused(server: Running, tmp_path: Path) -> None:
    path = write_pairs(tmp_path / "a.csv", PAIRS)

    def status(**query: str) -> int:
        answer = send(server, path, **query)
        assert answer.detail
        return answer.status

    assert status(name="a.exe") == status(name="a") == 415
    assert status(name="") == status(options="{") == status(options="[]") == 422
    assert status(options='{"beam": 1}') == status(with_scores="maybe") == 422
    assert server.request("POST", "/v1/files", b"x").status == 422
    assert server.request("POST", "/v1/files?name=a.csv").status == 400
    large = server.request("POST", "/v1/files?name=a.csv", b"a\n" * 2_000_000)
    assert large.status == 413 and "3 MB" in large.detail
    assert server.get("/v1/files/x").status == 404
    assert server.request("DELETE", "/v1/files/x").status == 404


def jobs_of(server: Running) -> list[int]:
    """The process ids of the jobs that run."""
    workers = server.workers
    return [pid for pid in children(server.process.pid) if pid not in workers]


def long_file(folder: Path) -> Path:
    return write_pairs(folder / "long.csv", PAIRS * 700)


def test_a_job_can_be_ended_and_leaves_nothing(server: Running, tmp_path: Path) -> None:
    sent = send(server, long_file(tmp_path))
    place = sent.headers["Location"]
    eventually(lambda: server.get(place).json["articles"] > 0, 30)
    state = server.get(place).json
    assert state["state"] == "running" and 0 < state["read"] < state["size"]
    # Meanwhile others are answered.
    assert server.post("/v1/headlines", {"text": PAIRS[0][1]}).status == 200
    (pid,) = jobs_of(server)

    begin = time.monotonic()
    assert server.request("DELETE", place).status == 204
    assert time.monotonic() - begin < 3  # it did not wait for the end of the file

    assert server.get(place).status == 404
    assert jobs_of(server) == [] and not Path(f"/proc/{pid}/cwd").exists()


def test_a_killed_job_fails_and_the_next_runs(server: Running, tmp_path: Path) -> None:
    first = send(server, long_file(tmp_path))
    second = send(server, write_pairs(tmp_path / "a.csv", PAIRS))
    eventually(lambda: len(jobs_of(server)) == 1)
    assert server.get(second.headers["Location"]).json["state"] == "waiting"
    os.kill(jobs_of(server)[0], signal.SIGKILL)
    state = finished(server, first)
    assert state["state"] == "failed" and "memory" in state["error"]
    assert finished(server, second)["state"] == "done"


def test_the_oldest_results_make_room(server: Running, tmp_path: Path) -> None:
    path = tmp_path / "wide.csv"
    path.write_text("text,more\n" + f"天地【玄黄】,{'x' * 1_400_000}\n")
    places = []
    for _ in range(4):
        sent = send(server, path)
        places.append(sent.headers["Location"])
        assert finished(server, sent)["state"] == "done"
    assert server.get(places[0]).status == 404
    assert server.get(places[-1]).status == 200


def test_results_are_kept_for_a_while_and_not_longer_than_the_server(
    tmp_path: Path,
) -> None:
    path = write_pairs(tmp_path / "新闻.csv", PAIRS)
    os.environ["TMPDIR"] = str(tmp_path)
    try:
        with serving("--workers", "1", "--keep-hours", str(1 / 3600)) as server:
            state = finished(server, send(server, path))
            name = server.get(state["result"]).headers["Content-Disposition"]
            assert quote("新闻_headlines.csv") in name
            (folder,) = tmp_path.glob("headline-serve-*")
            eventually(lambda: server.get(f"/v1/files/{state['id']}").status == 404)
            assert [*folder.iterdir()] == []
            assert server.stop() == 0
            assert not folder.exists()
    finally:
        del os.environ["TMPDIR"]
