"""Shards at S3, by a server of moto on this machine."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from headline.cluster.output import SUCCESS
from tests.cluster.test_local import ROWS, SHARDS, children, waited
from tests.commands import HEADLINE
from tests.corpora import bracket_pairs, write_pairs
from tests.trained import TRAINED

pytestmark = pytest.mark.cluster
KEYS = {"AWS_ACCESS_KEY_ID": "k", "AWS_SECRET_ACCESS_KEY": "s"}
REGION = "us-east-1"


@pytest.fixture(scope="module")
def bucket() -> Iterator[Any]:
    """A bucket, by boto3, with the environment in which the command finds it."""
    server = pytest.importorskip("moto.server", reason="moto is not installed")
    pytest.importorskip("s3fs", reason="s3fs is not installed")
    boto3 = pytest.importorskip("boto3")
    running = server.ThreadedMotoServer(port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        patch.setenv("AWS_ENDPOINT_URL", f"http://{host}:{port}")
        patch.setenv("AWS_DEFAULT_REGION", REGION)
        made = boto3.resource("s3").create_bucket(Bucket="news")
        yield made
    running.stop()


def keys(bucket: Any, prefix: str) -> dict[str, str]:
    """The objects and when each was written."""
    found = bucket.objects.filter(Prefix=prefix)
    return {one.key: f"{one.last_modified} {one.e_tag}" for one in found}


def run(*args: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*HEADLINE, *args], capture_output=True, timeout=200)


def command(out: str) -> list[str]:
    options = ["-m", str(TRAINED), "--rows-per-shard", str(ROWS), "--workers", "2"]
    return ["generate", "s3://news/in/*.csv", "--output-dir", out, *options]


def test_a_killed_run_at_s3_goes_on_and_writes_what_one_process_writes(
    tmp_path: Path, bucket: Any
) -> None:
    path = write_pairs(tmp_path / "a.csv", bracket_pairs(ROWS * SHARDS, seed=3))
    bucket.upload_file(str(path), "in/a.csv")
    expected = run("generate", str(path), "-m", str(TRAINED)).stdout

    assert run("generate", "s3://news/in/a.csv", "-m", str(TRAINED)).stdout == expected
    out = "s3://news/out"
    with subprocess.Popen([*HEADLINE, *command(out)]) as process:
        waited(lambda: len(keys(bucket, "out/0")) >= 3)
        workers = children(process.pid)
        process.kill()
    waited(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in workers))
    there = keys(bucket, "out/0")
    assert 3 <= len(there) < SHARDS
    assert f"out/{SUCCESS}" not in keys(bucket, "out/")
    assert b"not complete" in run("cat", out).stderr

    done = run(*command(out))

    assert done.returncode == 0, done.stderr
    assert done.stderr.decode() == f"{out} is complete: {SHARDS} shards\n"
    assert run("cat", out).stdout == expected
    assert keys(bucket, "out/0").items() >= there.items()
    assert f"out/{SUCCESS}" in keys(bucket, "out/")


def test_what_a_store_refuses_is_told_in_one_line(
    bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = run("generate", "s3://news/no.csv", "-m", str(TRAINED))
    assert missing.stderr == b"Error: there is no file s3://news/no.csv\n"

    bucket.put_object(Key="in2/a.csv", Body="content\n天地\n".encode())
    asked = ["generate", "s3://news/in2/a.csv", "-m", str(TRAINED)]
    other = run(*asked, "--output-dir", "s3://nobucket/out")
    assert other.returncode == 1 and other.stderr.count(b"\n") == 1
    assert b"cannot write s3://nobucket/out/_plan.json: " in other.stderr

    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    silent = run(*asked)
    assert silent.returncode == 1 and silent.stderr.count(b"\n") == 1
    assert b"s3://news/in2/a.csv: " in silent.stderr
