"""A training on pseudo-pairs and then on pairs, with the backend that is set."""

import csv
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from headline.bundle import load_bundle
from headline.data.prepare import Job, prepare
from headline.data.store import UNPAIRED, Dataset, open_dataset
from headline.errors import TrainingError
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from headline.settings.presets import Run
from headline.settings.train import TrainConfig
from headline.training.callbacks import SPEED
from headline.training.phases import PAIRS, PSEUDO_PAIRS, Phase, plan_phases
from headline.training.schedule import Schedule, learning_rate
from headline.training.state import TrainingState, settings
from headline.training.train import train_model
from headline.training.training import Clock
from tests.corpora import bracket_pairs, write_pairs
from tests.trainings import small_run

# Six updates on pseudo-pairs, of which an epoch has four, then six on pairs.
CONFIG = TrainConfig(
    epochs=2,
    batch_size=32,
    learning_rate=0.01,
    warmup_updates=2,
    valid_articles=4,
    samples=1,
    pretrain_share=0.5,
)


def prepared(folder: Path) -> Path:
    pairs = bracket_pairs(120)
    articles = [article for _, article in bracket_pairs(140, seed=5)]
    unpaired = [("", "".join(articles[at : at + 2])) for at in range(0, 140)]
    job = Job(
        files=[write_pairs(folder / "news.csv", pairs)],
        data_dir=folder / "data",
        format=CorpusFormat(),
        config=PrepareConfig(min_count=1, valid_size=0.1, test_size=0.1),
        unpaired=[write_pairs(folder / "more.csv", unpaired)],
    )
    prepare(job)
    return job.data_dir


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    dataset = open_dataset(prepared(tmp_path_factory.mktemp("data")))
    first, second = plan_phases(CONFIG, dataset.splits)
    assert (first.updates, first.epoch_updates, first.epochs) == (6, 4, 2)
    assert (second.updates, second.epoch_updates, second.epochs) == (6, 3, 2)
    return dataset


def phased_run(dataset: Dataset, model_dir: Path, resume: bool = False) -> Run:
    sizes = {"width": 16, "heads": 2, "encoder_layers": 1, "decoder_layers": 1}
    run = small_run(dataset.path, model_dir, CONFIG, **sizes)
    return replace(run, resume=resume)


STOPS = ("epoch 2 on pseudo-pairs", "epoch 3")  # within a phase, and between two


