"""MODEL_DIR: what is saved comes back, and what was damaged does not."""

import csv
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from headline.bundle import (
    CARD,
    CARD_MARK,
    CONFIG,
    HISTORY,
    MANIFEST,
    RULES,
    SAMPLES,
    STYLES,
    VOCAB,
    WEIGHTS,
    Bundle,
    has_foreign_readme,
    is_trained,
    load_bundle,
    model_files,
    save_bundle,
    without_styles,
    write_history,
    write_samples,
)
from headline.errors import BundleError, HeadlineError
from headline.system.files import sha256
from headline.text.boilerplate import ArticleRules
from tests.damage import damages
from tests.scripted import char_tokenizer, styled_bundle, tiny_bundle

NAMES = [CONFIG, VOCAB, WEIGHTS]
TEXT = "央行今日宣布下调存款准备金率"
BUNDLE = tiny_bundle(TEXT)


@pytest.fixture(scope="module")
def clean_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "clean"
    save_bundle(folder, BUNDLE)
    return folder


@pytest.fixture
def model_dir(clean_dir: Path, tmp_path: Path) -> Path:
    """A MODEL_DIR to do damage to."""
    return shutil.copytree(clean_dir, tmp_path / "model")


def refusal(model_dir: Path, name: str) -> str:
    """Returns the message that the folder is refused with, which names the file."""
    with pytest.raises(BundleError) as caught:
        load_bundle(model_dir)
    message = str(caught.value)
    assert "\n" not in message
    assert str(model_dir / name) in message
    return message


def change_json(path: Path, **changes: Any) -> None:
    content = json.loads(path.read_text(encoding="utf-8")) | changes
    path.write_text(json.dumps(content), encoding="utf-8")


def reseal(model_dir: Path) -> None:
    """Makes the checksums right again, as somebody who means it would."""
    sums = {name: sha256(model_dir / name) for name in NAMES}
    change_json(model_dir / MANIFEST, sha256=sums)


# --- there and back -------------------------------------------------------------------


def assert_same(one: Bundle, other: Bundle) -> None:
    assert one.model == other.model
    assert one.decode == other.decode
    assert one.max_source_length == other.max_source_length
    assert one.provenance == other.provenance
    assert type(one.tokenizer) is type(other.tokenizer)
    assert one.tokenizer.vocab.tokens == other.tokenizer.vocab.tokens
    assert one.tokenizer.vocab.vocab_size == other.tokenizer.vocab.vocab_size
    assert one.weights.keys() == other.weights.keys()
    for name, weight in one.weights.items():
        np.testing.assert_array_equal(weight, other.weights[name])


def test_saved_bundle_comes_back(clean_dir: Path) -> None:
    assert_same(load_bundle(clean_dir), BUNDLE)


def test_rules_for_articles_come_back(tmp_path: Path) -> None:
    save_bundle(tmp_path, BUNDLE)
    plain = json.loads((tmp_path / CONFIG).read_text("utf-8"))
    assert RULES not in plain and not load_bundle(tmp_path).rules

    rules = ArticleRules(
        openings=("云岭社{n}月{n}日电",), closings=("(完)",), titles=True
    )
    save_bundle(tmp_path, replace(BUNDLE, rules=rules))

    assert load_bundle(tmp_path).rules == rules
    content = json.loads((tmp_path / CONFIG).read_text("utf-8"))
    assert content.pop(RULES) == rules.to_dict() and content == plain


def test_order_of_an_array_in_memory_does_not_matter(tmp_path: Path) -> None:
    turned = {name: np.asfortranarray(w) for name, w in BUNDLE.weights.items()}

    save_bundle(tmp_path, replace(BUNDLE, weights=turned))

    assert_same(load_bundle(tmp_path), BUNDLE)


def test_later_bundle_takes_the_place_of_the_first(model_dir: Path) -> None:
    other = tiny_bundle(TEXT[::-1] * 2, vocab_size=9, width=4)

    save_bundle(model_dir, other)

    assert_same(load_bundle(model_dir), other)


