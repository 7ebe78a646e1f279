"""Columns are found by their names, however these are spelt."""

from pathlib import Path

import pytest

from headline.formats.columns import count_known, plain_name, same_name, without_blank
from tests.reading import PAIR, fault, read, to_csv, write


@pytest.mark.parametrize(
    ("target", "source"),
    [
        ("标题", "内文"),
        ("新闻标题", "新闻内容"),
        ("標題", "內文"),
        (" Title ", "CONTENT"),
        ("ＴＩＴＬＥ", "正 文"),
        ("news_title", "News-Content"),
        ("新 闻 标 题", "文章"),
        ("summary", "text"),
    ],
)
def test_names_are_known_in_every_spelling(
    tmp_path: Path, target: str, source: str
) -> None:
    path = write(tmp_path / "a.csv", to_csv([[target, source], PAIR[::-1]]))

    assert read(path) == [PAIR]


def test_a_name_of_the_user_counts_for_the_delimiter_too(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", f"甲,一;乙\n{PAIR.target};{PAIR.source}\n")

    assert read(path, source_column="乙", target_column="甲,一") == [PAIR]


def test_an_error_names_the_option_that_helps(tmp_path: Path) -> None:
    one = fault(write(tmp_path / "one.csv", "甲:乙\n1:2\n"))
    two = fault(write(tmp_path / "two.csv", "甲,标题\n1,2\n"))
    twice = fault(write(tmp_path / "twice.csv", "Title,title,text\n1,2,3\n"))

    assert "--source-column" in one and "--delimiter" in one
    assert "--source-column" in two and "--delimiter" not in two
    assert "more than one" in twice and "--target-column" in twice


def test_plain_names() -> None:
    assert plain_name(" News_Title-１ ") == "newstitle1"
    assert same_name("內 文", "內文") and not same_name("内文", "正文")
    assert count_known(["标题", "x", "y"], ["Y"]) == 2


@pytest.mark.parametrize("blank", [0, 1, 2, 3])
def test_blank_names_are_left_out_at_the_end_alone(blank: int) -> None:
    names = ("标题", "", "正文")
    assert without_blank([*names, *([" "] * blank)]) == names
