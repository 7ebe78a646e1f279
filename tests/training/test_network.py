"""Two processes on two hosts, which are network namespaces of this one."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from headline.data.batches import SOURCE_STEP
from headline.data.prepare import Job, prepare
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from headline.training.group import AGAIN
from tests.corpora import bracket_pairs, write_pairs
from tests.devices import environment
from tests.namespaces import HOSTS, inside, ip, needs_namespaces, two_hosts
from tests.processes import Pair, numbers, start, train_command

pytestmark = [pytest.mark.slow, needs_namespaces]

FIRST = "headline_c"
SOON = 15.0  # seconds


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    pytest.importorskip("jax")
    short = [pair for pair in bracket_pairs(1500) if len(pair[1]) <= SOURCE_STEP]
    job = Job(
        files=[write_pairs(tmp_path / "corpus.csv", short[:150])],
        data_dir=tmp_path / "prepared",
        format=CorpusFormat(),
        config=PrepareConfig(valid_size=0.2, test_size=0.0),
    )
    prepare(job)
    return job.data_dir


def started(data_dir: Path, tmp_path: Path, *more: str) -> Pair:
    """A process on each host."""
    processes = []
    for rank, name in enumerate(HOSTS):
        command = train_command(data_dir, tmp_path / "m", *more, "--hosts", "auto")
        own = {"JAX_COORDINATOR_ADDRESS": f"{HOSTS[FIRST]}:23456"}
        processes.append(
            start(
                [*inside(name), *command, *numbers(rank)],
                environment(1, tmp_path / "cache") | own,
                str(rank),
                tmp_path,
            )
        )
    return Pair(*processes)


def test_a_host_that_loses_the_network_ends_both(
    data_dir: Path, tmp_path: Path
) -> None:
    with two_hosts(HOSTS), ExitStack() as stack:
        pair = started(data_dir, tmp_path, "--epochs", "1000", "--samples", "0")
        stack.callback(pair.close)
        pair.wait_for("epoch 2:")
        ip("-n", FIRST, "link", "set", FIRST, "down")
        begin = time.monotonic()
        assert pair.end() == [AGAIN, AGAIN]
        assert time.monotonic() - begin < SOON
    for process in pair.both:
        (error,) = [line for line in process.told.splitlines() if "Error" in line]
        assert "cannot be reached" in error


def test_a_name_that_means_the_host_itself_is_refused(
    data_dir: Path, tmp_path: Path
) -> None:
    """As Debian writes it into /etc/hosts."""
    known = HOSTS | {"headline_d": "127.0.1.1"}
    with two_hosts(known), ExitStack() as stack:
        pair = started(data_dir, tmp_path, "--epochs", "2")
        stack.callback(pair.close)
        assert pair.end() == [1, 1]
    for process in pair.both:
        (error,) = [line for line in process.told.splitlines() if "Error" in line]
        assert "means 127.0.1.1 on its own host" in error and "/etc/hosts" in error
