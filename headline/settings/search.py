"""Settings of the search for headlines."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from headline.settings.base import Check, Config, Words, shortlist_range

MOST_HYPOTHESES = 1024  # of an article; and articles of a batch
GPU_BATCH = 1024  # articles searched together on a GPU; fewer if memory is short


@dataclass(frozen=True, kw_only=True)
class DecodeConfig(Config):
    """How headlines are searched. Lengths are in characters, spaces included."""

    beam_size: int = 4
    beam_threshold: float = 2.5  # nats behind the best that end one; 0 turns it off
    length_penalty: float = 0.6  # alpha in Wu et al. 2016, eq. 14; 0 turns it off
    num_headlines: int = 1  # of each article, best first
    consensus: bool = False  # of all hypotheses, those most like the others first
    diversity: float = 0.0  # lambda in Vijayakumar et al. 2018, eq. 4; 0 turns it off
    sample: bool = False  # draw headlines instead of looking for the best
    temperature: float = 1.0  # divides the logits of a sample
    top_p: float = 1.0  # samples keep the likeliest tokens with this much together
    seed: int = 1  # of samples
    batch_size: int = 128  # articles searched together
    shortlist: int = 1024  # tokens that can be written uncopied; 0 for the whole vocab

    min_length: int = 1  # at least 1: a headline is never empty
    max_length: int = 40
    target_length: int = 0  # a wish, 0 for none
    no_repeat_ngram_size: int = 2  # no n tokens stand twice; 0 turns it off
    exact_numbers: bool = True  # numbers and Latin words are the article's own
    prefix: str = ""  # what each headline begins with
    must_include: Words = ()  # words
    avoid: Words = ()  # words

    def _checks(self) -> Iterable[Check]:
        for name in ("beam_size", "num_headlines", "batch_size"):
            within = 1 <= getattr(self, name) <= MOST_HYPOTHESES
            yield name, within, f"1 to {MOST_HYPOTHESES}"
        yield "shortlist", *shortlist_range(self.shortlist)
        yield "max_length", 1 <= self.max_length <= 1000, "1 to 1000"
        most = self.max_length
        within = 1 <= self.min_length <= most
        yield "min_length", within, f"1 to {most} (max_length)"
        within = 0 <= self.target_length <= most
        yield "target_length", within, f"0 to {most} (max_length)"
        within = 0 <= self.beam_threshold <= 1000
        yield "beam_threshold", within, "between 0 and 1000"
        yield "length_penalty", 0 <= self.length_penalty <= 2, "between 0 and 2"
        yield "no_repeat_ngram_size", 0 <= self.no_repeat_ngram_size <= 100, "0 to 100"
        for name in ("must_include", "avoid"):
            yield name, all(map(str.strip, getattr(self, name))), "words, none blank"
        yield from self._choice_checks()

    def _choice_checks(self) -> Iterable[Check]:
        yield "diversity", 0 <= self.diversity <= 100, "between 0 and 100"
        both = self.sample and self.diversity > 0
        yield "diversity", not both, "0 with sample, whose headlines differ anyway"
        alone = not self.consensus or not (self.sample or self.diversity)
        yield "consensus", alone, "off with sample and with diversity"
        yield "temperature", 0 < self.temperature <= 100, "above 0 and at most 100"
        yield "top_p", 0 < self.top_p <= 1, "above 0 and at most 1"
        for name in ("temperature", "top_p"):
            matters = self.sample or getattr(self, name) == 1
            yield name, matters, "1 without sample, for it is of samples"
        yield "seed", 0 <= self.seed < 2**31, "0 to 2147483647"

    @property
    def groups(self) -> int:
        """Groups of hypotheses that keep away from each other's tokens."""
        return self.num_headlines if self.diversity > 0 else 1

    @property
    def group_size(self) -> int:
        """Live hypotheses of each group: enough for all headlines asked for."""
        if self.groups > 1:
            return max(2, -(-self.beam_size // self.groups))
        return max(self.beam_size, self.num_headlines)

    @property
    def searched(self) -> int:
        """Ended hypotheses of an article that the search needs."""
        return self.group_size if self.consensus else self.num_headlines

    @property
    def gives_up(self) -> bool:
        """Whether a hypothesis far behind ends: not where more than the best counts."""
        return self.beam_threshold > 0 and self.searched == 1 and not self.sample

    @property
    def kept(self) -> int:
        """Ended hypotheses of each group to keep."""
        return max(self.group_size, self.num_headlines)

    @cached_property
    def shared(self) -> "DecodeConfig":
        """The settings that articles of one batch share, the others at defaults."""
        plain = {name: getattr(type(self), name) for name in PER_ARTICLE}
        return replace(self, **plain)


# Settings of each article alone; the others are those of a whole search.
PER_ARTICLE = (
    "min_length",
    "max_length",
    "target_length",
    "no_repeat_ngram_size",
    "exact_numbers",
    "prefix",
    "must_include",
    "avoid",
)
