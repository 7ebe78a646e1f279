"""Boilerplate goes, the article stays, and cleaning twice equals cleaning once."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.text.boilerplate import LEAST, NO_RULES, ArticleRules
from headline.text.normalise import normalise

RULES = ArticleRules(
    openings=(
        "新华社{*}{n}月{n}日电（记者{*}）",
        "云岭在线讯（记者{*}）",
        "云岭社{n}月{n}日电题：",
        "【云岭报道】",
    ),
    closings=("（责任编辑：{*}）", "编辑：{*}", "点击进入专题", "(完)"),
    titles=True,
)
BODY = "央行5日宣布下调存款准备金率，市场反应平稳。"

openings = st.sampled_from(
    [
        "新华社北京1月1日电（记者张三）",
        "新华社纽约12月31日电 (记者 李 四) ",
        "云岭在线讯（记者 王五 赵六）",
        "云岭社3月4日电 题：",
        "云岭社3月4日电题:",
        "【云岭报道】",
    ]
)
closings = st.sampled_from(
    ["（责任编辑：张三）", "[责任编辑：李 四]", " 编辑：王五", "点击进入专题", "(完)"]
)
ends = st.lists(openings, max_size=3), st.lists(closings, max_size=3)


@given(*ends)
def test_boilerplate_at_both_ends_goes(before: list[str], after: list[str]) -> None:
    article = normalise("".join([*before, BODY, *after]))
    assert RULES.clean(article) == BODY
    removed = RULES.removals(article)
    assert len(removed) == len(before) + len(after)
    assert {one.rule for one in removed} <= {*RULES.openings, *RULES.closings}


@given(
    st.text(
        "新华社北京1月1日电（记者）【云岭报道】编辑：点击进入专题(完)。 央", max_size=80
    )
)
def test_cleaning_twice_equals_cleaning_once(text: str) -> None:
    article = normalise(text)
    once = RULES.clean(article)
    assert RULES.clean(once) == once and once in article
    assert len(once) >= min(LEAST, len(article))


@pytest.mark.parametrize(
    "article",
    [
        "据新华社北京1月1日电（记者张三）报道，央行今日降准。",
        "新华社记者从北京获悉，央行1月1日宣布降准。",
        "央行称，责任编辑：这一职务已经取消，不再设置。另有安排。",
        "央行宣布降准（责任编辑：张三），市场反应平稳。",
        "点击进入专题",
    ],
)
def test_what_only_looks_like_boilerplate_stays(article: str) -> None:
    assert RULES.clean(article) == article


@given(st.sampled_from(["", "原标题：", "标题:"]), st.booleans())
def test_the_headline_at_the_beginning_goes(mark: str, has_affix: bool) -> None:
    forms = ["央行降准_云岭在线", "央行降准"] if has_affix else ["央行降准"]
    for line in forms:
        article = normalise(f"{mark}{line}\n{BODY}")
        assert NO_RULES.clean(article, forms) == BODY
        assert RULES.clean(article, forms) == BODY
    assert RULES.clean(f"央行降准，{BODY}", forms) == f"央行降准，{BODY}"


@pytest.mark.parametrize(
    ("article", "expected"),
    [
        (f"央行 降准\n{BODY}", BODY),
        (f"原标题：央行降准！\n\n  {BODY}", BODY),
        (f"央行今日降准。\n{BODY}", None),
        (f"{BODY}\n短", None),
        (BODY, None),
    ],
)
def test_title_line_of_a_raw_article(article: str, expected: str | None) -> None:
    assert RULES.without_title_line(article) == (expected or article)
    assert ArticleRules().without_title_line(article) == article


@given(st.text(max_size=50))
def test_no_rules_change_nothing(text: str) -> None:
    article = normalise(text)
    assert not NO_RULES and NO_RULES.clean(article) == article


def test_rules_are_the_same_after_json() -> None:
    assert ArticleRules.from_dict(RULES.to_dict()) == RULES
    assert ArticleRules.from_dict({}) == NO_RULES


@pytest.mark.parametrize(
    "raw",
    [
        {"openings": "新华社"},
        {"openings": ["新"]},
        {"openings": ["{*}讯"]},
        {"closings": ["编{*}辑{*}" * 2]},
        [],
        {"closings": [1]},
        {"titles": 1},
        {"more": []},
    ],
)
def test_other_rules_are_refused(raw: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        ArticleRules.from_dict(raw)


def test_text_of_rules_is_no_pattern() -> None:
    rules = ArticleRules(openings=("云.岭(讯[a-z]+",), closings=("完.*",))
    assert rules.clean(f"云a岭讯bcd{BODY}完了") == f"云a岭讯bcd{BODY}完了"
    assert rules.clean(f"云.岭(讯[a-z]+{BODY}完.*") == BODY
