"""``headline info``: what a folder contains, soon, and politely where it is none."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from headline.bundle import CARD_MARK, save_bundle
from headline.cli.info import described, lines_of
from headline.cli.main import main
from headline.data.store import outline
from tests.scripted import tiny_bundle
from tests.stress.damage import forge_dataset
from tests.test_golden import GOLDEN
from tests.trained import TRAINED

DATA = GOLDEN / "data"


def info(*args: str | Path) -> Result:
    return CliRunner().invoke(main, ["info", *map(str, args)])


def value_of(result: Result, name: str) -> str:
    """What stands behind a name, at its first place."""
    lines = (line.strip() for line in result.stdout.splitlines())
    return next(line for line in lines if line.startswith(name))[len(name) :].strip()


def change(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text("utf-8")) | changes
    path.write_text(json.dumps(content), "utf-8")


def test_a_model_is_told_of() -> None:
    result = info(TRAINED)
    assert result.exit_code == 0 and result.stderr == ""
    wanted = {
        "kind": "model",
        "format": "1",
        "preset": "pointer",
        "weights ": "16,784",
        "tokenizer": "char",
        "generable": "43",
        "epoch": "6",
        "rouge_l": "100.0",
        "train": "1,042",
        "width": "24",
        "weights.safetensors": "69,880",
    }
    assert {name: value_of(result, name) for name in wanted} == wanted


def test_a_dataset_is_told_of() -> None:
    result = info(DATA)
    assert result.exit_code == 0 and result.stderr == ""
    wanted = {
        "kind": "dataset",
        "format": "1",
        "tokenizer": "char",
        "tokens": "43",
        "rows": "40",
        "tests/golden/corpus.csv": "weight 1.0  train 27  valid 8  test 5",
        "train.source_offsets.npy": "352",
    }
    assert {name: value_of(result, name) for name in wanted} == wanted


def test_programs_get_one_json_object() -> None:
    model, data = (json.loads(info(path, "--json").stdout) for path in (TRAINED, DATA))
    assert (model["kind"], model["weights"], model["vocab"]["generable"]) == (
        *("model", 16784),
        43,
    )
    assert model["scores"]["rouge_l"] == 100.0 and model["network"]["width"] == 24
    assert model["files"]["weights.safetensors"] == 69880
    assert (data["kind"], data["format"], data["counts"]["train"]) == ("dataset", 1, 27)
    assert data["corpora"][0]["file"] == "tests/golden/corpus.csv"
    assert data["files"].keys() == {path.name for path in DATA.iterdir()}


def test_single_values_come_before_the_groups() -> None:
    found = {"a": {"x_y": 1}, "b": 2, "c": [], "d_e": None, "files": {"f": 30_000}}
    listed = [{"file": "f", "n": 3, "m": [1, 2]}]
    lines = [line.split() for line in lines_of(found | {"corpora": listed})]
    assert lines == [
        ["b", "2"],
        ["d", "e", "–"],
        [],
        ["a"],
        ["x_y", "1"],
        [],
        ["files", "(bytes)"],
        ["f", "30,000"],
        [],
        ["corpora"],
        ["f", "n", "3", "m", "1,", "2"],
    ]


def test_the_card_is_among_the_files(tmp_path: Path) -> None:
    save_bundle(tmp_path, tiny_bundle("央行今日"), CARD_MARK)
    found = described(tmp_path)
    assert found["files"]["README.md"] == len(CARD_MARK)
    assert found["epoch"] is None and found["scores"] == {}  # it was never trained
    assert "epoch" in info(tmp_path).stdout


def test_neither_keras_nor_a_checksum_of_a_dataset_is_waited_for() -> None:
    code = (
        "import sys\nfrom headline.cli.main import main\n"
        f"main(['info', {str(TRAINED)!r}], standalone_mode=False)\n"
        f"main(['info', {str(DATA)!r}], standalone_mode=False)\n"
        "print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "numpy" in loaded
    assert not loaded & {"keras", "tensorflow", "jax", "jinja2", "tqdm"}


def refusal(path: Path) -> str:
    result = info(path)
    assert result.exit_code == 1 and result.stdout == ""
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1
    return result.stderr


def test_a_folder_that_is_neither_is_refused(tmp_path: Path) -> None:
    assert "is neither a DATA_DIR" in refusal(tmp_path)
    assert "there is no folder" in refusal(tmp_path / "missing")
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "checkpoint.safetensors").write_bytes(b"x")
    assert "--resume" in refusal(tmp_path)


@pytest.mark.parametrize("name", [path.name for path in TRAINED.iterdir()])
def test_a_damaged_model_is_refused(tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(TRAINED, tmp_path / "m")
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    assert name in refusal(folder)


@pytest.mark.parametrize("name", ["data.json", "vocab.json"])
def test_a_damaged_dataset_is_refused(tmp_path: Path, name: str) -> None:
    folder = shutil.copytree(DATA, tmp_path / "d")
    (folder / name).write_bytes((folder / name).read_bytes()[:-9])
    assert f"{name} is damaged" in refusal(folder)


def test_a_vocab_of_another_dataset_is_refused(tmp_path: Path) -> None:
    folder = shutil.copytree(DATA, tmp_path / "d")
    change(folder / "vocab.json", vocab_size=20)
    assert "vocab.json is damaged: its bytes are not those" in refusal(folder)


def test_a_dataset_without_a_file_or_of_another_format_is_refused(
    tmp_path: Path,
) -> None:
    folder = shutil.copytree(DATA, tmp_path / "d")
    (folder / "train.source.npy").unlink()
    assert "train.source.npy is missing" in refusal(folder)
    change(folder / "data.json", format=2)
    assert "format 2, this version reads 1" in refusal(folder)


def test_what_a_stranger_wrote_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    folder = shutil.copytree(DATA, tmp_path / "d")
    odd: dict[str, Any] = {"file": "\x1b[2J\ud800\n", "weight": [None, {"a": {}}]}
    change(folder / "data.json", corpora=[odd], counts=3, version={"x": "\x07"})
    forge_dataset(folder)

    result = info(folder)

    assert result.exit_code == 0, result.output
    assert all(line.isprintable() for line in result.stdout.splitlines())
    assert "?[2J" in result.stdout
    assert json.loads(info(folder, "--json").stdout)["counts"] == {}


def test_an_outline_reads_no_pairs(tmp_path: Path) -> None:
    folder = shutil.copytree(DATA, tmp_path / "d")
    (folder / "train.source.npy").write_bytes(b"no array")
    assert outline(folder).summary["counts"]["train"] == 27