def test_only_the_known_files_are_written(tmp_path: Path, umask: int) -> None:
    folder = tmp_path / "deep" / "model"
    save_bundle(folder, BUNDLE)
    save_bundle(folder, BUNDLE)

    assert {path.name for path in folder.iterdir()} == {*NAMES, MANIFEST}
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o666 & ~umask


def test_same_bundle_gives_the_same_bytes(clean_dir: Path, tmp_path: Path) -> None:
    save_bundle(tmp_path, BUNDLE)

    for name in (*NAMES, MANIFEST):
        assert (tmp_path / name).read_bytes() == (clean_dir / name).read_bytes()


def test_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("text")

    with pytest.raises(HeadlineError, match="cannot write"):
        save_bundle(tmp_path / "file", BUNDLE)


# --- the model card -------------------------------------------------------------------


def test_a_card_comes_with_its_bundle_and_may_be_changed_or_missing(
    model_dir: Path,
) -> None:
    card = f"---\nlanguage: zh\n---\n> {CARD_MARK} 标题\n"
    for text in (card, card * 2):
        save_bundle(model_dir, BUNDLE, text)
        assert (model_dir / CARD).read_text("utf-8") == text
    assert model_dir / CARD in model_files(model_dir)

    (model_dir / CARD).write_text(f"{card} and more", "utf-8")
    assert_same(load_bundle(model_dir), BUNDLE)
    (model_dir / CARD).unlink()
    assert_same(load_bundle(model_dir), BUNDLE)


