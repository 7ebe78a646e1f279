"""Every setting, its default and its range: frozen dataclasses that cannot be wrong."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cached_property
from itertools import chain
from pathlib import Path
from types import UnionType
from typing import Any, Literal, Self, get_args

from headline.errors import ConfigError

TokenizerKind = Literal["char", "word"]
Schedule = Literal["linear", "constant"]
Device = Literal["auto", "cpu", "gpu"]
OptimizerKind = Literal["adam", "adamw", "rmsprop", "lion", "sgd"]
ClipScope = Literal["model", "weight"]

Check = tuple[str, bool, str]
Words = tuple[str, ...]

# Of the network, the same in the Keras layers and in NumPy.
NORM_EPSILON = 1e-5
LEAKY_SLOPE = 0.2
# Times the largest vocab, it stays below 2^31.
BIGRAM_FACTOR = 1021

# The highest learning rate of each optimizer, unless one is given.
RATES: Mapping[OptimizerKind, float] = {
    "adam": 4e-3,
    "adamw": 4e-3,
    "rmsprop": 2e-3,
    "lion": 5e-4,
    "sgd": 0.5,
}

# Fewer pairs are read twice in an update, if there are as many minutes, and with all
# dropout from the first: see ``fitted``.
FEW_PAIRS = 10_000
LEAST_MINUTES = 3.0
DROPOUT_EPOCHS = 4.0  # of many pairs

EPOCHS, MOST_EPOCHS = 20, 100_000  # of a training without a limit of minutes; of any

LEAST_SHORTLIST = 5  # tokens that mean something begin behind four special ones
MOST_WEIGHT = 1000.0  # of a corpus
MOST_HYPOTHESES = 1024  # of an article; and articles of a batch
GPU_BATCH = 1024  # articles searched together on a GPU; fewer if memory is short


@dataclass(frozen=True, kw_only=True)
class Config:
    """What all settings share: checks on making one, and the way to a dict and back."""

    def __post_init__(self) -> None:
        self._take_lists()
        # One after the other: a range can only be looked at once the type is right.
        for name, valid, wanted in chain(self._type_checks(), self._checks()):
            if not valid:
                got = getattr(self, name)
                raise ConfigError(f"{name} must be {wanted}; got {got!r}", name)

    def _take_lists(self) -> None:
        """Turns the lists that JSON has, and single words, into tuples."""
        for setting in fields(self):
            value = getattr(self, setting.name)
            if setting.type == Words and isinstance(value, list | str):
                words = (value,) if isinstance(value, str) else tuple(value)
                object.__setattr__(self, setting.name, words)

    def _type_checks(self) -> Iterable[Check]:
        for setting in fields(self):
            kind, value = setting.type, getattr(self, setting.name)
            if isinstance(kind, UnionType):  # of a type and None
                if value is None:
                    continue
                kind = get_args(kind)[0]
            if kind in (int, bool, str):  # to Python, True is 1 and 2.0 is 2: not here
                right = type(value) is kind
                yield setting.name, right, f"of type {kind.__name__}"
            elif kind is float:
                right = type(value) in (int, float)
                yield setting.name, right, "a number"
            elif kind == Words:
                right = isinstance(value, tuple) and all(type(v) is str for v in value)
                yield setting.name, right, "a list of words"

    def _checks(self) -> Iterable[Check]:
        """Yields (setting, whether it is valid, what it must be)."""
        return ()

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Makes the settings from a mapping of their names, as read from JSON.

        Raises:
            ConfigError: a name is unknown, a type is wrong or a value out of range.
        """
        if not isinstance(raw, Mapping):
            raise ConfigError(f"settings must stand by their names; got {raw!r}")
        known = {setting.name for setting in fields(cls)}
        for name in raw.keys() - known:
            choices = ", ".join(sorted(known))
            raise ConfigError(f"unknown setting {name!r}; choose from: {choices}")
        try:
            return cls(**raw)
        except TypeError as error:
            raise ConfigError(f"a {cls.__name__} setting has a wrong type") from error

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings by name, ready for JSON."""
        return asdict(self)


def _choices(kind: Any) -> str:
    return "one of " + ", ".join(get_args(kind))


@dataclass(frozen=True, kw_only=True)
class PrepareConfig(Config):
    """How a corpus becomes a dataset. Lengths are in characters."""

    tokenizer: TokenizerKind = "char"
    vocab_size: int = 5000  # with specials; the rarer tokens can only be copied
    min_count: int = 5  # least occurrences in the train split to be generable
    min_source_length: int = 10  # shorter articles are rejected
    max_source_length: int = 400  # longer articles are cut: the lead comes first
    min_target_length: int = 2  # shorter headlines are rejected
    max_target_length: int = 48  # longer headlines are rejected: a cut one misleads
    valid_size: float = 0.03  # share of the articles
    test_size: float = 0.05  # share of the articles

    def _checks(self) -> Iterable[Check]:
        kinds = get_args(TokenizerKind)
        room = "between 0 and 0.5"
        yield "tokenizer", self.tokenizer in kinds, _choices(TokenizerKind)
        # Bounds keep ids in 32 bits and every array within reason.
        yield "vocab_size", 5 <= self.vocab_size <= 1_000_000, "5 to 1000000"
        yield "min_count", self.min_count >= 1, "at least 1"
        for name in ("min_source_length", "min_target_length"):
            yield name, getattr(self, name) >= 1, "at least 1"
        longest = self.max_source_length
        at_least = f"at least {self.min_source_length} (min_source_length)"
        yield "max_source_length", longest >= self.min_source_length, at_least
        longest = self.max_target_length
        at_least = f"at least {self.min_target_length} (min_target_length)"
        yield "max_target_length", longest >= self.min_target_length, at_least
        yield "valid_size", 0 <= self.valid_size <= 0.5, room
        yield "test_size", 0 <= self.test_size <= 0.5, room


@dataclass(frozen=True, kw_only=True)
class ModelConfig(Config):
    """The network. The two presets are flags of this one model."""

    vocab_size: int = 5000
    width: int = 128  # of embedding, encoder states and decoder states
    encoder_layers: int = 1
    decoder_layers: int = 2
    heads: int = 8  # each of width // heads
    dropout: float = 0.2
    token_dropout: float = 0.1  # share of tokens that a training reads as UNK
    pointer: bool = True  # copies from the article: See et al. 2017
    match_length: int = 3  # last tokens of the headline looked for in the article
    bigrams: int = 16384  # embeddings of pairs of neighbours in the article, by hash
    bigram_dropout: float = 0.5  # share of these pairs that a training does not read
    source_prior: bool = False  # learned push towards the article: J. Su 2018
    conditional_norm: bool = False  # decoder norms modulated by the article: the same

    def _checks(self) -> Iterable[Check]:
        yield "vocab_size", 5 <= self.vocab_size <= 1_000_000, "5 to 1000000"
        yield "width", 2 <= self.width <= 8192, "2 to 8192"
        yield "width", self.width % 2 == 0, "even, for its two directions"
        for name in ("encoder_layers", "decoder_layers"):
            yield name, 1 <= getattr(self, name) <= 64, "1 to 64"
        divides = self.heads >= 1 and self.width % self.heads == 0
        yield "heads", divides, f"a divisor of the width {self.width}"
        for name in ("dropout", "token_dropout", "bigram_dropout"):
            yield name, 0 <= getattr(self, name) < 1, "at least 0 and below 1"
        yield "match_length", 0 <= self.match_length <= 16, "0 to 16"
        guided = self.pointer or not self.match_length
        yield "match_length", guided, "0 without a pointer, which it guides"
        yield "bigrams", 0 <= self.bigrams <= 2**24, f"0 to {2**24}"

    @property
    def match_features(self) -> int:
        """What is told of each position: runs up to ``match_length``, and written."""
        return self.match_length + 1 if self.match_length else 0


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
        yield "shortlist", *_shortlist(self.shortlist)
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


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Config):
    """How the model is fitted."""

    epochs: int | None = None  # None: see ``most_epochs``
    max_minutes: float | None = None  # of wall time, validation included
    pretrain_share: float = 0.3  # of updates and time, on pseudo-pairs; 0 skips them
    batch_size: int = 32  # pairs
    accumulate: int = 1  # batches of an update
    optimizer: OptimizerKind = "adam"
    learning_rate: float | None = None  # highest of the schedule; None: see RATES
    lr_multiplier: Words = ()  # PATTERN=FACTOR: rates of the weights of such names
    freeze: Words = ()  # patterns of names of weights that stay as they are
    warmup_updates: int = 200  # linear rise from 0
    schedule: Schedule = "linear"  # after warm-up: fall to 0 at the end, or stay
    shortlist: int = 1024  # tokens in each softmax, beside its labels; 0: the vocab
    clip_norm: float = 1.0  # greatest norm of gradients; 0 turns it off
    clip_scope: ClipScope = "model"  # the norm of all together, or of each weight
    # Over which all dropout rises to its rates; None: see ``fitted``.
    dropout_epochs: float | None = None
    # Weight of the divergence of two passes; 0: one pass; None: see ``fitted``.
    r_drop: float | None = None
    # Epochs without a better ROUGE-L after which it comes to its end; 0: none are.
    patience: int = 8
    seed: int = 1
    device: Device = "auto"
    mixed_precision: bool = False  # bfloat16 products, float32 weights
    checkpoint_minutes: float = 10.0  # within an epoch, at least so far apart
    valid_articles: int = 600  # of the valid split, decoded after each epoch
    samples: int = 4  # headlines shown after each epoch

    def _checks(self) -> Iterable[Check]:
        minutes = self.max_minutes
        epochs = self.epochs
        within = epochs is None or 1 <= epochs <= MOST_EPOCHS
        yield "epochs", within, f"1 to {MOST_EPOCHS}"
        yield "max_minutes", minutes is None or 0 < minutes < 1e6, "above 0"
        within = 0 <= self.pretrain_share < 1
        yield "pretrain_share", within, "at least 0 and below 1"
        yield "batch_size", 1 <= self.batch_size <= 65536, "1 to 65536"
        yield "accumulate", 1 <= self.accumulate <= 65536, "1 to 65536"
        kinds = get_args(OptimizerKind)
        yield "optimizer", self.optimizer in kinds, _choices(OptimizerKind)
        rate = self.learning_rate
        yield "learning_rate", rate is None or 0 < rate < 10, "above 0 and below 10"
        factors = map(_factor_of, self.lr_multiplier)
        within = all(0 <= factor <= 1000 for factor in factors)
        yield "lr_multiplier", within, "PATTERN=FACTOR with factors of 0 to 1000"
        for name in ("lr_multiplier", "freeze"):
            patterns = (_pattern_of(name, word) for word in getattr(self, name))
            yield name, all(map(_compiles, patterns)), "regular expressions"
        yield "warmup_updates", self.warmup_updates >= 0, "at least 0"
        yield "schedule", self.schedule in get_args(Schedule), _choices(Schedule)
        yield "shortlist", *_shortlist(self.shortlist)
        yield "clip_norm", self.clip_norm >= 0, "at least 0"
        scopes = get_args(ClipScope)
        yield "clip_scope", self.clip_scope in scopes, _choices(ClipScope)
        rise = self.dropout_epochs
        yield "dropout_epochs", rise is None or 0 <= rise < 1e6, "at least 0"
        weight = self.r_drop
        yield "r_drop", weight is None or 0 <= weight <= 1000, "0 to 1000"
        yield "patience", self.patience >= 0, "at least 0"
        yield "seed", 0 <= self.seed < 2**31, "0 to 2147483647"
        yield "device", self.device in get_args(Device), _choices(Device)
        minutes = self.checkpoint_minutes
        yield "checkpoint_minutes", 0 < minutes < 1e6, "above 0"
        yield "valid_articles", self.valid_articles >= 1, "at least 1"
        yield "samples", self.samples >= 0, "at least 0"

    def fitted(self, pairs: int, fresh: bool) -> "TrainConfig":
        """Returns the settings with what depends on the corpus.

        Few pairs are learned by heart soon: there must be dropout from the first
        epoch, and two passes over each pair keep that off for longer than they take,
        but for the first minutes; a model that goes on from another has learned before.

        Args:
            pairs: of the train split.
            fresh: whether the training begins with new weights.
        """
        few = pairs < FEW_PAIRS
        long = self.max_minutes is None or self.max_minutes >= LEAST_MINUTES
        weight, rise = self.r_drop, self.dropout_epochs
        if weight is None:
            weight = 1.0 if few and fresh and long else 0.0
        if rise is None:
            rise = 0.0 if few else DROPOUT_EPOCHS
        return replace(self, r_drop=weight, dropout_epochs=rise)

    def halved(self, times: int) -> "TrainConfig":
        """Returns the settings with batches cut in halves, of which as many more make
        the same update.

        Raises:
            ConfigError: a batch cannot be cut so often.
        """
        parts = 1 << times
        if self.batch_size % parts:
            raise ConfigError(
                f"batches of {self.batch_size} pairs cannot be halved {times} times: "
                "give a lower batch_size, and a higher accumulate",
                "batch_size",
            )
        return replace(
            self,
            batch_size=self.batch_size // parts,
            accumulate=self.accumulate * parts,
        )

    @property
    def most_epochs(self) -> int:
        """Passes over the train split after which a training ends at the latest.

        Unless they are given, the minutes alone end a training that has a limit.
        """
        if self.epochs is not None:
            return self.epochs
        return EPOCHS if self.max_minutes is None else MOST_EPOCHS

    @property
    def cooldown_epochs(self) -> int:
        """Epochs in which the rate falls to 0 once ``patience`` is over; 0: none."""
        return -(-self.patience // 2) if self.schedule == "linear" else 0

    @property
    def peak_rate(self) -> float:
        """The highest learning rate: the one given, or the optimizer's own."""
        return self.learning_rate or RATES[self.optimizer]

    @property
    def multipliers(self) -> list[tuple[str, float]]:
        """The patterns of ``lr_multiplier`` with their factors."""
        return [
            (_pattern_of("lr_multiplier", w), _factor_of(w)) for w in self.lr_multiplier
        ]


