"""The Keras backend: which device it runs on, and what it prints while it loads."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from tempfile import TemporaryFile
from typing import Any, TextIO

from headline.errors import HeadlineError, TrainingError, refusal
from headline.settings.base import Device
from headline.system.streams import Story, story_stream
from headline.system.workers import cores

BACKENDS = ("tensorflow", "jax")  # the extras of the package that bring them
NO_BACKEND = (
    "training and --device gpu need Keras with TensorFlow or JAX: "
    "pip install 'headline[tensorflow]', or 'headline[jax]'"
)


def choose_backend() -> None:
    """Makes Keras run on an installed backend; call this before Keras is loaded.

    KERAS_BACKEND decides if it is set. Otherwise Keras uses the backend of its
    keras.json, or TensorFlow; if only JAX is installed, it uses JAX.

    Raises:
        TrainingError: Keras or its backend is not installed.
    """
    if "keras" in sys.modules:
        return
    chosen = os.environ.get("KERAS_BACKEND")
    found = [name for name in BACKENDS if _is_installed(name)]
    if not _is_installed("keras") or not (chosen or found):
        raise TrainingError(NO_BACKEND)
    if chosen in BACKENDS and chosen not in found:
        raise TrainingError(
            f"KERAS_BACKEND is {chosen}, which is not installed: "
            f"pip install 'headline[{chosen}]'"
        )
    if not chosen and found == ["jax"]:
        os.environ["KERAS_BACKEND"] = "jax"


def _is_installed(name: str) -> bool:
    return find_spec(name) is not None


@contextmanager
def muted_native_stderr() -> Iterator[None]:
    """Hides what native code prints to stderr during the body; Python still prints.

    TensorFlow writes a dozen notes on CUDA and oneDNN while it loads and in the first
    epoch, at any log level. If the body fails because of a bug, the hidden output is
    printed after all. Nothing is hidden if TF_CPP_MIN_LOG_LEVEL is set.
    """
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ:
        yield
        return
    sys.stderr.flush()
    python_stderr, kept = sys.stderr, os.dup(2)
    with TemporaryFile() as scratch, _stderr_to(kept):
        os.dup2(scratch.fileno(), 2)
        try:
            yield
        except Exception as error:
            if not isinstance(error, HeadlineError) and not refusal(error):
                scratch.seek(0)
                Story(kept).write(scratch.read())
            raise
        finally:
            os.dup2(kept, 2)
            sys.stderr = python_stderr


@contextmanager
def _stderr_to(descriptor: int) -> Iterator[None]:
    """Makes Python's stderr write to the descriptor, and closes it at the end."""
    with story_stream(descriptor) as own:
        if _is_descriptor_2(sys.stderr):  # otherwise something captures it already
            sys.stderr = own
        yield


def _is_descriptor_2(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 2
    except (OSError, ValueError):
        return False


def is_out_of_memory(error: Exception) -> bool:
    """Returns whether the error means that a batch ran out of memory."""
    # TensorFlow's name and JAX's: neither backend needs to be loaded here.
    names = "ResourceExhaustedError", "RESOURCE_EXHAUSTED"
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(name in text for name in names)


def select_device(device: Device) -> None:
    """Makes Keras run on the device; call this before anything has run.

    Args:
        device: ``auto`` takes a GPU if there is one.

    Raises:
        TrainingError: a GPU is requested, but the backend finds none.
    """
    import keras

    backend = keras.backend.backend()
    if device == "cpu":
        _hide_gpus(backend)
    elif device == "gpu" and not _has_gpu(backend):
        raise TrainingError(
            f"--device gpu: the backend {backend} finds no GPU; "
            "use --device cpu, or install its GPU build"
        )


def find_device() -> Device:
    """Makes Keras run on a GPU if it finds one; returns ``gpu`` or ``cpu``."""
    choose_backend()
    select_device("auto")
    return "cpu" if device_in_use() == "CPU" else "gpu"


def share_gpu() -> None:
    """Leaves memory for other processes on the GPU; call this before it is used.

    By default JAX and TensorFlow reserve most of its memory at once. Environment
    variables that are already set keep their values.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def share_cores() -> None:
    """Makes TensorFlow use half of the cores for one operation, in the whole process.

    Two operations often run at the same time, such as the two directions of the
    encoder. On two cores, an update takes 10% longer if each direction may use both.
    TF_NUM_INTRAOP_THREADS decides if it is set.
    """
    import keras

    if keras.backend.backend() != "tensorflow":
        return
    import tensorflow as tf

    if "TF_NUM_INTRAOP_THREADS" not in os.environ:
        with suppress(RuntimeError):  # TensorFlow has run already
            tf.config.threading.set_intra_op_parallelism_threads(max(1, cores() // 2))


def _hide_gpus(backend: str) -> None:
    if backend == "tensorflow":
        import tensorflow as tf

        # Once anything has run, this would be refused even if it changed nothing.
        if tf.config.get_visible_devices("GPU"):
            tf.config.set_visible_devices([], "GPU")
    elif backend == "jax":
        import jax

        config: Any = jax.config  # typed only where JAX is installed
        # Not ``jax.devices``: the first of them may belong to another process.
        config.update("jax_default_device", jax.local_devices(backend="cpu")[0])


def _has_gpu(backend: str) -> bool:
    if backend == "tensorflow":
        import tensorflow as tf

        return bool(tf.config.list_physical_devices("GPU"))
    if backend == "jax":
        import jax

        return any(device.platform == "gpu" for device in jax.devices())
    return False


def device_in_use() -> str:
    """Returns the name of the device that Keras runs on, such as ``CPU``."""
    import keras

    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        gpus = tf.config.get_visible_devices("GPU")
        details = tf.config.experimental.get_device_details(gpus[0]) if gpus else {}
        return str(details.get("device_name", "GPU" if gpus else "CPU"))
    if keras.backend.backend() == "jax":
        import jax

        config: Any = jax.config
        device = config.jax_default_device or jax.devices()[0]
        return "CPU" if device.platform == "cpu" else str(device.device_kind)
    return "CPU"
