"""What happens during the updates: the learning rate, the bar, checkpoints, alarms."""

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import keras

from headline.bundle import save_checkpoint
from headline.data.store import Dataset
from headline.errors import TrainingError
from headline.network.model import HeadlineModel, read_back
from headline.settings.presets import Run
from headline.settings.train import TrainConfig
from headline.system.interrupt import Interrupt
from headline.system.progress import Report, Ticker, bar, clock, on_terminal
from headline.training.phases import Phase
from headline.training.progress import TrainingState, capture, settings
from headline.training.watch import set_rate

LONGEST_WARMUP = 0.2  # share of a training


class Clock:
    """The wall time of a training, and how much of it there is.

    Args:
        max_minutes: how much.
        state: where the training starts; some of the time may be over, and some is
            reserved for the last validation.
    """

    def __init__(self, max_minutes: float | None, state: TrainingState) -> None:
        self.limit = math.inf if max_minutes is None else max_minutes * 60
        self._state = state
        self._start = time.monotonic() - state.seconds

    def seconds(self) -> float:
        """Returns the seconds since the training began."""
        return time.monotonic() - self._start

    def share(self) -> float:
        """Returns the share of the time for updates that has gone by, at most 1."""
        # A validation as long as half of the time leaves the other half for updates.
        room = max(self.limit - self._state.reserved, self.limit / 2)
        return min(1.0, self.seconds() / room) if math.isfinite(room) else 0.0


@dataclass(frozen=True)
class Training:
    """One training under way."""

    run: Run
    dataset: Dataset
    model: HeadlineModel
    state: TrainingState
    clock: Clock
    interrupt: Interrupt
    report: Report
    ticker: Ticker = field(default_factory=Ticker)  # of lines within an epoch

    @property
    def config(self) -> TrainConfig:
        """The settings, with the batches that there is memory for."""
        return self.run.train.halved(self.state.halvings)

    def save_checkpoint(self) -> None:
        """Keeps all that going on from here needs."""
        read_back(self.model)
        self.state.seconds = self.clock.seconds()
        same = settings(self.run, self.dataset)
        save_checkpoint(self.run.model_dir, capture(self.model, self.state, same))


def learning_rate(config: TrainConfig, update: int, progress: float) -> float:
    """Returns the learning rate of an update.

    Linear rise over the warm-up, or a fifth of the training if that is less; then, by
    ``config.schedule``, a linear fall to 0 at the end, or nothing.

    Args:
        update: its number, from 0.
        progress: share of the training that is over, by updates or by time,
            whichever ends first; between 0 and 1.
    """
    # A short training has no time for a long warm-up.
    risen = max((update + 1) / (config.warmup_updates + 1), progress / LONGEST_WARMUP)
    warmup = min(1.0, risen)
    fall = 1.0 - progress if config.schedule == "linear" else 1.0
    return config.peak_rate * warmup * fall


def dropout_strength(config: TrainConfig, over: float, expected: float) -> float:
    """Returns how strong the dropout is, 0 to 1.

    What is read once cannot be learned by heart, and dropout then only makes it harder
    to learn: so it rises over the first epochs (curriculum dropout, Morerio et al.
    2017), and a training of few epochs has less of it.

    Args:
        over: epochs that are over.
        expected: epochs that there will have been at the end.
    """
    rise = config.dropout_epochs or 0.0
    if rise <= 1:
        return 1.0
    return min(1.0, over / rise, max(0.0, expected - 1) / (rise - 1))


@dataclass(frozen=True)
class Cooldown:
    """The end of a training that gets no better: the rate falls to 0 in few epochs.

    The last updates, at low rates, bring what those at high rates cannot.
    """

    begin: int  # updates before it
    updates: int
    rate: float  # when it began

    @classmethod
    def of(
        cls, config: TrainConfig, phase: Phase, state: TrainingState
    ) -> "Cooldown | None":
        """Finds where it began; None as long as it has not."""
        row = state.stale_epoch(config.patience)
        if row is None:
            return None
        updates = config.cooldown_epochs * phase.epoch_updates
        return cls(int(row["updates"]), updates, row["learning_rate"])

    def rate_at(self, update: int) -> float:
        """Returns the highest learning rate of an update, ``begin`` or later."""
        return self.rate * (1 - (update - self.begin) / self.updates)

    def is_over(self, update: int) -> bool:
        """Tells whether it has had its updates."""
        return update >= self.begin + self.updates


