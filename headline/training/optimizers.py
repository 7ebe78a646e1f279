"""The optimizers of training, with a separate learning rate for each weight."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import keras

from headline.errors import TrainingError
from headline.network.model import HeadlineModel, weight_name
from headline.settings.train import RATES, TrainConfig


class Layerwise:
    """Gives each trainable variable its own learning rate.

    ``keras.optimizers.MultiOptimizer`` cannot do this: each of its optimizers clips its
    own gradients, so there is no global norm, and it has no learning rate that a
    schedule could set.

    Args:
        factors: factors of the learning rate, one for each trainable variable.
    """

    def __init__(self, *args: Any, factors: Sequence[float], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.factors = tuple(factors)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> Any:
        # The method of the other base class, which is a Keras optimizer.
        optimizer: Any = super()
        factor = self.factors[optimizer._get_variable_index(variable)]
        return optimizer.update_step(gradient, variable, learning_rate * factor)


# Variables of an optimizer are named after its class, here and in the checkpoints.
class Adam(Layerwise, keras.optimizers.Adam):
    """Kingma and Ba 2015."""


class AdamW(Layerwise, keras.optimizers.AdamW):
    """Loshchilov and Hutter 2019."""


class RMSprop(Layerwise, keras.optimizers.RMSprop):
    """Tieleman and Hinton 2012."""


class Lion(Layerwise, keras.optimizers.Lion):
    """Chen et al. 2023."""


class SGD(Layerwise, keras.optimizers.SGD):
    """Gradient descent, with momentum by its settings."""


KINDS: Mapping[str, tuple[Callable[..., keras.Optimizer], dict[str, Any]]] = {
    "adam": (Adam, {}),
    "adamw": (AdamW, {}),
    "rmsprop": (RMSprop, {}),
    "lion": (Lion, {}),
    "sgd": (SGD, {"momentum": 0.9}),
}
assert KINDS.keys() == RATES.keys()
CLIPS = {"model": "global_clipnorm", "weight": "clipnorm"}


def make_optimizer(model: HeadlineModel, config: TrainConfig) -> keras.Optimizer:
    """Freezes the weights of ``config.freeze``, and makes the optimizer of the others.

    Raises:
        TrainingError: a pattern matches no weight, or no weight is left to train.
    """
    _freeze(model, config.freeze)
    kind, settings = KINDS[config.optimizer]
    optimizer = kind(
        config.peak_rate,
        factors=_factors(model, config.multipliers),
        gradient_accumulation_steps=config.accumulate
        if config.accumulate > 1
        else None,
        **{CLIPS[config.clip_scope]: config.clip_norm or None},
        **settings,
    )
    optimizer.build(model.trainable_variables)
    return optimizer


def exchange_optimizer(model: HeadlineModel, config: TrainConfig) -> keras.Optimizer:
    """Makes an optimizer that continues from the model's, between two updates.

    Args:
        config: the new config, with another number of batches per update.
    """
    before = {weight_name(one): keras.ops.convert_to_numpy(one) for one in _kept(model)}
    updates = int(model.optimizer.iterations)
    optimizer = make_optimizer(model, config)
    for variable in optimizer.variables:
        if weight_name(variable) in before:
            variable.assign(before[weight_name(variable)])
    # Keras counts batches in this variable.
    optimizer.variables[0].assign(updates * config.accumulate)
    return optimizer


def _kept(model: HeadlineModel) -> list[keras.Variable]:
    sums = "gradient_accumulator"  # zero between two updates
    return [one for one in model.optimizer.variables if sums not in one.name]


def _freeze(model: HeadlineModel, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        for variable in _matching(model, pattern, "--freeze"):
            variable.trainable = False
    if not model.trainable_variables:
        raise TrainingError("--freeze leaves no weight to train: freeze less")


def _factors(
    model: HeadlineModel, multipliers: Iterable[tuple[str, float]]
) -> tuple[float, ...]:
    """Returns each trainable variable's factor: that of the last match, or 1."""
    by_name = {weight_name(variable): 1.0 for variable in model.trainable_variables}
    for pattern, factor in multipliers:
        found = _matching(model, pattern, "--lr-multiplier")
        by_name |= {weight_name(variable): factor for variable in found}
    return tuple(
        by_name[weight_name(variable)] for variable in model.trainable_variables
    )


def _matching(model: HeadlineModel, pattern: str, flag: str) -> list[Any]:
    """Returns the weights whose names match the pattern anywhere.

    Raises:
        TrainingError: no name matches.
    """
    weights = model.network_weights()
    found = [weight for weight in weights if re.search(pattern, weight_name(weight))]
    if not found:
        parts = sorted({weight_name(weight).split("/")[0] for weight in weights})
        raise TrainingError(
            f"{flag} {pattern}: no weight has such a name; they begin with "
            + ", ".join(parts)
        )
    return found
