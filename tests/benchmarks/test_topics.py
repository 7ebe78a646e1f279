"""The comparison of topics: its measure, its corpus with themes, and each way."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.sample.assemble import make_pairs
from headline.settings.topics import TopicsConfig
from tests.benchmarks.topics import (
    TOPICS,
    Case,
    by_lsa,
    by_tf_idf,
    by_vae,
    make_case,
    normalised_information,
)

labels = st.lists(st.integers(0, 4), min_size=2, max_size=30)


@given(labels, st.permutations(range(5)))
def test_equal_partitions_have_the_information_1_whatever_their_names(
    one: list[int], names: list[int]
) -> None:
    first = np.array(one)
    assert normalised_information(first, np.array(names)[first]) == pytest.approx(1)


@given(labels, st.integers(2, 4))
def test_unrelated_partitions_have_the_information_0(one: list[int], n: int) -> None:
    first = np.repeat(np.append(one, [0, 1]), n)  # two parts at least
    second = np.tile(np.arange(n), len(one) + 2)
    assert normalised_information(first, second) == pytest.approx(0, abs=1e-9)


def test_half_of_the_information_is_half() -> None:
    fine, coarse = np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1])
    assert normalised_information(fine, coarse) == pytest.approx(2 * 1 / (2 + 1))


def test_each_pair_of_the_sample_knows_its_theme() -> None:
    themes = {pair.theme for pair in make_pairs(300, seed=3)}
    assert len(themes) == TOPICS and "sport" in themes


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    folder: Path = tmp_path_factory.mktemp("case")
    return make_case(folder, pairs=400, seed=1)


@pytest.mark.parametrize(
    "way",
    [
        by_tf_idf,
        by_lsa(10),
        by_vae(TopicsConfig(epochs=30, batch_size=32, hidden_size=32)),
    ],
)
def test_every_way_finds_themes_in_a_small_corpus(way: object, case: Case) -> None:
    assert callable(way)
    found = way(case, 1)
    assert found.shape == case.themes.shape
    assert normalised_information(case.themes, found) > 0.4  # by chance: about 0.1
