"""Every command and example of the page about the server, as it stands there."""

import configparser
import io
import json
import os
import re
import shlex
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from shutil import which

import pytest

from headline.generation.generator import Generator
from tests.corpora import bracket_pairs, write_pairs
from tests.serving.running import Running, serving
from tests.trained import TRAINED

PAGE = Path(__file__).parents[2] / "headline" / "serving" / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
SERVE = "headline serve -m models/news"
pytestmark = pytest.mark.skipif(which("curl") is None, reason="there is no curl")


def blocks(language: str, part: str = "") -> list[str]:
    return [text for known, text in BLOCKS if known == language and part in text]


def shell(text: str, port: int, folder: Path, **variables: str) -> str:
    """Runs a block, at the port of the test's server."""
    text = text.replace(":8000", f":{port}")
    command = ["bash", "-euo", "pipefail", "-c", text]
    environment = os.environ | variables
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def options_of(command: str) -> list[str]:
    """The options of a ``headline serve`` after its model."""
    assert command.startswith(SERVE)
    return shlex.split(command.removeprefix(SERVE))


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with serving("--workers", "1") as running:
        yield running


def test_every_block_is_tried_here() -> None:
    kinds = Counter(language for language, _ in BLOCKS)
    assert kinds == {"sh": 3, "bash": 5, "python": 1, "text": 1, "ini": 1, "nginx": 1}


def test_the_first_command_serves(server: Running) -> None:
    install, serve = blocks("sh")[0].splitlines()
    assert install == "pip install '.[serve]'"
    assert options_of(serve) == [] and server.get("/").status == 200


def test_the_first_request(server: Running, tmp_path: Path) -> None:
    (request,) = blocks(
        "bash", "/v1/headlines \\\n  -H 'Content-Type: application/json'"
    )
    (shown,) = blocks("text")
    found = json.loads(shell(request, server.port, tmp_path))
    known = json.loads(shown)
    assert found.keys() == known.keys()
    (result,) = found["results"]
    assert result.keys() == known["results"][0].keys()
    assert result["headlines"][0].keys() == known["results"][0]["headlines"][0].keys()


def test_the_python_example(server: Running) -> None:
    (text,) = blocks("python")
    printed = io.StringIO()
    with redirect_stdout(printed):
        exec(text.replace(":8000", f":{server.port}"), {})
    assert len(json.loads(printed.getvalue().replace("'", '"'))) == 2


def test_the_stream(server: Running, tmp_path: Path) -> None:
    (text,) = blocks("bash", "x-ndjson")
    lines = shell(text, server.port, tmp_path).splitlines()
    assert [[*json.loads(line)] for line in lines] == [["headlines"], ["headlines"]]


def test_the_file(server: Running, tmp_path: Path) -> None:
    (text,) = blocks("bash", "-T news.csv")
    pairs = bracket_pairs(20)
    write_pairs(tmp_path / "news.csv", pairs)
    shell(text, server.port, tmp_path)
    job = json.loads((tmp_path / "job.json").read_text())
    assert server.get(f"/v1/files/{job['id']}").status == 404  # removed at the end
    rows = (tmp_path / "with_headlines.csv").read_text("utf-8").splitlines()
    known = Generator.load(TRAINED).generate([article for _, article in pairs])
    assert [row.rpartition(",")[2] for row in rows[1:]] == [k[0].text for k in known]


def test_the_keys(tmp_path: Path) -> None:
    (make,) = blocks("bash", "openssl")
    (ask,) = blocks("bash", "Bearer $key")
    (serve,) = blocks("sh", "--api-keys")
    made = shell(make + 'printf %s "$key"', 0, tmp_path)
    options = options_of(serve.strip().replace("keys.txt", str(tmp_path / "keys.txt")))
    with serving("--workers", "1", *options) as server:
        assert json.loads(shell(ask, server.port, tmp_path, key=made))["defaults"]
        refused = json.loads(shell(ask, server.port, tmp_path, key="other"))
        assert refused["status"] == 401


def test_the_service() -> None:
    (text,) = blocks("ini")
    unit = configparser.ConfigParser(interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(text)
    command = unit["Service"]["ExecStart"].replace("/opt/headline/bin/", "")
    options = options_of(command.replace("/srv/", ""))
    with serving("--workers", "1", *options) as server:
        assert server.stop() == 0
    grace = float(options[options.index("--grace") + 1])
    assert float(unit["Service"]["TimeoutStopSec"]) > grace
    assert unit["Service"]["ExecReload"].endswith("kill -HUP $MAINPID")


def test_the_reverse_proxy() -> None:
    (serve,) = blocks("sh", "--trust-proxy")
    (proxy,) = blocks("nginx")
    prefix = re.findall(r"location (\S+) ", proxy)[0]
    with serving("--workers", "1", *options_of(serve.strip())) as server:
        server.prefix = ""
        # proxy_pass without a path hands on the whole address.
        assert "proxy_pass http://127.0.0.1:8000;" in proxy
        forwarded = {"Host": "news.example.com", "X-Forwarded-For": "10.0.0.1"}
        page = server.get(prefix, **forwarded)
        assert page.status == 200 and b'src="page/app.js"' in page.body
        assert server.get(f"{prefix}page/app.js", **forwarded).status == 200
        origin = forwarded | {"Origin": "https://news.example.com"}
        body = {"text": "天地"}
        answer = server.post(f"{prefix}v1/headlines", body, headers=origin)
        assert answer.status == 200
