"""The styles of a model: their names, what is typical of them, and their judges."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from headline.errors import BundleError, ConfigError
from headline.network.styles.form import FormSpace
from headline.network.styles.posterior import StyleJudge, check_judge

Arrays = Mapping[str, NDArray[Any]]

JUDGE, SECOND, MAP = "judge/", "second/", "map/"  # prefixes of the names of arrays
LONGEST_NAME = 20  # characters


@dataclass(frozen=True)
class Example:
    """A headline in a style."""

    article: str  # its beginning
    headline: str


@dataclass(frozen=True, kw_only=True)
class Style:
    """One style, as an editor sees it."""

    name: str = ""  # given by an editor; empty: it has only its number
    share: float  # of the headlines of the corpus, 0 to 1
    median_length: float  # characters
    traits: tuple[str, ...]  # what is typical of it, most typical first
    examples: tuple[Example, ...]


@dataclass(frozen=True)
class StyleMap:
    """Some headlines in the latent space, in two dimensions."""

    points: NDArray[np.float32]  # (N, 2)
    styles: NDArray[np.int32]  # (N,): the likeliest style of each
    centres: NDArray[np.float32]  # (K, 2): of the styles


@dataclass(frozen=True, kw_only=True)
class Styles:
    """The styles of a model, ordered by falling share.

    Attributes:
        judge: tells which style a headline has.
        second: a judge of another seed, whose styles are in the order of the first. It
            judges headlines that the first one chose.
        styles: K of them.
        map: for the report.
        fit: settings, history and measures of the fit, ready for JSON.
    """

    judge: StyleJudge
    second: StyleJudge
    styles: tuple[Style, ...]
    map: StyleMap
    fit: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """K, the number of styles."""
        return len(self.styles)

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of each style, or its number, from 1, if it has no name."""
        return tuple(
            style.name or str(place) for place, style in enumerate(self.styles, 1)
        )

    def place_of(self, text: str) -> int:
        """Returns the place, from 0, of the style with a name or number.

        Raises:
            ConfigError: there is no such style.
        """
        known = {str(place + 1): place for place in range(len(self))}
        known |= {label: place for place, label in enumerate(self.labels)}
        if text not in known:
            named = ", ".join(known)
            raise ConfigError(
                f"there is no style {text!r}; choose from: {named}", "style"
            )
        return known[text]

    def renamed(self, names: Mapping[int, str]) -> "Styles":
        """Returns the styles with other names.

        Args:
            names: by number, from 1; an empty name removes one.

        Raises:
            ConfigError: there is no such style, or a name is not allowed.
        """
        styles = list(self.styles)
        for number, name in names.items():
            if not 1 <= number <= len(styles):
                raise ConfigError(
                    f"there is no style {number}; there are {len(styles)}", "name"
                )
            styles[number - 1] = replace(styles[number - 1], name=name)
        _check_names([style.name for style in styles])
        return replace(self, styles=tuple(styles))

    # --- files ------------------------------------------------------------------------

    def to_dict(self) -> dict[str, Any]:
        """Returns all but the arrays, ready for JSON."""
        return {
            "form": self.judge.space.to_dict(),
            "styles": [asdict(style) for style in self.styles],
            "fit": dict(self.fit),
        }

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Returns all arrays by their names."""
        return {
            **{JUDGE + name: one for name, one in self.judge.arrays.items()},
            **{SECOND + name: one for name, one in self.second.arrays.items()},
            MAP + "points": self.map.points,
            MAP + "styles": self.map.styles,
            MAP + "centres": self.map.centres,
        }

    @classmethod
    def from_files(cls, raw: Mapping[str, Any], arrays: Arrays, width: int) -> Self:
        """Makes the styles from what ``to_dict`` and ``to_arrays`` returned.

        Args:
            width: H, the width of the network.

        Raises:
            BundleError: the arrays do not fit the rest.
            ConfigError, KeyError, TypeError, ValueError: ``raw`` is something else.
        """
        space = FormSpace.from_dict(raw["form"])
        styles = tuple(_style(one) for one in raw["styles"])
        _check_names([style.name for style in styles])
        judges = [
            StyleJudge(space, _with_prefix(prefix, arrays))
            for prefix in (JUDGE, SECOND)
        ]
        for judge in judges:
            check_judge(judge, width)
            if judge.styles != len(styles):
                raise BundleError(f"there are {len(styles)} styles, not {judge.styles}")
        return cls(
            judge=judges[0],
            second=judges[1],
            styles=styles,
            map=_checked_map(_with_prefix(MAP, arrays), len(styles)),
            fit=dict(raw["fit"]),
        )


def _style(raw: Mapping[str, Any]) -> Style:
    return Style(
        name=str(raw["name"]),
        share=float(raw["share"]),
        median_length=float(raw["median_length"]),
        traits=tuple(map(str, raw["traits"])),
        examples=tuple(
            Example(str(one["article"]), str(one["headline"]))
            for one in raw["examples"]
        ),
    )


def _with_prefix(prefix: str, arrays: Arrays) -> dict[str, NDArray[Any]]:
    begin = len(prefix)
    return {
        name[begin:]: one for name, one in arrays.items() if name.startswith(prefix)
    }


def _checked_map(arrays: Arrays, styles: int) -> StyleMap:
    if arrays.keys() != {"points", "styles", "centres"}:
        raise BundleError("the map of the styles is incomplete")
    found = StyleMap(arrays["points"], arrays["styles"], arrays["centres"])
    count = len(found.styles)
    fits = (
        found.points.shape == (count, 2)
        and found.centres.shape == (styles, 2)
        and found.styles.shape == (count,)
        and bool(np.isin(found.styles, np.arange(styles)).all())
        and all(np.isfinite(one).all() for one in (found.points, found.centres))
    )
    if not fits:
        raise BundleError("the map of the styles does not fit the styles")
    return found


def _check_names(names: Sequence[str]) -> None:
    given = [name for name in names if name]
    for name in given:
        wanted = None
        if name.isdecimal():
            wanted = "not a number, because numbers mean the styles"
        elif len(name) > LONGEST_NAME or not name.isprintable() or "\t" in name:
            wanted = f"at most {LONGEST_NAME} characters that can be printed"
        elif name != name.strip():
            wanted = "without spaces at its ends"
        elif given.count(name) > 1:
            wanted = "different from the other names"
        if wanted is not None:
            raise ConfigError(f"the name {name!r} of a style must be {wanted}", "name")
