"""``python -m headline.cluster.spark``: whatever is killed, every row comes once."""

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

import headline.cluster.spark
from headline.cluster.spark_command import settings_of
from headline.cluster.spark_run import _gave_up
from headline.errors import ConfigError
from tests.cluster.engines import EXECUTORS, needs_spark, spark_environment
from tests.cluster.runs import (
    ROWS,
    SAMPLED,
    SHARDS,
    corpus,
    descendants,
    finished,
    is_success,
    joined,
    kill,
    single,
    wait_for,
    wait_until,
)
from tests.trained import TRAINED

SEED = int(os.environ.get("SEED", "1"))  # another one gives other moments
SAMPLING = ("sample=true", "num_headlines=2", "seed=5", "beam_size=8")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [corpus(tmp_path_factory.mktemp("corpus"))]


def arguments(files: list[Path], out: Path) -> list[str]:
    words = [*map(str, files), str(out), "-m", str(TRAINED)]
    for setting in (f"rows_per_shard={ROWS // SHARDS}", *SAMPLING):
        words += ["--set", setting]
    return words


class Run:
    """A run that a test may kill; its end leaves no process."""

    def __init__(self, command: list[str], folder: Path) -> None:
        environment = os.environ | spark_environment(folder)
        self._said = folder / "said"  # a pipe might fill up
        with self._said.open("w") as said:
            self.process = subprocess.Popen(command, env=environment, stderr=said)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.kill()

    def below(self, part: str) -> list[int]:
        """Returns its processes whose command has a part."""
        found = descendants(self.process.pid).items()
        return sorted(pid for pid, command in found if part in command)

    def ended(self) -> str:
        """Waits for the end of a run that succeeds; returns what it said."""
        code = self.process.wait(timeout=300)
        said = self._said.read_text("utf-8", errors="replace")
        assert code == 0, said
        return said

    def kill(self) -> None:
        """Kills the driver, and waits until its executors have noticed."""
        others = descendants(self.process.pid)
        kill(self.process.pid)
        self.process.wait()
        wait_until(
            lambda: not any(Path(f"/proc/{pid}").exists() for pid in others),
            "the end of the executors",
        )


@pytest.mark.cluster
@needs_spark
def test_killed_executors_and_a_killed_driver_lose_and_repeat_nothing(
    files: list[Path], tmp_path: Path
) -> None:
    print(f"SEED = {SEED}")  # shown if the test fails
    moments, out = random.Random(SEED), tmp_path / "out"
    module = [sys.executable, "-m", "headline.cluster.spark", *arguments(files, out)]
    with Run(module, tmp_path) as run:
        wait_for(out, moments.randint(1, 4), run.process)
        kill(moments.choice(run.below("pyspark.daemon")))
        wait_for(out, moments.randint(6, 10), run.process)
        kill(moments.choice(run.below("CoarseGrainedExecutorBackend")))
        wait_for(out, moments.randint(12, 18), run.process)
        run.kill()
    assert not is_success(out)
    before = finished(out)
    assert 0 < len(before) < SHARDS

    submit = Path(spark_environment(tmp_path)["SPARK_HOME"], "bin", "spark-submit")
    program = str(headline.cluster.spark.__file__)
    words = [str(submit), "--master", EXECUTORS, program, *arguments(files, out)]
    with Run(words, tmp_path) as run:
        run.ended()

    after = finished(out)
    assert {name: after[name] for name in before} == before  # none was done twice
    assert is_success(out) and joined(out) == single(files, *SAMPLED)
    shards = json.loads((out / "manifest.json").read_text("utf-8"))["shards"]
    assert len(shards) == SHARDS == len(after)


@pytest.mark.cluster
@needs_spark
def test_what_a_user_gets_wrong_is_one_line(files: list[Path], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "headline.cluster.spark"]
    command += arguments(files, tmp_path / "out")
    command[-1] = "beam=8"
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == (
        "Error: --set: there is no setting 'beam'; did you mean beam_size?\n"
    )


def test_settings_of_a_file_and_of_options(tmp_path: Path) -> None:
    config = tmp_path / "settings.toml"
    config.write_text("[search]\nbeam_size = 2\nmax_length = 9\n[train]\nepochs = 3\n")
    values = settings_of(config, ["max-length=7", "lines=true"])
    assert values == {"beam_size": 2, "max_length": 7, "lines": True}
    with pytest.raises(ConfigError, match=r"search\.beam_size must be 1 to 1024"):
        settings_of(None, ["beam_size=0"])
    with pytest.raises(ConfigError, match="it is written NAME=VALUE"):
        settings_of(None, ["beam_size"])


def test_a_shard_that_spark_gives_up_is_named() -> None:
    class Job:
        def __init__(self, name: str) -> None:
            self.name = name

    jobs: list[Job] = [Job("a.csv"), Job("b.csv")]
    message = "Job aborted: Task 1 in stage 0.0 failed 4 times, most recent failure"
    assert "shard b.csv" in _gave_up(message, jobs)  # type: ignore[arg-type]
    assert _gave_up("x\nthe reason\n", []) == "Spark ended the run: the reason"
