"""Constraints on one article's headlines: whole numbers, required and avoided words.

A ``Constraint`` follows a headline token by token, as an automaton whose states are
created on demand. For a state, the search asks three things: the state after a token,
how many more characters are needed before the headline may end, and which tokens lead
towards the end, so that it can offer them even if they are unlikely.
"""

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

from headline.errors import ConfigError
from headline.search.whole_runs import WholeRuns
from headline.settings.search import DecodeConfig
from headline.text.normalise import normalise
from headline.text.source import Source
from headline.text.spans import runs
from headline.text.tokenizer import Tokenizer

FORBIDDEN = -1  # instead of a state: the token may not come next
ENDLESS = 1 << 20  # characters: the headline can never end

_AFTER = "。"  # stands for the text that follows a prefix


class Position(NamedTuple):
    """The progress of a headline."""

    forced: int  # tokens of the prefix written so far
    tail: str  # the open run
    recent: str  # the last characters, as many as matching a word may need
    included: int  # bit i: word i is in the headline


class Constraint:
    """The automaton of one article.

    Args:
        source: the article.
        config: the search settings of the article.
        tokenizer: tokenizer of the model.

    Raises:
        ConfigError: the settings contradict each other.
    """

    def __init__(
        self, source: Source, config: DecodeConfig, tokenizer: Tokenizer
    ) -> None:
        self.tokenizer = tokenizer
        self.words = tuple(map(normalise, config.must_include))
        self.avoided = tuple(map(normalise, config.avoid))
        self.prefix = opening(config.prefix)
        self.extra = source.encoded.extra
        self._prefix_ids = self._encode(self.prefix)
        self._word_ids = [self._encode(word) for word in self.words]
        self.whole_runs = (
            self._allowed_runs(source, config.max_length)
            if config.exact_numbers
            else None
        )
        longest = max(map(len, (*self.words, *self.avoided)), default=1)
        self._memory = longest - 1
        self._states: list[Position] = []
        self._numbers: dict[Position, int] = {}
        self._next: dict[tuple[int, int], int] = {}
        self._needs: dict[int, int] = {}
        self._leads: dict[int, list[int]] = {}
        self._number(Position(0, "", "", 0))  # the start is state 0
        self._check(config)

    def _encode(self, text: str) -> tuple[int, ...]:
        encoded = self.tokenizer.encode(text, self.extra)
        self.extra = encoded.extra
        return tuple(encoded.ids.tolist())

    def _allowed_runs(self, source: Source, max_length: int) -> WholeRuns:
        # A link may be longer than any headline, and its prefixes take much memory.
        short = (run for run in source.runs if len(run) <= max_length)
        asked = (run for text in (self.prefix, *self.words) for run in runs(text))
        kept = (
            run
            for run in (*short, *asked)
            if not any(word in run for word in self.avoided)
        )
        return WholeRuns(kept)

    def _check(self, config: DecodeConfig) -> None:
        for name, words in (("must_include", self.words), ("avoid", self.avoided)):
            if not all(words):  # only invisible characters
                raise ConfigError(f"{name} has a word that is blank", name)
        for name, asked in (("prefix", (self.prefix,)), ("must_include", self.words)):
            for word, text in ((w, t) for w in self.avoided for t in asked):
                if word in text:
                    message = f"{name} {text!r} holds {word!r}, which is to be avoided"
                    raise ConfigError(message, "avoid")
        # White space never ends a headline, so a character follows that of a prefix.
        gap = self.prefix.endswith(" ")
        least = max(self.need(0), len(self.prefix) + gap)
        if least > config.max_length:
            message = f"max_length {config.max_length} has no room for the {least} "
            raise ConfigError(f"{message}characters that are asked for", "max_length")

    @cached_property
    def is_plain(self) -> bool:
        """Whether only runs matter: outside of one, the headline is in state 0."""
        return not (self.words or self.avoided or self._prefix_ids)

    @property
    def asks(self) -> bool:
        """Whether a headline must hold a prefix or words that may be unlikely."""
        return bool(self.words or self._prefix_ids)

    @property
    def counts_words(self) -> bool:
        """Whether the search must keep hypotheses with more and with fewer words."""
        return bool(self.words)

    # --- what the search asks ------------------------------------------------------

    def follow(self, state: int, token: int) -> int:
        """Returns the state after the token, or FORBIDDEN."""
        key = state, token
        if key not in self._next:
            self._next[key] = self._follow(self._states[state], token)
        return self._next[key]

    def need(self, state: int) -> int:
        """Returns the fewest further characters before the headline may end."""
        if state not in self._needs:
            self._needs[state] = self._need(self._states[state])
        return self._needs[state]

    def goes_on(self, state: int, after: int) -> bool:
        """Returns whether a step continues a run, the prefix or a required word."""
        before, behind = self._states[state], self._states[after]
        return (
            self._run_goes_on(before.tail, behind.tail)
            or behind.forced > before.forced
            or self.written(after) > self.written(state)
        )

    def _run_goes_on(self, before: str, after: str) -> bool:
        """Returns whether the open run has grown: 12月 is longer than 12 but no run."""
        grown = bool(before) and len(after) > len(before)
        return grown and self.whole_runs is not None and self.whole_runs.goes_on(after)

    def written(self, state: int) -> int:
        """Returns how many characters of the required words the headline holds."""
        if not self.words:
            return 0
        position = self._states[state]
        overlaps = (overlap for _, overlap in self._missing(position))
        whole = (
            len(word)
            for index, word in enumerate(self.words)
            if position.included >> index & 1
        )
        return sum(whole) + max(overlaps, default=0)

    def wanted(self, state: int) -> list[int]:
        """Returns the tokens that the search must offer in this state, sorted by id.

        They continue the prefix, an open run or a required word.
        """
        if state not in self._leads:
            self._leads[state] = sorted(self._lead(self._states[state]))
        return self._leads[state]

    def _lead(self, position: Position) -> set[int]:
        if position.forced < len(self._prefix_ids):
            return {self._prefix_ids[position.forced]}
        tokens = set()
        if self.whole_runs is not None:
            endings = self.whole_runs.endings(position.tail)
            tokens = {self._encode(ending[0])[0] for ending in endings}
        for index, overlap in self._missing(position):
            tokens |= {self._word_ids[index][0], self._word_token(index, overlap)}
        return tokens

    # --- the automaton --------------------------------------------------------------

    def _number(self, position: Position) -> int:
        if position not in self._numbers:
            self._numbers[position] = len(self._states)
            self._states.append(position)
        return self._numbers[position]

    def _follow(self, position: Position, token: int) -> int:
        forced = position.forced
        if forced < len(self._prefix_ids):
            if token != self._prefix_ids[forced]:
                return FORBIDDEN
            forced += 1
        text = self.tokenizer.decode([token], self.extra)
        tail = self._tail(position.tail + text)
        recent = position.recent + text
        if tail is None or any(word in recent for word in self.avoided):
            return FORBIDDEN
        included = position.included
        for index, word in enumerate(self.words):
            included |= (word in recent) << index
        kept = recent[max(0, len(recent) - self._memory) :]
        return self._number(Position(forced, tail, kept, included))

    def _need(self, position: Position) -> int:
        forced = self._prefix_ids[position.forced :]
        if forced:
            state = self._numbers[position]
            for token in forced:
                state = self.follow(state, token)
            return len(self.tokenizer.decode(forced, self.extra)) + self.need(state)
        missing = self._missing(position)
        if not missing:
            return self._run_need(position.tail, position.recent)
        # Try each word as the next one, followed by the others in their order.
        orders = ([first, *(w for w in missing if w != first)] for first in missing)
        return min(self._words_need(position, order) for order in orders)

    def _words_need(self, position: Position, order: Sequence[tuple[int, int]]) -> int:
        """Returns the characters that missing words need, with gaps between runs."""
        length, tail, recent = 0, position.tail, position.recent
        begun = order[0][1]
        for index, _ in order:
            word = self.words[index]
            joined = self._tail(tail + word[begun:])
            if joined is None:  # the open run must be completed before the word
                length += self._run_need(tail, recent) + 1
                begun, joined = 0, self._tail(word)
            length += len(word) - begun
            begun, tail, recent = 0, joined or "", word
        return length + self._run_need(tail, recent)

    def _tail(self, text: str) -> str | None:
        return "" if self.whole_runs is None else self.whole_runs.tail(text)

    def _run_need(self, tail: str, recent: str) -> int:
        if self.whole_runs is None or self.whole_runs.is_whole(tail):
            return 0
        endings = (
            len(ending)
            for ending in self.whole_runs.endings(tail)
            if not any(word in recent + ending for word in self.avoided)
        )
        return min(endings, default=ENDLESS)

    def _missing(self, position: Position) -> list[tuple[int, int]]:
        """Returns each missing word and how much of it the headline ends with."""
        return [
            (index, _overlap(position.recent, word))
            for index, word in enumerate(self.words)
            if not position.included >> index & 1
        ]

    def _word_token(self, index: int, begun: int) -> int:
        """Returns the token that continues a word after ``begun`` characters."""
        length = 0
        for token in self._word_ids[index]:
            if length == begun:
                return token
            length += len(self.tokenizer.decode([token], self.extra))
        return self._encode(self.words[index][begun])[0]


def opening(prefix: str) -> str:
    """Normalises a prefix; trailing white space becomes a space if text precedes it."""
    return normalise(prefix + _AFTER).removesuffix(_AFTER)


def _overlap(text: str, word: str) -> int:
    """Returns the length of the longest prefix of the word that the text ends with."""
    return next(
        (size for size in range(len(word) - 1, 0, -1) if text.endswith(word[:size])), 0
    )


def constraint(
    source: Source, config: DecodeConfig, tokenizer: Tokenizer
) -> Constraint | None:
    """Returns the constraint of an article's headlines, or None if they are free."""
    words = config.prefix or config.must_include or config.avoid
    if not config.exact_numbers and not words:
        return None
    return Constraint(source, config, tokenizer)
