"""Settings of the network."""

from collections.abc import Iterable
from dataclasses import dataclass

from headline.settings.base import Check, Config

# Of the network, the same in the Keras layers and in NumPy.
NORM_EPSILON = 1e-5
LEAKY_SLOPE = 0.2
# Times the largest vocab, it stays below 2^31.
BIGRAM_FACTOR = 1021


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Config):
    """The network. The two presets are flags of this one model."""

    vocab_size: int = 5000
    width: int = 128  # of embedding, encoder states and decoder states
    encoder_layers: int = 1
    decoder_layers: int = 2
    heads: int = 8  # each of width // heads
    dropout: float = 0.2
    token_dropout: float = 0.1  # share of tokens that a training reads as UNK
    pointer: bool = True  # copies from the article: See et al. 2017
    match_length: int = 3  # last tokens of the headline looked for in the article
    bigrams: int = 16384  # embeddings of pairs of neighbours in the article, by hash
    bigram_dropout: float = 0.5  # share of these pairs that a training does not read
    source_prior: bool = False  # learned push towards the article: J. Su 2018
    conditional_norm: bool = False  # decoder norms modulated by the article: the same

    def _checks(self) -> Iterable[Check]:
        yield "vocab_size", 5 <= self.vocab_size <= 1_000_000, "5 to 1000000"
        yield "width", 2 <= self.width <= 8192, "2 to 8192"
        yield "width", self.width % 2 == 0, "even, for its two directions"
        for name in ("encoder_layers", "decoder_layers"):
            yield name, 1 <= getattr(self, name) <= 64, "1 to 64"
        divides = self.heads >= 1 and self.width % self.heads == 0
        yield "heads", divides, f"a divisor of the width {self.width}"
        for name in ("dropout", "token_dropout", "bigram_dropout"):
            yield name, 0 <= getattr(self, name) < 1, "at least 0 and below 1"
        yield "match_length", 0 <= self.match_length <= 16, "0 to 16"
        guided = self.pointer or not self.match_length
        yield "match_length", guided, "0 without a pointer, which it guides"
        yield "bigrams", 0 <= self.bigrams <= 2**24, f"0 to {2**24}"

    @property
    def match_features(self) -> int:
        """What is told of each position: runs up to ``match_length``, and written."""
        return self.match_length + 1 if self.match_length else 0
