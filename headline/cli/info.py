"""``headline info``."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from headline.cli.models import single_blas_thread
from headline.cli.options import argument, command, json_option, story_options
from headline.cli.paths import FOLDER
from headline.errors import HeadlineError
from headline.system.streams import utf8_stdout

if TYPE_CHECKING:
    from headline.network.styles.catalogue import Styles
    from headline.text.tokenizer import Tokenizer

SCORES = ("rouge_1", "rouge_2", "rouge_l", "unsupported_numbers", "repeated_bigrams")


@command("info")
@argument("folder", type=FOLDER, required=True, metavar="DIR")
@json_option
@story_options
def info(folder: Path, as_json: bool) -> None:
    """Tell what a DATA_DIR or a MODEL_DIR contains.

    Printed are its kind and format, counts, vocabulary and tokenizer, its files with
    their sizes; of a dataset also the shares of the topics, if `headline topics` has
    found them; of a model also its network, preset, and the scores of the kept epoch on
    the valid split.

    \b
    Example:
        headline info prepared/news
        headline info models/news --json
    """
    single_blas_thread()
    from headline.formats.registered.jsonl import to_json
    from headline.formats.writing import clean

    found = described(folder)
    try:
        text = to_json(found) if as_json else "\n".join(lines_of(found))
    except RecursionError as error:
        raise HeadlineError(
            f"{folder} is damaged: its JSON is nested too deeply; prepare or train anew"
        ) from error
    click.echo(clean(text), file=utf8_stdout())


def described(folder: Path) -> dict[str, Any]:
    """Returns a description of a folder, ready for JSON.

    Raises:
        HeadlineError: the folder is neither a dataset nor a model, or it is damaged.
    """
    from headline.bundle import has_checkpoint, is_trained
    from headline.data.store import is_prepared

    if not folder.exists():
        raise HeadlineError(f"there is no folder {folder}")
    if is_trained(folder):
        return _model(folder)
    if is_prepared(folder):
        return _dataset(folder)
    if has_checkpoint(folder):
        raise HeadlineError(
            f"{folder} holds a training that has kept no model yet: "
            "`headline train --resume` goes on with it"
        )
    raise HeadlineError(
        f"{folder} is neither a DATA_DIR, which `headline prepare` makes, nor a "
        "MODEL_DIR, which `headline train` makes"
    )


def _model(folder: Path) -> dict[str, Any]:
    from headline.bundle import FORMAT, load_bundle, model_files
    from headline.network.weights import count_weights
    from headline.system.folders import located

    bundle = load_bundle(folder)
    known = bundle.provenance
    valid, versions = _group(known.get("valid")), _group(known.get("versions"))
    data = _group(known.get("data"))
    places = (
        located(folder, str(path.relative_to(folder))) for path in model_files(folder)
    )
    return {
        "kind": "model",
        "folder": str(folder),
        "format": FORMAT,
        "version": versions.get("headline"),
        "preset": known.get("preset"),
        "weights": count_weights(bundle.model),
        **_tokens(bundle.tokenizer),
        "max_source_length": bundle.max_source_length,
        "epoch": known.get("epoch"),
        "seconds": valid.get("seconds"),
        "scores": {name: valid[name] for name in SCORES if name in valid},
        "counts": _group(data.get("counts")),
        "corpora": data.get("files", []),
        **_style_shares(bundle.styles),
        "network": bundle.model.to_dict(),
        "search": bundle.decode.to_dict(),
        "files": _sizes(path for path in places if path.is_file()),
    }


def _style_shares(styles: "Styles | None") -> dict[str, Any]:
    """Returns the share of each style; nothing for a model without styles."""
    if styles is None:
        return {}
    both = zip(styles.labels, styles.styles, strict=True)
    return {"styles": {label: style.share for label, style in both}}


def _dataset(folder: Path) -> dict[str, Any]:
    from headline.data.store import FORMAT, count_topics, outline

    found = outline(folder)
    summary = found.summary
    return {
        "kind": "dataset",
        "folder": str(folder),
        "format": FORMAT,
        "version": summary.get("version"),
        **_tokens(found.tokenizer),
        "counts": _group(summary.get("counts")),
        "corpora": summary.get("corpora", []),
        "rejects": _group(summary.get("rejects")),
        "lengths": _group(summary.get("lengths")),
        "settings": found.config.to_dict(),
        "topics": _shares(count_topics(folder)),
        "files": _sizes(found.files),
    }


def _shares(pairs: Mapping[int, int]) -> dict[str, float]:
    """Returns the share of each topic, by its number."""
    total = sum(pairs.values())
    return {str(topic): round(pairs[topic] / total, 4) for topic in sorted(pairs)}


def _group(value: Any) -> Mapping[str, Any]:
    """Returns a JSON object unchanged, and an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def _tokens(tokenizer: "Tokenizer") -> dict[str, Any]:
    vocab = tokenizer.vocab
    return {
        "tokenizer": tokenizer.kind,
        "vocab": {"generable": vocab.vocab_size, "tokens": len(vocab)},
    }


def _sizes(paths: Iterable[Path]) -> dict[str, int]:
    """Returns the size of each file in bytes."""
    return {path.name: path.stat().st_size for path in paths}


# --- output as text -------------------------------------------------------------------


def lines_of(found: Mapping[str, Any]) -> Iterator[str]:
    """Yields a line for each single value, then each group below its title."""
    groups = {name: _as_group(value) for name, value in found.items()}
    for name, value in found.items():
        if groups[name] is None:
            yield _line(name.replace("_", " "), value)
    for name, group in groups.items():
        if group:
            yield ""
            yield f"{name} (bytes)" if name == "files" else name
            yield from (f"  {_line(one, value)}" for one, value in group)


def _as_group(value: Any) -> list[tuple[str, Any]] | None:
    """Returns the names and values of a group; None for a single value."""
    if isinstance(value, Mapping):
        return list(value.items())
    if isinstance(value, list) and all(isinstance(one, Mapping) for one in value):
        return [
            (_shown(one.get("file")), {k: v for k, v in one.items() if k != "file"})
            for one in value
        ]
    return None


def _line(name: str, value: Any) -> str:
    # Control characters could command the terminal, and the folder may be untrusted.
    text = f"{name:24} {_shown(value)}"
    return "".join(c if c.isprintable() else "?" for c in text)


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return "  ".join(f"{name} {_shown(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_shown, value)) or "–"
    if type(value) is int:
        return f"{value:,}"
    return "–" if value in (None, "") else str(value)
