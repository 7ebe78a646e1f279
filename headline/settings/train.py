"""Settings of ``headline train``: how the model is fitted."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal, get_args

from headline.errors import ConfigError
from headline.settings.base import (
    Check,
    Config,
    Device,
    Words,
    choices,
    shortlist_range,
)

Schedule = Literal["linear", "constant"]
OptimizerKind = Literal["adam", "adamw", "rmsprop", "lion", "sgd"]
ClipScope = Literal["model", "weight"]

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
        yield "optimizer", self.optimizer in kinds, choices(OptimizerKind)
        rate = self.learning_rate
        yield "learning_rate", rate is None or 0 < rate < 10, "above 0 and below 10"
        factors = map(_factor_of, self.lr_multiplier)
        within = all(0 <= factor <= 1000 for factor in factors)
        yield "lr_multiplier", within, "PATTERN=FACTOR with factors of 0 to 1000"
        for name in ("lr_multiplier", "freeze"):
            patterns = (_pattern_of(name, word) for word in getattr(self, name))
            yield name, all(map(_compiles, patterns)), "regular expressions"
        yield "warmup_updates", self.warmup_updates >= 0, "at least 0"
        yield "schedule", self.schedule in get_args(Schedule), choices(Schedule)
        yield "shortlist", *shortlist_range(self.shortlist)
        yield "clip_norm", self.clip_norm >= 0, "at least 0"
        scopes = get_args(ClipScope)
        yield "clip_scope", self.clip_scope in scopes, choices(ClipScope)
        rise = self.dropout_epochs
        yield "dropout_epochs", rise is None or 0 <= rise < 1e6, "at least 0"
        weight = self.r_drop
        yield "r_drop", weight is None or 0 <= weight <= 1000, "0 to 1000"
        yield "patience", self.patience >= 0, "at least 0"
        yield "seed", 0 <= self.seed < 2**31, "0 to 2147483647"
        yield "device", self.device in get_args(Device), choices(Device)
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


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return bool(pattern)
