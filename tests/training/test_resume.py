"""A training that was stopped, anywhere, goes on to the same bytes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headline.bundle import (
    Checkpoint,
    load_bundle,
    load_checkpoint,
    save_checkpoint,
    write_report,
)
from headline.data.batches import SOURCE_STEP
from headline.data.prepare import Job, prepare
from headline.data.store import open_dataset
from headline.errors import Interrupted, TrainingError
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from headline.settings.presets import Run
from headline.settings.train import MOST_EPOCHS, TrainConfig
from headline.system.interrupt import Wish
from headline.training.schedule import Schedule
from headline.training.state import settings
from headline.training.train import as_begun, train_model
from tests.corpora import bracket_pairs, write_pairs
from tests.trainings import Stops, assert_same, history_of, small_run

CONFIG = TrainConfig(
    epochs=3, batch_size=8, learning_rate=0.01, warmup_updates=5, valid_articles=20
)
# An update takes two batches, and each of them is read twice.
PARTED = replace(CONFIG, epochs=2, accumulate=2, r_drop=1.0)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    # Of one width, so that there is little to compile.
    short = [pair for pair in bracket_pairs(1500) if len(pair[1]) <= SOURCE_STEP]
    job = Job(
        files=[write_pairs(folder / "corpus.csv", short[:150])],
        data_dir=folder / "prepared",
        format=CorpusFormat(),
        config=PrepareConfig(valid_size=0.2, test_size=0.0),
    )
    prepare(job)
    return folder / "prepared"


def tiny_run(data_dir: Path, model_dir: Path, train: TrainConfig = CONFIG) -> Run:
    return small_run(data_dir, model_dir, train, width=16, heads=2, bigrams=50)


def quietly(run: Run, wish: Wish | None = None) -> None:
    train_model(run, lambda line: None, wish)


@pytest.fixture(scope="module")
def straight(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A training that was never stopped."""
    run = tiny_run(data_dir, tmp_path_factory.mktemp("models") / "m")
    quietly(run)
    return run


def stopping(run: Run, checks: list[int]) -> None:
    """Trains with a stop at each of the checks, counted from the stop before."""
    stops = Stops(list(checks))
    while stops.checks:
        with pytest.raises(Interrupted):
            quietly(run, stops)
        run = replace(run, resume=True)
    quietly(run)


@pytest.mark.slow
def test_stopped_again_and_again_it_comes_to_the_same(
    straight: Run, tmp_path: Path
) -> None:
    run = replace(straight, model_dir=tmp_path / "m")
    # Fifteen updates of an epoch are as many checks; then come the batches of the valid
    # split, and each step of the search.
    stopping(run, [1, 3, 13, 25])
    assert_same(run.model_dir, straight.model_dir)
    with pytest.raises(TrainingError, match="is complete, so --resume"):
        quietly(replace(run, resume=True))


