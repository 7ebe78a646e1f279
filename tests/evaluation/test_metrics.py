"""Scores against the usual package, and what must hold for any two texts."""

import math
from dataclasses import astuple

import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from headline.evaluation.metrics import (
    Facts,
    Marks,
    Rouge,
    bleu_and_chrf,
    choice,
    lead,
    longest_common_subsequence,
    mark,
    rates,
    rouge,
)
from headline.text.spans import numbers_and_words

# Few characters, so that much is common; some of them outside the first 64 places.
texts = st.text("央行降息a", max_size=12) | st.text("甲乙", max_size=90)
any_text = st.text(st.characters(), max_size=20)
plain_texts = st.text("央行降息今日12a.%😀𠀀", max_size=12)  # no white space


class Characters:
    """Cuts a text into characters for ``rouge_score``."""

    def tokenize(self, text: str) -> list[str]:
        return list(text)


SCORER = RougeScorer(["rouge1", "rouge2", "rougeL"], tokenizer=Characters())


def plain_lcs(first: str, second: str) -> int:
    """The longest common subsequence by the table of all prefixes."""
    row = [0] * (len(second) + 1)
    for one in first:
        above = row
        row = [0]
        for place, other in enumerate(second):
            longer = above[place] + 1 if one == other else 0
            row.append(max(longer, above[place + 1], row[place]))
    return row[-1]


@given(texts, texts)
def test_scores_are_those_of_the_rouge_package(headline: str, reference: str) -> None:
    expected = SCORER.score(reference, headline)

    score = rouge(headline, reference)

    assert score.rouge_1 == pytest.approx(100 * expected["rouge1"].fmeasure)
    assert score.rouge_2 == pytest.approx(100 * expected["rouge2"].fmeasure)
    assert score.rouge_l == pytest.approx(100 * expected["rougeL"].fmeasure)


@given(texts | any_text, texts | any_text)
def test_common_subsequence_is_that_of_the_table(first: str, second: str) -> None:
    assert longest_common_subsequence(first, second) == plain_lcs(first, second)


@given(any_text, any_text)
def test_scores_are_symmetric_shares_of_a_hundred(first: str, second: str) -> None:
    score = rouge(first, second)

    assert score == rouge(second, first)
    assert all(0 <= share <= 100 for share in score.to_dict().values())


@pytest.mark.parametrize("text", ["央行", "央行央行", "a b", "👩\u200d💻"])
def test_identical_texts_score_a_hundred(text: str) -> None:
    assert rouge(text, text) == Rouge(100, 100, 100)


@pytest.mark.parametrize("other", ["", " ", "甲乙丙"])
def test_texts_with_nothing_in_common_score_nothing(other: str) -> None:
    assert rouge(other, "央行") == rouge("央行", other) == Rouge(0, 0, 0)
    assert rouge(other, "") == Rouge(0, 0, 0)


@given(st.lists(texts, max_size=4), st.sampled_from([" ", "\n", "\u3000", "\t "]))
def test_white_space_does_not_count(words: list[str], space: str) -> None:
    spaced = space + space.join(words) + space

    assert rouge(spaced, "央行 降息") == rouge("".join(words), "央行降息")


def spaced(texts: list[str]) -> list[str]:
    return [" ".join(text) for text in texts]


@given(st.lists(st.tuples(plain_texts, plain_texts), min_size=1, max_size=5))
def test_bleu_and_chrf_are_sacrebleus_of_the_characters(
    pairs: list[tuple[str, str]],
) -> None:
    headlines = [headline for headline, _ in pairs]
    references = [reference for _, reference in pairs]

    found = bleu_and_chrf(headlines, references)

    # Given each character between spaces, sacrebleu has nothing left to cut.
    cut, wanted = spaced(headlines), [spaced(references)]
    bleu = sacrebleu.corpus_bleu(cut, wanted, tokenize="none", force=True)
    chrf = sacrebleu.corpus_chrf(cut, wanted)
    assert found == {"bleu": bleu.score, "chrf": chrf.score}


