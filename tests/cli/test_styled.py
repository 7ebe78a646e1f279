"""Headlines in styles on the command line: what comes out, and what is refused."""

import csv
import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headline.bundle import save_bundle
from headline.cli.main import main
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import styled_bundle, tiny_bundle

HAN = "央行今日宣布下调存款准备金率"


def headline(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args], input=HAN)


@pytest.fixture(autouse=True)
def _places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_bundle(Path("m"), styled_bundle(HAN))
    save_bundle(Path("plain"), tiny_bundle(HAN))
    write_pairs(Path("a.csv"), bracket_pairs(6))


def test_each_style_has_a_line_and_each_option_its_effect() -> None:
    every = headline("generate", "-m", "m", "--styles", "--explain", "e.html").stdout
    lines = [line.split("\t") for line in every.splitlines()]
    assert sorted(style for style, _ in lines) == ["1", "2", "3"]
    page = Path("e.html").read_text("utf-8")
    for style, text in lines:
        one = headline("generate", "-m", "m", "--style", style, "--seed", "1").stdout
        assert one == f"{text}\n"
        assert f"· style {style} ·" in page
    two = headline("generate", "-m", "m", "--styles", "--num-headlines", "2").stdout
    assert two.splitlines() == every.splitlines()[:2]


def test_a_table_gets_as_many_columns_as_there_are_styles() -> None:
    done = headline("generate", "-m", "m", "a.csv", "--styles", "--workers", "1")
    header, *rows = csv.reader(io.StringIO(done.stdout))
    assert header[2:] == [
        *("headline", "headline_style"),
        *("headline_2", "headline_2_style"),
        *("headline_3", "headline_3_style"),
    ]
    assert len(rows) == 6
    for row in rows:
        assert sorted(row[3::2]) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("command", "part"),
    [
        ("generate -m plain --styles", "--styles: this model has no headline styles"),
        ("generate -m plain --style 2", "--style: this model has no headline styles"),
        ("evaluate -m plain a.csv --styles", "headline styles -m MODEL_DIR DATA_DIR"),
        ("generate -m m --style 9", "no style '9'; choose from: 1, 2, 3"),
        ("generate -m m --style 1 --styles", "style must be left out with styles"),
        ("generate -m m --styles --sample", "--styles: styles must be off with sample"),
        ("generate -m m --styles --top-p 0.9", "top_p must be 1 without sample"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(command: str, part: str) -> None:
    result = headline(*command.split())
    assert result.exit_code == 2 and part in result.stderr, result.output
    assert result.stderr.count("\n") == 1


def test_evaluation_has_the_measures_of_styles() -> None:
    done = headline("evaluate", "-m", "m", "a.csv", "--styles", "--json")
    assert done.exit_code == 0, done.stderr
    found = json.loads(done.stdout)["styles"]
    assert {"obedience", "chance", "mutual_information", "usage"} <= found.keys()
    assert found["usage"].keys() == found["each"].keys() == {"1", "2", "3"}
    one = headline("evaluate", "-m", "m", "a.csv", "--style", "2", "--json")
    assert "styles" not in json.loads(one.stdout)
