"""``train --tensorboard DIR``: the course of a training as an event file.

TensorBoard reads a file of TensorFlow records, each of them an ``Event``. TensorFlow
must be installed under any Keras backend; writing starts no device.
"""

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from headline.errors import TrainingError
from headline.network.train_step import RATIO
from headline.training.state import TrainingState
from headline.training.training import rate_of

COUNTS = ("epoch", "updates", "seconds")  # columns that need no curve
VERSION = "brain.Event:2"  # the first record of such a file


class EventFile:
    """Writes numbers and texts for TensorBoard, each at an update.

    Args:
        folder: created if it does not exist; each file in it has a unique name.
        update: updates done; events of older files at later updates become void.

    Raises:
        TrainingError: the folder cannot be written, or TensorFlow is not installed.
    """

    def __init__(self, folder: Path, update: int = 0) -> None:
        try:
            import tensorflow as tf
        except ImportError as error:
            raise TrainingError(
                "--tensorboard needs TensorFlow: pip install tensorflow"
            ) from error
        self._tf = tf
        self._protos = tf.compat.v1
        # TensorBoard reads the files in the order of their names.
        path = folder / f"events.out.tfevents.{time.time():.6f}.{os.getpid()}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            self._writer = tf.io.TFRecordWriter(str(path))
        except OSError as error:
            raise TrainingError(f"cannot write {folder}: {error.strerror}") from error
        except tf.errors.OpError as error:
            raise TrainingError(f"cannot write {folder}: {error.message}") from error
        self._write(file_version=VERSION)
        start = self._protos.SessionLog(status=self._protos.SessionLog.START)
        self._write(step=update, session_log=start)

    def _write(self, **content: Any) -> None:
        event = self._protos.Event(wall_time=time.time(), **content)
        self._writer.write(event.SerializeToString())
        self._writer.flush()

    def numbers(self, update: int, values: Mapping[str, float]) -> None:
        """Writes a number for each tag."""
        found = [
            self._protos.Summary.Value(tag=tag, simple_value=value)
            for tag, value in values.items()
        ]
        self._write(step=update, summary=self._protos.Summary(value=found))

    def texts(self, update: int, values: Mapping[str, str]) -> None:
        """Writes a text, in Markdown, for each tag."""
        data = self._protos.SummaryMetadata.PluginData(plugin_name="text")
        found = [
            self._protos.Summary.Value(
                tag=tag,
                metadata=self._protos.SummaryMetadata(plugin_data=data),
                tensor=self._tf.make_tensor_proto([text], shape=[1]),
            )
            for tag, text in values.items()
        ]
        self._write(step=update, summary=self._protos.Summary(value=found))

    def close(self) -> None:
        """Closes the file; it is also complete after every event."""
        self._writer.close()


class Events(keras.callbacks.Callback):
    """Writes the measurements of ``Watch``, which must come before it; on request also
    the row and the samples that ``Validation`` has added to the state.
    """

    def __init__(self, file: EventFile, state: TrainingState) -> None:
        super().__init__()
        self.file, self.state = file, state

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float]) -> None:
        if "recent_loss" not in logs:
            return
        found = {
            "loss": logs["recent_loss"],
            "learning_rate": rate_of(self.model),
            "gradient_norm": logs["gradient_norm"],
        }
        found |= {name: logs[name] for name in logs if name.startswith(RATIO)}
        tags = {f"update/{name}": value for name, value in found.items()}
        self.file.numbers(self.state.update, tags)

    def write_epoch(self) -> None:
        """Writes the last row of the history and its samples."""
        row = self.state.history[-1]
        tags = {f"epoch/{name}": row[name] for name in row if name not in COUNTS}
        self.file.numbers(self.state.update, tags)
        samples = [one for one in self.state.samples if one["epoch"] == row["epoch"]]
        texts = {f"sample/{n}": _text(one) for n, one in enumerate(samples, 1)}
        self.file.texts(self.state.update, texts)


def _text(sample: Mapping[str, Any]) -> str:
    # Indented, so that Markdown interprets none of it.
    lines = (
        f"    article    {sample['source']}",
        f"    reference  {sample['reference']}",
        f"    headline   {sample['headline']}",
    )
    return "\n".join(lines)
