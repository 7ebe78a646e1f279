"""The topics in the report of a corpus: in their place, true, safe with any text."""

from dataclasses import replace

import pytest

from headline.data.store import REPORT_TITLE
from headline.data.topics import Topic
from headline.pages.corpus_report import render
from headline.pages.topics_section import SHOWN, with_topics
from tests.markup import parse
from tests.pages.test_corpus_report import HOSTILE, dirty, profile_of

TOPICS = [
    Topic(
        topic=1,
        pairs=1200,
        share=0.75,
        words=["高铁", "铁路"],
        median_length=18.5,
        found=0.66,
        examples=["沪昆高铁开通", "铁路春运开始"],
    ),
    Topic(
        topic=2,
        pairs=400,
        share=0.25,
        words=["台风"],
        median_length=37,
        found=0.33,
        examples=["台风登陆"],
    ),
]
PLACED = (
    '<!doctype html><html><body>前<section id="topics">旧</section>后</body></html>'
)


def heights(page: str) -> list[list[float]]:
    """The heights of the bars of each chart."""
    pictures = page.split("<svg")[1:]
    return [
        [
            float(bar["height"])
            for bar in parse(f"<svg{one.split('</svg>')[0]}</svg>").of("rect", "bar")
        ]
        for one in pictures
    ]


def test_every_topic_is_told() -> None:
    text = parse(with_topics(None, TOPICS)).text
    assert "1 75.0%, 1,200 pairs高铁 铁路沪昆高铁开通铁路春运开始" in text
    assert "median length 18.5, 66% found in the article" in text
    assert "2 25.0%, 400 pairs台风台风登陆median length 37, 33% found" in text


def test_bars_are_as_high_as_the_measures() -> None:
    shares, lengths, found = heights(with_topics(None, TOPICS))
    assert shares[0] == pytest.approx(3 * shares[1], abs=0.2)
    assert lengths[1] == pytest.approx(2 * lengths[0], abs=0.2)
    assert found[0] == pytest.approx(2 * found[1], abs=0.2)


def test_topics_take_the_place_that_the_report_has_for_them() -> None:
    page = with_topics(PLACED, TOPICS)
    before, after = PLACED.split('<section id="topics">旧</section>')
    assert page.startswith(f'{before}<section id="topics">') and page.endswith(after)
    assert with_topics(page, TOPICS) == page
    other = [replace(TOPICS[0], words=["别的"])]
    assert with_topics(page, other) == with_topics(PLACED, other)


@pytest.mark.parametrize("page", [None, "", "no page"])
def test_without_a_report_they_are_a_page_of_their_own(page: str | None) -> None:
    found = with_topics(page, TOPICS)
    tags = parse(found)
    assert f"<title>{REPORT_TITLE}</title>" in found and not tags.links
    assert with_topics(found, TOPICS) == found


def test_texts_never_become_tags() -> None:
    topics = [replace(one, words=[HOSTILE], examples=[HOSTILE]) for one in TOPICS]
    for page in (None, PLACED):
        tags = parse(with_topics(page, topics))
        assert "script" not in tags.seen and tags.text.count(HOSTILE) == 4


def test_a_section_cannot_be_ended_by_a_text() -> None:
    topics = [replace(TOPICS[0], examples=["</section></body>"])]
    page = with_topics(PLACED, topics)
    assert with_topics(page, TOPICS) == with_topics(PLACED, TOPICS)


def test_a_topic_of_held_out_pairs_only_has_no_measures() -> None:
    alone = replace(TOPICS[1], words=[], examples=[], median_length=None, found=None)
    page = with_topics(None, [TOPICS[0], alone])
    assert "no headline in the train split" in page
    assert [bars[1] for bars in heights(page)[1:]] == [0.0, 0.0]


def test_of_many_topics_the_smallest_are_left_out() -> None:
    many = [replace(TOPICS[0], topic=number) for number in range(1, SHOWN + 4)]
    text = parse(with_topics(None, many)).text
    assert f"{SHOWN} 75.0%" in text and f"{SHOWN + 1} 75.0%" not in text
    assert "And 3 smaller ones, in topics.csv" in text


def test_the_report_of_a_corpus_has_a_place_for_them(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    profile = profile_of(tmp_path_factory.mktemp("corpus"), dirty(60))
    dry, page = render(profile), render(replace(profile, dry_run=False))
    assert "headline topics DATA_DIR" in page and "headline topics" not in dry
    told = with_topics(page, TOPICS)
    assert "headline topics DATA_DIR" not in told
    before, after = told.index('<section id="topics">'), told.index("<h2>Characters")
    assert before < after and parse(told).text.count("Topics") == 1
