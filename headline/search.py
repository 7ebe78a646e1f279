"""Beam search over an engine: NumPy bookkeeping that knows no framework and no text.

Shape letters: B articles still in search, K beam, M candidates of a row, T tokens.
Hypotheses lie as (B, K) here and as B K rows at the engine.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from headline.config import DecodeConfig
from headline.engines.base import IMPOSSIBLE, Engine, Floats, Ids, State
from headline.tokenizer import BOS, EOS

Scores = NDArray[np.float64]


@dataclass(frozen=True, order=True)
class Hypothesis:
    """A target that has ended."""

    rank: float  # minus the score: the best come first, equal ones by their ids
    ids: tuple[int, ...]  # without BOS and EOS

    @property
    def score(self) -> float:
        """The sum of log-probabilities, EOS included, over the length penalty."""
        return -self.rank


@dataclass(frozen=True)
class Lengths:
    """How many characters each id stands for."""

    of_tokens: Ids  # ids past its end stand for one character each

    def __call__(self, ids: Ids) -> Ids:
        """Returns the characters of each id, in the shape of ``ids``."""
        known = ids < len(self.of_tokens)
        return np.where(known, self.of_tokens[np.where(known, ids, 0)], 1)


@dataclass(frozen=True)
class Beams:
    """The live hypotheses of the articles still in search."""

    articles: NDArray[np.intp]  # (B,): their places among all articles
    scores: Scores  # (B, K): sums of log-probabilities; -inf where nothing lives
    tokens: Ids  # (B, K, T), BOS first
    characters: Ids  # (B, K)
    parents: Ids  # (B, K): rows of the engine's last state


@dataclass(frozen=True)
class Candidates:
    """What may come next: M tokens of each hypothesis, flattened to N = K M."""

    scores: Scores  # (B, N): of the hypothesis with the token
    ids: Ids  # (B, N)
    origins: Ids  # (B, N): which of the K hypotheses the token continues

    def take(self, order: NDArray[np.intp]) -> "Candidates":
        """Returns the candidates at the (B, n) places, in their order."""
        return Candidates(
            np.take_along_axis(self.scores, order, axis=1),
            np.take_along_axis(self.ids, order, axis=1),
            np.take_along_axis(self.origins, order, axis=1),
        )


@dataclass
class Ended:
    """The ended hypotheses of one article, best first, at most as many as the beam."""

    size: int
    best: list[Hypothesis] = field(default_factory=list)

    def add(self, hypothesis: Hypothesis) -> None:
        """Keeps the hypothesis if it is among the best."""
        self.best = sorted([*self.best, hypothesis])[: self.size]


def length_penalty(length: int, alpha: float) -> float:
    """Returns ``((5 + length) / 6) ^ alpha``: Wu et al. 2016, eq. 14.

    Args:
        length: tokens of the target, EOS included.
        alpha: 0 turns the penalty off.
    """
    penalty: float = ((5 + length) / 6) ** alpha
    return penalty


def beam_search(
    engine: Engine[State],
    source_ids: Ids,
    copy_ids: Ids,
    lengths: Lengths,
    config: DecodeConfig,
) -> list[list[Hypothesis]]:
    """Finds the best headlines of each article.

    Args:
        source_ids, copy_ids: shape ``(B, S)``, see ``Engine.encode``.
        lengths: characters of each id.

    Returns:
        of each article ``config.num_headlines`` hypotheses at most, best first; fewer
        where the limits leave no more.
    """
    state = engine.encode(source_ids, copy_ids)
    beams = _start(len(source_ids))
    ended = [Ended(config.width) for _ in source_ids]
    while len(beams.articles):
        log_probs, ids, state = engine.step(
            state, beams.parents.ravel(), beams.tokens[..., -1].ravel(), config.width
        )
        candidates = _score(beams, log_probs, ids)
        candidates = _forbid(candidates, beams, lengths, config)
        best = _pick(candidates)
        _finish(best, beams, ended, config)
        beams = _reorder(best, beams, lengths, config.width)
        beams = _drop_done(beams, ended, config)
    return [article.best[: config.num_headlines] for article in ended]


def _start(batch: int) -> Beams:
    """One hypothesis of each article: BOS alone."""
    rows = np.arange(batch)
    return Beams(
        articles=rows,
        scores=np.zeros((batch, 1)),
        tokens=np.full((batch, 1, 1), BOS, np.int32),
        characters=np.zeros((batch, 1), np.int32),
        parents=rows[:, None].astype(np.int32),
    )


def _score(beams: Beams, log_probs: Floats, ids: Ids) -> Candidates:
    """Adds each token's log-probability to its hypothesis."""
    (batch, beam), most = beams.scores.shape, ids.shape[1]
    totals = beams.scores[:, :, None] + log_probs.reshape(batch, beam, most)
    origins = np.repeat(np.arange(beam, dtype=np.int32), most)
    return Candidates(
        totals.reshape(batch, -1),
        ids.reshape(batch, -1),
        np.broadcast_to(origins, (batch, beam * most)),
    )


