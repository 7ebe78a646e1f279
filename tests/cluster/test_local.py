"""``generate --output-dir`` as a command: its processes, and who kills them."""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner

from headline.cli.main import main
from headline.cluster.local import Part, run_here
from headline.cluster.output import SUCCESS
from headline.cluster.settings import ShardSettings
from headline.errors import LockedError
from headline.system.folders import locked
from tests.cluster.running import model, opened, settings_of
from tests.commands import HEADLINE
from tests.corpora import bracket_pairs, write_pairs
from tests.system.test_workers import another_thread
from tests.trained import TRAINED

ROWS = 40  # of a shard; one takes a tenth of a second
SHARDS = 10


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    return write_pairs(folder / "news.csv", bracket_pairs(ROWS * SHARDS, seed=3))


@pytest.fixture(scope="module")
def expected(articles: Path) -> bytes:
    """What one process writes."""
    command = [*HEADLINE, "generate", str(articles), "-m", str(TRAINED)]
    command += ["--workers", "1"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def command(articles: Path, out: Path, *more: str) -> list[str]:
    options = ["-m", str(TRAINED), "--rows-per-shard", str(ROWS), "--workers", "2"]
    head = [*HEADLINE, "generate", str(articles), "--output-dir", str(out)]
    return [*head, *options, *more]


def run(command: Sequence[str], **more: object) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, capture_output=True, timeout=100, **more)  # type: ignore[call-overload, no-any-return]


def cat(out: Path) -> bytes:
    return run([*HEADLINE, "cat", str(out)], check=True).stdout


def outputs(out: Path) -> dict[str, int]:
    """The files of headlines, and what tells one file from another of its name."""
    return {path.name: path.stat().st_ino for path in out.glob("0*")}


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [*map(int, text.split())]


def waited(for_what: Callable[[], object]) -> None:
    end = time.monotonic() + 60
    while not for_what():
        assert time.monotonic() < end
        time.sleep(0.005)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the processes")
def test_a_shard_whose_worker_is_killed_is_done_by_another(
    tmp_path: Path, articles: Path, expected: bytes
) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(command(articles, out), stderr=subprocess.PIPE) as process:
        waited(lambda: len(outputs(out)) >= 2)
        for pid in children(process.pid):
            os.kill(pid, signal.SIGKILL)
        _, told = process.communicate(timeout=100)
    assert process.returncode == 0
    assert told.decode() == f"{out} is complete: {SHARDS} shards\n"
    assert cat(out) == expected


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the processes")
def test_a_killed_worker_is_replaced_and_a_killed_command_goes_on(
    tmp_path: Path, articles: Path, expected: bytes
) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(command(articles, out), stderr=subprocess.PIPE) as process:
        waited(lambda: len(outputs(out)) >= 2)
        before = children(process.pid)
        os.kill(before[0], signal.SIGKILL)
        waited(lambda: before[0] not in children(process.pid))
        waited(lambda: len(outputs(out)) >= 4)
        workers = children(process.pid)
        process.kill()
    waited(lambda: not any(map(alive, workers)))
    there = outputs(out)
    assert len(workers) == 2 and set(workers) != set(before)
    assert len(there) < SHARDS and not (out / SUCCESS).exists()
    assert b"not complete" in run([*HEADLINE, "cat", str(out)]).stderr

    done = run(command(articles, out), check=True)

    assert done.stdout == b""
    assert done.stderr.decode() == f"{out} is complete: {SHARDS} shards\n"
    assert cat(out) == expected
    assert outputs(out).items() >= there.items()
    assert [*out.glob(".*")] == []  # no scratch files, no lock
    again = outputs(out)
    run(command(articles, out), check=True)
    assert outputs(out) == again


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_array_jobs_at_the_same_time_do_each_shard_once(
    tmp_path: Path, articles: Path, expected: bytes
) -> None:
    out = tmp_path / "out"
    parts = [
        subprocess.Popen(
            command(articles, out, "--shard", f"{part}/3"), stderr=subprocess.PIPE
        )
        for part in range(3)
    ]
    told = [part.communicate(timeout=100)[1].decode() for part in parts]

    assert [part.returncode for part in parts] == [0, 0, 0]
    assert any("is complete: 10 shards" in line for line in told)
    assert all("is complete" in line or "this part is done" in line for line in told)
    assert cat(out) == expected


