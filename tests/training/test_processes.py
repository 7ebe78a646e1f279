"""Two processes train as one with two devices, and end together whatever happens."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, SIGTERM

import keras
import pytest

from headline.bundle import load_checkpoint
from headline.data.batches import SOURCE_STEP
from headline.data.prepare import Job, prepare
from headline.formats.tables import CorpusFormat
from headline.settings.prepare import PrepareConfig
from headline.training.group import AGAIN
from tests.corpora import bracket_pairs, write_pairs
from tests.devices import environment, free_port
from tests.processes import Pair, numbers, start, start_pair, train_command
from tests.trainings import assert_same, history_of

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "jax", reason="JAX alone trains in several processes"
)

EPOCHS = ("--epochs", "40", "--samples", "1")
SOON = 15.0  # seconds within which all end after a death
STOPPED = 128 + SIGTERM


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    # Of one width, so that there is little to compile.
    short = [pair for pair in bracket_pairs(1500) if len(pair[1]) <= SOURCE_STEP]
    job = Job(
        files=[write_pairs(folder / "corpus.csv", short[:150])],
        data_dir=folder / "prepared",
        format=CorpusFormat(),
        config=PrepareConfig(valid_size=0.2, test_size=0.0),
    )
    prepare(job)
    return job.data_dir


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def straight(
    data_dir: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The MODEL_DIR of a training in one process, on two devices."""
    model_dir = tmp_path_factory.mktemp("straight") / "model"
    command = train_command(data_dir, model_dir, *EPOCHS)
    subprocess.run(command, env=environment(2, cache), check=True)
    return model_dir


@pytest.fixture
def pairs() -> Iterator[ExitStack]:
    """What ends the processes of a test."""
    with ExitStack() as stack:
        yield stack


def test_whatever_happens_the_training_goes_on_to_the_same(
    data_dir: Path, cache: Path, straight: Path, tmp_path: Path, pairs: ExitStack
) -> None:
    """One training, interrupted in four ways, is that of one process on two devices."""
    model_dir = tmp_path / "model"
    more: tuple[str, ...] = EPOCHS

    def started(launcher: str) -> Pair:
        # The option must not make all use the device of the first one.
        device = ("--device", "cpu") if launcher == "OpenMPI" else ()
        options = (*more, *device)
        pair = start_pair(data_dir, model_dir, cache, *options, launcher=launcher)
        pairs.callback(pair.close)
        return pair

    def epoch() -> int:
        return int(load_checkpoint(model_dir).state["state"]["epoch"])

    # A signal to one process stops both at the same update.
    pair = started("SLURM")
    pair.wait_for("epoch 2:")
    pair.second.popen.send_signal(SIGTERM)
    assert pair.end() == [STOPPED, STOPPED], pair.first.told
    state = load_checkpoint(model_dir).state["state"]
    assert f"stopped after {state['update']:,} updates" in pair.first.told
    assert "SIGTERM: stopping" in pair.second.told
    assert "Error" not in pair.first.told + pair.second.told
    assert epoch() < 40

    # Each process may die, and the other one ends.
    more = (*EPOCHS, "--resume")
    for dies, launcher in ((0, "OpenMPI"), (1, "by hand")):
        pair = started(launcher)
        pair.wait_for(f"epoch {epoch() + 2}:")
        pair.both[dies].popen.send_signal(SIGKILL)
        begin = time.monotonic()
        other = pair.both[1 - dies]
        assert other.end() == AGAIN and time.monotonic() - begin < SOON, other.told
        assert_ended_by_a_death(other.told, 1 - dies)

    # A process that does not answer is as good as dead, and knows it when it wakes up.
    pair = started("by hand")
    pair.wait_for(f"epoch {epoch() + 2}:")
    pair.second.popen.send_signal(SIGSTOP)
    begin = time.monotonic()
    assert pair.first.end() == AGAIN and time.monotonic() - begin < SOON
    pair.second.popen.send_signal(SIGCONT)
    assert pair.second.end() == AGAIN
    assert_ended_by_a_death(pair.first.told, 0)
    assert_ended_by_a_death(pair.second.told, 1)

    pair = started("by hand")
    assert pair.end() == [0, 0], pair.first.told + pair.second.told
    assert pair.first.out.read_text("utf-8") == f"{model_dir}\n"
    assert pair.second.out.read_text("utf-8") == ""
    assert_same(model_dir, straight)


def assert_ended_by_a_death(told: str, rank: int) -> None:
    (error,) = [line for line in told.splitlines() if "rror" in line]
    assert error.startswith(f"Error: process {rank} of 2: another process")
    assert "--resume" in error and told.endswith(f"{error}\n")


