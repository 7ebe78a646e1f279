"""A running training: the objects that its parts share."""

import math
import time
from dataclasses import dataclass, field

from headline.bundle import save_checkpoint
from headline.data.store import Dataset
from headline.network.data_parallel import on_all_devices
from headline.network.model import HeadlineModel, read_back
from headline.settings.presets import Run
from headline.settings.train import TrainConfig
from headline.system.interrupt import Wish
from headline.system.progress import Report, Ticker
from headline.training.group import Group
from headline.training.state import TrainingState, capture, settings


class Clock:
    """The wall time of a training, and its limit.

    Args:
        max_minutes: the limit; None for no limit.
        state: state of the training: the time used so far, and the time reserved for
            the last validation.
    """

    def __init__(self, max_minutes: float | None, state: TrainingState) -> None:
        self.limit = math.inf if max_minutes is None else max_minutes * 60
        self._state = state
        self._start = time.monotonic() - state.seconds
        self._told: float | None = None

    def seconds(self) -> float:
        """Returns the seconds since the training began."""
        return time.monotonic() - self._start

    def tell(self, seconds: float) -> None:
        """Makes ``share`` depend on the seconds that all processes agreed on."""
        self._told = seconds

    def share(self) -> float:
        """Returns the share of the time for updates that is used up, at most 1.

        If several processes train together, they all get the same share.
        """
        seconds = self.seconds() if self._told is None else self._told
        # At most half of the time is reserved for the validation.
        room = max(self.limit - self._state.reserved, self.limit / 2)
        return min(1.0, seconds / room) if math.isfinite(room) else 0.0


@dataclass(frozen=True)
class Training:
    """A running training."""

    run: Run
    dataset: Dataset
    model: HeadlineModel
    state: TrainingState
    clock: Clock
    wish: Wish  # to stop; all processes agree on it
    report: Report
    group: Group  # the processes that train together
    ticker: Ticker = field(default_factory=Ticker)  # of lines within an epoch

    @property
    def config(self) -> TrainConfig:
        """The settings, with batches that fit into memory."""
        return self.run.train.halved(self.state.halvings)

    def save_checkpoint(self) -> None:
        """Writes a checkpoint from which the training can continue.

        Only process 0 writes.
        """
        if not self.group.is_first:
            return
        read_back(self.model)
        self.state.seconds = self.clock.seconds()
        same = settings(self.run, self.dataset)
        save_checkpoint(self.run.model_dir, capture(self.model, self.state, same))


def set_rate(model: HeadlineModel, rate: float) -> None:
    """Sets the learning rate of the next updates; works also between two batches."""
    read_back(model)
    model.optimizer.learning_rate = on_all_devices(rate)


def rate_of(model: HeadlineModel) -> float:
    """Returns the learning rate of the last update."""
    return float(model.optimizer.learning_rate)
