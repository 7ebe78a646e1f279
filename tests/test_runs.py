"""Runs are maximal, and numbers keep their point, sign and magnitude."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.runs import latin_words, numbers, runs, spans, starts_run


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("上半年营收12.95万亿元", ["12.95万亿"]),
        ("同比增长3.5%。", ["3.5%"]),
        ("最低气温3℃，最高9.", ["3℃", "9"]),
        ("C919和5G", ["C", "919", "5", "G"]),
        ("共1,234人,5人", ["1,234", "5"]),
        ("10:30开赛，比分3:1", ["10:30", "3:1"]),
        ("没有数字，百万人", []),
        ("Café与WTO", ["Café", "WTO"]),
    ],
)
def test_a_run_is_whole(text: str, expected: list[str]) -> None:
    assert runs(text) == expected


@given(st.text(alphabet="12.,:%万亿aB中 "))
def test_numbers_and_latin_words_are_the_runs(text: str) -> None:
    found = runs(text)

    assert sorted(numbers(text) + latin_words(text)) == sorted(found)
    assert [text[begin:end] for begin, end in spans(text)] == found
    assert starts_run(text) == bool(found)
    # Nothing that could begin a run is left outside of them.
    outside = list(text)
    for begin, end in spans(text):
        outside[begin:end] = " " * (end - begin)
    assert not starts_run("".join(outside))