@pytest.mark.parametrize(
    ("second", "told"),
    [
        (("--seed", "2"), "train.seed is 2, not 1"),
        (("--width", "24"), "model.width is 24, not 16"),
    ],
)
def test_other_settings_are_refused(
    data_dir: Path,
    cache: Path,
    tmp_path: Path,
    pairs: ExitStack,
    second: tuple[str, str],
    told: str,
) -> None:
    pair = start_pair(data_dir, tmp_path / "m", cache, *EPOCHS, second=second)
    pairs.callback(pair.close)
    assert pair.end() == [1, 1]
    for process in pair.both:
        (error,) = [line for line in process.told.splitlines() if "rror" in line]
        assert f"process 1 must train as process 0 does: {told}" in error
    assert not (tmp_path / "m").exists()


def test_other_data_is_refused(
    data_dir: Path, cache: Path, tmp_path: Path, pairs: ExitStack
) -> None:
    other = tmp_path / "other"
    short = [pair for pair in bracket_pairs(1500) if len(pair[1]) <= SOURCE_STEP]
    files = [write_pairs(tmp_path / "corpus.csv", short[10:160])]
    config = PrepareConfig(valid_size=0.2, test_size=0.0)
    prepare(Job(files=files, data_dir=other, format=CorpusFormat(), config=config))
    port, processes = free_port(), []
    for rank, data in enumerate((data_dir, other)):
        command = train_command(data, tmp_path / "m", *EPOCHS, "--hosts", "auto")
        env = environment(1, cache) | {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}"}
        processes.append(start([*command, *numbers(rank)], env, str(rank), tmp_path))
    pair = Pair(*processes)
    pairs.callback(pair.close)
    assert pair.end() == [1, 1]
    for process in pair.both:
        assert "process 0 does: the dataset is not the same" in process.told


@pytest.mark.parametrize(
    ("rank", "code", "told"),
    [
        (1, 1, "process 1 gets no answer from process 0 at 127.0.0.1:{port} within"),
        (0, AGAIN, "not all processes came to 127.0.0.1:{port} within 0.05 minutes"),
    ],
)
def test_a_process_alone_gives_up(
    data_dir: Path, cache: Path, tmp_path: Path, rank: int, code: int, told: str
) -> None:
    port = free_port()
    command = train_command(data_dir, tmp_path / "m", "--hosts", "auto", *numbers(rank))
    env = environment(1, cache) | {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}"}
    process = start([*command, "--join-minutes", "0.05"], env, "alone", tmp_path)
    assert process.end() == code
    line = process.told.splitlines()[-1]
    assert process.told.count("Error") == 1
    assert told.format(port=port) in line and "--join-minutes" in line


def test_a_process_that_waits_for_others_can_be_stopped(
    data_dir: Path, cache: Path, tmp_path: Path, pairs: ExitStack
) -> None:
    port = free_port()
    command = train_command(data_dir, tmp_path / "m", "--hosts", "auto", *numbers(0))
    env = environment(1, cache) | {"JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{port}"}
    process = start(command, env, "alone", tmp_path)
    pairs.callback(process.popen.kill)
    line = f"waiting at 127.0.0.1:{port} for 1 more processes"
    while line not in process.told:
        assert process.popen.poll() is None, process.told
        time.sleep(0.05)
    process.popen.send_signal(SIGTERM)
    assert process.end(60) == STOPPED, process.told


# Runs ``headline`` with a process that gets stuck in its 40th update.
STUCK = """
import sys, time
from headline.cli.main import main
from headline.training.schedule import Schedule
begin = Schedule.on_train_batch_begin
def stuck(self, batch, logs=None):
    if self.state.update == 40:
        time.sleep(1000)
    begin(self, batch, logs)
Schedule.on_train_batch_begin = stuck
main(sys.argv[1:])
"""


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_a_process_that_is_stuck_ends_all(
    data_dir: Path, cache: Path, tmp_path: Path, pairs: ExitStack, rank: int
) -> None:
    env = environment(1, cache) | {
        "JAX_COORDINATOR_ADDRESS": f"127.0.0.1:{free_port()}"
    }
    processes = []
    for number in range(2):
        command = train_command(data_dir, tmp_path / "m", *EPOCHS, "--hosts", "auto")
        command += [*numbers(number), "--stall-minutes", "1.5"]
        if number == rank:
            command[1:3] = ["-c", STUCK]
        processes.append(start(command, env, str(number), tmp_path))
    pair = Pair(*processes)
    pairs.callback(pair.close)
    assert pair.end() == [AGAIN, AGAIN]
    told = pair.first.told + pair.second.told
    assert "no progress for 1.5 minutes (--stall-minutes)" in told
    assert load_checkpoint(tmp_path / "m").state["state"]["update"] == 30


@pytest.mark.slow
def test_the_time_of_process_0_ends_the_training_in_both(
    data_dir: Path, cache: Path, tmp_path: Path, pairs: ExitStack
) -> None:
    """The rate of each update depends on the time, and so does the last update."""
    model_dir = tmp_path / "m"
    pair = start_pair(data_dir, model_dir, cache, "--max-minutes", "1.5")
    pairs.callback(pair.close)
    assert pair.end() == [0, 0], pair.first.told + pair.second.told
    last = history_of(model_dir)[-1]
    assert int(last["updates"]) > 0 and float(last["learning_rate"]) < 0.01
