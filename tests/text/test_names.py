"""Names that a headline has and its article lacks."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.text.names import unsupported_names

TOKYO = "日本首相安倍晋三1日在东京会见美国国务卿布林肯和山东省代表。"


def names(headline: str, article: str = TOKYO) -> list[str]:
    return [name.text for name in unsupported_names(headline, article)]


@pytest.mark.parametrize(
    ("headline", "expected"),
    [
        ("日本首相在东京会见布林肯", []),
        ("日本首相在大阪会见布林肯", ["大阪"]),
        ("王毅会见日本首相", ["王毅"]),
        ("张占斌：日本首相会见客人", ["张占斌"]),  # not in jieba's dictionary
        ("日本首相会见布林克", ["布林克"]),
        ("人社部会见日本首相", ["人社部"]),
        ("日本首相会见美国副国务卿", []),
        ("日本首相会见欧洲央行代表", ["欧洲央行"]),
        ("人社部会见山东省代表", ["人社部"]),
    ],
)
def test_names_that_the_article_lacks(headline: str, expected: list[str]) -> None:
    assert names(headline) == expected


@pytest.mark.parametrize(
    ("headline", "article"),
    [
        ("美日会谈", TOKYO),
        ("鲁代表访日", TOKYO),
        ("美政府人士访日", TOKYO),
        ("美国政府人士访日", TOKYO),
        ("得州遇袭", "美国得克萨斯州发生袭击。"),
        ("美海军出访", "美国海军舰艇出访。"),
        ("中国船舶工业增长", "今年我国造船业增长。"),
        ("英国伦敦发现包裹", "英国警方在伦敦发现包裹。"),
        ("秦岭山脉有雨", "今天秦岭有雨。"),
        ("伊拉克库尔德武装撤出", "伊拉克政府军和库尔德武装撤出。"),
        ("哈马斯布雷吉营地", "哈马斯在布雷吉营地。"),
        ("人社部发布通知", "人力资源和社会保障部发布通知。"),
        ("欧洲央行降息", "欧洲中央银行降息。"),
    ],
)
def test_short_and_joined_forms_are_supported(headline: str, article: str) -> None:
    assert names(headline, article) == []


@pytest.mark.parametrize(
    "headline",
    ["客机晋级公开赛", "公司回国上市惠及各国", "高水平队凯旋", "强降雨再袭三国"],
)
def test_ordinary_words_that_jieba_tags_as_names_are_none(headline: str) -> None:
    assert names(headline) == []


def test_a_name_may_be_in_pieces_in_the_article() -> None:
    article = "石家庄海关在中国查获象牙，石小平在场，行长在欧洲表示中央支持。"

    found = unsupported_names("中国海关、王平和欧洲央行", article)

    assert [(name.text, name.in_pieces) for name in found] == [
        ("中国海关", True),
        ("王平", False),
        ("欧洲央行", True),
    ]


@given(st.text("王毅北京市美国阿卡德 ，。12a", max_size=15), st.text(max_size=15))
def test_names_stand_in_the_headline_but_not_in_the_article(
    headline: str, article: str
) -> None:
    end = 0
    for name in unsupported_names(headline, article):
        assert headline[name.begin : name.end] == name.text not in article
        assert name.begin >= end
        end = name.end


@given(st.text("王毅北京市美国阿卡德，大阪", max_size=15), st.integers(0, 14))
def test_an_article_supports_all_parts_of_itself(text: str, begin: int) -> None:
    assert unsupported_names(text[begin:], text) == []
