"""What all settings share: frozen dataclasses that cannot be wrong."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from itertools import chain
from types import UnionType
from typing import Any, Literal, Self, get_args

from headline.errors import ConfigError

Device = Literal["auto", "cpu", "gpu"]

Check = tuple[str, bool, str]
Words = tuple[str, ...]

LEAST_SHORTLIST = 5  # tokens that mean something begin behind four special ones


@dataclass(frozen=True, kw_only=True)
class Config:
    """What all settings share: checks on making one, and the way to a dict and back."""

    def __post_init__(self) -> None:
        self._take_lists()
        # One after the other: a range can only be looked at once the type is right.
        for name, valid, wanted in chain(self._type_checks(), self._checks()):
            if not valid:
                got = getattr(self, name)
                raise ConfigError(f"{name} must be {wanted}; got {got!r}", name)

    def _take_lists(self) -> None:
        """Turns the lists that JSON has, and single words, into tuples."""
        for setting in fields(self):
            value = getattr(self, setting.name)
            if setting.type == Words and isinstance(value, list | str):
                words = (value,) if isinstance(value, str) else tuple(value)
                object.__setattr__(self, setting.name, words)

    def _type_checks(self) -> Iterable[Check]:
        for setting in fields(self):
            kind, value = setting.type, getattr(self, setting.name)
            if isinstance(kind, UnionType):  # of a type and None
                if value is None:
                    continue
                kind = get_args(kind)[0]
            if kind in (int, bool, str):  # to Python, True is 1 and 2.0 is 2: not here
                right = type(value) is kind
                yield setting.name, right, f"of type {kind.__name__}"
            elif kind is float:
                right = type(value) in (int, float)
                yield setting.name, right, "a number"
            elif kind == Words:
                right = isinstance(value, tuple) and all(type(v) is str for v in value)
                yield setting.name, right, "a list of words"

    def _checks(self) -> Iterable[Check]:
        """Yields (setting, whether it is valid, what it must be)."""
        return ()

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Makes the settings from a mapping of their names, as read from JSON.

        Raises:
            ConfigError: a name is unknown, a type is wrong or a value out of range.
        """
        if not isinstance(raw, Mapping):
            raise ConfigError(f"settings must stand by their names; got {raw!r}")
        known = {setting.name for setting in fields(cls)}
        for name in raw.keys() - known:
            choices = ", ".join(sorted(known))
            raise ConfigError(f"unknown setting {name!r}; choose from: {choices}")
        try:
            return cls(**raw)
        except TypeError as error:
            raise ConfigError(f"a {cls.__name__} setting has a wrong type") from error

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings by name, ready for JSON."""
        return asdict(self)


def choices(kind: Any) -> str:
    """Tells what a setting of a ``Literal`` type may be."""
    return "one of " + ", ".join(get_args(kind))


def shortlist_range(tokens: int) -> tuple[bool, str]:
    """Returns whether a shortlist can be so long, and what it can be."""
    few = 0 < tokens < LEAST_SHORTLIST
    within = not few and 0 <= tokens <= 1_000_000
    return within, f"0, or {LEAST_SHORTLIST} to 1000000"
