"""Sample headlines: in the order of the epochs, and marked where they agree."""

import re
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from headline.pages.sample_view import Turn, marked, samples_view, turns
from tests.markup import parse


def sample(epoch: int, headline: str, article: int = 1) -> dict[str, Any]:
    texts = {"source": f"文{article}", "reference": f"标题{article}"}
    return {"epoch": epoch, **texts, "headline": headline}


def test_epochs_with_the_same_headline_are_one_turn() -> None:
    samples = [sample(n, text) for n, text in enumerate("甲甲乙甲", start=1)]
    assert turns(samples) == [Turn(1, 2, "甲"), Turn(3, 3, "乙"), Turn(4, 4, "甲")]


def test_samples_of_an_article_stand_together_in_the_order_of_the_epochs() -> None:
    samples = [sample(e, f"题{n}代{e}", n) for e in (1, 2) for n in (1, 2)]
    text = parse(samples_view(samples, kept=2)).text
    assert re.findall(r"题\d代\d", text) == ["题1代1", "题1代2", "题2代1", "题2代2"]
    assert text.index("文1") < text.index("题1代1") < text.index("文2")


def test_the_headline_of_the_kept_epoch_has_a_star() -> None:
    samples = [sample(epoch, text) for epoch, text in ((1, "甲"), (2, "乙"), (3, "乙"))]
    text = parse(samples_view(samples, kept=3)).text
    assert "epoch 1甲" in text and "epoch 2–3 ★乙" in text


def test_what_the_reference_has_too_is_marked() -> None:
    assert marked("北京今晨降雪", "北京降雪") == "<b>北京</b>今晨<b>降雪</b>"
    assert marked("上海", "北京") == "上海"
    assert marked("<b>", "<") == "<b>&lt;</b>b&gt;"


@given(headline=st.text(), reference=st.text())
def test_marks_are_in_the_order_of_the_reference_and_lose_nothing(
    headline: str, reference: str
) -> None:
    page = marked(headline, reference)
    tags = parse(page)
    assert tags.seen <= {"b"}
    assert tags.text == headline
    common = [parse(part).text for part in re.findall(r"<b>(.*?)</b>", page, re.DOTALL)]
    places, start = [], 0
    for part in common:
        start = reference.index(part, start)
        places.append(start)
        start += len(part)
    assert all(a < b for a, b in pairwise(places))
