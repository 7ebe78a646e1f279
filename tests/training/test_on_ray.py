"""A training on Ray: its commands, and that it starts again by itself."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from signal import SIGKILL

import pytest
from click.testing import CliRunner

from headline.cli.main import main
from headline.data.batches import SOURCE_STEP
from headline.data.prepare import Job, prepare
from headline.errors import TrainingError
from headline.formats.tables import CorpusFormat
from headline.settings.base import offered
from headline.settings.hosts import HostsConfig
from headline.settings.model import ModelConfig
from headline.settings.prepare import PrepareConfig
from headline.settings.presets import PRESETS, Run
from headline.settings.toml import read_settings
from headline.settings.train import TrainConfig
from headline.system.interrupt import Wish
from headline.training import on_ray
from headline.training.group import AGAIN
from tests.corpora import bracket_pairs, write_pairs
from tests.devices import environment
from tests.processes import LONGEST, Process, start, train_command
from tests.trainings import assert_same

RUN = Run(
    data_dir=Path("data"),
    model_dir=Path("model"),
    preset="large",
    model=replace(PRESETS["large"].model, width=48),
    train=replace(PRESETS["large"].train, seed=7, freeze=("^a", "b$"), max_minutes=2.5),
    hosts=HostsConfig(on="ray", workers=2, stall_minutes=3.0),
)


def test_the_processes_get_all_settings(tmp_path: Path) -> None:
    path = tmp_path / "settings.toml"
    path.write_text(on_ray.settings_text(RUN), "utf-8")
    found = read_settings(path)
    network = {one.name for one in offered(ModelConfig)}
    values = {name: found["model"][name] for name in network & found["model"].keys()}
    assert ModelConfig().changed(values) == RUN.model
    assert found["train"].pop("preset") == "large"
    assert TrainConfig().changed(found["train"]) == RUN.train


def test_the_command_is_one_of_ours() -> None:
    command = on_ray._command(replace(RUN, resume=True, init_from=Path("base")))
    words = list(command.arguments)
    assert words[:3] == [sys.executable, "-m", "headline"]
    assert "--resume" in words and "--overwrite" not in words
    assert words[words.index("--stall-minutes") + 1] == "3"
    result = CliRunner().invoke(main, [*words[3:], "--hosts", "auto", "--help"])
    assert result.exit_code == 0


def look_at(*looks: tuple[list[str], int | None]) -> "on_ray.Worker":
    """A worker whose process tells and ends so."""
    worker, left = on_ray.Worker(), list(looks)
    worker.look = lambda: left.pop(0) if len(left) > 1 else left[0]  # type: ignore[method-assign]
    return worker


class Called:
    """A worker as Ray wraps it, whose calls have a result at once."""

    def __init__(self, worker: "on_ray.Worker") -> None:
        self.worker = worker

    def __getattr__(self, name: str) -> "Remote":
        return Remote(getattr(self.worker, name))


class Remote:
    def __init__(self, method: object) -> None:
        self.remote = method


@pytest.fixture
def watched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(on_ray, "_get", list)
    monkeypatch.setattr(on_ray, "PAUSE", 0.01)


@pytest.mark.usefixtures("watched")
def test_the_story_is_that_of_process_0() -> None:
    told: list[str] = []
    first = look_at((["one", "two"], None), (["three"], None), ([], 0))
    second = look_at((["hidden"], None), ([], 0))
    workers = [Called(first), Called(second)]
    assert on_ray._watched(workers, told.append, Wish()) == ([0, 0], None)
    assert told == ["one", "two", "three"]


@pytest.mark.usefixtures("watched")
def test_an_error_of_a_process_is_that_of_the_command() -> None:
    workers = [
        Called(look_at((["Error: process 0 of 2: another"], AGAIN))),
        Called(look_at((["Error: no space left"], 1), ([], 1))),
    ]
    codes, error = on_ray._watched(workers, print, Wish())
    assert codes == [AGAIN, 1] and error == "no space left"


@pytest.mark.usefixtures("watched")
def test_a_death_is_no_error() -> None:
    killed = Called(look_at(([], -SIGKILL)))
    other = Called(look_at(([], None), (["Error: process 1 of 2: lost"], AGAIN)))
    assert on_ray._watched([killed, other], print, Wish()) == ([-9, AGAIN], None)


def test_without_ray_one_line_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(TrainingError, match=r"pip install 'headline\[ray\]'"):
        on_ray.train_on_ray(RUN, print, Wish())


# --- on a cluster of this machine -----------------------------------------------------


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    short = [pair for pair in bracket_pairs(1500) if len(pair[1]) <= SOURCE_STEP]
    job = Job(
        files=[write_pairs(tmp_path / "corpus.csv", short[:150])],
        data_dir=tmp_path / "prepared",
        format=CorpusFormat(),
        config=PrepareConfig(valid_size=0.2, test_size=0.0),
    )
    prepare(job)
    return job.data_dir


@pytest.fixture
def ray_env(tmp_path: Path) -> Iterator[dict[str, str]]:
    pytest.importorskip("ray")
    pytest.importorskip("jax")
    yield environment(1, tmp_path / "cache") | {"RAY_DISABLE_IMPORT_WARNING": "1"}


def wait_for(process: Process, line: str) -> None:
    end = time.monotonic() + LONGEST
    while line not in process.told:
        assert process.popen.poll() is None and time.monotonic() < end, process.told
        time.sleep(0.05)


def children(rank: int, model_dir: Path) -> list[int]:
    """The numbers of the processes of a rank that write the model."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = path.read_bytes().decode().split("\0")
        except OSError:
            continue
        if {str(model_dir), "--process-id"} <= set(words):
            place = words.index("--process-id") + 1
            found += [int(path.parent.name)] * (words[place] == str(rank))
    return found


@pytest.mark.slow
def test_after_a_death_it_goes_on_by_itself(
    data_dir: Path, tmp_path: Path, ray_env: dict[str, str]
) -> None:
    more = ("--epochs", "12", "--samples", "1")
    straight, model_dir = tmp_path / "straight", tmp_path / "model"
    alone = environment(2, tmp_path / "cache")
    subprocess.run(train_command(data_dir, straight, *more), env=alone, check=True)
    ray = ("--on", "ray", "--workers", "2", "--address", "local")
    process = start(
        train_command(data_dir, model_dir, *more, *ray), ray_env, "ray", tmp_path
    )
    try:
        for rank, epoch in ((1, 2), (0, 6)):
            wait_for(process, f"epoch {epoch}:")
            (child,) = children(rank, model_dir)
            os.kill(child, SIGKILL)
        assert process.end() == 0, process.told
    finally:
        process.popen.kill()
    assert process.told.count("a process died") == 2
    assert_same(model_dir, straight)
