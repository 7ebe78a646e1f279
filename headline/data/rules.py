"""What ``prepare`` has learned of a corpus before it cleans it."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from operator import ne

import numpy as np
from numpy.typing import NDArray

from headline.data.affixes import (
    NO_AFFIXES,
    Candidate,
    HeadlineRules,
    enough,
    learn_affixes,
)
from headline.data.frames import learn_articles
from headline.settings.clean import CleanConfig
from headline.text.boilerplate import NO_RULES, ArticleRules
from headline.text.normalise import code_points

_CODE_POINTS = 0x110000


def _no_weights() -> NDArray[np.float32]:
    return np.zeros(_CODE_POINTS, np.float32)


@dataclass(frozen=True)
class Rules:
    """The rules of a corpus.

    Attributes:
        headlines: what is removed from headlines.
        articles: what is removed from articles, by the model as well.
        candidates: what many headlines have at an end, removed or not.
        kept: the candidates that stay in headlines; first lines and other headlines
            that lack them still count as the same.
        weights: the weight of each code point in the overlap, shape ``(0x110000,)``:
            its inverse document frequency; 0 for signs and spaces.
        sampled: the number of pairs that the rules are learned from.
    """

    headlines: HeadlineRules = NO_AFFIXES
    articles: ArticleRules = NO_RULES
    candidates: Sequence[Candidate] = ()
    kept: HeadlineRules = NO_AFFIXES
    weights: NDArray[np.float32] = field(default_factory=_no_weights)
    sampled: int = 0


def learn(
    headlines: Sequence[str], articles: Sequence[str], config: CleanConfig
) -> Rules:
    """Learns the rules from a sample of normalised headlines and their articles."""
    affixes, candidates = learn_affixes(headlines, articles, config)
    kept = HeadlineRules([one.affix for one in candidates if one.problem])
    without_titles = [
        NO_RULES.clean(article, forms_of(forms_of([headline], affixes), kept))
        for headline, article in zip(headlines, articles, strict=True)
    ]
    leaks = sum(map(ne, articles, without_titles))
    found = replace(
        learn_articles(without_titles), titles=leaks >= enough(len(articles))
    )
    weights = _weights(map(found.clean, without_titles))
    return Rules(affixes, found, candidates, kept, weights, len(articles))


def forms_of(headlines: Sequence[str], rules: HeadlineRules) -> list[str]:
    """Returns all forms of a headline, the last one without any affixes.

    Args:
        headlines: the forms so far, the shortest one last.
    """
    found = rules.removals(headlines[-1])
    return [*headlines, *(rest for _, rest in found)] if found else [*headlines]


def _weights(articles: Iterable[str]) -> NDArray[np.float32]:
    """Returns log(N / (1 + n)) of characters that n of N articles contain."""
    counts: Counter[str] = Counter()
    total = 0
    for article in articles:
        counts.update(set(article))
        total += 1
    weights = np.full(_CODE_POINTS, np.log(total + 1.0), np.float32)
    for character, number in counts.items():
        weights[ord(character)] = max(0.0, np.log((total + 1.0) / (number + 1.0)))
    weights[_signs()] = 0
    return weights


def _signs() -> NDArray[np.uint32]:
    """Returns the code points that are no letters or digits."""
    everything = "".join(map(chr, range(_CODE_POINTS)))
    return code_points("".join(re.findall(r"[\W_]+", everything)))


def overlaps(
    targets: Sequence[str], sources: Sequence[str], weights: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Returns the share of each headline's characters that its article contains.

    Characters count by their weights; a headline without any gets 1.
    """
    both = targets, sources
    target_codes, source_codes = (code_points("".join(texts)) for texts in both)
    target_rows, source_rows = map(_rows_of, both)
    # A column of ``contained`` for each character of a headline; 0 for all others.
    last = int(target_codes.max(initial=0)) + 1
    is_known = np.zeros(last + 1, bool)
    is_known[target_codes] = True
    columns = np.where(is_known, np.cumsum(is_known, dtype=np.int32), 0)
    width = columns.max() + np.int32(1)
    contained = np.zeros(len(targets) * int(width), bool)
    contained[source_rows * width + columns[np.minimum(source_codes, last)]] = True
    found = contained[target_rows * width + columns[target_codes]]
    of_each = weights[target_codes].astype(np.float64)
    total = np.bincount(target_rows, of_each, len(targets))
    shared = np.bincount(target_rows[found], of_each[found], len(targets))
    return np.where(total > 0, shared / np.where(total > 0, total, 1), 1.0)


def _rows_of(texts: Sequence[str]) -> NDArray[np.int32]:
    """Returns the index of the text of each character, all texts one after another."""
    return np.repeat(np.arange(len(texts), dtype=np.int32), [*map(len, texts)])
