"""What a headline has and its article lacks: numbers, Latin words and names."""

from hypothesis import given
from hypothesis import strategies as st

from headline.text.names import unsupported_names
from headline.text.normalise import normalise
from headline.text.spans import runs
from headline.text.unsupported import Article

texts = st.text("在东京大阪5月AB😀，", max_size=12).map(normalise)


def test_parts_have_their_kind_and_place() -> None:
    found = Article.of("在东京有5人").lacking("😀在大阪有6人、AB和5人")

    assert [(one.text, one.begin, one.kind) for one in found] == [
        ("😀", 0, "symbol"),
        ("大阪", 2, "name"),
        ("6", 5, "number"),
        ("AB", 8, "latin"),
    ]


@given(texts, texts)
def test_they_are_the_runs_and_the_names_in_order(headline: str, article: str) -> None:
    found = Article.of(article).lacking(headline)

    assert [one for one in found if one.kind != "name"] == [
        one for one in found if one.text in set(runs(headline)) - set(runs(article))
    ]
    names = [one.text for one in found if one.kind == "name"]
    assert names == [name.text for name in unsupported_names(headline, article)]
    ends = [0, *(one.end for one in found)]
    assert all(one.begin >= end for one, end in zip(found, ends, strict=False))
    assert all(headline[one.begin : one.end] == one.text for one in found)


@given(texts)
def test_an_article_supports_itself(article: str) -> None:
    assert Article.of(article).lacking(article) == []
