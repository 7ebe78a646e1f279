"""Sections of a page: added before its end, or replaced in their place."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headline.pages.sections import is_page, with_section

PAGE = "<html><body><h1>頁</h1></body></html>"


@pytest.mark.parametrize("text", [None, "", "no page", "<body>"])
def test_what_has_no_end_of_a_body_is_no_page(text: str | None) -> None:
    assert not is_page(text) and is_page(PAGE)


@example(first=r"\1", second=r"\g<0>\n")
@given(
    first=st.text(st.characters(exclude_characters="<>")),
    second=st.text(st.characters(exclude_characters="<>")),
)
def test_a_section_is_added_once_and_replaced_where_it_is(
    first: str, second: str
) -> None:
    one, other, apart = (
        f'<section id="{name}">{text}</section>'
        for name, text in (("a", first), ("a", second), ("b", first))
    )
    once = with_section(PAGE, one)
    assert once == f"<html><body><h1>頁</h1>{one}</body></html>"
    both = with_section(once, apart)
    assert both == f"<html><body><h1>頁</h1>{one}{apart}</body></html>"
    assert with_section(both, other) == both.replace(one, other, 1)
