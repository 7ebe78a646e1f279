"""Beam search over an engine, in NumPy, independent of framework and text.

Each step is: score, forbid, penalise, pick, finish, reorder, prune, drop. Shape
letters: see ``beams``; G groups of K / G hypotheses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np

from headline.engines.base import (
    IMPOSSIBLE,
    DoubtEngine,
    Engine,
    Floats,
    SourceBatch,
    Step,
)
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
from headline.search.constraints import Constraint
from headline.search.rules import Rules
from headline.search.sampling import MOST_TOKENS, Noise, perturb
from headline.settings.search import DecodeConfig
from headline.text.ids import EOS, PAD, Ids

LONGER = 6  # with pruning, tokens by which a live hypothesis may still grow and win
SPARE = 4  # extra candidates per hypothesis, because some may be forbidden


@dataclass
class Search:
    """The search of one batch: the data that all steps share.

    Args:
        config: how to search; the settings of single articles are in ``rules``.
    """

    rules: Rules
    config: DecodeConfig
    noise: Noise
    drawn_from: int  # with sampling, the most tokens of a step to draw from
    ended: list[list[Ended]]  # by article, then by group

    def penalty(self, article: int, length: int) -> float:
        """Returns the length penalty of an article's target with ``length`` tokens.

        Args:
            length: number of tokens, including EOS.
        """
        return penalty(self.config, self.rules.constraints[article], length)

    def longest(self, article: int, length: int) -> int:
        """Returns the length of the longest target that can matter, including EOS.

        Args:
            length: length of the live hypotheses.
        """
        longest = self.rules.configs[article].max_length + 1
        return min(longest, length + LONGER) if self.config.gives_up else longest

    @property
    def num_candidates(self) -> int:
        """The number of tokens per hypothesis to request from the engine."""
        if self.config.sample:
            return self.drawn_from
        return self.config.groups * self.config.group_size + SPARE

    def taken(self, candidates: Candidates) -> int:
        """Returns how many candidates of an article a step uses, best first."""
        if self.config.sample or self.config.groups > 1:
            return int(candidates.ids.shape[1])  # all: their order can still change
        return self.most

    @property
    def most(self) -> int:
        """The most candidates of each group that a step can continue or end."""
        # Each hypothesis has only one token that ends it.
        return 2 * self.config.group_size


def penalty(config: DecodeConfig, constraint: Constraint | None, length: int) -> float:
    """Returns what divides the log-probability of a target with ``length`` tokens.

    Args:
        constraint: of the article.
        length: number of tokens, including EOS.
    """
    # A required prefix or word can be very unlikely. A length penalty would make that
    # cost smaller in longer targets, so the search would write on and on.
    if constraint is not None and constraint.asks:
        return 1.0
    return length_penalty(length, config.length_penalty)


def beam_search(
    engine: Engine[Any],
    sources: SourceBatch,
    rules: Rules,
    config: DecodeConfig,
    state: Any = None,
    drawn_from: int = MOST_TOKENS,
) -> list[list[Hypothesis]]:
    """Finds the best headlines of each article.

    Args:
        sources: B articles.
        rules: the rules of each article.
        config: how to search, for all articles.
        state: the engine's state of the articles, if they are already encoded.
        drawn_from: with sampling, how many of the likeliest tokens of a step to draw
            from.

    Returns:
        the hypotheses of each article, best first: ``config.num_headlines`` if there
        are that many, and others that ended on the way. With sampling, they are in the
        order of drawing.
    """
    ended = [
        [Ended(config.kept) for _ in range(config.groups)] for _ in range(len(sources))
    ]
    noise = Noise.of(sources.copy_ids, config.seed)
    search = Search(rules, config, noise, drawn_from, ended)
    trails = config.wants_confidence
    beams = Beams.start(len(sources), config.groups, trails)
    state = engine.encode(sources) if state is None else state
    while len(beams.articles):
        wanted = rules.wanted(beams)
        parents, tokens = beams.parents.ravel(), beams.read.ravel()
        step = Step(parents, tokens, search.num_candidates, wanted, trails)
        log_probs, ids, state = engine.step(state, step)
        if trails:
            beams = _with_doubts(beams, engine, state)
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


def _with_doubts(beams: Beams, engine: Engine[Any], state: Any) -> Beams:
    """Adds what the engine tells of the step that it has just made."""
    doubts = cast(DoubtEngine[Any], engine).doubts(state).astype(np.float64)
    return beams._replace(doubts=doubts.reshape(*beams.scores.shape, -1))


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
    """Rules out wanted tokens that are already candidates; all others stay possible."""
    others = ids[:, : ids.shape[1] - wanted.shape[1]]
    scores = log_probs[:, others.shape[1] :]
    offered = log_probs[:, None, : others.shape[1]] > IMPOSSIBLE
    repeated = ((wanted[:, :, None] == others[:, None, :]) & offered).any(axis=2)
    scores = np.maximum(scores, np.float32(LEAST_LOG_PROB))
    scores = np.where(repeated | (wanted == PAD), np.float32(IMPOSSIBLE), scores)
    return np.concatenate([log_probs[:, : others.shape[1]], scores], axis=1)


def _pick(candidates: Candidates, beams: Beams, search: Search) -> list[Candidates]:
    """Sorts the candidates of each group, best first.

    Each time a group chooses a token, that token costs ``diversity`` more for the
    groups after it (Vijayakumar et al. 2018, eq. 4).
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
    """Returns how often earlier groups chose each candidate's token, (B, N)."""
    times = np.zeros(part.ids.shape)
    for other in best:
        top = slice(search.config.group_size)
        taken = np.where(other.possible[:, top], other.ids[:, top], PAD)
        times += (part.ids[:, :, None] == taken[:, None, :]).sum(axis=2)
    return times


