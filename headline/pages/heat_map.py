"""Weights as shades of the article, and those of a whole headline as a picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import TINY, Floats
from headline.generation.explain import Token

FAINT = 1 / 20  # of a token's greatest weight: smaller weights are not shown
COLUMN = 1 / 4  # of a token's greatest weight: smaller ones get no heat-map column
MOST_SHADES = 40  # places in the article that are shown for a token
MOST_COLUMNS = 6  # columns that a token adds to a heat map
CELL = 18  # of a heat map, in SVG units

END = "∎"


class Text(NamedTuple):
    """The label of a row, or of a column."""

    x: str
    y: str
    text: str


class Cell(NamedTuple):
    """How much a token comes from a place in the article; a page has many cells."""

    x: str
    opacity: str
    weight: str


@dataclass(frozen=True)
class Row:
    """A token of a headline."""

    kind: str
    y: int
    cells: Sequence[Cell]


@dataclass(frozen=True, kw_only=True)
class HeatMap:
    """The shapes of a heat map, in SVG units: what ``heat_map.html`` draws."""

    cell: ClassVar[int] = CELL

    height: int
    width: int
    left: int  # the width of the labels of the rows
    labels: Sequence[Text]
    heads: Sequence[Text]
    rows: Sequence[Row]


def kind_of(copied: bool) -> str:
    """Returns the CSS class of a token, which gives it its hue."""
    return "copied" if copied else "written"


def visible(text: str) -> str:
    """Returns a token's text as shown: a space and the end are shown as signs."""
    return text.replace(" ", "␣") or END


def percent(share: float) -> str:
    """Returns a probability as text."""
    return "under 1%" if 0 < share < 0.01 else f"{100 * share:.0f}%"


def shades_of(weights: Floats, most: int = MOST_SHADES) -> list[tuple[int, int]]:
    """Returns the places worth showing, with how dark each is in percent.

    The formula is ``(weight / greatest)^(1/2) greatest^(1/4)``, so that weights spread
    over hundreds of tokens are visible too, though paler.
    """
    greatest = max(float(weights.max()), float(TINY))
    places = _greatest(weights, FAINT, most)
    shades = np.sqrt(weights[places] / greatest) * min(greatest, 1) ** 0.25
    return [
        (place, round(100 * shade))
        for place, shade in zip(places.tolist(), shades.tolist(), strict=True)
    ]


def _greatest(weights: Floats, least: float, most: int) -> NDArray[np.intp]:
    """Returns the places of the ``most`` greatest weights, leaving out those below
    ``least`` times the greatest."""
    places = np.flatnonzero(weights >= max(least * weights.max(), TINY))
    if len(places) > most:
        order = np.argsort(-weights[places], kind="stable")
        places = np.sort(places[order[:most]])
    return places


def heat_map(tokens: Sequence[Token], source: Sequence[str]) -> HeatMap:
    """Draws a heat map: a row per headline token, columns for the article's tokens.

    Only relevant tokens of the article get columns. The row labels are a separate
    picture, which stays in place when the other is scrolled.
    """
    columns = columns_of(np.stack([token.weights for token in tokens]))
    labels = [visible(token.text) for token in tokens]
    heads = ["⋯" if column is None else source[column] for column in columns]
    top = CELL * max(len(label) for label in heads) + 6
    return HeatMap(
        height=top + CELL * len(tokens),
        width=CELL * len(columns),
        left=CELL * max(len(label) for label in labels),
        labels=[
            Text("0", f"{top + CELL * (row + 0.75):g}", label)
            for row, label in enumerate(labels)
        ],
        heads=[
            Text(f"{CELL * (place + 0.5):g}", str(top - 4), head)
            for place, head in enumerate(heads)
        ],
        rows=[
            _row(token, top + CELL * row, columns) for row, token in enumerate(tokens)
        ],
    )


def columns_of(weights: Floats) -> list[int | None]:
    """Returns the places of the article to show, and None where some are left out.

    Args:
        weights: shape ``(T, S)``.
    """
    shown = np.zeros(weights.shape[1], bool)
    for row in weights:
        shown[_greatest(row, COLUMN, MOST_COLUMNS)] = True
    # A neighbour on each side makes the word readable.
    shown[1:] |= shown[:-1].copy()
    shown[:-1] |= shown[1:].copy()
    columns: list[int | None] = []
    for place in range(len(shown)):
        if shown[place]:
            columns.append(place)
        elif not columns or columns[-1] is not None:
            columns.append(None)
    return columns


def _row(token: Token, y: int, columns: Sequence[int | None]) -> Row:
    shades = dict(shades_of(token.weights))
    cells = [
        Cell(
            str(CELL * place),
            f"{shades[column] / 100:g}",
            percent(float(token.weights[column])),
        )
        for place, column in enumerate(columns)
        if column in shades
    ]
    return Row(kind_of(token.is_copied), y, cells)
