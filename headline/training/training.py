"""One training under way: what its parts share."""

import math
import time
from dataclasses import dataclass, field

from headline.bundle import save_checkpoint
from headline.data.store import Dataset
from headline.network.model import HeadlineModel, read_back
from headline.settings.presets import Run
from headline.settings.train import TrainConfig
from headline.system.interrupt import Wish
from headline.system.progress import Report, Ticker
from headline.training.state import TrainingState, capture, settings


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
    wish: Wish  # to stop
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


def set_rate(model: HeadlineModel, rate: float) -> None:
    """Sets the learning rate of the updates to come, between two batches too."""
    read_back(model)
    model.optimizer.learning_rate = rate


def rate_of(model: HeadlineModel) -> float:
    """Returns the learning rate of the last update."""
    return float(model.optimizer.learning_rate)
