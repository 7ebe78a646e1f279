"""The report: whole, self-contained, and safe with any text."""

import re
from typing import Any

import pytest

from headline.report import chart, render
from tests.pages import parse


def history(epochs: int) -> list[dict[str, float]]:
    return [
        {
            "epoch": epoch,
            "seconds": 10.5 * epoch,
            "loss": 3 / epoch,
            "valid_loss": 2 + 1 / epoch,
            "rouge_l": 40.0 + (epoch % 3),
        }
        for epoch in range(1, epochs + 1)
    ]


def sample(epoch: int, **texts: str) -> dict[str, Any]:
    named = {"source": "文章", "reference": "标题", "headline": "题"}
    return {"epoch": epoch, **named, **texts}


@pytest.mark.parametrize("epochs", [1, 2, 20])
def test_page_is_well_formed_and_needs_nothing_from_elsewhere(epochs: int) -> None:
    tags = parse(render(history(epochs), [sample(1)], {"Model": {"width": 8}}))
    assert {"svg", "polyline", "table", "style"} <= tags.seen
    assert "script" not in tags.seen and not tags.links


def test_page_names_the_best_epoch() -> None:
    page = render(history(4), [], {})
    assert "42.00 after epoch 2" in page


def test_texts_are_shown_and_never_become_tags() -> None:
    hostile = "<script>alert('&')</script>"
    texts = {"source": hostile, "reference": hostile, "headline": hostile}
    page = render(history(2), [sample(1, **texts)], {hostile: {hostile: hostile}})
    assert "script" not in parse(page).seen
    assert page.count("&lt;script&gt;") == 6


def test_samples_of_an_article_stand_together_in_the_order_of_the_epochs() -> None:
    samples = [
        sample(epoch, source=f"文{n}", headline=f"题{n}代{epoch}")
        for epoch in (1, 2)
        for n in (1, 2)
    ]
    page = render(history(2), samples, {})
    assert re.findall(r"题\d代\d", page) == ["题1代1", "题1代2", "题2代1", "题2代2"]


def test_a_curve_goes_from_its_lowest_to_its_highest_value() -> None:
    picture = chart([("score", "red", [1.0, 3.0, 2.0])])
    points = re.search(r'points="([^"]+)"', picture)
    assert points is not None
    heights = [float(point.split(",")[1]) for point in points[1].split()]
    assert heights[0] > heights[2] > heights[1]  # SVG counts from the top
    assert heights[2] == pytest.approx((heights[0] + heights[1]) / 2)


def test_a_curve_without_a_range_is_drawn_all_the_same() -> None:
    assert "nan" not in chart([("score", "red", [5.0, 5.0])])