def _order(part: Candidates, keys: Doubles, progress: Ids) -> Places:
    """Returns places, best first, ties by id, then by origin.

    With required words, candidates are put in banks by how much of the words they hold,
    and the banks take turns. Otherwise those that hold more would lose against those
    that hold less until it is too late: Post and Vilar 2018, "Fast Lexically
    Constrained Decoding", sec. 3.
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
    # T counts BOS but not EOS; the penalty counts EOS but not BOS.
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
            # score - key is the cost of missing the target length.
            rank = score - key - score / search.penalty(article, length)
            rank = -key if search.config.sample else rank
            ended = search.ended[article][group]
            if ended.is_full and rank > ended.best[-1].rank:
                continue
            ids = tuple(beams.tokens[row, origin, 1:].tolist())
            trail = _whole_trail(beams, (row, origin), score)
            ended.add(Hypothesis(rank, ids, score, trail))


def _whole_trail(beams: Beams, place: tuple[int, int], score: float) -> Doubles | None:
    """Returns the trail of a hypothesis that ends, (T + 1, 3); None without trails.

    Args:
        place: its row and column in the beams.
        score: its log-probability, including EOS.
    """
    if not beams.doubts.shape[2]:
        return None
    end = [score - beams.scores[place], *beams.doubts[place]]
    return np.concatenate([beams.trails[place], [end]])


def _longer_trails(live: Candidates, beams: Beams) -> Doubles:
    """Returns the trails of the candidates, (B, K, T, 3)."""
    if not beams.doubts.shape[2]:
        return beams.trails
    before = take_of_rows(beams.scores, live.origins)
    last = [
        (live.scores - before)[:, :, None],
        take_of_rows(beams.doubts, live.origins),
    ]
    new = np.concatenate(last, axis=2)[:, :, None]
    return np.concatenate([take_of_rows(beams.trails, live.origins), new], axis=2)


def _reorder(best: list[Candidates], beams: Beams, search: Search) -> Beams:
    """Continues the best candidates of each group that have not ended."""
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
        trails=_longer_trails(live, beams),
        doubts=beams.doubts,
    )


def _live(part: Candidates, size: int) -> Candidates:
    """Returns the best that have not ended, filled up with dead ones if too few."""
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
    """Appends dead candidates."""
    room = ((0, 0), (0, missing))
    dead = {"keys": IMPOSSIBLE, "ids": EOS}
    names = Candidates._fields
    columns = {
        name: np.pad(getattr(live, name), room, constant_values=dead.get(name, 0))
        for name in names
    }
    return Candidates(**columns)


def _joined(parts: list[Candidates]) -> Candidates:
    """Concatenates the groups."""
    if len(parts) == 1:
        return parts[0]
    names = Candidates._fields
    columns = {
        name: np.concatenate([getattr(part, name) for part in parts], axis=1)
        for name in names
    }
    return Candidates(**columns)


def _bounds(beams: Beams, search: Search) -> Doubles:
    """Returns the key that a live hypothesis must exceed to matter, per group, (B, G).

    A sum of log-probabilities only falls, and the penalty divides it by the largest
    number at the greatest length; so below that bound a hypothesis cannot win. Once as
    many hypotheses have ended as the beam holds, the penalty of the present length is
    used (a live hypothesis would have to gain by growing). Perturbed scores only fall,
    too.
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
        length: length of the live hypotheses.
    """
    config = search.config
    enough = config.searched if config.groups == 1 else 1
    if len(ended.best) < enough:
        return IMPOSSIBLE
    worst = ended.best[enough - 1].score
    if config.sample:
        return worst
    # Scores are usually negative: the shorter the target, the higher the bound.
    full = len(ended.best) >= config.group_size
    most = length if full else search.longest(article, length)
    return worst * search.penalty(article, most)


def _give_up(beams: Beams, bounds: Doubles, search: Search) -> Beams:
    """Prunes hypotheses that are too far behind the best one of their article.

    Freitag and Al-Onaizan 2017, "Beam Search Strategies for Neural Machine
    Translation", sec. 3: absolute threshold pruning. Articles with a required prefix or
    words, or with words to avoid, are not pruned: their best hypothesis may still have
    to pay for them.
    """
    if not search.config.gives_up:
        return beams
    best = beams.keys.max(axis=1, keepdims=True)
    least = np.maximum(best - search.config.beam_threshold, bounds)
    going = (beams.keys >= least) | search.rules.asking(beams)
    return beams._replace(keys=np.where(going, beams.keys, IMPOSSIBLE))


def _drop_done(beams: Beams, bounds: Doubles) -> Beams:
    """Drops the articles whose headlines cannot become better."""
    best = beams.keys.reshape(*bounds.shape, -1).max(axis=2)
    going = (best > bounds).any(axis=1)
    return beams if going.all() else beams.take(going)


def _n_best(groups: Sequence[Ended]) -> list[Hypothesis]:
    """Returns the best of each group that no earlier group has, then all others."""
    if len(groups) == 1:
        return groups[0].best
    chosen: dict[tuple[int, ...], Hypothesis] = {}
    for group in groups:
        new = [one for one in group.best if one.ids not in chosen]
        chosen |= {one.ids: one for one in new[:1]}
    rest = {one.ids: one for group in groups for one in group.best}
    others = [one for ids, one in rest.items() if ids not in chosen]
    return sorted(chosen.values()) + sorted(others)
