"""``headline train``: fits the model, and shows sample headlines after every epoch."""

import gc
import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from hashlib import sha256
from typing import Any

import keras
from keras import ops

from headline.bundle import (
    has_checkpoint,
    is_trained,
    load_bundle,
    load_checkpoint,
    tidy_model,
    write_range_test,
)
from headline.data.store import UNPAIRED, Dataset, open_dataset
from headline.errors import (
    ConfigError,
    Interrupted,
    TrainingComplete,
    TrainingError,
)
from headline.evaluation.metrics import Rouge
from headline.network.backend import is_out_of_memory
from headline.network.data_parallel import device_count, on_devices
from headline.network.model import HeadlineModel, build_model
from headline.network.objective import make_objective
from headline.settings.presets import Run
from headline.settings.train import EPOCHS, TrainConfig
from headline.system.folders import locked
from headline.system.interrupt import Wish
from headline.system.progress import Report
from headline.training.alike import check_alike, versions
from headline.training.batches import Batches, CountLabels, EndlessBatches, pipeline
from headline.training.beat import Beat
from headline.training.callbacks import Alarm, Checkpoints, EpochMeter, Restored, Watch
from headline.training.confidence import end_training
from headline.training.environment import environment
from headline.training.find_lr import UPDATES, RangeTest, find_lr_page, story
from headline.training.group import PARTING, Group
from headline.training.joining import joined
from headline.training.link import Pace
from headline.training.optimizers import exchange_optimizer, make_optimizer
from headline.training.phases import Phase, plan_phases
from headline.training.schedule import Schedule
from headline.training.state import TrainingState, halvings_of, restore, settings
from headline.training.stopper import Stopper
from headline.training.tensorboard import EventFile, Events
from headline.training.training import Clock, Training
from headline.training.transfer import carry_weights, with_base_vocab
from headline.training.validation import Validation

OnEpoch = Callable[[Mapping[str, Any]], object]  # with the row of history.csv


def train_model(
    run: Run,
    report: Report,
    wish: Wish | None = None,
    on_epoch: OnEpoch | None = None,
) -> Rouge:
    """Trains on a DATA_DIR and writes MODEL_DIR, in any thread.

    With ``run.hosts``, several processes train together; process 0 writes.

    Args:
        report: called with each line to show to the user.
        wish: a request to stop, which another thread may make; it is checked after each
            update and between the steps of a validation.
        on_epoch: called after each epoch, once its checkpoint is written; only in
            process 0.

    Returns:
        the scores of the model that was kept, on the sample of the valid split.

    Raises:
        TrainingError: MODEL_DIR holds a model, or there is nothing to train on.
        DataError: the DATA_DIR is missing or damaged.
        Interrupted: a stop was requested; a checkpoint was written.
    """
    wish = wish or Wish()
    with joined(run.hosts, report, wish) as group, ExitStack() as stack:
        with group.together():
            dataset = open_dataset(run.data_dir)
            _check_valid(dataset)
            run = _fitted(run, dataset)
        with group.together():
            if group.is_first:
                stack.enter_context(locked(run.model_dir))
                _check_folder(run)
                tidy_model(run.model_dir)
        with group.together():
            run = as_begun(run)
        with group.together():
            stack.enter_context(on_devices(run.train.device))
        own = settings(run, dataset) | _checkpoint_of(run)
        check_alike(group, own | versions(environment()))
        rouge = _train(run, dataset, group, on_epoch if group.is_first else None)
        if group.is_first:
            end_training(run, dataset, group.report, wish)
        return rouge


def _checkpoint_of(run: Run) -> dict[str, Any]:
    """Returns what tells two checkpoints to resume from apart."""
    if not run.resume:
        return {}
    state = json.dumps(load_checkpoint(run.model_dir).state)
    return {"checkpoint": sha256(state.encode()).hexdigest()}


