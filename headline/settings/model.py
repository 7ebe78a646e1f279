"""Settings of the network."""

from collections.abc import Iterable
from dataclasses import dataclass

from headline.settings.base import SHARE, Check, Config, Range, setting

# Constants of the network, the same in the Keras layers and in NumPy.
NORM_EPSILON = 1e-5
LEAKY_SLOPE = 0.2
# Small enough that its product with the largest vocab_size is below 2^31.
BIGRAM_FACTOR = 1021

_NETWORK, _DROPOUT = "Network", "Against overfitting"
_LAYERS = Range(low=1, high=64)


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Config):
    """The network. All presets are settings of this one model."""

    section = "model"

    vocab_size: int = setting(
        5000,
        "Size of the output vocabulary, which comes from the dataset; other tokens can"
        " only be copied.",
        level="internal",
        unit="tokens",
        range=Range(low=5, high=1_000_000),
    )
    styles: int = setting(
        0,
        "Number of headline styles that the decoder can write in; `headline styles`"
        " finds them (0: none).",
        level="internal",
        range=Range(low=2, high=64, also=0),
    )
    width: int = setting(
        128,
        "Size of the vectors of embedding, encoder and decoder; an even number.",
        group=_NETWORK,
        level="basic",
        range=Range(low=2, high=8192),
    )
    encoder_layers: int = setting(
        1,
        "Number of bidirectional LSTM layers that read the article.",
        group=_NETWORK,
        range=_LAYERS,
    )
    decoder_layers: int = setting(
        2,
        "Number of LSTM layers that write the headline.",
        group=_NETWORK,
        range=_LAYERS,
    )
    heads: int = setting(
        8,
        "Number of attention heads; it must divide --width.",
        group=_NETWORK,
        range=Range(low=1),
    )
    dropout: float = setting(
        0.2,
        "Share of values dropped between layers in each update.",
        group=_DROPOUT,
        unit="share",
        range=SHARE,
    )
    token_dropout: float = setting(
        0.1,
        "Share of the tokens of article and headline that the network reads as unknown"
        " in training.",
        group=_DROPOUT,
        unit="share",
        range=SHARE,
    )
    # See et al. 2017.
    pointer: bool = setting(
        True, "Use a pointer, which copies tokens from the article.", level="internal"
    )
    match_length: int = setting(
        3,
        "Look up the last tokens written, up to this many, in the article, and guide"
        " attention and pointer to the tokens that follow them there (0: off).",
        group=_NETWORK,
        unit="tokens",
        range=Range(low=0, high=16),
    )
    bigrams: int = setting(
        16384,
        "Number of embeddings for pairs of neighbouring tokens in the article; pairs"
        " share them by a hash (0: off).",
        group=_NETWORK,
        range=Range(low=0, high=2**24),
    )
    bigram_dropout: float = setting(
        0.5,
        "Share of pairs of neighbouring tokens that training does not read.",
        group=_DROPOUT,
        unit="share",
        range=SHARE,
    )
    # Both: J. Su 2018.
    source_prior: bool = setting(
        False,
        "Average the output logits with learned ones that favour the article's tokens.",
        level="internal",
    )
    conditional_norm: bool = setting(
        False,
        "Compute scale and shift of the decoder's layer norms from the article.",
        level="internal",
    )

    def _checks(self) -> Iterable[Check]:
        yield "width", self.width % 2 == 0, "even, for its two directions"
        divides = self.width % self.heads == 0
        yield "heads", divides, f"a divisor of the width {self.width}"
        guided = self.pointer or not self.match_length
        yield "match_length", guided, "0 without a pointer, as in the preset named seed"

    @property
    def match_features(self) -> int:
        """Number of match features of a position: one per run length, and "written"."""
        return self.match_length + 1 if self.match_length else 0
