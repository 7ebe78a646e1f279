"""The tables of the controls come out, and cut headlines are told from whole ones."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from headline.bundle import save_bundle
from headline.settings.search import DecodeConfig
from tests.benchmarks.controls import TABLES, ends_inside_a_word, main
from tests.corpora import CHARACTERS, bracket_pairs, write_pairs
from tests.scripted import tiny_bundle


@pytest.mark.parametrize(
    ("headline", "cut"),
    [
        ("中国科学院公布", False),
        ("中国科学院公", True),
        ("中国科学", True),
        ("与正文无关", False),
    ],
)
def test_a_headline_is_cut_where_no_word_of_the_article_ends(
    headline: str, cut: bool
) -> None:
    assert ends_inside_a_word(headline, "昨日中国科学院公布研究成果") == cut


@pytest.mark.parametrize("name", list(TABLES))
def test_every_table_comes_out(name: str, tmp_path: Path) -> None:
    bundle = replace(tiny_bundle(CHARACTERS), decode=DecodeConfig(max_length=30))
    save_bundle(tmp_path / "model", bundle)
    path = write_pairs(tmp_path / "test.csv", bracket_pairs(3))

    arguments = [str(tmp_path / "model"), str(path), "--table", name]
    result = CliRunner().invoke(main, arguments, catch_exceptions=False)

    assert result.exit_code == 0
    rows = [line for line in result.output.splitlines() if line.startswith("|")]
    assert len({row.count("|") for row in rows}) == 1 and len(rows) >= 4
