"""What an update minimises: losses by name, each with a weight of its own."""

from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from keras import KerasTensor, ops

from headline.network.model import HeadlineModel, weight_arrays
from headline.network.objective import CROSS_ENTROPY, Loss, Objective, make_objective
from headline.network.train_step import update_ratios
from headline.network.weights import GROUPS, Weights
from headline.text.ids import Ids
from tests.models import (
    TINY,
    array,
    random_model,
    random_sources,
    training_batch,
    without_dropout,
)

CONFIG = replace(without_dropout(TINY["pointer"]), decoder_layers=1, vocab_size=40)


def a_batch() -> dict[str, Ids]:
    return training_batch(CONFIG, random_sources(CONFIG, [6, 3]), [[7, 9, 12], [11]])


def trained(objective: Objective, updates: int, optimizer: Any = None) -> HeadlineModel:
    """A model after some updates on the same batch, from the same start."""
    model = random_model(CONFIG)
    optimizer = optimizer or keras.optimizers.SGD(0.05)
    model.compile(optimizer, objective, run_eagerly=True)
    optimizer.build(model.trainable_variables)
    for _ in range(updates):
        model.train_on_batch(a_batch())
    return model


def distance(one: Weights, other: Weights) -> float:
    return max(float(np.abs(one[name] - other[name]).max()) for name in one)


def over_rows(entropies: KerasTensor, counted: KerasTensor) -> KerasTensor:
    """A loss of each row, not of each label."""
    return ops.sum(ops.max(entropies * counted, axis=1))


def with_entropy(weight: Any) -> Objective:
    return Objective((CROSS_ENTROPY, Loss("spread", "copy_entropy", over_rows, weight)))


@pytest.mark.parametrize("accumulate", [None, 2])
def test_a_weight_may_have_a_schedule_of_its_own(accumulate: int | None) -> None:
    """Here it is nothing in the first update and much from the second one on."""

    def late(update: KerasTensor) -> KerasTensor:
        return ops.where(update < 1, 0.0, 5.0)

    batches = accumulate or 1
    for updates, alike in ((1, True), (2, False)):
        plain, scheduled = (
            weight_arrays(
                trained(
                    objective,
                    updates * batches,
                    keras.optimizers.SGD(0.05, gradient_accumulation_steps=accumulate),
                )
            )
            for objective in (make_objective(), with_entropy(late))
        )
        assert (distance(plain, scheduled) < 1e-6) == alike


def test_each_loss_is_a_log_by_its_name_whatever_its_weight() -> None:
    model = trained(with_entropy(3.0), 0)
    outputs = {name: array(value) for name, value in model(a_batch()).items()}
    counted = a_batch()["labels"] != 0

    logs = model.train_on_batch(a_batch(), return_dict=True)

    entropy = -outputs["log_probs"][counted].mean()
    assert float(logs["cross_entropy"]) == pytest.approx(entropy, rel=1e-4)
    spread = (outputs["copy_entropy"] * counted).max(axis=1).sum() / counted.sum()
    assert float(logs["spread"]) == pytest.approx(spread, rel=1e-4)


def test_the_weight_of_a_loss_decides_how_far_it_falls() -> None:
    light, heavy = (
        float(
            trained(with_entropy(weight), 5).train_on_batch(
                a_batch(), return_dict=True
            )["spread"]
        )
        for weight in (0.0, 5.0)
    )
    assert heavy < 0.9 * light


def test_a_model_that_is_compiled_anew_has_another_objective() -> None:
    model = trained(make_objective(r_drop=2.0), 0)
    assert "divergence" in model(a_batch(), training=True)
    model.compile(keras.optimizers.SGD(0.1))
    assert "divergence" not in model(a_batch(), training=True)


def test_update_ratios_are_those_of_the_groups_of_layers() -> None:
    generator = np.random.default_rng(3)
    groups = ["decoder", "decoder", "output", "prior"]
    before = [generator.normal(size=5).astype("float32") for _ in groups]
    after = [generator.normal(size=5).astype("float32") for _ in groups]
    after[2], before[3] = before[2], np.zeros(5, "float32")

    found = [float(ratio) for ratio in update_ratios(groups, before, after)]

    old, new = (np.concatenate(one[:2]) for one in (before, after))
    expected = np.linalg.norm(new - old) / np.linalg.norm(old)
    assert found == pytest.approx([expected, 0.0, 0.0])


def test_every_weight_is_in_a_group() -> None:
    models = map(random_model, (TINY["mixed"], TINY["styles"]))
    groups = {group for model in models for group in model.weight_groups()}
    assert groups == set(GROUPS)
