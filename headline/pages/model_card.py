"""``README.md`` of a MODEL_DIR: its model card, with the fields of Hugging Face."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from headline.bundle import CARD_MARK, Bundle
from headline.network.weights import count_weights
from headline.pages.rendering import fill_markdown

# Columns of the history, by their names in the card.
ROUGE = {"ROUGE-1": "rouge_1", "ROUGE-2": "rouge_2", "ROUGE-L": "rouge_l"}
RATES = {
    "% of headlines with a number that the article lacks": "unsupported_numbers",
    "% of headlines in which a pair of neighbouring characters occurs twice": (
        "repeated_bigrams"
    ),
}
READ = {"char": "characters", "word": "words"}


@dataclass(frozen=True, kw_only=True)
class Card:
    """The content of the card; values that only people read are texts."""

    name: str
    version: str  # of headline
    dataset: str
    rouge: Mapping[str, float]
    reading: str  # how the articles are read, in a sentence
    counts: Mapping[str, str]
    files: Sequence[tuple[str, str]]  # of the corpus, and what each gave
    checksums: Mapping[str, str]
    training: Mapping[str, str]
    settings: Mapping[str, Mapping[str, object]]  # groups of them, by their titles
    epoch: int  # the epoch of the weights
    articles: int  # number of articles behind the scores
    scores: Mapping[str, str]
    max_source_length: int


def model_card(bundle: Bundle) -> str:
    """Returns the card of a model that ``headline train`` has made.

    Args:
        bundle: the model, with the provenance that ``Keeper`` writes.
    """
    return fill_markdown("model_card.md", card=_card(bundle), mark=CARD_MARK)


def _card(bundle: Bundle) -> Card:
    known = bundle.provenance
    data, valid, versions = known["data"], known["valid"], known["versions"]
    files = _files(data)
    return Card(
        name=f"headline-{known['preset']}",
        version=versions["headline"],
        dataset=", ".join(name for name, _ in files) or "a corpus of one's own",
        rouge={name: valid[column] for name, column in ROUGE.items()},
        reading=_reading(bundle),
        counts={name.replace("_", " "): f"{n:,}" for name, n in data["counts"].items()},
        files=files,
        checksums=data["sha256"],
        training=_training(bundle),
        settings={
            title: {name: _shown(value) for name, value in group.items()}
            for title, group in _settings(bundle).items()
        },
        epoch=known["epoch"],
        articles=min(known["train"]["valid_articles"], data["counts"]["valid"]),
        scores={
            name: f"{valid[column]:.2f}" for name, column in (ROUGE | RATES).items()
        },
        max_source_length=bundle.max_source_length,
    )


def _settings(bundle: Bundle) -> dict[str, Mapping[str, Any]]:
    known = bundle.provenance
    return {
        "network": bundle.model.to_dict(),
        "training": known["train"],
        "search": bundle.decode.to_dict(),
        "data": known["data"]["config"],
        "versions": known["versions"],
    }


def _shown(value: object) -> object:
    if isinstance(value, tuple | list):
        value = ", ".join(map(str, value))
    return "–" if value in (None, "") else value


def _reading(bundle: Bundle) -> str:
    vocab = bundle.tokenizer.vocab
    copies = "; the others only by copying" if bundle.model.pointer else ""
    return (
        f"The model reads up to {bundle.max_source_length:,} characters of an article,"
        f" as {READ[bundle.tokenizer.kind]}. It can use {vocab.vocab_size:,} of its"
        f" {len(vocab):,} tokens for any article{copies}."
    )


def _files(data: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Returns the files of the corpus, each with what it gave in words."""
    return [(one["file"], _gave(one)) for one in data["files"]]


def _gave(one: Mapping[str, Any]) -> str:
    counts = [f"{count:,} {split}" for split, count in one["pairs"].items()]
    seen = "" if one["weight"] == 1 else f"; seen {one['weight']:g} times an epoch"
    return ", ".join(counts) + seen


def _training(bundle: Bundle) -> dict[str, str]:
    known = bundle.provenance
    valid, versions = known["valid"], known["versions"]
    return {
        "preset": known["preset"],
        "network": f"{count_weights(bundle.model):,} weights",
        "kept": f"epoch {known['epoch']}, after {valid['updates']:,} updates and"
        f" {valid['seconds'] / 60:.1f} minutes",
        "device": f"{versions['device']}, {versions['processors']} processors,"
        f" {versions['platform']}",
        "versions": f"headline {versions['headline']}, Python {versions['python']},"
        f" Keras {versions['keras']}, {versions['backend']}",
    }
