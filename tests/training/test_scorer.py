"""What is written and scored after each epoch."""

from types import SimpleNamespace
from typing import Any

import pytest

from headline.data.corpus import Pair
from headline.settings.presets import PRESETS
from headline.text.source import Source
from headline.training.scorer import Scorer
from tests.scripted import CopyEngine, char_tokenizer

HAN = "央行今日宣布下调存款准备金率"
PAIRS = [Pair(HAN, "央行降准"), Pair(HAN[4:], "下调准备金")]


@pytest.fixture
def scorer(monkeypatch: pytest.MonkeyPatch) -> Scorer:
    dataset = SimpleNamespace(
        tokenizer=char_tokenizer(HAN),
        config=SimpleNamespace(max_source_length=6),
        sample=lambda split, wanted: PAIRS,
    )
    run = PRESETS["pointer"]
    training: Any = SimpleNamespace(
        dataset=dataset,
        run=SimpleNamespace(train=run.train, decode=run.decode),
        model=None,
        wish=SimpleNamespace(check=lambda: None),
        group=SimpleNamespace(is_alone=True),
    )
    monkeypatch.setattr("headline.training.scorer.device_in_use", lambda: "CPU")
    monkeypatch.setattr(Scorer, "_engine", lambda _: CopyEngine(4))
    return Scorer(training)


def test_the_articles_are_read_once_for_all_epochs(
    scorer: Scorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(Source, "of_normalised")

    first, second = scorer.write(), scorer.write()

    assert first.headlines == second.headlines == [HAN[:4], HAN[4:8]]


def test_the_headlines_are_marked_against_their_own_pairs(scorer: Scorer) -> None:
    written = scorer.write()

    assert [one.length for one in written.marks] == [4, 4]
    assert written.rouge_l == pytest.approx([50.0, 2 * 2 / (4 + 5) * 100])
    assert [one.exact for one in scorer.references.marks] == [True, True]
