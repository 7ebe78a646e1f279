"""Pseudo-pairs from articles without headlines: a sentence serves as the headline.

It is the sentence most similar to the rest of its article, and it is removed from the
article: Zhang et al. 2020, "PEGASUS: Pre-training with Extracted Gap-sentences for
Abstractive Summarization", sec. 3.1.1, strategy Ind-Orig, which scores each sentence
independently by ROUGE-1 F1 against the rest. As everywhere here, ROUGE counts
characters.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from headline.data.cleaning import Reason
from headline.data.corpus import Pair, RowReader
from headline.formats.columns import SOURCE_COLUMNS
from headline.formats.tables import CorpusFormat, Table, find_column
from headline.settings.prepare import PrepareConfig

_OPENING, _CLOSING = "“‘「『（(《【", "”’」』）)》】"
# A sentence ends with these and the closing signs after them; "?" before a letter or a
# digit is part of a web address.
_ENDS = "。！？；…!?;"
_SENTENCE = re.compile(
    rf"[^{_ENDS}]*(?:[!?;](?=[0-9A-Za-z])[^{_ENDS}]*)*"
    rf"(?:[{_ENDS}]+[{_CLOSING}]*|$)"
)
# A clause ends with a comma, except one within a number such as 1,234.
_CLAUSE = re.compile(r"[^，,]+(?:(?<=[0-9]),(?=[0-9])[^，,]+)*(?:[，,]|$)")
_DROPPED = " ，,。；;…"  # no headline begins or ends with these


class Gap(NamedTuple):
    """A sentence cut from an article, and the pseudo-headline made of it."""

    begin: int
    end: int
    target: str


def pseudo_pair(article: str, config: PrepareConfig) -> Pair | None:
    """Cuts the sentence that best matches the rest out of a normalised article.

    A sentence longer than ``max_target_length`` is replaced by its clauses, which end
    with commas. The headline loses its full stop but keeps "！" and "？". Only the
    first ``max_source_length`` characters, those that a model reads, are searched.

    Returns:
        the rest of the article and the sentence, both within the length limits; None
        if no complete sentence has such a length and is shorter than the rest.
    """
    lead = article[: config.max_source_length]
    counts = Counter(lead.replace(" ", ""))
    gap = max(
        _gaps(lead, len(lead) < len(article), config),
        key=lambda gap: _rouge_1(gap.target, lead[gap.begin : gap.end], counts),
        default=None,
    )
    if gap is None:
        return None
    rest = article[: gap.begin] + article[gap.end :]
    return Pair(" ".join(rest.split()), gap.target)


def _gaps(lead: str, is_cut: bool, config: PrepareConfig) -> Iterator[Gap]:
    characters = len(lead.replace(" ", ""))
    for begin, end in _pieces(lead, config.max_target_length):
        if is_cut and end == len(lead):
            continue  # an incomplete sentence
        target = lead[begin:end].strip(_DROPPED)
        rest = characters - len(lead[begin:end].replace(" ", ""))
        fits = config.min_target_length <= len(target) <= config.max_target_length
        leaves = rest >= config.min_source_length and rest > len(target)
        if fits and leaves and _closes(target):
            yield Gap(begin, end, target)


def _pieces(text: str, longest: int) -> Iterator[tuple[int, int]]:
    """Yields begin and end of each sentence, or of its clauses if it is too long."""
    for sentence in _SENTENCE.finditer(text):
        if len(sentence.group().strip(_DROPPED)) <= longest:
            yield sentence.span()
        else:
            clauses = _CLAUSE.finditer(text, *sentence.span())
            yield from (clause.span() for clause in clauses)


def _closes(text: str) -> bool:
    """Tells whether all quotes and brackets of a text are closed."""
    halves = zip(_OPENING, _CLOSING, strict=True)
    closed = all(text.count(one) == text.count(other) for one, other in halves)
    return closed and text.count('"') % 2 == 0


def _rouge_1(target: str, removed: str, counts: Counter[str]) -> float:
    """Returns ``metrics.rouge(target, rest).rouge_1`` without building the rest.

    Args:
        removed: the part cut from the article: the target and its punctuation.
        counts: the character counts of the article, without white space.
    """
    gone, wanted = Counter(removed), Counter(target)
    del gone[" "], wanted[" "]
    common = sum(min(n, counts[char] - gone[char]) for char, n in wanted.items())
    return 200.0 * common / (wanted.total() + counts.total() - gone.total())


class UnpairedReader(RowReader):
    """Reads pseudo-pairs from files of articles.

    The files need only a column of articles. The first of several exact duplicates
    stays.

    Args:
        held_out: returns whether an article belongs to the valid or test split; such
            articles must not be trained on.
    """

    def __init__(
        self,
        files: Iterable[Path],
        format: CorpusFormat,
        config: PrepareConfig,
        held_out: Callable[[str], bool],
    ) -> None:
        super().__init__(files, format)
        self._config = config
        self._held_out = held_out

    def _columns(self, table: Table) -> tuple[str, ...]:
        wanted = self._format.source_column
        return (find_column(table, wanted, SOURCE_COLUMNS, "source"),)

    def _faults(
        self, columns: Sequence[Sequence[str]], articles: Sequence[str]
    ) -> dict[int, Reason]:
        (cleaned,) = columns
        reasons = map(self._fault, cleaned, articles)
        return {row: reason for row, reason in enumerate(reasons) if reason is not None}

    def _fault(self, article: str, whole: str) -> Reason | None:
        if not article:
            return Reason.EMPTY_SOURCE
        if len(article) < self._config.min_source_length:
            return Reason.SHORT_SOURCE
        return Reason.HELD_OUT if self._held_out(whole) else None

    def _pair(self, texts: Sequence[str]) -> Pair | Reason:
        (article,) = texts
        return pseudo_pair(article, self._config) or Reason.NO_SENTENCE
