"""Every epoch sees as many pairs of each corpus as its weight says, and all in turn."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.data import mapped
from headline.data.batches import (
    SOURCE_STEP,
    TARGET_STEP,
    buckets_of,
    epoch_places,
    plan_batches,
)
from headline.data.store import Corpus, Places, Side, Split

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


# --- the plan stays what it was -------------------------------------------------------


def places_before(corpora: Sequence[Corpus], seed: int, epoch: int) -> Places:
    """The choice of pairs as it was made with eight bytes for each index."""
    parts, begin = [], 0
    for number, corpus in enumerate(corpora):
        rounds = int(corpus.weight)
        rest = corpus.epoch_pairs - rounds * corpus.pairs
        every = np.repeat(np.arange(corpus.pairs), rounds)
        if rest:
            turn = (epoch * rest + np.arange(rest)) % corpus.pairs
            generator = np.random.default_rng((seed, number, 1))
            every = np.concatenate([every, generator.permutation(corpus.pairs)[turn]])
        parts.append(every + begin)
        begin += corpus.pairs
    return np.concatenate(parts)


def plan_before(
    buckets: Places, size: int, seed: int, epoch: int, corpora: Sequence[Corpus]
) -> list[list[int]]:
    """The plan as it was made by sorting all indices at once."""
    generator = np.random.default_rng((seed, epoch))
    seen = places_before(corpora, seed, epoch) if corpora else np.arange(len(buckets))
    shuffled = seen[generator.permutation(len(seen))]
    ordered = shuffled[np.argsort(buckets[shuffled], kind="stable")]
    batches = [ordered[at : at + size].tolist() for at in range(0, len(ordered), size)]
    return [batches[index] for index in generator.permutation(len(batches))]


@given(
    corpora_of_any_weight | st.just([]),
    numbers,
    st.integers(0, 50),
    st.integers(1, 9),
    st.integers(1, 70_000),
    st.integers(1, 50),
)
def test_plan_is_what_it_was(
    corpora: list[Corpus], seed: int, epoch: int, size: int, widest: int, chunk: int
) -> None:
    pairs = sum(corpus.pairs for corpus in corpora) if corpora else 70
    buckets = np.random.default_rng(seed).integers(0, widest, pairs)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "CHUNK", chunk)
        plan = plan_batches(buckets, size, seed, epoch, corpora)
        chosen = epoch_places(corpora, seed, epoch) if corpora else None

    assert [batch.tolist() for batch in plan] == plan_before(
        buckets, size, seed, epoch, corpora
    )
    assert all(batch.dtype == np.intp for batch in plan)
    if chosen is not None:
        assert chosen.tolist() == places_before(corpora, seed, epoch).tolist()


@given(
    st.lists(st.tuples(st.integers(1, 900), st.integers(1, 60)), max_size=50),
    st.integers(1, 20),
)
def test_buckets_are_what_they_were(lengths: list[tuple[int, int]], chunk: int) -> None:
    sides = []
    for number in range(2):
        ends = np.cumsum([0, *(pair[number] for pair in lengths)], dtype=np.int64)
        sides.append(Side(np.zeros(ends[-1], np.uint16), ends))
    split = Split(*sides)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mapped, "CHUNK", chunk)
        buckets = buckets_of(split)

    source = (split.source.lengths() - 1) // SOURCE_STEP
    target = split.target.lengths() // TARGET_STEP
    most = int(target.max(initial=0))
    turned = np.where(source % 2, most - target, target)
    assert buckets.tolist() == (source * (most + 1) + turned).tolist()