def test_a_full_disk_is_told_in_one_line_and_the_rest_is_done_later(
    tmp_path: Path, articles: Path, expected: bytes
) -> None:
    out = tmp_path / "out"
    run(command(articles, out, "--shard", "0/5"), check=True)
    there = outputs(out)

    def small_files() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1500, 1500))

    done = run(command(articles, out), preexec_fn=small_files)

    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
    assert done.stderr.startswith(f"Error: cannot write {out}/00000-news-0".encode())
    assert outputs(out) == there
    assert not (out / SUCCESS).exists()
    run(command(articles, out), check=True)
    assert cat(out) == expected
    assert outputs(out).items() >= there.items()


def test_a_folder_that_cannot_be_written_is_told_in_one_line(articles: Path) -> None:
    done = run(command(articles, Path("/proc/self/out")))

    assert done.returncode == 1
    assert done.stderr.startswith(b"Error: cannot write /proc/self/out")
    assert done.stderr.count(b"\n") == 1


@pytest.mark.forks
def test_a_second_command_in_the_folder_is_refused(
    tmp_path: Path, articles: Path
) -> None:
    settings = settings_of(model(tmp_path / "m"))
    begun = opened([articles], settings, tmp_path / "out", 100)

    with (
        locked(tmp_path / "out"),
        pytest.raises(LockedError, match="another process is writing"),
    ):
        run_here(begun, begun.worker, 1, lambda *_: None)
    with locked(tmp_path / "out", Part(1, 3).lock):
        done: list[str] = []
        count = lambda job, outcome: done.append(job.name)  # noqa: E731
        assert not run_here(begun, begun.worker, 1, count, Part(0, 3))
        assert done == [begun.plan.jobs[0].name, begun.plan.jobs[3].name]


@pytest.mark.forks
def test_processes_that_cannot_be_forked_load_the_model_themselves(
    tmp_path: Path, articles: Path, expected: bytes, started: list[str]
) -> None:
    settings = ShardSettings.of(TRAINED)
    begun = opened([articles], settings, tmp_path / "out", 200)
    worker = begun.worker
    worker.load()

    with another_thread():
        assert run_here(begun, worker, 2, lambda *_: None)

    assert started == ["spawn", "spawn"]
    assert cat(tmp_path / "out") == expected


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the processes")
def test_ctrl_c_ends_the_command_and_its_workers(
    tmp_path: Path, articles: Path
) -> None:
    out = tmp_path / "out"
    with subprocess.Popen(command(articles, out), stderr=subprocess.PIPE) as process:
        waited(lambda: len(outputs(out)) >= 1)
        workers = children(process.pid)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT and told == b""
    assert workers and not any(map(alive, workers))
    assert 1 <= len(outputs(out)) < SHARDS and not (out / SUCCESS).exists()


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--output-dir", "o", "-o", "x.csv"], "--output does not go with --output-d"),
        (["--output-dir", "o", "--explain", "x"], "--explain does not go with"),
        (["--shard", "0/2"], "--shard has no effect: it needs --output-dir"),
        (["--rows-per-shard", "5"], "--rows-per-shard has no effect: it needs"),
        (["--output-dir", "o", "--shard", "2/2"], "the last one is 1/2"),
        (["--output-dir", "o", "--rows-per-shard", "0"], "--rows-per-shard"),
        (["--output-dir", "-"], "- is stdout"),
        (["--output-dir", "o", "--styles"], "this model has no headline styles yet"),
        (["--output-dir", "o", "--seed", "3"], "--seed has no effect"),
    ],
)
def test_options_that_do_not_go_together_are_refused(
    tmp_path: Path,
    articles: Path,
    options: list[str],
    told: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["generate", str(articles), "-m", str(TRAINED), *options]

    result = CliRunner().invoke(main, asked)

    assert result.exit_code in (1, 2)
    assert told in result.output
    assert [*tmp_path.iterdir()] == []


def test_shards_need_files_and_a_folder_of_their_own(
    tmp_path: Path, articles: Path
) -> None:
    asked = ["generate", "-m", str(TRAINED), "--output-dir"]
    runner = CliRunner()
    texts = tmp_path / "texts"
    texts.mkdir()
    (texts / "a.txt").write_text("天地玄黄")

    for out, files, told in (
        (tmp_path / "out", [], "--output-dir needs FILES"),
        (articles.parent, [str(articles)], "the folder of an input, which is read"),
        (TRAINED, [str(articles)], "the model, which is read"),
        (texts / "out", [str(texts)], "which is read: choose another folder"),
    ):
        result = runner.invoke(main, [*asked, str(out), *files])
        assert result.exit_code in (1, 2)
        assert told in result.output
        assert not (tmp_path / "out").exists()
