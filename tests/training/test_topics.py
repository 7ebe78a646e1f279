"""``headline topics``: it finds topics that are there, and writes them down."""

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from headline.data.store import (
    REPORT,
    SPLITS,
    TOPICS,
    TOPICS_HEADER,
    UNKNOWN,
    open_dataset,
)
from headline.data.topics import Assigned
from headline.errors import ConfigError, DataError, TrainingError
from headline.network.topic_vae import TopicVae
from headline.settings.topics import TopicsConfig
from headline.training.topics import Found, find_topics, topic_information
from tests.corpora import THEME_PAIRS, THEMES, prepared, theme_pairs
from tests.markup import parse

SMALL = TopicsConfig(
    topics=3,
    epochs=20,
    batch_size=16,
    latent_size=4,
    hidden_size=16,
    input_dropout=0.2,
    device="cpu",
)


def make_data_dir(folder: Path) -> Path:
    """A dataset with pairs of three themes."""
    return prepared(folder / "data", theme_pairs(), held_out=0.1)


def silent(line: str) -> None:
    """A report that nobody reads."""


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Found, list[str]]:
    data_dir = make_data_dir(tmp_path_factory.mktemp("topics"))
    lines: list[str] = []
    return data_dir, find_topics(data_dir, SMALL, False, lines.append), lines


def rows_of(data_dir: Path) -> list[dict[str, str]]:
    with (data_dir / TOPICS).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def theme_of(title: str) -> int:
    return next(n for n, theme in enumerate(THEMES) if title[0] in theme)


def test_planted_topics_are_found(fitted: tuple[Path, Found, list[str]]) -> None:
    rows = rows_of(fitted[0])
    found = {(row["topic"], theme_of(row["headline"])) for row in rows}
    # By falling share: the second theme has most pairs.
    assert found == {("1", 1), ("2", 0), ("3", 2)}
    assert [one.pairs for one in fitted[1].topics] == sorted(THEME_PAIRS, reverse=True)


def test_every_pair_is_written_in_its_place(
    fitted: tuple[Path, Found, list[str]],
) -> None:
    data_dir, found, _ = fitted
    dataset, rows = open_dataset(data_dir), rows_of(data_dir)
    assert tuple(rows[0]) == TOPICS_HEADER and found.path == data_dir / TOPICS
    for split in SPLITS:
        some = [row for row in rows if row["split"] == split]
        assert [row["headline"] for row in some] == [*dataset.headlines(split)]
        assert [row["pair"] for row in some] == [*map(str, range(1, len(some) + 1))]
        assert len(some) == len(dataset.splits[split]) > 0
    assert all(1 / 3 <= float(row["probability"]) <= 1 for row in rows)


def test_what_is_printed_agrees_with_the_file(
    fitted: tuple[Path, Found, list[str]],
) -> None:
    data_dir, found, lines = fitted
    topics = [row["topic"] for row in rows_of(data_dir)]
    for one, line in zip(found.topics, found.table().splitlines()[1:], strict=True):
        assert topics.count(str(one.topic)) == one.pairs
        assert one.share == one.pairs / sum(THEME_PAIRS)
        assert line.split()[:2] == [str(one.topic), f"{one.share:.1%}"]
    assert found.to_dict()["topics"][0]["pairs"] == 100
    assert 0 < found.figures["topic_information"] <= np.log(3) + 1e-6
    assert (
        f"I(x;y) {found.figures['topic_information']:.2f} of at most 1.10" in lines[1]
    )


def test_the_same_seed_gives_the_same_bytes_and_another_one_others(
    fitted: tuple[Path, Found, list[str]], tmp_path: Path
) -> None:
    data_dir = make_data_dir(tmp_path)
    find_topics(data_dir, SMALL, False, silent)
    first = (data_dir / TOPICS).read_bytes()
    assert first == (fitted[0] / TOPICS).read_bytes()
    find_topics(data_dir, SMALL.changed({"seed": 2, "epochs": 1}), True, silent)
    assert first != (data_dir / TOPICS).read_bytes()


@pytest.mark.parametrize(
    ("changes", "part"),
    [
        ({"topics": 500}, "at most the number of articles to fit on, 1.*; got 500"),
        ({"fit_articles": 2}, "at most the number of articles to fit on, 2; got 3"),
    ],
)
def test_more_topics_than_articles_are_refused(
    changes: dict[str, int], part: str, tmp_path: Path
) -> None:
    data_dir = make_data_dir(tmp_path)
    before = sorted(path.name for path in data_dir.iterdir())
    with pytest.raises(ConfigError, match=part) as told:
        find_topics(data_dir, SMALL.changed(changes), False, silent)
    assert told.value.setting == "topics"
    assert sorted(path.name for path in data_dir.iterdir()) == before


