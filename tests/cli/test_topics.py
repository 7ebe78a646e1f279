"""``headline topics`` as a user runs it, and what ``headline info`` tells after it."""

import csv
import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headline.cli.main import main
from headline.network import backend
from tests.corpora import THEME_PAIRS, theme_pairs, write_pairs
from tests.test_architecture import loaded_modules

SMALL = "--topics 3 --epochs 20 --batch-size 16 --input-dropout 0.2 --device cpu"


def headline(command: str) -> Result:
    return CliRunner().invoke(main, command.split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("topics")
    pairs = [(title, article) for article, title in theme_pairs()]
    corpus = write_pairs(folder / "news.csv", pairs)
    # Random texts: some would count as unlike their headlines.
    sizes = "--valid-size 0.1 --test-size 0.1 --min-count 1 --no-clean"
    assert headline(f"prepare {corpus} -o {folder / 'data'} {sizes}").exit_code == 0
    return folder


@pytest.fixture(autouse=True)
def _inside(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)


def test_topics_are_printed_written_and_told_by_info(folder: Path) -> None:
    assert json.loads(headline("info data --json").stdout)["topics"] == {}
    assert "\ntopics\n" not in headline("info data").stdout

    first = headline(f"topics data {SMALL}")

    assert first.exit_code == 0, first.output
    head, *lines = first.stdout.splitlines()
    assert head.split() == ["topic", "share", "typical", "words"]
    shares = [f"{pairs / sum(THEME_PAIRS):.1%}" for pairs in sorted(THEME_PAIRS)[::-1]]
    assert [line.split()[:2] for line in lines] == [
        [str(number), share] for number, share in enumerate(shares, 1)
    ]
    assert "the topic of each pair: data/topics.csv" in first.stderr

    again = headline(f"topics data {SMALL} --overwrite --json")
    found = json.loads(again.stdout)
    with Path("data/topics.csv").open(encoding="utf-8", newline="") as stream:
        rows = [row["topic"] for row in csv.DictReader(stream)]
    assert [one["pairs"] for one in found["topics"]] == [
        rows.count(str(one["topic"])) for one in found["topics"]
    ]

    report = Path("data/report.html").read_text("utf-8")
    assert "headline topics DATA_DIR" not in report and "random</h2>" in report
    for one in found["topics"]:
        assert f"{one['pairs']} pairs" in report and one["examples"]
        assert all(example in report for example in one["examples"])

    info = json.loads(headline("info data --json").stdout)
    assert info["topics"] == {str(t["topic"]): t["share"] for t in found["topics"]}
    assert "topics.csv" in info["files"]
    told = headline("info data").stdout.partition("\ntopics\n")[2].splitlines()
    assert told[0].split() == ["1", "0.5"]

    refused("topics data", "data/topics.csv exists: give --overwrite")


def refused(command: str, part: str, code: int = 1) -> None:
    result = headline(command)
    assert result.exit_code == code and result.stdout == "", result.output
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1
    assert part in result.stderr


def test_what_a_user_got_wrong_is_told_in_one_line(tmp_path: Path) -> None:
    refused(f"topics {tmp_path}/missing", "run `headline prepare` first")
    refused(f"topics {tmp_path}", "run `headline prepare` first")
    refused("topics data --overwrite --topics 999", "--topics: must be at most", 2)


def test_without_a_backend_one_line_has_the_pip_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.setattr(backend, "_is_installed", lambda name: False)
    refused("topics data --overwrite", "pip install 'headline[tensorflow]'")


def test_help_and_settings_load_neither_numpy_nor_keras() -> None:
    for option in ("--help", "--print-config"):
        code = (
            "from headline.cli.main import main\n"
            f"main(['topics', '{option}'], standalone_mode=False)"
        )
        loaded = loaded_modules(code)
        assert "click" in loaded and not loaded & {"numpy", "keras", "jax", "tqdm"}
