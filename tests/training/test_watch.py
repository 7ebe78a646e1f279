"""What is told of the updates, against plain NumPy and against an optimizer whose step
is known."""

from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

from headline.network.model import weight_arrays
from headline.network.objective import Objective, make_objective
from headline.network.train_step import RATIO
from headline.network.weights import Weights
from headline.settings.model import ModelConfig
from headline.text.ids import Ids
from headline.training.callbacks import SPEED, Watch, columns
from headline.training.state import EpochState
from tests.models import random_model, random_sources, training_batch

RATE = 0.01
CONFIG = ModelConfig(
    vocab_size=40, width=8, heads=2, encoder_layers=1, decoder_layers=1, dropout=0.0
)
EVERY = 2


def batches(number: int) -> list[dict[str, Ids]]:
    """Batches in which the token 7 occurs more than once."""
    return [
        training_batch(CONFIG, random_sources(CONFIG, [6, 3], seed), [[7, 9], [11, 7]])
        for seed in range(number)
    ]


class Recorder(keras.callbacks.Callback):
    """Keeps the logs, and the weights after each update."""

    def on_train_begin(self, logs: Any = None) -> None:
        self.weights = [weight_arrays(self.model)]
        self.batches: list[dict[str, float]] = []
        self.epochs: list[dict[str, float]] = []

    def on_train_batch_end(self, batch: int, logs: dict[str, float]) -> None:
        self.batches.append(dict(logs))
        if keras.backend.backend() == "jax":
            self.model.jax_state_sync()
        arrays = weight_arrays(self.model)
        self.weights.append({name: array.copy() for name, array in arrays.items()})

    def on_epoch_end(self, epoch: int, logs: dict[str, float]) -> None:
        self.epochs.append(dict(logs))


def fitted(
    optimizer: Any,
    fed: list[dict[str, Ids]],
    objective: Objective | None = None,
    eagerly: bool = True,
) -> Recorder:
    keras.utils.set_random_seed(1)
    model = random_model(CONFIG)
    jit = not eagerly and keras.backend.backend() == "jax"
    model.compile(optimizer, objective, run_eagerly=eagerly, jit_compile=jit)
    optimizer.build(model.trainable_variables)
    recorder = Recorder()
    model.fit(
        ((one,) for one in fed),
        steps_per_epoch=len(fed),
        callbacks=[Watch(EpochState()), recorder],
        shuffle=False,
        verbose=0,
    )
    return recorder


def change(before: Weights, after: Weights) -> float:
    return float(
        np.sqrt(sum(((after[name] - before[name]) ** 2).sum() for name in before))
    )


def decoder_ratio(before: Weights, after: Weights) -> float:
    """|change| / |weights| of the decoder, whose layers and norms are one group."""
    old, new = (
        np.concatenate(
            [one[name].ravel() for name in sorted(one) if name.startswith("decoder_")]
        )
        for one in (before, after)
    )
    return float(np.linalg.norm(new - old) / np.linalg.norm(old))


