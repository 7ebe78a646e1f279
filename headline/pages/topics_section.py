"""The topics of a corpus in its ``report.html``: sizes, words, headlines of each."""

from collections.abc import Sequence
from dataclasses import dataclass

from headline.data.store import REPORT_TITLE
from headline.data.topics import Topic
from headline.pages.axis import number
from headline.pages.chart import Picture, bar_chart
from headline.pages.rendering import fill
from headline.pages.sections import is_page, with_section

SHOWN = 50  # topics; there can be a thousand


@dataclass(frozen=True)
class TopicView:
    """One topic; numbers are formatted texts."""

    number: int
    share: str
    pairs: str
    words: str
    headlines: str  # how long they are, and what of them is in the articles
    examples: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class TopicsView:
    """The content of the section."""

    topics: Sequence[TopicView]
    more: int  # topics that are not shown
    pictures: Sequence[Picture]


def with_topics(page: str | None, topics: Sequence[Topic]) -> str:
    """Adds the topics to the report of a corpus, or replaces those that it has.

    Args:
        page: the report; None, or a page of another kind, is replaced by a page of its
            own.
        topics: the most frequent first.
    """
    values = {"title": REPORT_TITLE, "view": _view(topics)}
    if page is None or not is_page(page):
        return fill("topics.html", **values)
    return with_section(page, fill("topics_section.html", **values))


def _view(topics: Sequence[Topic]) -> TopicsView:
    shown = topics[:SHOWN]
    return TopicsView(
        topics=[*map(_topic, shown)],
        more=len(topics) - len(shown),
        pictures=_pictures(shown),
    )


def _topic(topic: Topic) -> TopicView:
    return TopicView(
        number=topic.topic,
        share=f"{topic.share:.1%}",
        pairs=f"{topic.pairs:,}",
        words=" ".join(topic.words),
        headlines=_headlines(topic),
        examples=topic.examples,
    )


def _headlines(topic: Topic) -> str:
    if topic.median_length is None or topic.found is None:
        return "no headline in the train split"
    length = number(topic.median_length)
    return f"median length {length}, {topic.found:.0%} found in the article"


def _pictures(topics: Sequence[Topic]) -> list[Picture]:
    """Draws what is told of each topic, one chart for each measure."""
    measures = {
        "Pairs, %": [100 * one.share for one in topics],
        "Headlines: median length in characters": [
            one.median_length or 0.0 for one in topics
        ],
        "Headlines: found in the article, %": [
            100 * (one.found or 0.0) for one in topics
        ],
    }
    labels = [str(one.topic) for one in topics]
    return [
        bar_chart(title, labels, {"": values}, head="topic")
        for title, values in measures.items()
    ]
