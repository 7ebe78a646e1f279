"""What the optimizer does: how long the gradients are, how far the weights move, and
how fast it all goes.

The gradients are there within the train step alone, so the optimizer takes down their
norm. How far an update moves the weights is seen from outside, before and after it,
whatever optimizer it is; looking costs time, so few updates are looked at.
"""

import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

import keras
import numpy as np
from keras import KerasTensor, ops

from headline.network.model import (
    POINTER_METRICS,
    HeadlineModel,
    read_back,
    weight_arrays,
)
from headline.network.weights import Weights, weight_specs
from headline.training.progress import EpochState

EVERY = 20  # updates, one of which is looked at for how far it moves the weights

RATIO = "update_ratio_"  # what the columns of the groups of layers begin with
SPEED = "source_tokens_per_second"

Logs = dict[str, Any]


def set_rate(model: HeadlineModel, rate: float) -> None:
    """Sets the learning rate of the updates to come, between two batches too."""
    read_back(model)
    model.optimizer.learning_rate = rate


def rate_of(model: HeadlineModel) -> float:
    """Returns the learning rate of the last update."""
    return float(model.optimizer.learning_rate)


def watched(optimizer: Any) -> Any:
    """Makes an optimizer, of any kind, take down the norm of the gradients it gets.

    Returns:
        the same optimizer. Its variable ``gradient_norm`` has the norm of all gradients
        of the last batch together, before clipping.
    """
    norm = optimizer.add_variable((), name="gradient_norm")
    apply = optimizer.apply

    def measured(grads: Sequence[Any], trainable_variables: Any = None) -> None:
        norm.assign(global_norm(grads))
        apply(grads, trainable_variables)

    # Both ways to an update come through here: `apply_gradients` under TensorFlow,
    # `stateless_apply` under JAX, which carries the optimizer's variables along.
    optimizer.apply = measured
    optimizer.gradient_norm = norm
    return optimizer


def global_norm(grads: Sequence[Any]) -> KerasTensor:
    """Returns the norm of all gradients together; None is no gradient."""
    # Made flat, a sparse gradient of TensorFlow has one row for each token, not one
    # for each time that the token occurs.
    flat = [ops.reshape(grad, (-1,)) for grad in grads if grad is not None]
    return ops.sqrt(sum(ops.sum(ops.square(grad)) for grad in flat))


def update_ratios(
    before: Weights, after: Weights, groups: Mapping[str, str]
) -> dict[str, float]:
    """Returns |change| / |weights| of each group of layers, both Euclidean norms.

    Args:
        groups: the group that each weight belongs to, by its name.
    """
    changes: dict[str, float] = defaultdict(float)
    sizes: dict[str, float] = defaultdict(float)
    for name, old in before.items():
        group, change = groups[name], np.ravel(after[name] - old)
        changes[group] += float(np.dot(change, change))
        sizes[group] += float(np.dot(np.ravel(old), np.ravel(old)))
    return {
        group: (changes[group] / size) ** 0.5 if size else 0.0
        for group, size in sizes.items()
    }


def columns(logs: Mapping[str, float]) -> dict[str, float]:
    """Returns what history.csv has of the logs of an epoch, to four digits."""
    found = {
        name: value
        for name, value in logs.items()
        if name in ("gradient_norm", SPEED) or name.startswith(RATIO)
    }
    for name in POINTER_METRICS:
        if f"val_{name}" in logs:  # not of a model without a pointer
            found[name] = logs[f"val_{name}"]
    return {name: float(f"{value:.4g}") for name, value in found.items()}


class Watch(keras.callbacks.Callback):
    """Tells the logs what the optimizer does, for the callbacks that stand behind it.

    The optimizer must be ``watched``.

    Logs of a batch: ``gradient_norm``; and, one time in ``EVERY``, ``recent_loss``, the
    mean per label since the last time, and ``update_ratio_GROUP``.

    Logs of an epoch: the means of ``gradient_norm`` and ``update_ratio_GROUP``, and
    ``source_tokens_per_second`` of wall time without the validation. They are kept in
    the state of the epoch, and so is what leads to them.

    Args:
        epoch: which has begun, or is about to.
    """

    def __init__(self, epoch: EpochState) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        specs = weight_specs(self.model.config).values()
        self.groups = {spec.name: spec.group for spec in specs}
        if not self.epoch.batches:
            names = dict.fromkeys(self.groups.values())
            columns = ["gradient_norm", *(RATIO + name for name in names)]
            self.epoch.measured = {name: [] for name in columns}
        self.before: Weights | None = None
        self.begin = time.monotonic() - self.epoch.seconds

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.epoch.batches % EVERY == 0:
            read_back(self.model)
            arrays = weight_arrays(self.model)
            # Copies: the update may write where these lie.
            self.before = {name: array.copy() for name, array in arrays.items()}

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        read_back(self.model)
        found = {"gradient_norm": float(self.model.optimizer.gradient_norm)}
        if self.before is not None:
            found |= self._ratios(self.before)
        for name, value in found.items():
            self.epoch.measured[name].append(value)
        if len(found) > 1:
            logs["recent_loss"] = self._recent_loss()
        logs.update(found)
        self.epoch.batches += 1
        self.epoch.seconds = time.monotonic() - self.begin

    def _ratios(self, before: Weights) -> dict[str, float]:
        ratios = update_ratios(before, weight_arrays(self.model), self.groups)
        if not any(ratios.values()):
            return {}  # gradients are being summed up: look on until the weights move
        self.before = None
        return {RATIO + group: ratio for group, ratio in ratios.items()}

    def _recent_loss(self) -> float:
        mean = self.model.token_loss
        losses, labels = float(mean.total), float(mean.count)
        labels_since = max(labels - self.epoch.labels, 1.0)
        recent = (losses - self.epoch.losses) / labels_since
        self.epoch.losses, self.epoch.labels = losses, labels
        return recent

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for name, values in self.epoch.measured.items():
            logs[name] = fmean(values) if values else 0.0
        logs[SPEED] = float(logs["source_tokens"]) / self.epoch.seconds
        self.epoch.logs = {name: float(value) for name, value in logs.items()}
