"""An update of several batches is that of one large batch."""

from dataclasses import replace

import keras
import numpy as np
import pytest

from headline.data.batches import make_batch
from headline.data.prepare import Job, prepare
from headline.data.store import Dataset, open_dataset
from headline.formats.tables import CorpusFormat
from headline.network.model import (
    COLUMNS,
    HeadlineModel,
    build_model,
    weight_arrays,
)
from headline.network.train_step import DIVISOR
from headline.settings.prepare import PrepareConfig
from headline.settings.train import ClipScope, TrainConfig
from headline.text.ids import PAD
from headline.training.batches import Batches, of_few_shapes, pipeline
from headline.training.optimizers import exchange_optimizer, make_optimizer
from headline.training.train import label_counter
from tests.corpora import bracket_pairs, write_pairs
from tests.models import TINY, without_dropout

SMALL = without_dropout(replace(TINY["pointer"], encoder_layers=1, decoder_layers=1))


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("data")
    job = Job(
        files=[write_pairs(folder / "corpus.csv", bracket_pairs(20))],
        data_dir=folder / "prepared",
        format=CorpusFormat(),
        config=PrepareConfig(valid_size=0.1, test_size=0.0),
    )
    prepare(job)
    return open_dataset(folder / "prepared")


def fresh_model(dataset: Dataset, config: TrainConfig) -> HeadlineModel:
    keras.utils.set_random_seed(3)
    vocab_size = dataset.tokenizer.vocab.vocab_size
    model = build_model(replace(SMALL, vocab_size=vocab_size))
    model.compile(make_optimizer(model, config), run_eagerly=True)
    return model


@pytest.mark.parametrize(
    ("clip_scope", "shortlist"),
    [
        ("model", 0),
        pytest.param("weight", 0, marks=pytest.mark.slow),
        ("model", 12),
    ],
)
def test_an_update_of_several_batches_is_that_of_one_large_batch(
    dataset: Dataset, clip_scope: ClipScope, shortlist: int
) -> None:
    """Titles have unlike lengths, so that a mean of the parts' means would differ."""
    # A plain step shows the gradient; Adam would blow up the noise of tiny ones.
    config = TrainConfig(
        batch_size=9,
        optimizer="sgd",
        learning_rate=0.1,
        clip_scope=clip_scope,
        shortlist=shortlist,
    )
    split = replace(config, batch_size=3, accumulate=3)
    whole, parted = fresh_model(dataset, config), fresh_model(dataset, split)
    large = Batches(dataset, "train", config, 0)
    small = Batches(dataset, "train", split, 0, label_counter(parted))

    assert len(small) == 3 * len(large)
    assert (COLUMNS in large[0][0]) == (shortlist > 0)
    for index in range(len(large)):
        whole.train_on_batch(large[index][0])
        for part in range(3):
            parted.train_on_batch(small[3 * index + part][0])

    expected = weight_arrays(whole)
    for name, weight in weight_arrays(parted).items():
        np.testing.assert_allclose(weight, expected[name], atol=1e-5, err_msg=name)


def test_an_optimizer_that_is_exchanged_between_two_updates_goes_on(
    dataset: Dataset,
) -> None:
    config = TrainConfig(batch_size=8, optimizer="adam", learning_rate=0.01)
    halved = config.halved(1)
    assert (halved.batch_size, halved.accumulate) == (4, 2)
    whole, parted = fresh_model(dataset, config), fresh_model(dataset, config)
    large = Batches(dataset, "train", config, 0)
    small = Batches(dataset, "train", halved, 0, label_counter(parted), first=2)
    for model in (whole, parted):
        model.train_on_batch(large[0][0])

    parted.compile(exchange_optimizer(parted, halved), run_eagerly=True)
    for index in range(1, len(large)):
        whole.train_on_batch(large[index][0])
        for part in range(2):
            parted.train_on_batch(small[2 * (index - 1) + part][0])

    assert int(parted.optimizer.iterations) == int(whole.optimizer.iterations)
    expected = weight_arrays(whole)
    for name, weight in weight_arrays(parted).items():
        # Adam makes much of the noise of tiny gradients.
        assert np.abs(weight - expected[name]).mean() < 1e-4, name


def test_parts_hold_every_pair_once_and_an_empty_one_counts_nothing(
    dataset: Dataset,
) -> None:
    config = TrainConfig(batch_size=1, accumulate=7)
    model = fresh_model(dataset, config)
    batches = Batches(dataset, "train", config, 0, label_counter(model))
    assert len(batches) % 7 == 0
    real = [
        row.tobytes()
        for index in range(len(batches))
        for row in batches[index][0]["copy_ids"]
        if row.any()
    ]
    assert len(real) == len(dataset.splits["train"])
    last = [batches[index][0] for index in range(len(batches))]
    empty = [batch for batch in last if (batch["labels"] == PAD).all()]
    assert empty
    for batch in empty:
        assert float(model.compute_loss(batch, y_pred=model(batch))) == 0


def test_the_divisor_is_the_mean_number_of_labels(dataset: Dataset) -> None:
    config = TrainConfig(batch_size=4, accumulate=2)
    count = label_counter(fresh_model(dataset, config))
    batches = Batches(dataset, "train", config, 0, count)
    for first in range(0, len(batches), 2):
        parts = [batches[first + part][0] for part in range(2)]
        labels = sum(count(part) for part in parts)
        assert [float(part[DIVISOR][0, 0]) for part in parts] == [labels / 2] * 2


def test_padding_to_few_shapes_changes_no_loss(dataset: Dataset) -> None:
    config = TrainConfig(batch_size=4)
    model = fresh_model(dataset, config)
    batches = Batches(dataset, "train", config, 0)
    plain = [
        make_batch(batches.split, list(range(first, first + rows)), dataset.tokenizer)
        for first, rows in ((0, 4), (4, 4), (8, 1))
    ]
    padded = [of_few_shapes(dict(batch), 4) for batch in plain]

    assert {ids.shape for one in padded for ids in one.values()} == {(4, 64), (4, 32)}
    for batch, wide in zip(plain, padded, strict=True):
        expected = float(model.compute_loss(batch, y_pred=model(batch)))
        found = float(model.compute_loss(wide, y_pred=model(wide)))
        assert found == pytest.approx(expected, rel=1e-5)


def test_where_each_shape_is_compiled_an_epoch_has_few(
    dataset: Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("headline.training.batches.compiles_each_shape", lambda: True)
    config = TrainConfig(batch_size=4, accumulate=2)
    count = label_counter(fresh_model(dataset, config))
    batches = Batches(dataset, "train", config, 0, count)
    found = [batches[index][0] for index in range(len(batches))]
    assert {batch["copy_ids"].shape for batch in found} == {(4, 64)}
    assert {batch[DIVISOR].shape for batch in found} == {(1, 1)}


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="of tf.data alone")
def test_no_tuner_keeps_the_end_of_an_epoch_waiting(dataset: Dataset) -> None:
    with pipeline(Batches(dataset, "train", TrainConfig(batch_size=9))) as stream:
        assert stream.options().autotune.enabled is False
