"""The names and shapes of every weight, which follow from the config alone."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from headline.errors import BundleError
from headline.settings.model import ModelConfig

LARGEST = 1e6  # of a weight: with greater ones float32 comes to its end

Weights = Mapping[str, NDArray[np.float32]]


def check_weights(config: ModelConfig, weights: Weights) -> None:
    """Checks that ``weights`` are those of such a network.

    Raises:
        BundleError: a weight is missing, of another shape or type, or not finite.
    """
    for name, shape in weight_shapes(config).items():
        _check_weight(name, shape, weights)


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Returns the name and shape of every weight that this network has."""
    width, vocab_size = config.width, config.vocab_size
    shapes: dict[str, tuple[int, ...]] = {"embedding/embeddings": (vocab_size, width)}
    if config.bigrams:
        shapes["bigrams/pairs/embeddings"] = (config.bigrams, width)
    for layer in range(config.encoder_layers):
        shapes |= _norm_shapes(f"encoder_norm_{layer}", width)
        for side in ("forward", "backward"):
            shapes |= _lstm_shapes(f"encoder_{layer}/{side}", width, width // 2)
    norm_shapes = _modulated_shapes if config.conditional_norm else _norm_shapes
    for name in (*range(config.decoder_layers), "last"):
        shapes |= norm_shapes(f"decoder_norm_{name}", width)
    for layer in range(config.decoder_layers):
        shapes |= _lstm_shapes(f"decoder_{layer}", width, width)
    for name in ("query", "key", "value"):
        shapes[f"attention/{name}/kernel"] = (width, width)
    shapes |= _dense_shapes("hidden", 2 * width, width)
    shapes |= _dense_shapes("output", width, vocab_size)
    if config.pointer:
        shapes["pointer/query/kernel"] = (2 * width, width)
        shapes["pointer/key/kernel"] = (width, width)
        shapes |= _dense_shapes("pointer/gate", 2 * width, 1)
    if features := config.match_features:
        shapes |= _dense_shapes("attention/match", width, config.heads * features)
        shapes |= _dense_shapes("pointer/match", 2 * width, features)
    if config.source_prior:
        shapes |= {f"prior/{name}": (vocab_size,) for name in ("log_scale", "shift")}
    return shapes


def _dense_shapes(name: str, inputs: int, outputs: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/kernel": (inputs, outputs), f"{name}/bias": (outputs,)}


def _norm_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    return {f"{name}/gamma": (width,), f"{name}/beta": (width,)}


def _modulated_shapes(name: str, width: int) -> dict[str, tuple[int, ...]]:
    hidden = max(1, width // 4)
    shapes: dict[str, tuple[int, ...]] = {}
    for which in ("beta", "gamma"):
        shapes |= _dense_shapes(f"{name}/{which}_hidden", width, hidden)
        shapes |= _dense_shapes(f"{name}/{which}_output", hidden, width)
    return shapes


def _lstm_shapes(name: str, inputs: int, units: int) -> dict[str, tuple[int, ...]]:
    cell = f"{name}/lstm_cell"
    return {
        f"{cell}/kernel": (inputs, 4 * units),
        f"{cell}/recurrent_kernel": (units, 4 * units),
        f"{cell}/bias": (4 * units,),
    }


def _check_weight(name: str, shape: tuple[int, ...], weights: Weights) -> None:
    if name not in weights:
        raise BundleError(f"the weights lack {name}: they are of another model")
    if weights[name].shape != shape:
        found = weights[name].shape
        raise BundleError(f"the weight {name} must have shape {shape}; got {found}")
    if weights[name].dtype != np.float32:
        raise BundleError(f"the weight {name} must be of float32")
    if not (np.abs(weights[name]) <= LARGEST).all():  # of NaN: not
        raise BundleError(
            f"the weight {name} holds numbers that are not finite, or beyond any use"
        )