def test_corpus_bleu_is_the_formula_of_the_paper() -> None:
    headlines, references = ["央行今日降息", "央行降息了"], ["央行今天降息", "央行降息"]

    (found, _) = bleu_and_chrf(headlines, references).values()

    # Of 11, 9, 7 and 5 n-grams (n from 1 to 4): those in the reference. No penalty
    # for brevity, for 11 characters are more than 10.
    precisions = (9 / 11, 6 / 9, 3 / 7, 1 / 5)
    assert found == pytest.approx(100 * math.prod(precisions) ** (1 / 4))


@pytest.mark.parametrize("newest", ["鿬", "𫖯", "𰻝"])
def test_a_character_of_any_age_counts_for_bleu(newest: str) -> None:
    headlines, references = [f"央行{newest}今日降"], [f"他们{newest}今日降"]

    found = bleu_and_chrf(headlines, references)

    common = bleu_and_chrf(["央行国今日降"], ["他们国今日降"])
    assert found == common and found["bleu"] > 0


ARTICLE = "中国C919大型客机12月20日 在上海首飞, WTO称赞; 客机售价12.95亿元, 增长3.5%。"


def marked(headline: str, reference: str = "客机首飞") -> Marks:
    return mark(headline, reference, Facts.of(ARTICLE))


def test_marks_of_a_headline_by_hand() -> None:
    marks = marked("客机 首飞售价3.5亿,GDP涨")

    # 客 机 首 飞 售 价 3 . 5 亿 , stand in the article; G D P 涨 do not.
    assert (marks.length, marks.copied) == (15, 11)
    # 客机 首飞 售价 3. .5 5亿 stand in it, the last one in 12.95亿.
    assert (marks.bigrams, marks.copied_bigrams) == (14, 6)
    assert marks.unsupported_numbers == ("3.5亿",)
    assert marks.unsupported_latin == ("GDP",)
    assert not marks.repeated_bigrams and not marks.exact
    assert marks.rouge == rouge("客机首飞售价3.5亿,GDP涨", "客机首飞")


@pytest.mark.parametrize(
    ("headline", "unsupported"),
    [
        ("12月20日首飞", ()),
        ("1月2日首飞", ("1", "2")),  # 12 and 20 hold them, but not as whole runs
        ("售价12.95亿", ()),
        ("售价12.95", ("12.95",)),
        ("售价95亿", ("95亿",)),
        ("增长3.5%", ()),
        ("增长3.5", ("3.5",)),
        ("C919首飞", ()),
        ("C91首飞", ("C91",)),
        ("919首飞", ("919",)),
        ("WTO", ()),
        ("WT", ("WT",)),
        ("TO 和 wto", ("TO", "wto")),
        ("D9", ("D9",)),
    ],
)
def test_only_whole_runs_of_the_article_support_a_headline(
    headline: str, unsupported: tuple[str, ...]
) -> None:
    marks = marked(headline)

    found = marks.unsupported_latin + marks.unsupported_numbers
    assert found == unsupported


@pytest.mark.parametrize(
    ("headline", "repeated"),
    [("央行央", False), ("央行央行", True), ("哈哈哈", True), ("央行 央 行", True)],
)
def test_a_bigram_that_stands_twice_is_repeated(headline: str, repeated: bool) -> None:
    assert marked(headline).repeated_bigrams == repeated


@given(texts | any_text, st.integers(0, 20), st.integers(0, 20))
def test_a_part_of_the_article_is_copied_from_it(
    article: str, begin: int, length: int
) -> None:
    part = article[begin : begin + length]

    marks = mark(part, part, Facts.of(article))

    assert marks.copied == marks.length == len("".join(part.split()))
    assert marks.copied_bigrams == marks.bigrams == max(0, marks.length - 1)
    assert marks.exact