@pytest.fixture(scope="module")
def trained(
    dataset: Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """A MODEL_DIR, and the lines that its training showed.

    Beside it, under the names of ``STOPS``, lies what it held when they were shown:
    after the updates of that epoch, before its checkpoint.
    """
    model_dir = tmp_path_factory.mktemp("models") / "model"
    lines: list[str] = []

    def report(line: str) -> None:
        lines.append(line)
        if (stop := line.split(":")[0]) in STOPS:
            shutil.copytree(model_dir, model_dir.parent / stop)

    train_model(phased_run(dataset, model_dir), report)
    return model_dir, lines


def history_of(model_dir: Path) -> list[dict[str, float]]:
    with (model_dir / "history.csv").open(encoding="utf-8", newline="") as stream:
        return [
            {name: float(value) for name, value in row.items()}
            for row in csv.DictReader(stream)
        ]


def test_pseudo_pairs_come_first_and_both_phases_are_validated(
    dataset: Dataset, trained: tuple[Path, list[str]]
) -> None:
    model_dir, lines = trained
    rows = history_of(model_dir)
    columns = ("epoch", "phase", "updates")
    assert [tuple(row[name] for name in columns) for row in rows] == [
        (1, PSEUDO_PAIRS, 4),
        (2, PSEUDO_PAIRS, 6),
        (3, PAIRS, 9),
        (4, PAIRS, 12),
    ]
    for row in rows:
        update = int(row["updates"]) - 1
        rate = learning_rate(CONFIG, update, update / 12)
        assert row["learning_rate"] == pytest.approx(rate, rel=1e-4)
    assert f"{len(dataset.splits[UNPAIRED])} pseudo-pairs first, then" in lines[0]
    shown = [line.split(": ")[0] for line in lines if "ROUGE-1/2/L" in line]
    assert shown == [
        *("epoch 1 on pseudo-pairs", "epoch 2 on pseudo-pairs"),
        *("epoch 3", "epoch 4"),
    ]


def test_kept_weights_and_the_report_are_of_the_pairs(
    trained: tuple[Path, list[str]],
) -> None:
    model_dir, lines = trained
    kept = load_bundle(model_dir).provenance
    assert kept["epoch"] in (3, 4) and kept["valid"]["phase"] == PAIRS
    marked = [line.split(":")[0] for line in lines if line.endswith("(kept)")]
    assert "epoch 1 on pseudo-pairs" in marked and "epoch 3" in marked
    assert marked[-1] == f"epoch {kept['epoch']}"
    report = (model_dir / "report.html").read_text("utf-8")
    score = history_of(model_dir)[kept["epoch"] - 1]["rouge_l"]
    assert f"{score:.2f} after epoch {kept['epoch']}<" in report


@pytest.mark.parametrize(
    "stop", [pytest.param(STOPS[0], marks=pytest.mark.slow), STOPS[1]]
)
def test_interrupted_training_goes_on_as_if_it_had_never_stopped(
    dataset: Dataset, trained: tuple[Path, list[str]], stop: str
) -> None:
    model_dir, _ = trained
    run = phased_run(dataset, model_dir.parent / stop, resume=True)

    train_model(run, lambda line: None)

    straight, resumed = load_bundle(model_dir), load_bundle(run.model_dir)
    assert resumed.provenance["epoch"] == straight.provenance["epoch"]
    for name, weight in straight.weights.items():
        np.testing.assert_allclose(resumed.weights[name], weight, rtol=1e-4, atol=1e-6)
    both = zip(history_of(run.model_dir), history_of(model_dir), strict=True)
    for row, expected in both:
        for name in ("seconds", SPEED):
            del row[name], expected[name]
        assert row == pytest.approx(expected, rel=1e-4)
    with pytest.raises(TrainingError, match="is complete, so --resume"):
        train_model(run, print)


def test_time_ends_the_phase_and_the_training(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("headline.training.callbacks.time.monotonic", lambda: now[0])
    state = TrainingState()
    clock = Clock(1.0, state)
    phases = [
        Phase(PSEUDO_PAIRS, UNPAIRED, 0.0, 0.25, updates=10**6, epoch_updates=10),
        Phase(PAIRS, "train", 0.25, 1.0, updates=10**6, epoch_updates=10),
    ]
    for place, phase in enumerate(phases):
        assert state.to_come(phases) == phases[place:]
        state.enter(phase)
        schedule = Schedule(CONFIG, phase, clock, state)
        model = SimpleNamespace(stop_training=False)
        schedule.set_model(model)
        while not model.stop_training:
            assert state.to_come(phases) == phases[place:]
            now[0] += 5
            schedule.on_train_batch_end(0)
        assert now[0] == 60 * phase.end
    assert state.to_come(phases) == []
    assert (state.updates_before, state.phase_update) == (3, 9)


def test_checkpoint_of_before_goes_on_without_phases(dataset: Dataset) -> None:
    """It knows nothing of phases, and nothing of a share for pseudo-pairs."""
    pairs = replace(dataset, splits={"train": dataset.splits["train"]})
    phases = plan_phases(CONFIG, pairs.splits)
    raw = {"epoch": 1, "update": 3, "seconds": 1.0, "best": None}

    state = TrainingState.from_dict(raw)

    assert state.to_come(phases) == phases
    assert (state.phase_update, state.phase_column) == (3, {})
    assert not TrainingState.from_dict(raw | {"epoch": 2, "update": 6}).to_come(phases)
    run = phased_run(dataset, Path("m"))
    assert settings(run, dataset).keys() - settings(run, pairs).keys() == {
        "train.pretrain_share"
    }