def test_a_card_comes_with_the_other_files_in_one_step(
    model_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_bundle(model_dir, BUNDLE, f"{CARD_MARK} 1")
    staged: list[set[str]] = []
    rename = Path.rename

    def noted(old: Path, new: Path) -> Path:
        staged.append({path.name for path in old.iterdir()})
        return rename(old, new)

    monkeypatch.setattr(Path, "rename", noted)
    save_bundle(model_dir, BUNDLE, f"{CARD_MARK} 2")

    assert staged == [{*NAMES, MANIFEST, CARD}]


@pytest.mark.parametrize("kind", ["text", "bytes", "folder"])
def test_a_readme_of_somebodys_own_stays(model_dir: Path, kind: str) -> None:
    own = model_dir / CARD
    if kind == "folder":
        own.mkdir()
    else:
        own.write_bytes("# 我的模型".encode() if kind == "text" else b"\xff\xfe")
    before = None if kind == "folder" else own.read_bytes()

    assert has_foreign_readme(model_dir)
    save_bundle(model_dir, BUNDLE, f"{CARD_MARK} 标题")

    assert own.is_dir() if before is None else own.read_bytes() == before
    assert_same(load_bundle(model_dir), BUNDLE)


# --- is there a model? ----------------------------------------------------------------


def test_folder_without_a_model_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for folder in (tmp_path / "empty", tmp_path / "none"):
        assert not is_trained(folder)
        with pytest.raises(BundleError, match="headline train") as caught:
            load_bundle(folder)
        assert str(folder) in str(caught.value)
        assert ("there is no" in str(caught.value)) == (folder.name == "none")


def test_even_half_a_model_counts_as_trained(model_dir: Path) -> None:
    assert is_trained(model_dir)
    (model_dir / MANIFEST).unlink()
    assert is_trained(model_dir)
    (model_dir / WEIGHTS).unlink()
    assert not is_trained(model_dir)
    (model_dir / MANIFEST).write_text("{}")
    assert is_trained(model_dir)


# --- damage by accident ---------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_flipped_missing_or_cut_file_is_refused(model_dir: Path, name: str) -> None:
    for is_there in damages(model_dir / name):
        said = refusal(model_dir, name)
        assert "damaged" in said or not is_there
    load_bundle(model_dir)


def test_damaged_manifest_is_refused(model_dir: Path) -> None:
    path = model_dir / MANIFEST
    good = json.loads(path.read_text())
    half = {name: good["sha256"][name] for name in NAMES[1:]}
    sums: list[Any] = [None, [], "x", half, half | {CONFIG: ""}, half | {CONFIG: None}]
    versions: list[Any] = [0, 2, "1", None]
    damaged = [{}, {"sha256": good["sha256"]}, {"format": 1}]
    damaged += [good | {"sha256": value} for value in sums]
    damaged += [good | {"format": value} for value in versions]
    for raw in damaged:
        path.write_text(json.dumps(raw))
        refusal(model_dir, "")
    path.write_text(json.dumps(good)[:-3])
    assert "not valid JSON" in refusal(model_dir, MANIFEST)
    path.unlink()
    assert "missing" in refusal(model_dir, MANIFEST)


@pytest.mark.parametrize("name", NAMES)
def test_file_of_another_model_is_refused(model_dir: Path, name: str) -> None:
    save_bundle(model_dir.parent / "other", tiny_bundle("宣布", width=4))

    shutil.copy(model_dir.parent / "other" / name, model_dir / name)

    refusal(model_dir, name)


def test_swapped_files_are_refused(model_dir: Path) -> None:
    for one, other in ((CONFIG, VOCAB), (VOCAB, WEIGHTS)):
        folder = shutil.copytree(model_dir, model_dir.parent / one)
        (folder / one).rename(folder / "aside")
        (folder / other).rename(folder / one)
        (folder / "aside").rename(folder / other)
        assert "its bytes" in refusal(folder, one)
        reseal(folder)
        refusal(folder, VOCAB)


# --- damage with checksums that fit ---------------------------------------------------


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_other_format_is_refused(model_dir: Path, version: Any) -> None:
    change_json(model_dir / CONFIG, format=version)
    reseal(model_dir)

    assert f"format {version!r}" in refusal(model_dir, CONFIG)


CONFIG_DAMAGE: dict[str, list[Any]] = {
    "model": [None, [], "x", {"width": 3}, {"width": 8.0}, {"depth": 2}],
    "decode": [None, [], {"beam_size": 0}, {"beam": 2}],
    "max_source_length": [None, "x", [], {}],
    "provenance": [None, 3, "x"],
}


@pytest.mark.parametrize(
    "change",
    [{name: raw} for name, values in CONFIG_DAMAGE.items() for raw in values],
)
def test_damaged_config_is_refused(model_dir: Path, change: dict[str, Any]) -> None:
    change_json(model_dir / CONFIG, **change)
    reseal(model_dir)

    assert "damaged" in refusal(model_dir, CONFIG)


@pytest.mark.parametrize("name", CONFIG_DAMAGE)
def test_config_that_lacks_an_entry_is_refused(model_dir: Path, name: str) -> None:
    path = model_dir / CONFIG
    content = json.loads(path.read_text())
    del content[name]
    path.write_text(json.dumps(content))
    reseal(model_dir)

    assert name in refusal(model_dir, CONFIG)


def test_vocab_of_another_size_is_refused(model_dir: Path) -> None:
    char_tokenizer(TEXT, vocab_size=9).save(model_dir / VOCAB)
    reseal(model_dir)

    message = refusal(model_dir, VOCAB)

    assert "9 tokens that can be written" in message
    assert str(BUNDLE.model.vocab_size) in message


Damage = Callable[[np.ndarray[Any, Any]], Any]


@pytest.mark.parametrize(
    "damage",
    [
        lambda weight: weight * np.float32(np.nan),
        lambda weight: weight[:-1],
        lambda weight: weight.T,
        lambda weight: weight.astype(np.float16),
    ],
)
def test_faulty_weight_is_refused(model_dir: Path, damage: Damage) -> None:
    name = "hidden/kernel"
    faulty = dict(BUNDLE.weights) | {name: damage(BUNDLE.weights[name])}
    save_bundle(model_dir, replace(BUNDLE, weights=faulty))

    assert name in refusal(model_dir, WEIGHTS)


def test_weights_of_another_network_are_refused(model_dir: Path) -> None:
    save_bundle(model_dir, replace(BUNDLE, model=replace(BUNDLE.model, width=4)))
    refusal(model_dir, WEIGHTS)
    save_bundle(model_dir, replace(BUNDLE, weights={}))
    refusal(model_dir, WEIGHTS)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}",
        b"\xff" * 64,
        b"\x02\0\0\0\0\0\0\0{}tail",
        b"\x80\x04K\x01.",  # a pickle
        b"\x89HDF\r\n\x1a\n",
    ],
)
def test_file_that_is_no_safetensors_is_refused(
    model_dir: Path, content: bytes
) -> None:
    (model_dir / WEIGHTS).write_bytes(content)
    reseal(model_dir)

    assert "damaged" in refusal(model_dir, WEIGHTS)


