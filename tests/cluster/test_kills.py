"""Kills at random moments: of workers and of the command itself, again and again."""

import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from headline.cluster.output import MANIFEST, SUCCESS
from tests.cluster.test_local import SHARDS, cat, children, command, outputs, run
from tests.cluster.test_local import articles as articles
from tests.cluster.test_local import expected as expected

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the processes"),
]

KILLS = 10


def seconds_of(asked: list[str]) -> float:
    """Returns how long a command lives after its first worker."""
    with subprocess.Popen(asked, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not children(process.pid):
            time.sleep(0.002)
        begin = time.monotonic()
        process.wait(100)
    return time.monotonic() - begin


def killed(asked: list[str], rng: random.Random, longest: float) -> str:
    """Runs a command, kills one of its processes, and tells which.

    One in four is killed before it has workers.

    Args:
        longest: seconds until the kill, at most.
    """
    is_early, seconds = rng.random() < 0.25, rng.uniform(0, longest)
    with subprocess.Popen(asked, stderr=subprocess.DEVNULL) as process:
        while process.poll() is None and not (is_early or children(process.pid)):
            time.sleep(0.002)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
            return "none"
        workers = children(process.pid) if rng.random() < 0.5 else []
        victim = rng.choice(workers) if workers else process.pid
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
        if victim == process.pid:
            return "command"
        process.wait(100)
        return "worker" if process.returncode == 0 else "failed"


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_kills_at_random_moments_lose_and_repeat_nothing(
    tmp_path: Path, articles: Path, expected: bytes, seed: int
) -> None:
    rng, victims = random.Random(seed), list[str]()
    out, there = tmp_path / "out", dict[str, int]()
    longest = seconds_of(command(articles, tmp_path / "undisturbed"))
    for number in range(KILLS):
        parts = ["--shard", f"{number % 3}/3"] if number < KILLS - 4 else []
        victims.append(killed(command(articles, out, *parts), rng, longest))
        now = outputs(out)
        assert now.items() >= there.items()  # the same files, not new ones
        assert (out / SUCCESS).exists() <= (len(now) == SHARDS)
        assert (out / SUCCESS).exists() <= (out / MANIFEST).exists()
        there = now

    run(command(articles, out), check=True)

    assert cat(out) == expected
    assert outputs(out).items() >= there.items()
    # Late runs have little left, so some end before they are killed.
    assert {"command", "worker"} & set(victims) and "failed" not in victims
