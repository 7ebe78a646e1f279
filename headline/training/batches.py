"""The batches that ``fit`` reads; the plan of an epoch depends on its number alone."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from threading import Lock
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from headline.data.batches import buckets_of, make_batch, plan_batches
from headline.data.store import Dataset
from headline.network.data_parallel import Rows
from headline.network.model import COLUMNS, LABEL_COLUMNS, LOG_SHARES, SHARED
from headline.network.shapes import rung
from headline.network.train_step import DIVISOR
from headline.settings.train import TrainConfig
from headline.text.ids import PAD
from headline.training.shortlist import Shortlist

# The smallest widths of sources and of targets, if each shape is compiled.
LEAST_SOURCE = 64
LEAST_TARGET = 32
COLUMN_STEP = 512  # and the rare columns of the softmax: a multiple of this

Batch = dict[str, NDArray[Any]]
CountLabels = Callable[[Mapping[str, Any]], int]


class Batches(keras.utils.PyDataset):
    """The batches of a split, in a different order for each epoch.

    All processes plan the same batches, and each takes the rows of its own devices.

    With gradient accumulation, the batches of an update are parts of one large batch.
    Each part holds, as ``DIVISOR``, the mean number of labels per part. Training
    batches also hold the tokens that the softmax covers, the same for all parts.

    Args:
        epoch: its number; None for validation.
        first: the batch to start with; earlier ones are done.
        count_labels: returns how many labels of a batch count in the loss; needed for
            gradient accumulation.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        config: TrainConfig,
        epoch: int | None = None,
        count_labels: CountLabels | None = None,
        first: int = 0,
    ) -> None:
        super().__init__()
        self.split = dataset.splits[split]
        self.tokenizer = dataset.tokenizer
        self.config = config
        self.epoch = epoch
        self.count_labels = count_labels
        self.first = first
        self.parts = 1 if count_labels is None else config.accumulate
        self._shortlist = self._make_shortlist()
        self._buckets = buckets_of(self.split)
        self._plan = self._plan_epoch()
        self._rows = Rows.here()
        self._parts: tuple[int, list[Batch]] = (-1, [])

    def _make_shortlist(self) -> Shortlist | None:
        vocab_size, frequent = self.tokenizer.vocab.vocab_size, self.config.shortlist
        if self.epoch is None or not 0 < frequent < vocab_size:
            return None
        pairs = self.config.batch_size * self.parts
        return Shortlist.of(self.split.target, vocab_size, frequent, pairs)

    def _plan_epoch(self) -> list[NDArray[np.intp]]:
        size, seed = self.config.batch_size * self.parts, self.config.seed
        epoch, corpora = self.epoch or 0, self.split.corpora
        return plan_batches(self._buckets, size, seed, epoch, corpora)

    def __len__(self) -> int:
        return len(self._plan) * self.parts - self.first

    def __getitem__(self, index: int) -> tuple[Batch]:
        number, part = divmod(self.first + index, self.parts)
        if self._parts[0] != number:
            self._parts = number, self._make_parts(self._plan[number])
        return (self._rows.cut(self._parts[1][part], SHARED),)

    def _make_parts(self, pairs: NDArray[np.intp]) -> list[Batch]:
        """Makes the batches of an update; a part without pairs is one padded row."""
        batches: list[Batch] = [
            dict(make_batch(self.split, part, self.tokenizer))
            for part in np.array_split(pairs, self.parts)
        ]
        divisor: Batch = {}
        if self.count_labels is not None:
            labels = sum(map(self.count_labels, batches))
            divisor = {DIVISOR: np.full((1, 1), labels / self.parts, np.float32)}
        if compiles_each_shape():
            batches = [of_few_shapes(one, self.config.batch_size) for one in batches]
        return [batch | divisor for batch in self._with_columns(batches)]

    def _with_columns(self, batches: list[Batch]) -> list[Batch]:
        """Adds the tokens that the softmax of an update covers."""
        if (shortlist := self._shortlist) is None:
            return batches
        step = COLUMN_STEP if compiles_each_shape() else 1
        labels = [batch["labels"] for batch in batches]
        columns, log_shares = shortlist.columns(labels, step)
        shared = {COLUMNS: columns[None], LOG_SHARES: log_shares[None]}
        return [
            batch | shared | {LABEL_COLUMNS: shortlist.places(batch["labels"], columns)}
            for batch in batches
        ]


