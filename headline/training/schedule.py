"""The schedules of a training: learning rate and dropout of each update."""

import math
from dataclasses import dataclass
from typing import Any

import keras

from headline.network.data_parallel import on_all_devices
from headline.settings.train import TrainConfig
from headline.training.phases import Phase
from headline.training.state import TrainingState
from headline.training.training import Clock, set_rate

LONGEST_WARMUP = 0.2  # share of a training


def learning_rate(config: TrainConfig, update: int, progress: float) -> float:
    """Returns the learning rate of an update.

    It rises linearly over the warm-up, or over a fifth of the training if that is
    shorter. Then, by ``config.schedule``, it falls linearly to 0 at the end, or stays.

    Args:
        update: its number, from 0.
        progress: share of the training that is done, by updates or by time, whichever
            ends first; between 0 and 1.
    """
    # A short training has no time for a long warm-up.
    risen = max((update + 1) / (config.warmup_updates + 1), progress / LONGEST_WARMUP)
    warmup = min(1.0, risen)
    fall = 1.0 - progress if config.schedule == "linear" else 1.0
    return config.peak_rate * warmup * fall


def dropout_strength(config: TrainConfig, over: float, expected: float) -> float:
    """Returns the strength of the dropout, 0 to 1.

    Dropout ramps up over the first epochs, because overfitting needs repetition and
    dropout makes a first reading harder (curriculum dropout, Morerio et al. 2017). A
    training of few epochs has less dropout.

    Args:
        over: number of epochs done.
        expected: number of epochs expected in all.
    """
    rise = config.dropout_epochs or 0.0
    if rise <= 1:
        return 1.0
    return min(1.0, over / rise, max(0.0, expected - 1) / (rise - 1))


@dataclass(frozen=True)
class Cooldown:
    """The end of a training that no longer improves: the rate falls to 0 in few epochs.

    The last updates, at low rates, bring improvements that high rates cannot.
    """

    begin: int  # number of updates before it
    updates: int
    rate: float  # learning rate when it began

    @classmethod
    def of(
        cls, config: TrainConfig, phase: Phase, state: TrainingState
    ) -> "Cooldown | None":
        """Returns the cooldown, or None if it has not begun."""
        row = state.stale_epoch(config.patience)
        if row is None:
            return None
        updates = config.cooldown_epochs * phase.epoch_updates
        return cls(int(row["updates"]), updates, row["learning_rate"])

    def rate_at(self, update: int) -> float:
        """Returns the highest learning rate of an update, ``begin`` or later."""
        return self.rate * (1 - (update - self.begin) / self.updates)

    def is_over(self, update: int) -> bool:
        """Returns whether it has used up its updates."""
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
        strength = dropout_strength(config, *epochs)
        model.strength.assign(on_all_devices(strength))

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if (batch + 1) % self.config.accumulate:
            return  # the gradients of the update are not complete yet
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
    """Returns the seconds left, by updates or by time, whichever ends first.

    Updates are estimated at the pace so far: infinity before the first update.
    """
    over, elapsed = phase.share_of_updates(state.phase_update), clock.seconds()
    left = elapsed * (1 - over) / over if over > 0 else math.inf
    if cooldown is not None and state.update:
        updates = cooldown.begin + cooldown.updates - state.update
        left = min(left, elapsed * updates / state.update)
    return max(0.0, min(left, clock.limit - elapsed))
