"""Passes settings that a call gives as keywords to the classes that know them."""

from collections.abc import Collection, Iterable, Mapping

from headline.errors import ConfigError
from headline.generation.controls import CONTROLS, as_setting, is_missing
from headline.settings.base import Config, Values, offered
from headline.settings.search import DecodeConfig, over

# Settings that a call may give for all articles.
SEARCH = CONTROLS | {"batch_size", "with_confidence"}


def names_of(config: type[Config]) -> frozenset[str]:
    """Returns the names of the settings of a class that users can change."""
    return frozenset(one.name for one in offered(config))


def shares(settings: Values, *known: Collection[str]) -> list[Values]:
    """Splits the settings: one dict for each collection of names in ``known``.

    Raises:
        ConfigError: a setting is in none of the collections.
    """
    _refuse_unknown(settings, frozenset().union(*known))
    return [{name: settings[name] for name in settings if name in own} for own in known]


def search_with(
    config: DecodeConfig, values: Mapping[str, object], known: Collection[str]
) -> DecodeConfig:
    """Returns a search config with some settings changed.

    Args:
        values: new values. None and NaN, which pandas writes for a blank cell, change
            nothing.
        known: the names that are allowed.

    Raises:
        ConfigError: a setting is unknown or out of range, or settings contradict each
            other.
    """
    _refuse_unknown(values, known)
    own = {
        name: as_setting(getattr(DecodeConfig, name), value)
        for name, value in values.items()
        if not is_missing(value)
    }
    return DecodeConfig.from_dict(over(config.to_dict(), own)) if own else config


def _refuse_unknown(names: Iterable[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            choices = ", ".join(sorted(known))
            raise ConfigError(f"unknown setting {name!r}; choose from: {choices}", name)
