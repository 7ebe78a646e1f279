"""Reads tokens, and pairs of them, as vectors.

Shape letters: B batch, S source length, T length of any row of tokens, H width.
"""

from typing import Any

import keras
from keras import KerasTensor, ops

from headline.network.dropout import Dropout, TokenDropout
from headline.settings.model import BIGRAM_FACTOR, ModelConfig

# Of embeddings, under mixed precision too: the gradient of one is the sum of all that
# its token gets in a batch, which bfloat16 adds up slowly and hardly at all.
EMBEDDED = "float32"


class TokenEmbedding:
    """How encoder and decoder read a token: they share its embedding.

    Args:
        policy: dtype policy of the model.

    Attributes:
        dropout: of values, which all parts of the network share.
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
        """Makes the weights."""
        self.table.build((None, None))

    def look_up(self, ids: KerasTensor) -> KerasTensor:
        """Returns the embeddings of ids, ``(B, T)``: float, ``(B, T, H)``."""
        return ops.cast(self.table(ids), self.dtype)


@keras.saving.register_keras_serializable(package="headline")
class BigramEmbedding(keras.layers.Layer):
    """Embeds each position's two pairs of neighbours: with the one before and after.

    A character says little of its word; its neighbours say more, and at once. Pairs
    share their embeddings by hash, as the n-grams of Bojanowski et al. 2017, sec. 3.2;
    bigram embeddings for Chinese are of Pei, Ge and Chang 2014.

    Args:
        buckets: embeddings of pairs.
        width: H.
        dropout: share of the pairs that a training does not read: they are learned by
            heart soonest, and all of a pair goes, not some of its values.

    Call arguments:
        source_ids: int, shape ``(B, S)``, below V.
        strength: of the dropout, 0 to 1; None drops nothing.

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
        # From nothing: at first a model reads single characters.
        self.pairs = keras.layers.Embedding(
            buckets, width, "zeros", name="pairs", dtype=EMBEDDED
        )

    def build(self, ids_shape: tuple[int | None, ...]) -> None:
        self.pairs.build(ids_shape)

    def call(
        self, source_ids: KerasTensor, strength: KerasTensor | None = None
    ) -> KerasTensor:
        ids = ops.pad(ops.cast(source_ids, "int32"), ((0, 0), (1, 1)))
        # Of each gap, those at both ends included.
        keys = ops.mod(ids[:, :-1] * BIGRAM_FACTOR + ids[:, 1:], self.buckets)
        # Looked up twice: cutting what is looked up once has a slower gradient.
        before, after = self.pairs(keys[:, :-1]), self.pairs(keys[:, 1:])
        before = self.dropout(before, strength=strength)
        return before + self.dropout(after, strength=strength)

    def get_config(self) -> dict[str, Any]:
        own = {"buckets": self.buckets, "width": self.width}
        return {**super().get_config(), **own, "dropout": self.dropout.rate}
