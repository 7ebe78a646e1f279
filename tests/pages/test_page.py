"""The frame of a page: whole, self-contained, and safe with any title."""

from headline.pages.page import TAIL, head, page
from tests.markup import parse


def test_a_page_is_whole_and_needs_nothing_from_elsewhere() -> None:
    tags = parse(page("标题", "<p>文</p>", "p { color: red }"))

    assert {"html", "head", "title", "style", "body", "p"} == tags.seen - {"meta"}
    assert tags.of("html") == [{"lang": "zh"}] and not tags.links
    assert "标题" in tags.text and "文" in tags.text


def test_a_title_never_becomes_a_tag() -> None:
    tags = parse(page("</title><script>", ""))

    assert "script" not in tags.seen and "</title><script>" in tags.text


def test_a_page_is_its_head_its_body_and_its_tail() -> None:
    assert page("a", "b", "c") == head("a", "c") + "b" + TAIL
