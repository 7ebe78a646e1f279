"""Settings that a call names by keywords, handed to the classes that know them."""

from collections.abc import Collection, Iterable, Mapping

from headline.errors import ConfigError
from headline.generation.controls import CONTROLS, as_setting, is_missing
from headline.settings.base import Config, Values, offered
from headline.settings.search import DecodeConfig, over

SEARCH = CONTROLS | {"batch_size"}  # what a call may set for all of its articles


def names_of(config: type[Config]) -> frozenset[str]:
    """Returns the names of the settings of a class that users can change."""
    return frozenset(one.name for one in offered(config))


def shares(settings: Values, *known: Collection[str]) -> list[Values]:
    """Returns of all settings those with the names in each of ``known``.

    Raises:
        ConfigError: a setting is in none of them.
    """
    _refuse_unknown(settings, frozenset().union(*known))
    return [{name: settings[name] for name in settings if name in own} for own in known]


def search_with(
    config: DecodeConfig, values: Mapping[str, object], known: Collection[str]
) -> DecodeConfig:
    """Returns how to search: as a config says, but for some settings.

    Args:
        values: None and NaN, pandas' marks for a blank cell, set nothing.
        known: the names that may stand there.

    Raises:
        ConfigError: a setting is unknown or out of range, or they do not go together.
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
