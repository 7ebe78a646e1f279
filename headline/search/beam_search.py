"""Beam search over an engine: NumPy bookkeeping that knows no framework and no text.

Each step reads: score, forbid, penalise, pick, finish, reorder, give up, drop. Shape
letters: see ``beams``; G groups of K / G hypotheses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from headline.engines.base import IMPOSSIBLE, Engine, Floats, SourceBatch, Step
from headline.engines.rows import take_of_rows
from headline.search.beams import (
    LEAST_LOG_PROB,
    Beams,
    Candidates,
    Doubles,
    Ended,
    Hypothesis,
    Places,
    length_penalty,
)
from headline.search.rules import Rules
from headline.search.sampling import MOST_TOKENS, Noise, perturb
from headline.settings.search import DecodeConfig
from headline.text.ids import EOS, PAD, Ids

LONGER = 6  # tokens by which a hypothesis may still gain, if far ones are given up
SPARE = 4  # candidates of a hypothesis beyond the beam: some may be forbidden


@dataclass
class Search:
    """The search of one batch: what stays the same from step to step.

    Args:
        config: how to search; the settings of single articles stand in ``rules``.
    """

    rules: Rules
    config: DecodeConfig
    noise: Noise
    ended: list[list[Ended]]  # of each article, of each group

    def penalty(self, article: int, length: int) -> float:
        """Returns the length penalty of an article's target with so many tokens.

        Args:
            length: EOS included.
        """
        constraint = self.rules.constraints[article]
        # What is asked for can be very unlikely, and the longer a target the less of
        # that a penalty would leave: it would only write on and on.
        if constraint is not None and constraint.asks:
            return 1.0
        return length_penalty(length, self.config.length_penalty)

    def longest(self, article: int, length: int) -> int:
        """Returns the tokens of the longest target that can matter, EOS included.

        Args:
            length: of the live hypotheses.
        """
        longest = self.rules.configs[article].max_length + 1
        return min(longest, length + LONGER) if self.config.gives_up else longest

    @property
    def num_candidates(self) -> int:
        """Tokens of each hypothesis to ask the engine for."""
        if self.config.sample:
            return MOST_TOKENS
        return self.config.groups * self.config.group_size + SPARE

    def taken(self, candidates: Candidates) -> int:
        """Returns how many candidates of an article a step looks at, best first."""
        if self.config.sample or self.config.groups > 1:
            return int(candidates.ids.shape[1])  # their order is still to change
        return self.most

    @property
    def most(self) -> int:
        """Candidates of each group that a step can go on with, or end."""
        # Each hypothesis ends with one token alone.
        return 2 * self.config.group_size


def beam_search(
    engine: Engine[Any], sources: SourceBatch, rules: Rules, config: DecodeConfig
) -> list[list[Hypothesis]]:
    """Finds the best headlines of each article.

    Args:
        sources: B articles.
        rules: what each article asks of its headlines.
        config: how to search, for all of them.

    Returns:
        of each article hypotheses, best first: ``config.num_headlines`` if there are
        as many, and what else ended on the way. A sample is in the order of drawing.
    """
    ended = [
        [Ended(config.kept) for _ in range(config.groups)] for _ in range(len(sources))
    ]
    noise = Noise.of(sources.copy_ids, config.seed)
    search = Search(rules, config, noise, ended)
    beams = Beams.start(len(sources), config.groups)
    state = engine.encode(sources)
    while len(beams.articles):
        wanted = rules.wanted(beams)
        parents, tokens = beams.parents.ravel(), beams.read.ravel()
        step = Step(parents, tokens, search.num_candidates, wanted)
        log_probs, ids, state = engine.step(state, step)
        candidates = _score(beams, log_probs, ids, wanted)
        candidates = rules.judge(candidates, beams, search.taken(candidates))
        if config.sample:
            candidates = perturb(candidates, beams, config, search.noise)
        best = _pick(candidates, beams, search)
        _finish(best, beams, search)
        beams = _reorder(best, beams, search)
        bounds = _bounds(beams, search)
        beams = _drop_done(_give_up(beams, bounds, search), bounds)
    return [_n_best(groups) for groups in ended]


def _score(beams: Beams, log_probs: Floats, ids: Ids, wanted: Ids | None) -> Candidates:
    """Adds each token's log-probability to its hypothesis."""
    if wanted is not None:
        log_probs = _without_repeats(log_probs, ids, wanted)
    (batch, beam), most = beams.scores.shape, ids.shape[1]
    totals = beams.scores[:, :, None] + log_probs.reshape(batch, beam, most)
    keys = np.where(beams.alive[:, :, None], totals, IMPOSSIBLE).reshape(batch, -1)
    origins = np.repeat(np.arange(beam, dtype=np.int32), most)
    return Candidates(
        scores=totals.reshape(batch, -1),
        keys=keys,
        drawn=keys,
        states=np.zeros(keys.shape, np.int32),
        ids=ids.reshape(batch, -1),
        origins=np.broadcast_to(origins, keys.shape),
    )


