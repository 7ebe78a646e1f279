"""Every epoch sees as many pairs of each corpus as its weight says, and all in turn."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from headline.data.batches import epoch_places
from headline.data.store import Corpus

corpora_of_any_weight = st.lists(
    st.builds(
        Corpus,
        file=st.just("a.csv"),
        weight=st.floats(0.01, 4) | st.sampled_from([0.3, 0.5, 1.0, 2.0]),
        pairs=st.integers(0, 40),
    ),
    min_size=1,
    max_size=4,
)
numbers = st.integers(0, 2**31 - 1)


def of_each(corpora: list[Corpus], seed: int, epoch: int) -> list[Counter[int]]:
    """Returns of each corpus how often each of its pairs comes in an epoch."""
    places = epoch_places(corpora, seed, epoch)
    ends = np.cumsum([corpus.pairs for corpus in corpora])
    owners = np.searchsorted(ends, places, side="right")
    begins = [0, *ends[:-1]]
    return [
        Counter((places[owners == number] - begin).tolist())
        for number, begin in enumerate(begins)
    ]


@given(corpora_of_any_weight, numbers, st.integers(0, 1000))
def test_epoch_sees_each_pair_as_often_as_the_weight_says(
    corpora: list[Corpus], seed: int, epoch: int
) -> None:
    for corpus, counts in zip(corpora, of_each(corpora, seed, epoch), strict=True):
        assert (
            counts.total() == corpus.epoch_pairs == round(corpus.weight * corpus.pairs)
        )
        least = int(corpus.weight)
        assert all(counts[place] in (least, least + 1) for place in range(corpus.pairs))


@given(corpora_of_any_weight, numbers, st.integers(0, 50), st.integers(1, 9))
def test_no_pair_has_another_turn_before_all_others(
    corpora: list[Corpus], seed: int, first: int, epochs: int
) -> None:
    seen = [Counter[int]() for _ in corpora]
    for epoch in range(first, first + epochs):
        for total, counts in zip(seen, of_each(corpora, seed, epoch), strict=True):
            total.update(counts)

    for corpus, counts in zip(corpora, seen, strict=True):
        often = [counts[place] for place in range(corpus.pairs)]
        assert not often or max(often) - min(often) <= 1


def test_order_of_the_turns_is_shuffled_by_the_seed() -> None:
    corpora = [Corpus("a.csv", 0.25, 400), Corpus("b.csv", 0.25, 400)]

    first, second = (epoch_places(corpora, seed, 0).tolist() for seed in (1, 2))

    assert first == epoch_places(corpora, 1, 0).tolist() != second
    assert max(first[:100]) - min(first[:100]) > 200  # not one after the other
    assert [place - 400 for place in first[100:]] != first[:100]  # nor alike
