"""A share of all damages, drawn by a seed; `make stress` tries them all."""

from pathlib import Path

from tests.stress.damage import (
    Trial,
    forge_dataset,
    forge_model,
    forge_nothing,
    make_checkpoint,
    make_dataset,
    make_model,
    use_checkpoint,
    use_dataset,
    use_model,
)


def test_a_damaged_model_is_opened_or_refused_in_one_line(tmp_path: Path) -> None:
    trial = Trial(make_model(tmp_path / "m"), use_model, forge_model)
    trial.run(flips=8, share=0.015)
    assert trial.faults == []
    assert trial.outcomes["refused"] > 15 and trial.outcomes["opened"] > 1


def test_a_damaged_dataset_is_opened_or_refused_in_one_line(tmp_path: Path) -> None:
    trial = Trial(make_dataset(tmp_path / "d"), use_dataset, forge_dataset)
    trial.run(flips=8, share=0.015)
    assert trial.faults == []
    assert trial.outcomes["refused"] > 15 and trial.outcomes["opened"] > 1


def test_a_damaged_checkpoint_is_refused_in_one_line(tmp_path: Path) -> None:
    trial = Trial(make_checkpoint(tmp_path / "m"), use_checkpoint, forge_nothing)
    trial.run(flips=100)
    assert trial.faults == []
    # A header has spaces and an order that mean nothing.
    assert trial.outcomes["refused"] > 10 * trial.outcomes["opened"]
