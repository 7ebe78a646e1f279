"""Training on a task of seconds, with the backend that KERAS_BACKEND says."""

import csv
import json
import shutil
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import keras
import numpy as np
import pytest

from headline.bundle import load_bundle
from headline.data.prepare import Job, prepare
from headline.data.store import DATA, open_dataset
from headline.errors import BundleError, LockedError, TrainingError
from headline.evaluation.metrics import Facts, mark, rates
from headline.formats.tables import CorpusFormat
from headline.generation.generator import Generator
from headline.network.model import COLUMNS, assign_weights, build_model
from headline.network.objective import make_objective
from headline.pages.model_card import model_card
from headline.settings.prepare import PrepareConfig
from headline.settings.presets import PRESETS, Run
from headline.settings.train import Schedule, TrainConfig
from headline.system.folders import locked
from headline.training.batches import Batches, pipeline
from headline.training.callbacks import SPEED
from headline.training.keeper import RECORDED, Keeper
from headline.training.schedule import learning_rate
from headline.training.train import ending, train_model
from headline.training.training import Clock
from tests.corpora import bracket_pairs, write_pairs
from tests.events import read_events
from tests.markup import parse
from tests.trainings import small_run

QUICK = TrainConfig(
    epochs=3, batch_size=32, learning_rate=0.01, warmup_updates=5, valid_articles=20
)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    corpus = write_pairs(folder / "corpus.csv", bracket_pairs(400))
    config = PrepareConfig(valid_size=0.1, test_size=0.1)
    prepare(
        Job(
            files=[corpus],
            data_dir=folder / "prepared",
            format=CorpusFormat(),
            config=config,
        )
    )
    return folder / "prepared"


def quick_run(data_dir: Path, model_dir: Path, train: TrainConfig = QUICK) -> Run:
    return small_run(data_dir, model_dir, train, width=32, heads=4, dropout=0.1)


@pytest.fixture(scope="module")
def trained(
    data_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[str]]:
    """A MODEL_DIR, and the lines that its training showed."""
    model_dir = tmp_path_factory.mktemp("models") / "model"
    lines: list[str] = []
    run = replace(quick_run(data_dir, model_dir), tensorboard=events_of(model_dir))
    train_model(run, lines.append)
    return model_dir, lines


def events_of(model_dir: Path) -> Path:
    return model_dir.parent / "events"


def history_of(model_dir: Path) -> list[dict[str, float]]:
    with (model_dir / "history.csv").open(encoding="utf-8", newline="") as stream:
        return [
            {name: float(value) for name, value in row.items()}
            for row in csv.DictReader(stream)
        ]


def writing(model_dir: Path) -> str:
    """What the report tells of the headlines of the kept weights."""
    report = parse((model_dir / "report.html").read_text("utf-8")).text
    return report.partition("What it writes")[2].partition("Sample headlines")[0]


def test_history_has_a_row_for_each_epoch_and_the_loss_falls(
    trained: tuple[Path, list[str]],
) -> None:
    rows = history_of(trained[0])
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[-1]["loss"] < rows[0]["loss"] / 1.5
    assert rows[-1]["valid_loss"] < rows[0]["valid_loss"]
    assert all(a["seconds"] < b["seconds"] for a, b in pairwise(rows))


@pytest.mark.slow
def test_a_training_of_one_epoch_drops_nothing_unless_told(
    data_dir: Path, tmp_path: Path
) -> None:
    config, losses = replace(QUICK, epochs=1), []
    for epochs, rate in ((4.0, 0.5), (0.0, 0.5), (0.0, 0.0)):
        run = quick_run(data_dir, tmp_path, replace(config, dropout_epochs=epochs))
        network = replace(
            run.model, dropout=rate, token_dropout=rate, bigram_dropout=rate
        )
        run = replace(run, model=network, overwrite=True)
        train_model(run, lambda line: None)
        losses.append(history_of(tmp_path)[0]["loss"])
    assert losses[0] == pytest.approx(losses[2], rel=1e-4)
    assert losses[1] > 1.05 * losses[2]


