"""Training on several devices: each reads a part of every batch, one sum joins them.

Every device holds all weights. In an update, each device computes the gradient of its
own rows. Then all devices add up gradients, losses and the number of labels in one
all-reduce, and each makes the same update. With Keras's ``DataParallel`` alone, XLA
decides what to send, and sends activations too, which grow with the batch.

Only JAX runs on several devices. They may belong to several processes, each of which
runs the same program; then ``jax.distributed.initialize`` must come first.
"""

import math
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import keras
import numpy as np
from numpy.typing import NDArray

from headline.errors import TrainingError
from headline.network.backend import select_device
from headline.settings.base import Device
from headline.text.ids import PAD

Tree = TypeVar("Tree")
Batch = dict[str, NDArray[Any]]
Step = Callable[[Any, Any], Any]  # of state and rows

AXIS = "batch"  # the name of Keras for the only axis of the mesh


@contextmanager
def on_devices(device: Device) -> Iterator[None]:
    """Makes Keras train on all devices of a kind, in all processes, during the body.

    A model that is made in the body lies on all of them, and each device gets its rows
    of the batches that ``fit`` and ``evaluate`` read. With a single device, and under
    TensorFlow, nothing changes.

    Args:
        device: see ``select_device``.

    Raises:
        TrainingError: see ``select_device``; or processes have unlike numbers of
            devices.
    """
    select_device(device)
    devices = _devices()
    if len(devices) < 2:
        yield
        return
    _check_even(devices)
    # ``auto_shard_dataset``: each process cuts its rows itself, see ``Rows``.
    parallel = keras.distribution.DataParallel(
        devices=devices, auto_shard_dataset=False
    )
    with parallel.scope():
        yield


def _devices() -> list[Any]:
    """Returns the JAX devices of all processes, those of the first process first."""
    if keras.backend.backend() != "jax":
        return []
    jax = _jax()
    chosen = jax.config.jax_default_device  # set where the GPUs are hidden
    return list(jax.devices(getattr(chosen, "platform", chosen)))


def _check_even(devices: Sequence[Any]) -> None:
    """Checks that all processes have equally many devices.

    Raises:
        TrainingError: they have not.
    """
    counts = Counter(one.process_index for one in devices)
    if len(set(counts.values())) > 1:
        told = ", ".join(f"process {rank} has {n}" for rank, n in counts.items())
        raise TrainingError(
            f"all processes must have the same number of devices, but {told}: "
            "hide some, such as with CUDA_VISIBLE_DEVICES"
        )


def _jax() -> Any:
    """Returns JAX, which may not be installed."""
    import jax
    import jax.flatten_util

    return jax


def mesh() -> Any | None:
    """Returns the JAX mesh of all devices; None if there is only one device."""
    parallel = keras.distribution.distribution()
    return None if parallel is None else parallel.device_mesh.backend_mesh


def device_count() -> int:
    """Returns the number of devices, in all processes, that make an update together."""
    devices = mesh()
    return 1 if devices is None else int(devices.size)


# --- the rows of a process ------------------------------------------------------------


@dataclass(frozen=True)
class Rows:
    """Cuts the rows of this process out of the batches, which all processes plan alike.

    Args:
        devices: number of devices in all processes.
        first: number of devices of the processes before this one.
        own: number of devices of this process.
    """

    devices: int = 1
    first: int = 0
    own: int = 1

    @classmethod
    def here(cls) -> "Rows":
        """Returns those of this process."""
        if (devices := mesh()) is None:
            return cls()
        jax = _jax()
        processes = [one.process_index for one in devices.devices.flat]
        here = jax.process_index()
        return cls(len(processes), processes.index(here), processes.count(here))

    def cut(self, batch: Batch, shared: Collection[str]) -> Batch:
        """Returns this process's part of a batch.

        Every device gets equally many rows, so the last ones may be padding, which
        counts nothing. An array without rows is repeated for each device, so that the
        first axis of every array is cut by device.

        Args:
            batch: the whole batch, the same in all processes.
            shared: names of the arrays that have no rows, but a first axis of 1.
        """
        if self.devices == 1:
            return batch
        return {
            name: np.repeat(array, self.own, axis=0)
            if name in shared
            else self._cut(array)
            for name, array in batch.items()
        }

    def _cut(self, array: NDArray[Any]) -> NDArray[Any]:
        each = math.ceil(len(array) / self.devices)
        found = array[self.first * each : (self.first + self.own) * each]
        missing = self.own * each - len(found)
        room = ((0, missing), *((0, 0),) * (array.ndim - 1))
        return np.pad(found, room, constant_values=PAD) if missing else found


# --- inside a step --------------------------------------------------------------------


def on_each_device(step: Step) -> Step:
    """Returns a step of Keras as all devices make it together.

    Args:
        step: takes the values of all variables and the rows of one device. What it
            returns must be the same on all devices, so it is made of ``summed`` values.
    """
    if (devices := mesh()) is None:
        return step
    jax = _jax()
    whole, rows = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec(AXIS)
    # ``check_vma`` would insert the sums by itself, one for each use of a weight.
    mapped: Step = jax.shard_map(
        step, mesh=devices, in_specs=(whole, rows), out_specs=whole, check_vma=False
    )
    return mapped


def device_number() -> Any | None:
    """Returns the number of the device, a tensor; None outside ``on_each_device``."""
    if mesh() is None:
        return None
    jax = _jax()
    try:
        return jax.lax.axis_index(AXIS)
    except NameError:  # not mapped over the devices
        return None


def seed_here(generator: keras.random.SeedGenerator) -> Any:
    """Returns what to draw from: on several devices, another seed on each of them."""
    if (number := device_number()) is None:
        return generator
    jax = _jax()
    return jax.random.fold_in(generator.next(), number)


def summed(tree: Tree) -> Tree:
    """Returns the sums of all float32 tensors over the devices, in one all-reduce."""
    if device_number() is None:
        return tree
    jax = _jax()
    # XLA may not join the sums of many tensors, and each would wait for the network.
    flat, restored = jax.flatten_util.ravel_pytree(tree)
    total: Tree = restored(jax.lax.psum(flat, AXIS))
    return total


def on_all_devices(value: float | bool | NDArray[Any]) -> Any:
    """Returns a value that can be assigned to a variable without any communication.

    JAX would first compare it with that of the other processes.

    Args:
        value: the same in all processes.
    """
    if (devices := mesh()) is None:
        return value
    jax = _jax()
    place = jax.sharding.NamedSharding(devices, jax.sharding.PartitionSpec())
    return jax.make_array_from_process_local_data(place, np.asarray(value))
