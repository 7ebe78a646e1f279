"""The mixture of generating from the vocab and copying from the article.

Shape letters: see ``output``; M candidates.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import IMPOSSIBLE, Floats
from headline.engines.numpy.candidates import BELOW_ANY, beside, ranked, top_columns
from headline.engines.numpy.layers import LOWEST, exact_sigmoid, finite_log
from headline.engines.numpy.output import Logits, OwnTokens
from headline.engines.rows import take_of_rows
from headline.text.ids import EOS, PAD, SPECIAL_TOKENS, Ids


@dataclass(frozen=True)
class Shares:
    """The generated and the copied probability of given tokens, each (A, W)."""

    generated: Floats
    copied: Floats
    possible: NDArray[np.bool_]  # whether it can be generated or copied

    @property
    def log_probs(self) -> Floats:
        """Natural logarithms of generated + copied."""
        return finite_log(self.generated + self.copied)


@dataclass(frozen=True)
class Mixture:
    """P(w) = g generated(w) + (1 - g) copied(w) for every token, g being the gate.

    Reference: See, Liu and Manning 2017, https://arxiv.org/abs/1704.04368, eq. 9
    """

    logits: Logits
    own: OwnTokens
    gate: Floats  # (R, 1): g, the generated share
    copy: Floats  # (R, S): probability of copying each position, (1 - g) copy weight
    largest: Floats  # (R, 1): the largest logit
    total: Floats  # (R, 1): the sum of exp(logit - largest)
    listed: Floats  # (R, C): exp(logit - largest) of the shortlist
    unlisted: Floats  # (R, L): the same, of the article's tokens past the shortlist
    copied: Floats  # (R, U): copied probability of the article's own tokens

    @classmethod
    def of(
        cls, logits: Logits, own: OwnTokens, gate: Floats, copy: Floats
    ) -> "Mixture":
        """Mixes the logits of the vocab with the copy weights of the article.

        Args:
            gate: shape ``(R, 1)``, before its sigmoid.
            copy: shape ``(R, S)``, the weight of each position if something is
                copied; it is overwritten.
        """
        # Not 1 - g, which loses all precision where the gate is close to 1.
        copy *= exact_sigmoid(-gate)
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
        weights = largest, total, listed, unlisted
        copied = own.sums(copy, logits.rows)
        return cls(logits, own, exact_sigmoid(gate), copy, *weights, copied)

    def shares(self, ids: Ids, asking: NDArray[np.intp]) -> Shares:
        """Returns the generated and copied probabilities of given tokens.

        Args:
            ids: shape ``(A, W)``, any tokens for each row that asks.
            asking: which rows ask, shape ``(A,)``.
        """
        logits = self.logits.select(ids, asking) - self.largest[asking]
        logits -= np.log(self.total[asking])
        # An unlisted token may be likelier than all listed ones: cap it at 1.
        generated = np.exp(np.minimum(logits, 0)) * self.gate[asking]
        held = self.own.holds(ids, self.logits.rows.articles[asking])
        copied = np.where(held, self.copied[asking, None], 0).sum(axis=-1)
        generable = (ids >= EOS) & (ids < len(self.logits.output.bias))
        return Shares(generated, copied, generable | held.any(axis=-1))

    def best(self, num_candidates: int, wanted: Ids | None) -> tuple[Floats, Ids]:
        """Picks EOS, the best M other tokens and the wanted ones; see ``Engine.step``.

        Copied probabilities are added to the columns of the shortlist. The article's
        tokens past the shortlist are few, so all of them are candidates. This works in
        place, so call it only once.
        """
        asked = None if wanted is None else self._asked(wanted)
        past, everyone = self.own.past, np.arange(len(self.listed))[:, None]
        own_ids = self.own.ids[self.logits.rows.articles]
        listed, unlisted = self.listed, self.unlisted
        scale = self.gate / self.total  # turns both into probabilities
        listed *= scale
        ends = finite_log(listed[:, EOS, None])
        listed[everyone, own_ids[:, past:]] += self.copied[:, past:]
        listed[:, : len(SPECIAL_TOKENS)] = BELOW_ANY
        unlisted *= scale
        unlisted += self.copied[:, :past]
        unlisted[own_ids[:, :past] == PAD] = BELOW_ANY
        best = top_columns(listed, min(num_candidates, listed.shape[1]))
        log_probs, ids = ranked(
            np.concatenate([unlisted, take_of_rows(listed, best)], axis=1),
            np.concatenate([own_ids[:, :past], best], axis=1),
            num_candidates,
        )
        return beside(ends, (log_probs, ids), asked, wanted)

    def _asked(self, wanted: Ids) -> Floats:
        """Returns log-probabilities of wanted tokens, (R, W); -inf if impossible."""
        log_probs = np.full(wanted.shape, np.float32(IMPOSSIBLE))
        asking = np.flatnonzero((wanted != PAD).any(axis=1))  # few rows do
        shares = self.shares(wanted[asking], asking)
        found = np.where(shares.possible, shares.log_probs, np.float32(IMPOSSIBLE))
        log_probs[asking] = found
        return log_probs
