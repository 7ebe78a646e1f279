"""The optimizers that a training can choose, with a rate of its own for each weight."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import keras
from keras import ops

from headline.errors import TrainingError
from headline.network.model import HeadlineModel, weight_name
from headline.settings.train import RATES, TrainConfig

KINDS: Mapping[str, tuple[type[keras.Optimizer], dict[str, Any]]] = {
    "adam": (keras.optimizers.Adam, {}),
    "adamw": (keras.optimizers.AdamW, {}),
    "rmsprop": (keras.optimizers.RMSprop, {}),
    "lion": (keras.optimizers.Lion, {}),
    "sgd": (keras.optimizers.SGD, {"momentum": 0.9}),
}
assert KINDS.keys() == RATES.keys()
CLIPS = {"model": "global_clipnorm", "weight": "clipnorm"}


def make_optimizer(model: HeadlineModel, config: TrainConfig) -> keras.Optimizer:
    """Freezes what is to stay, and makes the optimizer of the other weights.

    Raises:
        TrainingError: a pattern is not that of any weight, or nothing is left to train.
    """
    _freeze(model, config.freeze)
    kind, settings = KINDS[config.optimizer]
    optimizer = _layerwise(kind)(
        config.peak_rate,
        gradient_accumulation_steps=config.accumulate
        if config.accumulate > 1
        else None,
        **{CLIPS[config.clip_scope]: config.clip_norm or None},
        **settings,
    )
    optimizer.factors = _factors(model, config.multipliers)
    optimizer.build(model.trainable_variables)
    return optimizer


def exchange_optimizer(model: HeadlineModel, config: TrainConfig) -> keras.Optimizer:
    """Makes an optimizer that goes on where the model's was, between two updates.

    Args:
        config: differs in how many batches make an update.
    """
    before = {weight_name(one): keras.ops.convert_to_numpy(one) for one in _kept(model)}
    updates = int(model.optimizer.iterations)
    optimizer = make_optimizer(model, config)
    for variable in optimizer.variables:
        if weight_name(variable) in before:
            variable.assign(before[weight_name(variable)])
    # Keras counts batches there.
    optimizer.variables[0].assign(updates * config.accumulate)
    return optimizer


def _kept(model: HeadlineModel) -> list[keras.Variable]:
    sums = "gradient_accumulator"  # nothing between two updates
    return [one for one in model.optimizer.variables if sums not in one.name]


def _layerwise(kind: type[keras.Optimizer]) -> Any:
    """Returns the optimizer with ``factors``: one for each trainable variable.

    Not ``keras.optimizers.MultiOptimizer``: each of its optimizers clips its own
    gradients, so that there is no norm of all together, and it has no learning rate
    for a schedule to set.
    """

    class Layerwise(kind):
        factors: tuple[float, ...]

        def apply(self, grads: Any, trainable_variables: Any = None) -> None:
            # TensorFlow leaves the gradient of an embedding in pieces, one for each
            # token that was read, and their norm is not that of their sum. Added to
            # zeros, it becomes whole.
            variables = trainable_variables or self._trainable_variables
            grads = [
                ops.add(gradient, ops.zeros(variable.shape, variable.dtype))
                for gradient, variable in zip(grads, variables, strict=True)
            ]
            super().apply(grads, trainable_variables)

        def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> Any:
            factor = self.factors[self._get_variable_index(variable)]
            return super().update_step(gradient, variable, learning_rate * factor)

    # Its variables are named after it, here and in the checkpoints.
    Layerwise.__name__ = kind.__name__
    return Layerwise


def _freeze(model: HeadlineModel, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        for variable in _matching(model, pattern, "--freeze"):
            variable.trainable = False
    if not model.trainable_variables:
        raise TrainingError("--freeze leaves no weight to train: freeze less")


def _factors(
    model: HeadlineModel, multipliers: Iterable[tuple[str, float]]
) -> tuple[float, ...]:
    """Returns the factor of each trainable variable: of the last pattern, or 1."""
    by_name = {weight_name(variable): 1.0 for variable in model.trainable_variables}
    for pattern, factor in multipliers:
        found = _matching(model, pattern, "--lr-multiplier")
        by_name |= {weight_name(variable): factor for variable in found}
    return tuple(
        by_name[weight_name(variable)] for variable in model.trainable_variables
    )


def _matching(model: HeadlineModel, pattern: str, flag: str) -> list[Any]:
    """Returns the weights whose names the pattern is found in.

    Raises:
        TrainingError: there is none.
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
