"""The base of all settings: frozen dataclasses that check their values.

The field of a setting has everything about it: default, range, help, unit, level and
group. Checks, options, help texts and TOML files are made from it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import Field, asdict, dataclass, field, fields, replace
from types import UnionType
from typing import Any, ClassVar, Literal, NamedTuple, Self, get_args, get_origin

from headline.errors import ConfigError

Device = Literal["auto", "cpu", "gpu"]
# Who needs a setting: everyone, few, or only the program itself (presets, old models).
Level = Literal["basic", "advanced", "internal"]
Kind = Literal["int", "float", "bool", "str", "words"]

Check = tuple[str, bool, str]
Words = tuple[str, ...]
Values = dict[str, Any]  # settings by name

LEAST_SHORTLIST = 5  # the four special tokens, and at least one more
ABOUT = "setting"  # key in the metadata of a field


class Range(NamedTuple):
    """The numbers that a setting may have.

    Attributes:
        low, high: inclusive bounds.
        above, below: exclusive bounds.
        also: one more allowed number, such as 0 for "off".
    """

    low: float | None = None
    above: float | None = None
    high: float | None = None
    below: float | None = None
    also: float | None = None

    def holds(self, value: float) -> bool:
        """Tells whether a number lies in the range; NaN never does."""
        within = (
            value == value
            and (self.low is None or value >= self.low)
            and (self.above is None or value > self.above)
            and (self.high is None or value <= self.high)
            and (self.below is None or value < self.below)
        )
        return within or (self.also is not None and value == self.also)

    def text(self, kind: Kind) -> str:
        """Returns the range in words, such as ``1 to 1024``; "" if there is none."""
        if self.low is not None and self.high is not None:
            words = f"{self.low} to {self.high}"
            words = words if kind == "int" else f"between {self.low} and {self.high}"
        else:
            bounds = {
                "at least": self.low,
                "above": self.above,
                "at most": self.high,
                "below": self.below,
            }
            known = (f"{name} {b}" for name, b in bounds.items() if b is not None)
            words = " and ".join(known)
        return words if self.also is None else f"{self.also}, or {words}"


ANY = Range()


class About(NamedTuple):
    """The metadata of a setting's field: everything except its type and default."""

    help: str
    group: str = ""  # heading under which ``--help`` lists it
    level: Level = "advanced"
    unit: str = ""
    range: Range = ANY
    default_text: str = ""  # the meaning of a default of None


class Setting(NamedTuple):
    """A setting as plain data, from which options, forms and schemas can be made."""

    name: str
    kind: Kind
    optional: bool  # may be None
    default: Any
    choices: tuple[str, ...]
    about: About

    def fault(self, value: Any) -> str | None:
        """Returns what the setting must be; None if the value is allowed."""
        if value is None and self.optional:
            return None
        if self.choices:
            one_of = "one of " + ", ".join(self.choices)
            return None if value in self.choices else one_of
        is_right, wanted = KINDS[self.kind]
        if not is_right(value):
            return wanted
        if self.kind in ("int", "float") and not self.about.range.holds(value):
            return self.range_text
        return None

    @property
    def range_text(self) -> str:
        """The range in words; "" if every number is allowed."""
        return self.about.range.text(self.kind)


# A check for each kind, and its description. Unlike in Python, True does not count as
# an int here, nor does 2.0.
KINDS: Mapping[Kind, tuple[Callable[[Any], bool], str]] = {
    "int": (lambda value: type(value) is int, "of type int"),
    "float": (lambda value: type(value) in (int, float), "a number"),
    "bool": (lambda value: type(value) is bool, "of type bool"),
    "str": (lambda value: type(value) is str, "of type str"),
    "words": (
        lambda value: isinstance(value, tuple) and all(type(v) is str for v in value),
        "a list of words",
    ),
}


def setting(default: Any, help: str, **about: Any) -> Any:
    """Returns a dataclass field with everything about a setting.

    Args:
        help: the effect of the setting, in a text that needs no context.
        about: the other attributes of ``About``.
    """
    return field(default=default, metadata={ABOUT: About(help=help, **about)})


_schemas: dict[Any, tuple[Setting, ...]] = {}  # cached: each new ``Config`` needs one


def schema(config: "type[Config]") -> tuple[Setting, ...]:
    """Returns the settings of a config class, in the order of its fields."""
    if config not in _schemas:
        _schemas[config] = tuple(_setting(one) for one in fields(config))
    return _schemas[config]


def _setting(one: "Field[Any]") -> Setting:
    kind, optional = one.type, isinstance(one.type, UnionType)
    if optional:  # a union of a type and None
        kind = get_args(kind)[0]
    choices = get_args(kind) if get_origin(kind) is Literal else ()
    name: Any = "str" if choices else "words" if kind == Words else kind.__name__  # type: ignore[union-attr]
    return Setting(one.name, name, optional, one.default, choices, one.metadata[ABOUT])


def offered(config: "type[Config]") -> tuple[Setting, ...]:
    """Returns the settings of a config class that users can change."""
    return tuple(one for one in schema(config) if one.about.level != "internal")


@dataclass(frozen=True, kw_only=True)
class Config:
    """The base class of all settings: checks when made, conversion to and from a dict.

    Attributes:
        section: the section of a TOML file with these settings.
    """

    section: ClassVar[str]

    def __post_init__(self) -> None:
        self._take_lists()
        for one in schema(type(self)):
            self._refuse(one.name, one.fault(getattr(self, one.name)))
        # Combinations can only be checked once each single setting is valid.
        for name, valid, wanted in self._checks():
            self._refuse(name, None if valid else wanted)

    def _refuse(self, name: str, wanted: str | None) -> None:
        if wanted is not None:
            got = getattr(self, name)
            raise ConfigError(f"{name} must be {wanted}; got {got!r}", name)

    def _take_lists(self) -> None:
        """Turns lists (JSON has no tuples) and single words into tuples."""
        for one in schema(type(self)):
            value = getattr(self, one.name)
            if one.kind == "words" and isinstance(value, list | str):
                words = (value,) if isinstance(value, str) else tuple(value)
                object.__setattr__(self, one.name, words)

    def _checks(self) -> Iterable[Check]:
        """Yields rules on combinations: (setting, is it valid, what it must be)."""
        return ()

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Self:
        """Makes the settings from a mapping of names to values, as read from JSON.

        Raises:
            ConfigError: a name is unknown, a type is wrong or a value out of range.
        """
        if not isinstance(raw, Mapping):
            raise ConfigError(f"settings must be given by name; got {raw!r}")
        known = {one.name for one in fields(cls)}
        for name in raw.keys() - known:
            choices = ", ".join(sorted(known))
            raise ConfigError(f"unknown setting {name!r}; choose from: {choices}")
        try:
            return cls(**raw)
        except TypeError as error:
            raise ConfigError(
                f"a setting of [{cls.section}] has a wrong type: {error}"
            ) from error

    def to_dict(self) -> dict[str, Any]:
        """Returns the settings by name, ready for JSON."""
        return asdict(self)

    def changed(self, values: Mapping[str, Any]) -> Self:
        """Returns a copy with those ``values`` that are settings of this class.

        Raises:
            ConfigError: a value, or the combination, is not allowed.
        """
        known = {one.name for one in fields(self)}
        return replace(self, **{n: v for n, v in values.items() if n in known})


SHORTLIST = Range(low=LEAST_SHORTLIST, high=1_000_000, also=0)
SEED = Range(low=0, high=2**31 - 1)
SHARE = Range(low=0, below=1)
