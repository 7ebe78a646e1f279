"""Search settings that a row gives for its own article."""

import math
from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from headline.errors import ConfigError
from headline.formats.records import kind_of
from headline.settings.search import DecodeConfig

OPTIONS = "options"  # the key of a JSONL object that has the settings of its article
# Settings that an object may give for its own article.
CONTROLS = frozenset(setting.name for setting in fields(DecodeConfig)) - {
    "batch_size",
    "shortlist",
    "by_chance",
    "with_confidence",  # adds columns, so it holds for all rows
}
# Settings that the older form does not know: a row may well have such columns.
NEWER = frozenset({"style", "styles", "exact_names", "min_confidence"})
OLDER_FORM = (
    'the options of an article are now written {"text": "...", "options": {"prefix":'
    ' "..."}}; without the key "options", as here, they work in this version only'
)
NO_OPTION = 'if it is a column of yours and no option, add "options": {} to the object'


def asked_of(values: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """Returns a row's own settings, and whether they are in the older form.

    The settings are an object under the key ``options``. In the older form, each is a
    key of the row itself. That form applies only if the row has no key ``options``, not
    even with the value ``null``.

    Raises:
        ConfigError: ``options`` is not an object, or has an unknown name.
    """
    if OPTIONS in values:
        return _stated(values[OPTIONS]), False
    own = _set({name: values[name] for name in (CONTROLS - NEWER) & values.keys()})
    return own, bool(own)


def _stated(options: Any) -> Mapping[str, Any]:
    if is_missing(options):
        return {}
    if not isinstance(options, dict):
        raise ConfigError(f"options must be an object; got {kind_of(options)}")
    if unknown := sorted(options.keys() - CONTROLS):
        from headline.settings.sections import suggestion

        name = unknown[0]
        hint = (
            suggestion(name, CONTROLS) or f"; known are {', '.join(sorted(CONTROLS))}"
        )
        raise ConfigError(f"there is no option {name[:40]!r} for one article{hint}")
    return _set(options)


def _set(values: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in values.items() if not is_missing(value)}


def own_config(own: Mapping[str, Any], config: DecodeConfig) -> DecodeConfig | None:
    """Returns the search config of one article.

    Args:
        own: the article's own settings, by name.
        config: config of the articles without their own settings.

    Returns:
        the config, or None if the article has no settings of its own.

    Raises:
        ConfigError: a setting has a value that is not allowed.
    """
    if not own:
        return None
    kept = {
        name: as_setting(getattr(DecodeConfig, name), value)
        for name, value in own.items()
    }
    return DecodeConfig.from_dict(config.to_dict() | kept)


def is_missing(value: Any) -> bool:
    """Returns whether a value is null or NaN, which pandas writes for "not set"."""
    return value is None or value != value


def as_setting(default: Any, value: Any) -> Any:
    """Converts a JSON number to the type of a setting, because pandas may change it.

    In a column with gaps, pandas writes 20.0 for 20, and 1.0 for true.
    """
    if type(value) in (int, float) and type(default) in (int, bool):
        kind = type(default)
        return kind(value) if math.isfinite(value) and kind(value) == value else value
    return value