def _train(run: Run, dataset: Dataset, group: Group, on_epoch: OnEpoch | None) -> Rouge:
    report = group.report
    keras.utils.set_random_seed(run.train.seed)
    dataset, model = _fresh_model(run, dataset, report)
    phases = plan_phases(run.train, dataset.splits)
    with group.together():  # all have read the checkpoint before it is written anew
        state = _starting_state(run, dataset, model, phases)
    training = Training(
        run=run,
        dataset=dataset,
        model=model,
        state=state,
        clock=Clock(run.train.max_minutes, state),
        wish=group.wish if group.is_alone else Wish(),
        report=report,
        group=group,
    )
    if not group.is_alone:
        training.clock.tell(state.seconds)
    report(f"{_opening(run, dataset, model, phases)}; {ending(run.train)}")
    _note_devices(training)
    try:
        _fit_phases(training, state.to_come(phases), on_epoch)
    except Interrupted:
        with group.together():
            training.save_checkpoint()
        report(
            f"stopped after {state.update:,} updates: the same command with "
            "--resume goes on from here"
        )
        raise
    assert state.best is not None  # the last epoch, even if cut short, is scored
    return state.best


def _fit_phases(
    training: Training, phases: Sequence[Phase], on_epoch: OnEpoch | None
) -> None:
    run, state = training.run, training.state
    stopper, events, more = Stopper(training), None, list[keras.callbacks.Callback]()
    validation = Validation(training, stopper)
    if run.tensorboard is not None and training.group.is_first:
        events = Events(EventFile(run.tensorboard, state.update), state)
        more.append(events)
    if device_count() > 1:
        more.append(Pace(training.report))
    for phase in phases:
        state.enter(phase)
        while not state.phase_over or state.current.batches:
            if state.current.logs:  # the epoch was stopped during its validation
                validation.end_epoch()
            else:
                _fit_epoch(training, phase, [*more, validation])
            stopper.end_late(phase)
            training.save_checkpoint()
            if events is not None:
                events.write_epoch()
            if on_epoch is not None:
                on_epoch(dict(state.history[-1]))
    if events is not None:
        events.file.close()


def _fit_epoch(
    training: Training, phase: Phase, last: Sequence[keras.callbacks.Callback]
) -> None:
    """Trains for the rest of an epoch; halves the batches if memory is too small.

    Args:
        last: callbacks that come after those of the updates; the last one validates.
    """
    while True:
        try:
            return _fit_batches(training, phase, last)
        except Exception as error:
            # In the validation, smaller batches would not help.
            if not is_out_of_memory(error) or training.state.current.logs:
                raise
        # The error is gone. This frees what its traceback held in reference cycles.
        gc.collect()
        _check_memory_of_all(training)
        _halve_batches(training)


def _fit_batches(
    training: Training, phase: Phase, last: Sequence[keras.callbacks.Callback]
) -> None:
    config, state, model = training.config, training.state, training.model
    counter = label_counter(model) if config.accumulate > 1 else None
    epoch = state.current
    batches = Batches(
        training.dataset, phase.split, config, state.epoch, counter, epoch.batches
    )
    with closing(EpochMeter(training, phase)) as meter, pipeline(batches) as stream:
        model.fit(
            stream,
            initial_epoch=state.epoch,
            epochs=state.epoch + 1,
            callbacks=[
                *([] if training.group.is_alone else [Beat(training)]),
                *([Restored(model)] if epoch.batches else []),
                Schedule(config, phase, training.clock, state),
                Watch(epoch),
                Alarm(state),
                *([meter] if training.group.is_first else []),
                *last[:-1],
                Checkpoints(training),
                last[-1],
            ],
            verbose=0,
            shuffle=False,  # the plan of batches is shuffled already
        )


def _check_memory_of_all(training: Training) -> None:
    """Checks that memory is too small in all processes, so that all halve the batches.

    Raises:
        TrainingError: others had enough. They wait in the update for this process.
    """
    state = training.state
    update = f"out of memory {state.halvings} in update {state.update}"
    if not training.group.all_came(update, PARTING):
        raise TrainingError(
            f"out of memory in process {training.group.rank}, but not in all: start "
            "all of them again with a smaller --batch-size and a larger --accumulate"
        )


