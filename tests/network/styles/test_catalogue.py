"""Styles by name, and what makes them anew from their files."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from headline.errors import BundleError, ConfigError
from headline.network.styles.catalogue import Styles
from tests.network.styles.judges import random_styles

WIDTH = 8


def test_a_style_is_found_by_number_and_by_name() -> None:
    styles = random_styles().renamed({2: "短"})
    assert styles.labels == ("1", "短", "3")
    assert [styles.place_of(text) for text in ("1", "2", "短", "3")] == [0, 1, 1, 2]
    with pytest.raises(ConfigError, match="no style '4'; choose from: 1, 2, 3, 短"):
        styles.place_of("4")
    assert styles.renamed({2: ""}).labels == ("1", "2", "3")


@pytest.mark.parametrize(
    ("names", "problem"),
    [
        ({4: "长"}, "no style 4; there are 3"),
        ({0: "长"}, "no style 0"),
        ({1: "2"}, "not a number"),
        ({1: "短", 2: "短"}, "different"),
        ({1: "长" * 21}, "at most 20"),
        ({1: "长\t短"}, "printed"),
        ({1: " 长"}, "spaces"),
    ],
)
def test_a_name_that_would_confuse_is_refused(
    names: dict[int, str], problem: str
) -> None:
    with pytest.raises(ConfigError, match=problem):
        random_styles().renamed(names)


def test_saved_equals_loaded() -> None:
    styles = random_styles().renamed({1: "两句"})
    raw, arrays = json.loads(json.dumps(styles.to_dict())), styles.to_arrays()
    again = Styles.from_files(raw, arrays, WIDTH)
    assert again.to_dict() == styles.to_dict()
    assert again.labels == styles.labels and again.styles == styles.styles
    for name, array in arrays.items():
        np.testing.assert_array_equal(again.to_arrays()[name], array)


@pytest.mark.parametrize(
    ("name", "array"),
    [
        ("map/styles", np.full(20, 3, np.int32)),
        ("map/points", np.zeros((19, 2), np.float32)),
        ("map/centres", np.full((3, 2), np.inf, np.float32)),
        ("second/centres", np.zeros((2, 8), np.float32)),
    ],
)
def test_arrays_that_do_not_fit_are_refused(name: str, array: Any) -> None:
    styles = random_styles()
    arrays = {**styles.to_arrays(), name: array}
    with pytest.raises(BundleError, match="styles"):
        Styles.from_files(styles.to_dict(), arrays, WIDTH)
    arrays.pop(name)
    with pytest.raises(BundleError):
        Styles.from_files(styles.to_dict(), arrays, WIDTH)


def test_fewer_styles_than_the_judges_know_are_refused() -> None:
    styles = random_styles()
    few = replace(styles, styles=styles.styles[:2])
    with pytest.raises(BundleError, match="2 styles, not 3"):
        Styles.from_files(few.to_dict(), styles.to_arrays(), WIDTH)
