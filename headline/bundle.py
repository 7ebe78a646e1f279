"""MODEL_DIR: the only module that knows its file names, formats and checks.

It holds only JSON, CSV and safetensors, nothing executable. The files of a model are
replaced together; the manifest, which has the checksums of the others, comes last. See
``folders``.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from headline import __version__
from headline.errors import BundleError, ConfigError
from headline.network.confidence import ConfidenceModel
from headline.network.weights import Weights, check_weights
from headline.settings.base import Config
from headline.settings.model import ModelConfig
from headline.settings.search import DecodeConfig
from headline.system.files import (
    check_sha256,
    read_json,
    replacing,
    replacing_text,
    sha256,
    write_json,
    write_text,
)
from headline.system.folders import located, read_whole, replacing_files, tidy
from headline.text.boilerplate import NO_RULES, ArticleRules
from headline.text.tokenizer import Tokenizer, load_tokenizer

if TYPE_CHECKING:
    from headline.network.styles.catalogue import Styles

FORMAT = 1
# Settings of models whose config.json does not have them yet.
OLDER_MODEL = {"match_length": 0, "bigrams": 0, "styles": 0}
RULES, CONFIDENCE = "boilerplate", "confidence"  # keys in config.json
CONFIG = "config.json"
VOCAB = "vocab.json"
WEIGHTS = "weights.safetensors"
# Settings that older versions do not know.
NEWER = "style", "styles", "by_chance", "with_confidence", "min_confidence"
STYLES = "styles.safetensors"  # only of a model with styles
MANIFEST = "manifest.json"
HISTORY = "history.csv"
SAMPLES = "samples.jsonl"
REPORT = "report.html"
CARD = "README.md"
RANGE_TEST = "find_lr.html"
CHECKPOINT = "checkpoint/checkpoint.safetensors"
UPDATE = f"this version reads {FORMAT}: update headline, or train the model anew"
STYLES_CHECKPOINT = "checkpoint/styles_checkpoint.safetensors"
# In a model card, until its reader has taken it over.
CARD_MARK = "`headline train` writes this card"


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A trained model: all that writing headlines needs."""

    model: ModelConfig
    decode: DecodeConfig  # the defaults of ``generate``
    max_source_length: int  # characters of an article that are read
    tokenizer: Tokenizer
    weights: Weights
    provenance: Mapping[str, Any]  # data, versions and settings of its training
    rules: ArticleRules = NO_RULES  # what is removed from articles, as from its corpus
    styles: "Styles | None" = None  # that its network can write in
    confidence: ConfidenceModel | None = None  # how likely its headlines are good


def without_styles(bundle: Bundle) -> Bundle:
    """Returns a model without its styles."""
    weights = {
        name: weight
        for name, weight in bundle.weights.items()
        if not name.startswith("styles/")
    }
    model = replace(bundle.model, styles=0)
    return replace(bundle, model=model, weights=weights, styles=None)


def save_bundle(model_dir: Path, bundle: Bundle, card: str | None = None) -> None:
    """Replaces the bundle in the folder, all of its files or none.

    Args:
        card: the text of the model card. The manifest has no checksum of it, because
            people may edit it; see ``has_foreign_readme``.

    Raises:
        HeadlineError: the folder cannot be written.
    """
    with replacing_files(model_dir, MANIFEST) as scratch:
        _write_bundle(scratch, bundle)
        if card is not None and not has_foreign_readme(model_dir):
            write_text(scratch / CARD, card)
    if bundle.styles is None:
        (model_dir / STYLES).unlink(missing_ok=True)  # of an earlier model


def has_foreign_readme(model_dir: Path) -> bool:
    """Tells whether the folder has a README.md that no training may replace.

    Either a person wrote it, or it is a card from which ``CARD_MARK`` was removed.
    """
    path = located(model_dir, CARD)
    try:
        return CARD_MARK.encode() not in path.read_bytes()
    except FileNotFoundError:
        return False
    except OSError:
        return True