def _without_repeats(log_probs: Floats, ids: Ids, wanted: Ids) -> Floats:
    """Rules out wanted tokens that are candidates already; the others are possible."""
    others = ids[:, : ids.shape[1] - wanted.shape[1]]
    scores = log_probs[:, others.shape[1] :]
    offered = log_probs[:, None, : others.shape[1]] > IMPOSSIBLE
    repeated = ((wanted[:, :, None] == others[:, None, :]) & offered).any(axis=2)
    scores = np.maximum(scores, np.float32(LEAST_LOG_PROB))
    scores = np.where(repeated | (wanted == PAD), np.float32(IMPOSSIBLE), scores)
    return np.concatenate([log_probs[:, : others.shape[1]], scores], axis=1)


def _pick(candidates: Candidates, beams: Beams, search: Search) -> list[Candidates]:
    """Puts the candidates of each group in order: best first.

    A group's choice makes the same tokens dearer for the groups after it, by
    ``diversity`` for each time (Vijayakumar et al. 2018, eq. 4).
    """
    groups = search.config.groups
    size = candidates.ids.shape[1] // groups
    progress = search.rules.progress(candidates, beams)
    best: list[Candidates] = []
    for group in range(groups):
        columns = slice(group * size, (group + 1) * size)
        part = candidates.part(columns)
        keys = part.keys
        if best:
            keys = keys - search.config.diversity * _times_taken(part, best, search)
        order = _order(part, keys, progress[:, columns])[:, : search.most]
        best.append(part.take(order))
    return best


def _times_taken(part: Candidates, best: list[Candidates], search: Search) -> Doubles:
    """How often the groups before go on with each candidate's token, (B, N)."""
    times = np.zeros(part.ids.shape)
    for other in best:
        top = slice(search.config.group_size)
        taken = np.where(other.possible[:, top], other.ids[:, top], PAD)
        times += (part.ids[:, :, None] == taken[:, None, :]).sum(axis=2)
    return times


def _order(part: Candidates, keys: Doubles, progress: Ids) -> Places:
    """Returns places best first, equal ones by id, then by origin.

    Where words are asked for, the best with much of them and the best with little
    take turns, for the first would lose against the second until it is too late:
    Post and Vilar 2018, "Fast Lexically Constrained Decoding", sec. 3.
    """
    order = np.lexsort((part.origins, part.ids, -keys), axis=1)
    if not progress.any():
        return order
    banks = take_of_rows(progress, order)
    same = banks[:, :, None] == banks[:, None, :]
    turns = np.tril(same, -1).sum(axis=2)  # better ones of the same bank
    possible = take_of_rows(part.possible, order)
    turns = np.where(possible, turns, banks.shape[1])
    again = np.argsort(turns, axis=1, kind="stable")
    return take_of_rows(order, again)


def _finish(best: list[Candidates], beams: Beams, search: Search) -> None:
    """Ends the hypotheses whose EOS is among the best of their group."""
    # T counts BOS, which the penalty leaves out, and lacks EOS, which it counts.
    length = beams.tokens.shape[2]
    for group, part in enumerate(best):
        top = slice(search.config.group_size)
        ends = np.nonzero((part.ids[:, top] == EOS) & part.possible[:, top])
        for row, origin, score, key in zip(
            ends[0].tolist(),
            part.origins[ends].tolist(),
            part.scores[ends].tolist(),
            part.keys[ends].tolist(),
            strict=True,
        ):
            article = int(beams.articles[row])
            # The key of an end lacks what missing the target length costs.
            rank = score - key - score / search.penalty(article, length)
            rank = -key if search.config.sample else rank
            ended = search.ended[article][group]
            if ended.is_full and rank > ended.best[-1].rank:
                continue
            ids = tuple(beams.tokens[row, origin, 1:].tolist())
            ended.add(Hypothesis(rank, ids, score))


def _reorder(best: list[Candidates], beams: Beams, search: Search) -> Beams:
    """Goes on with the best candidates of each group that have not ended."""
    batch, beam = beams.scores.shape
    live = _joined([_live(part, search.config.group_size) for part in best])
    history = take_of_rows(beams.tokens, live.origins)
    characters = take_of_rows(beams.characters, live.origins)
    return Beams(
        articles=beams.articles,
        scores=live.scores,
        keys=live.keys,
        drawn=live.drawn,
        states=live.states,
        tokens=np.concatenate([history, live.ids[:, :, None]], axis=2),
        characters=characters + search.rules.tokens.lengths(live.ids),
        parents=np.arange(batch, dtype=np.int32)[:, None] * beam + live.origins,
    )