def _halve_batches(training: Training) -> None:
    """Continues with batches of half the size, which make the same updates.

    Raises:
        TrainingError: the batches cannot be smaller.
    """
    state, epoch = training.state, training.state.current
    # The update that failed is repeated from its start.
    updates = epoch.batches // training.config.accumulate
    smallest = training.config.batch_size
    state.halvings += 1
    try:
        config = training.config
    except ConfigError as error:
        smaller = "--width" if smallest == 1 else "--batch-size or --width"
        raise TrainingError(
            f"out of memory, even with {smallest} pairs in a batch: give a smaller "
            f"{smaller}, or prepare with a smaller --max-source-length"
        ) from error
    epoch.batches = updates * config.accumulate
    _compile(training.model, exchange_optimizer(training.model, config), config)
    training.report(
        f"out of memory: from now on batches of {config.batch_size} pairs, "
        f"{config.accumulate} of them for an update"
    )


def _compile(
    model: HeadlineModel, optimizer: keras.Optimizer, config: TrainConfig
) -> None:
    objective = make_objective(config.r_drop or 0.0)
    # No XLA under TensorFlow, because it would compile each shape of a batch.
    jit = keras.backend.backend() == "jax"
    model.compile(optimizer, objective, jit_compile=jit)


def find_learning_rate(run: Run, report: Report) -> float:
    """Proposes a learning rate for a training; writes its page and nothing else.

    Args:
        report: called with each line to show to the user.

    Raises:
        TrainingError: no rate can be proposed.
        DataError: the DATA_DIR is missing or damaged.
    """
    with on_devices(run.train.device):
        return _find_rate(run, report)


def _find_rate(run: Run, report: Report) -> float:
    keras.utils.set_random_seed(run.train.seed)
    # An update of several batches equals that of one large batch.
    large = run.train.batch_size * run.train.accumulate
    run = replace(run, train=replace(run.train, batch_size=large, accumulate=1))
    dataset = open_dataset(run.data_dir)
    run = _fitted(run, dataset)
    dataset, model = _fresh_model(run, dataset, report)
    batches = EndlessBatches(dataset, "train", run.train, epoch=0)
    report(_opening(run, dataset, model, plan_phases(run.train, dataset.splits)[-1:]))
    test = RangeTest()
    # More than enough epochs: the test stops the training.
    with pipeline(batches) as stream:
        model.fit(stream, epochs=UPDATES, callbacks=[test], verbose=0, shuffle=False)
    rate = test.curve.proposal
    report(story(test.curve))
    page = find_lr_page(test.curve, _test_settings(run))
    report(f"The curve: {write_range_test(run.model_dir, page)}")
    return rate


def _test_settings(run: Run) -> dict[str, Any]:
    """Returns the settings that the best rate depends on, by readable names."""
    return {
        "preset": run.preset,
        "width": run.model.width,
        "batch size": run.train.batch_size,
        "optimizer": run.train.optimizer,
        "clip norm": run.train.clip_norm,
        "dropout": run.model.dropout,
        "token dropout": run.model.token_dropout,
        "bigram dropout": run.model.bigram_dropout,
        "R-Drop": run.train.r_drop,
        "seed": run.train.seed,
    }


def _check_folder(run: Run) -> None:
    if run.overwrite or run.resume:
        return
    what = "a trained model" if is_trained(run.model_dir) else ""
    if not what and has_checkpoint(run.model_dir):
        what = "a training that was interrupted"
    if what:
        raise TrainingError(
            f"{run.model_dir} holds {what}: choose another folder, "
            "or give --overwrite, or --resume to go on with it"
        )


def _starting_state(
    run: Run, dataset: Dataset, model: HeadlineModel, phases: Sequence[Phase]
) -> TrainingState:
    """Returns a fresh state, or with ``--resume`` that of the last checkpoint."""
    if not run.resume:
        return TrainingState()
    same = settings(run, dataset)
    checkpoint = load_checkpoint(run.model_dir)
    if halvings := halvings_of(checkpoint):
        config = run.train.halved(halvings)
        _compile(model, make_optimizer(model, config), config)
    state = restore(model, checkpoint, same)
    minutes = run.train.max_minutes
    if not state.to_come(phases) or (minutes and state.seconds >= minutes * 60):
        raise TrainingComplete(
            f"the training in {run.model_dir} is complete, so --resume has nothing to "
            "do: to train it further, give --init-from this folder and another folder"
        )
    return state