def test_a_loss_that_is_nan_ends_the_fit_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        TopicVae, "train_on_batch", lambda *_, **__: {"loss": float("nan")}
    )
    data_dir = make_data_dir(tmp_path)
    before = sorted(path.name for path in data_dir.iterdir())
    with pytest.raises(TrainingError, match=r"epoch 1 .* lower --learning-rate"):
        find_topics(data_dir, SMALL.changed({"recentre_after": 1.0}), False, silent)
    assert sorted(path.name for path in data_dir.iterdir()) == before


def test_articles_without_a_common_character_are_too_few(tmp_path: Path) -> None:
    pairs = [(theme * 2, theme[:3]) for theme in THEMES]
    data_dir = prepared(tmp_path / "data", pairs)
    with pytest.raises(TrainingError, match="share too few characters"):
        find_topics(data_dir, SMALL, False, silent)


def test_topics_are_overwritten_only_if_asked(tmp_path: Path) -> None:
    data_dir = make_data_dir(tmp_path)
    (data_dir / TOPICS).write_text("mine", "utf-8")
    with pytest.raises(DataError, match="give --overwrite"):
        find_topics(data_dir, SMALL, False, silent)
    assert (data_dir / TOPICS).read_text("utf-8") == "mine"
    find_topics(data_dir, SMALL.changed({"epochs": 1}), True, silent)
    assert len(rows_of(data_dir)) == sum(THEME_PAIRS)


def test_a_topic_without_pairs_is_told(tmp_path: Path) -> None:
    lines: list[str] = []
    many = SMALL.changed({"topics": 60, "epochs": 1, "recentre_after": 1.0})
    found = find_topics(make_data_dir(tmp_path), many, False, lines.append)
    assert len(found.topics) < 60
    assert [one.topic for one in found.topics] == [*range(1, len(found.topics) + 1)]
    assert lines[-1] == f"only {len(found.topics)} of the 60 topics have a pair"


def test_the_report_shows_the_topics(fitted: tuple[Path, Found, list[str]]) -> None:
    data_dir, found, _ = fitted  # ``prepared`` wrote no report, as older versions
    text = parse((data_dir / REPORT).read_text("utf-8")).text
    for one in found.topics:
        assert f"{one.topic} {one.share:.1%}, {one.pairs} pairs" in text
        assert len(one.examples) == 2 and all(each in text for each in one.examples)


def test_topics_are_replaced_in_the_report_that_is_there(tmp_path: Path) -> None:
    data_dir = make_data_dir(tmp_path)
    report = data_dir / REPORT
    report.write_text('<body>甲<section id="topics">旧</section>乙</body>', "utf-8")
    find_topics(data_dir, SMALL.changed({"epochs": 1}), False, silent)
    page = report.read_text("utf-8")
    assert page.startswith('<body>甲<section id="topics">') and "旧" not in page
    assert page.endswith("</section>乙</body>")


def assigned(*posteriors: list[float]) -> Assigned:
    shares = np.array(posteriors)
    entropy = -(shares * np.log(np.maximum(shares, 1e-30))).sum()
    return Assigned(
        shares.argmax(axis=1).astype(np.int16),
        shares.max(axis=1).astype(np.float32),
        shares.sum(axis=0),
        float(entropy),
    )


@pytest.mark.parametrize(
    ("found", "nats"),
    [
        ([assigned([1, 0], [0, 1])], np.log(2)),  # sure, and evenly used
        ([assigned([1, 0]), assigned([0, 1])], np.log(2)),  # in two splits
        ([assigned([1, 0], [1, 0])], 0.0),  # one topic only
        ([assigned([0.5, 0.5], [0.5, 0.5])], 0.0),  # no article tells its topic
    ],
)
def test_topic_information_is_what_a_topic_tells_of_the_article(
    found: list[Assigned], nats: float
) -> None:
    assert topic_information(found) == pytest.approx(nats, abs=1e-6)


def test_few_articles_are_read_more_often() -> None:
    epochs: Callable[[int], int] = TopicsConfig().epochs_for
    assert epochs(100) == 60 and epochs(20_000) == 10 and epochs(10**6) == 5
    assert TopicsConfig(epochs=7).epochs_for(100) == 7


def test_characters_outside_the_vocab_are_marked(tmp_path: Path) -> None:
    dataset = open_dataset(make_data_dir(tmp_path))
    known = len(dataset.tokenizer.vocab)
    first = dataset.splits["train"].target[0]
    ids = np.array([first[0], known, known + 9], np.int32)
    assert dataset.decoded(ids)[1:] == UNKNOWN * 2
