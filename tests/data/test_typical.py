"""Typical words: frequent in a group, and rarer in the others."""

from headline.data.typical import typical_words

BANK = ["央行下调利率 北京", "央行公布利率 北京", "央行利率不变 北京"]
GAME = ["球队夺得冠军 北京", "冠军来自上海 北京", "球队获得冠军 北京"]


def test_words_of_one_group_come_first_and_shared_ones_not_at_all() -> None:
    bank, game = typical_words([BANK, GAME], 5)
    assert sorted(bank) == ["利率", "央行"]
    assert game == ["冠军"]  # 球队 is in two headlines only


def test_a_word_counts_once_for_each_text() -> None:
    often = ["冠军冠军冠军冠军", "其他事情", "别的事情"]
    assert typical_words([often, BANK], 5)[0] == []


def test_an_empty_group_has_no_words_and_ties_have_an_order() -> None:
    assert typical_words([[], BANK], 1) == [[], ["利率"]]


def test_digits_and_marks_are_no_words() -> None:
    texts = ["2024年□□央行，——2024"] * 4
    assert typical_words([texts, GAME], 9)[0] == ["央行"]
