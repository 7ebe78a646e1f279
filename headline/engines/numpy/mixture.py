"""The mixture of what vocab and article say of the next token.

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
    """What vocab and article give to given tokens, (A, W) each."""

    generated: Floats
    copied: Floats
    possible: NDArray[np.bool_]  # whether vocab or article can write it at all

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
    gate: Floats  # (R, 1): the share of generating
    copy: Floats  # (R, S): what each position is copied with, (1 - g) times its weight
    largest: Floats  # (R, 1): of the logits
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
            gate: shape ``(R, 1)``, before its sigmoid.
            copy: shape ``(R, S)``, the weight of each position if something is
                copied; it is overwritten.
        """
        # Not 1 - g, which has no digits left where the gate is wide open.
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
        """The logs of the wanted tokens, (R, W); -inf where there is none such."""
        log_probs = np.full(wanted.shape, np.float32(IMPOSSIBLE))
        asking = np.flatnonzero((wanted != PAD).any(axis=1))  # few rows do
        shares = self.shares(wanted[asking], asking)
        found = np.where(shares.possible, shares.log_probs, np.float32(IMPOSSIBLE))
        log_probs[asking] = found
        return log_probs
