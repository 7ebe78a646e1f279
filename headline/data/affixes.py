"""Affixes of headlines: names of sites, columns and tags at either end of many.

They are found by counting: an affix is set apart by brackets or a sign, and many
headlines have it. It is no affix if the articles of these headlines contain its words
more often than other articles do; then it is what they are about.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from headline.settings.clean import CleanConfig

START, END = "start", "end"
LEAST = 2  # characters that must be left of a headline
# By how much more of an affix, in pairs of characters, own articles may contain than
# others. Columns such as ``（经济观察）`` reach 0.2, topics such as ``（进博会）`` 0.6.
LIFT = 0.4
COMPARED = 2000  # articles that an affix is compared with
FEWEST, SHARE = 8, 0.001  # headlines that must have an affix: at least, and of all
LONGEST = 16  # characters of the longest affix, without brackets and signs

_BRACKETS = "（(［[【", "）)］]】"
_NAME = rf"[^{re.escape(''.join(_BRACKETS))}_|｜丨]{{1,{LONGEST}}}"
_BRACKETED = rf"[{re.escape(_BRACKETS[0])}]{_NAME}[{re.escape(_BRACKETS[1])}]"
_SUFFIXES = (
    re.compile(rf"(?P<affix>{_BRACKETED})$"),
    # The last sign alone: the others come off in further rounds.
    re.compile(rf"(?P<affix> ?[_|｜丨—-]+ ?(?P<name>[^_|｜丨—\-]{{2,{LONGEST}}}))$"),
)
_PREFIXES = (
    re.compile(rf"(?P<affix>{_BRACKETED})"),
    re.compile(rf"(?P<affix>(?P<name>{_NAME})[|｜丨])"),
    re.compile(r"(?P<affix>(?P<name>[^：:，。！？“” ]{2,10})[：:])"),
)
# A text before a colon is often a speaker or a matter of style, such as ``快讯：``. It
# goes only if it ends as names of media do.
_MEDIUM = re.compile(
    "(?:[日晚早晨时周快]报|[网台社]|在线|新闻|电视|客户端|频道|周刊|传媒)$"
)


_PARTS = "一二三四五六七八九十百上中下第期篇辑集讲"  # numbers of parts, as in （上）


class Affix(NamedTuple):
    """A text at one end of headlines."""

    text: str
    end: str  # START or END


class Candidate(NamedTuple):
    """A text that many headlines have at one end."""

    affix: Affix
    pairs: int  # of the sample
    problem: str  # why it stays; "" if it is removed


@dataclass(frozen=True)
class HeadlineRules:
    """The affixes that are removed from headlines."""

    affixes: Sequence[Affix] = ()

    def removals(self, headline: str) -> list[tuple[Affix, str]]:
        """Returns the affixes that are removed, each with the headline after that."""
        removed: list[tuple[Affix, str]] = []
        while headline.startswith(self._starts) or headline.endswith(self._ends):
            affix = self._longest_of(headline)
            rest = without(headline, affix)
            if len(rest) < LEAST:
                break
            headline = rest
            removed.append((affix, rest))
        return removed

    def _longest_of(self, headline: str) -> Affix:
        """Returns the longest affix of a headline that has one."""
        found = [
            Affix(text, START) for text in self._starts if headline.startswith(text)
        ]
        found += [Affix(text, END) for text in self._ends if headline.endswith(text)]
        return max(found, key=lambda affix: (len(affix.text), affix))

    @cached_property
    def _starts(self) -> tuple[str, ...]:
        return tuple(affix.text for affix in self.affixes if affix.end == START)

    @cached_property
    def _ends(self) -> tuple[str, ...]:
        return tuple(affix.text for affix in self.affixes if affix.end == END)


NO_AFFIXES = HeadlineRules()


def without(headline: str, affix: Affix) -> str:
    """Returns the headline without an affix, or unchanged if it has none."""
    if affix.end == START:
        return headline.removeprefix(affix.text).lstrip()
    return headline.removesuffix(affix.text).rstrip()


def learn_affixes(
    headlines: Sequence[str], articles: Sequence[str], config: CleanConfig
) -> tuple[HeadlineRules, list[Candidate]]:
    """Finds the affixes of a sample of headlines and their articles.

    Returns:
        the affixes to remove, those of the user included, and all candidates.
    """
    asked = [Affix(text, end) for text in config.strip_affix for end in (START, END)]
    affixes = list(dict.fromkeys(asked))
    candidates: list[Candidate] = []
    while True:  # each round uncovers the affixes behind those of the one before
        rules = HeadlineRules(affixes)
        headlines = [_stripped(headline, rules) for headline in headlines]
        known = {candidate.affix for candidate in candidates}
        found = [
            one
            for one in _candidates(headlines, articles, config.keep_affix)
            if one.affix not in known
        ]
        candidates += found
        new = [one.affix for one in found if not one.problem]
        affixes += new
        if not new:
            return rules, sorted(candidates, key=lambda one: (-one.pairs, one.affix))


def _stripped(headline: str, rules: HeadlineRules) -> str:
    removed = rules.removals(headline)
    return removed[-1][1] if removed else headline


def _candidates(
    headlines: Sequence[str], articles: Sequence[str], keep: Sequence[str]
) -> Iterator[Candidate]:
    places: dict[Affix, list[int]] = defaultdict(list)
    for place, headline in enumerate(headlines):
        for affix in _at_ends(headline):
            places[affix].append(place)
    fewest = enough(len(headlines))
    for affix, carriers in places.items():
        if len(carriers) >= fewest:
            problem = _problem(affix, carriers, articles, keep)
            yield Candidate(affix, len(carriers), problem)


def enough(total: int) -> int:
    """Returns how many texts of a sample must share what counts as boilerplate."""
    return max(FEWEST, round(SHARE * total))


def _at_ends(headline: str) -> Iterator[Affix]:
    for end, forms in ((START, _PREFIXES), (END, _SUFFIXES)):
        for form in forms:
            match = form.match if end == START else form.search
            if (found := match(headline)) and len(found["affix"]) < len(headline):
                yield Affix(found["affix"], end)


def _problem(
    affix: Affix, carriers: Sequence[int], articles: Sequence[str], keep: Sequence[str]
) -> str:
    """Returns why an affix stays; "" if it is to be removed."""
    name = name_of(affix.text)
    if affix.text in keep or name in keep:
        return "kept by --keep-affix"
    if not any(one.isalpha() and one not in _PARTS for one in name):
        return "number"
    if affix.text.endswith(("：", ":")) and not _MEDIUM.search(name):
        return "speaker or style"
    own = [articles[place] for place in carriers[:COMPARED]]
    others = _others(carriers, articles)
    if _share(name, own) - _share(name, others) > LIFT:
        return "topic of its articles"
    return ""


def name_of(affix: str) -> str:
    """Returns an affix without its brackets and signs."""
    return affix.strip(" _|｜丨—-：:" + "".join(_BRACKETS))


def _others(carriers: Sequence[int], articles: Sequence[str]) -> list[str]:
    """Returns evenly spaced articles whose headlines lack the affix."""
    having = set(carriers)
    lacking = [place for place in range(len(articles)) if place not in having]
    step = max(1, len(lacking) // COMPARED)
    return [articles[place] for place in lacking[::step]]


def _share(name: str, articles: Sequence[str]) -> float:
    """Returns the mean share of the name's pairs of characters that articles have."""
    grams = {name[at : at + 2] for at in range(max(1, len(name) - 1))}
    found = sum(gram in article for article in articles for gram in grams)
    return found / max(1, len(articles) * len(grams))
