"""Reads the event kinds (`events/*.toml`) and the word lists (`words.toml`)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data.sample.fill import Words

_HERE = Path(__file__).parent


@dataclass(frozen=True)
class Variant:
    """A headline and the sentences that hold its facts; they belong together.

    `lead` says whether the first of them may start with "a reporter learned".
    """

    title: str
    key: tuple[str, ...]
    lead: bool


@dataclass(frozen=True)
class Kind:
    """One kind of event: its variants, and what else is said in its articles.

    `before` may stand ahead of the key sentences and `after` behind them; `quotes`
    are what people say, without the quotation marks. `theme` is the name of its file.
    """

    name: str
    theme: str
    slots: Mapping[str, str]
    variants: tuple[Variant, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    quotes: tuple[str, ...]


def load_words() -> Words:
    """The word lists, with a list and a province (or country) table for places."""
    raw = _read(_HERE / "words.toml")
    lists = {name: tuple(text.split()) for name, text in raw["lists"].items()}
    tables: dict[str, dict[str, str]] = {"province": {}, "country": {}}
    for name, regions in raw["places"].items():
        table = tables["country" if name == "fcity" else "province"]
        owners = {p: region for region, text in regions.items() for p in text.split()}
        table.update(owners)
        lists[name] = tuple(owners)
    return Words(lists, raw["slots"], tables)


def load_kinds() -> tuple[Kind, ...]:
    """All event kinds, in the order of their files' names."""
    files = sorted((_HERE / "events").glob("*.toml"))
    return tuple(kind for path in files for kind in _kinds_of(path.stem, _read(path)))


def _kinds_of(name: str, theme: Mapping[str, Any]) -> list[Kind]:
    """The kinds of one file; its own sentences are shared by all of them."""
    return [
        Kind(
            name=raw["name"],
            theme=name,
            slots=raw["slots"],
            variants=tuple(_variant(v) for v in raw["variant"]),
            before=(*raw.get("before", ()), *theme["before"]),
            after=(*raw["after"], *theme["after"]),
            quotes=(*raw["quotes"], *theme["quotes"]),
        )
        for raw in theme["kind"]
    ]


def _variant(raw: Mapping[str, Any]) -> Variant:
    return Variant(raw["title"], tuple(raw["key"]), raw.get("lead", True))


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))
