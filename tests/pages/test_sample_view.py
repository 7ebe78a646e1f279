"""Sample headlines: in the order of the epochs, and marked where they agree."""

import re
from collections.abc import Sequence
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headline.pages.rendering import fill
from headline.pages.sample_view import Sample, Turn, marked, samples_view, turns
from tests.markup import Tags, parse


def sample(epoch: int, headline: str, article: int = 1) -> dict[str, Any]:
    texts = {"source": f"文{article}", "reference": f"标题{article}"}
    return {"epoch": epoch, **texts, "headline": headline}


def shown(samples: Sequence[Sample], kept: int) -> Tags:
    return parse(fill("samples.html", samples=samples_view(samples, kept)))


def test_epochs_with_the_same_headline_are_one_turn() -> None:
    samples = [sample(n, text) for n, text in enumerate("甲甲乙甲", start=1)]
    assert turns(samples) == [Turn(1, 2, "甲"), Turn(3, 3, "乙"), Turn(4, 4, "甲")]


def test_samples_of_an_article_stand_together_in_the_order_of_the_epochs() -> None:
    samples = [sample(e, f"题{n}代{e}", n) for e in (1, 2) for n in (1, 2)]
    text = shown(samples, kept=2).text
    assert re.findall(r"题\d代\d", text) == ["题1代1", "题1代2", "题2代1", "题2代2"]
    assert text.index("文1") < text.index("题1代1") < text.index("文2")


def test_the_headline_of_the_kept_epoch_has_a_star() -> None:
    samples = [sample(epoch, text) for epoch, text in ((1, "甲"), (2, "乙"), (3, "乙"))]
    text = shown(samples, kept=3).text
    assert "epoch 1甲" in text and "epoch 2–3 ★乙" in text


def test_what_the_reference_has_too_is_marked() -> None:
    assert marked("北京今晨降雪", "北京降雪") == [
        ("北京", True),
        ("今晨", False),
        ("降雪", True),
    ]
    assert marked("上海", "北京") == [("上海", False)]
    samples = [sample(1, "新标题1")]
    assert "<td>新<b>标题1</b></td>" in fill(
        "samples.html", samples=samples_view(samples, kept=1)
    )


@given(headline=st.text(), reference=st.text())
def test_marks_are_in_the_order_of_the_reference_and_lose_nothing(
    headline: str, reference: str
) -> None:
    pieces = marked(headline, reference)
    assert "".join(text for text, _ in pieces) == headline
    start = 0
    for text, shared in pieces:
        if shared:
            start = reference.index(text, start) + len(text)


def test_texts_never_become_tags() -> None:
    hostile = "<b>&amp;\"'</b><script>"
    texts = {"source": hostile, "reference": hostile, "headline": f"新{hostile}"}
    tags = shown([{"epoch": 1, **texts}], kept=1)
    assert "script" not in tags.seen and len(tags.of("b")) == 1
    assert tags.text.count(hostile) == 3
