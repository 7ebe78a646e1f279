"""A fit of styles from end to end: what it keeps, what it adds, and where it stops."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from headline.bundle import (
    has_styles_checkpoint,
    load_bundle,
    model_files,
    without_styles,
)
from headline.data.prepare import Job, prepare
from headline.errors import BundleError, Interrupted, TrainingError
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from headline.settings.styles import StyleConfig, StylesRun
from headline.system.interrupt import Wish
from headline.training.styles import finding
from headline.training.styles.fit import fit_styles
from headline.training.styles.names import name_styles
from tests.corpora import bracket_pairs, write_pairs
from tests.markup import parse
from tests.trained import TRAINED
from tests.trainings import Stops

CONFIG = StyleConfig(
    styles=2, pairs=100, articles=6, updates=7, batch_size=8, learning_rate=0.05
)
WRITTEN = "weights.safetensors", "styles.safetensors", "config.json", "report.html"


@pytest.fixture(scope="module", autouse=True)
def _quick() -> "object":
    """A style VAE of few updates."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(finding, "UPDATES", 20)
        patch.setattr(finding, "BATCH", 16)
        patch.setattr(finding, "FITS", 2)
        yield


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    job = Job(
        files=[write_pairs(folder / "corpus.csv", bracket_pairs(160))],
        data_dir=folder / "prepared",
        format=CorpusFormat(),
        config=PrepareConfig(valid_size=0.2, test_size=0.0),
    )
    prepare(job)
    return folder / "prepared"


def begun(data_dir: Path, model_dir: Path) -> StylesRun:
    """A fit of styles that has not begun, of a fresh copy of the trained model."""
    shutil.copytree(TRAINED, model_dir)
    return StylesRun(data_dir=data_dir, model_dir=model_dir, config=CONFIG)


def quietly(run: StylesRun, wish: Wish | None = None) -> None:
    fit_styles(run, lambda line: None, wish)


class Counted(Wish):
    """Counts the checks for a wish to stop."""

    checks = 0

    def check(self) -> None:
        self.checks += 1


@pytest.fixture(scope="module")
def counted() -> Counted:
    """The checks of the fit ``straight``."""
    return Counted()


@pytest.fixture(scope="module")
def straight(
    data_dir: Path, tmp_path_factory: pytest.TempPathFactory, counted: Counted
) -> StylesRun:
    """A fit that was never stopped."""
    run = begun(data_dir, tmp_path_factory.mktemp("models") / "m")
    quietly(run, counted)
    return run


def test_the_model_has_styles_and_the_same_weights_as_before(
    straight: StylesRun,
) -> None:
    before, now = load_bundle(TRAINED), load_bundle(straight.model_dir)
    assert now.styles is not None and len(now.styles) == now.model.styles == 2
    for name, weight in before.weights.items():
        assert now.weights[name].tobytes() == weight.tobytes(), name
    tables = now.weights.keys() - before.weights.keys()
    assert tables and all(name.startswith("styles/") for name in tables)
    # They have moved from where they began, with a standard deviation of 0.01.
    assert all(now.weights[name].std() > 0.012 for name in tables)
    plain = without_styles(now)
    assert plain.model == before.model
    assert plain.weights.keys() == before.weights.keys()
    assert not has_styles_checkpoint(straight.model_dir)


def test_styles_are_described_by_falling_share(straight: StylesRun) -> None:
    styles = load_bundle(straight.model_dir).styles
    assert styles is not None
    shares = [style.share for style in styles.styles]
    assert sum(shares) == pytest.approx(1, abs=1e-3)
    assert shares == sorted(shares, reverse=True)
    for style in styles.styles:
        assert 0 < len(style.examples) <= 6
        assert all(len(one.article) <= 60 for one in style.examples)
    rows = styles.fit["vae"]
    assert [row["update"] for row in rows] == [2 * span for span in range(1, 11)]
    for row in rows:
        assert row["kl"] == pytest.approx(
            row["prior_term"] + row["latent_information"], abs=1e-3
        )
        assert sum(row["usage"]) == pytest.approx(1, abs=1e-3)
    agreements = styles.fit["agreements"]
    assert len(agreements) == 1 and all(0 <= one <= 1 for one in agreements)
    assert agreements == sorted(agreements, reverse=True)
    assert [row["update"] for row in styles.fit["tables"]] == [7]


