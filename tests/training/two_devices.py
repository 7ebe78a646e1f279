"""Trainings on two devices of the CPU; ``test_devices`` runs this in a process.

    XLA_FLAGS=--xla_force_host_platform_device_count=2 KERAS_BACKEND=jax \
        python -m pytest tests/training/two_devices.py
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import KerasTensor, ops

from headline.bundle import load_checkpoint
from headline.data.prepare import Job, prepare
from headline.data.store import Dataset, open_dataset
from headline.errors import Interrupted
from headline.formats.tables import CorpusFormat
from headline.network.data_parallel import (
    AXIS,
    device_count,
    mesh,
    on_devices,
    on_each_device,
    seed_here,
)
from headline.network.dropout import _Drawing
from headline.network.model import HeadlineModel, build_model, weight_arrays
from headline.network.objective import make_objective
from headline.network.weights import Weights
from headline.settings.prepare import PrepareConfig
from headline.settings.train import TrainConfig
from headline.training.batches import Batches
from headline.training.optimizers import make_optimizer
from headline.training.phases import PAIRS
from headline.training.train import label_counter, train_model
from tests.corpora import bracket_pairs, write_pairs
from tests.devices import run_of_everything, train_in_two_processes
from tests.models import TINY, without_dropout
from tests.trainings import Stops, assert_same, history_of

jax: Any = pytest.importorskip("jax")

NETWORK = replace(TINY["pointer"], encoder_layers=1, decoder_layers=1)
# A collective and the type of its result: f32[7,3]{1,0}, or several in parentheses.
COLLECTIVE = re.compile(
    r" = (\(.*?\)|\S+) (?:all-reduce|all-gather|all-to-all|reduce-scatter|"
    r"ragged-all-to-all|collective-permute|collective-broadcast)(?:-start)?\("
)

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax" or jax.device_count() != 2, reason="2 JAX devices"
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("data")
    # Articles of one width, so that there is little to compile.
    pairs = [pair for pair in bracket_pairs(2000) if 8 < len(pair[1]) <= 16][:200]
    unpaired = [("", article * 2) for _, article in pairs[:140]]
    job = Job(
        files=[write_pairs(folder / "news.csv", pairs)],
        data_dir=folder / "data",
        format=CorpusFormat(),
        config=PrepareConfig(min_count=1, valid_size=0.1, test_size=0.0),
        unpaired=[write_pairs(folder / "more.csv", unpaired)],
    )
    prepare(job)
    return open_dataset(job.data_dir)


# --- the same update ------------------------------------------------------------------


def drop_alike(
    self: _Drawing, shape: tuple[Any, ...], strength: KerasTensor
) -> KerasTensor:
    """Drops the same values in all rows, but others in the second pass of R-Drop."""
    each = [keras.random.uniform(shape[1:], seed=seed)[None] for seed in (1, 2)]
    rows = [ops.repeat(one, shape[0] // 2, axis=0) for one in each]
    return ops.concatenate(rows, axis=0) < self.share(strength)


@dataclass
class Fit:
    """What a fit came to."""

    weights: Weights
    updates: list[dict[str, float]]  # the logs of each batch
    validation: dict[str, float]


def fresh_model(dataset: Dataset, config: TrainConfig) -> HeadlineModel:
    keras.utils.set_random_seed(3)
    network = NETWORK if config.r_drop else without_dropout(NETWORK)
    vocab_size = dataset.tokenizer.vocab.vocab_size
    model = build_model(replace(network, vocab_size=vocab_size))
    objective = make_objective(config.r_drop or 0.0)
    model.compile(make_optimizer(model, config), objective, jit_compile=True)
    model.looks.assign(True)
    return model


def floats(logs: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(value) for name, value in logs.items()}


def fit(dataset: Dataset, config: TrainConfig) -> Fit:
    model, updates = fresh_model(dataset, config), list[dict[str, float]]()

    def record(batch: int, logs: Mapping[str, Any]) -> None:
        updates.append(floats(logs))

    counter = label_counter(model) if config.accumulate > 1 else None
    batches = Batches(dataset, "train", config, 0, counter)
    recorder = keras.callbacks.LambdaCallback(on_train_batch_end=record)
    model.fit(batches, callbacks=[recorder], shuffle=False, verbose=0)
    found = {}
    if config.accumulate > 1:  # once is enough, and has to be compiled
        valid = Batches(dataset, "valid", config)
        found = model.evaluate(valid, return_dict=True, verbose=0)
    weights = {name: one.copy() for name, one in weight_arrays(model).items()}
    return Fit(weights, updates, floats(found))


PLAIN = TrainConfig(batch_size=7, shortlist=16, learning_rate=1e-3)
PARTED = replace(PLAIN, accumulate=3, r_drop=2.0, optimizer="sgd", learning_rate=0.1)


@pytest.mark.parametrize("config", [PLAIN, PARTED], ids=["plain", "parted"])
def test_updates_are_those_of_one_device(
    dataset: Dataset, config: TrainConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also those of batches that cannot be halved, and of the incomplete last one."""
    monkeypatch.setattr(_Drawing, "draw", drop_alike)
    expected = fit(dataset, config)
    with on_devices("auto"):
        assert device_count() == 2
        found = fit(dataset, config)
    assert mesh() is None
    assert len(found.updates) > 20
    for name, weight in expected.weights.items():
        np.testing.assert_allclose(
            found.weights[name], weight, rtol=0, atol=1e-6, err_msg=name
        )
    pairs = zip(found.updates, expected.updates, strict=True)
    for ours, theirs in [*pairs, (found.validation, expected.validation)]:
        assert ours == pytest.approx(theirs, rel=1e-4, abs=1e-6)
    if config.r_drop:
        assert min(one["divergence"] for one in expected.updates) > 1e-3


