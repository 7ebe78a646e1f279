"""The rules of the headlines of one batch, applied to arrays of candidates.

Shape letters: see ``beams``; M candidates per hypothesis, N = K M.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import IMPOSSIBLE
from headline.engines.rows import take_of_rows
from headline.search.beams import Beams, Candidates
from headline.search.constraints import FORBIDDEN, Constraint
from headline.settings.search import DecodeConfig
from headline.text.ids import BOS, EOS, PAD, SPECIAL_TOKENS, Ids
from headline.text.spans import starts_run

Flags = NDArray[np.bool_]

# The settings of single articles that are numbers.
INTEGERS = "min_length", "max_length", "target_length", "no_repeat_ngram_size"

# Cost, in log-probability, of each character above or below the target length.
WISH = 1.0


class TokenTable:
    """Length and kind of each token, by its id.

    Ids past the vocab are characters of one article: each has length 1 and may belong
    to a run. ``Rules.spaces`` holds which of them are blank.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        plain = tokens[len(SPECIAL_TOKENS) :]
        lengths = [0] * len(SPECIAL_TOKENS) + [len(token) for token in plain]
        none = [False] * len(SPECIAL_TOKENS)
        # The last entry is for all ids past the vocab.
        self._lengths = np.array([*lengths, 1], np.int32)
        self._in_runs = np.array([*none, *map(starts_run, plain), True])
        self._blank = np.array([*none, *map(str.isspace, plain), False])
        self._blank[BOS] = True  # a headline begins with a visible character

    def lengths(self, ids: Ids) -> Ids:
        """Returns the number of characters of each id; 0 for special tokens."""
        return self._lengths[self._known(ids)]

    def in_runs(self, ids: Ids) -> Flags:
        """Returns in which tokens a number or a Latin word begins."""
        return self._in_runs[self._known(ids)]

    def blank(self, ids: Ids) -> Flags:
        """Returns which tokens are white space or BOS."""
        return self._blank[self._known(ids)]

    def _known(self, ids: Ids) -> Ids:
        return np.minimum(ids, np.int32(len(self._lengths) - 1))