@pytest.mark.slow
def test_a_softmax_over_some_tokens_comes_to_about_the_same(
    data_dir: Path, trained: tuple[Path, list[str]], tmp_path: Path
) -> None:
    """The validation is over the whole vocab, whatever the training is over."""
    assert open_dataset(data_dir).tokenizer.vocab.vocab_size > 12
    some = quick_run(data_dir, tmp_path / "m", replace(QUICK, shortlist=12))
    train_model(some, lambda line: None)
    losses = [
        history_of(path)[-1]["valid_loss"] for path in (trained[0], tmp_path / "m")
    ]
    assert losses[1] == pytest.approx(losses[0], rel=0.1)


@pytest.mark.slow
def test_r_drop_brings_two_passes_nearer_to_each_other(
    data_dir: Path, trained: tuple[Path, list[str]], tmp_path: Path
) -> None:
    run = quick_run(data_dir, tmp_path / "m", replace(QUICK, r_drop=4.0))
    train_model(run, lambda line: None)
    plain, nearer = (
        mean_divergence(data_dir, path) for path in (trained[0], run.model_dir)
    )
    assert 0 < nearer < plain / 2
    rows = history_of(run.model_dir)
    assert rows[-1]["valid_loss"] < rows[0]["valid_loss"]


def test_few_pairs_are_read_twice_and_the_first_line_says_so(
    data_dir: Path, trained: tuple[Path, list[str]], tmp_path: Path
) -> None:
    run = quick_run(data_dir, tmp_path / "m", replace(QUICK, epochs=1))

    def only_the_first(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt, match=r"each batch read twice \(--r-drop 1"):
        train_model(replace(run, train=replace(run.train, r_drop=None)), only_the_first)
    assert "twice" not in trained[1][0]


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        (TrainConfig(), "20 epochs"),
        (TrainConfig(max_minutes=2.5), "2.5 minutes"),
        (
            TrainConfig(epochs=1200, max_minutes=60.0),
            "60 minutes or 1,200 epochs, whichever comes first",
        ),
    ],
)
def test_the_first_line_says_when_it_ends(
    trained: tuple[Path, list[str]], config: TrainConfig, expected: str
) -> None:
    assert ending(config) == f"ends after {expected}"
    assert trained[1][0].endswith(f"; {ending(QUICK)}")


def mean_divergence(data_dir: Path, model_dir: Path) -> float:
    bundle, dataset = load_bundle(model_dir), open_dataset(data_dir)
    model = build_model(bundle.model)
    assign_weights(model, bundle.weights)
    model.compile(keras.optimizers.SGD(), make_objective(r_drop=1.0))
    (batch,) = Batches(dataset, "train", QUICK, epoch=0)[0]
    outputs = model(batch, training=True)
    return float(keras.ops.mean(outputs["divergence"]))


def test_the_kept_weights_score_what_their_epoch_scored(
    data_dir: Path, trained: tuple[Path, list[str]]
) -> None:
    """The saved model, run with NumPy alone, scores what that epoch scored."""
    model_dir, _ = trained
    scores = assert_scored_as_told(data_dir, model_dir, QUICK.valid_articles)
    copied = f"Characters from the article{scores['copy_rate']:.1f} %"
    assert "for 20 articles" in writing(model_dir) and copied in writing(model_dir)


def test_the_model_describes_itself(
    data_dir: Path, trained: tuple[Path, list[str]]
) -> None:
    model_dir, lines = trained
    bundle = load_bundle(model_dir)
    card = (model_dir / "README.md").read_text("utf-8")
    kept = history_of(model_dir)[bundle.provenance["epoch"] - 1]
    summary = open_dataset(data_dir).summary

    assert card == model_card(bundle)
    assert f"| ROUGE-L | {kept['rouge_l']:.2f} |" in card
    (corpus,) = summary["corpora"]
    assert f"| {Path(corpus['file']).name} | {corpus['train']:,} train" in card
    assert str(data_dir.parent) not in card
    assert summary["sha256"]["vocab.json"] in card
    assert not any("your own" in line for line in lines)


