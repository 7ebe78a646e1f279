"""Metrics of headlines: similarity to a reference, faithfulness to the article.

Chinese has no spaces between words, so the usual ROUGE tools would take a whole clause
as one token, or find none. Here each character is a token; whitespace is ignored.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from math import fsum
from statistics import fmean
from typing import Self

from headline.text.names import unsupported_names
from headline.text.spans import numbers_and_words


@dataclass(frozen=True)
class Rouge:
    """Character ROUGE-1, ROUGE-2 and ROUGE-L: F1 times 100.

    Reference: Lin 2004, "ROUGE: A Package for Automatic Evaluation of Summaries",
    sec. 2 (n-grams, clipped counts) and 3.1 (longest common subsequence).
    """

    rouge_1: float
    rouge_2: float
    rouge_l: float

    def to_dict(self) -> dict[str, float]:
        """Returns the scores by name, rounded to two decimals."""
        return {name: round(score, 2) for name, score in asdict(self).items()}


def rouge(headline: str, reference: str) -> Rouge:
    """Scores one headline; two texts without a character in common score 0."""
    candidate, target = _characters(headline), _characters(reference)
    common = longest_common_subsequence(candidate, target)
    return Rouge(
        _rouge_n(candidate, target, 1),
        _rouge_n(candidate, target, 2),
        _f1(common, len(candidate), len(target)),
    )


def bleu_and_chrf(
    headlines: Sequence[str], references: Sequence[str]
) -> dict[str, float]:
    """Returns ``bleu`` and ``chrf`` of a corpus, 0 to 100, computed by sacrebleu.

    BLEU is BLEU-4 over characters (``tok:char``, ``smooth:exp``). ``tok:zh`` would keep
    numbers and Latin words whole, and does not know characters newer than Unicode 4.1.
    chrF is chrF2: character n-grams up to 6, recall weighted twice, no words.

    References: Papineni et al. 2002; Post 2018, "A Call for Clarity in Reporting BLEU
    Scores"; Popović 2015, "chrF".
    """
    # Imported here because it loads lxml and more, and only this function needs it.
    from sacrebleu.metrics.bleu import BLEU
    from sacrebleu.metrics.chrf import CHRF

    # force: no warning that texts look tokenized if they end in " ."
    metrics = {"bleu": BLEU(tokenize="char", force=True), "chrf": CHRF()}
    return {
        name: metric.corpus_score(list(headlines), [list(references)]).score
        for name, metric in metrics.items()
    }


def lead(article: str, length: int) -> str:
    """Returns the first ``length`` characters of the article, a common baseline."""
    return article[:length]


def longest_common_subsequence(first: str, second: str) -> int:
    """Returns the length of the longest common subsequence, in characters.

    An integer holds one bit for each character of ``first``; a bit becomes 0 where the
    subsequence grows. Reference: Hyyrö 2004, "Bit-parallel LCS-length computation
    revisited", fig. 2.
    """
    places: dict[str, int] = {}
    for index, character in enumerate(first):
        places[character] = places.get(character, 0) | 1 << index
    row = full = (1 << len(first)) - 1
    for character in second:
        matches = row & places.get(character, 0)
        row = (row + matches | row - matches) & full
    return len(first) - row.bit_count()


@dataclass(frozen=True)
class Facts:
    """What a headline is compared with: an article and what it consists of."""

    article: str
    characters: frozenset[str]
    bigrams: frozenset[str]
    numbers: frozenset[str]
    latin_words: frozenset[str]

    @classmethod
    def of(cls, article: str) -> Self:
        """Collects them from a whole normalised article."""
        text = _characters(article)
        runs = map(frozenset, numbers_and_words(article))
        return cls(article, frozenset(text), frozenset(_ngrams(text, 2)), *runs)


@dataclass(frozen=True)
class Marks:
    """The counts of one headline; ``rates`` aggregates many.

    A number or a Latin word is unsupported if it is not a whole run of the article, a
    name if ``headline.text.names`` finds no support for it.
    """

    rouge: Rouge
    length: int  # characters
    copied: int  # characters that the article has too
    bigrams: int
    copied_bigrams: int
    unsupported_numbers: tuple[str, ...]
    unsupported_latin: tuple[str, ...]
    unsupported_names: tuple[str, ...]
    repeated_bigrams: bool  # some bigram occurs twice
    exact: bool  # equal to the reference, character for character

    def fractions(self) -> dict[str, tuple[float, float]]:
        """Returns numerator and denominator of the headline in each metric.

        Over many headlines, a metric is the sum of the numerators divided by the sum of
        the denominators. This is a mean over headlines; for the copy rates it is a mean
        over characters or bigrams.
        """
        return {
            **{name: (score, 1.0) for name, score in asdict(self.rouge).items()},
            "length": (self.length, 1.0),
            "copy_rate": (100.0 * self.copied, self.length),
            "copy_rate_bigrams": (100.0 * self.copied_bigrams, self.bigrams),
            "unsupported_numbers": (100.0 * bool(self.unsupported_numbers), 1.0),
            "unsupported_latin": (100.0 * bool(self.unsupported_latin), 1.0),
            "unsupported_names": (100.0 * bool(self.unsupported_names), 1.0),
            "repeated_bigrams": (100.0 * self.repeated_bigrams, 1.0),
            "exact": (100.0 * self.exact, 1.0),
        }


def mark(headline: str, reference: str, facts: Facts) -> Marks:
    """Compares a headline with its reference and with its article."""
    text = _characters(headline)
    bigrams = _ngrams(text, 2)
    numbers, words = numbers_and_words(headline)
    return Marks(
        rouge=rouge(headline, reference),
        length=len(text),
        copied=sum(character in facts.characters for character in text),
        bigrams=len(bigrams),
        copied_bigrams=sum(bigram in facts.bigrams for bigram in bigrams),
        unsupported_numbers=_without(numbers, facts.numbers),
        unsupported_latin=_without(words, facts.latin_words),
        unsupported_names=tuple(
            name.text for name in unsupported_names(headline, facts.article)
        ),
        repeated_bigrams=len(set(bigrams)) < len(bigrams),
        exact=text == _characters(reference),
    )


def rates(marks: Sequence[Marks]) -> dict[str, float]:
    """Returns each metric of ``Marks.fractions`` over many headlines; {} for none."""
    parts: dict[str, list[tuple[float, float]]] = {}
    for one in marks:
        for name, part in one.fractions().items():
            parts.setdefault(name, []).append(part)
    return {name: _ratio(pairs) for name, pairs in parts.items()}


def _ratio(parts: Sequence[tuple[float, float]]) -> float:
    above, below = (fsum(side) for side in zip(*parts, strict=True))
    return above / below if below else 0.0


def _without(runs: Sequence[str], known: frozenset[str]) -> tuple[str, ...]:
    return tuple(run for run in runs if run not in known)


def _characters(text: str) -> str:
    return "".join(text.split())


def _rouge_n(candidate: str, target: str, n: int) -> float:
    grams, wanted = Counter(_ngrams(candidate, n)), Counter(_ngrams(target, n))
    return _f1((grams & wanted).total(), grams.total(), wanted.total())


def _ngrams(text: str, n: int) -> list[str]:
    return [text[index : index + n] for index in range(len(text) - n + 1)]


def _f1(common: int, found: int, wanted: int) -> float:
    # 2 P R / (P + R) with P = common / found and R = common / wanted.
    return 200.0 * common / (found + wanted) if common else 0.0


def choice(headlines: Sequence[str]) -> dict[str, float]:
    """Measures how much the headlines of one article differ.

    Returns:
        ``different``: the number of distinct headlines. ``distinct_2``: distinct
        bigrams as a share of all bigrams, in percent (Li et al. 2016, "A
        Diversity-Promoting Objective Function", sec. 5). ``pairwise_rouge_l``: mean
        ROUGE-L between two headlines, 100 if there is only one.
    """
    bigrams = [gram for text in headlines for gram in _ngrams(_characters(text), 2)]
    pairs = [rouge(*pair).rouge_l for pair in combinations(headlines, 2)]
    return {
        "different": float(len(set(headlines))),
        "distinct_2": 100 * len(set(bigrams)) / max(1, len(bigrams)),
        "pairwise_rouge_l": fmean(pairs) if pairs else 100.0,
    }