@dataclass(frozen=True)
class Rules:
    """The rules of each article of a batch.

    Args:
        configs: the search settings of each article.
        constraints: the constraint of each article; None if it has none.
        spaces: the id of the space in each article, if that id is past the vocab.
    """

    tokens: TokenTable
    configs: Sequence[DecodeConfig]
    constraints: Sequence[Constraint | None]
    spaces: Sequence[int | None] = ()

    def setting(self, name: str, beams: Beams) -> Ids:
        """Returns an integer setting of the articles in search, shape ``(B, 1)``."""
        values: Ids = self._settings[name][beams.articles, None]
        return values

    @cached_property
    def _settings(self) -> dict[str, Ids]:
        """The integer settings of all articles, gathered once."""
        return {
            name: np.array([getattr(config, name) for config in self.configs], np.int32)
            for name in INTEGERS
        }

    def wanted(self, beams: Beams) -> Ids | None:
        """Returns tokens that must be among the candidates: (B K, W), or None."""
        asks = (beams.states != 0) | self.asking(beams)
        if not asks.any():
            return None
        rows = np.flatnonzero(asks).tolist()
        found = [
            self._constraint(beams, row // beams.states.shape[1]).wanted(state)
            for row, state in zip(rows, beams.states[asks].tolist(), strict=True)
        ]
        most = max(map(len, found))
        if not most:
            return None
        wanted = np.full((beams.states.size, most), PAD, np.int32)
        for row, tokens in zip(rows, found, strict=True):
            wanted[row, : len(tokens)] = tokens
        return wanted

    def judge(self, candidates: Candidates, beams: Beams, most: int) -> Candidates:
        """Sets the states, and the key of each candidate that breaks a rule to -inf.

        Args:
            most: number of candidates per article, best keys first, that the search
                uses. Worse ones may be forbidden without being judged.
        """
        characters = take_of_rows(beams.characters, candidates.origins)
        ends = candidates.ids == EOS
        after = characters + self.tokens.lengths(candidates.ids)
        blank = self._blank(candidates.ids, beams)
        room = self.setting("max_length", beams) - after
        # White space never ends a headline, so at least one character follows it.
        allowed = candidates.possible & (blank <= room)
        allowed &= ~(blank | ends) | ~self._after_blank(candidates, beams)
        too_short = ends & (characters < self.setting("min_length", beams))
        repeats = self._repeats(candidates, beams)
        before = take_of_rows(beams.states, candidates.origins)
        bound = self._looked_at(candidates, before, beams)
        sure = allowed & ~bound & ~too_short & ~repeats
        allowed &= ~bound | self._contends(candidates, sure, beams, most)
        states, needs, continues = self._follow(
            candidates, before, bound & allowed, repeats, beams
        )
        allowed &= (states != FORBIDDEN) & (needs <= room)
        allowed &= ~ends | (needs == 0)
        allowed &= continues | ~repeats
        # If nothing is left, as every token is longer than the room, it may end.
        stuck = ~(allowed & ~too_short).any(axis=1, keepdims=True)
        allowed &= ~too_short | stuck
        keys = np.where(allowed, candidates.keys, IMPOSSIBLE)
        if self._settings["target_length"].any():
            keys -= self._wish(after, ends, beams)
        return candidates._replace(keys=keys, states=states)

    def _blank(self, ids: Ids, beams: Beams) -> Flags:
        """Returns which tokens, (B, N), are white space or BOS."""
        blank = self.tokens.blank(ids)
        if self._own_spaces.any():
            blank |= ids == self._own_spaces[beams.articles, None]
        return blank

    @cached_property
    def _own_spaces(self) -> Ids:
        """The id of each article's space past the vocab, or PAD, never written."""
        spaces = self.spaces or [None] * len(self.configs)
        return np.array([PAD if space is None else space for space in spaces], np.int32)

    def _after_blank(self, candidates: Candidates, beams: Beams) -> Flags:
        """Returns which candidates follow white space or BOS, (B, N)."""
        last = self._blank(beams.tokens[:, :, -1], beams)
        after: Flags = take_of_rows(last, candidates.origins)
        return after

    def _wish(self, after: Ids, ends: Flags, beams: Beams) -> NDArray[np.float64]:
        """Returns the cost of missing the target length, for each candidate, (B, N).

        A hypothesis that continues only pays for characters above the target length.
        """
        target = self.setting("target_length", beams)
        missed = np.where(ends, np.abs(after - target), np.maximum(after - target, 0))
        return np.where(target > 0, WISH * missed, 0.0)

    def progress(self, candidates: Candidates, beams: Beams) -> Ids:
        """Returns the characters of required words after each candidate, (B, N)."""
        written = np.zeros(candidates.ids.shape, np.int32)
        for place in np.flatnonzero(self._counts_words[beams.articles]).tolist():
            bound = self._constraint(beams, place)
            for column in np.flatnonzero(candidates.possible[place]).tolist():
                state = int(candidates.states[place, column])
                written[place, column] = bound.written(state)
        return written

    def _constraint(self, beams: Beams, place: int) -> Constraint:
        """Returns the constraint of an article that has one."""
        bound: Constraint | None = self.constraints[beams.articles[place]]
        assert bound is not None
        return bound

    def asking(self, beams: Beams) -> Flags:
        """Returns which articles constrain more than whole runs, shape ``(B, 1)``."""
        asking: Flags = self._asks[beams.articles, None]
        return asking

    @cached_property
    def _asks(self) -> Flags:
        return np.array(
            [bound is not None and not bound.is_plain for bound in self.constraints]
        )

    @cached_property
    def _counts_words(self) -> Flags:
        return np.array(
            [bound is not None and bound.counts_words for bound in self.constraints]
        )

    @cached_property
    def _binds(self) -> Flags:
        return np.array([bound is not None for bound in self.constraints])

    def _contends(
        self, candidates: Candidates, sure: Flags, beams: Beams, most: int
    ) -> Flags:
        """Returns which candidates may be among the best of their article, (B, N).

        A candidate is ruled out if at least ``most`` better ones are sure. This saves
        most calls of the automata, which take one call per candidate.

        Args:
            sure: candidates that are allowed and that no constraint can forbid.
            most: number of candidates that are taken.
        """
        keys = candidates.keys
        if most >= keys.shape[1] or self._settings["target_length"].any():
            return np.ones(keys.shape, bool)
        rivals = np.where(sure, keys, IMPOSSIBLE)
        least = np.partition(rivals, -most, axis=1)[:, -most, None]
        contends: Flags = (keys >= least) | self.asking(beams)
        return contends

    def _follow(
        self,
        candidates: Candidates,
        before: Ids,
        looked_at: Flags,
        repeats: Flags,
        beams: Beams,
    ) -> tuple[Ids, Ids, Flags]:
        """Returns each candidate's state, need, and whether it may repeat n-grams.

        Args:
            before: the states before the candidates.
            looked_at: the candidates to follow; the others get state 0.
            repeats: the candidates that repeat n-grams; only they are checked for it.
        """
        states, needs = np.zeros((2, *before.shape), np.int32)
        continues = np.zeros(before.shape, bool)
        followed = zip(
            *(axis.tolist() for axis in np.nonzero(looked_at)),
            before[looked_at].tolist(),
            candidates.ids[looked_at].tolist(),
            repeats[looked_at].tolist(),
            strict=True,
        )
        for place, column, origin, token, again in followed:
            bound = self._constraint(beams, place)
            state = origin if token == EOS else bound.follow(origin, token)
            states[place, column] = state
            if state != FORBIDDEN:
                needs[place, column] = bound.need(state)
                continues[place, column] = again and bound.goes_on(origin, state)
        return states, needs, continues

    def _looked_at(self, candidates: Candidates, before: Ids, beams: Beams) -> Flags:
        """Returns which candidates a constraint must follow.

        If it only constrains runs, these are the candidates that begin, continue or end
        a run; the others have state 0.
        """
        run = self.tokens.in_runs(candidates.ids) | (before != 0)
        bound = self._binds[beams.articles, None]
        looked_at: Flags = bound & candidates.possible & (run | self.asking(beams))
        return looked_at

    def _repeats(self, candidates: Candidates, beams: Beams) -> Flags:
        """Returns which candidates would repeat an n-gram, (B, N).

        A word of n characters or more is an n-gram by itself.
        """
        repeats = np.zeros(candidates.ids.shape, bool)
        ids = candidates.ids.reshape(*beams.scores.shape, -1)
        history = beams.tokens[:, :, 1:]
        sizes = self.setting("no_repeat_ngram_size", beams)
        for size in self._ngram_sizes:
            found = repeated(history, ids, size)
            long = self.tokens.lengths(ids) >= size
            if long.any():
                found |= long & repeated(history, ids, 1)
            repeats |= found.reshape(repeats.shape) & (sizes == size)
        return repeats

    @cached_property
    def _ngram_sizes(self) -> list[int]:
        """The n-gram sizes that some article forbids to repeat."""
        return sorted({one.no_repeat_ngram_size for one in self.configs} - {0})


def repeated(tokens: Ids, ids: Ids, size: int) -> Flags:
    """Returns which tokens would complete an n-gram that the hypothesis already has.

    Args:
        tokens: shape ``(B, K, T)``, without BOS.
        ids: shape ``(B, K, M)``, the tokens that may come next.
        size: n.

    Returns:
        shape ``(B, K, M)``.
    """
    length = tokens.shape[2]
    starts = length - size + 1  # number of n-grams in the hypothesis
    if starts < 1:
        return np.zeros(ids.shape, bool)
    same = np.ones((*tokens.shape[:2], starts), bool)
    for offset in range(size - 1):
        context = tokens[:, :, length - size + 1 + offset, None]
        same &= tokens[:, :, offset : offset + starts] == context
    last = tokens[:, :, size - 1 :]
    found = ((ids[..., None] == last[:, :, None]) & same[:, :, None]).any(-1)
    repeats: Flags = found & (ids != EOS)
    return repeats
