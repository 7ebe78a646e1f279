"""Actors of Ray: parts in, results out, whatever dies on the way."""

import os
import signal
import time
from collections import deque
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import headline.cluster.ray_crew
from headline.cluster.ray_crew import RayCrew, Wants, room_for
from headline.errors import ClusterError, ConfigError, WorkerError
from tests.cluster.engines import needs_ray


def double(number: int) -> int:
    return 2 * number


def often_wrong(number: int) -> int:
    if number == 3:
        raise ConfigError("beam_size must be at least 1; got 0", "beam_size")
    return number


def deadly(folder: Path, number: int) -> int:
    """Kills its own process, but only once for each odd number."""
    place = folder / str(number)
    if number % 2 and not place.exists():
        place.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def slow(number: int) -> int:
    time.sleep(60)
    return number


def results(crew: RayCrew[int, int], count: int) -> dict[int, Any]:
    return dict(crew.run(deque(range(count))))


@pytest.mark.parametrize(
    ("cpus", "gpus", "each", "room"),
    [(8, 0, 0, 8), (8, 2, 1, 2), (8, 2, 0.5, 4), (1, 2, 0.5, 1), (9, 0.9, 0.3, 3)],
)
def test_room_for_actors(cpus: float, gpus: float, each: float, room: int) -> None:
    assert room_for({"CPU": cpus, "GPU": gpus}, each) == room


@pytest.mark.cluster
@needs_ray
class TestRayCrew:
    def test_each_part_has_its_result(self, ray_cluster: Any) -> None:
        told: list[str] = []
        crew = RayCrew(double, Wants(), told.append)
        assert results(crew, 20) == {number: 2 * number for number in range(20)}
        assert told == []

    def test_more_workers_than_cpus_use_what_there_is(self, ray_cluster: Any) -> None:
        told: list[str] = []
        crew = RayCrew(double, Wants(workers=5), told.append)
        assert len(results(crew, 20)) == 20
        (line,) = told
        assert line.startswith("the cluster has room for 2 of 5 workers")

    def test_an_error_comes_as_it_was_raised(self, ray_cluster: Any) -> None:
        found = results(RayCrew(often_wrong, Wants(2), print), 6)
        error = found.pop(3)
        assert isinstance(error, ConfigError) and error.setting == "beam_size"
        assert found == {number: number for number in (0, 1, 2, 4, 5)}

    def test_dead_actors_are_replaced(self, ray_cluster: Any, tmp_path: Path) -> None:
        crew = RayCrew(partial(deadly, tmp_path), Wants(2), print)
        parts, found, deaths = deque(range(8)), {}, []
        for part, result in crew.run(parts):
            if isinstance(result, Exception):
                assert isinstance(result, WorkerError) and "a worker died" in str(
                    result
                )
                deaths.append(part)
                parts.appendleft(part)
            else:
                found[part] = result
        assert sorted(deaths) == [1, 3, 5, 7]
        assert found == {number: number for number in range(8)}

    def test_a_run_that_stalls_says_what_it_waits_for(self, ray_cluster: Any) -> None:
        crew = RayCrew(slow, Wants(workers=3, stall=12), lambda line: None)
        begin = time.monotonic()
        with pytest.raises(ClusterError) as caught:
            results(crew, 5)
        assert time.monotonic() - begin < 50
        message = str(caught.value)
        assert "nothing was finished for 0.2 minutes" in message
        assert "the workers on " in message and "1 workers to start" in message
        assert "0 free CPUs" in message and "--stall-minutes" in message
        assert len(results(RayCrew(double, Wants(2), print), 4)) == 4  # all were ended

    def test_another_version_is_refused(
        self, ray_cluster: Any, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(headline.cluster.ray_crew, "__version__", "0.0.1")
        with pytest.raises(ClusterError, match=r"and this machine has 0\.0\.1"):
            results(RayCrew(double, Wants(1), print), 1)