def test_a_crash_and_a_stop_change_nothing(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It crashes between two files of an epoch, then stops within the next update."""
    whole, broken = (tiny_run(data_dir, tmp_path / name, PARTED) for name in "ab")
    quietly(whole)
    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr("headline.training.keeper.write_report", second_time_fails())
        quietly(broken)
    broken = replace(broken, resume=True)
    stopping(broken, [4])
    assert_same(broken.model_dir, whole.model_dir)
    updates = -(-len(open_dataset(data_dir).splits["train"]) // 16)
    rows = history_of(broken.model_dir)
    assert [int(row["updates"]) for row in rows] == [updates, 2 * updates]
    with pytest.raises(TrainingError, match="is complete, so --resume"):
        quietly(broken)


@pytest.mark.slow
def test_a_crash_between_two_files_changes_nothing(
    straight: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = replace(straight, model_dir=tmp_path / "m")
    with monkeypatch.context() as patch, pytest.raises(MemoryError):
        patch.setattr("headline.training.keeper.write_report", second_time_fails())
        quietly(run)
    quietly(replace(run, resume=True))
    assert_same(run.model_dir, straight.model_dir)


def second_time_fails() -> Callable[..., None]:
    times = iter([write_report])

    def write(*args: Any) -> None:
        if (writer := next(times, None)) is None:
            raise MemoryError
        writer(*args)

    return write


@pytest.mark.parametrize(
    ("begun", "minutes", "expected"),
    [(20, 60.0, 20), (MOST_EPOCHS, 60.0, None), (5, 60.0, None), (20, None, None)],
)
def test_what_an_older_version_began_ends_after_its_epochs(
    tmp_path: Path, begun: int, minutes: float | None, expected: int | None
) -> None:
    """It wrote 20 beside the minutes where nobody had given any."""
    save_checkpoint(tmp_path, Checkpoint({"settings": {"train.epochs": begun}}, {}))
    run = tiny_run(tmp_path, tmp_path, TrainConfig(max_minutes=minutes))
    run = replace(run, resume=True)

    assert as_begun(run).train.epochs == expected
    assert as_begun(replace(run, resume=False)) == replace(run, resume=False)
    given = replace(run, train=replace(run.train, epochs=9))
    assert as_begun(given) == given


def test_what_is_compared_with_a_checkpoint_are_the_epochs_that_hold(
    data_dir: Path, tmp_path: Path
) -> None:
    dataset = open_dataset(data_dir)
    for minutes, expected in ((None, 20), (60.0, MOST_EPOCHS)):
        run = tiny_run(data_dir, tmp_path, TrainConfig(max_minutes=minutes))
        assert settings(run, dataset)["train.epochs"] == expected


@pytest.mark.slow
def test_without_memory_for_a_batch_its_halves_make_the_same_update(
    straight: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a stop after that changes nothing, either."""
    run, lines = replace(straight, model_dir=tmp_path / "m"), list[str]()
    begin = Schedule.on_train_batch_begin

    def cramped(self: Schedule, batch: int, logs: Any = None) -> None:
        if self.state.update == 3 and self.config.batch_size > 4:
            raise MemoryError
        begin(self, batch, logs)

    stops = Stops([6])
    with monkeypatch.context() as patch:
        patch.setattr(Schedule, "on_train_batch_begin", cramped)
        with pytest.raises(Interrupted):
            train_model(run, lines.append, stops)
        quietly(replace(run, resume=True))
    assert "out of memory: from now on batches of 4 pairs, 2 of them" in lines[1]
    one, other = load_bundle(run.model_dir), load_bundle(straight.model_dir)
    rows, expected = history_of(run.model_dir), history_of(straight.model_dir)
    for row, wanted in zip(rows, expected, strict=True):
        assert row["updates"] == wanted["updates"]
        # Dropout falls otherwise in other batches.
        assert float(row["loss"]) == pytest.approx(float(wanted["loss"]), rel=0.2)
    assert one.weights.keys() == other.weights.keys()


@pytest.mark.parametrize(("size", "least"), [(4, 1), (6, 3)])
def test_without_memory_for_the_smallest_batch_it_says_what_to_make_smaller(
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    size: int,
    least: int,
) -> None:
    def cramped(self: Schedule, batch: int, logs: Any = None) -> None:
        raise MemoryError

    monkeypatch.setattr(Schedule, "on_train_batch_begin", cramped)
    run = tiny_run(data_dir, tmp_path / "m", replace(CONFIG, batch_size=size))
    with pytest.raises(TrainingError, match=f"even with {least} pairs") as caught:
        train_model(run, lambda line: None)
    assert ("--batch-size" in str(caught.value)) == (least > 1)


def test_numbers_that_are_none_end_the_training(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there was no memory for whole batches, and it goes on with halves."""
    begin, lines = Schedule.on_train_batch_begin, list[str]()

    def cramped(self: Schedule, batch: int, logs: Any = None) -> None:
        if self.config.batch_size > 4:
            raise MemoryError
        begin(self, batch, logs)

    monkeypatch.setattr(Schedule, "on_train_batch_begin", cramped)
    train = replace(CONFIG, learning_rate=9.0, optimizer="sgd", clip_norm=0.0)
    with pytest.raises(
        TrainingError, match=r"batch \d+ of epoch \d, .*lower --learning-rate"
    ):
        train_model(tiny_run(data_dir, tmp_path / "m", train), lines.append)
    assert "out of memory: from now on batches of 4 pairs, 2 of them" in lines[1]


def test_another_number_of_devices_is_reported(data_dir: Path, tmp_path: Path) -> None:
    run, lines = tiny_run(data_dir, tmp_path / "m"), list[str]()
    with pytest.raises(Interrupted):
        quietly(run, Stops([1]))
    before = load_checkpoint(run.model_dir)
    assert before.state["state"]["devices"] == 1
    before.state["state"]["devices"] = 4
    save_checkpoint(run.model_dir, before)
    for _ in range(2):
        with pytest.raises(Interrupted):
            train_model(replace(run, resume=True), lines.append, Stops([1]))
    changed = [line for line in lines if "was on 4 devices and goes on with 1" in line]
    assert len(changed) == 1 and "the results differ" in changed[0]
