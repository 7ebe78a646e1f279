"""A few kills and one full disk; `make stress` has hundreds."""

from pathlib import Path

import pytest

from tests.stress.kills import Kills, fill


def test_killed_commands_leave_the_old_or_the_new(tmp_path: Path) -> None:
    kills = Kills(tmp_path, seed=7)
    kills.prepare(3)
    kills.generate(3)
    assert kills.outcomes.total() == 6


@pytest.mark.slow
def test_a_killed_training_goes_on(tmp_path: Path) -> None:
    kills = Kills(tmp_path, seed=7)
    kills.train(1)
    assert kills.outcomes.total() == 2


@pytest.mark.slow
def test_a_full_disk_is_told_in_one_line(tmp_path: Path) -> None:
    try:
        outcomes = fill(tmp_path, [40])
    except PermissionError as error:
        pytest.skip(str(error))
    assert outcomes["prepare: told"] == outcomes["train: told"] == 1
