"""The words that tell one group of articles from the others, by counting.

A word counts once for each article it is in, so one long article cannot make it
typical.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from math import log

from headline.text.words import cut_by_jieba

FEWEST = 3  # articles of a group that a word must occur in
LONG = 2  # characters of a word; single ones say little


def typical_words(groups: Sequence[Iterable[str]], most: int) -> list[list[str]]:
    """Returns the most typical words of each group of texts, best first.

    The score of a word is its share of the Kullback-Leibler divergence between the
    group and the mean of the groups: p(w|g) log(p(w|g) / p(w)), with p(w|g) the share
    of the texts of g that have the word. It is high for words that are both frequent in
    the group and rarer elsewhere; pointwise mutual information alone, the logarithm,
    would prefer names that occur three times.

    Args:
        groups: the texts of each group, which jieba cuts into words.
        most: the largest number of words for a group.
    """
    shares = [_shares(texts) for texts in groups]
    sums: defaultdict[str, float] = defaultdict(float)
    for one in shares:
        for word, share in one.items():
            sums[word] += share
    means = {word: total / len(shares) for word, total in sums.items()}
    return [_best(one, means, most) for one in shares]


def _shares(texts: Iterable[str]) -> dict[str, float]:
    """Returns the share of the texts that each word occurs in."""
    counts: Counter[str] = Counter()
    total = 0
    for text in texts:
        words = set(cut_by_jieba(text))
        counts.update(word for word in words if len(word) >= LONG and word.isalpha())
        total += 1
    return {word: n / total for word, n in counts.items() if n >= FEWEST}


def _best(
    shares: Mapping[str, float], means: Mapping[str, float], most: int
) -> list[str]:
    scores = {word: share * log(share / means[word]) for word, share in shares.items()}
    typical = (word for word, score in scores.items() if score > 0)
    return sorted(typical, key=lambda word: (-scores[word], word))[:most]
