"""Signals sent to the commands: what is kept, what is said, the exit code."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from headline.bundle import load_bundle, save_bundle
from headline.errors import Interrupted
from headline.system.interrupt import ECHO, ENDINGS, Interrupt, ending_on_signals
from tests.commands import HEADLINE
from tests.corpora import bracket_pairs, write_pairs
from tests.scripted import tiny_bundle

pytestmark = pytest.mark.skipif(os.name != "posix", reason="sends signals to a group")

Args = list[str | Path]

NETWORK = ["--width", "16", "--heads", "2", "--bigrams", "50", "--r-drop", "0"]
NETWORK += ["--encoder-layers", "1", "--valid-articles", "20"]


@contextmanager
def running(*args: str | Path) -> Iterator[subprocess.Popen[str]]:
    """A command with a process group of its own, as a terminal makes it."""
    command: Sequence[str | Path] = [*HEADLINE, *args]
    with subprocess.Popen(
        command, stdout=-1, stderr=-1, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def wait_for(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith(beginning):
            return
    pytest.fail(f"it never said {beginning!r}")


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """What it still says within the minute that it has, on a busy machine too."""
    return process.communicate(timeout=60)


def members(group: int) -> list[str]:
    """The processes of a group that have not ended."""
    done = subprocess.run(
        ["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(maxsplit=2) for line in done.stdout.splitlines()]
    return [row[2] for row in rows if row[0] == str(group) and row[1][0] != "Z"]


def assert_all_end(group: int) -> None:
    for _ in range(100):
        if not members(group):
            return
        time.sleep(0.1)
    pytest.fail(f"still there: {members(group)}")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pairs(tmp_path_factory.mktemp("c") / "c.csv", bracket_pairs(2000))


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("d")
    corpus, data_dir = folder / "c.csv", folder / "prepared"
    write_pairs(corpus, bracket_pairs(400))
    subprocess.run([*HEADLINE, "prepare", corpus, "-o", data_dir], check=True)
    return data_dir


def train_command(data_dir: Path, model_dir: Path) -> Args:
    return ["train", data_dir, "-o", model_dir, "--epochs", "400", *NETWORK]


def test_a_training_stops_keeps_what_it_has_and_goes_on(
    data_dir: Path, tmp_path: Path
) -> None:
    model_dir = tmp_path / "m"
    train = train_command(data_dir, model_dir)
    with running(*train) as process:
        wait_for(process, "epoch 1:")
        process.send_signal(signal.SIGTERM)
        stdout, stderr = end(process)
    assert process.returncode == 143 and stdout == ""
    assert "SIGTERM: stopping after this update" in stderr
    assert "the same command with --resume goes on from here" in stderr
    assert "Traceback" not in stderr and "Error" not in stderr
    assert load_bundle(model_dir).provenance["epoch"] == 1

    with running(*train, "--resume") as process:
        wait_for(process, "epoch 2:")
        os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
        _, stderr = end(process)
    assert process.returncode == 130 and "--resume" in stderr


@pytest.mark.slow
def test_a_second_signal_ends_it_at_once_and_what_was_kept_is_whole(
    data_dir: Path, tmp_path: Path
) -> None:
    model_dir = tmp_path / "m"
    train = train_command(data_dir, model_dir)
    with running(*train) as process:
        wait_for(process, "epoch 2:")
        process.send_signal(signal.SIGTERM)
        wait_for(process, "SIGTERM")
        process.send_signal(signal.SIGTERM)
        end(process)
    assert process.returncode == 143
    load_bundle(model_dir)


def test_before_an_update_is_over_there_is_nothing_to_stop() -> None:
    said: list[str] = []
    interrupt = Interrupt(said.append)
    before = signal.getsignal(signal.SIGINT)
    with interrupt.listening():
        interrupt.check()
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(Interrupted) as caught:
            interrupt.check()
    assert caught.value.exit_code == 130 and "a second signal exits at once" in said[0]
    assert signal.getsignal(signal.SIGINT) == before


@pytest.mark.parametrize("number", ENDINGS)
def test_each_signal_is_a_wish_to_stop(number: signal.Signals) -> None:
    said: list[str] = []
    interrupt = Interrupt(said.append)
    with interrupt.listening():
        os.kill(os.getpid(), number)
        # As `timeout` does; and a terminal that closes sends SIGHUP now and then.
        os.kill(os.getpid(), number)
        with pytest.raises(Interrupted) as caught:
            interrupt.check()
        time.sleep(1.5 * ECHO)
        os.kill(os.getpid(), signal.SIGHUP)
    assert caught.value.exit_code == 128 + number
    assert len(said) == 1 and said[0].startswith(number.name)


def test_a_signal_that_is_ignored_stays_ignored() -> None:
    """``nohup`` ignores SIGHUP, a shell in the background SIGINT."""
    numbers = signal.SIGHUP, signal.SIGINT
    before = {number: signal.signal(number, signal.SIG_IGN) for number in numbers}
    interrupt = Interrupt(lambda _: None)
    try:
        with ending_on_signals(), interrupt.listening():
            for number in numbers:
                os.kill(os.getpid(), number)
        assert interrupt.received is None
    finally:
        for number, old in before.items():
            signal.signal(number, old)


def test_a_second_signal_soon_after_does_not_stop_the_cleaning() -> None:
    cleaned = False
    with pytest.raises(SystemExit) as caught, ending_on_signals():
        try:
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGHUP)
            cleaned = True
    assert cleaned and caught.value.code == 143


def test_a_signal_in_the_middle_of_a_finalizer_is_not_lost(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """There the interpreter prints what is raised, and goes on."""

    class Finalized:
        def __del__(self) -> None:
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(SystemExit) as caught, ending_on_signals():
        Finalized()
        for _ in range(1000):
            time.sleep(0.01)
    assert caught.value.code == 143 and capsys.readouterr().err == ""
    assert signal.getsignal(signal.SIGALRM) == before


@contextmanager
def preparing(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """``prepare`` of a corpus, once its two processes are there."""
    corpus = write_pairs(folder / "c.csv", bracket_pairs(200_000))
    with running("prepare", corpus, "-o", folder / "d", "--workers", "2") as process:
        for _ in range(1000):
            if len(members(process.pid)) == 3:
                break
            time.sleep(0.01)
        yield process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGHUP])
def test_prepare_leaves_no_half_dataset_and_no_process(
    number: signal.Signals, tmp_path: Path
) -> None:
    with preparing(tmp_path) as process:
        os.killpg(process.pid, number)
        stdout, stderr = end(process)
        assert_all_end(process.pid)
    assert process.returncode == 128 + number and (stdout, stderr) == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["c.csv"]


def test_prepare_tells_in_one_line_that_a_process_was_killed(tmp_path: Path) -> None:
    with preparing(tmp_path) as process:
        worker = subprocess.check_output(
            ["pgrep", "-P", str(process.pid)], text=True
        ).split()[0]
        os.kill(int(worker), signal.SIGKILL)
        stdout, stderr = end(process)
        assert_all_end(process.pid)
    assert process.returncode == 1 and stdout == ""
    assert stderr.count("\n") == 1 and "try --workers 1" in stderr
    assert [path.name for path in tmp_path.iterdir()] == ["c.csv"]


@pytest.mark.parametrize("number", ENDINGS)
def test_generate_leaves_no_half_file_and_no_process(
    number: signal.Signals, corpus: Path, tmp_path: Path
) -> None:
    save_bundle(tmp_path / "m", tiny_bundle("天地玄黄", width=32))
    args: Args = ["generate", "-m", tmp_path / "m", corpus, "--workers", "2"]
    with running(*args, "-o", tmp_path / "out.csv", "--batch-size", "8") as process:
        for _ in range(500):
            if len(members(process.pid)) == 3:
                break
            time.sleep(0.02)
        os.killpg(process.pid, number)
        stdout, stderr = end(process)
        assert_all_end(process.pid)
    assert process.returncode == 128 + number and (stdout, stderr) == ("", "")
    assert [path.name for path in tmp_path.iterdir()] == ["m"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGQUIT])
def test_waiting_for_stdin_it_can_be_ended(
    number: signal.Signals, tmp_path: Path
) -> None:
    save_bundle(tmp_path / "m", tiny_bundle("天地玄黄"))
    command: Args = [*HEADLINE, "generate", "-m", tmp_path / "m", "--lines"]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True) as one:
        assert one.stdin is not None and one.stdout is not None
        one.stdin.write("天地玄黄\n")
        one.stdin.flush()
        assert one.stdout.readline()
        one.send_signal(number)
        assert one.wait(timeout=10) == 128 + number
        assert one.stderr is not None and one.stderr.read() == ""


def test_with_nohup_it_outlives_its_terminal(tmp_path: Path) -> None:
    save_bundle(tmp_path / "m", tiny_bundle("天地玄黄"))
    command: Args = ["nohup", *HEADLINE, "generate", "-m", tmp_path / "m", "--lines"]
    with subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True) as one:
        assert one.stdin is not None and one.stdout is not None
        for _ in range(2):
            one.stdin.write("天地玄黄\n")
            one.stdin.flush()
            assert one.stdout.readline()
            one.send_signal(signal.SIGHUP)
        one.stdin.close()
        assert one.wait(timeout=10) == 0


def test_a_reader_that_has_enough_ends_it_quietly(corpus: Path, tmp_path: Path) -> None:
    save_bundle(tmp_path / "m", tiny_bundle("天地玄黄"))
    args: Args = ["generate", "-m", tmp_path / "m", corpus, "--workers", "2"]
    with running(*args, "--batch-size", "8") as process:
        assert process.stdout is not None and process.stderr is not None
        assert process.stdout.readline() == "title,content,headline\n"
        process.stdout.close()
        assert process.stderr.read() == "" and process.wait(timeout=60) in (0, 1)
        assert_all_end(process.pid)


def test_a_signal_while_a_class_is_made_ends_the_program() -> None:
    class Name:
        def __set_name__(self, owner: type, name: str) -> None:
            signal.raise_signal(signal.SIGTERM)

    with pytest.raises(SystemExit) as caught, ending_on_signals():
        type("Made", (), {"name": Name()})
    assert caught.value.code == 128 + signal.SIGTERM
