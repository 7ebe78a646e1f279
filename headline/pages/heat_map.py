"""Weights as shades of the article, and those of a whole headline as a picture."""

from collections.abc import Sequence
from html import escape

import numpy as np
from numpy.typing import NDArray

from headline.engines.base import Floats
from headline.engines.numpy_output import TINY
from headline.generation.explain import Token

FAINT = 1 / 20  # of a token's greatest weight: a lesser one is not shown
COLUMN = 1 / 4  # the same for what gets a column in a heat map
MOST_SHADES = 40  # places in the article that are shown for a token
MOST_COLUMNS = 6  # columns that a token brings into a heat map
CELL = 18  # of a heat map, in SVG units

END = "∎"


def kind_of(copied: bool) -> str:
    """Returns the CSS class of a token, which gives it its hue."""
    return "copied" if copied else "written"


def visible(text: str) -> str:
    """Returns a token's text as it is shown: a space and the end have signs."""
    return text.replace(" ", "␣") or END


def percent(share: float) -> str:
    """Returns a probability as text."""
    return "under 1%" if 0 < share < 0.01 else f"{100 * share:.0f}%"


def shades_of(weights: Floats, most: int = MOST_SHADES) -> list[tuple[int, int]]:
    """Returns the places worth showing, with how dark each is in percent.

    ``(weight / greatest)^(1/2) greatest^(1/4)``: what is spread over hundreds of tokens
    is seen as well, though paler.
    """
    greatest = max(float(weights.max()), float(TINY))
    shades = np.sqrt(weights / greatest) * min(greatest, 1) ** 0.25
    places = _greatest(weights, FAINT, most)
    return [(int(place), round(100 * float(shades[place]))) for place in places]


def _greatest(weights: Floats, least: float, most: int) -> NDArray[np.intp]:
    """The places of at most so many weights, each at least so much of the greatest."""
    order = np.argsort(-weights, kind="stable")[:most]
    return np.sort(order[weights[order] >= max(least * weights.max(), TINY)])


def heat_map(tokens: Sequence[Token], source: Sequence[str]) -> str:
    """Draws the headline's tokens down, the article's that matter across, as SVG.

    The labels of the rows are a picture of their own, which stays when the other is
    scrolled.
    """
    columns = columns_of(np.stack([token.weights for token in tokens]))
    labels = [visible(token.text) for token in tokens]
    heads = ["⋯" if column is None else source[column] for column in columns]
    top = CELL * max(len(label) for label in heads) + 6
    cells = [_head(place, text, top) for place, text in enumerate(heads)]
    for row, token in enumerate(tokens):
        cells.append(_row(row, token, columns, top))
    left = CELL * max(len(label) for label in labels)
    names = "".join(
        f'<text x="0" y="{top + CELL * (row + 0.75):g}">{escape(label)}</text>'
        for row, label in enumerate(labels)
    )
    height = top + CELL * len(tokens)
    picture = _svg(CELL * len(columns), height, "".join(cells))
    return f'<div class="map">{_svg(left, height, names)}{picture}</div>'


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


def _head(place: int, text: str, top: int) -> str:
    x = CELL * (place + 0.5)
    return f'<text class="column" x="{x:g}" y="{top - 4}">{escape(text)}</text>'


def _row(row: int, token: Token, columns: Sequence[int | None], top: int) -> str:
    shades = dict(shades_of(token.weights))
    y, width = top + CELL * row, CELL * len(columns)
    cells = [f'<rect class="row" y="{y + 1}" width="{width}" height="{CELL - 2}"/>']
    for place, column in enumerate(columns):
        if column in shades:
            weight = percent(float(token.weights[column]))
            cells.append(
                f'<rect x="{CELL * place}" y="{y + 1}" width="{CELL}" '
                f'height="{CELL - 2}" opacity="{shades[column] / 100:g}">'
                f"<title>{weight}</title></rect>"
            )
    return f'<g class="{kind_of(token.is_copied)}">{"".join(cells)}</g>'


def _svg(width: int, height: int, content: str) -> str:
    return (
        f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label="heat map">{content}</svg>'
    )
