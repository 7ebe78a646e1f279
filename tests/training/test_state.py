"""What a training knows of its epochs: whose weights it keeps, when it is stale."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from headline.evaluation.metrics import Rouge
from headline.training.phases import ONLY_PAIRS, PAIRS, PSEUDO_PAIRS, Phase
from headline.training.state import TrainingState

PHASE = Phase(ONLY_PAIRS, "train", 0.0, 1.0, updates=1000, epoch_updates=10)


def scores(mean: float, seed: int = 1, articles: int = 100) -> list[float]:
    """Scores of articles, about as far apart as those of headlines are."""
    drawn = np.random.default_rng(seed).normal(0, 20, articles)
    return list(drawn - drawn.mean() + mean)


def keeps(state: TrainingState, rouge_l: list[float]) -> bool:
    """Ends an epoch as the validation does."""
    is_kept = state.is_kept(rouge_l)
    state.compare(rouge_l)
    return is_kept


def with_history(*rouge_l: float) -> TrainingState:
    return TrainingState(history=[{"rouge_l": score} for score in rouge_l])


def test_an_epoch_is_kept_unless_it_is_clearly_lower_than_the_highest() -> None:
    state = TrainingState()
    kept = [
        keeps(state, scores(mean, seed))
        for seed, mean in enumerate([40.0, 50.0, 48.0, 35.0, 46.0, 52.0])
    ]
    # A mean of 100 differences that are 28 apart is off by 2.8: 15 are too many.
    assert kept == [True, True, True, False, True, True]
    assert np.mean(state.highest) == pytest.approx(52.0)


def test_small_steps_down_do_not_add_up() -> None:
    """Each is compared with the highest, not with the one before it."""
    means = enumerate([50.0, 46.0, 42.0, 38.0])
    state = TrainingState()
    kept = [keeps(state, scores(mean, seed)) for seed, mean in means]
    assert kept == [True, True, False, False]
    assert np.mean(state.highest) == pytest.approx(50.0)


def test_what_pseudo_pairs_taught_does_not_count_in_the_next_phase() -> None:
    state = TrainingState(phase=PSEUDO_PAIRS)
    assert keeps(state, scores(60.0))
    state.enter(replace(PHASE, number=PAIRS))
    assert keeps(state, scores(30.0))


def test_the_state_comes_back_from_a_checkpoint() -> None:
    state = TrainingState(best=Rouge(3.0, 2.0, 1.0), best_epoch=4, highest=[1.5, 2.5])
    assert TrainingState.from_dict(json.loads(json.dumps(asdict(state)))) == state


@pytest.mark.parametrize(
    "rouge_l, patience, epoch",
    [
        ([5, 1, 2], 2, 3),
        ([5, 1, 2, 9, 9, 9], 2, 3),
        ([5, 1, 6, 6, 6], 2, 5),
        ([1, 2, 3, 4, 5], 2, None),
        ([5, 1], 2, None),
        ([5, 5], 1, 2),
        ([5, 5, 5, 5], 0, None),
    ],
)
def test_a_training_is_stale_after_patience(
    rouge_l: list[float], patience: int, epoch: int | None
) -> None:
    state = with_history(*rouge_l)
    row = state.stale_epoch(patience)
    assert row is (None if epoch is None else state.history[epoch - 1])


def test_epochs_of_the_phase_before_do_not_make_it_stale() -> None:
    state = with_history(9, 9, 1, 2)
    state.epochs_before = 2
    assert state.stale_epoch(2) is None
    assert with_history(9, 9, 1, 2).stale_epoch(2) is not None
