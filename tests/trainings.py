"""A small training, for the tests of what stands above the model."""

import csv
from dataclasses import replace
from pathlib import Path
from signal import SIGTERM
from typing import Any

import numpy as np

from headline.bundle import load_bundle, load_checkpoint
from headline.errors import Interrupted
from headline.settings.presets import PRESETS, Run
from headline.settings.train import TrainConfig
from headline.system.interrupt import Wish

SPEED = "source_tokens_per_second"  # in history.csv


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


def history_of(model_dir: Path) -> list[dict[str, str]]:
    with (model_dir / "history.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        del row["seconds"], row[SPEED]  # of another day
    return rows


def state_of(model_dir: Path) -> dict[str, Any]:
    """What the checkpoint says, but for the time that it all took."""
    state = dict(load_checkpoint(model_dir).state["state"])
    for row in state["history"]:
        del row["seconds"], row[SPEED]
    del state["seconds"], state["reserved"]
    return state


def assert_same(model_dir: Path, expected: Path) -> None:
    assert history_of(model_dir) == history_of(expected)
    one, other = load_bundle(model_dir), load_bundle(expected)
    for name, weight in other.weights.items():
        np.testing.assert_array_equal(one.weights[name], weight, err_msg=name)
    assert state_of(model_dir) == state_of(expected)
    ours, theirs = (load_checkpoint(one).arrays for one in (model_dir, expected))
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, err_msg=name)
    samples = "samples.jsonl"
    assert (model_dir / samples).read_bytes() == (expected / samples).read_bytes()


class Stops(Wish):
    """Stops a training at given checks for a wish, counted from the last stop."""

    def __init__(self, checks: list[int]) -> None:
        super().__init__()
        self.checks = checks
        self.left = 0

    def check(self) -> None:
        if not self.checks:
            return
        self.left += 1
        if self.left == self.checks[0]:
            self.checks.pop(0)
            self.left = 0
            raise Interrupted(SIGTERM)
