"""The styles of a model in ``report.html``: what is typical, examples, and a map."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from headline.network.styles.catalogue import Example, Style, StyleMap, Styles
from headline.pages.axis import Axis, number
from headline.pages.rendering import fill
from headline.pages.sections import is_page, with_section

SIZE, MARGIN = 360, 24  # of the map, in SVG units

# What the report shows of the last measures of the style VAE.
FIGURES = {
    "style_information": "I(style; headline), nats",
    "topic_information": "I(style; article), nats",
    "kl": "KL, nats",
    "reconstruction": "reconstruction, nats",
    "active_units": "active units",
}


@dataclass(frozen=True)
class Dot:
    """A headline, or the centre of a style, on the map."""

    x: float
    y: float
    hue: int


@dataclass(frozen=True)
class StyleView:
    """One style; numbers are formatted texts."""

    label: str
    share: str
    median_length: str
    traits: str
    examples: Sequence[Example]


@dataclass(frozen=True, kw_only=True)
class StylesView:
    """The content of the section."""

    size: int  # of the map
    points: Sequence[Dot]
    centres: Sequence[Dot]
    styles: Sequence[StyleView]
    figures: Mapping[str, str]  # measures, by name


def with_styles(page: str | None, styles: Styles) -> str:
    """Adds the styles to a report, or replaces those that it has.

    Args:
        page: the report; None, or a page of another kind, is replaced by a page of its
            own.
    """
    view = _view(styles)
    if page is None or not is_page(page):
        return fill("styles.html", view=view)
    return with_section(page, fill("styles_section.html", view=view))


def _view(styles: Styles) -> StylesView:
    points, centres = _dots(styles.map)
    both = zip(styles.labels, styles.styles, strict=True)
    return StylesView(
        size=SIZE,
        points=points,
        centres=centres,
        styles=[_style(label, style) for label, style in both],
        figures=_figures(styles),
    )


def _style(label: str, style: Style) -> StyleView:
    return StyleView(
        label=label,
        share=f"{style.share:.0%}",
        median_length=number(style.median_length),
        traits="; ".join(style.traits) or "like the others",
        examples=style.examples,
    )


def _figures(styles: Styles) -> dict[str, str]:
    rows = styles.fit.get("vae") or [{}]
    found = {
        text: number(rows[-1][name])
        for name, text in FIGURES.items()
        if name in rows[-1]
    }
    if agreements := styles.fit.get("agreements"):
        found["agreement of two seeds"] = number(agreements[0])
    return found


def _dots(found: StyleMap) -> tuple[list[Dot], list[Dot]]:
    """Returns headlines and centres, where they are on the map."""
    everything = np.concatenate([found.points, found.centres]).astype(float)
    across, down = (Axis.over(everything[:, at].tolist()) for at in (0, 1))

    def dots(points: NDArray[np.float32], hues: Sequence[int]) -> list[Dot]:
        return [
            Dot(_place(across, float(x)), SIZE - _place(down, float(y)), int(hue))
            for (x, y), hue in zip(points, hues, strict=True)
        ]

    styles = found.styles.tolist()
    return dots(found.points, styles), dots(found.centres, range(len(found.centres)))


def _place(axis: Axis, value: float) -> float:
    return round(MARGIN + (SIZE - 2 * MARGIN) * axis.share(value), 1)
