"""A few hostile files from a fixed seed; `make stress` feeds them for minutes."""

from pathlib import Path

from tests.stress.inputs import Inputs, no_files


def test_hostile_files_are_read_or_told_and_every_row_is_counted(
    tmp_path: Path,
) -> None:
    inputs = Inputs(tmp_path, seed=3)
    for _ in range(40):
        inputs.run()
    for command in ("prepare", "evaluate", "generate", "strict"):
        assert inputs.outcomes[f"{command}: told"] > 3
        assert inputs.outcomes[f"{command}: worked"] > 3


def test_what_is_no_corpus_is_told(tmp_path: Path) -> None:
    no_files(tmp_path)
