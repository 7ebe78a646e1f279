"""``headline styles`` and ``train --styles``: what is printed, named and refused."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from headline.bundle import load_bundle, save_bundle
from headline.cli.main import main
from headline.network.styles.catalogue import Styles
from headline.network.weights import weight_specs
from headline.settings.presets import Run
from headline.settings.styles import StyleConfig, StylesRun
from tests.network.styles.judges import random_styles
from tests.scripted import random_weights, tiny_bundle


def headline(*args: str | Path) -> Result:
    return CliRunner().invoke(main, [str(arg) for arg in args])


@pytest.fixture(autouse=True)
def styles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Styles:
    """The styles of the model ``m``; ``plain`` has none."""
    monkeypatch.chdir(tmp_path)
    plain = tiny_bundle("天地玄黄")
    save_bundle(Path("plain"), plain)
    model = replace(plain.model, styles=3)
    styles = random_styles(model.width)
    weights = random_weights(model)
    assert weights.keys() == weight_specs(model).keys()
    save_bundle(Path("m"), replace(plain, model=model, weights=weights, styles=styles))
    return styles


def test_the_styles_are_printed_with_shares_lengths_traits_and_examples(
    styles: Styles,
) -> None:
    result = headline("styles", "-m", "m")
    assert result.exit_code == 0 and result.stderr == ""
    lines = result.stdout.splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    assert len(heads) == len(styles.styles) == 3
    for number, (line, style) in enumerate(zip(heads, styles.styles, strict=True), 1):
        assert line.startswith(f"style {number}: 33% of the headlines")
        assert f"{style.median_length:g}" in line
        assert all(trait in line for trait in style.traits)
    examples = [one.headline for style in styles.styles for one in style.examples]
    assert [line.strip() for line in lines if line.startswith(" ")] == examples


def test_names_are_given_kept_and_taken_away() -> None:
    named = headline("styles", "-m", "m", "--name", "2=短", "--name", "3=两 句")
    assert named.exit_code == 0, named.output
    again = headline("styles", "-m", "m")
    assert again.stdout == named.stdout
    assert "style 短: 33%" in again.stdout and "style 两 句: 33%" in again.stdout
    assert "style 2: " in headline("styles", "-m", "m", "--name", "2=").stdout


def test_json_has_all_of_it() -> None:
    headline("styles", "-m", "m", "--name", "1=短")
    found = json.loads(headline("styles", "-m", "m", "--json").stdout)
    styles = load_bundle(Path("m")).styles
    assert styles is not None
    assert found["labels"] == list(styles.labels) == ["短", "2", "3"]
    assert found["fit"] == styles.fit
    assert [one["share"] for one in found["styles"]] == [
        style.share for style in styles.styles
    ]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("styles -m plain", "plain has no styles: `headline styles -m plain DATA_DIR`"),
        ("styles -m plain --name 1=短", "plain has no styles"),
        ("styles -m none", "there is no model folder none"),
        ("styles -m m --name 短", "--name is written NUMBER=NAME; got '短'"),
        ("styles -m m --name 4=短", "--name: there is no style 4; there are 3"),
        ("styles -m m --name 1=7", "must be not a number"),
        ("styles -m m --styles 4", "--styles has no effect: it needs a DATA_DIR"),
        ("styles -m m --overwrite", "--overwrite has no effect: it needs a DATA_DIR"),
        ("styles -m m --resume", "--resume has no effect: it needs a DATA_DIR"),
        ("styles -m m d --styles 8", "--styles: styles must be 2 to 7; got 8"),
        ("styles -m m m", "would overwrite DATA_DIR"),
        ("train d -o x --styles 1", "--styles: styles must be 2 to 7; got 1"),
        ("train d -o x --styles 3 --find-lr", "leave out --styles"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(command: str, problem: str) -> None:
    result = headline(*command.split())
    assert result.exit_code in (1, 2)
    assert problem in result.stderr and "Traceback" not in result.stderr


def test_a_dataset_and_settings_begin_a_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[StylesRun] = []
    monkeypatch.setattr("headline.cli.styles.fit", runs.append)
    options = "--styles 3 --seed 7 --set styles.updates=9 --overwrite --name 1=短"
    result = headline("styles", "d", "-m", "m", *options.split())
    assert result.exit_code == 0, result.output
    (run,) = runs
    assert (run.data_dir, run.model_dir) == (Path("d"), Path("m"))
    assert run.config == StyleConfig(styles=3, seed=7, updates=9)
    assert run.overwrite and not run.resume
    assert "style 短" in result.stdout


def test_train_passes_the_number_of_styles_on(monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[Run] = []

    def run_training(run: Run, find_lr: bool) -> str:
        runs.append(run)
        return "x"

    monkeypatch.setattr("headline.cli.train.run_training", run_training)
    for options, expected in (([], 0), (["--styles", "4"], 4)):
        assert headline("train", "d", "-o", "x", *options).exit_code == 0
        assert runs.pop().styles == expected


def test_info_tells_the_shares_of_the_styles() -> None:
    headline("styles", "-m", "m", "--name", "2=短")
    found = json.loads(headline("info", "m", "--json").stdout)
    assert found["styles"] == dict.fromkeys(("1", "短", "3"), 1 / 3)
    assert "styles.safetensors" in found["files"]
    assert "styles" not in json.loads(headline("info", "plain", "--json").stdout)
    assert re.search(r"^styles\n  1 +0\.33", headline("info", "m").stdout, re.MULTILINE)
