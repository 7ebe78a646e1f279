"""Name, shape and group of every weight of the network, given its config."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.errors import BundleError
from headline.settings.model import ModelConfig

LARGEST = 1e6  # of a weight: greater ones can overflow float32

# Groups of layers that work together, in the order of the network.
GROUPS = (
    "embedding",
    "encoder",
    "decoder",
    "attention",
    "output",
    "pointer",
    "prior",
    "styles",
)

Weights = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class WeightSpec:
    """One weight of the network: how to load it, carry it over and watch it."""

    name: str  # in the files of a model, such as ``hidden/bias``
    shape: tuple[int, ...]
    group: str  # one of GROUPS
    token_axis: int | None = None  # the axis with one entry for each generable token
    generates: bool = True  # False: only training needs it; a saved model may lack it


def weight_specs(config: ModelConfig) -> dict[str, WeightSpec]:
    """Returns every weight of the network by its name."""
    return {spec.name: spec for spec in _specs(config)}


def count_weights(config: ModelConfig) -> int:
    """Returns the number of learned parameters."""
    return sum(math.prod(spec.shape) for spec in weight_specs(config).values())


def check_weights(config: ModelConfig, weights: Weights) -> None:
    """Checks that ``weights`` fit a network with this config.

    Raises:
        BundleError: a weight is missing, has the wrong shape or dtype, is not finite
            or is beyond LARGEST.
    """
    for spec in weight_specs(config).values():
        if spec.generates or spec.name in weights:
            _check_weight(spec, weights)


def _check_weight(spec: WeightSpec, weights: Weights) -> None:
    name, shape = spec.name, spec.shape
    if name not in weights:
        raise BundleError(f"the weights lack {name}: they are of another model")
    if weights[name].shape != shape:
        found = weights[name].shape
        raise BundleError(f"the weight {name} must have shape {shape}; got {found}")
    if weights[name].dtype != np.float32:
        raise BundleError(f"the weight {name} must be of float32")
    if not (np.abs(weights[name]) <= LARGEST).all():  # false for NaN
        raise BundleError(
            f"the weight {name} holds numbers that are not finite, or beyond any use"
        )


# --- the parts of the network -----------------------------------------------------


def _specs(config: ModelConfig) -> Iterator[WeightSpec]:
    width = config.width
    tokens = config.vocab_size, width
    yield WeightSpec("embedding/embeddings", tokens, "embedding", token_axis=0)
    if config.bigrams:
        pairs = config.bigrams, width
        yield WeightSpec("bigrams/pairs/embeddings", pairs, "embedding")
    yield from _encoder(config)
    yield from _decoder(config)
    yield from _readout(config)
    yield from _styles(config)


def _encoder(config: ModelConfig) -> Iterator[WeightSpec]:
    width = config.width
    for layer in range(config.encoder_layers):
        yield from _norm("encoder", f"encoder_norm_{layer}", width)
        for side in ("forward", "backward"):
            yield from _lstm("encoder", f"encoder_{layer}/{side}", width, width // 2)


def _decoder(config: ModelConfig) -> Iterator[WeightSpec]:
    norm = _modulated_norm if config.conditional_norm else _norm
    for name in decoder_norms(config):
        yield from norm("decoder", name, config.width)
    for layer in range(config.decoder_layers):
        yield from _lstm("decoder", f"decoder_{layer}", config.width, config.width)


def decoder_norms(config: ModelConfig) -> list[str]:
    """Returns the names of the decoder's norms, in the order of the network."""
    return [f"decoder_norm_{n}" for n in (*range(config.decoder_layers), "last")]


def _styles(config: ModelConfig) -> Iterator[WeightSpec]:
    if not config.styles:
        return
    shape = config.styles, config.width
    yield WeightSpec("styles/input", shape, "styles")
    for norm in decoder_norms(config):
        for which in ("gamma", "beta"):
            yield WeightSpec(f"styles/{norm}/{which}", shape, "styles")


def _readout(config: ModelConfig) -> Iterator[WeightSpec]:
    width, vocab_size = config.width, config.vocab_size
    for name in ("query", "key", "value"):
        kernel = f"attention/{name}/kernel"
        yield WeightSpec(kernel, (width, width), "attention")
    yield from _dense("output", "hidden", 2 * width, width)
    yield WeightSpec("output/kernel", (width, vocab_size), "output", token_axis=1)
    yield WeightSpec("output/bias", (vocab_size,), "output", token_axis=0)
    if config.pointer:
        yield WeightSpec("pointer/query/kernel", (2 * width, width), "pointer")
        yield WeightSpec("pointer/key/kernel", (width, width), "pointer")
        yield from _dense("pointer", "pointer/gate", 2 * width, 1)
    if features := config.match_features:
        by_head = config.heads * features
        yield from _dense("attention", "attention/match", width, by_head)
        yield from _dense("pointer", "pointer/match", 2 * width, features)
    if config.source_prior:
        for name in ("log_scale", "shift"):
            yield WeightSpec(f"prior/{name}", (vocab_size,), "prior", token_axis=0)


# --- layers -------------------------------------------------------------------------


def _dense(group: str, name: str, inputs: int, outputs: int) -> Iterator[WeightSpec]:
    yield WeightSpec(f"{name}/kernel", (inputs, outputs), group)
    yield WeightSpec(f"{name}/bias", (outputs,), group)


def _norm(group: str, name: str, width: int) -> Iterator[WeightSpec]:
    yield WeightSpec(f"{name}/gamma", (width,), group)
    yield WeightSpec(f"{name}/beta", (width,), group)


def _modulated_norm(group: str, name: str, width: int) -> Iterator[WeightSpec]:
    hidden = max(1, width // 4)
    for which in ("beta", "gamma"):
        yield from _dense(group, f"{name}/{which}_hidden", width, hidden)
        yield from _dense(group, f"{name}/{which}_output", hidden, width)


def _lstm(group: str, name: str, inputs: int, units: int) -> Iterator[WeightSpec]:
    cell = f"{name}/lstm_cell"
    yield WeightSpec(f"{cell}/kernel", (inputs, 4 * units), group)
    yield WeightSpec(f"{cell}/recurrent_kernel", (units, 4 * units), group)
    yield WeightSpec(f"{cell}/bias", (4 * units,), group)