def compiles_each_shape() -> bool:
    """Returns whether the backend compiles each shape of a batch separately."""
    return bool(keras.backend.backend() == "jax")


def of_few_shapes(batch: Batch, rows: int) -> Batch:
    """Pads a batch further, so that an epoch has hardly more shapes than widths.

    JAX takes seconds to compile a shape; a dozen shapes take as long as some epochs on
    a GPU.

    Args:
        rows: number of rows of a full batch; missing rows are padding.
    """

    def widened(ids: NDArray[Any], least: int) -> NDArray[Any]:
        present, width = ids.shape
        room = (0, rows - present), (0, rung(width, least) - width)
        return np.pad(ids, room, constant_values=PAD)

    least = {"source_ids": LEAST_SOURCE, "copy_ids": LEAST_SOURCE}
    return {
        name: widened(ids, least.get(name, LEAST_TARGET)) for name, ids in batch.items()
    }


class EndlessBatches(Batches):
    """The batches of one epoch after another, for a ``fit`` over several epochs.

    Keras decides which epoch comes first: under JAX it reads a batch and restarts.
    """

    def on_epoch_end(self) -> None:
        self.epoch = (self.epoch or 0) + 1
        self._plan = self._plan_epoch()
        self._parts = -1, []


@contextmanager
def pipeline(batches: Batches) -> Iterator[Any]:
    """Yields the object from which ``fit`` reads the batches.

    Under TensorFlow, Keras assumes that all batches have the widths of the first two,
    and fails at the third. So the shapes are given explicitly there.

    After the body, no more batches are made. TensorFlow reads ahead in its own threads
    as long as anything, even a traceback, references the stream; at the end of the
    program, those threads must not call Python.
    """
    if keras.backend.backend() != "tensorflow":
        yield batches
        return
    source = _Source(batches)
    try:
        yield _stream(source, batches)
    finally:
        source.close()


class _Source:
    """Makes batches for the threads of TensorFlow, until it is closed."""

    def __init__(self, batches: Batches) -> None:
        self._batches: Batches | None = batches
        self._making = Lock()

    def __call__(self, index: np.int64) -> list[NDArray[Any]]:
        with self._making:
            if self._batches is None:
                raise StopIteration
            (batch,) = self._batches[int(index)]
            if index + 1 == len(self._batches):
                self._batches.on_epoch_end()
        return list(batch.values())

    def close(self) -> None:
        """Waits for the batch that is being made, and releases the dataset."""
        with self._making:
            self._batches = None


def _stream(source: _Source, batches: Batches) -> Any:
    import tensorflow as tf

    (first,) = batches[0]
    types = {name: array.dtype for name, array in first.items()}
    shapes = [(None,) * array.ndim for array in first.values()]

    def read(index: Any) -> tuple[Any]:
        arrays = tf.numpy_function(source, [index], list(types.values()))
        shaped = [
            tf.ensure_shape(array, shape)
            for array, shape in zip(arrays, shapes, strict=True)
        ]
        return (dict(zip(types, shaped, strict=True)),)

    options = tf.data.Options()
    # There is nothing to tune. At the end of an epoch an iterator may wait for its
    # tuner, which sleeps longer and longer: up to 40% of the time of the epoch.
    options.autotune.enabled = False
    stream = tf.data.Dataset.range(len(batches)).map(read)
    return stream.prefetch(2).with_options(options)
