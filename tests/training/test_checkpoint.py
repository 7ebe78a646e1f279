"""What a checkpoint has of a model and its optimizer, and what older ones have."""

from dataclasses import asdict, replace

import numpy as np
import pytest

from headline.bundle import Checkpoint
from headline.errors import BundleError
from headline.network.model import HeadlineModel, weight_arrays
from headline.settings.train import TrainConfig
from headline.training.optimizers import make_optimizer
from headline.training.state import TrainingState, capture, restore
from tests.models import TINY, array, random_model

CONFIG = replace(TINY["pointer"], decoder_layers=1)


def compiled(seed: int) -> HeadlineModel:
    model = random_model(CONFIG, seed)
    model.compile(make_optimizer(model, TrainConfig()), run_eagerly=True)
    return model


def test_weights_come_back_and_whether_an_update_is_looked_at_does_not() -> None:
    model, other = compiled(1), compiled(2)
    model.looks.assign(True)
    checkpoint = capture(model, TrainingState(update=7), {})
    assert restore(other, checkpoint, {}) == TrainingState(update=7)
    expected = weight_arrays(model)
    for name, weight in weight_arrays(other).items():
        np.testing.assert_array_equal(weight, expected[name])
    assert not array(other.looks)


def test_older_versions_kept_the_gradient_norm_behind_all_else() -> None:
    model = compiled(1)
    arrays = dict(capture(model, TrainingState(), {}).arrays)
    assert not any("gradient_norm" in name for name in arrays)
    state = {"settings": {}, "state": asdict(TrainingState(update=3))}
    norm = np.array(1.5, np.float32)
    older = Checkpoint(state, arrays | {f"{len(arrays):03d} gradient_norm": norm})
    assert restore(model, older, {}).update == 3
    another = Checkpoint(state, arrays | {f"{len(arrays):03d} momentum": norm})
    with pytest.raises(BundleError, match="does not fit this model"):
        restore(model, another, {})
