"""``headline train``: fit the model, and show after every epoch what users get."""

import gc
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import keras
from keras import ops

from headline.batches import Batches, CountLabels, pipeline
from headline.bundle import (
    is_trained,
    load_bundle,
    load_checkpoint,
    write_range_test,
)
from headline.callbacks import Clock, Progress, Report, Schedule, Validation
from headline.config import Run
from headline.dataset import UNPAIRED, Dataset, open_dataset
from headline.engines.backend import select_device
from headline.errors import TrainingError
from headline.find_lr import UPDATES, RangeTest, find_lr_page, story
from headline.metrics import Rouge
from headline.model import HeadlineModel, build_model
from headline.optimizers import make_optimizer
from headline.phases import Phase, plan_phases
from headline.progress import TrainingState, restore, settings
from headline.tensorboard import EventFile, Events
from headline.transfer import carry_weights, with_base_vocab
from headline.watch import Watch, watched


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
    phases = plan_phases(run.train, dataset.splits)
    state = _starting_state(run, dataset, model, phases)
    clock = Clock(run.train.max_minutes, spent=state.seconds)
    report(_opening(run, dataset, model, phases))
    validation = Validation(run, dataset, clock, state, report)
    for phase in state.to_come(phases):
        state.enter(phase)
        _fit(model, phase, validation)
    # A pipeline that was left half-way must go before the interpreter does, or
    # TensorFlow prints an error at the exit.
    gc.collect()
    assert state.best is not None  # the last epoch, even if cut short, is scored
    return state.best


def _fit(model: HeadlineModel, phase: Phase, validation: Validation) -> None:
    """Trains for a phase, or what is left of it."""
    run, dataset, state = validation.run, validation.dataset, validation.state
    counter = label_counter(model) if run.train.accumulate > 1 else None
    batches = Batches(dataset, phase.split, run.train, state.epoch, counter)
    model.fit(
        pipeline(batches),
        validation_data=pipeline(Batches(dataset, "valid", run.train)),
        initial_epoch=state.epoch,
        epochs=state.epochs_before + phase.epochs,
        callbacks=[
            Schedule(run.train, phase, validation.clock, state),
            Watch(),
            Progress(),
            validation,
            *_events(run, state),
        ],
        verbose=0,
        shuffle=False,  # the plan of batches is shuffled already
    )


def find_learning_rate(run: Run, report: Report) -> float:
    """Proposes a learning rate for a training; writes its page and nothing else.

    Args:
        report: called with each line for the person who waits.

    Raises:
        TrainingError: no rate can be proposed.
        DataError: the DATA_DIR is missing or damaged.
    """
    select_device(run.train.device)
    keras.utils.set_random_seed(run.train.seed)
    # An update of several batches is that of one large one.
    large = run.train.batch_size * run.train.accumulate
    run = replace(run, train=replace(run.train, batch_size=large, accumulate=1))
    dataset, model = _fresh_model(run, open_dataset(run.data_dir), report)
    batches = Batches(dataset, "train", run.train, epoch=0)
    report(_opening(run, dataset, model, plan_phases(run.train, dataset.splits)[-1:]))
    test = RangeTest()
    # As many epochs as it takes: the test ends the training.
    callbacks, stream = [test], pipeline(batches)
    model.fit(stream, epochs=UPDATES, callbacks=callbacks, verbose=0, shuffle=False)
    del stream
    gc.collect()  # as after a training
    rate = test.curve.proposal
    report(story(test.curve))
    page = find_lr_page(test.curve, _test_settings(run))
    report(f"The curve: {write_range_test(run.model_dir, page)}")
    return rate


def _test_settings(run: Run) -> dict[str, Any]:
    """Returns what the best rate depends on, by names for people."""
    return {
        "preset": run.preset,
        "width": run.model.width,
        "batch size": run.train.batch_size,
        "optimizer": run.train.optimizer,
        "clip norm": run.train.clip_norm,
        "dropout": run.model.dropout,
        "token dropout": run.model.token_dropout,
        "seed": run.train.seed,
    }


def _check_folder(run: Run) -> None:
    if is_trained(run.model_dir) and not run.overwrite and not run.resume:
        raise TrainingError(
            f"{run.model_dir} holds a trained model: choose another folder, "
            "or give --overwrite, or --resume to go on with it"
        )


def _starting_state(
    run: Run, dataset: Dataset, model: HeadlineModel, phases: Sequence[Phase]
) -> TrainingState:
    """Returns where the training starts: at nothing, or at the last checkpoint."""
    if not run.resume:
        return TrainingState()
    same = settings(run, dataset)
    state = restore(model, load_checkpoint(run.model_dir), same)
    minutes = run.train.max_minutes
    if not state.to_come(phases) or (minutes and state.seconds >= minutes * 60):
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
    optimizer = make_optimizer(model, run.train)
    model.compile(watched(optimizer), jit_compile=jit)
    return dataset, model


def _events(run: Run, state: TrainingState) -> list[Events]:
    if run.tensorboard is None:
        return []
    return [Events(EventFile(run.tensorboard, state.update), state)]


def label_counter(model: HeadlineModel) -> CountLabels:
    """Returns what says how many labels of a batch count in the loss."""

    def count(batch: Mapping[str, Any]) -> int:
        weights = model.label_weights(batch["labels"], batch["copy_ids"])
        return int(ops.sum(weights))

    return count


def _opening(
    run: Run, dataset: Dataset, model: HeadlineModel, phases: Sequence[Phase]
) -> str:
    pairs, pseudo = len(dataset.splits["train"]), ""
    if len(phases) > 1:
        pseudo = f"{len(dataset.splits[UNPAIRED]):,} pseudo-pairs first, then "
    return (
        f"preset {run.preset}: {model.count_params():,} weights, "
        f"vocab {model.config.vocab_size:,}; {pseudo}{pairs:,} pairs, "
        f"{phases[-1].epoch_updates:,} updates an epoch; {keras.backend.backend()}"
    )
