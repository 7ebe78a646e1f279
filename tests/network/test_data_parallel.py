"""How the rows of a batch are cut by device and process."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headline.errors import TrainingError
from headline.network import data_parallel
from headline.network.data_parallel import (
    Rows,
    device_count,
    on_all_devices,
    on_devices,
    summed,
)
from headline.network.model import SHARED
from headline.text.ids import PAD


def all_rows(devices: list[int]) -> list[Rows]:
    """Those of each process, given their numbers of devices."""
    ends = np.cumsum(devices).tolist()
    both = zip(devices, ends, strict=True)
    return [Rows(sum(devices), end - own, own) for own, end in both]


@given(
    rows=st.integers(1, 20),
    devices=st.lists(st.integers(1, 4), min_size=1, max_size=4),
)
def test_processes_share_the_rows_of_a_batch(rows: int, devices: list[int]) -> None:
    """Together they have each row once, in order, and padding after the last."""
    ids = np.arange(1, rows * 3 + 1, dtype=np.int32).reshape(rows, 3)
    batch = {"source_ids": ids, "styles": ids[:, 0]}

    parts = [one.cut(batch, SHARED) for one in all_rows(devices)]

    each = -(-rows // sum(devices))
    for name, whole in batch.items():
        assert [len(part[name]) for part in parts] == [own * each for own in devices]
        joined = np.concatenate([part[name] for part in parts])
        np.testing.assert_array_equal(joined[:rows], whole)
        assert (joined[rows:] == PAD).all()
        assert joined.dtype == whole.dtype


@given(devices=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_each_device_gets_what_all_rows_share(devices: list[int]) -> None:
    shared = {name: np.arange(5)[None] for name in SHARED}
    for one in all_rows(devices):
        for name, array in one.cut(dict(shared), SHARED).items():
            assert array.shape == (one.own, 5)
            assert (array == shared[name]).all()


def test_a_single_device_reads_the_batch_as_it_is() -> None:
    batch = {"source_ids": np.ones((3, 2))}
    assert Rows.here().cut(batch, SHARED) is batch


@pytest.mark.skipif(device_count() > 1, reason="asks what a single device does")
def test_with_a_single_device_nothing_is_placed_or_summed() -> None:
    tensors = {"loss": np.ones(3, "float32")}
    with on_devices("cpu"):
        assert device_count() == 1
        assert summed(tensors) is tensors
        assert on_all_devices(0.5) == 0.5


@pytest.mark.parametrize("counts", [(4, 3), (1, 1, 2)])
def test_processes_with_unlike_numbers_of_devices_are_refused(
    counts: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    devices = [
        SimpleNamespace(process_index=rank)
        for rank, count in enumerate(counts)
        for _ in range(count)
    ]
    monkeypatch.setattr(data_parallel, "_devices", lambda: devices)
    with (
        pytest.raises(TrainingError, match=f"process 0 has {counts[0]}, process 1 has"),
        on_devices("cpu"),
    ):
        pass