def test_a_readme_that_stays_is_told_of(tmp_path: Path) -> None:
    lines: list[str] = []
    unused = dict.fromkeys(("dataset", "model", "state", "clock"))
    run, written = SimpleNamespace(model_dir=tmp_path), SimpleNamespace(statistics={})
    training: Any = SimpleNamespace(run=run, report=lines.append, **unused)
    Keeper(training, cast(Any, written))
    assert lines == []

    (tmp_path / "README.md").write_text("# 我的模型", "utf-8")
    Keeper(training, cast(Any, written))
    assert len(lines) == 1 and f"{tmp_path / 'README.md'} is your own text" in lines[0]


def assert_scored_as_told(
    data_dir: Path, model_dir: Path, articles: int
) -> dict[str, float]:
    """Returns what the saved model scores, which is what the history says."""
    epoch = load_bundle(model_dir).provenance["epoch"]
    kept = history_of(model_dir)[epoch - 1]
    pairs = open_dataset(data_dir).sample("valid", articles)

    generator = Generator.load(model_dir)
    found = generator.generate([pair.source for pair in pairs])

    both = zip(found, pairs, strict=True)
    scores = rates(
        [mark(one[0].text, pair.target, Facts.of(pair.source)) for one, pair in both]
    )
    for name in RECORDED:
        assert round(scores[name], 2) == kept[name]
    return scores


