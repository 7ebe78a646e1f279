"""The report: whole, self-contained, true to its numbers, and safe with any text."""

import math
from dataclasses import replace
from typing import Any

import pytest

from headline.pages.report import CHARTS, RATES, Story, histogram, render
from tests.markup import parse

POINTER = {"gate": 0.4, "copy_entropy": 1.2, "update_ratio_pointer": 0.001}


def history(epochs: int, **more: Any) -> list[dict[str, Any]]:
    return [
        {
            "epoch": epoch,
            "seconds": 90.0 * epoch,
            "updates": 1234 * epoch,
            "learning_rate": 0.004 / epoch,
            "loss": 3 / epoch,
            "valid_loss": 2 + 1 / epoch,
            "rouge_1": 50.0 + epoch,
            "rouge_2": 30.0 + epoch,
            "rouge_l": 40.0 + (epoch % 3),
            "unsupported_numbers": 1.0,
            "repeated_bigrams": 2.0,
            "gradient_norm": 1.5,
            "update_ratio_encoder": 0.001,
            "source_tokens_per_second": 38120.0,
            **more,
        }
        for epoch in range(1, epochs + 1)
    ]


def statistics(lengths: list[int], copied: float = 75.0) -> dict[str, Any]:
    return {"lengths": lengths, **dict.fromkeys(RATES, 1.0), "copy_rate": copied}


def sample(epoch: int, **texts: str) -> dict[str, Any]:
    named = {"source": "文章", "reference": "标题", "headline": "题"}
    return {"epoch": epoch, **named, **texts}


STORY = Story(
    history=history(4),
    samples=[sample(1)],
    statistics={
        "model": statistics([9, 9, 11]),
        "references": statistics([10, 9, 10], copied=62.5),
    },
    kept=1,
    pairs=34754,
    weights=1433156,
    settings={"Model": {"preset": "pointer", "source_prior": False, "width": 1000}},
)


@pytest.mark.parametrize("epochs", [1, 2, 20, 300])
def test_page_is_well_formed_and_needs_nothing_from_elsewhere(epochs: int) -> None:
    page = render(replace(STORY, history=history(epochs)))
    tags = parse(page)
    assert {"svg", "path", "table", "style", "details"} <= tags.seen
    assert "script" not in tags.seen and not tags.links
    assert "url(" not in page and "@import" not in page


def test_page_begins_with_the_kept_epoch_and_the_key_figures() -> None:
    text = parse(render(replace(STORY, kept=3))).text
    assert "ROUGE-L 40.00 after epoch 3" in text
    figures = ("ROUGE-153.00", "ROUGE-233.00", "minutes6.0", "epochs4")
    for figure in (*figures, "updates4,936", "pairs34,754", "weights1,433,156"):
        assert figure in text


def test_every_column_has_its_chart_and_the_kept_epoch_its_mark() -> None:
    tags = parse(render(replace(STORY, history=history(4, **POINTER))))
    drawn = [svg["aria-label"] for svg in tags.of("svg")]
    assert drawn[:-1] == [title for title, _, _ in CHARTS]
    assert len(tags.of("line", "mark")) == len(CHARTS)
    for name in ("encoder 0.001", "pointer 0.001", "entropy 1.2", "tokens 38,120"):
        assert name in tags.text


def test_a_model_without_a_pointer_has_no_chart_of_it() -> None:
    drawn = [svg["aria-label"] for svg in parse(render(STORY)).of("svg")]
    assert not any("Gate" in title or "Copy" in title for title in drawn)


def test_older_rows_may_have_less_and_a_column_may_be_a_word() -> None:
    rows = history(3, phase="news", **POINTER)
    del rows[0]["gate"], rows[0]["phase"]
    rows[1]["gradient_norm"] = math.nan
    tags = parse(render(replace(STORY, history=rows)))
    assert "phase" in tags.text and "news" in tags.text


def test_texts_are_shown_and_never_become_tags() -> None:
    hostile = "<script>alert('&\"')</script>"
    texts = {"source": hostile, "reference": hostile, "headline": hostile}
    settings = {hostile: {hostile: hostile}}
    rows = history(2, **{hostile: hostile})
    found = {hostile: statistics([9])}
    page = render(
        replace(
            STORY,
            history=rows,
            samples=[sample(1, **texts)],
            statistics=found,
            settings=settings,
        )
    )
    tags = parse(page)
    assert "script" not in tags.seen
    # Title, name and value of a setting; a sample; the column and its two values; and
    # the system in the table and in the chart.
    assert tags.text.count(hostile) >= 10


def test_lengths_are_counted_side_by_side() -> None:
    labels, counts = histogram({"model": [9, 9, 11], "references": [10]})
    assert labels == ["9", "10", "11"]
    assert counts == {"model": [2, 0, 1], "references": [0, 1, 0]}


def test_many_lengths_are_counted_together() -> None:
    lengths = [*range(3, 103)]
    labels, counts = histogram({"model": lengths})
    assert labels[0] == "3–6" and len(labels) == 25
    assert sum(counts["model"]) == len(lengths) and set(counts["model"]) == {4}


def test_rates_stand_beside_those_of_the_references() -> None:
    tags = parse(render(STORY))
    assert "Characters from the article75.0 %62.5 %" in tags.text
    assert [cell["style"] for cell in tags.of("td", "share")[:2]] == [
        "--p:75.0",
        "--p:62.5",
    ]


def test_settings_are_told_in_words() -> None:
    settings = {"Training": {"max_minutes": None, "resume": True, "avoid": ("a", "b")}}
    text = parse(render(replace(STORY, settings=settings))).text
    for words in ("max minutes–", "resumeyes", "avoida、b"):
        assert words in text
    assert "source priorno" in parse(render(STORY)).text
