"""The styles in the report: added once, replaced, safe with any text."""

import pytest

from headline.network.styles.catalogue import Styles
from headline.pages.styles_section import SIZE, with_styles
from tests.markup import Tags, parse
from tests.network.styles.judges import random_styles

REPORT = "<!doctype html><html><body><h1>報告</h1></body></html>"


@pytest.fixture
def styles() -> Styles:
    return random_styles().renamed({2: "<b>短"})


def dots(tags: Tags) -> list[dict[str, str]]:
    return [one for one in tags.of("circle") if "centre" not in one["class"]]


def test_a_report_gets_a_section_before_its_end(styles: Styles) -> None:
    page = with_styles(REPORT, styles)
    tags = parse(page)
    before, end = REPORT[:-14], REPORT[-14:]
    assert page.startswith(f"{before}<section") and page.endswith(f"</section>{end}")
    assert "報告" in tags.text and not tags.links and "script" not in tags.seen


def test_an_older_section_is_replaced(styles: Styles) -> None:
    once = with_styles(REPORT, random_styles())
    assert with_styles(once, styles) == with_styles(REPORT, styles)
    assert with_styles(once, random_styles()) == once


@pytest.mark.parametrize("page", [None, "", "no page"])
def test_without_a_report_it_is_a_page_of_its_own(
    styles: Styles, page: str | None
) -> None:
    found = with_styles(page, styles)
    assert parse(found).text.count("Headline styles") == 1
    assert with_styles(found, styles) == found


def test_every_headline_is_a_dot_in_the_hue_of_its_style(styles: Styles) -> None:
    tags = parse(with_styles(None, styles))
    hues = [int(one["class"].removeprefix("s")) for one in dots(tags)]
    assert hues == styles.map.styles.tolist()
    centres = tags.of("circle", "centre")
    assert [one["class"] for one in centres] == [f"centre s{n}" for n in range(3)]
    for one in (*dots(tags), *centres):
        assert 0 < float(one["cx"]) < SIZE and 0 < float(one["cy"]) < SIZE
    # Farther right in the latent space is farther right on the map, and up is up.
    points = styles.map.points
    right, left = points[:, 0].argmax(), points[:, 0].argmin()
    assert float(dots(tags)[right]["cx"]) > float(dots(tags)[left]["cx"])
    top, bottom = points[:, 1].argmax(), points[:, 1].argmin()
    assert float(dots(tags)[top]["cy"]) < float(dots(tags)[bottom]["cy"])


def test_names_traits_and_examples_are_texts(styles: Styles) -> None:
    text = parse(with_styles(None, styles)).text
    assert "<b>短" in text
    for style in styles.styles:
        assert "; ".join(style.traits) in text and f"{style.share:.0%}" in text
        assert all(one.headline in text for one in style.examples)
    assert "agreement of two seeds" in text and "0.7" in text
