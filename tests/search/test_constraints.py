"""Whatever way a headline takes through a constraint, it keeps what was asked."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headline.errors import ConfigError
from headline.search.constraints import FORBIDDEN, Constraint, constraint
from headline.search.whole_runs import WholeRuns
from headline.settings.search import DecodeConfig
from headline.text.normalise import normalise
from headline.text.source import Source
from headline.text.spans import runs
from headline.text.tokenizer import (
    CharTokenizer,
    Tokenizer,
    Vocab,
    WordTokenizer,
)

LETTERS = "12.9%万AB中国上海"
CHARS = CharTokenizer(Vocab.from_counts(Counter(LETTERS * 9), 100, 1))
WORDS = WordTokenizer(
    Vocab.from_counts(
        Counter(LETTERS) | Counter({"12": 9, "2.9": 9, "上海": 9}), 100, 1
    )
)
words = st.lists(st.text("12中国上海", min_size=1, max_size=3), max_size=2)


def bound(article: str, tokenizer: Tokenizer = CHARS, **asked: Any) -> Constraint:
    source = Source.read(article, tokenizer, 50)
    return Constraint(source, DecodeConfig(**asked), tokenizer)


def follow(rule: Constraint, text: str) -> int:
    """The state after a text, character by character."""
    state = 0
    for character in text:
        token = int(CHARS.encode(character, rule.extra).ids[0])
        state = rule.follow(state, token)
        if state == FORBIDDEN:
            break
    return state


@pytest.mark.parametrize(
    ("headline", "whole"),
    [
        ("营收12.95万亿元", True),
        ("营收12.95亿元", False),
        ("营收12.9", False),
        ("营收12", False),
        ("第3家", True),
        ("第3.家", True),  # a full stop, not a decimal point
        ("第3.1家", False),
        ("C919首飞", True),
        ("C91首飞", False),
        ("CA919", False),
        ("首飞元", True),
    ],
)
def test_a_number_is_written_whole_or_not_at_all(headline: str, whole: bool) -> None:
    rule = bound("上半年营收12.95万亿元，第3家，C919首飞")

    state = follow(rule, headline)

    assert (state != FORBIDDEN and rule.need(state) == 0) == whole


def test_a_run_that_was_asked_for_may_be_written() -> None:
    rule = bound("上海时代年", prefix="5G", must_include=("2030年",))

    state = follow(rule, "5G时代2030年")

    assert state != FORBIDDEN and rule.need(state) == 0


def paths(rule: Constraint, tokenizer: Tokenizer, most: int) -> Iterator[str]:
    """The texts of all token sequences that may end, up to so many tokens."""
    tokens = [*range(4, len(tokenizer.vocab.tokens))]
    level = [(0, "")]
    for _ in range(most + 1):
        yield from (text for state, text in level if rule.need(state) == 0)
        level = [
            (after, text + tokenizer.decode([token], rule.extra))
            for state, text in level
            for token in tokens
            if (after := rule.follow(state, token)) != FORBIDDEN
        ]


@given(
    article=st.text(LETTERS, max_size=10),
    include=words,
    avoid=words,
    kind=st.sampled_from(["char", "word"]),
)
def test_every_way_to_an_end_keeps_all_rules(
    article: str, include: list[str], avoid: list[str], kind: str
) -> None:
    tokenizer = CHARS if kind == "char" else WORDS
    source = Source.read(article, tokenizer, 50)
    try:
        config = DecodeConfig(must_include=tuple(include), avoid=tuple(avoid))
        rule = Constraint(source, config, tokenizer)
    except ConfigError:
        assert any(bad in word for bad in avoid for word in include)
        return
    allowed = {*source.runs, *runs(" ".join(include))}

    for text in paths(rule, tokenizer, 2):
        assert set(runs(text)) <= allowed
        assert all(word in text for word in include)
        assert not any(word in text for word in avoid)


@given(article=st.text(LETTERS, max_size=10), include=words, data=st.data())
def test_the_wanted_tokens_lead_to_an_end_in_no_more_than_the_need(
    article: str, include: list[str], data: st.DataObject
) -> None:
    rule = bound(article, must_include=tuple(include))
    state = 0
    for _ in range(data.draw(st.integers(0, 6))):
        token = data.draw(st.integers(4, 3 + len(LETTERS)))
        after = rule.follow(state, token)
        state = state if after == FORBIDDEN else after

    need = rule.need(state)
    while rule.need(state):
        ways = [rule.follow(state, token) for token in rule.wanted(state)]
        if all(one == FORBIDDEN for one in ways):  # a number after a number: a gap
            ways = [rule.follow(state, token) for token in CHARS.encode("中国").ids]
        ahead = {rule.need(one): one for one in ways if one != FORBIDDEN}
        assert min(ahead) < rule.need(state)
        state, need = ahead[min(ahead)], need - 1
    assert need >= 0


def test_the_prefix_is_forced_token_by_token() -> None:
    rule = bound("上海", prefix="中囧")  # the second is in no vocab and no article
    first, second = (int(token) for token in CHARS.encode("中囧").ids)

    assert rule.wanted(0) == [first] and rule.need(0) == 2
    assert rule.follow(0, second) == FORBIDDEN
    state = rule.follow(0, first)
    assert rule.wanted(state) == [second] and rule.need(state) == 1
    assert rule.extra == ("囧",)
    assert rule.need(rule.follow(state, second)) == 0


def test_progress_counts_whole_and_begun_words() -> None:
    rule = bound("中国上海", must_include=("上海", "中国"))

    assert [rule.written(follow(rule, text)) for text in ("", "国", "中", "上海")] == [
        *(0, 0, 1, 2)
    ]
    assert rule.written(follow(rule, "上海中")) == 3
    assert rule.need(follow(rule, "上海中")) == 1


@pytest.mark.parametrize(
    ("asked", "named"),
    [
        ({"prefix": "上海人", "avoid": ("海",)}, "avoid"),
        ({"must_include": ("上海",), "avoid": ("上",)}, "avoid"),
        ({"must_include": ("上海", "中国"), "max_length": 3}, "max_length"),
        ({"prefix": "上海", "must_include": ("中",), "max_length": 2}, "max_length"),
        ({"must_include": ("上", "\u200b")}, "must_include"),
        ({"avoid": ("\ufeff",)}, "avoid"),
    ],
)
def test_wishes_that_contradict_each_other_are_named(
    asked: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        bound("上海", **asked)
    assert caught.value.setting == named


def test_nothing_binds_where_nothing_is_asked() -> None:
    source = Source.read("上海12", CHARS, 50)

    assert constraint(source, DecodeConfig(exact_numbers=False), CHARS) is None
    assert constraint(source, DecodeConfig(), CHARS) is not None


# What writes runs that begin, hold or nearly are others.
PIECES = (
    *"1280 ABC.:,/'+-—～$×%℃²万年月日至到中，#👩🏽🇨\u200d\ufe0f",
    *("--", "++", "138", "400", "12", "-3"),
)


# Of many pieces few make a run: it takes more examples than other tests.
@settings(max_examples=10 * settings().max_examples)
@given(st.data())
def test_a_text_is_let_through_just_if_all_its_runs_are_the_articles(
    data: st.DataObject,
) -> None:
    """However it is cut into tokens; the brute force looks at all ways on."""
    some = data.draw(st.lists(st.sampled_from(PIECES), min_size=2, max_size=6))
    article = "".join(data.draw(st.lists(st.sampled_from(some), max_size=12)))
    allowed = {*runs(article)}
    rule = WholeRuns(allowed)
    ways_on = {run[size:] for run in allowed for size in range(len(run) + 1)} | {""}
    begun = sorted(rule.begun) or some
    text = tail = ""
    for _ in range(data.draw(st.integers(1, 6))):
        token = data.draw(st.sampled_from(some) | st.sampled_from(begun))
        text += token
        after = rule.tail(tail + token)
        lengths = [len(way) for way in ways_on if {*runs(text + way)} <= allowed]
        assert (after is not None) == bool(lengths)
        if after is None:
            return
        tail = after
        assert rule.is_whole(tail) == ({*runs(text)} <= allowed)
        assert min(map(len, rule.endings(tail)), default=0) == min(lengths)


@pytest.mark.parametrize(
    ("article", "headline", "whole"),
    [
        ("以3：2战胜", "3:2战胜", True),
        ("以3：2战胜", "2战胜", False),
        ("13：33结束", "33结束", False),
        ("0.41%～0.47%，2025—2027年", "0.41%", False),
        ("0.41%～0.47%，2025—2027年", "2025年", False),
        ("0.41%～0.47%，2025—2027年", "2025—2027年", True),
        ("5和5-10", "5月", True),
        ("5和5-10", "5-10月", True),
        ("5和5-10", "5-1月", False),
        ("12和12.95万", "12月", True),
        ("C919和C91", "C91和", True),
        ("C919", "C91", False),
        ("C919", "919", False),
        ("010-12389", "12389", False),
        ("-3℃", "3℃", False),
        ("零下3℃", "-3℃", False),
        ("+5%", "+5%", True),
        ("👩\u200d💻", "👩", False),
        ("👩\u200d💻", "👩\u200d💻", True),
        ("👩", "👩\u200d", False),
        ("🇨🇳和🇺🇸", "🇨🇸", False),
        ("1至11月", "11月", False),
    ],
)
def test_a_headline_holds_whole_runs_of_every_kind(
    article: str, headline: str, whole: bool
) -> None:
    rule = WholeRuns(runs(normalise(article)))
    tail: str | None = ""

    for character in headline:
        tail = None if tail is None else rule.tail(tail + character)

    assert (tail is not None and rule.is_whole(tail)) == whole


def test_each_asked_word_has_runs_of_its_own() -> None:
    rule = bound("上海", prefix="138", must_include=("0013",))  # no telephone number

    state = follow(rule, "138上0013")

    assert state != FORBIDDEN and rule.need(state) == 0


def test_a_run_that_no_headline_has_room_for_is_left_out() -> None:
    rule = bound("12.9、2.99", max_length=3)

    assert rule.whole_runs is not None and not rule.whole_runs.whole
    rule = bound("12.9、2.9", prefix="12.9", max_length=4)
    assert rule.whole_runs is not None and rule.whole_runs.whole == {"12.9", "2.9"}


def test_a_character_behind_a_number_is_not_more_of_it() -> None:
    rule = bound("12月12日至5月7日")
    before, after = follow(rule, "12"), follow(rule, "12月")

    assert after != FORBIDDEN and not rule.goes_on(before, after)
    assert rule.goes_on(follow(rule, "1"), before)


def test_whole_runs_offer_what_makes_a_run_whole() -> None:
    allowed = WholeRuns(["2.9%", "29", "2"])

    assert set(allowed.endings("2.")) == set()  # "2" is whole, and a stop may follow
    assert set(WholeRuns(["2.9%", "29"]).endings("2")) == {".9%", "9"}
    assert allowed.tail("2.9") == "2.9" and not allowed.is_whole("2.9")
    assert allowed.tail("2.8") is None
