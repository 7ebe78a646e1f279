"""Simplified or traditional: told by characters that belong to one script only."""

import pytest

from headline.text.scripts import SIMPLIFIED, TRADITIONAL, script_of, total


def test_no_character_belongs_to_both_scripts() -> None:
    assert not SIMPLIFIED & TRADITIONAL
    assert len(SIMPLIFIED) == len(TRADITIONAL) > 400


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("中国经济发展良好，外贸增长", "simplified"),
        ("中國經濟發展良好，外貿增長", "traditional"),
        ("中国经济发展良好，外貿增長", "mixed"),
        ("中国经济发展良好，外贸增长，转载自聯合報", "mixed"),
        ("北京天气", "simplified"),
        ("GDP 2026，小雨", "neither"),
        ("", "neither"),
    ],
)
def test_the_script_of_a_text(text: str, script: str) -> None:
    assert script_of(text) == script


def test_one_name_in_the_other_script_does_not_make_a_text_mixed() -> None:
    assert script_of("我国经济发展，对外贸易增长，进一步开放市场，转载龍") == (
        "simplified"
    )


def test_occurrences_of_a_script_are_added_up() -> None:
    counts = {"国": 3, "國": 2, "中": 100, "门": 1}
    assert total(counts, SIMPLIFIED) == 4
    assert total(counts, TRADITIONAL) == 2
