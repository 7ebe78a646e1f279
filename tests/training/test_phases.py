"""Pseudo-pairs get their share of a training, and the pairs what they had without."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.data.store import UNPAIRED, Corpus, Side, Split
from headline.settings.train import MOST_EPOCHS, TrainConfig
from headline.training.phases import ONLY_PAIRS, PAIRS, PSEUDO_PAIRS, Phase, plan_phases
from headline.training.schedule import learning_rate


def split_of(pairs: int) -> Split:
    side = Side(np.zeros(pairs, np.uint16), np.arange(pairs + 1))
    return Split(side, side)


def test_pairs_alone_are_one_phase() -> None:
    splits = {"train": split_of(100)}
    config = TrainConfig(epochs=3, batch_size=32)
    only = [Phase(ONLY_PAIRS, "train", 0.0, 1.0, 12, 4)]

    assert plan_phases(config, splits) == only
    splits[UNPAIRED] = split_of(50)
    assert plan_phases(replace(config, pretrain_share=0.0), splits) == only
    assert len(plan_phases(config, splits)) == 2


@given(
    st.integers(1, 300), st.integers(1, 300), st.integers(1, 9), st.floats(0.01, 0.9)
)
def test_pseudo_pairs_get_their_share_and_pairs_all_their_epochs(
    pairs: int, unpaired: int, epochs: int, share: float
) -> None:
    config = TrainConfig(epochs=epochs, batch_size=16, pretrain_share=share)
    splits = {"train": split_of(pairs), UNPAIRED: split_of(unpaired)}

    first, second = plan_phases(config, splits)

    (alone,) = plan_phases(replace(config, pretrain_share=0.0), splits)
    assert (first.number, first.split) == (PSEUDO_PAIRS, UNPAIRED)
    assert (second.number, second.split) == (PAIRS, "train")
    assert (second.updates, second.epochs) == (alone.updates, epochs)
    total = first.updates + second.updates
    assert share <= first.updates / total + 1e-9 and first.updates - share * total < 1
    assert first.epochs - 1 < first.updates / first.epoch_updates <= first.epochs


def test_weights_count_in_the_updates_of_an_epoch() -> None:
    train = replace(split_of(100), corpora=(Corpus("a", 2.5, 100),))

    (phase,) = plan_phases(TrainConfig(epochs=2, batch_size=25), {"train": train})

    assert (phase.epoch_updates, phase.updates) == (10, 20)


def test_one_schedule_runs_over_both_phases() -> None:
    config = TrainConfig(epochs=4, batch_size=16, pretrain_share=0.25, warmup_updates=0)
    phases = plan_phases(config, {"train": split_of(96), UNPAIRED: split_of(64)})
    places = [(phase, update) for phase in phases for update in range(phase.updates)]

    shares = [phase.progress(update, 0.0) for phase, update in places]

    np.testing.assert_allclose(shares, np.arange(32) / 32)  # 8 updates, and 24
    rates = [learning_rate(config, at, share) for at, share in enumerate(shares)]
    assert all(later < earlier for earlier, later in pairwise(rates))


def test_time_ends_a_phase_where_it_is_over_before_the_updates() -> None:
    phase = Phase(PSEUDO_PAIRS, UNPAIRED, 0.0, 0.25, updates=10, epoch_updates=4)

    assert phase.progress(2, 0.1) == 0.1 and not phase.is_over(2, 0.2)
    assert phase.is_over(2, 0.25) and phase.is_over(10, 0.0)
    second = Phase(PAIRS, "train", 0.25, 1.0, updates=30, epoch_updates=6)
    assert second.progress(0, 0.1) == 0.25  # the first one ended by its updates
    assert second.progress(15, 0.5) == pytest.approx(0.625)
    assert not second.is_over(29, 0.99) and second.is_over(0, 1.0)


def test_with_minutes_and_no_epochs_the_time_alone_counts() -> None:
    config = TrainConfig(max_minutes=60.0, batch_size=16, pretrain_share=0.25)
    splits = {"train": split_of(96), UNPAIRED: split_of(64)}
    first, second = plan_phases(config, splits)

    late = 50 * second.epoch_updates  # far past the epochs of a training without
    assert not second.is_over(late, 0.99) and second.is_over(late, 1.0)
    assert second.progress(late, 0.6) == 0.6  # as far as the learning rate has fallen
    assert not first.is_over(late, 0.24) and first.is_over(late, 0.25)
    both = plan_phases(replace(config, epochs=3), splits)[1]
    assert both.is_over(18, 0.5) and both.progress(9, 0.3) == pytest.approx(0.625)


def test_epochs_to_come_are_those_planned_or_what_the_pace_gives() -> None:
    phase = Phase(PAIRS, "train", 0.25, 1.0, updates=30, epoch_updates=6)

    assert phase.expected_epochs(0, 0.0) == 5
    assert phase.expected_epochs(15, 0.5) == pytest.approx(5)  # ahead of the time
    # A third of its time has gone by with one and a half epochs.
    assert phase.expected_epochs(9, 0.5) == pytest.approx(4.5)
    assert phase.expected_epochs(1, 0.85) == pytest.approx(1 / 6 / 0.8)


def test_a_limit_of_time_alone_sets_none_of_epochs() -> None:
    plain = TrainConfig()
    assert plain.most_epochs == 20
    assert replace(plain, max_minutes=60.0).most_epochs == MOST_EPOCHS
    assert replace(plain, max_minutes=60.0, epochs=3).most_epochs == 3
    train = split_of(100)
    (phase,) = plan_phases(replace(plain, max_minutes=1.0), {"train": train})
    twenty = 20 * phase.epoch_updates
    assert not phase.is_over(twenty, 0.5) and phase.is_over(twenty, 1.0)
    assert phase.progress(twenty, 0.5) == pytest.approx(0.5)