def test_the_report_shows_the_styles(straight: StylesRun) -> None:
    page = (straight.model_dir / "report.html").read_text("utf-8")
    tags = parse(page)
    assert page.count('id="styles"') == 1 and not tags.links
    styles = load_bundle(straight.model_dir).styles
    assert styles is not None
    for style in styles.styles:
        assert all(one.headline in tags.text for one in style.examples)


def stopping(run: StylesRun, checks: list[int]) -> None:
    """Fits with a stop at each of the checks, counted from the stop before."""
    stops = Stops(list(checks))
    while stops.checks:
        with pytest.raises(Interrupted):
            quietly(run, stops)
        assert load_bundle(run.model_dir).styles is None
        run = replace(run, resume=True)
    quietly(run)


def assert_same(run: StylesRun, expected: StylesRun) -> None:
    for name in WRITTEN:
        one, other = run.model_dir / name, expected.model_dir / name
        assert one.read_bytes() == other.read_bytes(), name


def test_a_fit_that_was_stopped_while_it_learned_comes_to_the_same_bytes(
    straight: StylesRun, counted: Counted, tmp_path: Path
) -> None:
    """There is a check after each of its updates but the last."""
    run = begun(straight.data_dir, tmp_path / "m")
    stopping(run, [counted.checks - 4, 2])
    assert_same(run, straight)


@pytest.mark.slow
@pytest.mark.parametrize("checks", [[1], [3, 15, 25], [50, 3, 1]])
def test_a_fit_that_was_stopped_before_comes_to_the_same_bytes(
    straight: StylesRun, tmp_path: Path, checks: list[int]
) -> None:
    """While articles are encoded, styles are found, and headlines written."""
    run = begun(straight.data_dir, tmp_path / "m")
    stopping(run, checks)
    assert_same(run, straight)


def test_a_fit_is_resumed_with_its_own_settings_only(
    straight: StylesRun, tmp_path: Path
) -> None:
    run = begun(straight.data_dir, tmp_path / "m")
    with pytest.raises(BundleError, match="no interrupted fit of styles"):
        quietly(replace(run, resume=True))
    with pytest.raises(Interrupted):
        quietly(run, Stops([1]))
    with pytest.raises(TrainingError, match="a fit of styles that was interrupted"):
        quietly(run)
    other = replace(run, resume=True, config=replace(CONFIG, styles=3))
    with pytest.raises(TrainingError, match="styles was 2 and is now 3"):
        quietly(other)


def test_styles_are_not_replaced_unless_asked(straight: StylesRun) -> None:
    with pytest.raises(TrainingError, match="holds styles: give --overwrite"):
        quietly(straight)


@pytest.mark.slow
def test_styles_that_are_found_anew_are_the_same(
    straight: StylesRun, tmp_path: Path
) -> None:
    model_dir = tmp_path / "m"
    shutil.copytree(straight.model_dir, model_dir)
    run = replace(straight, model_dir=model_dir)
    quietly(replace(run, overwrite=True))
    assert_same(run, straight)


def test_too_few_pairs_are_refused(straight: StylesRun, tmp_path: Path) -> None:
    run = begun(straight.data_dir, tmp_path / "m")
    run = replace(run, config=replace(CONFIG, styles=7))
    with pytest.raises(TrainingError, match="too few for 7 styles: they need 140"):
        quietly(run)
    assert {path.name for path in run.model_dir.iterdir()} == {
        path.name for path in TRAINED.iterdir()
    }


def test_names_are_kept_and_shown_in_the_report(
    straight: StylesRun, tmp_path: Path
) -> None:
    model_dir = tmp_path / "m"
    shutil.copytree(straight.model_dir, model_dir)
    before = (model_dir / "weights.safetensors").read_bytes()
    name_styles(model_dir, {2: "短<句>"})
    styles = load_bundle(model_dir).styles
    assert styles is not None and styles.labels == ("1", "短<句>")
    assert (model_dir / "weights.safetensors").read_bytes() == before
    page = (model_dir / "report.html").read_text("utf-8")
    assert page.count('id="styles"') == 1 and "短<句>" in parse(page).text


def test_a_model_without_styles_takes_no_names(tmp_path: Path) -> None:
    shutil.copytree(TRAINED, tmp_path / "m")
    with pytest.raises(BundleError, match="has no styles: `headline styles"):
        name_styles(tmp_path / "m", {1: "短"})


def test_its_files_are_those_of_a_model(straight: StylesRun) -> None:
    known = {path.name for path in model_files(straight.model_dir)}
    assert {path.name for path in straight.model_dir.iterdir()} <= known | {
        "checkpoint"
    }
