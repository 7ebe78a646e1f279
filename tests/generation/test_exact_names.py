"""Exact names: articles whose headlines have other names are searched again."""

import random
from dataclasses import replace
from typing import Any

import pytest

from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.settings.search import DecodeConfig
from headline.text.names import unsupported_names
from tests.scripted import styled_bundle, texts, tiny_bundle

# Characters of many places and people; a model at random writes wrong ones.
HAN = "北京东京山东山西河南湖南湖北王毅张明中国美国"
BUNDLE = tiny_bundle(HAN * 3, vocab_size=24)
MIXED = random.Random(3)
ARTICLES = ["".join(MIXED.choices(HAN + "，的", k=14 + at)) for at in range(24)]


def generated(articles: list[str] = ARTICLES, **settings: Any) -> list[list[Headline]]:
    config = DecodeConfig(**{"max_length": 6, "batch_size": 8} | settings)
    return Generator.from_bundle(BUNDLE, config).generate(articles)


def wrong(found: list[list[Headline]], known: str = "") -> list[bool]:
    """Whether some headline of each article has a name that the article lacks."""
    return [
        any(unsupported_names(one.text, article + known) for one in headlines)
        for article, headlines in zip(ARTICLES, found, strict=True)
    ]


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_headlines": 3},
        {"num_headlines": 2, "diversity": 1.0},
        {"consensus": True},
        {"sample": True, "seed": 2},
    ],
)
def test_only_articles_with_wrong_names_get_other_headlines(
    settings: dict[str, Any],
) -> None:
    plain = generated(exact_names=False, **settings)
    exact = generated(exact_names=True, **settings)

    before, after = wrong(plain), wrong(exact)

    assert sum(before) > 5 * sum(after) and not all(before)
    for one, other, was_wrong, is_wrong in zip(
        plain, exact, before, after, strict=True
    ):
        if not was_wrong or is_wrong:  # nothing to do, or nothing else can be written
            assert [line.text for line in one] == [line.text for line in other]


def test_each_score_is_that_of_the_model() -> None:
    generator = Generator.from_bundle(BUNDLE, DecodeConfig(max_length=6))
    found = [headlines[0] for headlines in generator.generate(ARTICLES)]

    scores = generator.score(ARTICLES, [one.text for one in found])

    assert [one.score for one in found] == pytest.approx(scores, abs=1e-4)


def test_batches_do_not_matter() -> None:
    alone = [generated([article])[0] for article in ARTICLES]
    assert texts(generated()) == texts(alone)


def test_an_article_may_choose() -> None:
    config = DecodeConfig(max_length=6)
    configs = [replace(config, exact_names=bool(at % 2)) for at in range(len(ARTICLES))]

    found = Generator.from_bundle(BUNDLE, config).generate(ARTICLES, configs)

    ways = texts(generated(exact_names=False)), texts(generated(exact_names=True))
    expected = [way for at in range(len(ARTICLES)) for way in [ways[at % 2][at]]]
    assert texts(found) == expected and ways[0] != ways[1]


@pytest.mark.parametrize("asked", [{"prefix": "大阪"}, {"must_include": ("大阪",)}])
def test_names_that_are_asked_for_are_written(asked: dict[str, Any]) -> None:
    found = generated(max_length=8, **asked)

    assert all("大阪" in one.text for headlines in found for one in headlines)
    assert sum(wrong(found, "。大阪")) < 2 < sum(wrong(found))


def test_they_hold_in_every_style() -> None:
    bundle = styled_bundle(HAN * 3)
    plain, exact = (
        Generator.from_bundle(
            bundle, DecodeConfig(max_length=6, styles=True, exact_names=names)
        ).generate(ARTICLES)
        for names in (False, True)
    )
    assert sum(wrong(plain)) > sum(wrong(exact))
