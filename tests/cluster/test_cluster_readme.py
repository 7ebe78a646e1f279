"""The commands of the page about clusters, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.test_local import cat
from tests.commands import HEADLINE
from tests.corpora import bracket_pairs, write_pairs
from tests.trained import TRAINED

PAGE = Path(__file__).parents[2] / "headline" / "cluster" / "README.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text("utf-8"), re.M | re.S)
PARTS = 3


def block(language: str, part: str) -> str:
    """Returns the only block of a language that has some text."""
    found: list[str] = [text for known, text in BLOCKS if known == language]
    (one,) = (text for text in found if part in text)
    return one


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with what the page names, where ``headline`` is a command."""
    (tmp_path / "archive").mkdir()
    for year in (2023, 2024):
        pairs = bracket_pairs(30, seed=year)
        write_pairs(tmp_path / "archive" / f"{year}.csv", pairs)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "news").symlink_to(TRAINED)
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin" / "headline"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m headline "$@"\n')
    program.chmod(0o755)
    return tmp_path


def shell(text: str, folder: Path, **variables: str) -> str:
    """Runs a block with its small number of rows; returns what it told."""
    text = text.replace("headline generate", "headline generate --rows-per-shard 8")
    path = f"{folder / 'bin'}:{os.environ['PATH']}"
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PATH": path, "PYTHONPATH": root} | variables
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", text],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def expected(place: Path) -> bytes:
    """What one process writes."""
    files = sorted(map(str, (place / "archive").glob("*.csv")))
    asked = [*HEADLINE, "generate", *files, "-m", str(TRAINED)]
    return subprocess.run(asked, check=True, capture_output=True).stdout


def test_the_first_commands_write_what_one_process_writes(place: Path) -> None:
    told = shell(block("sh", "headline generate archive"), place)

    assert "out is complete: 8 shards" in told
    assert (place / "with_headlines.csv").read_bytes() == expected(place)
    assert (place / "out" / "00000-2023-00003.csv").exists()


def test_the_slurm_script_runs_as_an_array(place: Path) -> None:
    script = block("bash", "#SBATCH")
    (array,) = re.findall(r"^#SBATCH --array=0-(\d+)$", script, re.M)
    parts = int(array) + 1
    assert f"$SLURM_ARRAY_TASK_ID/{parts}" in script
    script = script.replace(f"/{parts}", f"/{PARTS}")

    for task in (2, 0, 1):
        assert not (place / "out" / "_SUCCESS").exists()
        numbers = {"SLURM_ARRAY_TASK_ID": str(task), "SLURM_CPUS_PER_TASK": "1"}
        assert shell(script, place, **numbers) == ""

    assert (place / "out" / "_SUCCESS").exists()
    assert cat(place / "out") == expected(place)


def test_the_kubernetes_job_runs_by_its_index(place: Path) -> None:
    yaml = pytest.importorskip("yaml")
    job = yaml.safe_load(block("yaml", "kind: Job"))["spec"]
    (container,) = job["template"]["spec"]["containers"]
    (line,) = container["args"]
    assert container["command"] == ["sh", "-c"]
    assert job["completionMode"] == "Indexed"
    assert f"$JOB_COMPLETION_INDEX/{job['completions']}" in line
    # Without a store here; test_s3.py tries one.
    line = line.replace("'s3://news/archive/*.csv'", f"file://{place}/archive/2024.csv")
    line = line.replace("s3://news/out", f"file://{place}/out")
    line = line.replace("/models/news", str(place / "models" / "news"))
    line = line.replace(f"/{job['completions']}", f"/{PARTS}")
    assert "s3:" not in line

    for index in range(PARTS):
        assert shell(line, place, JOB_COMPLETION_INDEX=str(index)) == ""

    assert (place / "out" / "_SUCCESS").exists()
    assert cat(place / "out").count(b"\n") == 31


def test_no_block_of_shards_is_left_untried() -> None:
    others = re.compile(r"\bray\b|spark|headline prepare", re.IGNORECASE)
    ours = [text for _, text in BLOCKS if not others.search(text)]
    assert sum("headline generate" in text for text in ours) == 4  # the last: test_s3