@pytest.fixture(scope="module")
def plain() -> Iterator[Recorder]:
    """Three updates by plain SGD, whose step is the rate times the gradient."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("headline.training.callbacks.EVERY", EVERY)
        yield fitted(keras.optimizers.SGD(RATE), batches(3), eagerly=False)


def test_the_gradient_norm_is_that_of_all_gradients_together(plain: Recorder) -> None:
    for update, logs in enumerate(plain.batches):
        expected = change(*plain.weights[update : update + 2]) / RATE
        assert logs["gradient_norm"] == pytest.approx(expected, rel=1e-3)
    (epoch,) = plain.epochs
    norms = [logs["gradient_norm"] for logs in plain.batches]
    assert epoch["gradient_norm"] == pytest.approx(np.mean(norms))


def test_the_gradient_norm_is_that_before_clipping(plain: Recorder) -> None:
    clipped = fitted(keras.optimizers.SGD(RATE, global_clipnorm=1e-2), batches(1))
    assert change(*clipped.weights) < change(*plain.weights[:2]) / 10
    expected = plain.batches[0]["gradient_norm"]
    assert clipped.batches[0]["gradient_norm"] == pytest.approx(expected, rel=1e-4)


def test_each_group_of_layers_has_a_ratio(plain: Recorder) -> None:
    names = [name for name in plain.batches[0] if name.startswith(RATIO)]
    groups = {"embedding", "encoder", "decoder", "attention", "output", "pointer"}
    assert {name.removeprefix(RATIO) for name in names} == groups
    assert all(plain.batches[0][name] > 0 for name in names)


def test_some_updates_are_looked_at_and_the_epoch_has_the_means(
    plain: Recorder,
) -> None:
    ratios = []
    for update, logs in enumerate(plain.batches):
        assert (RATIO + "decoder" in logs) == (update % EVERY == 0)
        if update % EVERY == 0:
            expected = decoder_ratio(*plain.weights[update : update + 2])
            assert logs[RATIO + "decoder"] == pytest.approx(expected, rel=1e-4)
            ratios.append(logs[RATIO + "decoder"])
    (epoch,) = plain.epochs
    assert epoch[RATIO + "decoder"] == pytest.approx(np.mean(ratios))
    assert epoch[SPEED] > 0


def test_recent_loss_is_that_since_the_last_look(plain: Recorder) -> None:
    first, _, last = plain.batches
    assert first["recent_loss"] == pytest.approx(first["loss"], rel=1e-5)
    # All batches have as many labels: the mean over all is that of the batches' means.
    expected = (3 * last["loss"] - first["loss"]) / 2
    assert last["recent_loss"] == pytest.approx(expected, rel=1e-4)


def test_losses_are_told_by_name_of_each_batch_and_as_means_of_the_epoch() -> None:
    told = fitted(keras.optimizers.SGD(RATE), batches(3), make_objective(r_drop=2.0))
    first, second, _ = told.batches
    # The loss is that of the epoch so far.
    assert first["cross_entropy"] == pytest.approx(first["loss"], rel=1e-5)
    both = (first["cross_entropy"] + second["cross_entropy"]) / 2
    assert second["loss"] == pytest.approx(both, rel=1e-5)
    (epoch,) = told.epochs
    for name in ("cross_entropy", "divergence"):
        values = [logs[name] for logs in told.batches]
        assert epoch[name] == pytest.approx(np.mean(values), abs=1e-9)


def test_gradients_that_are_summed_up_are_looked_at_when_the_weights_move() -> None:
    optimizer = keras.optimizers.SGD(RATE, gradient_accumulation_steps=2)
    summed = fitted(optimizer, batches(2))
    still, moved = (change(*summed.weights[update : update + 2]) for update in (0, 1))
    assert still == 0 < moved
    assert [RATIO + "decoder" in logs for logs in summed.batches] == [False, True]
    assert summed.epochs[0][RATIO + "decoder"] > 0


def test_an_epoch_whose_weights_never_moved_has_the_ratio_zero() -> None:
    epoch, logs = EpochState(), {"source_tokens": 9.0}
    watch = Watch(epoch)
    watch.set_model(random_model(CONFIG))
    watch.on_epoch_begin(0)
    epoch.seconds = 1.0
    watch.on_epoch_end(0, logs)
    assert logs[RATIO + "encoder"] == 0 and logs[SPEED] == 9
    assert epoch.logs == logs


def test_columns_are_of_four_digits_and_gates_those_of_the_validation() -> None:
    logs = {"gradient_norm": 1.234567, RATIO + "decoder": 0.000123456, "loss": 2.0}
    assert columns(logs) == {"gradient_norm": 1.235, RATIO + "decoder": 0.0001235}
    logs |= {"gate": 0.0, "val_gate": 0.5, SPEED: 38123.4}
    assert columns(logs)["gate"] == 0.5 and columns(logs)[SPEED] == 38120
