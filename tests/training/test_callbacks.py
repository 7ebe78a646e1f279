"""The learning rate, its end, and the clock of a training."""

import math
from contextlib import closing
from dataclasses import replace
from types import SimpleNamespace
from typing import cast

import keras
import numpy as np
import pytest

from headline.errors import TrainingError
from headline.evaluation.metrics import Rouge
from headline.settings.train import TrainConfig
from headline.system.progress import Ticker
from headline.training.callbacks import Alarm, EpochMeter
from headline.training.phases import ONLY_PAIRS, Phase
from headline.training.schedule import (
    Cooldown,
    Schedule,
    dropout_strength,
    learning_rate,
    seconds_left,
)
from headline.training.state import TrainingState
from headline.training.training import Clock, Training
from tests.models import TINY, random_model

PHASE = Phase(ONLY_PAIRS, "train", 0.0, 1.0, updates=1000, epoch_updates=10)


def test_learning_rate_warms_up_then_falls_or_stays() -> None:
    config = TrainConfig(learning_rate=1.0, warmup_updates=9)
    rates = [learning_rate(config, update, 0.0) for update in range(12)]
    np.testing.assert_allclose(rates[:3], [0.1, 0.2, 0.3])
    assert rates[9:] == [1.0, 1.0, 1.0]
    assert learning_rate(config, 50, 0.75) == pytest.approx(0.25)
    constant = replace(config, schedule="constant", warmup_updates=0)
    assert learning_rate(constant, 0, 0.9) == 1.0


def test_dropout_rises_and_is_the_stronger_the_more_epochs_there_are() -> None:
    config = TrainConfig(dropout_epochs=5.0)
    rising = [dropout_strength(config, over, 100) for over in (0, 1, 4, 5, 99)]
    assert rising == [0.0, 0.2, 0.8, 1.0, 1.0]
    ends = [dropout_strength(config, 99, epochs) for epochs in (0.2, 1, 2, 4, 5, 100)]
    assert ends == [0.0, 0.0, 0.25, 0.75, 1.0, 1.0]
    for always in (0.0, 1.0):
        assert dropout_strength(TrainConfig(dropout_epochs=always), 0, 0.2) == 1.0


def test_the_model_drops_as_much_as_the_epoch_is_to_drop() -> None:
    model = random_model(TINY["seed"])
    model.compile(keras.optimizers.SGD(1.0))
    config, found = TrainConfig(epochs=100, dropout_epochs=5.0), []
    state = TrainingState()
    schedule = Schedule(config, PHASE, Clock(None, state), state)
    schedule.set_model(model)
    for state.update in (0, 10, 40, 50, 90):  # an epoch has 10
        schedule.on_train_batch_begin(0)
        found.append(float(model.strength))
    assert found == pytest.approx([0.0, 0.2, 0.8, 1.0, 1.0])


def test_the_rate_falls_from_what_it_was_to_nothing() -> None:
    config = TrainConfig(patience=3)
    phase = Phase(ONLY_PAIRS, "train", 0.0, 1.0, updates=1000, epoch_updates=10)
    rising, stale = (
        TrainingState(
            history=[
                {"rouge_l": score, "updates": 10.0 * (n + 1), "learning_rate": 0.5}
                for n, score in enumerate(rouge_l)
            ]
        )
        for rouge_l in ([1.0, 2.0, 3.0, 4.0], [4.0, 1.0, 2.0, 3.0])
    )
    assert Cooldown.of(config, phase, rising) is None
    cooldown = Cooldown.of(config, phase, stale)
    assert cooldown is not None and config.cooldown_epochs == 2
    rates = [cooldown.rate_at(update) for update in range(40, 61)]
    np.testing.assert_allclose(rates, np.linspace(0.5, 0.0, 21))
    assert [cooldown.is_over(update) for update in (40, 59, 60)] == [False, False, True]


def test_a_constant_rate_does_not_fall() -> None:
    assert TrainConfig(schedule="constant").cooldown_epochs == 0
    assert TrainConfig(patience=8).cooldown_epochs == 4


