"""A small training, for the tests of what stands above the model."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from headline.settings.presets import PRESETS, Run
from headline.settings.train import TrainConfig


def small_run(
    data_dir: Path, model_dir: Path, train: TrainConfig, **network: Any
) -> Run:
    """A training of the preset pointer, with a network of other sizes.

    Its batches are read once, if ``train`` does not say otherwise.
    """
    return Run(
        data_dir=data_dir,
        model_dir=model_dir,
        preset="pointer",
        model=replace(PRESETS["pointer"].model, **network),
        train=replace(train, r_drop=train.r_drop or 0.0),
    )
