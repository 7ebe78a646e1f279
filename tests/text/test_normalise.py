"""The one normalisation: what goes, what stays, and what holds for any text."""

import time
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from headline.text import normalise as text_module
from headline.text.normalise import normalise, normalise_all

# Pieces that together write markup, and markup inside of markup.
PIECES = (
    *"<>&;#/!-'\"= ab1中．１Ａ％，\n\t\u200b\u200d\ufe0f👩\ud800\ufffe",
    *("<b>", "</p>", "<br/>", "<!--", "-->", "<script>", "</script>", "< b>"),
    *("&amp;", "&lt;", "&gt;", "&#60;", "&#x26;", "amp;", "lt;", "nbsp;", "&zwj;"),
    *"2：∶﹕⽇⻓ﬁ\u0301\u0315\u0344\u037ee豈\u1100\u1161\u11a8🏴\U000e0067\U000e007f",
)
any_text = st.text(st.characters())  # with surrogates and all
tangled = st.lists(st.sampled_from(PIECES)).map("".join)


@given(any_text | tangled)
@example("&lt;b&gt;")
@example("&amp;lt;b&amp;gt;中")
@example("&am<b></b>p;lt;br>")
@example("&" + "amp;" * 20 + "lt;b&gt;")
@example("1<b></b>．2")
@example("👩\u200d<b></b>👩")
@example("e" + "\u0344" * 40)
@example("1<b></b>：2")
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    once = normalise(text)

    assert normalise(once) == once


plain = st.text("中文 ", max_size=3)  # of which the spaces alone may be wrong


@given(st.lists(plain | any_text | tangled))
def test_many_texts_become_what_each_becomes(texts: list[str]) -> None:
    assert normalise_all(texts) == [normalise(text) for text in texts]


def test_no_character_that_normalising_changes_is_overlooked() -> None:
    everything = [f"中{chr(code)}文" for code in range(0x110000)]

    suspects = set(text_module._suspects(everything))

    clean = [text for at, text in enumerate(everything) if at not in suspects]
    assert len(clean) > 10**5 and all(normalise(text) == text for text in clean)


def test_a_long_text_is_normalised_among_others() -> None:
    long = "中  文" * 50_000
    plain_form = normalise(long)
    assert normalise_all(["", long, " a", long]) == ["", plain_form, "a", plain_form]


@given(any_text | tangled)
def test_result_is_one_encodable_line_without_control_characters(text: str) -> None:
    result = normalise(text)

    result.encode()
    assert not {unicodedata.category(c) for c in result} & {"Cc", "Cs", "Zl", "Zp"}
    assert result == " ".join(result.split(" ")).strip()
    assert "  " not in result


@given(st.text("中文新闻，。！？；（）“”《》、—～…·0123456789ABCabc.,:;!?()"))
@example("消息：2024年，第3：甲")
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


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("3：2和１３：３３", "3:2和13:33"),
        ("6∶1，7﹕3，1：2：3", "6:1，7:3，1:2:3"),
        ("A：2，3：B，电话：12", "A：2，3：B，电话：12"),
        ("2025—2027年，5～10，－3", "2025—2027年，5～10，－3"),
    ],
)
def test_a_wide_colon_becomes_narrow_between_digits_alone(
    raw: str, expected: str
) -> None:
    assert normalise(raw) == expected


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("今⽇⼈⺠⽹，⻓⻅⻋⻛", "今日人民网，长见车风"),
        ("⺟⻰⻔⻘⻚⻜⻢⻥⻦⻩⻬⻮⻝", "母龙门青页飞马鱼鸟黄齐齿食"),
        ("㇐⺄㇠", "一乙乙"),
        ("更\uf901\U0002f800", "更更丽"),
        ("Cafe\u0301、Zu\u0308rich", "Café、Zürich"),
        ("\u1112\u1161\u11ab\u1100\u116e\u11a8", "한국"),
        ("ｅ\u0301，ﬁnance，oﬀ", "é，finance，off"),
        ("\u2126\u212a\u212b", "ΩKÅ"),
        ("①Ⅲ㎡℃½²№㈱﨑々〇", "①Ⅲ㎡℃½²№㈱﨑々〇"),
    ],
)
def test_characters_from_a_pdf_become_ordinary_ones(raw: str, expected: str) -> None:
    assert normalise(raw) == expected


def test_every_radical_becomes_an_ideograph() -> None:
    radicals = [*range(0x2E80, 0x2EF4), *range(0x2F00, 0x2FD6)]
    without = {0x2E80, 0x2E9A}  # no ideograph is like it; not assigned
    for code in (code for code in radicals if code not in without):
        ideograph = normalise(chr(code))
        assert unicodedata.name(ideograph).startswith("CJK UNIFIED IDEOGRAPH"), code
        compatible = unicodedata.normalize("NFKC", chr(code))
        assert compatible in (chr(code), ideograph)


@given(any_text | tangled)
def test_an_accent_written_apart_makes_no_difference(text: str) -> None:
    once = normalise(text)

    assert unicodedata.is_normalized("NFC", once)
    assert normalise(unicodedata.normalize("NFD", once)) == once


def test_what_composes_with_the_character_before_it_is_looked_at() -> None:
    parts = (unicodedata.decomposition(chr(code)) for code in range(0x110000))
    pairs = [part.split() for part in parts if part and part[0] != "<"]
    seconds = {chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2}
    assert len(seconds) > 50
    assert all(text_module._RARE_CHARACTER.match(second) for second in seconds)


def test_only_so_many_marks_stay_on_one_character() -> None:
    assert normalise("中" + "\u0301" * 99 + "文") == "中" + "\u0301" * 30 + "文"
    assert normalise("й" * 99 + "กั" * 99) == "й" * 99 + "กั" * 99


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


@pytest.mark.parametrize(
    "emoji",
    ["👍🏽", "1\ufe0f\u20e3", "🇨🇳", "❤\ufe0f", "🏴\U000e0067\U000e0062\U000e007f"],
)
def test_a_joined_emoji_stays(emoji: str) -> None:
    assert normalise(f"甲{emoji}乙") == f"甲{emoji}乙"


def test_tags_go_where_they_make_no_flag() -> None:
    tag, end = "\U000e0067", "\U000e007f"
    for text in (f"🏴{tag}", f"🏴{end}", f"甲{tag}{end}", f"🏴\u200b{tag}{end}"):
        assert normalise(text) == text[0]


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
        *("1：", "\u0301", "\u0315\u0300", "e\u0344", "\u1161", "⽇", "🏴\U000e0067"),
    ],
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    # Quadratic time would take minutes; a slow machine takes well under a second.
    text = piece * (300_000 // len(piece)) + "<a " + "x" * 100_000

    start = time.perf_counter()
    normalise(text)

    assert time.perf_counter() - start < 5
