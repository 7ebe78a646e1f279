"""Every table is opened once, whatever is found out about it before it is read."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

from headline.generation.files import MOST_OPEN
from tests.reading import ARTICLE

MODEL = Path(__file__).parent.parent / "golden" / "model"

# Hears of each file that is opened, and runs a command.
SCRIPT = """
import collections, json, os, sys

opens = collections.Counter()

def hear(event, args):
    if event == "open" and isinstance(args[0], (str, os.PathLike)):
        opens[os.path.basename(os.fspath(args[0]))] += 1

sys.addaudithook(hear)
from headline.cli.main import main
main(sys.argv[1:], standalone_mode=False)
print(json.dumps(opens), file=sys.stderr)
"""


def opens(*command: str | Path) -> dict[str, int]:
    """Runs a command, and returns how often it opened each file, by their names."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *map(str, command)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counts: dict[str, int] = json.loads(done.stderr.splitlines()[-1])
    return counts


def table(path: Path, count: int = 40) -> Path:
    """Writes a table whose encoding, delimiter and quotes have to be found out."""
    delimiter = "\t" if path.suffix == ".tsv" else ";"
    with path.open("w", encoding="gb18030", newline="") as stream:
        writer = csv.writer(stream, delimiter=delimiter, quoting=csv.QUOTE_ALL)
        writer.writerow(["标题", "正文"])
        writer.writerows(
            [f"央行降准{n}", f"第{n}条，{ARTICLE}。{ARTICLE}。"] for n in range(count)
        )
    return path


def test_prepare_opens_each_table_once(tmp_path: Path) -> None:
    files = [table(tmp_path / n) for n in ("a.csv", "b.tsv")]
    more = table(tmp_path / "more.csv")

    found = opens("prepare", *files, "--unpaired", more, "-o", tmp_path / "data")

    assert [found[name] for name in ("a.csv", "b.tsv", "more.csv")] == [1, 1, 1]


@pytest.mark.parametrize("name", ["a.csv", "b.tsv"])
def test_generate_opens_each_table_once(tmp_path: Path, name: str) -> None:
    files = [table(tmp_path / name), table(tmp_path / f"second.{name}")]

    found = opens("generate", "-m", MODEL, *files, "-o", tmp_path / "out.csv")

    assert [found[path.name] for path in files] == [1, 1]
    assert len((tmp_path / "out.csv").read_text("utf-8").splitlines()) == 81


def test_evaluate_opens_each_table_once(tmp_path: Path) -> None:
    path, kept = table(tmp_path / "b.tsv"), tmp_path / "kept.csv"

    assert opens("evaluate", MODEL, path, "-o", kept)["b.tsv"] == 1
    found = opens("evaluate", MODEL, path, "--compare", kept)
    assert [found["b.tsv"], found["kept.csv"]] == [1, 1]
    assert opens("evaluate", MODEL, path, "--compare", MODEL)["b.tsv"] == 1
    assert opens("evaluate", MODEL, path, "--score")["b.tsv"] == 1


def test_many_tables_are_not_held_open_at_once(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    files = [table(tmp_path / f"{n}.csv", count=1) for n in range(MOST_OPEN + 40)]
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (MOST_OPEN + 30, limits[1]))
    try:
        found = opens("generate", "-m", MODEL, *files, "--workers", "1")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)

    assert [found[path.name] for path in files] == [1] * MOST_OPEN + [2] * 40
