"""Settings of ``headline styles``: how styles are found and learned."""

from dataclasses import dataclass
from pathlib import Path

from headline.settings.base import SEED, Config, Device, Range, setting

MOST_STYLES = 7  # as many hues as charts have

_STYLES, _LEARNING, _MACHINE = "Styles", "Learning", "Machine"
_MANY = Range(low=1, high=10_000_000)


@dataclass(frozen=True, kw_only=True)
class StyleConfig(Config):
    """How the styles of a corpus are found, and how a model learns to write in them."""

    section = "styles"

    styles: int = setting(
        5,
        "Number of styles to find.",
        group=_STYLES,
        level="basic",
        range=Range(low=2, high=MOST_STYLES),
    )
    seed: int = setting(
        1,
        "Random seed of the styles and of the order of headlines.",
        group=_STYLES,
        level="basic",
        range=SEED,
    )
    pairs: int = setting(
        32_000,
        "Find the styles in at most this many pairs, evenly spaced over the train"
        " split.",
        group=_STYLES,
        unit="pairs",
        range=_MANY,
    )
    max_minutes: float | None = setting(
        None,
        "Stop learning after this many minutes, including the time to find the styles.",
        group=_LEARNING,
        level="basic",
        unit="minutes",
        range=Range(above=0, below=1_000_000),
        default_text="no limit",
    )
    articles: int = setting(
        2_300,
        "Number of articles for which the model writes headlines in all styles, to"
        " learn from them.",
        group=_LEARNING,
        unit="articles",
        range=_MANY,
    )
    updates: int = setting(
        1_800,
        "Number of updates of the style tables.",
        group=_LEARNING,
        unit="updates",
        range=_MANY,
    )
    batch_size: int = setting(
        32,
        "Number of headlines in an update.",
        group=_LEARNING,
        unit="headlines",
        range=Range(low=1, high=65536),
    )
    learning_rate: float = setting(
        0.03,
        "Highest learning rate of the style tables.",
        group=_LEARNING,
        unit="rate",
        range=Range(above=0, below=10),
    )
    contrast: float = setting(
        2.0,
        "Weight of the contrast: a headline shall be likelier in its own style than in"
        " another (0: off).",
        group=_LEARNING,
        range=Range(low=0, high=1000),
    )
    strength: float = setting(
        1.4,
        "Multiply the learned style tables by this. Higher makes styles clearer and"
        " headlines less likely; 2 and more break the text.",
        group=_LEARNING,
        range=Range(above=0, high=10),
    )
    device: Device = setting(
        "auto",
        "Processor to learn on; auto takes a GPU if there is one.",
        group=_MACHINE,
        level="basic",
    )
    checkpoint_minutes: float = setting(
        2.0,
        "Save a checkpoint after this many minutes of learning.",
        group=_MACHINE,
        unit="minutes",
        range=Range(above=0, below=1_000_000),
    )


@dataclass(frozen=True, kw_only=True)
class StylesRun:
    """One fit of styles: its data, its settings and the folder of the model."""

    data_dir: Path
    model_dir: Path
    config: StyleConfig
    overwrite: bool = False  # replace the styles that the model has
    resume: bool = False  # continue from the last checkpoint in MODEL_DIR