def _write_bundle(folder: Path, bundle: Bundle) -> None:
    _write_arrays(folder / WEIGHTS, bundle.weights)
    bundle.tokenizer.save(folder / VOCAB)
    content = {
        "format": FORMAT,
        "version": __version__,
        "model": _as_before(bundle.model),
        "decode": _as_before(bundle.decode),
        "max_source_length": bundle.max_source_length,
        "provenance": dict(bundle.provenance),
    }
    if bundle.rules:
        content[RULES] = bundle.rules.to_dict()
    if bundle.confidence is not None:
        content[CONFIDENCE] = bundle.confidence.to_dict()
    names = [CONFIG, VOCAB, WEIGHTS]
    if bundle.styles is not None:
        content["styles"] = bundle.styles.to_dict()
        _write_arrays(folder / STYLES, bundle.styles.to_arrays())
        names.append(STYLES)
    write_json(folder / CONFIG, content)
    files = {name: sha256(folder / name) for name in names}
    write_json(folder / MANIFEST, {"format": FORMAT, "sha256": files})


def _as_before(config: Config) -> dict[str, Any]:
    """Returns settings by name, without newer ones that have no effect."""
    values = config.to_dict()
    return {name: values[name] for name in values if name not in NEWER or values[name]}


def _write_arrays(
    path: Path,
    arrays: Mapping[str, NDArray[Any]],
    metadata: dict[str, str] | None = None,
) -> None:
    # Imported only where arrays are written or read, so that --help stays fast.
    from safetensors.numpy import save

    # Not np.ascontiguousarray: it turns scalars into arrays with one axis.
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with replacing(path) as scratch:
        # Not save_file: other users could not read its file.
        scratch.write_bytes(save(plain, metadata))


def model_files(model_dir: Path) -> list[Path]:
    """Returns all files that a model and its training can have in the folder."""
    told = HISTORY, SAMPLES, REPORT, CARD
    checkpoints = CHECKPOINT, STYLES_CHECKPOINT
    names = CONFIG, VOCAB, WEIGHTS, STYLES, MANIFEST, *told, *checkpoints
    return [model_dir / name for name in names]


def is_trained(model_dir: Path) -> bool:
    """Tells whether the folder holds a bundle, even a damaged one."""
    return any(located(model_dir, name).exists() for name in (MANIFEST, WEIGHTS))


def has_checkpoint(model_dir: Path) -> bool:
    """Tells whether a training there can go on."""
    return (model_dir / CHECKPOINT).exists()


def tidy_model(model_dir: Path) -> None:
    """Removes the scratch files of killed trainings; the caller must hold the lock."""
    tidy(model_dir, (HISTORY, SAMPLES, REPORT, RANGE_TEST))
    checkpoint = model_dir / CHECKPOINT
    names = checkpoint.name, Path(STYLES_CHECKPOINT).name
    tidy(checkpoint.parent, names)


def manifest_sha256(model_dir: Path) -> str:
    """Returns a checksum that only the same bundle has."""
    return sha256(located(model_dir, MANIFEST))


def load_bundle(model_dir: Path) -> Bundle:
    """Reads and checks a bundle.

    Raises:
        BundleError: a file is missing, damaged, of a newer format or of another model.
    """
    return read_whole(model_dir, MANIFEST, _load_bundle)


