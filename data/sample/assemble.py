"""Puts an article together from a variant's sentences and fillers."""

import math
import random
import re
from dataclasses import dataclass, field

from data.sample.fill import Slots, Words
from data.sample.kinds import Kind, Variant, load_kinds, load_words

MIN_LENGTH, MAX_LENGTH = 60, 400
MIN_TITLE, MAX_TITLE = 8, 28

_RUN = re.compile(r"[0-9.]+%?|[A-Za-z]+")
_MEDIAN_TARGET, _SPREAD = 140, 0.5
_BEFORE_SHARE = 0.4
_BETWEEN_SHARE = 0.15
_QUOTE_COUNT, _LATE_COUNT = 2, 1

_LEADS = (
    "",
    "",
    "据{media}消息，",
    "记者从{org}[了解到|获悉]，",
    "记者[昨日|今日|近日|日前]从{org}获悉，",
)
_DATED_LEADS = (
    "{date}，",
    "{date}[上午|下午]，",
    "据{media}{date}报道，",
    "记者{date}从{org}获悉，",
)
_QUOTES = (
    "“{quote}。”{who}{person9}[说|介绍说|表示|告诉记者]。",
    "{who}{person9}[表示|介绍|说]，{quote}。",
    "[谈到|说起]这件事，{who}{person9}说：“{quote}。”",
)


@dataclass(frozen=True)
class Pair:
    """A headline and its article, and the theme of its kind of event."""

    title: str
    content: str
    theme: str = field(default="", compare=False)


class Newsroom:
    """Writes pairs, with chance as its only editor."""

    def __init__(self, seed: int) -> None:
        self._rng = random.Random(seed)
        self._words: Words = load_words()
        self._kinds = load_kinds()

    def write(self) -> Pair:
        """One pair about a random kind of event."""
        kind = self._rng.choice(self._kinds)
        variant = self._rng.choice(kind.variants)
        slots = Slots(self._rng, self._words, kind.slots)
        title = slots.fill(variant.title)
        return Pair(title, self._article(kind, variant, slots), kind.theme)

    def _article(self, kind: Kind, variant: Variant, slots: Slots) -> str:
        """Sentences in order: maybe some background, the key ones, fillers."""
        sentences = [slots.fill(sentence) for sentence in variant.key]
        if variant.lead:
            sentences[0] = self._lead(slots, sentences) + sentences[0]
        opening, *background = self._rng.sample(kind.before, 1 + _LATE_COUNT)
        fillers = self._fillers(kind, background, slots)
        if self._rng.random() < _BETWEEN_SHARE:
            sentences.insert(1, fillers.pop())
        if self._rng.random() < _BEFORE_SHARE:
            sentences.insert(0, slots.fill(opening))
        return "".join(self._lengthened(sentences, fillers))

    def _lead(self, slots: Slots, sentences: list[str]) -> str:
        """What the first key sentence opens with; one date an article is enough."""
        dated = any("日" in sentence for sentence in sentences)
        return slots.fill(self._rng.choice(_LEADS if dated else _LEADS + _DATED_LEADS))

    def _lengthened(self, sentences: list[str], fillers: list[str]) -> list[str]:
        """The sentences and as many fillers as a random length asks for."""
        target = self._rng.lognormvariate(math.log(_MEDIAN_TARGET), _SPREAD)
        length = sum(map(len, sentences))
        for filler in fillers:
            if length >= target or length + len(filler) > MAX_LENGTH:
                break
            sentences.append(filler)
            length += len(filler)
        return sentences

    def _fillers(self, kind: Kind, background: list[str], slots: Slots) -> list[str]:
        """All that could be said besides, in a random order."""
        rng = self._rng
        quotes = [
            rng.choice(_QUOTES).replace("{quote}", quote)
            for quote in rng.sample(kind.quotes, _QUOTE_COUNT)
        ]
        fillers = [*quotes, *kind.after, *background]
        return [slots.fill(text) for text in rng.sample(fillers, len(fillers))]


def runs(text: str) -> set[str]:
    """The numbers and Latin words of a text, each as a whole run."""
    return set(_RUN.findall(text))


def is_sound(pair: Pair) -> bool:
    """Whether the lengths are in range and the headline is no copied sentence."""
    return (
        MIN_LENGTH <= len(pair.content) <= MAX_LENGTH
        and MIN_TITLE <= len(pair.title) <= MAX_TITLE
        and runs(pair.title) <= runs(pair.content)
        and not pair.content.startswith(pair.title)
        and "".join(pair.title.split()) not in pair.content
    )


def make_pairs(count: int, seed: int) -> list[Pair]:
    """`count` sound pairs, no headline and no article among them twice."""
    newsroom = Newsroom(seed)
    titles: set[str] = set()
    pairs: list[Pair] = []
    while len(pairs) < count:
        pair = newsroom.write()
        if is_sound(pair) and pair.title not in titles:
            titles.add(pair.title)
            pairs.append(pair)
    return pairs
