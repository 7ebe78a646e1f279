"""How much of an update is computing, and how much is sending gradients.

All devices add up their gradients once per batch. In a ring of n devices, each sends
and receives 2 (n - 1) / n times the gradient (Patarasuk and Yuan 2009, "Bandwidth
optimal all-reduce algorithms for clusters of workstations").
"""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any

import keras
import numpy as np

from headline.network.data_parallel import device_count, on_all_devices, on_each_device
from headline.network.data_parallel import summed as summed_over
from headline.network.model import HeadlineModel
from headline.system.progress import Report

TRIES = 5
BATCHES = 20  # some of the first ones wait for the compiler, so the median counts


def sum_seconds(size: float, devices: int, gigabits: float) -> float:
    """Returns the seconds in which devices add up their gradients.

    Args:
        size: of the gradient, in bytes.
        devices: their number.
        gigabits: rate of the slowest link between two of them, in Gbit/s.
    """
    return 2 * (devices - 1) / devices * size * 8 / (gigabits * 1e9)


def computing_share(batch: float, adding: float) -> float:
    """Returns the share of the time of a batch that is spent computing, 0 to 1.

    Args:
        batch: seconds of a batch, the sum included.
        adding: seconds of the sum.
    """
    return max(0.0, 1.0 - adding / batch)


def gradient_bytes(model: HeadlineModel) -> int:
    """Returns the bytes of the gradient of all trained weights."""
    return sum(4 * int(np.prod(one.shape)) for one in model.trainable_variables)


def measured_sum(size: int) -> float:
    """Returns the seconds in which all devices add up so many bytes.

    All processes must call it at the same time.
    """
    import jax

    def add(values: Any, rows: Any) -> Any:
        return summed_over(values)

    step: Any = jax.jit(on_each_device(add))
    values = on_all_devices(np.zeros(size // 4, np.float32))
    step(values, ()).block_until_ready()  # compiles, and connects the devices
    seconds = []
    for _ in range(TRIES):
        begin = time.perf_counter()
        step(values, ()).block_until_ready()
        seconds.append(time.perf_counter() - begin)
    return min(seconds)


def story(size: int, devices: int, batch: float, adding: float) -> str:
    """Returns a line on how the time of a batch is spent.

    Args:
        size: of the gradient, in bytes.
        devices: number of devices.
        batch, adding: see ``computing_share``.
    """
    rate = sum_seconds(size, devices, 1.0) / adding  # Gbit/s
    return (
        f"{devices} devices: a batch takes {1000 * batch:.3g} ms, about "
        f"{computing_share(batch, adding):.0%} of it computing; adding up "
        f"{size / 1e6:.3g} MB of gradients takes {1000 * adding:.3g} ms "
        f"({rate:.3g} Gbit/s)"
    )


class Pace(keras.callbacks.Callback):
    """Reports after the first batches what share of the time is spent computing.

    Args:
        report: called with the line.
    """

    def __init__(self, report: Report) -> None:
        super().__init__()
        self.report = report
        self.times: list[float] = []

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if len(self.times) > BATCHES:
            return
        self.times.append(time.perf_counter())
        if len(self.times) > BATCHES:
            size = gradient_bytes(self.model)
            adding = measured_sum(size)  # now, for all processes are here
            self.report(story(size, device_count(), seconds_of(self.times), adding))
            self.times.append(time.perf_counter())


def seconds_of(times: Sequence[float]) -> float:
    """Returns the median time between two batches, given when each ended."""
    return float(median(np.diff(times)))