def _load_bundle(model_dir: Path) -> Bundle:
    checked = _check_manifest(model_dir)
    path = located(model_dir, CONFIG)
    content = read_json(path, BundleError)
    if content.get("format") != FORMAT:
        raise BundleError(f"{path} has format {content.get('format')!r}, {UPDATE}")
    if "styles" in content and STYLES not in checked:
        lacking = located(model_dir, MANIFEST)
        raise BundleError(f"{lacking} is damaged: it lacks the checksum of {STYLES}")
    tokenizer = load_tokenizer(located(model_dir, VOCAB), BundleError)
    try:
        model = ModelConfig.from_dict(OLDER_MODEL | content["model"])
        bundle = Bundle(
            model=model,
            decode=DecodeConfig.from_dict(content["decode"]),
            max_source_length=int(content["max_source_length"]),
            tokenizer=tokenizer,
            weights=_load_arrays(located(model_dir, WEIGHTS)),
            provenance=dict(content["provenance"]),
            styles=_load_styles(model_dir, content, model),
            rules=ArticleRules.from_dict(content.get(RULES, {})),
            confidence=_load_confidence(content),
        )
    except (ConfigError, KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{path} is damaged: {error}") from error
    _check_bundle(model_dir, bundle)
    return bundle


def _check_manifest(model_dir: Path) -> set[str]:
    """Checks the files of a bundle by their checksums; returns their names."""
    if not model_dir.is_dir():
        raise BundleError(
            f"there is no model folder {model_dir}: run `headline train` first"
        )
    if not is_trained(model_dir):
        raise BundleError(
            f"{model_dir} holds no trained model: run `headline train` first"
        )
    path = located(model_dir, MANIFEST)
    manifest = read_json(path, BundleError)
    checksums = manifest.get("sha256")
    if manifest.get("format") != FORMAT:
        got = manifest.get("format")
        raise BundleError(f"{path} has format {got!r}, {UPDATE}")
    if not isinstance(checksums, dict) or {CONFIG, VOCAB, WEIGHTS} - checksums.keys():
        raise BundleError(f"{path} is damaged: it lacks checksums")
    names = {CONFIG, VOCAB, WEIGHTS, STYLES} & checksums.keys()
    for name in sorted(names):
        check_sha256(located(model_dir, name), checksums[name], BundleError)
    return names


def _load_confidence(content: Mapping[str, Any]) -> ConfidenceModel | None:
    """Reads the confidence model of a model, if it has one."""
    raw = content.get(CONFIDENCE)
    return None if raw is None else ConfidenceModel.from_dict(raw)


def _load_styles(
    model_dir: Path, content: Mapping[str, Any], model: ModelConfig
) -> "Styles | None":
    """Reads the styles of a model, if it has any; see ``Styles.from_files``."""
    if "styles" not in content:
        return None
    # Imported only for models that have styles, so that the others start faster.
    from headline.network.styles.catalogue import Styles

    path = located(model_dir, STYLES)
    try:
        return Styles.from_files(content["styles"], _load_arrays(path), model.width)
    except BundleError as error:
        raise BundleError(f"{path} is damaged: {error}") from error


def _load_arrays(path: Path) -> Mapping[str, NDArray[Any]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load_file

    try:
        arrays: Mapping[str, NDArray[Any]] = load_file(path)
    except (OSError, SafetensorError, TypeError, KeyError, ValueError) as error:
        raise BundleError(f"{path} is damaged: {error}") from error
    return arrays


def _check_bundle(model_dir: Path, bundle: Bundle) -> None:
    generable = bundle.tokenizer.vocab.vocab_size
    if generable != bundle.model.vocab_size:
        raise BundleError(
            f"{model_dir / VOCAB} has {generable} tokens that can be written, "
            f"{CONFIG} says {bundle.model.vocab_size}, so they are files of two "
            "models: copy all files of one model, or train anew"
        )
    styles = 0 if bundle.styles is None else len(bundle.styles)
    if styles != bundle.model.styles:
        raise BundleError(
            f"{model_dir / CONFIG} is damaged: it has {styles} styles, and the network "
            f"{bundle.model.styles}"
        )
    try:
        check_weights(bundle.model, bundle.weights)
    except BundleError as error:
        raise BundleError(f"{model_dir / WEIGHTS}: {error}") from error


def write_history(model_dir: Path, rows: Sequence[Mapping[str, float]]) -> None:
    """Writes the learning curve: one row for each epoch."""
    with replacing_text(model_dir / HISTORY) as stream:
        # Columns of the last row: rows from before a resume may lack some, if an
        # older version wrote them.
        writer = csv.DictWriter(stream, list(rows[-1]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def write_samples(model_dir: Path, samples: Iterable[Mapping[str, Any]]) -> None:
    """Writes the sample headlines of all epochs: one JSON object in each line."""
    with replacing_text(model_dir / SAMPLES) as stream:
        for sample in samples:
            stream.write(json.dumps(sample, ensure_ascii=False) + "\n")


def write_report(model_dir: Path, page: str) -> None:
    """Writes the report that a person opens in a browser."""
    write_text(model_dir / REPORT, page)


def read_report(model_dir: Path) -> str | None:
    """Returns the report of the training; None if there is none, or it is damaged."""
    try:
        return (model_dir / REPORT).read_text("utf-8")
    except (OSError, UnicodeError):
        return None


def write_range_test(model_dir: Path, page: str) -> Path:
    """Writes the page of ``find-lr`` into the folder and returns its path."""
    path = model_dir / RANGE_TEST
    write_text(path, page)
    return path


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to resume a training."""

    state: Mapping[str, Any]  # ready for JSON
    arrays: Mapping[str, NDArray[Any]]  # weights, optimizer, random seeds


def save_checkpoint(model_dir: Path, checkpoint: Checkpoint) -> None:
    """Replaces the last checkpoint; it is one file, so it is never half written."""
    _save_checkpoint(model_dir / CHECKPOINT, checkpoint)


def _save_checkpoint(path: Path, checkpoint: Checkpoint) -> None:
    state = json.dumps(checkpoint.state)
    digest = _digest(state, checkpoint.arrays)
    metadata = {"format": str(FORMAT), "state": state, "sha256": digest}
    _write_arrays(path, checkpoint.arrays, metadata)


def _digest(state: str, arrays: Mapping[str, NDArray[Any]]) -> str:
    """Returns a checksum of the whole content of a checkpoint."""
    digest = hashlib.sha256(state.encode())
    for name in sorted(arrays):
        array = np.asarray(arrays[name], order="C")
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def load_checkpoint(model_dir: Path) -> Checkpoint:
    """Reads the last checkpoint.

    Raises:
        BundleError: there is none, or it is damaged or of another format version.
    """
    path = model_dir / CHECKPOINT
    if not path.is_file():
        raise BundleError(f"{model_dir} holds no checkpoint: train without --resume")
    return _load_checkpoint(path)


def _load_checkpoint(path: Path) -> Checkpoint:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="np") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        text = metadata["state"]
        if metadata.get("format") != str(FORMAT):
            got = metadata.get("format")
            raise BundleError(
                f"{path} has format {got!r}, this version reads {FORMAT}: resume with "
                "the version that wrote it, or train anew with --overwrite"
            )
        if metadata.get("sha256") != _digest(text, arrays):
            raise ValueError("its content is not what was written")
        state = json.loads(text)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise BundleError(
            f"{path} is damaged: {error}; train anew with --overwrite"
        ) from error
    return Checkpoint(state, arrays)


# --- the checkpoint of a fit of styles ------------------------------------------------


def has_styles_checkpoint(model_dir: Path) -> bool:
    """Tells whether a fit of styles there can go on."""
    return (model_dir / STYLES_CHECKPOINT).exists()


def save_styles_checkpoint(model_dir: Path, checkpoint: Checkpoint) -> None:
    """Replaces the last checkpoint of a fit of styles."""
    _save_checkpoint(model_dir / STYLES_CHECKPOINT, checkpoint)


def load_styles_checkpoint(model_dir: Path) -> Checkpoint:
    """Reads the last checkpoint of a fit of styles.

    Raises:
        BundleError: there is none, or it is damaged or of another format version.
    """
    path = model_dir / STYLES_CHECKPOINT
    if not path.is_file():
        raise BundleError(
            f"{model_dir} holds no interrupted fit of styles: leave out --resume"
        )
    return _load_checkpoint(path)


def remove_styles_checkpoint(model_dir: Path) -> None:
    """Removes the checkpoint of a fit of styles, once it has come to its end."""
    (model_dir / STYLES_CHECKPOINT).unlink(missing_ok=True)
