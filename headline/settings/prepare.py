"""Settings of ``headline prepare``: how a corpus becomes a dataset."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from headline.settings.base import Check, Config, Range, setting

TokenizerKind = Literal["char", "word"]

MOST_WEIGHT = 1000.0  # of a corpus

_VOCAB, _LENGTHS, _SPLITS = "Vocabulary", "Lengths", "Held-out articles"
_HALF = Range(low=0, high=0.5)


@dataclass(frozen=True, kw_only=True)
class PrepareConfig(Config):
    """How a corpus becomes a dataset. Lengths are in characters."""

    section = "prepare"

    tokenizer: TokenizerKind = setting(
        "char",
        "Split texts into characters, or into words found by jieba.",
        group=_VOCAB,
        level="basic",
    )
    vocab_size: int = setting(
        5000,
        "Largest size of the vocabulary, four special tokens included. Tokens outside"
        " of it can only be copied from the article.",
        group=_VOCAB,
        level="basic",
        unit="tokens",
        range=Range(low=5, high=1_000_000),
    )
    min_count: int = setting(
        5,
        "Keep a token in the vocabulary only if the training articles and headlines"
        " contain it at least this often.",
        group=_VOCAB,
        range=Range(low=1),
    )
    min_source_length: int = setting(
        10,
        "Reject articles with fewer characters.",
        group=_LENGTHS,
        unit="characters",
        range=Range(low=1),
    )
    # Cutting keeps the lead, which has the main facts.
    max_source_length: int = setting(
        400,
        "Cut articles after this many characters.",
        group=_LENGTHS,
        level="basic",
        unit="characters",
        range=Range(low=1),
    )
    min_target_length: int = setting(
        2,
        "Reject headlines with fewer characters.",
        group=_LENGTHS,
        unit="characters",
        range=Range(low=1),
    )
    # Rejected, not cut: a cut headline misleads.
    max_target_length: int = setting(
        48,
        "Reject headlines with more characters.",
        group=_LENGTHS,
        level="basic",
        unit="characters",
        range=Range(low=1),
    )
    valid_size: float = setting(
        0.03,
        "Share of the articles kept for validation during training (0.03: 3%).",
        group=_SPLITS,
        unit="share",
        range=_HALF,
    )
    test_size: float = setting(
        0.05,
        "Share of the articles kept for the final test (0.05: 5%).",
        group=_SPLITS,
        unit="share",
        range=_HALF,
    )

    def _checks(self) -> Iterable[Check]:
        for side in ("source", "target"):
            least = getattr(self, f"min_{side}_length")
            longest = getattr(self, f"max_{side}_length")
            wanted = f"at least {least} (min_{side}_length)"
            yield f"max_{side}_length", longest >= least, wanted
