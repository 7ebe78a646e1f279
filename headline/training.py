"""``headline train``: fit the model, and show after every epoch what users get."""

import gc
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from headline.bundle import is_trained, load_checkpoint
from headline.callbacks import Clock, Progress, Report, Schedule, Validation
from headline.config import Run, TrainConfig
from headline.dataset import Dataset, make_batch, open_dataset, plan_batches
from headline.engines.backend import select_device
from headline.errors import TrainingError
from headline.metrics import Rouge
from headline.model import HeadlineModel, build_model
from headline.progress import TrainingState, restore, settings
from headline.tokenizer import Ids


def train_model(run: Run, report: Report) -> Rouge:
    """Trains on a DATA_DIR and writes MODEL_DIR.

    Args:
        report: called with each line for the person who waits.

    Returns:
        the scores of the model that was kept, on the sample of the valid split.

    Raises:
        TrainingError: MODEL_DIR holds a model, or there is nothing to train on.
        DataError: the DATA_DIR is missing or damaged.
    """
    _check_folder(run)
    select_device(run.train.device)
    keras.utils.set_random_seed(run.train.seed)
    dataset = open_dataset(run.data_dir)
    _check_valid(dataset)
    model = _compiled_model(run, dataset)
    state = _starting_state(run, dataset, model)
    clock = Clock(run.train.max_minutes, spent=state.seconds)
    batches = Batches(dataset, "train", run.train, state.epoch)
    report(_opening(run, dataset, model, len(batches)))
    model.fit(
        _pipeline(batches),
        validation_data=_pipeline(Batches(dataset, "valid", run.train)),
        initial_epoch=state.epoch,
        epochs=run.train.epochs,
        callbacks=[
            Schedule(run.train, len(batches), clock, state),
            Progress(),
            Validation(run, dataset, clock, state, report),
        ],
        verbose=0,
        shuffle=False,  # the plan of batches is shuffled already
    )
    # A pipeline that was left half-way must go before the interpreter does, or
    # TensorFlow prints an error at the exit.
    gc.collect()
    assert state.best is not None  # the last epoch, even if cut short, is scored
    return state.best


def _check_folder(run: Run) -> None:
    if is_trained(run.model_dir) and not run.overwrite and not run.resume:
        raise TrainingError(
            f"{run.model_dir} holds a trained model: choose another folder, "
            "or give --overwrite, or --resume to go on with it"
        )


def _starting_state(run: Run, dataset: Dataset, model: HeadlineModel) -> TrainingState:
    """Returns where the training starts: at nothing, or at the last checkpoint."""
    if not run.resume:
        return TrainingState()
    same = settings(run, dataset.summary["sha256"])
    state = restore(model, load_checkpoint(run.model_dir), same)
    minutes = run.train.max_minutes
    if state.epoch >= run.train.epochs or (minutes and state.seconds >= minutes * 60):
        raise TrainingError(f"the training of {run.model_dir} has come to its end")
    return state


def _check_valid(dataset: Dataset) -> None:
    if not len(dataset.splits["valid"]):
        raise TrainingError(
            f"the valid split of {dataset.path} is empty, so nothing could tell which "
            "weights are best: prepare more pairs, or give a larger --valid-size"
        )


def _compiled_model(run: Run, dataset: Dataset) -> HeadlineModel:
    vocab_size = dataset.tokenizer.vocab.vocab_size
    policy = "mixed_bfloat16" if run.train.mixed_precision else "float32"
    model = build_model(replace(run.model, vocab_size=vocab_size), policy)
    clip = run.train.clip_norm or None
    # Not XLA under TensorFlow: it would compile each shape of a batch anew.
    jit = keras.backend.backend() == "jax"
    optimizer = keras.optimizers.Adam(run.train.learning_rate, global_clipnorm=clip)
    model.compile(optimizer, jit_compile=jit)
    return model


def _opening(run: Run, dataset: Dataset, model: HeadlineModel, batches: int) -> str:
    pairs = len(dataset.splits["train"])
    return (
        f"preset {run.preset}: {model.count_params():,} weights, "
        f"vocab {model.config.vocab_size:,}; {pairs:,} pairs, "
        f"{batches:,} updates an epoch; {keras.backend.backend()}"
    )


class Batches(keras.utils.PyDataset):
    """The batches of a split, in another order each epoch.

    Args:
        epoch: the epoch to begin with; None plans once and for all, for validation.
    """

    def __init__(
        self,
        dataset: Dataset,
        split: str,
        config: TrainConfig,
        epoch: int | None = None,
    ) -> None:
        super().__init__()
        self.split = dataset.splits[split]
        self.tokenizer = dataset.tokenizer
        self.config = config
        self.epoch = epoch
        self._lengths = self.split.source.lengths()
        self._plan = self._plan_epoch()

    def _plan_epoch(self) -> list[NDArray[np.intp]]:
        size, seed = self.config.batch_size, self.config.seed
        return plan_batches(self._lengths, size, seed, self.epoch or 0)

    def __len__(self) -> int:
        return len(self._plan)

    def __getitem__(self, index: int) -> tuple[dict[str, Ids]]:
        return (make_batch(self.split, self._plan[index], self.tokenizer),)

    def on_epoch_end(self) -> None:
        if self.epoch is not None:
            self.epoch += 1
            self._plan = self._plan_epoch()


def _pipeline(batches: Batches) -> Any:
    """Returns what ``fit`` reads the batches from.

    Under TensorFlow, Keras takes the widths of the first two batches for those of all
    others, and fails at the third. So there the shapes are said.
    """
    if keras.backend.backend() != "tensorflow":
        return batches
    import tensorflow as tf

    def epoch() -> Iterator[tuple[dict[str, Ids]]]:
        yield from (batches[index] for index in range(len(batches)))
        batches.on_epoch_end()

    spec = tf.TensorSpec((None, None), tf.int32)
    signature = (dict.fromkeys(batches[0][0], spec),)
    pipeline = tf.data.Dataset.from_generator(epoch, output_signature=signature)
    counted = tf.data.experimental.assert_cardinality(len(batches))
    return pipeline.apply(counted).prefetch(2)
