"""The confidence of a model in ``report.html``: coverage curve, reliability diagram."""

from collections.abc import Mapping
from dataclasses import dataclass

from headline.evaluation.confidence import ConfidenceScores
from headline.pages.axis import number
from headline.pages.chart import Chart, Picture, line_chart
from headline.pages.rendering import fill
from headline.pages.sections import is_page, with_section


@dataclass(frozen=True, kw_only=True)
class ConfidenceView:
    """The content of the section; numbers are formatted texts."""

    good_rouge_l: str
    headlines: str
    figures: Mapping[str, str]  # by name
    charts: tuple[Picture, Picture]


def with_confidence(page: str | None, scores: ConfidenceScores) -> str:
    """Adds the confidence to a report, or replaces the one that it has.

    Args:
        page: the report; None, or a page of another kind, is replaced by a page of its
            own.
        scores: cross-fitted on the valid split.
    """
    view = _view(scores)
    if page is None or not is_page(page):
        return fill("confidence.html", view=view)
    return with_section(page, fill("confidence_section.html", view=view))


def _view(scores: ConfidenceScores) -> ConfidenceView:
    surest = {
        f"ROUGE-L of the surest {n}%": f"{scores.coverage[n]:.1f}" for n in (10, 20)
    }
    return ConfidenceView(
        good_rouge_l=number(scores.good_rouge_l),
        headlines=number(sum(one.headlines for one in scores.bins)),
        figures={
            "AUROC": f"{scores.auroc:.3f}",
            "ECE": f"{scores.ece:.3f}",
            **surest,
        },
        charts=(coverage_chart(scores), reliability_chart(scores)),
    )


def coverage_chart(scores: ConfidenceScores) -> Picture:
    """Draws the mean ROUGE-L of the surest headlines over their share."""
    shares, means = zip(*scores.curve, strict=True)
    return line_chart(
        Chart(
            title="ROUGE-L of the surest headlines",
            xs=shares,
            lines={"ROUGE-L": means},
            x_name="surest %",
        )
    )


def reliability_chart(scores: ConfidenceScores) -> Picture:
    """Draws the share of good headlines over their confidence, in bins."""
    confidences = [one.confidence for one in scores.bins]
    return line_chart(
        Chart(
            title="Good headlines by confidence, %",
            xs=confidences,
            lines={
                "good headlines": [one.good for one in scores.bins],
                "if the confidence were exact": confidences,
            },
            x_name="confidence %",
        )
    )