def _forbid(
    candidates: Candidates, beams: Beams, lengths: Lengths, config: DecodeConfig
) -> Candidates:
    """Rules out an end before the least length and a token past the greatest."""
    before = np.take_along_axis(beams.characters, candidates.origins, axis=1)
    ends = candidates.ids == EOS
    too_short = ends & (before < config.min_length)
    too_long = ~ends & (before + lengths(candidates.ids) > config.max_length)
    allowed = ~too_short & ~too_long & (candidates.scores > IMPOSSIBLE)
    # Nothing is left where every word is longer than the room: then it may end.
    stuck = ends & ~allowed.any(axis=1, keepdims=True)
    scores = np.where(allowed | stuck, candidates.scores, IMPOSSIBLE)
    return replace(candidates, scores=scores)


def _pick(candidates: Candidates) -> Candidates:
    """Puts the candidates in order: best first, equal ones by id, then by origin."""
    keys = (candidates.origins, candidates.ids, -candidates.scores)
    return candidates.take(np.lexsort(keys, axis=1))


def _finish(
    best: Candidates, beams: Beams, ended: Sequence[Ended], config: DecodeConfig
) -> None:
    """Ends the hypotheses whose EOS is among the best K; their score is final."""
    top = slice(config.width)
    ends = (best.ids[:, top] == EOS) & (best.scores[:, top] > IMPOSSIBLE)
    # T counts BOS, which the penalty leaves out, and lacks EOS, which it counts.
    penalty = length_penalty(beams.tokens.shape[2], config.length_penalty)
    for article, place in np.argwhere(ends):
        ids = beams.tokens[article, best.origins[article, place], 1:]
        score = float(best.scores[article, place]) / penalty
        hypothesis = Hypothesis(-score, tuple(ids.tolist()))
        ended[beams.articles[article]].add(hypothesis)


def _reorder(best: Candidates, beams: Beams, lengths: Lengths, width: int) -> Beams:
    """Goes on with the best K candidates that have not ended."""
    batch, beam = beams.scores.shape
    # A stable sort moves the ended ones behind the others and keeps the order.
    live = best.take(np.argsort(best.ids == EOS, axis=1, kind="stable")[:, :width])
    live = replace(live, scores=np.where(live.ids == EOS, IMPOSSIBLE, live.scores))
    live = _fill(live, width)
    history = np.take_along_axis(beams.tokens, live.origins[:, :, None], axis=1)
    characters = np.take_along_axis(beams.characters, live.origins, axis=1)
    return Beams(
        articles=beams.articles,
        scores=live.scores,
        tokens=np.concatenate([history, live.ids[:, :, None]], axis=2),
        characters=characters + lengths(live.ids),
        parents=np.arange(batch, dtype=np.int32)[:, None] * beam + live.origins,
    )


def _fill(live: Candidates, width: int) -> Candidates:
    """Adds dead candidates where a step offers fewer than K."""
    missing = ((0, 0), (0, width - live.ids.shape[1]))
    return Candidates(
        np.pad(live.scores, missing, constant_values=IMPOSSIBLE),
        np.pad(live.ids, missing, constant_values=EOS),
        np.pad(live.origins, missing),
    )


def _drop_done(beams: Beams, ended: Sequence[Ended], config: DecodeConfig) -> Beams:
    """Leaves out the articles whose headlines cannot become better."""
    going = np.array(
        [
            not _is_done(ended[article], scores.max(), beams.tokens.shape[2], config)
            for article, scores in zip(beams.articles, beams.scores, strict=True)
        ],
        dtype=bool,
    )
    return Beams(
        beams.articles[going],
        beams.scores[going],
        beams.tokens[going],
        beams.characters[going],
        beams.parents[going],
    )


def _is_done(ended: Ended, live: float, length: int, config: DecodeConfig) -> bool:
    """Tells whether the best live score, of targets this long, can still matter.

    A sum of log-probabilities only falls, and the penalty divides it by the most at
    the greatest length: past that bound nothing can change. Once as many have ended
    as the beam holds, the penalty of the present length is bound enough (a live
    hypothesis would have to gain by growing).
    """
    if live == IMPOSSIBLE:
        return True
    if len(ended.best) < config.num_headlines:
        return False
    worst = ended.best[config.num_headlines - 1].score
    longest = length_penalty(config.max_length + 1, config.length_penalty)
    if live / longest <= worst:
        return True
    now = length_penalty(length, config.length_penalty)
    return len(ended.best) >= config.width and live / now <= worst
