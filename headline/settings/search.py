"""Settings of the search for headlines."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from headline.settings.base import (
    SEED,
    SHORTLIST,
    Check,
    Config,
    Range,
    Values,
    Words,
    setting,
)

MOST_HYPOTHESES = 1024  # per article; also the most articles per batch
GPU_BATCH = 1024  # articles searched together on a GPU; fewer if memory is short

_CONTENT, _SEARCH, _SAMPLES = "Limits on headlines", "Search", "Random headlines"
_SPEED, _STYLE, _TRUST = "Speed", "Headline styles", "Confidence"
_SOME = Range(low=1, high=MOST_HYPOTHESES)


@dataclass(frozen=True, kw_only=True)
class DecodeConfig(Config):
    """Settings of the search. Lengths are in characters, spaces included."""

    section = "search"

    beam_size: int = setting(
        4,
        "Number of hypotheses kept at each step (1: greedy search).",
        group=_SEARCH,
        level="basic",
        range=_SOME,
    )
    beam_threshold: float = setting(
        2.5,
        "Drop a hypothesis this many nats behind the best (0: never). Has no effect on"
        " several headlines per article, --consensus, --sample, --prefix,"
        " --must-include and --avoid.",
        group=_SPEED,
        unit="nats",
        range=Range(low=0, high=1000),
    )
    # alpha in Wu et al. 2016, eq. 14
    length_penalty: float = setting(
        0.6,
        "Alpha in rank = log P / ((5 + length) / 6)^alpha. Higher favours longer"
        " headlines (0: off).",
        group=_SEARCH,
        range=Range(low=0, high=2),
    )
    num_headlines: int = setting(
        1,
        "Number of headlines per article, best first; with --sample, in the order in"
        " which they are drawn.",
        group=_SEARCH,
        level="basic",
        range=_SOME,
    )
    consensus: bool = setting(
        False,
        "Rank headlines not by their own probability but by their mean ROUGE-1 with all"
        " headlines that the beam has found, weighted by probability.",
        group=_SEARCH,
    )
    # lambda in Vijayakumar et al. 2018, eq. 4
    diversity: float = setting(
        0.0,
        "With --num-headlines above 1: nats that a token loses for each hypothesis of"
        " the article's earlier headlines that took it at the same step (0: off).",
        group=_SEARCH,
        range=Range(low=0, high=100),
    )
    sample: bool = setting(
        False,
        "Draw headlines at random, no two alike, instead of searching for the best.",
        group=_SAMPLES,
        level="basic",
    )
    temperature: float = setting(
        1.0,
        "With --sample: divide the logits by this. Below 1 prefers likely tokens, above"
        " 1 evens them out.",
        group=_SAMPLES,
        range=Range(above=0, high=100),
    )
    top_p: float = setting(
        1.0,
        "With --sample: draw only from the likeliest tokens that together have this"
        " probability (1: all).",
        group=_SAMPLES,
        range=Range(above=0, high=1),
    )
    seed: int = setting(
        1, "Random seed for --sample, --style and --styles.", group=_SAMPLES, range=SEED
    )
    style: str = setting(
        "",
        "Write in this headline style of the model: its number or name, see `headline"
        " styles -m MODEL_DIR`.",
        group=_STYLE,
        level="basic",
    )
    styles: bool = setting(
        False,
        "Write one headline in each style of the model, the likeliest style first;"
        " --num-headlines 2 or more limits how many.",
        group=_STYLE,
        level="basic",
    )
    by_chance: bool = setting(
        False,
        "Look for the headlines of all styles without the style, and only choose them"
        " by it.",
        level="internal",
    )
    with_confidence: bool = setting(
        False,
        "Estimate for each headline the chance in percent that it is good: that its"
        " ROUGE-L with an editor's headline would be at least 50, or what the model was"
        " fitted with.",
        group=_TRUST,
        level="basic",
    )
    min_confidence: float = setting(
        0.0,
        "Leave headlines with a lower confidence blank (0: none). The confidence is"
        " written, too.",
        group=_TRUST,
        unit="percent",
        range=Range(low=0, high=100),
    )
    batch_size: int = setting(
        128,
        f"Number of articles per batch (if left out, {GPU_BATCH} on a GPU). A batch of"
        " long articles has fewer.",
        group=_SPEED,
        unit="articles",
        range=_SOME,
    )
    shortlist: int = setting(
        1024,
        "Choose each token from this many frequent ones plus all those of the article"
        " (0: from the whole vocabulary, which is slower).",
        group=_SPEED,
        unit="tokens",
        range=SHORTLIST,
    )

    # A headline is never empty.
    min_length: int = setting(
        1,
        "Shortest headline, in characters.",
        group=_CONTENT,
        unit="characters",
        range=Range(low=1),
    )
    max_length: int = setting(
        40,
        "Longest headline, in characters.",
        group=_CONTENT,
        level="basic",
        unit="characters",
        range=Range(low=1, high=1000),
    )
    target_length: int = setting(
        0,
        "Preferred length in characters; a headline may miss it (0: no preference).",
        group=_CONTENT,
        unit="characters",
        range=Range(low=0),
    )
    no_repeat_ngram_size: int = setting(
        2,
        "Never write an n-gram of this many tokens twice in a headline (0: allow it).",
        group=_CONTENT,
        unit="tokens",
        range=Range(low=0, high=100),
    )
    exact_numbers: bool = setting(
        True,
        "Write a number, a Latin word, an emoji or a code such as C919 only if the"
        " article has exactly that one: 12 is not in 2012.",
        group=_CONTENT,
    )
    exact_names: bool = setting(
        True,
        "Write a name of a person, place or organisation only if the article has it, or"
        " what it is short for. Articles with others are searched again.",
        group=_CONTENT,
    )
    prefix: str = setting(
        "", "Begin each headline with this text.", group=_CONTENT, level="basic"
    )
    must_include: Words = setting(
        (),
        "Put this word into each headline; repeat the option for more words.",
        group=_CONTENT,
        level="basic",
        unit="word",
    )
    avoid: Words = setting(
        (),
        "Never write this word; repeat the option for more words.",
        group=_CONTENT,
        level="basic",
        unit="word",
    )

    def _checks(self) -> Iterable[Check]:
        most = self.max_length
        yield "min_length", self.min_length <= most, f"1 to {most} (max_length)"
        yield "target_length", self.target_length <= most, f"0 to {most} (max_length)"
        for name in ("must_include", "avoid"):
            yield name, all(map(str.strip, getattr(self, name))), "words, none blank"
        both = self.sample and self.diversity > 0
        yield "diversity", not both, "0 with sample, whose headlines differ anyway"
        alone = not self.consensus or not (self.sample or self.diversity)
        yield "consensus", alone, "off with sample and with diversity"
        yield "style", not (self.style and self.styles), "left out with styles"
        others = self.sample or self.diversity or self.consensus
        words = "with sample, diversity and consensus"
        yield "style", not (self.style and others), f"left out {words}"
        yield "styles", not (self.styles and others), f"off {words}"
        for name in ("with_confidence", "min_confidence"):
            plain = not (self.in_styles and getattr(self, name))
            yield name, plain, f"{getattr(type(self), name)} with style and styles"
        for name in ("temperature", "top_p"):
            matters = self.sample or getattr(self, name) == 1
            yield name, matters, "1 without sample: it only applies to samples"

    @property
    def wants_confidence(self) -> bool:
        """Whether the confidence of headlines is estimated."""
        return self.with_confidence or self.min_confidence > 0

    @property
    def in_styles(self) -> bool:
        """Whether headlines are written in one style, or in each."""
        return bool(self.style) or self.styles

    def written(self, styles: int) -> int:
        """Returns the most headlines that an article gets.

        Args:
            styles: number of styles of the model.
        """
        if not self.styles:
            return self.num_headlines
        return styles if self.num_headlines == 1 else min(styles, self.num_headlines)

    @property
    def groups(self) -> int:
        """Number of groups of hypotheses; each avoids the tokens of the others."""
        return self.num_headlines if self.diversity > 0 else 1

    @property
    def group_size(self) -> int:
        """Number of live hypotheses per group, enough for all wanted headlines."""
        if self.groups > 1:
            return max(2, -(-self.beam_size // self.groups))
        return max(self.beam_size, self.num_headlines)

    @property
    def searched(self) -> int:
        """Number of ended hypotheses that the search needs per article."""
        return self.group_size if self.consensus else self.num_headlines

    @property
    def gives_up(self) -> bool:
        """Whether to prune hypotheses far behind; only if one headline is wanted."""
        return self.beam_threshold > 0 and self.searched == 1 and not self.sample

    @property
    def kept(self) -> int:
        """Number of ended hypotheses to keep per group."""
        return max(self.group_size, self.num_headlines)

    @cached_property
    def shared(self) -> "DecodeConfig":
        """The settings that all articles of a batch share; the rest are at defaults."""
        plain = {name: getattr(type(self), name) for name in PER_ARTICLE}
        return replace(self, **plain, with_confidence=self.wants_confidence)


# Settings that may differ between articles; the others hold for a whole search.
PER_ARTICLE = (
    "min_length",
    "max_length",
    "target_length",
    "no_repeat_ngram_size",
    "exact_numbers",
    "exact_names",
    "prefix",
    "must_include",
    "avoid",
    "min_confidence",
)


def over(below: Values, above: Values) -> Values:
    """Merges settings; ``above`` wins and switches off what it conflicts with."""
    ways: Values = {}
    styled = above.get("style") or above.get("styles")
    if styled or above.get("sample") or above.get("diversity"):
        ways["consensus"] = False
    if styled or any(map(above.get, ("sample", "diversity", "consensus"))):
        ways |= {"style": "", "styles": False}
    if styled:
        ways |= {"sample": False, "diversity": 0.0, "temperature": 1.0, "top_p": 1.0}
    if above.get("sample") is False:
        ways |= {"temperature": 1.0, "top_p": 1.0}
    return below | ways | above
