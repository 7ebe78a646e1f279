"""The live and the ended hypotheses of a search, and the candidates of a step.

Shape letters: B articles still in search, K hypotheses per article, N candidates per
article, T tokens. Hypotheses are (B, K) here and B K rows in the engine.
"""

from bisect import insort
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import IMPOSSIBLE
from headline.engines.rows import take_of_rows
from headline.text.ids import BOS, PAD, Ids

Doubles = NDArray[np.float64]
Places = NDArray[np.intp]

DOUBTS = 2  # numbers that ``DoubtEngine.doubts`` returns for a row
TRAIL = 1 + DOUBTS  # numbers that a trail holds for a token

# The log-probability of a wanted token that the model cannot write: about the log of
# the smallest probability that an engine distinguishes from 0.
LEAST_LOG_PROB = -87.5


@dataclass(frozen=True, order=True)
class Hypothesis:
    """A target that has ended."""

    rank: float  # the lower the better; ties by ids
    ids: tuple[int, ...]  # without BOS and EOS
    log_prob: float = field(default=0.0, compare=False)  # including EOS
    # (T + 1, 3): of each token and EOS, if the search keeps trails; see ``Beams``.
    trail: Doubles | None = field(default=None, compare=False, repr=False)

    @property
    def score(self) -> float:
        """The score that the search ranks by: usually log_prob / length penalty."""
        return -self.rank


class Beams(NamedTuple):
    """The live hypotheses of the articles still in search."""

    articles: Places  # (B,): their places among all articles
    scores: Doubles  # (B, K): sums of log-probabilities
    keys: Doubles  # (B, K): scores for ranking; -inf for a dead hypothesis
    drawn: Doubles  # (B, K): sums of log-probabilities as a sample draws them
    states: Ids  # (B, K): states of the articles' constraints
    tokens: Ids  # (B, K, T), BOS first
    characters: Ids  # (B, K)
    parents: Ids  # (B, K): rows of the engine's last state
    # (B, K, T - 1, 3): of each token after BOS its log-probability and the
    # ``doubts`` of the engine at its step. Without trails the last axis is empty.
    trails: Doubles
    doubts: Doubles  # (B, K, 2): of the step that scores the next token; or (B, K, 0)

    @classmethod
    def start(cls, batch: int, groups: int, trails: bool = False) -> "Beams":
        """Starts with one hypothesis per article and group: BOS alone.

        Args:
            trails: whether the search keeps trails.
        """
        shape = batch, groups
        rows = np.arange(batch)
        return cls(
            articles=rows,
            scores=np.zeros(shape),
            keys=np.zeros(shape),
            drawn=np.zeros(shape),
            states=np.zeros(shape, np.int32),
            tokens=np.full((*shape, 1), BOS, np.int32),
            characters=np.zeros(shape, np.int32),
            parents=np.repeat(rows[:, None], groups, axis=1).astype(np.int32),
            trails=np.zeros((*shape, 0, TRAIL if trails else 0)),
            doubts=np.zeros((*shape, DOUBTS if trails else 0)),
        )

    @property
    def alive(self) -> NDArray[np.bool_]:
        """Which hypotheses live, (B, K)."""
        return self.keys > IMPOSSIBLE

    @property
    def read(self) -> Ids:
        """The token that each hypothesis reads next, (B, K); PAD if it is dead."""
        return np.where(self.alive, self.tokens[..., -1], np.int32(PAD))

    def take(self, going: NDArray[np.bool_]) -> "Beams":
        """Returns the beams of some of the articles."""
        return Beams._make(column[going] for column in self)


class Candidates(NamedTuple):
    """Candidates for the next token of all hypotheses, flattened to N per article."""

    scores: Doubles  # (B, N): sums of log-probabilities, including the token's
    keys: Doubles  # (B, N): scores for ranking; -inf if the token is forbidden
    drawn: Doubles  # (B, N): sums of log-probabilities as a sample draws them
    states: Ids  # (B, N): states of the articles' constraints, after the token
    ids: Ids  # (B, N)
    origins: Ids  # (B, N): which of the K hypotheses the token continues

    def take(self, order: Places) -> "Candidates":
        """Returns the candidates at the (B, n) places, in their order."""
        return Candidates._make(take_of_rows(column, order) for column in self)

    def part(self, columns: slice) -> "Candidates":
        """Returns some of the columns."""
        return Candidates._make(column[:, columns] for column in self)

    @property
    def possible(self) -> NDArray[np.bool_]:
        """Which candidates are not forbidden, (B, N)."""
        return self.keys > IMPOSSIBLE


@dataclass
class Ended:
    """The ended hypotheses of one article and group, best first, ``size`` at most."""

    size: int
    best: list[Hypothesis] = field(default_factory=list)

    def add(self, hypothesis: Hypothesis) -> None:
        """Keeps the hypothesis if it is among the best."""
        if not self.is_full or hypothesis < self.best[-1]:
            insort(self.best, hypothesis)
            del self.best[self.size :]

    @property
    def is_full(self) -> bool:
        """Whether ``size`` are kept, so that a new one must beat the last."""
        return len(self.best) >= self.size


@cache
def length_penalty(length: int, alpha: float) -> float:
    """Returns ``((5 + length) / 6) ^ alpha``: Wu et al. 2016, eq. 14.

    Args:
        length: tokens of the target, EOS included.
        alpha: 0 turns the penalty off.
    """
    penalty: float = ((5 + length) / 6) ** alpha
    return penalty
