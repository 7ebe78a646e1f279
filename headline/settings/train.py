"""Settings of ``headline train``: how the model is fitted."""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from headline.errors import ConfigError
from headline.settings.base import (
    SEED,
    SHARE,
    SHORTLIST,
    Check,
    Config,
    Device,
    Range,
    Words,
    setting,
)
from headline.settings.confidence import GOOD_HELP, GOOD_ROUGE_L, PERCENT

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

# Below FEW_PAIRS, R-Drop is on if the training may last LEAST_MINUTES, and dropout is
# full from the start: see ``fitted``.
FEW_PAIRS = 10_000
LEAST_MINUTES = 3.0
DROPOUT_EPOCHS = 4.0  # from FEW_PAIRS on

EPOCHS, MOST_EPOCHS = 20, 100_000  # default without max_minutes; upper limit

_LENGTH, _UPDATES, _DROPOUT = "Training time", "Updates", "Against overfitting"
_MACHINE, _PROGRESS = "Machine", "Checkpoints and samples"
_MANY = Range(low=1, high=65536)
_TIME = Range(above=0, below=1_000_000)


@dataclass(frozen=True, kw_only=True)
class TrainConfig(Config):
    """How the model is fitted."""

    section = "train"

    # None: see ``most_epochs``.
    epochs: int | None = setting(
        None,
        "Stop after this many passes over the training pairs.",
        group=_LENGTH,
        level="basic",
        unit="epochs",
        range=Range(low=1, high=MOST_EPOCHS),
        default_text=f"{EPOCHS}; no limit with --max-minutes",
    )
    max_minutes: float | None = setting(
        None,
        "Stop after this many minutes, validation included. The learning rate falls"
        " towards the end of --epochs or --max-minutes, whichever comes first.",
        group=_LENGTH,
        level="basic",
        unit="minutes",
        range=_TIME,
        default_text="no limit",
    )
    pretrain_share: float = setting(
        0.3,
        "Share of all updates, or of --max-minutes, for pseudo-pairs, which come first"
        " (0: skip them). `headline prepare --unpaired` makes them.",
        group=_LENGTH,
        unit="share",
        range=SHARE,
    )
    batch_size: int = setting(
        32,
        "Number of pairs in a batch.",
        group=_UPDATES,
        level="basic",
        unit="pairs",
        range=_MANY,
    )
    accumulate: int = setting(
        1,
        "Number of batches whose gradients make one update.",
        group=_UPDATES,
        unit="batches",
        range=_MANY,
    )
    optimizer: OptimizerKind = setting(
        "adam",
        "Rule that turns gradients into updates; sgd has a momentum of 0.9.",
        group=_UPDATES,
    )
    learning_rate: float | None = setting(
        None,
        "Highest learning rate; `headline find-lr` proposes one.",
        group=_UPDATES,
        level="basic",
        unit="rate",
        range=Range(above=0, below=10),
        default_text=", ".join(f"{rate:g} {kind}" for kind, rate in RATES.items()),
    )
    lr_multiplier: Words = setting(
        (),
        "Multiply the learning rate of weights whose name has a match of PATTERN, such"
        " as decoder, a regular expression. If several match, the last one given"
        " counts. Repeatable.",
        group=_UPDATES,
        unit="pattern=factor",
    )
    freeze: Words = setting(
        (),
        "Do not train weights whose name has a match of PATTERN, a regular expression"
        " such as embedding, encoder or decoder. Repeatable.",
        group=_UPDATES,
        unit="pattern",
    )
    warmup_updates: int = setting(
        200,
        "Number of updates in which the learning rate rises from 0; in a short training"
        " a fifth of it.",
        group=_UPDATES,
        unit="updates",
        range=Range(low=0),
    )
    schedule: Schedule = setting(
        "linear",
        "Learning rate after the warm-up: linear falls to 0, constant stays.",
        group=_UPDATES,
    )
    shortlist: int = setting(
        1024,
        "Compute the softmax of an update over this many of the most frequent tokens"
        " and those of its headlines (0: the whole vocabulary, which is slower).",
        group=_UPDATES,
        unit="tokens",
        range=SHORTLIST,
    )
    clip_norm: float = setting(
        1.0,
        "Scale gradients down to this norm if theirs is higher (0: never).",
        group=_UPDATES,
        range=Range(low=0),
    )
    clip_scope: ClipScope = setting(
        "model",
        "What --clip-norm limits: the norm of all gradients together (model), or that"
        " of each weight matrix or bias by itself (weight).",
        group=_UPDATES,
    )
    # None: see ``fitted``.
    dropout_epochs: float | None = setting(
        None,
        "Raise all dropout rates from 0 to their full values over this many epochs"
        " (0: full from the start). A shorter training does not reach the full values.",
        group=_DROPOUT,
        unit="epochs",
        range=Range(low=0, below=1_000_000),
        default_text=f"{DROPOUT_EPOCHS:g}; 0 below {FEW_PAIRS:,} pairs",
    )
    # None: see ``fitted``.
    r_drop: float | None = setting(
        None,
        "Weight of the R-Drop loss, the divergence of two passes with different dropout"
        " (0: one pass).",
        group=_DROPOUT,
        range=Range(low=0, high=1000),
        default_text=f"1 if there are fewer than {FEW_PAIRS:,} pairs, no --init-from"
        f" and no --max-minutes below {LEAST_MINUTES:g}; else 0",
    )
    patience: int = setting(
        8,
        "Epochs without a better ROUGE-L after which training ends (0: never). With the"
        " linear schedule, half as many epochs follow, in which the rate falls to 0.",
        group=_LENGTH,
        unit="epochs",
        range=Range(low=0),
    )
    seed: int = setting(
        1,
        "Random seed of weights, dropout and the order of pairs.",
        group=_UPDATES,
        level="basic",
        range=SEED,
    )
    device: Device = setting(
        "auto",
        "Processor to train on; auto takes all GPUs that JAX finds, or the one that"
        " TensorFlow finds.",
        group=_MACHINE,
        level="basic",
    )
    mixed_precision: bool = setting(
        False,
        "Multiply in bfloat16 and keep weights in float32; the processor must support"
        " it.",
        group=_MACHINE,
    )
    checkpoint_minutes: float = setting(
        10.0,
        "Minutes between checkpoints within an epoch. Another one is saved at the end"
        " of each epoch.",
        group=_PROGRESS,
        unit="minutes",
        range=_TIME,
    )
    valid_articles: int = setting(
        600,
        "Number of validation articles that get headlines and scores after each epoch.",
        group=_PROGRESS,
        unit="articles",
        range=Range(low=1),
    )
    good_rouge_l: float = setting(
        GOOD_ROUGE_L, GOOD_HELP, group=_PROGRESS, range=PERCENT
    )
    samples: int = setting(
        4,
        "Number of sample headlines to show after each epoch (0: none).",
        group=_PROGRESS,
        unit="headlines",
        range=Range(low=0),
    )

    def _checks(self) -> Iterable[Check]:
        factors = map(_factor_of, self.lr_multiplier)
        within = all(0 <= factor <= 1000 for factor in factors)
        yield "lr_multiplier", within, "PATTERN=FACTOR with factors of 0 to 1000"
        for name in ("lr_multiplier", "freeze"):
            patterns = (_pattern_of(name, word) for word in getattr(self, name))
            yield name, all(map(_compiles, patterns)), "regular expressions"

    def fitted(self, pairs: int, fresh: bool) -> "TrainConfig":
        """Returns the settings with the defaults that depend on the corpus filled in.

        A model overfits few pairs early, so dropout starts at its full rate. R-Drop
        delays overfitting and is worth its second pass, except in a training of a few
        minutes or one that starts from a trained model.

        Args:
            pairs: number of pairs in the train split.
            fresh: whether the training starts from new weights.
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
        """Returns the settings with batches halved ``times`` times and gradient
        accumulation doubled as often, so that an update has the same pairs.

        Raises:
            ConfigError: the batch size cannot be halved that often.
        """
        parts = 1 << times
        if self.batch_size % parts:
            raise ConfigError(
                f"batches of {self.batch_size} pairs cannot be halved {times} times, "
                f"as needed for lack of memory: give a multiple of {parts}",
                "batch_size",
            )
        return replace(
            self,
            batch_size=self.batch_size // parts,
            accumulate=self.accumulate * parts,
        )

    @property
    def most_epochs(self) -> int:
        """The most epochs of the training.

        If only ``max_minutes`` is given, this is ``MOST_EPOCHS``, so that time decides.
        """
        if self.epochs is not None:
            return self.epochs
        return EPOCHS if self.max_minutes is None else MOST_EPOCHS

    @property
    def cooldown_epochs(self) -> int:
        """Epochs in which the rate falls to 0 after ``patience`` has run out."""
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
    """Returns the factor of ``PATTERN=FACTOR``; if invalid, NaN, which no range has."""
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
