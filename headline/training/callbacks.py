"""Callbacks around the updates: metrics, progress bar, checkpoints, alarm."""

import math
import time
from collections.abc import Mapping
from statistics import fmean
from typing import Any

import keras

from headline.errors import TrainingError
from headline.network.data_parallel import on_all_devices
from headline.network.model import HeadlineModel, read_back
from headline.network.train_step import NORM, POINTER_METRICS, RATIO
from headline.system.interrupt import Wish
from headline.system.progress import bar, clock, on_terminal
from headline.training.phases import Phase
from headline.training.schedule import Cooldown, seconds_left
from headline.training.state import EpochState, TrainingState
from headline.training.training import Training

EVERY = 20  # of this many updates, one measures how far it moves the weights

SPEED = "source_tokens_per_second"

Logs = dict[str, Any]


def columns(logs: Mapping[str, float]) -> dict[str, float]:
    """Returns the logs of an epoch that go into history.csv, to four digits."""
    found = {
        name: value
        for name, value in logs.items()
        if name in (NORM, SPEED) or name.startswith(RATIO)
    }
    for name in POINTER_METRICS:
        if f"val_{name}" in logs:  # missing for a model without a pointer
            found[name] = logs[f"val_{name}"]
    return {name: float(f"{value:.4g}") for name, value in found.items()}


class Watch(keras.callbacks.Callback):
    """Collects the logs of the train step, for the callbacks after this one.

    Logs of a batch: ``update_ratio_GROUP`` is kept only if the step measured it, in one
    of ``EVERY`` updates. Then ``recent_loss`` is added, the mean per label since the
    last measurement.

    Logs of an epoch: the means of each loss, of ``gradient_norm`` and of
    ``update_ratio_GROUP``, and ``source_tokens_per_second`` of wall time, excluding the
    validation. These logs and the values behind them are kept in the epoch's state.

    Args:
        epoch: state of the epoch that has begun or is about to begin.
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
        self.model.looks.assign(on_all_devices(looks))
        self.looks = looks

    def on_train_batch_end(self, batch: int, logs: Logs) -> None:
        ratios = {name: logs.pop(name) for name in self.ratios}
        for name in self.figures:
            self.epoch.measured[name].append(logs[name])
        # If all are 0, gradients are still being accumulated: measure again.
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
            logs.pop(name, None)  # that of the last batch; also fixes the order
            logs[name] = fmean(values) if values else 0.0
        logs[SPEED] = float(logs["source_tokens"]) / self.epoch.seconds
        self.epoch.logs = {name: float(value) for name, value in logs.items()}


class EpochMeter(keras.callbacks.Callback):
    """Shows the updates of an epoch, the loss, and the time left of the training.

    It is a bar on a terminal; elsewhere a line every half minute. Close it, however the
    epoch ends.
    """

    def __init__(self, training: Training, phase: Phase) -> None:
        super().__init__()
        config, state = training.config, training.state
        self.training, self.phase, self.bar = training, phase, None
        self.accumulate = config.accumulate
        self.cooldown = Cooldown.of(config, phase, state)
        self.batches = state.current.batches  # number of batches done

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.epoch = epoch + 1
        batches = self.batches + self.params["steps"]
        self.updates = math.ceil(batches / self.accumulate)
        if on_terminal():
            self.bar = bar(
                total=self.updates,
                initial=self.batches // self.accumulate,
                desc=f"epoch {self.epoch}",
                unit="update",
                # Without tqdm's own estimate of the time left, which is per epoch.
                bar_format="{l_bar}{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]",
            )

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        self.batches += 1
        update, rest = divmod(self.batches, self.accumulate)
        if rest:
            return  # the gradients of the update are not together yet
        if self.bar is not None:
            self.bar.update()
            if update % 10 == 0:
                self.bar.set_postfix_str(self._story(logs))
        elif self.training.ticker.is_due():
            place = f"epoch {self.epoch}: update {update:,} of {self.updates:,}"
            self.training.report(f"{place}, {self._story(logs)}")

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.close()  # because the validation prints its own lines

    def close(self) -> None:
        """Removes the bar."""
        if self.bar is not None:
            self.bar.close()

    def _story(self, logs: Mapping[str, Any]) -> str:
        training = self.training
        left = seconds_left(self.phase, training.state, training.clock, self.cooldown)
        return f"loss {float(logs['loss']):.3f}, {clock(left)} left"


class Guard(keras.callbacks.Callback):
    """Stops after a batch of an evaluation if a stop was requested."""

    def __init__(self, wish: Wish) -> None:
        super().__init__()
        self.wish = wish

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.wish.check()


class Checkpoints(keras.callbacks.Callback):
    """Stops after an update if a stop was requested, and writes regular checkpoints.

    It comes after all callbacks that count, so that a checkpoint is complete.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training
        self.last = training.clock.seconds()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        training, config = self.training, self.training.config
        ends_epoch = batch + 1 == self.params["steps"] or self.model.stop_training
        if ends_epoch or (batch + 1) % config.accumulate:
            return  # the validation comes next, or the update is not complete
        training.wish.check()
        seconds = training.clock.seconds()
        if seconds - self.last >= 60 * config.checkpoint_minutes:
            training.save_checkpoint()
            self.last = seconds


class Restored(keras.callbacks.Callback):
    """Restores the metrics of an epoch that was interrupted."""

    def __init__(self, model: HeadlineModel) -> None:
        super().__init__()
        self.values = [
            keras.ops.convert_to_numpy(metric).copy()
            for metric in model.metrics_variables
        ]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # ``fit`` has just reset them.
        both = zip(self.model.metrics_variables, self.values, strict=True)
        for variable, value in both:
            variable.assign(value)


class Alarm(keras.callbacks.Callback):
    """Stops training when the loss or the gradient norm becomes NaN or infinite.

    Raises:
        TrainingError: after the batch where this happens.
    """

    def __init__(self, state: TrainingState) -> None:
        super().__init__()
        self.state = state

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        if math.isfinite(logs["gradient_norm"]) and math.isfinite(float(logs["loss"])):
            return
        kept = "no epoch was complete, so no weights are kept"
        if self.state.best is not None:
            kept = f"the weights with ROUGE-L {self.state.best.rouge_l:.1f} are kept"
        elif self.state.history:
            kept = "the weights after the pseudo-pairs are kept"
        raise TrainingError(
            f"training diverged: in batch {self.state.current.batches} of epoch "
            f"{self.state.epoch + 1}, the loss or the gradient became NaN or infinite; "
            f"{kept}. Train again with a lower --learning-rate, a lower --clip-norm "
            "above 0, or without --mixed-precision"
        )
