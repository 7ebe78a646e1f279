"""What ``-o`` may name, depending on the format of what is read."""

import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from headline.bundle import save_bundle
from headline.cli.main import main
from tests.corpora import bracket_pairs
from tests.scripted import tiny_bundle
from tests.written import WRITERS

ROWS = [{"title": title, "content": article} for title, article in bracket_pairs(60)]
FILES = ("news.csv", "news.json", "news.parquet", "news.xlsx", "saved", "texts")


def headline(*args: object, stdin: str = "") -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_bundle(Path("m"), tiny_bundle("天地玄黄"))
    for name in FILES:
        WRITERS[name](Path(name), ROWS[:3])


@pytest.mark.parametrize(
    ("name", "output", "suffix"),
    [
        ("news.csv", "out.parquet", ".csv"),
        ("news.csv", "out.xlsx", ".csv"),
        ("news.parquet", "out.csv", ".parquet"),
        ("news.parquet", "out.parquet.gz", ".parquet"),
        ("news.parquet", "out.xlsx", ".parquet"),
        ("news.xlsx", "out.csv.gz", ".xlsx"),
        ("saved", "out.json", ".parquet"),
        ("texts", "out.parquet", ".csv"),
        ("-", "out.xlsx", ".txt"),
    ],
)
def test_a_name_that_misleads_is_refused(name: str, output: str, suffix: str) -> None:
    result = headline("generate", "-m", "m", name, "-o", output, stdin="天地")

    assert result.exit_code == 1 and not Path(output).exists()
    assert f"give -o a name that ends in {suffix}\n" in result.stderr


@pytest.mark.parametrize(
    ("name", "output"),
    [
        ("news.parquet", "out"),
        ("news.parquet", "out.pq"),
        ("news.xlsx", "out.xlsm"),
        ("saved", "out.parquet"),
        ("texts", "out.csv.gz"),
        ("news.csv", "out.txt"),
        ("news.json", "out.json.bz2"),
        ("news.csv.gz", "out.csv"),
    ],
)
def test_other_names_are_taken(name: str, output: str) -> None:
    WRITERS[name](Path(name), ROWS[:3]) if not Path(name).exists() else None

    result = headline("generate", "-m", "m", name, "-o", output)

    assert result.exit_code == 0, result.stderr
    assert Path(output).stat().st_size


@pytest.mark.parametrize("name", ["news.json", "news.parquet", "news.xlsx"])
def test_a_table_can_be_its_own_output(name: str) -> None:
    headline("generate", "-m", "m", name, "-o", "out" + Path(name).suffix)

    result = headline("generate", "-m", "m", name, "-o", name)

    assert result.exit_code == 0, result.stderr
    if name.endswith("xlsx"):  # a workbook has the time in which it was saved
        return
    assert Path(name).read_bytes() == Path("out" + Path(name).suffix).read_bytes()


@pytest.mark.parametrize("name", ["news.csv.gz", "saved", "texts"])
def test_what_is_packed_or_a_folder_cannot(name: str) -> None:
    WRITERS[name](Path(name), ROWS[:3]) if not Path(name).exists() else None

    result = headline("generate", "-m", "m", name, "-o", name)

    assert result.exit_code == 1
    assert "overwrite" in result.stderr or "it is a folder" in result.stderr


@pytest.mark.parametrize(
    "command",
    [
        "generate -m m texts -o texts/new.csv",
        "generate -m m texts -o texts/deeper/new.csv",
        "generate -m m saved -o link/new.parquet",
        "generate -m m texts -o new.csv --explain texts/page.html",
        "prepare texts -o texts",
        "prepare saved -o link --overwrite",
        "prepare news.csv --unpaired texts -o texts",
    ],
)
def test_nothing_is_written_into_a_folder_that_is_read(command: str) -> None:
    Path("link").symlink_to("saved", target_is_directory=True)
    before = sorted(Path().rglob("*"))

    result = headline(*command.split())

    assert result.exit_code == 1 and "which is read" in result.stderr
    assert sorted(Path().rglob("*")) == before


def test_parquet_goes_through_a_pipe() -> None:
    code = "from headline.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", code, "generate", "-m", "m", "news.parquet"],
        capture_output=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert len(pq.read_table(io.BytesIO(done.stdout))) == 3


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
@pytest.mark.parametrize("name", FILES)
def test_a_full_disk_is_told_in_one_line(name: str) -> None:
    result = headline("generate", "-m", "m", name, "-o", "/dev/full")

    assert result.exit_code == 1
    assert result.stderr == "Error: cannot write /dev/full: No space left on device\n"


def test_evaluations_are_compressed_too() -> None:
    WRITERS["news.csv"](Path("many.csv"), ROWS)

    result = headline("evaluate", "-m", "m", "many.csv", "-o", "out.csv.gz", "--json")

    assert result.exit_code == 0, result.stderr
    lines = gzip.decompress(Path("out.csv.gz").read_bytes()).decode().splitlines()
    assert len(lines) == 1 + json.loads(result.stdout)["articles"]
    again = headline("evaluate", "-m", "m", "many.csv", "--compare", "out.csv.gz")
    assert again.exit_code == 0, again.stderr


def test_a_text_in_a_compressed_output(tmp_path: Path) -> None:
    result = headline(
        "generate", "-m", "m", "--lines", "-o", "o.txt.gz", stdin="天\n地"
    )

    assert result.exit_code == 0, result.stderr
    assert gzip.decompress(Path("o.txt.gz").read_bytes()).count(b"\n") == 2
