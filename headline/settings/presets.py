"""Settings that belong together: those of one training, and the presets."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from headline.settings.base import Config, setting
from headline.settings.hosts import HostsConfig
from headline.settings.model import ModelConfig
from headline.settings.search import DecodeConfig
from headline.settings.train import TrainConfig

PresetName = Literal["pointer", "large", "seed"]


@dataclass(frozen=True, kw_only=True)
class PresetConfig(Config):
    """Which preset the other settings start from."""

    section = "train"

    preset: PresetName = setting(
        "pointer",
        "Settings to start from: pointer is good after minutes of training, large is"
        " better after an hour or more; seed is the model of"
        " https://kexue.fm/archives/5861, which cannot copy.",
        group="Starting point",
        level="basic",
    )


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training: its data, its settings and the folder of its model."""

    data_dir: Path
    model_dir: Path
    preset: str
    model: ModelConfig  # except vocab_size, which comes from the dataset
    train: TrainConfig
    decode: DecodeConfig = field(default_factory=DecodeConfig)
    init_from: Path | None = None  # MODEL_DIR of the initial weights
    overwrite: bool = False  # replace the content of MODEL_DIR
    resume: bool = False  # continue from the last checkpoint in MODEL_DIR
    tensorboard: Path | None = None  # folder for an event file
    styles: int = 0  # number of styles to find after the training
    hosts: HostsConfig = field(default_factory=HostsConfig)


@dataclass(frozen=True, kw_only=True)
class Preset:
    """Settings of model, training and search that work well together."""

    model: ModelConfig = field(default_factory=ModelConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    decode: DecodeConfig = field(default_factory=DecodeConfig)


PRESETS: Mapping[PresetName, Preset] = {
    "pointer": Preset(),
    # Slower at first, but better after an hour or more. Its search keeps four times as
    # many hypotheses.
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