def test_the_clock_leaves_room_for_the_last_validation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [100.0]
    monkeypatch.setattr("headline.training.training.time.monotonic", lambda: now[0])
    state = TrainingState()
    clock, endless = Clock(1.0, state), Clock(None, TrainingState())
    now[0] += 25
    assert clock.share() == pytest.approx(25 / 60) and endless.share() == 0
    state.reserved = 10
    assert clock.share() == pytest.approx(0.5)
    state.reserved = 59  # more than half is never kept for it
    assert clock.share() == pytest.approx(25 / 30)
    now[0] += math.inf
    assert clock.share() == 1 and endless.share() == 0


@pytest.mark.parametrize(
    ("minutes", "updates", "elapsed", "left"),
    [
        (None, 250, 60.0, 180.0),  # a quarter of the updates in a minute
        (2.0, 250, 60.0, 60.0),  # the time ends first
        (10.0, 250, 60.0, 180.0),  # the updates do
        (2.0, 0, 10.0, 110.0),
        (None, 0, 10.0, math.inf),
        (2.0, 250, 150.0, 0.0),
    ],
)
def test_the_time_left_is_that_of_what_ends_first(
    monkeypatch: pytest.MonkeyPatch,
    minutes: float | None,
    updates: int,
    elapsed: float,
    left: float,
) -> None:
    now = [100.0]
    monkeypatch.setattr("headline.training.training.time.monotonic", lambda: now[0])
    state = TrainingState(update=updates)
    clock = Clock(minutes, state)
    now[0] += elapsed
    assert seconds_left(PHASE, state, clock) == pytest.approx(left)


def test_the_time_left_counts_the_phase_to_come() -> None:
    first = replace(PHASE, end=0.25)
    state, clock = TrainingState(update=500), Clock(None, TrainingState(seconds=10.0))
    assert seconds_left(first, state, clock) == pytest.approx(70, abs=1)


@pytest.mark.parametrize(
    ("state", "kept"),
    [
        (TrainingState(), "no weights are kept"),
        (TrainingState(best=Rouge(50.0, 30.0, 44.0)), "with ROUGE-L 44.0 are kept"),
        # The phase of the pairs has begun, and none of its epochs is complete.
        (TrainingState(history=[{"rouge_l": 9.0}]), "after the pseudo-pairs are kept"),
    ],
)
@pytest.mark.parametrize("name", ["loss", "gradient_norm"])
def test_a_training_that_diverges_says_which_weights_are_kept(
    state: TrainingState, kept: str, name: str
) -> None:
    alarm, logs = Alarm(state), {"loss": 1.0, "gradient_norm": 1.0}
    alarm.on_train_batch_end(0, logs)
    with pytest.raises(TrainingError, match=rf"NaN or infinite; .*{kept}"):
        alarm.on_train_batch_end(0, logs | {name: math.nan})


def test_a_cooldown_ends_a_training_sooner() -> None:
    state, clock = TrainingState(update=100), Clock(None, TrainingState(seconds=10.0))
    cooldown = Cooldown(begin=90, updates=30, rate=1.0)
    assert seconds_left(PHASE, state, clock, cooldown) == pytest.approx(2, abs=0.1)


def test_a_log_gets_a_line_within_an_epoch_every_half_minute(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, lines, state = [100.0], list[str](), TrainingState()
    monkeypatch.setattr("headline.system.progress.time.monotonic", lambda: now[0])
    training = SimpleNamespace(
        config=TrainConfig(accumulate=2),
        state=state,
        clock=Clock(2.0, state),
        ticker=Ticker(),
        report=lines.append,
    )
    with closing(EpochMeter(cast(Training, training), PHASE)) as meter:
        meter.set_params({"steps": 20})
        meter.on_epoch_begin(0)
        for batch in range(20):
            now[0] += 4
            state.update = (batch + 1) // 2
            meter.on_train_batch_end(batch, {"loss": 1.5})
    assert lines == [
        "epoch 1: update 4 of 10, loss 1.500, 1:28 left",
        "epoch 1: update 8 of 10, loss 1.500, 0:56 left",
    ]