# --- the story of a training ----------------------------------------------------------


def test_history_can_be_read_back(tmp_path: Path) -> None:
    rows = [{"epoch": 1.0, "loss": 4.25}, {"epoch": 2.0, "loss": 3.5}]

    write_history(tmp_path, rows[:1])
    write_history(tmp_path, rows)

    with (tmp_path / HISTORY).open(newline="") as stream:
        found = list(csv.DictReader(stream))
    assert [{name: float(row[name]) for name in row} for row in found] == rows


def test_history_that_began_with_fewer_columns_goes_on(tmp_path: Path) -> None:
    write_history(tmp_path, [{"epoch": 1.0}, {"epoch": 2.0, "loss": 3.5}])

    with (tmp_path / HISTORY).open(newline="") as stream:
        found = list(csv.reader(stream))
    assert found == [["epoch", "loss"], ["1.0", ""], ["2.0", "3.5"]]


def test_samples_can_be_read_back_and_by_eye(tmp_path: Path) -> None:
    samples = [{"epoch": 1, "headline": "央行\n降息"}, {"epoch": 2, "headline": ""}]

    write_samples(tmp_path, samples)

    lines = (tmp_path / SAMPLES).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == samples
    assert "央行" in lines[0]


# --- styles ---------------------------------------------------------------------------


@pytest.fixture
def styled_dir(tmp_path: Path) -> Path:
    """A MODEL_DIR of a model with styles."""
    save_bundle(tmp_path / "styled", styled_bundle(TEXT))
    return tmp_path / "styled"


def test_styles_come_back_as_they_were_saved(styled_dir: Path) -> None:
    saved, loaded = styled_bundle(TEXT).styles, load_bundle(styled_dir).styles
    assert saved is not None and loaded is not None
    assert loaded.to_dict() == saved.to_dict()
    for name, array in saved.to_arrays().items():
        np.testing.assert_array_equal(loaded.to_arrays()[name], array)


def test_a_model_without_its_styles_is_written_as_if_it_never_had_any(
    styled_dir: Path, tmp_path: Path
) -> None:
    """Also over one with styles: nothing of them is left."""
    styled = load_bundle(styled_dir)
    plain = without_styles(styled)
    save_bundle(tmp_path / "plain", plain)
    save_bundle(styled_dir, plain)
    files = {path.name for path in (tmp_path / "plain").iterdir()}
    assert files == {path.name for path in styled_dir.iterdir()}
    assert STYLES not in files
    for name in files:
        one, other = tmp_path / "plain" / name, styled_dir / name
        assert one.read_bytes() == other.read_bytes(), name
    assert "styles" not in json.loads((styled_dir / CONFIG).read_text("utf-8"))["model"]
    for name, weight in plain.weights.items():
        assert styled.weights[name].tobytes() == weight.tobytes()


def test_damaged_styles_are_refused(styled_dir: Path) -> None:
    for _ in damages(styled_dir / STYLES):
        refusal(styled_dir, STYLES)
    load_bundle(styled_dir)


def test_styles_need_a_checksum(styled_dir: Path) -> None:
    path = styled_dir / MANIFEST
    manifest = json.loads(path.read_text("utf-8"))
    del manifest["sha256"][STYLES]
    path.write_text(json.dumps(manifest), "utf-8")
    refusal(styled_dir, MANIFEST)


def test_as_many_styles_as_the_network_knows(tmp_path: Path) -> None:
    bundle = styled_bundle(TEXT)
    for wrong in (replace(bundle, styles=None), replace(BUNDLE, styles=bundle.styles)):
        save_bundle(tmp_path / "m", wrong)
        assert "styles, and the network" in refusal(tmp_path / "m", CONFIG)
