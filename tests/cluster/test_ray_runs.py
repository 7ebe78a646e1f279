"""``headline generate --on ray``: whatever is killed, every row comes once."""

import json
import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.engines import needs_ray, pids_of, ray_nodes
from tests.cluster.runs import (
    SAMPLED,
    SHARDS,
    corpus,
    descendants,
    finished,
    is_success,
    joined,
    kill,
    sharded,
    single,
    wait_for,
    wait_until,
)
from tests.trained import TRAINED

pytestmark = [pytest.mark.cluster, needs_ray]
SEED = int(os.environ.get("SEED", "1"))  # another one gives other moments


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """Two nodes of one CPU each; a test may kill the second and add another."""
    with ray_nodes(1, 1) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return [corpus(tmp_path_factory.mktemp("corpus"))]


@pytest.fixture(scope="module")
def known(files: list[Path]) -> bytes:
    """What one process writes."""
    return single(files, *SAMPLED)


@pytest.fixture
def moments() -> random.Random:
    print(f"SEED = {SEED}")  # shown if the test fails
    return random.Random(SEED)


def command(cluster: Any, files: list[Path], out: Path, *options: str) -> list[str]:
    on_ray = ["--on", "ray", "--address", cluster.address]
    return [*sharded(files, out, *SAMPLED), *on_ray, *options]


class Run(subprocess.Popen[str]):
    """A run that is killed if its test fails."""

    def __exit__(self, *problem: Any) -> None:
        if self.poll() is None:
            self.kill()
        super().__exit__(*problem)


def start(command: list[str]) -> Run:
    return Run(command, stderr=subprocess.PIPE, text=True)


def ended(process: subprocess.Popen[str]) -> str:
    """Waits for the end of a run that succeeds; returns what it said."""
    _, said = process.communicate(timeout=240)
    assert process.returncode == 0, said
    return said


def check(out: Path, known: bytes) -> None:
    assert is_success(out) and joined(out) == known
    shards = json.loads((out / "manifest.json").read_text("utf-8"))["shards"]
    assert len(shards) == SHARDS == len(finished(out))


def actors(cluster: Any) -> list[int]:
    """Returns the processes of actors on all nodes."""
    found: list[int] = []
    for node in cluster.list_all_nodes():
        for pid in pids_of(node):
            below = descendants(pid).items()
            found += [one for one, name in below if name.startswith("ray::_Actor")]
    return sorted(set(found))


def test_killed_workers_and_a_killed_node_lose_and_repeat_nothing(
    nodes: Any, files: list[Path], known: bytes, tmp_path: Path, moments: random.Random
) -> None:
    out = tmp_path / "out"
    run = start(command(nodes, files, out, "--workers", "2"))
    wait_for(out, moments.randint(1, 8), run)
    kill(moments.choice(actors(nodes)))
    wait_for(out, moments.randint(9, 15), run)
    before = finished(out)
    # All CPUs are taken, so no actor of the node can move anywhere.
    (second,) = nodes.worker_nodes
    for pid in pids_of(second):
        kill(pid)
    ended(run)
    after = finished(out)
    assert {name: after[name] for name in before} == before
    check(out, known)
    nodes.remove_node(second, allow_graceful=False)
    nodes.add_node(num_cpus=1, object_store_memory=80 << 20)


def test_a_killed_driver_loses_nothing(
    nodes: Any, files: list[Path], known: bytes, tmp_path: Path, moments: random.Random
) -> None:
    out = tmp_path / "out"
    run = start(command(nodes, files, out))
    wait_for(out, moments.randint(2, SHARDS - 8), run)
    kill(run.pid)
    run.communicate()
    assert not is_success(out)
    wait_until(lambda: not actors(nodes), "the end of the actors")
    before = finished(out)
    assert len(before) < SHARDS

    said = ended(start(command(nodes, files, out)))

    assert "is complete" in said
    after = finished(out)
    assert {name: after[name] for name in before} == before  # none was done twice
    check(out, known)


def test_a_driver_that_is_stopped_ends_its_actors(
    nodes: Any, files: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = start(command(nodes, files, out))
    wait_for(out, 1, run)
    run.terminate()
    _, said = run.communicate(timeout=120)
    assert run.returncode == 128 + signal.SIGTERM, said
    assert "Traceback" not in said and not is_success(out)
    wait_until(lambda: not actors(nodes), "the end of the actors")


def test_a_run_that_is_complete_needs_no_cluster(
    nodes: Any, files: list[Path], known: bytes, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    ended(start(sharded(files, out, *SAMPLED)))  # on this machine
    before = finished(out)
    ended(start([*sharded(files, out, *SAMPLED), "--on", "ray", "--address", "no:1"]))
    assert finished(out) == before
    check(out, known)


def refused(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode in (1, 2) and done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_two_runs_into_one_folder(
    nodes: Any, files: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run = start(command(nodes, files, out))
    wait_for(out, 1, run)
    (line,) = refused(command(nodes, files, out)).splitlines()
    assert "another process" in line
    ended(run)


def test_a_model_that_changes_stops_the_run(
    nodes: Any, files: list[Path], known: bytes, tmp_path: Path
) -> None:
    out, model = tmp_path / "out", tmp_path / "model"
    shutil.copytree(TRAINED, model)
    words = command(nodes, files, out)
    words[words.index(str(TRAINED))] = str(model)
    run = start(words)
    wait_for(out, 2, run)
    manifest = model / "manifest.json"
    old = manifest.read_text("utf-8")
    manifest.write_text(old + "\n", "utf-8")
    _, said = run.communicate(timeout=120)
    assert run.returncode == 1 and "changed during the run" in said.splitlines()[-1]
    assert "Traceback" not in said and not is_success(out)
    before = finished(out)

    manifest.write_text(old, "utf-8")
    ended(start(words))
    assert {name: finished(out)[name] for name in before} == before
    check(out, known)


def test_options_without_effect_and_no_cluster(
    files: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    common = sharded(files, out)
    nowhere = ["--on", "ray", "--address", "127.0.0.1:1"]
    assert "use --address local" in refused([*common, *nowhere])
    assert "HOST:PORT" in refused([*common, "--on", "ray", "--address", "me:x"])
    assert "--shard is for array jobs" in refused([*common, *nowhere, "--shard", "0/2"])
    assert "it needs --on ray" in refused([*common, "--stall-minutes", "5"])
    gpus = [*common, *nowhere, "--gpus-per-worker", "1"]
    assert "it needs --device gpu" in refused(gpus)
    assert "must be above 0" in refused([*common, *nowhere, "--stall-minutes", "0"])
