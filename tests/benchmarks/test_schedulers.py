"""What is computed from the times at which workers slept."""

import pytest

from tests.benchmarks.schedulers import Cost, Slept, seconds_of, times_of


def test_times_of_two_workers() -> None:
    slept = [
        Slept(101, 111, worker=1),
        Slept(112, 122, worker=1),
        Slept(105, 115, worker=2),
        Slept(115, 125, worker=2),
    ]
    found = times_of(slept, begin=100, workers=2)
    assert found.start == 5 and found.between == 0.5
    # From 105 to 122, when worker 1 finds no more; it was idle from 111 to 112.
    assert found.share == pytest.approx((16 + 17) / (2 * 17))
    assert found.whole == pytest.approx(40 / (2 * 25))


def test_a_worker_that_did_nothing_is_noticed() -> None:
    with pytest.raises(AssertionError, match="1 of 2 workers"):
        times_of([Slept(1, 2, worker=1)], begin=0, workers=2)


def test_computed_times_count_the_worker_that_has_most() -> None:
    cost = Cost(article=1.0, plan=0.4, start=7.0, between=2.0)
    seconds, share = seconds_of(50, workers=4, rows=10, cost=cost)
    assert seconds == pytest.approx(50 * 0.4 / 4 + 7 + 2 * (10 + 2))  # 5 shards for 4
    assert share == pytest.approx(50 / (4 * seconds))
