"""What may come next, in NumPy: the mixture of vocab and article, and its best tokens.

Shape letters: see ``numpy_engine``; C columns of the shortlist, U different tokens of
an article, L of them past the shortlist, A rows that ask for W tokens, M candidates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import IMPOSSIBLE, Floats, Ids
from headline.engines.numpy_layers import LOWEST
from headline.engines.rows import Rows, take_of_rows
from headline.text.ids import EOS, PAD, SPECIAL_TOKENS

TINY = np.float32(1e-38)  # log of it is finite in float32
BLOCK = 16  # columns that are looked at together, a power of two
NEVER = np.float32(-1)  # below any probability


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
    rows: Rows
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

    def sums(self, copy: Floats, rows: Rows) -> Floats:
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


@dataclass(frozen=True)
class Shares:
    """What vocab and article give to given tokens, (A, W) each."""

    generated: Floats
    copied: Floats
    possible: NDArray[np.bool_]  # whether vocab or article can write it at all

    @property
    def log_probs(self) -> Floats:
        """Natural logarithms of generated + copied."""
        return _log(self.generated + self.copied)


@dataclass(frozen=True)
class Mixture:
    """P(w) = generated(w) + copied(w) for every token: See et al. 2017, eq. 9."""

    logits: Logits
    own: OwnTokens
    largest: Floats  # (R, 1): of the logits
    gate: Floats  # (R, 1): the share of generating
    total: Floats  # (R, 1): the sum of exp(logit - largest)
    listed: Floats  # (R, C): exp(logit - largest), the weights of the shortlist
    unlisted: Floats  # (R, L): and of the article's tokens past it
    copied: Floats  # (R, U): what the article gives to its own tokens

    @classmethod
    def of(
        cls, logits: Logits, own: OwnTokens, gate: Floats, copy: Floats
    ) -> "Mixture":
        """Mixes what the vocab and the article say.

        Args:
            gate: shape ``(R, 1)``, the share of generating.
            copy: shape ``(R, S)``, the shares of the positions.
        """
        listed, unlisted = logits.listed(), logits.unlisted(own)
        largest = np.maximum(
            listed.max(axis=-1, keepdims=True),
            unlisted.max(axis=-1, keepdims=True, initial=LOWEST),
        )
        for each in (listed, unlisted):
            each -= largest
            np.exp(each, out=each)
        total = listed.sum(axis=-1, keepdims=True)
        total += unlisted.sum(axis=-1, keepdims=True)
        copied = own.sums(copy, logits.rows)
        return cls(logits, own, largest, gate, total, listed, unlisted, copied)

    def shares(self, ids: Ids, asking: NDArray[np.intp]) -> Shares:
        """Tells how likely given tokens are.

        Args:
            ids: shape ``(A, W)``, any of each row that asks.
            asking: which rows ask, shape ``(A,)``.
        """
        logits = self.logits.select(ids, asking) - self.largest[asking]
        logits -= np.log(self.total[asking])
        # One that is not on the list may be likelier than all that are: at most 1.
        generated = np.exp(np.minimum(logits, 0)) * self.gate[asking]
        held = self.own.holds(ids, self.logits.rows.articles[asking])
        copied = np.where(held, self.copied[asking, None], 0).sum(axis=-1)
        generable = (ids >= EOS) & (ids < len(self.logits.output.bias))
        return Shares(generated, copied, generable | held.any(axis=-1))

    def best(self, num_candidates: int, wanted: Ids | None) -> tuple[Floats, Ids]:
        """Picks EOS, the best M other tokens and the wanted ones; see ``Engine.step``.

        What the article gives is added to the columns of the list; the tokens past it
        are few, and all of them candidates. To be called once: it works in place.
        """
        asked = None if wanted is None else self._asked(wanted)
        past, everyone = self.own.past, np.arange(len(self.listed))[:, None]
        own_ids = self.own.ids[self.logits.rows.articles]
        listed, unlisted = self.listed, self.unlisted
        scale = self.gate / self.total  # makes probabilities of both
        listed *= scale
        ends = _log(listed[:, EOS, None])
        listed[everyone, own_ids[:, past:]] += self.copied[:, past:]
        listed[:, : len(SPECIAL_TOKENS)] = NEVER
        unlisted *= scale
        unlisted += self.copied[:, :past]
        unlisted[own_ids[:, :past] == PAD] = NEVER
        best = top_columns(listed, min(num_candidates, listed.shape[1]))
        log_probs, ids = ranked(
            np.concatenate([unlisted, take_of_rows(listed, best)], axis=1),
            np.concatenate([own_ids[:, :past], best], axis=1),
            num_candidates,
        )
        return _candidates(ends, (log_probs, ids), asked, wanted)

    def _asked(self, wanted: Ids) -> Floats:
        """The logs of the wanted tokens, (R, W); -inf where there is none such."""
        log_probs = np.full(wanted.shape, np.float32(IMPOSSIBLE))
        asking = np.flatnonzero((wanted != PAD).any(axis=1))  # few rows do
        shares = self.shares(wanted[asking], asking)
        found = np.where(shares.possible, shares.log_probs, np.float32(IMPOSSIBLE))
        log_probs[asking] = found
        return log_probs


def ranked(probs: Floats, ids: Ids, num_candidates: int) -> tuple[Floats, Ids]:
    """Picks the best M of each row, best first, equal ones by id.

    Args:
        probs: shape ``(R, N)``; what is below 0 is impossible.
        ids: shape ``(R, N)``.

    Returns:
        logs of the probabilities and ids, both of shape ``(R, M)``; -inf and PAD where
        there are too few.
    """
    most = min(num_candidates, probs.shape[1])
    best = np.argpartition(-probs, most - 1, axis=1)[:, :most]
    probs, ids = take_of_rows(probs, best), take_of_rows(ids, best)
    order = np.lexsort((ids, -probs), axis=1)
    probs, ids = take_of_rows(probs, order), take_of_rows(ids, order)
    log_probs = _log(probs)
    log_probs[probs < 0] = IMPOSSIBLE
    missing = ((0, 0), (0, num_candidates - most))
    if not missing[1][1]:
        return log_probs, ids
    return np.pad(log_probs, missing, constant_values=IMPOSSIBLE), np.pad(ids, missing)


def top_columns(values: Floats, most: int) -> Ids:
    """Returns the columns of the ``most`` greatest values of each row, in any order.

    The greatest stand in the blocks with the greatest maxima: only so many of them
    need be looked at one by one.
    """
    rows, columns = values.shape
    blocks = columns // BLOCK
    if blocks <= 2 * most:
        return np.argpartition(-values, most - 1, axis=1)[:, :most].astype(np.int32)
    # Block j has the columns j, j + blocks, and so on: one half against the other.
    maxima = values[:, : blocks * BLOCK]
    while maxima.shape[1] > blocks:
        half = maxima.shape[1] // 2
        maxima = np.maximum(maxima[:, :half], maxima[:, half:])
    chosen = np.argpartition(-maxima, most - 1, axis=1)[:, :most]
    inside = np.arange(BLOCK)[:, None] * blocks + chosen[:, None, :]
    rest = np.arange(blocks * BLOCK, columns)
    places = np.concatenate(
        [inside.reshape(rows, -1), np.broadcast_to(rest, (rows, len(rest)))], axis=1
    )
    looked_at = take_of_rows(values, places)
    best = np.argpartition(-looked_at, most - 1, axis=1)[:, :most]
    return take_of_rows(places, best).astype(np.int32)


def best_columns(
    log_probs: Floats, num_candidates: int, wanted: Ids | None
) -> tuple[Floats, Ids]:
    """As ``Mixture.best``, of a model without a pointer.

    Args:
        log_probs: shape ``(R, V)``.
    """
    probs = np.exp(log_probs)
    probs[:, : len(SPECIAL_TOKENS)] = NEVER
    best = top_columns(probs, min(num_candidates, probs.shape[1]))
    values, ids = ranked(take_of_rows(probs, best), best, num_candidates)
    values = np.where(values > IMPOSSIBLE, take_of_rows(log_probs, ids), values)
    ends, asked = log_probs[:, EOS, None], None
    if wanted is not None:
        there = (wanted >= EOS) & (wanted < probs.shape[1])
        asked = take_of_rows(log_probs, np.where(there, wanted, PAD))
        asked = np.where(there, asked, np.float32(IMPOSSIBLE))
    return _candidates(ends, (values, ids), asked, wanted)


def _log(probs: Floats) -> Floats:
    """The natural logarithms of probabilities, finite for 0 as well."""
    log_probs: Floats = np.log(np.maximum(probs, TINY))
    return log_probs


def _candidates(
    ends: Floats, best: tuple[Floats, Ids], asked: Floats | None, wanted: Ids | None
) -> tuple[Floats, Ids]:
    """Puts EOS, the best and the wanted tokens, if any, beside each other."""
    log_probs, ids = [ends, best[0]], [np.full(ends.shape, EOS, np.int32), best[1]]
    if asked is not None and wanted is not None:
        log_probs.append(asked)
        ids.append(wanted)
    return np.concatenate(log_probs, axis=1), np.concatenate(ids, axis=1)
