"""A training off the main thread, what another thread may say, and what it leaves."""

import gc
import os
import subprocess
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from signal import SIGTERM
from threading import Event, Thread
from typing import Any

import keras
import numpy as np
import pytest

from headline.bundle import load_bundle, load_checkpoint
from headline.data.batches import SOURCE_STEP
from headline.data.prepare import Job, prepare
from headline.data.store import open_dataset
from headline.errors import Interrupted
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from headline.settings.train import TrainConfig
from headline.system.interrupt import Wish
from headline.training.batches import Batches, pipeline
from headline.training.schedule import Schedule
from headline.training.train import train_model
from tests.corpora import bracket_pairs, write_pairs
from tests.trainings import small_run

LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"  # with it, the notes of TensorFlow are wanted
ENDLESS = TrainConfig(
    epochs=10_000, batch_size=8, learning_rate=1e-6, patience=0, valid_articles=2
)
NETWORK: dict[str, Any] = {"width": 8, "heads": 2, "bigrams": 50}

of_tensorflow = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="its threads read ahead"
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    # Of one width, so that there is little to compile.
    short = [pair for pair in bracket_pairs(900) if len(pair[1]) <= SOURCE_STEP]
    job = Job(
        files=[write_pairs(folder / "corpus.csv", short[:60])],
        data_dir=folder / "prepared",
        format=CorpusFormat(),
        config=PrepareConfig(valid_size=0.2, test_size=0.0),
    )
    prepare(job)
    return folder / "prepared"


def test_it_runs_in_any_thread_and_another_one_stops_it(
    data_dir: Path, tmp_path: Path
) -> None:
    run = small_run(data_dir, tmp_path / "m", ENDLESS, **NETWORK)
    wish, kept_one, lines, caught = Wish(), Event(), list[str](), list[Interrupted]()

    def report(line: str) -> None:
        lines.append(line)
        if line.startswith("epoch 2:"):
            kept_one.set()

    def train() -> None:
        try:
            train_model(run, report, wish)
        except Interrupted as error:
            caught.append(error)

    thread = Thread(target=train, daemon=True)
    thread.start()
    assert kept_one.wait(120)
    wish.stop()
    thread.join(120)

    assert not thread.is_alive()
    assert [error.exit_code for error in caught] == [128 + SIGTERM]
    assert lines[-1].endswith("--resume goes on from here")
    state = load_checkpoint(run.model_dir).state["state"]
    assert state["epoch"] >= 1 and state["update"] > 0
    assert load_bundle(run.model_dir).provenance["epoch"] >= 1


def test_without_memory_nothing_of_the_larger_batches_is_held(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or there would be none for the smaller ones, either."""
    held: list[weakref.ref[Batches]] = []
    alive: list[bool] = []
    begin, make = Schedule.on_train_batch_begin, Batches.__init__

    def noted(self: Batches, *args: Any, **more: Any) -> None:
        make(self, *args, **more)
        held.append(weakref.ref(self))

    def cramped(self: Schedule, batch: int, logs: Any = None) -> None:
        if self.config.batch_size > 4:
            raise MemoryError
        alive.append(held[0]() is not None)
        begin(self, batch, logs)

    train = TrainConfig(epochs=1, batch_size=8, valid_articles=2)
    run = small_run(data_dir, tmp_path / "m", train, **NETWORK)
    monkeypatch.setattr(Batches, "__init__", noted)
    monkeypatch.setattr(Schedule, "on_train_batch_begin", cramped)
    gc.disable()  # so that it is no chance
    try:
        train_model(run, lambda line: None)
    finally:
        gc.enable()
    assert alive and not any(alive)


@of_tensorflow
def test_a_pipeline_that_is_closed_makes_no_batch_whoever_still_reads(
    data_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    take = Batches.__getitem__

    def noted(self: Batches, index: int) -> Any:
        made.append(index)
        return take(self, index)

    batches = Batches(open_dataset(data_dir), "train", TrainConfig(batch_size=2), 0)
    monkeypatch.setattr(Batches, "__getitem__", noted)
    with pipeline(batches) as stream:
        reader = iter(stream)
        (first,) = next(reader)
    before = len(made)
    for _ in range(4):  # more than it has read ahead
        with suppress(Exception):
            next(reader)
    assert before == len(made) < len(batches)
    np.testing.assert_array_equal(first["labels"], take(batches, 0)[0]["labels"])


@of_tensorflow
def test_an_error_in_the_middle_of_an_epoch_is_all_that_is_told(
    data_dir: Path, tmp_path: Path
) -> None:
    """And nothing by the threads of TensorFlow when the interpreter ends."""
    network = [f"--{name}={value}" for name, value in NETWORK.items()]
    too_fast = ["--optimizer=sgd", "--learning-rate=9", "--clip-norm=0"]
    options = [*network, *too_fast, "--batch-size=2", "--device=cpu"]
    done = subprocess.run(
        [sys.executable, "-m", "headline", "train", data_dir, "-o", tmp_path, *options],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != LOG_LEVEL},
    )
    assert done.returncode == 1 and done.stdout == ""
    *lines, last = done.stderr.splitlines()
    assert last.startswith("Error: training diverged: in batch ")
    known = ("preset ", "epoch ", "  ")
    assert [line for line in lines if line and not line.startswith(known)] == []