@given(texts | any_text, texts | any_text)
def test_an_article_supports_itself_and_a_blank_one_supports_nothing(
    article: str, headline: str
) -> None:
    itself, nothing = (
        mark(text, headline, Facts.of(source))
        for text, source in ((article, article), (headline, ""))
    )

    assert itself.unsupported_numbers == itself.unsupported_latin == ()
    assert itself.unsupported_names == ()
    numbers, words = numbers_and_words(headline)
    assert list(nothing.unsupported_numbers) == numbers
    assert list(nothing.unsupported_latin) == words
    assert nothing.copied == nothing.copied_bigrams == 0


@given(st.lists(st.tuples(texts, texts, texts), min_size=1, max_size=5))
def test_rates_are_means_and_shares_of_all_characters(
    rows: list[tuple[str, str, str]],
) -> None:
    marks = [mark(text, target, Facts.of(article)) for article, text, target in rows]

    found = rates(marks)

    characters = sum(one.length for one in marks)
    copied = sum(one.copied for one in marks)
    assert found["copy_rate"] == pytest.approx(100 * copied / max(1, characters))
    assert found["length"] == pytest.approx(characters / len(rows))
    scores = [rouge(text, target) for _, text, target in rows]
    for place, name in enumerate(("rouge_1", "rouge_2", "rouge_l")):
        expected = sum(astuple(score)[place] for score in scores) / len(rows)
        assert found[name] == pytest.approx(expected)
    exact = sum("".join(text.split()) == target for _, text, target in rows)
    assert found["exact"] == pytest.approx(100 * exact / len(rows))
    repeated = sum(one.repeated_bigrams for one in marks)
    assert found["repeated_bigrams"] == pytest.approx(100 * repeated / len(rows))


@pytest.mark.parametrize(
    ("headline", "exact"), [("客机首飞", True), ("客机 首飞", True), ("客机", False)]
)
def test_an_exact_match_may_differ_in_white_space(headline: str, exact: bool) -> None:
    assert marked(headline).exact == exact


def test_an_unsupported_number_or_name_counts_once_a_headline() -> None:
    found = rates(
        [marked("1月2日3号"), marked("客机"), marked("北京、东京"), marked("AB")]
    )

    assert found["unsupported_numbers"] == found["unsupported_latin"] == 25
    assert found["unsupported_names"] == 25


def test_rates_of_no_headlines_are_none_and_blank_ones_score_nothing() -> None:
    assert rates([]) == {}
    assert set(rates([marked(""), marked(" ")]).values()) == {0}


def test_scores_are_shown_with_two_decimals() -> None:
    shown = Rouge(100 / 3, 0.0, 200 / 3).to_dict()

    assert shown == {"rouge_1": 33.33, "rouge_2": 0.0, "rouge_l": 66.67}


@given(any_text, st.integers(0, 25))
def test_lead_is_how_the_article_begins(article: str, length: int) -> None:
    found = lead(article, length)

    assert article.startswith(found)
    assert len(found) == min(length, len(article))


def test_choice_tells_how_far_headlines_differ() -> None:
    alike, other = choice(["北京下雨", "北京下雨"]), choice(["北京下雨", "上海晴天"])

    assert alike == {"different": 1, "distinct_2": 50, "pairwise_rouge_l": 100}
    assert other == {"different": 2, "distinct_2": 100, "pairwise_rouge_l": 0}
    assert choice(["雨"]) == {"different": 1, "distinct_2": 0, "pairwise_rouge_l": 100}


@given(st.lists(st.text("北京 下雨", max_size=6), min_size=2, max_size=5))
def test_choice_is_the_mean_over_all_pairs(headlines: list[str]) -> None:
    found = choice(headlines)

    scores = [
        rouge(one, other).rouge_l
        for place, one in enumerate(headlines)
        for other in headlines[:place]
    ]
    assert found["pairwise_rouge_l"] == pytest.approx(sum(scores) / len(scores))
    assert 1 <= found["different"] == len(set(headlines))
    assert 0 <= found["distinct_2"] <= 100
