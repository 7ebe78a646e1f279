"""The output layer, computed only for the tokens that are needed.

Shape letters: B articles, R rows, one for each hypothesis, S source length, V vocab
size, H width; C columns of the shortlist, U different tokens of an article, L of them
past the shortlist, A rows that ask for W tokens.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import Floats
from headline.engines.numpy.layers import LOWEST
from headline.engines.rows import RowLayout
from headline.text.ids import PAD, Ids


@dataclass(frozen=True)
class OutputLayer:
    """The weights of the last layer, and how many of its columns are computed.

    With a shortlist, only the most frequent tokens and those of the article are
    computed. The product with all other tokens would be most of the work, and they are
    hardly ever written (Jean et al. 2015, sec. 3.3).
    """

    kernel: Floats  # (H, V)
    bias: Floats  # (V,)
    listed: Floats  # (H, C): the first columns of the kernel

    @classmethod
    def of(cls, kernel: Floats, bias: Floats, shortlist: int = 0) -> "OutputLayer":
        """Lists the first ``shortlist`` tokens, the most frequent ones; 0: all."""
        if not 0 < shortlist < len(bias):
            return cls(kernel, bias, kernel)
        return cls(kernel, bias, np.ascontiguousarray(kernel[:, :shortlist]))

    @property
    def columns(self) -> int:
        """C, the number of tokens on the list."""
        return len(self.listed[0])


@dataclass(frozen=True)
class Logits:
    """The logits of R rows, computed for the tokens that are needed."""

    output: OutputLayer
    rows: RowLayout
    hidden: Floats  # (R, H): input of the output layer
    prior: Floats | None = None  # (B, V): averaged with the logits, see ``SourcePrior``

    def listed(self) -> Floats:
        """Returns the logits of the listed tokens, (R, C)."""
        columns = self.output.columns
        logits: Floats = self.hidden @ self.output.listed
        logits += self.output.bias[:columns]
        if self.prior is not None:
            logits += self.prior[self.rows.articles, :columns]
            logits *= np.float32(0.5)
        return logits

    def unlisted(self, own: "OwnTokens") -> Floats:
        """Returns the logits of each article's tokens past the shortlist, (R, L)."""
        logits: Floats = self.rows.by_article(self.hidden) @ own.kernel
        logits += own.bias[:, None]
        if self.prior is not None:
            known = np.where(own.bias > LOWEST, own.ids[:, : own.past], PAD)
            logits += np.take_along_axis(self.prior, known, axis=1)[:, None]
            logits *= np.float32(0.5)
        return self.rows.flat(logits)

    def select(self, ids: Ids, asking: NDArray[np.intp]) -> Floats:
        """Returns the logits of ``ids``, (A, W); LOWEST for ids past the vocab."""
        bias = self.output.bias
        known = np.where(ids < len(bias), ids, PAD)
        kernel = np.moveaxis(self.output.kernel[:, known], 0, -1)  # A, W, H
        hidden = self.hidden[asking, :, None]
        logits: Floats = (kernel @ hidden)[..., 0] + bias[known]
        if self.prior is not None:
            prior = self.prior[self.rows.articles[asking, None], known]
            logits = (logits + prior) * np.float32(0.5)
        return np.where(ids < len(bias), logits, LOWEST)


@dataclass(frozen=True)
class OwnTokens:
    """The distinct tokens of each article, which the pointer can write.

    Tokens past the shortlist come first, because only they need their own logits. With
    a shortlist of the ids below 10, the article ``7 12 7 15`` has the ids ``12 15 7``
    and the places ``2 0 2 1``.
    """

    ids: Ids  # (B, U): L past the shortlist, then the listed; each part padded with PAD
    places: Ids  # (B, S): the index in ``ids`` of each position's token
    kernel: Floats  # (B, H, L): output weights of the tokens past the shortlist
    bias: Floats  # (B, L): their biases; LOWEST for tokens outside the vocab

    @classmethod
    def of(cls, copy_ids: Ids, output: OutputLayer) -> "OwnTokens":
        """Finds the tokens of the articles, given their ids of shape ``(B, S)``."""
        found = [np.unique(row, return_inverse=True) for row in copy_ids]
        # Sorted by id, so that listed tokens come first.
        listed = [int((tokens < output.columns).sum()) for tokens, _ in found]
        sizes = [len(tokens) for tokens, _ in found]
        past = max(np.subtract(sizes, listed).tolist())
        ids = np.zeros((len(found), past + max(listed)), np.int32)
        places = np.empty_like(copy_ids)
        for row, (tokens, ranks) in enumerate(found):
            count = listed[row]
            ids[row, : len(tokens) - count] = tokens[count:]
            ids[row, past : past + count] = tokens[:count]
            places[row] = np.where(ranks < count, past + ranks, ranks - count)
        own = ids[:, :past]
        generable = (own != PAD) & (own < len(output.bias))
        known = np.where(generable, own, PAD)
        return cls(
            ids,
            places,
            output.kernel[:, known].transpose(1, 0, 2),
            np.where(generable, output.bias[known], LOWEST),
        )

    @property
    def past(self) -> int:
        """L, the most tokens past the shortlist in any article."""
        return len(self.bias[0])

    def take(self, articles: NDArray[np.intp]) -> "OwnTokens":
        """Returns the tokens of the given articles."""
        return OwnTokens(
            self.ids[articles],
            self.places[articles],
            self.kernel[articles],
            self.bias[articles],
        )

    def sums(self, copy: Floats, rows: RowLayout) -> Floats:
        """Sums the copy weights of each token's positions: (R, S) to (R, U)."""
        shape = len(copy), self.ids.shape[1]
        starts = np.arange(len(copy))[:, None] * shape[1]
        flat = (starts + self.places[rows.articles]).ravel()
        sums = np.bincount(flat, copy.ravel(), minlength=shape[0] * shape[1])
        return sums.astype(np.float32).reshape(shape)

    def holds(self, ids: Ids, articles: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Returns which article token each id equals: (A, W) and (A,) to (A, W, U)."""
        asked, own = ids[..., None], self.ids[articles, None]
        found: NDArray[np.bool_] = (asked == own) & (asked != PAD)
        return found
