"""Settings of ``headline prepare``: how a corpus becomes a dataset."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

from headline.settings.base import Check, Config, choices

TokenizerKind = Literal["char", "word"]

MOST_WEIGHT = 1000.0  # of a corpus


@dataclass(frozen=True, kw_only=True)
class PrepareConfig(Config):
    """How a corpus becomes a dataset. Lengths are in characters."""

    tokenizer: TokenizerKind = "char"
    vocab_size: int = 5000  # with specials; the rarer tokens can only be copied
    min_count: int = 5  # least occurrences in the train split to be generable
    min_source_length: int = 10  # shorter articles are rejected
    max_source_length: int = 400  # longer articles are cut: the lead comes first
    min_target_length: int = 2  # shorter headlines are rejected
    max_target_length: int = 48  # longer headlines are rejected: a cut one misleads
    valid_size: float = 0.03  # share of the articles
    test_size: float = 0.05  # share of the articles

    def _checks(self) -> Iterable[Check]:
        kinds = get_args(TokenizerKind)
        room = "between 0 and 0.5"
        yield "tokenizer", self.tokenizer in kinds, choices(TokenizerKind)
        # Bounds keep ids in 32 bits and every array within reason.
        yield "vocab_size", 5 <= self.vocab_size <= 1_000_000, "5 to 1000000"
        yield "min_count", self.min_count >= 1, "at least 1"
        for name in ("min_source_length", "min_target_length"):
            yield name, getattr(self, name) >= 1, "at least 1"
        longest = self.max_source_length
        at_least = f"at least {self.min_source_length} (min_source_length)"
        yield "max_source_length", longest >= self.min_source_length, at_least
        longest = self.max_target_length
        at_least = f"at least {self.min_target_length} (min_target_length)"
        yield "max_target_length", longest >= self.min_target_length, at_least
        yield "valid_size", 0 <= self.valid_size <= 0.5, room
        yield "test_size", 0 <= self.test_size <= 0.5, room
