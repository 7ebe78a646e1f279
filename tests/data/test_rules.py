"""The sample depends on its texts alone, and overlaps are those of plain Python."""

import random
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.data.affixes import END, START, Affix, HeadlineRules
from headline.data.frames import learn_articles
from headline.data.rules import learn, overlaps
from headline.data.sample import RowFile, Sample
from headline.formats.records import Row, Rows
from headline.settings.clean import CleanConfig
from tests.data import dirt

CHARACTERS = "央行降息，今日 a1"
both = st.tuples(st.text(CHARACTERS, max_size=8), st.text(CHARACTERS, max_size=30))


@given(st.lists(both, max_size=40), st.randoms(use_true_random=False))
def test_sample_is_the_same_in_any_order_and_with_duplicates(
    pairs: list[tuple[str, str]], rng: random.Random
) -> None:
    more = [*pairs, *rng.choices(pairs, k=9)] if pairs else []
    rng.shuffle(more)
    one, other = Sample(5), Sample(5)
    one.add([target for target, _ in pairs], [source for _, source in pairs])
    for target, source in more:
        other.add([target], [source])
    assert one.texts() == other.texts()
    assert len(one.texts()[0]) <= 5


def test_sample_holds_no_more_than_its_size() -> None:
    sample = Sample(100)
    for number in range(1000):
        sample.add([f"{number}"], [f"正文{number}"])
        assert len(sample._kept) <= 151
    assert len(sample.texts()[0]) == 100


def test_rows_come_back_as_they_were(tmp_path: Path) -> None:
    blocks = [
        Rows(range(1, 3), [["甲", "乙"], ["丙\ud800", ""]], [], 0, 9),
        Rows([7], [["丁"], ["戊"]], [Row(8, {"a": [1]}, "bad")], 1, 20),
    ]
    with ExitStack() as stack:
        file = RowFile(stack, tmp_path / "rows")
        for block in blocks:
            file.write(block)
        for _ in range(2):
            for found, block in zip(file.read(), blocks, strict=True):
                assert [list(column) for column in found.texts] == block.texts
                assert list(found.numbers) == list(block.numbers)
                assert (found.file, found.position) == (block.file, block.position)
                assert found.others == block.others


@given(st.lists(both, min_size=1, max_size=8))
def test_overlap_is_the_weighted_share_of_a_headlines_characters(
    pairs: list[tuple[str, str]],
) -> None:
    weights = np.zeros(0x110000, np.float32)
    for place, character in enumerate("央行降息今日a1"):
        weights[ord(character)] = place + 1
    found = overlaps([one for one, _ in pairs], [two for _, two in pairs], weights)
    for (target, source), share in zip(pairs, found.tolist(), strict=True):
        total = sum(float(weights[ord(one)]) for one in target)
        shared = sum(float(weights[ord(one)]) for one in target if one in source)
        assert share == pytest.approx(shared / total if total else 1.0)


def learned(articles: Sequence[str]) -> set[str]:
    rules = learn_articles(articles)
    return {*rules.openings, *rules.closings}


def bodies(number: int = 600) -> list[str]:
    return [pair.source for pair in dirt.sample_pairs()[:number]]


def test_places_become_placeholders_only_if_they_vary() -> None:
    rng = random.Random(1)
    cities = ["北京", "上海", "广州", "纽约", "巴黎", "伦敦", "昆明", "武汉", "成都"]
    many = [
        f"新华社{rng.choice(cities)}{rng.randint(1, 12)}月1日电 {body}"
        for body in bodies()
    ]
    one = [f"云岭社昆明{rng.randint(1, 12)}月1日电 {body}" for body in bodies()]
    assert learned(many) == {"新华社{*}{n}月{n}日电"}
    assert learned(one) == {"云岭社昆明{n}月{n}日电"}


def test_the_same_last_sentence_of_a_few_is_no_closing_line() -> None:
    articles = bodies()
    for place in range(7):
        articles[place] += "事故原因仍在调查中。"
    assert not learned(articles)
    articles[7] += "事故原因仍在调查中。"
    assert learned(articles) == {"事故原因仍在调查中。"}


def test_an_end_that_follows_other_words_is_no_closing_line() -> None:
    articles = [f"{body[:-1]}，事故致{at}人受伤。" for at, body in enumerate(bodies())]
    assert not learned(articles)


def test_the_longest_affix_goes_first_and_something_is_left() -> None:
    texts = [("_在线", END), ("_云岭_在线", END), ("【云岭】", START), ("云岭", START)]
    rules = HeadlineRules([Affix(*one) for one in texts])
    assert [rest for _, rest in rules.removals("【云岭】央行降准_云岭_在线")] == [
        "【云岭】央行降准",
        "央行降准",
    ]
    assert rules.removals("云岭_在线") == [(Affix("_在线", END), "云岭")]
    assert rules.removals("央行降准") == []


def test_affixes_behind_each_other_are_all_found() -> None:
    pairs = dirt.sample_pairs()[:300]
    headlines = [f"{pair.target}_要闻_云岭在线" for pair in pairs]
    rules = learn(headlines, [pair.source for pair in pairs], CleanConfig())
    assert {affix.text for affix in rules.headlines.affixes} == {"_要闻", "_云岭在线"}
