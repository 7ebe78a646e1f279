"""How good headlines are: ROUGE over characters, and the Lead baseline.

Chinese has no spaces between words, so a token of the usual ROUGE tools would be a
whole clause, or nothing at all. Here every character counts, whitespace does not.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean


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


def mean_rouge(headlines: Sequence[str], references: Sequence[str]) -> Rouge:
    """Returns the mean of ``rouge`` over the pairs; of no pairs, 0."""
    scores = [rouge(*pair) for pair in zip(headlines, references, strict=True)]
    if not scores:
        return Rouge(0.0, 0.0, 0.0)
    return Rouge(
        fmean(score.rouge_1 for score in scores),
        fmean(score.rouge_2 for score in scores),
        fmean(score.rouge_l for score in scores),
    )


def lead(article: str, length: int) -> str:
    """Returns the first ``length`` characters of the article, the usual baseline."""
    return article[:length]


def longest_common_subsequence(first: str, second: str) -> int:
    """Returns the length of the longest common subsequence, in characters.

    One bit of an integer for each character of ``first``: a bit turns 0 where the
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


def _characters(text: str) -> str:
    return "".join(text.split())


def _rouge_n(candidate: str, target: str, n: int) -> float:
    grams, wanted = _ngrams(candidate, n), _ngrams(target, n)
    return _f1((grams & wanted).total(), grams.total(), wanted.total())


def _ngrams(text: str, n: int) -> Counter[str]:
    return Counter(text[index : index + n] for index in range(len(text) - n + 1))


def _f1(common: int, found: int, wanted: int) -> float:
    # 2 P R / (P + R) with P = common / found and R = common / wanted.
    return 200.0 * common / (found + wanted) if common else 0.0
