"""The weights that a config asks for are those that the engine reads, and no others."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from headline.engines.base import SourceBatch, Step
from headline.engines.numpy.engine import NumpyEngine
from headline.errors import BundleError
from headline.network.weights import (
    GROUPS,
    Weights,
    check_weights,
    weight_specs,
)
from headline.settings.model import ModelConfig
from headline.settings.presets import PRESETS
from headline.text.ids import BOS
from tests.scripted import random_weights

SMALL = ModelConfig(vocab_size=9, width=4, heads=2, decoder_layers=1, bigrams=13)
CONFIGS = [
    *(replace(preset.model, width=8, vocab_size=9) for preset in PRESETS.values()),
    replace(SMALL, encoder_layers=3, decoder_layers=2, source_prior=True),
    replace(SMALL, conditional_norm=True, width=2),
    replace(SMALL, pointer=False, match_length=0, bigrams=0),
    replace(SMALL, decoder_layers=2, styles=3),
]


class Noted(Mapping[str, NDArray[np.float32]]):
    """Weights that note which of them are asked for."""

    def __init__(self, weights: Weights) -> None:
        self.weights = weights
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> NDArray[np.float32]:
        self.used.add(name)
        return self.weights[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.weights)

    def __len__(self) -> int:
        return len(self.weights)


@pytest.mark.parametrize("config", CONFIGS)
def test_engine_reads_every_weight_and_no_other(config: ModelConfig) -> None:
    weights = Noted(random_weights(config))
    engine = NumpyEngine(config, weights)
    ids = np.array([[4, 5, 20]], np.int32)

    embedded = np.where(ids < 9, ids, 1).astype(np.int32)
    style = np.zeros(1, np.int32) if config.styles else None
    state = engine.encode(SourceBatch(embedded, ids, style))
    engine.step(state, Step(np.zeros(1, np.int32), np.array([BOS], np.int32), 2))

    specs = weight_specs(config).values()
    assert weights.used == {spec.name for spec in specs if spec.generates}


@pytest.mark.parametrize("config", CONFIGS)
def test_good_weights_pass(config: ModelConfig) -> None:
    check_weights(config, random_weights(config))


@pytest.mark.parametrize("config", CONFIGS)
def test_a_token_axis_grows_with_the_vocab_and_nothing_else_does(
    config: ModelConfig,
) -> None:
    specs = weight_specs(config)
    grown = weight_specs(replace(config, vocab_size=config.vocab_size + 1))
    for name, spec in specs.items():
        more = tuple(int(axis == spec.token_axis) for axis in range(len(spec.shape)))
        assert grown[name].shape == tuple(map(sum, zip(spec.shape, more, strict=True)))


def test_every_weight_is_in_the_group_of_its_layer() -> None:
    config = replace(SMALL, source_prior=True, conditional_norm=True, styles=2)
    groups = {spec.name: spec.group for spec in weight_specs(config).values()}
    assert tuple(dict.fromkeys(groups.values())) == GROUPS
    of_others = {"bigrams": "embedding", "hidden": "output"}
    for name, group in groups.items():
        layer = name.split("/")[0].split("_")[0]
        assert group == of_others.get(layer, layer)


def test_a_model_may_lack_a_weight_that_only_a_training_needs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    specs, weights = weight_specs(SMALL), dict(random_weights(SMALL))
    specs["hidden/bias"] = replace(specs["hidden/bias"], generates=False)
    monkeypatch.setattr("headline.network.weights.weight_specs", lambda _: specs)

    short = {name: weights[name] for name in weights if name != "hidden/bias"}
    check_weights(SMALL, short)

    assert "hidden/bias" in refusal(weights | {"hidden/bias": weights["output/bias"]})
    del short["hidden/kernel"]
    assert "hidden/kernel" in refusal(short)


def refusal(weights: Weights) -> str:
    """Returns the message that the weights are refused with."""
    with pytest.raises(BundleError) as caught:
        check_weights(SMALL, weights)
    return str(caught.value)


@pytest.mark.parametrize("name", weight_specs(SMALL))
def test_any_faulty_weight_is_refused_by_name(name: str) -> None:
    good = dict(random_weights(SMALL))
    weight = good[name]
    with_nan, with_infinity = weight.copy(), weight.copy()
    with_nan.flat[-1], with_infinity.flat[0] = np.nan, np.inf
    faults: dict[str, NDArray[Any]] = {
        "shape": np.concatenate([weight, weight]),
        "shape (": weight[..., None],
        "float32": weight.astype(np.float64),
        "not finite": with_nan,
        "are not finite": with_infinity,
    }

    for words, fault in faults.items():
        message = refusal(good | {name: fault})
        assert name in message
        assert words in message
    assert name in refusal({key: good[key] for key in good if key != name})
