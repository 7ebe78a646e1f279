"""Bags of tokens: what is counted, and that it is counted right."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from headline.data.bags import BagMaker
from headline.data.store import Dataset, Side, open_dataset
from tests.corpora import prepared

ARTICLES = [
    "央行下调利率，央行3月公布。",
    "央行上调利率！3月起执行吧",
    "央行利率不变3月再说，再说吧",
    "球队利率赢球3比0，球迷欢呼吧",
    "球队输球3比1，球迷散去了吧。",
]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    pairs = [(article, "题目") for article in ARTICLES]
    return open_dataset(prepared(tmp_path / "data", pairs))


def every(dataset: Dataset) -> np.ndarray:
    return np.arange(len(dataset.splits["train"].source))


def characters(maker: BagMaker, dataset: Dataset) -> list[str]:
    """The counted characters, in the order of their columns."""
    tokens = dataset.tokenizer.vocab.tokens
    columns = {int(column): place for place, column in enumerate(maker.columns)}
    return [tokens[columns[column]] for column in range(maker.size)]


def test_letters_of_several_articles_are_counted_as_a_loop_does(
    dataset: Dataset,
) -> None:
    maker = BagMaker.chosen_from(dataset, every(dataset), 99)
    source = dataset.splits["train"].source
    texts = [dataset.decoded(source[place]) for place in range(len(source))]
    occurs = {c: sum(c in text for text in texts) for c in "".join(texts)}
    chosen = characters(maker, dataset)

    assert set(chosen) == {c for c, n in occurs.items() if n >= 3 and c.isalpha()}
    assert "3" not in chosen and "，" not in chosen and "央" in chosen
    bags = maker.bags(source, every(dataset))
    for row, text in zip(bags, texts, strict=True):
        counted = Counter(text)
        assert row.tolist() == [counted[character] for character in chosen]
    np.testing.assert_array_equal(bags.sum(axis=0), maker.totals)
    weights = [np.log(len(texts) / occurs[character]) for character in chosen]
    np.testing.assert_allclose(maker.weights, weights, rtol=1e-6)


def test_the_most_frequent_are_kept_and_only_the_asked_articles_count(
    dataset: Dataset,
) -> None:
    every_one = BagMaker.chosen_from(dataset, every(dataset), 99)
    few = BagMaker.chosen_from(dataset, every(dataset), 2)
    assert few.size == 2
    assert sorted(few.totals) == sorted(every_one.totals)[-2:]
    assert BagMaker.chosen_from(dataset, every(dataset)[:2], 99).size == 0


def test_ids_beyond_the_vocab_are_not_counted() -> None:
    two = np.ones(2, np.float32)
    maker = BagMaker(np.array([0, 1, 2], np.int32), two, two)  # a vocab of two
    offsets = np.array([0, 3])
    side = Side(np.array([1, 2, 9], np.uint16), offsets)
    assert maker.bags(side, [0]).tolist() == [[0.0, 1.0]]
