"""The Keras backend: which device it runs on, and what it prints while it loads."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryFile

from headline.config import Device
from headline.errors import HeadlineError, TrainingError


@contextmanager
def muted_native_stderr() -> Iterator[None]:
    """Keeps off stderr what native code prints during the body.

    TensorFlow writes a dozen notes on CUDA and oneDNN while it loads, whatever its
    log level says. If the body fails, they are printed after all.
    """
    sys.stderr.flush()
    kept = os.dup(2)
    with TemporaryFile() as scratch:
        os.dup2(scratch.fileno(), 2)
        try:
            yield
        except HeadlineError:
            raise
        except BaseException:
            scratch.seek(0)
            os.write(kept, scratch.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(kept, 2)
            os.close(kept)


def select_device(device: Device) -> None:
    """Makes Keras run on the device; to be called before anything has run.

    Args:
        device: ``auto`` takes a GPU if there is one.

    Raises:
        TrainingError: a GPU is asked for and there is none.
    """
    with muted_native_stderr():
        import keras

        backend = keras.backend.backend()
        if device == "cpu":
            _hide_gpus(backend)
        elif device == "gpu" and not _has_gpu(backend):
            raise TrainingError(
                f"--device gpu: the backend {backend} finds no GPU; "
                "use --device cpu, or install its GPU build"
            )
        keras.ops.zeros(1)  # looks for devices now, and says so now


def _hide_gpus(backend: str) -> None:
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.set_visible_devices([], "GPU")
    elif backend == "jax":
        import jax

        cpu = jax.devices("cpu")[0]
        jax.config.update("jax_default_device", cpu)  # type: ignore[no-untyped-call]


def _has_gpu(backend: str) -> bool:
    if backend == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return any(device.platform == "gpu" for device in jax.devices())
    return False
