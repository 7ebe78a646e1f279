"""``headline train``: fit the model, and show after every epoch what users get."""

import gc
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from headline.batches import Batches, CountLabels, pipeline
from headline.bundle import is_trained, load_bundle, load_checkpoint
from headline.callbacks import Clock, Progress, Report, Schedule, Validation
from headline.config import Run
from headline.dataset import Dataset, open_dataset
from headline.engines.backend import select_device
from headline.errors import TrainingError
from headline.metrics import Rouge
from headline.model import HeadlineModel, build_model
from headline.optimizers import make_optimizer
from headline.progress import TrainingState, restore, settings
from headline.transfer import carry_weights, with_base_vocab


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
    dataset, model = _fresh_model(run, dataset, report)
    state = _starting_state(run, dataset, model)
    clock = Clock(run.train.max_minutes, spent=state.seconds)
    counter = label_counter(model) if run.train.accumulate > 1 else None
    batches = Batches(dataset, "train", run.train, state.epoch, counter)
    report(_opening(run, dataset, model, len(batches) // run.train.accumulate))
    model.fit(
        pipeline(batches),
        validation_data=pipeline(Batches(dataset, "valid", run.train)),
        initial_epoch=state.epoch,
        epochs=run.train.epochs,
        callbacks=[
            Schedule(run.train, len(batches) // run.train.accumulate, clock, state),
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
    same = settings(run, dataset.fingerprint)
    state = restore(model, load_checkpoint(run.model_dir), same)
    minutes = run.train.max_minutes
    if (
        state.epoch >= run.train.epochs
        or (minutes and state.seconds >= minutes * 60)
        or state.is_stale(run.train.patience)
    ):
        raise TrainingError(f"the training of {run.model_dir} has come to its end")
    return state


def _check_valid(dataset: Dataset) -> None:
    if not len(dataset.splits["valid"]):
        raise TrainingError(
            f"the valid split of {dataset.path} is empty, so nothing could tell which "
            "weights are best: prepare more pairs, or give a larger --valid-size"
        )


def _fresh_model(
    run: Run, dataset: Dataset, report: Report
) -> tuple[Dataset, HeadlineModel]:
    """Makes the model that the training starts with, and the dataset with its ids."""
    base = None if run.init_from is None else load_bundle(run.init_from)
    if base is not None:
        dataset = with_base_vocab(dataset, base)
    vocab = dataset.tokenizer.vocab
    policy = "mixed_bfloat16" if run.train.mixed_precision else "float32"
    model = build_model(replace(run.model, vocab_size=vocab.vocab_size), policy)
    if base is not None:
        report(f"from {run.init_from}: {carry_weights(model, base, vocab)}")
    # Not XLA under TensorFlow: it would compile each shape of a batch anew.
    jit = keras.backend.backend() == "jax"
    model.compile(make_optimizer(model, run.train), jit_compile=jit)
    return dataset, model


def label_counter(model: HeadlineModel) -> CountLabels:
    def count(batch: Mapping[str, Any]) -> int:
        weights = model.label_weights(batch["labels"], batch["copy_ids"])
        return int(ops.sum(weights))

    return count


def _opening(run: Run, dataset: Dataset, model: HeadlineModel, batches: int) -> str:
    pairs = len(dataset.splits["train"])
    return (
        f"preset {run.preset}: {model.count_params():,} weights, "
        f"vocab {model.config.vocab_size:,}; {pairs:,} pairs, "
        f"{batches:,} updates an epoch; {keras.backend.backend()}"
    )
