"""What a row says about the search of its own article."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from headline.settings.search import DecodeConfig

# What a JSONL object may set for its own article.
CONTROLS = frozenset(setting.name for setting in fields(DecodeConfig)) - {
    "batch_size",
    "shortlist",
}


def own_config(values: Mapping[str, Any], config: DecodeConfig) -> DecodeConfig | None:
    """Returns the config with the controls that a row has, such as ``prefix``.

    Args:
        values: of the row, by their keys.
        config: of the rows that say nothing.

    Returns:
        None where the row has no control.

    Raises:
        ConfigError: a control cannot be.
    """
    own = {
        name: as_setting(getattr(DecodeConfig, name), values[name])
        for name in CONTROLS & values.keys()
        if not is_missing(values[name])
    }
    return DecodeConfig.from_dict(config.to_dict() | own) if own else None


def is_missing(value: Any) -> bool:
    """Tells whether a value is what pandas writes for "not set": null or NaN."""
    return value is None or value != value


def as_setting(default: Any, value: Any) -> Any:
    """Returns a JSON number in the type of a setting, as pandas may change it.

    A column with gaps has 20.0 for 20, and 1.0 for true.
    """
    if type(value) in (int, float) and type(default) in (int, bool):
        kind = type(default)
        return kind(value) if math.isfinite(value) and kind(value) == value else value
    return value
