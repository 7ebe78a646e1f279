"""``train --init-from``: the weights of another model, token by token.

The new model can generate all tokens of the other model and those of the new corpus.
"""

from dataclasses import dataclass

import keras
import numpy as np
from numpy.typing import NDArray

from headline.bundle import Bundle
from headline.data.store import Dataset
from headline.errors import TrainingError
from headline.network.model import HeadlineModel, weight_name
from headline.network.weights import WeightSpec, count_weights, weight_specs
from headline.text.ids import SPECIAL_TOKENS
from headline.text.tokenizer import Vocab


def merged_vocab(base: Vocab, data: Vocab) -> Vocab:
    """Returns a vocab of all tokens that either can generate, those of the base first.

    Tokens that are copy-only in the data and not generable in the base stay so.
    """
    generable = base.tokens[: base.vocab_size]
    known = set(generable)
    new = [token for token in data.tokens[: data.vocab_size] if token not in known]
    known.update(new)
    others = [token for token in data.tokens[data.vocab_size :] if token not in known]
    return Vocab((*generable, *new, *others), len(generable) + len(new))


def with_base_vocab(dataset: Dataset, base: Bundle) -> Dataset:
    """Returns the dataset with the ids of the merged vocab of base and data.

    Raises:
        TrainingError: the tokens of one are words and of the other characters.
    """
    own, other = dataset.tokenizer, base.tokenizer
    if own.kind != other.kind:
        raise TrainingError(
            f"--init-from: its tokens are of kind {other.kind}, those of "
            f"{dataset.path} of kind {own.kind}: prepare with --tokenizer {other.kind}"
        )
    return dataset.with_vocab(merged_vocab(other.vocab, own.vocab))


@dataclass(frozen=True)
class Carried:
    """The result of ``carry_weights``."""

    tokens: int  # tokens of the base, without special tokens
    new_tokens: int  # generable tokens that the base lacks
    weights: int  # parameters taken from the base
    all_weights: int
    left: tuple[str, ...]  # names of the weights that could not be carried

    def __str__(self) -> str:
        left = ", ".join(self.left) or "nothing else"
        return (
            f"{self.weights:,} of {self.all_weights:,} weights carried over, with "
            f"{self.tokens:,} tokens; new: {self.new_tokens:,} tokens, {left}"
        )


def carry_weights(model: HeadlineModel, base: Bundle, vocab: Vocab) -> Carried:
    """Copies the base's weights into the model where both have them.

    Args:
        vocab: the model's, from ``merged_vocab``: the base's tokens have the same ids.

    Raises:
        TrainingError: the widths differ, so that hardly any weight fits.
    """
    if model.config.width != base.model.width:
        raise TrainingError(
            f"--init-from: the width there is {base.model.width}, here "
            f"{model.config.width}: leave --width out, to take its network"
        )
    count, left, specs = 0, [], weight_specs(model.config)
    for weight in model.network_weights():
        name = weight_name(weight)
        value = _carried(specs[name], weight, base)
        if value is None:
            left.append(name)
            continue
        weight.assign(value)
        count += base.weights[name].size
    base_size, special = base.tokenizer.vocab.vocab_size, len(SPECIAL_TOKENS)
    total, new = count_weights(model.config), vocab.vocab_size - base_size
    return Carried(base_size - special, new, count, total, tuple(left))


def _carried(
    spec: WeightSpec, weight: keras.Variable, base: Bundle
) -> NDArray[np.float32] | None:
    """Returns the base's value of a weight, with fresh values for new tokens; None
    if it does not fit."""
    value = base.weights.get(spec.name)
    if value is None:
        return None
    axis, shape = spec.token_axis, spec.shape
    if axis is None:
        return value if value.shape == shape else None
    grown = list(value.shape)
    grown[axis] = shape[axis]
    if tuple(grown) != shape:
        return None
    fresh: NDArray[np.float32] = keras.ops.convert_to_numpy(weight.value).copy()
    kept = [slice(None)] * value.ndim
    kept[axis] = slice(value.shape[axis])
    fresh[tuple(kept)] = value
    return fresh
