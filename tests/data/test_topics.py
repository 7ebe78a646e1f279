"""Topics are described by what their pairs are like."""

from pathlib import Path
from statistics import median

import numpy as np
import pytest

from headline.data.store import SPLITS, Dataset, open_dataset
from headline.data.topics import CLEAR, Assigned, Topic, described
from tests.corpora import prepared

# Each headline of the second group is a part of its article, none of the first is.
WEATHER, TRAINS = "台风登陆沿海", "高铁开通运营"


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    pairs = [
        (
            f"甲乙丙丁{'戊己庚辛'[n % 4]}己壬癸子丑{n}日",
            f"{WEATHER}{chr(0x5000 + n)}{'沿' * (n % 3)}",
        )
        for n in range(40)
    ]
    pairs += [(f"{TRAINS}的消息{n}", TRAINS) for n in range(80)]
    return open_dataset(prepared(tmp_path / "data", pairs, held_out=0.2))


def labelled(dataset: Dataset) -> dict[str, Assigned]:
    """The groups as topics 7 (weather) and 3 (trains)."""
    return {
        split: assigned(
            [7 if WEATHER[:2] in one else 3 for one in dataset.headlines(split)]
        )
        for split in SPLITS
    }


def assigned(topics: list[int]) -> Assigned:
    probabilities = np.full(len(topics), 0.99, np.float32)
    return Assigned(np.array(topics, np.int16), probabilities, np.zeros(8), 0.0)


def test_sizes_words_lengths_and_copying(dataset: Dataset) -> None:
    found = labelled(dataset)
    trains, weather = described(dataset, found, [3, 7])
    assert [(trains.topic, trains.pairs), (weather.topic, weather.pairs)] == [
        (1, 80),
        (2, 40),
    ]
    assert trains.share == pytest.approx(2 / 3) and weather.share == pytest.approx(
        1 / 3
    )
    assert "高铁" in trains.words and "台风" in weather.words
    own = [one for one in dataset.headlines("train") if WEATHER[:2] in one]
    assert weather.median_length == median(map(len, own))
    assert trains.median_length == 6
    assert trains.found == 1 and weather.found == 0


def test_examples_are_clear_ones_without_repeats(dataset: Dataset) -> None:
    found = labelled(dataset)
    train, headlines = found["train"], [*dataset.headlines("train")]
    weather = np.flatnonzero(train.topics == 7)
    train.probabilities[weather] = CLEAR - 0.1
    clear = weather[1::5]
    train.probabilities[clear] = CLEAR + 0.05
    trains, described_weather = described(dataset, found, [3, 7])
    assert trains.examples == [TRAINS]
    expected = {headlines[place] for place in clear}
    assert set(described_weather.examples) <= expected
    assert len(set(described_weather.examples)) == len(described_weather.examples) == 2
    # Too few clear ones: the likeliest.
    train.probabilities[weather] = 0.3
    train.probabilities[weather[-1]] = 0.4
    _, unsure = described(dataset, found, [3, 7])
    assert headlines[weather[-1]] in unsure.examples


def test_a_topic_without_train_pairs_has_no_measures(dataset: Dataset) -> None:
    found = labelled(dataset)
    found["train"].topics[:] = 3
    weather = described(dataset, found, [3, 7])[1]
    assert weather.pairs > 0
    assert weather == Topic(
        topic=2,
        pairs=weather.pairs,
        share=weather.pairs / 120,
        words=[],
        median_length=None,
        found=None,
        examples=[],
    )
