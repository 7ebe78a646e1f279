"""Forms of headlines and their codes."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.network.styles.form import PLACES, Form, FormSpace

ARTICLE = "世贸组织10日发布报告说，全球商品贸易将逐步回升。"
HEADLINES = [
    "世贸组织：全球商品贸易将回升",
    "全球贸易回升 将增长",
    "全球商品贸易将逐步回升",
    "报告说贸易回升",
    "谁来“回升”？",
    "世贸组织10日发布报告",
]
FORMS = [Form.of(headline, ARTICLE) for headline in HEADLINES]
SPACE = FormSpace.of(FORMS)


@pytest.mark.parametrize(
    ("headline", "place", "copied", "marks"),
    [
        ("世贸组织：全球", 0, 4 / 6, {"colon"}),
        ("全球商品", ARTICLE.index("全球"), 1.0, set()),
        ("无人知晓 何处", -1, 0.0, {"space"}),
        ("内核 Linux 更新", -1, 0.0, set()),  # the spaces belong to the Latin word
        ("高温 3人死亡", -1, 0.0, {"space"}),
        ("损失1,000元", -1, 0.0, set()),
        ("比分3:2", -1, 0.0, set()),  # between digits, it is no colon of a headline
        ("贸易回升", ARTICLE.index("贸易"), 2 / 3, set()),  # 贸 is in 世贸, too
        ("组", ARTICLE.index("组"), 0.0, set()),
        ("“全球”，如何？", -1, 1 / 7, {"quote", "comma", "question"}),
    ],
)
def test_a_form_is_place_copying_and_marks(
    headline: str, place: int, copied: float, marks: frozenset[str]
) -> None:
    form = Form.of(headline, ARTICLE)
    assert form.place == place
    assert form.marks == set(marks)
    assert form.copied == pytest.approx(copied)


def columns(name: str, form: Form) -> list[float]:
    """The code of a form in one group of features."""
    (group,) = (one for one in SPACE.groups if one.name == name)
    found: list[float] = SPACE.encode([form])[0, group.begin : group.end].tolist()
    return found


def test_groups_cover_the_columns_without_gaps() -> None:
    assert SPACE.groups[0].begin == 0
    for one, other in zip(SPACE.groups, SPACE.groups[1:], strict=False):
        assert one.end == other.begin
    assert SPACE.encode(FORMS).shape == (len(FORMS), SPACE.size)


@given(text=st.text("世贸组织全球商品 ：“，？回升x", min_size=1, max_size=30))
def test_of_a_choice_exactly_one_is_chosen(text: str) -> None:
    code = SPACE.encode([Form.of(text, ARTICLE)])[0]
    assert set(code.tolist()) <= {0.0, 1.0}
    for group in SPACE.groups:
        if group.is_choice:
            assert code[group.begin : group.end].sum() == 1


@given(text=st.text("世贸组织", min_size=2, max_size=40))
def test_a_longer_headline_reaches_all_bounds_of_a_shorter_one(text: str) -> None:
    longer, shorter = (
        np.array(columns("length", Form.of(one, ARTICLE))) for one in (text, text[:-1])
    )
    assert (longer >= shorter).all()
    assert longer.sum() == sum(len(text) >= bound for bound in SPACE.lengths)


def test_each_place_has_the_bucket_between_its_bounds() -> None:
    for place in range(-1, 70):
        form = Form("题", place, 0.0, frozenset())
        bucket = columns("place", form).index(1.0)
        if place < 0:
            assert bucket == len(PLACES) + 1
        else:
            assert bucket == sum(place >= bound for bound in PLACES)


def test_first_last_and_frequent_characters_have_features() -> None:
    form = Form.of("全球回升", ARTICLE)
    other = Form.of("xyz", ARTICLE)
    for name, characters in (("first", SPACE.first), ("last", SPACE.last)):
        assert columns(name, other).index(1.0) == len(characters)  # none of them
    assert SPACE.first[columns("first", form).index(1.0)] == "全"
    assert SPACE.last[columns("last", form).index(1.0)] == "升"
    frequent = zip(SPACE.frequent, columns("frequent", form), strict=True)
    assert {c for c, is_there in frequent if is_there} == set("全球回升")


def test_a_space_is_the_same_after_json() -> None:
    again = FormSpace.from_dict(json.loads(json.dumps(SPACE.to_dict())))
    assert again == SPACE
    np.testing.assert_array_equal(again.encode(FORMS), SPACE.encode(FORMS))


def test_the_order_of_a_corpus_does_not_matter() -> None:
    assert FormSpace.of(FORMS[::-1]) == SPACE


@pytest.mark.parametrize(
    "change", [{"first": 3}, {"lengths": ["x"]}, {"copied": 1}, {"frequent": None}]
)
def test_what_is_no_space_is_refused(change: dict[str, object]) -> None:
    with pytest.raises((TypeError, ValueError)):
        FormSpace.from_dict(SPACE.to_dict() | change)
