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
    """Makes Keras run on a backend that is installed; to be called before it is loaded.

    Whoever sets KERAS_BACKEND decides. Else Keras takes what its keras.json says, or
    TensorFlow; where only JAX is installed, it takes that.

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
    """Keeps off stderr what native code prints during the body; Python still prints.

    TensorFlow writes a dozen notes on CUDA and oneDNN while it loads and at the first
    epoch, whatever its log level says. If the body fails by a bug, they are printed
    after all. Whoever sets TF_CPP_MIN_LOG_LEVEL wants to see them.
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
    """Makes Python's stderr write to the descriptor, which is closed in the end."""
    with story_stream(descriptor) as own:
        if _is_descriptor_2(sys.stderr):  # else somebody captures it already
            sys.stderr = own
        yield


def _is_descriptor_2(stream: TextIO) -> bool:
    try:
        return stream.fileno() == 2
    except (OSError, ValueError):
        return False


def is_out_of_memory(error: Exception) -> bool:
    """Tells whether a batch asked for more memory than there is."""
    # Of TensorFlow, of JAX: neither need be loaded here.
    names = "ResourceExhaustedError", "RESOURCE_EXHAUSTED"
    text = f"{type(error).__name__}: {error}"
    return isinstance(error, MemoryError) or any(name in text for name in names)


def select_device(device: Device) -> None:
    """Makes Keras run on the device; to be called before anything has run.

    Args:
        device: ``auto`` takes a GPU if there is one.

    Raises:
        TrainingError: a GPU is asked for and there is none.
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
    """Makes Keras run on a GPU if it sees one; returns ``gpu``, or else ``cpu``."""
    choose_backend()
    select_device("auto")
    return "cpu" if device_in_use() == "CPU" else "gpu"


def share_gpu() -> None:
    """Leaves room for other processes on the GPU; to be called before it is used.

    JAX and TensorFlow would take most of its memory at once. Whoever has set how they
    take it decides.
    """
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")


def share_cores() -> None:
    """Makes TensorFlow leave half of the cores to an operation, for the whole process.

    Two often run side by side. The directions of the encoder are such two: with both
    cores of two for each of them, an update takes a tenth longer. Whoever sets
    TF_NUM_INTRAOP_THREADS decides.
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

        tf.config.set_visible_devices([], "GPU")
    elif backend == "jax":
        import jax

        config: Any = jax.config  # typed only where JAX is installed
        config.update("jax_default_device", jax.devices("cpu")[0])


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
