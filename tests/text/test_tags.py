"""Tags: those of jieba, without the second that it takes to load."""

import csv
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.text.tags import tagged
from headline.text.words import _jieba, _without

SAMPLE = Path(__file__).parent.parent.parent / "data" / "sample.csv"
HAN = re.compile("[一-鿕]+")


Cut = Callable[[str], list[tuple[str, str]]]


def pairs(text: str) -> list[tuple[str, str]]:
    return [(word.text, word.tag) for word in tagged(text)]


@pytest.fixture(scope="module")
def by_jieba() -> Cut:
    """The words of a Chinese text and their tags, as jieba itself finds them."""
    _jieba().setLogLevel("WARNING")
    with _without("pkg_resources"):
        from jieba import posseg

    def cut(text: str) -> list[tuple[str, str]]:
        parts = HAN.findall(text)
        return [tuple(pair) for part in parts for pair in posseg.lcut(part, HMM=False)]

    return cut


def test_words_and_tags_of_headlines_are_those_of_jieba(by_jieba: Cut) -> None:
    with SAMPLE.open(encoding="utf-8") as file:
        headlines = [row["title"] for row in csv.DictReader(file)][::20]
    for headline in headlines:
        assert pairs(headline) == by_jieba(headline)


@given(st.text("吉林大学省一中国人民共和王毅会见东京上海市长江三峡", max_size=20))
def test_words_and_tags_of_any_text_are_those_of_jieba(
    by_jieba: Cut, text: str
) -> None:
    assert pairs(text) == by_jieba(text)


@given(st.text("一中国ab 1，。龘😀", max_size=12))
def test_words_stand_in_the_text_at_their_places(text: str) -> None:
    words = tagged(text)

    assert all(text[word.begin : word.end] == word.text for word in words)
    assert "".join(word.text for word in words) == "".join(HAN.findall(text))


def test_tagging_does_not_load_jieba() -> None:
    code = (
        "import sys; from headline.text.tags import tagged;"
        "print(tagged('北京')[0].tag, 'jieba' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["ns", "False"]
