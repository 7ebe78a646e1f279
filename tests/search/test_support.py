"""A headline that a model knows by heart, whatever the article says, comes last."""

from dataclasses import replace
from typing import Any

import pytest

from headline.bundle import Bundle
from headline.generation.generator import Generator
from headline.generation.headlines import Headline
from headline.search import support
from headline.search.support import is_supported
from headline.settings.search import DecodeConfig
from tests.scripted import tiny_bundle

ARTICLE = "央行今日宣布下调存款准备金率"
BY_HEART = "滨江晨报"


def reciting_model() -> Bundle:
    """Returns a model that was never trained, but likes a few characters."""
    bundle = tiny_bundle(ARTICLE + BY_HEART, vocab_size=40)
    weights = {name: value.copy() for name, value in bundle.weights.items()}
    for character in BY_HEART:
        weights["output/bias"][bundle.tokenizer.vocab.tokens.index(character)] += 9.0
    weights["pointer/gate/bias"] += 8.0  # towards writing, away from copying
    return replace(bundle, weights=weights)


def headlines(article: str = ARTICLE, **settings: Any) -> list[Headline]:
    config = DecodeConfig(
        **{"max_length": 4, "beam_size": 16, "beam_threshold": 0.0} | settings
    )
    (found,) = Generator.from_bundle(reciting_model(), config).generate([article])
    return found


@pytest.mark.parametrize(
    ("headline", "held"),
    [
        ("央行下调", True),
        ("央行……下调！", True),
        ("央行公告某某", False),  # 2 of 6
        ("央行公告某", True),  # 2 of 5
        ("滨江晨报", False),
        ("——", True),
    ],
)
def test_two_characters_of_five_are_support(headline: str, held: bool) -> None:
    assert is_supported(headline, ARTICLE) == held


@pytest.mark.parametrize("way", [{}, {"consensus": True}, {"num_headlines": 4}])
def test_the_best_headline_has_support(
    way: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = headlines(**way)

    held = [is_supported(one.text, ARTICLE) for one in found]
    assert held[0] and held == sorted(held, reverse=True)
    with monkeypatch.context() as patch:
        patch.setattr(support, "SUPPORT", 0.0)
        likeliest = headlines(**way)[0]
    assert not is_supported(likeliest.text, ARTICLE)


def test_what_the_user_requires_needs_no_support() -> None:
    for way in ({"prefix": BY_HEART}, {"must_include": (BY_HEART,)}):
        assert BY_HEART in headlines(max_length=8, **way)[0].text


def test_if_no_headline_has_support_the_first_is_kept() -> None:
    assert headlines("天地玄黄", num_headlines=1)[0].text
