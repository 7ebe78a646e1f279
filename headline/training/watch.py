"""What an epoch tells of its updates: how long the gradients were, how far the weights
moved, and how fast it all went."""

import time
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import keras

from headline.network.model import HeadlineModel, read_back
from headline.network.train_step import NORM, POINTER_METRICS, RATIO
from headline.training.progress import EpochState

EVERY = 20  # updates, one of which is looked at for how far it moves the weights

SPEED = "source_tokens_per_second"

Logs = dict[str, Any]


def set_rate(model: HeadlineModel, rate: float) -> None:
    """Sets the learning rate of the updates to come, between two batches too."""
    read_back(model)
    model.optimizer.learning_rate = rate


def rate_of(model: HeadlineModel) -> float:
    """Returns the learning rate of the last update."""
    return float(model.optimizer.learning_rate)


def columns(logs: Mapping[str, float]) -> dict[str, float]:
    """Returns what history.csv has of the logs of an epoch, to four digits."""
    found = {
        name: value
        for name, value in logs.items()
        if name in (NORM, SPEED) or name.startswith(RATIO)
    }
    for name in POINTER_METRICS:
        if f"val_{name}" in logs:  # not of a model without a pointer
            found[name] = logs[f"val_{name}"]
    return {name: float(f"{value:.4g}") for name, value in found.items()}


class Watch(keras.callbacks.Callback):
    """Gathers what the train step tells, for the callbacks that stand behind it.

    Logs of a batch that it adds, one time in ``EVERY``: ``recent_loss``, the mean per
    label since the last time. Then alone the ``update_ratio_GROUP`` are numbers that
    say something, and left in.

    Logs of an epoch: the means of each loss, of ``gradient_norm`` and of the
    ``update_ratio_GROUP``, and ``source_tokens_per_second`` of wall time without the
    validation. They are kept in the state of the epoch, and so is what leads to them.

    Args:
        epoch: which has begun, or is about to.
    """

    def __init__(self, epoch: EpochState) -> None:
        super().__init__()
        self.epoch = epoch

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        groups = dict.fromkeys(self.model.weight_groups())
        losses = [loss.name for loss in self.model.objective.losses]
        self.ratios = [RATIO + name for name in groups]
        self.figures = [NORM, *losses]
        for name in (NORM, *self.ratios, *losses):
            self.epoch.measured.setdefault(name, [])
        self._look(False)
        self.begin = time.monotonic() - self.epoch.seconds

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        if self.epoch.batches % EVERY == 0 and not self.looks:
            self._look(True)

    def _look(self, looks: bool) -> None:
        read_back(self.model)
        self.model.looks.assign(looks)
        self.looks = looks

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        ratios = {name: logs.pop(name) for name in self.ratios}
        for name in self.figures:
            self.epoch.measured[name].append(logs[name])
        # Else gradients are being summed up: look on until the weights move.
        if self.looks and any(ratios.values()):
            self._look(False)
            for name, value in ratios.items():
                self.epoch.measured[name].append(value)
            logs |= ratios | {"recent_loss": self._recent_loss()}
        self.epoch.batches += 1
        self.epoch.seconds = time.monotonic() - self.begin

    def _recent_loss(self) -> float:
        mean = self.model.token_loss
        losses, labels = float(mean.total), float(mean.count)
        labels_since = max(labels - self.epoch.labels, 1.0)
        recent = (losses - self.epoch.losses) / labels_since
        self.epoch.losses, self.epoch.labels = losses, labels
        return recent

    def on_epoch_end(self, epoch: int, logs: Logs) -> None:
        for name, values in self.epoch.measured.items():
            logs.pop(name, None)  # of the last batch, and in an order of its own
            logs[name] = fmean(values) if values else 0.0
        logs[SPEED] = float(logs["source_tokens"]) / self.epoch.seconds
        self.epoch.logs = {name: float(value) for name, value in logs.items()}
