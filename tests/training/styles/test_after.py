"""``train --styles``: where it goes on, after a training that is or is not complete."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from headline.bundle import (
    Checkpoint,
    has_styles_checkpoint,
    save_bundle,
    save_styles_checkpoint,
)
from headline.errors import TrainingComplete
from headline.evaluation.metrics import Rouge
from headline.settings.presets import Run
from headline.settings.styles import StylesRun
from headline.settings.train import TrainConfig
from headline.training.styles.after import train_with_styles
from tests.scripted import tiny_bundle
from tests.trainings import small_run

TRAINED, OLDER = Rouge(1.0, 2.0, 3.0), {"rouge_1": 4.0, "rouge_2": 5.0, "rouge_l": 6.0}


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A training whose model is there, with a fit of styles that was interrupted."""
    bundle = replace(tiny_bundle("天地"), provenance={"valid": OLDER})
    save_bundle(tmp_path / "m", bundle)
    save_styles_checkpoint(tmp_path / "m", Checkpoint({}, {}))
    train = TrainConfig(seed=7, device="cpu")
    return replace(small_run(tmp_path / "d", tmp_path / "m", train), styles=4)


def fits(monkeypatch: pytest.MonkeyPatch, *, complete: bool) -> list[StylesRun]:
    """Replaces the training and the fit; returns the fits that are begun."""
    begun: list[StylesRun] = []

    def train_model(*args: Any) -> Rouge:
        if complete:
            raise TrainingComplete("it is")
        return TRAINED

    def fit_styles(run: StylesRun, *args: Any) -> None:
        begun.append(run)

    monkeypatch.setattr("headline.training.styles.after.train_model", train_model)
    monkeypatch.setattr("headline.training.styles.after.fit_styles", fit_styles)
    return begun


def test_after_a_training_the_styles_are_found_anew(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = fits(monkeypatch, complete=False)
    assert train_with_styles(run, lambda line: None) == TRAINED
    (fit,) = begun
    assert (fit.data_dir, fit.model_dir) == (run.data_dir, run.model_dir)
    assert fit.config.styles == 4 and fit.config.seed == 7
    assert fit.config.device == "cpu"
    assert fit.overwrite and not fit.resume
    assert not has_styles_checkpoint(run.model_dir)  # it was for older weights


def test_a_complete_training_goes_on_with_its_styles(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = fits(monkeypatch, complete=True)
    assert train_with_styles(run, lambda line: None) == Rouge(4.0, 5.0, 6.0)
    assert begun[0].resume and not begun[0].overwrite
    assert has_styles_checkpoint(run.model_dir)
