"""The confidence in the report: added once, replaced, with the right figures."""

import pytest

from headline.evaluation.confidence import ConfidenceScores, confidence_scores
from headline.pages.confidence_section import (
    coverage_chart,
    reliability_chart,
    with_confidence,
)
from tests.markup import parse

REPORT = "<!doctype html><html><body><h1>報告</h1></body></html>"


def scores(good: float = 50.0) -> ConfidenceScores:
    chances = [float(at) for at in range(0, 100, 2)]
    return confidence_scores(chances, [chance + 0.5 for chance in chances], good)


def test_a_report_gets_a_section_before_its_end() -> None:
    page = with_confidence(REPORT, scores())
    tags = parse(page)
    assert page.endswith("</section></body></html>") and "報告" in tags.text
    assert not tags.links and "script" not in tags.seen
    figures = scores()
    assert f"{figures.auroc:.3f}" in tags.text and f"{figures.ece:.3f}" in tags.text
    assert f"{figures.coverage[20]:.1f}" in tags.text


def test_an_older_section_is_replaced() -> None:
    once = with_confidence(REPORT, scores(70.0))
    assert with_confidence(once, scores()) == with_confidence(REPORT, scores())
    assert with_confidence(once, scores(70.0)) == once


@pytest.mark.parametrize("page", [None, "", "no page"])
def test_without_a_report_it_is_a_page_of_its_own(page: str | None) -> None:
    found = with_confidence(page, scores())
    assert parse(found).text.count("surest 20%") == 1
    assert with_confidence(found, scores()) == found


def test_the_charts_show_every_bin_and_share() -> None:
    found = scores()
    (line,) = coverage_chart(found).lines
    assert len(line.points) == len(found.curve) == 20
    heights = [y for _, y in line.points]
    assert heights == sorted(heights)  # the more headlines, the lower the mean
    good, exact = reliability_chart(found).lines
    assert len(good.points) == len(exact.points) == len(found.bins)
    assert good.points[0][1] > exact.points[0][1] > exact.points[-1][1]
