"""The JSON schema of settings, made from the settings: there is no second list."""

from collections.abc import Iterable
from typing import Any

from headline.api.settings import SEARCH
from headline.settings.base import Range, Setting, schema
from headline.settings.search import DecodeConfig

_TYPES = {"int": "integer", "float": "number", "bool": "boolean", "str": "string"}
# Settings of the server, not of an article.
OPTIONS = SEARCH - {"batch_size"}
_WORD = {"type": "string", "pattern": r"\S"}


def options_schema(config: DecodeConfig | None = None) -> dict[str, Any]:
    """Returns the schema of the options of a request.

    Args:
        config: has the defaults; those of the settings if left out.
    """
    known = [one for one in schema(DecodeConfig) if one.name in OPTIONS]
    return {
        "type": "object",
        "description": "Settings of the search; null leaves a default as it is.",
        "properties": dict(_properties(known, config or DecodeConfig())),
        "additionalProperties": False,
    }


def _properties(
    known: Iterable[Setting], config: DecodeConfig
) -> Iterable[tuple[str, dict[str, Any]]]:
    for one in known:
        default = getattr(config, one.name)
        about = {
            "description": one.about.help,
            "default": list(default) if one.kind == "words" else default,
        }
        yield one.name, about | {"anyOf": [*_forms(one), {"type": "null"}]}


def _forms(one: Setting) -> Iterable[dict[str, Any]]:
    if one.kind == "words":
        return [_WORD, {"type": "array", "items": _WORD}]
    if one.choices:
        return [{"enum": list(one.choices)}]
    form = {"type": _TYPES[one.kind]}
    if one.kind not in ("int", "float"):
        return [form]
    bounds = one.about.range
    also = [] if bounds.also is None else [{"const": bounds.also}]
    return [form | _bounds(bounds), *also]


def _bounds(bounds: Range) -> dict[str, float]:
    words = {
        "minimum": bounds.low,
        "exclusiveMinimum": bounds.above,
        "maximum": bounds.high,
        "exclusiveMaximum": bounds.below,
    }
    return {word: bound for word, bound in words.items() if bound is not None}
