"""A few odd streams from a fixed seed; `make stress` has minutes of them."""

import os
from pathlib import Path

import pytest

from tests.stress.streams import Streams


@pytest.mark.skipif(os.name != "posix", reason="closes descriptors")
def test_every_kind_of_trial_holds(tmp_path: Path) -> None:
    streams = Streams(tmp_path, seed=4)
    for _ in range(5):
        streams.streams()
        streams.outputs()
    for _ in range(2):
        streams.few_files()
        streams.signals()
    assert streams.outcomes.total() == 14
