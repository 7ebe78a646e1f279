"""Floating-point operations that an article costs, counted from the network.

Only products are counted, a multiplication and an addition being two: norms, softmax
and the search are what they are not, and go into the distance to the limit.
"""

from dataclasses import dataclass

from headline.settings.model import ModelConfig


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What the cost of an article depends on, beside the network."""

    length: int  # characters of the article
    distinct: int  # different ones of them
    steps: int  # tokens of the headline, EOS included
    beam_size: int
    shortlist: int  # 0 for the whole vocab

    @property
    def rows(self) -> int:
        """Hypotheses that all steps together read: the first step has one."""
        return 1 + (self.steps - 1) * self.beam_size


def article_flops(model: ModelConfig, cost: Cost) -> int:
    """Returns the operations of reading an article and writing its headline."""
    read = cost.length * _position_products(model)
    return 2 * (read + cost.rows * _row_products(model, cost))


def _position_products(model: ModelConfig) -> int:
    """Products of a position of the article: its encoder, and what attention keeps."""
    width = model.width
    # Both directions of half the width, with the four gates of an LSTM.
    layer = 2 * (width + width // 2) * 4 * (width // 2)
    kept = 3 if model.pointer else 2  # keys, values, and the pointer's keys
    return model.encoder_layers * layer + kept * width * width


def _row_products(model: ModelConfig, cost: Cost) -> int:
    """Products of a step of one hypothesis: decoder, attention, output, pointer."""
    width, features = model.width, model.match_features
    decoder = model.decoder_layers * 2 * width * 4 * width
    query = width * width
    attention = query + 2 * cost.length * width
    attention += model.heads * features * (width + cost.length)
    hidden = 2 * width * width
    total = decoder + attention + hidden + width * _columns(model, cost)
    if model.pointer:
        total += 2 * width * width + cost.length * width + 2 * width
        total += features * (2 * width + cost.length)
    return total


def _columns(model: ModelConfig, cost: Cost) -> int:
    """Tokens of the output layer that are worked out for a hypothesis."""
    if not model.pointer:
        return model.vocab_size
    listed = cost.shortlist or model.vocab_size
    return min(listed, model.vocab_size) + cost.distinct
