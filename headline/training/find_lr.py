"""``headline find-lr``: a learning rate from a short range test.

The rate rises from update to update until the loss explodes. A higher rate makes the
loss fall faster, until the steps are too long; a good learning rate is well below that
point.

Reference: Smith 2017, "Cyclical Learning Rates for Training Neural Networks", sec. 3.3,
https://arxiv.org/abs/1506.01186
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras

from headline.errors import TrainingError
from headline.pages.axis import number
from headline.pages.chart import Chart, line_chart
from headline.pages.rendering import fill
from headline.system.progress import bar, on_terminal
from headline.training.training import set_rate

LOWEST, HIGHEST, UPDATES = 1e-5, 1.0, 150  # lowest and highest rate, number of rates
SMOOTHING = 0.9  # of the moving mean of the losses
EXPLODED = 4.0  # the test ends at this many times the lowest smoothed loss


def rate_at(update: int) -> float:
    """Returns the learning rate of an update; it grows by a constant factor."""
    return float(LOWEST * (HIGHEST / LOWEST) ** (update / (UPDATES - 1)))


@dataclass
class Curve:
    """The loss at each rate."""

    losses: list[float] = field(default_factory=list)  # of each batch
    smoothed: list[float] = field(default_factory=list)
    _mean: float = 0.0  # exponential moving mean, which starts at 0

    @property
    def rates(self) -> list[float]:
        """The learning rate of each update."""
        return [rate_at(update) for update in range(len(self.losses))]

    def add(self, loss: float) -> bool:
        """Records the loss of a batch; returns whether the test continues."""
        self._mean += (1 - SMOOTHING) * (loss - self._mean)
        self.losses.append(loss)
        # Bias correction: a mean that starts at 0 is too low at first by this factor.
        self.smoothed.append(self._mean / (1 - SMOOTHING ** len(self.losses)))
        calm = self.smoothed[-1] <= EXPLODED * min(self.smoothed)  # of NaN: not
        return calm and len(self.losses) < UPDATES

    @property
    def best(self) -> int:
        """The update with the lowest smoothed loss."""
        losses = [loss if math.isfinite(loss) else math.inf for loss in self.smoothed]
        return losses.index(min(losses))

    @property
    def proposal(self) -> float:
        """A tenth of the rate with the lowest smoothed loss, to two digits.

        At that rate the loss stops falling, so it is too high. Another common rule, the
        rate where the loss falls fastest, depends on every bump of the curve.

        Raises:
            TrainingError: the loss does not fall at any rate.
        """
        if self.best == 0:
            raise TrainingError(
                "no rate lets the loss fall: choose a --learning-rate yourself"
            )
        return float(f"{rate_at(self.best) / 10:.1e}")


class RangeTest(keras.callbacks.Callback):
    """Raises the learning rate before each update, and stops when it is too high."""

    def __init__(self) -> None:
        super().__init__()
        self.curve = Curve()

    def on_train_begin(self, logs: Any = None) -> None:
        self.bar = bar(
            total=UPDATES, desc="rates", unit="update", disable=not on_terminal()
        )

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        set_rate(self.model, rate_at(len(self.curve.losses)))
        self.model.reset_metrics()  # the loss is then that of one batch

    def on_train_batch_end(self, batch: int, logs: Mapping[str, Any]) -> None:
        self.bar.update()
        if not self.curve.add(float(logs["loss"])):
            self.model.stop_training = True

    def on_train_end(self, logs: Any = None) -> None:
        self.bar.close()


def story(curve: Curve) -> str:
    """Returns the result of the test in words."""
    best = curve.best
    return (
        f"The rate rose from {number(LOWEST)} to {number(curve.rates[-1])} in "
        f"{len(curve.losses)} updates. The smoothed loss was lowest, "
        f"{curve.smoothed[best]:.3f}, at {number(curve.rates[best])}; "
        "the proposal is a tenth of that rate."
    )


def find_lr_page(curve: Curve, settings: Mapping[str, Any]) -> str:
    """Draws the loss over the rate, with the proposal marked, as an HTML page.

    Args:
        settings: the settings of the test, by name.
    """
    chart = Chart(
        title="Loss by learning rate",
        xs=curve.rates,
        lines={
            "smoothed loss": _below_explosion(curve, curve.smoothed),
            "loss of a batch": _below_explosion(curve, curve.losses),
        },
        x_name="rate",
        x_log=True,
        mark=curve.proposal,
    )
    return fill(
        "find_lr.html",
        proposal=curve.proposal,
        story=story(curve),
        picture=line_chart(chart),
        made_with=", ".join(f"{name} {value}" for name, value in settings.items()),
    )


def _below_explosion(curve: Curve, losses: Sequence[float]) -> list[float]:
    """Replaces losses by NaN if they are too high to fit into the chart."""
    most = 1.2 * max(curve.losses[: curve.best + 1])
    return [loss if loss <= most else math.nan for loss in losses]
