"""Rates of single weights, frozen weights, clipping: what one update changes."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from headline.errors import TrainingError
from headline.network.model import HeadlineModel, weight_arrays
from headline.settings.train import RATES, OptimizerKind, TrainConfig
from headline.training.optimizers import make_optimizer
from tests.models import (
    TINY,
    random_model,
    random_sources,
    training_batch,
    without_dropout,
)

SMALL = without_dropout(replace(TINY["pointer"], decoder_layers=1))
# A plain step, so that a change is the rate times the gradient.
SGD = TrainConfig(optimizer="sgd", learning_rate=0.01, clip_norm=0.0)


def changes(config: TrainConfig) -> dict[str, np.ndarray]:
    """What one update from the same start adds to each weight."""
    keras.utils.set_random_seed(1)
    model = random_model(SMALL)
    model.compile(make_optimizer(model, config), run_eagerly=True)
    before = weight_arrays(model)
    update(model)
    after = weight_arrays(model)
    return {name: after[name] - before[name] for name in before}


def update(model: HeadlineModel) -> None:
    copy_ids = random_sources(SMALL, [9, 6])
    batch = training_batch(SMALL, copy_ids, [copy_ids[0, 2:5].tolist(), [7, 8]])
    model.train_on_batch(batch)


def norm(arrays: dict[str, np.ndarray]) -> float:
    return float(np.sqrt(sum(np.square(array).sum() for array in arrays.values())))


def test_a_multiplier_scales_the_step_of_the_weights_it_names_and_no_others() -> None:
    plain = changes(SGD)
    scaled = changes(
        replace(SGD, lr_multiplier=("^encoder=0.25", "encoder_0/forward=3"))
    )
    for name, change in plain.items():
        factor = 1.0
        if name.startswith("encoder"):
            factor = 3.0 if "encoder_0/forward" in name else 0.25
        np.testing.assert_allclose(
            scaled[name], factor * change, rtol=1e-3, atol=1e-6, err_msg=name
        )


@pytest.mark.parametrize("kind", RATES)
def test_frozen_weights_stay_and_every_other_learns(kind: OptimizerKind) -> None:
    config = TrainConfig(optimizer=kind, freeze=("^embedding", "kernel$"))
    for name, change in changes(config).items():
        frozen = name.startswith("embedding") or name.endswith("kernel")
        assert (not change.any()) == frozen, name


def test_all_together_are_clipped_to_the_norm_whatever_their_rates() -> None:
    clipped = changes(replace(SGD, clip_norm=0.5))
    assert norm(changes(SGD)) > 2 * 0.5 * 0.01
    assert norm(clipped) == pytest.approx(0.5 * 0.01, rel=1e-3)
    # With one encoder weight at another rate, the others are clipped as before.
    mixed = changes(replace(SGD, clip_norm=0.5, lr_multiplier=("^encoder_0=2",)))
    np.testing.assert_allclose(
        mixed["output/bias"], clipped["output/bias"], rtol=1e-3, atol=1e-8
    )


def test_each_weight_can_be_clipped_for_itself() -> None:
    plain = changes(SGD)
    clipped = changes(replace(SGD, clip_norm=0.05, clip_scope="weight"))
    for name, change in clipped.items():
        expected = min(norm({name: plain[name]}), 0.05 * 0.01)
        assert norm({name: change}) == pytest.approx(expected, rel=1e-2, abs=1e-7)


@pytest.mark.parametrize("kind", RATES)
def test_every_optimizer_has_its_own_rate_and_lowers_the_loss(
    kind: OptimizerKind,
) -> None:
    model = random_model(SMALL)
    config = TrainConfig(optimizer=kind)
    model.compile(make_optimizer(model, config), run_eagerly=True)
    assert float(model.optimizer.learning_rate) == pytest.approx(
        RATES[config.optimizer]
    )
    copy_ids = random_sources(SMALL, [9, 6])
    batch = training_batch(SMALL, copy_ids, [copy_ids[0, 2:5].tolist(), [7, 8]])
    # A metric of the epoch is a mean; each loss alone is asked for.
    losses = []
    for _ in range(6):
        model.reset_metrics()
        losses.append(float(model.train_on_batch(batch, return_dict=True)["loss"]))
    assert losses[-1] < losses[0]


def test_a_pattern_of_no_weight_and_too_much_freezing_are_refused() -> None:
    model = random_model(SMALL)
    with pytest.raises(TrainingError, match=r"--freeze incoder.*begin with attention"):
        make_optimizer(model, TrainConfig(freeze=("incoder",)))
    with pytest.raises(TrainingError, match=r"--lr-multiplier x9: no weight"):
        make_optimizer(model, TrainConfig(lr_multiplier=("x9=2",)))
    with pytest.raises(TrainingError, match="no weight to train"):
        make_optimizer(random_model(SMALL), TrainConfig(freeze=(".",)))


def test_the_optimizer_goes_by_the_name_of_its_kind() -> None:
    model = random_model(SMALL)
    optimizer = make_optimizer(model, TrainConfig(optimizer="lion"))
    assert isinstance(optimizer, keras.optimizers.Lion)
    assert type(optimizer).__name__ == "Lion"
