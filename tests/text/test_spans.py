"""Runs are as long as they can be: numbers, codes, ranges and joined emoji."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.text.spans import (
    cut,
    followed,
    numbers_and_words,
    runs,
    spans,
    starts_run,
)

# What together writes most kinds of runs, and what only looks like one.
PIECES = (
    *"1280 ABCé.,:：/_&'’+-－—～~±$¥×·@#*%℃°²½万亿年月日至到中，、①Ⅲβ",
    *("--", "++", "138", "400", "+86", "US$"),
    *"👩🏽🇨🇳\u200d\ufe0f\u20e3",
)
tangled = st.lists(st.sampled_from(PIECES), max_size=14).map("".join)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("上半年营收12.95万亿元", ["12.95万亿"]),
        ("同比增长3.5%。", ["3.5%"]),
        ("最低气温3℃，最高9.", ["3℃", "9"]),
        ("共1,234.5人,5人", ["1,234.5", "5"]),
        ("约3亿6538万人次，5万km", ["3亿6538万", "5万", "km"]),
        ("没有数字，百万人", []),
        ("第19届，9号线，2023年3月", ["19", "9", "2023", "3"]),
        # Times, scores, versions, dates, fractions, telephone numbers.
        ("10:30开赛，比分3:1、3-2，6：4", ["10:30", "3:1", "3-2", "6：4"]),
        ("v2.0.1和iOS17.4，1.2.3版", ["v2.0.1", "iOS17.4", "1.2.3"]),
        ("2023-05-01、2023/5/1，“9·18”", ["2023-05-01", "2023/5/1", "9·18"]),
        ("1/3，1½，24/7，4×100米", ["1/3", "1½", "24/7", "4×100"]),
        ("010-12389和12337", ["010-12389", "12337"]),
        ("+86-10-12308，400-818-1234", ["+86-10-12308", "400-818-1234"]),
        ("138 0013 8000，010 5818 6722", ["138 0013 8000", "010 5818 6722"]),
        ("2020 300人，5% 3月", ["2020", "300", "5%", "3"]),
        # Signs, currencies, units.
        ("-3℃，+5%，±2，－7，−8", ["-3℃", "+5%", "±2", "－7", "−8"]),
        ("¥100，$3，€5，US$3亿，-$2", ["¥100", "$3", "€5", "US$3亿", "-$2"]),
        ("5‰，36°C，39°54′N，10㎡，10²", ["5‰", "36°C", "39°54′N", "10㎡", "10²"]),
        ("300km/h，5m³，kW·h，上涨23%10月", ["300km/h", "5m³", "kW·h", "23%", "10"]),
        # Codes.
        ("C919和5G，5G-A，F-16", ["C919", "5G", "5G-A", "F-16"]),
        ("SU7、YU7，K4532次，CD44V6", ["SU7", "YU7", "K4532", "CD44V6"]),
        ("COVID-19，A320neo，3D，H5N1", ["COVID-19", "A320neo", "3D", "H5N1"]),
        ("Wi-Fi，AT&T，C++，C#，x86_64", ["Wi-Fi", "AT&T", "C++", "C#", "x86_64"]),
        ("Café与WTO，O'Neill，a_b@c.cn", ["Café", "WTO", "O'Neill", "a_b@c.cn"]),
        ("G20峰会，H₂O，β病毒，Ⅲ级", ["G20", "H₂O", "β", "Ⅲ"]),
        ("10+1，1+X，5G+4K，5G+工业", ["10+1", "1+X", "5G+4K", "5G"]),
        ("‘5G’2020，100#，A#", ["5G", "2020", "100", "A"]),
        # Ranges.
        ("0.41%～0.47%，-24～-20℃", ["0.41%～0.47%", "-24～-20℃"]),
        ("2025—2027年，5-10，10–15", ["2025—2027", "5-10", "10–15"]),
        ("5亿—7亿元，2万元-3万元", ["5亿—7亿", "2万元-3万"]),
        ("2025年—2027年，9月15日—10月8日", ["2025年—2027", "9", "15日—10月8"]),
        ("1至11月，1月至11月，3到5", ["1至11", "1月至11", "3到5"]),
        ("5月1日至3日，增长2%至5亿", ["5", "1", "3", "2%", "5亿"]),
        ("1、2、3，5——7，2——", ["1", "2", "3", "5", "7", "2"]),
        ("中国—东盟，3—，5-", ["3", "5"]),
        # Emoji.
        ("👩\u200d💻👍🏽🇨🇳🇺🇸", ["👩\u200d💻", "👍🏽", "🇨🇳", "🇺🇸"]),
        (
            "1\ufe0f\u20e32\ufe0f\u20e3#\ufe0f\u20e3",
            [f"{c}\ufe0f\u20e3" for c in "12#"],
        ),
        (
            "🏴\U000e0067\U000e007f，❤\ufe0f①",
            ["🏴\U000e0067\U000e007f", "❤\ufe0f", "①"],
        ),
    ],
)
def test_a_run_is_whole(text: str, expected: list[str]) -> None:
    assert runs(text) == expected


def test_a_run_with_a_digit_is_a_number_and_one_of_letters_a_word() -> None:
    text = "C919和WTO，3.5%，👩，Wi-Fi，①"

    assert numbers_and_words(text) == (["C919", "3.5%"], ["WTO", "Wi-Fi"])


@given(tangled)
def test_nothing_that_could_begin_a_run_is_left_out(text: str) -> None:
    found = runs(text)

    assert [text[begin:end] for begin, end in spans(text)] == found
    assert not found or starts_run(text)
    outside = list(text)
    for begin, end in spans(text):
        outside[begin:end] = " " * (end - begin)
    assert not runs("".join(outside))


@given(tangled)
def test_a_run_by_itself_is_the_same_run(text: str) -> None:
    for run in runs(text):
        assert runs(run) == [run] and starts_run(run[0])


@given(tangled, tangled)
def test_runs_that_have_ended_stay_with_what_follows(text: str, more: str) -> None:
    ended, rest, run = followed(text)

    assert [*ended, *filter(None, [run])] == runs(text)
    assert text.endswith(rest) and rest.startswith(run)
    after = [*spans(text + more)]
    assert [text[begin:end] for begin, end in after[: len(ended)]] == [*ended]
    assert all(begin >= len(text) - len(rest) for begin, _ in after[len(ended) :])


@pytest.mark.parametrize(
    ("text", "length", "expected"),
    [
        ("甲👩\u200d💻乙", 2, "甲"),
        ("甲👩\u200d💻乙", 3, "甲"),
        ("甲👩\u200d💻乙", 4, "甲👩\u200d💻"),
        ("甲🇨🇳🇺🇸", 4, "甲🇨🇳"),
        ("甲1\ufe0f\u20e3", 3, "甲"),
        ("👩\u200d💻", 2, "👩\u200d"),  # there would be nothing left
        ("甲12.95万", 3, "甲12"),  # the model reads a number as far as it goes
        ("甲👩乙", 9, "甲👩乙"),
    ],
)
def test_a_text_is_not_cut_within_an_emoji(
    text: str, length: int, expected: str
) -> None:
    assert cut(text, length) == expected


@pytest.mark.parametrize(
    "piece",
    [
        *(
            "1",
            "a",
            "a-",
            "1百",
            "1月",
            "5年—",
            "C+",
            "-",
            "$-",
            "138 ",
            "#",
            "中",
            "1,",
        ),
        *("👩", "👩\u200d", "\u200d", "🇨", "1\ufe0f", "百", "1至", "1'"),
    ],
)
def test_time_grows_with_the_length_alone(piece: str) -> None:
    text = piece * (300_000 // len(piece))
    start = time.perf_counter()

    runs(text)
    cut(text, len(text) // 2)

    assert time.perf_counter() - start < 5