def _pattern_of(setting: str, word: str) -> str:
    return word.rpartition("=")[0] if setting == "lr_multiplier" else word


def _factor_of(word: str) -> float:
    """Returns the factor of ``PATTERN=FACTOR``; NaN, which is in no range, if none."""
    try:
        return float(word.rpartition("=")[2])
    except ValueError:
        return math.nan


def _shortlist(tokens: int) -> tuple[bool, str]:
    """Returns whether a shortlist can be so long, and what it can be."""
    few = 0 < tokens < LEAST_SHORTLIST
    within = not few and 0 <= tokens <= 1_000_000
    return within, f"0, or {LEAST_SHORTLIST} to 1000000"


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return bool(pattern)


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training: what goes in, how, and where the model goes."""

    data_dir: Path
    model_dir: Path
    preset: str
    model: ModelConfig  # but for vocab_size, which the data says
    train: TrainConfig
    decode: DecodeConfig = field(default_factory=DecodeConfig)
    init_from: Path | None = None  # MODEL_DIR whose weights it starts from
    overwrite: bool = False  # what MODEL_DIR holds
    resume: bool = False  # go on from the last checkpoint in MODEL_DIR
    tensorboard: Path | None = None  # folder for an event file


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A model, the way to train it and the way to search that go together."""

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    decode: DecodeConfig = field(default_factory=DecodeConfig)


PRESETS: Mapping[str, Preset] = {
    "pointer": Preset(),
    # Slower at first, but it comes further: for trainings of an hour. Its headlines
    # take four times the search.
    "large": Preset(
        model=ModelConfig(encoder_layers=2),
        train=TrainConfig(batch_size=64),
        decode=DecodeConfig(beam_size=16, consensus=True),
    ),
    # J. Su 2018, https://kexue.fm/archives/5861: Adam at a constant 1e-3, no dropout,
    # no clipping, batches of 64, eight heads of sixteen.
    "seed": Preset(
        model=ModelConfig(
            encoder_layers=2,
            dropout=0.0,
            token_dropout=0.0,
            pointer=False,
            match_length=0,
            bigrams=0,
            source_prior=True,
            conditional_norm=True,
        ),
        train=TrainConfig(
            batch_size=64,
            learning_rate=1e-3,
            warmup_updates=0,
            schedule="constant",
            shortlist=0,
            clip_norm=0.0,
            r_drop=0.0,
        ),
    ),
}
