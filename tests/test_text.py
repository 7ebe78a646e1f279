"""The one normalisation: what goes, what stays, and what holds for any text."""

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from headline import text as text_module
from headline.text import normalise, normalise_all

stable = settings(derandomize=True, deadline=None, max_examples=300)

# Pieces that together write markup, and markup inside of markup.
PIECES = (
    *"<>&;#/!-'\"= ab1中．１Ａ％，\n\t\u200b\u200d\ufe0f👩\ud800\ufffe",
    *("<b>", "</p>", "<br/>", "<!--", "-->", "<script>", "</script>", "< b>"),
    *("&amp;", "&lt;", "&gt;", "&#60;", "&#x26;", "amp;", "lt;", "nbsp;", "&zwj;"),
)
any_text = st.text(st.characters())  # with surrogates and all
tangled = st.lists(st.sampled_from(PIECES)).map("".join)


@stable
@given(any_text | tangled)
@example("&lt;b&gt;")
@example("&amp;lt;b&amp;gt;中")
@example("&am<b></b>p;lt;br>")
@example("&" + "amp;" * 20 + "lt;b&gt;")
@example("1<b></b>．2")
@example("👩\u200d<b></b>👩")
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text)

    assert normalise(once) == once


plain = st.text("中文 ", max_size=3)  # of which the spaces alone may be wrong


@stable
@given(st.lists(plain | any_text | tangled))
def test_many_texts_become_what_each_becomes(texts: list[str]) -> None:
    assert normalise_all(texts) == [normalise(text) for text in texts]


def test_no_character_that_normalising_changes_is_overlooked() -> None:
    everything = [f"中{chr(code)}文" for code in range(0x110000)]

    suspects = set(text_module._suspects(everything))

    clean = [text for at, text in enumerate(everything) if at not in suspects]
    assert len(clean) > 10**6 and all(normalise(text) == text for text in clean)


def test_a_long_text_is_normalised_among_others() -> None:
    long = "中  文" * 50_000
    plain_form = normalise(long)
    assert normalise_all(["", long, " a", long]) == ["", plain_form, "a", plain_form]


@stable
@given(any_text | tangled)
def test_result_is_one_encodable_line_without_control_characters(text: str) -> None:
    result = normalise(text)

    result.encode()
    assert not {unicodedata.category(c) for c in result} & {"Cc", "Cs", "Zl", "Zp"}
    assert result == " ".join(result.split(" ")).strip()
    assert "  " not in result


@stable
@given(st.text("中文新闻，。！？：；（）“”《》、—…·0123456789ABCabc.,:;!?()"))
def test_clean_chinese_text_stays_as_it_is(text: str) -> None:
    assert normalise(text) == text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("<p>央行<b>降息</b></p>", "央行降息"),
        ("第一句<br>第二句<br/>第三句<BR />完", "第一句 第二句 第三句 完"),
        ("<div class='a'>甲</div><div>乙</div>", "甲 乙"),
        ("<script>if (a < b) x();</script>正文<style>p{}</style >", "正文"),
        ("<SCRIPT src='x'>\nx\n</SCRIPT>正文", "正文"),
        ("前<!-- 编辑：张三 <b> -->后", "前后"),
        ('<img alt="a>b" src=x>图', "图"),
        ('<a title="x>链接</a>', "链接"),
        ("<!DOCTYPE html><?xml version='1'?><o:p>文</o:p>", "文"),
        ("<a\nhref='x'\n>链接</a>", "链接"),
    ],
)
def test_html_is_dropped(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("a < b", "<3", "3<5>2", "a<b且c>d", "若x <y 且 z> w", "<", "a>b", "<>"),
        *(
            "<https://example.org>",
            "<me@example.org>",
            "<《围城》>",
            "</3",
            "<b",
            "-->",
        ),
        *("AT&T", "a&b;", "R&D部门", "?a=1&copy=2", "&没有;", "&;", "&#;", "&#x;"),
        *("他说：“好！”（笑）", "《新闻》；快讯？", "中国，加油。", "甲、乙"),
        *("新华社 北京", "①②", "﨑", "＋＆／＠", "甲．乙", "3．", "3．甲"),
    ],
)
def test_what_only_looks_like_markup_or_width_stays(text: str) -> None:
    assert normalise(text) == text


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("甲&nbsp;乙&nbsp丙", "甲 乙 丙"),
        ("AT&amp;T", "AT&T"),
        ("&#20013;&#x56FD;&mdash;", "中国—"),
        ("a &lt; b", "a < b"),
        ("&amp;nbsp;甲&amp;quot;", '甲"'),
        ("&lt;p&gt;甲&lt;/p&gt;", "甲"),
        ("&#0;&#xD800;&#x110000;", "\ufffd\ufffd\ufffd"),
        ("&unknown;&#99999999999;", "&unknown;&#99999999999;"),
    ],
)
def test_entities_are_decoded(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("ＧＤＰ增长１２．５％，ａｂｃ", "GDP增长12.5%，abc"),
        ("2．5和２．５．３", "2.5和2.5.3"),
        ("＆ａｍｐ；", "＆amp；"),
    ],
)
def test_full_width_letters_and_digits_become_half_width(
    raw: str, expected: str
) -> None:
    assert normalise(raw) == expected


@pytest.mark.parametrize("space", list(" \t\n\r\v\f\x1c\x85\xa0\u2003\u2028\u3000"))
def test_white_space_becomes_one_space(space: str) -> None:
    assert normalise(f"{space}甲{space}{space}乙 {space}") == "甲 乙"


@pytest.mark.parametrize(
    "invisible",
    [
        *"\x00\x07\x1b\x7f\x80\xad\u061c\u180e\u200b\u200c\u200d\u200e\u200f\u202a",
        *"\u202e\u2060\u2066\u2069\ufeff\ufff9\U000e0041\U000e0100\u3164",
        *"\ud800\udcff\ufdd0\ufffe\uffff\U0001fffe\U0010ffff",
    ],
)
def test_invisible_characters_are_dropped(invisible: str) -> None:
    assert normalise(f"{invisible}甲{invisible}乙<{invisible}b>{invisible}") == "甲乙"


def test_joiner_stays_only_inside_an_emoji() -> None:
    assert normalise("👩\u200d💻和❤\ufe0f\u200d🔥") == "👩\u200d💻和❤\ufe0f\u200d🔥"
    assert normalise("\u200d👩\u200d甲\u200d👩\u200d") == "👩甲👩"


@pytest.mark.parametrize("space", ["", " "])
def test_deep_escaping_ends_without_markup(space: str) -> None:
    deep = "&" + "amp;" * 50 + f"lt;b{space}&gt;甲"

    result = normalise(deep)

    assert result.endswith("甲")
    assert not set("<&") & set(result)


@pytest.mark.parametrize(
    "piece",
    [
        *("<", "<a ", '<a "', "<a '\"", "<!--", "<script>", "</", "&", "&amp", "&lt;"),
        *("&#", "1．", "\u200d", "👩\u200d", " ", "\u3000甲", "<b>", "<p x='>"),
    ],
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    # Quadratic time would take minutes; a slow machine takes well under a second.
    text = piece * (300_000 // len(piece)) + "<a " + "x" * 100_000

    start = time.perf_counter()
    normalise(text)

    assert time.perf_counter() - start < 5
