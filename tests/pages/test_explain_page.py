"""The page of explanations: well formed, safe with any text, each character linked."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.errors import HeadlineError
from headline.generation.explain import (
    UNSURE,
    ExplainedHeadline,
    Explanation,
    Token,
)
from headline.pages.explain_page import explanation_page, section
from headline.pages.heat_map import END
from tests.markup import Tags, parse

HOSTILE = ["<script>", "alert('&')", "</script>", '"', "'", ">", "&amp;", " "]
PIECES = [*HOSTILE, "央", "行", "宣布"]
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=9)


def token(text: str, source: list[str], copied: float = 1.0) -> Token:
    """A token that comes from its occurrences alone."""
    places = [place for place, other in enumerate(source) if other == text]
    found = np.zeros(len(source), np.float32)
    found[places or slice(None)] = 1 / (len(places) or len(source))
    return Token(text, 0.5, copied, found)


def explanation(
    source: list[str],
    *headlines: list[str],
    copied: float = 1.0,
    unread: str = "",
    pointer: bool = True,
) -> Explanation:
    explained = [
        ExplainedHeadline(
            "".join(headline),
            -1.25 * rank,
            (*(token(text, source, copied) for text in headline), token("", source, 0)),
        )
        for rank, headline in enumerate(headlines, start=1)
    ]
    return Explanation(tuple(source), unread, tuple(explained), pointer)


def written(path: Path, *explanations: Explanation, pointer: bool = True) -> Tags:
    with explanation_page(path, pointer) as write:
        for each in explanations:
            write(each)
    return parse(path.read_text("utf-8"))


def shown(number: int, article: Explanation) -> str:
    return "".join(section(number, article))


# --- the page -------------------------------------------------------------------------


def test_page_is_well_formed_and_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    first = explanation(list("央行宣布"), ["央", "行"], ["宣"])
    blank = Explanation((), "", (), True)

    tags = written(tmp_path / "out.html", first, blank, first)

    assert not tags.links and tags.of("html") == [{"lang": "zh"}]
    assert len(tags.of("section")) == 3 and "(blank)" in tags.text
    assert len(tags.of("script")) == 1
    page = (tmp_path / "out.html").read_text("utf-8")
    assert "url(" not in page and "://" not in page and "@import" not in page


def test_a_page_without_articles_is_a_page(tmp_path: Path) -> None:
    assert not written(tmp_path / "out.html").of("section")


def test_only_a_model_that_copies_has_a_legend_of_copying(tmp_path: Path) -> None:
    assert "P(copy)" in written(tmp_path / "a.html").text
    assert "P(copy)" not in written(tmp_path / "b.html", pointer=False).text


def test_a_failure_leaves_the_old_page(tmp_path: Path) -> None:
    path = tmp_path / "out.html"
    path.write_text("old", "utf-8")
    with pytest.raises(ZeroDivisionError), explanation_page(path, True) as write:
        write(explanation(["央"], ["央"]))
        raise ZeroDivisionError
    assert path.read_text("utf-8") == "old" and list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", [".", "nowhere/out.html"])
def test_a_place_that_cannot_be_written_is_told_before_the_body(
    tmp_path: Path, name: str
) -> None:
    with (
        pytest.raises(HeadlineError, match=r"^cannot write [^\n]+folder[^\n]*$"),
        explanation_page(tmp_path / name, True),
    ):
        pytest.fail("the body ran")
    assert not list(tmp_path.iterdir())


def test_articles_are_written_as_they_come(tmp_path: Path) -> None:
    large = explanation(list("央行" * 2000), ["央"] * 20)
    path = tmp_path / "out.html"
    tracemalloc.start()
    with explanation_page(path, True) as write:
        for _ in range(30):
            write(large)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert path.stat().st_size > 3_000_000 > 1_500_000 > peak


# --- an article -----------------------------------------------------------------------


@given(texts, st.lists(texts, min_size=1, max_size=3), st.text(max_size=5))
def test_any_text_is_shown_and_never_becomes_a_tag(
    source: list[str], headlines: list[list[str]], unread: str
) -> None:
    tags = parse(shown(1, explanation(source, *headlines, unread=unread)))

    assert "script" not in tags.seen
    assert "".join(source) in tags.text
    labels = [attrs["aria-label"] for attrs in tags.of("div", "tokens")]
    assert labels == ["".join(headline) for headline in headlines]
    buttons = [attrs["data-t"] for attrs in tags.of("button", "token")]
    assert buttons == [text for headline in headlines for text in [*headline, ""]]


@given(texts, texts)
def test_a_copied_token_is_linked_to_its_occurrences(
    source: list[str], headline: list[str]
) -> None:
    tags = parse(shown(1, explanation(source, headline)))

    assert len(tags.of("i")) == len(source)
    for attrs in tags.of("button", "token")[:-1]:
        linked = [int(pair.split(":")[0]) for pair in attrs["data-w"].split()]
        text = attrs["data-t"]
        expected = [place for place, other in enumerate(source) if other == text]
        assert linked == (expected or list(range(len(source))))


@pytest.mark.parametrize(
    ("share", "kind", "number"),
    [(1.0, "copied", "100"), (0.5, "copied", "50"), (0.49, "written", "49")],
)
def test_a_token_is_marked_by_its_greater_share(
    share: float, kind: str, number: str
) -> None:
    page = shown(1, explanation(["央"], ["央"], copied=share))

    first, end = parse(page).of("button", "token")
    assert kind in first["class"].split() and f"P(copy) {number}%" in first["title"]
    assert "probability 50%" in first["title"]
    assert f"<span>央</span><small>{number}</small>" in page
    assert "end" in end["class"].split() and f">{END}</span></button>" in page


def test_what_the_article_lacks_is_marked_and_named() -> None:
    article = explanation(list("在东京有5人"), list("在大阪有6人"), list("有5人"))

    tags = parse(shown(1, article))

    marked = [attrs["data-t"] for attrs in tags.of("button", "lacking")]
    assert marked == ["大", "阪", "6"]
    assert tags.text.count("Not in the article: 大阪, 6") == 1
    assert len(tags.of("p", "facts")) == 1


def test_the_unread_rest_of_an_article_supports_a_headline() -> None:
    article = explanation(list("在东京"), list("在大阪"), unread="，又在大阪。")
    assert not parse(shown(1, article)).of("button", "lacking")


def test_a_name_that_the_article_has_in_pieces_is_told_apart() -> None:
    article = explanation(list("石家庄海关，在中国"), list("中国海关"))
    assert "Not in the article: 中国海关 (in pieces only)" in shown(1, article)


@pytest.mark.parametrize(
    ("probability", "unsure"), [(UNSURE, 0), (UNSURE - 0.001, 2), (1.0, 0)]
)
def test_characters_that_the_model_was_unsure_about_are_marked(
    probability: float, unsure: int
) -> None:
    article = explanation(["央", "行"], ["央", "行"])
    (headline,) = article.headlines
    tokens = tuple(replace(one, probability=probability) for one in headline.tokens)
    article = replace(article, headlines=(replace(headline, tokens=tokens),))

    assert len(parse(shown(1, article)).of("button", "unsure")) == unsure


def test_a_model_without_pointer_shows_no_share_of_copying() -> None:
    page = shown(1, explanation(["央"], ["央"], copied=0, pointer=False))

    assert "P(copy)" not in page and "<small>" not in page
    assert 'style="--w:' in page  # its article is shaded all the same


def test_each_candidate_has_its_score_and_its_heat_map() -> None:
    tags = parse(shown(7, explanation(["央", "行"], ["央"], ["行"], ["央", "行"])))

    for rank, score in enumerate(("-1.25", "-2.50", "-3.75"), start=1):
        assert f"{rank} · score {score}" in tags.text
    assert len(tags.of("div", "map")) == 3
    assert len(tags.of("details")) == 3  # the first of them open
    assert ["open" in attrs for attrs in tags.of("details")] == [True, False, False]


def test_a_candidate_in_a_style_is_labelled_with_it() -> None:
    plain = explanation(["央"], ["央"], ["央"])
    one, other = plain.headlines
    styled = replace(plain, headlines=(replace(one, style="<短>"), other))
    tags = parse(shown(1, styled))
    assert "1 · style <短> · score -1.25" in tags.text
    assert "2 · score -2.50" in tags.text


def test_the_article_is_shaded_for_what_the_best_headline_copied() -> None:
    source = ["央", "行"]
    tokens = token("行", source), token("央", source, copied=0), token("", source, 0)
    headline = ExplainedHeadline("行央", -1.0, tokens)
    tags = parse(shown(1, Explanation(tuple(source), "", (headline,), True)))

    assert [attrs.get("style") for attrs in tags.of("i")] == [None, "--w:100"]


def test_unread_text_is_counted() -> None:
    tags = parse(shown(1, explanation(["央"], ["央"], unread="没有读到")))
    assert "did not read the last 4 characters" in tags.text and "没有读到" in tags.text