@pytest.mark.slow
def test_on_another_device_the_engine_of_keras_tells_the_same(
    data_dir: Path,
    trained: tuple[Path, list[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pretend_another_device(monkeypatch)
    train_model(quick_run(data_dir, tmp_path / "m"), lambda line: None)

    rows = history_of(tmp_path / "m")
    assert len(rows) == QUICK.most_epochs
    for one, other in zip(history_of(trained[0]), rows, strict=True):
        assert all(one[name] == other[name] for name in RECORDED)


def pretend_another_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU: the headlines of the validation are not NumPy's."""

    def refused(*_: object) -> None:
        raise AssertionError("the engine of NumPy was made")

    monkeypatch.setattr("headline.training.scorer.NumpyEngine", refused)
    monkeypatch.setattr("headline.training.scorer.device_in_use", lambda: "H100")


def test_samples_are_shown_and_written_beside_their_references(
    data_dir: Path, trained: tuple[Path, list[str]]
) -> None:
    model_dir, lines = trained
    text = (model_dir / "samples.jsonl").read_text("utf-8")
    samples = [json.loads(line) for line in text.splitlines()]
    assert len(samples) == QUICK.most_epochs * QUICK.samples
    assert {sample["epoch"] for sample in samples} == {1, 2, 3}
    references = {pair.target for pair in open_dataset(data_dir).sample("valid", 20)}
    shown = "\n".join(lines)
    for sample in samples:
        assert sample["reference"] in references
        assert f"headline   {sample['headline']}" in shown
    assert shown.count("ROUGE-1/2/L") == QUICK.most_epochs
    report = parse((model_dir / "report.html").read_text("utf-8")).text
    assert all(sample["headline"] in report for sample in samples)


def test_the_rate_rises_and_falls_to_nothing_at_the_end(
    trained: tuple[Path, list[str]],
) -> None:
    rows = history_of(trained[0])
    total = rows[-1]["updates"]
    for row in rows:
        progress = (row["updates"] - 1) / total  # before the last update of the epoch
        expected = learning_rate(QUICK, int(row["updates"]) - 1, progress)
        assert row["learning_rate"] == pytest.approx(expected, rel=1e-4)
    assert rows[-1]["learning_rate"] < QUICK.peak_rate / 20


def test_history_tells_what_the_optimizer_and_the_pointer_do(
    trained: tuple[Path, list[str]],
) -> None:
    rows = history_of(trained[0])
    names = [name for name in rows[0] if name.startswith("update_ratio_")]
    groups = ("embedding", "encoder", "decoder", "attention", "output", "pointer")
    assert names == [f"update_ratio_{group}" for group in groups]
    for row in rows:
        assert all(0 < row[name] < 0.5 for name in names)
        assert row["gradient_norm"] > 0 and row[SPEED] > 0
        assert 0 < row["gate"] < 1 and row["copy_entropy"] > 0
    # The headline stands in the article: the model comes to know where to copy.
    assert rows[-1]["copy_entropy"] < rows[0]["copy_entropy"]


def test_tensorboard_has_the_history_the_updates_and_the_samples(
    trained: tuple[Path, list[str]],
) -> None:
    model_dir, _ = trained
    found = read_events(events_of(model_dir))
    rows = history_of(model_dir)
    for name in rows[0].keys() - {"epoch", "updates", "seconds"}:
        expected = {int(row["updates"]): row[name] for row in rows}
        assert found[f"epoch/{name}"] == pytest.approx(expected, rel=1e-6)
    # One update of each epoch, which has fewer than twenty, was looked at: the first.
    looked = [1, *(1 + int(row["updates"]) for row in rows[:-1])]
    for name in ("loss", "learning_rate", "gradient_norm", "update_ratio_encoder"):
        assert list(found[f"update/{name}"]) == looked
    sample = json.loads((model_dir / "samples.jsonl").read_text("utf-8").split("\n")[0])
    text = found["sample/1"][int(rows[0]["updates"])]
    assert all(sample[part] in text for part in ("source", "reference", "headline"))


def test_a_trained_model_is_not_replaced_unless_told(
    data_dir: Path, trained: tuple[Path, list[str]], tmp_path: Path
) -> None:
    model_dir, _ = trained
    before = (model_dir / "weights.safetensors").read_bytes()
    with pytest.raises(TrainingError, match=r"holds a trained model.*--overwrite"):
        train_model(quick_run(data_dir, model_dir), print)
    assert (model_dir / "weights.safetensors").read_bytes() == before
    # Nor is what would be one, had it not been interrupted.
    shutil.copytree(model_dir / "checkpoint", tmp_path / "checkpoint")
    with pytest.raises(TrainingError, match=r"was interrupted.*--resume"):
        train_model(quick_run(data_dir, tmp_path), print)


def test_of_two_trainings_into_one_folder_the_second_is_refused(
    data_dir: Path, tmp_path: Path
) -> None:
    with (
        locked(tmp_path / "m"),
        pytest.raises(LockedError, match="another process is writing"),
    ):
        train_model(quick_run(data_dir, tmp_path / "m"), print)
    assert not (tmp_path / "m").exists()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_model_and_another_gives_another(
    data_dir: Path, tmp_path: Path
) -> None:
    config = replace(QUICK, epochs=1)
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        run = quick_run(data_dir, tmp_path / name, replace(config, seed=seed))
        train_model(run, lambda line: None)
    a, b, c = (load_bundle(tmp_path / name).weights for name in "abc")
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert np.abs(a["output/kernel"] - c["output/kernel"]).max() > 1e-2


def test_resume_names_the_settings_that_differ(
    data_dir: Path, trained: tuple[Path, list[str]], tmp_path: Path
) -> None:
    run = replace(quick_run(data_dir, trained[0]), resume=True)
    other = replace(run, train=replace(QUICK, learning_rate=0.5, epochs=9))
    with pytest.raises(
        TrainingError, match=r"epochs was 3 and is now 9.*learning_rate"
    ):
        train_model(other, print)
    with pytest.raises(BundleError, match=r"no checkpoint.*without --resume"):
        train_model(replace(run, model_dir=tmp_path), print)


@pytest.mark.slow
def test_max_minutes_ends_an_epoch_early_and_leaves_a_model(
    data_dir: Path, tmp_path: Path
) -> None:
    config = replace(QUICK, epochs=1000, max_minutes=0.05)
    train_model(quick_run(data_dir, tmp_path / "m", config), lambda line: None)
    rows = history_of(tmp_path / "m")
    assert len(rows) < 1000
    # A few updates of a slow machine are a good part of the three seconds.
    assert rows[-1]["learning_rate"] < config.peak_rate / 2
    assert Generator.load(tmp_path / "m").generate(["天地「月盈」玄黄"])[0][0].text


def test_no_epoch_begins_once_the_time_is_over(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The validation of the first epoch takes what was left of it."""
    lines: list[str] = []

    def share(clock: Clock) -> float:
        return float(any(line.startswith("epoch 1:") for line in lines))

    monkeypatch.setattr(Clock, "share", share)
    config = replace(QUICK, epochs=1000, max_minutes=1.0)
    train_model(quick_run(data_dir, tmp_path, config), lines.append)
    assert [row["epoch"] for row in history_of(tmp_path)] == [1]


def test_seed_preset_trains_and_is_scored_where_it_trains(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pretend_another_device(monkeypatch)
    preset = PRESETS["seed"]
    model = replace(preset.model, width=32, heads=4)
    train = replace(preset.train, epochs=2, batch_size=32, valid_articles=5)
    run = Run(
        data_dir=data_dir,
        model_dir=tmp_path / "m",
        preset="seed",
        model=model,
        train=train,
    )
    train_model(run, lambda line: None)
    rows = history_of(tmp_path / "m")
    assert rows[1]["loss"] < rows[0]["loss"]
    assert "gate" not in rows[0]
    # The prior is nothing at first, and nothing has no ratio.
    assert [row["update_ratio_prior"] > 0 for row in rows] == [False, True]
    assert [row["learning_rate"] for row in rows] == pytest.approx([1e-3, 1e-3])
    monkeypatch.undo()
    assert_scored_as_told(data_dir, tmp_path / "m", 5)


def test_an_empty_valid_split_is_refused(tmp_path: Path) -> None:
    corpus = write_pairs(tmp_path / "corpus.csv", bracket_pairs(100))
    config = PrepareConfig(valid_size=0.0, test_size=0.0)
    job = Job(
        files=[corpus],
        data_dir=tmp_path / "data",
        format=CorpusFormat(),
        config=config,
    )
    prepare(job)
    with pytest.raises(TrainingError, match=r"valid split.*--valid-size"):
        train_model(quick_run(tmp_path / "data", tmp_path / "m"), print)
    assert not (tmp_path / "m").exists()


def test_each_epoch_feeds_every_pair_once_in_another_order(data_dir: Path) -> None:
    dataset = open_dataset(data_dir)
    epochs = [
        [row.tobytes() for row in rows(Batches(dataset, "train", QUICK, epoch))]
        for epoch in range(2)
    ]
    assert len(epochs[0]) == len(dataset.splits["train"])
    assert sorted(epochs[0]) == sorted(epochs[1]) and epochs[0] != epochs[1]


def test_weights_repeat_pairs_and_a_resume_knows_them(
    data_dir: Path, trained: tuple[Path, list[str]], tmp_path: Path
) -> None:
    weighted = shutil.copytree(data_dir, tmp_path / "data")
    summary = json.loads((weighted / DATA).read_text("utf-8"))
    summary["corpora"][0]["weight"] = 1.5
    (weighted / DATA).write_text(json.dumps(summary), "utf-8")
    dataset = open_dataset(weighted)

    batches = Batches(dataset, "train", QUICK, epoch=0)
    counts = Counter(row.tobytes() for row in rows(batches))

    train = dataset.splits["train"]
    assert counts.total() == train.epoch_pairs == round(1.5 * len(train))
    assert len(batches) == -(-train.epoch_pairs // QUICK.batch_size)
    assert len(counts) == len(train) and set(counts.values()) == {1, 2}
    run = replace(quick_run(weighted, trained[0]), resume=True)
    with pytest.raises(TrainingError, match="the dataset has changed"):
        train_model(run, print)


def rows(batches: Batches) -> list[np.ndarray]:
    """One epoch's pairs as ``fit`` reads them: label row, then source row, unpadded."""
    with pipeline(batches) as stream:
        if stream is batches:  # another backend reads the batches themselves
            found = [batches[index] for index in range(len(batches))]
        else:
            found = list(stream)
    labels = [keras.ops.convert_to_numpy(batch[0]["labels"]) for batch in found]
    sources = [keras.ops.convert_to_numpy(batch[0]["copy_ids"]) for batch in found]
    return [
        np.concatenate([np.trim_zeros(row, "b") for row in (a, b)])
        for one, other in zip(labels, sources, strict=True)
        for a, b in zip(one, other, strict=True)
        if a.any()  # not a row that fills up a batch
    ]


@pytest.mark.parametrize(
    "schedule, epochs",
    [("linear", 6), pytest.param("constant", 4, marks=pytest.mark.slow)],
)
def test_a_training_without_progress_comes_to_its_end_and_keeps_the_last(
    data_dir: Path, tmp_path: Path, schedule: Schedule, epochs: int
) -> None:
    """At a rate of nearly nothing no epoch is better or worse than the first."""
    config = replace(
        QUICK, epochs=20, learning_rate=1e-12, warmup_updates=0, patience=3
    )
    config = replace(config, schedule=schedule)
    run = quick_run(data_dir, tmp_path / "m", config)
    lines: list[str] = []
    train_model(run, lines.append)
    rows = history_of(tmp_path / "m")
    assert len(rows) == epochs
    (told,) = [line for line in lines if line.startswith("no better ROUGE-L in 3")]
    assert lines.index(told) > next(n for n, x in enumerate(lines) if "epoch 4:" in x)
    assert load_bundle(tmp_path / "m").provenance["epoch"] == len(rows)
    if schedule == "linear":
        assert "falls to 0 within 2 more" in told
        before, half, end = (row["learning_rate"] for row in rows[3:])
        updates = rows[0]["updates"]
        left = np.array([updates + 1, 1]) / (2 * updates)
        np.testing.assert_allclose([half, end], before * left, rtol=1e-5)
    with pytest.raises(TrainingError, match="is complete, so --resume"):
        train_model(replace(run, resume=True), print)


def test_the_validation_is_over_the_whole_vocab(data_dir: Path) -> None:
    dataset, config = open_dataset(data_dir), replace(QUICK, shortlist=12)
    assert COLUMNS in Batches(dataset, "train", config, epoch=0)[0][0]
    (valid,) = Batches(dataset, "valid", config)[0]
    assert COLUMNS not in valid and valid["labels"].max() >= 12


def test_a_short_training_warms_up_for_a_fifth_of_it() -> None:
    config = TrainConfig(learning_rate=1.0, warmup_updates=1000)
    rates = [learning_rate(config, update, update / 50) for update in range(50)]
    assert rates.index(max(rates)) == 10
    assert max(rates) == pytest.approx(0.8)


@pytest.mark.slow
def test_updates_are_counted_and_planned_in_groups_of_batches(
    data_dir: Path, tmp_path: Path
) -> None:
    config = replace(QUICK, epochs=1, batch_size=16, accumulate=2)
    train_model(quick_run(data_dir, tmp_path / "m", config), lambda line: None)
    pairs = len(open_dataset(data_dir).splits["train"])
    (row,) = history_of(tmp_path / "m")
    assert row["updates"] == -(-pairs // 32)
    assert row["learning_rate"] < 0.01 / 5  # the plan came to its end