class Schedule(keras.callbacks.Callback):
    """Sets the learning rate and the strength of the dropout before each update, and
    stops when the phase is over."""

    def __init__(
        self,
        config: TrainConfig,
        phase: Phase,
        clock: Clock,
        state: TrainingState,
    ) -> None:
        super().__init__()
        self.config = config
        self.phase = phase
        self.clock = clock
        self.state = state
        self.cooldown = Cooldown.of(config, phase, state)

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        config, phase, model = self.config, self.phase, self.model
        update, over = self.state.update, (self.state.phase_update, self.clock.share())
        rate = learning_rate(config, update, phase.progress(*over))
        if self.cooldown is not None:
            rate = min(rate, self.cooldown.rate_at(update))
        set_rate(model, rate)
        epochs = over[0] / phase.epoch_updates, phase.expected_epochs(*over)
        model.strength.assign(dropout_strength(config, *epochs))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (batch + 1) % self.config.accumulate:
            return  # the gradients of the update are not together yet
        self.state.update += 1
        cooled = self.cooldown is not None and self.cooldown.is_over(self.state.update)
        if cooled or self.phase.is_over(self.state.phase_update, self.clock.share()):
            self.state.phase_over = True
            self.model.stop_training = True


def seconds_left(
    phase: Phase,
    state: TrainingState,
    clock: Clock,
    cooldown: Cooldown | None = None,
) -> float:
    """Returns how long a training still takes, by its updates or by its time.

    What ends first counts, at the pace so far; infinity before the first update.
    """
    over, elapsed = phase.share_of_updates(state.phase_update), clock.seconds()
    left = elapsed * (1 - over) / over if over > 0 else math.inf
    if cooldown is not None and state.update:
        updates = cooldown.begin + cooldown.updates - state.update
        left = min(left, elapsed * updates / state.update)
    return max(0.0, min(left, clock.limit - elapsed))


class EpochMeter(keras.callbacks.Callback):
    """Shows the updates of an epoch, the loss, and the time left of the training.

    A bar on a terminal; elsewhere a line every half minute. To be closed, however the
    epoch ends.
    """

    def __init__(self, training: Training, phase: Phase) -> None:
        super().__init__()
        config, state = training.config, training.state
        self.training, self.phase, self.bar = training, phase, None
        self.accumulate = config.accumulate
        self.cooldown = Cooldown.of(config, phase, state)
        self.batches = state.current.batches  # that are done

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
                # Not tqdm's own time left, which is that of the epoch.
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

    def close(self) -> None:
        """Takes the bar away."""
        if self.bar is not None:
            self.bar.close()

    def _story(self, logs: Mapping[str, Any]) -> str:
        training = self.training
        left = seconds_left(self.phase, training.state, training.clock, self.cooldown)
        return f"loss {float(logs['loss']):.3f}, {clock(left)} left"


class Guard(keras.callbacks.Callback):
    """Stops after a batch of an evaluation if somebody wants it."""

    def __init__(self, interrupt: Interrupt) -> None:
        super().__init__()
        self.interrupt = interrupt

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.interrupt.check()


class Checkpoints(keras.callbacks.Callback):
    """Stops after an update if somebody wants it, and keeps checkpoints in between.

    It stands behind all that counts, so that what is kept is whole.
    """

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.training = training
        self.last = training.clock.seconds()

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        training, config = self.training, self.training.config
        ends_epoch = batch + 1 == self.params["steps"] or self.model.stop_training
        if ends_epoch or (batch + 1) % config.accumulate:
            return  # the validation comes next; or the update is not whole
        training.interrupt.check()
        seconds = training.clock.seconds()
        if seconds - self.last >= 60 * config.checkpoint_minutes:
            training.save_checkpoint()
            self.last = seconds


class Restored(keras.callbacks.Callback):
    """Puts the metrics of an epoch that was begun back to what they were."""

    def __init__(self, model: HeadlineModel) -> None:
        super().__init__()
        self.values = [
            keras.ops.convert_to_numpy(metric).copy()
            for metric in model.metrics_variables
        ]

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # ``fit`` has just set them to nothing.
        both = zip(self.model.metrics_variables, self.values, strict=True)
        for variable, value in both:
            variable.assign(value)


class Alarm(keras.callbacks.Callback):
    """Ends a training whose numbers are none any more.

    Raises:
        TrainingError: after the batch that did it.
    """

    def __init__(self, state: TrainingState) -> None:
        super().__init__()
        self.state = state

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        if math.isfinite(logs["gradient_norm"]) and math.isfinite(float(logs["loss"])):
            return
        kept = "no epoch was complete, so there is no model"
        if self.state.best is not None:
            kept = f"the weights with ROUGE-L {self.state.best.rouge_l:.1f} are kept"
        raise TrainingError(
            f"the loss of batch {self.state.current.batches} of epoch "
            f"{self.state.epoch + 1} is no number any more; {kept}. Train again with a "
            "lower --learning-rate, a lower --clip-norm above 0, or without "
            "--mixed-precision"
        )