# --- one sum --------------------------------------------------------------------------


def compiled(step: Any, *given: Any) -> str:
    return str(jax.jit(step).lower(*given).compile().as_text())


def computations(hlo: str) -> dict[str, str]:
    """The body of each computation of a module, by its name."""
    found = re.findall(r"^(?:ENTRY )?%?(\S+) \(.*?\{\n(.*?)^\}", hlo, re.M | re.S)
    return dict(found)


def in_loops(hlo: str) -> list[str]:
    """The types of the results of all collectives that a while loop repeats."""
    bodies = computations(hlo)
    called = set(re.findall(r"(?:body|condition)=%?([\w.-]+)", hlo))
    reached: set[str] = set()
    while called:
        name = called.pop()
        if name in bodies and name not in reached:
            reached.add(name)
            called |= set(re.findall(r"%([\w.-]+)", bodies[name])) & bodies.keys()
    return [one for name in reached for one in COLLECTIVE.findall(bodies[name])]


def size(kind: str) -> int:
    """The bytes of an array of 32-bit numbers, given its type, as f32[7,3]{1,0}."""
    found = re.fullmatch(r"[fsu]32\[([\d,]*)\].*", kind)
    assert found is not None, kind
    return 4 * int(np.prod([int(one) for one in found[1].split(",") if one]))


def test_an_update_has_one_sum_and_it_is_not_in_a_loop(dataset: Dataset) -> None:
    with on_devices("auto"):
        model = fresh_model(dataset, PLAIN)
        (batch,) = Batches(dataset, "train", PLAIN, 0)[0]
        groups = (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
        state = tuple([variable.value for variable in group] for group in groups)
        hlo = compiled(model.train_step, state, (batch,))
    assert " while(" in hlo and in_loops(hlo) == []
    (only,) = COLLECTIVE.findall(hlo)
    gradient = sum(4 * int(np.prod(one.shape)) for one in model.trainable_variables)
    assert gradient <= size(only) <= 1.01 * gradient


def test_a_sum_in_a_loop_would_be_found() -> None:
    def step(state: KerasTensor, rows: KerasTensor) -> KerasTensor:
        def turn(total: KerasTensor, _: None) -> tuple[KerasTensor, None]:
            return total + jax.lax.psum(jax.numpy.sin(total * rows).sum(), AXIS), None

        return jax.lax.scan(turn, state, None, length=9)[0]

    with on_devices("auto"):
        hlo = compiled(on_each_device(step), np.float32(1), np.ones((2, 3), "float32"))
    assert [size(one) for one in in_loops(hlo)] == [4]


# --- dropout --------------------------------------------------------------------------


def test_each_device_drops_other_values_in_every_update() -> None:
    generator = keras.random.SeedGenerator(5)

    def draws(state: KerasTensor, rows: KerasTensor) -> KerasTensor:
        with keras.StatelessScope(state_mapping=[(generator.state, state)]):
            two = [
                keras.random.uniform((1, 4), seed=seed_here(generator)) for _ in "ab"
            ]
        return ops.concatenate(two, axis=0)

    with on_devices("auto"):
        shares = jax.sharding.PartitionSpec(), jax.sharding.PartitionSpec(AXIS)
        step = jax.shard_map(
            draws, mesh=mesh(), in_specs=shares, out_specs=shares[1], check_vma=False
        )
        found = np.asarray(step(generator.state.value, np.zeros((2, 1))))
    assert len(np.unique(found)) == 16


# --- whole trainings ------------------------------------------------------------------


@pytest.fixture(scope="module")
def straight(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The MODEL_DIR of a training on two devices of this process."""
    model_dir = tmp_path_factory.mktemp("models") / "model"
    lines: list[str] = []
    train_model(run_of_everything(dataset.path, model_dir), lines.append)
    assert "jax on 2 devices" in lines[0]
    last = history_of(model_dir)[-1]
    assert int(last["updates"]) >= 40 and int(last["phase"]) == PAIRS
    assert load_checkpoint(model_dir).state["state"]["devices"] == 2
    return model_dir


class Dies(Stops):
    """Ends a training as a kill does: nothing is saved for it."""

    def check(self) -> None:
        try:
            super().check()
        except Interrupted as error:
            raise ArithmeticError from error


def test_stopped_or_killed_it_comes_to_the_same(
    dataset: Dataset, straight: Path, tmp_path: Path
) -> None:
    run = run_of_everything(dataset.path, tmp_path / "m")
    with pytest.raises(Interrupted):
        train_model(run, lambda line: None, Stops([5]))
    run = replace(run, resume=True)
    with pytest.raises(ArithmeticError):
        train_model(run, lambda line: None, Dies([40]))
    train_model(run, lambda line: None)
    assert_same(run.model_dir, straight)


def test_two_processes_make_the_same_updates(
    dataset: Dataset, straight: Path, tmp_path: Path
) -> None:
    model_dirs = [tmp_path / "first", tmp_path / "second"]
    cache = Path(jax.config.jax_compilation_cache_dir or tmp_path / "cache")
    train_in_two_processes(dataset.path, model_dirs, cache)
    for model_dir in model_dirs:
        assert_same(model_dir, straight)
