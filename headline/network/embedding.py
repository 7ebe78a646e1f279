"""Embeddings of tokens and of token pairs.

Shape letters: B batch, S source length, T length of any row of tokens, H width.
"""

from typing import Any

import keras
from keras import KerasTensor, ops

from headline.network.dropout import Dropout, TokenDropout
from headline.settings.model import BIGRAM_FACTOR, ModelConfig

# The dtype of embeddings, under mixed precision too. The gradient of an embedding is a
# sum over all occurrences of its token in a batch: in bfloat16 that sum is slow and
# loses small terms.
EMBEDDED = "float32"


class TokenEmbedding:
    """The token embedding that encoder and decoder share.

    Args:
        policy: dtype policy of the model.

    Attributes:
        dropout: the dropout of values, shared by all parts of the network.
        token_dropout: the dropout of tokens.
    """

    def __init__(self, config: ModelConfig, policy: keras.DTypePolicy) -> None:
        self.table = keras.layers.Embedding(
            config.vocab_size, config.width, name="embedding", dtype=EMBEDDED
        )
        self.dropout = Dropout(config.dropout, name="dropout", dtype=policy)
        self.token_dropout = TokenDropout(config.token_dropout, name="token_dropout")
        self.dtype = policy.compute_dtype

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """Returns the layers in the order in which checkpoints number them."""
        return [self.table, self.dropout, self.token_dropout]

    def build(self) -> None:
        """Creates the weights."""
        self.table.build((None, None))

    def look_up(self, ids: KerasTensor) -> KerasTensor:
        """Returns the embeddings, float ``(B, T, H)``, of ids, ``(B, T)``."""
        return ops.cast(self.table(ids), self.dtype)


@keras.saving.register_keras_serializable(package="headline")
class BigramEmbedding(keras.layers.Layer):
    """Embeds the two bigrams of each position: with the token before and the one after.

    A single character says little about its word; a bigram says more. Bigrams share
    embeddings by hash, as the n-grams of Bojanowski et al. 2017, sec. 3.2. Bigram
    embeddings for Chinese are from Pei, Ge and Chang 2014.

    Args:
        buckets: number of embeddings of bigrams.
        width: H.
        dropout: share of the bigrams that training drops, because they overfit first.
            The whole embedding of a bigram is dropped, not single values.

    Call arguments:
        source_ids: int, shape ``(B, S)``, below V.
        strength: strength of the dropout, 0 to 1; None drops nothing.

    Returns:
        float, shape ``(B, S, H)``: the sum of both embeddings.
    """

    def __init__(
        self, buckets: int, width: int, dropout: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.buckets, self.width = buckets, width
        self.dropout = Dropout(
            dropout, (None, None, 1), name="dropout", dtype=self.dtype_policy
        )
        # Start at zero: a fresh model reads single characters only.
        self.pairs = keras.layers.Embedding(
            buckets, width, "zeros", name="pairs", dtype=EMBEDDED
        )

    def build(self, ids_shape: tuple[int | None, ...]) -> None:
        self.pairs.build(ids_shape)

    def call(
        self, source_ids: KerasTensor, strength: KerasTensor | None = None
    ) -> KerasTensor:
        ids = ops.pad(ops.cast(source_ids, "int32"), ((0, 0), (1, 1)))
        # One key for each gap between neighbours, and for the gaps at both ends.
        keys = ops.mod(ids[:, :-1] * BIGRAM_FACTOR + ids[:, 1:], self.buckets)
        # Two lookups: slicing the result of one lookup has a slower gradient.
        before, after = self.pairs(keys[:, :-1]), self.pairs(keys[:, 1:])
        before = self.dropout(before, strength=strength)
        return before + self.dropout(after, strength=strength)

    def get_config(self) -> dict[str, Any]:
        own = {"buckets": self.buckets, "width": self.width}
        return {**super().get_config(), **own, "dropout": self.dropout.rate}