def _note_devices(training: Training) -> None:
    """Records the number of devices, and reports it if it has changed."""
    state, now = training.state, device_count()
    if state.update and state.devices != now:
        training.report(
            f"the training was on {state.devices} devices and goes on with {now}: "
            "each device drops out other values, so the results differ from those of "
            "a training that was not interrupted"
        )
    state.devices = now


def as_begun(run: Run) -> Run:
    """Returns the run with the epochs with which an older version started it.

    That version always had a limit of 20 epochs besides the minutes.
    """
    train = run.train
    if not run.resume or train.epochs is not None or train.max_minutes is None:
        return run
    before = load_checkpoint(run.model_dir).state.get("settings", {})
    if before.get("train.epochs") != EPOCHS:
        return run
    return replace(run, train=replace(train, epochs=EPOCHS))


def _fitted(run: Run, dataset: Dataset) -> Run:
    """Returns the run with the settings that depend on its corpus."""
    pairs, fresh = len(dataset.splits["train"]), run.init_from is None
    return replace(run, train=run.train.fitted(pairs, fresh))


def _check_valid(dataset: Dataset) -> None:
    if not len(dataset.splits["valid"]):
        raise TrainingError(
            f"the valid split of {dataset.path} is empty, so nothing could tell which "
            "weights are best: prepare more pairs, or give a larger --valid-size"
        )


def _fresh_model(
    run: Run, dataset: Dataset, report: Report
) -> tuple[Dataset, HeadlineModel]:
    """Makes the initial model of the training, and the dataset with its ids."""
    base = None if run.init_from is None else load_bundle(run.init_from)
    if base is not None:
        dataset = with_base_vocab(dataset, base)
    vocab = dataset.tokenizer.vocab
    policy = "mixed_bfloat16" if run.train.mixed_precision else "float32"
    # Styles belong to finished weights: see ``headline.training.styles``.
    config = replace(run.model, vocab_size=vocab.vocab_size, styles=0)
    model = build_model(config, policy)
    if base is not None:
        report(f"from {run.init_from}: {carry_weights(model, base, vocab)}")
    _compile(model, make_optimizer(model, run.train), run.train)
    return dataset, model


def label_counter(model: HeadlineModel) -> CountLabels:
    """Returns a function that counts the labels of a batch that count in the loss."""

    def count(batch: Mapping[str, Any]) -> int:
        weights = model.label_weights(batch["labels"], batch["copy_ids"])
        return int(ops.sum(weights))

    return count


def ending(config: TrainConfig) -> str:
    """Returns in words when a training ends at the latest."""
    epochs = f"{config.most_epochs:,} epochs"
    if config.max_minutes is None:
        return f"ends after {epochs}"
    minutes = f"ends after {config.max_minutes:g} minutes"
    if config.epochs is None:
        return minutes
    return f"{minutes} or {epochs}, whichever comes first"


def _opening(
    run: Run, dataset: Dataset, model: HeadlineModel, phases: Sequence[Phase]
) -> str:
    pairs, pseudo = len(dataset.splits["train"]), ""
    if len(phases) > 1:
        pseudo = f"{len(dataset.splits[UNPAIRED]):,} pseudo-pairs first, then "
    weight, devices = run.train.r_drop, device_count()
    several = f" on {devices} devices" if devices > 1 else ""
    twice = f", each batch read twice (--r-drop {weight:g})" if weight else ""
    return (
        f"preset {run.preset}: {model.count_params():,} weights, "
        f"vocab {model.config.vocab_size:,}; {pseudo}{pairs:,} pairs, "
        f"{phases[-1].epoch_updates:,} updates an epoch{twice}; "
        f"{keras.backend.backend()}{several}"
    )
