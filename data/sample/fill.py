"""Fills the slots of a template, each slot once an article.

A template is text with `{slot}` and `[one|another]` in it.  A slot's values come
from a word list or from a spec, which is one of

    3..40       a whole number          1.5..9.9    a number with one decimal
    100..900/50 a number in steps       东|西|南     one of several texts

The texts of a spec are templates too: there `{slot}` is a fresh draw and `{@slot}`
the article's own value.  `{city2}` is a second city, unlike `{city}`; names that end
in 7, 8 or 9 are for what is said in passing, each time anew; and `{province:city}`
looks up the city's province.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_CHOICE = re.compile(r"\[([^\]]*)\]")
_SLOT = re.compile(r"\{([^}]*)\}")
_RANGE = re.compile(r"(\d+)(?:\.(\d+))?\.\.(\d+)(?:\.(\d+))?(?:/(\d+))?")
_PASSING = "789"
_TRIES = 100


@dataclass(frozen=True)
class Words:
    """The word lists, the specs and the look-up tables that all articles share."""

    lists: Mapping[str, Sequence[str]]
    specs: Mapping[str, str]
    tables: Mapping[str, Mapping[str, str]]


def slots_in(template: str) -> set[str]:
    """The slots a template names; `{province:city}` counts as one."""
    return set(_SLOT.findall(template))


class Slots:
    """The slot values of one article, each drawn when first asked for."""

    def __init__(
        self, rng: random.Random, words: Words, specs: Mapping[str, str]
    ) -> None:
        self._rng = rng
        self._words = words
        self._specs = {**words.specs, **specs}
        self._values: dict[str, str] = {}

    def fill(self, template: str) -> str:
        """The template with a word at each choice and a value in each slot."""
        return self._expand(template, self._value)

    def _expand(self, template: str, look_up: Callable[[str], str]) -> str:
        text = _CHOICE.sub(lambda m: self._rng.choice(m[1].split("|")), template)
        return _SLOT.sub(lambda m: look_up(m[1]), text)

    def _value(self, name: str) -> str:
        if ":" in name:
            table, _, slot = name.partition(":")
            return self._words.tables[table][self._value(slot)]
        if name[-1] in _PASSING:
            return self._fresh_value(name)
        if name not in self._values:
            self._values[name] = self._fresh_value(name)
        return self._values[name]

    def _fresh_value(self, name: str) -> str:
        """A value that no other slot of the same base (`city`, `city2`) has."""
        base = name.rstrip("0123456789")
        taken = {v for k, v in self._values.items() if k.rstrip("0123456789") == base}
        for _ in range(_TRIES):
            value = self._draw(base)
            if value not in taken:
                return value
        raise ValueError(f"slot {name!r} has too few values")

    def _draw(self, base: str) -> str:
        if base in self._specs:
            return self._draw_spec(self._specs[base])
        if base in self._words.lists:
            return self._rng.choice(self._words.lists[base])
        raise ValueError(f"no such slot: {base!r}")

    def _draw_spec(self, spec: str) -> str:
        if span := _RANGE.fullmatch(spec):
            return _number(self._rng, span)
        return self._expand(self._rng.choice(spec.split("|")), self._reference)

    def _reference(self, name: str) -> str:
        return self._value(name[1:]) if name.startswith("@") else self._draw(name)


def _number(rng: random.Random, span: re.Match[str]) -> str:
    low, low_part, high, high_part, step = span.groups()
    if low_part is None:
        return str(rng.randrange(int(low), int(high) + 1, int(step or 1)))
    scale = 10 ** len(low_part)
    drawn = rng.randint(int(low + low_part), int(high + (high_part or "0")))
    return f"{drawn / scale:.{len(low_part)}f}"
