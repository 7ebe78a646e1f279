"""The output layer, worked out only for the tokens that are asked for.

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
    """The weights of the last layer, and how many of its columns are worked out.

    With a shortlist only the most frequent tokens are, and those of the article: the
    product with all the others would be most of the work, and hardly any of them is
    ever written (Jean et al. 2015, sec. 3.3).
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
    """The logits of R rows, worked out for the tokens that are asked for."""

    output: OutputLayer
    rows: RowLayout
    hidden: Floats  # (R, H): what the output layer gets
    prior: Floats | None = None  # (B, V): to be averaged with, see ``SourcePrior``

    def listed(self) -> Floats:
        """Returns those of the tokens on the list, (R, C)."""
        columns = self.output.columns
        logits: Floats = self.hidden @ self.output.listed
        logits += self.output.bias[:columns]
        if self.prior is not None:
            logits += self.prior[self.rows.articles, :columns]
            logits *= np.float32(0.5)
        return logits

    def unlisted(self, own: "OwnTokens") -> Floats:
        """Returns those of each article's tokens past the list, (R, L)."""
        logits: Floats = self.rows.by_article(self.hidden) @ own.kernel
        logits += own.bias[:, None]
        if self.prior is not None:
            known = np.where(own.bias > LOWEST, own.ids[:, : own.past], PAD)
            logits += np.take_along_axis(self.prior, known, axis=1)[:, None]
            logits *= np.float32(0.5)
        return self.rows.flat(logits)

    def select(self, ids: Ids, asking: NDArray[np.intp]) -> Floats:
        """Returns those of ``ids``, (A, W); LOWEST for ids past the vocab."""
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
    """The different tokens of each article, which the pointer can write.

    Those past the shortlist stand first: they alone need logits of their own. With a
    list of the ids below 10, the article ``7 12 7 15`` has the ids ``12 15 7`` and the
    places ``2 0 2 1``.
    """

    ids: Ids  # (B, U); PAD fills up the L past the list, and the others
    places: Ids  # (B, S): which of them each position writes
    kernel: Floats  # (B, H, L): output weights of those past the list
    bias: Floats  # (B, L): LOWEST for those outside the vocab

    @classmethod
    def of(cls, copy_ids: Ids, output: OutputLayer) -> "OwnTokens":
        """Finds the tokens of the articles, ids of shape ``(B, S)``."""
        found = [np.unique(row, return_inverse=True) for row in copy_ids]
        # In the order of their ids, so that those on the list come first.
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
        """L, the most tokens of an article past the shortlist."""
        return len(self.bias[0])

    def take(self, articles: NDArray[np.intp]) -> "OwnTokens":
        """Returns those of the given articles alone."""
        return OwnTokens(
            self.ids[articles],
            self.places[articles],
            self.kernel[articles],
            self.bias[articles],
        )

    def sums(self, copy: Floats, rows: RowLayout) -> Floats:
        """Sums up what each token's positions are given: (R, S) to (R, U)."""
        shape = len(copy), self.ids.shape[1]
        starts = np.arange(len(copy))[:, None] * shape[1]
        flat = (starts + self.places[rows.articles]).ravel()
        sums = np.bincount(flat, copy.ravel(), minlength=shape[0] * shape[1])
        return sums.astype(np.float32).reshape(shape)

    def holds(self, ids: Ids, articles: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Tells which token of its article each id is: (A, W) and (A,) to (A, W, U)."""
        asked, own = ids[..., None], self.ids[articles, None]
        found: NDArray[np.bool_] = (asked == own) & (asked != PAD)
        return found