def _live(part: Candidates, size: int) -> Candidates:
    """The best that have not ended; dead ones where a step offers too few."""
    # A stable sort moves the ended ones behind the others and keeps the order.
    live = part.take(np.argsort(part.ids == EOS, axis=1, kind="stable")[:, :size])
    alive = live.possible & (live.ids != EOS)
    live = live._replace(
        scores=np.where(alive, live.scores, 0.0),
        keys=np.where(alive, live.keys, IMPOSSIBLE),
        drawn=np.where(alive, live.drawn, 0.0),
        states=np.maximum(live.states, 0),
    )
    missing = size - live.ids.shape[1]
    return _with_dead(live, missing) if missing else live


def _with_dead(live: Candidates, missing: int) -> Candidates:
    """Adds some candidates that nothing will come of."""
    room = ((0, 0), (0, missing))
    dead = {"keys": IMPOSSIBLE, "ids": EOS}
    names = Candidates._fields
    columns = {
        name: np.pad(getattr(live, name), room, constant_values=dead.get(name, 0))
        for name in names
    }
    return Candidates(**columns)


def _joined(parts: list[Candidates]) -> Candidates:
    """Puts the groups beside each other."""
    if len(parts) == 1:
        return parts[0]
    names = Candidates._fields
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=1)
        for name in names
    }
    return Candidates(**columns)


def _bounds(beams: Beams, search: Search) -> Doubles:
    """What the key of a live hypothesis must be above to matter, of each group, (B, G).

    A sum of log-probabilities only falls, and the penalty divides it by the most at
    the greatest length: past that bound nothing can change. Once as many have ended
    as the beam holds, the penalty of the present length is bound enough (a live
    hypothesis would have to gain by growing). Perturbed scores only fall, too.
    """
    bounds = np.full((len(beams.articles), search.config.groups), IMPOSSIBLE)
    length = beams.tokens.shape[2]
    for row, article in enumerate(beams.articles.tolist()):
        groups = search.ended[article]
        if _has_enough(groups, search.config):
            bounds[row] = [_bound(ended, search, article, length) for ended in groups]
    return bounds


def _has_enough(groups: Sequence[Ended], config: DecodeConfig) -> bool:
    found = sum(len(group.best) for group in groups)
    if found < config.searched or len(groups) == 1:
        return found >= config.searched
    different = {one.ids for group in groups for one in group.best}
    return len(different) >= config.searched


def _bound(ended: Ended, search: Search, article: int, length: int) -> float:
    """Returns the bound of one group, see ``_bounds``.

    Args:
        length: of the live hypotheses.
    """
    config = search.config
    enough = config.searched if config.groups == 1 else 1
    if len(ended.best) < enough:
        return IMPOSSIBLE
    worst = ended.best[enough - 1].score
    if config.sample:
        return worst
    # Doubles are negative, as a rule: the shorter the target, the higher the bound.
    full = len(ended.best) >= config.group_size
    most = length if full else search.longest(article, length)
    return worst * search.penalty(article, most)


def _give_up(beams: Beams, bounds: Doubles, search: Search) -> Beams:
    """Ends hypotheses too far behind the best of their article to come first.

    Freitag and Al-Onaizan 2017, "Beam Search Strategies for Neural Machine
    Translation", sec. 3: absolute threshold pruning. Where words are asked for, the
    best has still to pay for them.
    """
    if not search.config.gives_up:
        return beams
    best = beams.keys.max(axis=1, keepdims=True)
    least = np.maximum(best - search.config.beam_threshold, bounds)
    going = (beams.keys >= least) | search.rules.asking(beams)
    return beams._replace(keys=np.where(going, beams.keys, IMPOSSIBLE))


def _drop_done(beams: Beams, bounds: Doubles) -> Beams:
    """Leaves out the articles whose headlines cannot become better."""
    best = beams.keys.reshape(*bounds.shape, -1).max(axis=2)
    going = (best > bounds).any(axis=1)
    return beams if going.all() else beams.take(going)


def _n_best(groups: Sequence[Ended]) -> list[Hypothesis]:
    """The best of each group that no group before has, then all the others."""
    if len(groups) == 1:
        return groups[0].best
    chosen: dict[tuple[int, ...], Hypothesis] = {}
    for group in groups:
        new = [one for one in group.best if one.ids not in chosen]
        chosen |= {one.ids: one for one in new[:1]}
    rest = {one.ids: one for group in groups for one in group.best}
    others = [one for ids, one in rest.items() if ids not in chosen]
    return sorted(chosen.values()) + sorted(others)
